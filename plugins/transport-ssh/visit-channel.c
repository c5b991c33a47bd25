/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a logged-in person may ask for: a session that becomes the device or the shell, and direct-tcpip to a device. Nothing else. */
#include "config.h"

#include "visit.h"

#include <string.h>

/* The replacements in libssh are callbacks, and a callback cannot wait for main. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#define CHANNELS_MAX 64
#define COMMAND_MAX 1024

typedef struct {
  Visit *visit;
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
  visit_unref (join->visit);
  wire_unref (join->wire);
  g_free (join);
}

/* ---- pumps: reports on main ---- */

typedef struct {
  Visit *visit;
  FarHome *home;
} Joined;

static void
joined_gone (gpointer data)
{
  Joined *joined = data;

  joined->visit->channels--;
  visit_unref (joined->visit);
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
  Visit *visit = join->visit;
  Joined *joined = g_new (Joined, 1);
  FarPumpSpec spec = { .session = visit->session, .deadline_us = visit->deadline_us, .closed = joined_closed, .user = joined };

  *joined = (Joined){ visit_ref (visit), join->wire->home };
  visit->channels++;
  far_pump_start (wire_channel_stream (channel), g_steal_pointer (&join->near), &spec);
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
  channel = wire_channel_new (join->wire, raw, TRUE);
  if (join->channel != NULL)
    wire_channel_set_session (channel);
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
  const char *only = join->visit->device;

  return device != NULL && (only == NULL || g_str_equal (only, device->name)) ? device->name : NULL;
}

static void
join_decide (gpointer data)
{
  Join *join = data;
  Visit *visit = join->visit;
  const LoginOptions *options = login_options_find (visit->instance);
  const char *device = join->host != NULL ? join_device_of (join) : join->device;
  FarEndpointSpec spec = { .session = visit->session, .person = join->person, .from = visit->from, .device = device, .command = join->command,
                           .pty = join->pty, .want_home = join->wire->home, .deadline_us = visit->deadline_us };
  FarRequest *req = far_request_new (join_opened, join, 30000);

  if (device != NULL)
    far_device_open (&spec, req);
  else if (join->host == NULL && options != NULL && options->shell != NULL)
    far_endpoint_open (options->shell, &spec, req);
  else
    far_request_fail_new (req, FAR_ERROR_DENIED, join->host != NULL ? "not a device of this terminal" : "there is no shell here; name a device");
}

static gboolean
join_ask (Visit *visit, Wire *wire, ssh_message message, Join *join)
{
  join->visit = visit_ref (visit);
  join->wire = wire_ref (wire);
  join->message = message;
  join->person = g_strdup (visit->person);
  wire_pause (wire, TRUE);
  far_home_post (far_home_main (), join_decide, join);
  return TRUE;
}

/* ---- messages ---- */

static gboolean
open_direct (Visit *visit, Wire *wire, ssh_message message)
{
  const char *host = ssh_message_channel_request_open_destination (message);
  int port = ssh_message_channel_request_open_destination_port (message);
  Join *join;

  if (host == NULL || port <= 0 || port > 65535)
    return visit_refuse (wire, message);
  join = g_new0 (Join, 1);
  join->host = g_strdup (host);
  join->port = (guint16) port;
  return join_ask (visit, wire, message, join);
}

gboolean
visit_open_message (Visit *visit, Wire *wire, ssh_message message)
{
  int kind = ssh_message_subtype (message);

  if (visit->channels >= CHANNELS_MAX)
    return visit_refuse (wire, message);
  if (kind == SSH_CHANNEL_DIRECT_TCPIP)
    return open_direct (visit, wire, message);
  if (kind != SSH_CHANNEL_SESSION)
    return visit_refuse (wire, message);
  wire_enter (wire);
  ssh_message_channel_request_open_reply_accept (message);
  wire_leave (wire);
  return FALSE;
}

static gboolean
begin_work (Visit *visit, Wire *wire, ssh_message message, const char *command)
{
  Join *join;

  if (command != NULL && strlen (command) > COMMAND_MAX)
    return visit_refuse (wire, message);
  join = g_new0 (Join, 1);
  join->channel = ssh_message_channel_request_channel (message);
  join->command = g_strdup (command);
  join->device = command == NULL ? g_strdup (visit->device) : NULL; /* a command is the shell's */
  join->pty = g_ptr_array_remove_fast (visit->ptys, join->channel);
  return join_ask (visit, wire, message, join);
}

static gboolean
accept_request (Wire *wire, ssh_message message)
{
  wire_enter (wire);
  ssh_message_channel_request_reply_success (message);
  wire_leave (wire);
  return FALSE;
}

static gboolean
pty_request (Visit *visit, Wire *wire, ssh_message message)
{
  ssh_channel channel = ssh_message_channel_request_channel (message);

  if (!g_ptr_array_find (visit->ptys, channel, NULL) && visit->ptys->len < CHANNELS_MAX)
    g_ptr_array_add (visit->ptys, channel);
  return accept_request (wire, message);
}

/* LANG, LC_… and TERM are taken and forgotten; others are refused. */
static gboolean
env_request (Wire *wire, ssh_message message)
{
  const char *name = ssh_message_channel_request_env_name (message);

  if (name != NULL && (g_str_has_prefix (name, "LC_") || g_str_equal (name, "LANG") || g_str_equal (name, "TERM")))
    return accept_request (wire, message);
  return visit_refuse (wire, message);
}

gboolean
visit_channel_message (Visit *visit, Wire *wire, ssh_message message)
{
  switch (ssh_message_subtype (message)) {
  case SSH_CHANNEL_REQUEST_PTY:
    return pty_request (visit, wire, message);
  case SSH_CHANNEL_REQUEST_ENV:
    return env_request (wire, message);
  case SSH_CHANNEL_REQUEST_SHELL:
    return begin_work (visit, wire, message, NULL);
  case SSH_CHANNEL_REQUEST_EXEC:
    return begin_work (visit, wire, message, ssh_message_channel_request_command (message));
  default:
    return visit_refuse (wire, message);
  }
}
