/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What tests of logins share: two authenticators that the test has in hand, and what came of a login. */
#pragma once
#include <farwatch/login.h>
#include <farwatch/plugin.h>

#include "auth/login-token.h"
#include "reach/login-private.h"
#include "reach/users.h"
#include "unit/door-help.h"

/* ---- authenticators of the test: the lookups of core are replaced by these ---- */

typedef struct {
  const char *name;
  FarVerdictKind verdict; /* for the password "right"; "wrong" is denied; anything else deferred */
  gboolean breaks, busy;
  gboolean holds; /* answers when told to, first come first */
  GList *held;    /* Held */
  guint asked;
  json_t *people;
  gboolean lists_not; /* knows people, and cannot say which at the moment */
  char *put_secret, *put_key;
  void (*during_put) (void); /* what happens meanwhile */
  gboolean keeps_keys, keeps_passwords;
  gboolean removes_not, puts_not; /* its file cannot be written */
  guint puts, puts_before_removal;
} Stand;

static Stand stands[2];

static inline FarVerdict *
stand_judge (Stand *stand, const FarLogin *login)
{
  const char *secret = login->secret != NULL ? login->secret : "";
  FarVerdict *verdict = far_verdict_new (strcmp (secret, "right") == 0   ? stand->verdict
                                         : strcmp (secret, "wrong") == 0 ? FAR_VERDICT_DENY
                                                                         : FAR_VERDICT_DEFER,
                                         login->name);

  if (login->form == FAR_LOGIN_CONVERSATION)
    verdict->kind = g_strcmp0 (login->answers[0], "42") == 0 ? FAR_VERDICT_ALLOW : FAR_VERDICT_DENY;
  if (login->form == FAR_LOGIN_TOKEN)
    verdict->claim = g_strdup ("session/abc");
  if (verdict->kind == FAR_VERDICT_ASK)
    verdict->prompts = g_strsplit ("code", ",", 1);
  verdict->groups = g_strsplit ("ops", ",", 1);
  return verdict;
}

typedef struct {
  FarRequest *req;
  FarVerdict *verdict;
} Held;

static inline void
stand_let_go (Stand *stand)
{
  Held *held = stand->held->data;

  stand->held = g_list_delete_link (stand->held, stand->held);
  far_request_done (held->req, held->verdict, (GDestroyNotify) far_verdict_free);
  g_free (held);
  run_pending ();
}

/* What is held has been given up by who asked. */
static inline void
stand_forget (Stand *stand)
{
  for (GList *link = stand->held; link != NULL; link = link->next)
    far_verdict_free (((Held *) link->data)->verdict);
  g_list_free_full (g_steal_pointer (&stand->held), g_free);
}

static inline void
stand_check (gpointer self, const FarLogin *login, FarRequest *req)
{
  Stand *stand = self;

  stand->asked++;
  if (stand->busy) {
    far_request_fail_new (req, FAR_ERROR_LIMIT, "busy");
  } else if (stand->breaks) {
    far_request_fail_new (req, FAR_ERROR_UNAVAILABLE, "the file is gone");
  } else if (stand->holds) {
    Held *held = g_new0 (Held, 1);

    *held = (Held){ req, stand_judge (stand, login) };
    stand->held = g_list_append (stand->held, held);
  } else {
    far_request_done (req, stand_judge (stand, login), (GDestroyNotify) far_verdict_free);
  }
}

static inline void
stand_put (gpointer self, const char *name, const char *secret, const char *const *groups, const char *key,
           FarRequest *req)
{
  Stand *stand = self;

  if ((key != NULL && !stand->keeps_keys) || (secret != NULL && !stand->keeps_passwords)) {
    far_request_fail_new (req, FAR_ERROR_INVALID, "not kept here");
    return;
  }
  stand->puts++;
  if (stand->puts_not) {
    far_request_fail_new (req, FAR_ERROR_FULL, "the disk is full");
    return;
  }
  if (stand->during_put != NULL)
    stand->during_put ();
  g_free (stand->put_secret);
  g_free (stand->put_key);
  stand->put_secret = g_strdup (secret);
  stand->put_key = g_strdup (key);
  far_request_done (req, NULL, NULL);
}

static inline void
stand_remove (gpointer self, const char *name, FarRequest *req)
{
  ((Stand *) self)->puts_before_removal = ((Stand *) self)->puts;
  if (((Stand *) self)->removes_not)
    far_request_fail_new (req, FAR_ERROR_FULL, "the disk is full");
  else if (strcmp (name, "alice") == 0)
    far_request_done (req, NULL, NULL);
  else
    far_request_fail_new (req, FAR_ERROR_NOT_FOUND, "no %s", name);
}

