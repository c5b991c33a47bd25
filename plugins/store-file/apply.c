/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* apply(): checks against what the index and the group know, then one record, which counts whole or not at
 * all. Runs under the lock. */
#include "config.h"

#include "store.h"

#include <string.h>

typedef struct {
  FileJob job;
  FarBatchKey key;
  char *source; /* NULL: no key */
  FarPart *parts;
  guint n;
  gboolean good; /* bytes and crc */
} FileApplyJob;

/* ---- what is known ---- */

static guint64
file_apply_revision_of (FileChange *change, const char *table, const char *key)
{
  g_autofree char *name = g_strconcat (table, "\n", key, NULL);
  const guint64 *changed = g_hash_table_lookup (change->revisions, name);
  const FarRow *row;

  if (changed != NULL)
    return *changed;
  row = index_row (change->disk->index, table, key);
  return row != NULL ? (guint64) row->revision : 0;
}

static char *
mark_name (const FarBatchKey *key)
{
  return g_strdup_printf ("%s\n%u\n%" G_GUINT64_FORMAT, key->source, key->lane, key->epoch);
}

static FarApplyVerdict
file_apply_mark_judge (FileChange *change, const FarBatchKey *key, guint64 *expected)
{
  g_autofree char *name = mark_name (key);
  const Mark *mark = g_hash_table_lookup (change->marks, name);
  guint64 seq;

  if (mark == NULL)
    mark = index_mark (change->disk->index, key->source, key->lane, key->epoch);
  seq = mark != NULL ? mark->seq : 0;
  *expected = seq + 1;
  if (key->seq == seq && mark->crc != key->crc)
    return FAR_APPLY_BAD;
  if (key->seq <= seq)
    return FAR_APPLY_DUPLICATE;
  return key->seq == seq + 1 ? FAR_APPLY_DURABLE : FAR_APPLY_GAP;
}

/* ---- one record ---- */

typedef struct {
  FileChange *change;
  const char *source;
  GByteArray *payload;
  guint count;
  gboolean done;
} FileSeriesWalk;

static void
file_apply_series_note (FileSeriesWalk *walk, const FarSeriesInfo *info)
{
  g_autofree char *name = g_strconcat (walk->source, "\n", info->name, NULL);
  const char *unit = g_hash_table_lookup (walk->change->units, name);

  if (unit == NULL)
    unit = index_unit (walk->change->disk->index, walk->source, info->name);
  if (g_strcmp0 (unit, info->unit) == 0 || (unit == NULL && walk->count >= INDEX_SERIES))
    return;
  walk->count += unit == NULL;
  log_series (walk->payload, walk->source, info->name, info->unit);
  g_hash_table_insert (walk->change->units, g_steal_pointer (&name), g_strdup (info->unit));
}

static void
file_apply_series_walk (const FarReading *group G_GNUC_UNUSED, const FarSeriesInfo *series, guint n_series,
                        gpointer user)
{
  FileSeriesWalk *walk = user;

  for (guint i = 0; i < n_series && !walk->done; i++)
    file_apply_series_note (walk, &series[i]);
  walk->done = TRUE;
}

static void
file_apply_put_samples (FileChange *change, const char *source, GBytes *batch, GByteArray *payload)
{
  FileSeriesWalk walk = { change, source, payload, index_series_count (change->disk->index, source), FALSE };
  FarBatchSpan span;

  if (!far_batch_span (batch, &span, NULL) || span.samples == 0)
    return;
  far_batch_read (batch, file_apply_series_walk, &walk, NULL);
  log_samples (payload, source, &span, batch);
}

static gboolean
rows_expected (FileChange *change, const FileApplyJob *job, GError **error)
{
  g_autoptr (GHashTable) own = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; i < job->n; i++) {
    const FarPart *part = &job->parts[i];
    g_autofree char *name = part->kind == FAR_PART_ROW ? g_strconcat (part->table, "\n", part->key, NULL)
                                                       : NULL;
    gboolean good = name == NULL || part->expect == FAR_EXPECT_ANY;

    if (!good &&
        g_hash_table_contains (own, name)) /* a part before it in the same job has made or deleted it */
      good = part->expect == FAR_EXPECT_ABSENT && g_hash_table_lookup (own, name) == NULL;
    else if (!good)
      good = file_apply_revision_of (change, part->table, part->key) == (guint64) part->expect;
    if (!good) {
      g_set_error (error, FAR_ERROR, FAR_ERROR_CONFLICT,
                   _ ("%s '%s' was changed by somebody else; read it again"), part->table, part->key);
      return FALSE;
    }
    if (name != NULL)
      g_hash_table_insert (own, g_steal_pointer (&name), (gpointer) part->row);
  }
  return TRUE;
}

static guint64
file_apply_put_row (FileChange *change, const FarPart *part, GByteArray *payload)
{
  guint64 *known = g_new (guint64, 1);
  guint64 revision = ++change->revision;

  if (part->row != NULL)
    log_row (payload, revision, part->table, part->key, part->row);
  else
    log_delete (payload, revision, part->table, part->key);
  *known = part->row != NULL ? revision : 0;
  g_hash_table_insert (change->revisions, g_strconcat (part->table, "\n", part->key, NULL), known);
  return *known;
}

