/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Life of a carrier at its home: TCP, wire, deadline, end. */
#include "config.h"

#include "dial.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static const char ciphers[] = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr,aes128-ctr";

Dial *
dial_new (const FarDialSpec *spec, const char *host, guint16 port, FarRequest *req)
{
  Dial *dial = g_new0 (Dial, 1);

  dial->refs = 1;
  dial->home = far_home_pick ();
  dial->session = g_strdup (spec->session);
  dial->address = g_strdup (spec->address);
  dial->host = g_strdup (host);
  dial->port = port;
  dial->host_key = g_strdup (spec->host_key);
  dial->user = g_strdup (spec->user);
  dial->token = g_strdup (spec->token);
  dial->key_path = spec->node_key ? far_node_path ("keys/ssh.key") : NULL;
  dial->node_key = spec->node_key;
  dial->x = spec->x;
  dial->length_us = spec->length_us;
  dial->req = far_request_ref (req);
  dial->fd = -1;
  dial->code = FAR_ERROR_UNAVAILABLE;
  return dial;
}

Dial *
dial_ref (Dial *dial)
{
  g_atomic_int_inc (&dial->refs);
  return dial;
}

void
dial_unref (Dial *dial)
{
  if (!g_atomic_int_dec_and_test (&dial->refs))
    return;
  if (dial->found != NULL)
    freeaddrinfo (dial->found);
  far_secret_free (dial->token);
  far_request_unref (dial->req);
  g_free (dial->session);
  g_free (dial->address);
  g_free (dial->host);
  g_free (dial->host_key);
  g_free (dial->user);
  g_free (dial->key_path);
  g_free (dial->end_cause);
  g_free (dial);
}

/* ---- reports to main ---- */

typedef struct {
  Dial *dial;
  const char *cause; /* interned */
} Report;

static void
report_down (gpointer data)
{
  Report *report = data;

  tunnel_down (report->dial, report->cause);
  dial_unref (report->dial);
  g_free (report);
}

/* The reference of the carrier's life goes with it. */
static void
dial_over (Dial *dial, const char *cause)
{
  Report *report = g_new (Report, 1);

  g_clear_pointer (&dial->watch, far_watch_free);
  g_clear_pointer (&dial->timer, far_home_timer_free);
  if (dial->fd >= 0)
    close (dial->fd);
  dial->fd = -1;
  dial->wire = NULL;
  *report = (Report){ dial, g_intern_string (cause) };
  far_home_post (far_home_main (), report_down, report);
}

/* ---- the wire's questions ---- */

static gboolean
dial_may_go_on (Wire *wire, const char **cause, gpointer user)
{
  Dial *dial = user;

  if (dial->step != DIAL_UP) {
    *cause = "no answer in time";
    return !far_request_ended (dial->req);
  }
  *cause = "deadline";
  return far_clock_boottime_us () < dial->deadline_us;
}

static void
dial_dead (Wire *wire, const char *cause, gpointer user)
{
  dial_over (user, cause);
}

static const WireOps dial_ops = { dial_advance, dial_message, dial_may_go_on, dial_dead };

/* ---- connecting ---- */

static void
dial_wire (Dial *dial)
{
  ssh_session session = ssh_new ();
  gboolean no = FALSE;

  wire_tune_fd (dial->fd);
  ssh_options_set (session, SSH_OPTIONS_PROCESS_CONFIG, &no);
  ssh_options_set (session, SSH_OPTIONS_HOST, dial->host);
  ssh_options_set (session, SSH_OPTIONS_USER, dial->user);
  ssh_options_set (session, SSH_OPTIONS_KNOWNHOSTS, "/dev/null");
  ssh_options_set (session, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null");
  ssh_options_set (session, SSH_OPTIONS_CIPHERS_C_S, ciphers);
  ssh_options_set (session, SSH_OPTIONS_CIPHERS_S_C, ciphers);
  ssh_options_set (session, SSH_OPTIONS_FD, &dial->fd);
  dial->wire = wire_new (dial->home, session, &dial_ops, dial);
  dial->fd = -1; /* the wire's */
}

static void dial_try (Dial *dial);

static void
dial_connected (int fd, guint ready, gpointer data)
{
  Dial *dial = data;
  int code = 0;
  socklen_t size = sizeof code;

  g_clear_pointer (&dial->watch, far_watch_free);
  getsockopt (fd, SOL_SOCKET, SO_ERROR, &code, &size);
  if (code == 0) {
    dial_wire (dial);
    return;
  }
  dial->connect_error = code;
  close (fd);
  dial->fd = -1;
  dial_try (dial);
}

/* TRUE: under way, or there at once. */
static gboolean
dial_connect (Dial *dial, const struct addrinfo *to)
{
  dial->fd = socket (to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (dial->fd >= 0 && (connect (dial->fd, to->ai_addr, to->ai_addrlen) == 0 || errno == EINPROGRESS))
    return TRUE;
  dial->connect_error = errno;
  if (dial->fd >= 0)
    close (dial->fd);
  dial->fd = -1;
  return FALSE;
}

static void
dial_try (Dial *dial)
{
  while (dial->next != NULL && !far_request_ended (dial->req)) {
    const struct addrinfo *to = dial->next;

    dial->next = to->ai_next;
    if (dial_connect (dial, to)) {
      dial->watch = far_home_watch (dial->home, dial->fd, FAR_READY_WRITE, dial_connected, dial);
      return;
    }
  }
  dial_over (dial, dial->connect_error != 0 ? g_strerror (dial->connect_error) : "no address");
}

static void
dial_late (gpointer data)
{
  Dial *dial = data;

  if (dial->wire != NULL)
    wire_kick (dial->wire); /* its may_go_on says why */
  else
    dial_over (dial, "no answer in time");
}

static void
dial_start (gpointer data)
{
  Dial *dial = data;

  if (dial->end_cause != NULL) {
    dial_over (dial, dial->end_cause);
    return;
  }
  dial->timer = far_home_timer (dial->home, far_clock_boottime_us () + 31 * G_USEC_PER_SEC, dial_late, dial);
  dial_try (dial);
}

void
dial_begin (Dial *dial)
{
  dial->next = dial->found;
  far_home_post (dial->home, dial_start, dial_ref (dial));
}

/* ---- orders ---- */

typedef struct {
  Dial *dial;
  char *cause;
  gint64 deadline_us;
} Order;

static void
order_run (gpointer data)
{
  Order *order = data;
  Dial *dial = order->dial;

  if (order->cause == NULL) {
    dial->deadline_us = order->deadline_us;
    if (dial->step == DIAL_UP && dial->timer != NULL)
      far_home_timer_set (dial->timer, dial->deadline_us);
  } else if (dial->wire != NULL) {
    wire_cut (dial->wire, order->cause);
  } else if (dial->watch != NULL) {
    dial_over (dial, order->cause);
  } else {
    dial->end_cause = g_steal_pointer (&order->cause); /* not begun, or over already */
  }
  dial_unref (dial);
  g_free (order->cause);
  g_free (order);
}

static void
dial_order (Dial *dial, const char *cause, gint64 deadline_us)
{
  Order *order = g_new0 (Order, 1);

  *order = (Order){ dial_ref (dial), g_strdup (cause), deadline_us };
  far_home_post (dial->home, order_run, order);
}

void
dial_end (Dial *dial, const char *cause)
{
  dial_order (dial, cause, 0);
}

void
dial_move_deadline (Dial *dial, gint64 boottime_us)
{
  dial_order (dial, NULL, boottime_us);
}
