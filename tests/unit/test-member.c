/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A node as a member of its fleet: its certificate is renewed, devices added to it at run time are kept. The
 * server is played. */
#include "config.h"

#include "life/instance-private.h"
#include "reach/device.h"
#include "unit/agent-help.h"

static gboolean
link_was_cut (gpointer user)
{
  return cloud_nodes ()->cuts->len > 0;
}

/* Keys of which the certificate lasts a day; caller frees the folder of their authority. */
static char *
certified_for_a_day (void)
{
  g_autofree char *keys = g_build_filename (cloud_folder (), "state", "keys", NULL),
                  *ca = g_build_filename (cloud_folder (), "ca", NULL);
  g_autofree char *root = g_build_filename (ca, "ca.crt", NULL), *pem = NULL,
                  *csr = far_trust_csr (keys, "t1", NULL);
  g_autofree char *path = far_trust_path (keys, "node.crt"), *path_ca = far_trust_path (keys, "ca.crt"),
                  *old = NULL;
  ck_assert_int_eq (g_mkdir (ca, 0700), 0);
  ck_assert (far_trust_ca_create (ca, "fleet", NULL));
  ck_assert (g_file_get_contents (root, &pem, NULL, NULL) && g_file_set_contents (path_ca, pem, -1, NULL));
  old = far_trust_sign (ca, csr, "t1", NULL, FALSE, 1, NULL);
  ck_assert (g_file_set_contents (path, old, -1, NULL));
  return g_steal_pointer (&ca);
}

static void
renewal_answered (const char *ca)
{
  FakeSent *renew = sent_newest ("renew");
  g_autofree char *fresh = far_trust_sign (ca, text_of (renew->body, "csr"), "t1", NULL, FALSE, 30, NULL),
                  *kept = NULL;
  g_autofree char *path = g_build_filename (cloud_folder (), "state", "keys", "node.crt", NULL);
  answer_sent (renew, 200, json_pack ("{s:s}", "certificate", fresh));
  ck_assert (run_until (link_was_cut, NULL)); /* written beside main */
  ck_assert (g_file_get_contents (path, &kept, NULL, NULL));
  ck_assert_str_eq (kept, fresh);
  ck_assert_uint_eq (cloud_nodes ()->cuts->len, 1);
}

/* A renewal that comes to nothing (the cloud's disk was full, the answer was lost) is asked for again under
 * the same link: first after a minute, then ever more slowly. Till then people cannot reach who has expired.
 */
START_TEST (test_a_lost_renewal_is_asked_for_again)
{
  static const int waits[] = { 60, 120, 240 };
  g_autofree char *ca = certified_for_a_day ();
  polls_answered (json_pack ("{s:b}", "needed", 0));
  agent_reload_with (", poll: 24h"); /* the link stands, though nobody answers polls here */
  polls_answered (json_pack ("{s:b}", "needed", 0));
  far_clock_advance (48 * 3600 * SECOND);
  polls_answered (json_pack ("{s:b}", "needed", 0));
  for (guint i = 0; i < G_N_ELEMENTS (waits); i++) {
    FakeSent *renew = sent_newest ("renew");
    ck_assert_ptr_nonnull (renew);
    if (i == 1)
      answer_sent (renew, 200, json_pack ("{s:s}", "certificate", "no certificate"));
    else
      answer_sent (renew, 507, json_pack ("{s:s, s:s}", "error", "full", "message", "cannot record"));
    run_pending ();
    far_clock_advance ((waits[i] - 5) * SECOND);
    ck_assert_ptr_eq (sent_newest ("renew"), renew);
    far_clock_advance (10 * SECOND);
    ck_assert_msg (sent_newest ("renew") != renew, "not asked for again after failure %u", i);
  }
  renewal_answered (ca);
}
END_TEST

/* A certificate that has expired: the node comes without one, names itself, and its key is the proof; then it
 * comes again. */
START_TEST (test_renews_after_expiry)
{
  g_autofree char *ca = certified_for_a_day ();
  far_peer_changed (cloud_nodes ()->at, "", TRUE, "192.0.2.1");
  ck_assert_ptr_null (sent_newest ("renew"));
  far_clock_advance (48 * 3600 * SECOND);
  far_peer_changed (cloud_nodes ()->at, "", TRUE, "192.0.2.1");
  FakeSent *renew = sent_newest ("renew");
  ck_assert_ptr_nonnull (renew);
  ck_assert_str_eq (text_of (renew->body, "node"), "t1");
  renewal_answered (ca);
}
END_TEST

