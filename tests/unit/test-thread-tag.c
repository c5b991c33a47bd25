/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the thread tags of public functions come to: at the right thread nothing, at another one the end, with
 * words that name the function and both threads. */
#include "config.h"

#include <farwatch/thread.h>

#include "unit/core-help.h"

#ifdef FAR_CHECK_THREADS
#define WRONG SIGTRAP
#else
#define WRONG 0
#endif

static void
tagged_main (void)
{
  FAR_ON_MAIN ();
}

static void
tagged_loop (FarLoop *loop)
{
  FAR_ON_LOOP (loop);
}

static void
call_main (gpointer data)
{
  tagged_main ();
}

static void
call_loop (gpointer loop)
{
  tagged_loop (loop);
}

START_TEST (at_their_own_threads)
{
  FarLoop *loop = far_loop_io_new ("own");

  tagged_main ();
  far_loop_main ();
  tagged_main ();
  ck_assert (!far_loop_is_here (loop));
  far_loop_call (loop, call_loop, loop);
  far_loop_io_free (loop);
}
END_TEST

/* The main loop need not be there for it. */
START_TEST (main_at_a_worker)
{
  FarLoop *loop = far_loop_io_new ("own");

  far_loop_call (loop, call_main, NULL);
  far_loop_io_free (loop);
}
END_TEST

START_TEST (a_loop_at_main)
{
  FarLoop *loop = far_loop_io_new ("own");

  tagged_loop (loop);
  far_loop_io_free (loop);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("thread-tag");
  TCase *tc = tcase_create ("thread-tag");

  tcase_add_test (tc, at_their_own_threads);
  tcase_add_test_raise_signal (tc, main_at_a_worker, WRONG);
  tcase_add_test_raise_signal (tc, a_loop_at_main, WRONG);
  suite_add_tcase (suite, tc);
  return run_suite (suite);
}
