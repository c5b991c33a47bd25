/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file asks the authenticators about people, one after the other: the list of all, one person, a
 * change. It joins what they say about the same name. Changes of one person wait for each other in
 * people-change.c. [main] */
#include "config.h"

#include "reach/people.h"

#include "life/instance-private.h"

#include <string.h>

#include <farwatch/i18n.h>
#include <farwatch/plugin.h>

#define PEOPLE_TIMEOUT_MS 20000

/* One walk over the authenticators: each step asks the next one. */
typedef struct _Walk Walk;
struct _Walk {
  GStrv names;
  guint next;
  FarRequest *req;
  /* FALSE: not for this one */
  gboolean (*step) (Walk *walk, const FarAuthenticatorOps *ops, FarInstance *at);
  void (*end) (Walk *walk);
  json_t *people; /* list */
  char *name, *secret, *key;
  GStrv groups;
  gboolean known;   /* put: only for a person who is there */
  gboolean is_key;  /* put: the key alone */
  guint keepers;    /* put: so many of the names keep the person already, the first ones */
  gboolean partial; /* put: one of the keepers did not take what another one took */
  FarPeopleJudge judge;
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
walk_names (void)
{
  g_autoptr (GPtrArray) list = far_instance_list (FAR_KIND_AUTHENTICATOR);
  GStrv names = g_new0 (char *, list->len + 1);

  for (guint i = 0; i < list->len; i++)
    names[i] = g_strdup (far_instance_name (list->pdata[i]));
  return names;
}

static Walk *
walk_new (FarRequest *req, gboolean (*step) (Walk *walk, const FarAuthenticatorOps *ops, FarInstance *at),
          void (*end) (Walk *walk))
{
  Walk *walk = g_new0 (Walk, 1);

  walk->names = walk_names ();
  walk->req = far_request_ref (req);
  walk->step = step;
  walk->end = end;
  return walk;
}

static void
walk_free (Walk *walk)
{
  if (walk->changes)
    far_people_change_end (walk->name);
  g_strfreev (walk->names);
  far_request_unref (walk->req);
  json_decref (walk->people);
  g_free (walk->name);
  far_secret_free (walk->secret);
  g_free (walk->key);
  g_strfreev (walk->groups);
  g_clear_error (&walk->error);
  g_free (walk);
}

static void
walk_next (Walk *walk)
{
  const char *name;

  while ((name = walk->names[walk->next]) != NULL) {
    FarInstance *at = far_instance_find (FAR_KIND_AUTHENTICATOR, name, NULL);

    walk->next++;
    if (at != NULL && walk->step (walk, ((const FarAuthenticatorType *) far_instance_type (at))->ops, at))
      return;
  }
  walk->end (walk);
  walk_free (walk);
}

static FarRequest *
walk_ask (Walk *walk, FarInstance *at, FarDone done)
{
  FarRequest *req = far_request_new (done, walk, PEOPLE_TIMEOUT_MS);

  far_request_serve (req, at);
  return req;
}

static const char *
walk_current (const Walk *walk)
{
  return walk->names[walk->next - 1];
}

/* ---- list ---- */

static GError *
people_unknown (const char *name)
{
  return g_error_new (FAR_ERROR, FAR_ERROR_NOT_FOUND, _ ("no person '%s'; `farctl user list` shows all"),
                      name);
}

static json_t *
people_find (json_t *people, const char *name)
{
  for (gsize i = 0; i < json_array_size (people); i++)
    if (g_strcmp0 (json_string_value (json_object_get (json_array_get (people, i), "name")), name) == 0)
      return json_array_get (people, i);
  return NULL;
}

/* What somebody may be in, by whichever authenticator lets them in. */
static void
people_merge_groups (json_t *known, json_t *more)
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
people_note_groups (json_t *known, json_t *entry, const char *authenticator)
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
people_merge (json_t *people, json_t *entry, const char *authenticator)
{
  const char *name = json_string_value (json_object_get (entry, "name"));
  json_t *known = name != NULL ? people_find (people, name) : NULL, *list;

  if (name == NULL)
    return;
  if (known == NULL) {
    known = json_copy (entry);
    json_object_set_new (known, "authenticators", json_array ());
    json_array_append_new (people, known);
  } else {
    if (json_is_true (json_object_get (entry, "has_password")))
      json_object_set_new (known, "has_password", json_true ());
    people_note_groups (known, entry, authenticator);
    people_merge_groups (known, json_object_get (entry, "groups"));
    if (json_integer_value (json_object_get (known, "keys")) == 0 &&
        json_array_size (json_object_get (known, "keys")) == 0 && json_object_get (entry, "keys") != NULL)
      json_object_set (known, "keys", json_object_get (entry, "keys"));
  }
  list = json_object_get (known, "authenticators");
  json_array_append_new (list, json_string (authenticator));
}

static void
people_listed (FarRequest *req, gpointer user)
{
  Walk *walk = user;
  json_t *list = far_request_error (req) == NULL ? far_request_result (req) : NULL;

  if (far_request_error (req) != NULL) {
    walk->error = g_error_copy (far_request_error (req));
    g_prefix_error (&walk->error, _ ("the people of authenticator '%s' are not known now: "),
                    walk_current (walk));
    walk->next = g_strv_length (walk->names);
  }
  for (gsize i = 0; i < json_array_size (list); i++)
    people_merge (walk->people, json_array_get (list, i), walk_current (walk));
  walk_next (walk);
}

static gboolean
people_list_step (Walk *walk, const FarAuthenticatorOps *ops, FarInstance *at)
{
  if (ops->list == NULL)
    return FALSE;
  ops->list (far_instance_self (at), walk_ask (walk, at, people_listed));
  return TRUE;
}

static int
people_compare (const void *a, const void *b)
{
  return strcmp (json_string_value (json_object_get (*(json_t *const *) a, "name")),
                 json_string_value (json_object_get (*(json_t *const *) b, "name")));
}

static json_t *
people_sorted (json_t *people)
{
  gsize n = json_array_size (people);
  g_autofree json_t **entries = g_new (json_t *, n + 1);
  json_t *sorted = json_array ();

  for (gsize i = 0; i < n; i++)
    entries[i] = json_array_get (people, i);
  qsort (entries, n, sizeof *entries, people_compare);
  for (gsize i = 0; i < n; i++)
    json_array_append (sorted, entries[i]);
  return sorted;
}

static void
people_list_end (Walk *walk)
{
  if (walk->error != NULL) /* who is missing from half a list would seem to be in no group */
    far_request_fail (walk->req, g_steal_pointer (&walk->error));
  else
    far_request_done (walk->req, people_sorted (walk->people), far_json_free);
}

void
far_people_list (FarRequest *req)
{
  Walk *walk = walk_new (req, people_list_step, people_list_end);

  walk->people = json_array ();
  walk_next (walk);
}

gboolean
far_people_listed (void)
{
  g_autoptr (GPtrArray) list = far_instance_list (FAR_KIND_AUTHENTICATOR);

  for (guint i = 0; i < list->len; i++)
    if (((const FarAuthenticatorType *) far_instance_type (list->pdata[i]))->ops->list != NULL)
      return TRUE;
  return FALSE;
}

/* ---- put: one thing after the other, each to the first authenticator that takes it; groups to each that
 * keeps the person ---- */

static void people_put_rest (Walk *walk);

/* A password is kept once; groups that another one went on giving would still be the person's there. */
static void
people_put_taken (Walk *walk)
{
  walk->done++;
  g_clear_pointer (&walk->secret, far_secret_free);
  if (walk->groups == NULL || walk->next >= walk->keepers)
    walk->next = g_strv_length (walk->names);
}

static void
people_put_done (FarRequest *req, gpointer user)
{
  Walk *walk = user;
  const GError *error = far_request_error (req);

  if (error == NULL) {
    people_put_taken (walk);
  } else if (walk->done > 0) {
    walk->partial = TRUE;
    g_clear_error (&walk->error); /* of one that did not take it before */
    walk->error = g_error_copy (error);
    g_prefix_error (&walk->error, _ ("authenticator '%s' gives the groups of before still: "),
                    walk_current (walk));
    walk->next = g_strv_length (walk->names);
  } else {
    g_clear_error (&walk->error);
    walk->error = g_error_copy (error);
    /* only "I do not keep that" asks the next one: a full disk must not put a password into another file */
    if (!g_error_matches (error, FAR_ERROR, FAR_ERROR_INVALID) &&
        !g_error_matches (error, FAR_ERROR, FAR_ERROR_CONFIG))
      walk->next = g_strv_length (walk->names);
  }
  walk_next (walk);
}

static gboolean
people_put_step (Walk *walk, const FarAuthenticatorOps *ops, FarInstance *at)
{
  if (ops->put == NULL)
    return FALSE;
  ops->put (far_instance_self (at), walk->name, walk->secret, (const char *const *) walk->groups,
            walk->is_key ? walk->key : NULL, walk_ask (walk, at, people_put_done));
  return TRUE;
}

static void
people_put_end (Walk *walk)
{
  if (walk->error != NULL && (walk->done == 0 || walk->partial))
    far_request_fail (walk->req, g_steal_pointer (&walk->error));
  else if (walk->done == 0)
    far_request_fail_new (
        walk->req, FAR_ERROR_CONFIG, "%s",
        _ ("no authenticator here keeps people: add one of type file or key to the profile"));
  else if (walk->key != NULL && !walk->is_key)
    people_put_rest (walk);
  else
    far_request_done (walk->req, NULL, NULL);
}

/* Password and groups are kept; now the key, in the same turn. */
static void
people_put_rest (Walk *walk)
{
  Walk *rest = walk_new (walk->req, people_put_step, people_put_end);

  g_strfreev (rest->names);
  rest->names = g_steal_pointer (&walk->names); /* who keeps the person first */
  rest->is_key = TRUE;
  rest->name = g_strdup (walk->name);
  rest->key = g_steal_pointer (&walk->key);
  rest->changes = walk->changes;
  walk->changes = FALSE;
  walk_next (rest);
}

static gboolean
people_keeps (json_t *person, const char *authenticator)
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
people_put_known (FarRequest *req, gpointer user)
{
  Walk *walk = user;
  json_t *person = far_request_error (req) == NULL ? people_find (far_request_result (req), walk->name)
                                                   : NULL;
  guint n = g_strv_length (walk->names), at = 0;
  GStrv names = g_new0 (char *, n + 1);

  if (far_request_error (req) != NULL)
    walk->error = g_error_copy (far_request_error (req));
  else if (walk->known && person == NULL && far_people_listed ())
    walk->error = people_unknown (walk->name);
  else if (walk->judge != NULL)
    walk->judge (person, walk->judge_user, &walk->error);
  for (guint keeps = 0; keeps < 2; keeps++) {
    for (guint i = 0; i < n; i++)
      if (people_keeps (person, walk->names[i]) == (keeps == 0))
        names[at++] = walk->names[i];
    walk->keepers = keeps == 0 ? at : walk->keepers;
  }
  g_free (walk->names);
  walk->names = names;
  if (walk->error != NULL)
    walk->next = n; /* nobody is asked */
  walk_next (walk);
}

/* An authenticator that does not run may keep the person, with groups that nobody sees meanwhile: who may
 * change them cannot be judged. */
static gboolean
people_all_tell (GError **error)
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
people_put_go (gpointer user)
{
  Walk *walk = user;
  gboolean whole = people_all_tell (&walk->error); /* first: it wakes those that rest */

  g_strfreev (walk->names);
  walk->names = walk_names ();
  if (whole) {
    far_people_list (far_request_new (people_put_known, walk, 0));
    return;
  }
  walk->next = g_strv_length (walk->names);
  walk_next (walk);
}

static void
people_change (Walk *walk, FarPeopleChange go)
{
  walk->changes = TRUE;
  far_people_change_begin (walk->name, go, walk);
}

void
far_people_put (const char *name, const char *secret, const char *const *groups, const char *key,
                FarPeopleJudge judge, gpointer user, FarRequest *req)
{
  Walk *walk = walk_new (req, people_put_step, people_put_end);

  walk->judge = judge;
  walk->judge_user = user;
  walk->is_key = secret == NULL && groups == NULL;
  walk->name = g_strdup (name);
  walk->secret = g_strdup (secret);
  walk->groups = g_strdupv ((char **) groups);
  walk->key = g_strdup (key);
  people_change (walk, people_put_go);
}

void
far_people_password (const char *name, const char *secret, FarPeopleJudge judge, gpointer user,
                     FarRequest *req)
{
  Walk *walk = walk_new (req, people_put_step, people_put_end);

  walk->judge = judge;
  walk->judge_user = user;
  walk->name = g_strdup (name);
  walk->secret = g_strdup (secret);
  walk->known = TRUE;
  people_change (walk, people_put_go);
}

/* ---- remove ---- */

static void
people_removed (FarRequest *req, gpointer user)
{
  Walk *walk = user;
  const GError *error = far_request_error (req);

  if (error == NULL) {
    walk->done++;
  } else if (!g_error_matches (error, FAR_ERROR, FAR_ERROR_NOT_FOUND)) {
    g_clear_error (&walk->error);
    walk->error = g_error_copy (error);
  }
  walk_next (walk);
}

static gboolean
people_remove_step (Walk *walk, const FarAuthenticatorOps *ops, FarInstance *at)
{
  if (ops->remove == NULL)
    return FALSE;
  ops->remove (far_instance_self (at), walk->name, walk_ask (walk, at, people_removed));
  return TRUE;
}

static void
people_remove_end (Walk *walk)
{
  if (walk->error != NULL)
    /* one of them still lets the person in: say so */
    far_request_fail (walk->req, g_steal_pointer (&walk->error));
  else if (walk->done == 0)
    far_request_fail (walk->req, people_unknown (walk->name));
  else
    far_request_done (walk->req, NULL, NULL);
}

/* Those that run are asked in any case: somebody who has to go is out where that is possible, and who asked
 * hears where it was not. */
static void
people_remove_go (gpointer user)
{
  Walk *walk = user;
  gboolean whole = people_all_tell (&walk->error); /* first: it wakes those that rest */

  g_strfreev (walk->names);
  walk->names = walk_names ();
  if (!whole)
    g_prefix_error (&walk->error, _ ("%s may still be let in by one that was not asked: "), walk->name);
  walk_next (walk);
}

void
far_people_remove (const char *name, FarRequest *req)
{
  Walk *walk = walk_new (req, people_remove_step, people_remove_end);

  walk->name = g_strdup (name);
  people_change (walk, people_remove_go);
}
