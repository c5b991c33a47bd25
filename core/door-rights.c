/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rights at run time: rows of the store called main, and the questions about them. A right counts when its row is durable. */
#include "config.h"

#include "door-private.h"

#include <string.h>

#include <farwatch/clock.h>
#include <farwatch/home.h>
#include <farwatch/i18n.h>
#include <farwatch/instance.h>
#include <farwatch/option.h>
#include <farwatch/store.h>
#include <farwatch/trust.h>

#include "people.h"
#include "right.h"

#define RIGHTS_STORE "main"
#define RIGHTS_TABLE "rights"
#define RIGHTS_TIMEOUT_MS 20000
#define RIGHTS_PAGE 10000

/* ---- rows at start ---- */

static FarHomeTimer *rights_timer; /* until the store runs; touched on main only */
static gint64 rights_wait_us;
static gboolean rights_asked; /* the store is reading, or has read */

static void rights_read (FarRequest *req, gpointer user);

static void
rights_read_from (const char *after)
{
  far_store_rows (RIGHTS_STORE, RIGHTS_TABLE, NULL, after, RIGHTS_PAGE, FALSE, far_request_new (rights_read, NULL, RIGHTS_TIMEOUT_MS));
}

static void
rights_read (FarRequest *req, gpointer user)
{
  GPtrArray *rows = far_request_error (req) == NULL ? far_request_result (req) : NULL;

  if (rights_timer == NULL) /* stopped meanwhile */
    return;
  if (rows == NULL) {
    far_complain (NULL, "rights", "the rights cannot be read from the store, trying again: %s", far_request_error (req)->message);
    rights_asked = FALSE;
    far_home_timer_set (rights_timer, far_clock_boottime_us () + 5 * G_USEC_PER_SEC);
    return;
  }
  for (guint i = 0; i < rows->len; i++) {
    const FarRow *row = rows->pdata[i];
    g_autoptr (GError) error = NULL;
    json_t *right = json_loads (row->row, 0, NULL);

    if (right == NULL || (!far_right_set (right, &error) && !g_error_matches (error, FAR_ERROR, FAR_ERROR_CONFLICT)))
      far_log (NULL, G_LOG_LEVEL_WARNING, "a right in the store is bad and left out: %s: %s", row->key, error != NULL ? error->message : "no JSON");
    json_decref (right);
  }
  if (rows->len == RIGHTS_PAGE)
    rights_read_from (((const FarRow *) rows->pdata[rows->len - 1])->key);
}

static void
rights_try (gpointer data)
{
  if (rights_asked)
    return;
  if (far_instance_find (FAR_KIND_STORE, RIGHTS_STORE, NULL) != NULL) {
    rights_asked = TRUE;
    rights_read_from (NULL);
    return;
  }
  rights_wait_us = MIN (rights_wait_us * 2, 60 * G_USEC_PER_SEC);
  far_home_timer_set (rights_timer, far_clock_boottime_us () + rights_wait_us);
}

void
far_right_rows_start (void)
{
  rights_wait_us = 50 * 1000;
  rights_asked = FALSE;
  rights_timer = far_home_timer (far_home_main (), far_clock_boottime_us (), rights_try, NULL);
}

/* At once, so that who is told "ready" finds the rights in force: what starts after the store asks it after us. */
void
far_right_rows_store_up (const char *store)
{
  if (rights_timer != NULL && strcmp (store, RIGHTS_STORE) == 0)
    rights_try (NULL);
}

void
far_right_rows_stop (void)
{
  g_clear_pointer (&rights_timer, far_home_timer_free);
}

/* ---- list ---- */

static json_t *
rights_page (const FarCall *call, json_t *all)
{
  const char *after = json_string_value (json_object_get (call->query, "after"));
  json_t *body = json_object (), *list = json_array ();
  gboolean on = after == NULL;

  for (gsize i = 0; i < json_array_size (all); i++) {
    json_t *right = json_array_get (all, i);

    if (on && json_array_size (list) == 100) {
      json_object_set (body, "next", json_object_get (json_array_get (list, 99), "id"));
      break;
    }
    if (on)
      json_array_append (list, right);
    else if (g_strcmp0 (json_string_value (json_object_get (right, "id")), after) == 0)
      on = TRUE;
  }
  json_object_set_new (body, "rights", list);
  return body;
}

static void
rights_get (gpointer self, FarCall *call)
{
  gboolean all = far_may (call->principal, FAR_ACTION_MANAGE, "rights", NULL, NULL) == FAR_MAY_ALLOW;
  json_t *list = all ? far_right_list () : far_right_list_of (call->principal);

  far_call_answer (call, 200, rights_page (call, list));
  json_decref (list);
}

/* ---- change ---- */

