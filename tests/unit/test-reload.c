/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A new profile: what is left alone, told, replaced; and that a bad one changes nothing. */
#include "config.h"

#include "reach/device.h"
#include "life/instance-private.h"
#include "node/node-hooks.h"
#include "life/node.h"
#include "life/reload.h"
#include "auth/right.h"
#include "message/router.h"
#include "unit/core-help.h"

static char *folder, *trace;

static void
set_up (void)
{
  folder = make_folder ();
  trace = g_build_filename (folder, "trace", NULL);
  link_fixture (folder, "sensor-probe");
  g_setenv ("FARWATCH_PLUGIN_DIR", folder, TRUE);
  g_setenv ("FARWATCH_TEST_TRACE", trace, TRUE);
}

static void
tear_down (void)
{
  far_instances_stop ();
  far_device_profile_set (NULL);
  far_right_clear ();
  far_node_close ();
  remove_folder (folder);
  g_clear_pointer (&folder, g_free);
  g_clear_pointer (&trace, g_free);
}

static void
write_profile (const char *lines)
{
  g_autofree char *state = g_build_filename (folder, "state", NULL);
  g_autofree char *text = g_strdup_printf ("farwatch: 1\nnode: {id: t1, state: %s}\n%s", state, lines);

  write_file (folder, "test.yaml", text, -1);
}

static void
forget_steps (void)
{
  g_unlink (trace);
}

static void
start (const char *lines)
{
  g_autofree char *path = g_build_filename (folder, "test.yaml", NULL);
  g_autoptr (GPtrArray) faults = far_faults_new ();
  g_autoptr (FarProfile) profile = NULL;

  write_profile (lines);
  profile = far_profile_load (path, NULL, faults);
  ck_assert_ptr_nonnull (profile);
  ck_assert (far_node_open (profile, NULL));
  ck_assert (far_right_set_profile (profile->rights, NULL));
  far_device_profile_set (g_ptr_array_ref (profile->devices));
  far_node_hooks_start ();
  far_instances_start (profile);
  run_pending ();
  forget_steps ();
}

static char *
steps (void)
{
  g_autofree char *text = NULL;

  g_file_get_contents (trace, &text, NULL, NULL);
  forget_steps ();
  return text != NULL ? g_strdelimit (g_strchomp (g_steal_pointer (&text)), "\n", ',') : g_strdup ("");
}

#define ck_assert_steps(wanted)                                                                              \
  do {                                                                                                       \
    g_autofree char *steps_ = steps ();                                                                      \
    ck_assert_str_eq (steps_, (wanted));                                                                     \
  } while (0)

/* "path action,path action", or the error's text. */
static char *
reload (const char *lines)
{
  g_autoptr (GPtrArray) faults = far_faults_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GString) text = g_string_new (NULL);
  json_t *changes = NULL, *row;
  size_t i;

  write_profile (lines);
  if (!far_reload (NULL, &changes, faults, &error))
    return g_strdup (error->message);
  json_array_foreach (changes, i, row)
    g_string_append_printf (text, "%s%s %s", i > 0 ? "," : "",
                            json_string_value (json_object_get (row, "path")),
                            json_string_value (json_object_get (row, "action")));
  json_decref (changes);
  run_pending ();
  return g_strdup (text->str);
}

#define ck_assert_reload(lines, wanted)                                                                      \
  do {                                                                                                       \
    g_autofree char *changes_ = reload (lines);                                                              \
    ck_assert_str_eq (changes_, (wanted));                                                                   \
  } while (0)

#define ck_assert_reload_fails(lines, part)                                                                  \
  do {                                                                                                       \
    g_autofree char *changes_ = reload (lines);                                                              \
    ck_assert_msg (strstr (changes_, (part)) != NULL, "%s", changes_);                                       \
  } while (0)

static FarInstance *
boiler (void)
{
  return far_instances_by_path ("sensors.boiler");
}

START_TEST (the_same_profile_changes_nothing)
{
  FarInstance *old;

  start ("sensors:\n  boiler: {type: probe, word: a}\n");
  old = boiler ();
  ck_assert_reload ("# a comment moves the lines\n\nsensors:\n  boiler: {word: a, type: probe}\n", "");
  ck_assert_ptr_eq (boiler (), old);
  ck_assert_uint_eq (boiler ()->configured->key->line, 6); /* but the new places count */
  ck_assert_steps ("");
}
END_TEST

