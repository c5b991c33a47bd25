/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The stack's thread, its agent and its connections. The thread runs sofia-sip's own loop; what core posts
 * wakes it by an eventfd. The agent listens at 127.0.0.1 alone. Whoever connects there without being a fence
 * of ours gets no answer from us, and is thrown out at the next second. */
#include "config.h"

#include "sip-stack-private.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICK_US G_USEC_PER_SEC
#define READ_MAX (8 * 1024 * 1024) /* the fence sees to the size of messages */
/* Answers of one connection that wait for it. One more would be lost, and the library ends the program when
 * an ACK comes to an INVITE whose answer was lost; a fence that has answers waiting reads no more requests.
 */
#define QUEUE_MAX 1000
#define RECEIVE_BYTES (128 * 1024)
#define FDS_MAX 4096

static void
stack_unref (gpointer data)
{
  SipStack *stack = data;
  if (!g_atomic_int_dec_and_test (&stack->refs))
    return;
  g_clear_error (&stack->error);
  g_free (stack->host);
  g_free (stack->port_text);
  g_free (stack->realm);
  g_free (stack);
}

FarLoop *
sip_stack_loop (SipStack *stack)
{
  return stack->loop;
}

/* ---- flows ---- */

/* A fence's end of a connection to the agent; *local: its port. */
static int
flow_dial (SipStack *stack, guint *local, GError **error)
{
  struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  struct sockaddr_in here = at;
  socklen_t size = sizeof here;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  at.sin_port = htons ((guint16) stack->listens);
  if (fd < 0 || (connect (fd, (struct sockaddr *) &at, sizeof at) != 0 && errno != EINPROGRESS) ||
      getsockname (fd, (struct sockaddr *) &here, &size) != 0) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE, "connection to the SIP stack: %s",
                 g_strerror (errno));
    if (fd >= 0)
      close (fd);
    return -1;
  }
  *local = ntohs (here.sin_port);
  return fd;
}

SipFlow *
sip_stack_connect (SipStack *stack, const SipStackPeer *peer, int *fd, GError **error)
{
  guint local;
  FlowIn *flow;
  *fd = flow_dial (stack, &local, error);
  if (*fd < 0)
    return NULL;
  flow = g_new0 (FlowIn, 1);
  *flow = (FlowIn){ .flow = { .id = ++stack->last_flow,
                              .account = g_strdup (peer->account),
                              .address = g_strdup (peer->address),
                              .port = peer->port,
                              .peer = peer->peer,
                              .used_us = far_clock_boottime_us () },
                    .stack = stack,
                    .local = local,
                    .requests = G_QUEUE_INIT,
                    .targeted = G_QUEUE_INIT };
  g_hash_table_replace (stack->by_port, GUINT_TO_POINTER (local), flow);
  g_hash_table_replace (stack->by_id, &flow->flow.id, flow);
  stack->spec.flow_came (&flow->flow, stack->spec.user);
  return &flow->flow;
}

SipFlow *
sip_stack_flow (SipStack *stack, guint64 id)
{
  FlowIn *flow = g_hash_table_lookup (stack->by_id, &id);
  return flow != NULL ? &flow->flow : NULL;
}

/* The library finds the connection's end by itself, behind what is still in it: shut in the middle of a
 * message, it would lose memory. */
static void
flow_free (FlowIn *flow)
{
  if (flow->tport != NULL)
    tport_unref (flow->tport);
  g_free (flow->flow.account);
  g_free (flow->flow.address);
  g_free (flow->flow.nonce);
  g_free (flow);
}

void
sip_stack_lost (SipStack *stack, guint64 id)
{
  FlowIn *flow = g_hash_table_lookup (stack->by_id, &id);
  if (flow == NULL)
    return;
  g_hash_table_remove (stack->by_id, &id);
  if (g_hash_table_lookup (stack->by_port, GUINT_TO_POINTER (flow->local)) == flow)
    g_hash_table_remove (stack->by_port, GUINT_TO_POINTER (flow->local));
  stack->spec.flow_gone (&flow->flow, stack->spec.user);
  while (flow->requests.head != NULL)
    sip_forward_abandon (flow->requests.head->data);
  while (flow->targeted.head != NULL)
    sip_forward_target_gone (flow->targeted.head->data);
  flow_free (flow);
}

/* Fences come from 127.0.0.1 alone. The same port of another address of this machine is somebody else's, and
 * would be taken for the fence: 0. */
static guint
tport_port (tport_t *tport)
{
  const su_addrinfo_t *address = tport_get_address (tport);
  const struct sockaddr_in *in = address != NULL ? (const struct sockaddr_in *) address->ai_addr : NULL;
  return in != NULL && in->sin_family == AF_INET && in->sin_addr.s_addr == htonl (INADDR_LOOPBACK)
             ? ntohs (in->sin_port)
             : 0;
}

