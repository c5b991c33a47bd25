/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file writes sample batches: it gathers groups, gives series numbers within the batch, merges
 * batches and moves the times of one. The reader is batch-read.c; both follow doc/formats.md. */
#include "config.h"

#include <string.h>

#include "data/batch.h"
#include "base/crc32c.h"
#include <farwatch/sample.h>

struct _FarBatchBuilder {
  GByteArray *bytes;
  GHashTable *numbers; /* FarSeries → number in this batch, from 1 */
  GHashTable *names;   /* the same for series without handle: "name\nunit"; NULL: none yet */
  guint n_series;
  gint64 last_us;
};

FarBatchBuilder *
far_batch_builder_new (void)
{
  FarBatchBuilder *builder = g_new0 (FarBatchBuilder, 1);

  builder->bytes = g_byte_array_sized_new (512);
  builder->numbers = g_hash_table_new (NULL, NULL);
  g_byte_array_append (builder->bytes, (const guint8 *) BATCH_HEAD, BATCH_HEAD_SIZE);
  return builder;
}

static void
put_u8 (FarBatchBuilder *builder, guint value)
{
  guint8 byte = (guint8) value;

  g_byte_array_append (builder->bytes, &byte, 1);
}

static void
batch_write_put_varint (FarBatchBuilder *builder, guint64 value)
{
  guint8 bytes[10];
  guint n = 0;

  for (; value >= 0x80; value >>= 7)
    bytes[n++] = (guint8) (value | 0x80);
  bytes[n++] = (guint8) value;
  g_byte_array_append (builder->bytes, bytes, n);
}

static void
batch_write_put_signed (FarBatchBuilder *builder, gint64 value)
{
  batch_write_put_varint (builder, ((guint64) value << 1) ^ (guint64) (value >> 63));
}

/* Length of text that may be written: at most max bytes, cut between characters, valid UTF-8. */
static gsize
text_fit (const char *text, gsize max)
{
  gsize size = strnlen (text, max + 1);
  const char *end;

  if (size > max)
    size = max;
  if (!g_utf8_validate_len (text, size, &end))
    size = (gsize) (end - text);
  return size;
}

/* NUL-terminated in the batch, so that a reader can point into it. */
static void
batch_write_put_text (FarBatchBuilder *builder, const char *text, gsize max)
{
  gsize size = text != NULL ? text_fit (text, max) : 0;

  batch_write_put_varint (builder, size);
  if (size > 0)
    g_byte_array_append (builder->bytes, (const guint8 *) text, (guint) size);
  put_u8 (builder, 0);
}

static guint
number_new (FarBatchBuilder *builder, const FarSeriesInfo *info)
{
  if (info == NULL || builder->n_series >= BATCH_SERIES_MAX)
    return 0;
  put_u8 (builder, BATCH_RECORD_SERIES);
  batch_write_put_text (builder, info->name, BATCH_NAME_MAX);
  batch_write_put_text (builder, info->unit, BATCH_UNIT_MAX);
  return ++builder->n_series;
}

/* Number of a handle in this batch; its series record is written at the first use. */
static guint
number_of (FarBatchBuilder *builder, FarSeries series)
{
  guint number = GPOINTER_TO_UINT (g_hash_table_lookup (builder->numbers, GUINT_TO_POINTER (series)));

  if (number > 0)
    return number;
  number = number_new (builder, far_series_info (series));
  if (number > 0)
    g_hash_table_insert (builder->numbers, GUINT_TO_POINTER (series), GUINT_TO_POINTER (number));
  return number;
}

static guint
number_named (FarBatchBuilder *builder, const FarSeriesInfo *info)
{
  g_autofree char *name = g_strconcat (info->name, "\n", info->unit, NULL);
  guint number;

  if (builder->names == NULL)
    builder->names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  number = GPOINTER_TO_UINT (g_hash_table_lookup (builder->names, name));
  if (number > 0)
    return number;
  number = number_new (builder, info);
  if (number > 0)
    g_hash_table_insert (builder->names, g_steal_pointer (&name), GUINT_TO_POINTER (number));
  return number;
}