/* From the words of an older profile to today's: nothing ends because somebody follows the warnings. */
START_TEST (todays_form_of_an_older_profile_changes_nothing)
{
  FarInstance *part;

  link_fixture (folder, "service-whole");
  link_fixture (folder, "service-part");
  start ("sensors:\n  boiler: {type: probe, colour: red}\n"
         "services:\n  all: {type: whole, folder: data, colour: green, sizes: [a, b]}\n");
  part = far_instances_by_path ("services.part");
  ck_assert_ptr_nonnull (part);
  ck_assert_reload (
      "sensors:\n  boiler: {type: probe, word: red}\nservices:\n  all: {type: whole, folder: data}\n"
      "  part: {type: part, folder: data, colour: green, sizes: [a, b]}\n",
      "");
  ck_assert_ptr_eq (far_instances_by_path ("services.part"), part);
  ck_assert_uint_eq (g_strv_length (far_node_profile ()->former), 0);
  ck_assert_steps ("");
  ck_assert_reload ("sensors:\n  boiler: {type: probe, colour: blue}\n"
                    "services:\n  all: {type: whole, folder: data, colour: green, sizes: [a, c]}\n",
                    "sensors.boiler reloaded,services.part replaced");
  ck_assert_uint_eq (g_strv_length (far_node_profile ()->former), 2);
}
END_TEST

/* The one that answers now goes on answering. */
START_TEST (a_second_that_answers_the_same_is_refused)
{
  FarInstance *one;
  json_t *list;

  link_fixture (folder, "service-echo");
  start ("services:\n  one: {type: echo}\n");
  one = far_instances_by_path ("services.one");
  list = far_route_list ();
  ck_assert_reload_fails ("services:\n  one: {type: echo}\n  two: {type: echo}\n",
                          "1 faults; the old profile stays in force");
  ck_assert_ptr_eq (far_instances_by_path ("services.one"), one);
  ck_assert_ptr_null (far_instances_by_path ("services.two"));
  json_t *after = far_route_list ();
  ck_assert (json_equal (list, after));
  ck_assert_uint_gt (json_array_size (list), 0);
  json_decref (list);
  json_decref (after);
  /* one for the other is no clash */
  ck_assert_reload ("services:\n  two: {type: echo}\n", "services.two added,services.one removed");
}
END_TEST

START_TEST (a_reloadable_key_is_told)
{
  gpointer self;
  gconstpointer options;

  start ("sensors:\n  boiler: {type: probe, word: a, interval: 10s}\n");
  self = boiler ()->self;
  options = boiler ()->options;
  ck_assert_reload ("sensors:\n  boiler: {type: probe, word: b, interval: 20s}\n", "sensors.boiler reloaded");
  ck_assert_ptr_eq (boiler ()->self, self);
  ck_assert_ptr_ne (boiler ()->options, options);
  ck_assert_steps ("boiler reload");
}
END_TEST

START_TEST (options_live_as_long_as_somebody_holds_them)
{
  gconstpointer held;

  start ("sensors:\n  boiler: {type: probe, word: first}\n");
  held = far_options_ref (boiler ()->options);
  ck_assert_reload ("sensors:\n  boiler: {type: probe, word: second}\n", "sensors.boiler reloaded");
  ck_assert_ptr_ne (held, boiler ()->options);
  far_options_unref (held); /* the sanitizer sees if it was gone */
}
END_TEST

START_TEST (another_key_replaces_and_keeps_the_socket)
{
  gpointer listen;

  start ("sensors:\n  boiler: {type: probe, address: \"127.0.0.1:0\", count: 1}\n");
  ck_assert_uint_eq (boiler ()->listens->len, 1);
  listen = boiler ()->listens->pdata[0];
  ck_assert_reload ("sensors:\n  boiler: {type: probe, address: \"127.0.0.1:0\", count: 2}\n",
                    "sensors.boiler replaced");
  ck_assert_uint_eq (boiler ()->listens->len, 1);
  ck_assert_ptr_eq (boiler ()->listens->pdata[0], listen);
  ck_assert_steps ("boiler init,boiler stop,boiler fini,boiler start");
}
END_TEST

