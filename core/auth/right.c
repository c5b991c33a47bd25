/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file keeps the set of rights in force, those of the profile and those given at run time, and
 * answers the one question over all of them: may this principal do this now? It takes the best that any
 * row says to any name of the object; one row is judged in right-row.c. */
#include "config.h"

#include "auth/right.h"

#include "base/node-part.h"

#include <string.h>

#include <farwatch/clock.h>
#include <farwatch/i18n.h>
#include <farwatch/thread.h>

#include "auth/right-row.h"

#define ENDED_MAX 4096

/* The set in force; touched on main only. */
typedef struct {
  GPtrArray *rows;
  GHashTable *ended; /* person → boottime up to which their logins are over; bounded, the oldest goes */
} RightSet;

static void
right_set_clear (gpointer part)
{
  far_right_clear ();
}

static RightSet *
right_set (void)
{
  static const FarNodePart part = { FAR_PART_RIGHT, sizeof (RightSet), NULL, right_set_clear };

  return far_node_part (&part);
}

static const struct {
  FarAction action;
  const char *name;
} right_actions[] = {
  { FAR_ACTION_SEE, "see" },
  { FAR_ACTION_CONNECT, "connect" },
  { FAR_ACTION_CONNECT_RAW, "connect-raw" },
  { FAR_ACTION_WATCH, "watch" },
  { FAR_ACTION_COPY, "copy" },
  { FAR_ACTION_ACT, "act" },
  { FAR_ACTION_APPROVE, "approve" },
  { FAR_ACTION_MANAGE, "manage" },
  { FAR_ACTION_NODE, "node" },
  { FAR_ACTION_ANYONE, "anyone" },
  { FAR_ACTION_KNOW, "know" },
};

const char *
far_action_name (FarAction action)
{
  for (guint i = 0; i < G_N_ELEMENTS (right_actions); i++)
    if (right_actions[i].action == action)
      return right_actions[i].name;
  return "none";
}

FarAction
far_action_parse (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (right_actions); i++)
    if (strcmp (right_actions[i].name, name) == 0)
      return right_actions[i].action;
  return FAR_ACTION_NONE;
}

char *
far_right_actions (const char *between)
{
  const char *words[G_N_ELEMENTS (right_actions) + 1] = { NULL };

  for (guint i = 0, n = 0; i < G_N_ELEMENTS (right_actions); i++)
    if (right_actions[i].action < FAR_ACTION_NODE)
      words[n++] = right_actions[i].name;
  return g_strjoinv (between, (char **) words);
}

/* ---- the set ---- */

GPtrArray *
far_right_rows (void)
{
  if (right_set ()->rows == NULL)
    right_set ()->rows = g_ptr_array_new_with_free_func ((GDestroyNotify) far_right_row_free);
  return right_set ()->rows;
}

void
far_right_clear (void)
{
  g_clear_pointer (&right_set ()->rows, g_ptr_array_unref);
  g_clear_pointer (&right_set ()->ended, g_hash_table_unref);
}

static int
right_index (const char *id)
{
  GPtrArray *rows = far_right_rows ();

  for (guint i = 0; i < rows->len; i++)
    if (g_strcmp0 (((FarRightRow *) rows->pdata[i])->id, id) == 0)
      return (int) i;
  return -1;
}

gboolean
far_right_is_profile (const char *id)
{
  int at = right_index (id);

  return at >= 0 && ((FarRightRow *) far_right_rows ()->pdata[at])->profile;
}

json_t *
far_right_get (const char *id)
{
  int at = right_index (id);

  return at >= 0 ? ((FarRightRow *) far_right_rows ()->pdata[at])->json : NULL;
}

gboolean
far_right_check (json_t *right, GError **error)
{
  FAR_ON_MAIN ();
  FarRightRow *row = far_right_row_parse (right, error);

  if (row == NULL)
    return FALSE;
  far_right_row_free (row);
  return TRUE;
}

