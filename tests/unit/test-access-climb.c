/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Nobody gains by a right over people: neither groups nor the power of whom one may set a password for; and
 * nobody is two. */
#include "config.h"

#include "unit/access-help.h"

#include "life/instance-private.h"
#include "node/api.h"

static void
set_up (void)
{
  far_api_start ();
  cloud_up_with_people ();
  grant ("@admins", "manage", "*");
  grant ("@ops", "connect", "terminals/north-*");
  grant ("@ops", "manage", "terminals/north-*");
  grant ("@readers", "see", "terminals/north-*");
  grant ("@pumps", "manage", "users/*"); /* a group of people that is called like one of terminals */
  grant ("boss", "manage", "rights");
  grant ("guard", "approve", "terminals/*");
  ck_assert_uint_eq (ask_root ("PUT", "users/root2",
                               json_pack ("{s:s, s:[s]}", "password", "x", "groups", "admins"))
                         .status,
                     200);
  ck_assert_uint_eq (ask_root ("PUT", "users/op",
                               json_pack ("{s:s, s:[s]}", "password", "x", "groups", "ops"))
                         .status,
                     200);
  ck_assert_uint_eq (ask_root ("PUT", "users/plain",
                               json_pack ("{s:s, s:[s]}", "password", "x", "groups", "readers"))
                         .status,
                     200);
}

static void
tear_down (void)
{
  cloud_down ();
  far_api_stop ();
}

/* Who asks has these rights over people and groups; what they then try. */
static const struct {
  const char *action, *object, *more_action, *more_object; /* of dave */
  const char *method, *resource, *body;
  guint status;
} tries[] = {
  /* groups */
  { "manage", "users/dave2", NULL, NULL, "PUT", "users/dave2",
    "{\"password\": \"x\", \"groups\": [\"admins\"]}", 403 },
  { "manage", "users/dave2", NULL, NULL, "PUT", "users/dave2", "{\"groups\": [\"admins\"]}", 403 },
  { "manage", "users/dave2", NULL, NULL, "PUT", "users/dave2", "{\"groups\": [\"readers\", \"ops\"]}", 403 },
  { "manage", "users/dave2", NULL, NULL, "PUT", "users/dave2", "{\"groups\": [\"none-yet\"]}",
    403 }, /* rights may be given to it later */
  { "manage", "users/dave2", "see", "terminals/north-1", "PUT", "users/dave2", "{\"groups\": [\"readers\"]}",
    403 }, /* a part of them */
  { "manage", "users/dave2", "see", "terminals/north-?", "PUT", "users/dave2", "{\"groups\": [\"readers\"]}",
    403 },
  { "manage", "users/dave2", "see", "terminals/*", "PUT", "users/dave2",
    "{\"password\": \"x\", \"groups\": [\"readers\"]}", 200 },
  { "manage", "users/dave2", "manage", "groups/readers", "PUT", "users/dave2", "{\"groups\": [\"readers\"]}",
    200 },
  { "manage", "users/dave2", "manage", "groups/*", "PUT", "users/dave2", "{\"groups\": [\"admins\"]}",
    403 }, /* power is never given by a name */
  { "manage", "users/dave2", "manage", "groups/pumps", "PUT", "users/dave2", "{\"groups\": [\"pumps\"]}",
    403 },
  { "manage", "users/dave2", NULL, NULL, "PUT", "users/dave2", "{\"password\": \"x\", \"groups\": []}", 200 },
  { "manage", "users/*", NULL, NULL, "PUT", "users/plain", "{\"groups\": [\"readers\"]}",
    200 }, /* which they are in */
  { "manage", "users/*", NULL, NULL, "PUT", "users/op", "{\"groups\": []}", 200 },
  /* being somebody */
  { "manage", "users/*", NULL, NULL, "PUT", "users/plain", "{\"password\": \"x\"}", 200 },
  { "manage", "users/*", NULL, NULL, "PUT", "users/plain/password", "{\"password\": \"y\"}", 200 },
  { "manage", "users/*", NULL, NULL, "PUT", "users/root2", "{\"password\": \"x\"}", 403 },
  { "manage", "users/*", NULL, NULL, "PUT", "users/root2/password", "{\"password\": \"y\"}", 403 },
  { "manage", "users/*", NULL, NULL, "PUT", "users/root2",
    "{\"key\": \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHq9FSL9IzGJ0ZsFlJtDZFuGyZSYJkCb5BmGdmnfUjtb x\"}",
    403 },
  { "manage", "users/*", NULL, NULL, "PUT", "users/root2", "{\"password\": \"x\", \"groups\": [\"admins\"]}",
    403 },
  { "manage", "users/*", NULL, NULL, "PUT", "users/boss", "{\"password\": \"x\"}",
    403 }, /* a name that has rights and no account yet */
  { "manage", "users/*", NULL, NULL, "PUT", "users/guard", "{\"password\": \"x\"}", 403 },
  { "manage", "users/*", NULL, NULL, "PUT", "users/op", "{\"password\": \"x\"}", 403 },
  { "manage", "users/*", "manage", "terminals/north-*", "PUT", "users/op", "{\"password\": \"x\"}", 200 },
  { "manage", "*", NULL, NULL, "PUT", "users/root2", "{\"password\": \"x\"}", 200 },
  { "manage", "*", NULL, NULL, "PUT", "users/dave2", "{\"groups\": [\"admins\"]}", 200 },
  { "manage", "*", NULL, NULL, "PUT", "users/guard", "{\"password\": \"x\"}",
    403 }, /* approves, which dave may not */
};

