/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The listener. A connection passes core's gate, core's TLS with its check of certificates, and then becomes
 * a *guest*: a fence between its TLS stream and the stack. Who has not proved who it is keeps its place
 * before login, and with that the gate's limits of time and bytes. Everything of a guest is at the I/O thread
 * but for the two steps that ask the stack for a connection. */
#include "config.h"

#include "registrar.h"

#include <farwatch/trust.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOK_US (10 * (gint64) G_USEC_PER_SEC)
#define PER_SECOND 20
#define USER_TIMEOUT_MS 60000u

struct _SipServer {
  gint refs;
  FarInstance *at;
  FarLoop *loop;
  FarGate *gate;
  FarTls *tls;
  int fd; /* core's */
  SipStack *stack;
  RegistrarProof proof;
  /* loop */
  gsize message_max;
  gboolean ended;
  FarAcceptor *acceptor;
  FarLoopTimer *timer, *patience;
  GPtrArray *guests; /* of SipGuest, a reference each */
};

struct _SipGuest {
  gint refs;
  SipServer *server;
  char *from, *node; /* node NULL: without a certificate */
  guint port;
  /* loop */
  FarPass *pass;
  FarTlsAccept *accept; /* NULL: its handshake is over */
  FarStream *stream;    /* waits for the stack's connection */
  gboolean proved, ended;
  guint64 flow;
  int fd;
  GError *error;
  /* Any thread reads it; it is set once. */
  SipFence *fence;
};

static void
sip_server_unref (SipServer *server)
{
  if (!g_atomic_int_dec_and_test (&server->refs))
    return;
  g_ptr_array_unref (server->guests);
  far_gate_free (server->gate);
  far_tls_unref (server->tls);
  g_free (server);
}

void
sip_guest_unref (gpointer data)
{
  SipGuest *guest = data;
  if (guest == NULL || !g_atomic_int_dec_and_test (&guest->refs))
    return;
  if (guest->fence != NULL)
    sip_fence_unref (guest->fence);
  g_clear_error (&guest->error);
  sip_server_unref (guest->server);
  g_free (guest->from);
  g_free (guest->node);
  g_free (guest);
}

static SipGuest *
guest_ref (SipGuest *guest)
{
  g_atomic_int_inc (&guest->refs);
  return guest;
}

/* ---- ends ---- */

static void
guest_lost (gpointer data)
{
  SipGuest *guest = data;
  sip_stack_lost (guest->server->stack, guest->flow);
  sip_guest_unref (guest);
}

/* [loop] Nothing of it is left but references. */
static void
guest_over (SipGuest *guest)
{
  if (guest->ended)
    return;
  guest->ended = TRUE;
  far_gate_leave (g_steal_pointer (&guest->pass));
  far_stream_free (g_steal_pointer (&guest->stream));
  if (guest->flow != 0)
    far_loop_post (sip_stack_loop (guest->server->stack), guest_lost, guest_ref (guest));
  g_ptr_array_remove_fast (guest->server->guests, guest);
}

static void
guest_fence_ended (const char *cause, gpointer user)
{
  g_debug ("SIP connection from %s: %s", ((SipGuest *) user)->from, cause != NULL ? cause : "closed");
  guest_over (user);
}

/* [loop] */
static void
guest_end (SipGuest *guest, const char *cause)
{
  if (guest->accept != NULL)
    far_tls_accept_cancel (guest->accept, cause);
  else if (guest->fence != NULL)
    sip_fence_end (guest->fence, cause);
  else
    guest_over (guest);
}

static void
sip_guest_evicted (gpointer data)
{
  guest_end (data, "others wait");
}

void
sip_guest_close (SipGuest *guest, const char *cause)
{
  SipFence *fence = g_atomic_pointer_get (&guest->fence);
  if (fence != NULL)
    sip_fence_close (fence, cause);
}

gint64
sip_guest_seen_us (SipGuest *guest)
{
  SipFence *fence = g_atomic_pointer_get (&guest->fence);
  return fence != NULL ? sip_fence_seen_us (fence) : far_clock_boottime_us ();
}

/* ---- proved ---- */

static void
guest_prove (SipGuest *guest)
{
  if (guest->proved || guest->ended)
    return;
  guest->proved = TRUE;
  far_gate_verified (guest->pass);
}

static void
guest_proved_here (gpointer data)
{
  guest_prove (data);
  sip_guest_unref (data);
}

void
sip_guest_proved (SipGuest *guest)
{
  far_loop_post (guest->server->loop, guest_proved_here, guest_ref (guest));
}

