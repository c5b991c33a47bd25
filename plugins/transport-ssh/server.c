/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tunnel end: terminals come here. Key exchange and login run on the handshake thread; with a token for a
 * session a conn moves to that session's loop and may ask for one thing, that what reaches X be sent to it.
 * (spec B6, B7) */
#include "config.h"

#include "ssh.h"

#include <farwatch/acceptor.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ASK_WITHIN_US (10 * (gint64) G_USEC_PER_SEC)

struct _SshListener {
  Ssh *self; /* main only */
  FarLoop *loop;
  SshAuth *auth;
  FarGate *gate;
  int fd; /* core's */
  /* loop */
  ssh_bind bind;
  FarAcceptor *acceptor;
  GPtrArray *guests;
};

/* ---- links: a conn that is in ---- */

typedef struct {
  Tunnel *tunnel;
  FarPass *pass;
  FarLoopTimer *patience;
  gboolean granted, stock;
} SshLink;

static void
link_dead (SshConnection *conn, const char *cause, gpointer user)
{
  SshLink *link = user;
  g_clear_pointer (&link->patience, far_loop_timer_free);
  tunnel_link_dead (link->tunnel, conn, cause);
  far_gate_leave (link->pass);
  tunnel_unref (link->tunnel);
  g_free (link);
}

static void
forward (SshConnection *conn, SshLink *link, ssh_message message)
{
  Tunnel *tunnel = link->tunnel;
  const char *host = ssh_message_global_request_address (message);
  gboolean good = !link->granted && !tunnel->over && ssh_message_global_request_port (message) == tunnel->x &&
                  host != NULL && strlen (host) <= 255;
  ssh_conn_enter (conn);
  if (good)
    ssh_message_global_request_reply_success (message, tunnel->x);
  else
    ssh_message_reply_default (message);
  ssh_conn_leave (conn);
  if (!good) {
    tunnel_say_refused (tunnel, "the terminal asked for a port that was not granted", NULL, 1);
    return;
  }
  link->granted = TRUE;
  g_clear_pointer (&link->patience, far_loop_timer_free);
  g_free (tunnel->bind_host);
  tunnel->bind_host = g_strdup (host); /* verbatim: the terminal knows its forward by these words */
  ssh_tunnel_up (tunnel, conn, link->stock, far_clock_boottime_us ());
}

static gboolean
ssh_server_link_message (SshConnection *conn, ssh_message message, gpointer user)
{
  int type = ssh_message_type (message), subtype = ssh_message_subtype (message);
  if (type == SSH_REQUEST_GLOBAL && subtype == SSH_GLOBAL_REQUEST_TCPIP_FORWARD) {
    forward (conn, user, message);
  } else {
    ssh_conn_enter (conn);
    ssh_message_reply_default (message);
    ssh_conn_leave (conn);
  }
  return FALSE;
}

static void
link_is_late (gpointer data)
{
  ssh_conn_cut (data, "asked for nothing");
}

static void
link_arrived (SshConnection *conn, gpointer user)
{
  SshLink *link = user;
  link->patience = far_loop_timer (conn->loop, far_clock_boottime_us () + ASK_WITHIN_US, link_is_late, conn);
}

static const SshConnectionOps link_ops = { .message = ssh_server_link_message,
                                           .arrived = link_arrived,
                                           .dead = link_dead };

/* ---- guests: conns that have not logged in ---- */

typedef struct {
  SshListener *listener;
  SshConnection *conn;
  Login login;
  FarPass *pass;
  gboolean heard;
  FarLoopTimer *patience;
} Guest;

static void
guest_free (Guest *guest)
{
  g_ptr_array_remove_fast (guest->listener->guests, guest);
  g_clear_pointer (&guest->patience, far_loop_timer_free);
  ssh_login_end (&guest->login);
  far_gate_leave (guest->pass);
  g_free (guest);
}

