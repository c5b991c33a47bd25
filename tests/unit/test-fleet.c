/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The service that keeps the fleet, with access beside it: it writes the registry as every writer does, its
 * restart ends no session, a removal does, and while it does not run nothing new begins. */
#include "config.h"

#include "unit/access-help.h"

#include "registry-conform.h"

static void
set_up (void)
{
  cloud_up (NULL);
  terminal_enrol ("t1");
  terminal_link ("t1", TRUE);
  grant ("alice", "connect", "sites/north");
  ck_assert_uint_eq (ask_root ("PUT", "terminals/t1", json_pack ("{s:s}", "site", "north")).status, 200);
}

static void
tear_down (void)
{
  cloud_down ();
}

/* ---- its restart ---- */

/* Another instance of the same meaning. */
static void
fleet_restart (void)
{
  static const char *const forms[] = { "type: fleet,", "type: fleet, start: at-once," };
  static gboolean longer;
  const FarInstance *before = far_instance_find (FAR_KIND_SERVICE, "fleet", NULL);
  longer = !longer;
  cloud_reload (forms[!longer], forms[longer]);
  settle ();
  ck_assert_ptr_ne (far_instance_find (FAR_KIND_SERVICE, "fleet", NULL), before);
}

static void
conform_device (const char *id, const char *device)
{
  g_autofree char *resource = g_strdup_printf ("terminals/%s/devices/%s", id, device);
  json_t *body = json_pack ("{s:s, s:s}", "endpoint", "lan", "address", "127.0.0.1:502");
  ck_assert_uint_eq (ask_root ("PUT", resource, body).status, 200);
}

static void
conform_replace (const char *id)
{
  g_autofree char *keys = new_keys ("another"), *token = replace_token (id);
  ck_assert_uint_eq (enrol (token, keys, id).status, 200);
}

static void
conform_remove (const char *id)
{
  g_autofree char *resource = g_strconcat ("terminals/", id, NULL);
  ck_assert_uint_eq (ask_root ("DELETE", resource, NULL).status, 204);
}

START_TEST (it_is_as_all_writers_are)
{
  static const RegistryConform with = { terminal_enrol, conform_device, conform_replace, conform_remove,
                                        fleet_restart };
  registry_conform (&with);
}
END_TEST

/* Also of who may by the terminal's site: that is known on. */
START_TEST (its_restart_ends_no_session)
{
  g_autofree char *id = session_open ("alice", wish_for ("t1", NULL));
  fleet_restart ();
  far_clock_advance (5 * SECOND); /* rights are looked at again */
  settle ();
  ck_assert_str_eq (session_state (id), "open");
  ck_assert (json_is_true (json_object_get (ask_root ("GET", "terminals/t1", NULL).body, "connected")));
  ck_assert_uint_eq (ask_root ("DELETE", "terminals/t1", NULL).status, 204);
  ck_assert_str_eq (tunnel_of (id)->end_cause, "terminal removed");
}
END_TEST

/* Written by somebody else, or by the one before without an answer: the rows say it. */
START_TEST (another_key_in_the_rows_voids_what_was_given)
{
  g_autofree char *id = session_open ("alice", wish_for ("t1", NULL));
  json_t *row = json_deep_copy (far_registry_node ("t1")->row);
  json_object_set_new (row, "spki", json_string ("sha256:another"));
  char *text = json_dumps (row, JSON_COMPACT);
  far_store_put ("main", "terminals", "t1", text, FAR_EXPECT_ANY, NULL);
  settle ();
  ck_assert_str_eq (session_state (id), "open");
  fleet_restart ();
  ck_assert_str_eq (tunnel_of (id)->end_cause, "terminal enrolled with another key");
  ck_assert_str_eq (cloud_nodes ()->cuts->pdata[0], "t1: enrolled with another key");
  free (text);
  json_decref (row);
}
END_TEST

/* ---- a session and a removal that cross ---- */

static void
noted (FarMessage *answer, gboolean last, gpointer user)
{
  *(guint *) user = answer->status;
}

static gboolean
is_noted (gpointer status)
{
  return *(guint *) status != 0;
}

static void
submit (FarPrincipal *who, const char *method, const char *resource, json_t *body, guint *status)
{
  g_autoptr (FarMessage) message = far_message_request (method, resource, body);
  far_api_submit (who, who->kind == FAR_PRINCIPAL_LOCAL ? NULL : "people", message, noted, status);
}

