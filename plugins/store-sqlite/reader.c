/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A thread that reads: job after job on a connection that belongs to the file of now. What it sees of damage
 * it has the writer look at. */
#include "config.h"

#include "store.h"

static void
reader_job (StoreThread *thread, SqliteJob *job)
{
  gint generation = g_atomic_int_get (thread->generation);

  if (generation != thread->seen)
    conn_close (&thread->conn);
  thread->seen = generation;
  if (far_request_ended (job->req))
    job->error = g_error_new_literal (FAR_ERROR, FAR_ERROR_UNAVAILABLE, "cancelled");
  else if (base_usable (thread->base, &job->error) && conn_open (&thread->conn, CONN_READ, &job->error))
    job->run (thread, job);
  if (conn_is_damaged (thread->conn.worst)) {
    conn_close (&thread->conn);
    thread->conn.worst = SQLITE_OK;
    store_thread_push (thread->writer, write_check_new ());
  }
  sqlite_job_answer (job);
}

gpointer
sqlite_reader_run (gpointer data)
{
  StoreThread *thread = data;
  SqliteJob *job;

  for (job = g_async_queue_pop (thread->jobs); job->run != NULL; job = g_async_queue_pop (thread->jobs))
    reader_job (thread, job);
  sqlite_job_free (job);
  return NULL;
}
