/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a person who is logged in at the terminal may ask for: the shell, one command of it, or the devices.
 * Nothing else. (spec B8–B10) */
#include "config.h"

#include "user-connection.h"

#include "ssh.h"

#include <string.h>

#define COMMAND_MAX 1024

/* A session channel before its shell or command begins. */
typedef struct {
  Channel *channel;
  gboolean pty;
} Talk;

/* Something being opened for the person. */
typedef struct {
  SshUserConnection *ssh_user;
  SshConnection *conn;
  ssh_message message;
  Channel *channel; /* session; NULL: a direct-tcpip to be accepted */
  char *command, *host;
  char *target; /* name of the device it goes to; NULL: none */
  gint *status; /* box for the command's exit status */
  guint16 port;
  gboolean pty;
  FarStream *stream; /* the answer */
  char *why_not;
} Work;

static void
work_free (gpointer data)
{
  Work *work = data;
  ssh_stream_discard (work->stream);
  if (work->channel != NULL) /* the conn died before there was an answer */
    far_stream_free (ssh_conn_channel_stream (work->channel));
  if (work->message != NULL)
    ssh_message_free (work->message);
  ssh_user_unref (work->ssh_user);
  ssh_conn_unref (work->conn);
  g_free (work->command);
  g_free (work->host);
  g_free (work->target);
  g_free (work->why_not);
  g_atomic_rc_box_release (work->status);
  g_free (work);
}

/* ---- joined ---- */

static void
one_less (gpointer data)
{
  SshUserConnection *ssh_user = data;
  ssh_user->n_open--;
  ssh_user_unref (ssh_user);
}

static void
pump_closed (FarPump *pump, const FarPumpCounters *total, const char *cause, gpointer user)
{
  SshUserConnection *ssh_user = user;
  far_loop_post (ssh_user->loop, one_less, ssh_user); /* takes the pump's reference */
}

static const char *
inner_name (const Work *work)
{
  if (work->host != NULL)
    return "forward";
  return work->command != NULL ? "command" : "shell";
}

static void
join (Work *work, Channel *channel)
{
  FarPumpSpec spec = { .session = work->ssh_user->session,
                       .target = work->target,
                       .inner = inner_name (work),
                       .deadline_us = work->ssh_user->deadline_us,
                       .closed = pump_closed,
                       .user = ssh_user_ref (work->ssh_user) };
  far_pump_start (ssh_conn_channel_stream (channel), g_steal_pointer (&work->stream), &spec);
}

/* People see why on their terminal, and their program that it did not work. */
static void
say_why_not (Work *work)
{
  g_autofree char *text = g_strdup_printf ("farwatch: %s\r\n", work->why_not);
  ssh_channel channel = ssh_conn_channel_raw (work->channel);
  ssh_channel_write_stderr (channel, text, strlen (text));
  ssh_channel_request_send_exit_status (channel, 1);
  ssh_channel_send_eof (channel);
}

static void
answer_talk (Work *work, SshConnection *conn)
{
  gboolean gone = ssh_conn_channel_stream (work->channel)->closed;
  ssh_conn_enter (conn);
  ssh_message_channel_request_reply_success (work->message);
  if (work->stream == NULL && !gone)
    say_why_not (work);
  ssh_conn_leave (conn);
  if (work->stream != NULL) {
    ssh_conn_channel_set_session (work->channel, work->status);
    join (work, g_steal_pointer (&work->channel));
  } else {
    work->ssh_user->n_open--; /* the channel goes with the work */
  }
}

static void
answer_forward (Work *work, SshConnection *conn)
{
  ssh_channel channel = NULL;
  ssh_conn_enter (conn);
  if (work->stream != NULL)
    channel = ssh_message_channel_request_open_reply_accept (work->message);
  else
    ssh_message_reply_default (work->message);
  ssh_conn_leave (conn);
  if (channel != NULL)
    join (work, ssh_conn_channel_new (conn, channel, TRUE));
  else
    work->ssh_user->n_open--;
}

/* [loop]; not called when the conn has died meanwhile */
static void
ssh_user_channel_answer (SshConnection *conn, gpointer data)
{
  Work *work = data;
  if (work->channel != NULL)
    answer_talk (work, conn);
  else
    answer_forward (work, conn);
}

/* ---- asking, on main ---- */

static void
opened (FarRequest *req, gpointer user)
{
  Work *work = user;
  const GError *error = far_request_error (req);
  if (error == NULL)
    work->stream = far_request_steal (req);
  else
    work->why_not = g_strdup (error->message);
  ssh_conn_post (work->conn, ssh_user_channel_answer, work, work_free);
}