START_TEST (instances_come_and_go)
{
  start ("sensors:\n  boiler: {type: probe}\n  burner: {type: probe}\n");
  ck_assert_reload ("sensors:\n  burner: {type: probe}\n  pump: {type: probe}\n",
                    "sensors.pump added,sensors.boiler removed");
  ck_assert_ptr_null (boiler ());
  ck_assert_ptr_nonnull (far_instance_find (FAR_KIND_SENSOR, "pump", NULL));
  ck_assert_steps ("pump init,boiler stop,boiler fini,pump start");
}
END_TEST

START_TEST (a_bad_profile_changes_nothing)
{
  FarInstance *old;

  start ("sensors:\n  boiler: {type: probe, word: a}\n");
  old = boiler ();
  ck_assert_reload_fails ("sensors:\n  boiler: {type: probe, wrod: b, count: 99}\n",
                          "has 2 faults; the old profile stays in force");
  ck_assert_ptr_eq (boiler (), old);
  ck_assert (far_instance_is_running (old));
  ck_assert_steps ("");
}
END_TEST

START_TEST (an_init_that_fails_changes_nothing)
{
  start ("sensors:\n  boiler: {type: probe, word: a}\n");
  ck_assert_reload_fails (
      "sensors:\n  boiler: {type: probe, word: b}\n  burner: {type: probe, fail-at: init, fail-as: config}\n",
      "the old profile stays in force: sensors.burner: asked to fail as config");
  ck_assert_ptr_null (far_instances_by_path ("sensors.burner"));
  ck_assert_steps ("burner init,burner fini");
}
END_TEST

START_TEST (a_reload_that_is_refused_is_taken_back)
{
  start ("sensors:\n  a: {type: probe, word: one}\n  b: {type: probe, word: one}\n");
  ck_assert_reload_fails ("sensors:\n  a: {type: probe, word: two}\n  b: {type: probe, word: refused}\n",
                          "sensors.b: that word is refused");
  ck_assert_steps ("a reload,b reload,a reload,b reload");
  ck_assert_reload ("sensors:\n  a: {type: probe, word: one}\n  b: {type: probe, word: one}\n", "");
}
END_TEST

START_TEST (a_plugin_that_says_no_without_a_word_is_told)
{
  start ("sensors:\n  boiler: {type: probe, word: a}\n");
  ck_assert_reload_fails ("sensors:\n  boiler: {type: probe, word: silent}\n",
                          "sensors.boiler: it failed without saying why");
  ck_assert_reload_fails (
      "sensors:\n  boiler: {type: probe, word: a}\n  burner: {type: probe, fail-at: init, fail-as: silent}\n",
      "sensors.burner: it failed without saying why");
}
END_TEST

START_TEST (the_node_itself_does_not_change)
{
  g_autoptr (GPtrArray) faults = far_faults_new ();
  g_autoptr (GError) error = NULL;

  start ("");
  write_file (folder, "test.yaml", "farwatch: 1\nnode: {id: other}\n", -1);
  ck_assert (!far_reload (NULL, NULL, faults, &error));
  ck_assert_str_eq (error->message, "id, state and control of the node change only by a restart");
  ck_assert_str_eq (far_node_id (), "t1");
}
END_TEST

START_TEST (what_had_failed_is_tried_again)
{
  start ("sensors:\n  boiler: {type: probe, fail-at: start, fail-as: config}\n");
  ck_assert_int_eq (boiler ()->state, FAR_STATE_FAILED);
  ck_assert_reload ("sensors:\n  boiler: {type: probe, fail-at: start, fail-as: config}\n",
                    "sensors.boiler retried");
  ck_assert_steps ("boiler init,boiler start,boiler fini");
  ck_assert_reload ("sensors:\n  boiler: {type: probe}\n", "sensors.boiler replaced");
  ck_assert (far_instance_is_running (boiler ()));
}
END_TEST

START_TEST (a_type_that_is_installed_later_is_taken)
{
  g_autofree char *path = g_build_filename (folder, "sensor-probe.so", NULL);

  g_unlink (path);
  start ("sensors:\n  boiler: {type: probe}\n");
  ck_assert_int_eq (boiler ()->state, FAR_STATE_MISSING);
  link_fixture (folder, "sensor-probe");
  ck_assert_reload ("sensors:\n  boiler: {type: probe}\n", "sensors.boiler replaced");
  ck_assert (far_instance_is_running (boiler ()));
}
END_TEST

