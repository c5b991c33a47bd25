/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sections that core reads for itself: node, plugins, devices, rights. */
#include "config.h"

#include "profile/profile-private.h"

#include "profile/device-option.h"
#include "auth/right.h"

/* ---- node ---- */

#define NODE(field) G_STRUCT_OFFSET (FarNodeOptions, field)

static const FarOption node_options[] = {
  { .name = "id",
    .type = FAR_OPT_STRING,
    .flags = FAR_OPT_REQUIRED,
    .offset = NODE (id),
    .summary = N_ ("name of this node in its fleet") },
  { .name = "state",
    .type = FAR_OPT_PATH,
    .offset = NODE (state),
    .fallback = FAR_STATE_DIR,
    .summary = N_ ("folder of all that is kept") },
  { .name = "control",
    .type = FAR_OPT_PATH,
    .offset = NODE (control),
    .fallback = "control.sock",
    .summary = N_ ("socket of farctl; a relative path is taken from state") },
  { .name = "trim",
    .type = FAR_OPT_BOOL,
    .flags = FAR_OPT_RELOADABLE,
    .offset = NODE (trim),
    .fallback = "true",
    .summary = N_ ("memory that is not needed at rest goes back to the system; off for work with breakpoints "
                   "and probes") },
  { .type = FAR_OPT_END },
};

const FarYaml *
far_profile_section (const FarProfile *profile, const char *name)
{
  const FarYaml *section = far_yaml_get (profile->tree, name);

  return section != NULL && far_yaml_is_nothing (section) ? NULL : section;
}

static const FarYaml *
section_map (FarProfile *profile, const char *name, GPtrArray *faults)
{
  const FarYaml *section = far_profile_section (profile, name);

  if (section == NULL || section->kind == FAR_YAML_MAP)
    return section;
  far_fault_add (faults, FAR_FAULT_ERROR, section, _ ("'%s' must be a map, not %s"), name,
                 far_yaml_kind_name (section));
  return NULL;
}

/* Where the state is decides what relative paths mean, so it comes before all. Written in one way only:
 * others compare paths with it. */
static char *
state_dir (const FarYaml *node, const char *state)
{
  const FarYaml *value = far_yaml_get (node, "state");

  if (state != NULL)
    return g_canonicalize_filename (state, NULL);
  return g_canonicalize_filename (value != NULL && value->kind == FAR_YAML_SCALAR &&
                                          g_path_is_absolute (value->text)
                                      ? value->text
                                      : FAR_STATE_DIR,
                                  "/");
}

static void
profile_node_check_node (const FarYaml *node, const FarNodeOptions *options, GPtrArray *faults)
{
  const FarYaml *id = far_yaml_get (node, "id"), *state = far_yaml_get (node, "state");

  if (options->id != NULL && !far_label_ok (options->id, TRUE))
    far_fault_add (faults, FAR_FAULT_ERROR, id,
                   _ ("'id' in the node: letters, digits, '.', '_' and '-' are taken, at most 64, the first "
                      "a letter or digit"));
  if (state != NULL && state->kind == FAR_YAML_SCALAR && !g_path_is_absolute (state->text))
    far_fault_add (faults, FAR_FAULT_ERROR, state,
                   _ ("'state' in the node: a path from the root is meant, as in /var/lib/farwatch"));
}

void
far_profile_read_node (FarProfile *profile, const char *state, GPtrArray *faults)
{
  const FarYaml *node = section_map (profile, "node", faults), *key = far_yaml_key (profile->tree, "node");
  g_autofree char *dir = state_dir (node, state);
  FarCheck check = { .what = _ ("the node"), .where = key, .state_dir = dir, .faults = faults };
  FarNodeOptions *options;

  if (key == NULL) {
    far_fault_add_at (faults, FAR_FAULT_ERROR, profile->sources->pdata[0], 0, 0, "%s",
                      _ ("'node' is missing; write node: {id: NAME}"));
    return;
  }
  options = (FarNodeOptions *) far_options_check (node_options, sizeof *options, node, &check);
  profile->node = options;
  g_free (options->state);
  options->state = g_steal_pointer (&dir);
  profile_node_check_node (node, options, faults);
}