/* ---- to the stack ---- */

/* [loop] */
static void
guest_connected (gpointer data)
{
  SipGuest *guest = data;
  SipServer *server = guest->server;
  const SipFenceSpec spec = { .flow = guest->flow,
                              .address = guest->from,
                              .port = guest->port,
                              .message_max = server->message_max,
                              .ended = guest_fence_ended,
                              .user = guest };
  if (guest->error != NULL)
    far_log_limited (server->at, "stack", "%s", guest->error->message);
  if (guest->ended || guest->fd < 0) {
    if (guest->fd >= 0)
      close (guest->fd);
    if (guest->ended && guest->flow != 0 && !server->ended)
      far_loop_post (sip_stack_loop (server->stack), guest_lost, guest_ref (guest));
    guest_over (guest);
  } else {
    FarStream *stack = far_stream_fd_new (server->loop, guest->fd);
    g_atomic_pointer_set (&guest->fence, sip_fence_new (g_steal_pointer (&guest->stream), stack, &spec));
  }
  sip_guest_unref (guest);
}

/* [the stack's loop] */
static void
guest_connect (gpointer data)
{
  SipGuest *guest = data;
  const SipStackPeer peer = { guest->node, guest->from, guest->port, guest_ref (guest) };
  SipFlow *flow = sip_stack_connect (guest->server->stack, &peer, &guest->fd, &guest->error);
  if (flow != NULL)
    guest->flow = flow->id;
  else
    sip_guest_unref (guest);
  far_loop_post (guest->server->loop, guest_connected, guest);
}

/* ---- coming ---- */

static void
guest_heard (gpointer data)
{
  far_gate_heard (((SipGuest *) data)->pass);
}

/* Core has judged the certificate; its name must be able to be an account's. */
static gboolean
guest_may (SipGuest *guest, FarStream *stream)
{
  const char *node = stream != NULL ? far_tls_peer (stream) : NULL;
  gboolean named = node != NULL && far_object_name_ok (node);
  if (stream == NULL || guest->server->ended)
    return FALSE;
  guest->node = named ? g_strdup (node) : NULL;
  if (named || (node == NULL &&
                (guest->server->proof == REGISTRAR_EITHER || guest->server->proof == REGISTRAR_DIGEST)))
    return TRUE;
  far_count ("certificates", 1);
  return FALSE;
}

static void
guest_shaken (FarStream *stream, const char *cause, gpointer user)
{
  SipGuest *guest = user;
  guest->accept = NULL;
  if (!guest_may (guest, stream)) {
    far_stream_free (stream);
    guest_over (guest);
    return;
  }
  guest->stream = stream;
  if (guest->node != NULL && guest->server->proof != REGISTRAR_BOTH)
    guest_prove (guest);
  far_loop_post (sip_stack_loop (guest->server->stack), guest_connect, guest_ref (guest));
}

static const FarTlsAcceptFuncs guest_accept = { guest_heard, guest_shaken };

