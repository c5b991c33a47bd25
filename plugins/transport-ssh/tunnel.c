/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A session's tunnel, at the tunnel end and at the terminal. It has a loop for life, where its links come to,
 * one after the other (a link that is lost can be replaced until the deadline); its books are kept on main.
 */
#include "config.h"

#include "ssh.h"

#include <sys/socket.h>

typedef struct {
  Tunnel *tunnel;
  FarPump *pump;
  FarPumpCounters last;
  char *from;
  gboolean booked;   /* main knows it */
  const char *cause; /* closed before main knew it */
} Join;

static void
ssh_tunnel_join_free (gpointer data)
{
  Join *join = data;
  tunnel_unref (join->tunnel);
  g_free (join->from);
  g_free (join);
}

Tunnel *
tunnel_new (Ssh *self, const TunnelEnd *end, FarCarrier *carrier, gint64 length_us)
{
  Tunnel *tunnel = g_new0 (Tunnel, 1);
  tunnel->refs = 1;
  tunnel->self = self;
  tunnel->end = end;
  tunnel->session = g_strdup (far_carrier_session (carrier));
  tunnel->loop = far_loop_pick ();
  tunnel->length_us = length_us;
  tunnel->carrier = carrier;
  tunnel->joins = g_ptr_array_new ();
  tunnel->shut_waits = g_ptr_array_new_with_free_func ((GDestroyNotify) far_request_unref);
  g_hash_table_insert (self->tunnels, tunnel->session, tunnel_ref (tunnel));
  return tunnel;
}

Tunnel *
tunnel_ref (Tunnel *tunnel)
{
  g_atomic_int_inc (&tunnel->refs);
  return tunnel;
}

void
tunnel_unref (gpointer data)
{
  Tunnel *tunnel = data;
  if (!g_atomic_int_dec_and_test (&tunnel->refs))
    return;
  g_ptr_array_unref (tunnel->joins);
  g_ptr_array_unref (tunnel->shut_waits);
  if (tunnel->end->free != NULL)
    tunnel->end->free (tunnel);
  g_free (tunnel->bind_host);
  g_free (tunnel->terminal);
  g_free (tunnel->session);
  g_free (tunnel);
}

/* ---- events, on main ---- */

static void
count_all (Tunnel *tunnel, FarCarrierEvent *event)
{
  event->bytes_up = tunnel->done_up;
  event->bytes_down = tunnel->done_down;
  for (guint i = 0; i < tunnel->joins->len; i++) {
    const Join *join = tunnel->joins->pdata[i];
    event->bytes_up += join->last.bytes_ab;
    event->bytes_down += join->last.bytes_ba;
  }
}

void
tunnel_tell (Tunnel *tunnel, FarCarrierEvent *event)
{
  count_all (tunnel, event);
  if (tunnel->carrier != NULL)
    far_carrier_tell (tunnel->carrier, event);
}

static void
tell_shut (Tunnel *tunnel)
{
  while (tunnel->shut_waits->len > 0) {
    FarRequest *req = g_ptr_array_steal_index (tunnel->shut_waits, 0);
    far_request_done (req, NULL, NULL);
    far_request_unref (req);
  }
}

static void
maybe_shut (Tunnel *tunnel)
{
  if (tunnel->loop_shut && tunnel->joins->len == 0)
    tell_shut (tunnel);
}

/* Last event, once the loop is done and every connection is closed. */
static void
tell_ended (Tunnel *tunnel)
{
  FarCarrierEvent event = { .kind = FAR_CARRIER_ENDED, .cause = tunnel->cause };
  if (tunnel->carrier == NULL)
    return;
  tunnel_ref (tunnel);
  if (tunnel->self != NULL) {
    if (tunnel->end->ended != NULL)
      tunnel->end->ended (tunnel);
    g_hash_table_remove (tunnel->self->tunnels, tunnel->session);
  }
  tell_shut (tunnel);
  tunnel_tell (tunnel, &event);
  tunnel->carrier = NULL;
  if (tunnel->self != NULL && tunnel->self->retired && g_hash_table_size (tunnel->self->tunnels) == 0)
    far_instance_retired (tunnel->self->at);
  tunnel_unref (tunnel);
}

