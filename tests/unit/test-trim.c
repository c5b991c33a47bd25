/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "trim.h"

static int data_of_the_program = 1; /* written before: must not be let go */

/* What code and data there is works on after its pages were dropped, relocated pointers too. */
START_TEST (test_all_goes_on)
{
  const char *const *words = (const char *const[]){ "one", "two", NULL };
  g_autofree char *before = g_strdup ("kept");

  data_of_the_program = 7;
  for (int i = 0; i < 50; i++) {
    ck_assert_uint_gt (far_trim (), 0);
    ck_assert_int_eq (data_of_the_program, 7);
    ck_assert_str_eq (before, "kept");
    ck_assert (g_strv_contains (words, "two"));
    ck_assert_double_eq_tol (sqrt ((double) i * i), i, 1e-9);
  }
}
END_TEST

static gpointer
work (gpointer stop)
{
  gulong n = 0;

  for (; !g_atomic_int_get ((gint *) stop); n++) {
    g_autofree char *text = g_strdup_printf ("%lu", n);

    ck_assert_uint_eq (strtoul (text, NULL, 10), n);
  }
  return GSIZE_TO_POINTER (n);
}

START_TEST (test_under_work)
{
  gint stop = 0;
  GThread *thread = g_thread_new ("work", work, &stop);

  for (int i = 0; i < 100; i++)
    far_trim ();
  g_atomic_int_set (&stop, 1);
  ck_assert_uint_gt (GPOINTER_TO_SIZE (g_thread_join (thread)), 0);
}
END_TEST

#ifndef __SANITIZE_ADDRESS__ /* that one keeps freed memory for a while */
static gsize
touched (gsize size)
{
  g_autofree char *much = g_malloc (size);

  memset (much, 1, size);
  return far_trim ();
}

START_TEST (test_gives_back)
{
  gsize with = touched (32 << 20), without = far_trim ();

  ck_assert_uint_lt (without + (16 << 10), with);
}
END_TEST
#endif

int
main (void)
{
  Suite *suite = suite_create ("trim");
  TCase *all = tcase_create ("trim");
  SRunner *runner = srunner_create (suite);
  int failed;

  tcase_add_test (all, test_all_goes_on);
  tcase_add_test (all, test_under_work);
#ifndef __SANITIZE_ADDRESS__
  tcase_add_test (all, test_gives_back);
#endif
  suite_add_tcase (suite, all);
  srunner_run_all (runner, CK_ENV);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
