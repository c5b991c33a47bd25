/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* front-load: HTTPS clients that cost a server CPU; prints one JSON object a run. One thread, many
 * connections, TLS 1.3.
 *
 *   front-load full   HOST PORT COUNT PARALLEL SEC [PRIORITY]  COUNT times: a new connection, a full
 * handshake, GET /, the server closes front-load resume HOST PORT COUNT PARALLEL SEC [PRIORITY]  the same
 * with the last ticket; less than 95 % resumed is a failure front-load keep   HOST PORT COUNT PARALLEL SEC
 * [PRIORITY]  COUNT GETs in all over PARALLEL connections that stay
 *
 * First each of the PARALLEL connections is prepared (resume: gets its first ticket; keep: is opened and asks
 * once). Then it says {"ready": …} and waits for a line of input, so that who measures can look at the
 * server's CPU. SEC bounds the rest. The server's certificate is not checked: that would be the client's
 * work. PRIORITY is GnuTLS's; the default offers one group and one cipher, so that all servers do the same
 * work. {"done", "failed", "resumed", "seconds"} */
#include "front-load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define PREPARE_US (30 * G_USEC_PER_SEC)
#define PRIORITY "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM:-GROUP-ALL:+GROUP-X25519"
enum { FAILURES_MAX = 100, RESUMED_PERCENT = 95 };

/* Until no slot has anything to do; FALSE: not in time, or too much failed. */
static gboolean
front_run (Front *front, gint64 limit_us)
{
  gint64 until = g_get_monotonic_time () + limit_us, left;
  struct epoll_event events[64];
  while (front->busy > 0 && front->failed < FAILURES_MAX && (left = until - g_get_monotonic_time ()) > 0) {
    int n = epoll_wait (front->poll, events, G_N_ELEMENTS (events), (int) (left / 1000 + 1));
    for (int i = 0; i < n; i++)
      front_slot_ready (events[i].data.ptr);
  }
  return front->busy == 0 && front->failed == 0;
}

static void
front_start (Front *front)
{
  for (guint i = 0; i < front->parallel; i++)
    front_slot_next (&front->slots[i]);
}

static gboolean
front_prepare (Front *front)
{
  char byte;
  if (front->mode != FRONT_FULL) {
    front_start (front);
    if (!front_run (front, PREPARE_US))
      return FALSE;
  }
  printf ("{\"ready\": %u}\n", front->parallel);
  fflush (stdout);
  while (read (0, &byte, 1) == 1 && byte != '\n')
    ;
  front->done = front->resumed = 0;
  front->running = TRUE;
  return TRUE;
}

static int
front_measure (Front *front, double seconds)
{
  if (!front_prepare (front)) {
    fputs ("front-load: the connections could not be prepared\n", stderr);
    return 1;
  }
  gint64 start = g_get_monotonic_time ();
  front_start (front);
  front_run (front, (gint64) (seconds * 1e6));
  double took = (double) (g_get_monotonic_time () - start) / 1e6;
  printf ("{\"done\": %" G_GUINT64_FORMAT ", \"failed\": %" G_GUINT64_FORMAT
          ", \"resumed\": %" G_GUINT64_FORMAT ", \"seconds\": %.3f}\n",
          front->done, front->failed, front->resumed, took);
  if (front->mode == FRONT_RESUME && front->resumed * 100 < front->done * RESUMED_PERCENT) {
    fprintf (stderr, "front-load: only %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " were resumed\n",
             front->resumed, front->done);
    return 1;
  }
  return front->failed > 0 || front->done == 0;
}

static void
front_open (Front *front, char **args)
{
  guint count = (guint) atoi (args[2]);
  front->address = (struct sockaddr_in){ .sin_family = AF_INET,
                                         .sin_port = htons ((guint16) atoi (args[1])) };
  inet_pton (AF_INET, args[0], &front->address.sin_addr);
  front->parallel = (guint) MAX (atoi (args[3]), 1);
  front->quota = MAX (count / front->parallel, 1);
  front->request = g_strdup_printf ("GET / HTTP/1.1\r\nHost: %s:%s\r\n%s\r\n", args[0], args[1],
                                    front->mode == FRONT_KEEP ? "" : "Connection: close\r\n");
  front->poll = epoll_create1 (EPOLL_CLOEXEC);
  front->slots = g_new0 (Slot, front->parallel);
  gnutls_certificate_allocate_credentials (&front->credentials);
  for (guint i = 0; i < front->parallel; i++)
    front->slots[i] = (Slot){ .front = front, .fd = -1, .answer = g_string_new (NULL) };
}

static void
front_close (Front *front)
{
  for (guint i = 0; i < front->parallel; i++)
    front_slot_clear (&front->slots[i]);
  gnutls_certificate_free_credentials (front->credentials);
  g_free (front->slots);
  g_free (front->request);
  close (front->poll);
}

int
main (int argc, char **argv)
{
  static const char *const modes[] = { "full", "resume", "keep" };
  Front front = { .priority = argc == 8 ? argv[7] : PRIORITY };
  struct rlimit many = { 16384, 16384 };
  signal (SIGPIPE, SIG_IGN);
  setrlimit (RLIMIT_NOFILE, &many);
  while (argc > 1 && front.mode < G_N_ELEMENTS (modes) && strcmp (argv[1], modes[front.mode]) != 0)
    front.mode++;
  if ((argc != 7 && argc != 8) || front.mode == G_N_ELEMENTS (modes)) {
    fputs ("usage: front-load full|resume|keep HOST PORT COUNT PARALLEL SEC [PRIORITY] (see the head of "
           "front-load.c)\n",
           stderr);
    return 64;
  }
  front_open (&front, argv + 2);
  int status = front_measure (&front, g_ascii_strtod (argv[6], NULL));
  front_close (&front);
  return status;
}
