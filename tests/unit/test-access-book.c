/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sessions of access as the book keeps them: what holds for every kind, and what opening one costs. */
#include "config.h"

#include "unit/access-help.h"

#include "../plugins/service-access/access.h"
#include "book-conform.h"

static void
set_up (void)
{
  cloud_up (NULL);
  terminal_enrol ("t1");
  terminal_link ("t1", TRUE);
  grant ("alice", "connect", "terminals/*");
}

static void
tear_down (void)
{
  cloud_down ();
}

static FarBook *
access_book (void)
{
  return ((Access *) far_instance_self (far_instance_find (FAR_KIND_SERVICE, "access", NULL)))->book;
}

/* As access makes one when somebody asks. */
static FarSession *
access_make (FarBook *book)
{
  AccessSession *session = (AccessSession *) far_session_new (book, NULL);
  session->self = far_book_self (book);
  session->principal = far_principal_new (FAR_PRINCIPAL_PERSON, "alice", NULL, "192.0.2.77");
  session->person = far_principal_text (session->principal);
  session->object = g_strdup ("terminals/t1");
  session->terminal = g_strdup ("t1");
  session->user = g_strdup ("alice");
  session->from = g_strdup ("192.0.2.77");
  session->reason = g_strdup ("test");
  session->entry = FAR_ENTRY_STREAM;
  session->for_us = 600 * SECOND;
  return &session->base;
}

static void
access_finish (FarSession *session)
{
  FakeTunnel *tunnel = tunnel_of (session->id);
  if (!tunnel) /* nothing was reserved: it has no business to stay */
    ck_abort_msg ("session is %s without a tunnel", far_session_state_name (session->state));
  if (!tunnel->end_cause) /* its grace has not run out */
    ck_assert (far_session_event (session, FAR_SESSION_EV_REPORTED, NULL, NULL));
  ck_assert_ptr_nonnull (tunnel->end_cause);
  tunnel_tell (tunnel, FAR_CARRIER_ENDED, "closed");
}

static void
access_restarted (void)
{
  cloud_restart ();
  terminal_link ("t1", TRUE);
}

START_TEST (it_is_as_all_kinds_are)
{
  static const BookConform with = {
    "main", access_book, access_make, settle, access_finish, access_restarted
  };
  book_conform (&with);
}
END_TEST

static void
logged_in (FarRequest *req, gpointer user)
{
  ck_assert_msg (!far_request_error (req), "%s", far_request_error (req)->message);
  *(gboolean *) user = TRUE;
}

static gboolean
is_set (gpointer flag)
{
  return *(gboolean *) flag;
}

/* The tunnel end's part: the terminal shows its key and the token of the offer. */
static void
token_spend (json_t *offer)
{
  static const char *const tokens[] = { "tokens", NULL };
  json_t *credential = terminal_credential ("t1", offer);
  g_autofree char *keys = terminal_keys ("t1");
  FarLogin *login = far_login_new (FAR_LOGIN_TOKEN, "t1", "ssh", "192.0.2.50");
  gboolean in = FALSE;
  login->secret = g_strdup (text_of (credential, "token"));
  login->key = far_trust_ssh_public (keys, NULL);
  far_login (tokens, login, far_request_new (logged_in, &in, 0));
  ck_assert (run_until (is_set, &in));
  json_decref (credential);
}

/* From the person's request until bytes may pass, on a store that is shared by sessions and tokens. */
START_TEST (opening_one_costs_three_transactions)
{
  settle ();
  conform.transactions = 0;
  Got got = ask_person ("alice", "POST", "sessions", wish_for ("t1", NULL));
  ck_assert_uint_eq (got.status, 201);
  g_autofree char *id = g_strdup (text_of (got.body, "session"));
  run_pending ();
  ck_assert_uint_eq (conform.transactions, 1); /* the row, its history, the token */
  FakeSent *push = last_sent ("offers");
  ck_assert_ptr_nonnull (push);
  answer_sent (push, 202, json_object ());
  token_spend (push->body);
  ck_assert_uint_eq (conform.transactions, 2);
  tunnel_tell (tunnel_of (id), FAR_CARRIER_UP, NULL);
  run_pending ();
  ck_assert_str_eq (session_state (id), "open");
  ck_assert_uint_eq (conform.transactions, 3);
  settle ();
  ck_assert_str_eq (text_of (history_of (id), "state"), "open");
}
END_TEST

/* One that needs a second person gets its token when they have agreed, and it is as good. */
START_TEST (what_needs_approval_has_no_token_before)
{
  json_t *right = json_pack ("{s:s, s:s, s:s, s:s, s:s}", "id", "n", "who", "carol", "action", "connect",
                             "object", "terminals/t1", "needs", "approval");
  ck_assert (far_right_set (right, NULL));
  json_decref (right);
  grant ("dave", "approve", "terminals/*");
  Got got = ask_person ("carol", "POST", "sessions", wish_for ("t1", NULL));
  g_autofree char *id = g_strdup (text_of (got.body, "session")),
                  *approve = g_strdup_printf ("sessions/%s/approve", id);
  const AccessSession *session = (const AccessSession *) far_book_session (access_book (), id);
  ck_assert_ptr_null (session->token);
  ck_assert_uint_eq (ask_person ("dave", "POST", approve, json_object ()).status, 200);
  settle ();
  token_spend (last_sent ("offers")->body);
  ck_assert_str_eq (session_state (id), "permitted");
}
END_TEST

/* Who closes what waits for a second person stands in its history. */
START_TEST (who_closed_it_waiting_is_told)
{
  json_t *right = json_pack ("{s:s, s:s, s:s, s:s, s:s}", "id", "n", "who", "carol", "action", "connect",
                             "object", "terminals/t1", "needs", "approval");
  ck_assert (far_right_set (right, NULL));
  json_decref (right);
  Got got = ask_person ("carol", "POST", "sessions", wish_for ("t1", NULL));
  g_autofree char *id = g_strdup (text_of (got.body, "session")),
                  *resource = g_strdup_printf ("sessions/%s", id);
  ck_assert_uint_lt (ask_person ("carol", "DELETE", resource, NULL).status, 300);
  json_t *row = history_of (id);
  ck_assert_str_eq (text_of (row, "state"), "closed");
  ck_assert_str_eq (text_of (row, "ended_by"), "person:carol");
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  Suite *suite = suite_create ("access-book");
  TCase *cases = tcase_create ("access-book");
  tcase_set_timeout (cases, 120);
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_test (cases, it_is_as_all_kinds_are);
  tcase_add_test (cases, opening_one_costs_three_transactions);
  tcase_add_test (cases, what_needs_approval_has_no_token_before);
  tcase_add_test (cases, who_closed_it_waiting_is_told);
  suite_add_tcase (suite, cases);
  return run_suite (suite);
}
