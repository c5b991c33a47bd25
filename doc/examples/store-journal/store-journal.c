/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A store: all of it in memory, each change a line in a file. It keeps the whole contract of
 * <farwatch/store.h> with as little as that takes: one thread judges a change, writes its line, waits until
 * the disk has it, and does it to the memory; another one reads. */
#define FAR_PLUGIN_LICENSE "LGPL-2.1-or-later"
#include "journal.h"

#include <string.h>

#define WAITING_MAX 100000

typedef struct {
  char *path;
  gint64 keep;
} StoreOptions;

typedef struct {
  FarInstance *at;
  Journal *journal;
} Store;

/* One call on its way to a thread. The instance may have gone when its turn comes; the journal is held. */
typedef struct {
  Journal *journal;
  json_t *change;
  char *name, *other; /* table, source, hash or path; after, or name of a series */
  GPtrArray *filter;  /* field, value, field, value … */
  gint64 from_us, to_us;
  guint limit;
  gboolean descending;
} Job;

static Job *
job_new (Store *self, json_t *change, const char *name, const char *other)
{
  Job *job = g_new0 (Job, 1);

  job->journal = journal_ref (self->journal);
  job->change = change;
  job->name = g_strdup (name);
  job->other = g_strdup (other);
  return job;
}

static void
job_free (gpointer data)
{
  Job *job = data;

  g_clear_pointer (&job->filter, g_ptr_array_unref);
  journal_unref (job->journal);
  json_decref (job->change);
  g_free (job->name);
  g_free (job->other);
  g_free (job);
}

/* Each instance has a thread that writes and one that reads, so that reading never waits for the disk. */
static void
run (Store *self, const char *what, void (*work) (FarRequest *req, gpointer data), Job *job, FarRequest *req)
{
  g_autofree char *executor = g_strdup_printf ("%s-%s", what, far_instance_name (self->at));

  far_run_blocking (executor, WAITING_MAX, work, job, job_free, req);
}

/* ---- changes ---- [writing thread] */

/* On disk first. */
static gboolean
change_do (Job *job, gint64 *result, GError **error)
{
  if (!journal_write (job->journal, job->change, error))
    return FALSE;
  g_rw_lock_writer_lock (&job->journal->lock);
  *result = change_play (job->journal->memory, job->change);
  g_rw_lock_writer_unlock (&job->journal->lock);
  return TRUE;
}

/* Nobody else changes the memory, so it can be judged without the lock. */
static void
apply_work (FarRequest *req, gpointer data)
{
  Job *job = data;
  g_autoptr (GPtrArray) own = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  g_autoptr (GArray) parts = change_parts (job->change, own);
  g_autofree FarApplied *applied = g_new0 (FarApplied, 1);
  FarBatchKey key;
  gboolean keyed = change_key (job->change, &key);
  GError *error = NULL;
  gint64 revision = 0;

  if (!memory_judge (job->journal->memory, keyed ? &key : NULL, (const FarPart *) (gpointer) parts->data,
                     parts->len, applied, &error) ||
      (applied->verdict == FAR_APPLY_DURABLE && !change_do (job, &revision, &error)))
    far_request_fail (req, error);
  else if (keyed)
    far_request_done (req, g_steal_pointer (&applied), g_free);
  else
    far_request_done_int (req, revision);
}

static void
store_apply (gpointer data, const FarBatchKey *key, const FarPart *parts, guint n, FarRequest *req)
{
  run (data, "write", apply_work, job_new (data, change_apply (far_node_id (), key, parts, n), NULL, NULL),
       req);
}

static void
drop_work (FarRequest *req, gpointer data)
{
  GError *error = NULL;
  gint64 none;

  if (change_do (data, &none, &error))
    far_request_done (req, NULL, NULL);
  else
    far_request_fail (req, error);
}

static void
store_drop (gpointer data, const char *table, gint64 samples_before_us, FarRequest *req)
{
  run (data, "write", drop_work, job_new (data, change_drop (table, samples_before_us), NULL, NULL), req);
}

