/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Life of one SSH session of the login service: key exchange, which message belongs where, time for login,
 * end. */
#include "config.h"

#include "user-connection.h"

#include "ssh.h"

#include <unistd.h>

SshUserConnection *
ssh_user_new (const char *instance, gint *open, SshAuth *auth, const FarEndpointSpec *spec)
{
  SshUserConnection *ssh_user = g_new0 (SshUserConnection, 1);

  ssh_user->refs = 1;
  ssh_user->auth = ssh_auth_ref (auth);
  ssh_user->open = g_atomic_rc_box_acquire (open);
  g_atomic_int_inc (open);
  ssh_user->instance = g_strdup (instance);
  ssh_user->session = g_strdup (spec->session);
  ssh_user->device = g_strdup (spec->device);
  ssh_user->from = g_strdup (spec->from != NULL ? spec->from : "");
  ssh_user->asker = g_strdup (spec->asker);
  ssh_user->deadline_us = spec->deadline_us;
  ssh_user->talks = g_ptr_array_new ();
  return ssh_user;
}

SshUserConnection *
ssh_user_ref (SshUserConnection *ssh_user)
{
  g_atomic_int_inc (&ssh_user->refs);
  return ssh_user;
}

void
ssh_user_unref (SshUserConnection *ssh_user)
{
  if (!g_atomic_int_dec_and_test (&ssh_user->refs))
    return;
  g_atomic_int_add (ssh_user->open, -1);
  g_atomic_rc_box_release (ssh_user->open);
  ssh_login_end (&ssh_user->login);
  if (ssh_user->auth != NULL)
    ssh_auth_unref (ssh_user->auth);
  g_ptr_array_free (ssh_user->talks, TRUE);
  g_free (ssh_user->instance);
  g_free (ssh_user->session);
  g_free (ssh_user->device);
  g_free (ssh_user->from);
  g_free (ssh_user->asker);
  g_free (ssh_user->person);
  g_free (ssh_user);
}

gboolean
ssh_user_refuse (SshConnection *conn, ssh_message message)
{
  ssh_conn_enter (conn);
  ssh_message_reply_default (message);
  ssh_conn_leave (conn);
  return FALSE;
}

/* ---- the conn's questions ---- */

/* We have sent our parameters, our key and the word that keys are new, which is the answer to the client's
 * key: what comes next may wait for a person, first for the question whether our host key is the right one.
 */
#define OUR_PART 3

static void
session_speaks_ssh (SshUserConnection *ssh_user)
{
  ssh_user->speaks_ssh = TRUE;
  ssh_user->login_until_us = ssh_user->began_us + ssh_user->login_time_us;
  far_loop_timer_set (ssh_user->timer, ssh_user->login_until_us);
}

static gboolean
session_advance (SshConnection *conn, gpointer user)
{
  SshUserConnection *ssh_user = user;

  ssh_conn_enter (conn);
  int r = ssh_handle_key_exchange (conn->session);
  ssh_conn_leave (conn);

  if (r == SSH_ERROR)
    ssh_conn_cut (conn, "key exchange failed");
  else if (!ssh_user->speaks_ssh && conn->packets.out_packets >= OUR_PART)
    session_speaks_ssh (ssh_user);
  return r == SSH_OK;
}

static gboolean
session_message (SshConnection *conn, ssh_message message, gpointer user)
{
  SshUserConnection *ssh_user = user;

  return ssh_user->person == NULL ? login_message (&ssh_user->login, conn, message)
                                  : ssh_user_work (ssh_user, conn, message);
}

/* [loop] */
static void
session_passed (SshConnection *conn, gpointer grant, const char *key, gpointer user)
{
  SshUserConnection *ssh_user = user;

  ssh_user->person = grant;
  g_clear_pointer (&ssh_user->timer, far_loop_timer_free);
  far_log (NULL, G_LOG_LEVEL_INFO, "endpoints.%s: logged in: %s, session %s", ssh_user->instance,
           ssh_user->person, ssh_user->session);
}

G_STATIC_ASSERT (FAR_GATE_BYTES == 48 * 1024); /* as the cause says */

