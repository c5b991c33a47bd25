/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The handle of a carrier. It knows which instance has made it and speaks to that one for life, so services
 * need not know that instances come and go; and it is the one place that counts to one where ENDED is told.
 */
#include "config.h"

#include "loop/owned.h"
#include "reach/carrier-part.h"

#include <farwatch/i18n.h>
#include <farwatch/plugin.h>
#include <farwatch/thread.h>

/* An open that waits for its token, by a driver that wants it at once. */
typedef struct {
  char *address;
  json_t *part;
  gint64 length_us;
  FarRequest *req;
} CarrierHeld;

/* What has passed by all ways of one session. */
typedef struct {
  guint64 up, down;
} CarrierTotal;

struct _FarCarrier {
  gint refs;
  FarInstance *at; /* NULL: it has ended, or its instance stops */
  const FarCarrierOps *ops;
  const char *kind;
  char *transport, *session;
  const FarCarrierFuncs *funcs;
  gpointer user;
  CarrierTotal *total; /* counted: each way of the session has it */
  CarrierTotal own;    /* what of it has passed by this one */
  FarOwned owned;
  FarDeferred
      *orphan; /* ENDED is due, if the driver does not say it: its instance stops, or it has no part */
  char *orphan_cause;
  CarrierHeld *held; /* NULL: the driver knows of all that was asked */
  gboolean ended;
  gboolean known;    /* the driver has been asked to open it */
  gboolean unwanted; /* nobody waits for the reservation any more: no event is told */
  gboolean given_up; /* the session goes on by another: counters alone are told */
};

static const FarCarrierOps *
carrier_ops (FarInstance *at)
{
  return ((const FarTransportType *) far_instance_type (at))->carrier;
}

/* ---- life ---- */

FarCarrier *
far_carrier_ref (FarCarrier *carrier)
{
  FAR_ON_MAIN ();
  carrier->refs++;
  return carrier;
}

void
far_carrier_unref (FarCarrier *carrier)
{
  FAR_ON_MAIN ();
  if (--carrier->refs > 0)
    return;
  g_free (carrier->transport);
  g_free (carrier->session);
  g_free (carrier->orphan_cause);
  g_rc_box_release (carrier->total);
  g_free (carrier);
}

/* The last word, and what hangs on it. */
static void
carrier_over (FarCarrier *carrier)
{
  carrier->ended = TRUE;
  carrier->at = NULL;
  far_owned_leave (&carrier->owned);
  g_clear_pointer (&carrier->orphan, far_deferred_free);
}

static void
carrier_let_go (FarCarrier *carrier)
{
  if (carrier->funcs->free != NULL)
    carrier->funcs->free (g_steal_pointer (&carrier->user));
  far_carrier_unref (carrier);
}

static void
carrier_orphaned (gpointer data)
{
  FarCarrier *carrier = data;
  FarCarrierEvent event = { .kind = FAR_CARRIER_ENDED, .cause = carrier->orphan_cause };
  far_carrier_tell (carrier, &event);
}

static void
carrier_orphan (FarCarrier *carrier, const char *cause)
{
  carrier->at = NULL;
  carrier->orphan_cause = g_strdup (cause);
  carrier->orphan = far_deferred_new (far_loop_main (), carrier_orphaned, carrier);
  far_deferred_ask (carrier->orphan);
}

/* error: NULL, or why its request fails; borrowed. */
static void
carrier_held_free (CarrierHeld *held, const GError *error)
{
  if (error != NULL)
    far_request_fail (held->req, g_error_copy (error));
  far_request_unref (held->req);
  json_decref (held->part);
  g_free (held->address);
  g_free (held);
}

/* What waits for its token waits no more. TRUE: so it was. */
static gboolean
carrier_held_drop (FarCarrier *carrier)
{
  CarrierHeld *held = g_steal_pointer (&carrier->held);
  if (held == NULL)
    return FALSE;
  g_autoptr (GError)
      error = g_error_new (FAR_ERROR, FAR_ERROR_CONFLICT, _ ("session '%s' is over"), carrier->session);
  carrier_held_free (held, error);
  return TRUE;
}

