/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Logins at once: who waits, whose turn it is, what counts as a guess. */
#include "config.h"

#include "unit/login-help.h"

static void
wait_seconds (Outcome *to, guint seconds)
{
  for (guint i = 0; i < seconds && to->n == 0; i++) {
    run_pending ();
    if (to->n == 0)
      forward (1);
  }
  ck_assert (run_until (is_noted, to));
}

/* A cloud that lies says each guess is for somebody else. */
START_TEST (a_told_address_gives_no_more_guesses)
{
  static Outcome outcomes[3 * FAR_THROTTLE_SOURCE_TRIES];
  guint seconds = 60;

  for (guint i = 0; i < G_N_ELEMENTS (outcomes); i++) {
    g_autofree char *from = g_strdup_printf ("198.51.100.%u", i);
    FarLogin *login = login_of ("alice", "wrong", from);

    login->told_from = TRUE;
    login->asker = g_strdup (from);
    far_login (both, login, far_request_new (note, &outcomes[i], 0));
  }
  forward (seconds);
  ck_assert_uint_le (stands[0].asked, FAR_THROTTLE_NAME_FREE + FAR_THROTTLE_AT_ONCE * 2 +
                                          seconds * G_USEC_PER_SEC / FAR_THROTTLE_TOLD_US);
  ck_assert (try_login ("alice", "right", "192.0.2.1", NULL)); /* at an interface that sees for itself */
  for (guint i = 0; i < G_N_ELEMENTS (outcomes); i++) {
    wait_seconds (&outcomes[i], 2000);
    outcome_clear (&outcomes[i]);
  }
}
END_TEST

/* A key cannot be guessed, so that guesses of passwords do not stand in its way. */
START_TEST (a_right_key_comes_in_among_guesses)
{
  static Outcome outcomes[40];
  Outcome to = { 0 };
  FarLogin *login = login_of ("alice", "right", "192.0.2.9");

  for (guint i = 0; i < G_N_ELEMENTS (outcomes); i++)
    start ("alice", "wrong", "192.0.2.9", &outcomes[i]);
  run_pending ();
  login->form = FAR_LOGIN_KEY;
  far_login (both, login, far_request_new (note, &to, 0));
  ck_assert (run_until (is_noted, &to));
  ck_assert_ptr_nonnull (to.principal);
  outcome_clear (&to);
  for (guint i = 0; i < G_N_ELEMENTS (outcomes); i++) {
    wait_seconds (&outcomes[i], 200);
    outcome_clear (&outcomes[i]);
  }
}
END_TEST

START_TEST (a_hundred_guesses_at_once)
{
  static Outcome outcomes[100];
  guint busy = 0;

  for (guint i = 0; i < G_N_ELEMENTS (outcomes); i++)
    start ("alice", "wrong", "192.0.2.9", &outcomes[i]);
  run_pending ();
  ck_assert_uint_eq (stands[0].asked, FAR_THROTTLE_FREE);
  for (guint i = 0; i < G_N_ELEMENTS (outcomes); i++) {
    wait_seconds (&outcomes[i], 200);
    busy += outcomes[i].error->code == FAR_ERROR_LIMIT;
    outcome_clear (&outcomes[i]);
  }
  ck_assert_uint_le (stands[0].asked, FAR_THROTTLE_TRIES);
  ck_assert_uint_eq (busy, 100 - stands[0].asked);
  ck_assert (try_login ("alice", "right", "198.51.100.1", NULL)); /* from elsewhere at once */
}
END_TEST

static void
start_many (guint n, gboolean names, const char *secret, Outcome *outcomes)
{
  for (guint i = 0; i < n; i++) {
    g_autofree char *name = names ? g_strdup_printf ("user%u", i) : g_strdup ("alice");

    start (name, secret, "192.0.2.9", &outcomes[i]);
  }
}

/* Sixteen and sixty-four, of one person and of many behind one address: no time passes. */
START_TEST (right_ones_at_once_all_come_in)
{
  static Outcome outcomes[64];
  guint n = _i < 2 ? 16 : 64;

  start_many (n, _i % 2 == 1, "right", outcomes);
  for (guint i = 0; i < n; i++) {
    ck_assert (run_until (is_noted, &outcomes[i]));
    ck_assert_msg (outcomes[i].error == NULL, "%u: %s", i,
                   outcomes[i].error != NULL ? outcomes[i].error->message : "");
    outcome_clear (&outcomes[i]);
  }
}
END_TEST

