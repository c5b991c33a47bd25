/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One login: wait as the throttle says, then ask the authenticators in order. */
#include "config.h"

#include <farwatch/login.h>

#include <string.h>

#include <farwatch/clock.h>
#include <farwatch/home.h>
#include <farwatch/i18n.h>
#include <farwatch/plugin.h>

#include "throttle.h"

#define LOGIN_NAME_BYTES 64
#define LOGIN_SECRET_MAX 1024
#define LOGIN_TIMEOUT_MS 20000
#define LOGIN_UNDER_WAY 256 /* waiting out a delay or being checked */

/* ---- the two structs ---- */

FarLogin *
far_login_new (FarLoginForm form, const char *name, const char *door, const char *from)
{
  FarLogin *login = g_new0 (FarLogin, 1);

  login->form = form;
  login->name = g_strdup (name);
  login->door = g_strdup (door);
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
  g_free (login->door);
  g_free (login->from);
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
  return far_request_attached (req);
}

/* ---- the run ---- */

typedef struct {
  GStrv authenticators;
  guint next;
  FarLogin *login;
  FarRequest *req;
  FarHomeTimer *timer;
  gboolean counted;
  gboolean broken;     /* an authenticator could not answer */
} LoginRun;

static guint login_under_way; /* on main only */

static void login_ask_next (LoginRun *run);

/* A node that lies about where somebody comes from must not get more guesses by it. */
static char *
login_source (const FarLogin *login)
{
  return login->told_from ? g_strconcat ("told for ", login->name, NULL) : g_strdup (login->from);
}

static const char *
login_counted_name (const FarLogin *login)
{
  return login->told_from ? login->from : login->name;
}

static void
login_end (LoginRun *run, FarTryOutcome outcome)
{
  g_autofree char *source = login_source (run->login);

  if (run->counted)
    far_throttle_leave (login_counted_name (run->login), source, outcome);
  login_under_way--;
  g_strfreev (run->authenticators);
  far_login_free (run->login);
  far_request_unref (run->req);
  g_clear_pointer (&run->timer, far_home_timer_free);
  g_free (run);
}

/* One text for every cause: what was wrong is not for the guesser. */
static void
login_deny (LoginRun *run)
{
  far_count ("logins", 1);
  if (run->counted)
    far_complain (NULL, run->login->from, "login refused: %s from %s by %s", run->login->name, run->login->from[0] != '\0' ? run->login->from : "this machine",
                  run->login->door);
  far_request_fail_new (run->req, FAR_ERROR_DENIED, "%s", _("login refused: name or password is wrong, or may not be used here"));
  login_end (run, run->broken ? FAR_TRY_VOID : FAR_TRY_FAILED);
}

static void
login_busy (LoginRun *run)
{
  far_request_fail_new (run->req, FAR_ERROR_LIMIT, "%s", _("busy: too many logins at once, try again in a minute"));
  login_end (run, FAR_TRY_VOID);
}

/* A token that stands for something is that thing, not a person with rights. */
static FarPrincipal *
login_principal (const FarLogin *login, const FarVerdict *verdict)
{
  FarPrincipalKind kind = verdict->claim != NULL ? FAR_PRINCIPAL_NONE : FAR_PRINCIPAL_PERSON;
  const char *name = verdict->principal != NULL ? verdict->principal : login->name;
  FarPrincipal *principal = far_principal_new (kind, name, (const char *const *) verdict->groups, login->from);

  principal->until_us = verdict->until_us;
  return principal;
}

static void
login_allow (LoginRun *run, FarVerdict *verdict)
{
  FarPrincipal *principal;

  if (verdict->until_us != 0 && verdict->until_us <= far_clock_wall_us ()) {
    far_verdict_free (verdict);
    login_deny (run);
    return;
  }
  principal = login_principal (run->login, verdict);
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
    login_busy (run);
    return;
  }
  if (verdict == NULL) {
    run->broken = TRUE;
    far_complain (NULL, run->authenticators[run->next - 1], "an authenticator could not answer: %s: %s", run->authenticators[run->next - 1],
                  error != NULL ? error->message : "no verdict");
  }
  if (kind == FAR_VERDICT_ALLOW) {
    login_allow (run, verdict);
  } else if (kind == FAR_VERDICT_ASK) {
    login_question (run, verdict);
  } else {
    far_verdict_free (verdict);
    if (kind == FAR_VERDICT_DENY)
      login_deny (run);
    else
      login_ask_next (run);
  }
}