static void
maybe_ended (Tunnel *tunnel)
{
  if (tunnel->loop_over && tunnel->joins->len == 0)
    tell_ended (tunnel);
}

typedef struct {
  Tunnel *tunnel;
  FarCarrierEvent event;
  char *from, *here;
} Said;

static void
said (gpointer data)
{
  Said *post = data;
  post->event.from = post->from;
  post->event.here = post->here;
  tunnel_tell (post->tunnel, &post->event);
  tunnel_unref (post->tunnel);
  g_free (post->from);
  g_free (post->here);
  g_free (post);
}

static void
say (Tunnel *tunnel, const FarCarrierEvent *event, const char *from)
{
  Said *post = g_new0 (Said, 1);
  *post = (Said){ tunnel_ref (tunnel), *event, g_strdup (from), g_strdup (event->here) };
  far_loop_post (far_loop_main (), said, post);
}

void
tunnel_say (Tunnel *tunnel, FarCarrierEventKind kind, const char *cause, const char *from)
{
  FarCarrierEvent event = { .kind = kind, .cause = g_intern_string (cause) };
  say (tunnel, &event, from);
}

void
tunnel_say_refused (Tunnel *tunnel, const char *cause, const char *from, guint times)
{
  FarCarrierEvent event = { .kind = FAR_CARRIER_REFUSED, .cause = g_intern_string (cause), .times = times };
  say (tunnel, &event, from);
}

/* ---- connections ---- */

static void
join_counted (FarPump *pump, const FarPumpCounters *now, gpointer user)
{
  Join *join = user;
  FarCarrierEvent event = { .kind = FAR_CARRIER_COUNTERS };
  join->last = *now;
  tunnel_tell (join->tunnel, &event);
}

static void
ssh_tunnel_forget_join (gpointer data)
{
  Tunnel *tunnel = data;
  tunnel->n_joins--;
  tunnel_unref (tunnel);
}

static void
join_end (Join *join)
{
  Tunnel *tunnel = tunnel_ref (join->tunnel);
  FarCarrierEvent event = { .kind = FAR_CARRIER_CLOSED, .cause = join->cause, .from = join->from };
  g_ptr_array_remove_fast (tunnel->joins, join);
  tunnel->done_up += join->last.bytes_ab;
  tunnel->done_down += join->last.bytes_ba;
  tunnel_tell (tunnel, &event);
  ssh_tunnel_join_free (join);
  far_loop_post (tunnel->loop, ssh_tunnel_forget_join, tunnel_ref (tunnel));
  maybe_shut (tunnel);
  maybe_ended (tunnel);
  tunnel_unref (tunnel);
}

static void
join_closed (FarPump *pump, const FarPumpCounters *total, const char *cause, gpointer user)
{
  Join *join = user;
  join->last = *total;
  join->cause = cause;
  if (join->booked) /* a pump between other loops may be done before ssh_tunnel_join_opened() has come */
    join_end (join);
}

static void
ssh_tunnel_join_opened (gpointer data)
{
  Join *join = data;
  Tunnel *tunnel = join->tunnel;
  FarCarrierEvent event = { .kind = FAR_CARRIER_OPENED, .from = join->from };
  join->booked = TRUE;
  g_ptr_array_add (tunnel->joins, join);
  tunnel_tell (tunnel, &event);
  if (join->cause != NULL)
    join_end (join);
  else if (tunnel->ending || tunnel->shut)
    far_pump_close (join->pump, tunnel->cause);
}