/* Until the row is durable; then the call is answered and the right in force. */
typedef struct {
  FarCall *call;
  json_t *right;  /* NULL: removed */
  char *id;
} RightChange;

static void
change_free (RightChange *change)
{
  json_decref (change->right);
  g_free (change->id);
  g_free (change);
}

static void
change_apply (RightChange *change)
{
  g_autoptr (GError) error = NULL;
  json_t *body = json_object ();

  if (change->right == NULL)
    far_right_remove (change->id);
  else if (!far_right_set (change->right, &error)) {
    json_decref (body);
    far_call_fail (change->call, g_steal_pointer (&error));
    return;
  }
  json_object_set_new (body, "id", json_string (change->id));
  far_call_answer (change->call, change->right != NULL ? 201 : 200, body);
}

static void
change_stored (FarRequest *req, gpointer user)
{
  RightChange *change = user;

  if (far_request_error (req) != NULL)
    far_call_fail (change->call, g_error_copy (far_request_error (req)));
  else
    change_apply (change);
  change_free (change);
}

static void
change_store (FarCall *call, const char *id, json_t *right /* takes */)
{
  RightChange *change = g_new0 (RightChange, 1);
  char *text = right != NULL ? json_dumps (right, JSON_COMPACT) : NULL;

  *change = (RightChange) { .call = call, .right = right, .id = g_strdup (id) };
  far_store_put (RIGHTS_STORE, RIGHTS_TABLE, id, text, FAR_EXPECT_ANY, far_request_new (change_stored, change, RIGHTS_TIMEOUT_MS));
  free (text);
}

static gboolean
rights_may_change (FarCall *call, const char *id)
{
  g_autoptr (GError) error = NULL;

  if (far_right_is_profile (id)) {
    far_call_fail_new (call, FAR_ERROR_CONFLICT, _("right %s stands in the profile: change it there and reload"), id);
    return FALSE;
  }
  if (far_instance_find (FAR_KIND_STORE, RIGHTS_STORE, &error) != NULL)
    return TRUE;
  far_call_fail_new (call, FAR_ERROR_CONFIG, _("rights given at run time are kept in the store called " RIGHTS_STORE ": %s"), error->message);
  return FALSE;
}

static void
rights_post (gpointer self, FarCall *call)
{
  json_t *right = json_copy (call->body);
  GError *error = NULL;

  if (json_object_get (right, "id") == NULL) {
    g_autofree char *id = far_random_text (8);

    json_object_set_new (right, "id", json_string (id));
  }
  if (!far_right_check (right, &error)) {
    far_call_fail (call, error);
    json_decref (right);
  } else if (!rights_may_change (call, json_string_value (json_object_get (right, "id")))) {
    json_decref (right);
  } else {
    change_store (call, json_string_value (json_object_get (right, "id")), right);
  }
}

static void
rights_delete (gpointer self, FarCall *call)
{
  const char *id = call->parts[0];

  if (!far_right_exists (id))
    far_call_fail_new (call, FAR_ERROR_NOT_FOUND, _("no right %s; `farctl rights` shows all"), id);
  else if (rights_may_change (call, id))
    change_store (call, id, NULL);
}

/* ---- explain ---- */

typedef struct {
  FarCall *call;
  char *who, *object;
  FarAction action;
  FarCircumstances how;
} Question;

static void
question_free (Question *question)
{
  g_free (question->who);
  g_free (question->object);
  g_free (question);
}

static FarPrincipal *
question_principal (const char *who, const char *const *groups, const char *from)
{
  FarPrincipal *principal;

  if (g_str_has_prefix (who, "local:")) {
    principal = far_principal_new (FAR_PRINCIPAL_LOCAL, who + strlen ("local:"), NULL, from);
    principal->super = strcmp (who, "local:root") == 0;
    return principal;
  }
  if (g_str_has_prefix (who, "node:"))
    return far_principal_new (FAR_PRINCIPAL_NODE, who + strlen ("node:"), NULL, from);
  return far_principal_new (FAR_PRINCIPAL_PERSON, g_str_has_prefix (who, "person:") ? who + strlen ("person:") : who, groups, from);
}

static void
question_answer (Question *question, const char *const *groups)
{
  g_autoptr (FarPrincipal) principal = question_principal (question->who, groups, question->how.from);

  far_call_answer (question->call, 200, far_explain (principal, question->action, question->object, &question->how));
  question_free (question);
}

static json_t *
question_person (json_t *people, const char *name)
{
  for (gsize i = 0; i < json_array_size (people); i++)
    if (g_strcmp0 (json_string_value (json_object_get (json_array_get (people, i), "name")), name) == 0)
      return json_array_get (people, i);
  return NULL;
}

