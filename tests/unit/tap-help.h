/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A tap that keeps all it is told, on a loop of its own; a test may make it slow. */
#pragma once
#include "unit/stream-pair.h"

#include <farwatch/leg.h>

typedef struct {
  guint64 lost[2]; /* bytes in gaps; 0: from a */
  guint missed, began, ended;
  guint order; /* pieces that began where nothing was due */
} TapCounts;

typedef struct {
  FarLoop *loop;
  FarTap *tap;
  GMutex lock;         /* of what follows */
  GByteArray *seen[2]; /* 0: from a; of gaps zeroes */
  GArray *sizes[2];    /* gsize: of the pieces */
  TapCounts counts;
  gint64 last_us[2];
  char *cause, *inner;
  gint freed;
  GMutex slow; /* held by a test: the tap waits */
} TapSeen;

static inline void
seen_began (gpointer data, const FarLeg *leg)
{
  TapSeen *seen = data;
  g_mutex_lock (&seen->lock);
  seen->counts.began++;
  g_free (seen->inner);
  seen->inner = g_strdup (leg->inner);
  g_mutex_unlock (&seen->lock);
}

static inline void
seen_piece (gpointer data, const FarLeg *leg, const FarTapPiece *piece)
{
  TapSeen *seen = data;
  guint d = piece->from_a ? 0 : 1;
  g_mutex_lock (&seen->slow);
  g_mutex_unlock (&seen->slow);
  g_mutex_lock (&seen->lock);
  if (seen->seen[d]->len > 0 && seen->seen[d]->len != piece->at)
    seen->counts.order++;
  if (piece->boottime_us < seen->last_us[d])
    seen->counts.order++;
  seen->last_us[d] = piece->boottime_us;
  if (seen->seen[d]->len < piece->at)
    g_byte_array_set_size (seen->seen[d], (guint) piece->at);
  if (piece->frame.size > 0)
    g_byte_array_append (seen->seen[d], piece->frame.data, (guint) piece->frame.size);
  g_array_append_val (seen->sizes[d], piece->frame.size);
  g_mutex_unlock (&seen->lock);
}

static inline void
seen_gap (gpointer data, const FarLeg *leg, const FarTapGap *gap)
{
  TapSeen *seen = data;
  guint d = gap->from_a ? 0 : 1;
  g_mutex_lock (&seen->lock);
  if (seen->seen[d]->len != gap->at)
    seen->counts.order++;
  g_byte_array_set_size (seen->seen[d], (guint) (gap->at + gap->bytes));
  seen->counts.lost[d] += gap->bytes;
  g_mutex_unlock (&seen->lock);
}

static inline void
seen_ended (gpointer data, const FarLeg *leg, const char *cause)
{
  TapSeen *seen = data;
  g_mutex_lock (&seen->lock);
  seen->counts.ended++;
  g_free (seen->cause);
  seen->cause = g_strdup (cause);
  g_mutex_unlock (&seen->lock);
}

static inline void
seen_missed (gpointer data, guint64 legs)
{
  TapSeen *seen = data;
  g_mutex_lock (&seen->lock);
  seen->counts.missed += (guint) legs;
  g_mutex_unlock (&seen->lock);
}

static inline void
seen_freed (gpointer data)
{
  g_atomic_int_set (&((TapSeen *) data)->freed, 1);
}

static const FarTapFuncs seen_funcs = { seen_began, seen_piece, seen_gap, seen_ended, seen_missed };

static inline void
seen_start (TapSeen *seen, const FarLegMatch *match, gsize ring)
{
  for (guint d = 0; d < 2; d++) {
    seen->seen[d] = g_byte_array_new ();
    seen->sizes[d] = g_array_new (FALSE, FALSE, sizeof (gsize));
  }
  seen->loop = far_loop_io_new ("tap");
  const FarTapSpec spec = { .match = *match,
                            .funcs = &seen_funcs,
                            .loop = seen->loop,
                            .data = seen,
                            .free_data = seen_freed,
                            .ring = ring };
  seen->tap = far_leg_tap (&spec);
}

static inline void
seen_stop (TapSeen *seen)
{
  far_leg_untap (g_steal_pointer (&seen->tap));
  help_wait (&seen->freed);
  far_loop_io_free (seen->loop);
  for (guint d = 0; d < 2; d++) {
    g_byte_array_unref (seen->seen[d]);
    g_array_unref (seen->sizes[d]);
  }
  g_free (seen->cause);
  g_free (seen->inner);
}

/* The tap's thread goes on counting. */
static inline TapCounts
seen_counts (TapSeen *seen)
{
  g_mutex_lock (&seen->lock);
  TapCounts counts = seen->counts;
  g_mutex_unlock (&seen->lock);
  return counts;
}

static inline gsize
seen_bytes (TapSeen *seen, guint d)
{
  g_mutex_lock (&seen->lock);
  gsize n = seen->seen[d]->len;
  g_mutex_unlock (&seen->lock);
  return n;
}

static inline guint
seen_pieces (TapSeen *seen, guint d)
{
  g_mutex_lock (&seen->lock);
  guint n = seen->sizes[d]->len;
  g_mutex_unlock (&seen->lock);
  return n;
}

/* Waits until so many bytes of a direction were told, gaps included. */
static inline void
seen_wait (TapSeen *seen, guint d, gsize bytes)
{
  gint64 end = g_get_monotonic_time () + SECONDS (20);
  while (seen_bytes (seen, d) < bytes && g_get_monotonic_time () < end)
    g_usleep (200);
  ck_assert_uint_eq (seen_bytes (seen, d), bytes);
}

static inline void
seen_wait_end (TapSeen *seen, guint n)
{
  gint64 end = g_get_monotonic_time () + SECONDS (20);
  for (guint ended = 0; ended < n;) {
    ended = seen_counts (seen).ended;
    ck_assert (g_get_monotonic_time () < end);
    g_usleep (200);
  }
}