START_TEST (who_manages_people_gains_nothing)
{
  grant ("dave", tries[_i].action, tries[_i].object);
  if (tries[_i].more_action)
    grant ("dave", tries[_i].more_action, tries[_i].more_object);
  Got got = ask_person ("dave", tries[_i].method, tries[_i].resource, json_loads (tries[_i].body, 0, NULL));
  ck_assert_msg (got.status == tries[_i].status, "%s %s as who may %s %s and %s %s: %u %s",
                 tries[_i].resource, tries[_i].body, tries[_i].action, tries[_i].object,
                 tries[_i].more_action ? tries[_i].more_action : "-",
                 tries[_i].more_object ? tries[_i].more_object : "-", got.status,
                 text_of (got.body, "message"));
}
END_TEST

/* A right that ends, or holds at hours only, does not cover one that does not. */
START_TEST (conditions_do_not_cover_what_has_none)
{
  json_t *right = json_pack ("{s:s, s:s, s:s, s:s, s:s}", "id", "office", "who", "dave", "action", "manage",
                             "object", "*", "hours", "mon-fri 00:00-24:00");
  grant ("dave", "manage", "users/*");
  ck_assert (far_right_set (right, NULL));
  json_decref (right);
  ck_assert_uint_eq (ask_person ("dave", "PUT", "users/root2", json_pack ("{s:s}", "password", "x")).status,
                     403);
}
END_TEST

/* In another file the same name has other groups: whoever lets them in gives these. */
START_TEST (groups_of_every_authenticator_count)
{
  g_autofree char *state = g_build_filename (cloud_folder (), "state", NULL);
  write_file (state, "others.yaml", "people:\n  plain:\n    groups: [admins]\n", -1);
  grant ("dave", "manage", "users/*");
  ck_assert_uint_eq (ask_person ("dave", "PUT", "users/plain", json_pack ("{s:s}", "password", "x")).status,
                     403);
}
END_TEST

/* Who keeps a password of their own choice in one file gets no group by it that only the other file gives. */
START_TEST (a_group_of_another_file_is_not_had)
{
  g_autofree char *state = g_build_filename (cloud_folder (), "state", NULL);
  write_file (state, "others.yaml", "people:\n  plain:\n    groups: [admins, readers]\n", -1);
  grant ("dave", "manage", "users/*");
  ck_assert_uint_eq (ask_person ("dave", "PUT", "users/plain",
                                 json_pack ("{s:[s,s]}", "groups", "readers", "admins"))
                         .status,
                     403);
  ck_assert_uint_eq (ask_person ("dave", "PUT", "users/plain", json_pack ("{s:[s]}", "groups", "admins"))
                         .status,
                     403);
  /* both give it */
  ck_assert_uint_eq (ask_person ("dave", "PUT", "users/plain", json_pack ("{s:[s]}", "groups", "readers"))
                         .status,
                     200);
}
END_TEST

/* What an authenticator that does not run would say of somebody is not known: nobody is judged without it,
 * not even by who may all. */
START_TEST (nobody_is_judged_by_half_a_list)
{
  g_autofree char *state = g_build_filename (cloud_folder (), "state", NULL);
  FarInstance *others = far_instance_find (FAR_KIND_AUTHENTICATOR, "others", NULL);
  write_file (state, "others.yaml", "people:\n  plain:\n    groups: [admins]\n", -1);
  grant ("dave", "manage", "users/*");
  ck_assert_ptr_nonnull (others);
  far_instance_fail (others, g_error_new (FAR_ERROR, FAR_ERROR_UNAVAILABLE, "its disk is away"));
  ck_assert (!far_instance_is_running (others));
  Got got = ask_person ("dave", "PUT", "users/plain", json_pack ("{s:s}", "password", "x"));
  ck_assert_uint_eq (got.status, 503);
  ck_assert_ptr_nonnull (strstr (text_of (got.body, "message"), "authenticators.others"));
  ck_assert_uint_eq (ask_root ("PUT", "users/plain", json_pack ("{s:s}", "password", "x")).status, 503);
  got = ask_root ("DELETE", "users/plain", NULL);
  ck_assert_uint_eq (got.status, 503);
  ck_assert_ptr_nonnull (strstr (text_of (got.body, "message"), "authenticators.others"));
}
END_TEST

