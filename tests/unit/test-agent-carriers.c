/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A terminal with two kinds of carriers: when it asks for the other one, and when it tries the same offer
 * again by itself. */
#include "config.h"

#include "unit/access-help.h"

static Fake *direct, *common;

static void
link_is (gboolean up)
{
  if (up)
    g_hash_table_add (cloud_nodes ()->peers, g_strdup (""));
  else
    g_hash_table_remove_all (cloud_nodes ()->peers);
  far_peer_changed (cloud_nodes ()->at, "", up, "192.0.2.1");
  run_pending ();
}

static void
set_up (void)
{
  agent_up (NULL);
  cloud_reload ("z1: {type: fake}", "z1: {type: fake}, d1: {type: direct}");
  cloud_reload ("tunnel: z1", "tunnel: z1, carriers: [d1]");
  direct = cloud_fake ("d1");
  common = cloud_fake ("z1");
  link_is (TRUE);
}

static void
tear_down (void)
{
  cloud_down ();
}

static void
part_put (json_t *json, gboolean straight)
{
  json_t *part = json_pack ("{s:s, s:s, s:i}", "address", "192.0.2.1:2222", "host_key", "ssh-ed25519 ZZZZ",
                            "x", 40001);
  if (straight)
    json_object_set_new (part, "kind", json_string ("direct"));
  if (straight)
    json_object_set (json, "carrier", part);
  else
    json_object_update (json, part);
  json_decref (part);
}

/* straight: by the direct kind; else by the common one. */
static void
offered (int generation, gboolean straight)
{
  g_autofree char *keys = g_build_filename (cloud_folder (), "state", "keys", NULL),
                  *box = far_trust_box_public (keys, NULL);
  json_t *credential = json_pack ("{s:s, s:i, s:s, s:I, s:s}", "session", "s1", "generation", generation,
                                  "terminal", "t1", "expires_us",
                                  (json_int_t) (far_clock_wall_us () + 300 * SECOND), "token", "word");
  part_put (credential, straight);
  g_autofree char *sealed = far_seal (box, credential, NULL);
  json_decref (credential);
  json_t *body = json_pack ("{s:s, s:i, s:I, s:s, s:s, s:s, s:s, s:s, s:s}", "session", "s1", "generation",
                            generation, "for_us", (json_int_t) (600 * SECOND), "device", "web", "entry",
                            "stream", "login", "in-band", "person", "alice", "reason", "test", "sealed",
                            sealed);
  part_put (body, straight);
  Got got = ask_node ("cloud", "POST", "offers", body);
  ck_assert_msg (got.status == 202, "%u %s", got.status, text_of (got.body, "message"));
}

static FakeTunnel *
dialled (Fake *fake, guint times)
{
  ck_assert_uint_eq (fake->tunnels->len, times);
  FakeTunnel *tunnel = fake->tunnels->pdata[times - 1];
  ck_assert_str_eq (tunnel->token, "word");
  return tunnel;
}

/* It was not reached; a tunnel end has one ENDED, which is that of its last dial. */
static void
not_reached (FakeTunnel *tunnel)
{
  far_request_fail_new (tunnel->req, FAR_ERROR_UNAVAILABLE, "nobody is there");
  run_pending ();
}

/* What the newest poll says of the session; the poll is answered. Borrowed. */
static json_t *
told (void)
{
  run_pending ();
  FakeSent *poll = last_sent ("poll");
  ck_assert_ptr_nonnull (poll);
  if (!poll->answered)
    answer_sent (poll, 200, json_pack ("{s:b}", "needed", 0));
  return json_array_get (json_object_get (poll->body, "sessions"), 0);
}

static void
second_later (void)
{
  far_clock_advance (SECOND + 1000);
  run_pending ();
}