/* The driver's stop() comes next and says ENDED, with the last counters; should it not, this does. */
static void
carrier_instance_goes (gpointer data)
{
  FarCarrier *carrier = data;
  if (carrier->orphan == NULL)
    carrier_orphan (carrier, "its transport stops");
  carrier_held_drop (carrier);
}

/* One reference is the caller's, the other one is there until ENDED. */
static FarCarrier *
carrier_new (FarInstance *at, const char *session, FarCarrier *before, const FarCarrierFuncs *funcs,
             gpointer user)
{
  FarCarrier *carrier = g_new0 (FarCarrier, 1);
  carrier->refs = 2;
  carrier->at = at;
  carrier->ops = carrier_ops (at);
  carrier->kind = far_instance_type (at)->name;
  carrier->transport = g_strdup (far_instance_name (at));
  carrier->session = g_strdup (session);
  carrier->total = before != NULL ? g_rc_box_acquire (before->total) : g_rc_box_new0 (CarrierTotal);
  carrier->funcs = funcs;
  carrier->user = user;
  far_owned_by (&carrier->owned, at, carrier_instance_goes, carrier);
  return carrier;
}

static FarCarrier *
carrier_refused (const FarCarrierFuncs *funcs, gpointer user, FarRequest *req, GError *error /* takes */)
{
  far_request_fail (req, error);
  if (funcs->free != NULL)
    funcs->free (user);
  return NULL;
}

static FarInstance *
carrier_find (const char *transport, gboolean accepting, GError **error)
{
  FarInstance *at = far_instance_find (FAR_KIND_TRANSPORT, transport, error);
  const FarCarrierOps *ops = at != NULL ? carrier_ops (at) : NULL;
  if (at == NULL || (ops != NULL && (accepting ? ops->reserve != NULL : ops->open != NULL)))
    return at;
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
               _ ("transport %s carries no sessions: name one that does, see `farctl plugins`"), transport);
  return NULL;
}

/* ---- the accepting end ---- */

typedef struct {
  FarCarrier *carrier;
  FarRequest *outer;
} Reserve;

static void
reserve_free (gpointer tunnel)
{
  far_tunnel_free (tunnel);
}

static void
reserve_failed (FarCarrier *carrier, FarRequest *outer, const GError *error)
{
  gboolean ended = carrier->ended;
  if (!ended)
    carrier_over (carrier);
  far_request_fail (outer, g_error_copy (error));
  if (!ended)
    carrier_let_go (carrier);
}

static void
carrier_reserved (FarRequest *req, gpointer data)
{
  Reserve *reserve = data;
  FarCarrier *carrier = reserve->carrier;
  if (far_request_error (req) != NULL) {
    reserve_failed (carrier, reserve->outer, far_request_error (req));
  } else if (far_request_ended (reserve->outer)) {
    carrier->unwanted = TRUE;
    far_carrier_end (carrier, "nobody waits for it any more");
  } else if (carrier->ended) {
    far_request_fail_new (reserve->outer, FAR_ERROR_UNAVAILABLE, _ ("transport '%s' has stopped"),
                          carrier->transport);
  } else {
    carrier->unwanted = FALSE;
    far_request_done (reserve->outer, far_request_steal (req), reserve_free);
  }
  far_request_unref (reserve->outer);
  far_carrier_unref (carrier);
  g_free (reserve);
}

FarCarrier *
far_carrier_reserve (const char *transport, const FarCarrierSpec *spec, const FarCarrierFuncs *funcs,
                     gpointer user, FarRequest *req)
{
  FAR_ON_MAIN ();
  GError *error = NULL;
  FarInstance *at = carrier_find (transport, TRUE, &error);
  if (at == NULL)
    return carrier_refused (funcs, user, req, error);
  FarCarrier *carrier = carrier_new (at, spec->session, spec->before, funcs, user);
  /* Until its user has it: they may have another one, whose end this one's would be taken for. */
  carrier->unwanted = TRUE;
  Reserve *reserve = g_new0 (Reserve, 1);
  *reserve = (Reserve){ far_carrier_ref (carrier), far_request_ref (req) };
  FarRequest *inner = far_request_new (carrier_reserved, reserve, 0);
  far_request_serve (inner, at);
  carrier->ops->reserve (far_instance_self (at), spec, carrier, inner);
  return carrier;
}

