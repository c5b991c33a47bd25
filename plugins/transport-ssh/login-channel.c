/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a logged-in person may ask for: a session that becomes the device or the shell, and direct-tcpip to a device. Nothing else. */
#include "config.h"

#include "login.h"

#include <string.h>

/* The replacements in libssh are callbacks, and a callback cannot wait for main. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#define CHANNELS_MAX 64
#define COMMAND_MAX 1024

typedef struct {
  LoginSession *session;
  Wire *wire;
  ssh_message message;   /* waits for the stream; replied at home */
  ssh_channel channel;   /* NULL: direct-tcpip, made when it may be */
  char *host;
  guint16 port;
  char *device, *command, *person;
  gboolean pty;
  FarStream *near;
  char *refusal;
} Join;

/* At the wire's home, where near lives too. */
static void
join_free (gpointer data)
{
  Join *join = data;

  far_stream_free (join->near);
  ssh_message_free (join->message);
  g_free (join->host);
  g_free (join->device);
  g_free (join->command);
  g_free (join->person);
  g_free (join->refusal);
  login_session_unref (join->session);
  wire_unref (join->wire);
  g_free (join);
}

/* ---- pumps: reports on main ---- */

typedef struct {
  LoginSession *session;
  FarHome *home;
} Joined;

static void
joined_gone (gpointer data)
{
  Joined *joined = data;

  joined->session->channels--;
  login_session_unref (joined->session);
  g_free (joined);
}

static void
joined_closed (FarPump *pump, const FarPumpCounters *total, const char *cause, gpointer user)
{
  Joined *joined = user;

  far_home_post (joined->home, joined_gone, joined);
}

static void
join_pump (Join *join, Channel *channel)
{
  LoginSession *self = join->session;
  Joined *joined = g_new (Joined, 1);
  FarPumpSpec spec = { .session = self->session, .deadline_us = self->deadline_us, .closed = joined_closed, .user = joined };

  *joined = (Joined){ login_session_ref (self), join->wire->home };
  self->channels++;
  far_pump_start (channel_stream (channel), g_steal_pointer (&join->near), &spec);
}

/* ---- the answer, at home ---- */

/* A session's channel is told why, in words that its person can read. */
static void
join_refuse (Join *join)
{
  g_autofree char *text = g_strdup_printf ("%s\r\n", join->refusal != NULL ? join->refusal : "refused");

  if (join->channel == NULL) {
    ssh_message_reply_default (join->message);
    return;
  }
  ssh_message_channel_request_reply_success (join->message);
  ssh_channel_write_stderr (join->channel, text, (guint32) strlen (text));
  ssh_channel_request_send_exit_status (join->channel, 1);
  ssh_channel_send_eof (join->channel);
  ssh_channel_close (join->channel);
}

static void
join_go (Join *join)
{
  Channel *channel;
  ssh_channel raw = join->channel;

  if (raw != NULL)
    ssh_message_channel_request_reply_success (join->message);
  else
    raw = ssh_message_channel_request_open_reply_accept (join->message);
  if (raw == NULL)
    return;
  channel = channel_new (join->wire, raw, TRUE);
  if (join->channel != NULL)
    channel_set_session (channel);
  join_pump (join, channel);
}

static void
join_answer (Wire *wire, gpointer data)
{
  Join *join = data;

  wire_enter (wire);
  if (join->near == NULL)
    join_refuse (join);
  else
    join_go (join);
  wire_leave (wire);
  wire_pause (wire, FALSE);
}

/* ---- the question, on main ---- */

static void
join_opened (FarRequest *req, gpointer user)
{
  Join *join = user;

  if (far_request_error (req) != NULL)
    join->refusal = g_strdup (far_request_error (req)->message);
  else
    join->near = far_request_steal (req);
  wire_post (join->wire, join_answer, join, join_free);
}

/* A session for one device never reaches another one. */
static const char *
join_device_of (Join *join)
{
  const FarDevice *device = far_device_by_address (join->host, join->port);
  const char *only = join->session->device;

  return device != NULL && (only == NULL || g_str_equal (only, device->name)) ? device->name : NULL;
}

