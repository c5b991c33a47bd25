/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file checks one map of a profile against an option table: unknown and missing keys, those without
 * effect, references. Converting a value is option-parse.c; this file says which values there are and where.
 */
#include "config.h"

#include "profile/option-check.h"

#include <string.h>

#include <farwatch/i18n.h>

#include "base/suggest.h"

void
far_ref_free (FarRef *ref)
{
  g_free (ref->name);
  g_free (ref);
}

gboolean
far_label_ok (const char *name, gboolean dots)
{
  gsize length = strlen (name);

  if (length < 1 || length > 64 || !g_ascii_isalnum (name[0]))
    return FALSE;
  for (gsize i = 0; i < length; i++)
    if (!g_ascii_isalnum (name[i]) && name[i] != '-' && name[i] != '_' && !(dots && name[i] == '.'))
      return FALSE;
  return TRUE;
}

void
far_fault_unknown_key (GPtrArray *faults, const FarYaml *key, const char *what, GPtrArray *known)
{
  const char *near = far_suggest (key->text, known);
  g_autofree char *all = NULL;

  if (near != NULL) {
    far_fault_add (faults, FAR_FAULT_ERROR, key, _ ("unknown key '%s' in %s; did you mean '%s'?"), key->text,
                   what, near);
    return;
  }
  all = far_join_words (known);
  far_fault_add (faults, FAR_FAULT_ERROR, key, _ ("unknown key '%s' in %s; there are: %s"), key->text, what,
                 all);
}

static const FarOption *
option_find (const FarOption *table, const char *name)
{
  for (const FarOption *option = table; option != NULL && option->type != FAR_OPT_END; option++)
    if (g_str_equal (option->name, name))
      return option;
  return NULL;
}

static gboolean
is_common (const FarCheck *check, const char *name)
{
  return check->common != NULL && g_strv_contains (check->common, name);
}

/* Keys that may be written; those without effect are not proposed. */
static GPtrArray *
known_keys (const FarOption *table, const FarCheck *check)
{
  GPtrArray *known = g_ptr_array_new ();

  for (guint i = 0; check->common != NULL && check->common[i] != NULL; i++)
    g_ptr_array_add (known, (char *) check->common[i]);
  for (const FarOption *option = table; option != NULL && option->type != FAR_OPT_END; option++)
    if (!(option->flags & FAR_OPT_DEPRECATED))
      g_ptr_array_add (known, (char *) option->name);
  return known;
}

static void
check_deprecated (const FarOption *option, const FarYaml *key, const FarCheck *check)
{
  if (option->flags & FAR_OPT_DEPRECATED)
    far_fault_add (check->faults, FAR_FAULT_FORMER, key, _ ("'%s' in %s has no effect any more; take it out"),
                   key->text, check->what);
}

static void
add_ref (const FarCheck *check, const FarOption *option, const FarYaml *node)
{
  FarRef *ref = g_new0 (FarRef, 1);

  ref->option = option;
  ref->node = node->source != NULL ? node : check->where;
  ref->name = g_strdup (node->text);
  far_source_open (node); /* a name, whatever its key sounds like */
  g_ptr_array_add (check->refs, ref);
}

static void
add_refs (const FarCheck *check, const FarOption *option, const FarYaml *value)
{
  if (check->refs == NULL)
    return;
  if (option->type == FAR_OPT_REF)
    add_ref (check, option, value);
  for (guint i = 0; option->type == FAR_OPT_REFS && i < value->items->len; i++)
    add_ref (check, option, value->items->pdata[i]);
}

/* The profile may have been written for another machine: a warning. */
static void
warn_of_program (const FarOption *option, const FarYaml *value, const FarCheck *check)
{
  const FarYaml *first = value->kind == FAR_YAML_LIST && value->items->len > 0 ? value->items->pdata[0]
                                                                               : NULL;
  g_autofree char *found = NULL;

  if (!(option->flags & FAR_OPT_PROGRAM) || first == NULL || first->kind != FAR_YAML_SCALAR)
    return;
  found = g_find_program_in_path (first->text);
  if (found == NULL)
    far_fault_add (
        check->faults, FAR_FAULT_WARNING, first,
        _ ("'%s' in %s: there is no program '%s' here that may be run; install it, or correct the path"),
        option->name, check->what, first->text);
}

static void
check_value (const FarOption *option, const FarYaml *value, const FarCheck *check, gpointer options)
{
  g_autoptr (GError) error = NULL;

  if (far_option_fill (option, value, check->state_dir, options, &error)) {
    add_refs (check, option, value);
    warn_of_program (option, value, check);
    return;
  }
  far_fault_add (check->faults, FAR_FAULT_ERROR, value->source != NULL ? value : check->where,
                 _ ("'%s' in %s: %s"), option->name, check->what, error->message);
}

/* Own copy of the list form "[a, b]" of a fallback. */
static FarYaml *
fallback_node (const FarOption *option)
{
  g_autoptr (FarSource) source = far_source_new (option->name, 0);
  g_autoptr (GPtrArray) faults = far_faults_new ();

  if (option->type != FAR_OPT_LIST && option->type != FAR_OPT_REFS)
    return far_yaml_scalar (option->fallback);
  return far_yaml_parse (source, option->fallback, strlen (option->fallback), faults);
}

static void
check_absent (const FarOption *option, const FarCheck *check, gpointer options)
{
  g_autoptr (FarYaml) value = NULL;
  g_autoptr (GError) error = NULL;

  if (option->flags & FAR_OPT_REQUIRED) {
    far_fault_add (check->faults, FAR_FAULT_ERROR, check->where, _ ("%s lacks the key '%s' (%s)"),
                   check->what, option->name, option->summary != NULL ? _ (option->summary) : "");
    return;
  }
  if (option->fallback == NULL)
    return;
  value = fallback_node (option);
  if (value == NULL || !far_option_fill (option, value, check->state_dir, options, &error)) {
    far_fault_add (check->faults, FAR_FAULT_ERROR, check->where,
                   _ ("'%s' in %s: the plugin's own default is wrong: %s"), option->name, check->what,
                   error != NULL ? error->message : option->fallback);
    return;
  }
  if (option->type == FAR_OPT_REF)
    add_refs (check, option, value);
}

gconstpointer
far_options_check (const FarOption *table, gsize size, const FarYaml *map, const FarCheck *check)
{
  g_autoptr (GPtrArray) known = known_keys (table, check);
  gpointer options = far_options_new (table, size);

  for (guint i = 0; map != NULL && i < map->keys->len; i++) {
    const FarYaml *key = map->keys->pdata[i];
    const FarOption *option = option_find (table, key->text);

    if (option != NULL) {
      check_deprecated (option, key, check);
      check_value (option, map->items->pdata[i], check, options);
    } else if (!is_common (check, key->text)) {
      far_fault_unknown_key (check->faults, key, check->what, known);
    }
  }
  for (const FarOption *option = table; option != NULL && option->type != FAR_OPT_END; option++)
    if (far_yaml_get (map, option->name) == NULL)
      check_absent (option, check, options);
  return options;
}
