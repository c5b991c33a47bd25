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
  g_autofree char *what = far_profile_what (configured->kind, configured->name, configured->type_name);
  const FarOption *option = configured->type->options;

  for (; option != NULL && option->type != FAR_OPT_END; option++)
    if (option->former != NULL)
      former_key (option, map_of (profile, configured), what, faults);
}

/* ---- types that were split ---- */

/* An instance of a type of which a part has become a type of its own. */
typedef struct {
  const FarProfile *profile;
  FarKind kind;
  FarYaml *section, *key, *map; /* of its kind; its own */
  char *what;
  GPtrArray *faults;
} SplitOld;

/* The first instance of a type; FALSE: there is none. */
static gboolean
find_type (const FarYaml *section, const char *wanted, const FarYaml **key, FarYaml **map)
{
  for (guint i = 0; i < section->keys->len; i++) {
    const FarYaml *type = far_yaml_get (section->items->pdata[i], "type");

    if (type == NULL || type->kind != FAR_YAML_SCALAR || !g_str_equal (type->text, wanted))
      continue;
    *key = section->keys->pdata[i];
    *map = section->items->pdata[i];
    return TRUE;
  }
  return FALSE;
}

/* The new type is there already: what still stands at the old one goes there, unless it stands there, too. */
static void
move_key (const SplitOld *old, const char *name, const FarTypeSplit *split, const FarYaml *to, FarYaml *map)
{
  const char *plural = far_kind_plural (old->kind);
  FarYaml *key, *value;

  if (!far_yaml_take (old->map, name, &key, &value))
    return;
  if (far_yaml_get (map, name) == NULL) {
    far_fault_add (old->faults, FAR_FAULT_FORMER, key,
                   _ ("'%s' in %s is an option of type %s now, and was given to %s.%s: write it there"), name,
                   old->what, split->type, plural, to->text);
    far_yaml_add (map, key, value);
    return;
  }
  far_fault_add (old->faults, FAR_FAULT_ERROR, key,
                 _ ("'%s' in %s is an option of type %s now, and %s.%s has it, too: take it out here"), name,
                 old->what, split->type, plural, to->text);
  far_yaml_free (key);
  far_yaml_free (value);
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
split_map (const SplitOld *old, const FarTypeSplit *split, GString *out)
{
  FarYaml *fresh = far_yaml_copy (old->map), *key, *value;

  g_ptr_array_set_size (fresh->keys, 0);
  g_ptr_array_set_size (fresh->items, 0);
  far_yaml_add (fresh, scalar_at (old->key, "type"), scalar_at (old->key, split->type));
  for (guint i = 0; split->shared != NULL && split->shared[i] != NULL; i++)
    if ((key = far_yaml_key (old->map, split->shared[i])) != NULL)
      far_yaml_add (fresh, far_yaml_copy (key), far_yaml_copy (far_yaml_get (old->map, split->shared[i])));
  for (guint i = 0; split->moved != NULL && split->moved[i] != NULL; i++) {
    if (!far_yaml_take (old->map, split->moved[i], &key, &value))
      continue;
    g_string_append_printf (out, "%s%s", out->len > 0 ? ", " : "", key->text);
    far_yaml_add (fresh, key, value);
  }
  return fresh;
}

static void
warn_split (const SplitOld *old, const char *name, const FarYaml *fresh, const char *moved)
{
  g_autofree char *flow = far_yaml_flow (fresh);
  const char *type = far_yaml_get (fresh, "type")->text, *plural = far_kind_plural (old->kind);

  if (*moved == '\0')
    far_fault_add (old->faults, FAR_FAULT_FORMER, old->key,
                   _ ("%s: a part of it is type %s now, and runs as %s.%s with what stands here; write under "
                      "%s: `%s: %s`"),
                   old->what, type, plural, name, plural, name, flow);
  else
    far_fault_add (old->faults, FAR_FAULT_FORMER, old->key,
                   _ ("%s: a part of it is type %s now, and runs as %s.%s with what stands here; write under "
                      "%s: `%s: %s`, and take out here: %s"),
                   old->what, type, plural, name, plural, name, flow, moved);
}

/* As its type; where something else is called so, with a number. */
static char *
split_name (const FarYaml *section, const char *type)
{
  char *name = g_strdup (type);

  for (guint i = 2; far_yaml_get (section, name) != NULL; i++) {
    g_free (name);
    name = g_strdup_printf ("%s-%u", type, i);
  }
  return name;
}

static void
make_split (const SplitOld *old, const FarTypeSplit *split)
{
  g_autofree char *name = split_name (old->section, split->type);
  g_autoptr (GString) moved = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  FarYaml *fresh = split_map (old, split, moved);

  if (far_loader_type (old->kind, split->type, &old->profile->rules, &error) != NULL) {
    warn_split (old, name, fresh, moved->str);
    far_yaml_add (old->section, scalar_at (old->key, name), fresh);
    return;
  }
  far_fault_add (old->faults, FAR_FAULT_ERROR, old->key, _ ("%s; a part of %s is that type now"),
                 error->message, old->what);
  far_yaml_free (fresh);
}

static void
former_split (const SplitOld *old, const FarTypeSplit *split)
{
  const FarYaml *key;
  FarYaml *map;

  if (!find_type (old->section, split->type, &key, &map)) {
    make_split (old, split);
    return;
  }
  for (guint i = 0; split->moved != NULL && split->moved[i] != NULL; i++)
    move_key (old, split->moved[i], split, key, map);
}

/* What was split; NULL: nothing, or the type is no good, which is told when the instance is read. One that
 * rests until it is asked for is left to that. */
static const FarTypeSplit *
splits_of (const FarProfile *profile, FarKind kind, const FarYaml *map)
{
  const FarYaml *type = far_yaml_get (map, "type"), *start = far_yaml_get (map, "start");
  const FarType *found;

  if (type == NULL || type->kind != FAR_YAML_SCALAR ||
      (start != NULL && start->kind == FAR_YAML_SCALAR && g_str_equal (start->text, "on-demand")))
    return NULL;
  found = far_loader_type (kind, type->text, &profile->rules, NULL);
  return found != NULL ? found->splits : NULL;
}

static void
former_splits_of (FarProfile *profile, FarKind kind, FarYaml *section, guint at, GPtrArray *faults)
{
  SplitOld old = {
    profile, kind, section, section->keys->pdata[at], section->items->pdata[at], NULL, faults
  };
  const FarTypeSplit *split = splits_of (profile, kind, old.map);
  g_autofree char *what = split != NULL
                              ? far_profile_what (kind, old.key->text, far_yaml_get (old.map, "type")->text)
                              : NULL;

  old.what = what;
  for (; split != NULL && split->type != NULL; split++)
    former_split (&old, split);
}

void
far_profile_former_splits (FarProfile *profile, FarKind kind, GPtrArray *faults)
{
  FarYaml *section = far_yaml_get (profile->tree, far_kind_plural (kind));

  if (section == NULL || section->kind != FAR_YAML_MAP)
    return;
  for (guint i = 0; i < section->keys->len; i++) /* it grows by what has left a type */
    former_splits_of (profile, kind, section, i, faults);
}
