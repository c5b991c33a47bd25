/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Plugins that are good, and the many ways in which they are not. Each bad one is told with its cause, and
 * none of its code runs. */
#include "config.h"

#include "profile/loader.h"
#include "unit/core-help.h"

static char *folder;

static void
set_up (void)
{
  folder = make_folder ();
  g_setenv ("FARWATCH_PLUGIN_DIR", folder, TRUE);
}

static void
tear_down (void)
{
  remove_folder (folder);
  g_clear_pointer (&folder, g_free);
}

static const FarType *
load (const char *name, const FarLoaderRules *rules, char **message)
{
  g_autoptr (GError) error = NULL;
  const FarType *type;

  far_loader_scan ();
  type = far_loader_type (FAR_KIND_SENSOR, name, rules, &error);
  *message = error != NULL ? g_strdup (error->message) : NULL;
  return type;
}

/* Fails, and every word is in the message. */
static void
assert_refused (const char *name, const FarLoaderRules *rules, const char *const *words)
{
  g_autofree char *message = NULL;

  ck_assert_ptr_null (load (name, rules, &message));
  for (; *words != NULL; words++)
    ck_assert_msg (strstr (message, *words) != NULL, "'%s' is not in: %s", *words, message);
}

#define REFUSED(name, ...) assert_refused ((name), NULL, (const char *const[]){ __VA_ARGS__, NULL })

static GBytes *
fixture_bytes (const char *name)
{
  g_autofree char *path = fixture_path (name), *data = NULL;
  gsize size;

  ck_assert (g_file_get_contents (path, &data, &size, NULL));
  return g_bytes_new_take (g_steal_pointer (&data), size);
}

START_TEST (a_good_plugin_gives_its_types)
{
  g_autofree char *message = NULL;
  const FarType *type;
  json_t *list;

  link_fixture (folder, "sensor-probe");
  type = load ("probe", NULL, &message);
  ck_assert_msg (type != NULL, "%s", message);
  ck_assert_str_eq (type->name, "probe");
  ck_assert_ptr_nonnull (far_loader_type (FAR_KIND_STORE, "shelf", NULL, NULL));
  list = far_loader_json ();
  ck_assert_str_eq (json_string_value (json_object_get (json_array_get (list, 0), "state")), "loaded");
  ck_assert_str_eq (json_string_value (json_object_get (json_array_get (list, 0), "version")), "1.2");
  ck_assert_str_eq (json_string_value (json_object_get (json_array_get (list, 0), "license")),
                    "LGPL-2.1-or-later");
  json_decref (list);
}
END_TEST

START_TEST (types_are_known_before_anything_is_loaded)
{
  g_autoptr (GPtrArray) types = NULL;

  link_fixture (folder, "sensor-probe");
  link_fixture (folder, "sensor-nosymbol");
  far_loader_scan ();
  types = far_loader_types (FAR_KIND_SENSOR);
  ck_assert_uint_eq (types->len, 2);
  ck_assert_ptr_null (((FarPlugin *) far_loader_plugins ()->pdata[0])->info);
}
END_TEST

START_TEST (what_is_not_there_names_its_package)
{
  REFUSED ("modbus", "sensor type 'modbus' is not installed", "farwatch-plugin-sensor-modbus");
}
END_TEST

START_TEST (what_is_nearly_there_is_proposed)
{
  link_fixture (folder, "sensor-probe");
  REFUSED ("prope", "not installed", "did you mean 'probe'?");
}
END_TEST

/* A plugin's file is called like what is asked for, and holds something else. */
START_TEST (a_plugin_without_the_type_is_told_with_what_it_holds)
{
  link_fixture (folder, "sensor-number");
  REFUSED ("number", "sensor type 'number' is not installed",
           "plugin sensor-number is, and holds: sensor/number-file");
}
END_TEST

START_TEST (a_plugin_has_its_authors_licence)
{
  g_autofree char *message = NULL;
  json_t *list;

  link_fixture (folder, "sensor-number");
  ck_assert_ptr_nonnull (load ("number-file", NULL, &message));
  list = far_loader_json ();
  ck_assert_str_eq (json_string_value (json_object_get (json_array_get (list, 0), "license")), "MIT");
  json_decref (list);
}
END_TEST