/* Neither knows of the other, and both rows are under way: whichever came first, no session goes on. */
START_TEST (no_session_passes_a_removal_by)
{
  g_autoptr (FarPrincipal) root = far_principal_new (FAR_PRINCIPAL_LOCAL, "root", NULL, ""),
                           alice = far_principal_new (FAR_PRINCIPAL_PERSON, "alice", NULL, "192.0.2.77");
  guint removed = 0, asked = 0;
  root->super = TRUE;
  if (_i == 0)
    submit (alice, "POST", "sessions", wish_for ("t1", NULL), &asked);
  submit (root, "DELETE", "terminals/t1", NULL, &removed);
  if (_i == 1)
    submit (alice, "POST", "sessions", wish_for ("t1", NULL), &asked);
  ck_assert_uint_eq (removed + asked, 0);
  ck_assert (run_until (is_noted, &removed) && run_until (is_noted, &asked));
  settle ();
  ck_assert_uint_eq (removed, 204);
  json_t *list = json_object_get (ask_root ("GET", "sessions", NULL).body, "sessions"), *session;
  size_t i;
  json_array_foreach (list, i, session) { /* its tunnel end has not let go yet */
    ck_assert_str_eq (text_of (session, "state"), "closing");
    ck_assert_str_eq (text_of (session, "cause"), "terminal removed");
  }
}
END_TEST

/* ---- a profile of before ---- */

/* It has what it needs at access, and gets its instance from there: the same one, as nothing differs. */
START_TEST (a_profile_of_before_goes_on)
{
  const FarInstance *before = far_instance_find (FAR_KIND_SERVICE, "fleet", NULL);
  g_autofree char *id = session_open ("alice", wish_for ("t1", NULL));
  cloud_reload ("  fleet: {type: fleet, store: main, nodes: nodes}", "");
  ck_assert_ptr_eq (far_instance_find (FAR_KIND_SERVICE, "fleet", NULL), before);
  ck_assert_str_eq (session_state (id), "open");
  cloud_restart ();
  ck_assert_ptr_nonnull (far_instance_find (FAR_KIND_SERVICE, "fleet", NULL));
  ck_assert_uint_eq (ask_root ("GET", "terminals/t1", NULL).status, 200);
}
END_TEST

/* ---- it does not run ---- */

static void
fleet_fails (void)
{
  far_instance_fail (far_instance_find (FAR_KIND_SERVICE, "fleet", NULL),
                     g_error_new (FAR_ERROR, FAR_ERROR_CONFIG, "for a test"));
  settle ();
  ck_assert_ptr_null (far_instance_find (FAR_KIND_SERVICE, "fleet", NULL));
}

START_TEST (without_it_nothing_new_begins)
{
  g_autofree char *id = session_open ("alice", wish_for ("t1", NULL));
  json_t *poll = json_pack ("{s:[{s:s, s:s}]}", "sessions", "session", id, "state", "open"),
         *two = json_pack ("{s:s, s:s, s:s, s:s, s:s}", "id", "two", "who", "carol", "action", "connect",
                           "object", "terminals/*", "needs", "approval");
  ck_assert (far_right_set (two, NULL));
  json_decref (two);
  grant ("bob", "approve", "terminals/*");
  g_autofree char *waits = g_strdup (
      text_of (ask_person ("carol", "POST", "sessions", wish_for ("t1", NULL)).body, "session"));
  g_autofree char *approve = g_strdup_printf ("sessions/%s/approve", waits);
  fleet_fails ();
  Got got = ask_person ("alice", "POST", "sessions", wish_for ("t1", NULL));
  ck_assert_uint_eq (got.status, 503);
  ck_assert_ptr_nonnull (strstr (text_of (got.body, "message"), "which nodes are registered"));
  ck_assert_uint_eq (ask_root ("GET", "terminals", NULL).status, 503);
  ck_assert_uint_eq (ask_person ("bob", "POST", approve, NULL).status, 503);
  ck_assert_uint_eq (ask_node ("t1", "POST", "poll", poll).status, 200);
  ck_assert_uint_eq (ask_node ("t2", "POST", "poll", json_object ()).status, 503);
  ck_assert_str_eq (session_state (id), "open");
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("fleet");
  TCase *cases = tcase_create ("fleet");
  tcase_set_timeout (cases, 120);
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_test (cases, it_is_as_all_writers_are);
  tcase_add_test (cases, its_restart_ends_no_session);
  tcase_add_test (cases, another_key_in_the_rows_voids_what_was_given);
  tcase_add_loop_test (cases, no_session_passes_a_removal_by, 0, 2);
  tcase_add_test (cases, a_profile_of_before_goes_on);
  tcase_add_test (cases, without_it_nothing_new_begins);
  suite_add_tcase (suite, cases);
  return run_suite (suite);
}
