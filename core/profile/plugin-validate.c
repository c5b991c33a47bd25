/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file decides whether a plugin may be loaded: first by its ELF note, before any code of it runs,
 * then by comparing the note with the table behind it. It also says why a type is absent. Finding plugins
 * is loader.c. */
#include "config.h"

#include "profile/plugin-validate.h"

#include <string.h>

#include "base/suggest.h"

void
far_plugin_validate_note (FarPlugin *plugin)
{
  const FarElfNote *note = plugin->note;

  if (note->abi != FAR_ABI)
    g_set_error (&plugin->error, FAR_ERROR, FAR_ERROR_CONFIG,
                 _ ("built for plugin ABI %u, this farwatch has %u"), note->abi, FAR_ABI);
  else if (!g_str_equal (note->name, plugin->file))
    g_set_error (&plugin->error, FAR_ERROR, FAR_ERROR_CONFIG,
                 _ ("its name is %s, its file's name %s.so; the two must be the same"), note->name,
                 plugin->file);
}

static gboolean
mismatch (GError **error, const char *what, const char *in_note, const char *in_table)
{
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, _ ("its note and its table differ in %s: %s and %s"), what,
               in_note, in_table);
  return FALSE;
}

static gboolean
judge_types (const FarPluginInfo *info, const FarElfNote *note, GError **error)
{
  guint n = 0;

  for (; info->types[n] != NULL; n++) {
    const FarType *type = info->types[n];
    g_autofree char *text = g_strconcat (far_kind_name (type->kind), "/", type->name, NULL);

    if (!g_strv_contains ((const char *const *) note->types, text))
      return mismatch (error, _ ("its types"), "-", text);
  }
  for (guint i = 0; note->types[i] != NULL; i++) {
    gboolean found = FALSE;

    for (guint j = 0; j < n && !found; j++) {
      g_autofree char *text = g_strconcat (far_kind_name (info->types[j]->kind), "/", info->types[j]->name,
                                           NULL);

      found = g_str_equal (text, note->types[i]);
    }
    if (!found)
      return mismatch (error, _ ("its types"), note->types[i], "-");
  }
  return TRUE;
}

static gboolean
judge_table (const FarPluginInfo *info, const FarElfNote *note, GError **error)
{
  g_autofree char *noted = g_strdup_printf ("%u", note->abi), *abi = g_strdup_printf ("%u", info->abi);

  if (info->struct_size < sizeof *info) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, _ ("its table has %u bytes, %u are needed"),
                 info->struct_size, (guint) sizeof *info);
    return FALSE;
  }
  if (info->abi != note->abi)
    return mismatch (error, _ ("the ABI"), noted, abi);
  if (g_strcmp0 (info->name, note->name) != 0)
    return mismatch (error, _ ("the name"), note->name, info->name);
  return judge_types (info, note, error);
}

/* The linker's text starts with the path, which the caller tells as well. */
static const char *
linker_text (const char *path)
{
  const char *text = g_module_error ();

  if (text != NULL && g_str_has_prefix (text, path) && g_str_has_prefix (text + strlen (path), ": "))
    return text + strlen (path) + 2;
  return text != NULL ? text : "";
}

const FarPluginInfo *
far_plugin_validate_load (const char *path, const FarElfNote *note, GError **error)
{
  GModule *module = g_module_open (path, G_MODULE_BIND_LOCAL);
  gpointer symbol = NULL;

  if (module == NULL) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, _ ("does not load: %s"), linker_text (path));
    return NULL;
  }
  g_module_make_resident (module);
  if (!g_module_symbol (module, "far_plugin_info", &symbol) || symbol == NULL) {
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_CONFIG, _ ("not a farwatch plugin: it has no table"));
    return NULL;
  }
  return judge_table (symbol, note, error) ? symbol : NULL;
}

/* ---- types that no plugin has ---- */

static FarKind
kind_that_has (const char *name)
{
  for (guint kind = 1; kind < FAR_N_KINDS; kind++)
    if (far_loader_find (kind, name) != NULL)
      return (FarKind) kind;
  return 0;
}

static const FarPlugin *
plugin_named (const char *name)
{
  GPtrArray *plugins = far_loader_plugins ();

  for (guint i = 0; i < plugins->len; i++)
    if (g_str_equal (((const FarPlugin *) plugins->pdata[i])->file, name))
      return plugins->pdata[i];
  return NULL;
}

void
far_plugin_validate_absent (FarKind kind, const char *name, GError **error)
{
  g_autoptr (GPtrArray) types = far_loader_types (kind);
  g_autofree char *file = g_strconcat (far_kind_name (kind), "-", name, NULL);
  const FarPlugin *plugin = plugin_named (file);
  FarKind other = kind_that_has (name);
  const char *near = far_suggest (name, types);
  g_autofree char *held = plugin != NULL && plugin->note != NULL ? g_strjoinv (", ", plugin->note->types)
                                                                 : NULL;

  if (other != 0)
    g_set_error (error, FAR_ERROR, FAR_ERROR_NOT_FOUND,
                 _ ("'%s' is a type of %s, not of %s; it stands under %s:"), name, far_kind_name (other),
                 far_kind_name (kind), far_kind_plural (other));
  else if (held != NULL)
    g_set_error (error, FAR_ERROR, FAR_ERROR_NOT_FOUND,
                 _ ("%s type '%s' is not installed; the plugin %s is, and holds: %s"), far_kind_name (kind),
                 name, file, held);
  else if (near != NULL)
    g_set_error (
        error, FAR_ERROR, FAR_ERROR_NOT_FOUND,
        _ ("%s type '%s' is not installed; did you mean '%s'? else install the package farwatch-plugin-%s"),
        far_kind_name (kind), name, near, file);
  else
    g_set_error (error, FAR_ERROR, FAR_ERROR_NOT_FOUND,
                 _ ("%s type '%s' is not installed; install the package farwatch-plugin-%s"),
                 far_kind_name (kind), name, file);
}
