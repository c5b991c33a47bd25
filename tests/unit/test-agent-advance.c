/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The terminal's side of sessions whose person logs in in advance: the way is prepared while the password is
 * checked, and shows no token before. The cloud and the tunnel are played. */
#include "config.h"

#include "auth/throttle.h"
#include "unit/agent-help.h"

static json_t *
offer_in_advance (const char *session, const char *password, const char *nonce)
{
  g_autofree char *keys = g_build_filename (cloud_folder (), "state", "keys", NULL),
                  *box = far_trust_box_public (keys, NULL);
  json_t *plain = json_pack ("{s:s, s:s, s:s, s:s, s:s, s:I, s:s}", "nonce", nonce, "request", "r1", "person",
                             "alice", "password", password, "device", "web", "longest_us",
                             (json_int_t) (600 * SECOND), "entry", "stream");
  g_autofree char *sealed = far_seal (box, plain, NULL);
  json_decref (plain);
  json_t *body = offer (session, 1);
  json_object_set_new (body, "login", json_string ("in-advance"));
  json_object_set_new (body, "login_box", json_string (sealed));
  return body;
}

static void
put_done (FarRequest *req, gpointer done)
{
  ck_assert_msg (!far_request_error (req), "%s",
                 far_request_error (req) ? far_request_error (req)->message : "");
  *(gboolean *) done = TRUE;
}

static gboolean
is_true (gpointer flag)
{
  return *(gboolean *) flag;
}

static void
person_put (const char *name, const char *password)
{
  gboolean done = FALSE;
  FarInstance *at = far_instance_find (FAR_KIND_AUTHENTICATOR, "people", NULL);
  ((const FarAuthenticatorType *) far_instance_type (at))
      ->ops->put (far_instance_self (at), name, password, NULL, NULL, far_request_new (put_done, &done, 0));
  ck_assert (run_until (is_true, &done));
}

START_TEST (test_in_advance)
{
  person_put ("alice", "correct horse");
  g_autofree char *nonce = g_strdup (text_of (last_sent ("poll")->body, "nonce"));
  polls_answered (json_pack ("{s:b}", "needed", 0));
  ck_assert_uint_eq (push (offer_in_advance ("s1", "wrong horse", nonce)).status, 403);
  ck_assert_ptr_null (tunnel_of ("s1")->token); /* the way was prepared, nothing opened */
  ck_assert_ptr_nonnull (tunnel_of ("s1")->end_cause);
  g_autofree char *fresh = g_strconcat (nonce, ".anotherword", NULL); /* the next try needs no further poll */
  ck_assert_uint_eq (push (offer_in_advance ("s2", "correct horse", nonce)).status, 403); /* spent */
  ck_assert_ptr_null (tunnel_of ("s2"));
  ck_assert_uint_eq (push (offer_in_advance ("s3", "correct horse", fresh)).status, 202);
  ck_assert_uint_eq (dials (), 2);
  ck_assert_ptr_nonnull (tunnel_of ("s3")->token);
  ck_assert_ptr_null (tunnel_of ("s3")->end_cause);
}
END_TEST

/* A nonce that has been used often is replaced before it is over: the cloud hears of the next one at once. */
START_TEST (test_nonce_is_replaced)
{
  g_autofree char *nonce = g_strdup (text_of (last_sent ("poll")->body, "nonce"));
  polls_answered (json_pack ("{s:b}", "needed", 0));
  FakeSent *poll = last_sent ("poll");
  for (guint i = 0; i < 2000 && last_sent ("poll") == poll; i++) {
    g_autofree char *id = g_strdup_printf ("s%u", i), *word = g_strdup_printf ("%s.word%u", nonce, i);
    json_t *wrong = offer_in_advance (id, "x", word);
    json_object_set_new (wrong, "request", json_string ("another"));
    ck_assert_uint_eq (push (wrong).status, 403);
    run_pending ();
  }
  ck_assert_ptr_ne (last_sent ("poll"), poll);
  ck_assert_str_ne (text_of (last_sent ("poll")->body, "nonce"), nonce);
}
END_TEST

static void
pushed (FarMessage *answer, gboolean last, gpointer status)
{
  *(guint *) status = answer->status;
}

/* An offer with a right password whose check has not been waited for; its session. */
static FakeTunnel *
being_checked (const char *session, const char *nonce, guint *status)
{
  g_autoptr (FarPrincipal) cloud = far_principal_new (FAR_PRINCIPAL_NODE, "cloud", NULL, "");
  g_autoptr (FarMessage)
      message = far_message_request ("POST", "offers", offer_in_advance (session, "correct horse", nonce));
  far_api_submit (cloud, "nodes", message, pushed, status);
  FakeTunnel *tunnel = tunnel_of (session);
  ck_assert_ptr_nonnull (tunnel);
  ck_assert_ptr_null (tunnel->token);
  ck_assert_uint_eq (*status, 0);
  return tunnel;
}

static gboolean
is_set (gpointer status)
{
  return *(guint *) status != 0;
}

/* A tunnel end that is not reached while the password is checked: that counts for nothing, the dial after the
 * check does. */
START_TEST (test_prepared_in_vain)
{
  guint status = 0;
  person_put ("alice", "correct horse");
  g_autofree char *nonce = g_strdup (text_of (last_sent ("poll")->body, "nonce"));
  FakeTunnel *tunnel = being_checked ("s1", nonce, &status);
  far_request_fail_new (tunnel->req, FAR_ERROR_DENIED, "not now");
  ck_assert (run_until (is_set, &status));
  ck_assert_uint_eq (status, 202);
  ck_assert_uint_eq (dials (), 2);
  ck_assert_ptr_nonnull (tunnel_of ("s1")->token);
  ck_assert_str_eq (session_state ("s1"), "opening");
}
END_TEST

