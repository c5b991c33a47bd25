/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* terminals: many idle terminals in one process, each with its own certificate, TLS connection, WebSocket and
 * poll.
 *
 *   terminals keys CA_DIR KEYS_DIR COUNT PREFIX           makes one set of node keys and a certificate
 * PREFIX-1.crt … for each terminal terminals run  HOST PORT KEYS_DIR COUNT PREFIX CYCLE [RECONNECT] connects
 * them, says {"connected": N} when all are up, polls each CYCLE seconds (spread evenly), answers pings, until
 * its input ends; then {"polls", "pings", "lost"}
 *
 * With RECONNECT all start at once, from many addresses, each polls as soon as it is up, and whoever is cut
 * or refused comes back after up to RECONNECT seconds, after a try in vain up to twice that. Says
 * {"prepared"} before and {"connected": N} each time all are up. Takes lines:
 * `?`: says how it stands; `cut`: resets all connections, then says how it stands.
 *
 * They share a key: what is measured is the cloud's side, which tells them apart by certificate. */
#include "terminals.h"
#include <errno.h>
#include <farwatch/trust.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#define HANDSHAKES 32 /* at once, without RECONNECT */

static int
fail (const char *what, GError *error)
{
  fprintf (stderr, "terminals: %s: %s\n", what, error ? error->message : g_strerror (errno));
  return 1;
}

static int
make_keys (char **args)
{
  GError *error = NULL;
  if (!far_trust_keys_create (args[1], &error))
    return fail ("keys", error);
  for (int i = 1; i <= atoi (args[2]); i++) {
    g_autofree char *node = g_strdup_printf ("%s-%d", args[3], i),
                    *file = g_strdup_printf ("%s/%s.crt", args[1], node);
    g_autofree char *csr = far_trust_csr (args[1], node, &error);
    g_autofree char *certificate = csr ? far_trust_sign (args[0], csr, node, NULL, FALSE, 2, &error) : NULL;
    if (!certificate || !g_file_set_contents (file, certificate, -1, &error))
      return fail (node, error);
  }
  puts ("{\"made\": true}");
  return 0;
}

static void
tell (const Crowd *crowd)
{
  printf ("{\"connected\": %u, \"polls\": %lu, \"answers\": %lu, \"pings\": %lu, \"lost\": %u, \"broken\": "
          "%lu, \"ended\": %lu}\n",
          crowd->open, crowd->polls, crowd->answers, crowd->pings, crowd->lost, crowd->broken, crowd->ended);
  fflush (stdout);
}

/* Starts as many as may be shaking hands; the rest waits for its turn. */
static void
start_more (Crowd *crowd)
{
  while (crowd->started < crowd->count &&
         (crowd->reconnect_us > 0 || crowd->started - crowd->open - crowd->lost < HANDSHAKES))
    terminal_start (crowd, crowd->started++);
}

/* Polls of all terminals spread over the cycle. */
static int
poll_due (Crowd *crowd)
{
  gint64 step = crowd->cycle_us / crowd->count, now = g_get_monotonic_time ();
  if (!crowd->next_us)
    crowd->next_us = now + step;
  while (crowd->next_us <= now) {
    terminal_poll (crowd, crowd->turn++ % crowd->count);
    crowd->next_us += step;
  }
  return (int) ((crowd->next_us - now) / 1000 + 1);
}

/* FALSE: the input has ended. */
static gboolean
obey (Crowd *crowd)
{
  char words[64];
  gssize n = read (0, words, sizeof words);
  if (n <= 0)
    return FALSE;
  if (words[0] == 'c')
    crowd_cut (crowd);
  tell (crowd);
  return TRUE;
}

/* Says it each time when all are up, and then polls go on for good. */
static int
look (Crowd *crowd, gboolean *whole, gboolean *ever)
{
  gboolean now = crowd->open + crowd->lost == crowd->count;
  if (now && !*whole)
    tell (crowd);
  *whole = now;
  *ever = *ever || now;
  return MIN (crowd_come_back (crowd), *ever ? poll_due (crowd) : 1000);
}

static void
loop (Crowd *crowd)
{
  struct epoll_event events[64];
  gboolean whole = FALSE, ever = FALSE;
  for (;;) {
    start_more (crowd);
    int n = epoll_wait (crowd->poll, events, G_N_ELEMENTS (events), look (crowd, &whole, &ever));
    for (int i = 0; i < n; i++)
      if (events[i].data.ptr)
        terminal_ready (crowd, events[i].data.ptr);
      else if (!obey (crowd)) {
        tell (crowd);
        return;
      }
  }
}

static int
run (char **args, const char *reconnect)
{
  Crowd crowd = { .host = args[0],
                  .port = atoi (args[1]),
                  .keys = args[2],
                  .count = (guint) atoi (args[3]),
                  .prefix = args[4] };
  struct epoll_event input = { .events = EPOLLIN };
  crowd.cycle_us = (gint64) (g_ascii_strtod (args[5], NULL) * G_USEC_PER_SEC);
  crowd.reconnect_us = reconnect ? (gint64) (g_ascii_strtod (reconnect, NULL) * G_USEC_PER_SEC) : 0;
  crowd.poll = epoll_create1 (EPOLL_CLOEXEC);
  crowd.terminals = g_new0 (Terminal, crowd.count);
  epoll_ctl (crowd.poll, EPOLL_CTL_ADD, 0, &input);
  if (!crowd_prepare (&crowd))
    return fail ("keys", NULL);
  if (reconnect) {
    printf ("{\"prepared\": %u}\n", crowd.count);
    fflush (stdout);
  }
  loop (&crowd);
  return crowd.lost != 0;
}

int
main (int argc, char **argv)
{
  struct rlimit many = { 65536, 65536 };
  signal (SIGPIPE, SIG_IGN); /* a cloud that restarts closes while polls are on their way */
  setrlimit (RLIMIT_NOFILE, &many);
  if (argc == 6 && strcmp (argv[1], "keys") == 0)
    return make_keys (argv + 2);
  if ((argc == 8 || argc == 9) && strcmp (argv[1], "run") == 0)
    return run (argv + 2, argv[8]);
  fputs ("usage: terminals keys CA_DIR KEYS_DIR COUNT PREFIX | run HOST PORT KEYS_DIR COUNT PREFIX CYCLE "
         "[RECONNECT]\n",
         stderr);
  return 64;
}