/* How many of them were told so. */
static guint
told (Outcome *outcomes, guint n, const char *what)
{
  guint times = 0;

  for (guint i = 0; i < n; i++)
    times += outcomes[i].error != NULL && strstr (outcomes[i].error->message, what) != NULL;
  return times;
}

static void
outcomes_clear (Outcome *outcomes, guint n)
{
  for (guint i = 0; i < n; i++)
    outcome_clear (&outcomes[i]);
}

/* Each limit is told with its number (E20). */
START_TEST (who_gets_no_turn_hears_the_limit)
{
  static Outcome outcomes[1600];
  guint n = 300;

  stands[0].holds = TRUE;
  start_many (n, TRUE, "wrong", outcomes);
  run_pending ();
  ck_assert_uint_gt (told (outcomes, n, "busy: 256 logins from this address wait already"), 0);
  for (; n < G_N_ELEMENTS (outcomes); n++) {
    g_autofree char *from = g_strdup_printf ("203.0.113.%u", n % 200), *name = g_strdup_printf ("other%u", n);

    start (name, "wrong", from, &outcomes[n]);
  }
  run_pending ();
  ck_assert_uint_gt (told (outcomes, n, "busy: 1024 logins wait already"), 0);
  far_clock_advance (LOGIN_WAIT_US + G_USEC_PER_SEC); /* those that are held are over by then */
  run_pending ();
  ck_assert_uint_gt (told (outcomes, n, "busy: this login has waited for 40 s, 8 are tried at once"), 0);
  stand_forget (&stands[0]);
  outcomes_clear (outcomes, n);
}
END_TEST

START_TEST (who_is_not_tried_hears_the_limit)
{
  static Outcome outcomes[100], later[FAR_THROTTLE_TRIES + 1];

  start_many (G_N_ELEMENTS (outcomes), FALSE, "wrong", outcomes);
  for (guint i = 0; i < G_N_ELEMENTS (outcomes); i++)
    wait_seconds (&outcomes[i], 200);
  for (guint i = 0; i < G_N_ELEMENTS (later); i++) {
    start ("alice", "wrong", "192.0.2.9", &later[i]);
    wait_seconds (&later[i], 200);
  }
  ck_assert_uint_gt (told (outcomes, G_N_ELEMENTS (outcomes),
                           "busy: 16 logins from this address wait already because others were refused"),
                     0);
  ck_assert_uint_gt (told (later, G_N_ELEMENTS (later),
                           "the limit is 10 for a name from one address, 30 for an address, 100 for its net"),
                     0);
  outcomes_clear (outcomes, G_N_ELEMENTS (outcomes));
  outcomes_clear (later, G_N_ELEMENTS (later));
}
END_TEST

/* Three thousand tries of thirty addresses wait; the next one of another address has the next turn. */
START_TEST (sources_take_turns)
{
  static Outcome outcomes[3000];
  Outcome to = { 0 };
  guint waiting, under_way, asked;

  stands[0].holds = TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (outcomes); i++) {
    g_autofree char *from = g_strdup_printf ("203.0.113.%u", i % 30), *name = g_strdup_printf ("user%u", i);

    start (name, "wrong", from, &outcomes[i]);
  }
  run_pending ();
  far_login_queue_counts (&waiting, &under_way);
  ck_assert_uint_le (waiting, LOGIN_WAITING);
  ck_assert_uint_eq (under_way, LOGIN_UNDER_WAY);
  start ("carol", "right", "192.0.2.1", &to);
  far_login_queue_counts (&waiting, &under_way);
  ck_assert_uint_le (waiting, LOGIN_WAITING);
  asked = stands[0].asked;
  while (to.n == 0 && stands[0].held != NULL)
    stand_let_go (&stands[0]);
  ck_assert_uint_eq (to.n, 1);
  ck_assert_ptr_nonnull (to.principal);
  ck_assert_uint_le (stands[0].asked - asked, 30 + LOGIN_UNDER_WAY + 1);
  outcome_clear (&to);
  stands[0].holds = FALSE;
  while (stands[0].held != NULL)
    stand_let_go (&stands[0]);
  for (guint i = 0; i < G_N_ELEMENTS (outcomes); i++) {
    wait_seconds (&outcomes[i], 10);
    outcome_clear (&outcomes[i]);
  }
}
END_TEST

