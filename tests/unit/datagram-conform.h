/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What holds for any two ends of datagram streams that a pump joins: sizes and order are kept, an empty
 * datagram is one and so is one of 64 KiB, a slow reader slows the writer, ends and deaths go through.
 * test-datagram runs it for every pair of the kinds in datagram-pair.h. */
#pragma once
#include "unit/datagram-pair.h"

typedef struct {
  Loops loops;
  int a, b;
  Report report;
  FarPump *pump;
} DatagramJoint;

static inline int
datagram_outside (Loops *loops, const DatagramKind *kind, FarStream **stream)
{
  int fd[2];
  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_SEQPACKET, 0, fd), 0);
  *stream = kind->make (loops, fd[0]);
  return fd[1];
}

static inline void
datagram_join (DatagramJoint *joint, const DatagramKind *kind_a, const DatagramKind *kind_b,
               gint64 deadline_us)
{
  FarPumpSpec spec = { .session = "s",
                       .deadline_us = deadline_us,
                       .counters = report_counters,
                       .closed = report_closed,
                       .user = &joint->report };
  FarStream *a, *b;
  loops_start (&joint->loops);
  joint->a = datagram_outside (&joint->loops, kind_a, &a);
  joint->b = datagram_outside (&joint->loops, kind_b, &b);
  joint->pump = far_pump_start (a, b, &spec);
}

static inline void
datagram_part (DatagramJoint *joint)
{
  close (joint->a);
  close (joint->b);
  report_wait (&joint->report);
  loops_stop (&joint->loops);
}

static inline void
datagram_send (int fd, gsize size, guint8 mark)
{
  g_autofree guint8 *bytes = g_malloc (size + 1);
  memset (bytes, mark, size);
  ck_assert_int_eq (send (fd, bytes, size, 0), (int) size);
}

static inline void
datagram_expect (int fd, gsize size, guint8 mark, const char *who)
{
  g_autofree guint8 *bytes = g_malloc (FAR_DATAGRAM_MAX + 1);
  gssize got = recv (fd, bytes, FAR_DATAGRAM_MAX + 1, 0);
  ck_assert_msg (got == (gssize) size, "%s: %zd bytes instead of %zu", who, got, size);
  gsize good = 0;
  while (good < size && bytes[good] == mark)
    good++;
  ck_assert_msg (good == size, "%s: byte %zu of %zu is %u", who, good, size, bytes[good]);
}

/* Sizes around the limits of what carries them; both ways. */
static inline void
conform_sizes (const DatagramKind *a, const DatagramKind *b)
{
  static const gsize sizes[] = { 100, 200, 300, 0, 1, 31, 32, 33, 0, 0, 1500, 9000, 65507, 65536, 7 };
  DatagramJoint joint = { .a = -1 };
  datagram_join (&joint, a, b, 0);
  for (guint turn = 0; turn < 3; turn++)
    for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
      datagram_send (joint.a, sizes[i], (guint8) (i + 1));
      datagram_expect (joint.b, sizes[i], (guint8) (i + 1), b->name);
      datagram_send (joint.b, sizes[i], (guint8) (i + 101));
      datagram_expect (joint.a, sizes[i], (guint8) (i + 101), a->name);
    }
  shutdown (joint.a, SHUT_WR);
  shutdown (joint.b, SHUT_WR);
  report_wait (&joint.report);
  ck_assert_uint_eq (joint.report.total.frames_ab, 3 * G_N_ELEMENTS (sizes));
  ck_assert_uint_eq (joint.report.total.frames_ba, 3 * G_N_ELEMENTS (sizes));
  ck_assert_uint_eq (joint.report.total.dropped_ab + joint.report.total.dropped_ba, 0);
  datagram_part (&joint);
}

/* Many at once, which meet in bursts; the last of them before the end of input. */
static inline void
conform_bursts (const DatagramKind *a, const DatagramKind *b)
{
  DatagramJoint joint = { .a = -1 };
  datagram_join (&joint, a, b, 0);
  far_pump_hold (joint.pump, TRUE);
  for (guint i = 0; i < 100; i++)
    datagram_send (joint.a, i * 7 % 50, (guint8) i);
  shutdown (joint.a, SHUT_WR);
  far_pump_hold (joint.pump, FALSE);
  for (guint i = 0; i < 100; i++)
    datagram_expect (joint.b, i * 7 % 50, (guint8) i, b->name);
  datagram_expect (joint.b, 0, 0, b->name); /* the end */
  shutdown (joint.b, SHUT_WR);
  datagram_expect (joint.a, 0, 0, a->name);
  report_wait (&joint.report);
  ck_assert_uint_eq (joint.report.total.frames_ab, 100);
  ck_assert_str_eq (joint.report.cause, "end of a");
  datagram_part (&joint);
}

