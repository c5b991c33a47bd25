/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The writer: takes what waits, puts it into one transaction, and answers after the commit. */
#include "config.h"

#include "store.h"

#include <sys/stat.h>

#include "schema.h"

#define GROUP_MAX 256

static void
writer_forget (Writer *writer)
{
  g_hash_table_remove_all (writer->series);
}

/* ---- the file ---- */

/* An empty file is none: SQLite would make a database of it. */
static gboolean
file_is_there (const char *path)
{
  struct stat st;

  return stat (path, &st) == 0 && (!S_ISREG (st.st_mode) || st.st_size > 0);
}

/* Its name may be gone, or may be another file's by now: what is written then is lost with the last who has
 * it open. */
static gboolean
file_is_still_there (Writer *writer, GError **error)
{
  Conn *conn = &writer->thread.conn;
  struct stat st;

  if (stat (conn->path, &st) == 0 && st.st_dev == writer->device && st.st_ino == writer->inode)
    return TRUE;
  conn_close (conn);
  writer_forget (writer);
  g_atomic_int_inc (&writer->generation);
  if (writer->go_on || file_is_there (conn->path))
    return TRUE; /* that one is opened */
  g_mutex_lock (&writer->lock);
  if (writer->held == NULL)
    far_store_gone (writer->thread.at, conn->path, &writer->held);
  g_mutex_unlock (&writer->lock);
  return base_usable (writer->thread.base, error);
}

static gboolean
file_open (Writer *writer, GError **error)
{
  Conn *conn = &writer->thread.conn;
  struct stat st;

  if (!damage_finish (conn->path, error) ||
      !far_store_expected (writer->thread.at, conn->path, file_is_there (conn->path), writer->go_on, error) ||
      !conn_open (conn, CONN_WRITE, error))
    return FALSE;
  if (stat (conn->path, &st) == 0) {
    writer->device = st.st_dev;
    writer->inode = st.st_ino;
  }
  far_store_made (writer->thread.at, conn->path);
  return TRUE;
}

gboolean
writer_open (Writer *writer, GError **error)
{
  Conn *conn = &writer->thread.conn;

  if (!base_usable (writer->thread.base, error) || (conn->db != NULL && !file_is_still_there (writer, error)))
    return FALSE;
  return conn->db != NULL || file_open (writer, error);
}

/* What is damaged is not written to again. */
void
writer_repair (Writer *writer)
{
  Conn *conn = &writer->thread.conn;

  if (conn_is_damaged (conn->worst))
    damage_found (writer, NULL);
  else if ((conn->worst & 0xff) == SQLITE_IOERR || (conn->worst & 0xff) == SQLITE_CANTOPEN)
    conn_close (conn);
  conn->worst = SQLITE_OK;
  writer_forget (writer);
}

static gboolean
group_begin (Writer *writer, GError **error)
{
  Conn *conn = &writer->thread.conn;

  if (!writer_open (writer, error) || !conn_run (conn, error, "BEGIN IMMEDIATE", ""))
    return FALSE;
  writer->revision = conn_number (conn, error, 0, "SELECT value FROM meta WHERE name = 'revision'", "");
  writer->revised = FALSE;
  return *error == NULL;
}

/* TRUE: something went wrong that is not the job's own doing. */
static gboolean
group_broken (Writer *writer)
{
  return writer->thread.conn.worst != SQLITE_OK;
}

static void
sqlite_writer_group_run (Writer *writer, GPtrArray *jobs)
{
  for (guint i = 0; i < jobs->len && !group_broken (writer); i++) {
    SqliteJob *job = jobs->pdata[i];

    if (far_request_ended (job->req))
      job->error = g_error_new_literal (FAR_ERROR, FAR_ERROR_UNAVAILABLE, "cancelled");
    else
      job->run (&writer->thread, job);
  }
}

static gboolean
group_commit (Writer *writer, GError **error)
{
  Conn *conn = &writer->thread.conn;

  if (writer->revised &&
      !conn_run (conn, error, "UPDATE meta SET value = ?1 WHERE name = 'revision'", "i", writer->revision))
    return FALSE;
  return conn_run (conn, error, "COMMIT", "");
}

static void
group_undo (Writer *writer)
{
  Conn *conn = &writer->thread.conn;

  if (conn->db != NULL && !sqlite3_get_autocommit (conn->db))
    sqlite3_exec (conn->db, "ROLLBACK", NULL, NULL, NULL);
  writer_repair (writer);
}