static void
put_value (FarBatchBuilder *builder, const FarSample *sample)
{
  guint64 bits;

  put_u8 (builder, sample->type);
  switch (sample->type) {
  case FAR_VALUE_F64:
    memcpy (&bits, &sample->value.f64, sizeof bits);
    bits = GUINT64_TO_LE (bits);
    g_byte_array_append (builder->bytes, (const guint8 *) &bits, sizeof bits);
    break;
  case FAR_VALUE_I64:
    batch_write_put_signed (builder, sample->value.i64);
    break;
  case FAR_VALUE_BOOL:
    put_u8 (builder, sample->value.boolean ? 1 : 0);
    break;
  case FAR_VALUE_TEXT:
    batch_write_put_text (builder, sample->value.text, BATCH_TEXT_MAX);
    break;
  case FAR_VALUE_NONE:
    break;
  }
}

/* numbers: of each sample in this batch, 0: left out. Series records come before the group that first uses
 * them. */
static void
put_group (FarBatchBuilder *builder, const FarReading *group, const guint *numbers)
{
  guint n = 0;

  for (guint i = 0; i < group->n; i++)
    n += numbers[i] > 0;
  if (n == 0)
    return;
  put_u8 (builder, BATCH_RECORD_GROUP);
  batch_write_put_signed (builder, (gint64) ((guint64) group->time_us - (guint64) builder->last_us));
  builder->last_us = group->time_us;
  put_u8 (builder, group->quality);
  batch_write_put_text (builder, group->reason, BATCH_REASON_MAX);
  batch_write_put_varint (builder, n);
  for (guint i = 0; i < group->n; i++)
    if (numbers[i] > 0) {
      batch_write_put_varint (builder, numbers[i]);
      put_value (builder, &group->samples[i]);
    }
}

void
far_batch_builder_add (FarBatchBuilder *builder, const FarReading *group)
{
  guint n = MIN (group->n, BATCH_SAMPLES_MAX);
  g_autofree guint *numbers = g_new0 (guint, group->n + 1);

  for (guint i = 0; i < n; i++)
    numbers[i] = number_of (builder, group->samples[i].series);
  put_group (builder, group, numbers);
}

static void
merge_group (const FarReading *group, const FarSeriesInfo *series, guint n_series G_GNUC_UNUSED,
             gpointer user)
{
  FarBatchBuilder *builder = user;
  g_autofree guint *numbers = g_new0 (guint, group->n + 1);

  for (guint i = 0; i < group->n; i++)
    numbers[i] = number_named (builder, &series[group->samples[i].series - 1]);
  put_group (builder, group, numbers);
}

typedef struct {
  FarBatchBuilder *builder;
  gint64 by_us;
  FarQuality worst;
} Shift;

static void
shift_group (const FarReading *group, const FarSeriesInfo *series, guint n_series, gpointer user)
{
  const Shift *shift = user;
  FarReading moved = *group;

  moved.time_us = (gint64) ((guint64) group->time_us + (guint64) shift->by_us);
  moved.quality = MAX (group->quality, shift->worst);
  merge_group (&moved, series, n_series, shift->builder);
}

GBytes *
far_batch_shift (GBytes *batch, gint64 by_us, FarQuality worst, GError **error)
{
  Shift shift = { far_batch_builder_new (), by_us, worst };
  gboolean good = far_batch_read (batch, shift_group, &shift, error);
  GBytes *moved = far_batch_builder_end (shift.builder);

  if (!good)
    g_clear_pointer (&moved, g_bytes_unref);
  return moved;
}

gboolean
far_batch_builder_merge (FarBatchBuilder *builder, GBytes *batch, GError **error)
{
  return far_batch_read (batch, merge_group, builder, error);
}

gsize
far_batch_builder_size (FarBatchBuilder *builder)
{
  return builder->bytes->len;
}

GBytes *
far_batch_builder_end (FarBatchBuilder *builder)
{
  GBytes *bytes = g_byte_array_free_to_bytes (builder->bytes);

  g_hash_table_unref (builder->numbers);
  g_clear_pointer (&builder->names, g_hash_table_unref);
  g_free (builder);
  return bytes;
}

guint32
far_batch_crc (GBytes *batch)
{
  gsize size;
  gconstpointer data = g_bytes_get_data (batch, &size);

  return far_crc32c (0, data, size);
}