/* ---- plugins ---- */

static const FarOption plugin_options[] = {
  { .name = "deny",
    .type = FAR_OPT_LIST,
    .offset = G_STRUCT_OFFSET (FarLoaderRules, deny),
    .summary = N_ ("plugins never to load (globs)") },
  { .name = "allow",
    .type = FAR_OPT_LIST,
    .offset = G_STRUCT_OFFSET (FarLoaderRules, allow),
    .summary = N_ ("if given: the only ones to load") },
  { .type = FAR_OPT_END },
};

void
far_profile_read_plugins (FarProfile *profile, GPtrArray *faults)
{
  const FarYaml *map = section_map (profile, "plugins", faults);
  FarCheck check = { .what = "plugins", .where = far_yaml_key (profile->tree, "plugins"), .faults = faults };
  FarLoaderRules *rules;

  if (map == NULL)
    return;
  rules = (FarLoaderRules *) far_options_check (plugin_options, sizeof *rules, map, &check);
  profile->rules.deny = g_steal_pointer (&rules->deny);
  profile->rules.allow = g_steal_pointer (&rules->allow);
  far_options_unref (rules);
}

/* ---- devices ---- */

/* By what its endpoint's type declares, as far as that is loaded. */
static void
check_device_address (const FarProfile *profile, const FarDevice *device, const FarYaml *key,
                      const FarYaml *map, GPtrArray *faults)
{
  g_autofree char *path = g_strconcat ("endpoints.", device->endpoint, NULL);
  const FarConfigured *endpoint = device->endpoint != NULL ? far_profile_find (profile, path) : NULL;
  g_autoptr (GError) error = NULL;

  if (!far_device_address_ok (device, endpoint != NULL ? endpoint->type : NULL, &error))
    far_fault_add (faults, FAR_FAULT_ERROR, device->address != NULL ? far_yaml_get (map, "address") : key,
                   "%s", error->message);
}

static void
read_device (FarProfile *profile, const FarYaml *key, const FarYaml *map, GPtrArray *refs, GPtrArray *faults)
{
  g_autofree char *what = g_strdup_printf (_ ("device '%s'"), key->text);
  FarRefs *own = far_refs_new (NULL, what);
  FarCheck check = { .what = what, .where = key, .refs = own->refs, .faults = faults };
  FarDevice *device;

  g_ptr_array_add (refs, own);
  if (!far_label_ok (key->text, TRUE))
    far_fault_add (faults, FAR_FAULT_ERROR, key,
                   _ ("'%s' is no name: letters, digits, '.', '_' and '-' are taken, at most 64"), key->text);
  if (map->kind != FAR_YAML_MAP) {
    far_fault_add (faults, FAR_FAULT_ERROR, map, _ ("%s must be a map of its options, not %s"), what,
                   far_yaml_kind_name (map));
    return;
  }
  device = far_device_read (key->text, map, &check);
  check_device_address (profile, device, key, map, faults);
  g_ptr_array_add (profile->devices, device);
}

void
far_profile_read_devices (FarProfile *profile, GPtrArray *refs, GPtrArray *faults)
{
  const FarYaml *section = section_map (profile, "devices", faults);

  for (guint i = 0; section != NULL && i < section->keys->len; i++)
    read_device (profile, section->keys->pdata[i], section->items->pdata[i], refs, faults);
}

/* ---- rights ---- */

typedef struct {
  char *id, *who, *action, *object, *hours, *longest, *from, *needs, *until;
} RightOptions;

#define RIGHT(name_, flags_, summary_)                                                                       \
  {                                                                                                          \
    .name = #name_, .type = FAR_OPT_STRING, .flags = (flags_),                                               \
    .offset = G_STRUCT_OFFSET (RightOptions, name_), .summary = (summary_)                                   \
  }

