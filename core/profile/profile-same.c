/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What several services have to be told alike, each by an option of its own: which transport the nodes come
 * by, where the keys are. A service knows no other, so only the profile can say that two of them differ. */
#include "config.h"

#include "profile/profile-private.h"

#include <farwatch/i18n.h>

static const FarOption *
same_option (const FarConfigured *configured, const char *name)
{
  for (const FarOption *option = configured->type->options; option->name != NULL; option++)
    if ((option->flags & (FAR_OPT_SAME | FAR_OPT_ALIKE)) != 0 && g_str_equal (option->name, name))
      return option;
  return NULL;
}

static const char *
same_value (const FarConfigured *configured, const FarOption *option)
{
  return *(char *const *) (gconstpointer) ((const char *) configured->options + option->offset);
}

/* Where it is written; where it is not, and so has its default, the service. */
static const FarYaml *
same_place (const FarConfigured *configured, const char *name)
{
  const FarYaml *written = configured->map != NULL ? far_yaml_get (configured->map, name) : NULL;

  return written != NULL ? written : configured->key;
}

static void
same_fault (const FarConfigured *earlier, const FarConfigured *configured, const FarOption *option,
            const FarOption *other, GPtrArray *faults)
{
  const FarYaml *there = same_place (earlier, option->name);
  gboolean must = ((option->flags & other->flags) & FAR_OPT_SAME) != 0;
  g_autofree char *where = there->source != NULL ? g_strdup_printf ("%s:%u", there->source->path, there->line)
                                                 : g_strdup (earlier->path);

  far_fault_add (faults, must ? FAR_FAULT_ERROR : FAR_FAULT_WARNING, same_place (configured, option->name),
                 must ? _ ("'%s' is '%s' in %s, and '%s' in %s (%s): write the same in both")
                      : _ ("'%s' is '%s' in %s, and '%s' in %s (%s): write the same in both, unless the "
                           "difference is meant"),
                 option->name, same_value (configured, option), configured->path, same_value (earlier, other),
                 earlier->path, where);
}

static void
check_pair (const FarConfigured *earlier, const FarConfigured *configured, GPtrArray *faults)
{
  for (const FarOption *option = configured->type->options; option->name != NULL; option++) {
    const FarOption *other = (option->flags & (FAR_OPT_SAME | FAR_OPT_ALIKE)) != 0
                                 ? same_option (earlier, option->name)
                                 : NULL;

    /* What is missing is told otherwise. */
    if (other != NULL && same_value (configured, option) != NULL && same_value (earlier, other) != NULL &&
        !g_str_equal (same_value (configured, option), same_value (earlier, other)))
      same_fault (earlier, configured, option, other, faults);
  }
}

/* On-demand services of a profile that was checked before have no options yet. */
static gboolean
has_options (const FarConfigured *configured)
{
  return configured->kind == FAR_KIND_SERVICE && configured->type != NULL &&
         configured->type->options != NULL && configured->options != NULL;
}

void
far_profile_check_same (const FarProfile *profile, GPtrArray *faults)
{
  for (guint i = 0; i < profile->instances->len; i++)
    for (guint before = 0; before < i && has_options (profile->instances->pdata[i]); before++)
      if (has_options (profile->instances->pdata[before]))
        check_pair (profile->instances->pdata[before], profile->instances->pdata[i], faults);
}
