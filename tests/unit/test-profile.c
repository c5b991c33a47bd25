/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bad profiles against what an admin reads about them, byte for byte: tests/data/bad-profiles/NAME.yaml and
 * NAME.err. FARWATCH_GOLDEN=write writes the .err files anew: look at the difference before it is committed.
 */
#include "config.h"

#include "profile/profile.h"
#include "unit/core-help.h"

static char *plugins;

static void
set_up (void)
{
  g_autofree char *data = g_build_filename (g_getenv ("FARWATCH_TEST_SRCDIR"), "tests", "data",
                                            "bad-profiles", NULL);

  plugins = make_folder ();
  link_fixture (plugins, "sensor-probe");
  link_fixture (plugins, "service-echo");
  link_fixture (plugins, "service-whole");
  link_fixture (plugins, "service-part");
  g_setenv ("FARWATCH_PLUGIN_DIR", plugins, TRUE);
  ck_assert_int_eq (g_chdir (data), 0);
}

static void
tear_down (void)
{
  remove_folder (plugins);
  g_clear_pointer (&plugins, g_free);
}

/* NULL is no profile; the text is what is said. */
static FarProfile *
load (const char *path, char **text)
{
  g_autoptr (GPtrArray) faults = far_faults_new ();
  FarProfile *profile = far_profile_load (path, NULL, faults);

  *text = far_faults_text (faults);
  return profile;
}

static void
compare_golden (const char *name, const char *text)
{
  g_autofree char *golden = g_strconcat (name, ".err", NULL), *wanted = NULL;

  if (g_strcmp0 (g_getenv ("FARWATCH_GOLDEN"), "write") == 0)
    g_file_set_contents (golden, text, -1, NULL);
  ck_assert_msg (g_file_get_contents (golden, &wanted, NULL, NULL), "%s is missing", golden);
  ck_assert_msg (g_str_equal (text, wanted), "%s differs; said was:\n%s", golden, text);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

static GPtrArray *
golden_names (void)
{
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GDir) dir = g_dir_open (".", 0, NULL);
  const char *entry;

  while (dir != NULL && (entry = g_dir_read_name (dir)) != NULL)
    if (g_str_has_suffix (entry, ".yaml"))
      g_ptr_array_add (names, g_strndup (entry, strlen (entry) - strlen (".yaml")));
  g_ptr_array_sort (names, compare_names);
  return names;
}

START_TEST (bad_profiles_are_told_as_written_down)
{
  g_autoptr (GPtrArray) names = golden_names ();

  ck_assert_uint_ge (names->len, 80);
  for (guint i = 0; i < names->len; i++) {
    g_autofree char *path = g_strconcat (names->pdata[i], ".yaml", NULL), *text = NULL;
    g_autoptr (FarProfile) profile = load (path, &text);

    ck_assert_msg (*text != '\0', "%s has no fault", path);
    ck_assert_msg ((profile == NULL) == (strstr (text, ": error: ") != NULL), "%s: %s", path, text);
    compare_golden (names->pdata[i], text);
  }
}
END_TEST

/* Too large to be kept: made here, told like the others. */
static void
check_made (const char *name, GString *content)
{
  g_autofree char *file = g_strconcat (name, ".yaml", NULL), *here = g_get_current_dir (), *text = NULL;
  FarProfile *profile;

  write_file (plugins, file, content->str, (gssize) content->len);
  ck_assert_int_eq (g_chdir (plugins), 0);
  profile = load (file, &text);
  ck_assert_int_eq (g_chdir (here), 0);
  ck_assert_ptr_null (profile);
  compare_golden (name, text);
}

START_TEST (two_mebibytes_are_refused)
{
  g_autoptr (GString) content = g_string_new ("farwatch: 1\nnode: {id: t1}\nsensors:\n");

  for (guint i = 0; content->len < 2 * 1024 * 1024; i++)
    g_string_append_printf (content, "  s%u: {type: probe}\n", i);
  check_made ("huge", content);
}
END_TEST

START_TEST (too_many_values_are_refused)
{
  g_autoptr (GString) content = g_string_new ("farwatch: 1\nnode: {id: t1}\nsensors:\n");

  for (guint i = 0; i < 7000; i++)
    g_string_append_printf (content, "  s%u: {type: probe}\n", i);
  check_made ("values", content);
}
END_TEST

START_TEST (no_file_is_told)
{
  g_autofree char *text = NULL;

  ck_assert_ptr_null (load ("there-is-no-such.yaml", &text));
  ck_assert_str_eq (text, "there-is-no-such.yaml: error: cannot be read: No such file or directory; name the "
                          "file of a profile, as in /etc/farwatch/cloud-server.yaml\n");
}
END_TEST

