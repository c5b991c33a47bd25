/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "batch.h"
#include "crc32c.h"
#include <farwatch/sample.h>

struct _FarBatchBuilder {
  GByteArray *bytes;
  GHashTable *numbers;  /* FarSeries → number in this batch, from 1 */
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
put_varint (FarBatchBuilder *builder, guint64 value)
{
  guint8 bytes[10];
  guint n = 0;

  for (; value >= 0x80; value >>= 7)
    bytes[n++] = (guint8) (value | 0x80);
  bytes[n++] = (guint8) value;
  g_byte_array_append (builder->bytes, bytes, n);
}

static void
put_signed (FarBatchBuilder *builder, gint64 value)
{
  put_varint (builder, ((guint64) value << 1) ^ (guint64) (value >> 63));
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
put_text (FarBatchBuilder *builder, const char *text, gsize max)
{
  gsize size = text != NULL ? text_fit (text, max) : 0;

  put_varint (builder, size);
  if (size > 0)
    g_byte_array_append (builder->bytes, (const guint8 *) text, (guint) size);
  put_u8 (builder, 0);
}

static guint
number_of (FarBatchBuilder *builder, FarSeries series)
{
  guint number = GPOINTER_TO_UINT (g_hash_table_lookup (builder->numbers, GUINT_TO_POINTER (series)));
  const FarSeriesInfo *info;

  if (number > 0)
    return number;
  info = far_series_info (series);
  number = g_hash_table_size (builder->numbers) + 1;
  if (info == NULL || number > BATCH_SERIES_MAX)
    return 0;
  put_u8 (builder, BATCH_RECORD_SERIES);
  put_text (builder, info->name, BATCH_NAME_MAX);
  put_text (builder, info->unit, BATCH_UNIT_MAX);
  g_hash_table_insert (builder->numbers, GUINT_TO_POINTER (series), GUINT_TO_POINTER (number));
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
    put_signed (builder, sample->value.i64);
    break;
  case FAR_VALUE_BOOL:
    put_u8 (builder, sample->value.boolean ? 1 : 0);
    break;
  case FAR_VALUE_TEXT:
    put_text (builder, sample->value.text, BATCH_TEXT_MAX);
    break;
  case FAR_VALUE_NONE:
    break;
  }
}

/* Series records come before the group that first uses them. Returns how many samples can be written. */
static guint
define_series (FarBatchBuilder *builder, const FarGroup *group)
{
  guint n = 0;

  for (guint i = 0; i < group->n && n < BATCH_SAMPLES_MAX; i++)
    if (number_of (builder, group->samples[i].series) > 0)
      n++;
  return n;
}

void
far_batch_builder_add (FarBatchBuilder *builder, const FarGroup *group)
{
  guint n = define_series (builder, group);

  if (n == 0)
    return;
  put_u8 (builder, BATCH_RECORD_GROUP);
  put_signed (builder, (gint64) ((guint64) group->time_us - (guint64) builder->last_us));
  builder->last_us = group->time_us;
  put_u8 (builder, group->quality);
  put_text (builder, group->reason, BATCH_REASON_MAX);
  put_varint (builder, n);
  for (guint i = 0; n > 0; i++) {
    guint number = number_of (builder, group->samples[i].series);

    if (number == 0)
      continue;
    put_varint (builder, number);
    put_value (builder, &group->samples[i]);
    n--;
  }
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
