/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file writes and reads the letters of the log: records, parts, numbers, texts. A record that is not
 * whole is nothing; a reader goes on at the next one that is good. */
#include "config.h"

#include "log.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const guint8 log_magic[4] = { 0xfa, 'F', 'R', '\n' };

/* ---- writing ---- */

static void
file_log_put_varint (GByteArray *out, guint64 value)
{
  guint8 bytes[10];
  guint n = 0;

  for (; value >= 0x80; value >>= 7)
    bytes[n++] = (guint8) (value | 0x80);
  bytes[n++] = (guint8) value;
  g_byte_array_append (out, bytes, n);
}

static void
file_log_put_signed (GByteArray *out, gint64 value)
{
  file_log_put_varint (out, ((guint64) value << 1) ^ (guint64) (value >> 63));
}

static void
put_kind (GByteArray *out, PartKind kind)
{
  guint8 byte = (guint8) kind;

  g_byte_array_append (out, &byte, 1);
}

static void
file_log_put_text (GByteArray *out, const char *text)
{
  gsize size = strlen (text);

  file_log_put_varint (out, size);
  g_byte_array_append (out, (const guint8 *) text, (guint) size + 1);
}

void
log_row (GByteArray *out, guint64 revision, const char *table, const char *key, const char *row)
{
  put_kind (out, PART_ROW);
  file_log_put_varint (out, revision);
  file_log_put_text (out, table);
  file_log_put_text (out, key);
  file_log_put_text (out, row);
}

void
log_delete (GByteArray *out, guint64 revision, const char *table, const char *key)
{
  put_kind (out, PART_DELETE);
  file_log_put_varint (out, revision);
  file_log_put_text (out, table);
  file_log_put_text (out, key);
}

void
log_ref (GByteArray *out, const char *table, const char *key, const char *hash)
{
  put_kind (out, PART_REF);
  file_log_put_text (out, table);
  file_log_put_text (out, key);
  file_log_put_text (out, hash);
}

void
log_mark (GByteArray *out, const char *source, const guint64 n[5])
{
  put_kind (out, PART_MARK);
  file_log_put_text (out, source);
  for (guint i = 0; i < 5; i++)
    file_log_put_varint (out, n[i]);
}

void
log_samples (GByteArray *out, const char *source, const FarBatchSpan *span, GBytes *batch)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (batch, &size);

  put_kind (out, PART_SAMPLES);
  file_log_put_text (out, source);
  file_log_put_signed (out, span->first_us);
  file_log_put_signed (out, span->last_us);
  file_log_put_varint (out, span->samples);
  file_log_put_varint (out, size);
  g_byte_array_append (out, data, (guint) size);
}

void
log_series (GByteArray *out, const char *source, const char *name, const char *unit)
{
  put_kind (out, PART_SERIES);
  file_log_put_text (out, source);
  file_log_put_text (out, name);
  file_log_put_text (out, unit);
}

void
log_head (GByteArray *out, guint64 segment, guint64 revision)
{
  put_kind (out, PART_HEAD);
  file_log_put_varint (out, 1);
  file_log_put_varint (out, segment);
  file_log_put_varint (out, revision);
}

void
log_segment (GByteArray *out, guint64 number, gint64 from_us, gint64 to_us, guint64 samples)
{
  put_kind (out, PART_SEGMENT);
  file_log_put_varint (out, number);
  file_log_put_signed (out, from_us);
  file_log_put_signed (out, to_us);
  file_log_put_varint (out, samples);
}

void
log_end (GByteArray *out)
{
  put_kind (out, PART_END);
}

void
log_drop (GByteArray *out, guint64 revision, const char *table)
{
  put_kind (out, PART_DROP);
  file_log_put_varint (out, revision);
  file_log_put_text (out, table);
}

void
log_part (GByteArray *out, const LogPart *part)
{
  g_autoptr (GBytes) body = part->kind == PART_SAMPLES ? g_bytes_new_static (part->body, part->body_size)
                                                       : NULL;
  FarBatchSpan span = { part->from_us, part->to_us, part->n[0] };

  switch (part->kind) {
  case PART_ROW:
    log_row (out, part->n[0], part->a, part->b, part->c);
    break;
  case PART_DELETE:
    log_delete (out, part->n[0], part->a, part->b);
    break;
  case PART_DROP:
    log_drop (out, part->n[0], part->a);
    break;
  case PART_REF:
    log_ref (out, part->a, part->b, part->c);
    break;
  case PART_MARK:
    log_mark (out, part->a, part->n);
    break;
  case PART_SERIES:
    log_series (out, part->a, part->b, part->c);
    break;
  case PART_SAMPLES:
    log_samples (out, part->a, &span, body);
    break;
  case PART_HEAD:
    log_head (out, part->n[1], part->n[2]);
    break;
  case PART_SEGMENT:
    log_segment (out, part->n[0], part->from_us, part->to_us, part->n[1]);
    break;
  case PART_END:
    log_end (out);
    break;
  }
}