START_TEST (a_device_is_not_read_for_ever)
{
  g_autofree char *text = NULL;

  ck_assert_ptr_null (load ("/dev/zero", &text));
  ck_assert_str_eq (text, "/dev/zero: error: larger than 1 MiB; that is no profile\n");
}
END_TEST

#define GOOD                                                                                                 \
  "farwatch: 1\nnode: {id: t1, state: /var/lib/farwatch}\nservices:\n  a: {type: clerk, clerk: b, shelf: "   \
  "main}\n"                                                                                                  \
  "  b: {type: clerk, shelf: main}\nstores:\n  main: {type: shelf}\nsensors:\n  boiler: {type: probe, "      \
  "folder: data, loud: yes,\n"                                                                               \
  "    words: [x, \"no\"], ports: 20-30, password: boiler-key, size: 4k, factor: -1.5e2}\n"                  \
  "endpoints: {net: {type: door}}\ndevices:\n  plc: {endpoint: net, address: 192.0.2.1:502, weight: "        \
  "heavy}\n"                                                                                                 \
  "rights:\n  - {who: alice, action: connect, object: terminals/t1, longest: 30m}\n"

static FarProfile *
load_good (const char *drop_in)
{
  g_autofree char *path = g_build_filename (plugins, "good.yaml", NULL),
                  *folder = g_strconcat (path, ".d", NULL), *text = NULL;
  FarProfile *profile;

  write_file (plugins, "good.yaml", GOOD, -1);
  g_mkdir (folder, 0700);
  if (drop_in != NULL)
    write_file (folder, "50-more.yaml", drop_in, -1);
  profile = load (path, &text);
  ck_assert_str_eq (text, "");
  ck_assert_ptr_nonnull (profile);
  return profile;
}

START_TEST (what_is_referred_to_starts_first)
{
  g_autoptr (FarProfile) profile = load_good (NULL);
  const char *const wanted[] = { "endpoints.net", "stores.main", "sensors.boiler", "services.b",
                                 "services.a" };

  ck_assert_uint_eq (profile->instances->len, G_N_ELEMENTS (wanted));
  for (guint i = 0; i < G_N_ELEMENTS (wanted); i++)
    ck_assert_str_eq (((FarConfigured *) profile->instances->pdata[i])->path, wanted[i]);
}
END_TEST

START_TEST (values_come_typed_and_with_their_origin)
{
  g_autoptr (FarProfile) profile = load_good ("sensors:\n  boiler: {factor: 2.5}\n");
  json_t *all = far_profile_effective (profile), *row = json_object_get (all, "sensors.boiler.factor");
  const char *origin = json_string_value (json_object_get (row, "origin"));

  ck_assert_str_eq (json_string_value (json_object_get (row, "value")), "2.5");
  ck_assert (g_str_has_suffix (origin, "good.yaml.d/50-more.yaml:2"));
  row = json_object_get (all, "sensors.boiler.size");
  ck_assert (g_str_has_suffix (json_string_value (json_object_get (row, "origin")), "good.yaml:10"));
  row = json_object_get (all, "sensors.boiler.parity");
  ck_assert_str_eq (json_string_value (json_object_get (row, "origin")), "default");
  json_decref (all);
}
END_TEST

START_TEST (an_empty_section_says_nothing)
{
  g_autoptr (FarProfile) profile = load_good ("sensors:\ndevices:\n  # to come\nfilters:\nrights:\n");

  ck_assert_uint_eq (profile->devices->len, 1);
  ck_assert_ptr_nonnull (far_profile_find (profile, "sensors.boiler"));
}
END_TEST

START_TEST (devices_and_rights_are_read)
{
  g_autoptr (FarProfile) profile = load_good (NULL);
  const FarDevice *device = profile->devices->pdata[0];

  ck_assert_uint_eq (profile->devices->len, 1);
  ck_assert_str_eq (device->endpoint, "net");
  ck_assert_int_eq (device->weight, 2);
  ck_assert_uint_eq (json_array_size (profile->rights), 1);
  ck_assert_str_eq (json_string_value (json_object_get (json_array_get (profile->rights, 0), "id")),
                    "profile-1");
}
END_TEST

/* A type that does not reach host:port has addresses of its own form, whatever they begin with. */
START_TEST (an_address_is_left_to_its_endpoints_type)
{
  g_autoptr (FarProfile)
      profile = load_good ("devices:\n  card: {endpoint: net, address: \"[rack-1]slot-2\"}\n  unit: "
                           "{endpoint: net, address: 192.0.2.1:99999}\n");

  ck_assert_uint_eq (profile->devices->len, 3);
}
END_TEST

