/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sections of the kinds: each instance against the option table of its type. */
#include "config.h"

#include "profile/profile-private.h"

#include "auth/right.h"
#include "base/suggest.h"

FarRefs *
far_refs_new (FarConfigured *owner, const char *what)
{
  FarRefs *refs = g_new0 (FarRefs, 1);

  refs->owner = owner;
  refs->what = g_strdup (what);
  refs->refs = g_ptr_array_new_with_free_func ((GDestroyNotify) far_ref_free);
  return refs;
}

void
far_refs_free (FarRefs *refs)
{
  g_ptr_array_unref (refs->refs);
  g_free (refs->what);
  g_free (refs);
}

static FarConfigured *
configured_new (FarProfile *profile, FarKind kind, const FarYaml *key, const FarYaml *map)
{
  FarConfigured *configured = g_new0 (FarConfigured, 1);

  configured->kind = kind;
  configured->name = g_strdup (key->text);
  configured->path = g_strconcat (far_kind_plural (kind), ".", key->text, NULL);
  configured->key = key;
  configured->map = map;
  configured->type_name = "";
  configured->refs = g_ptr_array_new ();
  g_ptr_array_add (profile->instances, configured);
  return configured;
}

/* Its options cannot be checked without its plugin; the rest of the profile can run. */
static void
read_type (FarProfile *profile, FarConfigured *configured, const FarYaml *type, GPtrArray *faults)
{
  g_autoptr (GError) error = NULL;

  configured->type = far_loader_type (configured->kind, type->text, &profile->rules, &error);
  if (configured->type != NULL && configured->kind == FAR_KIND_SERVICE)
    far_right_family_learn (((const FarServiceType *) configured->type)->handlers);
  if (configured->type != NULL)
    return;
  configured->missing = g_strdup (error->message);
  far_fault_add (faults, FAR_FAULT_WARNING, type, _ ("%s; %s does not run, the rest does"), error->message,
                 configured->path);
}

static const FarYaml *
profile_instances_find_type (const FarConfigured *configured, GPtrArray *faults)
{
  const FarYaml *type = far_yaml_get (configured->map, "type");
  g_autoptr (GPtrArray) types = NULL;
  g_autofree char *all = NULL;

  if (type != NULL && type->kind == FAR_YAML_SCALAR && far_label_ok (type->text, FALSE))
    return type;
  if (type != NULL) {
    far_fault_add (faults, FAR_FAULT_ERROR, type, _ ("'type' in %s '%s': the name of a type is meant"),
                   far_kind_name (configured->kind), configured->name);
    return NULL;
  }
  types = far_loader_types (configured->kind);
  all = far_join_words (types);
  far_fault_add (faults, FAR_FAULT_ERROR, configured->key,
                 _ ("%s '%s' lacks the key 'type'; installed are: %s"), far_kind_name (configured->kind),
                 configured->name, types->len > 0 ? all : _ ("none"));
  return NULL;
}

char *
far_profile_what (FarKind kind, const char *name, const char *type)
{
  return g_strdup_printf (_ ("%s '%s' (type %s)"), far_kind_name (kind), name, type);
}

static void
read_options (FarProfile *profile, FarConfigured *configured, GPtrArray *refs, GPtrArray *faults)
{
  static const char *const common[] = { "type", "start", NULL };
  g_autofree char *what = far_profile_what (configured->kind, configured->name, configured->type_name);
  FarRefs *own = far_refs_new (configured, what);
  FarCheck check = { .what = what,
                     .where = configured->key,
                     .common = common,
                     .refs = own->refs,
                     .faults = faults };

  check.state_dir = profile->node != NULL ? profile->node->state : FAR_STATE_DIR;
  g_ptr_array_add (refs, own);
  configured->options = far_options_check (configured->type->options, configured->type->options_size,
                                           configured->map, &check);
}

