/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file asks the authenticators about people, one after the other: the list of all, one person, a
 * change. It joins what they say about the same name. Changes of one person wait for each other in
 * users-change.c. [main] */
#include "config.h"

#include "reach/users.h"

#include "life/instance-private.h"

#include <string.h>

#include <farwatch/i18n.h>
#include <farwatch/plugin.h>

#define PEOPLE_TIMEOUT_MS 20000

/* One chain over the authenticators: each step asks the next one. */
typedef struct _AuthChain AuthChain;
struct _AuthChain {
  GStrv names;
  guint next;
  FarRequest *req;
  /* FALSE: not for this one. */
  gboolean (*step) (AuthChain *chain, const FarAuthenticatorOps *ops, FarInstance *at);
  void (*end) (AuthChain *chain);
  json_t *users; /* list */
  char *name, *secret, *key;
  GStrv groups;
  gboolean known;   /* put: only for a person who is there */
  gboolean is_key;  /* put: the key alone */
  guint keepers;    /* put: so many of the names keep the person already, the first ones */
  gboolean partial; /* put: one of the keepers did not take what another one took */
  FarUsersJudge judge;
  gpointer judge_user;
  gboolean changes; /* has its turn among the changes of the person */
  guint done;       /* authenticators that took it */
  GError *error;    /* the last refusal */
};

void
far_json_free (gpointer json)
{
  json_decref (json);
}

/* Those that run now. */
static GStrv
auth_chain_names (void)
{
  g_autoptr (GPtrArray) list = far_instance_list (FAR_KIND_AUTHENTICATOR);
  GStrv names = g_new0 (char *, list->len + 1);

  for (guint i = 0; i < list->len; i++)
    names[i] = g_strdup (far_instance_name (list->pdata[i]));
  return names;
}

static AuthChain *
auth_chain_new (FarRequest *req,
                gboolean (*step) (AuthChain *chain, const FarAuthenticatorOps *ops, FarInstance *at),
                void (*end) (AuthChain *chain))
{
  AuthChain *chain = g_new0 (AuthChain, 1);

  chain->names = auth_chain_names ();
  chain->req = far_request_ref (req);
  chain->step = step;
  chain->end = end;
  return chain;
}

static void
auth_chain_free (AuthChain *chain)
{
  if (chain->changes)
    far_users_change_end (chain->name);
  g_strfreev (chain->names);
  far_request_unref (chain->req);
  json_decref (chain->users);
  g_free (chain->name);
  far_secret_free (chain->secret);
  g_free (chain->key);
  g_strfreev (chain->groups);
  g_clear_error (&chain->error);
  g_free (chain);
}

static void
auth_chain_next (AuthChain *chain)
{
  const char *name;

  while ((name = chain->names[chain->next]) != NULL) {
    FarInstance *at = far_instance_find (FAR_KIND_AUTHENTICATOR, name, NULL);

    chain->next++;
    if (at != NULL && chain->step (chain, ((const FarAuthenticatorType *) far_instance_type (at))->ops, at))
      return;
  }
  chain->end (chain);
  auth_chain_free (chain);
}

static FarRequest *
auth_chain_ask (AuthChain *chain, FarInstance *at, FarDone done)
{
  FarRequest *req = far_request_new (done, chain, PEOPLE_TIMEOUT_MS);

  far_request_serve (req, at);
  return req;
}

static const char *
auth_chain_current (const AuthChain *chain)
{
  return chain->names[chain->next - 1];
}

/* ---- list ---- */

static GError *
users_unknown (const char *name)
{
  return g_error_new (FAR_ERROR, FAR_ERROR_NOT_FOUND, _ ("no person '%s'; `farctl user list` shows all"),
                      name);
}

static json_t *
users_find (json_t *users, const char *name)
{
  for (gsize i = 0; i < json_array_size (users); i++)
    if (g_strcmp0 (json_string_value (json_object_get (json_array_get (users, i), "name")), name) == 0)
      return json_array_get (users, i);
  return NULL;
}

/* What somebody may be in, by whichever authenticator lets them in. */
static void
users_merge_groups (json_t *known, json_t *more)
{
  json_t *groups = json_deep_copy (json_object_get (known, "groups")), *group;
  size_t i, at;

  if (!json_is_array (groups)) {
    json_decref (groups);
    groups = json_array ();
  }
  json_array_foreach (more, i, group) {
    for (at = 0; at < json_array_size (groups) && !json_equal (json_array_get (groups, at), group); at++)
      continue;
    if (at == json_array_size (groups))
      json_array_append (groups, group);
  }
  json_object_set_new (known, "groups", groups);
}