static gboolean
session_may_go_on (SshConnection *conn, const char **cause, gpointer user)
{
  SshUserConnection *ssh_user = user;

  if (ssh_user->person != NULL)
    return TRUE;
  if (conn->counter.in_bytes > FAR_GATE_BYTES)
    *cause = "too many bytes before login (the limit is 48 KiB)";
  else if (far_clock_boottime_us () < ssh_user->login_until_us)
    return TRUE;
  else
    *cause = ssh_user->speaks_ssh ? "login took too long" : "no key exchange in time";
  return FALSE;
}

static void
session_dead (SshConnection *conn, const char *cause, gpointer user)
{
  SshUserConnection *ssh_user = user;

  if (ssh_user->person == NULL)
    far_log_limited (NULL, ssh_user->session, "endpoints.%s: nobody logged in, session %s: %s",
                     ssh_user->instance, ssh_user->session, cause);
  g_clear_pointer (&ssh_user->timer, far_loop_timer_free);
  ssh_login_end (&ssh_user->login);
  ssh_user_work_end (ssh_user);
  ssh_user_unref (ssh_user);
}

static const SshConnectionOps ssh_user_ops = {
  .advance = session_advance, .message = session_message, .may_go_on = session_may_go_on, .dead = session_dead
};

/* ---- begin ---- */

static gboolean
session_bind (ssh_bind bind_, ssh_session ssh, int fd, const char *keys, GError **error)
{
  ssh_key key = ssh_key_load (keys, error);
  gboolean no = FALSE;

  if (key == NULL)
    return FALSE;
  ssh_bind_options_set (bind_, SSH_BIND_OPTIONS_PROCESS_CONFIG, &no);
  ssh_bind_options_set (bind_, SSH_BIND_OPTIONS_IMPORT_KEY, key); /* taken */
  ssh_bind_options_set (bind_, SSH_BIND_OPTIONS_CIPHERS_C_S, SSH_CIPHERS);
  ssh_bind_options_set (bind_, SSH_BIND_OPTIONS_CIPHERS_S_C, SSH_CIPHERS);
  if (ssh_bind_accept_fd (bind_, ssh, fd) == SSH_OK)
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_INTERNAL, "%s", ssh_get_error (bind_));
  return FALSE;
}

static gboolean
session_accept (ssh_session ssh, int fd, const char *keys)
{
  g_autoptr (GError) error = NULL;
  ssh_bind bind_ = ssh_bind_new ();
  gboolean ok = session_bind (bind_, ssh, fd, keys, &error);

  if (!ok)
    far_log_limited (NULL, "ssh-login", "ssh-login: a session cannot begin: %s", error->message);
  ssh_bind_free (bind_);
  return ok;
}

static void
session_late (gpointer data)
{
  ssh_conn_kick (data);
}

void
ssh_user_begin (SshUserConnection *ssh_user, FarLoop *loop, int fd, const char *keys)
{
  ssh_session ssh = ssh_new ();
  SshConnection *conn;

  if (!session_accept (ssh, fd, keys)) {
    if (ssh == NULL || ssh_get_fd (ssh) < 0)
      close (fd);
    ssh_free (ssh);
    ssh_user_unref (ssh_user);
    return;
  }
  ssh_user->loop = loop;
  ssh_user->began_us = far_clock_boottime_us ();
  ssh_user->login_until_us = ssh_user->began_us +
                             MIN (ssh_user->login_time_us, FAR_GATE_SECONDS * (gint64) G_USEC_PER_SEC);
  ssh_conn_tune_fd (fd);
  conn = ssh_conn_new (loop, ssh, fd, &ssh_user_ops, ssh_user);
  login_begin (&ssh_user->login, ssh_user->auth, conn, ssh_user->from, ssh_user->asker);
  ssh_user->login.passed = session_passed;
  ssh_user->login.user = ssh_user;
  g_clear_pointer (&ssh_user->auth, ssh_auth_unref);
  ssh_user->timer = far_loop_timer (loop, ssh_user->login_until_us, session_late, conn);
}
