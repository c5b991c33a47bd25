/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Does a right speak of what exists? What can never exist is refused; what does not exist now, or is over, is
 * told: it may come. */
#include "config.h"

#include "auth/right.h"

#include <string.h>

#include <farwatch/i18n.h>
#include <farwatch/plugin.h>

#include "reach/users.h"

/* ---- names ---- */

G_GNUC_PRINTF (2, 3)
static void
odd_add (json_t *odd, const char *format, ...)
{
  va_list args;
  g_autofree char *text = NULL;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  json_array_append_new (odd, json_string (text));
}

/* As the services say that keep such objects. */
static FarKnows
odd_asked (char **parts)
{
  g_autoptr (GPtrArray) services = far_instance_list (FAR_KIND_SERVICE);
  FarKnows knows = FAR_KNOWS_NOT_MINE;

  for (guint i = 0; i < services->len && knows != FAR_KNOWS_IT; i++) {
    const FarServiceType *type = (const FarServiceType *) far_instance_type (services->pdata[i]);

    if (type->ops != NULL && type->ops->knows != NULL)
      knows = MAX (knows, type->ops->knows (far_instance_self (services->pdata[i]), parts));
  }
  return knows;
}

static gboolean
person_matches (json_t *person, const char *pattern, gboolean group)
{
  json_t *groups = json_object_get (person, "groups"), *one;
  size_t i;

  if (!group)
    return g_pattern_match_simple (pattern, json_string_value (json_object_get (person, "name")));
  json_array_foreach (groups, i, one)
    if (g_strcmp0 (json_string_value (one), pattern) == 0)
      return TRUE;
  return FALSE;
}

static gboolean
people_have (json_t *people, const char *pattern, gboolean group)
{
  json_t *person;
  size_t i;

  json_array_foreach (people, i, person)
    if (person_matches (person, pattern, group))
      return TRUE;
  return FALSE;
}

static void
odd_object (json_t *odd, const char *object, json_t *people)
{
  g_auto (GStrv) parts = g_strsplit (object, "/", -1);

  if (strcmp (parts[0], "users") == 0 && parts[1] != NULL && people != NULL &&
      !people_have (people, parts[1], FALSE))
    odd_add (odd, _ ("nobody called %s is known here now"), parts[1]);
  else if (parts[1] != NULL && odd_asked (parts) == FAR_KNOWS_NONE)
    odd_add (odd, _ ("there is no %s now"), object);
}

static void
odd_who (json_t *odd, const char *who, json_t *people, json_t *locals)
{
  const char *name = g_str_has_prefix (who, "person:") ? who + strlen ("person:") : who;
  g_autofree char *node = g_str_has_prefix (who, "node:")
                              ? g_strconcat ("terminals/", who + strlen ("node:"), NULL)
                              : NULL;
  g_auto (GStrv) parts = node != NULL ? g_strsplit (node, "/", 3) : NULL;

  if (g_str_has_prefix (who, "local:"))
    /* none: fails, and nothing is appended. */
    json_array_append (odd, json_object_get (locals, who + strlen ("local:")));
  if (parts != NULL && odd_asked (parts) == FAR_KNOWS_NONE)
    odd_add (odd, _ ("there is no node %s now"), parts[1]);
  if (people == NULL || strcmp (name, "*") == 0 || strchr (name, ':') != NULL)
    return;
  if (name[0] == '@' && !people_have (people, name + 1, TRUE))
    odd_add (odd, _ ("nobody is in the group %s now"), name + 1);
  else if (name[0] != '@' && !people_have (people, name, FALSE))
    odd_add (odd, _ ("nobody called %s is known here now"), name);
}

json_t *
far_right_warnings_who (const char *who, json_t *people, json_t *locals)
{
  json_t *odd = json_array ();

  odd_who (odd, who, far_users_listed () ? people : NULL, locals);
  return odd;
}

json_t *
far_right_warnings (const json_t *right, json_t *people, json_t *locals)
{
  json_t *odd = json_array ();

  odd_who (odd, json_string_value (json_object_get (right, "who")), far_users_listed () ? people : NULL,
           locals);
  odd_object (odd, json_string_value (json_object_get (right, "object")),
              far_users_listed () ? people : NULL);
  far_right_warnings_date (odd, right);
  return odd;
}