void
tunnel_join (Tunnel *tunnel, FarStream *a, FarStream *b, const char *from, gint64 first_us)
{
  Join *join = g_new0 (Join, 1);
  *join = (Join){ .tunnel = tunnel_ref (tunnel), .from = g_strdup (from) };
  FarPumpSpec spec = {
    .session = tunnel->session,
    .inner = "tunnel", /* a person's SSH, where its channels are legs too, or a device's bytes */
    .deadline_us = tunnel->deadline_us,
    .first_us = first_us,
    .counters = join_counted,
    .closed = join_closed,
    .user = join
  };
  tunnel->n_joins++;
  join->pump = far_pump_start (a, b, &spec);
  far_loop_post (far_loop_main (), ssh_tunnel_join_opened, join);
}

/* ---- link ---- */

static void
deadline_due (gpointer data)
{
  tunnel_over (data, "deadline");
}

static void
ssh_tunnel_set_deadline (Tunnel *tunnel, gint64 deadline_us)
{
  tunnel->deadline_us = deadline_us;
  g_clear_pointer (&tunnel->deadline, far_loop_timer_free);
  if (!tunnel->over)
    tunnel->deadline = far_loop_timer (tunnel->loop, deadline_us, deadline_due, tunnel);
}

/* NULL: it is gone already. */
static char *
address_here (const SshConnection *conn)
{
  struct sockaddr_storage own = { .ss_family = AF_UNSPEC };
  socklen_t size = sizeof own;
  return getsockname (conn->fd, (struct sockaddr *) &own, &size) == 0
             ? far_address_text ((const struct sockaddr *) &own)
             : NULL;
}

void
ssh_tunnel_up (Tunnel *tunnel, SshConnection *conn, gboolean stock, gint64 since_us)
{
  if (tunnel->over) {
    ssh_conn_cut (conn, "the session is over");
    return;
  }
  if (tunnel->conn != NULL) {
    SshConnection *old = tunnel->conn;
    tunnel_link_dead (tunnel, old, "replaced by a new link");
    ssh_conn_cut (old, "replaced by a new link");
  }
  tunnel->conn = conn;
  if (tunnel->deadline_us == 0)
    ssh_tunnel_set_deadline (tunnel, since_us + tunnel->length_us);
  g_autofree char *here = tunnel->ports != NULL ? address_here (conn) : NULL;
  FarCarrierEvent event = { .kind = FAR_CARRIER_UP,
                            .deadline_boot_us = tunnel->deadline_us,
                            .stock = stock,
                            .here = here };
  say (tunnel, &event, NULL);
  if (tunnel->end->link_up != NULL)
    tunnel->end->link_up (tunnel);
}

void
tunnel_link_dead (Tunnel *tunnel, SshConnection *conn, const char *cause)
{
  if (tunnel->conn != conn)
    return;
  tunnel->conn = NULL;
  if (!tunnel->over)
    tunnel_say (tunnel, FAR_CARRIER_LOST, cause, NULL);
}

/* ---- end ---- */

static void
loop_is_over (gpointer data)
{
  Said *post = data;
  Tunnel *tunnel = post->tunnel;
  if (!tunnel->ending)
    tunnel_end (tunnel, post->event.cause);
  tunnel->loop_over = TRUE;
  maybe_ended (tunnel);
  tunnel_unref (tunnel);
  g_free (post);
}

/* The ports are free when this returns. */
void
tunnel_over (Tunnel *tunnel, const char *cause)
{
  if (tunnel->over)
    return;
  tunnel->over = TRUE;
  g_clear_pointer (&tunnel->deadline, far_loop_timer_free);
  if (tunnel->end->over != NULL)
    tunnel->end->over (tunnel);
  if (tunnel->conn != NULL)
    ssh_conn_cut (tunnel->conn, cause);
  tunnel->conn = NULL;
  Said *post = g_new0 (Said, 1);
  *post = (Said){ .tunnel = tunnel_ref (tunnel), .event.cause = g_intern_string (cause) };
  far_loop_post (far_loop_main (), loop_is_over, post);
}

typedef struct {
  Tunnel *tunnel;
  const char *cause;
  gint64 deadline_us;
} SshOrder;

