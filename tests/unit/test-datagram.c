/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Datagram streams: datagram-conform.h for every pair of the kinds there are, and what is each one's own. */
#include "unit/datagram-conform.h"

#include <netinet/in.h>

#define PAIRS (int) (N_DATAGRAM_KINDS * N_DATAGRAM_KINDS)

static const DatagramKind *
kind_a (int i)
{
  return &datagram_kinds[i / N_DATAGRAM_KINDS];
}

static const DatagramKind *
kind_b (int i)
{
  return &datagram_kinds[i % N_DATAGRAM_KINDS];
}

START_TEST (sizes_are_kept)
{
  conform_sizes (kind_a (_i), kind_b (_i));
}
END_TEST

START_TEST (bursts_are_kept)
{
  conform_bursts (kind_a (_i), kind_b (_i));
}
END_TEST

START_TEST (slow_readers_lose_nothing)
{
  conform_flow (kind_a (_i), kind_b (_i));
}
END_TEST

START_TEST (deaths_go_through)
{
  conform_death (kind_a (_i), kind_b (_i));
}
END_TEST

START_TEST (deadlines_cut)
{
  conform_deadline (kind_a (_i), kind_b (_i));
}
END_TEST

/* ---- pumps ---- */

static void
push_empty (gpointer data)
{
  const FarBurst burst = { .n = 1 };
  FarStream *stream = data;
  ck_assert_uint_eq (stream->klass->write (stream, &burst), 1);
}

static void
free_at_loop (gpointer data)
{
  far_stream_free (data);
}

/* An empty datagram is moved once and not looked at for ever. */
START_TEST (an_empty_one_does_not_spin)
{
  Loops loops = { .one = NULL };
  Report report = { 0 };
  MemoryDatagrams *left[2], *right[2];
  gint peeks = 0;
  FarPumpSpec spec = { .session = "s", .closed = report_closed, .user = &report };
  loops_start (&loops);
  memory_pair_new (loops.one, left);
  memory_pair_new (loops.one, right);
  left[1]->peeks = right[0]->peeks = &peeks;
  FarPump *pump = far_pump_start (&left[1]->head, &right[0]->head, &spec);
  far_loop_call (loops.one, push_empty, left[0]);
  for (guint i = 0; i < 50; i++)
    help_settle (loops.one);
  ck_assert_uint_eq (right[1]->in.length, 1);
  ck_assert_int_le (g_atomic_int_get (&peeks), 12);
  far_pump_close (pump, "enough");
  report_wait (&report);
  ck_assert_uint_eq (report.total.frames_ab, 1);
  ck_assert_uint_eq (report.total.bytes_ab, 0);
  far_loop_call (loops.one, free_at_loop, left[0]);
  far_loop_call (loops.one, free_at_loop, right[1]);
  loops_stop (&loops);
}
END_TEST

/* Bytes with each kind of datagrams, at one loop, moved, and by rings; in both orders. */
START_TEST (bytes_are_not_joined_with_datagrams)
{
  static const Kind byte_kinds[] = { KIND_UNIX_ONE, KIND_UNIX_TWO, KIND_RING_ONE, KIND_RING_TWO };
  const DatagramKind *kind = &datagram_kinds[_i / 4 % (int) N_DATAGRAM_KINDS];
  Loops loops = { .one = NULL };
  Report report = { 0 };
  FarPumpSpec spec = { .session = "s", .closed = report_closed, .user = &report };
  FarStream *datagrams, *bytes;
  int outside[2];
  char text[8];
  loops_start (&loops);
  outside[0] = datagram_outside (&loops, kind, &datagrams);
  bytes = end_make (&loops, byte_kinds[_i % 4], &outside[1]);
  datagram_send (outside[0], 5, 1);
  gboolean swap = _i >= 4 * (int) N_DATAGRAM_KINDS;
  far_pump_start (swap ? bytes : datagrams, swap ? datagrams : bytes, &spec);
  help_wait (&report.closed);
  ck_assert_str_eq (report.cause, "datagrams and bytes cannot be joined");
  ck_assert_int_le (recv (outside[1], text, sizeof text, 0), 0);
  ck_assert_uint_eq (report.total.frames_ab + report.total.bytes_ab + report.total.bytes_ba, 0);
  close (outside[0]);
  close (outside[1]);
  report_wait (&report);
  loops_stop (&loops);
}
END_TEST