static void
put_mark (FileChange *change, const FarBatchKey *key, GByteArray *payload)
{
  guint64 n[5] = { key->lane, key->epoch, key->seq, key->crc, ++change->revision };
  Mark *mark = g_new (Mark, 1);

  *mark = (Mark){ key->epoch, key->seq, key->crc, change->revision };
  log_mark (payload, key->source, n);
  g_hash_table_insert (change->marks, mark_name (key), mark);
}

/* Returns the revision of the first row. */
static gint64
file_apply_put_parts (FileChange *change, const FileApplyJob *job, GByteArray *payload)
{
  gint64 first = -1;

  for (guint i = 0; i < job->n; i++) {
    const FarPart *part = &job->parts[i];
    guint64 revision;

    if (part->kind == FAR_PART_SAMPLES)
      file_apply_put_samples (change, job->source != NULL ? job->source : far_node_id (), part->samples,
                              payload);
    else if (part->kind == FAR_PART_BLOB_REF)
      log_ref (payload, part->table, part->key, part->row);
    else {
      revision = file_apply_put_row (change, part, payload);
      first = first < 0 ? (gint64) revision : first;
    }
  }
  return MAX (first, 0);
}

/* ---- the job ---- */

static gboolean
apply_write (FileChange *change, FileApplyJob *job, gint64 *revision, GError **error)
{
  g_autoptr (GByteArray) payload = NULL;

  if (!rows_expected (change, job, error))
    return FALSE;
  payload = g_byte_array_new ();
  *revision = file_apply_put_parts (change, job, payload);
  if (job->source != NULL)
    put_mark (change, &job->key, payload);
  if (payload->len > 0)
    log_frame (change->records, payload);
  return TRUE;
}

static gboolean
apply_fits (const FileApplyJob *job, GError **error)
{
  gsize size = 4096;

  for (guint i = 0; i < job->n; i++)
    size += job->parts[i].kind == FAR_PART_SAMPLES
                ? 2 * g_bytes_get_size (job->parts[i].samples)
                : 512 + strlen (job->parts[i].key) +
                      (job->parts[i].row != NULL ? strlen (job->parts[i].row) : 0);
  if (size <= LOG_RECORD_MAX)
    return TRUE;
  g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("apply: more than 16 MiB at once"));
  return FALSE;
}

static void
file_apply_batch (FileApplyJob *job, FileChange *change)
{
  FarApplied *applied = g_new0 (FarApplied, 1);
  gint64 unused;

  applied->verdict = file_apply_mark_judge (change, &job->key, &applied->expected);
  if (applied->verdict == FAR_APPLY_DURABLE && !job->good)
    applied->verdict = FAR_APPLY_BAD;
  job->job.result = applied;
  job->job.free_result = g_free;
  if (applied->verdict == FAR_APPLY_DURABLE && !apply_write (change, job, &unused, &job->job.error))
    g_clear_pointer (&job->job.result, g_free);
}

static void
apply_prepare (FileJob *base)
{
  FileApplyJob *job = (FileApplyJob *) base;

  job->good = far_parts_good (job->source != NULL ? &job->key : NULL, job->parts, job->n);
}

static void
apply_run (Writer *writer G_GNUC_UNUSED, FileJob *base, FileChange *change)
{
  FileApplyJob *job = (FileApplyJob *) base;
  gint64 revision;

  if (!apply_fits (job, &base->error))
    return;
  if (job->source != NULL)
    file_apply_batch (job, change);
  else if (!job->good)
    base->error = g_error_new_literal (FAR_ERROR, FAR_ERROR_INVALID,
                                       _ ("samples: bytes of a batch that cannot be read"));
  else if (apply_write (change, job, &revision, &base->error))
    file_job_result_int (base, revision);
}

static void
file_apply_clear (FileJob *base)
{
  FileApplyJob *job = (FileApplyJob *) base;

  for (guint i = 0; i < job->n; i++) {
    g_clear_pointer (&job->parts[i].samples, g_bytes_unref);
    g_free ((char *) job->parts[i].table);
    g_free ((char *) job->parts[i].key);
    g_free ((char *) job->parts[i].row);
  }
  g_free (job->parts);
  g_free (job->source);
}

FileJob *
apply_new (const FarBatchKey *key, const FarPart *parts, guint n, FarRequest *req)
{
  FileApplyJob *job = file_job_new (sizeof (FileApplyJob), req, apply_run, file_apply_clear);

  job->job.grouped = TRUE;
  job->job.prepare = apply_prepare;
  job->job.applied = key != NULL;
  if (key != NULL) {
    job->key = *key;
    job->key.source = job->source = g_strdup (key->source);
  }
  job->parts = g_new0 (FarPart, n);
  job->n = n;
  for (guint i = 0; i < n; i++) {
    job->parts[i] = parts[i];
    job->parts[i].samples = parts[i].kind == FAR_PART_SAMPLES ? g_bytes_ref (parts[i].samples) : NULL;
    job->parts[i].table = g_strdup (parts[i].table);
    job->parts[i].key = g_strdup (parts[i].key);
    job->parts[i].row = g_strdup (parts[i].row);
  }
  return &job->job;
}