static void
join_decide (gpointer data)
{
  Join *join = data;
  LoginSession *self = join->session;
  const LoginOptions *options = login_options_find (self->instance);
  const char *device = join->host != NULL ? join_device_of (join) : join->device;
  FarEndpointSpec spec = { .session = self->session, .person = join->person, .from = self->from, .device = device, .command = join->command,
                           .pty = join->pty, .want_home = join->wire->home, .deadline_us = self->deadline_us };
  FarRequest *req = far_request_new (join_opened, join, 30000);

  if (device != NULL)
    far_device_open (&spec, req);
  else if (join->host == NULL && options != NULL && options->shell != NULL)
    far_endpoint_open (options->shell, &spec, req);
  else
    far_request_fail_new (req, FAR_ERROR_DENIED, join->host != NULL ? "not a device of this terminal" : "there is no shell here; name a device");
}

static gboolean
join_ask (LoginSession *self, Wire *wire, ssh_message message, Join *join)
{
  join->session = login_session_ref (self);
  join->wire = wire_ref (wire);
  join->message = message;
  join->person = g_strdup (self->person);
  wire_pause (wire, TRUE);
  far_home_post (far_home_main (), join_decide, join);
  return TRUE;
}

/* ---- messages ---- */

static gboolean
open_direct (LoginSession *self, Wire *wire, ssh_message message)
{
  const char *host = ssh_message_channel_request_open_destination (message);
  int port = ssh_message_channel_request_open_destination_port (message);
  Join *join;

  if (host == NULL || port <= 0 || port > 65535)
    return login_refuse (message);
  join = g_new0 (Join, 1);
  join->host = g_strdup (host);
  join->port = (guint16) port;
  return join_ask (self, wire, message, join);
}

gboolean
login_open_message (LoginSession *self, Wire *wire, ssh_message message)
{
  int kind = ssh_message_subtype (message);

  if (self->channels >= CHANNELS_MAX)
    return login_refuse (message);
  if (kind == SSH_CHANNEL_DIRECT_TCPIP)
    return open_direct (self, wire, message);
  if (kind != SSH_CHANNEL_SESSION)
    return login_refuse (message);
  ssh_message_channel_request_open_reply_accept (message);
  return FALSE;
}

static gboolean
begin_work (LoginSession *self, Wire *wire, ssh_message message, const char *command)
{
  Join *join;

  if (command != NULL && strlen (command) > COMMAND_MAX)
    return login_refuse (message);
  join = g_new0 (Join, 1);
  join->channel = ssh_message_channel_request_channel (message);
  join->command = g_strdup (command);
  join->device = command == NULL ? g_strdup (self->device) : NULL; /* a command is the shell's */
  join->pty = g_ptr_array_remove_fast (self->ptys, join->channel);
  return join_ask (self, wire, message, join);
}

static gboolean
accept_request (ssh_message message)
{
  ssh_message_channel_request_reply_success (message);
  return FALSE;
}

static gboolean
pty_request (LoginSession *self, ssh_message message)
{
  ssh_channel channel = ssh_message_channel_request_channel (message);

  if (!g_ptr_array_find (self->ptys, channel, NULL) && self->ptys->len < CHANNELS_MAX)
    g_ptr_array_add (self->ptys, channel);
  return accept_request (message);
}

/* LANG, LC_… and TERM are taken and forgotten; others are refused. */
static gboolean
env_request (ssh_message message)
{
  const char *name = ssh_message_channel_request_env_name (message);

  if (name != NULL && (g_str_has_prefix (name, "LC_") || g_str_equal (name, "LANG") || g_str_equal (name, "TERM")))
    return accept_request (message);
  return login_refuse (message);
}

gboolean
login_channel_message (LoginSession *self, Wire *wire, ssh_message message)
{
  switch (ssh_message_subtype (message)) {
  case SSH_CHANNEL_REQUEST_PTY:
    return pty_request (self, message);
  case SSH_CHANNEL_REQUEST_ENV:
    return env_request (message);
  case SSH_CHANNEL_REQUEST_SHELL:
    return begin_work (self, wire, message, NULL);
  case SSH_CHANNEL_REQUEST_EXEC:
    return begin_work (self, wire, message, ssh_message_channel_request_command (message));
  default:
    return login_refuse (message);
  }
}
