/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The terminal's side of access in its course: offers by push and poll, dials, cuts, ends, reports. The cloud
 * and the tunnel are played. */
#include "config.h"

#include "auth/throttle.h"
#include "reach/device.h"
#include "unit/agent-help.h"

static void
stream_none (gpointer nothing)
{
}

static FakeTunnel *
opened (const char *session)
{
  ck_assert_uint_eq (push (offer (session, 1)).status, 202);
  FakeTunnel *tunnel = tunnel_of (session);
  ck_assert_ptr_nonnull (tunnel);
  far_request_done (tunnel->req, tunnel, stream_none);
  tunnel_tell (tunnel, FAR_CARRIER_UP, NULL);
  ck_assert_str_eq (session_state (session), "open");
  return tunnel;
}

static void
poll_due (void)
{
  far_clock_advance (140 * SECOND);
  run_pending ();
}

/* At link-up: its devices, and a poll at once; then at its cycle. */
START_TEST (test_link_up)
{
  FakeSent *devices = last_sent ("terminals/t1/devices"), *poll = last_sent ("poll");
  ck_assert_ptr_nonnull (devices);
  ck_assert_str_eq (text_of (json_array_get (json_object_get (devices->body, "devices"), 0), "name"), "web");
  ck_assert_ptr_nonnull (poll);
  ck_assert_ptr_nonnull (text_of (poll->body, "nonce"));
  answer_sent (poll, 200, json_pack ("{s:b}", "needed", 0));
  poll_due ();
  ck_assert_ptr_ne (last_sent ("poll"), poll);
  ck_assert_ptr_null (json_object_get (last_sent ("poll")->body, "nonce")); /* the one given is still good */
  ck_assert_ptr_null (json_object_get (last_sent ("poll")->body, "sessions"));
}
END_TEST

/* A cloud whose service began anew under a standing link has lost the nonce: it gets one at once, and no poll
 * upon poll however often it asks. */
START_TEST (test_nonce_again)
{
  polls_answered (json_pack ("{s:b}", "needed", 0));
  poll_due ();
  ck_assert_ptr_null (json_object_get (last_sent ("poll")->body, "nonce"));
  polls_answered (json_pack ("{s:b, s:b}", "needed", 0, "nonce_wanted", 1));
  run_pending ();
  FakeSent *poll = last_sent ("poll");
  ck_assert_ptr_nonnull (text_of (poll->body, "nonce"));
  answer_sent (poll, 200, json_pack ("{s:b, s:b}", "needed", 0, "nonce_wanted", 1));
  run_pending ();
  ck_assert_ptr_eq (last_sent ("poll"), poll);
}
END_TEST

/* What goes with a nonce, the carriers that are here, is told anew when a reload may have changed it; also
 * when the answer to a poll from before comes after it. */
START_TEST (test_told_again_after_reload)
{
  polls_answered (json_pack ("{s:b}", "needed", 0));
  poll_due ();
  FakeSent *poll = last_sent ("poll");
  ck_assert_ptr_null (json_object_get (poll->body, "nonce"));
  agent_reload_with (", poll: 100s");
  answer_sent (poll, 200, json_pack ("{s:b}", "needed", 0));
  run_pending ();
  poll_due ();
  ck_assert_ptr_ne (last_sent ("poll"), poll);
  ck_assert_ptr_nonnull (text_of (last_sent ("poll")->body, "nonce"));
}
END_TEST

/* The cloud may ask for a poll before its time. */
START_TEST (test_poll_now)
{
  polls_answered (json_pack ("{s:b}", "needed", 0));
  run_pending ();
  FakeSent *poll = last_sent ("poll");
  ck_assert_uint_eq (ask_node ("cloud", "POST", "poll-now", NULL).status, 202);
  run_pending ();
  ck_assert_ptr_ne (last_sent ("poll"), poll);
  poll = last_sent ("poll");
  ck_assert_uint_ge (ask_person ("alice", "POST", "poll-now", NULL).status, 400);
  run_pending ();
  ck_assert_ptr_eq (last_sent ("poll"), poll);
}
END_TEST

