/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What somebody with a little tries at the cloud to get more. */
#include "config.h"

#include "unit/access-help.h"

#include "auth/right.h"

static void
set_up (void)
{
  cloud_up (NULL);
  terminal_enrol ("t1");
  terminal_link ("t1", TRUE);
  grant ("alice", "connect", "terminals/*");
  grant ("carol", "see", "terminals/*");
}

static void
tear_down (void)
{
  cloud_down ();
}

/* ---- enrolment ---- */

START_TEST (one_token_is_one_node)
{
  g_autofree char *keys = new_keys ("mine"), *token = new_token (NULL);
  ck_assert_uint_eq (enrol (token, keys, "n1").status, 200);
  ck_assert_uint_eq (enrol (token, keys, "n2").status, 403);
  ck_assert_uint_eq (ask_root ("GET", "terminals/n2", NULL).status, 404);
}
END_TEST

START_TEST (nobody_gets_the_clouds_name)
{
  g_autofree char *keys = new_keys ("mine"), *token = new_token (NULL);
  ck_assert_uint_eq (enrol (token, keys, "cloud").status, 409);
}
END_TEST

static void
count_200 (FarMessage *answer, gboolean last, gpointer user)
{
  guint *statuses = user;
  statuses[0] += answer->status == 200;
  statuses[1]++;
}

static gboolean
both_answered (gpointer user)
{
  return ((guint *) user)[1] == 2;
}

/* Two keys with a token each race for one name: one has it. */
START_TEST (of_two_that_race_for_a_name_one_wins)
{
  g_autoptr (FarPrincipal) nobody = far_principal_new (FAR_PRINCIPAL_NONE, "", NULL, "192.0.2.50");
  const char *const names[] = { "mine", "theirs" };
  guint statuses[2] = { 0, 0 };
  for (guint i = 0; i < 2; i++) {
    g_autofree char *keys = new_keys (names[i]), *token = new_token (NULL);
    g_autoptr (FarMessage) message = far_message_request ("POST", "enroll", enrol_body (token, keys, "n1"));
    far_api_submit (nobody, "nodes", message, count_200, statuses);
  }
  ck_assert (run_until (both_answered, statuses));
  ck_assert_uint_eq (statuses[0], 1);
}
END_TEST

static char *
serial_of (const char *certificate)
{
  char *serial = far_trust_serial (certificate, NULL);
  ck_assert_ptr_nonnull (serial);
  return serial;
}

/* A node that was replaced by another key under its name is out: certificate, link, sessions; after a restart
 * too. */
START_TEST (who_is_replaced_is_out)
{
  g_autofree char *mine = new_keys ("mine"), *theirs = new_keys ("theirs"), *first = new_token (NULL),
                  *second = replace_token ("n1");
  Got got = enrol (first, theirs, "n1");
  g_autofree char *old = serial_of (text_of (got.body, "certificate"));
  terminal_link ("n1", TRUE);
  g_autofree char *id = session_open ("alice", wish_for ("n1", NULL));
  got = enrol (second, mine, "n1");
  ck_assert_uint_eq (got.status, 200);
  g_autofree char *now = serial_of (text_of (got.body, "certificate"));
  ck_assert (far_trust_revoked (old, "n1"));
  ck_assert (!far_trust_revoked (now, "n1"));
  ck_assert_str_eq (cloud_nodes ()->cuts->pdata[0], "n1: enrolled with another key");
  ck_assert_str_eq (tunnel_of (id)->end_cause, "terminal enrolled with another key");
  far_trust_revoked_set (NULL);
  cloud_restart ();
  ck_assert (far_trust_revoked (old, "n1"));
  ck_assert (!far_trust_revoked (now, "n1"));
}
END_TEST