void
log_frame (GByteArray *out, const GByteArray *payload)
{
  guint32 words[2] = { GUINT32_TO_LE (payload->len),
                       GUINT32_TO_LE (far_crc32c (0, payload->data, payload->len)) };

  g_byte_array_append (out, log_magic, sizeof log_magic);
  g_byte_array_append (out, (const guint8 *) words, sizeof words);
  g_byte_array_append (out, payload->data, payload->len);
}

/* ---- reading parts ---- */

typedef struct {
  const guint8 *at, *end;
  gboolean bad;
} FileCursor;

static guint64
file_log_get_varint (FileCursor *cursor)
{
  guint64 value = 0;

  for (guint shift = 0; shift < 64 && cursor->at < cursor->end; shift += 7) {
    guint8 byte = *cursor->at++;

    value |= (guint64) (byte & 0x7f) << shift;
    if (byte < 0x80)
      return value;
  }
  cursor->bad = TRUE;
  return 0;
}

static gint64
file_log_get_signed (FileCursor *cursor)
{
  guint64 value = file_log_get_varint (cursor);

  return (gint64) ((value >> 1) ^ (0 - (value & 1)));
}

static const guint8 *
get_bytes (FileCursor *cursor, gsize *size)
{
  const guint8 *bytes;

  *size = file_log_get_varint (cursor);
  if (cursor->bad || *size > (gsize) (cursor->end - cursor->at)) {
    cursor->bad = TRUE;
    *size = 0;
    return (const guint8 *) "";
  }
  bytes = cursor->at;
  cursor->at += *size;
  return bytes;
}

static const char *
file_log_get_text (FileCursor *cursor)
{
  gsize size;
  const char *text = (const char *) get_bytes (cursor, &size);

  if (cursor->bad || cursor->at >= cursor->end || *cursor->at != '\0' || strlen (text) != size) {
    cursor->bad = TRUE;
    return "";
  }
  cursor->at++;
  return text;
}

static void
get_part (FileCursor *cursor, LogPart *part)
{
  memset (part, 0, sizeof *part);
  part->kind = (PartKind) *cursor->at++;
  switch (part->kind) {
  case PART_ROW:
  case PART_DELETE:
  case PART_DROP:
    part->n[0] = file_log_get_varint (cursor);
    part->a = file_log_get_text (cursor);
    part->b = part->kind != PART_DROP ? file_log_get_text (cursor) : NULL;
    part->c = part->kind == PART_ROW ? file_log_get_text (cursor) : NULL;
    break;
  case PART_REF:
  case PART_SERIES:
    part->a = file_log_get_text (cursor);
    part->b = file_log_get_text (cursor);
    part->c = file_log_get_text (cursor);
    break;
  case PART_MARK:
    part->a = file_log_get_text (cursor);
    for (guint i = 0; i < 5; i++)
      part->n[i] = file_log_get_varint (cursor);
    break;
  case PART_SAMPLES:
    part->a = file_log_get_text (cursor);
    part->from_us = file_log_get_signed (cursor);
    part->to_us = file_log_get_signed (cursor);
    part->n[0] = file_log_get_varint (cursor);
    part->body = get_bytes (cursor, &part->body_size);
    break;
  case PART_HEAD:
    for (guint i = 0; i < 3; i++)
      part->n[i] = file_log_get_varint (cursor);
    break;
  case PART_SEGMENT:
    part->n[0] = file_log_get_varint (cursor);
    part->from_us = file_log_get_signed (cursor);
    part->to_us = file_log_get_signed (cursor);
    part->n[1] = file_log_get_varint (cursor);
    break;
  case PART_END:
    break;
  default:
    cursor->bad = TRUE;
  }
}

