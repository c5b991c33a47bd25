/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A thread that reads: job after job on a connection that belongs to the file of now. What it sees of damage
 * it has the writer look at. */
#include "config.h"

#include "store.h"

static void
reader_job (Worker *worker, SqliteJob *job)
{
  gint generation = g_atomic_int_get (worker->generation);

  if (generation != worker->seen)
    conn_close (&worker->conn);
  worker->seen = generation;
  if (far_request_ended (job->req))
    job->error = g_error_new_literal (FAR_ERROR, FAR_ERROR_UNAVAILABLE, "cancelled");
  else if (base_usable (worker->base, &job->error) && conn_open (&worker->conn, CONN_READ, &job->error))
    job->run (worker, job);
  if (conn_is_damaged (worker->conn.worst)) {
    conn_close (&worker->conn);
    worker->conn.worst = SQLITE_OK;
    worker_push (worker->writer, write_check_new ());
  }
  sqlite_job_answer (job);
}

gpointer
sqlite_reader_run (gpointer data)
{
  Worker *worker = data;
  SqliteJob *job;

  for (job = g_async_queue_pop (worker->jobs); job->run != NULL; job = g_async_queue_pop (worker->jobs))
    reader_job (worker, job);
  sqlite_job_free (job);
  return NULL;
}