/* A certificate that was renewed is good for months more: it is revoked with the node. */
START_TEST (all_certificates_of_a_node_are_revoked)
{
  g_autofree char *keys = terminal_keys ("t1"), *csr = far_trust_csr (keys, "t1", NULL),
                  *token = new_token ("t1");
  Got got = enrol (token, keys, "t1"); /* the one it has */
  g_autofree char *old = serial_of (text_of (got.body, "certificate"));
  far_clock_advance (G_GINT64_CONSTANT (250) * 24 * 3600 * SECOND);
  got = ask_node ("t1", "POST", "renew", json_pack ("{s:s}", "csr", csr));
  ck_assert_uint_eq (got.status, 200);
  g_autofree char *now = serial_of (text_of (got.body, "certificate"));
  ck_assert_uint_eq (ask_root ("DELETE", "terminals/t1", NULL).status, 204);
  ck_assert (far_trust_revoked (now, "t1"));
  ck_assert (far_trust_revoked (old, "t1"));
}
END_TEST

/* More rows than the store gives at once. */
START_TEST (a_long_list_of_revoked_is_read_whole)
{
  const guint n = 10050;
  g_autoptr (GArray) parts = g_array_new (FALSE, TRUE, sizeof (FarPart));
  g_autoptr (GPtrArray) texts = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < n; i++) {
    char *key = g_strdup_printf ("%032x", i),
         *row = g_strdup_printf ("{\"terminal\":\"x\",\"serial\":\"%032x\"}", i);
    FarPart part = { .kind = FAR_PART_ROW,
                     .table = "revoked",
                     .key = key,
                     .row = row,
                     .expect = FAR_EXPECT_ANY };
    g_array_append_val (parts, part);
    g_ptr_array_add (texts, key);
    g_ptr_array_add (texts, row);
  }
  for (guint i = 0; i < n; i += FAR_PARTS_MAX)
    far_store_apply ("main", NULL, &g_array_index (parts, FarPart, i), MIN (FAR_PARTS_MAX, n - i), NULL);
  settle ();
  cloud_restart ();
  ck_assert (far_trust_revoked ("00000000000000000000000000000000", "x"));
  ck_assert (far_trust_revoked (((FarPart *) parts->data)[n - 1].key, "x"));
}
END_TEST

static guint
put_devices (guint n)
{
  json_t *devices = json_array ();
  for (guint i = 0; i < n; i++) {
    g_autofree char *name = g_strdup_printf ("d%u", i);
    json_array_append_new (devices, json_pack ("{s:s}", "name", name));
  }
  return ask_node ("t1", "PUT", "terminals/t1/devices", json_pack ("{s:o}", "devices", devices)).status;
}

/* A terminal cannot have so many devices that it can no longer be removed. */
START_TEST (many_devices_do_not_keep_a_terminal)
{
  ck_assert_uint_eq (put_devices (400), 200);
  ck_assert_uint_eq (ask_root ("DELETE", "terminals/t1", NULL).status, 204);
  cloud_restart ();
  ck_assert_uint_eq (ask_root ("GET", "terminals/t1", NULL).status, 404);
}
END_TEST

/* So many sessions were open when the machine went down: the service starts, and none of them is left. */
START_TEST (many_sessions_do_not_hinder_a_restart)
{
  for (guint i = 0; i < 300; i++) {
    g_autofree char *id = g_strdup_printf ("s%u", i);
    g_autofree char *row = g_strdup_printf ("{\"session\":\"%s\",\"history\":\"h%u\",\"record\":{\"session\":"
                                            "\"%s\",\"state\":\"open\",\"terminal\":\"t1\"}}",
                                            id, i, id);
    far_store_put ("main", "sessions", id, row, FAR_EXPECT_ANY, NULL);
  }
  settle ();
  cloud_restart ();
  ck_assert_str_eq (text_of (history_of ("s0"), "cause"), "restart");
  ck_assert_str_eq (text_of (history_of ("s299"), "cause"), "restart");
}
END_TEST

/* Who manages a terminal cannot put their own keys into its place; the keys of one that never enrolled are
 * theirs to write. */