/* A session for one device reaches that one, by whatever name or address the person calls it. */
static const FarDevice *
wanted_device (Work *work)
{
  const FarDevice *device = far_device_by_address (work->host, work->port);
  return device != NULL &&
                 (work->ssh_user->device == NULL || strcmp (work->ssh_user->device, device->name) == 0)
             ? device
             : NULL;
}

static void
open_forward (Work *work, FarEndpointSpec *spec, FarRequest *req)
{
  const FarDevice *device = wanted_device (work);
  if (device == NULL) {
    far_request_fail_new (req, FAR_ERROR_NOT_FOUND, _ ("no device '%s' port %u for this session"), work->host,
                          work->port);
    return;
  }
  spec->device = device->name;
  work->target = g_strdup (device->name);
  far_device_open (spec, req);
}

/* NULL: the instance is gone. */
static const LoginOptions *
login_options_find (const char *instance)
{
  FarInstance *at = far_instance_find (FAR_KIND_ENDPOINT, instance, NULL);

  return at != NULL ? far_instance_options (at) : NULL;
}

static void
open_talk (Work *work, FarEndpointSpec *spec, FarRequest *req)
{
  const LoginOptions *options = login_options_find (work->ssh_user->instance);
  const char *shell = options != NULL ? options->shell : NULL;
  work->target = g_strdup (work->ssh_user->device);
  if (work->ssh_user->device != NULL)
    far_device_open (spec, req);
  else if (shell != NULL)
    far_endpoint_open (shell, spec, req);
  else
    far_request_fail_new (req, FAR_ERROR_CONFIG, "%s", _ ("this terminal has no shell; name a device"));
}

static void
ssh_user_channel_ask (gpointer data)
{
  Work *work = data;
  SshUserConnection *ssh_user = work->ssh_user;
  FarRequest *req = far_request_new (opened, work, 30000);
  FarEndpointSpec spec = { .session = ssh_user->session,
                           .person = ssh_user->person,
                           .from = ssh_user->from,
                           .device = ssh_user->device,
                           .want_loop = ssh_user->loop,
                           .deadline_us = ssh_user->deadline_us,
                           .command = work->command,
                           .pty = work->pty,
                           .status = work->status };
  if (work->host != NULL)
    open_forward (work, &spec, req);
  else
    open_talk (work, &spec, req);
}

/* ---- requests ---- */

/* A refused channel carries no words of libssh's: they go before it, as a message that OpenSSH shows with -v.
 */
static void
tell_person (SshConnection *conn, const char *text)
{
  ssh_conn_enter (conn);
  ssh_send_debug (conn->session, text, 1);
  ssh_conn_leave (conn);
}

static gboolean
refuse_one_more (SshUserConnection *ssh_user, SshConnection *conn, ssh_message message)
{
  g_autofree char
      *text = g_strdup_printf ("too many channels in one connection (the limit is %" G_GINT64_FORMAT
                               ", by option 'channels' of endpoints.%s)",
                               ssh_user->channels, ssh_user->instance);
  far_log_limited (NULL, ssh_user->session, "a connection of session %s was refused: %s", ssh_user->session,
                   text);
  tell_person (conn, text);
  return ssh_user_refuse (conn, message);
}

static Work *
work_new (SshUserConnection *ssh_user, SshConnection *conn, ssh_message message)
{
  Work *work = g_new0 (Work, 1);
  *work = (Work){ .ssh_user = ssh_user_ref (ssh_user),
                  .conn = ssh_conn_ref (conn),
                  .message = message,
                  .status = g_atomic_rc_box_new0 (gint) };
  return work;
}

static gboolean
direct (SshUserConnection *ssh_user, SshConnection *conn, ssh_message message)
{
  const char *host = ssh_message_channel_request_open_destination (message);
  if (host == NULL || strlen (host) > 255)
    return ssh_user_refuse (conn, message);
  if (ssh_user->n_open >= ssh_user->channels)
    return refuse_one_more (ssh_user, conn, message);
  Work *work = work_new (ssh_user, conn, message);
  work->host = g_strdup (host);
  work->port = ssh_message_channel_request_open_destination_port (message);
  ssh_user->n_open++;
  far_loop_post (far_loop_main (), ssh_user_channel_ask, work);
  return TRUE;
}

/* Channels that were closed again before anything was asked for. */
static void
sweep (SshUserConnection *ssh_user)
{
  for (guint i = ssh_user->talks->len; i-- > 0;) {
    Talk *talk = ssh_user->talks->pdata[i];
    if (!ssh_channel_is_closed (ssh_conn_channel_raw (talk->channel)))
      continue;
    far_stream_free (ssh_conn_channel_stream (talk->channel));
    g_ptr_array_remove_index_fast (ssh_user->talks, i);
    g_free (talk);
    ssh_user->n_open--;
  }
}