static inline void
stand_list (gpointer self, FarRequest *req)
{
  Stand *stand = self;

  if (stand->lists_not)
    far_request_fail_new (req, FAR_ERROR_LIMIT, "busy");
  else
    far_request_done (req, json_incref (stand->people), far_json_free);
}

static const FarAuthenticatorOps stand_ops = {
  .check = stand_check, .put = stand_put, .remove = stand_remove, .list = stand_list
};
static const FarAuthenticatorType stand_type = {
  .type = { .kind = FAR_KIND_AUTHENTICATOR, .name = "stand" },
  .ops = &stand_ops,
};

/* Stands are no instances, and never go. */
void
far_request_serve (FarRequest *req, FarInstance *at)
{
}

FarInstance *
far_instance_find (FarKind kind, const char *name, GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS (stands); i++)
    if (kind == FAR_KIND_AUTHENTICATOR && g_strcmp0 (stands[i].name, name) == 0)
      return (FarInstance *) (void *) &stands[i];
  g_set_error (error, FAR_ERROR, FAR_ERROR_NOT_FOUND, "no %s", name);
  return NULL;
}

GPtrArray *
far_instance_list (FarKind kind)
{
  GPtrArray *list = g_ptr_array_new ();

  for (guint i = 0; i < G_N_ELEMENTS (stands); i++)
    g_ptr_array_add (list, &stands[i]);
  return list;
}

const FarType *
far_instance_type (FarInstance *at)
{
  return &stand_type.type;
}

gpointer
far_instance_self (FarInstance *at)
{
  return at;
}

const char *
far_instance_name (FarInstance *at)
{
  return ((Stand *) (void *) at)->name;
}

/* ---- one login ---- */

static const char *const both[] = { "first", "second", NULL };

typedef struct {
  guint n;
  FarPrincipal *principal;
  FarVerdictKind verdict;
  GError *error;
  char *claim;
} Outcome;

static inline void
note (FarRequest *req, gpointer user)
{
  Outcome *to = user;
  const FarVerdict *verdict = far_login_verdict (req);

  to->n++;
  to->error = far_request_error (req) != NULL ? g_error_copy (far_request_error (req)) : NULL;
  to->principal = to->error == NULL ? far_request_steal (req) : NULL;
  to->verdict = verdict != NULL ? verdict->kind : FAR_VERDICT_DENY;
  to->claim = verdict != NULL ? g_strdup (verdict->claim) : NULL;
}

static inline void
outcome_clear (Outcome *outcome)
{
  far_principal_unref (outcome->principal);
  g_clear_error (&outcome->error);
  g_free (outcome->claim);
  *outcome = (Outcome){ 0 };
}

static inline gboolean
is_noted (gpointer data)
{
  return ((Outcome *) data)->n > 0;
}

static inline FarLogin *
login_of (const char *name, const char *secret, const char *from)
{
  FarLogin *login = far_login_new (FAR_LOGIN_PASSWORD, name, "ssh", from);

  login->secret = g_strdup (secret);
  return login;
}

static inline void
start (const char *name, const char *secret, const char *from, Outcome *to)
{
  far_login (both, login_of (name, secret, from), far_request_new (note, to, 0));
}

/* TRUE: allowed. *code: why not. Time jumps as far as the throttle wants. */
static inline gboolean
try_login (const char *name, const char *secret, const char *from, int *code)
{
  Outcome to = { 0 };
  gboolean allowed;

  start (name, secret, from, &to);
  for (guint i = 0; i < 40 && to.n == 0; i++) {
    run_pending ();
    if (to.n == 0)
      forward (1);
  }
  ck_assert (run_until (is_noted, &to));
  ck_assert_uint_eq (to.n, 1);
  allowed = to.error == NULL;
  if (code != NULL)
    *code = to.error != NULL ? to.error->code : -1;
  outcome_clear (&to);
  return allowed;
}

static inline void
setup (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  stands[0] = (Stand){ .name = "first", .verdict = FAR_VERDICT_ALLOW };
  stands[1] = (Stand){ .name = "second", .verdict = FAR_VERDICT_ALLOW };
}

static inline void
teardown (void)
{
  far_throttle_clear ();
  far_login_ticket_clear ();
  for (guint i = 0; i < G_N_ELEMENTS (stands); i++) {
    json_decref (stands[i].people);
    g_free (stands[i].put_secret);
    g_free (stands[i].put_key);
  }
}