START_TEST (keys_of_an_enrolled_node_are_not_changed_by_hand)
{
  g_autofree char *theirs = new_keys ("theirs"), *box = far_trust_box_public (theirs, NULL),
                  *ssh = far_trust_ssh_public (theirs, NULL);
  grant ("mallory", "manage", "terminals/*");
  ck_assert_uint_eq (ask_person ("mallory", "PUT", "terminals/t1", json_pack ("{s:s}", "box", box)).status,
                     409);
  ck_assert_uint_eq (ask_person ("mallory", "PUT", "terminals/t1", json_pack ("{s:s}", "ssh", ssh)).status,
                     409);
  ck_assert_uint_eq (ask_person ("mallory", "PUT", "terminals/t1", json_pack ("{s:s}", "note", "mine now"))
                         .status,
                     200);
  ck_assert_uint_eq (ask_person ("mallory", "PUT", "terminals/s1",
                                 json_pack ("{s:s, s:s}", "box", box, "ssh", ssh))
                         .status,
                     201);
  g_autofree char *other = new_keys ("other"), *token = new_token (NULL), *named = new_token ("s1");
  /* it is registered: a token for any node is not enough */
  ck_assert_uint_eq (enrol (token, other, "s1").status, 409);
  ck_assert_uint_eq (enrol (named, other, "s1").status, 200);
}
END_TEST

/* ---- sessions ---- */

START_TEST (an_offer_is_for_who_asked)
{
  g_autofree char *id = session_ask ("alice", wish_for ("t1", NULL)),
                  *resource = g_strdup_printf ("sessions/%s/offer", id);
  ck_assert_uint_eq (ask_person ("carol", "POST", resource, NULL).status, 403);
  ck_assert_str_eq (session_state (id), "permitted");
  ck_assert_uint_eq (ask_person ("mallory", "POST", resource, NULL).status, 404);
  /* to take it changes the session, so it is no GET */
  ck_assert_uint_ge (ask_person ("alice", "GET", resource, NULL).status, 400);
  ck_assert_str_eq (session_state (id), "permitted");
  ck_assert_uint_eq (ask_person ("alice", "POST", resource, NULL).status, 200);
  ck_assert_str_eq (session_state (id), "opening");
}
END_TEST

static guint
refusals_of (const char *person)
{
  g_autofree char *after = g_strdup ("");
  guint n = 0;
  while (TRUE) {
    g_autofree char *resource = g_strdup_printf ("history?kind=refused&person=%s%s%s", person,
                                                 *after ? "&after=" : "", after);
    Got got = ask_root ("GET", resource, NULL);
    n += json_array_size (json_object_get (got.body, "history"));
    g_free (after);
    after = g_strdup (text_of (got.body, "next") ? text_of (got.body, "next") : "");
    if (!*after)
      return n;
  }
}

/* Asking in a loop fills no store; others' refusals are still written. */
START_TEST (refusals_in_a_loop_are_not_all_written)
{
  for (guint i = 0; i < 100; i++)
    ck_assert_uint_eq (ask_person ("mallory", "POST", "sessions", wish_for ("t1", NULL)).status, 404);
  ck_assert_uint_eq (ask_person ("nina", "POST", "sessions", wish_for ("t1", NULL)).status, 404);
  settle ();
  ck_assert_uint_eq (refusals_of ("person:mallory"), 30);
  ck_assert_uint_eq (refusals_of ("person:nina"), 1);
  far_clock_advance (61 * SECOND);
  ck_assert_uint_eq (ask_person ("mallory", "POST", "sessions", wish_for ("t1", NULL)).status, 404);
  settle ();
  ck_assert_uint_eq (refusals_of ("person:mallory"), 31);
}
END_TEST