/* What is never asked for by name has nothing that could wake it. */
static void
read_start (FarProfile *profile, FarConfigured *configured, GPtrArray *faults)
{
  const FarYaml *start = far_yaml_get (configured->map, "start");
  const char *text = start != NULL && start->kind == FAR_YAML_SCALAR ? start->text : "";

  configured->on_demand = g_str_equal (text, "on-demand");
  profile->has_on_demand = profile->has_on_demand || configured->on_demand;
  if (start != NULL && !configured->on_demand && !g_str_equal (text, "at-once"))
    far_fault_add (faults, FAR_FAULT_ERROR, start, _ ("'start' in %s '%s': at-once or on-demand is meant"),
                   far_kind_name (configured->kind), configured->name);
  else if (configured->on_demand &&
           (configured->kind == FAR_KIND_SENSOR || configured->kind == FAR_KIND_SERVICE))
    far_fault_add (faults, FAR_FAULT_ERROR, start,
                   _ ("'start' in %s '%s': nothing asks for a %s, so it cannot start on demand"),
                   far_kind_name (configured->kind), configured->name, far_kind_name (configured->kind));
}

void
far_profile_read_instance (FarProfile *profile, FarConfigured *configured, GPtrArray *refs, GPtrArray *faults)
{
  read_type (profile, configured, far_yaml_get (configured->map, "type"), faults);
  if (configured->type == NULL)
    return;
  far_profile_former_keys (profile, configured, faults);
  read_options (profile, configured, refs, faults);
}

/* As far as the note can tell, before the plugin is loaded. */
static gboolean
seems_good (const FarConfigured *configured)
{
  const FarPlugin *plugin = far_loader_find (configured->kind, configured->type_name);

  return plugin != NULL && plugin->error == NULL;
}

static void
read_instance (FarProfile *profile, FarKind kind, const FarYaml *key, const FarYaml *map, GPtrArray *refs,
               GPtrArray *faults)
{
  FarConfigured *configured = configured_new (profile, kind, key, map);
  const FarYaml *type;

  if (!far_label_ok (key->text, FALSE))
    far_fault_add (faults, FAR_FAULT_ERROR, key,
                   _ ("'%s' is no name: letters, digits, '_' and '-' are taken, at most 64"), key->text);
  if (map->kind != FAR_YAML_MAP) {
    far_fault_add (faults, FAR_FAULT_ERROR, map->source != NULL ? map : key,
                   _ ("%s '%s' must be a map, as in {type: NAME}, not %s"), far_kind_name (kind), key->text,
                   far_yaml_kind_name (map));
    return;
  }
  type = profile_instances_find_type (configured, faults);
  if (type == NULL)
    return;
  configured->type_name = type->text;
  read_start (profile, configured, faults);
  if (!configured->on_demand || !profile->lazy || !seems_good (configured))
    far_profile_read_instance (profile, configured, refs, faults);
}

void
far_profile_read_instances (FarProfile *profile, GPtrArray *refs, GPtrArray *faults)
{
  for (guint kind = 1; kind < FAR_N_KINDS; kind++) {
    const FarYaml *section = far_profile_section (profile, far_kind_plural (kind));

    if (section != NULL && section->kind != FAR_YAML_MAP)
      far_fault_add (faults, FAR_FAULT_ERROR, section, _ ("'%s' must be a map of names, not %s"),
                     far_kind_plural (kind), far_yaml_kind_name (section));
    far_profile_former_splits (profile, kind, faults);
    for (guint i = 0; section != NULL && section->kind == FAR_YAML_MAP && i < section->keys->len; i++)
      read_instance (profile, kind, section->keys->pdata[i], section->items->pdata[i], refs, faults);
  }
}

gboolean
far_profile_complete (FarProfile *profile, FarConfigured *configured, GError **error)
{
  g_autoptr (GPtrArray) faults = far_faults_new ();
  g_autoptr (GPtrArray) refs = g_ptr_array_new_with_free_func ((GDestroyNotify) far_refs_free);

  if (configured->options != NULL)
    return TRUE;
  far_profile_read_instance (profile, configured, refs, faults);
  if (configured->options != NULL && far_faults_errors (faults) == 0)
    return TRUE;
  g_set_error_literal (error, FAR_ERROR, FAR_ERROR_CONFIG, ((const FarFault *) faults->pdata[0])->message);
  return FALSE;
}
