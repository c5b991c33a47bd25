/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* apply(): rows, samples and references in one savepoint, with the mark that makes a batch count once. */
#include "config.h"

#include "store.h"

#include <string.h>

#define SERIES_PER_SOURCE 4096

typedef struct {
  SqliteJob job;
  FarBatchKey key;
  char *source; /* NULL: no key */
  FarPart *parts;
  guint n;
  gint64 first_revision;
} SqliteApplyJob;

static Writer *
writer_of (StoreThread *thread)
{
  return thread->owner;
}

gint64
source_id (Conn *conn, const char *name, gboolean make, GError **error)
{
  if (make && !conn_run (conn, error, "INSERT OR IGNORE INTO source(name) VALUES(?1)", "s", name))
    return 0;
  return conn_number (conn, error, 0, "SELECT id FROM source WHERE name = ?1", "s", name);
}

/* ---- samples ---- */

typedef struct {
  Writer *writer;
  gint64 source;
  GError **error;
  gboolean failed;
  gboolean done;
} SqliteSeriesWalk;

static void
sqlite_apply_series_note (SqliteSeriesWalk *walk, const FarSeriesInfo *info)
{
  g_autofree char *known = g_strdup_printf ("%" G_GINT64_FORMAT "\n%s\n%s", walk->source, info->name,
                                            info->unit);

  if (walk->failed || g_hash_table_contains (walk->writer->series, known))
    return;
  walk->failed =
      !conn_run (&walk->writer->thread.conn, walk->error,
                 "INSERT INTO series(source, name, unit) SELECT ?1, ?2, ?3"
                 " WHERE (SELECT count(*) FROM series WHERE source = ?1) < " G_STRINGIFY (
                     SERIES_PER_SOURCE) " OR EXISTS (SELECT 1 FROM series WHERE source = ?1 AND name = ?2)"
                                        " ON CONFLICT(source, name) DO UPDATE SET unit = excluded.unit",
                 "iss", walk->source, info->name, info->unit);
  g_hash_table_add (walk->writer->series, g_steal_pointer (&known));
}

static void
sqlite_apply_series_walk (const FarReading *group G_GNUC_UNUSED, const FarSeriesInfo *series, guint n_series,
                          gpointer user)
{
  SqliteSeriesWalk *walk = user;

  for (guint i = 0; i < n_series && !walk->done; i++)
    sqlite_apply_series_note (walk, &series[i]);
  walk->done = TRUE;
}

static gboolean
sqlite_apply_put_samples (Writer *writer, const char *source, GBytes *batch, GError **error)
{
  Conn *conn = &writer->thread.conn;
  gint64 id = source_id (conn, source, TRUE, error);
  SqliteSeriesWalk walk = { .writer = writer, .source = id, .error = error };
  FarBatchSpan span;

  if (id == 0 || !far_batch_span (batch, &span, error))
    return FALSE;
  if (span.samples == 0)
    return TRUE;
  if (!far_batch_read (batch, sqlite_apply_series_walk, &walk, error) || walk.failed)
    return FALSE;
  if (!conn_run (conn, error,
                 "INSERT INTO batch(source, level, t0, t1, n, body) VALUES(?1, 0, ?2, ?3, ?4, ?5)", "iiiib",
                 id, span.first_us, span.last_us, (gint64) span.samples, batch))
    return FALSE;
  care_added (writer, id);
  return TRUE;
}

/* ---- rows ---- */

static gboolean
row_expected (Conn *conn, const FarPart *part, GError **error)
{
  GError *local = NULL;
  gint64 there;

  if (part->expect == FAR_EXPECT_ANY)
    return TRUE;
  there = conn_number (conn, &local, 0, "SELECT revision FROM row WHERE tbl = ?1 AND key = ?2", "ss",
                       part->table, part->key);
  if (local == NULL && there == part->expect)
    return TRUE;
  if (local == NULL)
    local = g_error_new (FAR_ERROR, FAR_ERROR_CONFLICT,
                         _ ("%s '%s' was changed by somebody else; read it again"), part->table, part->key);
  g_propagate_error (error, local);
  return FALSE;
}

