/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads a sample batch twice: first to see that every byte is right, then to call. Nothing is copied: texts
 * end with NUL in the batch. */
#include "config.h"

#include <string.h>

#include "data/batch.h"
#include <farwatch/error.h>
#include <farwatch/sample.h>
#include <farwatch/store.h>

typedef struct {
  const guint8 *start, *at, *end;
  const char *fault; /* static; NULL while all is well */
  gint64 last_us;
  guint n_series;  /* seen in this pass */
  GArray *series;  /* FarSeriesInfo, filled by the first pass */
  GArray *samples; /* FarSample of the group */
} BatchReader;

static guint64
batch_read_bad (BatchReader *reader, const char *fault)
{
  if (reader->fault == NULL)
    reader->fault = fault;
  return 0;
}

static guint
get_u8 (BatchReader *reader)
{
  if (reader->fault != NULL || reader->at >= reader->end)
    return (guint) batch_read_bad (reader, "ends too early");
  return *reader->at++;
}

static guint64
batch_read_get_varint (BatchReader *reader)
{
  guint64 value = 0;

  for (guint shift = 0; shift < 64; shift += 7) {
    guint byte = get_u8 (reader);

    if (reader->fault != NULL)
      return 0;
    if (shift == 63 && byte > 1)
      return batch_read_bad (reader, "number too long");
    value |= (guint64) (byte & 0x7f) << shift;
    if (byte < 0x80)
      return value;
  }
  return batch_read_bad (reader, "number too long");
}

static gint64
batch_read_get_signed (BatchReader *reader)
{
  guint64 value = batch_read_get_varint (reader);

  return (gint64) ((value >> 1) ^ (0 - (value & 1)));
}

static gboolean
get_bool (BatchReader *reader)
{
  guint value = get_u8 (reader);

  if (value > 1)
    batch_read_bad (reader, "neither true nor false");
  return value == 1;
}

static const char *
batch_read_get_text (BatchReader *reader, gsize max)
{
  guint64 size = batch_read_get_varint (reader);
  const char *text = (const char *) reader->at;

  if (reader->fault == NULL && (size > max || size >= (guint64) (reader->end - reader->at)))
    batch_read_bad (reader, "text too long");
  else if (reader->fault == NULL && text[size] != '\0')
    batch_read_bad (reader, "text without end");
  else if (reader->fault == NULL && !g_utf8_validate_len (text, size, NULL))
    batch_read_bad (reader, "text is not UTF-8");
  if (reader->fault != NULL)
    return "";
  reader->at += size + 1;
  return text;
}

/* Names cross into stores, files and pages: letters, digits and . _ - / : % @ only. */
static gboolean
batch_read_name_fits (const char *name)
{
  if (*name == '\0')
    return FALSE;
  for (; *name != '\0'; name++)
    if (!g_ascii_isalnum (*name) && strchr ("._-/:%@", *name) == NULL)
      return FALSE;
  return TRUE;
}

static gboolean
unit_fits (const char *unit)
{
  for (; *unit != '\0'; unit++)
    if (!g_ascii_isgraph (*unit))
      return FALSE;
  return TRUE;
}

static void
batch_read_series (BatchReader *reader)
{
  FarSeriesInfo info = { NULL, (char *) batch_read_get_text (reader, BATCH_NAME_MAX),
                         (char *) batch_read_get_text (reader, BATCH_UNIT_MAX) };

  if (reader->fault != NULL)
    return;
  if (reader->n_series >= BATCH_SERIES_MAX)
    batch_read_bad (reader, "too many series");
  else if (!batch_read_name_fits (info.name) || !unit_fits (info.unit))
    batch_read_bad (reader, "bad name or unit of a series");
  else if (reader->n_series++ == reader->series->len)
    g_array_append_val (reader->series, info);
}

static void
read_value (BatchReader *reader, FarSample *sample)
{
  guint type = get_u8 (reader);
  guint64 bits = 0;

  sample->type = (FarValueType) type;
  if (reader->fault != NULL)
    return;
  if (type == FAR_VALUE_F64 && reader->end - reader->at < 8)
    batch_read_bad (reader, "ends too early");
  else if (type == FAR_VALUE_F64) {
    memcpy (&bits, reader->at, 8);
    reader->at += 8;
    bits = GUINT64_FROM_LE (bits);
    memcpy (&sample->value.f64, &bits, 8);
  } else if (type == FAR_VALUE_I64)
    sample->value.i64 = batch_read_get_signed (reader);
  else if (type == FAR_VALUE_BOOL)
    sample->value.boolean = get_bool (reader);
  else if (type == FAR_VALUE_TEXT)
    sample->value.text = batch_read_get_text (reader, BATCH_TEXT_MAX);
  else if (type != FAR_VALUE_NONE)
    batch_read_bad (reader, "unknown type of value");
}

static void
batch_read_samples (BatchReader *reader, guint64 n)
{
  if (n == 0 || n > BATCH_SAMPLES_MAX)
    batch_read_bad (reader, "bad number of samples");
  g_array_set_size (reader->samples, 0);
  for (guint64 i = 0; i < n && reader->fault == NULL; i++) {
    FarSample sample = { 0 };
    guint64 number = batch_read_get_varint (reader);

    if (number == 0 || number > reader->n_series)
      batch_read_bad (reader, "sample of an unknown series");
    sample.series = (FarSeries) number;
    read_value (reader, &sample);
    g_array_append_val (reader->samples, sample);
  }
}