START_TEST (test_push)
{
  FakeTunnel *tunnel = opened ("s1");
  ck_assert_str_eq (tunnel->token, "word");
  ck_assert_str_eq (tunnel->address, "192.0.2.1:2222");
  ck_assert_str_eq (tunnel->host_key, "ssh-ed25519 ZZZZ");
  ck_assert_int_eq (tunnel->length_us, 600 * SECOND);
  /* the same offer by poll: known */
  guint before = dials ();
  polls_answered (json_pack ("{s:b, s:[o]}", "needed", 1, "offers", offer ("s1", 1)));
  ck_assert_uint_eq (dials (), before);
}
END_TEST

START_TEST (test_poll)
{
  polls_answered (json_pack ("{s:b, s:[o]}", "needed", 1, "offers", offer ("s1", 1)));
  ck_assert_ptr_nonnull (tunnel_of ("s1"));
  ck_assert_str_eq (session_state ("s1"), "opening");
  json_t *bad = offer ("s2", 1);
  json_object_set_new (bad, "device", json_string ("safe"));
  far_clock_advance (140 * SECOND);
  polls_answered (json_pack ("{s:b, s:[o]}", "needed", 1, "offers", bad));
  FakeSent *report = sent_newest ("sessions/s2/report");
  ck_assert_ptr_nonnull (report);
  ck_assert_str_eq (text_of (report->body, "state"), "refused");
}
END_TEST

/* Who is not the cloud at the other end of our own link has nothing to say. */
START_TEST (test_strangers)
{
  ck_assert_uint_ge (ask_person ("alice", "POST", "offers", offer ("s1", 1)).status, 400);
  ck_assert_uint_ge (ask_root ("POST", "offers", offer ("s1", 1)).status, 400);
  ck_assert_uint_eq (dials (), 0);
}
END_TEST

/* A replayed offer of a session that is over, or of an older generation. */
START_TEST (test_replayed)
{
  FakeTunnel *tunnel = opened ("s1");
  Got got = ask_as (FAR_PRINCIPAL_NODE, "cloud", "", "POST", "sessions/ghost/close", json_object ());
  ck_assert (got.status == 202 && json_is_false (json_object_get (got.body, "live")));
  got = ask_as (FAR_PRINCIPAL_NODE, "cloud", "", "POST", "sessions/s1/close", json_object ());
  ck_assert (got.status == 202 && json_is_true (json_object_get (got.body, "live")));
  ck_assert_ptr_nonnull (tunnel->end_cause);
  tunnel_tell (tunnel, FAR_CARRIER_ENDED, "closed");
  FakeSent *report = sent_newest ("sessions/s1/report");
  ck_assert_ptr_nonnull (report);
  ck_assert_str_eq (text_of (report->body, "state"), "closed");
  guint before = dials ();
  ck_assert_uint_eq (push (offer ("s1", 1)).status, 409);
  ck_assert_uint_eq (push (offer ("s1", 2)).status, 409);
  ck_assert_uint_eq (dials (), before);
}
END_TEST

/* Those that are over are known for a day, but not more than the last two hundred of them: a busy terminal
 * stays small. */
START_TEST (test_remembered)
{
  for (guint i = 0; i < 210; i++) {
    g_autofree char *id = g_strdup_printf ("s%u", i), *close = g_strdup_printf ("sessions/%s/close", id);
    FakeTunnel *tunnel = opened (id);
    ck_assert_uint_eq (ask_as (FAR_PRINCIPAL_NODE, "cloud", "", "POST", close, json_object ()).status, 202);
    tunnel_tell (tunnel, FAR_CARRIER_ENDED, "closed");
    far_clock_advance (SECOND);
  }
  ck_assert_uint_eq (push (offer ("s209", 1)).status, 409);
  ck_assert_uint_eq (push (offer ("s11", 1)).status, 409);
  ck_assert_uint_eq (push (offer ("s9", 1)).status, 202);
}
END_TEST

/* The link under the tunnel is lost: asked for by poll at once, the next generation is dialled, the deadline
 * stands. */
