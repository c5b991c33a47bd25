/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Z is drawn among the tunnel ends that are up; it draws and binds X and Y itself before anyone is told (spec
 * B5). */
#include "config.h"

#include "access.h"

#include <string.h>

static const FarTunnelOps *
access_allocate_tunnel_ops (FarInstance *at)
{
  return ((const FarTransportType *) far_instance_type (at))->tunnels;
}

gboolean
access_tunnel_wanted (const AccessOpts *opts, FarInstance *at)
{
  return !opts->tunnels || !opts->tunnels[0] ||
         g_strv_contains ((const char *const *) opts->tunnels, far_instance_name (at));
}

gboolean
access_tunnel_is_end (FarInstance *at)
{
  const FarTunnelOps *ops = access_allocate_tunnel_ops (at);
  return ops && ops->reserve;
}

gboolean
access_tunnel_up (FarInstance *at)
{
  const FarTunnelOps *ops = access_allocate_tunnel_ops (at);
  return access_tunnel_is_end (at) && ops->serves && ops->serves (far_instance_self (at));
}

static GPtrArray *
tunnels_up (const AccessOpts *opts)
{
  g_autoptr (GPtrArray) all = far_instance_list (FAR_KIND_TRANSPORT);
  GPtrArray *up = g_ptr_array_new ();
  for (guint i = 0; i < all->len; i++) {
    FarInstance *at = all->pdata[i];
    if (access_tunnel_wanted (opts, at) && access_tunnel_up (at))
      g_ptr_array_add (up, at);
  }
  return up;
}

void
access_tunnel_end (AccessSession *session)
{
  FarInstance *at = session->tunnel_at;
  if (at)
    access_allocate_tunnel_ops (at)->end (far_instance_self (at), session->id,
                                          session->cause ? session->cause : "closed");
  else if (!session->reserving) /* nothing was reserved, or its tunnel end is gone with its ports */
    access_session_event (session, FAR_SESSION_EV_TUNNEL_ENDED, NULL, NULL);
}

void
access_tunnel_shut (AccessSession *session, FarRequest *req)
{
  FarInstance *at = session->tunnel_at;
  if (at && access_allocate_tunnel_ops (at)->shut) {
    far_request_serve (req, at);
    access_allocate_tunnel_ops (at)->shut (far_instance_self (at), session->id,
                                           session->cause ? session->cause : "closed", req);
  } else {
    far_request_done (req, NULL, NULL);
  }
}

static void
access_allocate_tunnel_up (AccessSession *session, const FarTunnelEvent *event)
{
  g_autoptr (GError) error = NULL;
  g_free (session->link_to);
  session->link_to = g_strdup (event->here);
  if (!session->opened_us) {
    far_deadline_set (&session->deadline, session->for_us);
    if (event->deadline_boot_us > 0)
      session->deadline.boottime_us = MIN (session->deadline.boottime_us, event->deadline_boot_us);
    AccessTerminal *terminal = access_terminal (session->self, session->terminal);
    /* it may show a key of its own */
    session->stock_end = event->stock || (terminal && access_terminal_is_stock (terminal));
  }
  if (!access_session_event (session, FAR_SESSION_EV_TUNNEL_UP, NULL, &error)) {
    far_log (session->self->at, G_LOG_LEVEL_WARNING, "tunnel of session %s refused: %s", session->id,
             error->message);
    if (session->state == FAR_SESSION_CLOSING)
      access_tunnel_end (session);
  }
}

static void
tunnel_counted (AccessSession *session, const FarTunnelEvent *event)
{
  far_session_counted (&session->base, event->bytes_up, event->bytes_down);
}

static void
tunnel_refused (AccessSession *session, const FarTunnelEvent *event)
{
  guint times = MAX (event->times, 1);
  far_count ("connections to a session's ports", times);
  access_rejected_away (session, event->from, event->cause ? event->cause : "?", times);
  far_log_limited (session->self->at, session->id, "somebody from %s was turned away from session %s: %s",
                   event->from ? event->from : "?", session->id, event->cause ? event->cause : "?");
}

static void
tunnel_ended (AccessSession *session, const FarTunnelEvent *event)
{
  tunnel_counted (session, event);
  g_clear_pointer (&session->ports, far_tunnel_free);
  session->tunnel_at = NULL;
  if (session->self) {
    if (g_strcmp0 (event->cause, "deadline") == 0)
      access_session_event (session, FAR_SESSION_EV_DEADLINE, "deadline", NULL);
    if (access_session_live (session))
      access_session_event (session, FAR_SESSION_EV_TUNNEL_ENDED, event->cause, NULL);
  }
  access_session_unref (session); /* the tunnel end's reference */
}

