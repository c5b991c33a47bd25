/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* References: every name must stand in the section of its kind, and no chain of them may come back to its
 * begin. */
#include "config.h"

#include "profile/profile-private.h"

#include "base/suggest.h"

static FarConfigured *
find_named (const FarProfile *profile, FarKind kind, const char *name)
{
  g_autofree char *path = g_strconcat (far_kind_plural (kind), ".", name, NULL);

  return far_profile_find (profile, path);
}

static GPtrArray *
names_of (const FarProfile *profile, FarKind kind)
{
  GPtrArray *names = g_ptr_array_new ();

  for (guint i = 0; i < profile->instances->len; i++) {
    const FarConfigured *configured = profile->instances->pdata[i];

    if (configured->kind == kind)
      g_ptr_array_add (names, configured->name);
  }
  return names;
}

static FarKind
other_kind (const FarProfile *profile, const char *name)
{
  for (guint kind = 1; kind < FAR_N_KINDS; kind++)
    if (find_named (profile, kind, name) != NULL)
      return kind;
  return 0;
}

static void
fault_unresolved (const FarProfile *profile, const FarRef *ref, const char *what, GPtrArray *faults)
{
  FarKind wanted = ref->option->ref_kind, other = other_kind (profile, ref->name);
  g_autoptr (GPtrArray) names = names_of (profile, wanted);
  const char *near = far_suggest (ref->name, names);
  g_autofree char *all = far_join_words (names);

  if (other != 0)
    far_fault_add (faults, FAR_FAULT_ERROR, ref->node,
                   _ ("'%s' in %s: '%s' is one of the %s, one of the %s is meant"), ref->option->name, what,
                   ref->name, far_kind_plural (other), far_kind_plural (wanted));
  else if (near != NULL)
    far_fault_add (faults, FAR_FAULT_ERROR, ref->node,
                   _ ("'%s' in %s: there is no %s '%s'; did you mean '%s'?"), ref->option->name, what,
                   far_kind_name (wanted), ref->name, near);
  else
    far_fault_add (faults, FAR_FAULT_ERROR, ref->node, _ ("'%s' in %s: there is no %s '%s'; there are: %s"),
                   ref->option->name, what, far_kind_name (wanted), ref->name,
                   names->len > 0 ? all : _ ("none"));
}

static void
resolve_one (const FarProfile *profile, const FarRefs *refs, const FarRef *ref, GPtrArray *faults)
{
  FarConfigured *target = find_named (profile, ref->option->ref_kind, ref->name);

  if (target == NULL)
    fault_unresolved (profile, ref, refs->what, faults);
  else if (refs->owner != NULL)
    g_ptr_array_add (refs->owner->refs, target);
}

/* ---- order ---- */

enum { UNSEEN, ON_THE_WAY, DONE };

typedef struct {
  GHashTable *marks; /* FarConfigured * → mark */
  GPtrArray *way;    /* FarConfigured * being visited */
  GPtrArray *sorted;
  GPtrArray *faults;
} Walk;

static void
fault_loop (Walk *walk, const FarConfigured *again)
{
  g_autoptr (GString) text = g_string_new (NULL);
  gboolean inside = FALSE;

  for (guint i = 0; i < walk->way->len; i++) {
    const FarConfigured *step = walk->way->pdata[i];

    inside = inside || step == again;
    if (inside)
      g_string_append_printf (text, "%s → ", step->path);
  }
  g_string_append (text, again->path);
  far_fault_add (walk->faults, FAR_FAULT_ERROR, again->key, _ ("loop of references: %s"), text->str);
}

static void
visit (Walk *walk, FarConfigured *configured)
{
  int mark = GPOINTER_TO_INT (g_hash_table_lookup (walk->marks, configured));

  if (mark == ON_THE_WAY)
    fault_loop (walk, configured);
  if (mark != UNSEEN)
    return;
  g_hash_table_insert (walk->marks, configured, GINT_TO_POINTER (ON_THE_WAY));
  g_ptr_array_add (walk->way, configured);
  for (guint i = 0; i < configured->refs->len; i++)
    visit (walk, configured->refs->pdata[i]);
  g_ptr_array_set_size (walk->way, walk->way->len - 1);
  g_hash_table_insert (walk->marks, configured, GINT_TO_POINTER (DONE));
  g_ptr_array_add (walk->sorted, configured);
}

/* What is referred to comes first; else the order of the kinds and of the file. */
static void
sort_instances (FarProfile *profile, GPtrArray *faults)
{
  g_autoptr (GHashTable) marks = g_hash_table_new (NULL, NULL);
  g_autoptr (GPtrArray) way = g_ptr_array_new ();
  g_autoptr (GPtrArray) sorted = g_ptr_array_new ();
  Walk walk = { .marks = marks, .way = way, .sorted = sorted, .faults = faults };

  for (guint i = 0; i < profile->instances->len; i++)
    visit (&walk, profile->instances->pdata[i]);
  for (guint i = 0; i < sorted->len; i++)
    profile->instances->pdata[i] = sorted->pdata[i];
}

/* ---- devices that sensors measure ---- */

/* One that people add at run time does not stand here: a warning. What no device can be called is an error: a
 * '/' would give the values to another one. */
static void
check_device (const FarProfile *profile, const FarConfigured *configured, GPtrArray *faults)
{
  const FarYaml *node = configured->map != NULL ? far_yaml_get (configured->map, "device") : NULL;
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  const char *near;

  if (node == NULL || node->text == NULL)
    return;
  if (node->text[0] != '\0' && !far_label_ok (node->text, TRUE)) {
    far_fault_add (faults, FAR_FAULT_ERROR, node,
                   _ ("'device' in %s: '%s' is no name of a device: letters, digits, '.', '_' and '-' are "
                      "taken, at most 64"),
                   configured->path, node->text);
    return;
  }
  for (guint i = 0; i < profile->devices->len; i++)
    g_ptr_array_add (names, ((const FarDevice *) profile->devices->pdata[i])->name);
  if (g_ptr_array_find_with_equal_func (names, node->text, g_str_equal, NULL))
    return;
  near = far_suggest (node->text, names);
  if (near != NULL)
    far_fault_add (faults, FAR_FAULT_WARNING, node,
                   _ ("'device' in %s: this profile has no device '%s'; did you mean '%s'?"),
                   configured->path, node->text, near);
  else
    far_fault_add (faults, FAR_FAULT_WARNING, node,
                   _ ("'device' in %s: this profile has no device '%s'; add it below devices:"),
                   configured->path, node->text);
}

void
far_profile_resolve (FarProfile *profile, GPtrArray *refs, GPtrArray *faults)
{
  for (guint i = 0; i < refs->len; i++) {
    const FarRefs *own = refs->pdata[i];

    for (guint j = 0; j < own->refs->len; j++)
      resolve_one (profile, own, own->refs->pdata[j], faults);
  }
  for (guint i = 0; i < profile->instances->len; i++)
    if (((const FarConfigured *) profile->instances->pdata[i])->kind == FAR_KIND_SENSOR)
      check_device (profile, profile->instances->pdata[i], faults);
  sort_instances (profile, faults);
}
