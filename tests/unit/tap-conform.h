/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a tap may rely on, however a pump joins its two ends: all of both directions in order and nothing that
 * was not delivered, its bounds where they are datagrams, begin and end once, any number of taps at any time,
 * and that the leg waits for none of them. test-tap runs it for every joint there is; a further one adds its
 * row to tap_joints. */
#pragma once
#include "unit/datagram-pair.h"
#include "unit/tap-help.h"

typedef struct _TapJoint TapJoint;

struct _TapJoint {
  const char *name;
  /* A pump, and a blocking descriptor outside of each end. */
  FarPump *(*join) (const TapJoint *joint, Loops *loops, const FarPumpSpec *spec, int outside[2]);
  guint a, b; /* kinds of its ends, of end_make() or datagram_kinds */
  gboolean datagrams;
};

static inline FarPump *
tap_join_bytes (const TapJoint *joint, Loops *loops, const FarPumpSpec *spec, int outside[2])
{
  FarStream *a = end_make (loops, (Kind) joint->a, &outside[0]);
  FarStream *b = end_make (loops, (Kind) joint->b, &outside[1]);
  return far_pump_start (a, b, spec);
}

static inline FarPump *
tap_join_datagrams (const TapJoint *joint, Loops *loops, const FarPumpSpec *spec, int outside[2])
{
  int a[2], b[2];
  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_SEQPACKET, 0, a) | socketpair (AF_UNIX, SOCK_SEQPACKET, 0, b),
                    0);
  outside[0] = a[1];
  outside[1] = b[1];
  FarStream *one = datagram_kinds[joint->a].make (loops, a[0]);
  return far_pump_start (one, datagram_kinds[joint->b].make (loops, b[0]), spec);
}

static inline FarStream *
tap_split_end (const TapJoint *joint, FarLoop *loop, int fd)
{
  return joint->datagrams ? far_stream_datagram_new (loop, fd, FAR_DATAGRAM_MAX)
                          : far_stream_fd_new (loop, fd);
}

/* Two sockets, each read at one loop and written to at another. */
static inline FarPump *
tap_join_split (const TapJoint *joint, Loops *loops, const FarPumpSpec *spec, int outside[2])
{
  int type = joint->datagrams ? SOCK_SEQPACKET : SOCK_STREAM, a[2], b[2];
  ck_assert_int_eq (socketpair (AF_UNIX, type, 0, a) | socketpair (AF_UNIX, type, 0, b), 0);
  outside[0] = a[1];
  outside[1] = b[1];
  return far_pump_start_split (tap_split_end (joint, loops->one, a[0]),
                               tap_split_end (joint, loops->two, dup (a[0])),
                               tap_split_end (joint, loops->two, b[0]),
                               tap_split_end (joint, loops->one, dup (b[0])), spec);
}

enum {
  TAP_SEQPACKET_ONE,
  TAP_SEQPACKET_TWO,
  TAP_DATAGRAM_RING_ONE,
  TAP_DATAGRAM_RING_TWO
}; /* datagram_kinds */

static const TapJoint tap_joints[] = {
  { "bytes, same loop", tap_join_bytes, KIND_UNIX_ONE, KIND_TCP_ONE, FALSE },
  { "bytes, an end moved", tap_join_bytes, KIND_UNIX_TWO, KIND_RING_ONE, FALSE },
  { "bytes, two loops by rings", tap_join_bytes, KIND_RING_ONE, KIND_RING_TWO, FALSE },
  { "bytes, a library's loop by rings", tap_join_bytes, KIND_FOREIGN, KIND_RING_ONE, FALSE },
  { "bytes, split", tap_join_split, 0, 0, FALSE },
  { "datagrams, same loop", tap_join_datagrams, TAP_SEQPACKET_ONE, TAP_SEQPACKET_ONE, TRUE },
  { "datagrams, an end moved", tap_join_datagrams, TAP_SEQPACKET_TWO, TAP_DATAGRAM_RING_ONE, TRUE },
  { "datagrams, two loops by rings", tap_join_datagrams, TAP_DATAGRAM_RING_ONE, TAP_DATAGRAM_RING_TWO, TRUE },
  { "datagrams, split", tap_join_split, 0, 0, TRUE },
};

#define N_TAP_JOINTS G_N_ELEMENTS (tap_joints)

typedef struct {
  const TapJoint *joint;
  Loops loops;
  int outside[2];
  Report report;
  FarPump *pump;
} TapLeg;

static const FarLegMatch tap_match = { .session = "conform", .target = "plc" };