START_TEST (a_type_of_another_kind_is_told_with_its_section)
{
  link_fixture (folder, "sensor-probe");
  REFUSED ("shelf", "'shelf' is a type of store, not of sensor", "under stores:");
}
END_TEST

START_TEST (a_misnamed_copy_leaves_the_good_one_usable)
{
  g_autoptr (GBytes) good = fixture_bytes ("sensor-probe");
  g_autofree char *message = NULL;

  link_fixture (folder, "sensor-probe");
  /* found first */
  write_file (folder, "a-copy.so", g_bytes_get_data (good, NULL), (gssize) g_bytes_get_size (good));
  ck_assert_msg (load ("probe", NULL, &message) != NULL, "%s", message);
}
END_TEST

START_TEST (another_abi_is_told_with_both_numbers)
{
  link_fixture (folder, "sensor-oldabi");
  REFUSED ("oldabi", "sensor-oldabi.so", "built for plugin ABI 7, this farwatch has 0",
           "farwatch-plugin-sensor-oldabi");
}
END_TEST

START_TEST (a_missing_symbol_is_named)
{
  link_fixture (folder, "sensor-nosymbol");
  REFUSED ("nosymbol", "undefined symbol: far_function_nobody_has", "farwatch-plugin-sensor-nosymbol");
}
END_TEST

/* The same plugin, linked against a library that is not there. */
START_TEST (a_missing_library_is_named)
{
  g_autoptr (GBytes) good = fixture_bytes ("sensor-probe");
  gsize size;
  g_autofree char *data = NULL;
  guint changed = 0;

  data = g_memdup2 (g_bytes_get_data (good, &size), g_bytes_get_size (good));
  size = g_bytes_get_size (good);
  for (gsize i = 0; i + 11 < size; i++)
    if (memcmp (data + i, "libglib-2.0", 11) == 0) {
      memcpy (data + i, "libgone", 7);
      changed++;
    }
  ck_assert_uint_ge (changed, 2); /* the note has it too */
  write_file (folder, "sensor-probe.so", data, (gssize) size);
  REFUSED ("probe", "libgone-2.0", "cannot open shared object file", "farwatch-plugin-sensor-probe");
}
END_TEST

START_TEST (a_text_is_no_plugin)
{
  write_file (folder, "sensor-text.so",
              "hello, world, this is no plugin at all, and long enough to be read as a header of one\n", -1);
  REFUSED ("text", "not a plugin: no ELF file", "farwatch-plugin-sensor-text");
}
END_TEST

START_TEST (a_library_without_a_note_is_no_plugin)
{
  const char *build = g_getenv ("FARWATCH_TEST_BUILDDIR");
  g_autofree char *library = g_build_filename (build, ".libs", "libfarwatch.so.0", NULL), *data = NULL;
  gsize size;

  ck_assert (g_file_get_contents (library, &data, &size, NULL));
  write_file (folder, "sensor-plain.so", data, (gssize) size);
  REFUSED ("plain", "not a farwatch plugin: it has no note");
}
END_TEST

START_TEST (a_plugin_that_is_cut_off_is_refused)
{
  g_autoptr (GBytes) good = fixture_bytes ("sensor-probe");
  const char *data = g_bytes_get_data (good, NULL);
  gsize size = g_bytes_get_size (good);
  const gsize cuts[] = { 0, 1, 3, 4, 17, 63, 64, 65, 200, 1000, size / 4 };

  for (guint i = 0; i < G_N_ELEMENTS (cuts); i++) {
    write_file (folder, "sensor-probe.so", data, (gssize) cuts[i]);
    REFUSED ("probe", "cannot be used");
  }
}
END_TEST

START_TEST (a_file_of_another_machine_is_refused)
{
  g_autoptr (GBytes) good = fixture_bytes ("sensor-probe");
  g_autofree char *data = g_memdup2 (g_bytes_get_data (good, NULL), g_bytes_get_size (good));

  data[18] ^= 0x55; /* e_machine */
  write_file (folder, "sensor-probe.so", data, (gssize) g_bytes_get_size (good));
  REFUSED ("probe", "built for another machine");
}
END_TEST

START_TEST (name_and_file_must_be_the_same)
{
  g_autoptr (GBytes) good = fixture_bytes ("sensor-probe");

  write_file (folder, "sensor-other.so", g_bytes_get_data (good, NULL), (gssize) g_bytes_get_size (good));
  REFUSED ("probe", "its name is sensor-probe, its file's name sensor-other.so");
}
END_TEST