typedef struct {
  Loops loops;
  Report report;
  int a, b;
  FarPump *pump;
} Split;

/* Two sockets, each read at one loop and written to at another. */
static void
split_start (Split *split, gint64 deadline_us)
{
  FarPumpSpec spec = { .session = "s",
                       .deadline_us = deadline_us,
                       .closed = report_closed,
                       .user = &split->report };
  int a[2], b[2];
  loops_start (&split->loops);
  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_SEQPACKET, 0, a) | socketpair (AF_UNIX, SOCK_SEQPACKET, 0, b),
                    0);
  split->a = a[1];
  split->b = b[1];
  split->pump = far_pump_start_split (far_stream_datagram_new (split->loops.one, a[0], FAR_DATAGRAM_MAX),
                                      far_stream_datagram_new (split->loops.two, dup (a[0]),
                                                               FAR_DATAGRAM_MAX),
                                      far_stream_datagram_new (split->loops.two, b[0], FAR_DATAGRAM_MAX),
                                      far_stream_datagram_new (split->loops.one, dup (b[0]),
                                                               FAR_DATAGRAM_MAX),
                                      &spec);
}

static void
split_end (Split *split)
{
  close (split->a);
  close (split->b);
  report_wait (&split->report);
  loops_stop (&split->loops);
}

START_TEST (two_directions_on_two_threads)
{
  enum { N = 3000 };
  Split split = { .a = -1 };
  GThread *threads[4];
  split_start (&split, 0);
  DatagramFlow flows[4] = { { split.a, N, 5, FALSE },
                            { split.b, N, 5, FALSE },
                            { split.b, N, 6, FALSE },
                            { split.a, N, 6, FALSE } };
  for (guint i = 0; i < 4; i++)
    threads[i] = g_thread_new ("flow", i % 2 ? datagram_flow_receive : datagram_flow_send, &flows[i]);
  for (guint i = 0; i < 4; i++)
    g_thread_join (threads[i]);
  for (guint i = 0; i < 4; i++)
    ck_assert (flows[i].good);
  report_wait (&split.report);
  ck_assert_uint_eq (split.report.total.frames_ab, N);
  ck_assert_uint_eq (split.report.total.frames_ba, N);
  split_end (&split);
}
END_TEST

START_TEST (one_direction_goes_on_alone)
{
  Split split = { .a = -1 };
  split_start (&split, 0);
  shutdown (split.a, SHUT_WR);
  datagram_expect (split.b, 0, 0, "the end");
  for (guint i = 0; i < 10; i++) {
    datagram_send (split.b, 100 + i, 7);
    datagram_expect (split.a, 100 + i, 7, "a");
  }
  ck_assert_int_eq (split.report.closed, 0);
  shutdown (split.b, SHUT_WR);
  report_wait (&split.report);
  ck_assert_str_eq (split.report.cause, "end of a");
  split_end (&split);
}
END_TEST

/* The deadline, a word from outside, and both sides' going end both directions. */
START_TEST (both_directions_end_together)
{
  Split split = { .a = -1 };
  char byte;
  split_start (&split, far_clock_boottime_us () + SECONDS (600));
  datagram_send (split.a, 10, 1);
  datagram_expect (split.b, 10, 1, "b");
  if (_i == 0)
    ck_assert (far_clock_advance (SECONDS (601)));
  else
    far_pump_close (split.pump, "asked");
  report_wait (&split.report);
  ck_assert_str_eq (split.report.cause, _i == 0 ? "deadline" : "asked");
  ck_assert_int_le (recv (split.a, &byte, 1, 0), 0);
  ck_assert_int_le (recv (split.b, &byte, 1, 0), 0);
  split_end (&split);
}
END_TEST

/* b has gone, orderly as far as can be seen, and a goes on sending: nobody reads the end that is written to,
 * and still both directions end. */