/* What each of several gives, by itself: nobody has a group at one of them because another one gives it. */
static void
users_note_groups (json_t *known, json_t *entry, const char *authenticator)
{
  json_t *by = json_object_get (known, "groups_by"), *groups = json_object_get (entry, "groups");

  if (by == NULL) {
    by = json_object ();
    json_object_set_new (by,
                         json_string_value (json_array_get (json_object_get (known, "authenticators"), 0)),
                         json_is_array (json_object_get (known, "groups"))
                             ? json_deep_copy (json_object_get (known, "groups"))
                             : json_array ());
    json_object_set_new (known, "groups_by", by);
  }
  json_object_set_new (by, authenticator, json_is_array (groups) ? json_deep_copy (groups) : json_array ());
}

/* The same name in two authenticators is one person: a field of the later fills what the first left empty,
 * groups come together. */
static void
users_merge (json_t *users, json_t *entry, const char *authenticator)
{
  const char *name = json_string_value (json_object_get (entry, "name"));
  json_t *known = name != NULL ? users_find (users, name) : NULL, *list;

  if (name == NULL)
    return;
  if (known == NULL) {
    known = json_copy (entry);
    json_object_set_new (known, "authenticators", json_array ());
    json_array_append_new (users, known);
  } else {
    if (json_is_true (json_object_get (entry, "has_password")))
      json_object_set_new (known, "has_password", json_true ());
    users_note_groups (known, entry, authenticator);
    users_merge_groups (known, json_object_get (entry, "groups"));
    if (json_integer_value (json_object_get (known, "keys")) == 0 &&
        json_array_size (json_object_get (known, "keys")) == 0 && json_object_get (entry, "keys") != NULL)
      json_object_set (known, "keys", json_object_get (entry, "keys"));
  }
  list = json_object_get (known, "authenticators");
  json_array_append_new (list, json_string (authenticator));
}

static void
users_one_listed (FarRequest *req, gpointer user)
{
  AuthChain *chain = user;
  json_t *list = far_request_error (req) == NULL ? far_request_result (req) : NULL;

  if (far_request_error (req) != NULL) {
    chain->error = g_error_copy (far_request_error (req));
    g_prefix_error (&chain->error, _ ("the people of authenticator '%s' are not known now: "),
                    auth_chain_current (chain));
    chain->next = g_strv_length (chain->names);
  }
  for (gsize i = 0; i < json_array_size (list); i++)
    users_merge (chain->users, json_array_get (list, i), auth_chain_current (chain));
  auth_chain_next (chain);
}

static gboolean
users_list_step (AuthChain *chain, const FarAuthenticatorOps *ops, FarInstance *at)
{
  if (ops->list == NULL)
    return FALSE;
  ops->list (far_instance_self (at), auth_chain_ask (chain, at, users_one_listed));
  return TRUE;
}

static int
users_compare (const void *a, const void *b)
{
  return strcmp (json_string_value (json_object_get (*(json_t *const *) a, "name")),
                 json_string_value (json_object_get (*(json_t *const *) b, "name")));
}

static json_t *
users_sorted (json_t *users)
{
  gsize n = json_array_size (users);
  g_autofree json_t **entries = g_new (json_t *, n + 1);
  json_t *sorted = json_array ();

  for (gsize i = 0; i < n; i++)
    entries[i] = json_array_get (users, i);
  qsort (entries, n, sizeof *entries, users_compare);
  for (gsize i = 0; i < n; i++)
    json_array_append (sorted, entries[i]);
  return sorted;
}

static void
users_list_end (AuthChain *chain)
{
  if (chain->error != NULL) /* who is missing from half a list would seem to be in no group */
    far_request_fail (chain->req, g_steal_pointer (&chain->error));
  else
    far_request_done (chain->req, users_sorted (chain->users), far_json_free);
}

void
far_users_list (FarRequest *req)
{
  AuthChain *chain = auth_chain_new (req, users_list_step, users_list_end);

  chain->users = json_array ();
  auth_chain_next (chain);
}

gboolean
far_users_listed (void)
{
  g_autoptr (GPtrArray) list = far_instance_list (FAR_KIND_AUTHENTICATOR);

  for (guint i = 0; i < list->len; i++)
    if (((const FarAuthenticatorType *) far_instance_type (list->pdata[i]))->ops->list != NULL)
      return TRUE;
  return FALSE;
}

