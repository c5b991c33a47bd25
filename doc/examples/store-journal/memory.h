/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the store holds, in memory: rows by table and key, batches of samples by source, blobs by hash. It
 * does not lock and does not write: see store-journal.c. */
#pragma once
#include <farwatch/plugin.h>

typedef struct _Memory Memory;

Memory *memory_new (void);
void memory_free (Memory *memory);

/* Changes nothing. TRUE: applied->verdict is DURABLE, and memory_apply() may come, or says why it may not
 * (duplicate, gap, bad). FALSE: an error. */
gboolean memory_judge (Memory *memory, const FarBatchKey *key, const FarPart *parts, guint n,
                       FarApplied *applied, GError **error);
/* The samples are those of source. Returns the revision of the first row, 0: none was written. */
gint64
memory_apply (Memory *memory, const char *source, const FarBatchKey *key, const FarPart *parts, guint n);
GPtrArray *memory_rows (Memory *memory, const char *table, const FarFilterTerm *filter, const char *after,
                        guint limit, gboolean descending);
GPtrArray *memory_series (Memory *memory, const char *source);
GArray *memory_samples (Memory *memory, const char *source, const char *name, gint64 from_us, gint64 to_us,
                        guint limit);
/* table NULL: none; before_us 0: no samples. */
void memory_drop (Memory *memory, const char *table, gint64 before_us);

/* Changes nothing but that a blob whose last piece shows that its bytes are wrong goes. *there: bytes of the
 * blob; *wanted: memory_blob_add() shall come. */
gboolean memory_blob_judge (Memory *memory, const char *hash, guint64 offset, GBytes *bytes, gboolean last,
                            gint64 *there, gboolean *wanted, GError **error);
gint64 memory_blob_add (Memory *memory, const char *hash, guint64 offset, GBytes *bytes, gboolean last);
GBytes *memory_blob_get (Memory *memory, const char *hash, guint64 offset, guint size, GError **error);
/* Blobs that no row has referred to for a day, and half ones. */
void memory_drop_blobs (Memory *memory);