/* A peer whose machine has gone is noticed without a word of SIP. */
static void
guest_keep_alive (int fd)
{
  const int on = 1, idle_s = 60, interval_s = 15, times = 4;
  setsockopt (fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt (fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
  setsockopt (fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
  setsockopt (fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof times);
}

static guint
port_of (const struct sockaddr *address)
{
  if (address->sa_family == AF_INET6)
    return ntohs (((const struct sockaddr_in6 *) address)->sin6_port);
  return address->sa_family == AF_INET ? ntohs (((const struct sockaddr_in *) address)->sin_port) : 0;
}

static void
server_came (int fd, const struct sockaddr *address, const char *from, FarPass *pass, gpointer user)
{
  SipServer *server = user;
  SipGuest *guest = g_new0 (SipGuest, 1);
  g_atomic_int_inc (&server->refs);
  *guest = (SipGuest){ .refs = 1,
                       .server = server,
                       .from = g_strdup (from),
                       .port = port_of (address),
                       .pass = pass,
                       .fd = -1 };
  g_ptr_array_add (server->guests, guest);
  guest_keep_alive (fd);
  guest->accept = far_tls_accept (server->tls, server->loop, fd, from, &guest_accept, guest);
  far_gate_evictable (pass, server->loop, sip_guest_evicted, guest);
}

/* ---- time ---- */

static void
server_look (gpointer data)
{
  SipServer *server = data;
  g_autoptr (GError) error = NULL;
  gboolean changed = FALSE;
  if (!far_tls_refresh (server->tls, &changed, &error))
    far_log_limited (server->at, "certificate", _ ("new certificate is not used: %s"), error->message);
  far_loop_timer_set (server->timer, far_clock_boottime_us () + LOOK_US);
}

/* Who does not say who it is. */
static void
server_patience (gpointer data)
{
  SipServer *server = data;
  const char *cause;
  for (guint i = server->guests->len; i-- > 0;) {
    SipGuest *guest = server->guests->pdata[i];
    if (guest->accept == NULL && !guest->proved && far_gate_over (guest->pass, &cause))
      guest_end (guest, cause);
  }
  far_loop_timer_set (server->patience, far_clock_boottime_us () + G_USEC_PER_SEC);
}

/* ---- life ---- */

static void
server_begin (gpointer data)
{
  SipServer *server = data;
  const FarAcceptorSpec spec = { .at = server->at,
                                 .gate = server->gate,
                                 .per_second = PER_SECOND,
                                 .nodelay = TRUE,
                                 .user_timeout_ms = USER_TIMEOUT_MS,
                                 .came = server_came,
                                 .user = server };
  server->acceptor = far_acceptor_new (server->loop, server->fd, &spec);
  server->timer = far_loop_timer (server->loop, far_clock_boottime_us () + LOOK_US, server_look, server);
  server->patience = far_loop_timer (server->loop, far_clock_boottime_us () + G_USEC_PER_SEC, server_patience,
                                     server);
}

static void
server_limits (const RegistrarOptions *options, FarGateLimits *limits)
{
  *limits = (FarGateLimits){ .total = (guint) options->connections,
                             .per_address = (guint) options->per_address,
                             .unverified_total = (guint) options->unverified,
                             .trusted = (const char *const *) options->trusted,
                             .total_option = "connections",
                             .per_address_option = "per-address",
                             .unverified_option = "unverified" };
}

SipServer *
sip_server_new (FarInstance *at, const RegistrarOptions *options, int fd, SipStack *stack, GError **error)
{
  const FarTlsSpec spec = { .at = at,
                            .server = TRUE,
                            .cert = options->cert,
                            .key = options->key,
                            .ca = options->proof == REGISTRAR_DIGEST ? NULL : options->ca,
                            .purpose = FAR_PURPOSE_NODE_CLIENT };
  FarTls *tls = far_tls_new (&spec, error);
  FarGateLimits limits;
  SipServer *server;
  if (tls == NULL)
    return NULL;
  server = g_new0 (SipServer, 1);
  server_limits (options, &limits);
  *server = (SipServer){ .refs = 1,
                         .at = at,
                         .loop = far_loop_pick (),
                         .gate = far_gate_new (NULL, &limits),
                         .tls = tls,
                         .fd = fd,
                         .stack = stack,
                         .proof = (RegistrarProof) options->proof,
                         .message_max = (gsize) options->message_size,
                         .guests = g_ptr_array_new_with_free_func (sip_guest_unref) };
  far_loop_post (server->loop, server_begin, server);
  return server;
}

typedef struct {
  SipServer *server;
  gsize message_max;
} ServerChange;

static void
server_change (gpointer data)
{
  ServerChange *change = data;
  if (!change->server->ended) {
    change->server->message_max = change->message_max;
    server_look (change->server);
  }
  sip_server_unref (change->server);
  g_free (change);
}

void
sip_server_reload (SipServer *server, const RegistrarOptions *options)
{
  ServerChange *change = g_new (ServerChange, 1);
  FarGateLimits limits;
  server_limits (options, &limits);
  far_gate_set_limits (server->gate, &limits);
  far_tls_set_files (server->tls, options->cert, options->key,
                     options->proof == REGISTRAR_DIGEST ? NULL : options->ca);
  *change = (ServerChange){ server, (gsize) options->message_size };
  g_atomic_int_inc (&server->refs);
  far_loop_post (server->loop, server_change, change);
}

static void
server_end (gpointer data)
{
  SipServer *server = data;
  server->ended = TRUE;
  g_clear_pointer (&server->acceptor, far_acceptor_free);
  g_clear_pointer (&server->timer, far_loop_timer_free);
  g_clear_pointer (&server->patience, far_loop_timer_free);
  for (guint i = server->guests->len; i-- > 0;)
    guest_end (server->guests->pdata[i], "the registrar has ended");
}

void
sip_server_free (SipServer *server)
{
  if (server == NULL)
    return;
  far_loop_call (server->loop, server_end, server);
  sip_server_unref (server);
}
