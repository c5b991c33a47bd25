/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Life of one SSH session of the login service: key exchange, which message belongs where, time for login,
 * end. */
#include "config.h"

#include "visit.h"

#include "ssh.h"

#include <unistd.h>

Visit *
visit_new (const char *instance, gint *open, SshAuth *auth, const FarEndpointSpec *spec)
{
  Visit *visit = g_new0 (Visit, 1);

  visit->refs = 1;
  visit->auth = ssh_auth_ref (auth);
  visit->open = g_atomic_rc_box_acquire (open);
  g_atomic_int_inc (open);
  visit->instance = g_strdup (instance);
  visit->session = g_strdup (spec->session);
  visit->device = g_strdup (spec->device);
  visit->from = g_strdup (spec->from != NULL ? spec->from : "");
  visit->asker = g_strdup (spec->asker);
  visit->deadline_us = spec->deadline_us;
  visit->talks = g_ptr_array_new ();
  return visit;
}

Visit *
visit_ref (Visit *visit)
{
  g_atomic_int_inc (&visit->refs);
  return visit;
}

void
visit_unref (Visit *visit)
{
  if (!g_atomic_int_dec_and_test (&visit->refs))
    return;
  g_atomic_int_add (visit->open, -1);
  g_atomic_rc_box_release (visit->open);
  ssh_login_end (&visit->login);
  if (visit->auth != NULL)
    ssh_auth_unref (visit->auth);
  g_ptr_array_free (visit->talks, TRUE);
  g_free (visit->instance);
  g_free (visit->session);
  g_free (visit->device);
  g_free (visit->from);
  g_free (visit->asker);
  g_free (visit->person);
  g_free (visit);
}

gboolean
visit_refuse (SshConnection *conn, ssh_message message)
{
  conn_enter (conn);
  ssh_message_reply_default (message);
  conn_leave (conn);
  return FALSE;
}

/* ---- the conn's questions ---- */

/* We have sent our parameters, our key and the word that keys are new, which is the answer to the client's
 * key: what comes next may wait for a person, first for the question whether our host key is the right one.
 */
#define OUR_PART 3

static void
session_speaks_ssh (Visit *visit)
{
  visit->speaks_ssh = TRUE;
  visit->login_until_us = visit->began_us + visit->login_time_us;
  far_loop_timer_set (visit->timer, visit->login_until_us);
}

static gboolean
session_advance (SshConnection *conn, gpointer user)
{
  Visit *visit = user;

  conn_enter (conn);
  int r = ssh_handle_key_exchange (conn->session);
  conn_leave (conn);

  if (r == SSH_ERROR)
    conn_cut (conn, "key exchange failed");
  else if (!visit->speaks_ssh && conn->packets.out_packets >= OUR_PART)
    session_speaks_ssh (visit);
  return r == SSH_OK;
}

static gboolean
session_message (SshConnection *conn, ssh_message message, gpointer user)
{
  Visit *visit = user;

  return visit->person == NULL ? login_message (&visit->login, conn, message)
                               : visit_work (visit, conn, message);
}

/* [loop] */
static void
session_passed (SshConnection *conn, gpointer grant, const char *key, gpointer user)
{
  Visit *visit = user;

  visit->person = grant;
  g_clear_pointer (&visit->timer, far_loop_timer_free);
  far_log (NULL, G_LOG_LEVEL_INFO, "endpoints.%s: logged in: %s, session %s", visit->instance, visit->person,
           visit->session);
}

G_STATIC_ASSERT (FAR_GATE_BYTES == 48 * 1024); /* as the cause says */

static gboolean
session_may_go_on (SshConnection *conn, const char **cause, gpointer user)
{
  Visit *visit = user;

  if (visit->person != NULL)
    return TRUE;
  if (conn->counter.in_bytes > FAR_GATE_BYTES)
    *cause = "too many bytes before login (the limit is 48 KiB)";
  else if (far_clock_boottime_us () < visit->login_until_us)
    return TRUE;
  else
    *cause = visit->speaks_ssh ? "login took too long" : "no key exchange in time";
  return FALSE;
}

static void
session_dead (SshConnection *conn, const char *cause, gpointer user)
{
  Visit *visit = user;

  if (visit->person == NULL)
    far_log_limited (NULL, visit->session, "endpoints.%s: nobody logged in, session %s: %s", visit->instance,
                     visit->session, cause);
  g_clear_pointer (&visit->timer, far_loop_timer_free);
  ssh_login_end (&visit->login);
  visit_work_end (visit);
  visit_unref (visit);
}

static const SshConnectionOps visit_ops = {
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
  conn_kick (data);
}

void
visit_begin (Visit *visit, FarLoop *loop, int fd, const char *keys)
{
  ssh_session ssh = ssh_new ();
  SshConnection *conn;

  if (!session_accept (ssh, fd, keys)) {
    if (ssh == NULL || ssh_get_fd (ssh) < 0)
      close (fd);
    ssh_free (ssh);
    visit_unref (visit);
    return;
  }
  visit->loop = loop;
  visit->began_us = far_clock_boottime_us ();
  visit->login_until_us = visit->began_us +
                          MIN (visit->login_time_us, FAR_GATE_SECONDS * (gint64) G_USEC_PER_SEC);
  conn_tune_fd (fd);
  conn = conn_new (loop, ssh, fd, &visit_ops, visit);
  login_begin (&visit->login, visit->auth, conn, visit->from, visit->asker);
  visit->login.passed = session_passed;
  visit->login.user = visit;
  g_clear_pointer (&visit->auth, ssh_auth_unref);
  visit->timer = far_loop_timer (loop, visit->login_until_us, session_late, conn);
}