START_TEST (devices_and_rights_change_with_it)
{
  start ("endpoints: {net: {type: door}}\ndevices: {plc: {endpoint: net}}\nrights:\n  - {who: alice, action: "
         "see, object: terminals/t1}\n");
  ck_assert_ptr_nonnull (far_device_find ("plc"));
  ck_assert_reload ("endpoints: {net: {type: door}}\ndevices: {camera: {endpoint: net}}\nrights: []\n", "");
  ck_assert_ptr_null (far_device_find ("plc"));
  ck_assert_ptr_nonnull (far_device_find ("camera"));
  ck_assert (!far_right_is_profile ("profile-1"));
}
END_TEST

/* ---- a type that goes on with its sessions ---- */

typedef struct {
  FarInstance *at;
} Keeper;

static guint keeper_retired, keeper_ended;

static gboolean
keeper_init (gpointer self, FarInstance *at, GError **error)
{
  ((Keeper *) self)->at = at;
  return TRUE;
}

static void
keeper_retire (gpointer self)
{
  keeper_retired++;
}

static void
keeper_fini (gpointer self)
{
  keeper_ended++;
}

static const FarOption keeper_options[] = { { .type = FAR_OPT_END } };
static const FarStoreType keeper_type = {
  .type = { .kind = FAR_KIND_STORE,
            .name = "shelf",
            .instance_size = sizeof (Keeper),
            .options = keeper_options,
            .init = keeper_init,
            .retire = keeper_retire,
            .fini = keeper_fini },
};

START_TEST (a_retired_one_ends_with_its_last_session)
{
  FarInstance *old;

  start ("stores: {main: {type: shelf}}\n");
  old = far_instances_by_path ("stores.main");
  far_instance_end (old);
  old->type = &keeper_type.type; /* the same instance, of a type that can retire */
  far_instance_try (old);
  ck_assert (far_instance_is_running (old));
  ck_assert_reload ("", "stores.main removed");
  ck_assert_uint_eq (keeper_retired, 1);
  ck_assert_uint_eq (keeper_ended, 0);
  ck_assert_ptr_null (far_instance_find (FAR_KIND_STORE, "main", NULL));
  ck_assert_ptr_eq (far_instance_find_retired (FAR_KIND_STORE, "main", 0), old);
  ck_assert_ptr_null (far_instance_find_retired (FAR_KIND_STORE, "main", 1));
  far_instance_retired (old);
  run_pending ();
  ck_assert_uint_eq (keeper_ended, 1);
  ck_assert_ptr_null (far_instance_find_retired (FAR_KIND_STORE, "main", 0));
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("reload");
  TCase *tcase = tcase_create ("reload");

  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  g_setenv ("LC_ALL", "C", TRUE);
  tcase_add_checked_fixture (tcase, set_up, tear_down);
  tcase_set_timeout (tcase, 60);
  tcase_add_test (tcase, the_same_profile_changes_nothing);
  tcase_add_test (tcase, todays_form_of_an_older_profile_changes_nothing);
  tcase_add_test (tcase, a_second_that_answers_the_same_is_refused);
  tcase_add_test (tcase, a_reloadable_key_is_told);
  tcase_add_test (tcase, options_live_as_long_as_somebody_holds_them);
  tcase_add_test (tcase, another_key_replaces_and_keeps_the_socket);
  tcase_add_test (tcase, instances_come_and_go);
  tcase_add_test (tcase, a_bad_profile_changes_nothing);
  tcase_add_test (tcase, an_init_that_fails_changes_nothing);
  tcase_add_test (tcase, a_reload_that_is_refused_is_taken_back);
  tcase_add_test (tcase, a_plugin_that_says_no_without_a_word_is_told);
  tcase_add_test (tcase, the_node_itself_does_not_change);
  tcase_add_test (tcase, what_had_failed_is_tried_again);
  tcase_add_test (tcase, a_type_that_is_installed_later_is_taken);
  tcase_add_test (tcase, devices_and_rights_change_with_it);
  tcase_add_test (tcase, a_retired_one_ends_with_its_last_session);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