static void
access_allocate_tunnel_event (const FarTunnelEvent *event, gpointer user)
{
  AccessSession *session = user;
  if (event->kind == FAR_TUNNEL_ENDED) {
    tunnel_ended (session, event);
    return;
  }
  if (!session->self)
    return;
  switch (event->kind) {
  case FAR_TUNNEL_UP:
    access_allocate_tunnel_up (session, event);
    break;
  case FAR_TUNNEL_LOST:
    access_session_event (session, FAR_SESSION_EV_LINK_LOST, NULL, NULL);
    break;
  case FAR_TUNNEL_REFUSED:
    tunnel_refused (session, event);
    break;
  default:
    tunnel_counted (session, event);
    break;
  }
}

typedef struct {
  AccessSession *session;
  GPtrArray *names; /* tunnel ends still to be asked */
  char *asked;
  FarInstance *at;
} Draw;

static void draw_next (Draw *draw);

static void
draw_end (Draw *draw)
{
  draw->session->reserving = FALSE;
  access_session_unref (draw->session);
  g_ptr_array_unref (draw->names);
  g_free (draw->asked);
  g_free (draw);
}

static void
draw_failed (Draw *draw, const char *why)
{
  AccessSession *session = draw->session;
  session->reserving = FALSE;
  if (session->self && session->state == FAR_SESSION_CLOSING)
    access_session_event (session, FAR_SESSION_EV_TUNNEL_ENDED, NULL, NULL);
  else if (session->self)
    access_session_event (session, FAR_SESSION_EV_FAILED, why, NULL);
  draw_end (draw);
}

static void
draw_won (Draw *draw, FarTunnel *ports)
{
  AccessSession *session = draw->session;
  session->reserving = FALSE;
  session->ports = ports;
  session->tunnel = g_steal_pointer (&draw->asked);
  session->tunnel_at = draw->at;
  if (!session->self || session->state != FAR_SESSION_PERMITTED) {
    access_tunnel_end (session);
  } else {
    access_session_tell (session);
    access_session_renew_offer (session);
  }
  draw_end (draw);
}

static void
draw_done (FarRequest *req, gpointer user)
{
  Draw *draw = user;
  const GError *error = far_request_error (req);
  if (!error) {
    draw_won (draw, far_request_steal (req));
    return;
  }
  if (draw->session->self)
    far_log (draw->session->self->at, G_LOG_LEVEL_WARNING,
             "tunnel end '%s' could not reserve for session %s: %s", draw->asked, draw->session->id,
             error->message);
  access_session_unref (draw->session); /* the reference kept for events: there will be none */
  draw_next (draw);
}

static void
draw_next (Draw *draw)
{
  AccessSession *session = draw->session;
  FarInstance *at = NULL;
  while (!at && draw->names->len > 0 && session->self && session->state == FAR_SESSION_PERMITTED) {
    guint i = far_random_u32 (draw->names->len);
    g_free (draw->asked);
    draw->asked = g_strdup (draw->names->pdata[i]);
    g_ptr_array_remove_index_fast (draw->names, i);
    at = far_instance_find (FAR_KIND_TRANSPORT, draw->asked, NULL);
  }
  draw->at = at;
  if (!at) {
    draw_failed (draw, "no tunnel end is up");
    return;
  }
  gboolean known = session->from && *session->from;
  FarTunnelSpec spec = { .session = session->id,
                         .terminal = session->terminal,
                         .entry = session->entry,
                         .raw = session->raw,
                         .person_address = known ? session->from : NULL,
                         .length_us = session->for_us };
  /* The session asks, which may outlive the instance: what was reserved meanwhile is given back. */
  FarRequest *req = far_request_new (draw_done, draw, 15000); /* lint: allow far_request_new */
  far_request_serve (req, at);
  access_allocate_tunnel_ops (at)->reserve (far_instance_self (at), &spec, access_allocate_tunnel_event,
                                            access_session_ref (session), req);
}

void
access_allocate (AccessSession *session)
{
  g_autoptr (GPtrArray) up = tunnels_up (access_opts (session->self));
  Draw *draw = g_new0 (Draw, 1);
  draw->session = access_session_ref (session);
  draw->names = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < up->len; i++)
    g_ptr_array_add (draw->names, g_strdup (far_instance_name (up->pdata[i])));
  session->reserving = TRUE;
  draw_next (draw);
}