START_TEST (test_resume)
{
  FakeTunnel *tunnel = opened ("s1");
  polls_answered (json_pack ("{s:b}", "needed", 0));
  far_clock_advance (100 * SECOND);
  tunnel_tell (tunnel, FAR_CARRIER_LOST, NULL);
  ck_assert_str_eq (session_state ("s1"), "resuming");
  FakeSent *poll = sent_newest ("poll");
  json_t *item = json_array_get (json_object_get (poll->body, "sessions"), 0);
  ck_assert_str_eq (text_of (item, "state"), "resuming");
  ck_assert (json_is_true (json_object_get (item, "again")));
  ck_assert_uint_eq (push (offer ("s1", 1)).status, 202); /* crossing: the one it has */
  ck_assert_uint_eq (dials (), 1);
  ck_assert_uint_eq (push (offer ("s1", 2)).status, 202);
  ck_assert_uint_eq (dials (), 2);
  FakeTunnel *again = tunnel_of ("s1");
  ck_assert_int_le (again->length_us, 500 * SECOND);
  tunnel_tell (again, FAR_CARRIER_UP, NULL);
  ck_assert_str_eq (session_state ("s1"), "open");
  tunnel->ended = TRUE; /* one tunnel end, one ENDED */
  far_clock_advance (501 * SECOND);
  run_pending ();
  ck_assert_str_eq (again->end_cause, "deadline");
}
END_TEST

/* While somebody works the link is wanted back at once; one that gives no answer after the tunnel was lost is
 * cut, so that a new one is dialled. */
START_TEST (test_hurry)
{
  ck_assert (!cloud_nodes ()->hurry);
  FakeTunnel *tunnel = opened ("s1");
  ck_assert (cloud_nodes ()->hurry);
  polls_answered (json_pack ("{s:b}", "needed", 0));
  tunnel_tell (tunnel, FAR_CARRIER_LOST, NULL);
  ck_assert_ptr_nonnull (sent_newest ("poll"));
  far_clock_advance (2 * SECOND);
  run_pending ();
  ck_assert_uint_eq (cloud_nodes ()->cuts->len, 0);
  far_clock_advance (2 * SECOND);
  run_pending ();
  ck_assert_uint_eq (cloud_nodes ()->cuts->len, 1);
  for (guint i = 0; i < 4; i++) { /* it came up again, and the cloud is slow: not once more so soon */
    sent_newest ("poll");
    far_clock_advance (4 * SECOND);
    run_pending ();
  }
  ck_assert_uint_eq (cloud_nodes ()->cuts->len, 1);
  tunnel_tell (tunnel, FAR_CARRIER_ENDED, "closed");
  ck_assert (!cloud_nodes ()->hurry);
}
END_TEST

/* Z cannot be reached: the credential is not spent, the same one is tried every second. */
START_TEST (test_no_route)
{
  FakeTunnel *tunnel = opened ("s1");
  polls_answered (json_pack ("{s:b}", "needed", 0));
  tunnel_tell (tunnel, FAR_CARRIER_LOST, NULL);
  tunnel->ended = TRUE;
  ck_assert_uint_eq (push (offer ("s1", 2)).status, 202);
  for (guint i = 2; i < 30; i++) {
    ck_assert_uint_eq (dials (), i);
    ck_assert_str_eq (tunnel_of ("s1")->token, "word");
    far_request_fail_new (tunnel_of ("s1")->req, FAR_ERROR_UNAVAILABLE, "no route");
    tunnel_of ("s1")->ended = TRUE;
    run_pending ();
    far_clock_advance (1001 * 1000);
    run_pending ();
  }
  tunnel_of ("s1")->ended = FALSE;
  tunnel_tell (tunnel_of ("s1"), FAR_CARRIER_UP, NULL);
  ck_assert_str_eq (session_state ("s1"), "open");
}
END_TEST

static void
dial_unreached (void)
{
  far_request_fail_new (tunnel_of ("s1")->req, FAR_ERROR_UNAVAILABLE, "Connection reset by peer");
  tunnel_of ("s1")->ended = TRUE;
  run_pending ();
}

/* A tunnel end that is flooded takes nobody for a while: whoever waits for their first tunnel gets it
 * afterwards, and within a minute hears if not. */
