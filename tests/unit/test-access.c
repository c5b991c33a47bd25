/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cloud's side of access, step by step and fault by fault. lint: allow length, the cases share one cloud
 * and its fake tunnel. */
#include "config.h"

#include "unit/access-help.h"

static void
set_up (void)
{
  cloud_up (NULL);
  terminal_enrol ("t1");
  terminal_enrol ("t2");
  terminal_link ("t1", TRUE);
  terminal_link ("t2", TRUE);
  Got got = ask_node ("t1", "PUT", "terminals/t1/devices",
                      json_pack ("{s:[{s:s, s:s, s:s}, {s:s, s:s, s:s, s:s}, {s:s, s:s, s:s, s:s}]}",
                                 "devices", "name", "web", "endpoint", "lan", "address", "192.0.2.9:80",
                                 "name", "m1", "endpoint", "lan", "address", "192.0.2.9:502", "line", "bus",
                                 "name", "m2", "endpoint", "lan", "address", "192.0.2.9:503", "line", "bus"));
  ck_assert_uint_eq (got.status, 200);
  grant ("alice", "connect", "terminals/*");
  grant ("alice", "see", "terminals/*");
  grant ("bob", "connect", "terminals/t1");
}

static void
tear_down (void)
{
  cloud_down ();
}

/* A refusal, its status and words, and the true cause in the history. */
static void
refused (Got got, guint status, const char *word, const char *cause)
{
  ck_assert_msg (got.status == status, "%u: %s", got.status, text_of (got.body, "message"));
  ck_assert_msg (strstr (text_of (got.body, "message"), word) != NULL, "'%s' does not say '%s'",
                 text_of (got.body, "message"), word);
  settle ();
  Got history = ask_root ("GET", "history?kind=refused", NULL);
  json_t *row = json_array_get (json_object_get (history.body, "history"), 0);
  ck_assert_msg (row != NULL, "no history row");
  ck_assert_str_eq (text_of (row, "cause"), cause);
}

/* ---- the straight way: spec S105–S117, S303–S312 ---- */

START_TEST (test_way)
{
  g_autofree char *id = session_ask ("alice", wish_for ("t1", "web"));
  ck_assert_str_eq (session_state (id), "permitted");
  FakeTunnel *tunnel = tunnel_of (id);
  ck_assert_ptr_nonnull (tunnel);
  ck_assert_str_eq (tunnel->terminal, "t1");
  FakeSent *push = last_sent ("offers");
  json_t *credential = terminal_credential ("t1", push->body);
  const char *const same[] = { "session", "address", "host_key" };
  for (guint i = 0; i < G_N_ELEMENTS (same); i++)
    ck_assert_str_eq (text_of (credential, same[i]), text_of (push->body, same[i]));
  ck_assert_str_eq (text_of (credential, "terminal"), "t1");
  ck_assert_int_eq (int_of (credential, "x"), tunnel->x);
  ck_assert_int_eq (int_of (credential, "generation"), 1);
  ck_assert_ptr_null (json_object_get (push->body, "token"));
  ck_assert_str_eq (text_of (push->body, "device"), "web");
  json_decref (credential);
  answer_sent (push, 202, json_object ());
  ck_assert_str_eq (session_state (id), "opening");
  tunnel_tell (tunnel, FAR_CARRIER_UP, NULL);
  ck_assert_str_eq (text_of (session_body (id), "spec_state"), "connected");
  g_autofree char *resource = g_strdup_printf ("sessions/%s", id),
                  *report = g_strdup_printf ("sessions/%s/report", id);
  ck_assert_uint_eq (ask_person ("alice", "DELETE", resource, NULL).status, 202);
  ck_assert_str_eq (text_of (session_body (id), "spec_state"), "close requested");
  ck_assert_ptr_null (tunnel->end_cause); /* the terminal closes first */
  ck_assert_ptr_nonnull (last_sent ("sessions/"));
  ck_assert_uint_eq (ask_node ("t1", "POST", report,
                               json_pack ("{s:s, s:s}", "state", "closed", "cause", "close asked"))
                         .status,
                     200);
  ck_assert_ptr_nonnull (tunnel->end_cause);
  ck_assert_str_eq (session_state (id), "closing"); /* ports are not free yet */
  tunnel_tell (tunnel, FAR_CARRIER_ENDED, "closed");
  ck_assert_str_eq (session_state (id), "closed");
  json_t *row = history_of (id);
  ck_assert_str_eq (text_of (row, "person"), "person:alice");
  ck_assert_str_eq (text_of (row, "device"), "web");
  ck_assert_str_eq (text_of (row, "from"), "192.0.2.77");
  ck_assert_str_eq (text_of (row, "cause"), "closed by the user");
  ck_assert_str_eq (text_of (row, "reason"), "test");
  ck_assert (json_is_null (json_object_get (row, "trouble"))); /* a field that says that there was none */
  ck_assert_int_eq (int_of (row, "bytes_down"), 2000);
  ck_assert_ptr_nonnull (text_of (row, "opened"));
  ck_assert_ptr_nonnull (text_of (row, "closed"));
}
END_TEST

/* A close that is faster than the offer: the terminal knows of nothing, will report nothing, and nobody waits
 * for it. */