static inline void
tap_leg_start (TapLeg *leg, const TapJoint *joint, gint64 deadline_us)
{
  FarPumpSpec spec = { .session = "conform",
                       .target = "plc",
                       .inner = "login",
                       .deadline_us = deadline_us,
                       .counters = report_counters,
                       .closed = report_closed,
                       .user = &leg->report };
  *leg = (TapLeg){ .joint = joint };
  loops_start (&leg->loops);
  leg->pump = joint->join (joint, &leg->loops, &spec, leg->outside);
}

/* Both sides say that they are done, and go. */
static inline void
tap_leg_end (TapLeg *leg)
{
  if (!g_atomic_int_get (&leg->report.closed))
    for (guint i = 0; i < 2; i++)
      shutdown (leg->outside[i], SHUT_WR);
  report_wait (&leg->report);
  close (leg->outside[0]);
  close (leg->outside[1]);
  loops_stop (&leg->loops);
}

/* From an outside (0: of a) to the other. */
static inline void
tap_pass (TapLeg *leg, guint from, const char *text)
{
  char got[64] = "";
  gsize size = strlen (text);
  ck_assert_int_eq (send (leg->outside[from], text, size, 0), (int) size);
  ck_assert_msg (recv (leg->outside[!from], got, size, MSG_WAITALL) == (gssize) size, "%s", leg->joint->name);
  ck_assert_str_eq (got, text);
}

static inline void
tap_expect (TapLeg *leg, TapSeen *seen, guint d, gsize at, const char *text)
{
  gsize size = strlen (text);
  seen_wait (seen, d, at + size);
  ck_assert_msg (memcmp (seen->seen[d]->data + at, text, size) == 0, "%s", leg->joint->name);
}

/* It stands before the leg begins: all of both directions from the first byte, begin and end once. */
static inline void
conform_tap_sees_all (const TapJoint *joint)
{
  TapLeg leg;
  TapSeen seen = { .tap = NULL };
  seen_start (&seen, &tap_match, 0);
  tap_leg_start (&leg, joint, 0);
  tap_pass (&leg, 0, "user");
  tap_pass (&leg, 1, "password?");
  tap_pass (&leg, 0, "open");
  tap_expect (&leg, &seen, 0, 0, "useropen");
  tap_expect (&leg, &seen, 1, 0, "password?");
  if (joint->datagrams) {
    ck_assert_uint_eq (seen_pieces (&seen, 0), 2);
    ck_assert_uint_eq (g_array_index (seen.sizes[0], gsize, 1), 4);
  }
  tap_leg_end (&leg);
  seen_wait_end (&seen, 1);
  ck_assert_uint_eq (seen_counts (&seen).began, 1);
  ck_assert_uint_eq (seen_counts (&seen).ended, 1);
  ck_assert_uint_eq (seen_counts (&seen).order, 0);
  ck_assert_uint_eq (seen_counts (&seen).lost[0] + seen_counts (&seen).lost[1], 0);
  ck_assert_str_eq (seen.inner, "login");
  ck_assert_str_eq (seen.cause, leg.report.cause);
  seen_stop (&seen);
}

/* Two are set while it runs, one is taken away: each sees what passes meanwhile, and how much was before. */
static inline void
conform_tap_comes_and_goes (const TapJoint *joint)
{
  TapLeg leg;
  TapSeen one = { .tap = NULL }, two = { .tap = NULL };
  tap_leg_start (&leg, joint, 0);
  tap_pass (&leg, 0, "before");
  g_autoptr (GPtrArray) legs = far_legs (&tap_match);
  ck_assert_uint_eq (legs->len, 1);
  const FarLeg *live = g_ptr_array_index (legs, 0);
  ck_assert_int_eq (live->datagrams, joint->datagrams);
  const FarLegMatch this_leg = { .id = live->id };
  seen_start (&one, &this_leg, 0);
  seen_start (&two, &tap_match, 0);
  help_settle (leg.loops.one);
  help_settle (leg.loops.two);
  help_settle (leg.loops.library.loop);
  tap_pass (&leg, 0, "middle");
  tap_expect (&leg, &one, 0, 6, "middle");
  tap_expect (&leg, &two, 0, 6, "middle");
  seen_stop (&one);
  tap_pass (&leg, 0, "after");
  tap_expect (&leg, &two, 0, 12, "after");
  ck_assert_uint_eq (seen_counts (&two).ended, 0);
  tap_leg_end (&leg);
  seen_wait_end (&two, 1);
  seen_stop (&two);
}

