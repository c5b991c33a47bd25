/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file parses one right from its JSON and judges by that one row: for whom it is, what it covers,
 * what it says about a wish and what it lets one see. The set of rights and the question over all of them
 * are right.c. */
#include "config.h"

#include "auth/right-row.h"

#include <string.h>

#include <farwatch/clock.h>
#include <farwatch/gate.h>
#include <farwatch/i18n.h>
#include <farwatch/option.h>

#include "auth/right.h"

const char *
far_says_text (FarSays says)
{
  static const char *const texts[] = {
    N_ ("other person"),  N_ ("other action"), N_ ("other object"),   N_ ("expired"), N_ ("wrong address"),
    N_ ("outside hours"), N_ ("too long"),     N_ ("needs approval"), N_ ("yes"),
  };

  return says < G_N_ELEMENTS (texts) ? texts[says] : "";
}

/* ---- parse ---- */

static gboolean
right_bad (GError **error, const char *field, const char *why)
{
  g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("right: %s %s"), field, why);
  return FALSE;
}

static gboolean
right_name_ok (const char *name)
{
  gsize n = strspn (name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

  return n >= 1 && n <= 64 && name[n] == '\0';
}

static gboolean
right_take_who (FarRightRow *row, const char *text, GError **error)
{
  const char *who = text;

  if (g_str_has_prefix (who, "person:"))
    who += strlen ("person:");
  row->who = g_strdup (who);
  if (strcmp (who, "*") == 0 || (who[0] == '@' && right_name_ok (who + 1)))
    return TRUE;
  if (g_str_has_prefix (who, "local:"))
    who += strlen ("local:");
  else if (g_str_has_prefix (who, "node:"))
    who += strlen ("node:");
  return (who[0] != '@' && right_name_ok (who)) ||
         right_bad (error, "who", _ ("must be a name, @group, local:NAME, node:ID or *"));
}

static gboolean
right_take_object (FarRightRow *row, const char *text, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (text, "/", 9);

  if (text[0] == '\0' || strlen (text) > 256 || g_strv_length (parts) > 8)
    return right_bad (error, "object", _ ("must be a path like terminals/t1 (1 to 8 parts)"));
  for (guint i = 0; parts[i] != NULL; i++) {
    if (parts[i][0] == '\0')
      return right_bad (error, "object", _ ("has an empty part"));
    g_ptr_array_add (row->object, g_pattern_spec_new (parts[i]));
  }
  return TRUE;
}

static gboolean
right_take_from (FarRightRow *row, const char *text, GError **error)
{
  row->from = g_strsplit (text, ",", 17);
  for (guint i = 0; row->from[i] != NULL; i++) {
    g_autoptr (GError) local = NULL;

    far_address_in ("192.0.2.1", g_strstrip (row->from[i]), &local);
    if (local != NULL)
      return right_bad (error, "from", local->message);
  }
  return TRUE;
}

static gboolean
right_take_needs (FarRightRow *row, const char *text, GError **error)
{
  row->approval = TRUE;
  return strcmp (text, "approval") == 0 || right_bad (error, "needs", _ ("must be: approval"));
}

static gboolean
right_take_action (FarRightRow *row, const char *text, GError **error)
{
  g_autofree char *actions = far_right_actions (", ");

  row->action = far_action_parse (text);
  if (row->action != FAR_ACTION_NONE && row->action < FAR_ACTION_NODE)
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("right: action must be one of %s"), actions);
  return FALSE;
}

static gboolean
right_take_hours (FarRightRow *row, const char *text, GError **error)
{
  row->hours = far_hours_parse (text, error);
  return row->hours != NULL;
}

static gboolean
right_take_longest (FarRightRow *row, const char *text, GError **error)
{
  if (!far_parse_duration (text, &row->longest_us, error))
    return FALSE;
  return row->longest_us > 0 || right_bad (error, "longest", _ ("must be more than 0"));
}

static gboolean
right_take_until (FarRightRow *row, const char *text, GError **error)
{
  if (strlen (text) < 10 || text[4] != '-') /* far_clock_parse() also reads "2h", which is in the past */
    return right_bad (error, "until", _ ("must be a day or an instant, like 2027-01-01"));
  return far_clock_parse (text, &row->until_us, error);
}

static gboolean
right_take_id (FarRightRow *row, const char *text, GError **error)
{
  row->id = g_strdup (text);
  return right_name_ok (text) || right_bad (error, "id", _ ("must be 1 to 64 of A-Z a-z 0-9 . _ -"));
}

static const struct {
  const char *name;
  gboolean required;
  gboolean (*take) (FarRightRow *row, const char *text, GError **error);
} right_fields[] = {
  { "id", FALSE, right_take_id },        { "who", TRUE, right_take_who },
  { "action", TRUE, right_take_action }, { "object", TRUE, right_take_object },
  { "hours", FALSE, right_take_hours },  { "longest", FALSE, right_take_longest },
  { "from", FALSE, right_take_from },    { "needs", FALSE, right_take_needs },
  { "until", FALSE, right_take_until },
};