START_TEST (note_and_table_must_be_the_same)
{
  link_fixture (folder, "sensor-twofaced");
  REFUSED ("twofaced", "its note and its table differ in its types");
}
END_TEST

START_TEST (a_dangling_link_is_told)
{
  g_autofree char *to = g_build_filename (folder, "sensor-probe.so", NULL);

  ck_assert_int_eq (symlink ("/no/such/file.so", to), 0);
  REFUSED ("probe", "cannot be read");
}
END_TEST

START_TEST (rules_keep_plugins_out)
{
  char *deny[] = { (char *) "sensor-p*", NULL }, *allow[] = { (char *) "store-*", NULL };
  FarLoaderRules denied = { .deny = deny }, others = { .allow = allow };

  link_fixture (folder, "sensor-probe");
  assert_refused ("probe", &denied, (const char *const[]){ "sensor-probe", "plugins:", NULL });
  assert_refused ("probe", &others, (const char *const[]){ "sensor-probe", "plugins:", NULL });
}
END_TEST

START_TEST (the_first_folder_wins)
{
  g_autofree char *second = make_folder (), *both = g_strconcat (folder, ":", second, NULL), *message = NULL;

  link_fixture (second, "sensor-probe");
  g_setenv ("FARWATCH_PLUGIN_DIR", both, TRUE);
  ck_assert_ptr_nonnull (load ("probe", NULL, &message));
  remove_folder (second);
}
END_TEST

START_TEST (a_repaired_plugin_is_taken_at_the_next_scan)
{
  g_autofree char *message = NULL, *path = g_build_filename (folder, "sensor-probe.so", NULL);

  write_file (folder, "sensor-probe.so", "broken", -1);
  REFUSED ("probe", "no ELF file");
  g_unlink (path);
  link_fixture (folder, "sensor-probe");
  ck_assert_ptr_nonnull (load ("probe", NULL, &message));
}
END_TEST

START_TEST (a_loaded_plugin_outlives_its_file)
{
  g_autofree char *message = NULL, *path = g_build_filename (folder, "sensor-probe.so", NULL);
  const FarType *type;

  link_fixture (folder, "sensor-probe");
  type = load ("probe", NULL, &message);
  g_unlink (path);
  g_clear_pointer (&message, g_free);
  ck_assert_ptr_eq (load ("probe", NULL, &message), type);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("loader");
  TCase *tcase = tcase_create ("loader");

  g_setenv ("LC_ALL", "C", TRUE);
  tcase_add_checked_fixture (tcase, set_up, tear_down);
  tcase_set_timeout (tcase, 30);
  tcase_add_test (tcase, a_good_plugin_gives_its_types);
  tcase_add_test (tcase, types_are_known_before_anything_is_loaded);
  tcase_add_test (tcase, what_is_not_there_names_its_package);
  tcase_add_test (tcase, what_is_nearly_there_is_proposed);
  tcase_add_test (tcase, a_plugin_without_the_type_is_told_with_what_it_holds);
  tcase_add_test (tcase, a_plugin_has_its_authors_licence);
  tcase_add_test (tcase, a_type_of_another_kind_is_told_with_its_section);
  tcase_add_test (tcase, a_misnamed_copy_leaves_the_good_one_usable);
  tcase_add_test (tcase, another_abi_is_told_with_both_numbers);
  tcase_add_test (tcase, a_missing_symbol_is_named);
  tcase_add_test (tcase, a_missing_library_is_named);
  tcase_add_test (tcase, a_text_is_no_plugin);
  tcase_add_test (tcase, a_library_without_a_note_is_no_plugin);
  tcase_add_test (tcase, a_plugin_that_is_cut_off_is_refused);
  tcase_add_test (tcase, a_file_of_another_machine_is_refused);
  tcase_add_test (tcase, name_and_file_must_be_the_same);
  tcase_add_test (tcase, note_and_table_must_be_the_same);
  tcase_add_test (tcase, a_dangling_link_is_told);
  tcase_add_test (tcase, rules_keep_plugins_out);
  tcase_add_test (tcase, the_first_folder_wins);
  tcase_add_test (tcase, a_repaired_plugin_is_taken_at_the_next_scan);
  tcase_add_test (tcase, a_loaded_plugin_outlives_its_file);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
