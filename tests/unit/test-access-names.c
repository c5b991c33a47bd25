/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who may come as which node: a join token gives a name that is free, or one that its giver manages, and the
 * place of a node that is in only when asked to. */
#include "config.h"

#include "unit/access-help.h"

static void
set_up (void)
{
  cloud_up (NULL);
  terminal_enrol ("plant-7");
  terminal_link ("plant-7", TRUE);
  grant ("dave", "manage", "enrollments");
  grant ("erna", "manage", "enrollments");
  grant ("erna", "manage", "terminals/plant-*");
}

static void
tear_down (void)
{
  cloud_down ();
}

static Got
token_asked_by (const char *person, const char *node, gboolean replace)
{
  return ask_person (person, "POST", "tokens", json_pack ("{s:s*, s:b}", "node", node, "replace", replace));
}

static char *
token_of (const char *person, const char *node, gboolean replace)
{
  Got got = token_asked_by (person, node, replace);
  ck_assert_uint_eq (got.status, 201);
  return g_strdup (text_of (got.body, "token"));
}

static char *
spki_of (const char *terminal)
{
  g_autofree char *resource = g_strdup_printf ("terminals/%s/statement", terminal);
  Got got = ask_root ("GET", resource, NULL);
  return g_strdup (text_of (json_object_get (got.body, "statement"), "spki"));
}

/* ---- taking over a node that is in ---- */

START_TEST (a_right_to_enrol_takes_over_no_node)
{
  g_autofree char *keys = new_keys ("dave"), *before = spki_of ("plant-7");
  ck_assert_uint_eq (token_asked_by ("dave", "plant-7", FALSE).status, 403);
  ck_assert_uint_eq (token_asked_by ("dave", "plant-7", TRUE).status, 403);
  ck_assert_uint_eq (token_asked_by ("dave", "plant-8", TRUE).status, 403); /* also when it comes later */
  g_autofree char *any = token_of ("dave", NULL, FALSE);
  ck_assert_uint_eq (enrol (any, keys, "plant-7").status, 409);
  g_autofree char *after = spki_of ("plant-7");
  ck_assert_str_eq (before, after);
  ck_assert_uint_eq (cloud_nodes ()->cuts->len, 0);
  ck_assert_uint_eq (enrol (any, keys, "plant-9").status, 200); /* a new node, as the right says */
}
END_TEST

/* Made while the name was free, used when it is not: neither a terminal that waits for its node nor one that
 * is in. */
START_TEST (a_token_made_ahead_takes_no_name_that_was_given_since)
{
  g_autofree char *keys = new_keys ("dave"), *ahead = token_of ("dave", "plant-8", FALSE),
                  *second = token_of ("dave", "plant-8", FALSE);
  ck_assert_uint_eq (ask_root ("PUT", "terminals/plant-8", json_pack ("{s:s}", "site", "north")).status, 201);
  ck_assert_uint_eq (enrol (ahead, keys, "plant-8").status, 409);
  terminal_enrol ("plant-8");
  ck_assert_uint_eq (enrol (second, keys, "plant-8").status, 409);
  cloud_restart ();
  ck_assert_uint_eq (enrol (second, keys, "plant-8").status, 409);
}
END_TEST

START_TEST (a_written_ssh_key_proves_nothing)
{
  g_autofree char *keys = new_keys ("dave"), *ssh = far_trust_ssh_public (keys, NULL),
                  *any = token_of ("dave", NULL, FALSE);
  ck_assert_uint_eq (ask_root ("PUT", "terminals/s1", json_pack ("{s:s}", "ssh", ssh)).status, 201);
  ck_assert_uint_eq (enrol (any, keys, "s1").status, 409);
}
END_TEST

START_TEST (who_manages_a_terminal_replaces_it_when_asked_to)
{
  g_autofree char *keys = new_keys ("new"), *mine = terminal_keys ("plant-7"),
                  *plain = token_of ("erna", "plant-7", FALSE), *same = token_of ("erna", "plant-7", FALSE);
  ck_assert_uint_eq (enrol (plain, keys, "plant-7").status, 409);
  ck_assert_uint_eq (enrol (same, mine, "plant-7").status, 200); /* its own key may always come again */
  g_autofree char *replace = token_of ("erna", "plant-7", TRUE);
  ck_assert_uint_eq (enrol (replace, keys, "plant-7").status, 200);
  ck_assert_uint_eq (token_asked_by ("erna", "other", TRUE).status, 403);
  ck_assert_uint_eq (token_asked_by ("erna", NULL, TRUE).status, 400);
}
END_TEST

/* ---- adding and changing ---- */

static guint
put (const char *terminal, int fresh)
{
  g_autofree char *resource = g_strdup_printf ("terminals/%s", terminal);
  return ask_root ("PUT", resource, json_pack ("{s:b, s:s}", "new", fresh, "note", "x")).status;
}

