/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Wrong logins are counted by name and source, all of a source, of its network and of a name; the table has
 * an end. */
#include "config.h"

#include "auth/throttle.h"
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

/* ---- one try ---- */

static FarTry
try_of (const char *name, const char *from)
{
  return (FarTry){ .name = name, .from = from };
}

/* Seconds that it has to wait; 0: it has begun; -1: refused; -2: until another leaves. */
static gint64
enter (const FarTry *try, gint64 since_us)
{
  g_autofree char *why = NULL;
  gint64 at_us, now = far_clock_boottime_us ();
  FarThrottleWord word = far_throttle_enter (try, since_us, &at_us, &why);

  ck_assert_int_eq (why != NULL, word == FAR_THROTTLE_REFUSED);
  if (word != FAR_THROTTLE_LATER)
    return word == FAR_THROTTLE_GO ? 0 : -1;
  return at_us == 0 ? -2 : (at_us - now + G_USEC_PER_SEC / 2) / G_USEC_PER_SEC;
}

static gint64
enter_now (const char *name, const char *from)
{
  const FarTry try = try_of (name, from);

  return enter (&try, far_clock_boottime_us ());
}

static void
leave (const char *name, const char *from, FarTryOutcome outcome)
{
  const FarTry try = try_of (name, from);

  far_throttle_leave (&try, outcome);
}

/* A whole try: TRUE if it was made, after the time that it had to wait. */
static gboolean
try_whole (const FarTry *try, FarTryOutcome outcome)
{
  gint64 since_us = far_clock_boottime_us (), wait = enter (try, since_us);

  for (guint i = 0; i < 8 && wait > 0; i++) {
    forward (wait + 1);
    wait = enter (try, since_us);
  }
  if (wait == 0)
    far_throttle_leave (try, outcome);
  return wait == 0;
}

static gboolean
fail_once (const char *name, const char *from)
{
  const FarTry try = try_of (name, from);

  return try_whole (&try, FAR_TRY_FAILED);
}

static guint
fail_often (const char *name, const char *from, guint n)
{
  guint made = 0;

  for (guint i = 0; i < n; i++)
    made += fail_once (name, from);
  return made;
}

START_TEST (three_are_free_then_it_takes_longer)
{
  const gint64 seconds[] = { 0, 0, 0, 1, 2, 4, 8, 16, 32, 32 };

  for (guint i = 0; i < G_N_ELEMENTS (seconds); i++) {
    ck_assert_int_eq (enter_now ("alice", "a"), seconds[i]);
    forward (seconds[i]);
    if (seconds[i] > 0)
      ck_assert_int_eq (enter_now ("alice", "a"), 0);
    leave ("alice", "a", FAR_TRY_FAILED);
  }
  ck_assert_int_eq (enter_now ("alice", "a"), -1);
  ck_assert_int_eq (enter_now ("bob", "a"), 0);   /* her neighbour has not failed */
  ck_assert_int_eq (enter_now ("alice", "b"), 0); /* nor is she refused elsewhere */
  forward (601);
  ck_assert_int_eq (enter_now ("alice", "a"), 0);
}
END_TEST

START_TEST (failures_are_forgotten_and_success_takes_back)
{
  ck_assert_uint_eq (fail_often ("alice", "a", 5), 5);
  forward (601);
  ck_assert_int_eq (enter_now ("alice", "a"), 0);
  leave ("alice", "a", FAR_TRY_VOID);
  ck_assert_uint_eq (fail_often ("alice", "a", 4), 4);
  forward (2);
  ck_assert_int_eq (enter_now ("alice", "a"), 0);
  leave ("alice", "a", FAR_TRY_SUCCEEDED);
  ck_assert_int_eq (enter_now ("alice", "a"), 0);
}
END_TEST

/* What nobody has judged yet is no failure. It only waits, so that never more are judged than may fail. */
START_TEST (tries_under_way_are_no_failures)
{
  for (guint i = 0; i < FAR_THROTTLE_FREE; i++)
    ck_assert_int_eq (enter_now ("alice", "a"), 0);
  for (guint i = 0; i < 100; i++)
    ck_assert_int_eq (enter_now ("alice", "a"), -2);
  for (guint i = 0; i < FAR_THROTTLE_FREE; i++)
    leave ("alice", "a", FAR_TRY_SUCCEEDED);
  ck_assert_uint_eq (fail_often ("alice", "a", 20), FAR_THROTTLE_TRIES);
}
END_TEST