START_TEST (test_close_before_the_offer)
{
  const gboolean live[] = { TRUE, FALSE };
  for (guint i = 0; i < G_N_ELEMENTS (live); i++) {
    g_autofree char *id = session_ask ("alice", wish_for (i == 0 ? "t1" : "t2", NULL));
    g_autofree char *resource = g_strdup_printf ("sessions/%s", id),
                    *close = g_strdup_printf ("sessions/%s/close", id);
    ck_assert_uint_eq (ask_person ("alice", "DELETE", resource, NULL).status, 202);
    FakeTunnel *tunnel = tunnel_of (id);
    ck_assert_ptr_null (tunnel->end_cause);
    FakeSent *told = last_sent (close);
    ck_assert_ptr_nonnull (told);
    answer_sent (told, 202, json_pack ("{s:b}", "live", live[i]));
    ck_assert_int_eq (tunnel->end_cause != NULL, !live[i]);
  }
}
END_TEST

/* A service that began anew under standing links has no nonces: it asks for a poll those that do not poll by
 * themselves at once, as who links anew does. */
START_TEST (test_asks_for_polls)
{
  static const char *const names[] = { "t1", "t2" };
  guint asked = 0;
  for (guint i = 0; i < 2; i++) {
    g_hash_table_add (cloud_nodes ()->peers, g_strdup (names[i]));
    far_peer_changed (cloud_nodes ()->at, names[i], TRUE, "192.0.2.50");
  }
  ask_node ("t2", "POST", "poll", json_pack ("{s:s, s:[]}", "nonce", "n1", "sessions"));
  run_pending ();
  ck_assert_ptr_null (last_sent ("poll-now"));
  far_clock_advance (3 * SECOND);
  run_pending ();
  for (guint i = 0; i < cloud_nodes ()->sent->len; i++) {
    const FakeSent *sent = cloud_nodes ()->sent->pdata[i];
    asked += strcmp (sent->resource, "poll-now") == 0;
    ck_assert (strcmp (sent->resource, "poll-now") != 0 || strcmp (sent->peer, "t1") == 0);
  }
  ck_assert_uint_eq (asked, 1);
}
END_TEST

/* spec B3: only the terminal asked for hears *needed*, others do not; without push it hears by its poll. */
START_TEST (test_poll)
{
  terminal_link ("t1", FALSE);
  /* linked, but nothing is pushed: messages get no answer */
  g_hash_table_add (cloud_nodes ()->peers, g_strdup ("t1"));
  far_peer_changed (cloud_nodes ()->at, "t1", TRUE, "192.0.2.50");
  json_t *empty = json_pack ("{s:s, s:[]}", "nonce", "n1", "sessions");
  ck_assert (
      json_is_true (json_object_get (ask_node ("t1", "POST", "poll", json_object ()).body, "nonce_wanted")));
  Got got = ask_node ("t1", "POST", "poll", json_incref (empty));
  ck_assert_ptr_null (json_object_get (got.body, "nonce_wanted"));
  ck_assert (json_is_false (json_object_get (got.body, "needed")));
  g_autofree char *id = session_ask ("alice", wish_for ("t1", NULL));
  got = ask_node ("t2", "POST", "poll", json_incref (empty));
  ck_assert (json_is_false (json_object_get (got.body, "needed")));
  ck_assert_uint_eq (json_array_size (json_object_get (got.body, "offers")), 0);
  got = ask_node ("t1", "POST", "poll", json_incref (empty));
  ck_assert (json_is_true (json_object_get (got.body, "needed")));
  ck_assert_str_eq (text_of (json_array_get (json_object_get (got.body, "offers"), 0), "session"), id);
  settle ();
  ck_assert_str_eq (session_state (id), "opening");
  /* the answer was lost: offered again; known there: not again */
  got = ask_node ("t1", "POST", "poll", json_incref (empty));
  ck_assert_uint_eq (json_array_size (json_object_get (got.body, "offers")), 1);
  got = ask_node ("t1", "POST", "poll",
                  json_pack ("{s:s, s:[{s:s, s:s, s:i}]}", "nonce", "n2", "sessions", "session", id, "state",
                             "opening", "generation", 1));
  ck_assert_uint_eq (json_array_size (json_object_get (got.body, "offers")), 0);
  json_decref (empty);
}
END_TEST

/* Each who asks for a terminal's keys gets a nonce of their own, made from the one that the terminal gave:
 * two logins are not in each other's way. */
START_TEST (test_nonces)
{
  g_autofree char *alice = NULL, *again = NULL;
  Got got = ask_person ("alice", "GET", "terminals/t1/statement", NULL);
  ck_assert_uint_eq (got.status, 200);
  ck_assert (json_is_null (json_object_get (got.body, "nonce")) || text_of (got.body, "nonce") == NULL);
  ask_node ("t1", "POST", "poll", json_pack ("{s:s}", "nonce", "given"));
  alice = g_strdup (text_of (ask_person ("alice", "GET", "terminals/t1/statement", NULL).body, "nonce"));
  again = g_strdup (text_of (ask_person ("alice", "GET", "terminals/t1/statement", NULL).body, "nonce"));
  ck_assert (g_str_has_prefix (alice, "given.") && g_str_has_prefix (again, "given."));
  ck_assert_str_ne (alice, again);
  ck_assert_uint_ge (strlen (alice), strlen ("given.") + 12);
}
END_TEST

