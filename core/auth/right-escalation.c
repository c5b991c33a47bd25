/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who manages people must not gain by it: a group is given by who has what it gives, and who sets a password
 * can be that person from then on. So rights are compared with rights: one covers another if whatever the
 * other allows it allows, too. */
#include "config.h"

#include "auth/right.h"

#include <string.h>

#include <farwatch/clock.h>
#include <farwatch/i18n.h>

#include "auth/right-row.h"

/* ---- one right and another ---- */

/* Names cut by '/', with '*' and '?'. A '*' of `have` swallows whatever stands there, be it a wildcard
 * itself; a '?' does not swallow a '*'. */
static gboolean
part_covers (const char *have, const char *other)
{
  return strcmp (have, other) == 0 || ((strchr (have, '?') == NULL || strchr (other, '*') == NULL) &&
                                       g_pattern_match_simple (have, other));
}

static gboolean
object_covers (const char *have, const char *other)
{
  g_auto (GStrv) parts = g_strsplit (have, "/", -1), others = g_strsplit (other, "/", -1);

  for (guint i = 0; parts[i] != NULL; i++)
    if (others[i] == NULL || !part_covers (parts[i], others[i]))
      return FALSE;
  return TRUE;
}

/* A condition that only the other one has is no matter; one of its own must be the other's as well, letter by
 * letter. */
static gboolean
conditions_cover (const FarRightRow *have, const FarRightRow *other)
{
  static const char *const fields[] = { "hours", "longest", "from", "needs", "until" };

  for (guint i = 0; i < G_N_ELEMENTS (fields); i++) {
    json_t *mine = json_object_get (have->json, fields[i]);

    if (mine != NULL && !json_equal (mine, json_object_get (other->json, fields[i])))
      return FALSE;
  }
  return TRUE;
}

static gboolean
row_ended (const FarRightRow *row)
{
  return row->until_us != 0 && far_clock_wall_us () >= row->until_us;
}

static gboolean
row_covers_row (const FarRightRow *have, const FarRightRow *other)
{
  return have->action == other->action && !row_ended (have) &&
         object_covers (json_string_value (json_object_get (have->json, "object")),
                        json_string_value (json_object_get (other->json, "object"))) &&
         conditions_cover (have, other);
}

/* ---- a principal and a right ---- */

static gboolean
has_all_of (const FarPrincipal *principal, gboolean via_node, const FarRightRow *row)
{
  GPtrArray *rows = far_right_rows ();

  for (guint i = 0; i < rows->len; i++)
    if (far_right_row_is_for (rows->pdata[i], principal, via_node) && row_covers_row (rows->pdata[i], row))
      return TRUE;
  return FALSE;
}

static gboolean
covers (const FarPrincipal *principal, const FarRightRow *row)
{
  if (principal->super && principal->via == NULL)
    return TRUE;
  return has_all_of (principal, FALSE, row) && (principal->via == NULL || has_all_of (principal, TRUE, row));
}

/* Rights over rights, people and terminals, and over what others ask for. */
static gboolean
row_is_power (const FarRightRow *row)
{
  return row->action == FAR_ACTION_MANAGE || row->action == FAR_ACTION_APPROVE;
}

gboolean
far_right_may_give (const FarPrincipal *principal, const char *group)
{
  g_autofree char *who = g_strconcat ("@", group, NULL), *object = g_strconcat ("groups/", group, NULL);
  gboolean managed = far_authorize (principal, FAR_ACTION_MANAGE, object, NULL, NULL) == FAR_DECISION_ALLOW,
           any = FALSE;
  GPtrArray *rows = far_right_rows ();

  for (guint i = 0; i < rows->len; i++) {
    const FarRightRow *row = rows->pdata[i];

    if (strcmp (row->who, who) != 0 || row_ended (row))
      continue;
    any = TRUE;
    /* A group of terminals has the same kind of name: who manages that one must not get power by it. */
    if ((!managed || row_is_power (row)) && !covers (principal, row))
      return FALSE;
  }
  return managed || any;
}

static gboolean
row_is_of (const FarRightRow *row, const char *name, const char *const *groups)
{
  return strcmp (row->who, name) == 0 ||
         (row->who[0] == '@' && groups != NULL && g_strv_contains (groups, row->who + 1));
}

gboolean
far_right_may_be (const FarPrincipal *principal, const char *name, const char *const *groups)
{
  GPtrArray *rows = far_right_rows ();

  for (guint i = 0; i < rows->len; i++) {
    const FarRightRow *row = rows->pdata[i];

    if (row_is_power (row) && !row_ended (row) && row_is_of (row, name, groups) && !covers (principal, row))
      return FALSE;
  }
  return TRUE;
}