static void
question_people (FarRequest *req, gpointer user)
{
  Question *question = user;
  const char *name = g_str_has_prefix (question->who, "person:") ? question->who + strlen ("person:") : question->who;
  json_t *person = far_request_error (req) == NULL ? question_person (far_request_result (req), name) : NULL;
  json_t *list = json_object_get (person, "groups");
  g_autofree const char **groups = g_new0 (const char *, json_array_size (list) + 1);

  for (gsize i = 0; i < json_array_size (list); i++)
    groups[i] = json_string_value (json_array_get (list, i));
  question_answer (question, groups);
}

static const char *
explain_query (const FarCall *call, const char *name)
{
  return json_string_value (json_object_get (call->query, name));
}

static gboolean
explain_take (Question *question, GError **error)
{
  const FarCall *call = question->call;
  const char *action = explain_query (call, "action"), *length = explain_query (call, "for"), *at = explain_query (call, "at");

  if (explain_query (call, "object") == NULL || action == NULL) {
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID, _("ask with who=…&action=…&object=…"));
    return FALSE;
  }
  question->action = far_action_parse (action);
  if (question->action == FAR_ACTION_NONE) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, _("action '%s': see, connect, connect-raw, watch, copy, act, approve or manage is meant"), action);
    return FALSE;
  }
  question->object = g_strdup (explain_query (call, "object"));
  question->how.from = explain_query (call, "from");
  return (length == NULL || far_parse_duration (length, &question->how.length_us, error)) &&
         (at == NULL || far_clock_parse (at, &question->how.wall_us, error));
}

/* About oneself everybody may ask; about others who manages rights. */
static gboolean
explain_may (const FarCall *call, const char *who)
{
  g_autofree char *self = far_principal_text (call->principal);

  return g_strcmp0 (who, self) == 0 || far_may (call->principal, FAR_ACTION_MANAGE, "rights", NULL, NULL) == FAR_MAY_ALLOW;
}

static void
explain_get (gpointer self, FarCall *call)
{
  g_autofree char *own = far_principal_text (call->principal);
  const char *who = explain_query (call, "who"), *groups = explain_query (call, "groups");
  Question *question = g_new0 (Question, 1);
  GError *error = NULL;

  question->call = call;
  question->who = who == NULL ? g_strdup (own) : strchr (who, ':') != NULL ? g_strdup (who) : g_strconcat ("person:", who, NULL);
  if (!explain_take (question, &error)) {
    question_free (question);
    far_call_fail (call, error);
  } else if (!explain_may (call, question->who)) {
    question_free (question);
    far_call_refuse (call, "rights", _("no right to ask about others"));
  } else if (g_strcmp0 (question->who, own) == 0) {
    far_call_answer (call, 200, far_explain (call->principal, question->action, question->object, &question->how));
    question_free (question);
  } else if (groups != NULL || !g_str_has_prefix (question->who, "person:")) {
    g_auto (GStrv) list = g_strsplit (groups != NULL ? groups : "", ",", 64);

    question_answer (question, (const char *const *) list);
  } else {
    far_people_list (far_request_new (question_people, question, 0));
  }
}

static const FarField right_fields[] = {
  { "id", FAR_FIELD_NAME, FALSE, N_ ("name of the right; drawn if left out"), 0 },
  { "who", FAR_FIELD_STRING, TRUE, N_ ("name, @group, local:NAME, node:ID or *"), 80 },
  { "action", FAR_FIELD_STRING, TRUE, N_ ("see, connect, connect-raw, watch, copy, act, approve, manage"), 16 },
  { "object", FAR_FIELD_STRING, TRUE, N_ ("path of what it is for, * and ? inside of a part; holds for what is below"), 256 },
  { "hours", FAR_FIELD_STRING, FALSE, N_ ("\"mon-fri 08:00-18:00\""), 256 },
  { "longest", FAR_FIELD_DURATION, FALSE, N_ ("longest connection time"), 0 },
  { "from", FAR_FIELD_STRING, FALSE, N_ ("nets, with commas"), 512 },
  { "needs", FAR_FIELD_STRING, FALSE, N_ ("approval"), 16 },
  { "until", FAR_FIELD_STRING, FALSE, N_ ("day or instant at which it ends"), 40 },
  { NULL, FAR_FIELD_END },
};

const FarHandler far_door_right_handlers[] = {
  { "GET", "rights", FAR_ACTION_NONE, NULL, NULL, 0, rights_get, N_ ("rights: all, or the asker's own") },
  { "POST", "rights", FAR_ACTION_MANAGE, NULL, right_fields, 0, rights_post, N_ ("give a right") },
  { "DELETE", "rights/{r}", FAR_ACTION_MANAGE, NULL, NULL, 0, rights_delete, N_ ("take a right back") },
  { "GET", "explain", FAR_ACTION_NONE, NULL, NULL, 0, explain_get, N_ ("why somebody may or may not") },
  { NULL },
};
