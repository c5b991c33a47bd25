/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Legs and taps: tap-conform.h for every joint there is, and what a tap sees of a leg, and where. */
#include "unit/datagram-conform.h"
#include "unit/tap-conform.h"

typedef struct {
  Loops loops;
  int a, b;
  Report report;
  FarPump *pump;
} Leg;

static void
leg_start (Leg *leg, Kind kind_a, Kind kind_b, const char *inner)
{
  FarPumpSpec spec = { .session = "s1",
                       .target = "plc",
                       .inner = inner,
                       .destination = "10.0.0.7:502",
                       .closed = report_closed,
                       .user = &leg->report };
  loops_start (&leg->loops);
  FarStream *a = end_make (&leg->loops, kind_a, &leg->a), *b = end_make (&leg->loops, kind_b, &leg->b);
  leg->pump = far_pump_start (a, b, &spec);
}

static void
leg_end (Leg *leg)
{
  close (leg->a);
  close (leg->b);
  report_wait (&leg->report);
  loops_stop (&leg->loops);
}

static void
pass (int from, int to, const char *text)
{
  char seen[64] = "";
  ck_assert_int_eq (send (from, text, strlen (text), 0), (int) strlen (text));
  ck_assert_int_eq (recv (to, seen, strlen (text), MSG_WAITALL), (int) strlen (text));
  ck_assert_str_eq (seen, text);
}

static void
assert_seen (TapSeen *seen, guint d, const char *text)
{
  seen_wait (seen, d, strlen (text));
  ck_assert_mem_eq (seen->seen[d]->data, text, strlen (text));
}

static const FarLegMatch of_session = { .session = "s1" };

/* ---- what holds for every joint ---- */

/* One half and two, for each pair of kinds of end. */
START_TEST (a_tap_that_stands_sees_all)
{
  const TapJoint joint = { kind_names[_i / N_KINDS], tap_join_bytes, _i / N_KINDS, _i % N_KINDS, FALSE };
  conform_tap_sees_all (&joint);
}
END_TEST

START_TEST (every_joint_shows_all)
{
  conform_tap_sees_all (&tap_joints[_i]);
}
END_TEST

START_TEST (taps_come_and_go)
{
  conform_tap_comes_and_goes (&tap_joints[_i]);
}
END_TEST

START_TEST (no_more_than_was_delivered)
{
  conform_tap_sees_what_was_delivered (&tap_joints[_i]);
}
END_TEST

START_TEST (a_slow_tap_slows_nobody)
{
  conform_tap_slows_nobody (&tap_joints[_i]);
}
END_TEST

START_TEST (the_deadline_is_told)
{
  conform_tap_hears_the_deadline (&tap_joints[_i]);
}
END_TEST

/* ---- what legs and taps are ---- */

/* In band the same session's bytes pass two pumps: the name of the inner stream parts them. */
START_TEST (inner_names_part_them)
{
  Leg outer = { .a = -1 }, inner = { .a = -1 };
  TapSeen seen = { .tap = NULL };
  const FarLegMatch match = { .session = "s1", .target = "plc", .inner = "channel" };
  leg_start (&outer, KIND_UNIX_ONE, KIND_UNIX_ONE, "tunnel");
  seen_start (&seen, &match, 0);
  leg_start (&inner, KIND_UNIX_ONE, KIND_UNIX_TWO, "channel");
  pass (outer.a, outer.b, "sealed");
  pass (inner.a, inner.b, "clear");
  assert_seen (&seen, 0, "clear");
  ck_assert_uint_eq (seen_counts (&seen).began, 1);
  g_autoptr (GPtrArray) legs = far_legs (NULL);
  ck_assert_uint_eq (legs->len, 2);
  const FarLeg *first = g_ptr_array_index (legs, 0), *second = g_ptr_array_index (legs, 1);
  ck_assert_str_eq (first->inner, "tunnel");
  ck_assert_str_eq (second->inner, "channel");
  ck_assert_str_eq (second->destination, "10.0.0.7:502");
  ck_assert_uint_gt (second->id, first->id);
  seen_stop (&seen);
  leg_end (&outer);
  leg_end (&inner);
  g_autoptr (GPtrArray) none = far_legs (NULL);
  ck_assert_uint_eq (none->len, 0);
}
END_TEST

/* ---- a device that takes nothing ---- */

typedef struct {
  FarStream head;
  gint open;
} Wall;

static void
wall_peek (FarStream *stream, FarBurst *burst)
{
  burst->n = 0;
  burst->bytes = 0;
  burst->eof = FALSE;
}

static void
wall_consume (FarStream *stream, gsize amount)
{
}

static gsize
wall_write (FarStream *stream, const FarBurst *burst)
{
  return g_atomic_int_get (&((Wall *) stream)->open) ? burst->bytes : 0;
}

static void
wall_shutdown (FarStream *stream, FarDirection what)
{
}

static void
wall_abort (FarStream *stream, const char *cause)
{
  stream->closed = TRUE;
}

static void
wall_free (FarStream *stream)
{
  g_free (stream);
}

