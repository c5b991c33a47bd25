/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a tap costs a leg: a program sends through a pump to itself, over TCP on loopback, with a tap and
 * without one in turns, so that the noise of the machine hits both alike. It prints a JSON line for each
 * round: bytes a second and seconds of the pump's thread for a GB, both ways, and what the tap lost. */
#include "config.h"

#include <arpa/inet.h>
#include <farwatch/leg.h>
#include <farwatch/pump.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PART ((gsize) 64 * 1024)

typedef struct {
  int fd;
  gsize amount;
} BenchFlow;

typedef struct {
  guint64 seen, lost;
  gint freed, closed;
} BenchTap;

static void
tcp_pair (int fd[2])
{
  struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t size = sizeof at;
  int listener = socket (AF_INET, SOCK_STREAM, 0);
  if (bind (listener, (struct sockaddr *) &at, sizeof at) != 0 || listen (listener, 1) != 0 ||
      getsockname (listener, (struct sockaddr *) &at, &size) != 0)
    g_error ("no port on loopback");
  fd[0] = socket (AF_INET, SOCK_STREAM, 0);
  if (connect (fd[0], (struct sockaddr *) &at, sizeof at) != 0)
    g_error ("no connection on loopback");
  fd[1] = accept (listener, NULL, NULL);
  close (listener);
}

static gpointer
bench_send (gpointer data)
{
  BenchFlow *flow = data;
  g_autofree guint8 *bytes = g_malloc0 (PART);
  while (flow->amount > 0) {
    gssize sent = send (flow->fd, bytes, MIN (PART, flow->amount), MSG_NOSIGNAL);
    if (sent <= 0)
      g_error ("the leg broke");
    flow->amount -= (gsize) sent;
  }
  shutdown (flow->fd, SHUT_WR);
  return NULL;
}

static gpointer
bench_receive (gpointer data)
{
  BenchFlow *flow = data;
  g_autofree guint8 *bytes = g_malloc (PART);
  for (gssize got; (got = recv (flow->fd, bytes, PART, 0)) > 0;)
    flow->amount += (gsize) got;
  shutdown (flow->fd, SHUT_WR);
  return NULL;
}

static void
bench_piece (gpointer data, const FarLeg *leg, const FarTapPiece *piece)
{
  ((BenchTap *) data)->seen += piece->frame.size;
}

static void
bench_gap (gpointer data, const FarLeg *leg, const FarTapGap *gap)
{
  ((BenchTap *) data)->lost += gap->bytes;
}

static void
bench_freed (gpointer data)
{
  g_atomic_int_set (&((BenchTap *) data)->freed, 1);
}

static void
bench_closed (FarPump *pump, const FarPumpCounters *total, const char *cause, gpointer user)
{
  ((BenchTap *) user)->closed = 1;
}

static void
thread_time (gpointer data)
{
  struct timespec now;
  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now);
  *(double *) data = (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

/* Seconds on the clock; *cpu: of the pump's thread. */
static double
run_leg (FarLoop *loop, gsize amount, BenchTap *tap, double *cpu)
{
  int a[2], b[2];
  double before = 0, after = 0;
  FarPumpSpec spec = { .session = "bench", .closed = bench_closed, .user = tap };
  tcp_pair (a);
  tcp_pair (b);
  far_loop_call (loop, thread_time, &before);
  gint64 began = g_get_monotonic_time ();
  far_pump_start (far_stream_fd_new (loop, a[1]), far_stream_fd_new (loop, b[0]), &spec);
  BenchFlow out = { a[0], amount }, in = { b[1], 0 };
  GThread *sender = g_thread_new ("send", bench_send, &out),
          *receiver = g_thread_new ("receive", bench_receive, &in);
  g_thread_join (sender);
  g_thread_join (receiver);
  gint64 ended = g_get_monotonic_time ();
  far_loop_call (loop, thread_time, &after);
  while (!tap->closed)
    g_main_context_iteration (NULL, TRUE);
  close (a[0]);
  close (b[1]);
  *cpu = after - before;
  return (double) (ended - began) / 1e6;
}

static void
bench_round (FarLoop *loop, FarLoop *sink, gsize amount, gboolean tapped)
{
  static const FarTapFuncs funcs = { .piece = bench_piece, .gap = bench_gap };
  BenchTap tap = { 0 };
  const FarTapSpec spec = { .funcs = &funcs, .loop = sink, .data = &tap, .free_data = bench_freed };
  FarTap *handle = tapped ? far_leg_tap (&spec) : NULL;
  double cpu, seconds = run_leg (loop, amount, &tap, &cpu);
  far_leg_untap (handle);
  while (tapped && !g_atomic_int_get (&tap.freed))
    g_usleep (1000);
  printf ("{\"tap\": %s, \"gbit_s\": %.3f, \"cpu_s_per_gb\": %.4f, \"lost\": %.4f}\n",
          tapped ? "true" : "false", (double) amount * 8 / 1e9 / seconds, cpu / ((double) amount / 1e9),
          (double) tap.lost / (double) amount);
}

int
main (int argc, char **argv)
{
  gsize amount = (gsize) (argc > 1 ? atoi (argv[1]) : 1000) * 1000 * 1000;
  guint rounds = argc > 2 ? (guint) atoi (argv[2]) : 5;
  far_loop_main ();
  FarLoop *loop = far_loop_io_new ("pump"), *sink = far_loop_io_new ("sink");
  for (guint i = 0; i < rounds * 2; i++)
    bench_round (loop, sink, amount, (i + i / 2) % 2 == 1);
  far_loop_io_free (loop);
  far_loop_io_free (sink);
  return 0;
}
