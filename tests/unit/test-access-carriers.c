/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A cloud with two kinds of carriers, of which a terminal may not reach the one that is drawn first: how its
 * sessions go from one to the other, and what a terminal that lies gets out of it. */
#include "config.h"

#include "unit/access-help.h"

static Fake *direct, *common;

/* What the terminal says of itself with each poll. */
static Got
polls (const char *node, json_t *sessions /* takes */)
{
  return ask_node_with (node, "carriers", "direct", "POST", "poll",
                        json_pack ("{s:s, s:o*}", "nonce", "n1", "sessions", sessions));
}

static void
two_kinds (const char *options)
{
  g_autofree char *tunnels = g_strconcat ("tunnels: [z1, d1]", options, NULL);
  cloud_up (NULL);
  cloud_reload ("z1: {type: fake}", "z1: {type: fake}, d1: {type: direct}");
  cloud_reload ("tunnels: [z1]", tunnels);
  direct = cloud_fake ("d1");
  common = cloud_fake ("z1");
  terminal_enrol ("t1");
  terminal_link ("t1", TRUE);
  polls ("t1", NULL);
  grant ("alice", "connect", "terminals/*");
}

static void
set_up (void)
{
  two_kinds (", sessions-each: 100");
}

static void
tear_down (void)
{
  cloud_down ();
}

static FakeTunnel *
newest (Fake *fake, const char *session)
{
  for (guint i = fake->tunnels->len; i > 0; i--)
    if (g_str_equal (((FakeTunnel *) fake->tunnels->pdata[i - 1])->session, session))
      return fake->tunnels->pdata[i - 1];
  return NULL;
}

static json_t *
wish (void)
{
  json_t *json = wish_for ("t1", NULL);
  json_object_set_new (json, "entry", json_string ("stream"));
  return json;
}

static int
generation_of (const char *id)
{
  return json_integer_value (json_object_get (session_body (id), "generation"));
}

/* The terminal has had the offer, and taken it. */
static void
taken (const char *id)
{
  FakeSent *push = last_sent ("offers");
  ck_assert_str_eq (text_of (push->body, "session"), id);
  if (!push->answered)
    answer_sent (push, 202, json_object ());
}

/* Open by the direct carrier. */
static char *
opened (void)
{
  char *id = session_ask ("alice", wish ());
  taken (id);
  tunnel_tell (newest (direct, id), FAR_CARRIER_UP, NULL);
  ck_assert_str_eq (session_state (id), "open");
  return id;
}

/* What the terminal says of a session that has no carrier now. kind NULL: no more than that. */
static json_t *
again (const char *id, int generation, const char *kind)
{
  return json_pack ("{s:s, s:s, s:i, s:b, s:s*}", "session", id, "state", "resuming", "generation",
                    generation, "again", 1, "unreached", kind);
}

static void
polls_unreached (const char *id, const char *kind)
{
  polls ("t1", json_pack ("[o]", again (id, generation_of (id), kind)));
  settle ();
}

static void
tells_bytes (FakeTunnel *tunnel, FarCarrierEventKind kind, guint64 up)
{
  FarCarrierEvent event = { .kind = kind, .cause = "test", .bytes_up = up };
  tunnel->ended = kind == FAR_CARRIER_ENDED;
  far_carrier_tell (tunnel->carrier, &event);
  settle ();
}

/* An open session loses its carrier and does not reach it any more, and there is no room for another one: it
 * keeps what it has, and is offered that again. */
START_TEST (what_it_has_is_kept_until_there_is_another)
{
  g_autofree char *id = opened ();
  FakeTunnel *old = newest (direct, id);
  tunnel_tell (old, FAR_CARRIER_LOST, NULL);
  common->fail_reserve = TRUE;
  polls_unreached (id, "direct");
  ck_assert_str_eq (session_state (id), "resuming");
  ck_assert_ptr_null (old->end_cause);
  ck_assert_ptr_nonnull (json_object_get (last_sent ("offers")->body, "carrier"));
  taken (id);
  tunnel_tell (old, FAR_CARRIER_UP, NULL);
  ck_assert_str_eq (session_state (id), "open");
}
END_TEST

/* The other one is reserved, then the first is given up; bytes that it tells of last still count. */
START_TEST (a_session_goes_on_by_another)
{
  g_autofree char *id = opened ();
  FakeTunnel *old = newest (direct, id);
  tells_bytes (old, FAR_CARRIER_LOST, 100);
  polls_unreached (id, "direct");
  ck_assert_str_eq (old->end_cause, "the session goes on by another carrier");
  ck_assert_str_eq (text_of (session_body (id), "tunnel"), "z1");
  taken (id);
  FakeTunnel *now = newest (common, id);
  tells_bytes (now, FAR_CARRIER_UP, 0);
  tells_bytes (now, FAR_CARRIER_COUNTERS, 5);
  tells_bytes (old, FAR_CARRIER_ENDED, 130);
  ck_assert_str_eq (session_state (id), "open");
  ck_assert_int_eq (int_of (session_body (id), "bytes_up"), 135);
  tells_bytes (now, FAR_CARRIER_COUNTERS, 7);
  ck_assert_int_eq (int_of (session_body (id), "bytes_up"), 137);
}
END_TEST

