/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One login: wait for a turn, then ask the authenticators in order. */
#include "config.h"

#include "reach/login-private.h"

#include <string.h>

#include <farwatch/clock.h>
#include <farwatch/i18n.h>
#include <farwatch/plugin.h>
#include <farwatch/thread.h>

#define LOGIN_NAME_BYTES 64
#define LOGIN_SECRET_MAX 1024
#define LOGIN_TIMEOUT_MS 20000

/* ---- the two structs ---- */

FarLogin *
far_login_new (FarLoginForm form, const char *name, const char *interface, const char *from)
{
  FarLogin *login = g_new0 (FarLogin, 1);

  login->form = form;
  login->name = g_strdup (name);
  login->interface = g_strdup (interface);
  login->from = g_strdup (from ? from : "");
  return login;
}

static void
login_clear_answers (GStrv answers)
{
  for (guint i = 0; answers != NULL && answers[i] != NULL; i++)
    explicit_bzero (answers[i], strlen (answers[i]));
  g_strfreev (answers);
}

void
far_login_free (FarLogin *login)
{
  if (login == NULL)
    return;
  far_secret_free (login->secret);
  login_clear_answers (login->answers);
  g_free (login->name);
  g_free (login->key);
  g_free (login->interface);
  g_free (login->from);
  g_free (login->asker);
  g_free (login);
}

FarVerdict *
far_verdict_new (FarVerdictKind kind, const char *principal)
{
  FarVerdict *verdict = g_new0 (FarVerdict, 1);

  verdict->kind = kind;
  verdict->principal = g_strdup (principal);
  return verdict;
}

void
far_verdict_free (FarVerdict *verdict)
{
  if (verdict == NULL)
    return;
  g_free (verdict->principal);
  g_strfreev (verdict->groups);
  g_free (verdict->claim);
  g_strfreev (verdict->prompts);
  g_free (verdict);
}

const FarVerdict *
far_login_verdict (FarRequest *req)
{
  FAR_ON_MAIN ();
  return far_request_attached (req);
}

/* ---- the run ---- */

static void login_ask_next (LoginRun *run);

static void
login_run_free (LoginRun *run)
{
  g_strfreev (run->authenticators);
  far_login_free (run->login);
  far_request_unref (run->req);
  g_free (run->source);
  g_free (run);
}

static void
login_end (LoginRun *run, FarTryOutcome outcome)
{
  far_login_queue_leave (run, outcome);
  login_run_free (run);
}

/* One text for every cause: what was wrong is not for the guesser. */
static void
login_deny (LoginRun *run, FarTryOutcome outcome)
{
  far_count ("logins", 1);
  if (run->entered && !run->login->probe)
    far_log_limited (NULL, run->source, "login refused: %s from %s by %s", run->login->name,
                     run->source[0] != '\0' ? run->source : "this machine", run->login->interface);
  far_request_fail_new (run->req, FAR_ERROR_DENIED, "%s",
                        _ ("login refused: name or password is wrong, or may not be used here"));
  login_end (run, outcome);
}

/* The queue's limits, as who met one hears of it. */
static GError *
login_crowd_error (LoginCrowd crowd)
{
  switch (crowd) {
  case LOGIN_CROWD_SOURCE:
    return g_error_new (
        FAR_ERROR, FAR_ERROR_LIMIT,
        _ ("busy: %d logins from this address wait already, more are not taken; try again in a minute"),
        LOGIN_WAITING_SOURCE);
  case LOGIN_CROWD_DELAYED:
    return g_error_new (FAR_ERROR, FAR_ERROR_LIMIT,
                        _ ("busy: %d logins from this address wait already because others were refused, more "
                           "are not taken; try again in a minute"),
                        LOGIN_DELAYED);
  case LOGIN_CROWD_SLOW:
    return g_error_new (
        FAR_ERROR, FAR_ERROR_LIMIT,
        _ ("busy: this login has waited for %d s, %d are tried at once; try again in a minute"),
        (int) (LOGIN_WAIT_US / G_USEC_PER_SEC), LOGIN_UNDER_WAY);
  default:
    return g_error_new (FAR_ERROR, FAR_ERROR_LIMIT,
                        _ ("busy: %d logins wait already, more are not taken; try again in a minute"),
                        LOGIN_WAITING);
  }
}

static void
login_busy (LoginRun *run, GError *error)
{
  far_request_fail (run->req, error);
  login_end (run, FAR_TRY_VOID);
}

