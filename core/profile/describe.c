/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file writes option tables and a profile in force as JSON, for farctl: what may be configured, and
 * what is in force with where each value came from. */
#include "config.h"

#include "profile/profile.h"

#include "profile/option-check.h"

static const char *const type_names[] = {
  [FAR_OPT_BOOL] = "bool",       [FAR_OPT_INT] = "int",       [FAR_OPT_DOUBLE] = "double",
  [FAR_OPT_STRING] = "string",   [FAR_OPT_CHOICE] = "choice", [FAR_OPT_DURATION] = "duration",
  [FAR_OPT_SIZE] = "size",       [FAR_OPT_PATH] = "path",     [FAR_OPT_ADDRESS] = "address",
  [FAR_OPT_SECRET] = "secret",   [FAR_OPT_LIST] = "list",     [FAR_OPT_REF] = "reference",
  [FAR_OPT_REFS] = "references", [FAR_OPT_RANGE] = "range",
};

static void
add_bounds (json_t *row, const FarOption *option)
{
  gboolean duration = option->type == FAR_OPT_DURATION;
  g_autofree char *low = far_format_duration (option->min), *high = far_format_duration (option->max);

  if (option->min == 0 && option->max == 0)
    return;
  json_object_set_new (row, "min", duration ? json_string (low) : json_integer (option->min));
  json_object_set_new (row, "max", duration ? json_string (high) : json_integer (option->max));
}

static json_t *
option_json (const FarOption *option)
{
  json_t *row = json_pack ("{s:s, s:s, s:b, s:b, s:s}", "name", option->name, "type",
                           type_names[option->type], "required", (option->flags & FAR_OPT_REQUIRED) != 0,
                           "reloadable", (option->flags & FAR_OPT_RELOADABLE) != 0, "summary",
                           option->summary != NULL ? _ (option->summary) : "");
  json_t *choices = json_array ();

  if (option->fallback != NULL)
    json_object_set_new (row, "default", json_string (option->fallback));
  if (option->flags & FAR_OPT_DEPRECATED)
    json_object_set_new (row, "deprecated", json_true ());
  if (option->former != NULL)
    json_object_set_new (row, "former", json_string (option->former));
  if (option->ref_kind != 0)
    json_object_set_new (row, "kind", json_string (far_kind_name (option->ref_kind)));
  for (guint i = 0; option->choices != NULL && option->choices[i] != NULL; i++)
    json_array_append_new (choices, json_string (option->choices[i]));
  if (option->choices != NULL)
    json_object_set (row, "choices", choices);
  json_decref (choices);
  add_bounds (row, option);
  return row;
}

json_t *
far_type_json (const FarType *type)
{
  const FarPlugin *plugin = far_loader_find (type->kind, type->name);
  json_t *options = json_array ();

  for (const FarOption *option = type->options; option != NULL && option->type != FAR_OPT_END; option++)
    json_array_append_new (options, option_json (option));
  return json_pack ("{s:s, s:s, s:s, s:s, s:s, s:o}", "kind", far_kind_name (type->kind), "type", type->name,
                    "summary", type->summary != NULL ? _ (type->summary) : "", "plugin",
                    plugin != NULL ? plugin->file : "", "version",
                    plugin != NULL && plugin->info != NULL ? plugin->info->version : "", "options", options);
}

static json_t *
describe_value_json (const FarYaml *value)
{
  json_t *list;

  if (value->kind == FAR_YAML_SCALAR)
    return json_string (value->text);
  list = json_array ();
  for (guint i = 0; value->kind == FAR_YAML_LIST && i < value->items->len; i++)
    json_array_append_new (list, describe_value_json (value->items->pdata[i]));
  return list;
}

static void
add_effective (json_t *all, const FarConfigured *configured, const char *key, json_t *value,
               const char *origin)
{
  g_autofree char *name = g_strconcat (configured->path, ".", key, NULL);

  json_object_set_new (all, name, json_pack ("{s:o, s:s}", "value", value, "origin", origin));
}

static void
add_instance (json_t *all, const FarConfigured *configured)
{
  for (guint i = 0; i < configured->map->keys->len; i++) {
    const FarYaml *key = configured->map->keys->pdata[i];
    g_autofree char *origin = far_yaml_place (key);

    add_effective (all, configured, key->text, describe_value_json (configured->map->items->pdata[i]),
                   origin);
  }
  if (configured->type == NULL)
    return;
  for (const FarOption *option = configured->type->options; option != NULL && option->type != FAR_OPT_END;
       option++)
    if (option->fallback != NULL && far_yaml_get (configured->map, option->name) == NULL)
      add_effective (all, configured, option->name, json_string (option->fallback), "default");
}

json_t *
far_profile_effective (const FarProfile *profile)
{
  json_t *all = json_object ();

  for (guint i = 0; i < profile->instances->len; i++)
    add_instance (all, profile->instances->pdata[i]);
  return all;
}
