/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every plugin that was built: it loads, its note is its table, its option tables hold what they promise. */
#include "config.h"

#include "profile/loader.h"
#include "profile/option-check.h"
#include "unit/core-help.h"

static void
check_option (const FarType *type, const FarOption *option)
{
  const char *where = option->name;

  ck_assert_msg (option->offset < type->options_size, "%s: outside its struct", where);
  ck_assert_msg (option->summary != NULL && *option->summary != '\0', "%s: no summary", where);
  ck_assert_msg (g_ascii_islower (option->summary[0]) || g_ascii_isupper (option->summary[1]) ||
                     !g_ascii_isalpha (option->summary[0]),
                 "%s: a summary begins lower case: %s", where, option->summary);
  ck_assert_msg ((option->type == FAR_OPT_CHOICE || (option->flags & FAR_OPT_URL)) ==
                     (option->choices != NULL),
                 "%s: choices", where);
  ck_assert_msg ((option->type == FAR_OPT_REF || option->type == FAR_OPT_REFS) == (option->ref_kind != 0),
                 "%s: ref_kind", where);
  ck_assert_msg (option->min <= option->max, "%s: bounds", where);
  ck_assert_msg (!(option->flags & FAR_OPT_REQUIRED) || option->fallback == NULL,
                 "%s: required and with a default", where);
  for (const FarOption *other = type->options; other != option; other++)
    ck_assert_msg (!g_str_equal (other->name, option->name), "%s: twice", where);
}

/* The defaults are read as an admin's values would be. */
static void
check_defaults (const FarType *type)
{
  g_autoptr (GPtrArray) faults = far_faults_new ();
  FarCheck check = { .what = type->name, .state_dir = "/nowhere", .faults = faults };
  gconstpointer options = far_options_check (type->options, type->options_size, NULL, &check);

  for (guint i = 0; i < faults->len; i++) {
    const FarFault *fault = faults->pdata[i];

    ck_assert_msg (strstr (fault->message, "lacks the key") != NULL, "%s", fault->message);
  }
  far_options_unref (options);
}

static void
check_type (const FarType *type)
{
  const FarOption *interval = NULL;

  ck_assert_msg (type->summary != NULL && *type->summary != '\0', "%s: no summary", type->name);
  ck_assert_msg (type->options != NULL, "%s: no options; a table of FAR_OPT_END alone says so", type->name);
  for (const FarOption *option = type->options; option->type != FAR_OPT_END; option++) {
    check_option (type, option);
    interval = g_str_equal (option->name, "interval") ? option : interval;
  }
  if (type->kind == FAR_KIND_SENSOR && ((const FarSensorType *) type)->sample != NULL)
    ck_assert_msg (interval != NULL, "%s: a sensor that is read has FAR_SENSOR_OPTIONS", type->name);
  check_defaults (type);
}

START_TEST (every_plugin_keeps_its_word)
{
  GPtrArray *plugins = far_loader_plugins ();

  for (guint i = 0; i < plugins->len; i++) { /* none in a build without plugins */
    const FarPlugin *plugin = plugins->pdata[i];

    ck_assert_msg (plugin->error == NULL, "%s: %s", plugin->path,
                   plugin->error != NULL ? plugin->error->message : "");
    for (guint j = 0; plugin->note->types[j] != NULL; j++) {
      g_auto (GStrv) parts = g_strsplit (plugin->note->types[j], "/", 2);
      g_autoptr (GError) error = NULL;
      const FarType *type = far_loader_type (far_kind_parse (parts[0]), parts[1], NULL, &error);

      ck_assert_msg (type != NULL, "%s: %s", plugin->path, error != NULL ? error->message : "");
      check_type (type);
    }
  }
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("tables");
  TCase *tcase = tcase_create ("tables");

  /* With the libraries of all plugins in a child of fork() LeakSanitizer does not see its stack ("was not
   * suspended"), and takes what hangs on that for lost. */
  g_setenv ("CK_FORK", "no", TRUE);
  tcase_set_timeout (tcase, 30);
  tcase_add_test (tcase, every_plugin_keeps_its_word);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