void
far_login_turn_away (LoginRun *run, LoginCrowd crowd)
{
  far_count ("logins not tried", 1);
  login_busy (run, login_crowd_error (crowd));
}

/* Which of the three it was is for the log: the numbers are no secret, whose failures they count is. */
void
far_login_refuse (LoginRun *run, const char *why)
{
  g_autofree char *key = g_strconcat ("refused ", run->source, NULL);

  far_count ("logins not tried", 1);
  far_log_limited (NULL, key, "%s", why);
  login_busy (run, g_error_new (FAR_ERROR, FAR_ERROR_LIMIT,
                                _ ("busy: too many refused logins (the limit is %d for a name from one "
                                   "address, %d for an address, %d for its net), try again in 10 minutes"),
                                FAR_THROTTLE_TRIES, FAR_THROTTLE_SOURCE_TRIES, FAR_THROTTLE_NET_TRIES));
}

void
far_login_drop (LoginRun *run)
{
  login_run_free (run);
}

/* A token that stands for something is that thing, not a person with rights. */
static FarPrincipal *
login_principal (const LoginRun *run, const FarVerdict *verdict)
{
  const FarLogin *login = run->login;
  FarPrincipalKind kind = verdict->claim != NULL ? FAR_PRINCIPAL_NONE : FAR_PRINCIPAL_PERSON;
  const char *name = verdict->principal != NULL ? verdict->principal : login->name;
  FarPrincipal *principal = far_principal_new (kind, name, (const char *const *) verdict->groups,
                                               login->from);

  principal->until_us = verdict->until_us;
  principal->since_us = run->asked_us;
  return principal;
}

static void
login_allow (LoginRun *run, FarVerdict *verdict)
{
  FarPrincipal *principal;

  if (verdict->until_us != 0 && verdict->until_us <= far_clock_wall_us ()) {
    far_verdict_free (verdict);
    login_deny (run, FAR_TRY_FAILED);
    return;
  }
  principal = login_principal (run, verdict);
  far_request_attach (run->req, verdict, (GDestroyNotify) far_verdict_free);
  far_request_done (run->req, principal, (GDestroyNotify) far_principal_unref);
  login_end (run, FAR_TRY_SUCCEEDED);
}

/* A question is no failure; the answer will be judged. */
static void
login_question (LoginRun *run, FarVerdict *verdict)
{
  far_request_attach (run->req, verdict, (GDestroyNotify) far_verdict_free);
  far_request_done (run->req, NULL, NULL);
  login_end (run, FAR_TRY_VOID);
}

static void
login_checked (FarRequest *check, gpointer user)
{
  LoginRun *run = user;
  const GError *error = far_request_error (check);
  FarVerdict *verdict = error == NULL ? far_request_steal (check) : NULL;
  FarVerdictKind kind = verdict != NULL ? verdict->kind : FAR_VERDICT_DEFER;

  if (g_error_matches (error, FAR_ERROR, FAR_ERROR_LIMIT)) {
    login_busy (run, g_error_copy (error));
    return;
  }
  if (verdict == NULL) {
    run->broken = TRUE;
    far_log_limited (NULL, run->authenticators[run->next - 1], "an authenticator could not answer: %s: %s",
                     run->authenticators[run->next - 1], error != NULL ? error->message : "no verdict");
  }
  if (kind == FAR_VERDICT_ALLOW) {
    login_allow (run, verdict);
  } else if (kind == FAR_VERDICT_ASK) {
    login_question (run, verdict);
  } else {
    far_verdict_free (verdict);
    if (kind == FAR_VERDICT_DENY)
      login_deny (run, FAR_TRY_FAILED);
    else
      login_ask_next (run);
  }
}

static const FarAuthenticatorOps *
login_ops (const char *name, FarInstance **at, GError **error)
{
  *at = far_instance_find (FAR_KIND_AUTHENTICATOR, name, error);
  return *at != NULL ? ((const FarAuthenticatorType *) far_instance_type (*at))->ops : NULL;
}