/* A terminal that lies does not stop the count: a negative number is no number of bytes. */
START_TEST (a_report_of_less_than_nothing_counts_nothing)
{
  g_autofree char *id = opened (), *report = g_strdup_printf ("sessions/%s/report", id);
  tells_bytes (newest (direct, id), FAR_CARRIER_COUNTERS, 100);
  ask_node ("t1", "POST", report,
            json_pack ("{s:s, s:i, s:i}", "state", "open", "bytes_up", -1, "bytes_down", -5));
  ck_assert_int_eq (int_of (session_body (id), "bytes_up"), 100);
  tells_bytes (newest (direct, id), FAR_CARRIER_COUNTERS, 107);
  ck_assert_int_eq (int_of (session_body (id), "bytes_up"), 107);
}
END_TEST

/* While the other one is being reserved the first comes up after all: it is kept, the other given back. */
START_TEST (what_it_has_comes_up_meanwhile)
{
  g_autofree char *id = opened ();
  FakeTunnel *old = newest (direct, id);
  tunnel_tell (old, FAR_CARRIER_LOST, NULL);
  common->hold_reserve = TRUE;
  polls_unreached (id, "direct");
  polls_unreached (id, "direct"); /* and it is asked for once */
  ck_assert_uint_eq (common->tunnels->len, 1);
  tunnel_tell (old, FAR_CARRIER_UP, NULL);
  FakeTunnel *late = newest (common, id);
  far_request_done (late->req, g_new0 (FarTunnel, 1), (GDestroyNotify) far_tunnel_free);
  settle ();
  ck_assert_str_eq (late->end_cause, "not needed any more");
  tells_bytes (late, FAR_CARRIER_ENDED, 0);
  ck_assert_str_eq (session_state (id), "open");
  ck_assert_ptr_null (old->end_cause);
  ck_assert_str_eq (text_of (session_body (id), "tunnel"), "d1");
}
END_TEST

/* That the offer was taken is heard after that its carrier was not reached. */
START_TEST (the_answer_to_an_offer_comes_late)
{
  g_autofree char *id = session_ask ("alice", wish ());
  FakeSent *push = last_sent ("offers");
  common->hold_reserve = TRUE;
  polls_unreached (id, "direct");
  answer_sent (push, 202, json_object ());
  FakeTunnel *other = newest (common, id);
  FarTunnel *ports = g_new0 (FarTunnel, 1);
  ports->part = json_pack ("{s:s}", "address", "192.0.2.1:2222");
  far_request_done (other->req, ports, (GDestroyNotify) far_tunnel_free);
  settle ();
  ck_assert_ptr_null (other->end_cause);
  ck_assert_str_eq (text_of (session_body (id), "tunnel"), "z1");
}
END_TEST

/* The person closes it while the other one is being reserved: both are given back. */
START_TEST (closed_while_another_is_reserved)
{
  g_autofree char *id = opened (), *resource = g_strdup_printf ("sessions/%s", id);
  FakeTunnel *old = newest (direct, id);
  tunnel_tell (old, FAR_CARRIER_LOST, NULL);
  common->hold_reserve = TRUE;
  polls_unreached (id, "direct");
  ck_assert_uint_eq (ask_person ("alice", "DELETE", resource, NULL).status, 202);
  far_clock_advance (60 * SECOND);
  settle ();
  tunnel_tell (old, FAR_CARRIER_ENDED, "closed");
  FakeTunnel *late = newest (common, id);
  far_request_done (late->req, g_new0 (FarTunnel, 1), (GDestroyNotify) far_tunnel_free);
  settle ();
  ck_assert_ptr_nonnull (late->end_cause);
  tells_bytes (late, FAR_CARRIER_ENDED, 0);
  ck_assert_str_eq (session_state (id), "closed");
}
END_TEST

/* ---- once is nothing ---- */

/* A session of its own that does not get to the direct carrier, and is closed. */
static const char *
fails_once (void)
{
  g_autofree char *id = session_ask ("alice", wish ());
  FakeTunnel *first = newest (direct, id);
  if (!first)
    return "z1";
  taken (id);
  polls_unreached (id, "direct");
  ck_assert_str_eq (text_of (session_body (id), "tunnel"), "z1");
  far_clock_advance (11 * SECOND);
  settle ();
  return "d1";
}

