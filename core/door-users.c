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

/* From `after` on, `limit` of them, and only those the asker may know of. */
static json_t *
users_page (const FarCall *call, json_t *people)
{
  const char *after = json_string_value (json_object_get (call->query, "after"));
  json_t *body = json_object (), *list = json_array ();

  for (gsize i = 0; i < json_array_size (people) && json_array_size (list) < 100; i++) {
    json_t *person = json_array_get (people, i);
    const char *name = json_string_value (json_object_get (person, "name"));
    g_autofree char *object = g_strconcat ("users/", name, NULL);

    if ((after == NULL || g_strcmp0 (name, after) > 0) && far_may_see (call->principal, object))
      json_array_append (list, person);
  }
  if (json_array_size (list) == 100)
    json_object_set (body, "next", json_object_get (json_array_get (list, 99), "name"));
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

/* Who is logged in acts with what the login said: after a change everybody logs in anew. */
static void
users_changed (FarRequest *req, gpointer user)
{
  FarCall *call = user;

  if (far_request_error (req) != NULL) {
    far_call_fail (call, g_error_copy (far_request_error (req)));
    return;
  }
  far_login_ticket_revoke_name (call->parts[0]);
  if (strcmp (call->message->method, "DELETE") == 0 || json_object_get (call->body, "groups") != NULL)
    far_right_end_person (call->parts[0]);
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

static void
users_put (gpointer self, FarCall *call)
{
  const char *password = json_string_value (json_object_get (call->body, "password"));
  const char *key = json_string_value (json_object_get (call->body, "key"));
  json_t *list = json_object_get (call->body, "groups");
  g_auto (GStrv) groups = json_is_array (list) ? users_groups (list) : NULL;

  if (password == NULL && key == NULL && groups == NULL)
    far_call_fail_new (call, FAR_ERROR_INVALID, "%s", _("nothing to change: send password, groups or key"));
  else if (password != NULL && password[0] == '\0')
    far_call_fail_new (call, FAR_ERROR_INVALID, "%s", _("an empty password is refused"));
  else if (!users_groups_ok (groups))
    far_call_fail_new (call, FAR_ERROR_INVALID, "%s", _("a group must be a name: 1 to 64 of A-Z a-z 0-9 . _ -"));
  else
    far_people_put (call->parts[0], password, (const char *const *) groups, key, far_request_new (users_changed, call, 0));
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
