/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* load: makes traffic through any chain of relays and measures it; prints one JSON object a run.
 *
 *   load serve [HOST] PORT                    a device: the first byte of a connection says what it is to it:
 * s sink, g source, e echo load bulk  HOST PORT up|down STREAMS SEC  payload moved in the middle 80 % of SEC:
 * {"gbit_s", "bytes"} load ping  HOST PORT BYTES COUNT          one connection, one message at a time:
 * {"p50_us", "p99_us", "max_us"} load rate  HOST PORT SEC PARALLEL         connect, one byte there and back,
 * close: {"per_s", "failed"} load hold  HOST PORT COUNT                opens COUNT echo connections, says
 * {"open"}, holds them until its input ends
 *
 * Down is measured where the person stands; up where the device does is not needed: what TCP took but nobody
 * read is bounded by the buffers on the way, small beside what passes in the window. */
#include "load.h"
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

typedef struct {
  const char *host;
  int port;
  char mode;
  _Atomic gint64 end_us;
  atomic_ulong bytes, done, failed;
} Work;

static gpointer
bulk_stream (gpointer data)
{
  Work *work = data;
  g_autofree char *buffer = g_malloc0 (LOAD_BUFFER);
  int fd = load_dial (work->host, work->port, work->mode);
  if (fd < 0) {
    work->failed++;
    return NULL;
  }
  load_timeouts (fd, 1);
  while (load_now_us () < work->end_us) {
    gssize n = work->mode == 's' ? write (fd, buffer, LOAD_BUFFER) : read (fd, buffer, LOAD_BUFFER);
    if (n > 0)
      work->bytes += (gulong) n;
    else if (n == 0 || !load_would_block ())
      break;
  }
  load_reset (fd);
  return NULL;
}

static gpointer
rate_loop (gpointer data)
{
  Work *work = data;
  while (load_now_us () < work->end_us) {
    int fd = load_dial (work->host, work->port, 'e');
    char back;
    if (fd >= 0)
      load_timeouts (fd, 2);
    if (fd >= 0 && write (fd, "x", 1) == 1 && read (fd, &back, 1) == 1)
      work->done++;
    else
      work->failed++;
    if (fd >= 0)
      load_reset (fd); /* no TIME_WAIT: thousands of them would be measured instead */
  }
  return NULL;
}

/* Runs n threads; the main thread samples after 10 % and 90 % of the time. */
static double
run_threads (Work *work, GThreadFunc func, guint n, double seconds, gulong *moved)
{
  g_autofree GThread **threads = g_new0 (GThread *, n);
  gint64 start = load_now_us ();
  work->end_us = start + (gint64) (seconds * 1e6);
  for (guint i = 0; i < n; i++)
    threads[i] = g_thread_new ("load", func, work);
  load_sleep_until (start + (gint64) (seconds * 1e5));
  gulong first = work->bytes;
  gint64 from = load_now_us ();
  load_sleep_until (start + (gint64) (seconds * 9e5));
  *moved = work->bytes - first;
  double took = (double) (load_now_us () - from) / 1e6;
  for (guint i = 0; i < n; i++)
    g_thread_join (threads[i]);
  return took;
}

static int
bulk (Work *work, char **args)
{
  gulong moved;
  work->mode = strcmp (args[0], "up") == 0 ? 's' : 'g';
  double took = run_threads (work, bulk_stream, (guint) atoi (args[1]), g_ascii_strtod (args[2], NULL),
                             &moved);
  printf ("{\"gbit_s\": %.4f, \"bytes\": %lu, \"failed\": %lu}\n", (double) moved * 8e-9 / took, work->bytes,
          work->failed);
  return work->failed != 0;
}

static int
rate (Work *work, char **args)
{
  gulong moved;
  double seconds = g_ascii_strtod (args[0], NULL);
  gint64 start = load_now_us ();
  run_threads (work, rate_loop, (guint) atoi (args[1]), seconds, &moved);
  printf ("{\"per_s\": %.2f, \"failed\": %lu}\n",
          (double) work->done / ((double) (load_now_us () - start) / 1e6), work->failed);
  return work->done == 0;
}

static int
by_value (gconstpointer a, gconstpointer b)
{
  gint64 x = *(const gint64 *) a, y = *(const gint64 *) b;
  return (x > y) - (x < y);
}

static int
ping (Work *work, char **args)
{
  enum { WARM = 200 };
  gsize size = (gsize) atoi (args[0]);
  int count = atoi (args[1]), fd = load_dial (work->host, work->port, 'e');
  g_autofree char *message = g_malloc0 (size);
  g_autofree gint64 *took = g_new0 (gint64, count);
  for (int i = -WARM; fd >= 0 && i < count; i++) {
    gint64 sent = load_now_ns ();
    if (!load_exchange (fd, message, size)) {
      fd = -1;
      break;
    }
    if (i >= 0)
      took[i] = load_now_ns () - sent;
  }
  if (fd < 0)
    return load_complain ("ping");
  qsort (took, (gsize) count, sizeof *took, by_value);
  printf ("{\"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f}\n", (double) took[count / 2] / 1e3,
          (double) took[(gsize) count * 99 / 100] / 1e3, (double) took[count - 1] / 1e3);
  return 0;
}

static int
hold (Work *work, char **args)
{
  int open = 0;
  char byte;
  for (int i = 0; i < atoi (args[0]); i++) {
    int fd = load_dial (work->host, work->port, 'e');
    open += fd >= 0 && write (fd, "x", 1) == 1 && read (fd, &byte, 1) == 1;
  }
  printf ("{\"open\": %d}\n", open);
  fflush (stdout);
  while (read (0, &byte, 1) > 0)
    ;
  return 0;
}

static const struct {
  const char *name;
  int args;
  int (*run) (Work *work, char **args);
} modes[] = { { "bulk", 3, bulk }, { "ping", 2, ping }, { "rate", 2, rate }, { "hold", 1, hold } };

int
main (int argc, char **argv)
{
  signal (SIGPIPE, SIG_IGN);
  struct rlimit many = { 65536, 65536 };
  setrlimit (RLIMIT_NOFILE, &many);
  if (argc >= 3 && strcmp (argv[1], "serve") == 0)
    return load_serve (argc > 3 ? argv[2] : "127.0.0.1", atoi (argv[argc - 1]));
  for (gsize i = 0; argc > 3 && i < G_N_ELEMENTS (modes); i++)
    if (strcmp (argv[1], modes[i].name) == 0 && argc == 4 + modes[i].args) {
      Work work = { .host = argv[2], .port = atoi (argv[3]) };
      return modes[i].run (&work, argv + 4);
    }
  fputs ("usage: load serve|bulk|ping|rate|hold … (see the head of load.c)\n", stderr);
  return 64;
}
