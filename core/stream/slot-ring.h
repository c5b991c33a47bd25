/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A slot ring carries records from one thread to one other: datagrams between two loops, and what taps see.
 * Each record lies in one piece, so that its reader need not copy it. One thread puts, one takes; neither
 * waits for the other. */
#pragma once
#include <farwatch/stream.h>

G_BEGIN_DECLS

/* What stands before the bytes of a record. */
typedef struct {
  guint32 size; /* of the bytes */
  guint8 kind;  /* FAR_SLOT_DATA or a number of the user's */
  guint8 gso_type, flags, reserved;
  guint16 gso_size, csum_start, csum_offset, reserved_too;
  gint64 time_us;
  guint64 at;
} FarSlot;

enum { FAR_SLOT_DATA = 0, FAR_SLOT_PAD = 255 };

typedef struct {
  guint8 *data;
  gsize capacity;   /* a power of two */
  gsize head, tail; /* bytes ever written, ever read: moved by the writer, by the reader */
} FarSlotRing;

/* A record with `bytes` bytes takes this much; at most half of a ring. */
gsize far_slot_size (gsize bytes);
/* capacity: rounded up to a power of two. */
void far_slot_ring_init (FarSlotRing *ring, gsize capacity);
void far_slot_ring_clear (FarSlotRing *ring);
/* Bytes that wait, heads and padding included. [writer] */
gsize far_slot_ring_used (const FarSlotRing *ring);
/* FALSE: there is no room for it now. [writer] */
gboolean far_slot_ring_put (FarSlotRing *ring, const FarSlot *slot, const guint8 *data);
/* The slot of a frame; time and place are 0. */
FarSlot far_slot_of_frame (const FarFrame *frame);
FarFrame far_slot_frame (const FarSlot *slot);
/* The record at *at, which is ring->tail for the first, and steps over it; its bytes lie behind it. NULL:
 * there are no more. [reader] */
const FarSlot *far_slot_ring_next (const FarSlotRing *ring, gsize *at);
/* All before `at` may be written over. [reader] */
void far_slot_ring_drop (FarSlotRing *ring, gsize at);

G_END_DECLS
