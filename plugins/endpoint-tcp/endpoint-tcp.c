/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TCP connections to devices. The address comes from the profile's list of devices, never from a person.
 * (spec B10) */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <farwatch/dial.h>
#include <farwatch/plugin.h>

#define KEEPALIVE_IDLE_S 60
#define KEEPALIVE_EVERY_S 15
#define KEEPALIVE_TRIES 4

typedef struct {
  gint64 connect_timeout;
} TcpOptions;

typedef struct {
  FarInstance *at;
} Tcp;

/* One way to a device. An address in numbers is dialled where the stream will live, as many may be asked for
 * at once; a name by core. */
typedef struct {
  char *address; /* as in the profile */
  FarLoop *loop;
  FarRequest *req;
  gint64 timeout_us;
  struct sockaddr_storage to; /* in numbers */
  socklen_t to_size;
  int fd;
  FarWatch *watch;
  FarLoopTimer *timer;
} TcpWay;

static void
way_free (TcpWay *way)
{
  g_clear_pointer (&way->watch, far_watch_free);
  g_clear_pointer (&way->timer, far_loop_timer_free);
  if (way->fd >= 0)
    close (way->fd);
  far_request_unref (way->req);
  g_free (way->address);
  g_free (way);
}

static void
way_fail (TcpWay *way, const char *why)
{
  far_request_fail_new (way->req, FAR_ERROR_UNAVAILABLE, _ ("no connection to %s: %s"), way->address, why);
  way_free (way);
}

static void
free_stream (gpointer stream)
{
  far_stream_free (stream);
}

static void
tcp_discard (gpointer data)
{
  FarStream *stream = data;
  far_loop_post (stream->loop, free_stream, stream);
}

/* A cable pulled at the far side shows after two minutes; small commands go out at once. */
static void
tcp_set_options (int fd)
{
  int on = 1, idle = KEEPALIVE_IDLE_S, every = KEEPALIVE_EVERY_S, tries = KEEPALIVE_TRIES;
  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt (fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt (fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt (fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every);
  setsockopt (fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof tries);
}

static void
way_done (TcpWay *way)
{
  g_clear_pointer (&way->watch, far_watch_free);
  FarStream *stream = far_stream_fd_new (way->loop, way->fd);
  way->fd = -1;
  far_request_done (way->req, stream, tcp_discard);
  way_free (way);
}

static void
way_ready (int fd, guint ready, gpointer data)
{
  TcpWay *way = data;
  int code = 0;
  socklen_t size = sizeof code;
  getsockopt (fd, SOL_SOCKET, SO_ERROR, &code, &size);
  if (ready == FAR_READY_CLOSED) /* the kernel did not take the watch */
    code = ENOMEM;
  if (code == 0)
    way_done (way);
  else
    way_fail (way, g_strerror (code));
}

static void
way_late (gpointer data)
{
  TcpWay *way = data;
  g_autofree char *limit = far_format_duration (way->timeout_us);
  g_autofree char *why = g_strdup_printf (_ ("no answer in %s"), limit);
  way_fail (way, why);
}

/* [loop] */
static void
way_start (gpointer data)
{
  TcpWay *way = data;
  way->fd = socket (way->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (way->fd < 0) {
    way_fail (way, g_strerror (errno));
    return;
  }
  tcp_set_options (way->fd);
  if (connect (way->fd, (const struct sockaddr *) &way->to, way->to_size) != 0 && errno != EINPROGRESS) {
    way_fail (way, g_strerror (errno));
    return;
  }
  way->timer = far_loop_timer (way->loop, far_clock_boottime_us () + way->timeout_us, way_late, way);
  way->watch = far_loop_watch (way->loop, way->fd, FAR_READY_WRITE, way_ready, way);
}

/* ---- by number, and by name ---- */

static void
tcp_dialled (FarRequest *req, gpointer data)
{
  TcpWay *way = data;
  const GError *error = far_request_error (req);
  if (error != NULL) {
    way_fail (way, error->message);
    return;
  }
  way->fd = far_dial_take (req);
  tcp_set_options (way->fd);
  way_done (way);
}

static void
tcp_open (gpointer data, const FarEndpointSpec *spec, FarRequest *req)
{
  Tcp *self = data;
  const TcpOptions *options = far_instance_options (self->at);
  g_autofree char *host = NULL;
  GError *error = NULL;
  guint16 port;
  if (spec->address == NULL) {
    far_request_fail_new (req, FAR_ERROR_CONFIG,
                          _ ("endpoint '%s' reaches devices: it needs a device with an address"),
                          far_instance_name (self->at));
    return;
  }
  if (!far_parse_address (spec->address, &host, &port, &error)) {
    far_request_fail (req, error);
    return;
  }
  TcpWay *way = g_new0 (TcpWay, 1);
  *way = (TcpWay){ .address = g_strdup (spec->address),
                   .req = far_request_ref (req),
                   .timeout_us = options->connect_timeout,
                   .fd = -1 };
  way->loop = spec->want_loop != NULL && far_loop_is_io (spec->want_loop) ? spec->want_loop
                                                                          : far_loop_pick ();
  if (far_address_number (host, port, &way->to, &way->to_size))
    far_loop_post (way->loop, way_start, way);
  else /* a name may have several addresses, of which some are dead */
    far_dial (host, port, far_request_new (tcp_dialled, way, (guint) (options->connect_timeout / 1000)));
}

static gboolean
tcp_init (gpointer data, FarInstance *at, GError **error)
{
  ((Tcp *) data)->at = at;
  return TRUE;
}

static gboolean
tcp_start (gpointer data, GError **error)
{
  far_instance_ready (((Tcp *) data)->at);
  return TRUE;
}

static const FarOption tcp_options[] = {
  { .name = "connect-timeout",
    .type = FAR_OPT_DURATION,
    .flags = FAR_OPT_RELOADABLE,
    .offset = G_STRUCT_OFFSET (TcpOptions, connect_timeout),
    .fallback = "10s",
    .summary = N_ ("how long a device may take to answer"),
    .min = 100000,
    .max = 120 * (gint64) G_USEC_PER_SEC },
  { .type = FAR_OPT_END },
};

static const FarEndpointType tcp_type = {
  .type = {
    .kind = FAR_KIND_ENDPOINT,
    .name = "tcp",
    .summary = N_ ("TCP connections to devices"),
    .instance_size = sizeof (Tcp),
    .options_size = sizeof (TcpOptions),
    .options = tcp_options,
    .init = tcp_init,
    .start = tcp_start,
  },
  .open = tcp_open,
  .host_port = TRUE,
};

FAR_PLUGIN ("endpoint-tcp", "0.1", "endpoint/tcp", "", &tcp_type.type)
