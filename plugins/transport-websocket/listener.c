/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Listeners: from the accepted descriptor to the first request, and what is looked at now and then. */
#include "config.h"

#include "listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <farwatch/clock.h>
#include <farwatch/i18n.h>

#include "http.h"
#include "link.h"

#define USER_TIMEOUT_MS 60000u /* data nobody acknowledges for so long: the other side is gone */
#define LOOK_US (10 * G_USEC_PER_SEC)

/* A connection whose TLS handshake is not over. */
typedef struct {
  WsListener *listener; /* NULL: it has ended */
  FarPass *pass;
  char *from;
  FarTlsAccept *accept;
  GList link;
} WsArrival;

/* ---- what its connections tell ---- */

void
ws_listener_less (WsListener *listener)
{
  gboolean busy = ws_streams_count (listener->streams) > 0;

  for (const GList *link = listener->served.head; link != NULL && listener->retiring && !busy;
       link = link->next)
    busy = ((const WsConn *) link->data)->calls > 0;
  if (listener->retiring && !busy && listener->spec.hooks->idle != NULL)
    listener->spec.hooks->idle (listener);
}

static void
unlink_from (GQueue *queue, GList *link)
{
  if (link->prev == NULL && link->next == NULL && queue->head != link)
    return;
  g_queue_unlink (queue, link);
  link->prev = link->next = NULL;
}

static void
listener_stream_gone (gpointer listener)
{
  ws_listener_less (listener);
}

static void
listener_conn_gone (WsListener *listener, WsConn *conn)
{
  unlink_from (&listener->served, &conn->served);
  unlink_from (&listener->lively, &conn->lively);
  ws_listener_less (listener);
}

static void
listener_conn_heard (WsListener *listener, WsConn *conn)
{
  if (conn->stream == NULL)
    return;
  unlink_from (&listener->lively, &conn->lively);
  g_queue_push_tail_link (&listener->lively, &conn->lively);
}

static const WsConnEvents listener_conn_events = { listener_conn_gone, listener_conn_heard };

/* ---- coming in ---- */

static void
conn_evicted (gpointer conn)
{
  ws_conn_kill (conn, "others wait");
}

void
ws_listener_take (WsListener *listener, FarStream *stream, const char *from, FarPass *pass,
                  FarPresented *presented)
{
  WsConn *conn = ws_conn_new (stream, listener, &listener_conn_events, listener->spec.hub, from, pass);

  conn->node = presented != NULL ? g_strdup (presented->node) : NULL;
  conn->presented = presented;
  g_queue_push_tail_link (&listener->served, &conn->served);
  far_gate_evictable (pass, listener->loop, conn_evicted, conn);
  ws_http_begin (conn);
}

static void
ws_listener_arrival_free (WsArrival *arrival)
{
  if (arrival->listener != NULL)
    g_queue_unlink (&arrival->listener->arrivals, &arrival->link);
  far_gate_leave (arrival->pass);
  g_free (arrival->from);
  g_free (arrival);
}

static void
arrival_heard (gpointer data)
{
  far_gate_heard (((WsArrival *) data)->pass);
}

static void
arrival_evicted (gpointer data)
{
  far_tls_accept_cancel (((WsArrival *) data)->accept, "others wait");
}

static void
arrival_done (FarStream *stream, const char *cause, gpointer data)
{
  WsArrival *arrival = data;
  WsListener *listener = arrival->listener;

  if (stream == NULL || listener == NULL || listener->retiring) {
    far_stream_free (stream);
  } else {
    far_gate_evictable (arrival->pass, NULL, NULL, NULL);
    ws_listener_take (listener, stream, arrival->from, g_steal_pointer (&arrival->pass),
                      far_tls_presented (stream));
  }
  ws_listener_arrival_free (arrival);
}

static const FarTlsAcceptFuncs arrival_funcs = { arrival_heard, arrival_done };