/* ---- put: one thing after the other, each to the first authenticator that takes it; groups to each that
 * keeps the person ---- */

static void users_put_rest (AuthChain *chain);

/* A password is kept once; groups that another one went on giving would still be the person's there. */
static void
users_put_taken (AuthChain *chain)
{
  chain->done++;
  g_clear_pointer (&chain->secret, far_secret_free);
  if (chain->groups == NULL || chain->next >= chain->keepers)
    chain->next = g_strv_length (chain->names);
}

static void
users_put_done (FarRequest *req, gpointer user)
{
  AuthChain *chain = user;
  const GError *error = far_request_error (req);

  if (error == NULL) {
    users_put_taken (chain);
  } else if (chain->done > 0) {
    chain->partial = TRUE;
    g_clear_error (&chain->error); /* of one that did not take it before */
    chain->error = g_error_copy (error);
    g_prefix_error (&chain->error, _ ("authenticator '%s' gives the groups of before still: "),
                    auth_chain_current (chain));
    chain->next = g_strv_length (chain->names);
  } else {
    g_clear_error (&chain->error);
    chain->error = g_error_copy (error);
    /* Only "I do not keep that" asks the next one: a full disk must not put a password into another file. */
    if (!g_error_matches (error, FAR_ERROR, FAR_ERROR_INVALID) &&
        !g_error_matches (error, FAR_ERROR, FAR_ERROR_CONFIG))
      chain->next = g_strv_length (chain->names);
  }
  auth_chain_next (chain);
}

static gboolean
users_put_step (AuthChain *chain, const FarAuthenticatorOps *ops, FarInstance *at)
{
  if (ops->put == NULL)
    return FALSE;
  ops->put (far_instance_self (at), chain->name, chain->secret, (const char *const *) chain->groups,
            chain->is_key ? chain->key : NULL, auth_chain_ask (chain, at, users_put_done));
  return TRUE;
}

static void
users_put_end (AuthChain *chain)
{
  if (chain->error != NULL && (chain->done == 0 || chain->partial))
    far_request_fail (chain->req, g_steal_pointer (&chain->error));
  else if (chain->done == 0)
    far_request_fail_new (
        chain->req, FAR_ERROR_CONFIG, "%s",
        _ ("no authenticator here keeps people: add one of type file or key to the profile"));
  else if (chain->key != NULL && !chain->is_key)
    users_put_rest (chain);
  else
    far_request_done (chain->req, NULL, NULL);
}

/* Password and groups are kept; now the key, in the same turn. */
static void
users_put_rest (AuthChain *chain)
{
  AuthChain *rest = auth_chain_new (chain->req, users_put_step, users_put_end);

  g_strfreev (rest->names);
  rest->names = g_steal_pointer (&chain->names); /* who keeps the person first */
  rest->is_key = TRUE;
  rest->name = g_strdup (chain->name);
  rest->key = g_steal_pointer (&chain->key);
  rest->changes = chain->changes;
  chain->changes = FALSE;
  auth_chain_next (rest);
}

static gboolean
users_keeps (json_t *person, const char *authenticator)
{
  json_t *list = json_object_get (person, "authenticators");

  for (gsize i = 0; i < json_array_size (list); i++)
    if (g_strcmp0 (json_string_value (json_array_get (list, i)), authenticator) == 0)
      return TRUE;
  return FALSE;
}

/* Who keeps the person already is asked first: a new password in another file would leave the old one good,
 * and a key there would give other groups. */
static void
users_put_known (FarRequest *req, gpointer user)
{
  AuthChain *chain = user;
  json_t *person = far_request_error (req) == NULL ? users_find (far_request_result (req), chain->name)
                                                   : NULL;
  guint n = g_strv_length (chain->names), at = 0;
  GStrv names = g_new0 (char *, n + 1);

  if (far_request_error (req) != NULL)
    chain->error = g_error_copy (far_request_error (req));
  else if (chain->known && person == NULL && far_users_listed ())
    chain->error = users_unknown (chain->name);
  else if (chain->judge != NULL)
    chain->judge (person, chain->judge_user, &chain->error);
  for (guint keeps = 0; keeps < 2; keeps++) {
    for (guint i = 0; i < n; i++)
      if (users_keeps (person, chain->names[i]) == (keeps == 0))
        names[at++] = chain->names[i];
    chain->keepers = keeps == 0 ? at : chain->keepers;
  }
  g_free (chain->names);
  chain->names = names;
  if (chain->error != NULL)
    chain->next = n; /* nobody is asked */
  auth_chain_next (chain);
}