/* S301–S307: a poll names what is to be closed, and what is not known here. */
START_TEST (test_poll_closes)
{
  g_autofree char *id = session_open ("alice", wish_for ("t1", NULL)),
                  *resource = g_strdup_printf ("sessions/%s", id);
  json_t *sessions = json_pack ("[{s:s, s:s, s:i}, {s:s, s:s, s:i}]", "session", id, "state", "open",
                                "generation", 1, "session", "ghost", "state", "open", "generation", 1);
  Got got = ask_node ("t1", "POST", "poll", json_pack ("{s:s, s:O}", "nonce", "n", "sessions", sessions));
  json_t *close = json_object_get (got.body, "close");
  ck_assert_uint_eq (json_array_size (close), 1);
  ck_assert_str_eq (json_string_value (json_array_get (close, 0)), "ghost");
  ask_person ("alice", "DELETE", resource, NULL);
  got = ask_node ("t1", "POST", "poll", json_pack ("{s:s, s:O}", "nonce", "n", "sessions", sessions));
  ck_assert_uint_eq (json_array_size (json_object_get (got.body, "close")), 2);
  /* another terminal cannot speak of it */
  g_autofree char *report = g_strdup_printf ("sessions/%s/report", id);
  ask_node ("t2", "POST", report, json_pack ("{s:s}", "state", "closed"));
  ck_assert_ptr_null (tunnel_of (id)->end_cause);
  json_decref (sessions);
}
END_TEST

static void
turn_away (FakeTunnel *tunnel, const char *from, const char *cause, guint times)
{
  FarCarrierEvent event = { .kind = FAR_CARRIER_REFUSED,
                            .session = tunnel->session,
                            .cause = cause,
                            .from = from,
                            .times = times };
  far_carrier_tell (tunnel->carrier, &event);
}

/* Rows of people who were turned away, as `person` sees them (NULL: root); the sum of their times in *sum. */
static guint
rows_turned (const char *session, const char *person, gint64 *sum)
{
  g_autofree char *resource = g_strdup_printf ("history?session=%s&kind=turned-away", session);
  settle ();
  json_t *list = json_object_get ((person ? ask_person (person, "GET", resource, NULL)
                                          : ask_root ("GET", resource, NULL))
                                      .body,
                                  "history");
  *sum = 0;
  for (size_t i = 0; i < json_array_size (list); i++)
    *sum += int_of (json_array_get (list, i), "times");
  return json_array_size (list);
}

/* Who is turned away at a session's ports stands in the history, with the true cause. */
START_TEST (test_turned_away)
{
  g_autofree char *id = session_open ("alice", wish_for ("t1", "web")),
                  *resource = g_strdup_printf ("sessions/%s", id);
  gint64 sum;
  turn_away (tunnel_of (id), "203.0.113.9", "not the address that asked for access", 1);
  ck_assert_uint_eq (rows_turned (id, NULL, &sum), 1);
  json_t *row = json_array_get (json_object_get (ask_root ("GET", "history?kind=turned-away", NULL).body,
                                                 "history"),
                                0);
  ck_assert_str_eq (text_of (row, "from"), "203.0.113.9");
  ck_assert_str_eq (text_of (row, "cause"), "not the address that asked for access");
  ck_assert_str_eq (text_of (row, "terminal"), "t1");
  ck_assert_str_eq (text_of (row, "device"), "web");
  ck_assert_str_eq (text_of (row, "owner"), "person:alice");
  ck_assert_ptr_nonnull (text_of (row, "asked"));
  /* the same again and again is one row, with how often once the session is over */
  for (guint i = 0; i < 99; i++)
    turn_away (tunnel_of (id), "203.0.113.9", "not the address that asked for access", 1);
  ck_assert_uint_eq (rows_turned (id, NULL, &sum), 1);
  ask_person ("alice", "DELETE", resource, NULL);
  tunnel_tell (tunnel_of (id), FAR_CARRIER_ENDED, "closed");
  ck_assert_uint_eq (rows_turned (id, NULL, &sum), 1);
  ck_assert_int_eq (sum, 100);
  ck_assert_uint_eq (rows_turned (id, "alice", &sum), 1); /* whose session it was */
  grant ("bob", "see", "terminals/*");
  ck_assert_uint_eq (rows_turned (id, "bob", &sum), 0);
}
END_TEST

/* Nobody fills the history from outside: some are told one by one, the others are counted. */
START_TEST (test_turned_away_flood)
{
  g_autofree char *id = session_open ("alice", wish_for ("t1", NULL)),
                  *resource = g_strdup_printf ("sessions/%s", id);
  gint64 sum;
  for (guint i = 0; i < 1000; i++) {
    g_autofree char *from = g_strdup_printf ("203.0.%u.%u", i / 250, i % 250);
    turn_away (tunnel_of (id), from, "not the address that asked for access", 1);
  }
  turn_away (tunnel_of (id), NULL, "more than were told one by one", 5000);
  guint rows = rows_turned (id, NULL, &sum);
  ck_assert_uint_ge (rows, 5);
  ck_assert_uint_le (rows, 20);
  ck_assert_int_eq (int_of (session_body (id), "turned_away"), 6000);
  ask_person ("alice", "DELETE", resource, NULL);
  tunnel_tell (tunnel_of (id), FAR_CARRIER_ENDED, "closed");
  ck_assert_uint_eq (rows_turned (id, NULL, &sum), rows);
  ck_assert_int_eq (sum, 6000);
}
END_TEST

static void
delete_answered (FarMessage *answer, gboolean last, gpointer user)
{
  *(guint *) user = answer->status;
}

