/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Dialling: which address wins and when, what a failure tells, and that nothing is left open. Addresses are
 * of loopback, names a table's. */
#include "unit/dial-help.h"
#include <dirent.h>
#include <farwatch/gate.h>
#include <fcntl.h>
#include <netinet/tcp.h>

/* A port that nobody listens at. */
static guint16
free_port (void)
{
  guint16 port = 0;
  close (listen_at ("127.0.0.1", &port, 1));
  return port;
}

static guint
sockets_open (void)
{
  DIR *dir = opendir ("/proc/self/fd");
  guint n = 0;
  for (struct dirent *entry; (entry = readdir (dir)) != NULL;) {
    char target[64] = "";
    n += readlinkat (dirfd (dir), entry->d_name, target, sizeof target - 1) > 0 &&
         g_str_has_prefix (target, "socket:");
  }
  closedir (dir);
  return n;
}

/* ---- one dial ---- */

typedef struct {
  FarRequest *req;
  gint ended;
  int fd;
  char *error;
  int code;
  gboolean leave_it;
} Result;

static void
done (FarRequest *req, gpointer user)
{
  Result *result = user;
  const GError *error = far_request_error (req);
  result->error = g_strdup (error != NULL ? error->message : "");
  result->code = error != NULL ? error->code : 0;
  result->fd = result->leave_it ? -1 : far_dial_take (req);
  if (!result->leave_it)
    ck_assert_int_eq (far_dial_take (req), -1); /* once */
  g_atomic_int_set (&result->ended, 1);
}

static void
dial (Result *result, const char *host, guint16 port)
{
  result->req = far_request_new (done, result, 0);
  far_dial (host, port, result->req);
  ck_assert_int_eq (result->ended, 0); /* never inside */
}

/* Lets happen what happens without more time. */
static void
settle (void)
{
  for (guint i = 0; i < 20; i++) {
    help_spin (5);
    g_usleep (200);
  }
}

static void
await_asked (gint n)
{
  gint64 limit = g_get_monotonic_time () + SECONDS (20);
  while (g_atomic_int_get (&names.asked) < n && g_get_monotonic_time () < limit)
    if (!g_main_context_iteration (NULL, FALSE))
      g_usleep (200);
  ck_assert_int_eq (g_atomic_int_get (&names.asked), n);
}

static void
await_sockets (guint n)
{
  gint64 limit = g_get_monotonic_time () + SECONDS (20);
  while (sockets_open () != n && g_get_monotonic_time () < limit)
    if (!g_main_context_iteration (NULL, FALSE))
      g_usleep (200);
  ck_assert_uint_eq (sockets_open (), n);
}

/* Two addresses are under way, and neither answers. */
static void
await_attempts (guint before)
{
  await_sockets (before + 1);
  far_clock_advance (250 * 1000);
  await_sockets (before + 2);
}

static char *
peer_of (int fd)
{
  struct sockaddr_storage at;
  socklen_t size = sizeof at;
  ck_assert_int_eq (getpeername (fd, (struct sockaddr *) &at, &size), 0);
  return far_address_text ((struct sockaddr *) &at);
}

static void
won_by (Result *result, const char *address)
{
  help_wait (&result->ended);
  ck_assert_msg (result->fd >= 0, "%s", result->error);
  g_autofree char *peer = peer_of (result->fd);
  ck_assert_str_eq (peer, address);
  close (result->fd);
  g_free (result->error);
}

static void
set_up (void)
{
  memset (&names, 0, sizeof names);
  far_look_up_set (ask);
}

static void
tear_down (void)
{
  let_go ();
  far_look_up_set (NULL);
}

/* ---- who wins ---- */