/* An authenticator that does not run may keep the person, with groups that nobody sees meanwhile: who may
 * change them cannot be judged. */
static gboolean
users_all_tell (GError **error)
{
  GPtrArray *all = far_instances_all ();

  for (guint i = 0; i < all->len; i++) {
    FarInstance *at = all->pdata[i];

    if (at->kind != FAR_KIND_AUTHENTICATOR)
      continue;
    if (at->state == FAR_STATE_RESTING) /* its type may not even be loaded yet */
      far_instance_wake (at);
    if (at->type != NULL && ((const FarAuthenticatorType *) at->type)->ops->list == NULL)
      continue;
    if (at->state != FAR_STATE_RUNNING) {
      far_instance_why_not (at, error);
      return FALSE;
    }
  }
  return TRUE;
}

/* The list and those who are asked to change are of one moment: one that comes to run in between was not
 * judged, and is not asked. */
static void
users_put_go (gpointer user)
{
  AuthChain *chain = user;
  gboolean whole = users_all_tell (&chain->error); /* first: it wakes those that rest */

  g_strfreev (chain->names);
  chain->names = auth_chain_names ();
  if (whole) {
    far_users_list (far_request_new (users_put_known, chain, 0));
    return;
  }
  chain->next = g_strv_length (chain->names);
  auth_chain_next (chain);
}

static void
users_change (AuthChain *chain, FarUsersChange go)
{
  chain->changes = TRUE;
  far_users_change_begin (chain->name, go, chain);
}

void
far_users_put (const char *name, const char *secret, const char *const *groups, const char *key,
               FarUsersJudge judge, gpointer user, FarRequest *req)
{
  AuthChain *chain = auth_chain_new (req, users_put_step, users_put_end);

  chain->judge = judge;
  chain->judge_user = user;
  chain->is_key = secret == NULL && groups == NULL;
  chain->name = g_strdup (name);
  chain->secret = g_strdup (secret);
  chain->groups = g_strdupv ((char **) groups);
  chain->key = g_strdup (key);
  users_change (chain, users_put_go);
}

void
far_users_password (const char *name, const char *secret, FarUsersJudge judge, gpointer user, FarRequest *req)
{
  AuthChain *chain = auth_chain_new (req, users_put_step, users_put_end);

  chain->judge = judge;
  chain->judge_user = user;
  chain->name = g_strdup (name);
  chain->secret = g_strdup (secret);
  chain->known = TRUE;
  users_change (chain, users_put_go);
}

/* ---- remove ---- */

static void
users_removed (FarRequest *req, gpointer user)
{
  AuthChain *chain = user;
  const GError *error = far_request_error (req);

  if (error == NULL) {
    chain->done++;
  } else if (!g_error_matches (error, FAR_ERROR, FAR_ERROR_NOT_FOUND)) {
    g_clear_error (&chain->error);
    chain->error = g_error_copy (error);
  }
  auth_chain_next (chain);
}

static gboolean
users_remove_step (AuthChain *chain, const FarAuthenticatorOps *ops, FarInstance *at)
{
  if (ops->remove == NULL)
    return FALSE;
  ops->remove (far_instance_self (at), chain->name, auth_chain_ask (chain, at, users_removed));
  return TRUE;
}

static void
users_remove_end (AuthChain *chain)
{
  if (chain->error != NULL)
    /* One of them still lets the person in: say so. */
    far_request_fail (chain->req, g_steal_pointer (&chain->error));
  else if (chain->done == 0)
    far_request_fail (chain->req, users_unknown (chain->name));
  else
    far_request_done (chain->req, NULL, NULL);
}

/* Those that run are asked in any case: somebody who has to go is out where that is possible, and who asked
 * hears where it was not. */
static void
users_remove_go (gpointer user)
{
  AuthChain *chain = user;
  gboolean whole = users_all_tell (&chain->error); /* first: it wakes those that rest */

  g_strfreev (chain->names);
  chain->names = auth_chain_names ();
  if (!whole)
    g_prefix_error (&chain->error, _ ("%s may still be let in by one that was not asked: "), chain->name);
  auth_chain_next (chain);
}

void
far_users_remove (const char *name, FarRequest *req)
{
  AuthChain *chain = auth_chain_new (req, users_remove_step, users_remove_end);

  chain->name = g_strdup (name);
  users_change (chain, users_remove_go);
}
