/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A tap into a spool: what passes a leg becomes records (doc/formats.md, "Tap record"). It runs on a loop of
 * its own and waits for the disk; meanwhile the tap's rings fill, and what they do not take is a gap. What
 * the disk does not take is one too, told as soon as it takes something again. */
#include "config.h"

#include <farwatch/clock.h>
#include <farwatch/spool.h>
#include <string.h>

enum { TAP_BEGAN = 1, TAP_PIECE, TAP_GAP, TAP_ENDED, TAP_MISSED };

typedef struct {
  FarSpool *spool;
  GHashTable *lost; /* leg's id × 2 + direction → FarTapGap*: what was not written */
  GByteArray *out;
  guint64 missed; /* legs that no record tells of yet */
} TapSpool;

static void
add64 (GByteArray *out, guint64 value)
{
  value = GUINT64_TO_BE (value);
  g_byte_array_append (out, (const guint8 *) &value, 8);
}

static void
add16 (GByteArray *out, guint16 value)
{
  value = GUINT16_TO_BE (value);
  g_byte_array_append (out, (const guint8 *) &value, 2);
}

static void
add_text (GByteArray *out, const char *text)
{
  gsize n = MIN (strlen (text), G_MAXUINT16);
  add16 (out, (guint16) n);
  g_byte_array_append (out, (const guint8 *) text, (guint) n);
}

static void
tap_record_begin (TapSpool *self, guint8 kind, const FarLeg *leg)
{
  g_byte_array_set_size (self->out, 0);
  g_byte_array_append (self->out, &kind, 1);
  add64 (self->out, leg->id);
}

static gboolean
tap_record_end (TapSpool *self, gint64 time_us)
{
  return far_spool_append (self->spool, self->out->data, self->out->len, time_us, NULL) != 0;
}

static gboolean
write_gap (TapSpool *self, const FarLeg *leg, const FarTapGap *gap)
{
  guint8 from_a = gap->from_a != 0;
  tap_record_begin (self, TAP_GAP, leg);
  g_byte_array_append (self->out, &from_a, 1);
  add64 (self->out, gap->at);
  add64 (self->out, gap->bytes);
  add64 (self->out, gap->frames);
  return tap_record_end (self, gap->boottime_us);
}

/* ---- what was not written ---- */

static gpointer
lost_key (const FarLeg *leg, gboolean from_a)
{
  return GSIZE_TO_POINTER ((gsize) (leg->id * 2 + (from_a ? 1 : 0)));
}

static void
lose_more (TapSpool *self, const FarLeg *leg, const FarTapGap *more)
{
  gpointer key = lost_key (leg, more->from_a);
  FarTapGap *lost = g_hash_table_lookup (self->lost, key);
  if (lost == NULL) {
    g_hash_table_insert (self->lost, key, g_memdup2 (more, sizeof *more));
    return;
  }
  lost->bytes += more->bytes;
  lost->frames += more->frames;
}

/* FALSE: there is a gap that cannot be told yet. */
static gboolean
tell_lost (TapSpool *self, const FarLeg *leg, gboolean from_a)
{
  gpointer key = lost_key (leg, from_a);
  const FarTapGap *lost = g_hash_table_lookup (self->lost, key);
  if (lost == NULL)
    return TRUE;
  if (!write_gap (self, leg, lost))
    return FALSE;
  g_hash_table_remove (self->lost, key);
  return TRUE;
}

/* While the disk takes nothing the number is kept for the next time. */
static void
tell_missed (TapSpool *self)
{
  static const FarLeg none = { .id = 0 };
  if (self->missed == 0)
    return;
  tap_record_begin (self, TAP_MISSED, &none);
  add64 (self->out, self->missed);
  if (tap_record_end (self, far_clock_boottime_us ()))
    self->missed = 0;
}

/* ---- of the tap ---- */

static void
spool_began (gpointer data, const FarLeg *leg)
{
  TapSpool *self = data;
  guint8 datagrams = leg->datagrams != 0;
  tell_missed (self);
  tap_record_begin (self, TAP_BEGAN, leg);
  g_byte_array_append (self->out, &datagrams, 1);
  add_text (self->out, leg->session);
  add_text (self->out, leg->target);
  add_text (self->out, leg->inner);
  add_text (self->out, leg->destination);
  tap_record_end (self, leg->began_us);
}

static void
spool_piece (gpointer data, const FarLeg *leg, const FarTapPiece *piece)
{
  TapSpool *self = data;
  const FarFrame *frame = &piece->frame;
  guint8 from_a = piece->from_a != 0;
  FarTapGap gap = { piece->from_a, piece->at, piece->boottime_us, frame->size, 1 };
  gboolean told = tell_lost (self, leg, piece->from_a);
  tap_record_begin (self, TAP_PIECE, leg);
  g_byte_array_append (self->out, &from_a, 1);
  add64 (self->out, piece->at);
  add16 (self->out, frame->gso_size);
  add16 (self->out, frame->csum_start);
  add16 (self->out, frame->csum_offset);
  g_byte_array_append (self->out, &frame->gso_type, 1);
  g_byte_array_append (self->out, &frame->flags, 1);
  if (frame->size > 0)
    g_byte_array_append (self->out, frame->data, (guint) frame->size);
  if (!told || !tap_record_end (self, piece->boottime_us))
    lose_more (self, leg, &gap);
}

static void
spool_gap (gpointer data, const FarLeg *leg, const FarTapGap *gap)
{
  TapSpool *self = data;
  if (!tell_lost (self, leg, gap->from_a) || !write_gap (self, leg, gap))
    lose_more (self, leg, gap);
}

static void
spool_ended (gpointer data, const FarLeg *leg, const char *cause)
{
  TapSpool *self = data;
  for (guint from_a = 0; from_a < 2; from_a++) {
    tell_lost (self, leg, from_a != 0);
    g_hash_table_remove (self->lost, lost_key (leg, from_a != 0));
  }
  tap_record_begin (self, TAP_ENDED, leg);
  add_text (self->out, cause);
  tap_record_end (self, far_clock_boottime_us ());
}

static void
spool_missed (gpointer data, guint64 legs)
{
  TapSpool *self = data;
  self->missed += legs;
  tell_missed (self);
}

static void
tap_spool_free (gpointer data)
{
  TapSpool *self = data;
  far_spool_close (self->spool);
  g_hash_table_unref (self->lost);
  g_byte_array_unref (self->out);
  g_free (self);
}

static const FarTapFuncs spool_funcs = { spool_began, spool_piece, spool_gap, spool_ended, spool_missed };

FarTap *
far_tap_spool (const FarLegMatch *match, FarSpool *spool, FarLoop *loop)
{
  TapSpool *self = g_new0 (TapSpool, 1);
  self->spool = spool;
  self->lost = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  self->out = g_byte_array_new ();
  const FarTapSpec spec = { .match = *match,
                            .funcs = &spool_funcs,
                            .loop = loop,
                            .data = self,
                            .free_data = tap_spool_free };
  return far_leg_tap (&spec);
}