static const FarAuthenticatorOps *
login_ops (const char *name, gpointer *self, GError **error)
{
  FarInstance *at = far_instance_find (FAR_KIND_AUTHENTICATOR, name, error);

  if (at == NULL)
    return NULL;
  *self = far_instance_self (at);
  return ((const FarAuthenticatorType *) far_instance_type (at))->ops;
}

static void
login_ask_next (LoginRun *run)
{
  g_autoptr (GError) error = NULL;
  const FarAuthenticatorOps *ops;
  const char *name;
  gpointer self = NULL;

  while ((name = run->authenticators[run->next]) != NULL) {
    run->next++;
    ops = login_ops (name, &self, &error);
    if (ops != NULL && ops->check != NULL) {
      ops->check (self, run->login, far_request_new (login_checked, run, LOGIN_TIMEOUT_MS));
      return;
    }
    run->broken = TRUE;
    far_complain (NULL, name, "an authenticator cannot be asked: %s: %s", name, error != NULL ? error->message : "it checks nothing");
    g_clear_error (&error);
  }
  login_deny (run);
}

static void
login_waited (gpointer data)
{
  LoginRun *run = data;

  g_clear_pointer (&run->timer, far_home_timer_free);
  if (far_request_ended (run->req))
    login_end (run, FAR_TRY_FAILED); /* the asker did not wait: its try counts */
  else
    login_ask_next (run);
}

static gboolean
login_form_ok (const FarLogin *login)
{
  return login->name != NULL && login->name[0] != '\0' && strlen (login->name) <= LOGIN_NAME_BYTES && g_utf8_validate (login->name, -1, NULL) &&
         strpbrk (login->name, "\n\r\t") == NULL && (login->secret == NULL || strlen (login->secret) <= LOGIN_SECRET_MAX);
}

static void
login_start (LoginRun *run)
{
  gint64 wait_us = 0;

  if (!login_form_ok (run->login)) {
    login_deny (run);
    return;
  }
  if (login_under_way > LOGIN_UNDER_WAY) {
    login_busy (run);
    return;
  }
  if (!run->login->probe) {
    g_autofree char *source = login_source (run->login);

    wait_us = far_throttle_enter (login_counted_name (run->login), source);
    run->counted = wait_us >= 0;
  }
  if (wait_us < 0) {
    g_autofree char *key = g_strconcat ("refused ", run->login->from, NULL);

    far_complain (NULL, key, "too many refused logins from %s: no more for 10 minutes",
                  run->login->from[0] != '\0' ? run->login->from : "this machine");
    login_busy (run);
  } else if (wait_us > 0) {
    run->timer = far_home_timer (far_home_main (), far_clock_boottime_us () + wait_us, login_waited, run);
  } else {
    login_ask_next (run);
  }
}

void
far_login (const char *const *authenticators, FarLogin *login, FarRequest *req)
{
  static const char *const none[] = { NULL };
  LoginRun *run = g_new0 (LoginRun, 1);

  run->authenticators = g_strdupv ((char **) (authenticators != NULL ? authenticators : none));
  run->login = login;
  run->req = far_request_ref (req);
  login_under_way++;
  login_start (run);
}

/* ---- tokens, through the authenticator that keeps them ---- */

void
far_token_issue (const char *authenticator, const char *name, const char *claim, const char *key, gint64 until_wall_us, FarRequest *req)
{
  GError *error = NULL;
  gpointer self = NULL;
  const FarAuthenticatorOps *ops = login_ops (authenticator, &self, &error);

  if (ops == NULL)
    far_request_fail (req, error);
  else if (ops->issue == NULL)
    far_request_fail_new (req, FAR_ERROR_CONFIG, _("authenticator %s keeps no tokens: name one of type token"), authenticator);
  else
    ops->issue (self, name, claim, key, until_wall_us, req);
}

void
far_token_withdraw (const char *authenticator, const char *claim)
{
  g_autoptr (GError) error = NULL;
  gpointer self = NULL;
  const FarAuthenticatorOps *ops = login_ops (authenticator, &self, &error);

  if (ops != NULL && ops->withdraw != NULL)
    ops->withdraw (self, claim);
}