START_TEST (a_missing_type_names_its_package)
{
  g_autofree char *text = NULL;
  g_autoptr (FarProfile) profile = load ("not-installed.yaml", &text);
  json_t *missing = far_profile_missing (profile);

  ck_assert_uint_eq (json_array_size (missing), 1);
  ck_assert_str_eq (json_string_value (json_object_get (json_array_get (missing, 0), "package")),
                    "farwatch-plugin-sensor-modbus");
  json_decref (missing);
}
END_TEST

START_TEST (a_type_describes_itself)
{
  const FarType *type = far_loader_type (FAR_KIND_SENSOR, "probe", NULL, NULL);
  json_t *row = far_type_json (type);

  ck_assert_str_eq (json_string_value (json_object_get (row, "plugin")), "sensor-probe");
  ck_assert_str_eq (json_string_value (json_object_get (row, "version")), "1.2");
  ck_assert_uint_ge (json_array_size (json_object_get (row, "options")), 15);
  json_decref (row);
}
END_TEST

/* What core answers itself, a service may not. */
START_TEST (a_service_may_not_answer_for_the_node)
{
  static const FarHandler mine[] = { { "GET", "status" }, { NULL } }, hers[] = {
    { "POST", "hold" },
    { "WATCH", "hold" },
    { NULL },
  };
  static const FarHandler *const tables[] = { mine, hers, NULL };
  g_autofree char *text = NULL, *alone = NULL;
  FarProfile *profile;

  write_file (plugins, "one.yaml", "farwatch: 1\nnode: {id: t1}\nservices:\n  one: {type: echo}\n", -1);
  ck_assert_int_eq (g_chdir (plugins), 0);
  far_profile_set_own_requests (tables);
  profile = load ("one.yaml", &text);
  far_profile_set_own_requests (NULL);
  ck_assert_ptr_null (profile);
  ck_assert_str_eq (text, "one.yaml:4:3: error: services.one answers POST hold, which each node answers "
                          "itself: its plugin must name that otherwise; take it out\n"
                          "  one: {type: echo}\n  ^\n");
  profile = load ("one.yaml", &alone);
  ck_assert_msg (profile != NULL, "%s", alone);
  far_profile_unref (profile);
}
END_TEST

/* A message that carries a verb goes to one row: two with the same are named both, also where one is the
 * node's own. */
START_TEST (two_handlers_of_one_verb)
{
  static const FarHandler mine[] = { { "GET", "status", .verb = "hold" }, { NULL } };
  static const FarHandler *const tables[] = { mine, NULL };
  g_autofree char *text = NULL, *own = NULL;

  write_file (plugins, "two.yaml",
              "farwatch: 1\nnode: {id: t1}\nservices:\n  one: {type: echo}\n  two: {type: clash}\n", -1);
  ck_assert_int_eq (g_chdir (plugins), 0);
  ck_assert_ptr_null (load ("two.yaml", &text));
  ck_assert_msg (strstr (text,
                         "two.yaml:5:3: error: services.two answers the verb hold, as services.one does, "
                         "and a message goes to one only: take one of the two out, or run it as a daemon "
                         "with its own profile\n") != NULL,
                 "%s", text);
  write_file (plugins, "one.yaml", "farwatch: 1\nnode: {id: t1}\nservices:\n  one: {type: echo}\n", -1);
  far_profile_set_own_requests (tables);
  ck_assert_ptr_null (load ("one.yaml", &own));
  far_profile_set_own_requests (NULL);
  ck_assert_msg (strstr (own, "one.yaml:4:3: error: services.one answers the verb hold, which each node "
                              "answers itself: its plugin must name that otherwise; take it out\n") != NULL,
                 "%s", own);
}
END_TEST

/* ---- what older profiles say otherwise ---- */

static char *
effective_text (const FarProfile *profile, const char *key, const char *word)
{
  json_t *all = far_profile_effective (profile);
  char *text = g_strdup (json_string_value (json_object_get (json_object_get (all, key), word)));

  json_decref (all);
  return text;
}

#define ck_assert_effective(profile, key, word, wanted)                                                      \
  do {                                                                                                       \
    g_autofree char *effective_ = effective_text ((profile), (key), (word));                                 \
    ck_assert_str_eq (effective_, (wanted));                                                                 \
  } while (0)

