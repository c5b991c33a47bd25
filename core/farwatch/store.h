/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The store contract: a few primitives, one conformance suite for all stores. A row is a JSON object
 * described by no store: a new record type needs no change in any of them. Every operation ends through its
 * FarRequest on the main context; reads never wait behind the writer; what is reported durable survives kill
 * -9. One store may be used by two processes (the cluster comes later): expect decides.
 * Functions are [main] unless their comment says otherwise. */
#pragma once
#include <farwatch/request.h>
#include <farwatch/sample.h>

G_BEGIN_DECLS

#define FAR_EXPECT_ANY (-1) /* overwrite or create      */
#define FAR_EXPECT_ABSENT 0 /* create, else conflict    */
                            /* > 0: exactly this revision, else conflict */

/* Key of an uplink batch: applied exactly once. */
typedef struct {
  const char *source; /* node id */
  guint lane;         /* 0 control, 1 events, 2 samples, 3 backlog, 4 blobs */
  guint64 epoch, seq; /* seq counts from 1 inside an epoch; a new epoch starts over */
  guint32 crc;        /* CRC-32C of the body */
} FarBatchKey;

typedef enum {
  FAR_APPLY_DURABLE,
  FAR_APPLY_DUPLICATE,
  FAR_APPLY_GAP,
  FAR_APPLY_FULL,
  FAR_APPLY_BAD
} FarApplyVerdict;
typedef struct {
  FarApplyVerdict verdict;
  guint64 expected; /* GAP: the seq wanted next */
} FarApplied;

typedef enum { FAR_PART_SAMPLES, FAR_PART_ROW, FAR_PART_BLOB_REF } FarPartKind;
typedef struct {
  FarPartKind kind;
  GBytes *samples; /* SAMPLES: batch (far_batch_*), decoded on the store's thread */
  /* ROW: row = JSON object text, NULL deletes; BLOB_REF: row = blob hash */
  const char *table, *key, *row;
  gint64 expect; /* ROW */
} FarPart;

typedef struct {
  char *key;
  char *row;       /* JSON object text */
  gint64 revision; /* > 0 */
} FarRow;

/* field (top level, [A-Za-z0-9_.-]) equals value as text: strings as they are, numbers as JSON writes them,
 * "true", "false"; null and missing equal nothing. Several terms: all of them. Ends with field NULL. */
typedef struct {
  const char *field, *value;
} FarFilterTerm;

/* One point of far_store_samples(): raw, or a bucket of several. */
typedef struct {
  gint64 time_us;
  FarValueType type;
  double f64; /* numbers and booleans as double too */
  gint64 i64;
  char *text; /* owned */
  FarQuality quality;
} FarPoint;

#define FAR_ROW_MAX (256 * 1024) /* bytes of one row */
#define FAR_ROW_KEY_MAX 256      /* bytes of a key; UTF-8 without control characters */
#define FAR_ROWS_MAX 10000       /* of one answer */
#define FAR_PARTS_MAX 256        /* of one apply */
#define FAR_EPOCHS_KEPT 1024     /* of one source and lane */

/* Plugin side: same meaning as the far_store_* calls below, arguments already checked, req never NULL.
 * Strings and arrays are borrowed for the call. */
typedef struct {
  void (*apply) (gpointer self, const FarBatchKey *key, const FarPart *parts, guint n, FarRequest *req);
  void (*rows) (gpointer self, const char *table, const FarFilterTerm *filter, const char *after, guint limit,
                gboolean descending, FarRequest *req);
  void (*series) (gpointer self, const char *source, FarRequest *req);
  void (*samples) (gpointer self, const char *source, const char *name, gint64 from_us, gint64 to_us,
                   guint limit, FarRequest *req);
  void (*drop) (gpointer self, const char *table, gint64 samples_before_us, FarRequest *req);
  void (*blob_put) (gpointer self, const char *sha256, guint64 offset, GBytes *bytes, gboolean last,
                    FarRequest *req);
  void (*blob_get) (gpointer self, const char *sha256, guint64 offset, guint size, FarRequest *req);
  void (*snapshot) (gpointer self, const char *path, FarRequest *req);
  void (*maintain) (gpointer self, guint budget_ms, FarRequest *req);
} FarStoreOps;

/* Service side. `store` is an instance name. All [main]; the request may be NULL only where nobody minds the
 * outcome. */
/* Atomic over all parts. key NULL: no batch bookkeeping, samples count as this node's own. Result:
 * FarApplied* (with key; a full store is the verdict FULL), or gint64*, the new revision of the first row
 * (without; 0: none written); those of the rows behind it, up to the first that is deleted, follow one by
 * one. Revisions only grow inside a store, also over delete and create. Errors: FAR_ERROR_CONFLICT (an expect
 * failed: nothing done), FAR_ERROR_FULL ("cannot record"), FAR_ERROR_UNAVAILABLE. With key: crc is taken over
 * the SAMPLES parts in order; the store remembers the last FAR_EPOCHS_KEPT epochs of a lane, so a batch that
 * comes late from an older epoch is a duplicate: a terminal makes one at each start, so that is years, not
 * days. BAD (wrong crc or bytes) moves nothing: the sender drops the batch and goes on in a new epoch. */
void
far_store_apply (const char *store, const FarBatchKey *key, const FarPart *parts, guint n, FarRequest *req);
/* One row. Result: gint64* revision. */
void far_store_put (const char *store, const char *table, const char *key, const char *row, gint64 expect,
                    FarRequest *req);