START_TEST (many_names_from_one_source)
{
  for (guint i = 0; i < FAR_THROTTLE_SOURCE_TRIES; i++) {
    g_autofree char *name = g_strdup_printf ("user%u", i);

    ck_assert (fail_once (name, "a"));
  }
  ck_assert_int_eq (enter_now ("another", "a"), -1);
  forward (601);
  ck_assert_int_eq (enter_now ("another", "a"), 0);
}
END_TEST

/* One wrong login now and then, of hundreds of people behind one address, adds up to nothing. */
START_TEST (rare_failures_do_not_add_up)
{
  for (guint i = 0; i < 10 * FAR_THROTTLE_SOURCE_TRIES; i++) {
    g_autofree char *name = g_strdup_printf ("user%u", i);

    ck_assert (fail_once (name, "office"));
    forward (30);
  }
}
END_TEST

START_TEST (who_logged_in_before_is_not_refused_for_others)
{
  const FarTry alice = try_of ("alice", "nat");

  ck_assert (try_whole (&alice, FAR_TRY_SUCCEEDED));
  for (guint i = 0; i < FAR_THROTTLE_SOURCE_TRIES; i++) {
    g_autofree char *name = g_strdup_printf ("user%u", i);

    ck_assert (fail_once (name, "nat"));
  }
  ck_assert (!fail_once ("another", "nat"));
  ck_assert (try_whole (&alice, FAR_TRY_SUCCEEDED));
  /* being known gives no more guesses */
  ck_assert_uint_eq (fail_often ("alice", "nat", 20), FAR_THROTTLE_TRIES);
}
END_TEST

START_TEST (one_network_of_ipv6_is_one_source)
{
  for (guint i = 0; i < FAR_THROTTLE_TRIES; i++) {
    g_autofree char *from = g_strdup_printf ("2001:db8:1:2::%x", i + 1);

    ck_assert (fail_once ("alice", from));
  }
  ck_assert_int_eq (enter_now ("alice", "2001:db8:1:2:ffff::1"), -1);
  ck_assert_int_eq (enter_now ("alice", "2001:db8:1:3::1"), 0);
}
END_TEST

START_TEST (a_48_does_not_give_65536_times_the_guesses)
{
  guint made = 0;

  for (guint i = 0; i < 4 * FAR_THROTTLE_NET_TRIES; i++) {
    g_autofree char *from = g_strdup_printf ("2001:db8:1:%x::1", i), *name = g_strdup_printf ("user%u", i);

    made += fail_once (name, from);
  }
  ck_assert_uint_ge (made, FAR_THROTTLE_NET_TRIES);
  ck_assert_uint_le (made, FAR_THROTTLE_NET_TRIES + 1);
  ck_assert_int_eq (enter_now ("alice", "2001:db8:2::1"), 0);
  ck_assert_int_eq (enter_now ("alice", "192.0.2.1"), 0);
}
END_TEST

/* From everywhere at once: nobody is locked out, everybody waits but who came from there before. */
START_TEST (a_name_that_is_guessed_from_everywhere_is_slower)
{
  const FarTry loop = try_of ("alice", "192.0.2.1"), hotel = try_of ("alice", "198.51.100.1");

  ck_assert (try_whole (&loop, FAR_TRY_SUCCEEDED));
  for (guint i = 0; i < 4 * FAR_THROTTLE_NAME_FREE; i++) {
    g_autofree char *from = g_strdup_printf ("10.0.%u.%u", i >> 8, i & 255);
    const FarTry try = try_of ("alice", from);

    ck_assert_int_ge (enter (&try, 0), 0); /* it has waited long enough */
    leave ("alice", from, FAR_TRY_FAILED);
  }
  ck_assert_int_ge (enter_now ("alice", "198.51.100.1"), 4);
  ck_assert_int_le (enter_now ("alice", "198.51.100.1"), 32);
  ck_assert_int_eq (enter_now ("bob", "198.51.100.1"), 0);
  ck_assert_int_eq (enter (&loop, far_clock_boottime_us ()), 0);
  ck_assert (try_whole (&hotel, FAR_TRY_SUCCEEDED));
  ck_assert_int_eq (enter (&hotel, far_clock_boottime_us ()), 0);
}
END_TEST

static FarTry
told_of (const char *from, const char *asker)
{
  return (FarTry){ .name = "alice", .from = from, .told = asker, .interface = "ssh" };
}