static void
guest_dead (SshConnection *conn, const char *cause, gpointer user)
{
  guest_free (user);
}

static gboolean
guest_exchange (SshConnection *conn, gpointer user)
{
  ssh_conn_enter (conn);
  int result = ssh_handle_key_exchange (conn->session);
  ssh_conn_leave (conn);
  if (result == SSH_ERROR)
    ssh_conn_cut (conn, "no key exchange");
  return result == SSH_OK;
}

static gboolean
guest_may_go_on (SshConnection *conn, const char **cause, gpointer user)
{
  Guest *guest = user;
  if (!guest->heard && conn->counter.in_bytes > 0) {
    guest->heard = TRUE;
    far_gate_heard (guest->pass);
  }
  return !far_gate_over (guest->pass, cause);
}

static void
guest_evicted (gpointer data)
{
  ssh_conn_cut (((Guest *) data)->conn, "others wait for its place");
}

static gboolean
guest_message (SshConnection *conn, ssh_message message, gpointer user)
{
  return login_message (&((Guest *) user)->login, conn, message);
}

static const SshConnectionOps guest_ops = {
  .advance = guest_exchange, .message = guest_message, .may_go_on = guest_may_go_on, .dead = guest_dead
};

static void
guest_passed (SshConnection *conn, gpointer grant, const char *key, gpointer user)
{
  Guest *guest = user;
  SshLink *link = g_new0 (SshLink, 1);
  Tunnel *tunnel = grant;
  *link = (SshLink){ .tunnel = tunnel, .pass = g_steal_pointer (&guest->pass), .stock = key == NULL };
  far_gate_verified (link->pass);
  ssh_conn_move (conn, tunnel->loop, &link_ops, link);
  guest_free (guest);
}

/* ---- accepting ---- */

static ssh_session
session_on (SshListener *listener, int fd)
{
  ssh_session session = ssh_new ();
  ssh_conn_tune_fd (fd);
  if (session != NULL && ssh_bind_accept_fd (listener->bind, session, fd) == SSH_OK)
    return session;
  if (session == NULL || ssh_get_fd (session) < 0)
    close (fd);
  ssh_free (session);
  return NULL;
}

static void
guest_is_late (gpointer data)
{
  ssh_conn_kick (((Guest *) data)->conn); /* may_go_on() says no */
}

static void
ssh_server_came (int fd, const struct sockaddr *address, const char *from, FarPass *pass, gpointer user)
{
  SshListener *listener = user;
  ssh_session session = session_on (listener, fd);
  if (session == NULL) {
    far_gate_leave (pass);
    return;
  }
  Guest *guest = g_new0 (Guest, 1);
  *guest = (Guest){ .listener = listener, .pass = pass };
  guest->conn = ssh_conn_new (listener->loop, session, fd, &guest_ops, guest);
  guest->patience = far_loop_timer (listener->loop,
                                    far_clock_boottime_us () + FAR_GATE_SECONDS * (gint64) G_USEC_PER_SEC,
                                    guest_is_late, guest);
  login_begin (&guest->login, listener->auth, guest->conn, from, NULL);
  guest->login.passed = guest_passed;
  guest->login.user = guest;
  g_ptr_array_add (listener->guests, guest);
  far_gate_evictable (pass, listener->loop, guest_evicted, guest);
}

/* ---- life ---- */

static gpointer
ssh_server_judge (gpointer user, FarPrincipal *principal, const FarVerdict *verdict, const char *name,
                  const char *key)
{
  Ssh *self = user;
  Tunnel *tunnel = verdict->claim != NULL && g_str_has_prefix (verdict->claim, "session/")
                       ? tunnel_find (self, verdict->claim + 8)
                       : NULL;
  if (tunnel == NULL || tunnel->ending || g_strcmp0 (tunnel->terminal, name) != 0) {
    far_log_limited (self->at, "claim", "a token for '%s' came from '%s', but no tunnel waits for it here",
                     verdict->claim != NULL ? verdict->claim : "", name);
    return NULL;
  }
  return tunnel_ref (tunnel);
}