static gboolean
talk_open (SshUserConnection *ssh_user, SshConnection *conn, ssh_message message)
{
  sweep (ssh_user);
  if (ssh_user->n_open >= ssh_user->channels)
    return refuse_one_more (ssh_user, conn, message);
  ssh_conn_enter (conn);
  ssh_channel channel = ssh_message_channel_request_open_reply_accept (message);
  ssh_conn_leave (conn);
  if (channel == NULL)
    return FALSE;
  Talk *talk = g_new0 (Talk, 1);
  talk->channel = ssh_conn_channel_new (conn, channel, TRUE);
  g_ptr_array_add (ssh_user->talks, talk);
  ssh_user->n_open++;
  return FALSE;
}

static Talk *
talk_of (SshUserConnection *ssh_user, ssh_message message)
{
  ssh_channel channel = ssh_message_channel_request_channel (message);
  for (guint i = 0; i < ssh_user->talks->len; i++) {
    Talk *talk = ssh_user->talks->pdata[i];
    if (ssh_conn_channel_raw (talk->channel) == channel)
      return talk;
  }
  return NULL;
}

static gboolean
talk_begin (SshUserConnection *ssh_user, SshConnection *conn, ssh_message message, Talk *talk,
            const char *command)
{
  if (command != NULL && strlen (command) > COMMAND_MAX)
    return ssh_user_refuse (conn, message);
  Work *work = work_new (ssh_user, conn, message);
  work->channel = talk->channel;
  work->pty = talk->pty;
  work->command = g_strdup (command);
  g_ptr_array_remove_fast (ssh_user->talks, talk);
  g_free (talk);
  far_loop_post (far_loop_main (), ssh_user_channel_ask, work);
  return TRUE;
}

static gboolean
allow (SshConnection *conn, ssh_message message)
{
  ssh_conn_enter (conn);
  ssh_message_channel_request_reply_success (message);
  ssh_conn_leave (conn);
  return FALSE;
}

static gboolean
is_harmless (const char *name)
{
  return name != NULL &&
         (strcmp (name, "LANG") == 0 || strcmp (name, "TERM") == 0 || g_str_has_prefix (name, "LC_"));
}

static gboolean
talk_request (SshUserConnection *ssh_user, SshConnection *conn, ssh_message message)
{
  Talk *talk = talk_of (ssh_user, message);
  int what = ssh_message_subtype (message);
  if (what == SSH_CHANNEL_REQUEST_WINDOW_CHANGE)
    return allow (conn, message);
  if (talk == NULL)
    return ssh_user_refuse (conn, message);
  switch (what) {
  case SSH_CHANNEL_REQUEST_PTY:
    talk->pty = TRUE;
    return allow (conn, message);
  case SSH_CHANNEL_REQUEST_ENV:
    return is_harmless (ssh_message_channel_request_env_name (message)) ? allow (conn, message)
                                                                        : ssh_user_refuse (conn, message);
  case SSH_CHANNEL_REQUEST_SHELL:
    return talk_begin (ssh_user, conn, message, talk, NULL);
  case SSH_CHANNEL_REQUEST_EXEC:
    return talk_begin (ssh_user, conn, message, talk, ssh_message_channel_request_command (message));
  default:
    return ssh_user_refuse (conn, message);
  }
}

gboolean
ssh_user_work (SshUserConnection *ssh_user, SshConnection *conn, ssh_message message)
{
  int type = ssh_message_type (message), what = ssh_message_subtype (message);
  if (type == SSH_REQUEST_CHANNEL)
    return talk_request (ssh_user, conn, message);
  if (type == SSH_REQUEST_CHANNEL_OPEN && what == SSH_CHANNEL_SESSION)
    return talk_open (ssh_user, conn, message);
  if (type == SSH_REQUEST_CHANNEL_OPEN && what == SSH_CHANNEL_DIRECT_TCPIP)
    return direct (ssh_user, conn, message);
  return ssh_user_refuse (conn, message);
}

void
ssh_user_work_end (SshUserConnection *ssh_user)
{
  for (guint i = 0; i < ssh_user->talks->len; i++) {
    Talk *talk = ssh_user->talks->pdata[i];
    far_stream_free (ssh_conn_channel_stream (talk->channel));
    g_free (talk);
  }
  g_ptr_array_set_size (ssh_user->talks, 0);
}