static const FarOption right_options[] = {
  RIGHT (id, 0, N_ ("name of the row")),
  RIGHT (who, FAR_OPT_REQUIRED, N_ ("a person, @group, or *")),
  RIGHT (action, FAR_OPT_REQUIRED, N_ ("what may be done")),
  RIGHT (object, FAR_OPT_REQUIRED, N_ ("with what, as in terminals/t1")),
  RIGHT (hours, 0, N_ ("when, as in mon-fri 08:00-18:00")),
  RIGHT (longest, 0, N_ ("at most how long, as in 30m")),
  RIGHT (from, 0, N_ ("from which network")),
  RIGHT (needs, 0, N_ ("approval: a second person must agree")),
  RIGHT (until, 0, N_ ("last day")),
  { .type = FAR_OPT_END },
};

static json_t *
right_json (const RightOptions *options, guint index)
{
  json_t *right = json_object ();

  for (const FarOption *option = right_options; option->type != FAR_OPT_END; option++) {
    const char *value = G_STRUCT_MEMBER (char *, options, option->offset);

    if (value != NULL)
      json_object_set_new (right, option->name, json_string (value));
  }
  if (options->id == NULL)
    json_object_set_new (right, "id", json_sprintf ("profile-%u", index + 1));
  return right;
}

static gboolean
lacks_a_type (const FarProfile *profile)
{
  for (guint i = 0; i < profile->instances->len; i++)
    if (((const FarConfigured *) profile->instances->pdata[i])->missing != NULL)
      return TRUE;
  return FALSE;
}

/* Is it about something that can be, and now? A service whose plugin is missing might know the object: then
 * the rest runs all the same. */
static void
read_right_sense (FarProfile *profile, const FarYaml *map, const char *what, json_t *right, GPtrArray *faults)
{
  g_autoptr (GError) error = NULL;
  json_t *odd = json_array (), *text;
  size_t i;

  if (!far_right_family_ok (right, &error))
    far_fault_add (faults, lacks_a_type (profile) ? FAR_FAULT_WARNING : FAR_FAULT_ERROR, map, "%s: %s", what,
                   error->message);
  far_right_warnings_date (odd, right);
  json_array_foreach (odd, i, text)
    far_fault_add (faults, FAR_FAULT_WARNING, map, "%s: %s", what, json_string_value (text));
  json_decref (odd);
}

static void
read_right (FarProfile *profile, const FarYaml *map, guint index, GPtrArray *faults)
{
  g_autofree char *what = g_strdup_printf (_ ("right %u"), index + 1);
  FarCheck check = { .what = what, .where = map, .faults = faults };
  guint before = far_faults_errors (faults);
  const RightOptions *options;
  g_autoptr (GError) error = NULL;
  json_t *right;

  if (map->kind != FAR_YAML_MAP) {
    far_fault_add (faults, FAR_FAULT_ERROR, map,
                   _ ("a right is a map, as in {who: alice, action: connect, object: terminals/t1}, not %s"),
                   far_yaml_kind_name (map));
    return;
  }
  options = far_options_check (right_options, sizeof *options, map, &check);
  right = right_json (options, index);
  far_options_unref (options);
  if (far_faults_errors (faults) == before && !far_right_check (right, &error))
    far_fault_add (faults, FAR_FAULT_ERROR, map, "%s: %s", what, error->message);
  else if (far_faults_errors (faults) == before)
    read_right_sense (profile, map, what, right, faults);
  json_array_append_new (profile->rights, right);
}

void
far_profile_read_rights (FarProfile *profile, GPtrArray *faults)
{
  const FarYaml *list = far_profile_section (profile, "rights");

  if (list != NULL && list->kind != FAR_YAML_LIST)
    far_fault_add (faults, FAR_FAULT_ERROR, list, _ ("'rights' must be a list, not %s"),
                   far_yaml_kind_name (list));
  for (guint i = 0; list != NULL && list->kind == FAR_YAML_LIST && i < list->items->len; i++)
    read_right (profile, list->items->pdata[i], i, faults);
}