/* A server that lies, or mixes up two nodes: what it sends would shut the node out. */
START_TEST (a_certificate_for_another_key_is_not_taken)
{
  g_autofree char *ca = certified_for_a_day (), *others = new_keys ("other"),
                  *path = g_build_filename (cloud_folder (), "state", "keys", "node.crt", NULL),
                  *before = NULL, *after = NULL;
  g_autofree char *csr = far_trust_csr (others, "t1", NULL);
  g_autofree char *wrong = far_trust_sign (ca, csr, "t1", NULL, FALSE, 30, NULL);
  ck_assert (g_file_get_contents (path, &before, NULL, NULL));
  far_clock_advance (48 * 3600 * SECOND);
  far_peer_changed (cloud_nodes ()->at, "", TRUE, "192.0.2.1");
  FakeSent *renew = sent_newest ("renew");
  answer_sent (renew, 200, json_pack ("{s:s}", "certificate", wrong));
  settle ();
  ck_assert (g_file_get_contents (path, &after, NULL, NULL));
  ck_assert_str_eq (after, before);
  far_clock_advance (65 * SECOND);
  ck_assert_ptr_ne (sent_newest ("renew"), renew);
  renewal_answered (ca);
}
END_TEST

/* Somebody enrolled this node anew while the question was on its way: the answer fits the key of before. */
START_TEST (a_certificate_for_the_key_of_before_is_not_taken)
{
  g_autofree char *ca = certified_for_a_day (), *others = new_keys ("other"),
                  *keys = g_build_filename (cloud_folder (), "state", "keys", NULL), *pem = NULL;
  g_autofree char *path = far_trust_path (keys, "node.key"), *fresh = far_trust_path (others, "node.key"),
                  *kept = far_trust_path (keys, "node.crt"), *before = NULL, *after = NULL;
  far_clock_advance (48 * 3600 * SECOND);
  far_peer_changed (cloud_nodes ()->at, "", TRUE, "192.0.2.1");
  FakeSent *renew = sent_newest ("renew");
  g_autofree char *fits = far_trust_sign (ca, text_of (renew->body, "csr"), "t1", NULL, FALSE, 30, NULL);
  ck_assert (g_file_get_contents (kept, &before, NULL, NULL));
  ck_assert (g_file_get_contents (fresh, &pem, NULL, NULL) && g_file_set_contents (path, pem, -1, NULL));
  answer_sent (renew, 200, json_pack ("{s:s}", "certificate", fits));
  settle ();
  ck_assert (g_file_get_contents (kept, &after, NULL, NULL));
  ck_assert_str_eq (after, before);
}
END_TEST

/* A link that comes up anew while the first question is on its way asks no second one. */
START_TEST (one_renewal_at_a_time)
{
  g_autofree char *ca = certified_for_a_day ();
  far_clock_advance (48 * 3600 * SECOND);
  far_peer_changed (cloud_nodes ()->at, "", TRUE, "192.0.2.1");
  FakeSent *renew = sent_newest ("renew");
  ck_assert_ptr_nonnull (renew);
  far_peer_changed (cloud_nodes ()->at, "", TRUE, "192.0.2.1");
  ck_assert_ptr_eq (sent_newest ("renew"), renew);
  renewal_answered (ca);
}
END_TEST

static void
change_answered (FarMessage *answer, gboolean last, gpointer user)
{
  guint **at = user;

  *(*at)++ = answer->status;
}

/* Two changes of one device at once, neither of which can be written: the first is not what stood there
 * before the second. */
START_TEST (test_devices_changed_at_once)
{
  g_autofree char *path = g_build_filename (cloud_folder (), "state", "devices.json", NULL),
                  *inner = g_build_filename (path, "in-the-way", NULL);
  g_autoptr (FarPrincipal) root = far_principal_new (FAR_PRINCIPAL_LOCAL, "root", NULL, "");
  guint status[2] = { 0, 0 }, *at = status;

  root->super = TRUE;
  answer_sent (last_sent ("terminals/t1/devices"), 200, json_object ());
  ck_assert_int_eq (g_mkdir_with_parents (inner, 0700), 0);
  for (guint i = 0; i < 2; i++) {
    g_autoptr (FarMessage) put = far_message_request ("PUT", "terminals/t1/devices/x",
                                                      json_pack ("{s:s, s:s}", "endpoint", "lan", "address",
                                                                 i == 0 ? "192.0.2.9:80" : "192.0.2.9:81"));
    far_api_submit (root, NULL, put, change_answered, &at);
  }
  for (guint i = 0; i < 50 && at < status + 2; i++)
    ask_root ("PUT", "terminals/t1/devices/y",
              json_pack ("{s:s, s:s}", "endpoint", "lan", "address", "192.0.2.9:82"));
  ck_assert_uint_eq (status[0], 507);
  ck_assert_uint_eq (status[1], 507);
  ck_assert_ptr_null (far_device_find ("x"));
  ck_assert_ptr_null (far_device_find ("y"));
}
END_TEST

