/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The writer: takes what waits, writes it with one fdatasync, answers then. */
#include "config.h"

#include "store.h"

#define GROUP_MAX 256
#define CARE_EVERY_US (60 * (gint64) G_USEC_PER_SEC)

/* ---- jobs ---- */

gpointer
file_job_new (gsize size, FarRequest *req, void (*run) (Writer *, FileJob *, FileChange *),
              void (*clear) (FileJob *))
{
  FileJob *job = g_malloc0 (size);

  job->req = req != NULL ? far_request_ref (req) : NULL;
  job->run = run;
  job->clear = clear;
  return job;
}

void
file_job_free (FileJob *job)
{
  if (job->clear != NULL)
    job->clear (job);
  if (job->result != NULL && job->free_result != NULL)
    job->free_result (job->result);
  g_clear_error (&job->error);
  g_clear_pointer (&job->req, far_request_unref);
  g_free (job);
}

void
file_job_answer (FileJob *job)
{
  if (job->error != NULL)
    far_request_fail (job->req, g_steal_pointer (&job->error));
  else
    far_request_done (job->req, g_steal_pointer (&job->result), job->free_result);
  file_job_free (job);
}

void
file_job_result_int (FileJob *job, gint64 value)
{
  gint64 *result = g_new (gint64, 1);

  *result = value;
  job->result = result;
  job->free_result = g_free;
}

/* ---- groups ---- */

static void
change_init (FileChange *change, Disk *disk)
{
  change->disk = disk;
  change->records = g_byte_array_new ();
  change->revisions = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  change->marks = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  change->units = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  change->revision = 0;
}

static void
change_clear (FileChange *change)
{
  g_byte_array_unref (change->records);
  g_hash_table_unref (change->revisions);
  g_hash_table_unref (change->marks);
  g_hash_table_unref (change->units);
}

static void
file_writer_group_run (Writer *writer, GPtrArray *jobs, FileChange *change)
{
  for (guint i = 0; i < jobs->len; i++)
    if (((FileJob *) jobs->pdata[i])->prepare != NULL)
      ((FileJob *) jobs->pdata[i])->prepare (jobs->pdata[i]);
  /* Only the writer changes the index, but a reader may take in another process's tail. */
  g_mutex_lock (&writer->disk->lock);
  change->revision = writer->disk->index->revision;
  for (guint i = 0; i < jobs->len; i++) {
    FileJob *job = jobs->pdata[i];

    if (far_request_ended (job->req))
      job->error = g_error_new_literal (FAR_ERROR, FAR_ERROR_UNAVAILABLE, "cancelled");
    else
      job->run (writer, job, change);
  }
  g_mutex_unlock (&writer->disk->lock);
}

static FarApplied *
file_writer_applied_full (void)
{
  FarApplied *applied = g_new0 (FarApplied, 1);

  applied->verdict = FAR_APPLY_FULL;
  return applied;
}

/* Nothing of the group was written; what had failed by itself keeps its own cause. */
static void
file_writer_group_fail (GPtrArray *jobs, const GError *error)
{
  for (guint i = 0; i < jobs->len; i++) {
    FileJob *job = jobs->pdata[i];

    if (job->error != NULL)
      continue;
    if (job->result != NULL)
      g_clear_pointer (&job->result, job->free_result);
    if (job->applied && g_error_matches (error, FAR_ERROR, FAR_ERROR_FULL)) {
      job->result = file_writer_applied_full ();
      job->free_result = g_free;
    } else
      job->error = g_error_copy (error);
  }
}

static void
group_do (Writer *writer, GPtrArray *jobs)
{
  g_autoptr (GError) error = NULL, later = NULL;
  FileChange change;

  change_init (&change, writer->disk);
  if (disk_begin (writer->disk, &error)) {
    file_writer_group_run (writer, jobs, &change);
    if (disk_commit (writer->disk, change.records, &error) && !disk_roll (writer->disk, FALSE, &later))
      /* What was asked for is durable: no failure of the group. */
      far_log_limited (writer->at, "roll", "%s", later->message);
    disk_finish (writer->disk);
  }
  change_clear (&change);
  if (error != NULL) {
    file_writer_group_fail (jobs, error);
    far_log_limited (writer->at, "write", "%s", error->message);
  }
  for (guint i = 0; i < jobs->len; i++)
    file_job_answer (jobs->pdata[i]);
  g_ptr_array_set_size (jobs, 0);
}

