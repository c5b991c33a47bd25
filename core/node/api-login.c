/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* POST login → a front ticket; DELETE login ends all of one's tickets; GET login says who one is; GET methods
 * lists what can be asked. */
#include "config.h"

#include "node/api-private.h"

#include <string.h>

#include <farwatch/clock.h>
#include <farwatch/i18n.h>
#include <farwatch/login.h>

#include "node/api.h"
#include "auth/login-token.h"
#include "reach/users.h"
#include "auth/right.h"
#include "message/router.h"

static json_t *
login_json (const FarPrincipal *principal)
{
  g_autofree char *text = far_principal_text (principal);
  json_t *body = json_object (), *groups = json_array ();

  for (guint i = 0; principal->groups != NULL && principal->groups[i] != NULL; i++)
    json_array_append_new (groups, json_string (principal->groups[i]));
  json_object_set_new (body, "principal", json_string (text));
  json_object_set_new (body, "name", json_string (principal->name));
  json_object_set_new (body, "groups", groups);
  json_object_set_new (body, "super", json_boolean (principal->super));
  return body;
}

json_t *
far_api_login_ticket (const FarPrincipal *principal)
{
  g_autofree char *ticket = far_login_ticket_new (principal);
  g_autofree char *until = far_clock_format (far_clock_wall_us () + FAR_FRONT_TICKET_US);
  json_t *body = login_json (principal);

  json_object_set_new (body, "ticket", json_string (ticket));
  json_object_set_new (body, "until", json_string (until));
  return body;
}

void
far_api_login_ended (FarCall *call)
{
  far_call_fail_new (
      call, FAR_ERROR_CONFLICT,
      _ ("'%s' was given another password or other groups meanwhile, or removed: log in again"),
      call->parts[0] != NULL ? call->parts[0] : json_string_value (json_object_get (call->body, "name")));
}

/* The authenticator asks something more (a second factor): the same message again, with answers. */
static json_t *
login_prompts_json (const FarVerdict *verdict)
{
  json_t *body = json_object (), *prompts = json_array ();

  for (guint i = 0; verdict != NULL && verdict->prompts != NULL && verdict->prompts[i] != NULL; i++)
    json_array_append_new (prompts, json_string (verdict->prompts[i]));
  json_object_set_new (body, "prompts", prompts);
  json_object_set_new (body, "echo", json_boolean (verdict != NULL && verdict->echo));
  return body;
}

static void
api_login_done (FarRequest *req, gpointer user)
{
  FarCall *call = user;
  const FarPrincipal *principal = far_request_result (req);

  if (far_request_error (req) != NULL)
    far_call_fail (call, g_error_copy (far_request_error (req)));
  else if (principal == NULL)
    far_call_answer (call, 202, login_prompts_json (far_login_verdict (req)));
  else if (principal->kind != FAR_PRINCIPAL_PERSON)
    far_call_fail_new (call, FAR_ERROR_DENIED, "%s",
                       _ ("this token is for something else than a login here"));
  else if (far_right_login_ended (principal) ||
           far_users_changed_since (principal->name, principal->since_us))
    far_api_login_ended (call);
  else
    far_call_answer (call, 200, far_api_login_ticket (principal));
}

static GStrv
api_login_answers (json_t *list)
{
  gsize n = json_array_size (list);
  GStrv answers;

  if (n == 0)
    return NULL;
  answers = g_new0 (char *, n + 1);
  for (gsize i = 0; i < n; i++)
    answers[i] = g_strdup (json_string_value (json_array_get (list, i)));
  return answers;
}

static void
login_post (gpointer self, FarCall *call)
{
  const char *const *authenticators = far_api_login (call->transport);
  json_t *answers = json_object_get (call->body, "answers");
  FarLoginForm form = json_object_get (call->body, "token") != NULL ? FAR_LOGIN_TOKEN
                      : json_array_size (answers) > 0               ? FAR_LOGIN_CONVERSATION
                                                                    : FAR_LOGIN_PASSWORD;
  const char *secret = json_string_value (
      json_object_get (call->body, form == FAR_LOGIN_TOKEN ? "token" : "password"));
  FarLogin *login;

  if (authenticators == NULL || authenticators[0] == NULL) {
    far_call_fail_new (call, FAR_ERROR_CONFIG, "%s", far_api_no_login ());
    return;
  }
  far_call_secret (call);
  login = far_login_new (form, json_string_value (json_object_get (call->body, "name")),
                         call->transport != NULL ? "https" : "control", call->principal->from);
  login->secret = g_strdup (secret);
  login->answers = api_login_answers (answers);
  far_login (authenticators, login, far_request_new (api_login_done, call, 0));
}

static void
login_delete (gpointer self, FarCall *call)
{
  if (call->principal->via != NULL) {
    far_call_fail_new (call, FAR_ERROR_DENIED, "%s", _ ("tickets are ended by their person alone"));
    return;
  }
  if (call->principal->kind == FAR_PRINCIPAL_PERSON) /* who is local by the same name has none */
    far_login_ticket_revoke_name (call->principal->name);
  far_call_answer (call, 200, json_object ());
}

/* Who may all on this machine may know where the node keeps its files. */
static void
login_get (gpointer self, FarCall *call)
{
  json_t *body = login_json (call->principal);

  if (call->principal->super && call->principal->via == NULL && far_node_state_dir () != NULL)
    json_object_set_new (body, "state", json_string (far_node_state_dir ()));
  far_call_answer (call, 200, body);
}

static void
methods_get (gpointer self, FarCall *call)
{
  json_t *body = json_object ();

  json_object_set_new (body, "methods", far_route_list ());
  far_call_answer (call, 200, body);
}

static const FarField login_fields[] = {
  { "name", FAR_FIELD_STRING, TRUE, N_ ("who"), 64 },
  { "password", FAR_FIELD_STRING, FALSE, N_ ("password"), 1024 },
  { "token", FAR_FIELD_STRING, FALSE, N_ ("one-time word instead of a password"), 1024 },
  { "answers", FAR_FIELD_LIST, FALSE, N_ ("answers to the prompts of the last try"), 8 },
  { NULL, FAR_FIELD_END },
};

const FarHandler far_api_login_handlers[] = {
  { "POST", "login", FAR_ACTION_ANYONE, NULL, login_fields, 0, login_post,
    N_ ("log in; the answer has a ticket") },
  { "DELETE", "login", FAR_ACTION_NONE, NULL, NULL, 0, login_delete, N_ ("end all tickets of the asker") },
  { "GET", "login", FAR_ACTION_NONE, NULL, NULL, 0, login_get, N_ ("who the asker is") },
  { "GET", "methods", FAR_ACTION_NONE, NULL, NULL, 0, methods_get, N_ ("what can be asked") },
  { NULL },
};
