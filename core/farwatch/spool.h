/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A spool keeps records on disk, in the order they were written, until they are too many: a folder of
 * segments (doc/formats.md). One writer at a time; any number of readers, in any process that may read the
 * folder. What a kill or a power cut tears off is the tail only, and writing goes on behind it.
 *
 * These calls wait for the disk: [blocking] means on an executor or on a thread of one's own, never on main.
 * A writer, or a reader, is used by one thread at a time.
 * Functions are [blocking] unless their comment says otherwise. */
#pragma once
#include <farwatch/error.h>
#include <farwatch/leg.h>

G_BEGIN_DECLS

#define FAR_SPOOL_KEY_SIZE 32
#define FAR_SPOOL_RECORD_MAX (1024 * 1024) /* bytes of one record */

/* When what was written is on the disk for good: when the caller asks by far_spool_sync() or closes; also
 * when a segment is full; with each record. */
typedef enum { FAR_SPOOL_SYNC_ASKED, FAR_SPOOL_SYNC_SEGMENT, FAR_SPOOL_SYNC_RECORD } FarSpoolSync;

typedef struct {
  const char *folder; /* made where it is not there, for this user alone */
  const guint8 *key;  /* FAR_SPOOL_KEY_SIZE bytes, copied: records are sealed with it; NULL: in the clear */
  guint64 budget;     /* bytes of all segments; then the oldest goes. 0: no limit */
  gsize segment;      /* bytes of one segment; 0: 4 MiB; at most a quarter of the budget */
  FarSpoolSync sync;
} FarSpoolSpec;

typedef struct _FarSpool FarSpool;

/* Opens for writing; FAR_ERROR_CONFLICT: somebody else has it open so. Numbers go on behind all that was
 * written or read before. [blocking] */
FarSpool *far_spool_open (const FarSpoolSpec *spec, GError **error);
/* Writes a record; its number, from 1, or 0 with an error: FAR_ERROR_FULL when the disk is, after which it
 * may be tried again; FAR_ERROR_INVALID when it is too long. time_us is the caller's. [blocking] */
guint64 far_spool_append (FarSpool *spool, gconstpointer data, gsize size, gint64 time_us, GError **error);
/* All that was written is on the disk. [blocking] */
gboolean far_spool_sync (FarSpool *spool, GError **error);
/* Nobody needs records below `before` any more: segments that hold no others go, but for the one that is
 * written to. A reader that is behind is told a gap. [blocking] */
void far_spool_forget (FarSpool *spool, guint64 before);
/* Bytes on the disk, of all segments. [one thread] */
guint64 far_spool_size (const FarSpool *spool);
/* Ends writing; NULL is fine. [blocking] */
void far_spool_close (FarSpool *spool);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FarSpool, far_spool_close)

typedef struct _FarSpoolReader FarSpoolReader;

/* NOTHING: there is none now; ask again when the writer has gone on. GAP: `lost` records from `sequence` on
 * are not there any more (the budget) or are damaged. */
typedef enum { FAR_SPOOL_ERROR, FAR_SPOOL_NOTHING, FAR_SPOOL_RECORD, FAR_SPOOL_GAP } FarSpoolRead;

typedef struct {
  guint64 sequence;
  guint64 lost;       /* of a gap */
  gint64 time_us;     /* of a record, as it was given */
  const guint8 *data; /* of a record; valid until the next call on this reader */
  gsize size;
} FarSpoolItem;

/* A reader goes on behind what was committed under its name (a-z 0-9 -, 64 at most), else with the oldest
 * record there is. NULL: it begins with the oldest, and commits nothing. [blocking] */
FarSpoolReader *
far_spool_reader_open (const char *folder, const guint8 *key, const char *name, GError **error);
/* The next one. Errors: FAR_ERROR_DENIED when it is sealed with another key or none was given. [blocking] */
FarSpoolRead far_spool_reader_next (FarSpoolReader *reader, FarSpoolItem *item, GError **error);
/* What was shown so far is done with, for good. [blocking] */
gboolean far_spool_reader_commit (FarSpoolReader *reader, GError **error);
void far_spool_reader_close (FarSpoolReader *reader); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FarSpoolReader, far_spool_reader_close)

/* A tap whose pieces become records of the spool (doc/formats.md, "Tap record"). It takes the spool and
 * closes it when the tap has ended. loop is a thread of the tap's own, as it waits for the disk; what the
 * disk does not take becomes a gap. Ends by far_leg_untap(). [any thread] */
FarTap *far_tap_spool (const FarLegMatch *match, FarSpool *spool, FarLoop *loop);

G_END_DECLS