START_TEST (a_broken_end_ends_both_directions)
{
  Split split = { .a = -1 };
  char byte = 0;
  split_start (&split, 0);
  datagram_send (split.a, 10, 1);
  datagram_expect (split.b, 10, 1, "b");
  close (split.b);
  datagram_expect (split.a, 0, 0, "the end");
  gint64 end = g_get_monotonic_time () + SECONDS (10);
  while (!split.report.closed && g_get_monotonic_time () < end) {
    send (split.a, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    help_spin (1);
  }
  ck_assert_int_ne (split.report.closed, 0);
  ck_assert_str_eq (split.report.cause, "end of b");
  ck_assert_int_le (recv (split.a, &byte, 1, 0), 0);
  close (split.a);
  loops_stop (&split.loops);
}
END_TEST

/* ---- rings ---- */

typedef struct {
  FarStream *one, *two;
} DatagramRing;

static DatagramRing
ring_new (void)
{
  DatagramRing ring;
  far_ring_pair_datagrams (far_loop_main (), far_loop_main (), &ring.one, &ring.two);
  return ring;
}

static void
ring_done (DatagramRing *ring)
{
  far_stream_free (ring->one);
  far_stream_free (ring->two);
  help_spin (4);
}

START_TEST (rings_keep_offload_fields)
{
  DatagramRing ring = ring_new ();
  const guint8 bytes[100] = { 7 };
  const FarBurst sent = { .n = 2,
                          .bytes = 100,
                          .frames = { { bytes, 100, 1448, 34, 16, 1, 3 }, { NULL, 0, 0, 0, 0, 0, 0 } } };
  FarBurst seen;
  ck_assert_uint_eq (ring.one->klass->write (ring.one, &sent), 2);
  ring.two->klass->peek (ring.two, &seen);
  ck_assert_uint_eq (seen.n, 2);
  ck_assert_uint_eq (seen.bytes, 100);
  const FarFrame *frame = &seen.frames[0];
  ck_assert_uint_eq (frame->gso_size, 1448);
  ck_assert_uint_eq (frame->csum_start, 34);
  ck_assert_uint_eq (frame->csum_offset, 16);
  ck_assert_uint_eq (frame->gso_type, 1);
  ck_assert_uint_eq (frame->flags, 3);
  ck_assert_int_eq (frame->data[0], 7);
  ck_assert_uint_eq (seen.frames[1].size, 0);
  ring.two->klass->consume (ring.two, 1);
  ring.two->klass->peek (ring.two, &seen);
  ck_assert_uint_eq (seen.n, 1);
  ck_assert_uint_eq (seen.bytes, 0);
  ring_done (&ring);
}
END_TEST

/* The longest ones: a ring takes as many as it has memory for, and more when some were taken out; always the
 * same however often it went around. */
START_TEST (rings_are_bounded)
{
  DatagramRing ring = ring_new ();
  g_autofree guint8 *bytes = g_malloc0 (FAR_DATAGRAM_MAX);
  FarBurst burst = { .n = 1,
                     .bytes = FAR_DATAGRAM_MAX,
                     .frames = { { .data = bytes, .size = FAR_DATAGRAM_MAX } } };
  guint in = 0, out = 0;
  for (guint round = 0; round < 100; round++) {
    FarBurst seen;
    while (bytes[0] = (guint8) in, ring.one->klass->write (ring.one, &burst) == 1)
      in++;
    ck_assert_uint_ge (in - out, 2);
    ck_assert_uint_le (in - out, 3);
    ring.two->klass->peek (ring.two, &seen);
    ck_assert_uint_eq (seen.n, in - out);
    for (guint i = 0; i < seen.n; i++)
      ck_assert_uint_eq (seen.frames[i].data[0], (guint8) (out + i));
    guint take = 1 + round % seen.n;
    ring.two->klass->consume (ring.two, take);
    out += take;
  }
  ring_done (&ring);
}
END_TEST

START_TEST (rings_drop_what_is_too_long)
{
  DatagramRing ring = ring_new ();
  g_autofree guint8 *bytes = g_malloc0 (FAR_DATAGRAM_MAX + 1);
  const FarBurst burst = { .n = 2,
                           .bytes = FAR_DATAGRAM_MAX + 2,
                           .frames = { { .data = bytes, .size = FAR_DATAGRAM_MAX + 1 },
                                       { .data = bytes, .size = 1 } } };
  FarBurst seen;
  ck_assert_uint_eq (ring.one->klass->write (ring.one, &burst), 2);
  ck_assert_uint_eq (ring.one->dropped, 1);
  ring.two->klass->peek (ring.two, &seen);
  ck_assert_uint_eq (seen.n, 1);
  ck_assert_uint_eq (seen.frames[0].size, 1);
  ring_done (&ring);
}
END_TEST

/* ---- sockets ---- */

/* Longer than the stream was made for: dropped and counted, never cut; the next one comes. */
START_TEST (long_ones_are_never_cut)
{
  Loops loops = { .one = NULL };
  Report report = { 0 };
  FarPumpSpec spec = { .session = "s", .closed = report_closed, .user = &report };
  int a[2], b[2];
  loops_start (&loops);
  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_SEQPACKET, 0, a) | socketpair (AF_UNIX, SOCK_SEQPACKET, 0, b),
                    0);
  far_pump_start (far_stream_datagram_new (loops.one, a[0], 100),
                  far_stream_datagram_new (loops.one, b[0], 100), &spec);
  datagram_send (a[1], 101, 1);
  datagram_send (a[1], 100, 2);
  datagram_send (a[1], 5000, 3);
  datagram_send (a[1], 0, 4);
  datagram_send (a[1], 99, 5);
  datagram_expect (b[1], 100, 2, "b");
  datagram_expect (b[1], 0, 4, "b");
  datagram_expect (b[1], 99, 5, "b");
  close (a[1]);
  close (b[1]);
  report_wait (&report);
  ck_assert_uint_eq (report.total.frames_ab, 3);
  ck_assert_uint_eq (report.total.dropped_ab, 2);
  ck_assert_uint_eq (report.total.dropped_ba, 0);
  loops_stop (&loops);
}
END_TEST

