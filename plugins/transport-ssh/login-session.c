/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Life of one SSH session of the login service: key exchange, which message belongs where, time for login, end. */
#include "config.h"

#include "login.h"

#include <unistd.h>

LoginSession *
login_session_new (const char *instance, gint *open, const FarEndpointSpec *spec)
{
  LoginSession *self = g_new0 (LoginSession, 1);

  self->refs = 1;
  self->open = g_atomic_rc_box_acquire (open);
  g_atomic_int_inc (open);
  self->instance = g_strdup (instance);
  self->session = g_strdup (spec->session);
  self->device = g_strdup (spec->device);
  self->from = g_strdup (spec->from != NULL ? spec->from : "");
  self->deadline_us = spec->deadline_us;
  self->ptys = g_ptr_array_new ();
  return self;
}

LoginSession *
login_session_ref (LoginSession *self)
{
  g_atomic_int_inc (&self->refs);
  return self;
}

void
login_session_unref (LoginSession *self)
{
  if (!g_atomic_int_dec_and_test (&self->refs))
    return;
  g_atomic_int_add (self->open, -1);
  g_atomic_rc_box_release (self->open);
  g_ptr_array_free (self->ptys, TRUE);
  g_free (self->instance);
  g_free (self->session);
  g_free (self->device);
  g_free (self->from);
  g_free (self->person);
  g_free (self->user);
  g_free (self);
}

gboolean
login_refuse (ssh_message message)
{
  ssh_message_reply_default (message);
  return FALSE;
}

/* ---- the wire's questions ---- */

static gboolean
session_advance (Wire *wire, gpointer user)
{
  LoginSession *self = user;
  int r = ssh_handle_key_exchange (wire->session);

  if (r == SSH_ERROR)
    wire_cut (wire, "key exchange failed");
  self->kex_done = r == SSH_OK;
  return self->kex_done;
}

/* Every other message in every state is refused. */
static gboolean
session_message (Wire *wire, ssh_message message, gpointer user)
{
  LoginSession *self = user;
  int type = ssh_message_type (message);

  if (type == SSH_REQUEST_AUTH && self->person == NULL)
    return login_auth_message (self, wire, message);
  if (type == SSH_REQUEST_CHANNEL_OPEN && self->person != NULL)
    return login_open_message (self, wire, message);
  if (type == SSH_REQUEST_CHANNEL && self->person != NULL)
    return login_channel_message (self, wire, message);
  return login_refuse (message);
}

static gboolean
session_may_go_on (Wire *wire, const char **cause, gpointer user)
{
  LoginSession *self = user;

  *cause = "login took too long";
  return self->person != NULL || far_clock_boottime_us () < self->login_until_us;
}

static void
session_dead (Wire *wire, const char *cause, gpointer user)
{
  LoginSession *self = user;

  g_clear_pointer (&self->timer, far_home_timer_free);
  login_session_unref (self);
}

static const WireOps session_ops = { session_advance, session_message, session_may_go_on, session_dead };

/* ---- begin ---- */

static gboolean
session_accept (ssh_session ssh, int fd, const char *key)
{
  ssh_bind bind = ssh_bind_new ();
  gboolean no = FALSE, ok;

  ssh_bind_options_set (bind, SSH_BIND_OPTIONS_PROCESS_CONFIG, &no);
  ssh_bind_options_set (bind, SSH_BIND_OPTIONS_HOSTKEY, key);
  ok = ssh_bind_accept_fd (bind, ssh, fd) == SSH_OK;
  if (!ok)
    far_complain (NULL, "ssh-login", "ssh-login: cannot begin a session: %s; look at keys/ssh.key", ssh_get_error (bind));
  ssh_bind_free (bind);
  return ok;
}

static void
session_late (gpointer data)
{
  wire_kick (data);
}

void
login_session_begin (LoginSession *self, FarHome *home, int fd, const char *key)
{
  ssh_session ssh = ssh_new ();
  Wire *wire;

  if (!session_accept (ssh, fd, key)) {
    ssh_free (ssh);
    close (fd);
    login_session_unref (self);
    return;
  }
  ssh_set_auth_methods (ssh, SSH_AUTH_METHOD_PASSWORD | SSH_AUTH_METHOD_PUBLICKEY | SSH_AUTH_METHOD_INTERACTIVE);
  wire = wire_new (home, ssh, &session_ops, self);
  self->timer = far_home_timer (home, self->login_until_us, session_late, wire);
}