/* The file split.yaml has what it says, split.err the warnings. */
START_TEST (a_part_of_a_type_that_was_split_runs_from_an_older_profile)
{
  g_autofree char *text = NULL;
  g_autoptr (FarProfile) profile = load ("split.yaml", &text);

  ck_assert_msg (profile != NULL, "%s", text);
  ck_assert_str_eq (far_profile_find (profile, "services.part")->type_name, "part");
  ck_assert_effective (profile, "services.part.colour", "value", "deep red, or so");
  ck_assert_effective (profile, "services.part.colour", "origin", "split.yaml:7");
  ck_assert_effective (profile, "services.part.folder", "origin", "split.yaml:6");
  ck_assert_effective (profile, "services.whole.folder", "origin", "split.yaml:6");
  ck_assert_uint_eq (g_strv_length (profile->former), 1);
  ck_assert (g_str_has_prefix (profile->former[0], "split.yaml:4: service 'whole' (type whole): "));
}
END_TEST

START_TEST (todays_form_of_a_split_is_not_warned_of)
{
  g_autoptr (FarProfile) profile = load_good (
      "services:\n  all: {type: whole, folder: data}\n  rest: {type: part, colour: red}\n");

  ck_assert_ptr_nonnull (far_profile_find (profile, "services.rest"));
  ck_assert_ptr_null (far_profile_find (profile, "services.part"));
  ck_assert_uint_eq (g_strv_length (profile->former), 0);
}
END_TEST

/* A drop-in of before beside the profile of today, whichever stands first. */
START_TEST (an_option_that_moved_goes_to_the_new_type)
{
  g_autofree char *text = NULL, *path = g_build_filename (plugins, "moved.yaml", NULL);
  g_autoptr (FarProfile) profile = NULL;

  write_file (
      plugins, "moved.yaml",
      "farwatch: 1\nnode: {id: t1}\nservices:\n  rest: {type: part}\n  all: {type: whole, colour: red}\n",
      -1);
  profile = load (path, &text);
  ck_assert_msg (profile != NULL, "%s", text);
  ck_assert_effective (profile, "services.rest.colour", "value", "red");
  ck_assert_str_eq (*(char *const *) far_profile_find (profile, "services.rest")->options, "red");
  ck_assert_msg (strstr (text,
                         ":5:22: warning: 'colour' in service 'all' (type whole) is an option of type part "
                         "now, and was given to services.rest: write it there") != NULL,
                 "%s", text);
}
END_TEST

/* The old form cannot go on without the code that did it. */
START_TEST (a_part_that_is_not_installed_names_its_package)
{
  g_autofree char *text = NULL, *link = g_build_filename (plugins, "service-part.so", NULL);

  ck_assert_int_eq (g_unlink (link), 0);
  far_loader_scan ();
  ck_assert_ptr_null (load ("split.yaml", &text));
  ck_assert_msg (strstr (text, "split.yaml:4:3: error: service type 'part' is not installed") != NULL &&
                     strstr (text, "install the package farwatch-plugin-service-part") != NULL &&
                     strstr (text, "a part of service 'whole' (type whole) is that type now") != NULL,
                 "%s", text);
}
END_TEST

/* In its own words that profile has a service 'part' already, of another type. */
START_TEST (a_part_whose_name_is_taken_gets_another)
{
  g_autofree char *text = NULL;
  g_autoptr (FarProfile) profile = NULL;

  write_file (plugins, "taken.yaml",
              "farwatch: 1\nnode: {id: t1}\nservices:\n  part: {type: echo}\n  all: {type: whole}\n", -1);
  ck_assert_int_eq (g_chdir (plugins), 0);
  profile = load ("taken.yaml", &text);
  ck_assert_msg (profile != NULL, "%s", text);
  ck_assert_str_eq (far_profile_find (profile, "services.part-2")->type_name, "part");
  ck_assert_msg (strstr (text, "`part-2: {type: part}`") != NULL, "%s", text);
}
END_TEST

START_TEST (a_key_that_was_renamed_is_read_under_its_old_name)
{
  g_autofree char *text = NULL;
  g_autoptr (FarProfile) profile = load ("deprecated.yaml", &text);

  ck_assert_msg (profile != NULL, "%s", text);
  ck_assert_effective (profile, "sensors.boiler.word", "value", "red");
  ck_assert_effective (profile, "sensors.boiler.word", "origin", "deprecated.yaml:6");
  ck_assert_uint_eq (g_strv_length (profile->former), 2);
}
END_TEST

