/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small helpers for the tests of loops, streams and pumps. */
#pragma once
#include <check.h>
#include <farwatch/clock.h>
#include <farwatch/loop.h>

#define SECONDS(n) ((gint64) (n) *G_USEC_PER_SEC)

/* Runs the main context until *flag is set; fails the test after 20 s. */
static inline void
help_wait (const gint *flag)
{
  gint64 end = g_get_monotonic_time () + SECONDS (20);
  while (!g_atomic_int_get (flag) && g_get_monotonic_time () < end) {
    if (!g_main_context_iteration (NULL, FALSE))
      g_usleep (200);
  }
  ck_assert_msg (g_atomic_int_get (flag), "waited in vain");
}

static inline void
help_nothing (gpointer data)
{
}

/* Everything posted to loop before is done. */
static inline void
help_settle (FarLoop *loop)
{
  far_loop_call (loop, help_nothing, NULL);
}

static inline void
help_spin (guint turns)
{
  while (turns-- > 0)
    g_main_context_iteration (NULL, FALSE);
}
