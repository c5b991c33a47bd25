/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Paths: a relative one is taken from the state directory, where farwatch writes under names of its own too.
 * A store in the place of one of those would be overwritten by it, and a store that finds what is no store
 * there moves it aside as damaged. */
#include "config.h"

#include "profile/profile-private.h"

#include <string.h>

#include "base/node-identity.h"

typedef struct {
  const FarProfile *profile;
  GPtrArray *faults;
  GPtrArray *taken; /* Place: where no store may be */
} Paths;

typedef struct {
  char *path;
  const char *option, *owner; /* option NULL: the owner is all there is to say */
} PathPlace;

static void
place_free (gpointer data)
{
  PathPlace *place = data;

  g_free (place->path);
  g_free (place);
}

/* What stands behind FOLDER/ in the path; "" for the folder itself, NULL for what is elsewhere. */
static const char *
below (const char *folder, const char *path)
{
  gsize size = strlen (folder);

  if (strncmp (folder, path, size) != 0 || (path[size] != '/' && path[size] != '\0'))
    return NULL;
  return path + size + (path[size] == '/');
}

static char *
first_name (const char *relative)
{
  return g_strndup (relative, strcspn (relative, "/"));
}

static void
profile_paths_take (Paths *paths, const char *path, const char *option, const char *owner)
{
  PathPlace *place = g_new (PathPlace, 1);

  *place = (PathPlace){ g_canonicalize_filename (path, NULL), option, owner };
  g_ptr_array_add (paths->taken, place);
}

typedef void (*EachPath) (Paths *paths, const FarConfigured *configured, const FarOption *option,
                          const char *path);

static void
each_of (Paths *paths, const FarConfigured *configured, EachPath each)
{
  const FarOption *option = configured->options != NULL ? configured->type->options : NULL;

  for (; option != NULL && option->type != FAR_OPT_END; option++) {
    const char *path = option->type == FAR_OPT_PATH
                           ? G_STRUCT_MEMBER (char *, configured->options, option->offset)
                           : NULL;

    if (path != NULL)
      each (paths, configured, option, path);
  }
}

static void
each_path (Paths *paths, EachPath each)
{
  for (guint i = 0; i < paths->profile->instances->len; i++)
    each_of (paths, paths->profile->instances->pdata[i], each);
}

static void
take_others (Paths *paths, const FarConfigured *configured, const FarOption *option, const char *path)
{
  if (configured->kind != FAR_KIND_STORE)
    profile_paths_take (paths, path, option->name, configured->path);
}

static const FarYaml *
where_of (const FarConfigured *configured, const FarOption *option)
{
  const FarYaml *value = configured->map != NULL ? far_yaml_get (configured->map, option->name) : NULL;

  return value != NULL ? value : configured->key;
}

static void
check_store (Paths *paths, const FarConfigured *configured, const FarOption *option, const char *path)
{
  for (guint i = 0; i < paths->taken->len; i++) {
    const PathPlace *place = paths->taken->pdata[i];

    if (below (place->path, path) == NULL && below (path, place->path) == NULL)
      continue;
    if (place->option != NULL)
      far_fault_add (paths->faults, FAR_FAULT_ERROR, where_of (configured, option),
                     _ ("'%s' in %s: a store at %s would meet %s, which is '%s' in %s; choose another path"),
                     option->name, configured->path, path, place->path, place->option, place->owner);
    else
      far_fault_add (paths->faults, FAR_FAULT_ERROR, where_of (configured, option),
                     _ ("'%s' in %s: a store at %s would meet %s (%s); choose another path"), option->name,
                     configured->path, path, place->path, place->owner);
    return;
  }
}

static void
check_one (Paths *paths, const FarConfigured *configured, const FarOption *option, const char *written)
{
  const char *state = paths->profile->node->state;
  g_autofree char *path = g_canonicalize_filename (written, state), *name = NULL;
  const char *inside = below (state, path);

  name = inside != NULL ? first_name (inside) : NULL;
  if (name != NULL && far_node_keeps (name))
    far_fault_add (paths->faults, FAR_FAULT_ERROR, where_of (configured, option),
                   _ ("'%s' in %s: farwatch itself writes to %s/%s; choose another path"), option->name,
                   configured->path, state, name);
  else if (configured->kind == FAR_KIND_STORE)
    check_store (paths, configured, option, path);
}

/* What is of the node itself, whether an instance names it or not. */
static void
take_own (Paths *paths)
{
  const FarProfile *profile = paths->profile;
  g_autofree char *parts = g_strconcat (profile->path, ".d", NULL),
                  *keys = g_build_filename (profile->node->state, "keys", NULL);
  g_autofree char *credentials = g_build_filename (profile->node->state, "credentials", NULL);

  profile_paths_take (paths, profile->path, NULL, _ ("the profile"));
  profile_paths_take (paths, parts, NULL, _ ("the profile's drop-ins"));
  profile_paths_take (paths, keys, NULL, _ ("the node's keys"));
  profile_paths_take (paths, credentials, NULL, _ ("the node's credentials"));
  profile_paths_take (paths, profile->node->control, "control", "node");
}

void
far_profile_check_paths (const FarProfile *profile, GPtrArray *faults)
{
  g_autoptr (GPtrArray) taken = g_ptr_array_new_with_free_func (place_free);
  Paths paths = { profile, faults, taken };

  if (profile->node == NULL || profile->node->control == NULL)
    return;
  take_own (&paths);
  each_path (&paths, take_others);
  each_path (&paths, check_one);
}