START_TEST (test_first_dial_waits)
{
  ck_assert_uint_eq (push (offer ("s1", 1)).status, 202);
  for (guint i = 1; i < 50; i++) {
    ck_assert_uint_eq (dials (), i);
    dial_unreached ();
    ck_assert_str_eq (session_state ("s1"), "opening");
    far_clock_advance (1001 * 1000);
    run_pending ();
  }
  tunnel_of ("s1")->ended = FALSE;
  if (_i == 0) {
    tunnel_tell (tunnel_of ("s1"), FAR_CARRIER_UP, NULL);
    ck_assert_str_eq (session_state ("s1"), "open");
    return;
  }
  far_clock_advance (12 * SECOND);
  far_request_fail_new (tunnel_of ("s1")->req, FAR_ERROR_UNAVAILABLE, "Connection reset by peer");
  run_pending ();
  ck_assert_str_eq (session_state ("s1"), "closing");
}
END_TEST

/* Z refuses: another credential is asked for, ever more slowly; never opened, it is given up after five. */
START_TEST (test_dial_fails)
{
  polls_answered (json_pack ("{s:b}", "needed", 0));
  for (int generation = 1; generation <= 5; generation++) {
    ck_assert_uint_eq (push (offer ("s1", generation)).status, 202);
    FakeTunnel *tunnel = tunnel_of ("s1");
    far_request_fail_new (tunnel->req, FAR_ERROR_DENIED, "the credential was refused");
    run_pending ();
    if (generation == 5) {
      ck_assert_str_eq (session_state ("s1"), "closing");
      tunnel_tell (tunnel, FAR_CARRIER_ENDED, "closed");
      break;
    }
    tunnel->ended = TRUE;
    ck_assert_str_eq (session_state ("s1"), "permitted");
    far_clock_advance (20 * SECOND);
    FakeSent *poll = sent_newest ("poll");
    ck_assert (json_is_true (
        json_object_get (json_array_get (json_object_get (poll->body, "sessions"), 0), "again")));
    answer_sent (poll, 200, json_pack ("{s:b}", "needed", 0));
  }
  ck_assert_str_eq (session_state ("s1"), "closed");
  ck_assert_str_eq (text_of (session_body ("s1"), "cause"),
                    "the terminal cannot reach the tunnel end, its log says why");
  ck_assert_str_eq (text_of (sent_newest ("sessions/s1/report")->body, "cause"),
                    "the terminal cannot reach the tunnel end, its log says why");
}
END_TEST

/* A cloud that lies has the terminal dial nowhere but at its own end, in a first offer or in a later one, and
 * hears nothing of other places. */
START_TEST (test_dials_nowhere_else)
{
  json_t *elsewhere = offer_at ("s1", 1, "127.0.0.1:57111");
  Got got = push (elsewhere);
  ck_assert_uint_eq (got.status, 403);
  ck_assert_ptr_nonnull (strstr (text_of (got.body, "message"), "tunnel-ends"));
  ck_assert_uint_eq (dials (), 0);
  FakeTunnel *tunnel = opened ("s2");
  tunnel_tell (tunnel, FAR_CARRIER_LOST, NULL);
  ck_assert_uint_eq (push (offer_at ("s2", 2, "192.168.1.20:22")).status, 403);
  ck_assert_uint_eq (dials (), 1);
  ck_assert_uint_eq (push (offer_at ("s2", 2, "0.0.0.0:2223")).status, 202); /* the host of the link */
  ck_assert_uint_eq (dials (), 2);
  ck_assert_str_eq (tunnel_of ("s2")->address, "192.0.2.1:2223");
}
END_TEST

/* A reload that takes an end out of the profile holds for who is still trying to reach it, too. */
START_TEST (test_no_longer_named_no_longer_dialled)
{
  ck_assert_uint_eq (push (offer ("s1", 1)).status, 202);
  ck_assert_uint_eq (dials (), 1);
  far_request_fail_new (tunnel_of ("s1")->req, FAR_ERROR_UNAVAILABLE, "no way");
  run_pending ();
  agent_reload_with (", tunnel-ends: [z.example]");
  far_clock_advance (5 * SECOND);
  run_pending ();
  ck_assert_uint_eq (dials (), 1);
}
END_TEST