static void
long_ones_peek (gpointer stream)
{
  FarBurst burst;

  ((FarStream *) stream)->klass->peek (stream, &burst);
  ck_assert_uint_eq (burst.n, 0);
}

/* One look reads only so many of those that are too long; the stream goes on by itself until the good one. */
START_TEST (long_ones_do_not_hold_the_loop)
{
  Loops loops = { .one = NULL };
  Report report = { 0 };
  FarPumpSpec spec = { .session = "s", .closed = report_closed, .user = &report };
  int a[2], b[2], size = 1024 * 1024;
  guint sent = 0;
  loops_start (&loops);
  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_SEQPACKET, 0, a) | socketpair (AF_UNIX, SOCK_SEQPACKET, 0, b),
                    0);
  setsockopt (a[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  while (sent < 400 && send (a[1], "xx", 2, MSG_DONTWAIT) == 2)
    sent++;
  ck_assert_uint_gt (sent, 4 * FAR_BURST_FRAMES);
  FarStream *stream = far_stream_datagram_new (loops.one, a[0], 1);
  far_loop_call (loops.one, long_ones_peek, stream);
  ck_assert_uint_le (stream->dropped, 4 * FAR_BURST_FRAMES);
  far_pump_start (stream, far_stream_datagram_new (loops.one, b[0], 1), &spec);
  datagram_send (a[1], 1, 2);
  datagram_expect (b[1], 1, 2, "b");
  close (a[1]);
  close (b[1]);
  report_wait (&report);
  loops_stop (&loops);
}
END_TEST

static void
udp_pair (int fd[2])
{
  struct sockaddr_in at[2] = { { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) },
                               { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) } };
  for (guint i = 0; i < 2; i++) {
    socklen_t size = sizeof at[i];
    fd[i] = socket (AF_INET, SOCK_DGRAM, 0);
    ck_assert_int_eq (bind (fd[i], (struct sockaddr *) &at[i], size), 0);
    ck_assert_int_eq (getsockname (fd[i], (struct sockaddr *) &at[i], &size), 0);
  }
  for (guint i = 0; i < 2; i++)
    ck_assert_int_eq (connect (fd[i], (struct sockaddr *) &at[!i], sizeof at[i]), 0);
}

/* UDP: sizes are kept, an empty datagram is no end; who does not listen for a while, or a datagram that no
 * packet holds, ends nothing. */