static gboolean
sqlite_apply_put_row (Writer *writer, const FarPart *part, gint64 *revision, GError **error)
{
  Conn *conn = &writer->thread.conn;

  *revision = 0;
  if (!row_expected (conn, part, error))
    return FALSE;
  if (part->row == NULL)
    return conn_run (conn, error, "DELETE FROM row WHERE tbl = ?1 AND key = ?2", "ss", part->table,
                     part->key) &&
           conn_run (conn, error, "DELETE FROM blob_ref WHERE tbl = ?1 AND key = ?2", "ss", part->table,
                     part->key);
  *revision = ++writer->revision;
  writer->revised = TRUE;
  return conn_run (conn, error,
                   "INSERT INTO row(tbl, key, revision, body) VALUES(?1, ?2, ?3, ?4)"
                   " ON CONFLICT(tbl, key) DO UPDATE SET revision = excluded.revision, body = excluded.body",
                   "ssis", part->table, part->key, *revision, part->row);
}

static gboolean
sqlite_apply_put_parts (Writer *writer, SqliteApplyJob *job, GError **error)
{
  gboolean first = TRUE;

  for (guint i = 0; i < job->n; i++) {
    const FarPart *part = &job->parts[i];
    gint64 revision = 0;
    gboolean good = TRUE;

    if (part->kind == FAR_PART_SAMPLES)
      good = sqlite_apply_put_samples (writer, job->source != NULL ? job->source : far_node_id (),
                                       part->samples, error);
    else if (part->kind == FAR_PART_ROW)
      good = sqlite_apply_put_row (writer, part, &revision, error);
    else
      good = conn_run (&writer->thread.conn, error,
                       "INSERT OR IGNORE INTO blob_ref(tbl, key, sha256) VALUES(?1, ?2, ?3)", "sss",
                       part->table, part->key, part->row);
    if (!good)
      return FALSE;
    if (part->kind == FAR_PART_ROW && first)
      job->first_revision = revision;
    first = first && part->kind != FAR_PART_ROW;
  }
  return TRUE;
}

/* ---- marks ---- */

static FarApplyVerdict
sqlite_apply_mark_judge (Conn *conn, const SqliteApplyJob *job, guint64 *expected, GError **error)
{
  sqlite3_stmt *stmt = conn_query (conn, error,
                                   "SELECT seq, crc FROM mark WHERE source = (SELECT id FROM source WHERE "
                                   "name = ?1) AND lane = ?2 AND epoch = ?3",
                                   "sii", job->source, (gint64) job->key.lane, (gint64) job->key.epoch);
  guint64 seq = 0, crc = 0;

  if (stmt != NULL && conn_step (conn, stmt, error)) {
    seq = (guint64) sqlite3_column_int64 (stmt, 0);
    crc = (guint64) sqlite3_column_int64 (stmt, 1);
    sqlite3_reset (stmt);
  }
  *expected = seq + 1;
  if (job->key.seq == seq && crc != job->key.crc)
    return FAR_APPLY_BAD;
  if (job->key.seq <= seq)
    return FAR_APPLY_DUPLICATE;
  return job->key.seq == seq + 1 ? FAR_APPLY_DURABLE : FAR_APPLY_GAP;
}

static gboolean
mark_set (Writer *writer, const SqliteApplyJob *job, GError **error)
{
  Conn *conn = &writer->thread.conn;
  gint64 source = source_id (conn, job->source, TRUE, error);

  writer->revised = TRUE;
  if (source == 0 ||
      !conn_run (conn, error,
                 "INSERT INTO mark(source, lane, epoch, seq, crc, used) VALUES(?1, ?2, ?3, ?4, ?5, ?6)"
                 " ON CONFLICT(source, lane, epoch) DO UPDATE SET seq = excluded.seq, crc = excluded.crc, "
                 "used = excluded.used",
                 "iiiiii", source, (gint64) job->key.lane, (gint64) job->key.epoch, (gint64) job->key.seq,
                 (gint64) job->key.crc, ++writer->revision))
    return FALSE;
  return job->key.seq > 1 || conn_run (conn, error,
                                       "DELETE FROM mark WHERE source = ?1 AND lane = ?2 AND epoch NOT IN"
                                       " (SELECT epoch FROM mark WHERE source = ?1 AND lane = ?2 ORDER BY "
                                       "used DESC LIMIT " G_STRINGIFY (FAR_EPOCHS_KEPT) ")",
                                       "ii", source, (gint64) job->key.lane);
}