static void
login_ask_next (LoginRun *run)
{
  g_autoptr (GError) error = NULL;
  const FarAuthenticatorOps *ops;
  const char *name;
  FarInstance *at;

  while ((name = run->authenticators[run->next]) != NULL) {
    run->next++;
    ops = login_ops (name, &at, &error);
    if (ops != NULL && ops->check != NULL) {
      FarRequest *check = far_request_new (login_checked, run, LOGIN_TIMEOUT_MS);

      run->asked_us = far_clock_boottime_us ();
      far_request_serve (check, at);
      ops->check (far_instance_self (at), run->login, check);
      return;
    }
    run->broken = TRUE;
    far_log_limited (NULL, name, "an authenticator cannot be asked: %s: %s", name,
                     error != NULL ? error->message : "it checks nothing");
    g_clear_error (&error);
  }
  login_deny (run, run->broken ? FAR_TRY_UNDECIDED : FAR_TRY_FAILED);
}

void
far_login_run (LoginRun *run)
{
  login_ask_next (run);
}

static gboolean
login_form_ok (const FarLogin *login)
{
  return login->name != NULL && login->name[0] != '\0' && strlen (login->name) <= LOGIN_NAME_BYTES &&
         g_utf8_validate (login->name, -1, NULL) && strpbrk (login->name, "\n\r\t") == NULL &&
         (login->secret == NULL || strlen (login->secret) <= LOGIN_SECRET_MAX);
}

/* A key is no guess: who shows it has proved that it is theirs. */
static gboolean
login_is_guess (const FarLogin *login)
{
  return !login->probe && login->form != FAR_LOGIN_KEY && login->form != FAR_LOGIN_CERTIFICATE;
}

static LoginRun *
login_run_new (const char *const *authenticators, FarLogin *login, FarRequest *req)
{
  static const char *const none[] = { NULL };
  LoginRun *run = g_new0 (LoginRun, 1);

  run->authenticators = g_strdupv ((char **) (authenticators != NULL ? authenticators : none));
  run->login = login;
  run->req = far_request_ref (req);
  run->try = (FarTry){ .name = login->name,
                       .from = login->from,
                       .interface = login->interface,
                       .token = login->form == FAR_LOGIN_TOKEN };
  if (login->told_from)
    run->try.told = login->asker != NULL ? login->asker : "";
  run->source = far_throttle_source (&run->try);
  run->counted = login_is_guess (login);
  return run;
}

void
far_login (const char *const *authenticators, FarLogin *login, FarRequest *req)
{
  FAR_ON_MAIN ();
  LoginRun *run = login_run_new (authenticators, login, req);

  if (login_form_ok (login))
    far_login_queue_add (run);
  else
    login_deny (run, FAR_TRY_VOID);
}

/* ---- tokens, through the authenticator that keeps them ---- */

void
far_token_issue (const char *authenticator, const char *name, const char *claim, const char *key,
                 gint64 until_wall_us, FarRequest *req)
{
  FAR_ON_MAIN ();
  GError *error = NULL;
  FarInstance *at;
  const FarAuthenticatorOps *ops = login_ops (authenticator, &at, &error);

  if (ops == NULL)
    far_request_fail (req, error);
  else if (ops->issue == NULL)
    far_request_fail_new (req, FAR_ERROR_CONFIG,
                          _ ("authenticator %s keeps no tokens: name one of type token"), authenticator);
  else {
    far_request_serve (req, at);
    ops->issue (far_instance_self (at), name, claim, key, until_wall_us, req);
  }
}

void
far_token_withdraw (const char *authenticator, const char *claim)
{
  FAR_ON_MAIN ();
  g_autoptr (GError) error = NULL;
  FarInstance *at;
  const FarAuthenticatorOps *ops = login_ops (authenticator, &at, &error);

  if (ops != NULL && ops->withdraw != NULL)
    ops->withdraw (far_instance_self (at), claim);
}

gboolean
far_token_prepare (const char *authenticator, const char *store, const char *name, const char *claim,
                   const char *key, gint64 until_wall_us, FarTokenRow *row)
{
  FAR_ON_MAIN ();
  g_autoptr (GError) error = NULL;
  FarInstance *at;
  const FarAuthenticatorOps *ops = login_ops (authenticator, &at, &error);

  return ops != NULL && ops->prepare != NULL &&
         ops->prepare (far_instance_self (at), store, name, claim, key, until_wall_us, row);
}

void
far_token_row_clear (FarTokenRow *row)
{
  FAR_ON_MAIN ();
  far_secret_free (row->token);
  g_free (row->table);
  g_free (row->key);
  g_free (row->row);
  *row = (FarTokenRow){ NULL, NULL, NULL, NULL };
}