START_TEST (an_address_in_numbers)
{
  Result result = { 0 };
  guint16 port = 0;
  int listener = listen_at ("127.0.0.1", &port, 8), value = 0;
  socklen_t size = sizeof value;
  dial (&result, "127.0.0.1", port);
  help_wait (&result.ended);
  ck_assert_int_ge (result.fd, 0);
  ck_assert_int_eq (names.asked, 0);
  ck_assert_int_ne (fcntl (result.fd, F_GETFL) & O_NONBLOCK, 0);
  ck_assert_int_ne (fcntl (result.fd, F_GETFD) & FD_CLOEXEC, 0);
  ck_assert_int_eq (getsockopt (result.fd, IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
  ck_assert_int_ne (value, 0);
  won_by (&result, "127.0.0.1");
  close (listener);
}
END_TEST

START_TEST (a_black_hole_costs_a_quarter_of_a_second)
{
  Result result = { 0 };
  guint16 port = 0;
  int good = listen_at ("127.0.0.1", &port, 8);
  Hole hole = hole_at ("127.0.0.2", &port);
  guint before = sockets_open ();
  gint64 began = far_clock_boottime_us ();
  names.addresses[0] = "127.0.0.2";
  names.addresses[1] = "127.0.0.1";
  dial (&result, NAME, port);
  help_wait (&result.ended);
  ck_assert_int_ge (far_clock_boottime_us () - began, 250 * 1000);
  ck_assert_int_lt (far_clock_boottime_us () - began, SECONDS (10));
  ck_assert_uint_eq (sockets_open (), before + 1); /* the loser is closed */
  won_by (&result, "127.0.0.1");
  hole_close (&hole);
  close (good);
}
END_TEST

START_TEST (a_refusal_costs_no_time)
{
  Result result = { 0 };
  guint16 port = 0;
  int good = listen_at ("127.0.0.1", &port, 8);
  names.addresses[0] = "127.0.0.3";
  names.addresses[1] = "127.0.0.4";
  names.addresses[2] = "127.0.0.1";
  dial (&result, NAME, port);
  won_by (&result, "127.0.0.1"); /* the clock stands still */
  close (good);
}
END_TEST

/* The hole's queue is emptied while the next one is tried: the first is still in the race. */
START_TEST (a_late_answer_still_wins)
{
  Result result = { 0 };
  guint16 port = 0;
  Hole one = hole_at ("127.0.0.2", &port), two = hole_at ("127.0.0.3", &port);
  guint before = sockets_open ();
  names.addresses[0] = "127.0.0.2";
  names.addresses[1] = "127.0.0.3";
  dial (&result, NAME, port);
  await_attempts (before);
  ck_assert_int_eq (result.ended, 0);
  while (!result.ended && poll (&(struct pollfd){ .fd = one.listener, .events = POLLIN }, 1, 20) >= 0) {
    while (poll (&(struct pollfd){ .fd = one.listener, .events = POLLIN }, 1, 0) == 1)
      close (accept (one.listener, NULL, NULL));
    help_spin (5);
  }
  won_by (&result, "127.0.0.2"); /* the kernel says its word again, after a second */
  hole_close (&one);
  hole_close (&two);
}
END_TEST

START_TEST (families_take_turns)
{
  Result result = { 0 };
  static const char *const addresses[] = { "127.0.0.2", "127.0.0.3", "127.0.0.4", "::1", "::1" };
  memcpy (names.addresses, addresses, sizeof addresses);
  dial (&result, NAME, free_port ());
  help_wait (&result.ended);
  const char *at = strstr (result.error, "(tried: ");
  ck_assert_msg (at != NULL, "%s", result.error);
  for (const char *const *next =
           (const char *const[]){ "127.0.0.2 ", "::1 ", "127.0.0.3 ", "::1 ", "127.0.0.4 ", NULL };
       *next != NULL; next++) {
    at = strstr (at, *next);
    ck_assert_msg (at != NULL, "%s: not in turn: %s", *next, result.error);
    at += strlen (*next);
  }
  g_free (result.error);
}
END_TEST

/* ---- failures ---- */

static void
fails (Result *result, int code, const char *begin, const char *part)
{
  help_wait (&result->ended);
  ck_assert_int_eq (result->fd, -1);
  ck_assert_int_eq (result->code, code);
  ck_assert_msg (g_str_has_prefix (result->error, begin), "%s", result->error);
  ck_assert_msg (strstr (result->error, part) != NULL, "%s", result->error);
  ck_assert_ptr_null (strchr (result->error, '\n'));
  g_free (result->error);
  *result = (Result){ 0 };
}

START_TEST (a_failure_tells_place_cause_and_next_step)
{
  Result result = { 0 };
  guint16 port = free_port ();
  g_autofree char *number = g_strdup_printf ("cannot reach 127.0.0.1:%u: the connection was refused", port);
  g_autofree char *name = g_strdup_printf ("cannot reach " NAME ":%u: the name is unknown", port);
  dial (&result, "127.0.0.1", port);
  fails (&result, FAR_ERROR_UNAVAILABLE, number, "check the port");
  names.fault = EAI_NONAME;
  dial (&result, NAME, port);
  fails (&result, FAR_ERROR_UNAVAILABLE, name, "spelling");
  names.fault = EAI_AGAIN;
  dial (&result, NAME, port);
  fails (&result, FAR_ERROR_UNAVAILABLE, "cannot reach " NAME, "/etc/resolv.conf");
}
END_TEST

START_TEST (silence_is_told_with_the_addresses)
{
  Result result = { 0 };
  guint16 port = 0;
  Hole one = hole_at ("127.0.0.2", &port), two = hole_at ("127.0.0.3", &port);
  guint before = sockets_open ();
  names.addresses[0] = "127.0.0.2";
  names.addresses[1] = "127.0.0.3";
  dial (&result, NAME, port);
  await_attempts (before);
  far_clock_advance (SECONDS (FAR_DIAL_SECONDS));
  fails (&result, FAR_ERROR_UNAVAILABLE, "cannot reach " NAME,
         "(tried: 127.0.0.2 no answer, 127.0.0.3 no answer)");
  ck_assert_uint_eq (sockets_open (), before);
  hole_close (&one);
  hole_close (&two);
}
END_TEST

static const struct {
  int codes[3];
  const char *cause;
} kinds[] = {
  { { ENETUNREACH }, "no network leads there" },
  { { EHOSTUNREACH }, "the host cannot be reached" },
  { { ETIMEDOUT }, "no answer" },
  { { ECONNREFUSED }, "the connection was refused" },
  { { EPERM }, "this machine's firewall" },
  { { EMFILE }, "this program has no descriptors left" },
  { { ENETUNREACH, ECONNREFUSED },
    "the connection was refused" }, /* IPv6 leads nowhere; what IPv4 says is the reason */
  { { ENETUNREACH, EHOSTUNREACH, 0 }, "the host cannot be reached" },
  { { EAFNOSUPPORT }, "Address family not supported" },
};

START_TEST (each_kind_has_its_words)
{
  g_autoptr (GArray) tried = g_array_new (FALSE, FALSE, sizeof (FarTried));
  for (guint i = 0; i < 3 && kinds[_i].codes[i] != 0; i++)
    g_array_append_val (tried, ((FarTried){ (char *) "2001:db8::1", kinds[_i].codes[i] }));
  g_autoptr (GError) error = far_dial_error ("2001:db8::1", 443, tried);
  ck_assert_msg (g_str_has_prefix (error->message, "cannot reach [2001:db8::1]:443: "), "%s", error->message);
  ck_assert_msg (g_str_has_prefix (error->message + strlen ("cannot reach [2001:db8::1]:443: "),
                                   kinds[_i].cause),
                 "%s", error->message);
  ck_assert_int_eq (strstr (error->message, "tried") != NULL, tried->len > 1);
}
END_TEST

/* ---- name servers that say nothing ---- */

START_TEST (a_silent_name_server_holds_nobody_up)
{
  Result silent = { 0 }, other = { 0 };
  guint16 port = 0;
  int good = listen_at ("127.0.0.1", &port, 8);
  names.silent = TRUE;
  names.addresses[0] = "127.0.0.1";
  dial (&silent, NAME, port);
  await_asked (1);
  dial (&other, "other.example", port);
  won_by (&other, "127.0.0.1");
  ck_assert_int_eq (silent.ended, 0);
  far_clock_advance (SECONDS (FAR_DIAL_SECONDS));
  fails (&silent, FAR_ERROR_UNAVAILABLE, "cannot reach " NAME, "no name server answers");
  close (good);
}
END_TEST

START_TEST (look_ups_are_bounded)
{
  Result many[16 + 64] = { 0 }, more = { 0 }, again = { 0 };
  guint16 port = 0;
  int good = listen_at ("127.0.0.1", &port, 128);
  names.silent = TRUE;
  names.addresses[0] = "127.0.0.1";
  for (guint i = 0; i < G_N_ELEMENTS (many); i++)
    dial (&many[i], NAME, port);
  await_asked (16);
  dial (&more, NAME, port);
  fails (&more, FAR_ERROR_LIMIT, "cannot reach " NAME, "64 names wait already");
  far_request_cancel (many[40].req); /* leaves the queue */
  fails (&many[40], FAR_ERROR_UNAVAILABLE, "cancelled", "");
  dial (&again, NAME, port);
  far_request_cancel (many[0].req); /* its thread hangs on and answers to nobody */
  fails (&many[0], FAR_ERROR_UNAVAILABLE, "cancelled", "");
  settle ();
  ck_assert_int_eq (names.asked, 16);
  let_go ();
  for (guint i = 0; i < G_N_ELEMENTS (many); i++)
    if (i != 0 && i != 40)
      won_by (&many[i], "127.0.0.1");
  won_by (&again, "127.0.0.1");
  ck_assert_int_eq (names.asked, 80);
  close (good);
}
END_TEST

/* ---- nothing is left open ---- */

START_TEST (cancel_closes_everything)
{
  Result result = { 0 };
  guint16 port = 0;
  Hole one = hole_at ("127.0.0.2", &port), two = hole_at ("127.0.0.3", &port);
  guint before = sockets_open ();
  names.addresses[0] = "127.0.0.2";
  names.addresses[1] = "127.0.0.3";
  dial (&result, NAME, port);
  await_attempts (before);
  far_request_cancel (result.req);
  ck_assert_int_eq (result.ended, 1);
  ck_assert_uint_eq (sockets_open (), before);
  fails (&result, FAR_ERROR_UNAVAILABLE, "cancelled", "");
  far_clock_advance (SECONDS (60));
  settle ();
  hole_close (&one);
  hole_close (&two);
}
END_TEST

START_TEST (what_nobody_takes_is_closed)
{
  Result result = { .leave_it = TRUE };
  guint16 port = 0;
  int good = listen_at ("127.0.0.1", &port, 8);
  guint before = sockets_open ();
  dial (&result, "127.0.0.1", port);
  help_wait (&result.ended);
  settle ();
  ck_assert_str_eq (result.error, "");
  ck_assert_uint_eq (sockets_open (), before);
  g_free (result.error);
  close (good);
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  TCase *cases = tcase_create ("dial");
  tcase_set_timeout (cases, 60);
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_test (cases, an_address_in_numbers);
  tcase_add_test (cases, a_black_hole_costs_a_quarter_of_a_second);
  tcase_add_test (cases, a_refusal_costs_no_time);
  tcase_add_test (cases, a_late_answer_still_wins);
  tcase_add_test (cases, families_take_turns);
  tcase_add_test (cases, a_failure_tells_place_cause_and_next_step);
  tcase_add_test (cases, silence_is_told_with_the_addresses);
  tcase_add_loop_test (cases, each_kind_has_its_words, 0, G_N_ELEMENTS (kinds));
  tcase_add_test (cases, a_silent_name_server_holds_nobody_up);
  tcase_add_test (cases, look_ups_are_bounded);
  tcase_add_test (cases, cancel_closes_everything);
  tcase_add_test (cases, what_nobody_takes_is_closed);
  Suite *suite = suite_create ("dial");
  suite_add_tcase (suite, cases);
  SRunner *runner = srunner_create (suite);
  srunner_run_all (runner, CK_NORMAL);
  int failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed > 0;
}