static json_t *
ways_of (const char *node)
{
  g_autofree char *resource = g_strdup_printf ("terminals/%s", node);
  return json_array_get (json_object_get (ask_root ("GET", resource, NULL).body, "unreached"), 0);
}

/* One answer that is late costs one session; the second in a row the next minute, then twice as long. Who
 * comes by it has done with all of it. */
START_TEST (two_in_a_row_then_ever_longer)
{
  ck_assert_str_eq (fails_once (), "d1");
  ck_assert (json_is_null (json_object_get (ways_of ("t1"), "until")));
  ck_assert_str_eq (fails_once (), "d1");
  ck_assert_str_eq (text_of (ways_of ("t1"), "carrier"), "direct");
  ck_assert_ptr_nonnull (text_of (ways_of ("t1"), "until"));
  ck_assert_str_eq (fails_once (), "z1");
  far_clock_advance (60 * SECOND);
  ck_assert_str_eq (fails_once (), "d1");
  far_clock_advance (60 * SECOND);
  ck_assert_str_eq (fails_once (), "z1");
  far_clock_advance (60 * SECOND);
  g_autofree char *id = opened ();
  ck_assert_ptr_null (ways_of ("t1"));
  ck_assert_str_eq (fails_once (), "d1");
  ck_assert_str_eq (fails_once (), "d1");
}
END_TEST

/* ---- a terminal that lies ---- */

/* Of what was not offered to it, or not now, or what any node has, nothing is heard. */
START_TEST (lies_are_no_news)
{
  g_autofree char *id = session_ask ("alice", wish ());
  taken (id);
  polls_unreached (id, "fake");
  polls_unreached (id, "nosuch");
  polls ("t1", json_pack ("[o]", again (id, generation_of (id) - 1, "direct")));
  polls ("t1", json_pack ("[o]", again (id, generation_of (id) + 1, "direct")));
  ck_assert_uint_eq (common->tunnels->len, 0);
  ck_assert_ptr_null (ways_of ("t1"));
  polls_unreached (id, "direct");
  ck_assert_uint_eq (common->tunnels->len, 1);
  for (guint i = 0; i < 20; i++) { /* neither back nor on */
    polls_unreached (id, i % 2 ? "direct" : "fake");
    far_clock_advance (SECOND);
  }
  ck_assert_str_eq (text_of (session_body (id), "tunnel"), "z1");
  ck_assert_uint_eq (common->tunnels->len, 1);
  ck_assert_uint_eq (direct->tunnels->len, 1);
}
END_TEST

/* A token is made for each offer: one that asks without end gets some. */
START_TEST (offers_without_end)
{
  g_autofree char *id = session_ask ("alice", wish ());
  for (guint i = 0; i < 50; i++)
    polls_unreached (id, NULL);
  ck_assert_int_le (generation_of (id), 10);
  far_clock_advance (2 * SECOND);
  int before = generation_of (id);
  polls_unreached (id, NULL);
  ck_assert_int_eq (generation_of (id), before + 1);
}
END_TEST

/* Each session takes ports when it changes: those of one terminal do so at a rate. The others come later. */
START_TEST (many_sessions_change_at_a_rate)
{
  g_autoptr (GPtrArray) ids = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < 20; i++) {
    g_ptr_array_add (ids, session_ask ("alice", wish ()));
    taken (ids->pdata[i]);
  }
  for (guint i = 0; i < ids->len; i++)
    polls_unreached (ids->pdata[i], "direct");
  ck_assert_uint_eq (common->tunnels->len, 16);
  far_clock_advance (4 * SECOND);
  for (guint i = 16; i < ids->len; i++)
    polls_unreached (ids->pdata[i], "direct");
  ck_assert_uint_eq (common->tunnels->len, 20);
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  Suite *suite = suite_create ("access-carriers");
  TCase *cases = tcase_create ("carriers");
  tcase_set_timeout (cases, 60);
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_test (cases, what_it_has_is_kept_until_there_is_another);
  tcase_add_test (cases, a_session_goes_on_by_another);
  tcase_add_test (cases, a_report_of_less_than_nothing_counts_nothing);
  tcase_add_test (cases, what_it_has_comes_up_meanwhile);
  tcase_add_test (cases, the_answer_to_an_offer_comes_late);
  tcase_add_test (cases, closed_while_another_is_reserved);
  tcase_add_test (cases, two_in_a_row_then_ever_longer);
  tcase_add_test (cases, lies_are_no_news);
  tcase_add_test (cases, offers_without_end);
  tcase_add_test (cases, many_sessions_change_at_a_rate);
  suite_add_tcase (suite, cases);
  return run_suite (suite);
}
