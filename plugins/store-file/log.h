/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The log's letters. A file is a run of records: FA 46 52 0A, u32 length, u32 CRC-32C of the payload (both
 * least first), payload. A record is one transaction: it counts whole or not at all. Its payload is a run of
 * parts. Format in doc/formats.md. */
#pragma once
#include <farwatch/plugin.h>

#define LOG_RECORD_MAX (16 * 1024 * 1024)
#define LOG_FRAME 12

typedef enum {
  PART_ROW = 1,
  PART_DELETE,
  PART_REF,
  PART_MARK,
  PART_SAMPLES,
  PART_SERIES,
  PART_HEAD,
  PART_SEGMENT,
  PART_END,
  PART_DROP,
} PartKind;

/* One part as it was read: texts and bytes point into the record. */
typedef struct {
  PartKind kind;
  const char *a, *b, *c; /* table key row | table key hash | source name unit */
  /* row: revision; mark: lane epoch seq crc used; head: version segment revision; segment: number samples */
  guint64 n[6];
  gint64 from_us, to_us; /* samples, segment */
  const guint8 *body;    /* samples */
  gsize body_size;
} LogPart;

/* ---- writing ---- */
void log_row (GByteArray *out, guint64 revision, const char *table, const char *key, const char *row);
void log_delete (GByteArray *out, guint64 revision, const char *table, const char *key);
void log_ref (GByteArray *out, const char *table, const char *key, const char *hash);
void log_mark (GByteArray *out, const char *source, const guint64 n[5]);
void log_samples (GByteArray *out, const char *source, const FarBatchSpan *span, GBytes *batch);
void log_series (GByteArray *out, const char *source, const char *name, const char *unit);
void log_head (GByteArray *out, guint64 segment, guint64 revision);
void log_segment (GByteArray *out, guint64 number, gint64 from_us, gint64 to_us, guint64 samples);
void log_end (GByteArray *out);
void log_drop (GByteArray *out, guint64 revision, const char *table);
/* A frame around a payload, appended to out. */
void log_frame (GByteArray *out, const GByteArray *payload);

/* ---- reading ---- */
/* Calls for each part; FALSE: the payload is none of ours (nothing was called). */
typedef void (*LogPartFunc) (const LogPart *part, gpointer user);
gboolean log_parts (const guint8 *payload, gsize size, LogPartFunc func, gpointer user);

typedef struct {
  guint64 good_end; /* behind the last whole record */
  guint64 skipped;  /* bytes of bad middles */
  gboolean torn;    /* what follows good_end is no record */
} LogScan;
/* Reads a file from offset up to `to` (G_MAXUINT64: its end), record by record; what is damaged is skipped up
 * to the next whole record. Reading stops where no whole record follows. FAR_ERROR_UNAVAILABLE: it cannot be
 * read. */
gboolean log_scan (int fd, const char *path, guint64 offset, guint64 to, LogPartFunc func, gpointer user,
                   LogScan *scan, GError **error);
/* The same part again. */
void log_part (GByteArray *out, const LogPart *part);
