/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* X and Y of a session at the tunnel end (spec B5, B7). X is bound on loopback so that the number is really
 * taken; whoever connects to it from this machine is reset: what reaches the terminal comes from Y, joined
 * inside the process. */
#include "config.h"

#include "ssh.h"

#include <farwatch/acceptor.h>
#include <farwatch/dial.h>
#include <farwatch/trust.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DRAWS 500
#define BACKLOG 512
#define SILENT_US                                                                                            \
  (FAR_GATE_SECONDS * (gint64) G_USEC_PER_SEC) /* every client of SSH begins with its banner */
#define RAW_FIRST_US (60 * (gint64) G_USEC_PER_SEC)
#define REFUSALS_A_SECOND 10 /* told one by one; the others of a flood together */

typedef struct {
  FarStream *stream;
  char *from;
  guint16 from_port;
  gint64 since_us, first_us;
} Waiting;

struct _Ports {
  Tunnel *tunnel; /* owns this */
  int fd[2];      /* X, Y; -1: none */
  FarAcceptor *acceptor[2];
  PortRules rules;
  gint64 up_us;  /* first acknowledgement; 0: not yet */
  gboolean used; /* Y was used once */
  GQueue waiting;
  FarLoopTimer *timer;
  gint64 second_us;
  guint said, unsaid;
};

/* ---- drawing ---- */

static int
bind_at (const char *host, guint16 port)
{
  struct sockaddr_storage to;
  socklen_t size;
  if (!far_address_number (host, port, &to, &size))
    return -1;
  int fd = socket (to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd >= 0 && (bind (fd, (const struct sockaddr *) &to, size) != 0 || listen (fd, BACKLOG) != 0)) {
    int code = errno;
    close (fd);
    fd = -1;
    errno = code;
  }
  return fd;
}

void
ports_rest (Ssh *self, guint16 port)
{
  gint64 rest_us = ssh_options (self)->rest_us, until = far_clock_boottime_us () + rest_us;
  if (port != 0 && rest_us > 0 && self->listener != NULL)
    g_hash_table_insert (self->resting, GUINT_TO_POINTER (port), g_memdup2 (&until, sizeof until));
}

static gboolean
is_resting (Ssh *self, guint16 port)
{
  const gint64 *until = g_hash_table_lookup (self->resting, GUINT_TO_POINTER (port));
  if (until != NULL && far_clock_boottime_us () < *until)
    return TRUE;
  g_hash_table_remove (self->resting, GUINT_TO_POINTER (port));
  return FALSE;
}

static int
try_ports (Ssh *self, const char *host, guint16 not_this, gboolean rested, guint16 *port)
{
  const FarRange *range = &ssh_options (self)->ports;
  guint32 span = range->high - range->low + 1;
  for (guint i = 0; i < DRAWS; i++) {
    *port = range->low + far_random_u32 (span);
    int fd = *port == not_this || (rested && is_resting (self, *port)) ? -1 : bind_at (host, *port);
    if (fd >= 0)
      return fd;
  }
  return -1;
}

/* One that rests is better than none: a narrow range is used up soon. */
static int
draw_one (Ssh *self, const char *host, guint16 not_this, guint16 *port, GError **error)
{
  const FarRange *range = &ssh_options (self)->ports;
  int fd = try_ports (self, host, not_this, TRUE, port);
  if (fd < 0)
    fd = try_ports (self, host, not_this, FALSE, port);
  if (fd < 0)
    g_set_error (error, FAR_ERROR, FAR_ERROR_LIMIT,
                 _ ("no free port at %s in %d-%d, by option 'ports' (last: %s)"), host, (int) range->low,
                 (int) range->high, g_strerror (errno));
  return fd;
}

gboolean
ports_draw (Ssh *self, gboolean with_y, int fd[2], guint16 port[2], GError **error)
{
  fd[1] = -1;
  port[1] = 0;
  fd[0] = draw_one (self, "127.0.0.1", 0, &port[0], error);
  if (fd[0] < 0)
    return FALSE;
  if (!with_y)
    return TRUE;
  fd[1] = draw_one (self, ssh_options (self)->y_listen, port[0], &port[1], error);
  if (fd[1] >= 0)
    return TRUE;
  close (fd[0]);
  return FALSE;
}

/* ---- the rules of Y ---- */

