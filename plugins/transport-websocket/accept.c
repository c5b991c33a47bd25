/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "accept.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <farwatch/clock.h>
#include <farwatch/i18n.h>

#include "answer.h"
#include "rate.h"

#define ACCEPTS_PER_TURN 64
#define HANDSHAKES_ALL 500 /* a second */
#define HANDSHAKES_EACH 20
#define PAUSE_SECONDS 1.0
#define USER_TIMEOUT_MS 60000u /* data nobody acknowledges for so long: the other side is gone */
#define KEY_SIZE 24

struct _WsAccept {
  WsContext *context;
  int fd;
  ev_io io;
  ev_timer pause;
  FarGate *gate;
  GStrv trusted;
  guint waiting_max; /* that have not logged in */
  WsRate rate;
};

static gboolean
is_trusted (const WsAccept *accept, const char *address)
{
  for (guint i = 0; accept->trusted != NULL && accept->trusted[i] != NULL; i++)
    if (far_address_in (address, accept->trusted[i], NULL))
      return TRUE;
  return FALSE;
}

/* IPv6: whoever has one address has the whole /64. */
static char *
rate_key (const struct sockaddr_storage *address, const char *text)
{
  const struct sockaddr_in6 *six = (const struct sockaddr_in6 *) address;
  guint64 net;

  if (address->ss_family != AF_INET6 || IN6_IS_ADDR_V4MAPPED (&six->sin6_addr))
    return g_strdup (text);
  memcpy (&net, &six->sin6_addr, sizeof net);
  return g_strdup_printf ("%" G_GINT64_MODIFIER "x", GUINT64_FROM_BE (net));
}

static gboolean
may_enter (WsAccept *accept, int fd, const struct sockaddr_storage *address, const char *from, FarPass **pass)
{
  g_autofree char *key = rate_key (address, from);
  g_autoptr (GError) error = NULL;

  if (!ws_rate_take (&accept->rate, key, is_trusted (accept, from), far_clock_boottime_us ())) {
    far_count ("connections", 1);
    far_complain (accept->context->at, "rate", "connections come too fast, refused: %s", from);
    return FALSE;
  }
  *pass = far_gate_enter (accept->gate, fd, address->ss_family == AF_UNIX ? NULL : (const struct sockaddr *) address, &error);
  if (*pass == NULL) {
    far_count ("connections", 1);
    far_complain (accept->context->at, "gate", "connection refused: %s: %s", from, error->message);
  }
  return *pass != NULL;
}