static const FarStreamClass wall_class = { .name = "wall",
                                           .peek = wall_peek,
                                           .consume = wall_consume,
                                           .write = wall_write,
                                           .shutdown = wall_shutdown,
                                           .abort = wall_abort,
                                           .free = wall_free };

static void
wall_opens (gpointer data)
{
  Wall *wall = data;
  g_atomic_int_set (&wall->open, 1);
  far_stream_tell_soon (&wall->head, FAR_READY_WRITE);
}

/* Over rings, 16,000 bytes are on their way and none has reached its end: a tap sees none, until they do. */
START_TEST (only_what_was_delivered)
{
  Loops loops = { .one = NULL };
  Report report = { 0 };
  TapSeen seen = { .tap = NULL };
  FarPumpSpec spec = { .session = "s1", .closed = report_closed, .user = &report };
  Wall *wall = g_new0 (Wall, 1);
  char bytes[16000] = { 1 };
  int outside;
  loops_start (&loops);
  seen_start (&seen, &of_session, 0);
  far_stream_init (&wall->head, &wall_class, loops.one);
  FarStream *other = end_make (&loops, KIND_RING_TWO, &outside);
  gboolean wall_is_a = _i == 0;
  FarPump *pump = far_pump_start (wall_is_a ? &wall->head : other, wall_is_a ? other : &wall->head, &spec);
  ck_assert_int_eq (send (outside, bytes, sizeof bytes, 0), sizeof bytes);
  for (guint i = 0; i < 20; i++) {
    help_settle (loops.three);
    help_settle (loops.two);
    help_settle (loops.one);
    help_settle (seen.loop);
  }
  ck_assert_uint_eq (seen_bytes (&seen, 0) + seen_bytes (&seen, 1), 0);
  far_loop_call (loops.one, wall_opens, wall);
  seen_wait (&seen, wall_is_a ? 1 : 0, sizeof bytes);
  far_pump_close (pump, "enough");
  report_wait (&report);
  ck_assert_uint_eq (report.total.bytes_ab + report.total.bytes_ba, sizeof bytes);
  close (outside);
  seen_wait_end (&seen, 1);
  ck_assert_str_eq (seen.cause, "enough");
  seen_stop (&seen);
  loops_stop (&loops);
}
END_TEST

/* ---- long frames ---- */

typedef struct {
  FarStream head;
  guint8 *bytes;
  gsize left;
} Wide;

enum { WIDE = 256 * 1024 };

static void
wide_peek (FarStream *stream, FarBurst *burst)
{
  Wide *wide = (Wide *) stream;
  burst->n = wide->left > 0;
  burst->bytes = wide->left;
  burst->eof = FALSE;
  burst->frames[0] = (FarFrame){ .data = wide->bytes + WIDE - wide->left, .size = wide->left };
}

static void
wide_consume (FarStream *stream, gsize amount)
{
  ((Wide *) stream)->left -= amount;
}

static gsize
wide_write (FarStream *stream, const FarBurst *burst)
{
  return burst->bytes;
}

static void
wide_free (FarStream *stream)
{
  g_free (((Wide *) stream)->bytes);
  g_free (stream);
}

static const FarStreamClass wide_class = { .name = "wide",
                                           .peek = wide_peek,
                                           .consume = wide_consume,
                                           .write = wide_write,
                                           .shutdown = wall_shutdown,
                                           .abort = wall_abort,
                                           .free = wide_free };

/* A frame that no half of a ring holds is shown in pieces; a ring's size is made one that works. */
START_TEST (long_frames_come_in_pieces)
{
  static const gsize rings[] = { 0, 1, 300000 };
  Loops loops = { .one = NULL };
  Report report = { 0 };
  TapSeen seen = { .tap = NULL };
  FarPumpSpec spec = { .session = "s1", .closed = report_closed, .user = &report };
  Wide *wide = g_new0 (Wide, 1), *other = g_new0 (Wide, 1);
  loops_start (&loops);
  seen_start (&seen, &of_session, rings[_i]);
  wide->bytes = g_malloc (WIDE);
  wide->left = WIDE;
  for (guint i = 0; i < WIDE; i++)
    wide->bytes[i] = (guint8) (i % 251);
  far_stream_init (&wide->head, &wide_class, loops.one);
  far_stream_init (&other->head, &wide_class, loops.one);
  FarPump *pump = far_pump_start (&wide->head, &other->head, &spec);
  for (guint i = 0; i < 4; i++)
    help_settle (loops.one);
  far_pump_close (pump, "enough");
  report_wait (&report);
  seen_wait_end (&seen, 1);
  ck_assert_uint_eq (seen_bytes (&seen, 0), WIDE);
  guint64 lost = seen_counts (&seen).lost[0];
  if (rings[_i] == 1)
    ck_assert_uint_le (lost, WIDE / 2); /* the ring is as long as the frame, its heads do not fit */
  else
    ck_assert_uint_eq (lost, 0);
  ck_assert_uint_eq (seen_counts (&seen).order, 0);
  for (guint i = 0; i < WIDE - lost; i++)
    ck_assert_uint_eq (seen.seen[0]->data[i], i % 251);
  seen_stop (&seen);
  loops_stop (&loops);
}
END_TEST