/* Told by poll (spec B11); by its own clock (spec B12), though the tunnel end says nothing. */
START_TEST (test_ends)
{
  FakeTunnel *a = opened ("s1");
  polls_answered (json_pack ("{s:b, s:[s, s]}", "needed", 0, "close", "s1", "ghost"));
  ck_assert_ptr_nonnull (a->end_cause);
  tunnel_tell (a, FAR_CARRIER_ENDED, "closed");
  ck_assert_str_eq (session_state ("s1"), "closed");
  FakeTunnel *b = opened ("s2");
  far_clock_advance (601 * SECOND);
  run_pending ();
  ck_assert_str_eq (b->end_cause, "deadline");
  far_clock_advance (3 * SECOND); /* a tunnel end that is dead: the session is over all the same */
  run_pending ();
  ck_assert_str_eq (session_state ("s2"), "closed");
}
END_TEST

/* A report that was not heard goes with the next poll, until that is answered. */
START_TEST (test_report_kept)
{
  FakeTunnel *tunnel = opened ("s1");
  polls_answered (json_pack ("{s:b}", "needed", 0));
  g_hash_table_remove_all (cloud_nodes ()->peers);
  tunnel_tell (tunnel, FAR_CARRIER_ENDED, "closed");
  ck_assert_ptr_null (last_sent ("sessions/s1/report"));
  g_hash_table_add (cloud_nodes ()->peers, g_strdup (""));
  far_peer_changed (cloud_nodes ()->at, "", TRUE, "192.0.2.1");
  FakeSent *poll = sent_newest ("poll");
  json_t *item = json_array_get (json_object_get (poll->body, "sessions"), 0);
  ck_assert_str_eq (text_of (item, "state"), "closed");
  answer_sent (poll, 200, json_pack ("{s:b}", "needed", 0));
  poll_due ();
  ck_assert_ptr_null (json_object_get (sent_newest ("poll")->body, "sessions"));
}
END_TEST

/* The same person comes again to the same device: the older session ends. */
START_TEST (test_taken_over)
{
  FakeTunnel *tunnel = opened ("s1");
  opened ("s2");
  ck_assert (far_device_lock ("web", "s1", "alice", NULL, NULL, NULL));
  ck_assert (far_device_lock ("web", "s2", "alice", NULL, NULL, NULL));
  run_pending ();
  ck_assert_str_eq (session_state ("s1"), "closing");
  tunnel_tell (tunnel, FAR_CARRIER_ENDED, "closed");
  ck_assert_str_eq (text_of (session_body ("s1"), "cause"), "taken over by the same person");
  ck_assert_str_eq (session_state ("s2"), "open");
}
END_TEST

/* ---- devices at run time ---- */

/* What is of the member stood at the agent before: such a profile has both, and nothing begins anew. */
START_TEST (test_an_older_profile)
{
  FarInstance *member = far_instance_find (FAR_KIND_SERVICE, "member", NULL);
  answer_sent (last_sent ("terminals/t1/devices"), 200, json_object ());
  ck_assert_ptr_nonnull (member);
  cloud_reload ("member: {type: member, link: nodes}, ", "");
  ck_assert_ptr_eq (far_instance_find (FAR_KIND_SERVICE, "member", NULL), member);
  cloud_restart ();
  Got got = ask_root ("PUT", "terminals/t1/devices/meter",
                      json_pack ("{s:s, s:s}", "endpoint", "lan", "address", "192.0.2.9:502"));
  ck_assert_uint_eq (got.status, 200);
}
END_TEST

/* A list that the cloud did not take is sent again, ever more slowly, until it has. */
START_TEST (test_devices_told_again)
{
  static const int waits[] = { 2, 4, 8 };
  for (guint i = 0; i < G_N_ELEMENTS (waits); i++) {
    FakeSent *told = sent_newest ("terminals/t1/devices");
    answer_sent (told, 507, json_pack ("{s:s, s:s}", "error", "full", "message", "cannot record"));
    run_pending ();
    far_clock_advance ((waits[i] - 1) * SECOND);
    ck_assert_ptr_eq (sent_newest ("terminals/t1/devices"), told);
    far_clock_advance (2 * SECOND);
    ck_assert_msg (sent_newest ("terminals/t1/devices") != told, "not told again after failure %u", i);
  }
  FakeSent *told = sent_newest ("terminals/t1/devices");
  answer_sent (told, 200, json_object ());
  run_pending ();
  far_clock_advance (300 * SECOND);
  ck_assert_ptr_eq (sent_newest ("terminals/t1/devices"), told);
}
END_TEST

