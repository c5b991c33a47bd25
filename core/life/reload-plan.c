/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The difference between what runs and what a profile wants, instance by instance. Nothing is changed here.
 */
#include "config.h"

#include "life/reload-plan.h"

const char *
far_change_name (FarChangeKind kind)
{
  static const char *const names[] = { "untouched", "reloaded", "retried", "replaced", "added", "removed" };

  return names[kind];
}

static void
reload_plan_change_free (FarChange *change)
{
  g_clear_pointer (&change->old, far_instance_unref);
  g_clear_pointer (&change->fresh, far_instance_unref);
  g_free (change);
}

static gboolean
key_reloadable (const FarType *type, const char *key)
{
  for (const FarOption *option = type->options; option != NULL && option->type != FAR_OPT_END; option++)
    if (g_str_equal (option->name, key))
      return (option->flags & FAR_OPT_RELOADABLE) != 0;
  return FALSE;
}

/* Looks at the keys of one map that differ in the other. */
static void
compare_keys (const FarType *type, const FarYaml *map, const FarYaml *other, gboolean *changed,
              gboolean *all_reloadable)
{
  for (guint i = 0; i < map->keys->len; i++) {
    const FarYaml *key = map->keys->pdata[i];

    if (far_yaml_equal (map->items->pdata[i], far_yaml_get (other, key->text)))
      continue;
    *changed = TRUE;
    *all_reloadable = *all_reloadable && key_reloadable (type, key->text);
  }
}

static const char *
fixed_key (const FarInstance *old, const FarConfigured *wanted)
{
  for (const FarOption *option = old->type->options; option != NULL && option->type != FAR_OPT_END;
       option++) {
    if (!(option->flags & FAR_OPT_RESTART))
      continue;
    if (old->type != wanted->type)
      return "type";
    if (!far_yaml_equal (far_yaml_get (old->configured->map, option->name),
                         far_yaml_get (wanted->map, option->name)))
      return option->name;
  }
  return NULL;
}

const char *
far_change_fixed (const FarChange *change)
{
  gboolean changes = change->kind == FAR_CHANGE_REPLACED || change->kind == FAR_CHANGE_RELOADED;

  return changes && change->old->state == FAR_STATE_RUNNING && change->old->type != NULL
             ? fixed_key (change->old, change->wanted)
             : NULL;
}

static FarChangeKind
change_kind (const FarInstance *old, const FarConfigured *wanted)
{
  gboolean changed = FALSE, all_reloadable = TRUE;

  if (old->state == FAR_STATE_RESTING && wanted->on_demand &&
      far_yaml_equal (old->configured->map, wanted->map))
    return FAR_CHANGE_NONE;
  if (old->type != wanted->type)
    return FAR_CHANGE_REPLACED;
  if (wanted->type == NULL)
    return FAR_CHANGE_NONE;
  compare_keys (wanted->type, old->configured->map, wanted->map, &changed, &all_reloadable);
  compare_keys (wanted->type, wanted->map, old->configured->map, &changed, &all_reloadable);
  if (changed)
    return all_reloadable && old->state == FAR_STATE_RUNNING ? FAR_CHANGE_RELOADED : FAR_CHANGE_REPLACED;
  return old->state == FAR_STATE_FAILED || old->state == FAR_STATE_RETRYING ? FAR_CHANGE_RETRIED
                                                                            : FAR_CHANGE_NONE;
}

static FarChange *
change_new (FarChangeKind kind, FarInstance *old, const FarConfigured *wanted)
{
  FarChange *change = g_new0 (FarChange, 1);

  change->kind = kind;
  change->old = old != NULL ? far_instance_ref (old) : NULL;
  change->wanted = wanted;
  return change;
}

GPtrArray *
far_reload_plan (FarProfile *profile)
{
  GPtrArray *changes = g_ptr_array_new_with_free_func ((GDestroyNotify) reload_plan_change_free),
            *all = far_instances_all ();

  for (guint i = 0; i < profile->instances->len; i++) {
    const FarConfigured *wanted = profile->instances->pdata[i];
    FarInstance *old = far_instances_by_path (wanted->path);

    g_ptr_array_add (changes,
                     change_new (old != NULL ? change_kind (old, wanted) : FAR_CHANGE_ADDED, old, wanted));
  }
  for (guint i = 0; i < all->len; i++) {
    FarInstance *old = all->pdata[i];

    if (far_profile_find (profile, old->head.path) == NULL)
      g_ptr_array_add (changes, change_new (FAR_CHANGE_REMOVED, old, NULL));
  }
  return changes;
}