/* ---- slowness ---- */

/* Untapped while it hangs: nothing more is told, and all is freed when it comes back. */
START_TEST (untap_while_it_hangs)
{
  Leg leg = { .a = -1 };
  TapSeen seen = { .tap = NULL };
  seen_start (&seen, &of_session, 0);
  leg_start (&leg, KIND_UNIX_ONE, KIND_UNIX_ONE, NULL);
  g_mutex_lock (&seen.slow);
  for (guint i = 0; i < 10; i++)
    pass (leg.a, leg.b, "word");
  far_leg_untap (g_steal_pointer (&seen.tap));
  g_mutex_unlock (&seen.slow);
  help_wait (&seen.freed);
  ck_assert_uint_le (seen_pieces (&seen, 0), 1);
  ck_assert_uint_eq (seen_counts (&seen).ended, 0);
  seen_stop (&seen);
  leg_end (&leg);
}
END_TEST

/* It hangs while legs come and go: so many are kept, the others are counted. */
START_TEST (a_hung_tap_misses_legs)
{
  enum { KEPT = FAR_TAP_UNSEEN / (2 * FAR_TAP_RING), MISSED = 3 };
  TapSeen seen = { .tap = NULL };
  seen_start (&seen, &of_session, 0);
  g_mutex_lock (&seen.slow);
  for (guint i = 0; i < KEPT + MISSED; i++) {
    Leg leg = { .a = -1 };
    leg_start (&leg, KIND_UNIX_ONE, KIND_UNIX_ONE, NULL);
    pass (leg.a, leg.b, "word");
    leg_end (&leg);
  }
  g_mutex_unlock (&seen.slow);
  seen_wait_end (&seen, KEPT);
  help_settle (seen.loop);
  help_settle (seen.loop);
  ck_assert_uint_eq (seen_counts (&seen).ended, KEPT);
  ck_assert_uint_eq (seen_counts (&seen).missed, MISSED);
  Leg leg = { .a = -1 };
  leg_start (&leg, KIND_UNIX_ONE, KIND_UNIX_ONE, NULL);
  leg_end (&leg);
  seen_wait_end (&seen, KEPT + 1);
  ck_assert_uint_eq (seen_counts (&seen).missed, MISSED);
  seen_stop (&seen);
}
END_TEST

/* ---- datagrams ---- */

START_TEST (datagrams_keep_their_bounds)
{
  static const gsize sizes[] = { 100, 0, 300, 65536, 0, 7 };
  DatagramJoint joint = { .a = -1 };
  TapSeen seen = { .tap = NULL };
  const FarLegMatch match = { .session = "s" };
  seen_start (&seen, &match, 0);
  datagram_join (&joint, &datagram_kinds[_i], &datagram_kinds[(_i + 3) % N_DATAGRAM_KINDS], 0);
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    datagram_send (joint.a, sizes[i], 9);
    datagram_expect (joint.b, sizes[i], 9, "b");
  }
  shutdown (joint.a, SHUT_WR);
  shutdown (joint.b, SHUT_WR);
  report_wait (&joint.report);
  seen_wait_end (&seen, 1);
  ck_assert_uint_eq (seen_pieces (&seen, 0), G_N_ELEMENTS (sizes));
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    ck_assert_uint_eq (g_array_index (seen.sizes[0], gsize, i), sizes[i]);
  ck_assert_uint_eq (seen_counts (&seen).order, 0);
  seen_stop (&seen);
  datagram_part (&joint);
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  TCase *cases = tcase_create ("tap");
  tcase_set_timeout (cases, 60);
  tcase_add_loop_test (cases, a_tap_that_stands_sees_all, 0, N_KINDS * N_KINDS);
  tcase_add_loop_test (cases, every_joint_shows_all, 0, (int) N_TAP_JOINTS);
  tcase_add_loop_test (cases, taps_come_and_go, 0, (int) N_TAP_JOINTS);
  tcase_add_loop_test (cases, no_more_than_was_delivered, 0, (int) N_TAP_JOINTS);
  tcase_add_loop_test (cases, a_slow_tap_slows_nobody, 0, (int) N_TAP_JOINTS);
  tcase_add_loop_test (cases, the_deadline_is_told, 0, (int) N_TAP_JOINTS);
  tcase_add_test (cases, inner_names_part_them);
  tcase_add_loop_test (cases, only_what_was_delivered, 0, 2);
  tcase_add_test (cases, untap_while_it_hangs);
  tcase_add_test (cases, a_hung_tap_misses_legs);
  tcase_add_loop_test (cases, long_frames_come_in_pieces, 0, 3);
  tcase_add_loop_test (cases, datagrams_keep_their_bounds, 0, (int) N_DATAGRAM_KINDS);
  Suite *suite = suite_create ("tap");
  suite_add_tcase (suite, cases);
  SRunner *runner = srunner_create (suite);
  srunner_run_all (runner, CK_NORMAL);
  int failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed > 0;
}