/* The reader goes in the middle: what was seen is what the pump says it delivered, no byte more or less. */
static inline void
conform_tap_sees_what_was_delivered (const TapJoint *joint)
{
  TapLeg leg;
  TapSeen seen = { .tap = NULL };
  g_autofree guint8 *bytes = g_malloc0 (1000);
  seen_start (&seen, &tap_match, 0);
  tap_leg_start (&leg, joint, 0);
  tap_pass (&leg, 0, "first");
  for (guint i = 0; i < 400 && send (leg.outside[0], bytes, 1000, MSG_DONTWAIT | MSG_NOSIGNAL) == 1000; i++)
    if (i % 8 == 0)
      g_thread_yield ();
  shutdown (leg.outside[1], SHUT_RDWR);
  shutdown (leg.outside[0], SHUT_RDWR);
  report_wait (&leg.report);
  seen_wait_end (&seen, 1);
  ck_assert_msg (seen_bytes (&seen, 0) == leg.report.total.bytes_ab,
                 "%s: %zu bytes seen, %" G_GUINT64_FORMAT " delivered", joint->name, seen_bytes (&seen, 0),
                 leg.report.total.bytes_ab);
  ck_assert_uint_eq (seen_bytes (&seen, 1), leg.report.total.bytes_ba);
  ck_assert_uint_eq (seen_counts (&seen).order, 0);
  tap_leg_end (&leg);
  seen_stop (&seen);
}

typedef struct {
  int fd;
  guint n;
} TapFlood;

enum { TAP_FLOOD_SIZE = 8192, TAP_FLOOD = 512 };

static inline gpointer
tap_flood (gpointer data)
{
  TapFlood *flood = data;
  g_autofree guint8 *bytes = g_malloc (TAP_FLOOD_SIZE);
  memset (bytes, 'x', TAP_FLOOD_SIZE);
  for (; flood->n < TAP_FLOOD; flood->n++)
    if (send (flood->fd, bytes, TAP_FLOOD_SIZE, MSG_NOSIGNAL) != TAP_FLOOD_SIZE)
      break;
  shutdown (flood->fd, SHUT_WR);
  return NULL;
}

/* It hangs: the leg goes on to its end; then gaps say what was left out, to the byte, or to the datagram. */
static inline void
conform_tap_slows_nobody (const TapJoint *joint)
{
  TapLeg leg;
  TapSeen seen = { .tap = NULL };
  gsize got = 0, all = TAP_FLOOD_SIZE * TAP_FLOOD;
  g_autofree guint8 *bytes = g_malloc (65536);
  seen_start (&seen, &tap_match, FAR_TAP_RING_LEAST);
  g_mutex_lock (&seen.slow);
  tap_leg_start (&leg, joint, 0);
  TapFlood flood = { leg.outside[0], 0 };
  GThread *thread = g_thread_new ("flood", tap_flood, &flood);
  for (gssize n; (n = recv (leg.outside[1], bytes, 65536, 0)) > 0;)
    got += (gsize) n;
  g_thread_join (thread);
  ck_assert_uint_eq (flood.n, TAP_FLOOD);
  ck_assert_uint_eq (got, all);
  tap_leg_end (&leg);
  ck_assert_uint_eq (seen_pieces (&seen, 0), 0);
  g_mutex_unlock (&seen.slow);
  seen_wait_end (&seen, 1);
  ck_assert_uint_eq (seen_bytes (&seen, 0), all);
  ck_assert_uint_gt (seen_counts (&seen).lost[0], 0);
  ck_assert_uint_lt (seen_counts (&seen).lost[0], all);
  ck_assert_uint_eq (seen_counts (&seen).order, 0);
  for (guint i = 0; joint->datagrams && i < seen_pieces (&seen, 0); i++)
    ck_assert_uint_eq (g_array_index (seen.sizes[0], gsize, i), TAP_FLOOD_SIZE);
  seen_stop (&seen);
}

/* The deadline ends it: the tap is told so, after all that passed before. */
static inline void
conform_tap_hears_the_deadline (const TapJoint *joint)
{
  TapLeg leg;
  TapSeen seen = { .tap = NULL };
  seen_start (&seen, &tap_match, 0);
  tap_leg_start (&leg, joint, far_clock_boottime_us () + SECONDS (600));
  tap_pass (&leg, 1, "hello");
  ck_assert (far_clock_advance (SECONDS (601)));
  report_wait (&leg.report);
  seen_wait_end (&seen, 1);
  tap_expect (&leg, &seen, 1, 0, "hello");
  ck_assert_str_eq (seen.cause, "deadline");
  tap_leg_end (&leg);
  seen_stop (&seen);
}