START_TEST (set_makes_none_and_add_changes_none)
{
  ck_assert_uint_eq (put ("plant-8", FALSE), 404);
  ck_assert_uint_eq (ask_root ("GET", "terminals/plant-8", NULL).status, 404);
  ck_assert_uint_eq (put ("plant-8", TRUE), 201);
  ck_assert_uint_eq (put ("plant-8", TRUE), 409);
  ck_assert_uint_eq (put ("plant-8", FALSE), 200);
  ck_assert_uint_eq (put ("plant-7", TRUE), 409);
  ck_assert_ptr_null (text_of (ask_root ("GET", "terminals/plant-7", NULL).body, "note"));
  ck_assert_uint_eq (put ("plant-7", FALSE), 200);
}
END_TEST

/* What `stock` says is taken back by saying nothing. */
START_TEST (stock_is_taken_back)
{
  ck_assert_uint_eq (ask_root ("PUT", "terminals/s1", json_pack ("{s:s}", "stock", "host-login")).status,
                     201);
  ck_assert_uint_eq (ask_root ("PUT", "terminals/s1", json_pack ("{s:s}", "stock", "")).status, 200);
  ck_assert_uint_eq (ask_root ("PUT", "terminals/s1", json_pack ("{s:s}", "stock", "other")).status, 400);
}
END_TEST

/* ---- devices ---- */

static const struct {
  const char *body;
  guint status;
} devices[] = {
  { "{}", 200 },
  { "{\"endpoint\": \"lan\", \"address\": \"192.0.2.1:502\", \"line\": \"rs485\", \"weight\": \"heavy\", "
    "\"inspect\": \"required\", \"note\": \"the\\nold one\"}",
    200 },
  { "{\"weight\": 2, \"inspect\": true, \"applications\": [\"modbus\"]}", 200 },
  { "{\"address\": \"[2001:db8::1]:80\"}", 200 },
  { "{\"address\": \"pumpe-süd.example:80\"}", 200 },
  { "{\"weight\": \"heavvy\"}", 400 },
  { "{\"weight\": 3}", 400 },
  { "{\"weight\": [\"heavy\"]}", 400 },
  { "{\"inspect\": \"always\"}", 400 },
  { "{\"inspect\": {}}", 400 },
  { "{\"address\": \"\"}", 400 },
  { "{\"address\": \"192.0.2.1 80\"}", 400 },
  { "{\"address\": \"192.0.2.1:80\\u001b[2J\"}", 400 },
  { "{\"endpoint\": \"l a n\"}", 400 },
  { "{\"applications\": [1, {}]}", 400 },
};

/* By the profile's own table, also what a terminal says of its own. */
START_TEST (devices_are_judged_as_in_the_profile)
{
  json_t *body = json_loads (devices[_i].body, 0, NULL), *own = json_copy (body);
  ck_assert_ptr_nonnull (body);
  Got got = ask_root ("PUT", "terminals/plant-7/devices/plc", body);
  ck_assert_msg (got.status == devices[_i].status, "%s: %u %s", devices[_i].body, got.status,
                 text_of (got.body, "message"));
  json_object_set_new (own, "name", json_string ("own"));
  got = ask_node ("plant-7", "PUT", "terminals/plant-7/devices", json_pack ("{s:[o]}", "devices", own));
  ck_assert_msg (got.status == devices[_i].status, "list of %s: %u %s", devices[_i].body, got.status,
                 text_of (got.body, "message"));
}
END_TEST

/* A person is told at once; a terminal's list with such a device, of before there was this check, is taken,
 * and opening it says what is wrong. */
START_TEST (an_address_with_no_such_port_is_refused)
{
  Got got = ask_root ("PUT", "terminals/plant-7/devices/plc",
                      json_pack ("{s:s}", "address", "192.0.2.1:99999"));
  ck_assert_uint_eq (got.status, 400);
  ck_assert_ptr_nonnull (
      strstr (text_of (got.body, "message"), "'192.0.2.1:99999' is no address; write host:port"));
  ck_assert_uint_eq (ask_root ("PUT", "terminals/plant-7/devices/plc",
                               json_pack ("{s:s}", "address", "ttyS0:115200"))
                         .status,
                     200);
  got = ask_node ("plant-7", "PUT", "terminals/plant-7/devices",
                  json_pack ("{s:[{s:s, s:s}]}", "devices", "name", "own", "address", "192.0.2.1:99999"));
  ck_assert_uint_eq (got.status, 200);
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  Suite *suite = suite_create ("access-names");
  TCase *cases = tcase_create ("names");
  tcase_set_timeout (cases, 60);
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_test (cases, a_right_to_enrol_takes_over_no_node);
  tcase_add_test (cases, a_token_made_ahead_takes_no_name_that_was_given_since);
  tcase_add_test (cases, a_written_ssh_key_proves_nothing);
  tcase_add_test (cases, who_manages_a_terminal_replaces_it_when_asked_to);
  tcase_add_test (cases, set_makes_none_and_add_changes_none);
  tcase_add_test (cases, stock_is_taken_back);
  tcase_add_test (cases, an_address_with_no_such_port_is_refused);
  tcase_add_loop_test (cases, devices_are_judged_as_in_the_profile, 0, G_N_ELEMENTS (devices));
  suite_add_tcase (suite, cases);
  return run_suite (suite);
}
