/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Z is drawn among the tunnel ends that are up; it draws and binds X and Y itself before anyone is told (spec
 * B5). */
#include "config.h"

#include "access.h"

#include <string.h>

void
access_tunnel_end (AccessSession *session)
{
  if (session->carrier)
    far_carrier_end (session->carrier, session->cause ? session->cause : "closed");
  else if (!session->reserving) /* nothing was reserved, or its tunnel end is gone with its ports */
    access_session_event (session, FAR_SESSION_EV_TUNNEL_ENDED, NULL, NULL);
}

void
access_tunnel_shut (AccessSession *session, FarRequest *req)
{
  if (session->carrier)
    far_carrier_shut (session->carrier, session->cause ? session->cause : "closed", req);
  else
    far_request_done (req, NULL, NULL);
}

static void
access_allocate_tunnel_up (AccessSession *session, const FarCarrierEvent *event)
{
  g_autoptr (GError) error = NULL;
  access_reached (session);
  g_free (session->link_to);
  session->link_to = g_strdup (event->here);
  if (!session->opened_us) {
    far_deadline_set (&session->deadline, session->for_us);
    if (event->deadline_boot_us > 0)
      session->deadline.boottime_us = MIN (session->deadline.boottime_us, event->deadline_boot_us);
    const FarRegistryNode *terminal = far_registry_node (session->terminal);
    /* It may show a key of its own. */
    session->stock_end = event->stock || (terminal && access_is_stock (terminal));
  }
  if (!access_session_event (session, FAR_SESSION_EV_TUNNEL_UP, NULL, &error)) {
    far_log (session->self->at, G_LOG_LEVEL_WARNING, "tunnel of session %s refused: %s", session->id,
             error->message);
    if (session->state == FAR_SESSION_CLOSING)
      access_tunnel_end (session);
  }
}

static void
tunnel_refused (AccessSession *session, const FarCarrierEvent *event)
{
  guint times = MAX (event->times, 1);
  far_count ("connections to a session's ports", times);
  access_rejected_away (session, event->from, event->cause ? event->cause : "?", times);
  far_log_limited (session->self->at, session->id, "somebody from %s was turned away from session %s: %s",
                   event->from ? event->from : "?", session->id, event->cause ? event->cause : "?");
}

static void
tunnel_ended (AccessSession *session, const FarCarrierEvent *event)
{
  g_clear_pointer (&session->ports, far_tunnel_free);
  g_clear_pointer (&session->carrier, far_carrier_unref);
  if (session->self) {
    if (g_strcmp0 (event->cause, "deadline") == 0)
      access_session_event (session, FAR_SESSION_EV_DEADLINE, "deadline", NULL);
    if (access_session_live (session))
      access_session_event (session, FAR_SESSION_EV_TUNNEL_ENDED, event->cause, NULL);
  }
}

static void
access_allocate_tunnel_event (const FarCarrierEvent *event, gpointer user)
{
  AccessSession *session = user;
  if (event->kind != FAR_CARRIER_UP)
    far_session_counted (&session->base, event->bytes_up, event->bytes_down);
  if (event->kind == FAR_CARRIER_ENDED)
    tunnel_ended (session, event);
  else if (session->self && event->kind == FAR_CARRIER_UP)
    access_allocate_tunnel_up (session, event);
  else if (session->self && event->kind == FAR_CARRIER_LOST)
    access_session_event (session, FAR_SESSION_EV_LINK_LOST, NULL, NULL);
  else if (session->self && event->kind == FAR_CARRIER_REFUSED)
    tunnel_refused (session, event);
}

static void
access_allocate_let_go (gpointer session)
{
  access_session_unref (session);
}

static const FarCarrierFuncs access_carrier = { .event = access_allocate_tunnel_event,
                                                .free = access_allocate_let_go };

typedef struct {
  AccessSession *session;
  GPtrArray *names; /* tunnel ends still to be asked */
  char *asked;
  FarCarrier *carrier; /* of the one asked */
} Draw;

static void draw_next (Draw *draw);

static void
draw_end (Draw *draw)
{
  draw->session->reserving = FALSE;
  access_session_unref (draw->session);
  g_ptr_array_unref (draw->names);
  g_clear_pointer (&draw->carrier, far_carrier_unref);
  g_free (draw->asked);
  g_free (draw);
}

/* Not yet open, or between two links. */
static gboolean
draw_wanted (const AccessSession *session)
{
  return session->state == FAR_SESSION_PERMITTED || session->state == FAR_SESSION_RESUMING;
}

