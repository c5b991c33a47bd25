/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ends of every kind, each with a descriptor outside that a test drives. */
#pragma once
#include "unit/stream-help.h"
#include "unit/trust-fixture.h"
#include <arpa/inet.h>
#include <errno.h>
#include <farwatch/pump.h>
#include <farwatch/tls.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- a thread that plays a library's ---- */

typedef struct {
  FarLoop *loop;
  GMutex lock;
  GCond cond;
  gboolean woken, quit;
  GThread *thread;
} Library;

static inline void
library_wake (gpointer data)
{
  Library *library = data;
  g_mutex_lock (&library->lock);
  library->woken = TRUE;
  g_cond_signal (&library->cond);
  g_mutex_unlock (&library->lock);
}

static inline gpointer
library_run (gpointer data)
{
  Library *library = data;
  far_loop_external_bind (library->loop);
  while (!library->quit) {
    g_mutex_lock (&library->lock);
    while (!library->woken)
      g_cond_wait (&library->cond, &library->lock);
    library->woken = FALSE;
    g_mutex_unlock (&library->lock);
    far_loop_run_posted (library->loop);
  }
  return NULL;
}

static inline void
library_start (Library *library)
{
  library->quit = library->woken = FALSE;
  library->loop = far_loop_external_new ("library", library_wake, library);
  library->thread = g_thread_new ("library", library_run, library);
}

static inline void
library_quit (gpointer data)
{
  ((Library *) data)->quit = TRUE;
}

static inline void
library_stop (Library *library)
{
  far_loop_post (library->loop, library_quit, library);
  g_thread_join (library->thread);
  far_loop_external_free (library->loop);
}

/* ---- kinds of end ---- */

typedef struct {
  FarLoop *one, *two, *three;
  Library library;
} Loops;

typedef enum {
  KIND_UNIX_ONE,
  KIND_UNIX_TWO,
  KIND_TCP_ONE,
  KIND_RING_ONE,
  KIND_RING_TWO,
  KIND_FOREIGN,
  KIND_TLS_ONE,
  KIND_TLS_CLIENT,
  N_KINDS
} Kind;

static const char *const kind_names[N_KINDS] = {
  "unix at one", "unix at two", "tcp at one",        "ring at one",
  "ring at two", "foreign",     "tls server at one", "tls client at two",
};

static inline void
loops_start (Loops *loops)
{
  far_loop_main ();
  loops->one = far_loop_io_new ("one");
  loops->two = far_loop_io_new ("two");
  loops->three = far_loop_io_new ("three");
  library_start (&loops->library);
}

static inline void
loops_stop (Loops *loops)
{
  library_stop (&loops->library);
  far_loop_io_free (loops->one);
  far_loop_io_free (loops->two);
  far_loop_io_free (loops->three);
}

static inline void
tcp_pair (int fd[2])
{
  struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t size = sizeof at;
  int listener = socket (AF_INET, SOCK_STREAM, 0);
  ck_assert_int_eq (bind (listener, (struct sockaddr *) &at, sizeof at) | listen (listener, 1), 0);
  ck_assert_int_eq (getsockname (listener, (struct sockaddr *) &at, &size), 0);
  fd[0] = socket (AF_INET, SOCK_STREAM, 0);
  ck_assert_int_eq (connect (fd[0], (struct sockaddr *) &at, sizeof at), 0);
  fd[1] = accept (listener, NULL, NULL);
  ck_assert_int_ge (fd[1], 0);
  close (listener);
}

/* helper pumps that are still running */
static gint extra_pumps;

static inline void
extra_closed (FarPump *pump, const FarPumpCounters *total, const char *cause, gpointer user)
{
  g_atomic_int_add (&extra_pumps, -1);
}

/* A stream at loop with a descriptor outside, over a ring whose other end is served by a pump at three. */
static inline FarStream *
ring_end (Loops *loops, FarLoop *loop, int fd)
{
  FarPumpSpec spec = { .session = "extra", .closed = extra_closed };
  FarStream *inner, *outer;
  far_ring_pair (loops->three, loop, &outer, &inner);
  g_atomic_int_inc (&extra_pumps);
  far_pump_start (far_stream_fd_new (loops->three, fd), outer, &spec);
  return inner;
}

/* Both sides of a TLS connection, made once a process. */
static FarTls *tls_sides[2];