/* A right that holds for some addresses is not had by naming one of them. */
START_TEST (a_said_address_opens_nothing)
{
  json_t *right = json_pack ("{s:s, s:s, s:s, s:s, s:s}", "id", "near", "who", "local:bob", "action",
                             "connect", "object", "terminals/t1", "from", "10.0.0.0/8");
  ck_assert (far_right_set (right, NULL));
  json_decref (right);
  json_t *wish = wish_for ("t1", NULL);
  json_object_set_new (wish, "address", json_string ("10.1.2.3"));
  Got got = ask_as (FAR_PRINCIPAL_LOCAL, "bob", "", "POST", "sessions", wish);
  ck_assert_uint_eq (got.status, 403);
  ck_assert_ptr_nonnull (strstr (text_of (got.body, "message"), "wrong address"));
}
END_TEST

/* Who is removed is out, whatever rights still name them; who logs in anew, under the same name, is somebody
 * new. */
START_TEST (a_removed_persons_sessions_end)
{
  g_autofree char *id = session_open ("alice", wish_for ("t1", NULL));
  far_right_end_person ("bob");
  far_clock_advance (3 * SECOND);
  settle ();
  ck_assert_str_eq (session_state (id), "open");
  far_right_end_person ("alice");
  far_clock_advance (3 * SECOND);
  settle ();
  ck_assert_ptr_nonnull (tunnel_of (id)->end_cause);
  g_autofree char *again = session_ask ("alice", wish_for ("t1", NULL));
  ck_assert_str_eq (session_state (again), "permitted");
}
END_TEST

static void
keep_last (FarMessage *answer, gboolean last, gpointer user)
{
  guint *seen = user; /* events, ended */
  seen[0] += answer->status == 200;
  seen[1] += last;
}

/* A watch shows nothing more when the right to see has gone. */
START_TEST (a_watch_ends_with_the_right)
{
  g_autofree char *id = session_ask ("alice", wish_for ("t1", NULL)),
                  *resource = g_strdup_printf ("sessions/%s", id);
  g_autoptr (FarPrincipal) dora = far_principal_new (FAR_PRINCIPAL_PERSON, "dora", NULL, "192.0.2.9");
  g_autoptr (FarMessage) message = far_message_request ("WATCH", resource, NULL);
  json_t *right = json_pack ("{s:s, s:s, s:s, s:s}", "id", "dora", "who", "dora", "action", "see", "object",
                             "terminals/t1");
  guint seen[2] = { 0, 0 };
  ck_assert (far_right_set (right, NULL));
  json_decref (right);
  far_api_submit (dora, "people", message, keep_last, seen);
  settle ();
  ck_assert_uint_eq (seen[0], 1);
  ck_assert (far_right_remove ("dora"));
  answer_sent (last_sent ("offers"), 202, json_object ());
  ck_assert_uint_eq (seen[0], 1);
  ck_assert_uint_eq (seen[1], 1);
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  Suite *suite = suite_create ("access under attack");
  TCase *cases = tcase_create ("access");
  tcase_set_timeout (cases, 60);
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_test (cases, one_token_is_one_node);
  tcase_add_test (cases, nobody_gets_the_clouds_name);
  tcase_add_test (cases, of_two_that_race_for_a_name_one_wins);
  tcase_add_test (cases, who_is_replaced_is_out);
  tcase_add_test (cases, all_certificates_of_a_node_are_revoked);
  tcase_add_test (cases, a_long_list_of_revoked_is_read_whole);
  tcase_add_test (cases, many_devices_do_not_keep_a_terminal);
  tcase_add_test (cases, many_sessions_do_not_hinder_a_restart);
  tcase_add_test (cases, keys_of_an_enrolled_node_are_not_changed_by_hand);
  tcase_add_test (cases, an_offer_is_for_who_asked);
  tcase_add_test (cases, refusals_in_a_loop_are_not_all_written);
  tcase_add_test (cases, a_said_address_opens_nothing);
  tcase_add_test (cases, a_removed_persons_sessions_end);
  tcase_add_test (cases, a_watch_ends_with_the_right);
  suite_add_tcase (suite, cases);
  return run_suite (suite);
}