gboolean
far_right_set (json_t *right, GError **error)
{
  FAR_ON_MAIN ();
  FarRightRow *row = far_right_row_parse (right, error);
  int at;

  if (row == NULL)
    return FALSE;
  if (row->id == NULL) {
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("right: id is missing"));
    far_right_row_free (row);
    return FALSE;
  }
  at = right_index (row->id);
  if (at < 0) {
    g_ptr_array_add (far_right_rows (), row);
    return TRUE;
  }
  if (far_right_is_profile (row->id)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFLICT, _ ("right %s stands in the profile: change it there"),
                 row->id);
    far_right_row_free (row);
    return FALSE;
  }
  far_right_row_free (far_right_rows ()->pdata[at]);
  far_right_rows ()->pdata[at] = row;
  return TRUE;
}

gboolean
far_right_remove (const char *id)
{
  FAR_ON_MAIN ();
  int at = right_index (id);

  if (at < 0 || far_right_is_profile (id))
    return FALSE;
  g_ptr_array_remove_index (far_right_rows (), (guint) at);
  return TRUE;
}

static GPtrArray *
right_parse_profile (json_t *list, GError **error)
{
  g_autoptr (GPtrArray) rows = g_ptr_array_new_with_free_func ((GDestroyNotify) far_right_row_free);

  for (gsize i = 0; i < json_array_size (list); i++) {
    FarRightRow *row = far_right_row_parse (json_array_get (list, i), error);

    if (row == NULL)
      return NULL;
    if (row->id == NULL) {
      row->id = g_strdup_printf ("profile-%" G_GSIZE_FORMAT, i + 1);
      json_object_set_new (row->json, "id", json_string (row->id));
    }
    row->profile = TRUE;
    g_ptr_array_add (rows, row);
  }
  return g_steal_pointer (&rows);
}

gboolean
far_right_set_profile (json_t *list, GError **error)
{
  g_autoptr (GPtrArray) fresh = right_parse_profile (list, error);
  GPtrArray *rows = far_right_rows ();

  if (fresh == NULL)
    return FALSE;
  for (guint i = rows->len; i > 0; i--) {
    FarRightRow *row = rows->pdata[i - 1];

    if (row->profile)
      g_ptr_array_remove_index (rows, i - 1);
  }
  for (guint i = 0; i < fresh->len; i++) {
    int at = right_index (((FarRightRow *) fresh->pdata[i])->id);

    if (at >= 0) /* the profile's wins over one added at run time under the same id */
      g_ptr_array_remove_index (rows, (guint) at);
  }
  while (fresh->len > 0)
    g_ptr_array_add (rows, g_ptr_array_steal_index (fresh, 0));
  return TRUE;
}

gboolean
far_right_exists (const char *id)
{
  return right_index (id) >= 0;
}

static void
right_revision (json_t *copy, const json_t *json)
{
  g_autofree char *revision = far_revision (json);

  json_object_set_new (copy, "revision", json_string (revision));
}

json_t *
far_right_list_of (const FarPrincipal *principal)
{
  json_t *list = json_array ();
  GPtrArray *rows = far_right_rows ();

  for (guint i = 0; i < rows->len; i++) {
    const FarRightRow *row = rows->pdata[i];
    json_t *copy;

    if (principal != NULL && !far_right_row_is_for (row, principal, FALSE))
      continue;
    copy = json_copy (row->json);
    json_object_set_new (copy, "origin", json_string (row->profile ? "profile" : "store"));
    right_revision (copy, row->json);
    json_array_append_new (list, copy);
  }
  return list;
}

json_t *
far_right_list (void)
{
  FAR_ON_MAIN ();
  return far_right_list_of (NULL);
}

/* ---- questions ---- */

