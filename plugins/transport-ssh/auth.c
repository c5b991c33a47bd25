/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file takes a peer's login over SSH: it collects requests, has core decide on the main context and
 * answers meanwhile nothing else. It serves both servers, the tunnel end and the terminal's login service,
 * so it knows neither. */
#include "config.h"

#include "auth.h"

#include <string.h>

/* libssh wants its server callbacks instead of messages; those must answer at once, and a login cannot. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#define REQUESTS_MAX 20 /* as the cause says; of any kind before login: a client may try its keys */

SshAuth *
ssh_auth_new (const char *const *authenticators, const char *listener, gboolean tokens)
{
  SshAuth *auth = g_new0 (SshAuth, 1);
  auth->refs = 1;
  auth->authenticators = g_strdupv ((char **) authenticators);
  auth->listener = listener;
  auth->tokens = tokens;
  auth->waiting = g_ptr_array_new_with_free_func ((GDestroyNotify) far_request_unref);
  return auth;
}

SshAuth *
ssh_auth_ref (SshAuth *auth)
{
  g_atomic_int_inc (&auth->refs);
  return auth;
}

void
ssh_auth_unref (gpointer data)
{
  SshAuth *auth = data;
  if (!g_atomic_int_dec_and_test (&auth->refs))
    return;
  g_strfreev (auth->authenticators);
  g_free (auth);
}

void
ssh_auth_stop (SshAuth *auth)
{
  GPtrArray *waiting = g_steal_pointer (&auth->waiting);
  auth->judge_user = NULL;
  for (guint i = 0; i < waiting->len; i++)
    far_request_cancel (waiting->pdata[i]);
  g_ptr_array_unref (waiting);
}

/* ---- what is asked of main ---- */

typedef enum { ANSWER_NO, ANSWER_YES, ANSWER_ASK, ANSWER_BUSY } AnswerKind;

typedef struct {
  SshConnection *conn;
  SshAuth *auth;
  Login *of;       /* touched on the conn's loop only */
  FarLogin *login; /* NULL: handed over */
  FarRequest *req;
  char *name, *key;
  gboolean probe;
  AnswerKind kind;
  gpointer grant;
  GStrv prompts;
  gboolean echo;
} SshQuestion;

static void
ssh_auth_question_free (gpointer data)
{
  SshQuestion *question = data;
  if (question->grant != NULL && question->auth->free_grant != NULL)
    question->auth->free_grant (question->grant);
  ssh_conn_unref (question->conn);
  ssh_auth_unref (question->auth);
  far_login_free (question->login);
  g_strfreev (question->prompts);
  g_free (question->name);
  g_free (question->key);
  g_free (question);
}

static void ssh_auth_answer (SshConnection *conn, gpointer data);

static void
ssh_auth_judge (SshQuestion *question, FarRequest *req)
{
  SshAuth *auth = question->auth;
  const FarVerdict *verdict = far_login_verdict (req);
  FarPrincipal *principal = far_request_result (req);
  if (verdict != NULL && verdict->kind == FAR_VERDICT_ASK) {
    question->kind = ANSWER_ASK;
    question->prompts = g_strdupv (verdict->prompts);
    question->echo = verdict->echo;
  } else if (question->probe) {
    question->kind = ANSWER_YES;
  } else if (auth->judge_user != NULL && principal != NULL && verdict != NULL) {
    question->grant = auth->judge (auth->judge_user, principal, verdict, question->name, question->key);
    question->kind = question->grant != NULL ? ANSWER_YES : ANSWER_NO;
  }
}

static void
decided (FarRequest *req, gpointer user)
{
  SshQuestion *question = user;
  const GError *error = far_request_error (req);
  if (question->auth->waiting != NULL)
    g_ptr_array_remove_fast (question->auth->waiting, req);
  if (error == NULL)
    ssh_auth_judge (question, req);
  else if (g_error_matches (error, FAR_ERROR, FAR_ERROR_LIMIT))
    question->kind = ANSWER_BUSY;
  ssh_conn_post (question->conn, ssh_auth_answer, question, ssh_auth_question_free);
}

/* [main] */
static void
ask_core (gpointer data)
{
  SshQuestion *question = data;
  SshAuth *auth = question->auth;
  if (auth->waiting == NULL) {
    ssh_conn_post (question->conn, ssh_auth_answer, question, ssh_auth_question_free);
    return;
  }
  FarRequest *req = far_request_new (decided, question, 0);
  g_ptr_array_add (auth->waiting, far_request_ref (req));
  far_login ((const char *const *) auth->authenticators, g_steal_pointer (&question->login), req);
}

/* ---- answers ---- */

static void
ssh_auth_refuse (Login *login, SshConnection *conn, ssh_message message)
{
  ssh_conn_enter (conn);
  ssh_message_reply_default (message);
  ssh_conn_leave (conn);
  ssh_message_free (message);
}