FlowIn *
sip_stack_by_tport (SipStack *stack, tport_t *tport)
{
  FlowIn *flow = g_hash_table_lookup (stack->by_port, GUINT_TO_POINTER (tport_port (tport)));
  if (flow != NULL && flow->tport == NULL)
    flow->tport = tport_ref (tport);
  return flow != NULL && flow->tport == tport ? flow : NULL;
}

gboolean
sip_flow_writable (const FlowIn *flow)
{
  return flow->tport != NULL && tport_is_clear_to_send (flow->tport) &&
         tport_queuelen (flow->tport) < QUEUE_MAX / 4;
}

/* Connections at the loopback port that are of no fence, or of one that has ended. The walk begins anew
 * behind each that is closed, as that changes the list. */
static void
stack_reap (SipStack *stack)
{
  tport_t *tport = tport_secondary (stack->primary);
  while (tport != NULL) {
    if (g_hash_table_contains (stack->by_port, GUINT_TO_POINTER (tport_port (tport)))) {
      sip_stack_by_tport (stack, tport);
      tport = tport_next (tport);
    } else {
      tport_shutdown (tport, 2);
      tport = tport_secondary (stack->primary);
    }
  }
}

static void
stack_second (gpointer data)
{
  SipStack *stack = data;
  stack_reap (stack);
  sip_forward_expire (stack);
  stack->spec.second (stack->spec.user);
  far_loop_timer_set (stack->tick, far_clock_boottime_us () + TICK_US);
}

guint
sip_stack_under_way (SipStack *stack)
{
  return stack->requests.length;
}

/* ---- the agent ---- */

static void
stack_no_log (void *stream, const char *format, va_list ap)
{
}

/* What our Via lines say: the agent believes to be at its loopback port, by TCP. */
static gboolean
stack_dress (SipStack *stack)
{
  tport_t *primary = tport_primaries (nta_agent_tports (stack->agent));
  sip_via_t *via = primary != NULL ? (sip_via_t *) tport_magic (primary) : NULL;
  if (via == NULL || via->v_next != NULL)
    return FALSE;
  stack->primary = primary;
  stack->listens = (guint) g_ascii_strtoull (tport_name (primary)->tpn_port, NULL, 10);
  via->v_protocol = sip_transport_tls;
  via->v_host = stack->host;
  via->v_port = stack->port_text;
  return stack->listens != 0;
}

static gboolean
is_listener (int fd, guint port)
{
  struct sockaddr_in at = { .sin_family = AF_UNSPEC };
  socklen_t size = sizeof at, flag_size = sizeof (int);
  int listens = 0;
  return getsockname (fd, (struct sockaddr *) &at, &size) == 0 && at.sin_family == AF_INET &&
         at.sin_addr.s_addr == htonl (INADDR_LOOPBACK) && ntohs (at.sin_port) == port &&
         getsockopt (fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &flag_size) == 0 && listens != 0;
}

/* What waits in the kernel for one connection is read at once and must be less than what the library takes
 * for a message, or it gives the connection up. It shows its socket to nobody, so we look for it. */