static void
blob_put_work (FarRequest *req, gpointer data)
{
  Job *job = data;
  g_autoptr (GBytes) bytes = change_bytes (job->change);
  GError *error = NULL;
  gboolean wanted, good;
  gint64 there;

  g_rw_lock_writer_lock (&job->journal->lock);
  good = memory_blob_judge (job->journal->memory, job->name, (guint64) job->from_us, bytes,
                            json_is_true (json_object_get (job->change, "last")), &there, &wanted, &error);
  g_rw_lock_writer_unlock (&job->journal->lock);
  if (!good || (wanted && !change_do (job, &there, &error)))
    far_request_fail (req, error);
  else
    far_request_done_int (req, there);
}

static void
store_blob_put (gpointer data, const char *sha256, guint64 offset, GBytes *bytes, gboolean last,
                FarRequest *req)
{
  Job *job = job_new (data, change_blob (sha256, offset, bytes, last), sha256, NULL);

  job->from_us = (gint64) offset;
  run (data, "write", blob_put_work, job, req);
}

static void
snapshot_work (FarRequest *req, gpointer data)
{
  Job *job = data;
  GError *error = NULL;

  if (journal_copy (job->journal, job->name, &error))
    far_request_done (req, g_strdup (job->journal->path), g_free);
  else
    far_request_fail (req, error);
}

static void
store_snapshot (gpointer data, const char *path, FarRequest *req)
{
  run (data, "write", snapshot_work, job_new (data, NULL, path, NULL), req);
}

/* What is too old would come back with the next start, and go again: no line needed. */
static void
maintain_work (FarRequest *req, gpointer data)
{
  Job *job = data;

  g_rw_lock_writer_lock (&job->journal->lock);
  memory_drop (job->journal->memory, NULL, job->from_us);
  memory_drop_blobs (job->journal->memory);
  g_rw_lock_writer_unlock (&job->journal->lock);
  far_request_done (req, NULL, NULL);
}

static void
store_maintain (gpointer data, guint budget_ms G_GNUC_UNUSED, FarRequest *req)
{
  const StoreOptions *options = far_instance_options (((Store *) data)->at);
  Job *job = job_new (data, NULL, NULL, NULL);

  job->from_us = options->keep > 0 ? far_clock_wall_us () - options->keep : 0;
  run (data, "write", maintain_work, job, req);
}

/* ---- reading ---- [reading thread] */

static void
rows_work (FarRequest *req, gpointer data)
{
  Job *job = data;
  guint n = job->filter->len / 2;
  g_autofree FarFilterTerm *filter = g_new0 (FarFilterTerm, n + 1);
  GPtrArray *rows;

  for (guint i = 0; i < n; i++)
    filter[i] = (FarFilterTerm){ job->filter->pdata[2 * i], job->filter->pdata[2 * i + 1] };
  g_rw_lock_reader_lock (&job->journal->lock);
  rows = memory_rows (job->journal->memory, job->name, filter, job->other, job->limit, job->descending);
  g_rw_lock_reader_unlock (&job->journal->lock);
  far_request_done (req, rows, (GDestroyNotify) g_ptr_array_unref);
}

static void
store_rows (gpointer data, const char *table, const FarFilterTerm *filter, const char *after, guint limit,
            gboolean descending, FarRequest *req)
{
  Job *job = job_new (data, NULL, table, after);

  job->filter = g_ptr_array_new_with_free_func (g_free);
  for (; filter != NULL && filter->field != NULL; filter++) {
    g_ptr_array_add (job->filter, g_strdup (filter->field));
    g_ptr_array_add (job->filter, g_strdup (filter->value));
  }
  job->limit = limit;
  job->descending = descending;
  run (data, "read", rows_work, job, req);
}

static void
series_work (FarRequest *req, gpointer data)
{
  Job *job = data;
  GPtrArray *series;

  g_rw_lock_reader_lock (&job->journal->lock);
  series = memory_series (job->journal->memory, job->name);
  g_rw_lock_reader_unlock (&job->journal->lock);
  far_request_done (req, series, (GDestroyNotify) g_ptr_array_unref);
}

static void
store_series (gpointer data, const char *source, FarRequest *req)
{
  run (data, "read", series_work, job_new (data, NULL, source, NULL), req);
}

