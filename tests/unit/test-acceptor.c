/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The acceptor at an I/O thread and on main: what it hands over, PROXY headers, rate and gate, errors of
 * accept4(). */
#include "loop/log.h"
#include "unit/stream-pair.h"
#include <fcntl.h>
#include <farwatch/acceptor.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/un.h>

#define CAME_MAX 512

static struct {
  FarLoop *loop;
  gboolean own_loop;
  int listener;
  struct sockaddr_in address;
  FarAcceptor *acceptor;
  FarAcceptorSpec spec;
  GMutex lock; /* over what came() writes */
  guint n, marker_at;
  int fds[CAME_MAX];
  FarPass *passes[CAME_MAX];
  char *from[CAME_MAX];
  guint16 port;
  sa_family_t family;
  gboolean free_in_came, post_in_came;
  gint marked, complaints;
} at;

/* ---- the acceptor's side ---- */

static void
mark (gpointer data)
{
  g_mutex_lock (&at.lock);
  at.marker_at = at.n;
  g_mutex_unlock (&at.lock);
  g_atomic_int_set (&at.marked, 1);
}

static void
came (int fd, const struct sockaddr *address, const char *from, FarPass *pass, gpointer user)
{
  ck_assert (far_loop_is_here (at.loop));
  g_mutex_lock (&at.lock);
  at.fds[at.n] = fd;
  at.passes[at.n] = pass;
  at.from[at.n] = g_strdup (from);
  at.family = address->sa_family;
  at.port = ntohs (((const struct sockaddr_in *) (const void *) address)->sin_port);
  at.n++;
  g_mutex_unlock (&at.lock);
  if (at.post_in_came && at.n == 1)
    far_loop_post (at.loop, mark, NULL);
  if (at.free_in_came)
    g_clear_pointer (&at.acceptor, far_acceptor_free);
}

static void
run_at_loop (FarLoopFunc func)
{
  if (at.own_loop)
    far_loop_call (at.loop, func, NULL);
  else
    func (NULL);
}

static void
begin (gpointer data)
{
  at.acceptor = far_acceptor_new (at.loop, at.listener, &at.spec);
}

static void
end (gpointer data)
{
  g_clear_pointer (&at.acceptor, far_acceptor_free);
}

static void
note_log (GLogLevelFlags level, const char *path, const char *text, gpointer user)
{
  if (strstr (text, "accepting connections failed") != NULL || strstr (text, "refused") != NULL)
    g_atomic_int_inc (&at.complaints);
}