/* ---- the opening end ---- */

static void
carrier_open_now (FarCarrier *carrier, const FarCarrierOpen *spec, FarRequest *req)
{
  carrier->known = TRUE;
  carrier->ops->open (far_instance_self (carrier->at), spec, carrier, req);
}

static void
carrier_hold (FarCarrier *carrier, const FarCarrierOpen *spec, FarRequest *req)
{
  carrier->held = g_new (CarrierHeld, 1);
  *carrier->held = (CarrierHeld){ .address = g_strdup (spec->address),
                                  .part = json_incref (spec->part),
                                  .length_us = spec->length_us,
                                  .req = far_request_ref (req) };
}

void
far_carrier_reopen (FarCarrier *carrier, const FarCarrierOpen *spec, FarRequest *req)
{
  FAR_ON_MAIN ();
  if (carrier->at == NULL) {
    far_request_fail_new (req, FAR_ERROR_CONFLICT, _ ("session '%s' is over"), carrier->session);
    return;
  }
  far_request_serve (req, carrier->at);
  carrier_held_drop (carrier);
  if (spec->token == NULL && carrier->ops->show == NULL)
    carrier_hold (carrier, spec, req);
  else
    carrier_open_now (carrier, spec, req);
}

static void
carrier_held_open (FarCarrier *carrier, const char *token)
{
  CarrierHeld *held = g_steal_pointer (&carrier->held);
  FarCarrierOpen spec = { .session = carrier->session,
                          .part = held->part,
                          .address = held->address,
                          .token = token,
                          .length_us = held->length_us };
  if (!far_request_ended (held->req))
    carrier_open_now (carrier, &spec, held->req);
  carrier_held_free (held, NULL);
}

void
far_carrier_show (FarCarrier *carrier, const char *token)
{
  FAR_ON_MAIN ();
  if (carrier->held != NULL)
    carrier_held_open (carrier, token);
  else if (carrier->at != NULL && carrier->ops->show != NULL)
    carrier->ops->show (far_instance_self (carrier->at), carrier, token);
}

FarCarrier *
far_carrier_open (const char *transport, const FarCarrierOpen *spec, const FarCarrierFuncs *funcs,
                  gpointer user, FarRequest *req)
{
  FAR_ON_MAIN ();
  GError *error = NULL;
  FarInstance *at = carrier_find (transport, FALSE, &error);
  if (at == NULL)
    return carrier_refused (funcs, user, req, error);
  FarCarrier *carrier = carrier_new (at, spec->session, spec->before, funcs, user);
  far_carrier_reopen (carrier, spec, req);
  return carrier;
}

/* ---- what both ends are asked ---- */

const char *
far_carrier_transport (FarCarrier *carrier)
{
  FAR_ON_MAIN ();
  return carrier->transport;
}

const char *
far_carrier_session (FarCarrier *carrier)
{
  FAR_ON_MAIN ();
  return carrier->session;
}

const char *
far_carrier_kind (FarCarrier *carrier)
{
  FAR_ON_MAIN ();
  return carrier->kind;
}

gboolean
far_carrier_is_common (FarCarrier *carrier)
{
  FAR_ON_MAIN ();
  return carrier->ops->flat != NULL;
}

const char *
far_carrier_key (FarCarrier *carrier)
{
  FAR_ON_MAIN ();
  return carrier->ops->key;
}

static void
carrier_stream_free (gpointer stream)
{
  far_stream_free (stream);
}

void
far_carrier_attach (FarCarrier *carrier, FarStream *stream, const char *from)
{
  FAR_ON_MAIN ();
  if (carrier->at != NULL && carrier->ops->attach != NULL)
    carrier->ops->attach (far_instance_self (carrier->at), carrier, stream, from);
  else
    far_loop_post (stream->loop, carrier_stream_free, stream);
}