/* "terminals/t1" and what is below belongs to node t1; what names no node is left to the handler. */
static gboolean
right_node_itself (const FarPrincipal *principal, char **parts)
{
  if (parts[0] == NULL || (strcmp (parts[0], "terminals") != 0 && strcmp (parts[0], "nodes") != 0))
    return TRUE;
  return parts[1] != NULL && strcmp (parts[1], principal->name) == 0;
}

/* The best a row says to any name of the object. */
static FarSays
right_row_best (const FarRightRow *row, const FarPrincipal *principal, gboolean via_node, FarAction action,
                GPtrArray *names, const FarCircumstances *how)
{
  FarSays best = FAR_SAYS_OTHER_PERSON;

  for (guint i = 0; i < names->len && best != FAR_SAYS_YES; i++)
    best = MAX (best, far_right_row_says (row, principal, via_node, action, names->pdata[i], how));
  return best;
}

static FarSays
right_best (const FarPrincipal *principal, gboolean via_node, FarAction action, GPtrArray *names,
            const FarCircumstances *how)
{
  GPtrArray *rows = far_right_rows ();
  FarSays best = FAR_SAYS_OTHER_PERSON;

  for (guint i = 0; i < rows->len && best != FAR_SAYS_YES; i++)
    best = MAX (best, right_row_best (rows->pdata[i], principal, via_node, action, names, how));
  return best;
}

static gboolean
right_shows (const FarPrincipal *principal, gboolean via_node, GPtrArray *names, FarShows wanted)
{
  GPtrArray *rows = far_right_rows ();
  gint64 now = far_clock_wall_us ();

  for (guint i = 0; i < rows->len; i++)
    for (guint n = 0; n < names->len; n++)
      if (far_right_row_shows (rows->pdata[i], principal, via_node, names->pdata[n], now) >= wanted)
        return TRUE;
  return FALSE;
}

static gboolean
right_visible_names (const FarPrincipal *principal, GPtrArray *names, FarShows wanted)
{
  char **parts = names->pdata[0];

  if (principal->kind == FAR_PRINCIPAL_NONE)
    return FALSE;
  if (principal->super && principal->via == NULL)
    return TRUE;
  if (principal->kind == FAR_PRINCIPAL_NODE)
    return parts[0] != NULL && right_node_itself (principal, parts) &&
           (strcmp (parts[0], "terminals") == 0 || strcmp (parts[0], "nodes") == 0);
  if (principal->via != NULL && !right_shows (principal, TRUE, names, wanted))
    return FALSE;
  if (principal->kind == FAR_PRINCIPAL_PERSON && parts[0] != NULL && strcmp (parts[0], "users") == 0 &&
      g_strcmp0 (parts[1], principal->name) == 0)
    return TRUE;
  return right_shows (principal, FALSE, names, wanted);
}

gboolean
far_right_node_has_any (const char *node)
{
  g_autofree char *who = g_strconcat ("node:", node, NULL);
  GPtrArray *rows = far_right_rows ();
  gint64 now = far_clock_wall_us ();

  for (guint i = 0; i < rows->len; i++) {
    const FarRightRow *row = rows->pdata[i];

    if (g_str_equal (row->who, who) && (row->until_us == 0 || now < row->until_us))
      return TRUE;
  }
  return FALSE;
}

static void
ended_drop_oldest (void)
{
  GHashTableIter iter;
  gpointer name, at, oldest = NULL;
  gint64 least = G_MAXINT64;

  g_hash_table_iter_init (&iter, right_set ()->ended);
  while (g_hash_table_iter_next (&iter, &name, &at))
    if (*(gint64 *) at < least) {
      least = *(gint64 *) at;
      oldest = name;
    }
  g_hash_table_remove (right_set ()->ended, oldest);
}

void
far_right_end_person (const char *name)
{
  gint64 *now = g_new (gint64, 1);

  *now = far_clock_boottime_us ();
  if (right_set ()->ended == NULL)
    right_set ()->ended = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_hash_table_replace (right_set ()->ended, g_strdup (name), now);
  if (g_hash_table_size (right_set ()->ended) > ENDED_MAX)
    ended_drop_oldest ();
}

