/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The batch that is sent: read from the spool when the one before is done with; only when the disk takes
 * none, and all records are sent, one goes as it is. What its number or its times become is on the disk
 * before it is sent so. */
#include "config.h"

#include "disk.h"

#define JOBS_MAX 8

/* ---- what the executor does ---- */

typedef struct {
  UplinkDisk *disk;
  guint64 budget;
  UplinkLedger note;  /* what is to stand in the ledger: of a number or of times */
  UplinkBatch *batch; /* the head that this is about, or the one that was read */
  guint64 lost;
} UplinkJob;

static void
job_clear (gpointer data)
{
  UplinkJob *job = data;

  g_clear_pointer (&job->batch, uplink_batch_unref);
  uplink_disk_unref (job->disk);
}

static void
job_unref (gpointer data)
{
  g_atomic_rc_box_release_full (data, job_clear);
}

static UplinkJob *
job_new (Uplink *self)
{
  UplinkJob *job = g_atomic_rc_box_new0 (UplinkJob);

  job->disk = uplink_disk_ref (self->disk);
  job->budget = (guint64) uplink_options (self)->budget;
  return job;
}

static void
job_run (Uplink *self, UplinkJob *job, void (*work) (FarRequest *req, gpointer data), FarDone done)
{
  self->busy = TRUE;
  far_run_blocking (far_instance_path (self->at), JOBS_MAX, work, job, job_unref,
                    far_request_of (self->at, done, self, NULL, 0));
}

static void
job_end (FarRequest *req, UplinkJob *job, GError *error)
{
  if (error != NULL)
    far_request_fail (req, error);
  else
    far_request_done (req, g_atomic_rc_box_acquire (job), job_unref);
}

/* ---- the next one ---- */

static void
read_work (FarRequest *req, gpointer data)
{
  UplinkJob *job = data;
  GError *error = NULL;

  if (uplink_disk_open (job->disk, job->budget, &error))
    job->batch = uplink_disk_next (job->disk, &job->lost, &error);
  job_end (req, job, error);
}

static void
read_done (FarRequest *req, gpointer data)
{
  Uplink *self = data;
  UplinkJob *job = far_request_result (req);
  const GError *error = far_request_error (req);

  self->busy = FALSE;
  if (error != NULL) {
    far_log_limited (self->at, "read", "samples that wait on disk cannot be read: %s", error->message);
    self->more = FALSE;
    self->again = self->stuck = TRUE;
    self->may_send (self); /* what is not written may go meanwhile */
    return;
  }
  self->head = g_steal_pointer (&job->batch);
  self->more = self->head != NULL;
  uplink_lose (self, job->lost, "the spool's budget is used up, or the disk is damaged");
  self->may_send (self);
}

/* Of a disk that takes none, when all records are sent. */
static void
take_unwritten (Uplink *self)
{
  self->head = g_queue_pop_head (&self->unwritten);
  self->unwritten_size -= g_bytes_get_size (self->head->bytes);
  self->head->epoch = self->epoch;
  self->head->seq = self->seq + 1;
}

gboolean
uplink_head_find (Uplink *self)
{
  if (self->head == NULL && self->more)
    job_run (self, job_new (self), read_work, read_done);
  else if (self->head == NULL && self->stuck && self->writing == 0 && self->unwritten.length > 0)
    take_unwritten (self);
  return self->head != NULL;
}

/* ---- what must be known before it is sent ---- */

static void
note_work (FarRequest *req, gpointer data)
{
  UplinkJob *job = data;
  UplinkLedger *ledger = &job->disk->ledger, before = *ledger;
  GError *error = NULL;

  if (job->note.from > 0) {
    ledger->epoch = job->note.epoch;
    ledger->new_epoch = job->note.new_epoch;
    ledger->from = job->note.from;
  } else {
    ledger->mended = job->note.mended;
    ledger->mend = job->note.mend;
  }
  if (!uplink_disk_note (job->disk, &error))
    *ledger = before;
  job_end (req, job, error);
}

static void
note_done (FarRequest *req, gpointer data)
{
  Uplink *self = data;
  UplinkJob *job = far_request_result (req);
  const GError *error = far_request_error (req);

  self->busy = FALSE;
  if (error != NULL) {
    far_log_limited (self->at, "note", "samples wait until the disk takes their number: %s", error->message);
    return; /* the timer tries again */
  }
  if (job->note.from > 0) {
    self->head->epoch = job->note.new_epoch;
    self->head->seq = 1;
  } else {
    uplink_batch_mend (self->head, &job->note.mend);
  }
  self->may_send (self);
}

/* Its times are moved before it is sent first, and the same way each time: how, is on the disk before. */
gboolean
uplink_head_mend (Uplink *self)
{
  UplinkMend mend = { 0, FAR_QUALITY_GOOD };
  UplinkJob *job;

  if (!self->head->stamps.told)
    mend = uplink_stamps_mend (&self->head->stamps);
  if (self->head->record == 0 || (mend.by_us == 0 && mend.worst == FAR_QUALITY_GOOD)) {
    uplink_batch_mend (self->head, &mend);
    return TRUE;
  }
  job = job_new (self);
  job->note.mended = self->head->record;
  job->note.mend = mend;
  job_run (self, job, note_work, note_done);
  return FALSE;
}

void
uplink_head_renumber (Uplink *self)
{
  UplinkJob *job;

  if (self->head->record == 0) {
    self->head->epoch = self->epoch = uplink_epoch_new ();
    self->head->seq = 1;
    self->seq = 0;
    return;
  }
  job = job_new (self);
  job->note.epoch = self->head->own_epoch;
  job->note.new_epoch = uplink_epoch_new ();
  job->note.from = self->head->record;
  job_run (self, job, note_work, note_done);
}

void
uplink_head_done (Uplink *self)
{
  if (self->head->record == 0)
    self->seq = self->head->seq;
  g_clear_pointer (&self->head, uplink_batch_unref);
}