/* A v6 household changes addresses inside its /64; clear text gets no such latitude. */
gboolean
ports_same_person (const char *from, const char *address, gboolean raw)
{
  g_autofree char *net = NULL;
  if (!raw && strchr (address, ':') != NULL && strchr (address, '/') == NULL &&
      !g_str_has_prefix (address, "::ffff:"))
    net = g_strconcat (address, "/64", NULL);
  return far_address_in (from, net != NULL ? net : address, NULL);
}

/* Who dials an address of this machine from this machine comes, as the kernel has it, from that same address.
 */
static gboolean
dials_itself (int fd, const char *from)
{
  struct sockaddr_storage own = { .ss_family = AF_UNSPEC };
  socklen_t size = sizeof own;
  if (getsockname (fd, (struct sockaddr *) &own, &size) != 0)
    return FALSE;
  g_autofree char *to = far_address_text ((const struct sockaddr *) &own);
  return strcmp (to, from) == 0;
}

/* The address that asked, or, where that is loopback, this machine. */
static gboolean
is_who_asked (Ports *ports, int fd, const char *from)
{
  const char *address = ports->rules.person_address;
  gboolean here = strcmp (address, "127.0.0.1") == 0 || strcmp (address, "::1") == 0;
  return ports_same_person (from, address, ports->rules.raw) || (here && dials_itself (fd, from));
}

/* NULL: one more may come, if need be to wait for the link. */
static const char *
no_room (Ports *ports)
{
  if (ports->tunnel->n_joins + g_queue_get_length (&ports->waiting) < ports->rules.connections_max)
    return NULL;
  g_autofree char *text = g_strdup_printf (
      "too many connections in this session (the limit is %u, by option 'y-connections' of the tunnel end)",
      ports->rules.connections_max);
  return g_intern_string (text); /* as many of them as the option has had values */
}

static const char *
why_not (Ports *ports, int fd, const char *from)
{
  gint64 now = far_clock_boottime_us ();
  if (!is_who_asked (ports, fd, from))
    return "not the address that asked for access";
  if (ports->rules.raw && !ports->used && ports->up_us != 0 && now - ports->up_us > RAW_FIRST_US)
    return "first connection later than 60 s";
  return no_room (ports);
}