gboolean
far_right_login_ended (const FarPrincipal *principal)
{
  const gint64 *at = principal->kind == FAR_PRINCIPAL_PERSON && right_set ()->ended != NULL
                         ? g_hash_table_lookup (right_set ()->ended, principal->name)
                         : NULL;

  return at != NULL && principal->since_us <= *at;
}

static gboolean
right_is_over (const FarPrincipal *principal)
{
  return (principal->until_us != 0 && far_clock_wall_us () >= principal->until_us) ||
         far_right_login_ended (principal);
}

static gboolean
right_visible (const FarPrincipal *principal, const char *object, FarShows wanted)
{
  g_autoptr (GPtrArray) names = far_right_names (object);

  return !right_is_over (principal) && right_visible_names (principal, names, wanted);
}

gboolean
far_visible (const FarPrincipal *principal, const char *object)
{
  FAR_ON_MAIN ();
  return right_visible (principal, object, FAR_SHOWS_NAME);
}

gboolean
far_authorize_see (const FarPrincipal *principal, const char *object)
{
  FAR_ON_MAIN ();
  return right_visible (principal, object, FAR_SHOWS_ALL);
}

static FarSays
right_says (const FarPrincipal *principal, FarAction action, GPtrArray *names, const FarCircumstances *how)
{
  FarSays node = FAR_SAYS_YES, person;

  if (principal->super && principal->via == NULL)
    return FAR_SAYS_YES;
  if (action == FAR_ACTION_SEE &&
      principal->kind != FAR_PRINCIPAL_NODE) /* a node acts by FAR_ACTION_NODE, or by a right of its own */
    return right_visible_names (principal, names, FAR_SHOWS_ALL) ? FAR_SAYS_YES : FAR_SAYS_OTHER_OBJECT;
  person = right_best (principal, FALSE, action, names, how);
  if (principal->via != NULL) /* for whom a node speaks may what both may */
    node = right_best (principal, TRUE, action, names, how);
  return MIN (person, node);
}

static FarDecision
right_verdict (FarSays says, const char **cause)
{
  if (says == FAR_SAYS_YES)
    return FAR_DECISION_ALLOW;
  *cause = says <= FAR_SAYS_OTHER_OBJECT ? _ ("no right") : _ (far_says_text (says));
  return says == FAR_SAYS_APPROVAL ? FAR_DECISION_NEEDS_APPROVAL : FAR_DECISION_DENY;
}

/* What needs no row of its own: who passed an interface's login, nodes about themselves, what is open before
 * login, what one may know of. */
static gboolean
right_without_row (const FarPrincipal *principal, FarAction action, GPtrArray *names, FarDecision *may)
{
  if (action == FAR_ACTION_ANYONE)
    *may = FAR_DECISION_ALLOW;
  else if (action == FAR_ACTION_NODE)
    *may = principal->kind == FAR_PRINCIPAL_NODE && right_node_itself (principal, names->pdata[0])
               ? FAR_DECISION_ALLOW
               : FAR_DECISION_DENY;
  else if (action == FAR_ACTION_KNOW)
    *may = right_visible_names (principal, names, FAR_SHOWS_NAME) ? FAR_DECISION_ALLOW : FAR_DECISION_DENY;
  else if (action == FAR_ACTION_NONE)
    *may = principal->kind == FAR_PRINCIPAL_PERSON || principal->kind == FAR_PRINCIPAL_LOCAL
               ? FAR_DECISION_ALLOW
               : FAR_DECISION_DENY;
  else
    return FALSE;
  return TRUE;
}