/* spec B11: who closes hears it when the tunnel end says that nothing of theirs passes any more. */
START_TEST (test_close_waits)
{
  g_autofree char *id = session_open ("alice", wish_for ("t1", NULL)),
                  *resource = g_strdup_printf ("sessions/%s", id);
  guint status = 0;
  cloud_tunnels ()->hold_shut = TRUE;
  g_autoptr (FarPrincipal) alice = far_principal_new (FAR_PRINCIPAL_PERSON, "alice", NULL, "192.0.2.77");
  g_autoptr (FarMessage) message = far_message_request ("DELETE", resource, NULL);
  far_api_submit (alice, "people", message, delete_answered, &status);
  settle ();
  FakeTunnel *tunnel = tunnel_of (id);
  ck_assert_str_eq (session_state (id), "closing");
  ck_assert_str_eq (tunnel->shut_cause, "closed by the user");
  ck_assert_ptr_null (tunnel->end_cause); /* the terminal can still end in order */
  ck_assert_uint_eq (status, 0);
  far_request_done (tunnel->shut_req, NULL, NULL);
  g_clear_pointer (&tunnel->shut_req, far_request_unref);
  settle ();
  ck_assert_uint_eq (status, 202);
  tunnel_tell (tunnel, FAR_CARRIER_ENDED, "closed");
}
END_TEST

/* spec B11: a terminal that never reports. */
START_TEST (test_grace)
{
  g_autofree char *id = session_open ("alice", wish_for ("t1", NULL)),
                  *resource = g_strdup_printf ("sessions/%s", id);
  ask_person ("alice", "DELETE", resource, NULL);
  far_clock_advance (9 * SECOND);
  settle ();
  ck_assert_ptr_null (tunnel_of (id)->end_cause);
  far_clock_advance (2 * SECOND);
  settle ();
  ck_assert_ptr_nonnull (tunnel_of (id)->end_cause);
  tunnel_tell (tunnel_of (id), FAR_CARRIER_ENDED, "closed");
  ck_assert_str_eq (session_state (id), "closed");
}
END_TEST

/* spec B12: the deadline, by the tunnel end itself, and by our second look when it is silent. */
START_TEST (test_deadline)
{
  g_autofree char *a = session_open ("alice", wish_for ("t1", NULL)),
                  *b = session_open ("alice", wish_for ("t2", NULL));
  far_clock_advance (600 * SECOND);
  tunnel_tell (tunnel_of (a), FAR_CARRIER_ENDED, "deadline");
  ck_assert_str_eq (session_state (a), "closed");
  ck_assert_str_eq (text_of (history_of (a), "cause"), "deadline");
  far_clock_advance (SECOND);
  settle ();
  ck_assert_str_eq (tunnel_of (b)->end_cause, "deadline");
  ck_assert_str_eq (session_state (b), "closing");
  tunnel_tell (tunnel_of (b), FAR_CARRIER_ENDED, "deadline");
  ck_assert_str_eq (text_of (history_of (b), "cause"), "deadline");
}
END_TEST

/* A terminal that does not come in time. */
START_TEST (test_not_opened)
{
  g_autofree char *id = session_ask ("alice", wish_for ("t1", NULL));
  far_clock_advance (269 * SECOND);
  settle ();
  ck_assert_str_eq (session_state (id), "permitted");
  far_clock_advance (2 * SECOND);
  settle ();
  ck_assert_ptr_nonnull (tunnel_of (id)->end_cause);
  tunnel_tell (tunnel_of (id), FAR_CARRIER_ENDED, "closed");
  ck_assert_str_eq (text_of (history_of (id), "cause"), "not opened in time");
}
END_TEST

/* A cut carrier: same ports, next generation, fresh credential; the old one is void. */
START_TEST (test_resume)
{
  g_autofree char *id = session_open ("alice", wish_for ("t1", NULL));
  FakeTunnel *tunnel = tunnel_of (id);
  json_t *first = terminal_credential ("t1", last_sent ("offers")->body);
  terminal_link ("t1", FALSE);
  tunnel_tell (tunnel, FAR_CARRIER_LOST, NULL);
  ck_assert_str_eq (session_state (id), "resuming");
  terminal_link ("t1", TRUE);
  FakeSent *push = last_sent ("offers");
  json_t *second = terminal_credential ("t1", push->body);
  ck_assert_int_eq (int_of (push->body, "generation"), 2);
  ck_assert_int_eq (int_of (push->body, "x"), tunnel->x);
  ck_assert_str_ne (text_of (first, "token"), text_of (second, "token"));
  answer_sent (push, 202, json_object ());
  tunnel_tell (tunnel, FAR_CARRIER_UP, NULL);
  ck_assert_str_eq (session_state (id), "open");
  ck_assert_ptr_eq (tunnel_of (id), tunnel); /* no second reservation */
  /* the terminal lost its link before Z knew: it says so by poll, and gets the next one */
  Got got = ask_node ("t1", "POST", "poll",
                      json_pack ("{s:s, s:[{s:s, s:s, s:i, s:b}]}", "nonce", "n", "sessions", "session", id,
                                 "state", "resuming", "generation", 2, "again", 1));
  settle ();
  ck_assert_str_eq (session_state (id), "resuming");
  ck_assert_int_eq (int_of (session_body (id), "generation"), 3);
  (void) got;
  json_decref (first);
  json_decref (second);
}
END_TEST

/* The deadline stands through resumptions. */
START_TEST (test_resume_deadline)
{
  g_autofree char *id = session_open ("alice", wish_for ("t1", NULL));
  far_clock_advance (400 * SECOND);
  tunnel_tell (tunnel_of (id), FAR_CARRIER_LOST, NULL);
  ck_assert_int_le (int_of (last_sent ("offers")->body, "for_us"), 200 * SECOND);
  tunnel_tell (tunnel_of (id), FAR_CARRIER_UP, NULL);
  far_clock_advance (201 * SECOND);
  settle ();
  ck_assert_str_eq (tunnel_of (id)->end_cause, "deadline");
}
END_TEST