static void
ask_back (Login *login, SshConnection *conn, ssh_message message, const SshQuestion *question)
{
  guint n = MIN (g_strv_length (question->prompts), 8);
  char echo[8];
  memset (echo, question->echo ? 1 : 0, sizeof echo);
  ssh_conn_enter (conn);
  ssh_message_auth_interactive_request (message, "", "", n, (const char **) question->prompts, echo);
  ssh_conn_leave (conn);
  ssh_message_free (message);
}

static void
let_in (Login *login, SshConnection *conn, ssh_message message, SshQuestion *question)
{
  ssh_conn_enter (conn);
  ssh_message_auth_reply_success (message, 0);
  ssh_conn_leave (conn);
  ssh_message_free (message);
  login->passed (conn, g_steal_pointer (&question->grant), login->key, login->user);
}

static void
ssh_auth_failed (Login *login, SshConnection *conn, ssh_message message)
{
  ssh_auth_refuse (login, conn, message);
  if (++login->tries >= GUARD_TRIES)
    ssh_conn_cut (conn, "login refused three times");
}

static void
pk_ok (SshConnection *conn, ssh_message message)
{
  ssh_conn_enter (conn);
  ssh_message_auth_reply_pk_ok_simple (message);
  ssh_conn_leave (conn);
  ssh_message_free (message);
}

/* [loop of the conn] */
static void
ssh_auth_answer (SshConnection *conn, gpointer data)
{
  SshQuestion *question = data;
  Login *login = question->of;
  ssh_message message = g_steal_pointer (&login->message);
  ssh_conn_pause (conn, FALSE);
  if (question->kind == ANSWER_ASK)
    ask_back (login, conn, message, question);
  else if (question->kind == ANSWER_YES && question->probe)
    pk_ok (conn, message);
  else if (question->kind == ANSWER_YES)
    let_in (login, conn, message, question);
  else if (question->probe)
    ssh_auth_refuse (login, conn, message);
  else
    ssh_auth_failed (login, conn, message);
}

/* ---- questions ---- */

static char *
key_line (ssh_key key)
{
  g_autofree char *text = NULL;
  char *base64 = NULL;
  if (key == NULL || ssh_pki_export_pubkey_base64 (key, &base64) != SSH_OK)
    return NULL;
  text = g_strdup_printf ("%s %s", ssh_key_type_to_char (ssh_key_type (key)), base64);
  ssh_string_free_char (base64);
  return g_steal_pointer (&text);
}

/* Hands the request to main; no more is read until the answer is there. */
static gboolean
ssh_auth_ask (Login *login, SshConnection *conn, ssh_message message, FarLogin *form)
{
  SshQuestion *question = g_new0 (SshQuestion, 1);
  *question = (SshQuestion){ .conn = ssh_conn_ref (conn),
                             .auth = ssh_auth_ref (login->auth),
                             .of = login,
                             .login = form,
                             .name = g_strdup (form->name),
                             .key = g_strdup (form->key),
                             .probe = form->probe };
  login->message = message;
  ssh_conn_pause (conn, TRUE);
  far_loop_post (far_loop_main (), ask_core, question);
  return TRUE;
}

static FarLogin *
form_new (Login *login, ssh_message message, FarLoginForm form)
{
  const char *name = ssh_message_auth_user (message);
  if (name != NULL) {
    g_free (login->name);
    login->name = g_strdup (name);
  }
  FarLogin *asked = far_login_new (form, login->name != NULL ? login->name : "", login->auth->listener,
                                   login->from);
  /* People come through a tunnel, whose other end says from where and for whom. */
  asked->told_from = !login->auth->tokens;
  asked->asker = g_strdup (login->asker);
  return asked;
}

static gboolean
on_password (Login *login, SshConnection *conn, ssh_message message)
{
  FarLogin *form = form_new (login, message, login->auth->tokens ? FAR_LOGIN_TOKEN : FAR_LOGIN_PASSWORD);
  form->secret = g_strdup (ssh_message_auth_password (message));
  form->key = g_strdup (login->key);
  return ssh_auth_ask (login, conn, message, form);
}

/* Where tokens log in, any key may be proved: what it is worth the token says. */
static gboolean
on_key_for_token (Login *login, SshConnection *conn, ssh_message message)
{
  if (ssh_message_auth_publickey_state (message) == SSH_PUBLICKEY_STATE_NONE) {
    pk_ok (conn, message);
    return TRUE;
  }
  if (ssh_message_auth_publickey_state (message) != SSH_PUBLICKEY_STATE_VALID)
    return FALSE;
  g_free (login->key);
  login->key = key_line (ssh_message_auth_pubkey (message));
  ssh_message_auth_set_methods (message, SSH_AUTH_METHOD_PASSWORD);
  ssh_conn_enter (conn);
  ssh_message_auth_reply_success (message, 1);
  ssh_conn_leave (conn);
  ssh_message_free (message);
  return TRUE;
}