static gboolean
right_take_fields (FarRightRow *row, json_t *right, GError **error)
{
  guint seen = 0;

  for (guint i = 0; i < G_N_ELEMENTS (right_fields); i++) {
    json_t *value = json_object_get (right, right_fields[i].name);

    if (value == NULL && right_fields[i].required)
      return right_bad (error, right_fields[i].name, _ ("is missing"));
    if (value == NULL)
      continue;
    if (!json_is_string (value))
      return right_bad (error, right_fields[i].name, _ ("must be a text"));
    if (!right_fields[i].take (row, json_string_value (value), error))
      return FALSE;
    seen++;
  }
  return seen == json_object_size (right) ||
         right_bad (
             error, "a field",
             _ ("is not known; known are id, who, action, object, hours, longest, from, needs, until"));
}

FarRightRow *
far_right_row_parse (json_t *right, GError **error)
{
  FarRightRow *row;

  if (!json_is_object (right)) {
    right_bad (error, "it", _ ("must be an object"));
    return NULL;
  }
  row = g_new0 (FarRightRow, 1);
  row->object = g_ptr_array_new_with_free_func ((GDestroyNotify) g_pattern_spec_free);
  row->json = json_deep_copy (right);
  if (!right_take_fields (row, right, error)) {
    far_right_row_free (row);
    return NULL;
  }
  return row;
}

void
far_right_row_free (FarRightRow *row)
{
  g_free (row->id);
  g_free (row->who);
  g_ptr_array_unref (row->object);
  far_hours_free (row->hours);
  g_strfreev (row->from);
  json_decref (row->json);
  g_free (row);
}

/* ---- judge ---- */

gboolean
far_right_row_is_for (const FarRightRow *row, const FarPrincipal *principal, gboolean via_node)
{
  const char *who = row->who;

  if (via_node)
    return g_str_has_prefix (who, "node:") && strcmp (who + strlen ("node:"), principal->via) == 0;
  if (g_str_has_prefix (who, "node:"))
    return principal->kind == FAR_PRINCIPAL_NODE && strcmp (who + strlen ("node:"), principal->name) == 0;
  if (g_str_has_prefix (who, "local:"))
    return principal->kind == FAR_PRINCIPAL_LOCAL && strcmp (who + strlen ("local:"), principal->name) == 0;
  if (strcmp (who, "*") == 0)
    return principal->kind == FAR_PRINCIPAL_PERSON || principal->kind == FAR_PRINCIPAL_LOCAL;
  if (principal->kind != FAR_PRINCIPAL_PERSON)
    return FALSE;
  if (who[0] == '@')
    return principal->groups != NULL && g_strv_contains ((const char *const *) principal->groups, who + 1);
  return strcmp (who, principal->name) == 0;
}

/* Parts of the pattern that match the path's, from the left. */
static guint
row_common (const FarRightRow *row, char **parts)
{
  guint i;

  for (i = 0; i < row->object->len && parts[i] != NULL; i++)
    if (!g_pattern_spec_match_string (g_ptr_array_index (row->object, i), parts[i]))
      break;
  return i;
}

static gboolean
row_covers (const FarRightRow *row, char **parts)
{
  return row_common (row, parts) == row->object->len;
}

static gboolean
row_address_ok (const FarRightRow *row, const char *from)
{
  if (row->from == NULL)
    return TRUE;
  for (guint i = 0; row->from[i] != NULL; i++)
    if (from != NULL && from[0] != '\0' && far_address_in (from, row->from[i], NULL))
      return TRUE;
  return FALSE;
}

static gint64
how_time (const FarCircumstances *how)
{
  return how != NULL && how->wall_us != 0 ? how->wall_us : far_clock_wall_us ();
}

static const char *
how_from (const FarCircumstances *how, const FarPrincipal *principal)
{
  return how != NULL && how->from != NULL ? how->from : principal->from;
}

FarSays
far_right_row_says (const FarRightRow *row, const FarPrincipal *principal, gboolean via_node,
                    FarAction action, char **parts, const FarCircumstances *how)
{
  gint64 now = how_time (how), length = how != NULL ? how->length_us : 0;

  if (!far_right_row_is_for (row, principal, via_node))
    return FAR_SAYS_OTHER_PERSON;
  if (row->action != action)
    return FAR_SAYS_OTHER_ACTION;
  if (!row_covers (row, parts))
    return FAR_SAYS_OTHER_OBJECT;
  if (row->until_us != 0 && now >= row->until_us)
    return FAR_SAYS_EXPIRED;
  if (!row_address_ok (row, how_from (how, principal)))
    return FAR_SAYS_ADDRESS;
  if (row->hours != NULL && !far_hours_has (row->hours, now, length))
    return FAR_SAYS_HOURS;
  if (row->longest_us != 0 && length > row->longest_us)
    return FAR_SAYS_LENGTH;
  return row->approval ? FAR_SAYS_APPROVAL : FAR_SAYS_YES;
}

FarShows
far_right_row_shows (const FarRightRow *row, const FarPrincipal *principal, gboolean via_node, char **parts,
                     gint64 wall_us)
{
  if (!far_right_row_is_for (row, principal, via_node) || (row->until_us != 0 && wall_us >= row->until_us))
    return FAR_SHOWS_NOTHING;
  /* The right to see is itself bound to address and hours; another right shows its object always, so that a
   * refusal can be read. */
  if (row->action == FAR_ACTION_SEE && (!row_address_ok (row, principal->from) ||
                                        (row->hours != NULL && !far_hours_has (row->hours, wall_us, 0))))
    return FAR_SHOWS_NOTHING;
  if (row_covers (row, parts))
    return FAR_SHOWS_ALL;
  return parts[row_common (row, parts)] == NULL ? FAR_SHOWS_NAME : FAR_SHOWS_NOTHING;
}