/* Nobody waits for them any more: none is tried. */
START_TEST (who_has_gone_is_not_tried)
{
  Outcome first[FAR_THROTTLE_FREE] = { 0 }, gone = { 0 };
  FarRequest *req;

  stands[0].holds = TRUE;
  for (guint i = 0; i < FAR_THROTTLE_FREE; i++)
    start ("alice", "right", "a", &first[i]);
  req = far_request_ref (far_request_new (note, &gone, 0));
  far_login (both, login_of ("alice", "right", "a"), req);
  far_request_cancel (req);
  far_request_unref (req);
  while (stands[0].held != NULL)
    stand_let_go (&stands[0]);
  ck_assert_uint_eq (stands[0].asked, FAR_THROTTLE_FREE);
  for (guint i = 0; i < FAR_THROTTLE_FREE; i++)
    outcome_clear (&first[i]);
  outcome_clear (&gone);
}
END_TEST

START_TEST (the_delay_is_the_same_for_right_and_wrong)
{
  Outcome to = { 0 };

  for (guint i = 0; i < 3; i++)
    ck_assert (!try_login ("alice", "wrong", "a", NULL));
  start ("alice", "right", "a", &to);
  run_pending ();
  ck_assert_uint_eq (to.n, 0); /* a quick answer would tell that it was right */
  forward (1);
  ck_assert_uint_eq (to.n, 1);
  ck_assert_ptr_nonnull (to.principal);
  outcome_clear (&to);
}
END_TEST

START_TEST (probes_are_not_counted)
{
  for (guint i = 0; i < 50; i++) {
    Outcome to = { 0 };
    FarLogin *login = far_login_new (FAR_LOGIN_KEY, "alice", "ssh", "a");

    login->key = g_strdup ("ssh-ed25519 AAAA");
    login->probe = TRUE;
    far_login (both, login, far_request_new (note, &to, 0));
    ck_assert (run_until (is_noted, &to));
    ck_assert_int_eq (to.error->code, FAR_ERROR_DENIED);
    outcome_clear (&to);
  }
  ck_assert_uint_eq (far_throttle_count (), 0);
}
END_TEST

/* One that cannot be asked says nothing for the guesser: who knows the name has said no. */
START_TEST (one_that_breaks_does_not_make_guesses_free)
{
  guint last = _i == 0 ? 1 : 0;
  int code;

  stands[1 - last].breaks = TRUE;
  for (guint i = 0; i < 20; i++)
    try_login ("alice", "wrong", "a", &code);
  ck_assert_int_eq (code, FAR_ERROR_LIMIT);
  ck_assert_uint_eq (stands[last].asked, FAR_THROTTLE_TRIES);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("login-queue");
  TCase *tc = tcase_create ("login-queue");

  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_set_timeout (tc, 60);
  tcase_add_test (tc, a_told_address_gives_no_more_guesses);
  tcase_add_test (tc, a_right_key_comes_in_among_guesses);
  tcase_add_test (tc, a_hundred_guesses_at_once);
  tcase_add_loop_test (tc, right_ones_at_once_all_come_in, 0, 4);
  tcase_add_test (tc, who_gets_no_turn_hears_the_limit);
  tcase_add_test (tc, who_is_not_tried_hears_the_limit);
  tcase_add_test (tc, sources_take_turns);
  tcase_add_test (tc, who_has_gone_is_not_tried);
  tcase_add_test (tc, the_delay_is_the_same_for_right_and_wrong);
  tcase_add_test (tc, probes_are_not_counted);
  tcase_add_loop_test (tc, one_that_breaks_does_not_make_guesses_free, 0, 2);
  suite_add_tcase (suite, tc);
  return run_suite (suite);
}