/* ---- refusals ---- */

START_TEST (test_refusals)
{
  refused (ask_person ("alice", "POST", "sessions", wish_for ("t9", NULL)), 404, "no terminal 't9'",
           "unknown terminal");
  refused (ask_person ("alice", "POST", "sessions", wish_for ("t1", "safe")), 404, "no device 'safe'",
           "unknown device");
  refused (ask_person ("alice", "POST", "sessions",
                       json_pack ("{s:s, s:I}", "terminal", "t1", "for_us",
                                  (json_int_t) (3 * 3600 * SECOND))),
           403, "longest", "too long");
  refused (ask_person ("alice", "POST", "sessions",
                       json_pack ("{s:s, s:I}", "terminal", "t1", "for_us", (json_int_t) 5)),
           400, "at least", "too short");
  refused (ask_person ("alice", "POST", "sessions",
                       json_pack ("{s:s, s:s}", "terminal", "t1", "entry", "window")),
           400, "entry", "no such entry");
  terminal_link ("t2", FALSE);
  refused (ask_person ("alice", "POST", "sessions", wish_for ("t2", NULL)), 503, "offline",
           "terminal offline");
  cloud_tunnels ()->down = TRUE;
  g_autofree char *id = session_ask ("alice", wish_for ("t1", NULL));
  ck_assert_str_eq (session_state (id), "closed");
  ck_assert_str_eq (text_of (history_of (id), "cause"), "no tunnel end is up");
}
END_TEST

/* Without `see`, an unknown terminal and a missing right read the same. */
START_TEST (test_unseen)
{
  Got got = ask_person ("mallory", "POST", "sessions", wish_for ("t9", NULL));
  refused (got, 404, "t9", "unknown terminal");
  got = ask_person ("mallory", "POST", "sessions", wish_for ("t9", NULL));
  g_autofree char *unknown = g_strdup (text_of (got.body, "message"));
  guint status = got.status;
  got = ask_person ("mallory", "POST", "sessions", wish_for ("t2", NULL));
  g_auto (GStrv) parts = g_strsplit (unknown, "t9", -1);
  g_autofree char *wanted = g_strjoinv ("t2", parts);
  ck_assert_uint_eq (got.status, status);
  ck_assert_str_eq (text_of (got.body, "message"), wanted);
  refused (ask_person ("mallory", "POST", "sessions", wish_for ("t2", NULL)), 404, "t2", "no right");
  /* nor does a list, a session or the history tell */
  ck_assert_uint_eq (json_array_size (json_object_get (ask_person ("mallory", "GET", "terminals", NULL).body,
                                                       "terminals")),
                     0);
  ck_assert_uint_eq (json_array_size (
                         json_object_get (ask_person ("mallory", "GET", "history", NULL).body, "history")),
                     0);
  g_autofree char *id = session_ask ("alice", wish_for ("t2", NULL)),
                  *resource = g_strdup_printf ("sessions/%s", id);
  ck_assert_uint_eq (ask_person ("mallory", "GET", resource, NULL).status, 404);
  ck_assert_uint_eq (ask_person ("mallory", "DELETE", resource, NULL).status, 404);
  ck_assert_uint_eq (json_array_size (
                         json_object_get (ask_person ("mallory", "GET", "sessions", NULL).body, "sessions")),
                     0);
}
END_TEST

/* One writer a device; its line counts; the same person may come again. */
START_TEST (test_second_writer)
{
  g_autofree char *first = session_open ("alice", wish_for ("t1", "m1"));
  refused (ask_person ("bob", "POST", "sessions", wish_for ("t1", "m1")), 409, "person:alice",
           "in use by person:alice");
  refused (ask_person ("bob", "POST", "sessions", wish_for ("t1", "m2")), 409, "'m1' is in use",
           "in use by person:alice");
  g_autofree char *other G_GNUC_UNUSED = session_ask ("bob", wish_for ("t1", "web"));
  g_autofree char *again = session_ask ("alice", wish_for ("t1", "m1"));
  ck_assert_str_ne (first, again);
}
END_TEST

