/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header is inside of spools: segments and records as bytes (doc/formats.md), and what writer and reader
 * share. */
#pragma once
#include <farwatch/spool.h>

G_BEGIN_DECLS

#define SPOOL_SALT_SIZE 32
#define SPOOL_HEAD_SIZE 64        /* of a segment */
#define SPOOL_RECORD_HEAD_SIZE 24 /* of a record */
#define SPOOL_TAG_SIZE 16         /* that sealing adds to a record */
#define SPOOL_SUFFIX ".spool"

typedef struct {
  gboolean sealed;
  guint64 first; /* number of its first record */
  guint8 salt[SPOOL_SALT_SIZE];
} SpoolHead;

typedef struct {
  guint32 length; /* of what follows the head */
  guint32 crc;
  guint64 sequence;
  gint64 time_us;
} SpoolRecordHead;

void far_spool_head_write (const SpoolHead *head, guint8 bytes[SPOOL_HEAD_SIZE]);
gboolean far_spool_head_read (SpoolHead *head, const guint8 bytes[SPOOL_HEAD_SIZE]);
/* The key of one segment. */
void far_spool_segment_key (const guint8 *key, const SpoolHead *head, guint8 segment_key[FAR_SPOOL_KEY_SIZE]);

/* Appends a record to out. segment_key NULL: in the clear. */
void far_spool_record_write (GByteArray *out, guint64 sequence, gint64 time_us, gconstpointer data,
                             gsize size, const guint8 *segment_key);
void far_spool_record_head_read (SpoolRecordHead *head, const guint8 bytes[SPOOL_RECORD_HEAD_SIZE]);
/* bytes: head->length of them behind the record's head, which stands before them. */
gboolean far_spool_record_is_whole (const SpoolRecordHead *head, const guint8 *record);
/* In place; the size of what was sealed, or -1: another key. */
gssize far_spool_record_open (const SpoolRecordHead *head, guint8 *record, const guint8 *segment_key);

char *far_spool_segment_path (const char *folder, guint64 first);
/* The numbers of the folder's segments in order: guint64. NULL with error. */
GArray *far_spool_segments (const char *folder, GError **error);
gboolean far_spool_name_is_good (const char *name);
char *far_spool_position_path (const char *folder, const char *name);
/* 0: there is none. */
guint64 far_spool_position_read (const char *folder, const char *name);
/* The largest position of any reader; 0: none. */
guint64 far_spool_position_last (const char *folder);

/* One segment, open for reading. */
typedef struct {
  int fd;
  SpoolHead head;
  gint64 at; /* where the next record begins */
  guint8 segment_key[FAR_SPOOL_KEY_SIZE];
} SpoolSegment;

/* NULL: it has no good head, or cannot be read (errno). */
SpoolSegment *far_spool_segment_open (const char *folder, guint64 first, const guint8 *key);
void far_spool_segment_close (SpoolSegment *segment);
/* Reads the record at segment->at into record (head and bytes) and steps over it; a damaged one that a good
 * one follows is stepped over too. FALSE: no more can be read here, or not yet. */
gboolean far_spool_segment_next (SpoolSegment *segment, SpoolRecordHead *head, GByteArray *record);

void far_spool_set_error (GError **error, const char *folder, int code);

G_END_DECLS