/* The cloud is told at once, and gives the other kind. What had passed by the first counts, once. */
START_TEST (the_other_kind_is_asked_for)
{
  told ();
  offered (1, TRUE);
  FakeTunnel *first = dialled (direct, 1);
  not_reached (first);
  json_t *session = told ();
  ck_assert_str_eq (text_of (session, "unreached"), "direct");
  ck_assert (json_is_true (json_object_get (session, "again")));
  offered (2, FALSE);
  ck_assert_ptr_nonnull (first->end_cause);
  tunnel_tell (dialled (common, 1), FAR_CARRIER_UP, NULL);
  ck_assert_str_eq (session_state ("s1"), "open");
  tunnel_tell (first, FAR_CARRIER_ENDED, "given up");
  ck_assert_str_eq (session_state ("s1"), "open");
  ck_assert_int_eq (int_of (session_body ("s1"), "bytes_up"), 200);
}
END_TEST

/* A cloud that offers the same again has no other: the same token is tried each second, as it is not spent,
 * and the cloud is asked again now and then only. */
START_TEST (there_is_no_other_kind)
{
  told ();
  offered (1, TRUE);
  not_reached (dialled (direct, 1));
  ck_assert_str_eq (text_of (told (), "unreached"), "direct");
  FakeSent *poll = last_sent ("poll");
  offered (2, TRUE);
  for (guint i = 2; i < 8; i++) {
    not_reached (dialled (direct, i));
    ck_assert_str_eq (session_state ("s1"), "opening");
    second_later ();
  }
  ck_assert_ptr_eq (last_sent ("poll"), poll);
  second_later ();
  second_later ();
  not_reached (dialled (direct, 8));
  far_clock_advance (60 * SECOND);
  ck_assert (json_is_true (json_object_get (told (), "again")));
  offered (3, TRUE);
  dialled (direct, 9);
}
END_TEST

/* The right one is there and says no (this node's certificate, words of another version): a second time, and
 * the other kind is asked for, as the person gains nothing by the same answer. */
START_TEST (it_is_refused_again_and_again)
{
  told ();
  for (guint i = 1; i <= 2; i++) {
    offered (i, TRUE);
    far_request_fail_new (dialled (direct, i)->req, FAR_ERROR_DENIED, "no");
    run_pending ();
    far_clock_advance (5 * SECOND);
    json_t *session = told ();
    ck_assert (json_is_true (json_object_get (session, "again")));
    ck_assert_pstr_eq (text_of (session, "unreached"), i == 1 ? NULL : "direct");
  }
  offered (3, FALSE);
  tunnel_tell (dialled (common, 1), FAR_CARRIER_UP, NULL);
  ck_assert_str_eq (session_state ("s1"), "open");
}
END_TEST

/* Without a link nothing says that the port is shut, and nobody would hear it: the session comes back by
 * itself when there is a way. */
START_TEST (without_a_link_the_same_is_tried)
{
  told ();
  offered (1, TRUE);
  FakeTunnel *tunnel = dialled (direct, 1);
  tunnel_tell (tunnel, FAR_CARRIER_UP, NULL);
  ck_assert_str_eq (session_state ("s1"), "open");
  tunnel_tell (tunnel, FAR_CARRIER_LOST, NULL);
  told ();
  offered (2, TRUE);
  link_is (FALSE);
  for (guint i = 2; i < 20; i++) {
    not_reached (dialled (direct, i));
    second_later ();
  }
  tunnel_tell (dialled (direct, 20), FAR_CARRIER_UP, NULL);
  ck_assert_str_eq (session_state ("s1"), "open");
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  Suite *suite = suite_create ("agent-carriers");
  TCase *cases = tcase_create ("carriers");
  tcase_set_timeout (cases, 60);
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_test (cases, the_other_kind_is_asked_for);
  tcase_add_test (cases, there_is_no_other_kind);
  tcase_add_test (cases, it_is_refused_again_and_again);
  tcase_add_test (cases, without_a_link_the_same_is_tried);
  suite_add_tcase (suite, cases);
  return run_suite (suite);
}
