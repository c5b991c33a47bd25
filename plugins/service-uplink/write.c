/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From batches to records. Batches wait in memory only until the executor has written them. While the disk
 * takes none, a few wait, and go up from here (head.c); what is more is dropped, counted and told. */
#include "config.h"

#include "disk.h"

#define UNWRITTEN_MAX (1024 * 1024)
#define WRITES_MAX 8 /* jobs that may wait for a disk that hangs */

typedef struct {
  UplinkDisk *disk;
  guint64 budget;
  GPtrArray *batches;
  gboolean done; /* so is the record that was read last */
} UplinkWriting;

typedef struct {
  guint done;     /* so many of them are records, or can never be */
  guint too_long; /* groups in those that cannot */
  guint64 newest; /* number of the last one; 0: none */
  GError *error;  /* why not more */
} UplinkWritten;

static void
uplink_writing_free (gpointer data)
{
  UplinkWriting *writing = data;

  g_ptr_array_unref (writing->batches);
  uplink_disk_unref (writing->disk);
  g_free (writing);
}

static void
uplink_written_free (gpointer data)
{
  g_clear_error (&((UplinkWritten *) data)->error);
  g_free (data);
}

/* What is a record already, which nobody heard of, is not written again. A record that is too long for the
 * spool stops nobody. [executor] */
static gboolean
uplink_write_one (UplinkWriting *writing, const UplinkBatch *batch, UplinkWritten *written)
{
  guint64 number;

  if (batch->epoch == 0 && batch->given <= writing->disk->given)
    return TRUE;
  number = uplink_disk_append (writing->disk, batch, &written->error);
  if (number > 0)
    written->newest = number;
  else if (!g_error_matches (written->error, FAR_ERROR, FAR_ERROR_INVALID))
    return FALSE;
  else
    written->too_long += batch->groups;
  g_clear_error (&written->error);
  return TRUE;
}

/* [executor] */
static UplinkWritten *
uplink_write_all (UplinkWriting *writing)
{
  UplinkWritten *written = g_new0 (UplinkWritten, 1);

  if (uplink_disk_open (writing->disk, writing->budget, &written->error))
    while (written->done < writing->batches->len &&
           uplink_write_one (writing, writing->batches->pdata[written->done], written))
      written->done++;
  return written;
}

static void
uplink_write_work (FarRequest *req, gpointer data)
{
  far_request_done (req, uplink_write_all (data), uplink_written_free);
}

static void
uplink_write_pop (Uplink *self, guint place)
{
  UplinkBatch *batch = g_queue_pop_nth (&self->unwritten, place);

  self->unwritten_size -= g_bytes_get_size (batch->bytes);
  uplink_batch_unref (batch);
}

static void
uplink_write_heard (Uplink *self, const UplinkWritten *written)
{
  for (guint i = 0; i < written->done; i++)
    uplink_write_pop (self, 0);
  uplink_lose (self, written->too_long, "a batch is too long for the spool");
  self->newest = MAX (self->newest, written->newest);
  self->more |= written->newest > 0;
  self->stuck = written->error != NULL;
  if (self->stuck)
    far_log_limited (self->at, "disk", "samples that wait are not on disk, a restart would lose them: %s",
                     written->error->message);
}

static void
uplink_write_done (FarRequest *req, gpointer data)
{
  Uplink *self = data;
  const GError *error = far_request_error (req);

  self->writing = 0;
  if (error == NULL)
    uplink_write_heard (self, far_request_result (req));
  else
    self->stuck = TRUE;
  if (!self->stuck)
    uplink_write (self);
  self->may_send (self);
}

static UplinkWriting *
uplink_writing_new (Uplink *self)
{
  UplinkWriting *writing = g_new0 (UplinkWriting, 1);

  writing->disk = uplink_disk_ref (self->disk);
  writing->budget = (guint64) uplink_options (self)->budget;
  writing->batches = g_ptr_array_new_with_free_func (uplink_batch_unref);
  return writing;
}

static void
uplink_writing_add (UplinkWriting *writing, Uplink *self)
{
  for (GList *at = self->unwritten.head; at != NULL; at = at->next)
    g_ptr_array_add (writing->batches, uplink_batch_ref (at->data));
}

void
uplink_write (Uplink *self)
{
  UplinkWriting *writing;

  if (self->writing > 0 || g_queue_is_empty (&self->unwritten))
    return;
  self->writing = self->unwritten.length;
  writing = uplink_writing_new (self);
  uplink_writing_add (writing, self);
  far_run_blocking (far_instance_path (self->at), WRITES_MAX, uplink_write_work, writing, uplink_writing_free,
                    far_request_of (self->at, uplink_write_done, self, NULL, 0));
}

/* The oldest goes, but not what is being written. */
static void
uplink_write_limit (Uplink *self)
{
  while (self->unwritten_size > UNWRITTEN_MAX && self->unwritten.length > self->writing + 1) {
    uplink_lose (self, ((UplinkBatch *) g_queue_peek_nth (&self->unwritten, self->writing))->groups,
                 "the disk takes nothing");
    uplink_write_pop (self, self->writing);
  }
}

void
uplink_write_add (Uplink *self, UplinkBatch *batch)
{
  g_queue_push_tail (&self->unwritten, batch);
  self->unwritten_size += g_bytes_get_size (batch->bytes);
  uplink_write_limit (self);
}

/* ---- the end ---- */

/* [executor] */
static void
flush_work (FarRequest *req, gpointer data)
{
  UplinkWriting *writing = data;
  UplinkWritten *written = uplink_write_all (writing);

  if (written->error != NULL && writing->batches->len > 0)
    far_log_limited (NULL, "uplink", "%u batches of samples are lost, as they could not be written: %s",
                     writing->batches->len - written->done, written->error->message);
  uplink_disk_close (writing->disk, writing->done);
  uplink_written_free (written);
  far_request_done (req, NULL, NULL);
}

static void
flush_done (FarRequest *req G_GNUC_UNUSED, gpointer data G_GNUC_UNUSED)
{
}

/* Nobody's request: the instance is gone before it ends. What was sent without being a record becomes one
 * under its number, as it may be up there or not. */
void
uplink_flush (Uplink *self)
{
  UplinkWriting *writing;

  if (self->disk == NULL)
    return;
  writing = uplink_writing_new (self);
  if (self->head != NULL && self->head->record == 0)
    g_ptr_array_add (writing->batches, uplink_batch_ref (self->head));
  uplink_writing_add (writing, self);
  writing->done = !self->busy && (self->head == NULL || self->head->record == 0);
  far_run_blocking (far_instance_path (self->at), G_MAXUINT, flush_work, writing, uplink_writing_free,
                    far_request_new (flush_done, NULL, 0)); /* lint: allow far_request_new */
  g_queue_clear_full (&self->unwritten, uplink_batch_unref);
  self->unwritten_size = 0;
  g_clear_pointer (&self->head, uplink_batch_unref);
  g_clear_pointer (&self->disk, uplink_disk_unref);
}
