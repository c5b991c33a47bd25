/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The uplink's spool. A record has the number that it is sent under; the ledger has what became of numbers
 * since. What is done with is committed now and then only: a kill in between makes it go up again, under the
 * same number, so it counts once. */
#include "config.h"

#include "disk.h"

#define READER "uplink"
#define COMMIT_RECORDS 64
#define COMMIT_US (10 * G_USEC_PER_SEC)

static void
disk_clear (gpointer data)
{
  UplinkDisk *self = data;

  far_spool_reader_close (self->reader);
  far_spool_close (self->spool);
  g_free (self->folder);
}

UplinkDisk *
uplink_disk_new (const char *name)
{
  UplinkDisk *self = g_atomic_rc_box_new0 (UplinkDisk);
  g_autofree char *relative = g_build_filename (".uplink", name, NULL);

  self->folder = far_node_path (relative);
  self->epoch = uplink_epoch_new ();
  return self;
}

UplinkDisk *
uplink_disk_ref (UplinkDisk *disk)
{
  return g_atomic_rc_box_acquire (disk);
}

void
uplink_disk_unref (gpointer disk)
{
  g_atomic_rc_box_release_full (disk, disk_clear);
}

/* ---- what waits ---- */

/* A reader of its own, which commits nothing, goes to the end. */
static gboolean
disk_scan (UplinkDisk *self, GError **error)
{
  g_autoptr (FarSpoolReader) reader = far_spool_reader_open (self->folder, NULL, READER, error);
  FarSpoolItem item;
  FarSpoolRead read = FAR_SPOOL_ERROR;

  self->groups = self->seen = self->ledger.groups;
  self->row = self->ledger.row;
  while (reader != NULL && (read = far_spool_reader_next (reader, &item, error)) >= FAR_SPOOL_RECORD) {
    UplinkBatch *batch = read == FAR_SPOOL_RECORD ? uplink_record_read (&item) : NULL;

    if (batch == NULL)
      continue;
    self->waiting++;
    self->groups = MAX (self->groups, batch->before + batch->groups);
    if (self->ledger.row > 0 && batch->row > 0)
      self->row = MAX (self->row, batch->row + 1);
    uplink_batch_unref (batch);
  }
  return read == FAR_SPOOL_NOTHING;
}

static gboolean
disk_open_reader (UplinkDisk *self, GError **error)
{
  if (self->reader != NULL)
    return TRUE;
  self->ledger = uplink_ledger_read (self->folder);
  self->waiting = 0;
  if (!disk_scan (self, error))
    return FALSE;
  self->committed_us = far_clock_boottime_us ();
  self->reader = far_spool_reader_open (self->folder, NULL, READER, error);
  return self->reader != NULL;
}

gboolean
uplink_disk_open (UplinkDisk *self, guint64 budget, GError **error)
{
  const FarSpoolSpec spec = { .folder = self->folder, .budget = budget, .sync = FAR_SPOOL_SYNC_RECORD };

  if (self->spool != NULL && self->budget != budget)
    g_clear_pointer (&self->spool, far_spool_close);
  self->budget = budget;
  if (self->spool == NULL)
    self->spool = far_spool_open (&spec, error);
  return self->spool != NULL && disk_open_reader (self, error);
}

guint64
uplink_disk_append (UplinkDisk *self, const UplinkBatch *batch, GError **error)
{
  UplinkBatch record = *batch;

  record.before = self->groups;
  if (batch->epoch == 0) {
    record.epoch = self->epoch;
    record.seq = self->seq + 1;
  }
  g_autoptr (GBytes) bytes = uplink_record_write (&record);
  guint64 number = far_spool_append (self->spool, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes),
                                     far_clock_wall_us (), error);
  if (number == 0)
    return 0;
  if (batch->epoch == 0)
    self->seq++;
  if (number <= self->ledger.from) /* somebody took the spool away, and numbers start over */
    self->ledger.from = 0;
  self->groups += batch->groups;
  self->given = MAX (self->given, batch->given);
  return number;
}

/* ---- reading ---- */

gboolean
uplink_disk_note (UplinkDisk *self, GError **error)
{
  return uplink_ledger_write (self->folder, &self->ledger, error);
}

/* The ledger goes first: of a record that is done with and not committed, no group is taken for lost. */
static gboolean
disk_commit_now (UplinkDisk *self)
{
  self->ledger.groups = self->seen;
  return uplink_disk_note (self, NULL) && far_spool_reader_commit (self->reader, NULL);
}

/* Where the disk is full, what is done with makes the room for saying so; a kill in between makes it look
 * lost. */
static void
disk_commit_done (UplinkDisk *self)
{
  gboolean good = disk_commit_now (self);

  if (self->spool != NULL)
    far_spool_forget (self->spool, self->read + 1);
  if (good || disk_commit_now (self))
    self->done = 0;
  self->committed_us = far_clock_boottime_us ();
}

void
uplink_disk_number (const UplinkDisk *self, UplinkBatch *batch)
{
  const UplinkLedger *ledger = &self->ledger;

  if (ledger->from == 0 || batch->own_epoch != ledger->epoch || batch->record < ledger->from)
    return;
  batch->epoch = ledger->new_epoch;
  batch->seq = batch->record - ledger->from + 1;
}

static void
disk_take (UplinkDisk *self, UplinkBatch *batch)
{
  uplink_disk_number (self, batch);
  if (self->ledger.mended == batch->record)
    uplink_batch_mend (batch, &self->ledger.mend);
  self->seen = batch->before + batch->groups;
  self->shown = TRUE;
}

/* Records before the one that was numbered anew are done with, committed or not. */
static UplinkBatch *
disk_read (UplinkDisk *self, guint64 *lost, GError **error)
{
  guint64 records = 0;
  FarSpoolItem item;
  FarSpoolRead read;

  while ((read = far_spool_reader_next (self->reader, &item, error)) >= FAR_SPOOL_RECORD) {
    UplinkBatch *batch = read == FAR_SPOOL_RECORD ? uplink_record_read (&item) : NULL;

    if (batch == NULL) {
      records += read == FAR_SPOOL_GAP ? item.lost : 1;
      continue;
    }
    if (batch->before > self->seen)
      *lost += batch->before - self->seen;
    else
      *lost += records;
    disk_take (self, batch);
    if (batch->record >= self->ledger.from)
      return batch;
    records = 0;
    uplink_batch_unref (batch);
  }
  return NULL;
}

UplinkBatch *
uplink_disk_next (UplinkDisk *self, guint64 *lost, GError **error)
{
  UplinkBatch *batch;
  gboolean late = far_clock_boottime_us () - self->committed_us >= COMMIT_US;

  *lost = 0;
  if (self->shown)
    self->done++;
  self->shown = FALSE;
  if (self->done >= COMMIT_RECORDS)
    disk_commit_done (self);
  batch = disk_read (self, lost, error);
  if (batch != NULL)
    self->read = batch->record;
  else if (self->done > 0 && late)
    disk_commit_done (self);
  return batch;
}

void
uplink_disk_close (UplinkDisk *self, gboolean done)
{
  if (self->reader != NULL && (done || !self->shown) && (self->done > 0 || self->shown))
    disk_commit_done (self);
  g_clear_pointer (&self->reader, far_spool_reader_close);
  g_clear_pointer (&self->spool, far_spool_close);
}
