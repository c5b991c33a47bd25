/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PUT users/{u}/password: people change their own, with the old one as proof (a ticket alone, which may be
 * stolen, does not do); who manages a person sets a new one. Either way the person's tickets end. */
#include "config.h"

#include "node/api-private.h"

#include <string.h>

#include <farwatch/i18n.h>
#include <farwatch/login.h>

#include "node/api.h"
#include "reach/users.h"
#include "auth/right.h"

static gboolean
password_is_own (const FarCall *call)
{
  return call->principal->kind == FAR_PRINCIPAL_PERSON && call->principal->via == NULL &&
         strcmp (call->principal->name, call->parts[0]) == 0;
}

/* One's own tickets went with the old password; this one is for going on, as long as what the login said
 * still holds. They go also after a change that broke off, since it may stand all the same; not after one
 * that nobody began. */
static void
password_changed (FarRequest *req, gpointer user)
{
  g_autofree FarUserChange *change = user;
  FarCall *call = change->call;
  const GError *error = far_request_error (req);

  if (change->began && !g_error_matches (error, FAR_ERROR, FAR_ERROR_INVALID) &&
      !g_error_matches (error, FAR_ERROR, FAR_ERROR_NOT_FOUND))
    far_login_ticket_revoke_name (call->parts[0]);
  if (error != NULL) {
    far_call_fail (call, g_error_copy (error));
    return;
  }
  far_call_answer (call, 200,
                   password_is_own (call) && !far_right_login_ended (call->principal)
                       ? far_api_login_ticket (call->principal)
                       : json_object ());
}

static void
password_put_new (FarCall *call)
{
  gboolean own = password_is_own (call);
  FarUserChange *change = far_api_user_change (call, own);

  far_users_password (call->parts[0], json_string_value (json_object_get (call->body, "password")),
                      own ? NULL : far_api_user_judge, change, far_request_new (password_changed, change, 0));
}

static void
password_proved (FarRequest *req, gpointer user)
{
  FarCall *call = user;
  const FarPrincipal *principal = far_request_result (req);

  if (far_request_error (req) != NULL)
    far_call_fail (call, g_error_copy (far_request_error (req)));
  else if (principal == NULL || principal->kind != FAR_PRINCIPAL_PERSON ||
           strcmp (principal->name, call->parts[0]) != 0)
    far_call_fail_new (call, FAR_ERROR_DENIED, "%s",
                       _ ("this login asks for more than a password: an admin sets the new one"));
  else if (far_right_login_ended (call->principal) || far_right_login_ended (principal) ||
           far_users_changed_since (principal->name, principal->since_us))
    far_api_login_ended (call);
  else
    password_put_new (call);
}

static void
password_prove (FarCall *call, const char *old)
{
  const char *const *authenticators = far_api_login (call->transport);
  FarLogin *login;

  if (authenticators == NULL || authenticators[0] == NULL) {
    far_call_fail_new (call, FAR_ERROR_CONFIG, "%s", far_api_no_login ());
    return;
  }
  far_call_secret (call);
  login = far_login_new (FAR_LOGIN_PASSWORD, call->principal->name,
                         call->transport != NULL ? "https" : "control", call->principal->from);
  login->secret = g_strdup (old);
  far_login (authenticators, login, far_request_new (password_proved, call, 0));
}

static void
password_put (gpointer self, FarCall *call)
{
  g_autofree char *object = g_strconcat ("users/", call->parts[0], NULL);
  const char *fresh = json_string_value (json_object_get (call->body, "password")),
             *old = json_string_value (json_object_get (call->body, "old"));

  if (!password_is_own (call) &&
      far_authorize (call->principal, FAR_ACTION_MANAGE, object, NULL, NULL) != FAR_DECISION_ALLOW)
    far_call_refuse (call, object, _ ("no right to change the password of others"));
  else if (fresh[0] == '\0')
    far_call_fail_new (call, FAR_ERROR_INVALID, "%s", _ ("an empty password is refused"));
  else if (!password_is_own (call))
    password_put_new (call);
  else if (old == NULL)
    far_call_fail_new (call, FAR_ERROR_INVALID, "%s",
                       _ ("old: your present password has to come with the new one"));
  else if (strcmp (old, fresh) == 0)
    far_call_fail_new (call, FAR_ERROR_INVALID, "%s", _ ("the new password is the old one"));
  else
    password_prove (call, old);
}

static const FarField password_fields[] = {
  { "password", FAR_FIELD_STRING, TRUE, N_ ("new password"), 1024 },
  { "old", FAR_FIELD_STRING, FALSE, N_ ("present password; required for one's own"), 1024 },
  { NULL, FAR_FIELD_END },
};

const FarHandler far_api_password_handlers[] = {
  { "PUT", "users/{u}/password", FAR_ACTION_NONE, NULL, password_fields, 0, password_put,
    N_ ("change one's own password, or set that of a person one manages") },
  { NULL },
};
