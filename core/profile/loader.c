/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file finds the installed plugins by their notes, keeps their list, and loads one at the first use
 * of a type that it has. A loaded plugin stays loaded. Whether one may be loaded is decided in
 * plugin-validate.c. */
#include "config.h"

#include "profile/loader.h"

#include <stdlib.h>
#include <string.h>

#include "profile/plugin-validate.h"

static struct {
  GPtrArray *plugins; /* FarPlugin *, by file name */
} loader;

static void
plugin_free (FarPlugin *plugin)
{
  g_free (plugin->path);
  g_free (plugin->file);
  g_clear_pointer (&plugin->note, far_elf_note_free);
  g_clear_error (&plugin->error);
  g_free (plugin);
}

GStrv
far_loader_dirs (void)
{
  const char *dirs = secure_getenv ("FARWATCH_PLUGIN_DIR");

  return g_strsplit (dirs != NULL && *dirs != '\0' ? dirs : FAR_PLUGIN_DIR, ":", -1);
}

static FarPlugin *
plugin_by_file (GPtrArray *plugins, const char *file)
{
  for (guint i = 0; i < plugins->len; i++)
    if (g_str_equal (((FarPlugin *) plugins->pdata[i])->file, file))
      return plugins->pdata[i];
  return NULL;
}

static FarPlugin *
plugin_new (const char *path, const char *file)
{
  FarPlugin *plugin = g_new0 (FarPlugin, 1);

  plugin->path = g_strdup (path);
  plugin->file = g_strdup (file);
  plugin->note = far_elf_note_read (path, &plugin->error);
  if (plugin->note != NULL)
    far_plugin_validate_note (plugin);
  return plugin;
}

/* The first folder that has a file of that name wins; one that is loaded stays, whatever the file is now. */
static void
scan_file (const char *path, GPtrArray *old, GPtrArray *found)
{
  g_autofree char *real = realpath (path, NULL); /* NULL: a dangling link */
  g_autofree char *file = g_path_get_basename (real != NULL ? real : path);
  FarPlugin *known;

  if (g_str_has_suffix (file, ".so"))
    file[strlen (file) - 3] = '\0';
  if (plugin_by_file (found, file) != NULL)
    return;
  known = old != NULL ? plugin_by_file (old, file) : NULL;
  if (known != NULL && known->info != NULL)
    g_ptr_array_add (found, g_ptr_array_remove (old, known) ? known : NULL);
  else
    g_ptr_array_add (found, plugin_new (path, file));
}

static void
scan_dir (const char *name, GPtrArray *old, GPtrArray *found)
{
  g_autoptr (GDir) dir = g_dir_open (name, 0, NULL);
  const char *entry;

  while (dir != NULL && (entry = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_build_filename (name, entry, NULL);

    if (g_str_has_suffix (entry, ".so"))
      scan_file (path, old, found);
  }
}

static int
plugin_compare (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(FarPlugin *const *) a)->file, (*(FarPlugin *const *) b)->file);
}

void
far_loader_scan (void)
{
  g_auto (GStrv) dirs = far_loader_dirs ();
  g_autoptr (GPtrArray) old = g_steal_pointer (&loader.plugins);
  GPtrArray *found = g_ptr_array_new_with_free_func ((GDestroyNotify) plugin_free);

  if (old != NULL)
    g_ptr_array_set_free_func (old, NULL);
  for (guint i = 0; dirs[i] != NULL; i++)
    scan_dir (dirs[i], old, found);
  for (guint i = 0; old != NULL && i < old->len; i++) {
    FarPlugin *plugin = old->pdata[i];

    if (plugin->info != NULL)
      g_ptr_array_add (found, plugin); /* its file has gone, its code has not */
    else
      plugin_free (plugin);
  }
  g_ptr_array_sort (found, plugin_compare);
  loader.plugins = found;
}

GPtrArray *
far_loader_plugins (void)
{
  if (loader.plugins == NULL)
    far_loader_scan ();
  return loader.plugins;
}

char *
far_loader_package (FarKind kind, const char *name)
{
  const FarPlugin *plugin = far_loader_find (kind, name);

  if (plugin != NULL)
    return g_strconcat ("farwatch-plugin-", plugin->note->name, NULL);
  return g_strconcat ("farwatch-plugin-", far_kind_name (kind), "-", name, NULL);
}

static gboolean
loader_holds (const FarPlugin *plugin, const char *type)
{
  return plugin->note != NULL && g_strv_contains ((const char *const *) plugin->note->types, type);
}

/* By the note: a good one before one that was judged bad, such as a copy under another name. A file whose
 * note cannot be read goes by its name. */
