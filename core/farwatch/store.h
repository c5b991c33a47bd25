/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The store contract: a few primitives, one conformance suite for all stores. A row is a JSON object described by no store: a new record
 * type needs no change in any of them. Every operation ends through its FarRequest on the main context; reads never wait behind the
 * writer; what is reported durable survives kill -9. One store may be used by two processes (the cluster comes later): expect decides. */
#pragma once
#include <farwatch/request.h>
#include <farwatch/sample.h>

G_BEGIN_DECLS

#define FAR_EXPECT_ANY    (-1)  /* overwrite or create      */
#define FAR_EXPECT_ABSENT 0     /* create, else conflict    */
                                /* > 0: exactly this revision, else conflict */

/* Key of an uplink batch: applied exactly once. */
typedef struct {
  const char *source;  /* node id */
  guint lane;          /* 0 control, 1 events, 2 samples, 3 backlog, 4 blobs */
  guint64 epoch, seq;  /* seq counts from 1 inside an epoch; a new epoch starts over */
  guint32 crc;         /* CRC-32C of the body */
} FarBatchKey;

typedef enum { FAR_APPLY_DURABLE, FAR_APPLY_DUPLICATE, FAR_APPLY_GAP, FAR_APPLY_FULL, FAR_APPLY_BAD } FarApplyVerdict;
typedef struct {
  FarApplyVerdict verdict;
  guint64 expected;        /* GAP: the seq wanted next */
} FarApplied;

typedef enum { FAR_PART_SAMPLES, FAR_PART_ROW, FAR_PART_BLOB_REF } FarPartKind;
typedef struct {
  FarPartKind kind;
  GBytes *samples;                      /* SAMPLES: batch (far_batch_*), decoded on the store's thread */
  const char *table, *key, *row;        /* ROW: row = JSON object text, NULL deletes; BLOB_REF: row = blob hash */
  gint64 expect;                        /* ROW */
} FarPart;

typedef struct {
  char *key;
  char *row;        /* JSON object text */
  gint64 revision;  /* > 0 */
} FarRow;

typedef struct { const char *field, *value; } FarFilterTerm; /* field (top level) equals value as text; ends with field NULL */

/* One point of far_store_samples(): raw, or a bucket of several. */
typedef struct {
  gint64 time_us;
  FarValueType type;
  double f64;               /* numbers and booleans as double too */
  gint64 i64;
  char *text;               /* owned */
  FarQuality quality;
} FarPoint;

/* Plugin side: same meaning as the far_store_* calls below. Strings and arrays are borrowed for the call. */
typedef struct {
  void (*apply) (gpointer self, const FarBatchKey *key, const FarPart *parts, guint n, FarRequest *req);
  void (*rows) (gpointer self, const char *table, const FarFilterTerm *filter, const char *after, guint limit, gboolean descending, FarRequest *req);
  void (*series) (gpointer self, const char *source, FarRequest *req);
  void (*samples) (gpointer self, const char *source, const char *name, gint64 from_us, gint64 to_us, guint limit, FarRequest *req);
  void (*drop) (gpointer self, const char *table, gint64 samples_before_us, FarRequest *req);
  void (*blob_put) (gpointer self, const char *sha256, guint64 offset, GBytes *bytes, gboolean last, FarRequest *req);
  void (*blob_get) (gpointer self, const char *sha256, guint64 offset, guint size, FarRequest *req);
  void (*snapshot) (gpointer self, const char *path, FarRequest *req);
  void (*maintain) (gpointer self, guint budget_ms, FarRequest *req);
} FarStoreOps;

/* Service side. `store` is an instance name. All [main]; the request may be NULL only where nobody minds the outcome. */
/* Atomic over all parts; key NULL: no batch bookkeeping. Result: FarApplied* (with key), or the new revision of the first row as
 * GINT_TO_POINTER-free gint64* (without). Errors: FAR_ERROR_CONFLICT (an expect failed: nothing done), FAR_ERROR_FULL, FAR_ERROR_UNAVAILABLE. */
void far_store_apply (const char *store, const FarBatchKey *key, const FarPart *parts, guint n, FarRequest *req);
/* One row. Result: gint64* revision. */
void far_store_put (const char *store, const char *table, const char *key, const char *row, gint64 expect, FarRequest *req);
/* Result: GPtrArray of FarRow in key order (descending: newest key first), keys after `after` only (NULL: from the start). limit <= 10000. */
void far_store_rows (const char *store, const char *table, const FarFilterTerm *filter, const char *after, guint limit, gboolean descending, FarRequest *req);
/* Result: GPtrArray of FarSeriesInfo. source NULL: all. */
void far_store_series (const char *store, const char *source, FarRequest *req);
/* Result: GArray of FarPoint, oldest first, from_us <= t < to_us, the newest `limit` of them. */
void far_store_samples (const char *store, const char *source, const char *name, gint64 from_us, gint64 to_us, guint limit, FarRequest *req);
void far_store_drop (const char *store, const char *table, gint64 samples_before_us, FarRequest *req);
void far_store_blob_put (const char *store, const char *sha256, guint64 offset, GBytes *bytes, gboolean last, FarRequest *req);
void far_store_blob_get (const char *store, const char *sha256, guint64 offset, guint size, FarRequest *req); /* Result: GBytes */
void far_store_snapshot (const char *store, const char *path, FarRequest *req);
void far_store_maintain (const char *store, guint budget_ms, FarRequest *req);

void far_row_free (FarRow *row);
void far_series_info_free (FarSeriesInfo *info);
GArray *far_points_new (void); /* frees the texts with the array */

G_END_DECLS
