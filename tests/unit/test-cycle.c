/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cycles: when something is asked that is asked again and again. */
#include "config.h"

#include <farwatch/clock.h>
#include <farwatch/cycle.h>

#include "loop/instance-head.h"
#include "unit/core-help.h"

#define SECOND G_GINT64_CONSTANT (1000000)

static FarInstanceHead at;
static guint asked;
static gboolean away; /* nobody can be asked */
static FarCycle *cycle;

static gboolean
asks (gpointer user)
{
  ck_assert_ptr_eq (user, &at);
  asked += !away;
  return !away;
}

static gint64
lasts (gpointer user)
{
  return 100 * SECOND;
}

static const FarCycleFuncs funcs = { asks, lasts };

static void
set_up (void)
{
  asked = 0;
  away = FALSE;
  cycle = far_cycle_new ((FarInstance *) (void *) &at, &funcs, SECOND, &at);
}

static void
tear_down (void)
{
  far_cycle_free (cycle);
}

static void
later (gint64 us)
{
  far_clock_advance (us);
  run_pending ();
}

/* Nothing by itself; then at its length, a tenth more or less, also when nobody was there. */
START_TEST (at_its_length)
{
  later (1000 * SECOND);
  ck_assert_uint_eq (asked, 0);
  far_cycle_soon (cycle, 0);
  run_pending ();
  ck_assert_uint_eq (asked, 1);
  far_cycle_over (cycle, TRUE);
  for (guint i = 2; i < 50; i++) {
    later (89 * SECOND);
    ck_assert_uint_eq (asked, i - 1);
    later (22 * SECOND);
    ck_assert_uint_eq (asked, i);
    far_cycle_over (cycle, TRUE);
  }
  away = TRUE;
  later (111 * SECOND);
  away = FALSE;
  ck_assert_uint_eq (asked, 49);
  later (111 * SECOND);
  ck_assert_uint_eq (asked, 50);
}
END_TEST

/* Sooner where somebody wants it, never later; one question at a time, and one more behind it. */
START_TEST (sooner)
{
  far_cycle_soon (cycle, 5 * SECOND);
  far_cycle_soon (cycle, 2 * SECOND);
  far_cycle_soon (cycle, 9 * SECOND);
  later (SECOND);
  ck_assert_uint_eq (asked, 0);
  later (SECOND + 1);
  ck_assert_uint_eq (asked, 1);
  far_cycle_soon (cycle, 0);
  far_cycle_soon (cycle, 0);
  later (200 * SECOND); /* no answer yet */
  ck_assert_uint_eq (asked, 1);
  far_cycle_over (cycle, TRUE);
  run_pending ();
  ck_assert_uint_eq (asked, 2);
  far_cycle_over (cycle, TRUE);
  run_pending ();
  ck_assert_uint_eq (asked, 2);
}
END_TEST

/* No good answer: again soon, then ever more slowly, and no later than at its length; a good one ends that.
 */
START_TEST (again_ever_more_slowly)
{
  far_cycle_soon (cycle, 0);
  run_pending ();
  for (guint round = 0; round < 2; round++) {
    guint before = asked;
    for (guint i = 0; i < 6; i++) {
      if (i == 0)
        far_cycle_soon (cycle, 0); /* somebody wants one behind this: it comes with the next */
      far_cycle_over (cycle, FALSE);
      later ((SECOND << i) - SECOND / 2);
      ck_assert_uint_eq (asked, before + i);
      later (SECOND / 2 + 1000);
      ck_assert_uint_eq (asked, before + i + 1);
    }
    for (guint i = 0; i < 20; i++) {
      guint now = asked;
      far_cycle_over (cycle, FALSE);
      later (111 * SECOND);
      ck_assert_uint_eq (asked, now + 1);
    }
    far_cycle_over (cycle, TRUE);
    later (111 * SECOND);
  }
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  Suite *suite = suite_create ("cycle");
  TCase *cases = tcase_create ("cycle");
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_test (cases, at_its_length);
  tcase_add_test (cases, sooner);
  tcase_add_test (cases, again_ever_more_slowly);
  suite_add_tcase (suite, cases);
  return run_suite (suite);
}