static FileJob *
file_writer_collect (Writer *writer, FileJob *first, GPtrArray *jobs)
{
  FileJob *job = first;

  while (job != NULL && job->grouped && jobs->len < GROUP_MAX) {
    g_ptr_array_add (jobs, job);
    job = g_async_queue_try_pop (writer->jobs);
  }
  return job;
}

gboolean
file_writer_care (Writer *writer, GError **error)
{
  gint64 keep_us = writer->disk->keep_us;
  gboolean more;

  if (!disk_begin (writer->disk, error))
    return FALSE;
  more = disk_care (writer->disk, keep_us > 0 ? far_clock_wall_us () - keep_us : G_MININT64, error);
  more = blobs_care (writer->disk) || more;
  disk_finish (writer->disk);
  return more;
}

static void
writer_idle (Writer *writer)
{
  g_autoptr (GError) error = NULL;

  if (far_clock_boottime_us () < writer->next_care_us)
    return;
  while (file_writer_care (writer, &error))
    if (g_async_queue_length (writer->jobs) > 0)
      return;
  if (error != NULL)
    far_log_limited (writer->at, "care", "%s", error->message);
  writer->next_care_us = far_clock_boottime_us () + CARE_EVERY_US;
}

/* ---- the thread ---- */

static FileJob *
file_writer_wait (Writer *writer)
{
  gint64 left = writer->next_care_us - far_clock_boottime_us ();
  FileJob *job = g_async_queue_try_pop (writer->jobs);

  if (job == NULL && left > 0)
    job = g_async_queue_timeout_pop (writer->jobs, (guint64) left);
  return job;
}

static gpointer
file_writer_run (gpointer data)
{
  Writer *writer = data;
  g_autoptr (GPtrArray) jobs = g_ptr_array_new ();

  for (;;) {
    FileJob *job = file_writer_collect (writer, file_writer_wait (writer), jobs);

    if (jobs->len > 0)
      group_do (writer, jobs);
    if (job != NULL && job->run == NULL) {
      file_job_free (job);
      return NULL;
    }
    if (job != NULL && job->grouped)
      g_async_queue_push_front (writer->jobs, job);
    else if (job != NULL) {
      job->run (writer, job, NULL);
      file_job_answer (job);
    } else
      writer_idle (writer);
  }
}

static void
writer_unref (gpointer data)
{
  Writer *writer = data;

  if (!g_atomic_int_dec_and_test (&writer->refs))
    return;
  g_async_queue_unref (writer->jobs);
  disk_unref (writer->disk);
  if (writer->held)
    far_instance_release (writer->at);
  g_free (writer);
}

Writer *
writer_begin (FarInstance *at, Disk *disk)
{
  Writer *writer = g_new0 (Writer, 1);

  writer->refs = 2;
  writer->at = at;
  writer->disk = disk_ref (disk);
  writer->next_care_us = far_clock_boottime_us () + CARE_EVERY_US;
  writer->jobs = g_async_queue_new_full ((GDestroyNotify) file_job_free);
  writer->thread = far_thread_begin ("file-write", file_writer_run, writer, writer_unref);
  return writer;
}

static void
writer_refuse_all (Writer *writer)
{
  FileJob *job;

  while ((job = g_async_queue_try_pop (writer->jobs)) != NULL) {
    if (job->run == NULL) {
      file_job_free (job);
      continue;
    }
    job->error = g_error_new (FAR_ERROR, FAR_ERROR_UNAVAILABLE,
                              _ ("%s does not answer; its disk may be dead"), writer->disk->path);
    file_job_answer (job);
  }
}

void
writer_end (Writer *writer)
{
  g_async_queue_push (writer->jobs, file_job_new (sizeof (FileJob), NULL, NULL, NULL));
  if (!far_thread_end (writer->thread)) {
    writer_refuse_all (writer);
    g_async_queue_push (writer->jobs,
                        file_job_new (sizeof (FileJob), NULL, NULL, NULL)); /* should it come back */
    far_instance_hold (writer->at);
    writer->held = TRUE;
  }
  writer_unref (writer);
}

void
writer_push (Writer *writer, FileJob *job)
{
  if (g_async_queue_length (writer->jobs) < FILE_QUEUE_MAX) {
    g_async_queue_push (writer->jobs, job);
    return;
  }
  job->error = g_error_new (FAR_ERROR, FAR_ERROR_LIMIT,
                            _ ("%s is busy: %d requests wait already; try again later"),
                            far_instance_path (writer->at), FILE_QUEUE_MAX);
  file_job_answer (job);
}