static FarApplied *
sqlite_writer_applied_full (void)
{
  FarApplied *applied = g_new0 (FarApplied, 1);

  applied->verdict = FAR_APPLY_FULL;
  return applied;
}

/* Nothing of the group was written: each job hears it; what had failed by itself keeps its own cause. */
static void
sqlite_writer_group_fail (GPtrArray *jobs, const GError *error)
{
  for (guint i = 0; i < jobs->len; i++) {
    SqliteJob *job = jobs->pdata[i];

    if (job->error != NULL && g_error_matches (job->error, FAR_ERROR, FAR_ERROR_CONFLICT))
      continue;
    g_clear_error (&job->error);
    if (job->result != NULL)
      g_clear_pointer (&job->result, job->free_result);
    if (job->applied && g_error_matches (error, FAR_ERROR, FAR_ERROR_FULL)) {
      job->result = sqlite_writer_applied_full ();
      job->free_result = g_free;
    } else
      job->error = g_error_copy (error);
  }
}

static GError *
group_cause (Writer *writer, GPtrArray *jobs)
{
  for (guint i = 0; i < jobs->len; i++) {
    SqliteJob *job = jobs->pdata[i];

    if (job->error != NULL && !g_error_matches (job->error, FAR_ERROR, FAR_ERROR_CONFLICT))
      return g_error_copy (job->error);
  }
  return g_error_new (FAR_ERROR, FAR_ERROR_UNAVAILABLE, "%s: %s", writer->thread.path,
                      sqlite3_errstr (writer->thread.conn.worst));
}

static void
writer_group (Writer *writer, GPtrArray *jobs)
{
  g_autoptr (GError) error = NULL;

  writer->thread.conn.worst = SQLITE_OK;
  if (group_begin (writer, &error)) {
    sqlite_writer_group_run (writer, jobs);
    if (group_broken (writer))
      error = group_cause (writer, jobs);
    else
      group_commit (writer, &error);
  }
  if (error != NULL) {
    group_undo (writer);
    sqlite_writer_group_fail (jobs, error);
    far_log_limited (writer->thread.at, "write", "%s", error->message);
  }
  for (guint i = 0; i < jobs->len; i++)
    sqlite_job_answer (jobs->pdata[i]);
  g_ptr_array_set_size (jobs, 0);
}

/* Takes what waits. Returns the job that ended the group: one that runs alone, or the last one of all. */
static SqliteJob *
sqlite_writer_collect (Writer *writer, SqliteJob *first, GPtrArray *jobs)
{
  SqliteJob *job = first;

  while (job != NULL && job->grouped && jobs->len < GROUP_MAX) {
    g_ptr_array_add (jobs, job);
    job = g_async_queue_try_pop (writer->thread.jobs);
  }
  return job;
}

static void
sqlite_writer_care (Writer *writer)
{
  g_autoptr (GError) error = NULL;

  writer->thread.conn.worst = SQLITE_OK;
  while (writer->thread.conn.db != NULL && care_step (writer, &error))
    if (g_async_queue_length (writer->thread.jobs) > 0)
      break;
  if (error == NULL)
    return;
  group_undo (writer);
  far_log_limited (writer->thread.at, "care", "%s", error->message);
}

/* Waits at most until care is due. */
static SqliteJob *
sqlite_writer_wait (Writer *writer)
{
  gint64 left = writer->next_care_us - far_clock_boottime_us ();
  SqliteJob *job = g_async_queue_try_pop (writer->thread.jobs);

  if (job == NULL && left > 0 && g_queue_is_empty (&writer->merge))
    job = g_async_queue_timeout_pop (writer->thread.jobs, (guint64) left);
  return job;
}

gpointer
sqlite_writer_run (gpointer data)
{
  Writer *writer = data;
  g_autoptr (GPtrArray) jobs = g_ptr_array_new ();

  for (;;) {
    SqliteJob *job = sqlite_writer_collect (writer, sqlite_writer_wait (writer), jobs);

    if (jobs->len > 0)
      writer_group (writer, jobs);
    if (job != NULL && job->run == NULL) {
      sqlite_job_free (job);
      return NULL;
    }
    if (job != NULL && job->grouped)
      g_async_queue_push_front (writer->thread.jobs, job);
    else if (job != NULL) {
      job->run (&writer->thread, job);
      sqlite_job_answer (job);
    }
    if (job == NULL || ++writer->rounds % 64 == 0)
      sqlite_writer_care (writer);
  }
}
