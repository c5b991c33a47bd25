/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is it: SSH authentication messages become a FarLogin that main decides; the message waits for the verdict. */
#include "config.h"

#include "login.h"

#include <string.h>

/* The replacements in libssh are callbacks, and a callback cannot wait for main. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#define FAILURES_MAX 3
#define NAME_MAX_BYTES 64

typedef struct {
  LoginSession *session;
  Wire *wire;
  ssh_message message;
  FarLogin *login;
  char *person;         /* allowed as */
} AuthAsk;

static void
auth_ask_free (gpointer data)
{
  AuthAsk *ask = data;

  ssh_message_free (ask->message);
  far_login_free (ask->login);
  g_free (ask->person);
  login_session_unref (ask->session);
  wire_unref (ask->wire);
  g_free (ask);
}

/* ---- the answer, at home ---- */

/* FALSE: for who may free the message. */
static gboolean
auth_refuse (LoginSession *self, Wire *wire, ssh_message message, gboolean counts)
{
  ssh_message_auth_set_methods (message, SSH_AUTH_METHOD_PASSWORD | SSH_AUTH_METHOD_PUBLICKEY | SSH_AUTH_METHOD_INTERACTIVE);
  ssh_message_reply_default (message);
  if (counts && ++self->failures >= FAILURES_MAX)
    wire_cut (wire, "too many wrong passwords");
  return FALSE;
}

static void
auth_allow (LoginSession *self, AuthAsk *ask)
{
  self->person = g_steal_pointer (&ask->person);
  g_clear_pointer (&self->timer, far_home_timer_free);
  ssh_message_auth_reply_success (ask->message, 0);
  far_log (NULL, G_LOG_LEVEL_INFO, "endpoints.%s: logged in: %s, session %s", self->instance, self->person, self->session);
}

static void
auth_answer (Wire *wire, gpointer data)
{
  AuthAsk *ask = data;

  wire_enter (wire);
  if (ask->person == NULL)
    auth_refuse (ask->session, wire, ask->message, ask->login->form != FAR_LOGIN_KEY);
  else if (ask->login->probe)
    ssh_message_auth_reply_pk_ok_simple (ask->message);
  else
    auth_allow (ask->session, ask);
  wire_leave (wire);
  wire_pause (wire, FALSE);
}

/* ---- the question, on main ---- */

static void
auth_decided (FarRequest *req, gpointer user)
{
  AuthAsk *ask = user;
  const FarVerdict *verdict = far_login_verdict (req);

  if (far_request_error (req) == NULL) {
    const FarPrincipal *principal = far_request_result (req);
    ask->person = g_strdup (verdict != NULL && verdict->principal != NULL ? verdict->principal : principal->name);
  }
  wire_post (ask->wire, auth_answer, ask, auth_ask_free);
}

static void
auth_decide (gpointer data)
{
  AuthAsk *ask = data;
  const LoginOptions *options = login_options_find (ask->session->instance);
  FarLogin *login = g_steal_pointer (&ask->login);

  ask->login = far_login_new (login->form, login->name, login->door, login->from); /* for the answer, without the secret */
  ask->login->probe = login->probe;
  if (options == NULL) {
    far_login_free (login);
    wire_post (ask->wire, auth_answer, ask, auth_ask_free);
  } else {
    far_login ((const char *const *) options->login, login, far_request_new (auth_decided, ask, 60000));
  }
}

/* TRUE: the message is kept. */
static gboolean
auth_ask (LoginSession *self, Wire *wire, ssh_message message, FarLogin *login)
{
  AuthAsk *ask = g_new0 (AuthAsk, 1);

  ask->session = login_session_ref (self);
  ask->wire = wire_ref (wire);
  ask->message = message;
  ask->login = login;
  wire_pause (wire, TRUE);
  far_home_post (far_home_main (), auth_decide, ask);
  return TRUE;
}

/* ---- forms ---- */

static FarLogin *
auth_login (LoginSession *self, FarLoginForm form)
{
  return far_login_new (form, self->user, "ssh", self->from);
}

static gboolean
auth_password (LoginSession *self, Wire *wire, ssh_message message, const char *password)
{
  FarLogin *login = auth_login (self, FAR_LOGIN_PASSWORD);

  login->secret = g_strdup (password != NULL ? password : "");
  return auth_ask (self, wire, message, login);
}

static const char *
auth_key_type (ssh_key key)
{
  enum ssh_keytypes_e type = ssh_key_type (key);

  if (type == SSH_KEYTYPE_ECDSA_P256 || type == SSH_KEYTYPE_ECDSA_P384 || type == SSH_KEYTYPE_ECDSA_P521)
    return ssh_pki_key_ecdsa_name (key);
  return ssh_key_type_to_char (type);
}

static char *
auth_key_text (ssh_key key)
{
  char *base64 = NULL;
  char *text;

  if (key == NULL || ssh_pki_export_pubkey_base64 (key, &base64) != SSH_OK)
    return NULL;
  text = g_strdup_printf ("%s %s", auth_key_type (key), base64);
  ssh_string_free_char (base64);
  return text;
}

static gboolean
auth_key (LoginSession *self, Wire *wire, ssh_message message)
{
  int state = ssh_message_auth_publickey_state (message);
  g_autofree char *text = auth_key_text (ssh_message_auth_pubkey (message));
  FarLogin *login;

  if (text == NULL || state == SSH_PUBLICKEY_STATE_ERROR || state == SSH_PUBLICKEY_STATE_WRONG)
    return auth_refuse (self, wire, message, TRUE);
  login = auth_login (self, FAR_LOGIN_KEY);
  login->key = g_steal_pointer (&text);
  login->probe = state != SSH_PUBLICKEY_STATE_VALID;
  return auth_ask (self, wire, message, login);
}

/* Clients that only know keyboard-interactive get the one prompt they expect. */
static gboolean
auth_interactive (LoginSession *self, Wire *wire, ssh_message message)
{
  const char *prompts[] = { "Password: ", NULL };
  char echo[] = { 0 };

  if (!ssh_message_auth_kbdint_is_response (message)) {
    ssh_message_auth_interactive_request (message, "", "", 1, prompts, echo);
    return FALSE;
  }
  if (ssh_userauth_kbdint_getnanswers (wire->session) < 1)
    return auth_refuse (self, wire, message, TRUE);
  return auth_password (self, wire, message, ssh_userauth_kbdint_getanswer (wire->session, 0));
}

static gboolean
auth_user_ok (LoginSession *self, const char *user)
{
  if (user == NULL || *user == '\0' || strlen (user) > NAME_MAX_BYTES || !g_utf8_validate (user, -1, NULL))
    return FALSE;
  if (self->user == NULL)
    self->user = g_strdup (user);
  return g_str_equal (self->user, user);
}

gboolean
login_auth_message (LoginSession *self, Wire *wire, ssh_message message)
{
  if (!auth_user_ok (self, ssh_message_auth_user (message)))
    return auth_refuse (self, wire, message, TRUE);
  switch (ssh_message_subtype (message)) {
  case SSH_AUTH_METHOD_PASSWORD:
    return auth_password (self, wire, message, ssh_message_auth_password (message));
  case SSH_AUTH_METHOD_PUBLICKEY:
    return auth_key (self, wire, message);
  case SSH_AUTH_METHOD_INTERACTIVE:
    return auth_interactive (self, wire, message);
  default:
    return auth_refuse (self, wire, message, FALSE);
  }
}
