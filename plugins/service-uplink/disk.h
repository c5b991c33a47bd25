/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header describes the uplink's spool and what stands beside it (doc/formats.md, "Uplink record"). All
 * of it waits for the disk, so it is called on the uplink's executor, in the order of the calls. */
#pragma once
#include "uplink.h"

#include <farwatch/spool.h>

/* What is known for good about numbers: one line of text, replaced whole. */
typedef struct {
  guint64 groups; /* in records that are done with */
  guint64 row;    /* rows are taken in: those below this number are records already; 0: not now */
  guint64 epoch, new_epoch, from; /* records of this epoch, from this one on, count from 1 in the new one */
  guint64 mended;                 /* the record whose times were mended last, and how */
  UplinkMend mend;
} UplinkLedger;

struct _UplinkDisk {
  char *folder;
  FarSpool *spool; /* NULL: it could not be opened yet */
  FarSpoolReader *reader;
  guint64 budget;
  guint64 epoch, seq; /* of the newest record of this run */
  guint64 groups;     /* in all records */
  guint64 given;      /* the newest batch of this instance that is a record */
  guint64 read;       /* the record that was read last */
  guint64 seen;       /* groups in all records up to that one */
  guint done;         /* records that are done with and not committed */
  gboolean shown;     /* the last one that was read is not done with */
  gint64 committed_us;
  guint64 waiting; /* records that were there at the start */
  guint64 row;     /* rows below this number are records */
  UplinkLedger ledger;
};

UplinkDisk *uplink_disk_new (const char *name); /* [main] */
UplinkDisk *uplink_disk_ref (UplinkDisk *disk); /* [any thread] */
void uplink_disk_unref (gpointer disk);         /* [any thread] */

/* Opens what is not open. */
gboolean uplink_disk_open (UplinkDisk *disk, guint64 budget, GError **error);
/* The batch becomes a record; its number, or 0. */
guint64 uplink_disk_append (UplinkDisk *disk, const UplinkBatch *batch, GError **error);
/* The next record; NULL without error: none now. The one before is done with. lost: groups of records between
 * that are not there any more. */
UplinkBatch *uplink_disk_next (UplinkDisk *disk, guint64 *lost, GError **error);
/* The ledger is on the disk. */
gboolean uplink_disk_note (UplinkDisk *disk, GError **error);
/* done: so is the record that was read last. */
void uplink_disk_close (UplinkDisk *disk, gboolean done);
/* The number that a record is sent under, by the ledger. */
void uplink_disk_number (const UplinkDisk *disk, UplinkBatch *batch);

/* ---- record.c ---- */
GBytes *uplink_record_write (const UplinkBatch *batch);
UplinkBatch *uplink_record_read (const FarSpoolItem *item); /* NULL: it is none */
UplinkLedger uplink_ledger_read (const char *folder);
gboolean uplink_ledger_write (const char *folder, const UplinkLedger *ledger, GError **error);
