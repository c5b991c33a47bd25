/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file answers the questions that a store is asked (rows, series, samples, blobs) and makes
 * snapshots, each as a job of a reading thread. Writing is writer.c and write-*.c. */
#include "config.h"

#include "store.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

typedef struct {
  SqliteJob job;
  char *a, *b;       /* table and after, source and name, hash, path */
  GPtrArray *filter; /* field, value, field, value … */
  gint64 from, to;   /* times; offset */
  guint limit;
  gboolean descending;
} ReadJob;

static void
read_clear (SqliteJob *base)
{
  ReadJob *job = (ReadJob *) base;

  g_free (job->a);
  g_free (job->b);
  g_clear_pointer (&job->filter, g_ptr_array_unref);
}

static ReadJob *
sqlite_read_new (FarRequest *req, void (*run) (StoreThread *, SqliteJob *), const char *a, const char *b)
{
  ReadJob *job = sqlite_job_new (sizeof (ReadJob), req, run, read_clear);

  job->a = g_strdup (a);
  job->b = g_strdup (b);
  return job;
}

/* ---- rows ---- */

/* A field as text: json_extract gives 1 for true, and nothing for null. */
#define FIELD                                                                                                \
  "CASE json_type(body, ?%u) WHEN 'true' THEN 'true' WHEN 'false' THEN 'false'"                              \
  " ELSE CAST(json_extract(body, ?%u) AS TEXT) END = ?%u"

static char *
rows_sql (const ReadJob *job)
{
  GString *sql = g_string_new ("SELECT key, body, revision FROM row WHERE tbl = ?1");

  if (job->b != NULL)
    g_string_append (sql, job->descending ? " AND key < ?2" : " AND key > ?2");
  for (guint i = 0; job->filter != NULL && i + 1 < job->filter->len; i += 2)
    g_string_append_printf (sql, " AND " FIELD, i + 4, i + 4, i + 5);
  g_string_append_printf (sql, " ORDER BY key%s LIMIT ?3", job->descending ? " DESC" : "");
  return g_string_free (sql, FALSE);
}

static sqlite3_stmt *
rows_prepare (Conn *conn, const ReadJob *job, GError **error)
{
  g_autofree char *sql = rows_sql (job);
  sqlite3_stmt *stmt = NULL;
  int code = sqlite3_prepare_v2 (conn->db, sql, -1, &stmt, NULL);

  if (code != SQLITE_OK) {
    conn_fail (conn, code, error);
    return NULL;
  }
  sqlite3_bind_text (stmt, 1, job->a, -1, SQLITE_STATIC);
  if (job->b != NULL)
    sqlite3_bind_text (stmt, 2, job->b, -1, SQLITE_STATIC);
  sqlite3_bind_int64 (stmt, 3, job->limit);
  for (guint i = 0; job->filter != NULL && i < job->filter->len; i++)
    sqlite3_bind_text (stmt, (int) i + 4, job->filter->pdata[i], -1, SQLITE_STATIC);
  return stmt;
}

static void
sqlite_read_rows (StoreThread *thread, SqliteJob *base)
{
  ReadJob *job = (ReadJob *) base;
  sqlite3_stmt *stmt = rows_prepare (&thread->conn, job, &base->error);
  GPtrArray *rows = g_ptr_array_new_with_free_func ((GDestroyNotify) far_row_free);

  while (stmt != NULL && conn_step (&thread->conn, stmt, &base->error))
    g_ptr_array_add (rows, far_row_new ((const char *) sqlite3_column_text (stmt, 0),
                                        (const char *) sqlite3_column_text (stmt, 1),
                                        sqlite3_column_int64 (stmt, 2)));
  sqlite3_finalize (stmt);
  base->result = rows;
  base->free_result = (GDestroyNotify) g_ptr_array_unref;
}

SqliteJob *
read_rows_new (const char *table, const FarFilterTerm *filter, const char *after, guint limit,
               gboolean descending, FarRequest *req)
{
  ReadJob *job = sqlite_read_new (req, sqlite_read_rows, table, after);

  job->limit = limit;
  job->descending = descending;
  for (; filter != NULL && filter->field != NULL; filter++) {
    if (job->filter == NULL)
      job->filter = g_ptr_array_new_with_free_func (g_free);
    g_ptr_array_add (job->filter, g_strdup_printf ("$.\"%s\"", filter->field));
    g_ptr_array_add (job->filter, g_strdup (filter->value));
  }
  return &job->job;
}

/* ---- series ---- */

static void
sqlite_read_series (StoreThread *thread, SqliteJob *base)
{
  ReadJob *job = (ReadJob *) base;
  sqlite3_stmt
      *stmt = conn_query (&thread->conn, &base->error,
                          "SELECT s.name, e.name, e.unit FROM series AS e JOIN source AS s ON s.id = e.source"
                          " WHERE ?1 IS NULL OR s.name = ?1 ORDER BY s.name, e.name",
                          "s", job->a);
  GPtrArray *list = g_ptr_array_new_with_free_func ((GDestroyNotify) far_series_info_free);

  while (stmt != NULL && conn_step (&thread->conn, stmt, &base->error)) {
    FarSeriesInfo *info = g_new (FarSeriesInfo, 1);

    info->source = g_strdup ((const char *) sqlite3_column_text (stmt, 0));
    info->name = g_strdup ((const char *) sqlite3_column_text (stmt, 1));
    info->unit = g_strdup ((const char *) sqlite3_column_text (stmt, 2));
    g_ptr_array_add (list, info);
  }
  base->result = list;
  base->free_result = (GDestroyNotify) g_ptr_array_unref;
}

