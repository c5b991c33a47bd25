/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file answers GET explain: why somebody may or may not do a thing, right by right, in pages. */
#include "config.h"

#include "node/api-private.h"

#include <stdlib.h>
#include <string.h>

#include <farwatch/clock.h>
#include <farwatch/i18n.h>
#include <farwatch/option.h>

#include "reach/users.h"
#include "auth/right.h"

#define PAGE 100

typedef struct {
  FarCall *call;
  char *who, *object;
  FarAction action;
  FarCircumstances how;
} ApiExplainQuestion;

static void
api_explain_question_free (ApiExplainQuestion *question)
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
  return far_principal_new (FAR_PRINCIPAL_PERSON,
                            g_str_has_prefix (who, "person:") ? who + strlen ("person:") : who, groups, from);
}

static int
by_right (const void *a, const void *b)
{
  json_t *const *one = a, *const *two = b;

  return g_strcmp0 (json_string_value (json_object_get (json_object_get (*one, "right"), "id")),
                    json_string_value (json_object_get (json_object_get (*two, "right"), "id")));
}

static json_t *
lines_sorted (json_t *lines)
{
  gsize n = json_array_size (lines);
  g_autofree json_t **all = g_new (json_t *, n + 1);
  json_t *sorted = json_array ();

  for (gsize i = 0; i < n; i++)
    all[i] = json_array_get (lines, i);
  qsort (all, n, sizeof *all, by_right);
  for (gsize i = 0; i < n; i++)
    json_array_append (sorted, all[i]);
  return sorted;
}

/* The rights in pages, by their ids: an id once for the person and once for the node that speaks for them
 * stays together. */
static json_t *
answer_page (const FarCall *call, json_t *answer /* takes */)
{
  json_t *all = lines_sorted (json_object_get (answer, "rights")), *line;
  FarPage page;
  size_t i;

  far_page_begin (&page, call, PAGE, 0);
  json_array_foreach (all, i, line) {
    const char *id = json_string_value (json_object_get (json_object_get (line, "right"), "id"));

    id = id != NULL ? id : "";
    if (far_page_wants (&page, id))
      far_page_take (&page, id, json_incref (line));
  }
  json_object_set_new (answer, "next", json_pack ("s?", page.next));
  json_object_set_new (answer, "rights", page.list);
  json_decref (all);
  return answer;
}

/* Of somebody who is not there the rights say what they say, and who misspelt a name shall see it. */
static void
question_answer (ApiExplainQuestion *question, const char *const *groups, json_t *people, json_t *locals)
{
  g_autoptr (FarPrincipal) principal = question_principal (question->who, groups, question->how.from);
  json_t *answer = far_explain (principal, question->action, question->object, &question->how);

  json_object_set_new (answer, "odd", far_right_warnings_who (question->who, people, locals));
  far_call_answer (question->call, 200, answer_page (question->call, answer));
  api_explain_question_free (question);
}

static void
question_names (const FarOddNames *names, gpointer user)
{
  question_answer (user, NULL, names->people, names->locals);
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
  ApiExplainQuestion *question = user;
  const char *name = g_str_has_prefix (question->who, "person:") ? question->who + strlen ("person:")
                                                                 : question->who;
  json_t *list = far_request_error (req) == NULL
                     ? json_object_get (question_person (far_request_result (req), name), "groups")
                     : NULL;
  g_autofree const char **groups = g_new0 (const char *, json_array_size (list) + 1);

  if (far_request_error (req) != NULL) { /* without the groups the answer would be wrong */
    far_call_fail (question->call, g_error_copy (far_request_error (req)));
    api_explain_question_free (question);
    return;
  }
  for (gsize i = 0; i < json_array_size (list); i++)
    groups[i] = json_string_value (json_array_get (list, i));
  question_answer (question, groups, far_request_result (req), NULL);
}

static const char *
explain_query (const FarCall *call, const char *name)
{
  return json_string_value (json_object_get (call->query, name));
}

static gboolean
explain_take (ApiExplainQuestion *question, GError **error)
{
  const FarCall *call = question->call;
  const char *action = explain_query (call, "action"), *length = explain_query (call, "for"),
             *at = explain_query (call, "at");
  g_autofree char *actions = far_right_actions (", ");

  if (explain_query (call, "object") == NULL || action == NULL) {
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("ask with who=…&action=…&object=…"));
    return FALSE;
  }
  question->action = far_action_parse (action);
  if (question->action == FAR_ACTION_NONE) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("action '%s': one of %s is meant"), action, actions);
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

  return g_strcmp0 (who, self) == 0 ||
         far_authorize (call->principal, FAR_ACTION_MANAGE, "rights", NULL, NULL) == FAR_DECISION_ALLOW;
}

static void
explain_get (gpointer self, FarCall *call)
{
  g_autofree char *own = far_principal_text (call->principal);
  const char *who = explain_query (call, "who"), *groups = explain_query (call, "groups");
  ApiExplainQuestion *question = g_new0 (ApiExplainQuestion, 1);
  GError *error = NULL;

  question->call = call;
  question->who = who == NULL                 ? g_strdup (own)
                  : strchr (who, ':') != NULL ? g_strdup (who)
                                              : g_strconcat ("person:", who, NULL);
  if (!explain_take (question, &error)) {
    api_explain_question_free (question);
    far_call_fail (call, error);
  } else if (!explain_may (call, question->who)) {
    api_explain_question_free (question);
    far_call_refuse (call, "rights", _ ("no right to ask about others"));
  } else if (g_strcmp0 (question->who, own) == 0) {
    far_call_answer (call, 200,
                     answer_page (call, far_explain (call->principal, question->action, question->object,
                                                     &question->how)));
    api_explain_question_free (question);
  } else if (g_str_has_prefix (question->who, "local:")) {
    far_api_odd_names (json_pack ("[{s:s}]", "who", question->who), question_names, question);
  } else if (groups != NULL || !g_str_has_prefix (question->who, "person:")) {
    g_auto (GStrv) list = g_strsplit (groups != NULL ? groups : "", ",", 64);

    question_answer (question, (const char *const *) list, NULL, NULL);
  } else {
    far_users_list (far_request_new (question_people, question, 0));
  }
}

const FarHandler far_api_explain_handlers[] = {
  { "GET", "explain", FAR_ACTION_NONE, NULL, NULL, 0, explain_get, N_ ("why somebody may or may not") },
  { NULL },
};