typedef struct {
  int fd;
  guint n, seed;
  gboolean good;
} DatagramFlow;

static inline gsize
flow_size (GRand *random)
{
  gint32 draw = g_rand_int_range (random, 0, 10);
  return draw == 0 ? 0 : draw == 1 ? 65536 : (gsize) g_rand_int_range (random, 0, 3000);
}

static inline gpointer
datagram_flow_send (gpointer data)
{
  DatagramFlow *flow = data;
  g_autoptr (GRand) random = g_rand_new_with_seed (flow->seed);
  g_autofree guint8 *bytes = g_malloc (65536);
  for (guint i = 0; i < flow->n; i++) {
    gsize size = flow_size (random);
    memset (bytes, (int) (i & 255), size);
    flow->good = send (flow->fd, bytes, size, MSG_NOSIGNAL) == (gssize) size;
    if (!flow->good)
      return NULL;
  }
  shutdown (flow->fd, SHUT_WR);
  return NULL;
}

static inline gpointer
datagram_flow_receive (gpointer data)
{
  DatagramFlow *flow = data;
  g_autoptr (GRand) random = g_rand_new_with_seed (flow->seed);
  g_autofree guint8 *bytes = g_malloc (FAR_DATAGRAM_MAX);
  flow->good = TRUE;
  for (guint i = 0; i < flow->n && flow->good; i++) {
    gsize size = flow_size (random);
    flow->good = recv (flow->fd, bytes, FAR_DATAGRAM_MAX, 0) == (gssize) size;
    flow->good &= size == 0 || (bytes[0] == (i & 255) && bytes[size - 1] == (i & 255));
    if (i % 64 == 0)
      g_usleep (300);
  }
  return NULL;
}

/* Both directions at once, faster than the reader: nothing is lost, as every end can say that it is full. */
static inline void
conform_flow (const DatagramKind *a, const DatagramKind *b)
{
  enum { N = 1500 };
  DatagramJoint joint = { .a = -1 };
  GThread *threads[4];
  datagram_join (&joint, a, b, 0);
  DatagramFlow flows[4] = { { joint.a, N, 5, FALSE },
                            { joint.b, N, 5, FALSE },
                            { joint.b, N, 6, FALSE },
                            { joint.a, N, 6, FALSE } };
  for (guint i = 0; i < 4; i++)
    threads[i] = g_thread_new ("flow", i % 2 ? datagram_flow_receive : datagram_flow_send, &flows[i]);
  for (guint i = 0; i < 4; i++)
    g_thread_join (threads[i]);
  for (guint i = 0; i < 4; i++)
    ck_assert_msg (flows[i].good, "%s, %s: flow %u", a->name, b->name, i);
  report_wait (&joint.report);
  ck_assert_uint_eq (joint.report.total.frames_ab, N);
  ck_assert_uint_eq (joint.report.total.frames_ba, N);
  datagram_part (&joint);
}

/* One side goes with datagrams on their way, then the other. */
static inline void
conform_death (const DatagramKind *a, const DatagramKind *b)
{
  for (guint first = 0; first < 2; first++) {
    DatagramJoint joint = { .a = -1 };
    datagram_join (&joint, a, b, 0);
    for (guint i = 0; i < 100; i++)
      datagram_send (first == 0 ? joint.a : joint.b, 100, 1);
    close (first == 0 ? joint.b : joint.a);
    close (first == 0 ? joint.a : joint.b);
    report_wait (&joint.report);
    ck_assert_ptr_nonnull (joint.report.cause);
    joint.a = joint.b = -1;
    datagram_part (&joint);
  }
}

static inline void
conform_deadline (const DatagramKind *a, const DatagramKind *b)
{
  DatagramJoint joint = { .a = -1 };
  guint8 byte = 0;
  datagram_join (&joint, a, b, far_clock_boottime_us () + SECONDS (600));
  datagram_send (joint.a, 10, 1);
  datagram_expect (joint.b, 10, 1, b->name);
  ck_assert (far_clock_advance (SECONDS (601)));
  report_wait (&joint.report);
  ck_assert_str_eq (joint.report.cause, "deadline");
  ck_assert_int_le (recv (joint.b, &byte, 1, 0), 0);
  datagram_part (&joint);
}
