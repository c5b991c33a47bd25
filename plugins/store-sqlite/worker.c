/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file keeps the store's threads: a queue of jobs each, a bound on it, and an end that waits for what
 * may hang only for a bounded time. What a thread does with its jobs is writer.c and reader.c, which stand
 * above it; the jobs themselves are read.c and write-*.c. */
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

void
worker_begin (Worker *worker, const char *name, GThreadFunc func, GDestroyNotify gone)
{
  conn_init (&worker->conn, worker->path);
  worker->thread = far_thread_begin (name, func, worker, gone);
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