static void
stack_narrow (SipStack *stack)
{
  const int bytes = RECEIVE_BYTES;
  for (int fd = 0; fd < FDS_MAX; fd++)
    if (is_listener (fd, stack->listens)) {
      setsockopt (fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
      return;
    }
}

static gboolean
stack_agent (SipStack *stack)
{
  stack->agent = nta_agent_create (stack->root, URL_STRING_MAKE ("sip:127.0.0.1:*;transport=tcp"), NULL, NULL,
                                   NTATAG_UA (0), NTATAG_CANCEL_487 (0), NTATAG_MERGE_482 (0),
                                   NTATAG_SERVER_RPORT (1), NTATAG_CLIENT_RPORT (0), NTATAG_USE_NAPTR (0),
                                   NTATAG_USE_SRV (0), NTATAG_BAD_REQ_MASK (~0u), NTATAG_BAD_RESP_MASK (~0u),
                                   NTATAG_MAXSIZE (READ_MAX), NTATAG_MAX_PROCEEDING (1000000),
                                   NTATAG_TIMER_C (SIP_RINGING_MAX_S * 1000), TPTAG_PONG2PING (0),
                                   TPTAG_QUEUESIZE (QUEUE_MAX), TAG_END ());
  if (stack->agent == NULL || !stack_dress (stack))
    return FALSE;
  stack_narrow (stack);
  stack->leg = nta_leg_tcreate (stack->agent, sip_request_came, stack, NTATAG_NO_DIALOG (1), TAG_END ());
  return stack->leg != NULL;
}

/* ---- the thread ---- */

static int
stack_woken (SipStack *magic, su_wait_t *wait, SipStack *stack)
{
  guint64 times;
  if (read (stack->wake, &times, sizeof times) > 0)
    far_loop_run_posted (stack->loop);
  if (g_atomic_int_get (&stack->stopping) != 0)
    su_root_break (stack->root);
  return 0;
}

static void
stack_wake (gpointer data)
{
  SipStack *stack = data;
  const guint64 one = 1;
  if (write (stack->wake, &one, sizeof one) < 0 && errno != EAGAIN)
    g_warning ("SIP stack: %s", g_strerror (errno));
}

static void
stack_told (gpointer data)
{
  SipStack *stack = data;
  if (stack->begun != NULL)
    stack->begun (stack->error, stack->begun_user);
  stack_unref (stack);
}

static gboolean
stack_start (SipStack *stack)
{
  su_wait_t wait;
  su_log_redirect (NULL, stack_no_log, NULL);
  stack->root = su_root_create (stack);
  if (stack->root == NULL || su_wait_create (&wait, stack->wake, SU_WAIT_IN) != 0 ||
      su_root_register (stack->root, &wait, stack_woken, stack, 0) < 0 || !stack_agent (stack)) {
    stack->error = g_error_new (FAR_ERROR, FAR_ERROR_UNAVAILABLE, "SIP stack does not begin: %s",
                                g_strerror (errno));
    return FALSE;
  }
  stack->tick = far_loop_timer (stack->loop, far_clock_boottime_us () + TICK_US, stack_second, stack);
  return TRUE;
}

static void
stack_end (SipStack *stack)
{
  GHashTableIter iter;
  gpointer id;
  g_clear_pointer (&stack->tick, far_loop_timer_free);
  while (g_hash_table_iter_init (&iter, stack->by_id), g_hash_table_iter_next (&iter, &id, NULL))
    sip_stack_lost (stack, *(guint64 *) id);
  if (stack->leg != NULL)
    nta_leg_destroy (stack->leg);
  if (stack->agent != NULL)
    nta_agent_destroy (stack->agent);
  if (stack->root != NULL)
    su_root_destroy (stack->root);
}

static gpointer
stack_thread (gpointer data)
{
  SipStack *stack = data;
  gboolean good;
  su_init ();
  far_loop_external_bind (stack->loop);
  good = stack_start (stack);
  g_atomic_int_inc (&stack->refs);
  far_loop_post (far_loop_main (), stack_told, stack);
  if (good)
    su_root_run (stack->root);
  stack_end (stack);
  su_deinit ();
  return NULL;
}

static void
stack_fill (SipStack *stack, const SipStackSpec *spec, const SipStackLimits *limits)
{
  stack->host = g_strdup (spec->host);
  stack->port_text = g_strdup_printf ("%u", spec->port);
  stack->realm = g_strdup (spec->realm);
  stack->spec = *spec;
  stack->spec.host = stack->host;
  stack->spec.realm = stack->realm;
  stack->limits = *limits;
  stack->by_port = g_hash_table_new (NULL, NULL);
  stack->by_id = g_hash_table_new (g_int64_hash, g_int64_equal);
  g_queue_init (&stack->requests);
}

SipStack *
sip_stack_new (FarInstance *at, const SipStackSpec *spec, const SipStackLimits *limits)
{
  SipStack *stack = g_new0 (SipStack, 1);
  stack->refs = 1;
  stack->at = at;
  stack->wake = eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
  stack_fill (stack, spec, limits);
  stack->loop = far_loop_external_new ("sip", stack_wake, stack);
  return stack;
}

void
sip_stack_begin (SipStack *stack, void (*begun) (const GError *error, gpointer user), gpointer user)
{
  stack->begun = begun;
  stack->begun_user = user;
  stack->thread = far_thread_new ("sip", stack_thread, stack);
}

static void
stack_stop_here (gpointer data)
{
  g_atomic_int_set (&((SipStack *) data)->stopping, 1);
}

void
sip_stack_free (SipStack *stack)
{
  if (stack == NULL)
    return;
  stack->begun = NULL;
  far_loop_post (stack->loop, stack_stop_here, stack);
  g_thread_join (stack->thread);
  far_loop_external_free (stack->loop);
  close (stack->wake);
  g_hash_table_unref (stack->by_port);
  g_hash_table_unref (stack->by_id);
  stack_unref (stack);
}

void
sip_stack_limit (SipStack *stack, const SipStackLimits *limits)
{
  stack->limits = *limits;
}
