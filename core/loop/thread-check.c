/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file checks the thread tags of public functions (farwatch/thread.h). It is always in the library, as a
 * plugin may be built with checks when the library is not. */
#include "config.h"

#include "loop/loop-private.h"

#include <pthread.h>

#include <farwatch/thread.h>

static void
thread_is_wrong (const char *function, const char *right)
{
  char name[16] = "?";

  pthread_getname_np (pthread_self (), name, sizeof name);
  g_error ("%s() belongs to the thread of %s and was called at %s", function, right, name);
}

/* The main loop is not made by being asked for: what it reads as it begins may not be there yet. */
void
far_thread_check_main (const char *function)
{
  if (!far_loop_main_is_here ())
    thread_is_wrong (function, "main");
}

void
far_thread_check_loop (const char *function, FarLoop *loop)
{
  if (!far_loop_is_here (loop))
    thread_is_wrong (function, far_loop_name (loop));
}