static void
samples_work (FarRequest *req, gpointer data)
{
  Job *job = data;
  GArray *points;

  g_rw_lock_reader_lock (&job->journal->lock);
  points = memory_samples (job->journal->memory, job->name, job->other, job->from_us, job->to_us, job->limit);
  g_rw_lock_reader_unlock (&job->journal->lock);
  far_request_done (req, points, (GDestroyNotify) g_array_unref);
}

static void
store_samples (gpointer data, const char *source, const char *name, gint64 from_us, gint64 to_us, guint limit,
               FarRequest *req)
{
  Job *job = job_new (data, NULL, source, name);

  job->from_us = from_us;
  job->to_us = to_us;
  job->limit = limit;
  run (data, "read", samples_work, job, req);
}

static void
blob_get_work (FarRequest *req, gpointer data)
{
  Job *job = data;
  GError *error = NULL;
  GBytes *bytes;

  g_rw_lock_reader_lock (&job->journal->lock);
  bytes = memory_blob_get (job->journal->memory, job->name, (guint64) job->from_us, job->limit, &error);
  g_rw_lock_reader_unlock (&job->journal->lock);
  if (bytes != NULL)
    far_request_done (req, bytes, (GDestroyNotify) g_bytes_unref);
  else
    far_request_fail (req, error);
}

static void
store_blob_get (gpointer data, const char *sha256, guint64 offset, guint size, FarRequest *req)
{
  Job *job = job_new (data, NULL, sha256, NULL);

  job->from_us = (gint64) offset;
  job->limit = size;
  run (data, "read", blob_get_work, job, req);
}

/* ---- life ---- */

static void
open_work (FarRequest *req, gpointer data)
{
  GError *error = NULL;

  if (journal_open (((Job *) data)->journal, &error))
    far_request_done (req, NULL, NULL);
  else
    far_request_fail (req, error);
}

/* Asked for by the instance: not called once that is stopped. */
static void
store_opened (FarRequest *req, gpointer data)
{
  Store *self = data;
  const GError *error = far_request_error (req);

  if (error != NULL)
    far_instance_fail (self->at, g_error_copy (error));
  else
    far_instance_ready (self->at);
}

static gboolean
store_init (gpointer data, FarInstance *at, GError **error G_GNUC_UNUSED)
{
  ((Store *) data)->at = at;
  return TRUE;
}

/* Opened by the thread that writes: what an instance before this one was still given is in the file then. */
static gboolean
store_start (gpointer data, GError **error G_GNUC_UNUSED)
{
  Store *self = data;

  self->journal = journal_new (((const StoreOptions *) far_instance_options (self->at))->path);
  run (self, "write", open_work, job_new (self, NULL, NULL, NULL),
       far_request_of (self->at, store_opened, self, NULL, 0));
  return TRUE;
}

/* What waits for its turn holds the journal, and is still done. */
static void
store_stop (gpointer data)
{
  g_clear_pointer (&((Store *) data)->journal, journal_unref);
}

static const FarOption store_options[] = {
  { .name = "path",
    .type = FAR_OPT_PATH,
    .offset = G_STRUCT_OFFSET (StoreOptions, path),
    .fallback = "journal",
    .flags = FAR_OPT_RESTART,
    .summary = N_ ("file of all changes; it only grows") },
  { .name = "keep",
    .type = FAR_OPT_DURATION,
    .flags = FAR_OPT_RELOADABLE,
    .offset = G_STRUCT_OFFSET (StoreOptions, keep),
    .fallback = "0s",
    .summary = N_ ("samples older than this leave the memory; 0s: never") },
  { .type = FAR_OPT_END },
};

static const FarStoreOps store_ops = {
  .apply = store_apply,
  .rows = store_rows,
  .series = store_series,
  .samples = store_samples,
  .drop = store_drop,
  .blob_put = store_blob_put,
  .blob_get = store_blob_get,
  .snapshot = store_snapshot,
  .maintain = store_maintain,
};

static const FarStoreType store_type = {
  .type = { .kind = FAR_KIND_STORE,
            .name = "journal",
            .summary = N_ ("all in memory, each change a line in a file"),
            .instance_size = sizeof (Store),
            .options_size = sizeof (StoreOptions),
            .options = store_options,
            .init = store_init,
            .start = store_start,
            .stop = store_stop },
  .ops = &store_ops,
};

FAR_PLUGIN ("store-journal", "0.1", "store/journal", "", &store_type.type)
