/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ends of datagram streams of every kind there is, each with a SOCK_SEQPACKET descriptor outside that a test
 * drives. A further implementation adds its row: datagram-conform.h then joins it with all the others. */
#pragma once
#include "unit/memory-pair.h"
#include "unit/stream-pair.h"

typedef struct {
  const char *name;
  /* a stream whose other side is the blocking descriptor fd */
  FarStream *(*make) (Loops *loops, int fd);
} DatagramKind;

static inline FarStream *
seqpacket_at_one (Loops *loops, int fd)
{
  return far_stream_datagram_new (loops->one, fd, FAR_DATAGRAM_MAX);
}

static inline FarStream *
seqpacket_at_two (Loops *loops, int fd)
{
  return far_stream_datagram_new (loops->two, fd, FAR_DATAGRAM_MAX);
}

/* inner, with a pump from outer to fd at the loop of outer */
static inline void
serve_datagrams (FarStream *outer, int fd)
{
  FarPumpSpec spec = { .session = "extra", .closed = extra_closed };
  g_atomic_int_inc (&extra_pumps);
  far_pump_start (far_stream_datagram_new (outer->loop, fd, FAR_DATAGRAM_MAX), outer, &spec);
}

static inline FarStream *
datagram_ring_at (Loops *loops, FarLoop *loop, int fd)
{
  FarStream *inner, *outer;
  far_ring_pair_datagrams (loops->three, loop, &outer, &inner);
  serve_datagrams (outer, fd);
  return inner;
}

static inline FarStream *
datagram_ring_at_one (Loops *loops, int fd)
{
  return datagram_ring_at (loops, loops->one, fd);
}

static inline FarStream *
datagram_ring_at_two (Loops *loops, int fd)
{
  return datagram_ring_at (loops, loops->two, fd);
}

/* The other end of the pair is served at the same loop, as both are one thread's. */
static inline FarStream *
memory_at_one (Loops *loops, int fd)
{
  MemoryDatagrams *end[2];
  memory_pair_new (loops->one, end);
  serve_datagrams (&end[1]->head, fd);
  return &end[0]->head;
}

static const DatagramKind datagram_kinds[] = {
  { "seqpacket at one", seqpacket_at_one }, { "seqpacket at two", seqpacket_at_two },
  { "ring at one", datagram_ring_at_one },  { "ring at two", datagram_ring_at_two },
  { "memory at one", memory_at_one },
};

#define N_DATAGRAM_KINDS G_N_ELEMENTS (datagram_kinds)
