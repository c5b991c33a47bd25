/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* People: GET users, PUT and DELETE users/{u}. */
#include "config.h"

#include "door-private.h"

#include <string.h>

#include <farwatch/i18n.h>
#include <farwatch/login.h>

#include "people.h"
#include "right.h"
#include "router.h"

#define USERS_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* From `after` on, `limit` of them, and only those the asker may know of. */
static json_t *
users_page (const FarCall *call, json_t *people)
{
  const char *after = json_string_value (json_object_get (call->query, "after"));
  json_t *body = json_object (), *list = json_array (), *last = NULL;
  gsize size = 0, i;

  for (i = 0; i < json_array_size (people) && json_array_size (list) < 100; i++) {
    json_t *person = json_array_get (people, i);
    const char *name = json_string_value (json_object_get (person, "name"));
    g_autofree char *object = g_strconcat ("users/", name, NULL);

    if ((after != NULL && g_strcmp0 (name, after) <= 0) || !far_may_see (call->principal, object))
      continue;
    if (!far_page_add (list, &size, person))
      break;
    last = json_object_get (person, "name");
  }
  if (i < json_array_size (people) && last != NULL)
    json_object_set (body, "next", last);
  json_object_set_new (body, "users", list);
  return body;
}

static void
users_listed (FarRequest *req, gpointer user)
{
  FarCall *call = user;

  if (far_request_error (req) != NULL)
    far_call_fail (call, g_error_copy (far_request_error (req)));
  else
    far_call_answer (call, 200, users_page (call, far_request_result (req)));
}

static void
users_get (gpointer self, FarCall *call)
{
  far_people_list (far_request_new (users_listed, call, 0));
}

/* Who is logged in acts with what the login said: after a change everybody logs in anew. Also after one that failed: a part of it may stand, in this
 * authenticator or in another. */
static void
users_changed (FarRequest *req, gpointer user)
{
  FarCall *call = user;

  far_login_ticket_revoke_name (call->parts[0]);
  if (strcmp (call->message->method, "DELETE") == 0 || json_object_get (call->body, "groups") != NULL)
    far_right_end_person (call->parts[0]);
  if (far_request_error (req) != NULL)
    far_call_fail (call, g_error_copy (far_request_error (req)));
  else
    far_call_answer (call, 200, json_object ());
}

static GStrv
users_groups (json_t *list)
{
  gsize n = json_array_size (list);
  GStrv groups = g_new0 (char *, n + 1);

  for (gsize i = 0; i < n; i++)
    groups[i] = g_strdup (json_string_value (json_array_get (list, i)));
  return groups;
}

/* Rights name groups by these words, and the file of people holds them. */
static gboolean
users_groups_ok (GStrv groups)
{
  for (guint i = 0; groups != NULL && groups[i] != NULL; i++)
    if (!far_field_name_ok (groups[i]))
      return FALSE;
  return TRUE;
}

/* The key goes in after the rest: what no authenticator takes is refused before anything is changed. */
static gboolean
users_key_ok (const char *key)
{
  g_auto (GStrv) parts = g_strsplit_set (key, " \t", 3);
  const char *type = parts[0] != NULL ? parts[0] : "", *data = parts[0] != NULL && parts[1] != NULL ? parts[1] : "";

  return (g_str_has_prefix (type, "ssh-") || g_str_has_prefix (type, "ecdsa-") || g_str_has_prefix (type, "sk-")) &&
         strspn (type, USERS_LETTERS "@.-") == strlen (type) && data[0] != '\0' && strspn (data, USERS_LETTERS "+/=") == strlen (data);
}

/* ---- who may: nobody gains by managing people ---- */

static json_t *
user_in (json_t *people, const char *name)
{
  for (gsize i = 0; i < json_array_size (people); i++)
    if (g_strcmp0 (json_string_value (json_object_get (json_array_get (people, i), "name")), name) == 0)
      return json_array_get (people, i);
  return NULL;
}

static GStrv
users_wanted (const FarCall *call)
{
  json_t *list = json_object_get (call->body, "groups");

  return json_is_array (list) ? users_groups (list) : NULL;
}