START_TEST (test_devices)
{
  answer_sent (last_sent ("terminals/t1/devices"), 200, json_object ());
  ck_assert_uint_eq (ask_root ("PUT", "terminals/t1/devices/meter",
                               json_pack ("{s:s, s:s}", "endpoint", "lan", "address", "192.0.2.9:502"))
                         .status,
                     200);
  ck_assert_uint_eq (json_array_size (json_object_get (last_sent ("terminals/t1/devices")->body, "devices")),
                     2);
  Got seen = ask_root ("GET", "terminals/t1/devices", NULL);
  g_autofree char *revision = g_strdup (
                      text_of (json_array_get (json_object_get (seen.body, "devices"), 0), "revision")),
                  *gone = g_strdup_printf ("terminals/t1/devices/meter?expect=%s", revision);
  ck_assert_uint_eq (ask_root ("PUT", "terminals/t1/devices/meter",
                               json_pack ("{s:s, s:s, s:s}", "endpoint", "lan", "address", "192.0.2.9:503",
                                          "expect", revision))
                         .status,
                     200);
  ck_assert_uint_eq (ask_root ("PUT", "terminals/t1/devices/meter",
                               json_pack ("{s:s, s:s, s:s}", "endpoint", "lan", "address", "192.0.2.9:504",
                                          "expect", revision))
                         .status,
                     409);
  ck_assert_uint_eq (ask_root ("DELETE", gone, NULL).status, 409);
  ck_assert_str_eq (far_device_find ("meter")->address, "192.0.2.9:503");
  ck_assert_uint_eq (ask_root ("PUT", "terminals/t1/devices/web", json_pack ("{s:s}", "endpoint", "lan"))
                         .status,
                     409);
  ck_assert_uint_eq (ask_root ("PUT", "terminals/t1/devices/x",
                               json_pack ("{s:s, s:s}", "endpoint", "lan", "weight", "heavvy"))
                         .status,
                     400);
  ck_assert_uint_eq (ask_root ("PUT", "terminals/t1/devices/x",
                               json_pack ("{s:s, s:s}", "endpoint", "lan", "address", "a b"))
                         .status,
                     400);
  ck_assert_uint_eq (ask_root ("PUT", "terminals/t1/devices/x",
                               json_pack ("{s:s, s:s}", "endpoint", "net", "address", "192.0.2.1:99999"))
                         .status,
                     400);
  ck_assert_ptr_null (far_device_find ("x"));
  ck_assert_uint_eq (ask_root ("PUT", "terminals/t1/devices/card",
                               json_pack ("{s:s, s:s}", "endpoint", "lan", "address", "[rack-1]slot-2"))
                         .status,
                     200);
  ck_assert_str_eq (far_device_find ("card")->address, "[rack-1]slot-2");
  ck_assert_uint_eq (ask_root ("DELETE", "terminals/t1/devices/card", NULL).status, 204);
  ck_assert_uint_eq (ask_root ("PUT", "terminals/t2/devices/x", json_pack ("{s:s}", "endpoint", "lan"))
                         .status,
                     404);
  cloud_restart ();
  ck_assert_ptr_nonnull (far_device_find ("meter"));
  ck_assert_uint_eq (ask_root ("DELETE", "terminals/t1/devices/meter", NULL).status, 204);
  ck_assert_ptr_null (far_device_find ("meter"));
  ck_assert_uint_eq (ask_root ("DELETE", "terminals/t1/devices/meter", NULL).status, 404);
}
END_TEST