static inline void
tls_make (void)
{
  g_autofree char *dir = fixture_dir (), *node = g_build_filename (dir, "server", NULL);
  g_autofree char *cert = NULL, *crt = g_build_filename (node, "node.crt", NULL),
                  *key = g_build_filename (node, "node.key", NULL);
  g_autofree char *ca = g_build_filename (dir, "ca.crt", NULL);
  const char *const names[] = { "localhost", NULL };
  const FarTlsSpec server = { .server = TRUE, .cert = crt, .key = key };
  const FarTlsSpec client = { .ca = ca, .purpose = FAR_PURPOSE_NODE_SERVER, .name = "localhost" };
  ck_assert (far_trust_ca_create (dir, "test", NULL));
  cert = fixture_node (dir, "server", names, TRUE);
  g_file_set_contents (crt, cert, -1, NULL);
  for (guint i = 0; i < 2; i++) {
    g_autoptr (GError) error = NULL;
    tls_sides[i] = far_tls_new (i == 0 ? &server : &client, &error);
    ck_assert_msg (tls_sides[i] != NULL, "%s", error != NULL ? error->message : "");
  }
}

typedef struct {
  FarTls *tls;
  FarStream *below, *made;
} TlsOrder;

static inline void
tls_at_loop (gpointer data)
{
  TlsOrder *order = data;
  order->made = far_stream_tls_new (order->tls, order->below, "test");
}

static inline FarStream *
tls_end_at (FarLoop *loop, guint side, int fd)
{
  TlsOrder order = { tls_sides[side], far_stream_fd_new (loop, fd), NULL };
  far_loop_call (loop, tls_at_loop, &order);
  return order.made;
}

/* A TLS stream at loop with a descriptor outside: its other side is served by a pump at three. */
static inline FarStream *
tls_end (Loops *loops, FarLoop *loop, guint side, int fd)
{
  FarPumpSpec spec = { .session = "extra", .closed = extra_closed };
  int wire[2];
  if (tls_sides[0] == NULL)
    tls_make ();
  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM, 0, wire), 0);
  g_atomic_int_inc (&extra_pumps);
  far_pump_start (far_stream_fd_new (loops->three, fd), tls_end_at (loops->three, !side, wire[1]), &spec);
  return tls_end_at (loop, side, wire[0]);
}

/* *outside: blocking descriptor. */
static inline FarStream *
end_make (Loops *loops, Kind kind, int *outside)
{
  int fd[2];
  if (kind == KIND_TCP_ONE)
    tcp_pair (fd);
  else
    ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM, 0, fd), 0);
  *outside = fd[1];
  switch (kind) {
  case KIND_RING_ONE:
    return ring_end (loops, loops->one, fd[0]);
  case KIND_RING_TWO:
    return ring_end (loops, loops->two, fd[0]);
  case KIND_FOREIGN:
    return ring_end (loops, loops->library.loop, fd[0]);
  case KIND_TLS_ONE:
    return tls_end (loops, loops->one, 0, fd[0]);
  case KIND_TLS_CLIENT:
    return tls_end (loops, loops->two, 1, fd[0]);
  default:
    return far_stream_fd_new (kind == KIND_UNIX_TWO ? loops->two : loops->one, fd[0]);
  }
}

/* ---- what a pump reported ---- */

typedef struct {
  gint closed;
  guint n_closed, n_counters;
  FarPumpCounters total, last;
  const char *cause;
} Report;

static inline void
report_counters (FarPump *pump, const FarPumpCounters *now, gpointer user)
{
  Report *report = user;
  ck_assert_int_eq (report->closed, 0);
  ck_assert (now->bytes_ab >= report->last.bytes_ab && now->bytes_ba >= report->last.bytes_ba);
  report->last = *now;
  report->n_counters++;
}

static inline void
report_closed (FarPump *pump, const FarPumpCounters *total, const char *cause, gpointer user)
{
  Report *report = user;
  report->total = *total;
  report->cause = cause;
  report->n_closed++;
  g_atomic_int_set (&report->closed, 1);
}

/* Waits also for the helper pumps, so that nothing runs on when the loops end. */
static inline void
report_wait (Report *report)
{
  help_wait (&report->closed);
  gint64 end = g_get_monotonic_time () + SECONDS (20);
  while (g_atomic_int_get (&extra_pumps) > 0 && g_get_monotonic_time () < end)
    g_main_context_iteration (NULL, FALSE);
  ck_assert_int_eq (g_atomic_int_get (&extra_pumps), 0);
  ck_assert_uint_eq (report->n_closed, 1);
}