static gboolean
others_run (gpointer others)
{
  return far_instance_is_running (others);
}

/* One that starts when somebody asks for it is woken, and heard, before anybody is judged. */
START_TEST (one_that_rests_is_woken_to_be_heard)
{
  g_autofree char *state = g_build_filename (cloud_folder (), "state", NULL),
                  *path = g_build_filename (state, "others.yaml", NULL), *text = NULL;
  FarInstance *others = far_instance_find (FAR_KIND_AUTHENTICATOR, "others", NULL);
  write_file (state, "others.yaml", "people:\n  plain:\n    groups: [admins]\n", -1);
  grant ("dave", "manage", "users/*");
  far_instance_end (others);
  others->state = FAR_STATE_RESTING;
  Got got = ask_person ("dave", "PUT", "users/plain", json_pack ("{s:s}", "password", "x"));
  ck_assert_msg (got.status == 403 || got.status == 503, "%u", got.status);
  ck_assert (run_until (others_run, others));
  ck_assert_uint_eq (ask_person ("dave", "PUT", "users/plain", json_pack ("{s:s}", "password", "x")).status,
                     403);
  far_instance_end (others);
  others->state = FAR_STATE_RESTING;
  got = ask_root ("DELETE", "users/plain", NULL);
  ck_assert (g_file_get_contents (path, &text, NULL, NULL));
  ck_assert_msg (got.status == 503 || strstr (text, "plain") == NULL, "%u: %s", got.status, text);
}
END_TEST

/* Nor is one passed over of which the plugin is not there: it may keep people all the same. */
START_TEST (one_without_its_plugin_is_not_passed_over)
{
  FarInstance *others = far_instance_find (FAR_KIND_AUTHENTICATOR, "others", NULL);
  const FarType *type = others->type;
  FarConfigured missing = *others->configured;
  const FarConfigured *configured = others->configured;
  far_instance_end (others);
  missing.missing = (char *) "its plugin is not installed";
  others->configured = &missing;
  others->type = NULL;
  others->state = FAR_STATE_MISSING;
  Got got = ask_root ("PUT", "users/plain", json_pack ("{s:s}", "password", "x"));
  ck_assert_uint_ne (got.status, 200);
  ck_assert_ptr_nonnull (strstr (text_of (got.body, "message"), "authenticators.others"));
  others->configured = configured;
  others->type = type;
  others->state = FAR_STATE_STOPPED;
}
END_TEST

/* "All of them" is said of the person, not of a file. */
START_TEST (groups_are_taken_in_every_file)
{
  g_autofree char *state = g_build_filename (cloud_folder (), "state", NULL),
                  *path = g_build_filename (state, "others.yaml", NULL), *text = NULL;
  write_file (state, "others.yaml",
              "people:\n  plain:\n    groups: [admins]\n  other:\n    groups: [admins]\n", -1);
  ck_assert_uint_eq (ask_root ("PUT", "users/plain", json_pack ("{s:[s]}", "groups", "readers")).status, 200);
  Got got = ask_root ("GET", "users", NULL);
  json_t *people = json_object_get (got.body, "users"), *person;
  size_t i;
  guint seen = 0;
  json_array_foreach (people, i, person)
    if (strcmp (text_of (person, "name"), "plain") == 0) {
      g_autofree char *groups = json_dumps (json_object_get (person, "groups"), JSON_COMPACT);
      ck_assert_str_eq (groups, "[\"readers\"]");
      seen++;
    }
  ck_assert_uint_eq (seen, 1);
  ck_assert (g_file_get_contents (path, &text, NULL, NULL));
  ck_assert_ptr_nonnull (strstr (text, "admins")); /* of whom nothing was said */
}
END_TEST

static void
one_answered (FarMessage *answer, gboolean last, gpointer user)
{
  ++*(guint *) user;
}

static gboolean
both_answered (gpointer n)
{
  return *(guint *) n == 2;
}

static void
ask_and_go_on (FarPrincipalKind kind, const char *name, const char *method, const char *resource,
               json_t *body, guint *n)
{
  g_autoptr (FarPrincipal) who = far_principal_new (kind, name, NULL, "192.0.2.77");
  g_autoptr (FarMessage) message = far_message_request (method, resource, body);
  who->super = kind == FAR_PRINCIPAL_LOCAL;
  far_api_submit (who, NULL, message, one_answered, n);
}

/* Two at once: what dave was allowed by plain's being in a group must not be done when plain is in it no
 * more. */
