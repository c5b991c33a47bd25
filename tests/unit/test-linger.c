/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Streams that are let go: their places before login go to others, and no stream keeps its descriptor longer
 * than it was given. */
#include "unit/stream-help.h"

#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <farwatch/gate.h>
#include <farwatch/stream.h>

typedef struct {
  FarLoop *loop;
  FarGate *gate;
  FarPass *pass;
  FarStream *stream;
  GByteArray *rest;
  int fd; /* the peer's */
} Place;

static FarPass *
enter (FarGate *gate, const char *address)
{
  struct sockaddr_in from = { .sin_family = AF_INET };

  ck_assert_int_eq (inet_pton (AF_INET, address, &from.sin_addr), 1);
  return far_gate_enter (gate, -1, (struct sockaddr *) &from, NULL);
}

static Place
place_make (void)
{
  const FarGateLimits limits = { .total = 1 };
  Place place = { .loop = far_loop_io_new ("linger"), .gate = far_gate_new (NULL, &limits) };
  int fd[2];

  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM, 0, fd), 0);
  place.fd = fd[0];
  place.stream = far_stream_fd_new (place.loop, fd[1]);
  place.pass = enter (place.gate, "192.0.2.1");
  ck_assert_ptr_nonnull (place.pass);
  return place;
}

static void
place_drop (Place *place)
{
  far_loop_io_free (place->loop);
  far_gate_free (place->gate);
  close (place->fd);
}

static void
linger (gpointer data)
{
  Place *place = data;

  far_stream_linger (place->stream, place->rest, 10000, place->pass);
}

static gboolean
is_cut (const Place *place)
{
  struct pollfd one = { .fd = place->fd };

  return poll (&one, 1, 0) == 1 && (one.revents & POLLHUP) != 0;
}

/* Who was answered and does not go away holds no place against others. */
START_TEST (its_place_goes_to_others)
{
  Place place = place_make ();
  FarPass *other;

  far_loop_call (place.loop, linger, &place);
  help_settle (place.loop);
  ck_assert (!is_cut (&place));
  other = enter (place.gate, "192.0.2.2");
  ck_assert_ptr_nonnull (other);
  help_settle (place.loop);
  help_settle (place.loop);
  ck_assert (is_cut (&place));
  far_gate_leave (other);
  ck_assert_uint_eq (far_gate_counts (place.gate).now, 0);
  place_drop (&place);
}
END_TEST

/* Who has logged in keeps it. */
START_TEST (logged_in_stays)
{
  Place place = place_make ();

  far_gate_verified (place.pass);
  far_loop_call (place.loop, linger, &place);
  help_settle (place.loop);
  ck_assert_ptr_null (enter (place.gate, "192.0.2.2"));
  help_settle (place.loop);
  ck_assert (!is_cut (&place));
  shutdown (place.fd, SHUT_WR);
  for (gint64 end = g_get_monotonic_time () + SECONDS (20);
       !is_cut (&place) && g_get_monotonic_time () < end;)
    help_settle (place.loop);
  ck_assert (is_cut (&place));
  place_drop (&place);
}
END_TEST

/* What waits after the time is dropped with the descriptor. */
START_TEST (not_longer_than_given)
{
  Place place = place_make ();

  place.rest = g_byte_array_new ();
  g_byte_array_set_size (place.rest, 4 * 1024 * 1024);
  memset (place.rest->data, 0, place.rest->len);
  far_loop_call (place.loop, linger, &place);
  help_settle (place.loop);
  ck_assert (far_clock_advance (SECONDS (9)));
  help_settle (place.loop);
  help_settle (place.loop);
  ck_assert (!is_cut (&place));
  ck_assert (far_clock_advance (SECONDS (2)));
  for (guint i = 0; i < 4; i++)
    help_settle (place.loop);
  ck_assert (is_cut (&place));
  ck_assert_uint_eq (far_gate_counts (place.gate).now, 0);
  place_drop (&place);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("linger");
  TCase *tcase = tcase_create ("linger");
  SRunner *runner = srunner_create (suite);
  int failed;

  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  tcase_set_timeout (tcase, 60);
  tcase_add_test (tcase, its_place_goes_to_others);
  tcase_add_test (tcase, logged_in_stays);
  tcase_add_test (tcase, not_longer_than_given);
  suite_add_tcase (suite, tcase);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