static ssh_bind
bind_new (Ssh *self, GError **error)
{
  const SshOptions *options = ssh_options (self);
  ssh_key key = ssh_key_load (self->keys, error);
  gboolean no = FALSE;
  if (key == NULL)
    return NULL;
  ssh_bind bind_ = ssh_bind_new ();
  ssh_bind_options_set (bind_, SSH_BIND_OPTIONS_PROCESS_CONFIG, &no);
  ssh_bind_options_set (bind_, SSH_BIND_OPTIONS_IMPORT_KEY, key);
  if (ssh_bind_options_set (bind_, SSH_BIND_OPTIONS_CIPHERS_C_S, options->ciphers) == 0 &&
      ssh_bind_options_set (bind_, SSH_BIND_OPTIONS_CIPHERS_S_C, options->ciphers) == 0)
    return bind_;
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, _ ("option 'ciphers': %s"), ssh_get_error (bind_));
  ssh_bind_free (bind_);
  return NULL;
}

static void
listener_open (gpointer data)
{
  SshListener *listener = data;
  FarAcceptorSpec spec = { .at = listener->self->at,
                           .gate = listener->gate,
                           .came = ssh_server_came,
                           .user = listener };
  listener->acceptor = far_acceptor_new (listener->loop, listener->fd, &spec);
}

SshListener *
listener_new (Ssh *self, int fd, GError **error)
{
  const SshOptions *options = ssh_options (self);
  FarGateLimits limits = { .total = options->connections,
                           .per_address = options->per_address,
                           .unverified_total = options->unverified,
                           .trusted = (const char *const *) options->trusted,
                           .total_option = "connections",
                           .per_address_option = "per-address",
                           .unverified_option = "unverified" };
  ssh_bind bind_ = bind_new (self, error);
  if (bind_ == NULL)
    return NULL;
  SshListener *listener = g_new0 (SshListener, 1);
  listener->self = self;
  listener->loop = ssh_handshakes (self);
  listener->fd = fd;
  listener->bind = bind_;
  listener->guests = g_ptr_array_new ();
  listener->gate = far_gate_new (NULL, &limits);
  listener->auth = ssh_auth_new ((const char *const *) options->login, "tunnel", TRUE);
  listener->auth->judge = ssh_server_judge;
  listener->auth->judge_user = self;
  listener->auth->free_grant = tunnel_unref;
  far_loop_post (listener->loop, listener_open, listener);
  return listener;
}

static void
close_listener (gpointer data)
{
  SshListener *listener = data;
  g_clear_pointer (&listener->acceptor, far_acceptor_free);
}

void
listener_no_new (SshListener *listener)
{
  far_loop_call (listener->loop, close_listener, listener);
}

static void
close_all (gpointer data)
{
  SshListener *listener = data;
  close_listener (listener);
  for (guint i = 0; i < listener->guests->len; i++)
    ssh_conn_cut (((Guest *) listener->guests->pdata[i])->conn, "the tunnel end stops");
}

static void
all_gone (gpointer data)
{
}

void
listener_free (SshListener *listener)
{
  if (listener == NULL)
    return;
  ssh_auth_stop (listener->auth);
  far_loop_call (listener->loop, close_all, listener);
  far_loop_call (listener->loop, all_gone, NULL); /* the cuts were posted before this */
  ssh_bind_free (listener->bind);
  g_ptr_array_unref (listener->guests);
  ssh_auth_unref (listener->auth);
  far_gate_free (listener->gate);
  g_free (listener);
}

/* ---- what a tunnel tells this end ---- */

static void
server_tunnel_up (Tunnel *tunnel)
{
  ports_link_up (tunnel->ports);
}

static void
server_tunnel_shut (Tunnel *tunnel)
{
  ports_shut (tunnel->ports);
}

