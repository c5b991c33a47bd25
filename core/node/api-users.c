/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file has the handlers about people (GET users, PUT and DELETE users/{u}); setting a password is
 * interface-password.c. */
#include "config.h"

#include "node/api-private.h"

#include <string.h>

#include <farwatch/i18n.h>
#include <farwatch/login.h>

#include "reach/users.h"
#include "auth/right.h"
#include "message/router.h"

#define PAGE 100 /* people of one answer */
#define USERS_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* With the word by which a change says that it is made from this. A copy. */
static json_t *
users_shown (json_t *person)
{
  g_autofree char *revision = far_revision (person);
  json_t *shown = json_copy (person);

  json_object_set_new (shown, "revision", json_string (revision));
  return shown;
}

/* From `after` on, `limit` of them, and only those the asker may know of. */
static json_t *
users_page (const FarCall *call, json_t *people)
{
  json_t *person;
  FarPage page;
  size_t i;

  far_page_begin (&page, call, PAGE, 0);
  json_array_foreach (people, i, person) {
    const char *name = json_string_value (json_object_get (person, "name"));
    g_autofree char *object = g_strconcat ("users/", name, NULL);

    if (far_authorize_see (call->principal, object) && far_page_wants (&page, name))
      far_page_take (&page, name, users_shown (person));
  }
  return json_pack ("{s:o, s:s?}", "users", page.list, "next", page.next);
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
  far_users_list (far_request_new (users_listed, call, 0));
}

static void
users_end_logins (const FarCall *call)
{
  far_login_ticket_revoke_name (call->parts[0]);
  if (strcmp (call->message->method, "DELETE") == 0 || json_object_get (call->body, "groups") != NULL)
    far_right_end_person (call->parts[0]);
}

FarUserChange *
far_api_user_change (FarCall *call, gboolean began)
{
  FarUserChange *change = g_new0 (FarUserChange, 1);

  *change = (FarUserChange){ call, began, NULL };
  return change;
}

/* Who is logged in acts with what the login said: after a change everybody logs in anew. Also after one that
 * failed: a part of it may stand, in this authenticator or in another. Not after one that nobody might begin.
 */