FarDecision
far_authorize (const FarPrincipal *principal, FarAction action, const char *object,
               const FarCircumstances *how, const char **cause)
{
  FAR_ON_MAIN ();
  g_autoptr (GPtrArray) names = far_right_names (object);
  const char *unused = NULL;
  FarDecision may = FAR_DECISION_DENY;

  if (cause == NULL)
    cause = &unused;
  *cause = _ ("no right");
  if (right_is_over (principal) && action != FAR_ACTION_ANYONE) {
    *cause = _ ("expired");
    return FAR_DECISION_DENY;
  }
  if (right_without_row (principal, action, names, &may)) {
    if (may == FAR_DECISION_ALLOW)
      *cause = NULL;
    return may;
  }
  if (principal->kind == FAR_PRINCIPAL_NONE)
    return FAR_DECISION_DENY;
  may = right_verdict (right_says (principal, action, names, how), cause);
  if (may == FAR_DECISION_ALLOW)
    *cause = NULL;
  return may;
}

static const char *
right_may_name (FarDecision may)
{
  static const char *const names[] = { "deny", "allow", "needs-approval" };

  return names[may];
}

/* A right of any action lets see, so that its own action is not the question there. */
static FarSays
explain_says (const FarRightRow *row, const FarPrincipal *principal, gboolean via_node, FarAction action,
              GPtrArray *names, const FarCircumstances *how)
{
  FarShows wanted = action == FAR_ACTION_SEE ? FAR_SHOWS_ALL : FAR_SHOWS_NAME;

  if (action != FAR_ACTION_KNOW && (action != FAR_ACTION_SEE || principal->kind == FAR_PRINCIPAL_NODE))
    return right_row_best (row, principal, via_node, action, names, how);
  for (guint n = 0; n < names->len; n++)
    if (far_right_row_shows (row, principal, via_node, names->pdata[n],
                             how != NULL && how->wall_us != 0 ? how->wall_us : far_clock_wall_us ()) >=
        wanted)
      return FAR_SAYS_YES;
  return MIN (right_row_best (row, principal, via_node, row->action, names, how), FAR_SAYS_HOURS);
}

/* Appends what the row says, if it is for the principal; FALSE: it is for others. */
static gboolean
explain_row (json_t *list, const FarRightRow *row, const FarPrincipal *principal, gboolean via_node,
             FarAction action, GPtrArray *names, const FarCircumstances *how)
{
  json_t *line;

  if (!far_right_row_is_for (row, principal, via_node))
    return FALSE;
  line = json_object ();
  json_object_set (line, "right", row->json);
  json_object_set_new (line, "says",
                       json_string (
                           far_says_text (explain_says (row, principal, via_node, action, names, how))));
  json_array_append_new (list, line);
  return TRUE;
}

json_t *
far_explain (const FarPrincipal *principal, FarAction action, const char *object, const FarCircumstances *how)
{
  FAR_ON_MAIN ();
  g_autoptr (GPtrArray) names = far_right_names (object);
  g_autofree char *who = far_principal_text (principal);
  const char *cause = NULL;
  FarDecision may = far_authorize (principal, action, object, how, &cause);
  json_t *list = json_array (), *answer = json_object ();
  GPtrArray *rows = far_right_rows ();
  guint others = 0;

  for (guint i = 0; i < rows->len; i++) {
    gboolean concerns = explain_row (list, rows->pdata[i], principal, FALSE, action, names, how);

    if (principal->via != NULL) /* what the node itself has of it */
      concerns |= explain_row (list, rows->pdata[i], principal, TRUE, action, names, how);
    others += !concerns;
  }
  json_object_set_new (answer, "who", json_string (who));
  json_object_set_new (answer, "action", json_string (far_action_name (action)));
  json_object_set_new (answer, "object", json_string (object));
  json_object_set_new (answer, "result", json_string (right_may_name (may)));
  if (cause != NULL)
    json_object_set_new (answer, "cause", json_string (cause));
  json_object_set_new (answer, "super", json_boolean (principal->super));
  json_object_set_new (answer, "rights", list);
  json_object_set_new (answer, "others", json_integer (others));
  return answer;
}
