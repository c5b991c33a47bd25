/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file runs the store's threads: a queue of jobs each, a bound on it, and an end that waits for what
 * may hang only for a bounded time. Jobs are defined in read.c, writer.c and write-*.c. */
#include "config.h"

#include "store.h"

gpointer
sqlite_job_new (gsize size, FarRequest *req, void (*run) (Worker *, SqliteJob *), void (*clear) (SqliteJob *))
{
  SqliteJob *job = g_malloc0 (size);

  job->req = req != NULL ? far_request_ref (req) : NULL;
  job->run = run;
  job->clear = clear;
  return job;
}

void
sqlite_job_free (SqliteJob *job)
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
sqlite_job_answer (SqliteJob *job)
{
  if (job->req == NULL)
    g_clear_error (&job->error);
  else if (job->error != NULL)
    far_request_fail (job->req, g_steal_pointer (&job->error));
  else
    far_request_done (job->req, g_steal_pointer (&job->result), job->free_result);
  sqlite_job_free (job);
}

void
worker_push (Worker *worker, gpointer data)
{
  SqliteJob *job = data;

  if (g_async_queue_length (worker->jobs) < SQLITE_QUEUE_MAX) {
    g_async_queue_push (worker->jobs, job);
    return;
  }
  job->error = g_error_new (FAR_ERROR, FAR_ERROR_LIMIT,
                            _ ("%s is busy: %d requests wait already; try again later"),
                            far_instance_path (worker->at), SQLITE_QUEUE_MAX);
  sqlite_job_answer (job);
}

static Base *
base_ref (Base *base)
{
  g_atomic_int_inc (&base->refs);
  return base;
}

/* Its thread has ended, or ends now. */
static void
worker_gone (gpointer data)
{
  Worker *worker = data;

  conn_clear (&worker->conn);
  base_unref (worker->base);
}

void
worker_begin (Worker *worker, Base *base, const char *name, GThreadFunc func)
{
  worker->base = base_ref (base);
  conn_init (&worker->conn, worker->path);
  worker->thread = far_thread_begin (name, func, worker, worker_gone);
}

void
worker_ask_end (Worker *worker)
{
  if (worker->thread != NULL)
    g_async_queue_push (worker->jobs, sqlite_job_new (sizeof (SqliteJob), NULL, NULL, NULL));
}

static void
worker_refuse_all (Worker *worker)
{
  SqliteJob *job;

  while ((job = g_async_queue_try_pop (worker->jobs)) != NULL) {
    job->error = g_error_new (FAR_ERROR, FAR_ERROR_UNAVAILABLE,
                              _ ("%s does not answer; its disk may be dead"), worker->path);
    sqlite_job_answer (job);
  }
}

gboolean
worker_end (Worker *worker)
{
  FarThread *thread = g_steal_pointer (&worker->thread);

  if (thread == NULL || far_thread_end (thread))
    return TRUE;
  worker_refuse_all (worker);
  g_async_queue_push (worker->jobs,
                      sqlite_job_new (sizeof (SqliteJob), NULL, NULL, NULL)); /* should it come back */
  return FALSE;
}

static void
reader_job (Worker *worker, SqliteJob *job)
{
  gint generation = g_atomic_int_get (worker->generation);

  if (generation != worker->seen)
    conn_close (&worker->conn);
  worker->seen = generation;
  if (far_request_ended (job->req))
    job->error = g_error_new_literal (FAR_ERROR, FAR_ERROR_UNAVAILABLE, "cancelled");
  else if (writer_usable (worker->owner, &job->error) && conn_open (&worker->conn, CONN_READ, &job->error))
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