static void
ssh_ports_reset_fd (int fd)
{
  struct linger at_once = { 1, 0 };
  setsockopt (fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close (fd);
}

static void
say_unsaid (Ports *ports)
{
  if (ports->unsaid > 0)
    tunnel_say_refused (ports->tunnel, "more in a second than are told one by one", NULL, ports->unsaid);
  ports->unsaid = 0;
}

static void
say_refused (Ports *ports, const char *cause, const char *from)
{
  gint64 now = far_clock_boottime_us ();
  if (now - ports->second_us >= G_USEC_PER_SEC) {
    ports->second_us = now;
    ports->said = 0;
    say_unsaid (ports);
  }
  if (ports->said++ < REFUSALS_A_SECOND)
    tunnel_say_refused (ports->tunnel, cause, from, 1);
  else
    ports->unsaid++;
}

/* ---- connections ---- */

static void
waiting_free (Waiting *waiting)
{
  ssh_stream_discard (waiting->stream);
  g_free (waiting->from);
  g_free (waiting);
}

static void
go_through (Ports *ports, Waiting *waiting)
{
  Tunnel *tunnel = ports->tunnel;
  Channel *channel = ssh_conn_channel_forward (tunnel->conn, tunnel->bind_host, tunnel->x, waiting->from,
                                               waiting->from_port);
  tunnel_join (tunnel, g_steal_pointer (&waiting->stream), ssh_conn_channel_stream (channel), waiting->from,
               waiting->first_us);
  waiting_free (waiting);
}

static void
waited_enough (gpointer data)
{
  Ports *ports = data;
  gint64 now = far_clock_boottime_us ();
  Waiting *first;
  while ((first = g_queue_peek_head (&ports->waiting)) != NULL &&
         now - first->since_us >= TUNNEL_WAITING_US) {
    say_refused (ports, "the terminal is not connected", first->from);
    waiting_free (g_queue_pop_head (&ports->waiting));
  }
  if (first != NULL)
    far_loop_timer_set (ports->timer, first->since_us + TUNNEL_WAITING_US);
}

static void
ssh_ports_hold (Ports *ports, Waiting *waiting)
{
  g_queue_push_tail (&ports->waiting, waiting);
  if (ports->timer == NULL)
    ports->timer = far_loop_timer (ports->tunnel->loop, waiting->since_us + TUNNEL_WAITING_US, waited_enough,
                                   ports);
  else if (g_queue_get_length (&ports->waiting) == 1)
    far_loop_timer_set (ports->timer, waiting->since_us + TUNNEL_WAITING_US);
}

static void
ssh_ports_take (Ports *ports, FarStream *stream, const char *from, guint16 from_port, gint64 first_us)
{
  Waiting *waiting = g_new0 (Waiting, 1);
  *waiting = (Waiting){ stream, g_strdup (from != NULL ? from : "127.0.0.1"), from_port,
                        far_clock_boottime_us (), first_us };
  if (ports->tunnel->conn != NULL)
    go_through (ports, waiting);
  else
    ssh_ports_hold (ports, waiting);
}

void
ports_link_up (Ports *ports)
{
  if (ports->up_us == 0)
    ports->up_us = far_clock_boottime_us ();
  Waiting *waiting;
  while ((waiting = g_queue_pop_head (&ports->waiting)) != NULL)
    go_through (ports, waiting);
}

void
ports_attach (Ports *ports, FarStream *stream, const char *from)
{
  const char *cause = no_room (ports);
  if (cause == NULL) {
    ssh_ports_take (ports, stream, from, 0, 0);
    return;
  }
  say_refused (ports, cause, from);
  ssh_stream_discard (stream);
}

static void
came_to_y (int fd, const struct sockaddr *address, const char *from, FarPass *pass, gpointer user)
{
  Ports *ports = user;
  const char *cause = why_not (ports, fd, from);
  int on = 1;
  if (ports->tunnel->closed) { /* the person's client that tries again: nothing to tell */
    ssh_ports_reset_fd (fd);
    return;
  }
  if (cause != NULL) {
    ssh_ports_reset_fd (fd);
    say_refused (ports, cause, from);
    return;
  }
  ports->used = TRUE;
  setsockopt (fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ssh_ports_take (ports, far_stream_fd_new (ports->tunnel->loop, fd), from,
                  ntohs (((const struct sockaddr_in *) (const void *) address)->sin_port),
                  ports->rules.raw ? 0 : SILENT_US);
}

static void
came_to_x (int fd, const struct sockaddr *address, const char *from, FarPass *pass, gpointer user)
{
  ssh_ports_reset_fd (fd);
  say_refused (user, "a connection to X from this machine", from);
}

/* ---- life ---- */

Ports *
ports_new (Tunnel *tunnel, int x_fd, int y_fd, const PortRules *rules)
{
  Ports *ports = g_new0 (Ports, 1);
  ports->tunnel = tunnel;
  ports->fd[0] = x_fd;
  ports->fd[1] = y_fd;
  ports->rules = *rules;
  ports->rules.person_address = g_strdup (rules->person_address);
  g_queue_init (&ports->waiting);
  return ports;
}

void
ports_open (Ports *ports)
{
  FarAcceptorSpec x = { .name = "port X of a session", .came = came_to_x, .user = ports };
  FarAcceptorSpec y = { .name = "port Y of a session", .nodelay = TRUE, .came = came_to_y, .user = ports };
  ports->acceptor[0] = ports->fd[0] >= 0 ? far_acceptor_new (ports->tunnel->loop, ports->fd[0], &x) : NULL;
  ports->acceptor[1] = ports->fd[1] >= 0 ? far_acceptor_new (ports->tunnel->loop, ports->fd[1], &y) : NULL;
}

void
ports_shut (Ports *ports)
{
  Waiting *waiting;
  while ((waiting = g_queue_pop_head (&ports->waiting)) != NULL)
    waiting_free (waiting);
}

void
ports_close (Ports *ports)
{
  say_unsaid (ports);
  for (guint i = 0; i < 2; i++) {
    g_clear_pointer (&ports->acceptor[i], far_acceptor_free);
    if (ports->fd[i] >= 0)
      close (ports->fd[i]);
    ports->fd[i] = -1;
  }
  g_clear_pointer (&ports->timer, far_loop_timer_free);
  ports_shut (ports);
}

void
ports_free (Ports *ports)
{
  if (ports == NULL)
    return;
  g_free (ports->rules.person_address);
  g_free (ports);
}