static void
set_options (int fd)
{
  const int on = 1;
  const unsigned timeout = USER_TIMEOUT_MS;

  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt (fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
}

/* So many that have not logged in: the oldest goes, so that silent ones do not keep others out. */
static void
make_room (WsAccept *accept)
{
  GQueue *waiting = &accept->context->conns;

  for (GList *link = waiting->head; link != NULL && accept->waiting_max > 0 && waiting->length >= accept->waiting_max; link = link->next) {
    WsConn *conn = link->data;

    if (conn->verified || conn->calls > 0 || conn->close_code != 0)
      continue;
    ws_conn_kill (conn, "others wait");
    return;
  }
}

static void
adopt (WsAccept *accept, int fd, const char *from, FarPass *pass)
{
  WsContext *context = accept->context;
  WsConn *conn = ws_conn_new (context, from);
  lws_adopt_desc_t info = { .vh = context->vhost, .type = LWS_ADOPT_SOCKET | LWS_ADOPT_HTTP | LWS_ADOPT_ALLOW_SSL, .fd = { .sockfd = fd },
                            .opaque = conn };
  struct lws *wsi;

  conn->pass = pass;
  ws_conn_ref (conn);
  wsi = lws_adopt_descriptor_vhost_via_info (&info);
  if (wsi == NULL) {
    ws_conn_gone (conn); /* the library tells only of what it had begun */
  } else if (!conn->gone) {
    conn->wsi = wsi;
    ws_context_timed (context, conn);
  }
  ws_conn_unref (conn);
}

static gboolean
accept_one (WsAccept *accept)
{
  struct sockaddr_storage address = { 0 };
  socklen_t size = sizeof address;
  int fd = accept4 (accept->fd, (struct sockaddr *) &address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  g_autofree char *from = NULL;
  FarPass *pass = NULL;

  if (fd < 0)
    return errno == EINTR || errno == ECONNABORTED;
  from = far_address_text ((struct sockaddr *) &address);
  if (!may_enter (accept, fd, &address, from, &pass)) {
    close (fd);
    return TRUE;
  }
  set_options (fd);
  make_room (accept);
  adopt (accept, fd, from, pass);
  return TRUE;
}

static void
pause_over (struct ev_loop *ev, ev_timer *timer, int events)
{
  WsAccept *accept = timer->data;

  ev_io_start (ev, &accept->io);
}

static void
acceptable (struct ev_loop *ev, ev_io *io, int events)
{
  WsAccept *accept = io->data;

  for (guint n = 0; n < ACCEPTS_PER_TURN; n++)
    if (!accept_one (accept)) {
      if (errno == EAGAIN)
        return;
      far_complain (accept->context->at, "accept", "accept failed, pausing: %s", g_strerror (errno));
      ev_io_stop (ev, io);
      ev_timer_set (&accept->pause, PAUSE_SECONDS, 0);
      ev_timer_start (ev, &accept->pause);
      return;
    }
}

/* Those who have not logged in are bounded here, by letting the oldest go; the gate would refuse the newest. */
void
ws_accept_limits (WsAccept *accept, const FarGateLimits *limits)
{
  const FarGateLimits own = { limits->total, limits->per_address, limits->total, limits->trusted };

  far_gate_set_limits (accept->gate, &own);
  accept->waiting_max = limits->unverified_total;
  g_strfreev (accept->trusted);
  accept->trusted = g_strdupv ((char **) limits->trusted);
}

WsAccept *
ws_accept_new (WsContext *context, int fd, const FarGateLimits *limits, GError **error)
{
  int copy = fcntl (fd, F_DUPFD_CLOEXEC, 3);
  WsAccept *accept;

  if (copy < 0) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE, _("no descriptor for the listener: %s"), g_strerror (errno));
    return NULL;
  }
  accept = g_new0 (WsAccept, 1);
  accept->context = context;
  accept->fd = copy;
  accept->gate = far_gate_new (far_instance_path (context->at), limits);
  ws_accept_limits (accept, limits);
  ws_rate_init (&accept->rate, HANDSHAKES_ALL, HANDSHAKES_EACH, far_clock_boottime_us ());
  ev_io_init (&accept->io, acceptable, copy, EV_READ);
  ev_timer_init (&accept->pause, pause_over, 0, 0);
  accept->io.data = accept->pause.data = accept;
  context->accept = accept;
  return accept;
}

void
ws_accept_begin (WsAccept *accept)
{
  if (accept->fd >= 0)
    ev_io_start (ws_loop_ev (accept->context->loop), &accept->io);
}

/* The gate goes after the last pass: the connections end first. */
void
ws_accept_stop (WsAccept *accept)
{
  struct ev_loop *ev = ws_loop_ev (accept->context->loop);

  if (accept->fd < 0)
    return;
  ev_io_stop (ev, &accept->io);
  ev_timer_stop (ev, &accept->pause);
  close (accept->fd);
  accept->fd = -1;
}

void
ws_accept_free (WsAccept *accept)
{
  far_gate_free (accept->gate);
  g_strfreev (accept->trusted);
  g_free (accept);
}

/* ---- upgrades ---- */

static guint
form_of (WsConn *conn, char **text)
{
  g_autofree char *version = ws_header (conn, WSI_TOKEN_VERSION, 8), *host = ws_header (conn, WSI_TOKEN_HOST, 512);

  if (lws_hdr_total_length (conn->wsi, WSI_TOKEN_GET_URI) <= 0)
    *text = g_strdup (_("WebSocket begins with GET"));
  else if (g_strcmp0 (version, "13") != 0)
    *text = g_strdup (_("only WebSocket version 13 is spoken here"));
  else if (lws_hdr_total_length (conn->wsi, WSI_TOKEN_KEY) != KEY_SIZE || host == NULL)
    *text = g_strdup (_("Host or Sec-WebSocket-Key is wrong"));
  else
    return 0;
  return 400;
}

int
ws_accept_upgrade (WsContext *context, WsConn *conn)
{
  g_autofree char *text = NULL, *path = ws_header (conn, WSI_TOKEN_GET_URI, 256);
  guint status = form_of (conn, &text);

  if (status == 0)
    status = path == NULL || context->hooks->upgrade == NULL ? 404 : context->hooks->upgrade (conn, path, &text);
  if (status == 0)
    return 0;
  return ws_answer_error (conn, status, text != NULL ? text : _("there is no such WebSocket here")) == 0 ? 1 : -1;
}