static gboolean
walk_parts (const guint8 *payload, gsize size, LogPartFunc func, gpointer user)
{
  FileCursor cursor = { payload, payload + size, FALSE };
  LogPart part;

  while (cursor.at < cursor.end && !cursor.bad) {
    get_part (&cursor, &part);
    if (!cursor.bad && func != NULL)
      func (&part, user);
  }
  return !cursor.bad;
}

gboolean
log_parts (const guint8 *payload, gsize size, LogPartFunc func, gpointer user)
{
  return walk_parts (payload, size, NULL, NULL) && walk_parts (payload, size, func, user);
}

/* ---- reading files ---- */

typedef struct {
  int fd;
  guint64 at, to;    /* file offsets: next byte to read, end */
  GByteArray *bytes; /* what was read and not yet used */
  guint used;        /* of bytes */
  gboolean failed;
} Input;

/* At least size bytes behind used, unless the file ends. */
static gboolean
input_fill (Input *input, gsize size)
{
  if (input->used > 0 && input->bytes->len - input->used < size) {
    g_byte_array_remove_range (input->bytes, 0, input->used);
    input->used = 0;
  }
  while (input->bytes->len - input->used < size && input->at < input->to) {
    guint before = input->bytes->len;
    gsize want = MIN (MAX (size, 64 * 1024), input->to - input->at);
    gssize got;

    g_byte_array_set_size (input->bytes, before + (guint) want);
    got = pread (input->fd, input->bytes->data + before, want, (off_t) input->at);
    g_byte_array_set_size (input->bytes, before + (guint) MAX (got, 0));
    if (got < 0 && errno == EINTR)
      continue;
    input->failed |= got < 0;
    if (got <= 0)
      break;
    input->at += (guint64) got;
  }
  return input->bytes->len - input->used >= size;
}

static guint64
input_offset (const Input *input)
{
  return input->at - (input->bytes->len - input->used);
}

/* The record at the front, if there is a whole and good one. */
static gboolean
input_record (Input *input, const guint8 **payload, gsize *size)
{
  guint32 length, crc;

  if (!input_fill (input, LOG_FRAME) ||
      memcmp (input->bytes->data + input->used, log_magic, sizeof log_magic) != 0)
    return FALSE;
  memcpy (&length, input->bytes->data + input->used + 4, 4);
  memcpy (&crc, input->bytes->data + input->used + 8, 4);
  length = GUINT32_FROM_LE (length);
  if (length > LOG_RECORD_MAX || length > input->to - input_offset (input) ||
      !input_fill (input, LOG_FRAME + (gsize) length))
    return FALSE;
  *payload = input->bytes->data + input->used + LOG_FRAME;
  *size = length;
  return far_crc32c (0, *payload, length) == GUINT32_FROM_LE (crc);
}

/* On to the next place that could be a record. FALSE: there is none. */
static gboolean
input_resync (Input *input)
{
  input->used++;
  while (input_fill (input, sizeof log_magic)) {
    const guint8 *start = input->bytes->data + input->used;
    const guint8 *hit = memchr (start, log_magic[0], input->bytes->len - input->used - 3);

    if (hit == NULL) {
      input->used = input->bytes->len - 3;
      continue;
    }
    input->used += (guint) (hit - start);
    if (memcmp (hit, log_magic, sizeof log_magic) == 0)
      return TRUE;
    input->used++;
  }
  return FALSE;
}

static gboolean
scan_next (Input *input, LogScan *scan, LogPartFunc func, gpointer user)
{
  guint64 start = input_offset (input);
  const guint8 *payload;
  gsize size;

  while (!input_record (input, &payload, &size) || !log_parts (payload, size, NULL, NULL))
    if (input->failed || !input_resync (input))
      return FALSE;
  scan->skipped += input_offset (input) - start;
  log_parts (payload, size, func, user);
  input->used += LOG_FRAME + (guint) size;
  scan->good_end = input_offset (input);
  return TRUE;
}

gboolean
log_scan (int fd, const char *path, guint64 offset, guint64 to, LogPartFunc func, gpointer user,
          LogScan *scan, GError **error)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  off_t end = lseek (fd, 0, SEEK_END);
  Input input = { .fd = fd, .at = offset, .to = MIN (to, (guint64) MAX (end, 0)), .bytes = bytes };

  *scan = (LogScan){ .good_end = offset };
  while (input_offset (&input) < input.to && scan_next (&input, scan, func, user))
    continue;
  scan->torn = scan->good_end < input.to;
  if (!input.failed && end >= 0)
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE, _ ("cannot read %s: %s"), path, g_strerror (errno));
  return FALSE;
}