/* What cannot be written is not there, what cannot be taken out of the file stays. */
START_TEST (test_devices_not_recorded)
{
  g_autofree char *path = g_build_filename (cloud_folder (), "state", "devices.json", NULL),
                  *inner = g_build_filename (path, "in-the-way", NULL);
  answer_sent (last_sent ("terminals/t1/devices"), 200, json_object ());
  ck_assert_uint_eq (ask_root ("PUT", "terminals/t1/devices/meter",
                               json_pack ("{s:s, s:s}", "endpoint", "lan", "address", "192.0.2.9:502"))
                         .status,
                     200);
  ck_assert_int_eq (g_unlink (path), 0);
  ck_assert_int_eq (g_mkdir_with_parents (inner, 0700), 0);
  ck_assert_uint_eq (ask_root ("PUT", "terminals/t1/devices/x",
                               json_pack ("{s:s, s:s}", "endpoint", "lan", "address", "192.0.2.9:80"))
                         .status,
                     507);
  ck_assert_ptr_null (far_device_find ("x"));
  ck_assert_uint_eq (ask_root ("DELETE", "terminals/t1/devices/meter", NULL).status, 507);
  ck_assert_ptr_nonnull (far_device_find ("meter"));
  ck_assert_int_eq (g_rmdir (inner), 0);
  ck_assert_int_eq (g_rmdir (path), 0);
  ck_assert_uint_eq (ask_root ("DELETE", "terminals/t1/devices/meter", NULL).status, 204);
  cloud_restart ();
  ck_assert_ptr_null (far_device_find ("meter"));
}
END_TEST

static json_t *
a_device (void)
{
  return json_pack ("{s:s, s:s}", "endpoint", "lan", "address", "192.0.2.9:502");
}

/* A damaged file costs what was added at run time, and nothing else: the node renews its certificate, tells
 * its devices, and changes nothing in the file until somebody has repaired it or moved it away. */
START_TEST (a_damaged_list_of_devices_is_left_alone)
{
  static const char *const damaged[] = { "{\"meter\": {", "[]", "" };
  g_autofree char *path = g_build_filename (cloud_folder (), "state", "devices.json", NULL), *kept = NULL,
                  *ca = certified_for_a_day ();
  ck_assert (g_file_set_contents (path, damaged[_i], -1, NULL));
  cloud_restart ();
  g_hash_table_add (cloud_nodes ()->peers, g_strdup (""));
  far_clock_advance (48 * 3600 * SECOND);
  far_peer_changed (cloud_nodes ()->at, "", TRUE, "192.0.2.1");
  ck_assert_ptr_nonnull (sent_newest ("terminals/t1/devices"));
  ck_assert_ptr_nonnull (sent_newest ("renew"));
  Got got = ask_root ("PUT", "terminals/t1/devices/meter", a_device ());
  ck_assert_uint_ge (got.status, 400);
  ck_assert_ptr_nonnull (strstr (text_of (got.body, "message"), path));
  ck_assert_ptr_null (far_device_find ("meter"));
  ck_assert (g_file_get_contents (path, &kept, NULL, NULL));
  ck_assert_str_eq (kept, damaged[_i]);
  ck_assert_int_eq (g_unlink (path), 0);
  ck_assert_uint_eq (ask_root ("PUT", "terminals/t1/devices/meter", a_device ()).status, 200);
}
END_TEST

/* The first change after the repair, be it refused, brings all that was added back, at the cloud too. */
START_TEST (a_repaired_list_of_devices_is_told)
{
  g_autofree char *path = g_build_filename (cloud_folder (), "state", "devices.json", NULL);
  ck_assert (g_file_set_contents (path, "{", -1, NULL));
  cloud_restart ();
  g_hash_table_add (cloud_nodes ()->peers, g_strdup (""));
  far_peer_changed (cloud_nodes ()->at, "", TRUE, "192.0.2.1");
  FakeSent *told = sent_newest ("terminals/t1/devices");
  ck_assert (g_file_set_contents (path,
                                  "{\"meter\": {\"endpoint\": \"lan\", \"address\": \"192.0.2.9:502\"}}", -1,
                                  NULL));
  ck_assert_uint_ge (ask_root ("DELETE", "terminals/t1/devices/none", NULL).status, 400);
  ck_assert_ptr_nonnull (far_device_find ("meter"));
  ck_assert_ptr_ne (sent_newest ("terminals/t1/devices"), told);
}
END_TEST

/* What was added goes with the service that added it, and comes with it. */
START_TEST (added_devices_go_with_the_service)
{
  ck_assert_uint_eq (ask_root ("PUT", "terminals/t1/devices/meter", a_device ()).status, 200);
  ck_assert_ptr_nonnull (far_device_find ("meter"));
  far_instances_stop ();
  ck_assert_ptr_null (far_device_find ("meter"));
  cloud_restart ();
  ck_assert_ptr_nonnull (far_device_find ("meter"));
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  Suite *suite = suite_create ("member");
  TCase *cases = tcase_create ("member");
  tcase_set_timeout (cases, 60);
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_test (cases, test_renews_after_expiry);
  tcase_add_test (cases, test_a_lost_renewal_is_asked_for_again);
  tcase_add_test (cases, a_certificate_for_another_key_is_not_taken);
  tcase_add_test (cases, a_certificate_for_the_key_of_before_is_not_taken);
  tcase_add_test (cases, one_renewal_at_a_time);
  tcase_add_test (cases, test_devices_changed_at_once);
  tcase_add_test (cases, test_devices_not_recorded);
  tcase_add_loop_test (cases, a_damaged_list_of_devices_is_left_alone, 0, 3);
  tcase_add_test (cases, a_repaired_list_of_devices_is_told);
  tcase_add_test (cases, added_devices_go_with_the_service);
  suite_add_tcase (suite, cases);
  return run_suite (suite);
}