static void
order_over (gpointer data)
{
  SshOrder *order = data;
  tunnel_over (order->tunnel, order->cause);
  tunnel_unref (order->tunnel);
  g_free (order);
}

static void
order_deadline (gpointer data)
{
  SshOrder *order = data;
  ssh_tunnel_set_deadline (order->tunnel, order->deadline_us);
  tunnel_unref (order->tunnel);
  g_free (order);
}

static void
give_order (Tunnel *tunnel, FarLoopFunc func, const char *cause, gint64 deadline_us)
{
  SshOrder *order = g_new0 (SshOrder, 1);
  *order = (SshOrder){ tunnel_ref (tunnel), cause, deadline_us };
  far_loop_post (tunnel->loop, func, order);
}

static void
close_joins (Tunnel *tunnel, const char *cause)
{
  tunnel->cause = far_cause (cause); /* the other node's words, maybe */
  for (guint i = 0; i < tunnel->joins->len; i++)
    far_pump_close (((Join *) tunnel->joins->pdata[i])->pump, tunnel->cause);
}

static void
loop_is_shut (gpointer data)
{
  Tunnel *tunnel = data;
  tunnel->loop_shut = TRUE;
  maybe_shut (tunnel);
  tunnel_unref (tunnel);
}

static void
order_shut (gpointer data)
{
  SshOrder *order = data;
  order->tunnel->closed = TRUE;
  if (order->tunnel->end->shut != NULL)
    order->tunnel->end->shut (order->tunnel);
  far_loop_post (far_loop_main (), loop_is_shut, order->tunnel); /* after what has been joined before */
  g_free (order);
}

void
tunnel_shut (Tunnel *tunnel, const char *cause, FarRequest *req)
{
  g_ptr_array_add (tunnel->shut_waits, far_request_ref (req));
  if (!tunnel->shut && !tunnel->ending) {
    close_joins (tunnel, cause);
    give_order (tunnel, order_shut, NULL, 0);
  }
  tunnel->shut = TRUE;
  maybe_shut (tunnel);
}

void
tunnel_end (Tunnel *tunnel, const char *cause)
{
  if (tunnel->ending)
    return;
  tunnel->ending = TRUE;
  if (tunnel->end->ending != NULL)
    tunnel->end->ending (tunnel);
  close_joins (tunnel, cause);
  give_order (tunnel, order_over, tunnel->cause, 0);
}

void
tunnel_set_deadline (Tunnel *tunnel, gint64 boottime_us)
{
  give_order (tunnel, order_deadline, NULL, boottime_us);
  for (guint i = 0; i < tunnel->joins->len; i++)
    far_pump_set_deadline (((Join *) tunnel->joins->pdata[i])->pump, boottime_us);
}

/* What comes later finds nobody to tell. */
void
tunnel_abandon (Tunnel *tunnel)
{
  tunnel_ref (tunnel);
  tunnel_end (tunnel, "the tunnel end stops");
  tell_ended (tunnel);
  tunnel->self = NULL;
  tunnel_unref (tunnel);
}

Tunnel *
tunnel_of (Ssh *self, FarCarrier *carrier)
{
  Tunnel *tunnel = g_hash_table_lookup (self->tunnels, far_carrier_session (carrier));
  return tunnel != NULL && tunnel->carrier == carrier ? tunnel : NULL;
}

/* An older instance of this name may still hold the session that it opened. */
Tunnel *
tunnel_find (Ssh *self, const char *session)
{
  Tunnel *tunnel = g_hash_table_lookup (self->tunnels, session);
  FarInstance *old;
  for (guint i = 0;
       tunnel == NULL &&
       (old = far_instance_find_retired (FAR_KIND_TRANSPORT, far_instance_name (self->at), i)) != NULL;
       i++)
    if (far_instance_type (old) == far_instance_type (self->at))
      tunnel = g_hash_table_lookup (((Ssh *) far_instance_self (old))->tunnels, session);
  return tunnel;
}
