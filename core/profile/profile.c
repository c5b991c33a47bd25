/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file reads a profile with its drop-ins and has its parts checked: profile-node.c the sections that
 * core reads, profile-instances.c those of kinds, profile-refs.c what refers to what, profile-paths.c
 * where paths may lead. All faults are gathered; a profile with one is not used. */
#include "config.h"

#include "profile/profile.h"

#include <string.h>

#include "profile/device-option.h"
#include "profile/profile-private.h"

#define MISSING_MAX 30 /* what is told must fit into a message */

static void
configured_free (FarConfigured *configured)
{
  g_free (configured->name);
  g_free (configured->path);
  g_free (configured->missing);
  far_options_unref (configured->options);
  g_ptr_array_unref (configured->refs);
  g_free (configured);
}

static FarProfile *
profile_new (const char *path)
{
  FarProfile *profile = g_new0 (FarProfile, 1);

  profile->refs = 1;
  profile->path = g_strdup (path);
  profile->sources = g_ptr_array_new_with_free_func ((GDestroyNotify) far_source_unref);
  profile->instances = g_ptr_array_new_with_free_func ((GDestroyNotify) configured_free);
  profile->devices = g_ptr_array_new_with_free_func ((GDestroyNotify) far_device_free);
  profile->rights = json_array ();
  return profile;
}

FarProfile *
far_profile_ref (FarProfile *profile)
{
  g_atomic_int_inc (&profile->refs);
  return profile;
}

void
far_profile_unref (FarProfile *profile)
{
  if (profile == NULL || !g_atomic_int_dec_and_test (&profile->refs))
    return;
  g_ptr_array_unref (profile->instances);
  g_ptr_array_unref (profile->devices);
  json_decref (profile->rights);
  g_strfreev (profile->rules.deny);
  g_strfreev (profile->rules.allow);
  far_options_unref (profile->node);
  g_clear_pointer (&profile->tree, far_yaml_free);
  g_ptr_array_unref (profile->sources);
  g_strfreev (profile->former);
  g_free (profile->path);
  g_free (profile);
}