static void
users_changed (FarRequest *req, gpointer user)
{
  g_autofree FarUserChange *change = user;
  FarCall *call = change->call;
  json_t *was = change->was;

  if (change->began)
    users_end_logins (call);
  if (far_request_error (req) != NULL)
    far_call_fail (call, g_error_copy (far_request_error (req)));
  else
    far_call_answer (call, 200, was != NULL ? json_pack ("{s:O}", "was", was) : json_object ());
  json_decref (was);
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

/* Rights name groups by these words, and the file of people holds them. The first that is none; NULL: all
 * are. */
static const char *
users_groups_bad (GStrv groups)
{
  for (guint i = 0; groups != NULL && groups[i] != NULL; i++)
    if (!far_field_name_ok (groups[i]))
      return groups[i];
  return NULL;
}

/* The key goes in after the rest: what no authenticator takes is refused before anything is changed. */
static gboolean
users_key_ok (const char *key)
{
  g_auto (GStrv) parts = g_strsplit_set (key, " \t", 3);
  const char *type = parts[0] != NULL ? parts[0] : "",
             *data = parts[0] != NULL && parts[1] != NULL ? parts[1] : "";

  return (g_str_has_prefix (type, "ssh-") || g_str_has_prefix (type, "ecdsa-") ||
          g_str_has_prefix (type, "sk-")) &&
         strspn (type, USERS_LETTERS "@.-") == strlen (type) && data[0] != '\0' &&
         strspn (data, USERS_LETTERS "+/=") == strlen (data);
}

/* ---- who may: nobody gains by managing people ---- */

static GStrv
users_wanted (const FarCall *call)
{
  json_t *list = json_object_get (call->body, "groups");

  return json_is_array (list) ? users_groups (list) : NULL;
}

static gboolean
users_in (json_t *groups, const char *group)
{
  for (gsize i = 0; i < json_array_size (groups); i++)
    if (g_strcmp0 (json_string_value (json_array_get (groups, i)), group) == 0)
      return TRUE;
  return FALSE;
}

/* One that only some of the authenticators give is not had: put into the others, it would be gained there. */
static gboolean
users_has (json_t *person, const char *group)
{
  json_t *by = json_object_get (person, "groups_by"), *list;
  const char *authenticator;

  if (by == NULL)
    return users_in (json_object_get (person, "groups"), group);
  json_object_foreach (by, authenticator, list)
    if (!users_in (list, group))
      return FALSE;
  return TRUE;
}

/* All groups are given at once: who made the list from an older one would take away what somebody else gave
 * meanwhile. In the person's turn, so that nothing comes between this and the change. */
static gboolean
users_seen (FarUserChange *change, json_t *person, GError **error)
{
  g_autofree char *place = g_strconcat ("users/", change->call->parts[0], NULL);

  if (person != NULL && json_object_get (change->call->body, "groups") != NULL)
    change->was = json_pack ("{s:O*}", "groups", json_object_get (person, "groups"));
  return far_expect_ok (change->call, place, person, NULL, error);
}

gboolean
far_api_user_judge (json_t *person, gpointer user, GError **error)
{
  FarUserChange *change = user;
  const FarCall *call = change->call;
  g_auto (GStrv) wanted = users_wanted (call), before = users_groups (json_object_get (person, "groups"));
  gboolean as_them = json_object_get (call->body, "password") != NULL ||
                     json_object_get (call->body, "key") != NULL;

  if (!users_seen (change, person, error))
    return FALSE;
  for (guint i = 0; wanted != NULL && wanted[i] != NULL; i++)
    if (!users_has (person, wanted[i]) && !far_right_may_give (call->principal, wanted[i])) {
      g_set_error (error, FAR_ERROR, FAR_ERROR_DENIED,
                   _ ("no right to give the group '%s': it takes manage on groups/%s, or all rights that the "
                      "group has"),
                   wanted[i], wanted[i]);
      return FALSE;
    }
  change->began = !as_them || far_right_may_be (call->principal, call->parts[0],
                                                (const char *const *) (wanted != NULL ? wanted : before));
  if (!change->began)
    g_set_error (
        error, FAR_ERROR, FAR_ERROR_DENIED,
        _ ("'%s' may manage or approve what you may not: who sets a password or key needs these rights, too"),
        call->parts[0]);
  return change->began;
}

/* ---- changes ---- */

static void
users_put_now (FarCall *call)
{
  g_auto (GStrv) groups = users_wanted (call);
  FarUserChange *change = far_api_user_change (call, FALSE);

  far_users_put (call->parts[0], json_string_value (json_object_get (call->body, "password")),
                 (const char *const *) groups, json_string_value (json_object_get (call->body, "key")),
                 far_api_user_judge, change, far_request_new (users_changed, change, 0));
}

static void
users_put (gpointer self, FarCall *call)
{
  const char *password = json_string_value (json_object_get (call->body, "password")),
             *key = json_string_value (json_object_get (call->body, "key"));
  g_auto (GStrv) groups = users_wanted (call);

  if (password == NULL && key == NULL && groups == NULL)
    far_call_fail_new (call, FAR_ERROR_INVALID, "%s", _ ("nothing to change: send password, groups or key"));
  else if (password != NULL && password[0] == '\0')
    far_call_fail_new (call, FAR_ERROR_INVALID, "%s", _ ("an empty password is refused"));
  else if (key != NULL && !users_key_ok (key))
    far_call_fail_new (call, FAR_ERROR_INVALID, "%s", _ ("not a public key: wants \"ssh-ed25519 AAAA…\""));
  else if (users_groups_bad (groups) != NULL)
    far_call_fail_new (call, FAR_ERROR_INVALID, _ ("group '%.64s': a name has 1 to 64 of A-Z a-z 0-9 . _ -"),
                       users_groups_bad (groups));
  else
    users_put_now (call);
}

static void
users_delete (gpointer self, FarCall *call)
{
  far_users_remove (call->parts[0], far_request_new (users_changed, far_api_user_change (call, TRUE), 0));
}

static const FarField users_fields[] = {
  { "password", FAR_FIELD_STRING, FALSE, N_ ("new password"), 1024 },
  { "groups", FAR_FIELD_LIST, FALSE, N_ ("groups the person is in, all of them"), 64 },
  { "key", FAR_FIELD_STRING, FALSE, N_ ("public key, as in authorized_keys"), 4096 },
  FAR_FIELD_EXPECT,
  { NULL, FAR_FIELD_END },
};

const FarHandler far_api_user_handlers[] = {
  { "GET", "users", FAR_ACTION_NONE, NULL, NULL, 0, users_get,
    N_ ("people, as far as the asker may see them") },
  { "PUT", "users/{u}", FAR_ACTION_MANAGE, NULL, users_fields, 0, users_put, N_ ("make or change a person") },
  { "DELETE", "users/{u}", FAR_ACTION_MANAGE, NULL, NULL, 0, users_delete, N_ ("remove a person") },
  { NULL },
};
