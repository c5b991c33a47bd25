/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The writer's other jobs: opening, dropping, blobs, care on request. */
#include "config.h"

#include "store.h"

#include "schema.h"

#include <inttypes.h>

typedef struct {
  SqliteJob job;
  char *table;
  gint64 before_us;
} SqliteDropJob;

typedef struct {
  SqliteJob job;
  char *sha256;
  guint64 offset;
  GBytes *bytes;
  gboolean last;
} SqliteBlobJob;

typedef struct {
  SqliteJob job;
  guint budget_ms;
} SqliteCareJob;

static void
answer_int (SqliteJob *job, gint64 value)
{
  gint64 *result = g_new (gint64, 1);

  *result = value;
  job->result = result;
  job->free_result = g_free;
}

/* ---- opening ---- */

/* Only what bears our mark is moved aside when damaged: a wrong path must not cost somebody else's file. */
static gboolean
looks_ours (const char *path)
{
  g_autofree char *text = NULL;
  gsize size = 0;

  if (g_str_has_suffix (path, ".db"))
    return TRUE;
  return g_file_get_contents (path, &text, &size, NULL) && size >= 16 &&
         g_str_has_prefix (text, "SQLite format 3");
}

/* A store that cannot write still runs: it can be read, says `cannot record` to each write and opens again
 * when it can. */
static gboolean
open_unless_full (StoreThread *thread, GError **error)
{
  if (writer_open (thread->owner, error))
    return TRUE;
  if (!g_error_matches (*error, FAR_ERROR, FAR_ERROR_FULL))
    return FALSE;
  far_log_limited (thread->at, "write", "%s", (*error)->message);
  g_clear_error (error);
  return TRUE;
}

void
write_open (StoreThread *thread, SqliteJob *job)
{
  if (open_unless_full (thread, &job->error) || !conn_is_damaged (thread->conn.worst))
    return;
  g_clear_error (&job->error);
  if (!looks_ours (thread->path)) {
    job->error = g_error_new (FAR_ERROR, FAR_ERROR_CONFIG, _ ("%s is no database; choose another path"),
                              thread->path);
    return;
  }
  damage_found (thread->owner, &job->error);
}

/* A reader has met damage that the writer may never come by. */
static void
write_check (StoreThread *thread, SqliteJob *job)
{
  Conn *conn = &thread->conn;
  sqlite3_stmt *stmt;

  conn->worst = SQLITE_OK;
  if (!writer_open (thread->owner, &job->error))
    return;
  stmt = conn_query (conn, &job->error, "PRAGMA quick_check(1)", "");
  if (stmt != NULL && conn_step (conn, stmt, &job->error)) {
    if (g_strcmp0 ((const char *) sqlite3_column_text (stmt, 0), "ok") != 0)
      conn->worst = SQLITE_CORRUPT;
    sqlite3_reset (stmt);
  }
  if (conn_is_damaged (conn->worst))
    writer_repair (thread->owner);
}

SqliteJob *
write_check_new (void)
{
  return sqlite_job_new (sizeof (SqliteJob), NULL, write_check, NULL);
}

/* ---- drop ---- */

static void
write_drop (StoreThread *thread, SqliteJob *base)
{
  SqliteDropJob *job = (SqliteDropJob *) base;
  Conn *conn = &thread->conn;

  if (job->table != NULL &&
      (!conn_run (conn, &base->error, "DELETE FROM row WHERE tbl = ?1", "s", job->table) ||
       !conn_run (conn, &base->error, "DELETE FROM blob_ref WHERE tbl = ?1", "s", job->table)))
    return;
  if (job->before_us > 0)
    conn_run (conn, &base->error, "DELETE FROM batch WHERE t1 < ?1", "i", job->before_us);
}

static void
sqlite_other_drop_clear (SqliteJob *base)
{
  g_free (((SqliteDropJob *) base)->table);
}

SqliteJob *
write_drop_new (const char *table, gint64 samples_before_us, FarRequest *req)
{
  SqliteDropJob *job = sqlite_job_new (sizeof (SqliteDropJob), req, write_drop, sqlite_other_drop_clear);

  job->job.grouped = TRUE;
  job->table = g_strdup (table);
  job->before_us = samples_before_us;
  return &job->job;
}

/* ---- blobs ---- */

