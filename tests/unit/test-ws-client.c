/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A node's link to its server over a slow way: which of several tries counts, and how soon the next one
 * comes. */
#include "config.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <farwatch/clock.h>
#include <farwatch/message.h>
#include <farwatch/trust.h>

#include "loop/log.h"
#include "node-help.h"
#include "unit/trust-fixture.h"

#define SECONDS(n) ((gint64) (n) *G_USEC_PER_SEC)
#define BASE_S 60 /* `reconnect` */
#define CONNECTIONS_MAX 64

/* ---- a way that can be slow: connections are held until they are let go ---- */

typedef struct {
  int near, far;
  gint held, cut; /* atomic */
  gint ended;     /* atomic: by either side */
} Carried;

static struct {
  int listener;
  guint16 port, to;
  GThread *thread;
  gint quit, refuse, hold; /* atomic: of those that come */
  gint n;                  /* atomic */
  Carried all[CONNECTIONS_MAX];
} way;

static int
dial_loopback (guint16 port)
{
  struct sockaddr_in at = { .sin_family = AF_INET,
                            .sin_port = htons (port),
                            .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (connect (fd, (struct sockaddr *) &at, sizeof at) == 0)
    return fd;
  close (fd);
  return -1;
}

static int
listen_on_loopback (guint16 *port)
{
  struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t size = sizeof at;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  ck_assert_int_eq (bind (fd, (struct sockaddr *) &at, sizeof at) | listen (fd, 64), 0);
  ck_assert_int_eq (getsockname (fd, (struct sockaddr *) &at, &size), 0);
  *port = ntohs (at.sin_port);
  return fd;
}

static void
way_came (void)
{
  int near = accept4 (way.listener, NULL, NULL, SOCK_CLOEXEC),
      far = g_atomic_int_get (&way.refuse) ? -1 : dial_loopback (way.to);
  gint n = g_atomic_int_get (&way.n);

  way.all[n] = (Carried){ .near = near, .far = far, .held = g_atomic_int_get (&way.hold), .ended = far < 0 };
  if (far < 0)
    close (near);
  g_atomic_int_inc (&way.n);
}

/* FALSE: the end has come. */
static gboolean
carry (int from, int to, gboolean held)
{
  char bytes[65536];
  gssize got = recv (from, bytes, sizeof bytes, MSG_DONTWAIT | (held ? MSG_PEEK : 0));

  if (got < 0)
    return errno == EAGAIN;
  return got > 0 && (held || send (to, bytes, (gsize) got, MSG_NOSIGNAL) == got);
}

static void
carry_one (Carried *one)
{
  gboolean held = g_atomic_int_get (&one->held);

  if (g_atomic_int_get (&one->ended))
    return;
  if (!g_atomic_int_get (&one->cut) && carry (one->near, one->far, held) && carry (one->far, one->near, held))
    return;
  close (one->near);
  close (one->far);
  g_atomic_int_set (&one->ended, 1);
}

static gpointer
way_run (gpointer data G_GNUC_UNUSED)
{
  while (!g_atomic_int_get (&way.quit)) {
    struct pollfd come = { .fd = way.listener, .events = POLLIN };

    if (poll (&come, 1, 2) == 1)
      way_came ();
    for (gint i = 0; i < g_atomic_int_get (&way.n); i++)
      carry_one (&way.all[i]);
  }
  for (gint i = 0; i < way.n; i++) {
    way.all[i].cut = 1;
    carry_one (&way.all[i]);
  }
  close (way.listener);
  return NULL;
}

/* ---- a node that is its own server, over that way ---- */

static char *trust;
static GString *said;

static void
keep_log (GLogLevelFlags level G_GNUC_UNUSED, const char *path, const char *text, gpointer user G_GNUC_UNUSED)
{
  g_string_append_printf (said, "%s: %s\n", path != NULL ? path : "-", text);
}

static void
make_node (const char *name, const char *const *names)
{
  g_autofree char *pem = fixture_node (trust, name, names, names != NULL),
                  *path = g_build_filename (trust, name, "node.crt", NULL);

  ck_assert (g_file_set_contents (path, pem, -1, NULL));
}

static void
set_up (void)
{
  static const char *const names[] = { "localhost", NULL };
  g_autofree char *dir = node_fresh_dir (), *text = NULL;
  GError *error = NULL;

  memset (&way, 0, sizeof way);
  way.listener = listen_on_loopback (&way.port);
  close (listen_on_loopback (&way.to));
  said = g_string_new (NULL);
  far_log_set_sink (keep_log, NULL);
  trust = fixture_dir ();
  ck_assert_msg (far_trust_ca_create (trust, "test", &error), "%s", error != NULL ? error->message : "");
  make_node ("cloud", names);
  make_node ("t1", NULL);
  way.thread = g_thread_new ("way", way_run, NULL);
  way.hold = 1;
  text = g_strdup_printf ("transports:\n"
                          "  nodes: { type: websocket, listen: '127.0.0.1:%u', cert: '%s/cloud/node.crt', "
                          "key: '%s/cloud/node.key', ca: '%s/ca.crt' }\n"
                          "  cloud: { type: websocket, connect: 'wss://localhost:%u', reconnect: %us, cert: "
                          "'%s/t1/node.crt', key: '%s/t1/node.key', ca: '%s/ca.crt' }\n",
                          way.to, trust, trust, trust, way.port, BASE_S, trust, trust, trust);
  node_open (dir, "t1", text);
}

static void
tear_down (void)
{
  g_atomic_int_set (&way.quit, 1);
  g_thread_join (way.thread);
  node_close ();
  far_log_set_sink (NULL, NULL);
  g_string_free (said, TRUE);
  fixture_remove (trust);
  node_remove_dirs ();
}

static gboolean
is_up (gpointer data G_GNUC_UNUSED)
{
  return far_peer_connected ("cloud", "") && far_peer_connected ("nodes", "t1");
}

static gboolean
is_down (gpointer data G_GNUC_UNUSED)
{
  return !far_peer_connected ("cloud", "") && !far_peer_connected ("nodes", "t1");
}

static gboolean
came (gpointer data)
{
  return g_atomic_int_get (&way.n) >= GPOINTER_TO_INT (data);
}

static gboolean
has_ended (gpointer data)
{
  return g_atomic_int_get (&((Carried *) data)->ended);
}

/* So many have come since the beginning. */
static void
await_connections (gint n)
{
  node_until (came, GINT_TO_POINTER (n));
}

/* One that comes when `s` more seconds have passed, or does not. */
static gboolean
comes_within (guint s)
{
  gint before = g_atomic_int_get (&way.n);
  gint64 end = g_get_monotonic_time () + SECONDS (5);

  node_for_ms (20); /* what has ended is known */
  far_clock_advance (SECONDS (s));
  while (g_atomic_int_get (&way.n) == before && g_get_monotonic_time () < end)
    node_for_ms (5);
  return g_atomic_int_get (&way.n) > before;
}

static void
let_go (gint which)
{
  g_atomic_int_set (&way.all[which].held, 0);
}

static void
cut (gint which)
{
  g_atomic_int_set (&way.all[which].cut, 1);
  node_until (is_down, NULL);
}

/* Somebody waits, and the first try takes longer than the client has patience; both are under way, and held.
 * The number of the first. */
static gint
two_in_a_hurry (void)
{
  gint before = g_atomic_int_get (&way.n);

  far_peer_hurry ("cloud", TRUE);
  await_connections (before + 1);
  node_for_ms (100); /* its connection stands */
  before = g_atomic_int_get (&way.n);
  far_clock_advance (SECONDS (2));
  await_connections (before + 1);
  node_for_ms (100);
  return before - 1;
}

/* Whichever of the two: the other one is given up before it can take the link's place. */
START_TEST (a_try_that_came_through_is_kept)
{
  gint first = two_in_a_hurry (), n = way.n, good = first + _i, other = first + 1 - _i;

  let_go (good);
  node_until (is_up, NULL);
  node_for_ms (50);
  let_go (other);
  node_until (has_ended, &way.all[other]);
  ck_assert (is_up (NULL));
  ck_assert_msg (strstr (said->str, "is down") == NULL && strstr (said->str, "came again") == NULL, "%s",
                 said->str);
  ck_assert_int_eq (way.n, n);
}
END_TEST

/* After many failures the client waits for up to 15 times `reconnect`; after a link that held, for at most
 * that. */
static void
fail_often (void)
{
  g_atomic_int_set (&way.refuse, 1);
  for (guint i = 0; i < 7; i++)
    ck_assert (comes_within (15 * BASE_S));
  node_for_ms (50);
  g_atomic_int_set (&way.refuse, 0);
}

START_TEST (a_link_won_late_is_steady)
{
  gint first;

  fail_often ();
  first = two_in_a_hurry ();
  let_go (first);
  node_until (is_up, NULL);
  far_peer_hurry ("cloud", FALSE);
  far_clock_advance (SECONDS (11));
  cut (first);
  ck_assert_msg (comes_within (BASE_S), "it waits as if the link had not held");
}
END_TEST

/* A cut counts as one: the wait after it is of `reconnect`, not of twice that. The waits are random: in each
 * round a second count shows in every other one. */
START_TEST (a_cut_counts_once)
{
  g_atomic_int_set (&way.hold, 0);
  ck_assert (comes_within (BASE_S));
  for (guint round = 0; round < 8; round++) {
    node_until (is_up, NULL);
    far_peer_cut ("cloud", "", "a test");
    node_until (is_down, NULL);
    node_until (has_ended, &way.all[way.n - 1]);
    ck_assert_msg (comes_within (BASE_S), "round %u: it waits as after two losses", round);
    node_until (is_up, NULL);
    far_clock_advance (SECONDS (11)); /* it held: the next loss waits as the first */
    cut (way.n - 1);
    ck_assert (comes_within (BASE_S));
  }
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("ws-client");
  TCase *tcase = tcase_create ("ws-client");
  SRunner *runner = srunner_create (suite);
  int failed;

  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  tcase_set_timeout (tcase, 120);
  tcase_add_checked_fixture (tcase, set_up, tear_down);
  tcase_add_loop_test (tcase, a_try_that_came_through_is_kept, 0, 2);
  tcase_add_test (tcase, a_link_won_late_is_steady);
  tcase_add_test (tcase, a_cut_counts_once);
  suite_add_tcase (suite, tcase);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