static FarYaml *
read_one (FarProfile *profile, const char *path, GPtrArray *faults)
{
  FarSource *source = far_source_new (path, profile->sources->len);
  g_autoptr (FarYaml) tree = NULL;

  g_ptr_array_add (profile->sources, source);
  tree = far_yaml_read (source, faults);
  if (tree == NULL || tree->kind == FAR_YAML_MAP)
    return g_steal_pointer (&tree);
  far_fault_add (faults, FAR_FAULT_ERROR, tree,
                 _ ("a profile is a map that begins with 'farwatch: 1', not %s"), far_yaml_kind_name (tree));
  return NULL;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

static GPtrArray *
drop_ins (const char *path)
{
  GPtrArray *found = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *name = g_strconcat (path, ".d", NULL);
  g_autoptr (GDir) dir = g_dir_open (name, 0, NULL);
  const char *entry;

  while (dir != NULL && (entry = g_dir_read_name (dir)) != NULL)
    if (entry[0] != '.' && g_str_has_suffix (entry, ".yaml"))
      g_ptr_array_add (found, g_build_filename (name, entry, NULL));
  g_ptr_array_sort (found, compare_names);
  return found;
}

static void
profile_read_all (FarProfile *profile, GPtrArray *faults)
{
  g_autoptr (GPtrArray) more = drop_ins (profile->path);

  profile->tree = read_one (profile, profile->path, faults);
  for (guint i = 0; i < more->len; i++) {
    FarYaml *tree = read_one (profile, more->pdata[i], faults);

    if (tree != NULL && profile->tree != NULL)
      far_yaml_merge (profile->tree, tree);
    else
      far_yaml_free (tree);
  }
}

static void
check_form (FarProfile *profile, GPtrArray *faults)
{
  const FarYaml *form = far_yaml_get (profile->tree, "farwatch");

  if (form == NULL)
    far_fault_add_at (faults, FAR_FAULT_ERROR, profile->sources->pdata[0], 0, 0, "%s",
                      _ ("'farwatch: 1' is missing; it says which form the profile has"));
  else if (form->kind != FAR_YAML_SCALAR || !g_str_equal (form->text, "1"))
    far_fault_add (faults, FAR_FAULT_ERROR, form,
                   _ ("'farwatch' in the profile: this farwatch knows form 1 only"));
}

static void
check_top (FarProfile *profile, GPtrArray *faults)
{
  static const char *const own[] = { "farwatch", "node", "plugins", "devices", "rights", NULL };
  g_autoptr (GPtrArray) known = g_ptr_array_new ();

  for (guint i = 0; own[i] != NULL; i++)
    g_ptr_array_add (known, (char *) own[i]);
  for (guint kind = 1; kind < FAR_N_KINDS; kind++)
    g_ptr_array_add (known, (char *) far_kind_plural (kind));
  for (guint i = 0; i < profile->tree->keys->len; i++) {
    const FarYaml *key = profile->tree->keys->pdata[i];

    if (!g_ptr_array_find_with_equal_func (known, key->text, g_str_equal, NULL))
      far_fault_unknown_key (faults, key, _ ("the profile"), known);
  }
  check_form (profile, faults);
}

static void
read_parts (FarProfile *profile, const char *state, GPtrArray *faults)
{
  g_autoptr (GPtrArray) refs = g_ptr_array_new_with_free_func ((GDestroyNotify) far_refs_free);

  check_top (profile, faults);
  far_profile_read_node (profile, state, faults);
  far_profile_read_plugins (profile, faults);
  far_profile_read_instances (profile, refs, faults);
  far_profile_read_devices (profile, refs, faults);
  far_profile_read_rights (profile, faults);
  far_profile_check_requests (profile, faults);
  far_profile_check_same (profile, faults);
  far_profile_resolve (profile, refs, faults);
  far_profile_check_paths (profile, faults);
}

static FarProfile *
load (const char *path, const char *state, gboolean lazy, GPtrArray *faults)
{
  g_autoptr (FarProfile) profile = profile_new (path);
  guint before = far_faults_errors (faults);

  profile->lazy = lazy;
  profile->state_given = state != NULL;
  profile_read_all (profile, faults);
  if (profile->tree != NULL)
    read_parts (profile, state, faults);
  far_faults_sort (faults);
  profile->former = far_faults_former (faults);
  return far_faults_errors (faults) == before ? g_steal_pointer (&profile) : NULL;
}

FarProfile *
far_profile_load (const char *path, const char *state, GPtrArray *faults)
{
  return load (path, state, FALSE, faults);
}

FarProfile *
far_profile_load_lazy (const char *path, const char *state, GPtrArray *faults)
{
  return load (path, state, TRUE, faults);
}

gboolean
far_profile_check (const char *path, GPtrArray *faults)
{
  g_autoptr (FarProfile) profile = far_profile_load (path, NULL, faults);

  return profile != NULL;
}

FarConfigured *
far_profile_find (const FarProfile *profile, const char *path)
{
  for (guint i = 0; i < profile->instances->len; i++) {
    FarConfigured *configured = profile->instances->pdata[i];

    if (g_str_equal (configured->path, path))
      return configured;
  }
  return NULL;
}

json_t *
far_profile_missing (const FarProfile *profile)
{
  json_t *list = json_array ();

  for (guint i = 0; i < profile->instances->len && json_array_size (list) < MISSING_MAX; i++) {
    const FarConfigured *configured = profile->instances->pdata[i];
    g_autofree char *package = NULL, *type = NULL;

    if (configured->missing == NULL)
      continue;
    package = far_loader_package (configured->kind, configured->type_name);
    type = g_strconcat (far_kind_name (configured->kind), "/", configured->type_name, NULL);
    json_array_append_new (list, json_pack ("{s:s, s:s, s:s, s:s}", "path", configured->path, "type", type,
                                            "package", package, "cause", configured->missing));
  }
  return list;
}