SqliteJob *
read_series_new (const char *source, FarRequest *req)
{
  return &sqlite_read_new (req, sqlite_read_series, source, NULL)->job;
}

/* ---- samples ---- */

static void
sqlite_read_samples (StoreThread *thread, SqliteJob *base)
{
  ReadJob *job = (ReadJob *) base;
  FarLatestPoints *latest = far_latest_points_new (job->b, job->from, job->to, job->limit);
  sqlite3_stmt *stmt = conn_query (&thread->conn, &base->error,
                                   "SELECT t1, body FROM batch WHERE source = (SELECT id FROM source WHERE "
                                   "name = ?1) AND t1 >= ?2 AND t0 < ?3"
                                   " ORDER BY t1 DESC",
                                   "sii", job->a, job->from, job->to);

  while (stmt != NULL && conn_step (&thread->conn, stmt, &base->error)) {
    gsize size = (gsize) sqlite3_column_bytes (stmt, 1);
    g_autoptr (GBytes) body = g_bytes_new_static (sqlite3_column_blob (stmt, 1), size);
    g_autoptr (GError) error = NULL;

    if (!far_latest_points_wants (latest, sqlite3_column_int64 (stmt, 0)) || far_request_ended (base->req))
      break;
    if (!far_latest_points_add (latest, body, &error))
      far_log_limited (thread->at, "batch", "%s: samples of %s left out: %s", thread->path, job->a,
                       error->message);
  }
  if (stmt != NULL)
    sqlite3_reset (stmt);
  base->result = far_latest_points_end (latest);
  base->free_result = (GDestroyNotify) g_array_unref;
}

SqliteJob *
read_samples_new (const char *source, const char *name, gint64 from_us, gint64 to_us, guint limit,
                  FarRequest *req)
{
  ReadJob *job = sqlite_read_new (req, sqlite_read_samples, source, name);

  job->from = from_us;
  job->to = to_us;
  job->limit = limit;
  return &job->job;
}

/* ---- blobs ---- */

static void
sqlite_read_blob (StoreThread *thread, SqliteJob *base)
{
  ReadJob *job = (ReadJob *) base;
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  sqlite3_stmt *stmt;

  if (conn_number (&thread->conn, &base->error, 0, "SELECT complete FROM blob WHERE sha256 = ?1", "s",
                   job->a) == 0) {
    if (base->error == NULL)
      base->error = g_error_new_literal (FAR_ERROR, FAR_ERROR_NOT_FOUND, _ ("no such blob"));
    return;
  }
  stmt = conn_query (&thread->conn, &base->error,
                     "SELECT start, data FROM blob_part WHERE sha256 = ?1"
                     " AND start >= (SELECT max(start) FROM blob_part WHERE sha256 = ?1 AND start <= ?2) AND "
                     "start < ?3 ORDER BY start",
                     "sii", job->a, job->from, job->from + job->limit);
  while (stmt != NULL && conn_step (&thread->conn, stmt, &base->error)) {
    gint64 start = sqlite3_column_int64 (stmt, 0), size = sqlite3_column_bytes (stmt, 1);
    gint64 low = MAX (job->from - start, 0), high = MIN (size, job->from + job->limit - start);

    if (high > low)
      g_byte_array_append (bytes, (const guint8 *) sqlite3_column_blob (stmt, 1) + low, (guint) (high - low));
  }
  base->result = g_byte_array_free_to_bytes (g_steal_pointer (&bytes));
  base->free_result = (GDestroyNotify) g_bytes_unref;
}

SqliteJob *
read_blob_new (const char *sha256, guint64 offset, guint size, FarRequest *req)
{
  ReadJob *job = sqlite_read_new (req, sqlite_read_blob, sha256, NULL);

  job->from = (gint64) offset;
  job->limit = size;
  return &job->job;
}

/* ---- snapshot ---- */

static int
snapshot_progress (void *data)
{
  return far_request_ended (data);
}

/* VACUUM INTO reads one state of the file while the writer goes on; the copy gets its name when it is whole.
 */
static void
sqlite_read_snapshot (StoreThread *thread, SqliteJob *base)
{
  ReadJob *job = (ReadJob *) base;
  g_autofree char *part = g_strconcat (job->a, ".part", NULL);

  if (g_file_test (job->a, G_FILE_TEST_EXISTS)) {
    base->error = g_error_new (FAR_ERROR, FAR_ERROR_CONFLICT, _ ("%s exists already; choose another name"),
                               job->a);
    return;
  }
  g_unlink (part);
  sqlite3_progress_handler (thread->conn.db, 10000, snapshot_progress, base->req);
  if (conn_run (&thread->conn, &base->error, "PRAGMA query_only = OFF",
                "")) /* else it may not write the copy either */
    conn_run (&thread->conn, &base->error, "VACUUM INTO ?1", "s", part);
  conn_run (&thread->conn, NULL, "PRAGMA query_only = ON", "");
  sqlite3_progress_handler (thread->conn.db, 0, NULL, NULL);
  if (base->error == NULL && g_rename (part, job->a) != 0)
    base->error = g_error_new (FAR_ERROR, FAR_ERROR_FULL, _ ("cannot rename %s: %s"), part,
                               g_strerror (errno));
  if (base->error != NULL)
    g_unlink (part);
  base->result = base->error == NULL ? g_strdup (thread->path) : NULL;
  base->free_result = g_free;
}

SqliteJob *
read_snapshot_new (const char *path, FarRequest *req)
{
  return &sqlite_read_new (req, sqlite_read_snapshot, path, NULL)->job;
}
