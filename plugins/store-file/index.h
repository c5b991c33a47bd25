/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the log says, in memory: rows in key order, marks, series, references, and what each segment holds. */
#pragma once
#include "log.h"

#define INDEX_SERIES 4096 /* of one source */

typedef struct {
  guint64 number;
  gint64 from_us, to_us; /* of its samples */
  guint64 samples;
  gint64 cut_us; /* what was older went already */
} FileSegment;

typedef struct {
  guint64 epoch, seq, crc, used;
} Mark;

typedef struct {
  GHashTable *tables; /* name → GPtrArray of FarRow, by key */
  GHashTable *marks;  /* "source\nlane" → GArray of Mark */
  GHashTable *series; /* source → GHashTable name → unit */
  GHashTable *refs;   /* hash → GHashTable set of "table\nkey" */
  GArray *segments;   /* Segment, by number */
  guint64 revision;
  guint64 version;       /* of the state that was read; 0: none */
  guint64 state_segment; /* the state covers segments up to this one */
  gboolean ended;        /* the state has its end */
} Index;

Index *index_new (void);
void index_free (Index *index);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Index, index_free)
/* Takes in one part of the segment (0: of a state). */
void index_part (Index *index, guint64 segment, const LogPart *part);

const FarRow *index_row (Index *index, const char *table, const char *key);
/* Copies of rows; as far_store_rows(). */
GPtrArray *index_rows (Index *index, const char *table, const FarFilterTerm *filter, const char *after,
                       guint limit, gboolean descending);
const Mark *index_mark (Index *index, const char *source, guint lane, guint64 epoch);
const char *index_unit (Index *index, const char *source, const char *name);
guint index_series_count (Index *index, const char *source);
GPtrArray *index_series (Index *index, const char *source);
gboolean index_is_referred (Index *index, const char *hash);
FileSegment *index_segment (Index *index, guint64 number); /* made if it is not there */
void index_segment_gone (Index *index, guint64 number);
/* The whole as records of at most some 256 KiB: head, everything, end. */
void index_write (Index *index, guint64 up_to_segment, GByteArray *out);