static void
listen_tcp (void)
{
  socklen_t size = sizeof at.address;
  at.address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  at.listener = socket (AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  ck_assert_int_eq (bind (at.listener, (struct sockaddr *) &at.address, sizeof at.address) |
                        listen (at.listener, 512),
                    0);
  ck_assert_int_eq (getsockname (at.listener, (struct sockaddr *) &at.address, &size), 0);
}

static void
set_up (gboolean own_loop)
{
  memset (&at, 0, sizeof at);
  at.own_loop = own_loop;
  at.loop = own_loop ? far_loop_io_new ("acceptor") : far_loop_main ();
  at.spec = (FarAcceptorSpec){ .name = "test", .came = came };
  far_log_set_sink (note_log, NULL);
  listen_tcp ();
}

static void
tear_down (void)
{
  run_at_loop (end);
  for (guint i = 0; i < at.n; i++) {
    close (at.fds[i]);
    far_gate_leave (at.passes[i]);
    g_free (at.from[i]);
  }
  close (at.listener);
  if (at.own_loop)
    far_loop_io_free (at.loop);
  far_log_set_sink (NULL, NULL);
}

static guint
count (void)
{
  g_mutex_lock (&at.lock);
  guint n = at.n;
  g_mutex_unlock (&at.lock);
  return n;
}

static void
settle (void)
{
  for (guint i = 0; i < 4; i++) {
    if (at.own_loop)
      help_settle (at.loop);
    else
      help_spin (3);
  }
}

static void
await (guint n)
{
  gint64 limit = g_get_monotonic_time () + SECONDS (20);
  while (count () < n && g_get_monotonic_time () < limit)
    if (!g_main_context_iteration (NULL, FALSE))
      g_usleep (200);
  ck_assert_uint_eq (count (), n);
}

/* ---- the other side ---- */

static int
dial_from (const char *host)
{
  struct sockaddr_in from = { .sin_family = AF_INET };
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  inet_pton (AF_INET, host, &from.sin_addr);
  ck_assert_int_eq (bind (fd, (struct sockaddr *) &from, sizeof from), 0);
  ck_assert_int_eq (connect (fd, (struct sockaddr *) &at.address, sizeof at.address), 0);
  return fd;
}

typedef struct {
  int fd;
  gint over; /* 1: end, 2: reset */
} End;

static void
await_end (End *side)
{
  gint64 limit = g_get_monotonic_time () + SECONDS (20);
  char byte;
  while (side->over == 0 && g_get_monotonic_time () < limit) {
    gssize n = recv (side->fd, &byte, 1, MSG_DONTWAIT);
    side->over = n == 0 ? 1 : n < 0 && errno == ECONNRESET ? 2 : 0;
    if (!g_main_context_iteration (NULL, FALSE))
      g_usleep (200);
  }
}

/* How it ends: "end", "reset", "stays". */
static const char *
ends (int fd)
{
  End side = { fd, 0 };
  await_end (&side);
  close (fd);
  return side.over == 1 ? "end" : side.over == 2 ? "reset" : "stays";
}

/* ---- what is handed over ---- */

START_TEST (hands_over_what_came)
{
  FarGateLimits limits = { .total = 9 };
  struct sockaddr_in mine;
  socklen_t size = sizeof mine;
  int value = 0;
  set_up (_i);
  at.spec.gate = far_gate_new (NULL, &limits);
  at.spec.nodelay = TRUE;
  at.spec.user_timeout_ms = 4321;
  run_at_loop (begin);
  int fd = dial_from ("127.0.0.5");
  await (1);
  ck_assert_int_eq (getsockname (fd, (struct sockaddr *) &mine, &size), 0);
  ck_assert_str_eq (at.from[0], "127.0.0.5");
  ck_assert_uint_eq (at.port, ntohs (mine.sin_port));
  ck_assert_ptr_nonnull (at.passes[0]);
  ck_assert_int_ne (fcntl (at.fds[0], F_GETFL) & O_NONBLOCK, 0);
  ck_assert_int_ne (fcntl (at.fds[0], F_GETFD) & FD_CLOEXEC, 0);
  size = sizeof value;
  ck_assert_int_eq (getsockopt (at.fds[0], IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
  ck_assert_int_ne (value, 0);
  ck_assert_int_eq (getsockopt (at.fds[0], IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &size), 0);
  ck_assert_int_eq (value, 4321);
  far_gate_free (at.spec.gate); /* the acceptor has its own reference, and the pass */
  tear_down ();
  close (fd);
}
END_TEST

START_TEST (others_have_their_turn)
{
  int fds[200];
  set_up (_i);
  for (guint i = 0; i < 200; i++)
    fds[i] = dial_from ("127.0.0.1");
  at.post_in_came = TRUE;
  run_at_loop (begin);
  await (200);
  ck_assert (at.marked);
  ck_assert_uint_eq (at.marker_at, FAR_ACCEPT_BATCH);
  tear_down ();
  for (guint i = 0; i < 200; i++)
    close (fds[i]);
}
END_TEST

START_TEST (may_be_freed_by_who_it_calls)
{
  set_up (_i);
  int one = dial_from ("127.0.0.1"), two = dial_from ("127.0.0.1");
  at.free_in_came = TRUE;
  run_at_loop (begin);
  await (1);
  settle ();
  ck_assert_uint_eq (count (), 1);
  ck_assert_ptr_null (at.acceptor);
  tear_down ();
  close (one);
  close (two);
}
END_TEST

START_TEST (takes_unix_sockets)
{
  g_autofree char *folder = g_dir_make_tmp ("farwatch-test-XXXXXX", NULL),
                  *path = g_build_filename (folder, "s", NULL);
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  set_up (_i);
  close (at.listener);
  g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  at.listener = socket (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  ck_assert_int_eq (bind (at.listener, (struct sockaddr *) &address, sizeof address) |
                        listen (at.listener, 8),
                    0);
  run_at_loop (begin);
  int fd = socket (AF_UNIX, SOCK_STREAM, 0);
  ck_assert_int_eq (connect (fd, (struct sockaddr *) &address, sizeof address), 0);
  await (1);
  ck_assert_str_eq (at.from[0], "unix");
  ck_assert_int_eq (at.family, AF_UNIX);
  tear_down ();
  close (fd);
  unlink (path);
  rmdir (folder);
}
END_TEST

/* ---- who is refused ---- */

START_TEST (the_gate_refuses_with_a_reset)
{
  FarGateLimits limits = { .total = 1 };
  set_up (_i);
  at.spec.gate = far_gate_new (NULL, &limits);
  run_at_loop (begin);
  int fd = dial_from ("127.0.0.1");
  await (1);
  for (guint i = 0; i < 5; i++)
    ck_assert_str_eq (ends (dial_from ("127.0.0.1")), "reset");
  ck_assert_int_eq (g_atomic_int_get (&at.complaints), 1); /* once, then ever more rarely */
  ck_assert_uint_eq (count (), 1);
  far_gate_free (at.spec.gate);
  tear_down ();
  close (fd);
}
END_TEST

START_TEST (the_rate_is_for_strangers)
{
  FarGateLimits limits = { 0 };
  int fds[64];
  guint n = 0;
  set_up (_i);
  at.spec.gate = far_gate_new (NULL, &limits);
  at.spec.per_second = 2;
  run_at_loop (begin);
  for (; n < 10; n++)
    fds[n] = dial_from ("127.0.0.6");
  await (n);
  ck_assert_str_eq (ends (dial_from ("127.0.0.6")), "reset");
  fds[n++] = dial_from ("127.0.0.7");
  await (n);
  far_clock_advance (SECONDS (1));
  for (guint i = 0; i < 2; i++)
    fds[n++] = dial_from ("127.0.0.6");
  await (n);
  ck_assert_str_eq (ends (dial_from ("127.0.0.6")), "reset");
  far_gate_verified (at.passes[0]);
  for (guint i = 0; i < 20; i++)
    fds[n++] = dial_from ("127.0.0.6");
  await (n);
  far_gate_free (at.spec.gate);
  tear_down ();
  for (guint i = 0; i < n; i++)
    close (fds[i]);
}
END_TEST

/* ---- errors of accept4() ---- */

START_TEST (without_descriptors_it_waits_a_second)
{
  struct rlimit old, less;
  set_up (_i);
  run_at_loop (begin);
  settle ();
  int fd = dial_from ("127.0.0.1"), spare = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  await (1); /* the next number is free, but over the limit: */
  int next = dial_from ("127.0.0.1");
  await (2);
  ck_assert_int_eq (getrlimit (RLIMIT_NOFILE, &old), 0);
  less = (struct rlimit){ .rlim_cur = 3, .rlim_max = old.rlim_max };
  int third = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ck_assert_int_eq (setrlimit (RLIMIT_NOFILE, &less), 0);
  ck_assert_int_eq (connect (third, (struct sockaddr *) &at.address, sizeof at.address), 0);
  help_wait (&at.complaints);
  ck_assert_int_eq (setrlimit (RLIMIT_NOFILE, &old), 0);
  settle ();
  ck_assert_uint_eq (count (), 2); /* it does not try all the time */
  far_clock_advance (SECONDS (1));
  await (3);
  ck_assert_int_eq (g_atomic_int_get (&at.complaints), 1);
  tear_down ();
  close (fd);
  close (spare);
  close (next);
  close (third);
}
END_TEST

/* ---- PROXY headers ---- */

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4 "\xc0\x00\x02\x01\xc0\x00\x02\x02\x12\x34\x01\xbb"
#define V6                                                                                                   \
  "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"                                                               \
  "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"                                                               \
  "\x12\x34\x01\xbb"
#define TLV "\x04\x00\x03xyz"
#define HEADER(text) text, sizeof (text) - 1

static const struct {
  const char *bytes;
  gsize size;
  const char *from; /* NULL: closed */
  guint16 port;     /* 0: the connection's own */
} headers[] = {
  { HEADER (SIGNATURE "\x21\x11\x00\x0c" V4), "192.0.2.1", 0x1234 },
  { HEADER (SIGNATURE "\x21\x11\x00\x12" V4 TLV), "192.0.2.1", 0x1234 },
  { HEADER (SIGNATURE "\x21\x21\x00\x24" V6), "2001:db8::1", 0x1234 },
  { HEADER (SIGNATURE "\x20\x00\x00\x00"), "127.0.0.9", 0 },
  { HEADER (SIGNATURE "\x20\x11\x00\x0c" V4), "127.0.0.9", 0 },  /* LOCAL: what it tells is passed over */
  { HEADER (SIGNATURE "\x21\x00\x00\x06" TLV), "127.0.0.9", 0 }, /* unspecified */
  { HEADER (SIGNATURE "\x21\x11\x00\x0b" V4), NULL, 0 },         /* shorter than its addresses */
  { HEADER (SIGNATURE "\x21\x21\x00\x0c" V4), NULL, 0 },
  { HEADER (SIGNATURE "\x21\x12\x00\x0c" V4), NULL, 0 }, /* UDP */
  { HEADER (SIGNATURE "\x21\x31\x00\x0c" V4), NULL, 0 }, /* a unix socket's are longer */
  { HEADER (SIGNATURE "\x22\x11\x00\x0c" V4), NULL, 0 }, /* an unknown command */
  { HEADER (SIGNATURE "\x11\x11\x00\x0c" V4), NULL, 0 }, /* another version */
  { HEADER (SIGNATURE "\x21\x11\x02\x09" V4), NULL, 0 }, /* over 536 bytes in all */
  { HEADER (SIGNATURE "\x21\x11\xff\xff" V4), NULL, 0 },
  { HEADER ("PROXY TCP4 192.0.2.1 192.0.2.2 4660 443\r\n"), NULL, 0 },
  { HEADER ("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), NULL, 0 },
  { HEADER ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\0\0\0\0\0\0\0"), NULL, 0 },
};

static const char *const proxies[] = { "127.0.0.9/32", "unix", NULL };

static void
set_up_proxy (gboolean own_loop)
{
  set_up (own_loop);
  at.spec.proxies = proxies;
  run_at_loop (begin);
}

/* In one piece with what follows it, or byte by byte. */
static void
say_header (int fd, guint row, gboolean slowly)
{
  gsize size = headers[row].size;
  g_autofree char *all = g_malloc (size + 5);
  memcpy (all, headers[row].bytes, size);
  memcpy (all + size, "hello", 5);
  for (gsize i = 0; slowly && i < size && count () == 0; i++) {
    if (send (fd, all + i, 1, MSG_NOSIGNAL) != 1)
      return; /* closed already */
    settle ();
  }
  send (fd, all + (slowly ? size : 0), slowly ? 5 : size + 5, MSG_NOSIGNAL);
}

static void
header_is_read (guint row, gboolean own_loop, gboolean slowly)
{
  char text[8] = "";
  set_up_proxy (own_loop);
  int fd = dial_from ("127.0.0.9");
  settle ();
  ck_assert_uint_eq (count (), 0);
  say_header (fd, row, slowly);
  if (headers[row].from == NULL) {
    ck_assert_str_ne (ends (fd), "stays");
    ck_assert_uint_eq (count (), 0);
    ck_assert_int_eq (g_atomic_int_get (&at.complaints), 1);
    tear_down ();
    return;
  }
  await (1);
  ck_assert_str_eq (at.from[0], headers[row].from);
  if (headers[row].port != 0)
    ck_assert_uint_eq (at.port, headers[row].port);
  ck_assert_int_eq (poll (&(struct pollfd){ .fd = at.fds[0], .events = POLLIN }, 1, 10000), 1);
  ck_assert_int_eq (recv (at.fds[0], text, sizeof text, 0), 5); /* what came behind it, and nothing of it */
  ck_assert_str_eq (text, "hello");
  tear_down ();
  close (fd);
}

START_TEST (a_header_tells_who_comes)
{
  header_is_read ((guint) _i / 2, _i % 2, FALSE);
}
END_TEST

START_TEST (a_header_comes_in_pieces)
{
  header_is_read ((guint) _i / 2, _i % 2, TRUE);
}
END_TEST

START_TEST (headers_of_others_are_their_words)
{
  char text[64];
  set_up_proxy (_i);
  int fd = dial_from ("127.0.0.8");
  await (1);
  say_header (fd, 0, FALSE);
  ck_assert_str_eq (at.from[0], "127.0.0.8");
  ck_assert_int_eq (poll (&(struct pollfd){ .fd = at.fds[0], .events = POLLIN }, 1, 10000), 1);
  ck_assert_int_eq (recv (at.fds[0], text, sizeof text, 0), (int) headers[0].size + 5);
  tear_down ();
  close (fd);
}
END_TEST

START_TEST (a_header_has_five_seconds)
{
  set_up_proxy (_i);
  int half = dial_from ("127.0.0.9"), second;
  ck_assert_int_eq (send (half, SIGNATURE, 7, 0), 7);
  settle ();
  far_clock_advance (SECONDS (3));
  second = dial_from ("127.0.0.9");
  settle ();
  far_clock_advance (SECONDS (2));
  ck_assert_str_ne (ends (half), "stays");
  ck_assert_int_eq (g_atomic_int_get (&at.complaints), 1);
  say_header (second, 0, FALSE);
  await (1);
  tear_down ();
  close (second);
}
END_TEST

START_TEST (awaited_headers_end_with_the_acceptor)
{
  set_up_proxy (_i);
  int fd = dial_from ("127.0.0.9");
  ck_assert_int_eq (send (fd, SIGNATURE, 7, 0), 7);
  settle ();
  run_at_loop (end);
  ck_assert_str_ne (ends (fd), "stays");
  ck_assert_uint_eq (count (), 0);
  tear_down ();
}
END_TEST

START_TEST (the_rate_and_the_gate_see_who_is_told)
{
  FarGateLimits limits = { .per_address = 1 };
  int fds[3];
  set_up (_i);
  at.spec.proxies = proxies;
  at.spec.gate = far_gate_new (NULL, &limits);
  run_at_loop (begin);
  fds[0] = dial_from ("127.0.0.9");
  say_header (fds[0], 0, FALSE);
  await (1);
  fds[1] = dial_from ("127.0.0.9");
  say_header (fds[1], 2, FALSE);
  await (2);
  fds[2] = dial_from ("127.0.0.9");
  say_header (fds[2], 0, FALSE);
  ck_assert_str_eq (ends (fds[2]), "reset");
  far_gate_free (at.spec.gate);
  tear_down ();
  close (fds[0]);
  close (fds[1]);
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  TCase *cases = tcase_create ("acceptor");
  tcase_set_timeout (cases, 60);
  tcase_add_loop_test (cases, hands_over_what_came, 0, 2);
  tcase_add_loop_test (cases, others_have_their_turn, 0, 2);
  tcase_add_loop_test (cases, may_be_freed_by_who_it_calls, 0, 2);
  tcase_add_loop_test (cases, takes_unix_sockets, 0, 2);
  tcase_add_loop_test (cases, the_gate_refuses_with_a_reset, 0, 2);
  tcase_add_loop_test (cases, the_rate_is_for_strangers, 0, 2);
  tcase_add_loop_test (cases, without_descriptors_it_waits_a_second, 0, 2);
  tcase_add_loop_test (cases, a_header_tells_who_comes, 0, 2 * G_N_ELEMENTS (headers));
  tcase_add_loop_test (cases, a_header_comes_in_pieces, 0, 2 * G_N_ELEMENTS (headers));
  tcase_add_loop_test (cases, headers_of_others_are_their_words, 0, 2);
  tcase_add_loop_test (cases, a_header_has_five_seconds, 0, 2);
  tcase_add_loop_test (cases, awaited_headers_end_with_the_acceptor, 0, 2);
  tcase_add_loop_test (cases, the_rate_and_the_gate_see_who_is_told, 0, 2);
  Suite *suite = suite_create ("acceptor");
  suite_add_tcase (suite, cases);
  SRunner *runner = srunner_create (suite);
  srunner_run_all (runner, CK_NORMAL);
  int failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed > 0;
}
