/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A node with one store called "main" inside the test program, and store calls that wait. */
#pragma once
#include "node-help.h"

/* type: "sqlite", "file". dir: NULL = a fresh one. extra: its options, NULL: samples stay for ever. Waits
 * until the store runs. */
void store_open (const char *type, const char *dir, const char *extra);
/* The same, but the store may fail: its error. */
void store_try (const char *type, const char *dir, const char *extra, GError **error);
void store_close (void);

/* Each waits for its request (10 s). Fails with *error or returns the result, owned. */
gint64 store_put (const char *table, const char *key, const char *row, gint64 expect, GError **error);
GPtrArray *store_rows (const char *table, const FarFilterTerm *filter, const char *after, guint limit,
                       gboolean descending);
gboolean store_apply (const FarBatchKey *key, const FarPart *parts, guint n, FarApplied *applied,
                      gint64 *revision, GError **error);
GArray *store_samples (const char *source, const char *name, gint64 from, gint64 to, guint limit);
GPtrArray *store_series (const char *source);
gint64 store_blob_put (const char *hash, guint64 offset, GBytes *bytes, gboolean last, GError **error);
GBytes *store_blob_get (const char *hash, guint64 offset, guint size, GError **error);
void store_snapshot (const char *path, GError **error);
void store_maintain (guint budget_ms);
void store_drop (const char *table, gint64 before_us);

/* Batch with n groups of one float series "x.v" (value = time in seconds) beginning at from_us, step_us
 * apart. */
GBytes *store_batch (gint64 from_us, gint64 step_us, guint n);
/* "key=row key=row …" */
char *store_rows_text (GPtrArray *rows);