/* before: the groups so far. */
static gboolean
users_may (FarCall *call, GStrv before)
{
  g_auto (GStrv) wanted = users_wanted (call);
  gboolean as_them = json_object_get (call->body, "password") != NULL || json_object_get (call->body, "key") != NULL;

  for (guint i = 0; wanted != NULL && wanted[i] != NULL; i++)
    if (!g_strv_contains ((const char *const *) before, wanted[i]) && !far_right_may_give (call->principal, wanted[i])) {
      far_call_fail_new (call, FAR_ERROR_DENIED, _("no right to give the group '%s': it takes manage on groups/%s, or all rights that the group has"), wanted[i], wanted[i]);
      return FALSE;
    }
  if (!as_them || far_right_may_be (call->principal, call->parts[0], (const char *const *) (wanted != NULL ? wanted : before)))
    return TRUE;
  far_call_fail_new (call, FAR_ERROR_DENIED, _("'%s' may manage or approve what you may not: who sets a password or key needs these rights, too"), call->parts[0]);
  return FALSE;
}

typedef struct {
  FarCall *call;
  void (*go) (FarCall *call);
} UserQuestion;

static void
user_listed (FarRequest *req, gpointer user)
{
  g_autofree UserQuestion *question = user;
  g_auto (GStrv) before = NULL;

  if (far_request_error (req) != NULL) {
    far_call_fail (question->call, g_error_copy (far_request_error (req)));
    return;
  }
  before = users_groups (json_object_get (user_in (far_request_result (req), question->call->parts[0]), "groups"));
  if (users_may (question->call, before))
    question->go (question->call);
}

void
far_door_user_check (FarCall *call, void (*go) (FarCall *call))
{
  UserQuestion *question = g_new0 (UserQuestion, 1);

  *question = (UserQuestion) { call, go };
  far_people_list (far_request_new (user_listed, question, 0));
}

/* ---- changes ---- */

static void
users_put_now (FarCall *call)
{
  g_auto (GStrv) groups = users_wanted (call);

  far_people_put (call->parts[0], json_string_value (json_object_get (call->body, "password")), (const char *const *) groups,
                  json_string_value (json_object_get (call->body, "key")), far_request_new (users_changed, call, 0));
}

static void
users_put (gpointer self, FarCall *call)
{
  const char *password = json_string_value (json_object_get (call->body, "password")), *key = json_string_value (json_object_get (call->body, "key"));
  g_auto (GStrv) groups = users_wanted (call);

  if (password == NULL && key == NULL && groups == NULL)
    far_call_fail_new (call, FAR_ERROR_INVALID, "%s", _("nothing to change: send password, groups or key"));
  else if (password != NULL && password[0] == '\0')
    far_call_fail_new (call, FAR_ERROR_INVALID, "%s", _("an empty password is refused"));
  else if (key != NULL && !users_key_ok (key))
    far_call_fail_new (call, FAR_ERROR_INVALID, "%s", _("not a public key: wants \"ssh-ed25519 AAAA…\""));
  else if (!users_groups_ok (groups))
    far_call_fail_new (call, FAR_ERROR_INVALID, "%s", _("a group must be a name: 1 to 64 of A-Z a-z 0-9 . _ -"));
  else
    far_door_user_check (call, users_put_now);
}

static void
users_delete (gpointer self, FarCall *call)
{
  far_people_remove (call->parts[0], far_request_new (users_changed, call, 0));
}

static const FarField users_fields[] = {
  { "password", FAR_FIELD_STRING, FALSE, N_ ("new password"), 1024 },
  { "groups", FAR_FIELD_LIST, FALSE, N_ ("groups the person is in, all of them"), 64 },
  { "key", FAR_FIELD_STRING, FALSE, N_ ("public key, as in authorized_keys"), 4096 },
  { NULL, FAR_FIELD_END },
};

const FarHandler far_door_user_handlers[] = {
  { "GET", "users", FAR_ACTION_NONE, NULL, NULL, 0, users_get, N_ ("people, as far as the asker may see them") },
  { "PUT", "users/{u}", FAR_ACTION_MANAGE, NULL, users_fields, 0, users_put, N_ ("make or change a person") },
  { "DELETE", "users/{u}", FAR_ACTION_MANAGE, NULL, NULL, 0, users_delete, N_ ("remove a person") },
  { NULL },
};
