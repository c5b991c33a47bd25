/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file brings what older profiles say otherwise into today's form: keys that were renamed, and types of
 * which a part has become a type of its own. It changes the profile's tree before the options are checked, so
 * all that follows (the difference between two profiles, what is in force and from which line) knows one form
 * only; and a reload from the older form to today's changes nothing. */
#include "config.h"

#include "profile/profile-private.h"

/* Its map, to be changed. */
static FarYaml *
map_of (const FarProfile *profile, const FarConfigured *configured)
{
  return far_yaml_get (far_profile_section (profile, far_kind_plural (configured->kind)), configured->name);
}

/* ---- keys ---- */

static void
former_key (const FarOption *option, FarYaml *map, const char *what, GPtrArray *faults)
{
  FarYaml *key = far_yaml_key (map, option->former), *value;

  if (key == NULL)
    return;
  if (far_yaml_get (map, option->name) == NULL) {
    far_fault_add (faults, FAR_FAULT_FORMER, key, _ ("'%s' in %s is an old name; write '%s'"), key->text,
                   what, option->name);
    g_free (key->text);
    key->text = g_strdup (option->name);
    return;
  }
  far_fault_add (faults, FAR_FAULT_ERROR, key,
                 _ ("'%s' in %s is an old name of '%s', which stands there too; take '%s' out"), key->text,
                 what, option->name, key->text);
  far_yaml_take (map, option->former, &key, &value);
  far_yaml_free (key);
  far_yaml_free (value);
}

void
far_profile_former_keys (FarProfile *profile, FarConfigured *configured, GPtrArray *faults)
{
  g_autofree char *what = far_profile_what (configured);
  const FarOption *option = configured->type->options;

  for (; option != NULL && option->type != FAR_OPT_END; option++)
    if (option->former != NULL)
      former_key (option, map_of (profile, configured), what, faults);
}

/* ---- types that were split ---- */

/* The name of the first instance of a type; NULL: there is none. */
static const char *
name_of_type (const FarYaml *section, const char *wanted)
{
  for (guint i = 0; i < section->keys->len; i++) {
    const FarYaml *type = far_yaml_get (section->items->pdata[i], "type");

    if (type != NULL && type->kind == FAR_YAML_SCALAR && g_str_equal (type->text, wanted))
      return ((const FarYaml *) section->keys->pdata[i])->text;
  }
  return NULL;
}

/* The new type is there already: what still stands here would be read by nobody. */
static void
fault_moved (const FarConfigured *configured, FarYaml *map, const FarTypeSplit *split, const char *name,
             GPtrArray *faults)
{
  g_autofree char *what = far_profile_what (configured);
  FarYaml *key, *value;

  for (guint i = 0; split->moved != NULL && split->moved[i] != NULL; i++) {
    if (!far_yaml_take (map, split->moved[i], &key, &value))
      continue;
    far_fault_add (faults, FAR_FAULT_ERROR, key,
                   _ ("'%s' in %s is an option of type %s now, which %s.%s has: write it there"), key->text,
                   what, split->type, far_kind_plural (configured->kind), name);
    far_yaml_free (key);
    far_yaml_free (value);
  }
}

/* A text at the place of a node. */
static FarYaml *
scalar_at (const FarYaml *place, const char *text)
{
  FarYaml *node = far_yaml_copy (place);

  g_free (node->text);
  node->text = g_strdup (text);
  node->plain = TRUE;
  return node;
}

/* {type: …} and what moves out of the old map, or stands in both. *out: the words of what moved. */
static FarYaml *
split_map (const FarConfigured *configured, FarYaml *map, const FarTypeSplit *split, GString *out)
{
  FarYaml *fresh = far_yaml_copy (map), *key, *value;

  g_ptr_array_set_size (fresh->keys, 0);
  g_ptr_array_set_size (fresh->items, 0);
  far_yaml_add (fresh, scalar_at (configured->key, "type"), scalar_at (configured->key, split->type));
  for (guint i = 0; split->shared != NULL && split->shared[i] != NULL; i++)
    if ((key = far_yaml_key (map, split->shared[i])) != NULL)
      far_yaml_add (fresh, far_yaml_copy (key), far_yaml_copy (far_yaml_get (map, split->shared[i])));
  for (guint i = 0; split->moved != NULL && split->moved[i] != NULL; i++) {
    if (!far_yaml_take (map, split->moved[i], &key, &value))
      continue;
    g_string_append_printf (out, "%s%s", out->len > 0 ? ", " : "", key->text);
    far_yaml_add (fresh, key, value);
  }
  return fresh;
}

static void
warn_split (const FarConfigured *configured, const char *name, const FarYaml *fresh, const char *moved,
            GPtrArray *faults)
{
  g_autofree char *what = far_profile_what (configured), *flow = far_yaml_flow (fresh);
  const char *type = far_yaml_get (fresh, "type")->text;

  if (*moved == '\0')
    far_fault_add (faults, FAR_FAULT_FORMER, configured->key,
                   _ ("%s: a part of it is type %s now, and runs as %s.%s with what stands here; write under "
                      "%s: `%s: %s`"),
                   what, type, far_kind_plural (configured->kind), name, far_kind_plural (configured->kind),
                   name, flow);
  else
    far_fault_add (faults, FAR_FAULT_FORMER, configured->key,
                   _ ("%s: a part of it is type %s now, and runs as %s.%s with what stands here; write under "
                      "%s: `%s: %s`, and take out here: %s"),
                   what, type, far_kind_plural (configured->kind), name, far_kind_plural (configured->kind),
                   name, flow, moved);
}

/* As its type; where something else is called so, with the old one's name in front. */
static char *
split_name (const FarYaml *section, const FarConfigured *configured, const char *type)
{
  return far_yaml_get (section, type) == NULL ? g_strdup (type)
                                              : g_strconcat (configured->name, "-", type, NULL);
}

static void
make_split (FarProfile *profile, const FarConfigured *configured, FarYaml *section, const FarTypeSplit *split,
            GPtrArray *faults)
{
  g_autofree char *name = split_name (section, configured, split->type);
  g_autoptr (GString) moved = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  FarYaml *fresh = split_map (configured, map_of (profile, configured), split, moved);

  if (far_loader_type (configured->kind, split->type, &profile->rules, &error) != NULL) {
    warn_split (configured, name, fresh, moved->str, faults);
    far_yaml_add (section, scalar_at (configured->key, name), fresh);
    return;
  }
  far_fault_add (faults, FAR_FAULT_ERROR, configured->key, _ ("%s; a part of %s is that type now"),
                 error->message, configured->path);
  far_yaml_free (fresh);
}

void
far_profile_former_splits (FarProfile *profile, FarConfigured *configured, GPtrArray *faults)
{
  const FarTypeSplit *split = configured->type->splits;
  FarYaml *section = far_yaml_get (profile->tree, far_kind_plural (configured->kind));

  for (; split != NULL && split->type != NULL; split++) {
    const char *name = name_of_type (section, split->type);

    if (name != NULL)
      fault_moved (configured, map_of (profile, configured), split, name, faults);
    else
      make_split (profile, configured, section, split, faults);
  }
}