/* A device named by its lower port, if one has it that the person may see; a name counts first. */
START_TEST (test_lower_port)
{
  static const char *const rows[][2] = {
    { "p1", "192.0.2.9:8502" }, { "p2", "192.0.2.9:8503" }, { "p3", "192.0.2.10:8503" },
    { "8504", "192.0.2.9:1" },  { "p5", "192.0.2.9:8504" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *resource = g_strdup_printf ("terminals/t1/devices/%s", rows[i][0]);
    ck_assert_uint_lt (ask_root ("PUT", resource,
                                 json_pack ("{s:s, s:s}", "endpoint", "lan", "address", rows[i][1]))
                           .status,
                       300);
  }
  g_autofree char *id = session_ask ("alice", wish_for ("t1", "8502")),
                  *named = session_ask ("alice", wish_for ("t1", "8504"));
  ck_assert_str_eq (text_of (session_body (id), "device"), "p1");
  ck_assert_str_eq (text_of (session_body (named), "device"), "8504");
  refused (ask_person ("alice", "POST", "sessions", wish_for ("t1", "8503")), 409, "name one of them",
           "more than one device of that port");
  refused (ask_person ("alice", "POST", "sessions", wish_for ("t1", "8505")), 404, "no device '8505'",
           "unknown device");
  grant ("dora", "connect", "terminals/t1/devices/p2");
  g_autofree char *alone = session_ask ("dora", wish_for ("t1", "8503"));
  ck_assert_str_eq (text_of (session_body (alone), "device"), "p2");
  grant ("dora", "connect", "terminals/t1/devices/p3");
  refused (ask_person ("dora", "POST", "sessions", wish_for ("t1", "8503")), 409, "name one of them",
           "more than one device of that port");
}
END_TEST

/* How to come in: no clear text but with the right, a known address and a login in advance. */
START_TEST (test_entries)
{
  json_t *wish = wish_for ("t1", "web");
  json_object_set_new (wish, "raw", json_true ());
  refused (ask_person ("alice", "POST", "sessions", json_deep_copy (wish)), 400, "ports",
           "raw without ports");
  json_object_set_new (wish, "entry", json_string ("ports"));
  refused (ask_person ("alice", "POST", "sessions", json_deep_copy (wish)), 400, "login in advance",
           "raw without login");
  json_object_set_new (wish, "login_box", json_string ("Ym94"));
  refused (ask_person ("alice", "POST", "sessions", json_deep_copy (wish)), 400, "login_box and id",
           "no login box");
  json_object_set_new (wish, "id", json_string ("r1"));
  refused (ask_person ("alice", "POST", "sessions", json_deep_copy (wish)), 403, "connect-raw", "no right");
  grant ("alice", "connect-raw", "terminals/t1");
  refused (ask_as (FAR_PRINCIPAL_PERSON, "alice", "", "POST", "sessions", json_deep_copy (wish)), 403,
           "address", "raw from an unknown address");
  json_t *sealed = json_deep_copy (wish);
  json_object_set_new (sealed, "raw", json_false ());
  refused (ask_person ("alice", "POST", "sessions", sealed), 400, "entry 'stream'",
           "in advance through ports without raw");
  g_autofree char *id = session_ask ("alice", json_deep_copy (wish));
  FakeTunnel *tunnel = tunnel_of (id);
  ck_assert (tunnel->raw);
  ck_assert_str_eq (tunnel->person_address, "192.0.2.77");
  ck_assert_uint_ne (tunnel->x, tunnel->y);
  ck_assert_str_eq (text_of (last_sent ("offers")->body, "login"), "in-advance");
  ck_assert_str_eq (text_of (last_sent ("offers")->body, "request"), "r1");
  json_decref (wish);
}
END_TEST

START_TEST (test_limits)
{
  for (guint i = 0; i < 20; i++)
    g_free (session_ask ("alice", wish_for ("t1", NULL)));
  refused (ask_person ("alice", "POST", "sessions", wish_for ("t1", NULL)), 429, "20 sessions",
           "too many sessions of one person");
}
END_TEST

/* The terminal refuses: the person hears why. */
START_TEST (test_terminal_refuses)
{
  g_autofree char *id = session_ask ("alice", wish_for ("t1", "web"));
  answer_sent (last_sent ("offers"), 403,
               json_pack ("{s:s, s:s}", "error", "denied", "message",
                          "terminal 't1' is open for access only mon-fri"));
  ck_assert_ptr_nonnull (tunnel_of (id)->end_cause);
  tunnel_tell (tunnel_of (id), FAR_CARRIER_ENDED, "closed");
  ck_assert_ptr_nonnull (strstr (text_of (session_body (id), "cause"), "mon-fri"));
}
END_TEST

/* Two persons. */
START_TEST (test_approval)
{
  json_t *right = json_pack ("{s:s, s:s, s:s, s:s, s:s}", "id", "n", "who", "carol", "action", "connect",
                             "object", "terminals/t1", "needs", "approval");
  ck_assert (far_right_set (right, NULL));
  json_decref (right);
  grant ("carol", "approve", "terminals/*");
  grant ("dave", "approve", "terminals/*");
  Got got = ask_person ("carol", "POST", "sessions", wish_for ("t1", "web"));
  ck_assert_uint_eq (got.status, 201);
  g_autofree char *id = g_strdup (text_of (got.body, "session")),
                  *approve = g_strdup_printf ("sessions/%s/approve", id);
  ck_assert_str_eq (session_state (id), "awaiting approval");
  ck_assert_ptr_null (tunnel_of (id));
  ck_assert_uint_eq (ask_person ("carol", "POST", approve, json_object ()).status, 403); /* her own */
  ck_assert_uint_eq (ask_person ("alice", "POST", approve, json_object ()).status, 403); /* no right to */
  ck_assert_uint_eq (ask_person ("dave", "POST", approve, json_object ()).status, 200);
  settle ();
  ck_assert_str_eq (session_state (id), "permitted");
  ck_assert_uint_eq (ask_person ("dave", "POST", approve, json_object ()).status, 409);
  got = ask_person ("carol", "POST", "sessions", wish_for ("t1", "m1"));
  g_autofree char *second = g_strdup (text_of (got.body, "session")),
                  *refuse = g_strdup_printf ("sessions/%s/approve", second);
  ask_person ("dave", "POST", refuse, json_pack ("{s:b}", "approve", 0));
  ck_assert_str_eq (session_state (second), "closed");
  ck_assert_str_eq (text_of (history_of (second), "cause"), "refused by person:dave");
}
END_TEST

/* A right that is taken away ends what it gave. */
START_TEST (test_right_ends)
{
  json_t *right = json_pack ("{s:s, s:s, s:s, s:s}", "id", "short", "who", "erin", "action", "connect",
                             "object", "terminals/t1");
  ck_assert (far_right_set (right, NULL));
  json_decref (right);
  g_autofree char *hers = session_open ("erin", wish_for ("t1", "web")),
                  *his = session_open ("bob", wish_for ("t1", NULL));
  far_clock_advance (3 * SECOND);
  settle ();
  ck_assert_str_eq (session_state (hers), "open");
  ck_assert (far_right_remove ("short"));
  far_clock_advance (3 * SECOND);
  settle ();
  ck_assert_ptr_nonnull (tunnel_of (hers)->end_cause);
  ck_assert_str_eq (session_state (his), "open");
  tunnel_tell (tunnel_of (hers), FAR_CARRIER_ENDED, "closed");
  ck_assert_str_eq (text_of (history_of (hers), "cause"), "the right has ended: no right");
}
END_TEST

/* ---- registry ---- */

/* Removed: link cut, sessions end, the certificate is revoked, messages are refused, a link that comes again
 * is cut. */
START_TEST (test_revoked)
{
  g_autofree char *id = session_open ("alice", wish_for ("t1", NULL));
  ck_assert_uint_eq (ask_root ("DELETE", "terminals/t1", NULL).status, 204);
  ck_assert_str_eq (cloud_nodes ()->cuts->pdata[0], "t1: revoked");
  ck_assert_str_eq (tunnel_of (id)->end_cause, "terminal removed");
  ck_assert_uint_eq (ask_node ("t1", "POST", "poll", json_object ()).status, 403);
  far_peer_changed (cloud_nodes ()->at, "t1", TRUE, "192.0.2.50");
  settle ();
  ck_assert_uint_eq (cloud_nodes ()->cuts->len, 2);
}
END_TEST

/* A right to a site or a group holds for the terminals there, as they come and go; the form of both; who may
 * put a terminal there. */
START_TEST (test_places)
{
  grant ("sue", "connect", "sites/pump house");
  grant ("gus", "connect", "groups/pumps");
  refused (ask_person ("sue", "POST", "sessions", wish_for ("t1", NULL)), 404, "t1", "no right");
  ck_assert_uint_eq (ask_root ("PUT", "terminals/t1",
                               json_pack ("{s:s, s:[s,s]}", "site", "pump house", "groups", "pumps", "old"))
                         .status,
                     200);
  Got got = ask_person ("gus", "GET", "terminals", NULL);
  ck_assert_uint_eq (json_array_size (json_object_get (got.body, "terminals")), 1);
  json_t *shown = json_array_get (json_object_get (got.body, "terminals"), 0);
  ck_assert_str_eq (text_of (shown, "site"), "pump house");
  ck_assert_uint_eq (json_array_size (json_object_get (shown, "groups")), 2);
  cloud_restart (); /* also from the row */
  terminal_link ("t1", TRUE);
  grant ("sue", "connect", "sites/pump house");
  g_autofree char *id = session_open ("sue", wish_for ("t1", "web"));
  ck_assert_uint_eq (ask_root ("PUT", "terminals/t1", json_pack ("{s:s, s:[]}", "site", "", "groups")).status,
                     200);
  far_clock_advance (3 * SECOND);
  settle ();
  ck_assert_str_eq (text_of (session_body (id), "cause"), "the right has ended: no right");
  ck_assert_uint_eq (ask_root ("PUT", "terminals/t1", json_pack ("{s:s}", "site", "a/b")).status, 400);
  ck_assert_uint_eq (ask_root ("PUT", "terminals/t1", json_pack ("{s:[s]}", "groups", "a b")).status, 400);
  /* mia manages terminals, and would give herself a right by moving one */
  grant ("mia", "manage", "terminals");
  grant ("mia", "connect", "sites/pump house");
  ck_assert_uint_eq (ask_person ("mia", "PUT", "terminals/t1", json_pack ("{s:s}", "site", "pump house"))
                         .status,
                     403);
  ck_assert_uint_eq (ask_person ("mia", "PUT", "terminals/t1", json_pack ("{s:s}", "note", "oiled")).status,
                     200);
  grant ("mia", "manage", "sites");
  ck_assert_uint_eq (ask_person ("mia", "PUT", "terminals/t1", json_pack ("{s:s}", "site", "pump house"))
                         .status,
                     200);
}
END_TEST

static json_t *
tunnel_end (json_t *node, const char *name)
{
  json_t *tunnel;
  size_t i;
  json_array_foreach (json_object_get (node, "tunnels"), i, tunnel)
    if (g_strcmp0 (text_of (tunnel, "tunnel"), name) == 0)
      return tunnel;
  return NULL;
}

/* The nodes of the cloud with their tunnel ends: for whoever may see them. */
START_TEST (test_nodes)
{
  g_autofree char *id G_GNUC_UNUSED = session_open ("alice", wish_for ("t1", NULL));
  Got got = ask_root ("GET", "nodes", NULL);
  json_t *node = json_array_get (json_object_get (got.body, "nodes"), 0), *tunnel = tunnel_end (node, "z1");
  ck_assert_str_eq (text_of (node, "node"), far_node_id ());
  ck_assert_int_eq (int_of (node, "connected"), 2);
  ck_assert (json_is_true (json_object_get (tunnel, "up")));
  ck_assert_int_eq (int_of (tunnel, "open"), 1);
  cloud_tunnels ()->down = TRUE;
  got = ask_root ("GET", "nodes", NULL);
  tunnel = tunnel_end (json_array_get (json_object_get (got.body, "nodes"), 0), "z1");
  ck_assert (json_is_false (json_object_get (tunnel, "up")));
  ck_assert_uint_eq (json_array_size (
                         json_object_get (ask_person ("alice", "GET", "nodes", NULL).body, "nodes")),
                     0);
  grant ("alice", "see", "nodes");
  ck_assert_uint_eq (json_array_size (
                         json_object_get (ask_person ("alice", "GET", "nodes", NULL).body, "nodes")),
                     1);
}
END_TEST

START_TEST (test_devices_mirrored)
{
  Got got = ask_root ("GET", "terminals/t1", NULL);
  ck_assert_uint_eq (json_array_size (json_object_get (got.body, "devices")), 3);
  ck_assert_uint_eq (ask_root ("PUT", "terminals/t1/devices/later", json_pack ("{s:s}", "note", "ordered"))
                         .status,
                     200);
  ck_assert_uint_eq (ask_node ("t2", "PUT", "terminals/t1/devices", json_pack ("{s:[]}", "devices")).status,
                     404);
  ck_assert_uint_eq (ask_node ("t1", "PUT", "terminals/t1/devices",
                               json_pack ("{s:[{s:s}]}", "devices", "name", "web"))
                         .status,
                     200);
  got = ask_root ("GET", "terminals/t1", NULL);
  /* web, and the one the terminal does not know yet */
  ck_assert_uint_eq (json_array_size (json_object_get (got.body, "devices")), 2);
  cloud_restart ();
  got = ask_root ("GET", "terminals/t1", NULL);
  ck_assert_uint_eq (json_array_size (json_object_get (got.body, "devices")), 2);
}
END_TEST

/* ---- restart ---- */

/* Rows that are not closed: history closed with its cause, tokens withdrawn, nothing held. */
/* The counters of an open session are on disk now and then: not with each event, but before a restart may
 * lose much. */
START_TEST (test_counters_kept)
{
  g_autofree char *id = session_open ("alice", wish_for ("t1", "web"));
  far_clock_advance (3 * SECOND);
  settle ();
  tunnel_tell (tunnel_of (id), FAR_CARRIER_COUNTERS, NULL);
  far_clock_advance (3 * SECOND);
  settle ();
  ck_assert_int_eq (int_of (session_body (id), "bytes_down"), 2000);
  ck_assert_int_eq (int_of (history_of (id), "bytes_down"), 0);
  far_clock_advance (6 * SECOND);
  settle ();
  ck_assert_int_eq (int_of (history_of (id), "bytes_down"), 2000);
  cloud_restart ();
  ck_assert_str_eq (text_of (history_of (id), "cause"), "restart");
  ck_assert_int_eq (int_of (history_of (id), "bytes_up"), 100);
  ck_assert_int_eq (int_of (history_of (id), "bytes_down"), 2000);
}
END_TEST

START_TEST (test_restart)
{
  g_autofree char *open = session_open ("alice", wish_for ("t1", "web")),
                  *waiting = session_ask ("alice", wish_for ("t2", NULL));
  settle ();
  cloud_restart ();
  ck_assert_str_eq (session_state (open), "gone");
  ck_assert_str_eq (text_of (history_of (open), "cause"), "restart");
  ck_assert_str_eq (text_of (history_of (open), "state"), "closed");
  ck_assert_str_eq (text_of (history_of (waiting), "cause"), "restart");
  Got got = ask_node ("t1", "POST", "poll",
                      json_pack ("{s:[{s:s, s:s, s:i}]}", "sessions", "session", open, "state", "open",
                                 "generation", 1));
  ck_assert_str_eq (json_string_value (json_array_get (json_object_get (got.body, "close"), 0)), open);
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  Suite *suite = suite_create ("access");
  TCase *cases = tcase_create ("access");
  tcase_set_timeout (cases, 60);
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_test (cases, test_way);
  tcase_add_test (cases, test_close_before_the_offer);
  tcase_add_test (cases, test_asks_for_polls);
  tcase_add_test (cases, test_poll);
  tcase_add_test (cases, test_nonces);
  tcase_add_test (cases, test_poll_closes);
  tcase_add_test (cases, test_turned_away);
  tcase_add_test (cases, test_turned_away_flood);
  tcase_add_test (cases, test_close_waits);
  tcase_add_test (cases, test_grace);
  tcase_add_test (cases, test_deadline);
  tcase_add_test (cases, test_not_opened);
  tcase_add_test (cases, test_resume);
  tcase_add_test (cases, test_resume_deadline);
  tcase_add_test (cases, test_refusals);
  tcase_add_test (cases, test_unseen);
  tcase_add_test (cases, test_second_writer);
  tcase_add_test (cases, test_entries);
  tcase_add_test (cases, test_lower_port);
  tcase_add_test (cases, test_limits);
  tcase_add_test (cases, test_terminal_refuses);
  tcase_add_test (cases, test_approval);
  tcase_add_test (cases, test_right_ends);
  tcase_add_test (cases, test_revoked);
  tcase_add_test (cases, test_devices_mirrored);
  tcase_add_test (cases, test_places);
  tcase_add_test (cases, test_nodes);
  tcase_add_test (cases, test_restart);
  tcase_add_test (cases, test_counters_kept);
  suite_add_tcase (suite, cases);
  return run_suite (suite);
}
