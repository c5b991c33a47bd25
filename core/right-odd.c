/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Does a right speak of what exists? What can never exist is refused; what does not exist now, or is over, is told: it may come. */
#include "config.h"

#include "right.h"

#include <string.h>

#include <farwatch/clock.h>
#include <farwatch/i18n.h>
#include <farwatch/plugin.h>

#include "people.h"

/* What core and the shipped services ask rights about: the first parts of objects. */
static const char *const right_families[] = { "enrollments", "groups", "node", "nodes", "rights", "sites", "terminals", "users" };

/* Those of other services' handlers, learned with their type. One a process, as types are resident; touched on main only. */
static GHashTable *right_learned;

/* ---- families ---- */

#define GIVEN (FAR_ACTION_SEE | FAR_ACTION_CONNECT | FAR_ACTION_CONNECT_RAW | FAR_ACTION_WATCH | FAR_ACTION_COPY | FAR_ACTION_ACT | FAR_ACTION_APPROVE | \
               FAR_ACTION_MANAGE | FAR_ACTION_KNOW)

void
far_right_family_learn (const FarHandler *handlers)
{
  for (; handlers != NULL && handlers->method != NULL; handlers++) {
    const char *object = handlers->object != NULL ? handlers->object : handlers->pattern;
    gsize n = strcspn (object, "/");

    if ((handlers->action & GIVEN) == 0 || object[0] == '{')
      continue;
    if (right_learned == NULL)
      right_learned = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    g_hash_table_add (right_learned, g_strndup (object, n));
  }
}

/* All of them, borrowed, with a NULL behind the last. */
static GPtrArray *
family_list (void)
{
  GPtrArray *all = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer name;

  for (guint i = 0; i < G_N_ELEMENTS (right_families); i++)
    g_ptr_array_add (all, (gpointer) right_families[i]);
  if (right_learned != NULL) {
    g_hash_table_iter_init (&iter, right_learned);
    while (g_hash_table_iter_next (&iter, &name, NULL))
      if (!g_ptr_array_find_with_equal_func (all, name, g_str_equal, NULL))
        g_ptr_array_add (all, name);
  }
  g_ptr_array_add (all, NULL);
  return all;
}

gboolean
far_right_family_ok (const json_t *right, GError **error)
{
  const char *object = json_string_value (json_object_get (right, "object"));
  g_autofree char *first = g_strndup (object, strcspn (object, "/")), *all = NULL;
  g_autoptr (GPtrArray) families = family_list ();

  for (guint i = 0; families->pdata[i] != NULL; i++)
    if (g_pattern_match_simple (first, families->pdata[i]))
      return TRUE;
  all = g_strjoinv (", ", (char **) families->pdata);
  g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, _("right: object %s: there is no '%s' that a right could be for; there are %s"), object, first, all);
  return FALSE;
}

/* ---- names ---- */

static void G_GNUC_PRINTF (2, 3)
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

  if (strcmp (parts[0], "users") == 0 && parts[1] != NULL && people != NULL && !people_have (people, parts[1], FALSE))
    odd_add (odd, _("nobody called %s is known here now"), parts[1]);
  else if (parts[1] != NULL && odd_asked (parts) == FAR_KNOWS_NONE)
    odd_add (odd, _("there is no %s now"), object);
}

static void
odd_who (json_t *odd, const char *who, json_t *people, json_t *locals)
{
  const char *name = g_str_has_prefix (who, "person:") ? who + strlen ("person:") : who;
  g_autofree char *node = g_str_has_prefix (who, "node:") ? g_strconcat ("terminals/", who + strlen ("node:"), NULL) : NULL;
  g_auto (GStrv) parts = node != NULL ? g_strsplit (node, "/", 3) : NULL;

  if (g_str_has_prefix (who, "local:"))
    json_array_append (odd, json_object_get (locals, who + strlen ("local:"))); /* none: fails, and nothing is appended */
  if (parts != NULL && odd_asked (parts) == FAR_KNOWS_NONE)
    odd_add (odd, _("there is no node %s now"), parts[1]);
  if (people == NULL || strcmp (name, "*") == 0 || strchr (name, ':') != NULL)
    return;
  if (name[0] == '@' && !people_have (people, name + 1, TRUE))
    odd_add (odd, _("nobody is in the group %s now"), name + 1);
  else if (name[0] != '@' && !people_have (people, name, FALSE))
    odd_add (odd, _("nobody called %s is known here now"), name);
}

void
far_right_odd_date (json_t *odd, const json_t *right)
{
  const char *until = json_string_value (json_object_get (right, "until"));
  gint64 end_us;

  if (until != NULL && far_clock_parse (until, &end_us, NULL) && end_us <= far_clock_wall_us ())
    odd_add (odd, _("it ended on %s and gives nothing"), until);
}

json_t *
far_right_odd (const json_t *right, json_t *people, json_t *locals)
{
  json_t *odd = json_array ();

  odd_who (odd, json_string_value (json_object_get (right, "who")), far_people_listed () ? people : NULL, locals);
  odd_object (odd, json_string_value (json_object_get (right, "object")), far_people_listed () ? people : NULL);
  far_right_odd_date (odd, right);
  return odd;
}

/* ---- words ---- */

char *
far_right_text (const json_t *right)
{
  static const char *const conditions[] = { N_ ("hours"), N_ ("longest"), N_ ("from"), N_ ("needs"), N_ ("until") };
  static const char *const fields[] = { "hours", "longest", "from", "needs", "until" };
  g_autoptr (GString) text = g_string_new (NULL);
  const char *const must[] = { "who", "action", "object" };
  const char *words[3];

  for (guint i = 0; i < 3; i++) {
    words[i] = json_string_value (json_object_get (right, must[i]));
    words[i] = words[i] != NULL ? words[i] : "-";
  }
  g_string_append_printf (text, _("%s may %s %s"), words[0], words[1], words[2]);
  for (guint i = 0; i < G_N_ELEMENTS (fields); i++) {
    const char *value = json_string_value (json_object_get (right, fields[i]));

    if (value != NULL)
      g_string_append_printf (text, ", %s %s", _(conditions[i]), value);
  }
  return g_string_free (g_steal_pointer (&text), FALSE);
}