static gboolean
sqlite_other_blob_hash_is (Conn *conn, const char *sha256, GError **error)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  sqlite3_stmt *stmt = conn_query (conn, error, "SELECT data FROM blob_part WHERE sha256 = ?1 ORDER BY start",
                                   "s", sha256);

  if (stmt == NULL)
    return FALSE;
  while (conn_step (conn, stmt, error))
    g_checksum_update (sum, sqlite3_column_blob (stmt, 0), sqlite3_column_bytes (stmt, 0));
  return g_str_equal (g_checksum_get_string (sum), sha256);
}

static gboolean
sqlite_other_blob_finish (Conn *conn, const char *sha256, GError **error)
{
  if (sqlite_other_blob_hash_is (conn, sha256, error))
    return conn_run (conn, error, "UPDATE blob SET complete = 1 WHERE sha256 = ?1", "s", sha256);
  if (*error != NULL)
    return FALSE;
  if (conn_run (conn, error, "DELETE FROM blob WHERE sha256 = ?1", "s", sha256) &&
      conn_run (conn, error, "DELETE FROM blob_part WHERE sha256 = ?1", "s", sha256))
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID,
                         _ ("blob: the bytes do not have this hash; send it again from the start"));
  return FALSE;
}

static gboolean
sqlite_other_blob_append (Conn *conn, const SqliteBlobJob *job, gint64 size, GError **error)
{
  gint64 more = (gint64) g_bytes_get_size (job->bytes);

  if (more > 0 && !conn_run (conn, error, "INSERT INTO blob_part(sha256, start, data) VALUES(?1, ?2, ?3)",
                             "sib", job->sha256, size, job->bytes))
    return FALSE;
  return conn_run (conn, error,
                   "INSERT INTO blob(sha256, size, complete, changed) VALUES(?1, ?2, 0, ?3)"
                   " ON CONFLICT(sha256) DO UPDATE SET size = excluded.size, changed = excluded.changed",
                   "sii", job->sha256, size + more, far_clock_wall_us ());
}

static void
write_blob (StoreThread *thread, SqliteJob *base)
{
  SqliteBlobJob *job = (SqliteBlobJob *) base;
  Conn *conn = &thread->conn;
  gint64 size = conn_number (conn, &base->error, 0, "SELECT size FROM blob WHERE sha256 = ?1", "s",
                             job->sha256);
  gint64 complete = conn_number (conn, &base->error, 0, "SELECT complete FROM blob WHERE sha256 = ?1", "s",
                                 job->sha256);
  gsize more = g_bytes_get_size (job->bytes);

  if (base->error != NULL)
    return;
  if (complete != 0 || (more == 0 && !job->last))
    answer_int (base, size);
  else if (job->offset != (guint64) size)
    base->error = g_error_new (FAR_ERROR, FAR_ERROR_CONFLICT,
                               _ ("blob: %" PRId64 " bytes are there; go on from them"), size);
  else if (sqlite_other_blob_append (conn, job, size, &base->error) &&
           (!job->last || sqlite_other_blob_finish (conn, job->sha256, &base->error)))
    answer_int (base, size + (gint64) more);
}

static void
sqlite_other_blob_clear (SqliteJob *base)
{
  SqliteBlobJob *job = (SqliteBlobJob *) base;

  g_free (job->sha256);
  g_bytes_unref (job->bytes);
}

SqliteJob *
write_blob_new (const char *sha256, guint64 offset, GBytes *bytes, gboolean last, FarRequest *req)
{
  SqliteBlobJob *job = sqlite_job_new (sizeof (SqliteBlobJob), req, write_blob, sqlite_other_blob_clear);

  job->job.grouped = TRUE;
  job->sha256 = g_strdup (sha256);
  job->offset = offset;
  job->bytes = g_bytes_ref (bytes);
  job->last = last;
  return &job->job;
}

/* ---- care on request ---- */

static void
write_maintain (StoreThread *thread, SqliteJob *base)
{
  SqliteCareJob *job = (SqliteCareJob *) base;
  gint64 end_us = g_get_monotonic_time () + (gint64) job->budget_ms * 1000;

  ((Writer *) thread->owner)->next_care_us = 0;
  if (!writer_open (thread->owner, &base->error))
    return;
  while (care_step (thread->owner, &base->error) && g_get_monotonic_time () < end_us)
    continue;
}

SqliteJob *
write_maintain_new (guint budget_ms, FarRequest *req)
{
  SqliteCareJob *job = sqlite_job_new (sizeof (SqliteCareJob), req, write_maintain, NULL);

  job->budget_ms = budget_ms;
  return &job->job;
}