static gboolean
on_key (Login *login, SshConnection *conn, ssh_message message)
{
  if (login->auth->tokens)
    return on_key_for_token (login, conn, message);
  int state = ssh_message_auth_publickey_state (message);
  g_autofree char *line = key_line (ssh_message_auth_pubkey (message));
  if (line == NULL || (state != SSH_PUBLICKEY_STATE_NONE && state != SSH_PUBLICKEY_STATE_VALID))
    return FALSE;
  FarLogin *form = form_new (login, message, FAR_LOGIN_KEY);
  form->key = g_steal_pointer (&line);
  form->probe = state == SSH_PUBLICKEY_STATE_NONE;
  return ssh_auth_ask (login, conn, message, form);
}

static GStrv
answers_of (SshConnection *conn)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  int n = ssh_userauth_kbdint_getnanswers (conn->session);
  for (int i = 0; i < n && i < 8; i++) {
    const char *text = ssh_userauth_kbdint_getanswer (conn->session, i);
    g_strv_builder_add (builder, text != NULL ? text : "");
  }
  return g_strv_builder_end (builder);
}

static void
answers_clear (GStrv answers)
{
  for (guint i = 0; answers != NULL && answers[i] != NULL; i++)
    explicit_bzero (answers[i], strlen (answers[i]));
  g_strfreev (answers);
}

/* A conversation starts with the question for the password; an authenticator that has more to ask says so in
 * its verdict. */
static gboolean
on_interactive (Login *login, SshConnection *conn, ssh_message message)
{
  if (!ssh_message_auth_kbdint_is_response (message)) {
    char *prompts[] = { (char *) "Password: ", NULL };
    SshQuestion first = { .prompts = prompts };
    g_free (login->name);
    login->name = g_strdup (ssh_message_auth_user (message));
    login->interactive = FALSE;
    ask_back (login, conn, message, &first);
    return TRUE;
  }
  GStrv answers = answers_of (conn);
  FarLogin *form = form_new (login, message,
                             login->interactive ? FAR_LOGIN_CONVERSATION : FAR_LOGIN_PASSWORD);
  if (login->interactive)
    form->answers = g_steal_pointer (&answers);
  else
    form->secret = g_strdup (answers[0] != NULL ? answers[0] : "");
  answers_clear (answers);
  login->interactive = TRUE;
  return ssh_auth_ask (login, conn, message, form);
}

static gboolean
on_service (SshConnection *conn, ssh_message message)
{
  const char *name = ssh_message_service_service (message);
  ssh_conn_enter (conn);
  if (name != NULL && g_str_equal (name, "ssh-userauth"))
    ssh_message_service_reply_success (message);
  else
    ssh_message_reply_default (message);
  ssh_conn_leave (conn);
  ssh_message_free (message);
  return TRUE;
}

static gboolean
on_auth (Login *login, SshConnection *conn, ssh_message message)
{
  if (++login->asked > REQUESTS_MAX) {
    ssh_conn_cut (conn, "too many login requests (20 at most)");
    return FALSE;
  }
  switch (ssh_message_subtype (message)) {
  case SSH_AUTH_METHOD_PASSWORD:
    return on_password (login, conn, message);
  case SSH_AUTH_METHOD_PUBLICKEY:
    return on_key (login, conn, message);
  case SSH_AUTH_METHOD_INTERACTIVE:
    return login->auth->tokens ? FALSE : on_interactive (login, conn, message);
  default:
    return FALSE;
  }
}

gboolean
login_message (Login *login, SshConnection *conn, ssh_message message)
{
  gboolean kept = FALSE;
  if (ssh_message_type (message) == SSH_REQUEST_SERVICE)
    kept = on_service (conn, message);
  else if (ssh_message_type (message) == SSH_REQUEST_AUTH)
    kept = on_auth (login, conn, message);
  if (!kept)
    ssh_auth_refuse (login, conn, message);
  return TRUE;
}

void
login_begin (Login *login, SshAuth *auth, SshConnection *conn, const char *from, const char *asker)
{
  int methods = SSH_AUTH_METHOD_PASSWORD | SSH_AUTH_METHOD_PUBLICKEY |
                (auth->tokens ? 0 : SSH_AUTH_METHOD_INTERACTIVE);
  login->auth = ssh_auth_ref (auth);
  login->from = g_strdup (from);
  login->asker = g_strdup (asker);
  ssh_set_auth_methods (conn->session, methods);
}

void
ssh_login_end (Login *login)
{
  g_clear_pointer (&login->auth, ssh_auth_unref);
  g_clear_pointer (&login->message, ssh_message_free);
  g_clear_pointer (&login->from, g_free);
  g_clear_pointer (&login->asker, g_free);
  g_clear_pointer (&login->name, g_free);
  g_clear_pointer (&login->key, g_free);
}