static const FarPlugin *
plugin_for (FarKind kind, const char *name)
{
  GPtrArray *plugins = far_loader_plugins ();
  g_autofree char *type = g_strconcat (far_kind_name (kind), "/", name, NULL);
  g_autofree char *file = g_strconcat (far_kind_name (kind), "-", name, NULL);
  const FarPlugin *bad = NULL, *named;

  for (guint i = 0; i < plugins->len; i++) {
    const FarPlugin *plugin = plugins->pdata[i];

    if (!loader_holds (plugin, type))
      continue;
    if (plugin->error == NULL)
      return plugin;
    if (bad == NULL || g_str_equal (plugin->file, plugin->note->name))
      bad = plugin;
  }
  named = plugin_by_file (plugins, file);
  return bad == NULL && named != NULL && named->note == NULL ? named : bad;
}

const FarPlugin *
far_loader_find (FarKind kind, const char *name)
{
  const FarPlugin *plugin = plugin_for (kind, name);

  return plugin != NULL && plugin->note != NULL ? plugin : NULL;
}

GPtrArray *
far_loader_types (FarKind kind)
{
  GPtrArray *plugins = far_loader_plugins (), *types = g_ptr_array_new ();
  g_autofree char *prefix = g_strconcat (far_kind_name (kind), "/", NULL);

  for (guint i = 0; i < plugins->len; i++) {
    const FarPlugin *plugin = plugins->pdata[i];

    for (guint j = 0; plugin->note != NULL && plugin->note->types[j] != NULL; j++)
      if (g_str_has_prefix (plugin->note->types[j], prefix))
        g_ptr_array_add (types, plugin->note->types[j] + strlen (prefix));
  }
  return types;
}

static gboolean
matches (const char *const *globs, const char *name)
{
  for (guint i = 0; globs != NULL && globs[i] != NULL; i++)
    if (g_pattern_match_simple (globs[i], name))
      return TRUE;
  return FALSE;
}

static gboolean
allowed (const FarLoaderRules *rules, const char *name)
{
  if (rules == NULL)
    return TRUE;
  if (matches ((const char *const *) rules->deny, name))
    return FALSE;
  return rules->allow == NULL || rules->allow[0] == NULL ||
         matches ((const char *const *) rules->allow, name);
}

static void
set_unusable (FarKind kind, const char *name, const FarPlugin *plugin, GError **error)
{
  g_autofree char *package = far_loader_package (kind, name);

  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
               _ ("%s type '%s' cannot be used: %s: %s; install the package %s again or one that fits"),
               far_kind_name (kind), name, plugin->path, plugin->error->message, package);
}

static const FarType *
type_in (const FarPlugin *plugin, FarKind kind, const char *name, GError **error)
{
  for (guint i = 0; plugin->info->types[i] != NULL; i++)
    if (plugin->info->types[i]->kind == kind && g_str_equal (plugin->info->types[i]->name, name))
      return plugin->info->types[i];
  far_plugin_validate_absent (kind, name, error);
  return NULL;
}

const FarType *
far_loader_type (FarKind kind, const char *name, const FarLoaderRules *rules, GError **error)
{
  FarPlugin *plugin = (FarPlugin *) plugin_for (kind, name);

  if (plugin == NULL) {
    far_plugin_validate_absent (kind, name, error);
    return NULL;
  }
  if (!allowed (rules, plugin->file)) {
    g_set_error (
        error, FAR_ERROR, FAR_ERROR_CONFIG,
        _ ("%s type '%s' comes from the plugin %s, which this profile's plugins: rules do not let in"),
        far_kind_name (kind), name, plugin->file);
    return NULL;
  }
  if (plugin->error == NULL && plugin->info == NULL)
    plugin->info = far_plugin_validate_load (plugin->path, plugin->note, &plugin->error);
  if (plugin->error != NULL) {
    set_unusable (kind, name, plugin, error);
    return NULL;
  }
  return type_in (plugin, kind, name, error);
}

static json_t *
plugin_json (const FarPlugin *plugin)
{
  json_t *row = json_pack ("{s:s, s:s, s:s}", "name", plugin->file, "path", plugin->path, "state",
                           plugin->error != NULL  ? "bad"
                           : plugin->info != NULL ? "loaded"
                                                  : "found");
  json_t *types = json_array ();

  for (guint i = 0; plugin->note != NULL && plugin->note->types[i] != NULL; i++)
    json_array_append_new (types, json_string (plugin->note->types[i]));
  json_object_set_new (row, "types", types);
  if (plugin->note != NULL) {
    json_object_set_new (row, "abi", json_integer (plugin->note->abi));
    json_object_set_new (row, "libs", json_string (plugin->note->libs));
  }
  if (plugin->info != NULL)
    json_object_update_new (row, json_pack ("{s:s?, s:s?}", "version", plugin->info->version, "license",
                                            plugin->info->license));
  if (plugin->error != NULL)
    json_object_set_new (row, "cause", json_string (plugin->error->message));
  return row;
}

json_t *
far_loader_json (void)
{
  GPtrArray *plugins = far_loader_plugins ();
  json_t *list = json_array ();

  for (guint i = 0; i < plugins->len; i++)
    json_array_append_new (list, plugin_json (plugins->pdata[i]));
  return list;
}