/* Who gets at a login by their own session slows themselves down there, and nobody else. */
START_TEST (an_asker_locks_out_nobody_else)
{
  const FarTry mallory = told_of ("127.0.0.1", "person:mallory"),
               alice = told_of ("127.0.0.1", "person:alice");
  guint made = 0;

  for (guint i = 0; i < 20; i++)
    made += try_whole (&mallory, FAR_TRY_FAILED);
  ck_assert_uint_eq (made, FAR_THROTTLE_TRIES);
  ck_assert (try_whole (&alice, FAR_TRY_SUCCEEDED));
}
END_TEST

/* A cloud that lies says each guess is for somebody else, from somewhere else: an hour gives no more guesses
 * than one source has. */
START_TEST (told_sources_give_no_more_guesses)
{
  gint64 end_us = far_clock_boottime_us () + 3600 * (gint64) G_USEC_PER_SEC;
  const FarTry known = told_of ("192.0.2.1", "person:alice");
  guint made = 0;

  ck_assert (try_whole (&known, FAR_TRY_SUCCEEDED));
  for (guint i = 0; far_clock_boottime_us () < end_us; i++) {
    g_autofree char *from = g_strdup_printf ("10.0.%u.%u", i >> 8, i & 255),
                    *asker = g_strdup_printf ("person:p%u", i);
    const FarTry try = told_of (from, asker);

    made += try_whole (&try, FAR_TRY_FAILED);
  }
  ck_assert_uint_le (made, FAR_THROTTLE_SOURCE_TRIES + 6 * FAR_THROTTLE_SOURCE_TRIES);
  ck_assert_uint_ge (made, FAR_THROTTLE_SOURCE_TRIES);
  ck_assert_int_eq (enter (&known, far_clock_boottime_us ()), 0);
  ck_assert_int_eq (enter_now ("alice", "192.0.2.1"), 0); /* an interface that sees for itself */
}
END_TEST

/* Nobody said no, somebody could not be asked: that slows down, and refuses nobody. */
START_TEST (undecided_tries_slow_down)
{
  const FarTry try = try_of ("alice", "a");

  for (guint i = 0; i < 2 * FAR_THROTTLE_SOURCE_TRIES; i++)
    ck_assert (try_whole (&try, FAR_TRY_UNDECIDED));
  ck_assert_int_gt (enter_now ("alice", "a"), 1);
}
END_TEST

START_TEST (a_colleagues_successes_do_not_add_up)
{
  for (guint i = 0; i < 3 * FAR_THROTTLE_SOURCE_TRIES; i++) {
    ck_assert_int_eq (enter_now ("alice", "office"), 0);
    leave ("alice", "office", FAR_TRY_SUCCEEDED);
  }
}
END_TEST

START_TEST (the_table_is_bounded)
{
  for (guint i = 0; i < 3 * FAR_THROTTLE_ENTRIES; i++) {
    g_autofree char *name = g_strdup_printf ("user%u", i),
                    *from = g_strdup_printf ("10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);

    ck_assert_int_eq (enter_now (name, from), 0);
    leave (name, from, i % 2 == 0 ? FAR_TRY_FAILED : FAR_TRY_SUCCEEDED);
    ck_assert_uint_le (far_throttle_count (), FAR_THROTTLE_ENTRIES + 4);
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
  tcase_add_test (tc, three_are_free_then_it_takes_longer);
  tcase_add_test (tc, failures_are_forgotten_and_success_takes_back);
  tcase_add_test (tc, tries_under_way_are_no_failures);
  tcase_add_test (tc, many_names_from_one_source);
  tcase_add_test (tc, rare_failures_do_not_add_up);
  tcase_add_test (tc, who_logged_in_before_is_not_refused_for_others);
  tcase_add_test (tc, one_network_of_ipv6_is_one_source);
  tcase_add_test (tc, a_48_does_not_give_65536_times_the_guesses);
  tcase_add_test (tc, a_name_that_is_guessed_from_everywhere_is_slower);
  tcase_add_test (tc, an_asker_locks_out_nobody_else);
  tcase_add_test (tc, told_sources_give_no_more_guesses);
  tcase_add_test (tc, undecided_tries_slow_down);
  tcase_add_test (tc, a_colleagues_successes_do_not_add_up);
  tcase_add_test (tc, the_table_is_bounded);
  suite_add_tcase (suite, tc);
  return run_suite (suite);
}
