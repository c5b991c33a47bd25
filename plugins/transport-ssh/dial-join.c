/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A person's connection comes through the tunnel: main is asked for the stream to join it with, the channel opens when that is there. */
#include "config.h"

#include "dial.h"

/* The replacements in libssh are callbacks, and a callback cannot wait for main. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#define OPEN_TIMEOUT_MS 20000

typedef struct {
  gint refs;
  Dial *dial;
  Wire *wire;
  ssh_message message;
  char *from;
  FarStream *near;       /* [home] */
  guint64 up, down;      /* [main] counted already */
} Join;

static Join *
join_ref (Join *join)
{
  g_atomic_int_inc (&join->refs);
  return join;
}

/* Its last holder is the home until a pump runs, main afterwards; near and message are gone by then. */
static void
join_unref (gpointer data)
{
  Join *join = data;

  if (!g_atomic_int_dec_and_test (&join->refs))
    return;
  g_free (join->from);
  dial_unref (join->dial);
  wire_unref (join->wire);
  g_free (join);
}

/* ---- the pump's reports, on main ---- */

static void
join_count (Join *join, const FarPumpCounters *now)
{
  tunnel_count (join->dial, now->bytes_ab - join->up, now->bytes_ba - join->down);
  join->up = now->bytes_ab;
  join->down = now->bytes_ba;
}

static void
join_counters (FarPump *pump, const FarPumpCounters *now, gpointer user)
{
  Join *join = user;

  join_count (join, now);
  tunnel_event (join->dial, FAR_TUNNEL_COUNTERS, NULL, NULL);
}

static void
join_closed (FarPump *pump, const FarPumpCounters *total, const char *cause, gpointer user)
{
  Join *join = user;

  join_count (join, total);
  tunnel_event (join->dial, FAR_TUNNEL_CLOSED, cause, join->from);
  join_unref (join);
}

static void
join_told_open (gpointer data)
{
  Join *join = data;

  tunnel_event (join->dial, FAR_TUNNEL_OPENED, NULL, join->from);
  join_unref (join);
}

/* ---- at home ---- */

static void
join_pump (Join *join, ssh_channel raw)
{
  Dial *dial = join->dial;
  FarPumpSpec spec = { .session = dial->session, .deadline_us = dial->deadline_us, .counters = join_counters, .closed = join_closed,
                       .user = join_ref (join) };

  far_home_post (far_home_main (), join_told_open, join_ref (join));
  far_pump_start (channel_stream (channel_new (join->wire, raw, TRUE)), g_steal_pointer (&join->near), &spec);
}

static void
join_answer (Wire *wire, gpointer data)
{
  Join *join = data;
  ssh_channel raw = NULL;

  wire_enter (wire);
  if (join->near == NULL)
    ssh_message_reply_default (join->message);
  else
    raw = ssh_message_channel_request_open_reply_accept (join->message);
  wire_leave (wire);
  if (raw != NULL)
    join_pump (join, raw);
}

/* After the answer, or instead of it when the wire has died. [home] */
static void
join_done (gpointer data)
{
  Join *join = data;

  g_clear_pointer (&join->near, far_stream_free);
  g_clear_pointer (&join->message, ssh_message_free);
  join_unref (join);
}

/* ---- on main ---- */

static void
join_opened (FarRequest *req, gpointer user)
{
  Join *join = user;

  if (far_request_error (req) != NULL)
    tunnel_event (join->dial, FAR_TUNNEL_REFUSED, far_request_error (req)->message, join->from);
  else
    join->near = far_request_steal (req);
  wire_post (join->wire, join_answer, join, join_done);
}

static void
join_ask (gpointer data)
{
  Join *join = data;

  tunnel_arrived (join->dial, join->from, far_request_new (join_opened, join, OPEN_TIMEOUT_MS));
}

/* ---- the message ---- */

static gboolean
is_ours (Dial *dial, ssh_message message)
{
  return ssh_message_type (message) == SSH_REQUEST_CHANNEL_OPEN && ssh_message_subtype (message) == SSH_CHANNEL_FORWARDED_TCPIP &&
         ssh_message_channel_request_open_destination_port (message) == dial->x;
}

gboolean
dial_message (Wire *wire, ssh_message message, gpointer user)
{
  Dial *dial = user;
  Join *join;

  if (!is_ours (dial, message)) {
    ssh_message_reply_default (message);
    return FALSE;
  }
  join = g_new0 (Join, 1);
  join->refs = 1;
  join->dial = dial_ref (dial);
  join->wire = wire_ref (wire);
  join->message = message;
  join->from = g_strdup (ssh_message_channel_request_open_originator (message));
  far_home_post (far_home_main (), join_ask, join);
  return TRUE;
}