/* A person's stream may be silent for hours: the kernel asks whether its other side is still there. A node's
 * link has its poll. */
static void
keep_alive (int fd)
{
  const int on = 1, idle_s = 60, between_s = 15, times = 4;

  setsockopt (fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt (fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
  setsockopt (fd, IPPROTO_TCP, TCP_KEEPINTVL, &between_s, sizeof between_s);
  setsockopt (fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof times);
}

static void
ws_listener_came (int fd, const struct sockaddr *address, const char *from, FarPass *pass, gpointer user)
{
  WsListener *listener = user;
  WsArrival *arrival;

  if (listener->spec.ping_us > 0)
    keep_alive (fd);
  if (listener->spec.tls == NULL) {
    far_gate_heard (pass);
    ws_listener_take (listener, far_stream_fd_new (listener->loop, fd), from, pass, NULL);
    return;
  }
  arrival = g_new0 (WsArrival, 1);
  arrival->listener = listener;
  arrival->pass = pass;
  arrival->from = g_strdup (from);
  arrival->link.data = arrival;
  g_queue_push_tail_link (&listener->arrivals, &arrival->link);
  arrival->accept = far_tls_accept (listener->spec.tls, listener->loop, fd, from, &arrival_funcs, arrival);
  far_gate_evictable (pass, listener->loop, arrival_evicted, arrival);
}

/* ---- what is looked at now and then ---- */

static void
look_at_files (WsListener *listener)
{
  g_autoptr (GError) error = NULL;
  gboolean changed = FALSE;

  if (listener->spec.tls == NULL)
    return;
  if (!far_tls_refresh (listener->spec.tls, &changed, &error))
    far_log_limited (listener->spec.at, "certificate", _ ("new certificate is not used: %s"), error->message);
  else if (changed)
    far_log (listener->spec.at, G_LOG_LEVEL_INFO, _ ("certificate read again"));
}

/* The list is in the order of silence: the first who is not due ends the walk. */
static void
look_at_links (WsListener *listener, gint64 now)
{
  const WsListenerSpec *spec = &listener->spec;

  for (GList *link = listener->lively.head, *after; link != NULL; link = after) {
    WsConn *conn = link->data;
    gint64 silent = now - conn->heard_us;

    after = link->next;
    if (conn->parked)
      continue;
    if (spec->idle_us > 0 && silent >= spec->idle_us)
      ws_conn_close (conn, WS_CLOSE_AWAY, "silent for too long");
    else if (spec->ping_us == 0 || silent < spec->ping_us)
      return;
    else if (!conn->pinged) {
      conn->pinged = TRUE;
      ws_link_ping (conn);
    }
  }
}

static void
ws_listener_look (gpointer data)
{
  WsListener *listener = data;
  gint64 now = far_clock_boottime_us (), next = LOOK_US;

  look_at_files (listener);
  look_at_links (listener, now);
  if (listener->spec.idle_us > 0)
    next = MIN (next, MAX (listener->spec.idle_us / 4, G_USEC_PER_SEC / 4));
  far_loop_timer_set (listener->timer, now + next);
}

/* ---- life ---- */

static void
listener_begin (gpointer data)
{
  WsListener *listener = data;
  const WsListenerSpec *spec = &listener->spec;
  const FarAcceptorSpec accept = { .at = spec->at,
                                   .gate = listener->gate,
                                   .proxies = spec->proxies,
                                   .per_second = spec->per_second,
                                   .nodelay = TRUE,
                                   .user_timeout_ms = USER_TIMEOUT_MS,
                                   .came = ws_listener_came,
                                   .user = listener };

  listener->acceptor = far_acceptor_new (listener->loop, spec->fd, &accept);
  g_strfreev ((GStrv) g_steal_pointer (&listener->spec.proxies)); /* the acceptor has its own */
  listener->timer = far_loop_timer (listener->loop, far_clock_boottime_us () + G_USEC_PER_SEC / 4,
                                    ws_listener_look, listener);
}

WsListener *
ws_listener_new (const WsListenerSpec *spec)
{
  WsListener *listener = g_new0 (WsListener, 1);

  listener->spec = *spec;
  listener->spec.tls = spec->tls == NULL ? NULL : far_tls_ref (spec->tls);
  listener->spec.hub = ws_hub_ref (spec->hub);
  listener->loop = far_loop_pick ();
  listener->gate = far_gate_new (NULL, &spec->limits);
  listener->streams = ws_streams_new (listener->loop, listener_stream_gone, listener);
  listener->spec.proxies = (const char *const *) g_strdupv ((char **) spec->proxies);
  far_loop_post (listener->loop, listener_begin, listener);
  return listener;
}

typedef struct {
  WsListener *listener;
  GStrv proxies;
  gint64 idle_us;
} WsChange;

static void
change_at_loop (gpointer data)
{
  WsChange *change = data;

  change->listener->spec.idle_us = change->idle_us;
  if (change->listener->acceptor != NULL)
    far_acceptor_set_proxies (change->listener->acceptor, (const char *const *) change->proxies);
  look_at_files (change->listener);
  g_strfreev (change->proxies);
  g_free (change);
}

void
ws_listener_change (WsListener *listener, const FarGateLimits *limits, const char *const *proxies,
                    const char *cert, const char *key, const char *ca, gint64 idle_us)
{
  WsChange *change = g_new0 (WsChange, 1);

  *change = (WsChange){ listener, g_strdupv ((char **) proxies), idle_us };
  far_gate_set_limits (listener->gate, limits);
  if (listener->spec.tls != NULL)
    far_tls_set_files (listener->spec.tls, cert, key, ca);
  far_loop_post (listener->loop, change_at_loop, change);
}

static void
stop_coming (WsListener *listener)
{
  g_clear_pointer (&listener->acceptor, far_acceptor_free);
  for (GList *link = listener->arrivals.head; link != NULL; link = link->next)
    far_tls_accept_cancel (((WsArrival *) link->data)->accept, "the listener has ended");
}

static void
retire_at_loop (gpointer data)
{
  WsListener *listener = data;

  listener->retiring = TRUE;
  stop_coming (listener);
  for (GList *link = listener->lively.head, *after; link != NULL; link = after) {
    after = link->next;
    ws_conn_close (link->data, WS_CLOSE_AWAY, "replaced");
  }
  for (GList *link = listener->served.head, *after; link != NULL; link = after) {
    after = link->next;
    if (((const WsConn *) link->data)->live)
      ws_conn_finish (link->data);
  }
  ws_listener_less (listener);
}

void
ws_listener_retire (WsListener *listener)
{
  /* Its socket may be closed as soon as this returns. */
  far_loop_call (listener->loop, retire_at_loop, listener);
}

static void
end_at_loop (gpointer data)
{
  WsListener *listener = data;
  WsArrival *arrival;

  listener->retiring = FALSE; /* nobody is told */
  stop_coming (listener);
  while ((arrival = g_queue_peek_head (&listener->arrivals)) != NULL) {
    g_queue_unlink (&listener->arrivals, &arrival->link);
    arrival->listener = NULL;
  }
  while (listener->served.head != NULL)
    ws_conn_close (listener->served.head->data, WS_CLOSE_AWAY, "the listener has ended");
  ws_streams_end (listener->streams);
  g_clear_pointer (&listener->timer, far_loop_timer_free);
}

void
ws_listener_free (WsListener *listener)
{
  if (listener == NULL)
    return;
  far_loop_call (listener->loop, end_at_loop, listener);
  ws_streams_unref (listener->streams);
  far_gate_free (listener->gate);
  ws_hub_unref (listener->spec.hub);
  far_tls_unref (listener->spec.tls);
  g_free (listener);
}