static void
server_tunnel_over (Tunnel *tunnel)
{
  ports_close (tunnel->ports);
}

static void
server_tunnel_ended (Tunnel *tunnel)
{
  ports_rest (tunnel->self, tunnel->x);
  ports_rest (tunnel->self, tunnel->y);
}

static void
server_tunnel_free (Tunnel *tunnel)
{
  ports_free (tunnel->ports);
}

static const TunnelEnd server_end = { .link_up = server_tunnel_up,
                                      .shut = server_tunnel_shut,
                                      .over = server_tunnel_over,
                                      .ended = server_tunnel_ended,
                                      .free = server_tunnel_free };

/* ---- reservations, on main ---- */

static void
open_ports (gpointer data)
{
  Tunnel *tunnel = data;
  if (!tunnel->over)
    ports_open (tunnel->ports);
  tunnel_unref (tunnel);
}

static FarTunnel *
tunnel_result (Ssh *self, guint16 x, guint16 y)
{
  FarTunnel *result = g_new0 (FarTunnel, 1);
  *result = (FarTunnel){ x, y, g_strdup (self->y_host),
                         json_pack ("{s:s, s:s, s:i}", "address", self->address, "host_key", self->host_key,
                                    "x", (int) x) };
  return result;
}

void
server_reserve (gpointer data, const FarCarrierSpec *spec, FarCarrier *carrier, FarRequest *req)
{
  Ssh *self = data;
  const SshOptions *options = ssh_options (self);
  GError *error = NULL;
  guint16 port[2];
  int fd[2];
  if (self->listener == NULL) {
    far_request_fail_new (req, FAR_ERROR_CONFIG, _ ("'%s' has no listener: give it 'listen'"),
                          far_instance_name (self->at));
    return;
  }
  if (tunnel_find (self, spec->session) != NULL) {
    far_request_fail_new (req, FAR_ERROR_CONFLICT, _ ("session '%s' has a tunnel already"), spec->session);
    return;
  }
  if (spec->entry == FAR_ENTRY_PORTS && spec->person_address == NULL) {
    far_request_fail_new (req, FAR_ERROR_DENIED, "%s", _ ("a port Y is for one address, and none is known"));
    return;
  }
  if (!ports_draw (self, spec->entry == FAR_ENTRY_PORTS, fd, port, &error)) {
    far_request_fail (req, error);
    return;
  }
  Tunnel *tunnel = tunnel_new (self, &server_end, carrier, spec->length_us);
  PortRules rules = { spec->raw, (char *) spec->person_address, options->y_connections };
  tunnel->terminal = g_strdup (spec->peer);
  tunnel->x = port[0];
  tunnel->y = port[1];
  tunnel->ports = ports_new (tunnel, fd[0], fd[1], &rules);
  far_loop_post (tunnel->loop, open_ports, tunnel_ref (tunnel));
  tunnel_unref (tunnel);
  far_request_done (req, tunnel_result (self, port[0], port[1]), (GDestroyNotify) far_tunnel_free);
}

typedef struct {
  Tunnel *tunnel;
  FarStream *stream;
  char *from;
} Attach;

static void
attach (gpointer data)
{
  Attach *order = data;
  if (order->tunnel->over || order->tunnel->closed)
    ssh_stream_discard (order->stream);
  else
    ports_attach (order->tunnel->ports, order->stream, order->from);
  tunnel_unref (order->tunnel);
  g_free (order->from);
  g_free (order);
}

void
server_attach (gpointer data, FarCarrier *carrier, FarStream *stream, const char *from)
{
  Tunnel *tunnel = tunnel_of (data, carrier);
  if (tunnel == NULL || tunnel->ports == NULL) {
    ssh_stream_discard (stream);
    return;
  }
  Attach *order = g_new0 (Attach, 1);
  *order = (Attach){ tunnel_ref (tunnel), stream, g_strdup (from) };
  far_loop_post (tunnel->loop, attach, order);
}