/* It was not reached, and the password is wrong: nothing of it is held. */
START_TEST (test_prepared_in_vain_and_refused)
{
  guint status = 0;
  person_put ("alice", "another horse");
  g_autofree char *nonce = g_strdup (text_of (last_sent ("poll")->body, "nonce"));
  FakeTunnel *tunnel = being_checked ("s1", nonce, &status);
  far_request_fail_new (tunnel->req, FAR_ERROR_UNAVAILABLE, "connection refused");
  ck_assert (run_until (is_set, &status));
  ck_assert_uint_eq (status, 403);
  ck_assert_ptr_nonnull (tunnel->end_cause);
  ck_assert_uint_eq (dials (), 1);
}
END_TEST

/* A cloud that cannot wait for the check: no token is shown, neither that of the newer offer. */
START_TEST (test_prepared_and_offered_again)
{
  guint status = 0;
  person_put ("alice", "correct horse");
  g_autofree char *nonce = g_strdup (text_of (last_sent ("poll")->body, "nonce")),
                  *other = g_strconcat (nonce, ".anotherword", NULL);
  FakeTunnel *tunnel = being_checked ("s1", nonce, &status);
  json_t *again = offer_in_advance ("s1", "correct horse", other);
  json_object_set_new (again, "generation", json_integer (2));
  ck_assert_uint_eq (push (again).status, 409);
  ck_assert_ptr_null (tunnel->token);
  ck_assert (run_until (is_set, &status));
  ck_assert_uint_eq (status, 202);
  ck_assert_ptr_nonnull (tunnel->token);
}
END_TEST

/* Those whose login is checked take no place of another's. */
START_TEST (test_prepared_are_few)
{
  guint status[4] = { 0 };
  person_put ("alice", "correct horse");
  g_autofree char *nonce = g_strdup (text_of (last_sent ("poll")->body, "nonce"));
  g_autoptr (FarPrincipal) cloud = far_principal_new (FAR_PRINCIPAL_NODE, "cloud", NULL, "");
  for (guint i = 0; i < G_N_ELEMENTS (status); i++) {
    g_autofree char *id = g_strdup_printf ("s%u", i), *word = g_strdup_printf ("%s.word%u", nonce, i);
    g_autoptr (FarMessage)
        message = far_message_request ("POST", "offers", offer_in_advance (id, "correct horse", word));
    far_api_submit (cloud, "nodes", message, pushed, status + i);
  }
  ck_assert_uint_eq (dials (), 2);
  for (guint i = 0; i < G_N_ELEMENTS (status); i++)
    ck_assert (run_until (is_set, status + i));
  ck_assert_uint_eq (dials (), 4);
  for (guint i = 0; i < 4; i++)
    ck_assert_ptr_nonnull (((FakeTunnel *) cloud_tunnels ()->tunnels->pdata[i])->token);
}
END_TEST

/* It is closed while the password is checked: the prepared way ends with it. */
START_TEST (test_prepared_and_closed)
{
  guint status = 0;
  person_put ("alice", "correct horse");
  g_autofree char *nonce = g_strdup (text_of (last_sent ("poll")->body, "nonce"));
  FakeTunnel *tunnel = being_checked ("s1", nonce, &status);
  ck_assert_uint_eq (ask_as (FAR_PRINCIPAL_NODE, "cloud", "", "POST", "sessions/s1/close", NULL).status, 202);
  ck_assert_ptr_nonnull (tunnel->end_cause);
  ck_assert (run_until (is_set, &status));
  ck_assert_uint_eq (status, 409);
  ck_assert_ptr_null (tunnel->token);
  ck_assert_uint_eq (dials (), 1);
}
END_TEST

/* Somebody who has a way in guesses alice's password, in band and in advance, until no more are tried: that
 * is theirs, not hers. */
START_TEST (test_in_advance_among_guesses)
{
  static const FarTry mallory[] = {
    { .name = "alice", .from = "192.0.2.9", .told = "person:mallory", .interface = "ssh" },
    { .name = "alice", .from = "person:mallory", .told = "", .interface = "access" }
  };
  for (guint i = 0; i < 2 * FAR_THROTTLE_TRIES; i++)
    far_throttle_leave (&mallory[i % 2], FAR_TRY_FAILED);
  person_put ("alice", "correct horse");
  g_autofree char *nonce = g_strdup (text_of (last_sent ("poll")->body, "nonce"));
  polls_answered (json_pack ("{s:b}", "needed", 0));
  Got got = push (offer_in_advance ("s1", "correct horse", nonce));
  ck_assert_msg (got.status == 202, "%u %s", got.status, text_of (got.body, "message"));
  ck_assert_uint_eq (dials (), 1);
}
END_TEST
int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  Suite *suite = suite_create ("agent-advance");
  TCase *cases = tcase_create ("advance");
  tcase_set_timeout (cases, 60);
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_test (cases, test_in_advance);
  tcase_add_test (cases, test_nonce_is_replaced);
  tcase_add_test (cases, test_in_advance_among_guesses);
  tcase_add_test (cases, test_prepared_in_vain);
  tcase_add_test (cases, test_prepared_and_closed);
  tcase_add_test (cases, test_prepared_in_vain_and_refused);
  tcase_add_test (cases, test_prepared_and_offered_again);
  tcase_add_test (cases, test_prepared_are_few);
  suite_add_tcase (suite, cases);
  return run_suite (suite);
}