START_TEST (who_is_removed_meanwhile_is_not_brought_back)
{
  guint n = 0;
  grant ("dave", "manage", "users/*");
  ask_and_go_on (FAR_PRINCIPAL_PERSON, "dave", "PUT", "users/plain",
                 json_pack ("{s:[s]}", "groups", "readers"), &n);
  ask_and_go_on (FAR_PRINCIPAL_LOCAL, "root", "DELETE", "users/plain", NULL, &n);
  ck_assert (run_until (both_answered, &n));
  Got got = ask_root ("GET", "users", NULL);
  g_autofree char *text = json_dumps (got.body, JSON_COMPACT);
  ck_assert_ptr_null (strstr (text, "plain"));
}
END_TEST

/* ---- the second person ---- */

/* One person who comes through two interfaces is not two. */
START_TEST (nobody_is_their_own_second_person)
{
  const FarPrincipalKind kinds[] = { FAR_PRINCIPAL_PERSON, FAR_PRINCIPAL_LOCAL };
  json_t *right = json_pack ("{s:s, s:s, s:s, s:s, s:s}", "id", "two", "who", "*", "action", "connect",
                             "object", "terminals/*", "needs", "approval");
  ck_assert (far_right_set (right, NULL));
  json_decref (right);
  grant ("*", "approve", "terminals/*");
  terminal_enrol ("t1");
  terminal_link ("t1", TRUE);
  Got got = ask_as (kinds[_i], "alice", "192.0.2.77", "POST", "sessions", wish_for ("t1", NULL));
  ck_assert_uint_eq (got.status, 201);
  ck_assert_str_eq (text_of (got.body, "state"), "awaiting approval");
  g_autofree char *resource = g_strdup_printf ("sessions/%s/approve", text_of (got.body, "session"));
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    ck_assert_uint_eq (ask_as (kinds[i], "alice", "192.0.2.78", "POST", resource, json_object ()).status,
                       403);
  ck_assert_uint_eq (ask_as (FAR_PRINCIPAL_LOCAL, "alic", "", "POST", resource, json_object ()).status, 200);
}
END_TEST

/* By a group as well as by name. */
START_TEST (who_is_an_admin_by_a_group_may)
{
  ck_assert_uint_eq (ask_member ("root2", "admins", "PUT", "users/op",
                                 json_pack ("{s:s, s:[s]}", "password", "x", "groups", "admins"))
                         .status,
                     200);
}
END_TEST

/* All groups are given at once: who makes the list from what they saw earlier takes nobody out of a group
 * unseen. */
START_TEST (groups_are_changed_from_what_was_seen)
{
  json_t *list = json_object_get (ask_root ("GET", "users", NULL).body, "users"), *person;
  g_autofree char *seen = NULL;
  size_t i;
  json_array_foreach (list, i, person)
    if (g_strcmp0 (text_of (person, "name"), "plain") == 0)
      seen = g_strdup (text_of (person, "revision"));
  ck_assert_ptr_nonnull (seen);
  Got got = ask_root ("PUT", "users/plain",
                      json_pack ("{s:[s, s], s:s}", "groups", "readers", "day", "expect", seen));
  ck_assert_msg (got.status == 200, "%u %s", got.status, text_of (got.body, "message"));
  ck_assert_uint_eq (json_array_size (json_object_get (json_object_get (got.body, "was"), "groups")), 1);
  got = ask_root ("PUT", "users/plain",
                  json_pack ("{s:[s, s], s:s}", "groups", "readers", "night", "expect", seen));
  ck_assert_uint_eq (got.status, 409);
  ck_assert_ptr_nonnull (strstr (text_of (got.body, "message"), "\"day\""));
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  Suite *suite = suite_create ("access-climb");
  TCase *cases = tcase_create ("climb");
  tcase_set_timeout (cases, 60);
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_loop_test (cases, who_manages_people_gains_nothing, 0, G_N_ELEMENTS (tries));
  tcase_add_test (cases, groups_are_changed_from_what_was_seen);
  tcase_add_test (cases, conditions_do_not_cover_what_has_none);
  tcase_add_test (cases, groups_of_every_authenticator_count);
  tcase_add_test (cases, a_group_of_another_file_is_not_had);
  tcase_add_test (cases, nobody_is_judged_by_half_a_list);
  tcase_add_test (cases, one_that_rests_is_woken_to_be_heard);
  tcase_add_test (cases, one_without_its_plugin_is_not_passed_over);
  tcase_add_test (cases, groups_are_taken_in_every_file);
  tcase_add_test (cases, who_is_removed_meanwhile_is_not_brought_back);
  tcase_add_test (cases, who_is_an_admin_by_a_group_may);
  tcase_add_loop_test (cases, nobody_is_their_own_second_person, 0, 2);
  suite_add_tcase (suite, cases);
  return run_suite (suite);
}