/* More than a page, while the one at which a page ended is over, and others. */
START_TEST (test_sessions_paged)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autofree char *next = NULL;
  guint ended = 0;
  for (guint i = 0; i < 95; i++) {
    g_autofree char *id = g_strdup_printf ("s%03u", (i * 7) % 95);
    ck_assert_uint_eq (push (offer (id, 1)).status, 202);
  }
  do {
    g_autofree char *asked = next ? g_strdup_printf ("sessions?after=%s", next) : g_strdup ("sessions");
    Got got = ask_root ("GET", asked, NULL);
    json_t *row;
    size_t i;
    json_array_foreach (json_object_get (got.body, "sessions"), i, row)
      ck_assert (g_hash_table_add (seen, g_strdup (text_of (row, "session"))));
    g_free (next);
    next = g_strdup (text_of (got.body, "next"));
    if (next) {
      g_autofree char *gone = g_strdup_printf ("sessions/%s/close", next);
      ck_assert_uint_eq (ask_as (FAR_PRINCIPAL_NODE, "cloud", "", "POST", gone, json_object ()).status, 202);
      ended++;
    }
  } while (next);
  ck_assert_uint_gt (ended, 1);
  ck_assert_uint_eq (g_hash_table_size (seen), 95);
}
END_TEST

/* More than one answer holds: page by page, each once, in the order of their names. */
START_TEST (test_devices_paged)
{
  g_autofree char *after = NULL, *last = g_strdup ("");
  guint seen = 0, pages = 0;

  answer_sent (last_sent ("terminals/t1/devices"), 200, json_object ());
  for (guint i = 0; i < 200; i++) {
    g_autofree char
        *long_name = g_strdup_printf ("terminals/t1/devices/a-rather-long-name-of-a-meter-in-building-%03u",
                                      (i * 77) % 200);
    ck_assert_uint_eq (ask_root ("PUT", long_name,
                                 json_pack ("{s:s, s:s, s:[s, s, s]}", "endpoint", "lan", "address",
                                            "192.0.2.9:502", "applications", "first-application",
                                            "second-application", "third-application"))
                           .status,
                       200);
  }
  do {
    g_autofree char *resource = g_strdup_printf ("terminals/t1/devices%s%s", after ? "?after=" : "",
                                                 after ? after : "");
    Got got = ask_root ("GET", resource, NULL);
    json_t *list = json_object_get (got.body, "devices"), *row;
    size_t i;

    ck_assert_uint_eq (got.status, 200);
    json_array_foreach (list, i, row) {
      ck_assert_str_gt (text_of (row, "name"), last);
      g_free (last);
      last = g_strdup (text_of (row, "name"));
      seen++;
    }
    g_free (after);
    after = g_strdup (text_of (got.body, "next"));
  } while (after && ++pages < 20);
  ck_assert_uint_eq (seen, 201);
  ck_assert_uint_ge (pages, 1);
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  Suite *suite = suite_create ("agent-course");
  TCase *cases = tcase_create ("course");
  tcase_set_timeout (cases, 60);
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_test (cases, test_link_up);
  tcase_add_test (cases, test_nonce_again);
  tcase_add_test (cases, test_told_again_after_reload);
  tcase_add_test (cases, test_poll_now);
  tcase_add_test (cases, test_push);
  tcase_add_test (cases, test_poll);
  tcase_add_test (cases, test_strangers);
  tcase_add_test (cases, test_replayed);
  tcase_add_test (cases, test_remembered);
  tcase_add_test (cases, test_resume);
  tcase_add_test (cases, test_hurry);
  tcase_add_test (cases, test_no_route);
  tcase_add_loop_test (cases, test_first_dial_waits, 0, 2);
  tcase_add_test (cases, test_dial_fails);
  tcase_add_test (cases, test_dials_nowhere_else);
  tcase_add_test (cases, test_no_longer_named_no_longer_dialled);
  tcase_add_test (cases, test_ends);
  tcase_add_test (cases, test_report_kept);
  tcase_add_test (cases, test_taken_over);
  tcase_add_test (cases, test_an_older_profile);
  tcase_add_test (cases, test_devices_told_again);
  tcase_add_test (cases, test_devices);
  tcase_add_test (cases, test_devices_paged);
  tcase_add_test (cases, test_sessions_paged);
  suite_add_tcase (suite, cases);
  return run_suite (suite);
}
