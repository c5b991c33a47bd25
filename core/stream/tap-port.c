/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file is the way of copied bytes from a pump half to a tap. When the ring is full the writer only
 * counts, and goes on copying when half of the ring is free again: then a gap stands before the next piece.
 */
#include "config.h"

#include "stream/tap-port.h"

#define SLOT_GAP 1

struct _FarTapPort {
  gint refs;
  FarSlotRing ring;
  FarTap *tap;
  gsize longest;     /* bytes of one piece */
  FarTapGap lost;    /* [writer], and the reader's after the end; frames 0: nothing is lost */
  const char *ended; /* atomic */
};

FarTapPort *
far_tap_port_new (gsize ring, FarTap *tap, gboolean datagrams)
{
  FarTapPort *port = g_new0 (FarTapPort, 1);
  port->refs = 2;
  port->tap = far_tap_ref (tap);
  far_slot_ring_init (&port->ring, ring);
  port->longest = datagrams ? G_MAXSIZE : port->ring.capacity / 4 - sizeof (FarSlot);
  return port;
}

void
far_tap_port_unref (FarTapPort *port)
{
  if (!g_atomic_int_dec_and_test (&port->refs))
    return;
  if (port->ended != NULL)
    far_tap_unseen_drop (port->tap, port->ring.capacity);
  far_slot_ring_clear (&port->ring);
  far_tap_unref (port->tap);
  g_free (port);
}

FarTap *
far_tap_port_tap (const FarTapPort *port)
{
  return port->tap;
}

/* ---- the writer ---- */

static gboolean
half_is_free (FarTapPort *port)
{
  return far_slot_ring_used (&port->ring) <= port->ring.capacity / 2;
}

/* FALSE: it is still too early to go on. */
static gboolean
tell_gap (FarTapPort *port)
{
  const FarSlot slot = { .size = sizeof port->lost, .kind = SLOT_GAP, .time_us = port->lost.boottime_us };
  if (port->lost.frames == 0)
    return TRUE;
  if (!half_is_free (port) || !far_slot_ring_put (&port->ring, &slot, (const guint8 *) &port->lost))
    return FALSE;
  port->lost = (FarTapGap){ .frames = 0 };
  return TRUE;
}

static void
lose (FarTapPort *port, const FarFrame *frame, guint64 at, gint64 now_us)
{
  if (port->lost.frames == 0)
    port->lost = (FarTapGap){ .at = at, .boottime_us = now_us };
  port->lost.bytes += frame->size;
  port->lost.frames++;
}

static void
put_piece (FarTapPort *port, const FarFrame *frame, guint64 at, gint64 now_us)
{
  FarSlot slot = far_slot_of_frame (frame);
  slot.at = at;
  slot.time_us = now_us;
  if (!tell_gap (port) || !far_slot_ring_put (&port->ring, &slot, frame->data))
    lose (port, frame, at, now_us);
}

void
far_tap_port_put (FarTapPort *port, const FarFrame *frame, guint64 at, gint64 now_us)
{
  FarFrame piece = *frame;
  for (gsize left = frame->size; left > port->longest; left -= port->longest, piece.data += port->longest) {
    piece.size = port->longest;
    put_piece (port, &piece, at + (frame->size - left), now_us);
  }
  piece.size = frame->size - (gsize) (piece.data - frame->data);
  put_piece (port, &piece, at + (frame->size - piece.size), now_us);
  far_tap_wake (port->tap);
}

void
far_tap_port_end (FarTapPort *port, const char *cause)
{
  far_tap_unseen_add (port->tap, port->ring.capacity);
  __atomic_store_n (&port->ended, cause != NULL ? cause : "closed", __ATOMIC_SEQ_CST);
  far_tap_wake (port->tap);
  far_tap_port_unref (port);
}

/* ---- the reader ---- */

const char *
far_tap_port_ended (const FarTapPort *port)
{
  return __atomic_load_n (&port->ended, __ATOMIC_SEQ_CST);
}

static const FarSlot *
first (const FarTapPort *port)
{
  gsize at = port->ring.tail;
  return far_slot_ring_next (&port->ring, &at);
}

gint64
far_tap_port_time (const FarTapPort *port)
{
  const FarSlot *slot = first (port);
  return slot != NULL ? slot->time_us : G_MAXINT64;
}

gboolean
far_tap_port_show (const FarTapPort *port, FarTapPiece *piece, FarTapGap *gap)
{
  const FarSlot *slot = first (port);
  if (slot->kind == SLOT_GAP) {
    *gap = *(const FarTapGap *) (slot + 1);
    return FALSE;
  }
  *piece = (FarTapPiece){ .at = slot->at, .boottime_us = slot->time_us, .frame = far_slot_frame (slot) };
  return TRUE;
}

void
far_tap_port_drop (FarTapPort *port)
{
  gsize at = port->ring.tail;
  if (far_slot_ring_next (&port->ring, &at) != NULL)
    far_slot_ring_drop (&port->ring, at);
}

gboolean
far_tap_port_last_gap (const FarTapPort *port, FarTapGap *gap)
{
  *gap = port->lost;
  return port->lost.frames > 0;
}
