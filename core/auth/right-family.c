/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What can be said of a right by itself: whether its object is of a family that there can be, whether it is
 * over, and its words. */
#include "config.h"

#include "auth/right.h"

#include <string.h>

#include <farwatch/clock.h>
#include <farwatch/i18n.h>
#include <farwatch/plugin.h>

/* What core and the shipped services ask rights about: the first parts of objects. */
static const char *const right_families[] = {
  "enrollments", "groups", "node", "nodes", "rights", "sites", "terminals", "users",
};

/* Those of other services' handlers, learned with their type. One a process, as types are resident; touched
 * on main only. */
static GHashTable *right_learned;

/* ---- families ---- */

#define GIVEN                                                                                                \
  (FAR_ACTION_SEE | FAR_ACTION_CONNECT | FAR_ACTION_CONNECT_RAW | FAR_ACTION_WATCH | FAR_ACTION_COPY |       \
   FAR_ACTION_ACT | FAR_ACTION_APPROVE | FAR_ACTION_MANAGE | FAR_ACTION_KNOW)

void
far_right_family_learn (const FarHandler *handlers)
{
  for (; handlers != NULL && handlers->method != NULL; handlers++) {
    const char *object = handlers->object != NULL ? handlers->object : handlers->pattern;
    gsize n = strcspn (object, "/");

    if ((handlers->action & GIVEN) == 0 || object[0] == '{' || handlers->resolve != NULL)
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

char *
far_right_families (const char *between)
{
  g_autoptr (GPtrArray) families = family_list ();

  return g_strjoinv (between, (char **) families->pdata);
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
  all = far_right_families (", ");
  g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID,
               _ ("right: object %s: there is no '%s' that a right could be for; there are %s"), object,
               first, all);
  return FALSE;
}

/* ---- the date ---- */

void
far_right_warnings_date (json_t *odd, const json_t *right)
{
  const char *until = json_string_value (json_object_get (right, "until"));
  g_autofree char *text = NULL;
  gint64 end_us;

  if (until == NULL || !far_clock_parse (until, &end_us, NULL) || end_us > far_clock_wall_us ())
    return;
  text = g_strdup_printf (_ ("it ended on %s and gives nothing"), until);
  json_array_append_new (odd, json_string (text));
}

/* ---- words ---- */

char *
far_right_text (const json_t *right)
{
  static const char *const conditions[] = { N_ ("hours"), N_ ("longest"), N_ ("from"), N_ ("needs"),
                                            N_ ("until") };
  static const char *const fields[] = { "hours", "longest", "from", "needs", "until" };
  g_autoptr (GString) text = g_string_new (NULL);
  const char *const must[] = { "who", "action", "object" };
  const char *words[3];

  for (guint i = 0; i < 3; i++) {
    words[i] = json_string_value (json_object_get (right, must[i]));
    words[i] = words[i] != NULL ? words[i] : "-";
  }
  g_string_append_printf (text, _ ("%s may %s %s"), words[0], words[1], words[2]);
  for (guint i = 0; i < G_N_ELEMENTS (fields); i++) {
    const char *value = json_string_value (json_object_get (right, fields[i]));

    if (value != NULL)
      g_string_append_printf (text, ", %s %s", _ (conditions[i]), value);
  }
  return g_string_free (g_steal_pointer (&text), FALSE);
}