static void
draw_failed (Draw *draw, const char *why)
{
  AccessSession *session = draw->session;
  session->reserving = FALSE;
  if (session->self && session->carrier && draw_wanted (session))
    access_offer_renew (session); /* by what it has */
  else if (session->self && !session->carrier && session->state == FAR_SESSION_CLOSING)
    access_session_event (session, FAR_SESSION_EV_TUNNEL_ENDED, NULL, NULL);
  else if (session->self && !session->carrier)
    access_session_event (session, FAR_SESSION_EV_FAILED, why, NULL);
  draw_end (draw);
}

/* It is the session's; what that had until now is given up, and not before. */
static void
draw_take (Draw *draw, FarTunnel *ports)
{
  AccessSession *session = draw->session;
  g_autoptr (FarCarrier) old = session->carrier;
  session->carrier = g_steal_pointer (&draw->carrier);
  g_clear_pointer (&session->ports, far_tunnel_free);
  session->ports = ports;
  g_free (session->tunnel);
  session->tunnel = g_steal_pointer (&draw->asked);
  if (old)
    far_carrier_give_up (old, "the session goes on by another carrier");
}

static void
draw_go_on (AccessSession *session)
{
  if (session->opened_us) /* no longer than it would have */
    far_carrier_set_deadline (session->carrier, session->deadline.boottime_us);
  access_session_tell (session);
  access_offer_renew (session);
}

static void
draw_won (Draw *draw, FarTunnel *ports)
{
  AccessSession *session = draw->session;
  gboolean wanted = session->self && draw_wanted (session);
  session->reserving = FALSE;
  if (!wanted && session->carrier) { /* the one it has came up, or ends it */
    far_tunnel_free (ports);
    far_carrier_give_up (draw->carrier, "not needed any more");
  } else {
    draw_take (draw, ports);
    if (wanted)
      draw_go_on (session);
    else
      access_tunnel_end (session);
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
  g_clear_pointer (&draw->carrier, far_carrier_unref);
  draw_next (draw);
}

/* The next to be asked; FALSE: there is none, or nobody waits for it. */
static gboolean
draw_pick (Draw *draw)
{
  const AccessSession *session = draw->session;
  if (draw->names->len == 0 || !session->self || !draw_wanted (session))
    return FALSE;
  g_free (draw->asked);
  draw->asked = g_ptr_array_steal_index_fast (draw->names, far_random_u32 (draw->names->len));
  return TRUE;
}

static void
draw_next (Draw *draw)
{
  AccessSession *session = draw->session;
  if (!draw_pick (draw)) {
    draw_failed (draw, "no tunnel end is up");
    return;
  }
  gboolean known = session->from && *session->from;
  FarCarrierSpec spec = { .session = session->id,
                          .peer = session->terminal,
                          .entry = session->entry,
                          .raw = session->raw,
                          .person_address = known ? session->from : NULL,
                          .length_us = session->opened_us
                                           ? session->deadline.boottime_us - far_clock_boottime_us ()
                                           : session->for_us,
                          .before = session->carrier };
  /* The session asks, which may outlive the instance: what was reserved meanwhile is given back. */
  FarRequest *req = far_request_new (draw_done, draw, 15000); /* lint: allow far_request_new */
  draw->carrier = far_carrier_reserve (draw->asked, &spec, &access_carrier, access_session_ref (session),
                                       req);
}

void
access_allocate (AccessSession *session)
{
  Draw *draw = g_new0 (Draw, 1);
  draw->session = access_session_ref (session);
  draw->names = access_tunnels (session);
  session->reserving = TRUE;
  draw_next (draw);
}

/* ---- the next generation ---- */

/* Is there a better one now than what is reserved? */
static gboolean
allocate_is_stale (AccessSession *session)
{
  FarCarrierLook look;
  if (!session->carrier || !access_unreached (session, far_carrier_kind (session->carrier)))
    return FALSE;
  g_autoptr (GPtrArray) names = access_tunnels (session);
  return names->len > 0 && far_carrier_look (names->pdata[0], &look) &&
         strcmp (look.kind, far_carrier_kind (session->carrier)) != 0;
}

void
access_allocate_renew (AccessSession *session)
{
  if (session->reserving)
    return; /* what it will have is offered then */
  if (!allocate_is_stale (session) || !access_move_may (session)) {
    access_offer_renew (session);
    return;
  }
  g_clear_pointer (&session->offer, json_decref); /* it is for what will be given up */
  access_allocate (session);
}
