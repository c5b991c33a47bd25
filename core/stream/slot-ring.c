/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file is a ring of records for one writer and one reader. A record that does not fit before the end of
 * the memory begins anew at its start, behind a record of padding; all sizes are multiples of a slot's head,
 * so that there is always room for that one. */
#include "config.h"

#include "stream/slot-ring.h"
#include <string.h>

#define STEP (sizeof (FarSlot))

G_STATIC_ASSERT (sizeof (FarSlot) == 32);

gsize
far_slot_size (gsize bytes)
{
  return STEP + (bytes + STEP - 1) / STEP * STEP;
}

void
far_slot_ring_init (FarSlotRing *ring, gsize capacity)
{
  capacity = (gsize) 1 << g_bit_storage (MAX (capacity, 4 * STEP) - 1);
  *ring = (FarSlotRing){ .data = g_malloc (capacity), .capacity = capacity };
}

void
far_slot_ring_clear (FarSlotRing *ring)
{
  g_clear_pointer (&ring->data, g_free);
}

FarSlot
far_slot_of_frame (const FarFrame *frame)
{
  return (FarSlot){ .size = (guint32) frame->size,
                    .gso_type = frame->gso_type,
                    .flags = frame->flags,
                    .gso_size = frame->gso_size,
                    .csum_start = frame->csum_start,
                    .csum_offset = frame->csum_offset };
}

FarFrame
far_slot_frame (const FarSlot *slot)
{
  return (FarFrame){ .data = (const guint8 *) (slot + 1),
                     .size = slot->size,
                     .gso_size = slot->gso_size,
                     .csum_start = slot->csum_start,
                     .csum_offset = slot->csum_offset,
                     .gso_type = slot->gso_type,
                     .flags = slot->flags };
}

static FarSlot *
slot_at (const FarSlotRing *ring, gsize at)
{
  return (FarSlot *) (gpointer) (ring->data + at % ring->capacity);
}

gsize
far_slot_ring_used (const FarSlotRing *ring)
{
  return ring->head - __atomic_load_n (&ring->tail, __ATOMIC_SEQ_CST);
}

gboolean
far_slot_ring_put (FarSlotRing *ring, const FarSlot *slot, const guint8 *data)
{
  gsize need = far_slot_size (slot->size), left = ring->capacity - ring->head % ring->capacity;
  gsize pad = need > left ? left : 0;
  gsize used = far_slot_ring_used (ring);

  if (need > ring->capacity / 2 || pad + need > ring->capacity - used)
    return FALSE;
  if (pad > 0)
    *slot_at (ring, ring->head) = (FarSlot){ .size = (guint32) (pad - STEP), .kind = FAR_SLOT_PAD };
  FarSlot *place = slot_at (ring, ring->head + pad);
  *place = *slot;
  if (slot->size > 0)
    memcpy (place + 1, data, slot->size);
  __atomic_store_n (&ring->head, ring->head + pad + need, __ATOMIC_SEQ_CST);
  return TRUE;
}

const FarSlot *
far_slot_ring_next (const FarSlotRing *ring, gsize *at)
{
  gsize head = __atomic_load_n (&ring->head, __ATOMIC_SEQ_CST);

  while (*at != head) {
    const FarSlot *slot = slot_at (ring, *at);
    *at += far_slot_size (slot->size);
    if (slot->kind != FAR_SLOT_PAD)
      return slot;
  }
  return NULL;
}

void
far_slot_ring_drop (FarSlotRing *ring, gsize at)
{
  __atomic_store_n (&ring->tail, at, __ATOMIC_SEQ_CST);
}
