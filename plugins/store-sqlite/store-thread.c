/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file keeps the store's threads: a queue of jobs each, a bound on it, and an end that waits for what
 * may hang only for a bounded time. What a thread does with its jobs is writer.c and reader.c, which stand
 * above it; the jobs themselves are read.c and write-*.c. */
#include "config.h"

#include "store.h"

gpointer
sqlite_job_new (gsize size, FarRequest *req, void (*run) (StoreThread *, SqliteJob *),
                void (*clear) (SqliteJob *))
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
store_thread_push (StoreThread *thread, gpointer data)
{
  SqliteJob *job = data;

  if (g_async_queue_length (thread->jobs) < SQLITE_QUEUE_MAX) {
    g_async_queue_push (thread->jobs, job);
    return;
  }
  job->error = g_error_new (FAR_ERROR, FAR_ERROR_LIMIT,
                            _ ("%s is busy: %d requests wait already; try again later"),
                            far_instance_path (thread->at), SQLITE_QUEUE_MAX);
  sqlite_job_answer (job);
}

void
store_thread_begin (StoreThread *thread, const char *name, GThreadFunc func, GDestroyNotify gone)
{
  conn_init (&thread->conn, thread->path);
  thread->thread = far_thread_begin (name, func, thread, gone);
}

void
store_thread_ask_end (StoreThread *thread)
{
  if (thread->thread != NULL)
    g_async_queue_push (thread->jobs, sqlite_job_new (sizeof (SqliteJob), NULL, NULL, NULL));
}

static void
store_thread_refuse_all (StoreThread *thread)
{
  SqliteJob *job;

  while ((job = g_async_queue_try_pop (thread->jobs)) != NULL) {
    job->error = g_error_new (FAR_ERROR, FAR_ERROR_UNAVAILABLE,
                              _ ("%s does not answer; its disk may be dead"), thread->path);
    sqlite_job_answer (job);
  }
}

gboolean
store_thread_end (StoreThread *thread)
{
  FarThread *running = g_steal_pointer (&thread->thread);

  if (running == NULL || far_thread_end (running))
    return TRUE;
  store_thread_refuse_all (thread);
  g_async_queue_push (thread->jobs,
                      sqlite_job_new (sizeof (SqliteJob), NULL, NULL, NULL)); /* should it come back */
  return FALSE;
}