static void
read_group (BatchReader *reader, FarBatchFunc func, gpointer user)
{
  FarReading group = { 0 };
  const char *reason;

  group.time_us = (gint64) ((guint64) reader->last_us + (guint64) batch_read_get_signed (reader));
  group.quality = (FarQuality) get_u8 (reader);
  reason = batch_read_get_text (reader, BATCH_REASON_MAX);
  group.reason = *reason != '\0' ? reason : NULL;
  if (reader->fault == NULL && (guint) group.quality > FAR_QUALITY_BAD)
    batch_read_bad (reader, "unknown quality");
  batch_read_samples (reader, batch_read_get_varint (reader));
  reader->last_us = group.time_us;
  if (reader->fault != NULL || func == NULL)
    return;
  group.n = reader->samples->len;
  group.samples = (const FarSample *) (gpointer) reader->samples->data;
  func (&group, (const FarSeriesInfo *) (gpointer) reader->series->data, reader->series->len, user);
}

/* One pass; func NULL: only look. */
static void
batch_read_all (BatchReader *reader, FarBatchFunc func, gpointer user)
{
  reader->at = reader->start + BATCH_HEAD_SIZE;
  reader->last_us = 0;
  reader->n_series = 0;
  while (reader->fault == NULL && reader->at < reader->end) {
    guint kind = get_u8 (reader);

    if (kind == BATCH_RECORD_SERIES)
      batch_read_series (reader);
    else if (kind == BATCH_RECORD_GROUP)
      read_group (reader, func, user);
    else
      batch_read_bad (reader, "unknown record");
  }
}

static gboolean
reader_open (BatchReader *reader, GBytes *batch, GError **error)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (batch, &size);

  if (data == NULL) /* an empty one */
    data = (const guint8 *) "";
  reader->start = data;
  reader->end = data + size;
  if (size < BATCH_HEAD_SIZE || memcmp (data, BATCH_HEAD, BATCH_HEAD_SIZE) != 0)
    batch_read_bad (reader, "not a batch of version 1");
  else
    batch_read_all (reader, NULL, NULL);
  if (reader->fault != NULL)
    g_set_error (error, FAR_ERROR, FAR_ERROR_PROTOCOL, "bad batch of samples at byte %" G_GSIZE_FORMAT ": %s",
                 size == 0 ? 0 : (gsize) (MAX (reader->at, reader->start) - reader->start), reader->fault);
  return reader->fault == NULL;
}

gboolean
far_batch_read (GBytes *batch, FarBatchFunc func, gpointer user, GError **error)
{
  g_autoptr (GArray) series = g_array_new (FALSE, FALSE, sizeof (FarSeriesInfo));
  g_autoptr (GArray) samples = g_array_new (FALSE, FALSE, sizeof (FarSample));
  BatchReader reader = { .series = series, .samples = samples };

  if (!reader_open (&reader, batch, error))
    return FALSE;
  if (func != NULL)
    batch_read_all (&reader, func, user);
  return TRUE;
}

/* ---- with handles ---- */

typedef struct {
  FarSeries *handles; /* made at the first group */
  const char *source;
  GArray *samples;
  FarReadingFunc func;
  gpointer user;
} Resolver;

static void
resolve_group (const FarReading *group, const FarSeriesInfo *series, guint n_series, gpointer user)
{
  Resolver *resolver = user;
  FarReading resolved = *group;

  if (resolver->handles == NULL) {
    resolver->handles = g_new0 (FarSeries, n_series);
    for (guint i = 0; i < n_series; i++)
      resolver->handles[i] = far_series_of (resolver->source, series[i].name, series[i].unit);
  }
  g_array_set_size (resolver->samples, 0);
  for (guint i = 0; i < group->n; i++) {
    FarSample sample = group->samples[i];

    sample.series = resolver->handles[sample.series - 1];
    if (sample.series != 0)
      g_array_append_val (resolver->samples, sample);
  }
  resolved.n = resolver->samples->len;
  resolved.samples = (const FarSample *) (gpointer) resolver->samples->data;
  if (resolved.n > 0)
    resolver->func (&resolved, resolver->user);
}

gboolean
far_batch_foreach (GBytes *batch, const char *source, FarReadingFunc func, gpointer user, GError **error)
{
  g_autoptr (GArray) samples = g_array_new (FALSE, FALSE, sizeof (FarSample));
  Resolver resolver = { NULL, source, samples, func, user };
  gboolean read = far_batch_read (batch, resolve_group, &resolver, error);

  g_free (resolver.handles);
  return read;
}

static void
span_group (const FarReading *group, const FarSeriesInfo *series G_GNUC_UNUSED, guint n_series G_GNUC_UNUSED,
            gpointer user)
{
  FarBatchSpan *span = user;

  if (span->samples == 0 || group->time_us < span->first_us)
    span->first_us = group->time_us;
  if (span->samples == 0 || group->time_us > span->last_us)
    span->last_us = group->time_us;
  span->samples += group->n;
}

gboolean
far_batch_span (GBytes *batch, FarBatchSpan *span, GError **error)
{
  *span = (FarBatchSpan){ 0, 0, 0 };
  return far_batch_read (batch, span_group, span, error);
}