START_TEST (faults_as_json_have_their_place)
{
  g_autoptr (GPtrArray) faults = far_faults_new ();
  json_t *list, *row;

  ck_assert (!far_profile_check ("unknown-key.yaml", faults));
  list = far_faults_json (faults);
  row = json_array_get (list, 0);
  ck_assert_int_eq (json_integer_value (json_object_get (row, "line")), 6);
  ck_assert_int_eq (json_integer_value (json_object_get (row, "column")), 5);
  ck_assert_str_eq (json_string_value (json_object_get (row, "severity")), "error");
  json_decref (list);
}
END_TEST

/* ---- options that several services must have alike ---- */

#define SAME_HEAD "farwatch: 1\nnode: {id: t1, state: /var/lib/t1}\nservices:\n"

static char *
told (const char *services, gboolean good)
{
  g_autofree char *whole = g_strconcat (SAME_HEAD, services, NULL);
  char *text = NULL;
  FarProfile *profile;

  write_file (plugins, "same.yaml", whole, -1);
  ck_assert_int_eq (g_chdir (plugins), 0);
  profile = load ("same.yaml", &text);
  ck_assert_msg ((profile != NULL) == good, "%s", text);
  g_clear_pointer (&profile, far_profile_unref);
  return text;
}

START_TEST (options_of_services_that_must_agree)
{
  g_autofree char *other = told ("  one: {type: pair, door: a}\n  two:\n    type: pair\n    door: b\n",
                                 FALSE),
                  *same = told ("  one: {type: pair, door: a}\n  two: {type: pair, door: a}\n", TRUE),
                  *none = told ("  one: {type: pair}\n  two: {type: pair, door: a}\n", TRUE);

  ck_assert_msg (strstr (other,
                         "same.yaml:7:11: error: 'door' is 'b' in services.two, and 'a' in services.one "
                         "(same.yaml:4): write the same in both\n") != NULL,
                 "%s", other);
  ck_assert_ptr_null (strstr (same, "door"));
  ck_assert_ptr_null (strstr (none, "door"));
}
END_TEST

/* A difference may be meant; a default is a value too, and one folder can be written in two ways. */
START_TEST (options_of_services_that_mostly_agree)
{
  g_autofree char *other = told ("  one: {type: pair}\n  two: {type: pair, keys: other}\n", TRUE),
                  *same = told ("  one: {type: pair}\n  two: {type: pair, keys: /var/lib/t1/keys}\n", TRUE);

  ck_assert_msg (
      strstr (other,
              "same.yaml:5:27: warning: 'keys' is '/var/lib/t1/other' in services.two, and "
              "'/var/lib/t1/keys' in services.one (same.yaml:4): write the same in both, unless") != NULL,
      "%s", other);
  ck_assert_ptr_null (strstr (same, "keys"));
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("profile");
  TCase *tcase = tcase_create ("profile");

  g_setenv ("LC_ALL", "C", TRUE);
  tcase_add_checked_fixture (tcase, set_up, tear_down);
  tcase_set_timeout (tcase, 60);
  tcase_add_test (tcase, bad_profiles_are_told_as_written_down);
  tcase_add_test (tcase, two_mebibytes_are_refused);
  tcase_add_test (tcase, too_many_values_are_refused);
  tcase_add_test (tcase, no_file_is_told);
  tcase_add_test (tcase, a_device_is_not_read_for_ever);
  tcase_add_test (tcase, what_is_referred_to_starts_first);
  tcase_add_test (tcase, values_come_typed_and_with_their_origin);
  tcase_add_test (tcase, an_empty_section_says_nothing);
  tcase_add_test (tcase, devices_and_rights_are_read);
  tcase_add_test (tcase, an_address_is_left_to_its_endpoints_type);
  tcase_add_test (tcase, a_missing_type_names_its_package);
  tcase_add_test (tcase, a_type_describes_itself);
  tcase_add_test (tcase, a_service_may_not_answer_for_the_node);
  tcase_add_test (tcase, two_handlers_of_one_verb);
  tcase_add_test (tcase, options_of_services_that_must_agree);
  tcase_add_test (tcase, options_of_services_that_mostly_agree);
  tcase_add_test (tcase, a_part_of_a_type_that_was_split_runs_from_an_older_profile);
  tcase_add_test (tcase, todays_form_of_a_split_is_not_warned_of);
  tcase_add_test (tcase, an_option_that_moved_goes_to_the_new_type);
  tcase_add_test (tcase, a_part_that_is_not_installed_names_its_package);
  tcase_add_test (tcase, a_part_whose_name_is_taken_gets_another);
  tcase_add_test (tcase, a_key_that_was_renamed_is_read_under_its_old_name);
  tcase_add_test (tcase, faults_as_json_have_their_place);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