/* ---- the job ---- */

static void
apply_answer (SqliteApplyJob *job, FarApplyVerdict verdict, guint64 expected)
{
  FarApplied *applied = g_new0 (FarApplied, 1);

  applied->verdict = verdict;
  applied->expected = expected;
  job->job.result = applied;
  job->job.free_result = g_free;
}

/* Everything or nothing of this job, whatever becomes of its group. */
static gboolean
apply_saved (Writer *writer, SqliteApplyJob *job, GError **error)
{
  Conn *conn = &writer->thread.conn;

  if (!conn_run (conn, error, "SAVEPOINT part", ""))
    return FALSE;
  if (sqlite_apply_put_parts (writer, job, error) && (job->source == NULL || mark_set (writer, job, error)))
    return conn_run (conn, error, "RELEASE part", "");
  if (conn->worst == SQLITE_OK && conn_run (conn, NULL, "ROLLBACK TO part", ""))
    conn_run (conn, NULL, "RELEASE part", "");
  g_hash_table_remove_all (writer->series); /* what this job had noted is not in the file */
  return FALSE;
}

static void
sqlite_apply_batch (Writer *writer, SqliteApplyJob *job)
{
  guint64 expected = 0;
  FarApplyVerdict verdict = sqlite_apply_mark_judge (&writer->thread.conn, job, &expected, &job->job.error);

  if (job->job.error != NULL)
    return;
  if (verdict == FAR_APPLY_DURABLE && !far_parts_good (&job->key, job->parts, job->n))
    verdict = FAR_APPLY_BAD;
  if (verdict != FAR_APPLY_DURABLE || apply_saved (writer, job, &job->job.error))
    apply_answer (job, verdict, expected);
}

static void
write_apply (StoreThread *thread, SqliteJob *base)
{
  SqliteApplyJob *job = (SqliteApplyJob *) base;
  gint64 *revision;

  if (job->source != NULL) {
    sqlite_apply_batch (writer_of (thread), job);
    return;
  }
  if (!far_parts_good (NULL, job->parts, job->n)) {
    base->error = g_error_new_literal (FAR_ERROR, FAR_ERROR_INVALID,
                                       _ ("samples: bytes of a batch that cannot be read"));
    return;
  }
  if (!apply_saved (writer_of (thread), job, &base->error))
    return;
  revision = g_new (gint64, 1);
  *revision = job->first_revision;
  base->result = revision;
  base->free_result = g_free;
}

static void
sqlite_apply_clear (SqliteJob *base)
{
  SqliteApplyJob *job = (SqliteApplyJob *) base;

  for (guint i = 0; i < job->n; i++) {
    g_clear_pointer (&job->parts[i].samples, g_bytes_unref);
    g_free ((char *) job->parts[i].table);
    g_free ((char *) job->parts[i].key);
    g_free ((char *) job->parts[i].row);
  }
  g_free (job->parts);
  g_free (job->source);
}

SqliteJob *
write_apply_new (const FarBatchKey *key, const FarPart *parts, guint n, FarRequest *req)
{
  SqliteApplyJob *job = sqlite_job_new (sizeof (SqliteApplyJob), req, write_apply, sqlite_apply_clear);

  job->job.grouped = TRUE;
  job->job.applied = key != NULL;
  if (key != NULL) {
    job->key = *key;
    job->source = g_strdup (key->source);
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
