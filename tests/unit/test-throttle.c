/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Wrong logins are counted by name and source, and all of a source; the table has an end. */
#include "config.h"

#include "throttle.h"
#include "unit/door-help.h"

static void
setup (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
}

static void
teardown (void)
{
  far_throttle_clear ();
}

START_TEST (failures_are_forgotten_and_success_takes_back)
{
  for (guint i = 0; i < 5; i++)
    far_throttle_enter ("alice", "a");
  forward (601);
  ck_assert_int_eq (far_throttle_enter ("alice", "a"), 0);
  for (guint i = 0; i < 4; i++)
    far_throttle_enter ("alice", "a");
  far_throttle_leave ("alice", "a", FAR_TRY_SUCCEEDED);
  ck_assert_int_eq (far_throttle_enter ("alice", "a"), 0);
  far_throttle_leave ("alice", "a", FAR_TRY_VOID);
  ck_assert_int_eq (far_throttle_enter ("alice", "a"), 0);
}
END_TEST

START_TEST (many_names_from_one_source)
{
  for (guint i = 0; i < FAR_THROTTLE_SOURCE_TRIES; i++) {
    g_autofree char *name = g_strdup_printf ("user%u", i);

    ck_assert_int_eq (far_throttle_enter (name, "a"), 0);
  }
  ck_assert_int_eq (far_throttle_enter ("another", "a"), -1);
}
END_TEST

START_TEST (one_network_of_ipv6_is_one_source)
{
  for (guint i = 0; i < FAR_THROTTLE_TRIES; i++) {
    g_autofree char *from = g_strdup_printf ("2001:db8:1:2::%x", i + 1);

    ck_assert_int_ge (far_throttle_enter ("alice", from), 0);
  }
  ck_assert_int_eq (far_throttle_enter ("alice", "2001:db8:1:2:ffff::1"), -1);
  ck_assert_int_eq (far_throttle_enter ("alice", "2001:db8:1:3::1"), 0);
}
END_TEST

START_TEST (a_colleagues_successes_do_not_add_up)
{
  for (guint i = 0; i < 3 * FAR_THROTTLE_SOURCE_TRIES; i++) {
    ck_assert_int_eq (far_throttle_enter ("alice", "office"), 0);
    far_throttle_leave ("alice", "office", FAR_TRY_SUCCEEDED);
  }
}
END_TEST

START_TEST (the_table_is_bounded)
{
  for (guint i = 0; i < 3 * FAR_THROTTLE_ENTRIES; i++) {
    g_autofree char *name = g_strdup_printf ("user%u", i), *from = g_strdup_printf ("10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);

    far_throttle_enter (name, from);
    ck_assert_uint_le (far_throttle_count (), FAR_THROTTLE_ENTRIES + 2);
  }
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("throttle");
  TCase *tc = tcase_create ("throttle");

  tcase_set_timeout (tc, 60);
  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_add_test (tc, failures_are_forgotten_and_success_takes_back);
  tcase_add_test (tc, many_names_from_one_source);
  tcase_add_test (tc, one_network_of_ipv6_is_one_source);
  tcase_add_test (tc, a_colleagues_successes_do_not_add_up);
  tcase_add_test (tc, the_table_is_bounded);
  suite_add_tcase (suite, tc);
  return run_suite (suite);
}