void
far_carrier_set_deadline (FarCarrier *carrier, gint64 boottime_us)
{
  FAR_ON_MAIN ();
  if (carrier->at != NULL)
    carrier->ops->set_deadline (far_instance_self (carrier->at), carrier, boottime_us);
}

void
far_carrier_shut (FarCarrier *carrier, const char *cause, FarRequest *req)
{
  FAR_ON_MAIN ();
  if (carrier->at == NULL || carrier->ops->shut == NULL) {
    far_request_done (req, NULL, NULL);
    return;
  }
  far_request_serve (req, carrier->at);
  carrier->ops->shut (far_instance_self (carrier->at), carrier, cause, req);
}

void
far_carrier_end (FarCarrier *carrier, const char *cause)
{
  FAR_ON_MAIN ();
  gboolean held = carrier_held_drop (carrier);
  if (held && carrier->at != NULL && !carrier->known)
    carrier_orphan (carrier, cause);
  else if (carrier->at != NULL)
    carrier->ops->end (far_instance_self (carrier->at), carrier, cause);
}

void
far_carrier_give_up (FarCarrier *carrier, const char *cause)
{
  FAR_ON_MAIN ();
  carrier->given_up = TRUE;
  far_carrier_end (carrier, cause);
}

/* ---- what transports tell ---- */

/* A driver counts its own way; what is told is the session's. */
static void
carrier_count (FarCarrier *carrier, FarCarrierEvent *event)
{
  CarrierTotal own = { MAX (carrier->own.up, event->bytes_up), MAX (carrier->own.down, event->bytes_down) };
  carrier->total->up += own.up - carrier->own.up;
  carrier->total->down += own.down - carrier->own.down;
  carrier->own = own;
  event->bytes_up = carrier->total->up;
  event->bytes_down = carrier->total->down;
}

void
far_carrier_tell (FarCarrier *carrier, FarCarrierEvent *event)
{
  FAR_ON_MAIN ();
  if (carrier->ended)
    return;
  gboolean last = event->kind == FAR_CARRIER_ENDED;
  event->session = carrier->session;
  carrier_count (carrier, event);
  FarCarrierEvent counted = { .kind = FAR_CARRIER_COUNTERS,
                              .session = carrier->session,
                              .bytes_up = event->bytes_up,
                              .bytes_down = event->bytes_down };
  if (last)
    carrier_over (carrier);
  if (!carrier->unwanted)
    carrier->funcs->event (carrier->given_up ? &counted : event, carrier->user);
  if (last)
    carrier_let_go (carrier);
}

void
far_carrier_incoming (FarCarrier *carrier, const char *from, FarLoop *loop, FarRequest *req)
{
  FAR_ON_MAIN ();
  if (carrier->ended || carrier->given_up || carrier->funcs->incoming == NULL)
    far_request_fail_new (req, FAR_ERROR_CONFLICT, _ ("session '%s' is over"), carrier->session);
  else
    carrier->funcs->incoming (carrier->session, from, loop, req, carrier->user);
}

/* ---- which there are ---- */

gboolean
far_carrier_look (const char *transport, FarCarrierLook *look)
{
  FAR_ON_MAIN ();
  FarInstance *at = far_instance_find (FAR_KIND_TRANSPORT, transport, NULL);
  const FarCarrierOps *ops = at != NULL ? carrier_ops (at) : NULL;
  if (ops == NULL)
    return FALSE;
  *look = (FarCarrierLook){ .kind = far_instance_type (at)->name,
                            .accepts = ops->reserve != NULL,
                            .up = ops->reserve != NULL && ops->serves != NULL &&
                                  ops->serves (far_instance_self (at)),
                            .ports = ops->ports,
                            .common = ops->flat != NULL,
                            .key = ops->key };
  return TRUE;
}

void
far_carrier_part_put (FarCarrier *carrier, json_t *json, json_t *part)
{
  FAR_ON_MAIN ();
  far_carrier_part_write (json, carrier->kind, carrier->ops, part);
}

void
far_tunnel_free (FarTunnel *tunnel)
{
  FAR_ON_MAIN ();
  if (!tunnel)
    return;
  g_free (tunnel->y_host);
  json_decref (tunnel->part);
  g_free (tunnel);
}
