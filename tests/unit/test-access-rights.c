/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a right to one device shows of its terminal, and how lists are read by who may see a part of them. */
#include "config.h"

#include "unit/access-help.h"

#include <string.h>

/* bob may reach one device, alice the whole terminal; each had a session. */
static void
set_up (void)
{
  cloud_up (NULL);
  terminal_enrol ("t1");
  terminal_enrol ("t2");
  terminal_link ("t1", TRUE);
  terminal_link ("t2", TRUE);
  Got got = ask_node ("t1", "PUT", "terminals/t1/devices",
                      json_pack ("{s:[{s:s, s:s, s:s}, {s:s, s:s, s:s, s:s}, {s:s, s:s, s:s, s:s}]}", "devices", "name", "web", "endpoint", "lan", "address",
                                 "192.0.2.9:80", "name", "m1", "endpoint", "lan", "address", "192.0.2.9:502", "line", "bus", "name", "m2", "endpoint",
                                 "lan", "address", "192.0.2.9:503", "line", "bus"));
  ck_assert_uint_eq (got.status, 200);
  ck_assert_uint_eq (ask_root ("PUT", "terminals/t1", json_pack ("{s:s, s:s, s:[s]}", "site", "north", "note", "a secret", "groups", "pumps")).status, 200);
  grant ("alice", "connect", "terminals/*");
  grant ("bob", "connect", "terminals/t1/devices/web");
}

static void
tear_down (void)
{
  cloud_down ();
}

static json_t *
list_of (const char *person, const char *resource, const char *key)
{
  settle ();
  Got got = ask_person (person, "GET", resource, NULL);
  ck_assert_msg (got.status == 200, "%s: %u %s", resource, got.status, text_of (got.body, "message"));
  return json_object_get (got.body, key);
}

static void
has_only (json_t *object, const char *const *names)
{
  const char *name;
  json_t *value;
  json_object_foreach (object, name, value)
    ck_assert_msg (json_is_null (value) || g_strv_contains (names, name), "'%s' is shown", name);
}

/* Its name and what it takes to reach the device: nothing of where it stands, what it is for, or from where it comes. */
START_TEST (a_terminal_is_known_by_its_name)
{
  static const char *const names[] = { "terminal", "connected", "seen", "devices", "stock", "host_key", NULL };
  json_t *list = list_of ("bob", "terminals", "terminals");
  ck_assert_uint_eq (json_array_size (list), 1);
  has_only (json_array_get (list, 0), names);
  ck_assert_str_eq (text_of (json_array_get (list, 0), "terminal"), "t1");
  ck_assert_int_eq (int_of (json_array_get (list, 0), "devices"), 1);
  Got got = ask_person ("bob", "GET", "terminals/t1", NULL);
  ck_assert_uint_eq (got.status, 200);
  has_only (got.body, names);
  ck_assert (json_is_true (json_object_get (got.body, "connected")));
  ck_assert_uint_eq (json_array_size (json_object_get (got.body, "devices")), 1);
  ck_assert_str_eq (text_of (json_array_get (json_object_get (got.body, "devices"), 0), "device"), "web");
  got = ask_person ("alice", "GET", "terminals/t1", NULL);
  ck_assert_str_eq (text_of (got.body, "site"), "north");
  ck_assert_str_eq (text_of (got.body, "note"), "a secret");
  ck_assert_str_eq (text_of (got.body, "from"), "192.0.2.50");
  ck_assert_uint_eq (json_array_size (json_object_get (got.body, "devices")), 3);
  ck_assert_uint_eq (ask_person ("bob", "GET", "terminals/t2", NULL).status, 404);
}
END_TEST

/* Sessions and history: those to the device, of whomever; not those to the terminal or to another device. */
START_TEST (what_others_did_elsewhere_is_not_seen)
{
  g_autofree char *whole = session_open ("alice", wish_for ("t1", NULL)), *other = session_open ("alice", wish_for ("t1", "m1"));
  g_autofree char *same = session_open ("alice", wish_for ("t1", "web"));
  json_t *list = list_of ("bob", "sessions", "sessions");
  ck_assert_uint_eq (json_array_size (list), 1);
  ck_assert_str_eq (text_of (json_array_get (list, 0), "session"), same);
  const char *const hidden[] = { whole, other };
  for (guint i = 0; i < G_N_ELEMENTS (hidden); i++) {
    g_autofree char *resource = g_strdup_printf ("sessions/%s", hidden[i]), *offer = g_strdup_printf ("sessions/%s/offer", hidden[i]);
    ck_assert_uint_eq (ask_person ("bob", "GET", resource, NULL).status, 404);
    ck_assert_uint_eq (ask_person ("bob", "WATCH", resource, NULL).status, 404);
    ck_assert_uint_eq (ask_person ("bob", "DELETE", resource, NULL).status, 404);
    ck_assert_uint_ge (ask_person ("bob", "GET", offer, NULL).status, 400);
  }
  list = list_of ("bob", "history", "history");
  ck_assert_uint_eq (json_array_size (list), 1);
  ck_assert_str_eq (text_of (json_array_get (list, 0), "session"), same);
  ck_assert_uint_eq (json_array_size (list_of ("alice", "history", "history")), 3);
}
END_TEST

/* Of a line in use one hears that it is, and of whom only where one may see the device it is used for. */
START_TEST (a_line_in_use_tells_no_names)
{
  g_autofree char *first G_GNUC_UNUSED = session_open ("alice", wish_for ("t1", "m1"));
  grant ("bob", "connect", "terminals/t1/devices/m2");
  Got got = ask_person ("bob", "POST", "sessions", wish_for ("t1", "m2"));
  ck_assert_uint_eq (got.status, 409);
  ck_assert_ptr_nonnull (strstr (text_of (got.body, "message"), "'m2' is in use"));
  ck_assert_ptr_null (strstr (text_of (got.body, "message"), "alice"));
  ck_assert_ptr_null (strstr (text_of (got.body, "message"), "m1"));
}
END_TEST

/* Who may reach a device may have the terminal's keys: without them neither a login in advance nor a host key can be had. */
START_TEST (a_device_right_implies_the_statement)
{
  Got got = ask_person ("bob", "GET", "terminals/t1/statement", NULL);
  ck_assert_msg (got.status == 200, "%u %s", got.status, text_of (got.body, "message"));
  ck_assert_str_eq (text_of (json_object_get (got.body, "statement"), "node"), "t1");
  ck_assert_uint_eq (ask_person ("bob", "GET", "terminals/t2/statement", NULL).status, 404);
  ck_assert_uint_eq (ask_person ("mallory", "GET", "terminals/t1/statement", NULL).status, 404);
}
END_TEST

/* A right to a part of the node's own name is none to the node. */
START_TEST (a_node_is_not_seen_by_a_part)
{
  grant ("bob", "see", "nodes/cloud/tunnels");
  ck_assert_uint_eq (json_array_size (list_of ("bob", "nodes", "nodes")), 0);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("access-rights");
  TCase *tc = tcase_create ("access-rights");

  tcase_add_checked_fixture (tc, set_up, tear_down);
  tcase_set_timeout (tc, 60);
  tcase_add_test (tc, a_terminal_is_known_by_its_name);
  tcase_add_test (tc, what_others_did_elsewhere_is_not_seen);
  tcase_add_test (tc, a_line_in_use_tells_no_names);
  tcase_add_test (tc, a_device_right_implies_the_statement);
  tcase_add_test (tc, a_node_is_not_seen_by_a_part);
  suite_add_tcase (suite, tc);
  return run_suite (suite);
}