/* Result: GPtrArray of FarRow in key order (descending: newest key first), keys after `after` only (NULL:
 * from the start). limit <= 10000. */
void far_store_rows (const char *store, const char *table, const FarFilterTerm *filter, const char *after,
                     guint limit, gboolean descending, FarRequest *req);
/* Result: GPtrArray of FarSeriesInfo. source NULL: all. */
void far_store_series (const char *store, const char *source, FarRequest *req);
/* Result: GArray of FarPoint, oldest first, from_us <= t < to_us, the newest `limit` of them. */
void far_store_samples (const char *store, const char *source, const char *name, gint64 from_us, gint64 to_us,
                        guint limit, FarRequest *req);
/* table: all its rows (NULL: none); samples older than the time go (0: none), whole pieces only. */
void far_store_drop (const char *store, const char *table, gint64 samples_before_us, FarRequest *req);
/* A blob is written front to back: offset must be what is there already, else FAR_ERROR_CONFLICT; an empty
 * piece asks. last: the hash is checked, FAR_ERROR_INVALID and nothing kept when it is wrong; a blob that is
 * there already takes no more. Result: gint64*, bytes there now. Pieces <= 256 KiB. */
void far_store_blob_put (const char *store, const char *sha256, guint64 offset, GBytes *bytes, gboolean last,
                         FarRequest *req);
/* Result: GBytes */
void far_store_blob_get (const char *store, const char *sha256, guint64 offset, guint size, FarRequest *req);
/* A consistent copy at path (absolute, must not exist), a file or a directory; writing goes on meanwhile.
 * Result: char *, the file or directory of the store itself: where the copy would have to be put back. */
void far_store_snapshot (const char *store, const char *path, FarRequest *req);
void far_store_maintain (const char *store, guint budget_ms, FarRequest *req);

/* A row for a list of results; texts are copied. Then what frees one, and the series of a list; NULL is fine.
 * [any thread] */
FarRow *far_row_new (const char *key, const char *row, gint64 revision);
void far_row_free (FarRow *row);
void far_series_info_free (FarSeriesInfo *info);
GArray *far_points_new (void); /* frees the texts with the array [any thread] */

/* ---- what stores share ---- [any thread] */

/* A driver has found its files damaged, put them aside and made a new store of what can still be read. What
 * is gone is not known, so nobody may judge by the rest: core keeps `what` (place, and what was taken over,
 * one line) in STATE/damaged/NAME, stops the instance, and does not start it before a person has decided
 * (`farctl restore`). [blocking] Always FALSE, with the error that its requests end with
 * from now on (error may be NULL).
 */
gboolean far_store_damaged (FarInstance *at, const char *what, GError **error);
/* Before the files are moved: only the note, so that a crash on the way forgets nothing. [blocking] */
void far_store_damage_begin (FarInstance *at, const char *what);
/* Before a driver opens or makes its files. there: something of the store is at `path`. FALSE: it was made
 * once and is gone, so it must not be made anew; go_on (a store of values alone): that is said, and it may.
 * [blocking] */
gboolean
far_store_expected (FarInstance *at, const char *path, gboolean there, gboolean go_on, GError **error);
/* It is open: from now on it is expected there. [blocking] */
void far_store_made (FarInstance *at, const char *path);
/* Its files went while it was open: the instance stops. [blocking] Always FALSE, with
 * the error that its requests end with from now on. */
gboolean far_store_gone (FarInstance *at, const char *path, GError **error);
/* The option that all stores offer for it: index into far_if_damaged[]. */
extern const char *const far_if_damaged[];
#define FAR_IF_DAMAGED_STOP 0  /* far_store_damaged() */
#define FAR_IF_DAMAGED_GO_ON 1 /* a store of values alone goes on with what could be read */

/* CRC-32C (RFC 3720, appendix B.4); crc: 0, or the value so far. */
guint32 far_crc32c (guint32 crc, gconstpointer data, gsize size);
/* crc of an uplink batch's SAMPLES parts equals the key's, and their bytes can be read. */
gboolean far_parts_good (const FarBatchKey *key, const FarPart *parts, guint n);
gboolean far_row_matches (const char *row, const FarFilterTerm *filter);
/* Ends a request with one gint64. */
void far_request_done_int (FarRequest *req, gint64 value);

/* Picks the newest `limit` points of one series out of batches that come in any order, best newest first. */
typedef struct _FarLatestPoints FarLatestPoints;
FarLatestPoints *far_latest_points_new (const char *name, gint64 from_us, gint64 to_us, guint limit);
/* Can a batch whose newest sample has this time still matter? */
gboolean far_latest_points_wants (const FarLatestPoints *latest, gint64 newest_us);
gboolean far_latest_points_add (FarLatestPoints *latest, GBytes *batch, GError **error);
GArray *far_latest_points_end (FarLatestPoints *latest); /* the points, oldest first; frees the latest */
void far_latest_points_free (FarLatestPoints *latest);

/* What a batch holds: its series (FarSeriesInfo, source NULL, borrowed from the batch) and its first and last
 * time. Samples 0: nothing in it. */
typedef struct {
  gint64 first_us, last_us;
  guint64 samples;
} FarBatchSpan;
gboolean far_batch_span (GBytes *batch, FarBatchSpan *span, GError **error);

G_END_DECLS