START_TEST (udp_goes_on)
{
  Loops loops = { .one = NULL };
  Report report = { 0 };
  FarPumpSpec spec = { .session = "s", .closed = report_closed, .user = &report };
  int a[2], b[2];
  loops_start (&loops);
  udp_pair (a);
  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_SEQPACKET, 0, b), 0);
  FarPump *pump = far_pump_start (far_stream_datagram_new (loops.one, a[0], FAR_DATAGRAM_MAX),
                                  far_stream_datagram_new (loops.two, b[0], FAR_DATAGRAM_MAX), &spec);
  for (guint i = 0; i < 20; i++) {
    datagram_send (a[1], i * 100, 1);
    datagram_expect (b[1], i * 100, 1, "unix");
    datagram_send (b[1], i * 90, 2);
    datagram_expect (a[1], i * 90, 2, "udp");
  }
  datagram_send (b[1], 65536, 3); /* no UDP packet is so long */
  datagram_send (b[1], 10, 4);
  datagram_expect (a[1], 10, 4, "udp");
  close (a[1]);
  for (guint i = 0; i < 5; i++) {
    datagram_send (b[1], 10, 5); /* refused by nobody's port */
    help_settle (loops.one);
    help_settle (loops.two);
  }
  ck_assert_int_eq (report.closed, 0);
  far_pump_close (pump, "enough");
  report_wait (&report);
  ck_assert_str_eq (report.cause, "enough");
  ck_assert_uint_ge (report.total.dropped_ba, 1);
  close (b[1]);
  loops_stop (&loops);
}
END_TEST

/* Last words of a datagram stream are one datagram. */
static void
say_and_leave (gpointer data)
{
  GByteArray *rest = g_byte_array_new ();
  g_byte_array_append (rest, (const guint8 *) "good bye", 8);
  far_stream_linger (data, rest, 1000, NULL);
}

START_TEST (last_words_are_one_datagram)
{
  Loops loops = { .one = NULL };
  int fd[2];
  char text[64];
  loops_start (&loops);
  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_SEQPACKET, 0, fd), 0);
  datagram_send (fd[1], 0, 0);
  datagram_send (fd[1], 5, 0);
  far_loop_call (loops.one, say_and_leave, far_stream_datagram_new (loops.one, fd[0], 100));
  ck_assert_int_eq (recv (fd[1], text, sizeof text, 0), 8);
  ck_assert_int_eq (recv (fd[1], text, sizeof text, 0), 0);
  close (fd[1]);
  help_settle (loops.one);
  help_settle (loops.one);
  loops_stop (&loops);
}
END_TEST

static void
add (Suite *suite, const char *name, const TTest *test, int n)
{
  TCase *group = tcase_create (name);
  tcase_set_timeout (group, 60);
  tcase_add_loop_test (group, test, 0, n);
  suite_add_tcase (suite, group);
}

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  Suite *suite = suite_create ("datagram");
  add (suite, "sizes", sizes_are_kept, PAIRS);
  add (suite, "bursts", bursts_are_kept, PAIRS);
  add (suite, "flow", slow_readers_lose_nothing, PAIRS);
  add (suite, "death", deaths_go_through, PAIRS);
  add (suite, "deadline", deadlines_cut, PAIRS);
  add (suite, "empty", an_empty_one_does_not_spin, 1);
  add (suite, "mismatch", bytes_are_not_joined_with_datagrams, 2 * 4 * (int) N_DATAGRAM_KINDS);
  add (suite, "threads", two_directions_on_two_threads, 1);
  add (suite, "alone", one_direction_goes_on_alone, 1);
  add (suite, "together", both_directions_end_together, 2);
  add (suite, "broken", a_broken_end_ends_both_directions, 1);
  add (suite, "flood", long_ones_do_not_hold_the_loop, 1);
  add (suite, "offload", rings_keep_offload_fields, 1);
  add (suite, "bounds", rings_are_bounded, 1);
  add (suite, "too long", rings_drop_what_is_too_long, 1);
  add (suite, "cut", long_ones_are_never_cut, 1);
  add (suite, "udp", udp_goes_on, 1);
  add (suite, "linger", last_words_are_one_datagram, 1);
  SRunner *runner = srunner_create (suite);
  srunner_run_all (runner, CK_NORMAL);
  int failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed > 0;
}
