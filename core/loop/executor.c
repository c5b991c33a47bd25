/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file runs work that blocks on named threads (executors), in order, with a bound on what may wait, so
 * that disks and password hashing never hold up the main context. */
#include "config.h"

#include "loop/executor.h"

#include "base/node-part.h"

#include <farwatch/loop.h>

#include <farwatch/i18n.h>
#include <farwatch/thread.h>

typedef struct {
  char *name;
  FarThread *thread;
  GAsyncQueue *jobs;
  gint waiting;    /* atomic */
  gint unfinished; /* atomic: those that wait, and the one under way */
} Executor;

typedef struct {
  void (*work) (FarRequest *req, gpointer data); /* NULL: the executor ends */
  gpointer data;
  GDestroyNotify free_data;
  FarRequest *req;
} Job;

typedef struct {
  GHashTable *by_name; /* name → Executor, main only */
} Executors;

static void
executor_part_clear (gpointer part)
{
  far_executors_end ();
}

static Executors *
executor_part (void)
{
  static const FarNodePart part = { FAR_PART_EXECUTOR, sizeof (Executors), NULL, executor_part_clear };

  return far_node_part (&part);
}

static void
executor_job_free (Job *job)
{
  if (job->free_data != NULL)
    job->free_data (job->data);
  g_clear_pointer (&job->req, far_request_unref);
  g_free (job);
}

/* Work that nobody waits for any more is not begun. */
static gboolean
executor_step (Executor *executor)
{
  Job *job = g_async_queue_pop (executor->jobs);
  gboolean last = job->work == NULL;

  g_atomic_int_dec_and_test (&executor->waiting);
  if (!last && !far_request_ended (job->req))
    job->work (job->req, job->data);
  executor_job_free (job);
  g_atomic_int_add (&executor->unfinished, -1);
  return !last;
}

static gpointer
executor_run (gpointer data)
{
  while (executor_step (data))
    continue;
  return NULL;
}

static void
executor_free (gpointer data)
{
  Executor *executor = data;

  g_async_queue_unref (executor->jobs);
  g_free (executor->name);
  g_free (executor);
}

static Executor *
executor_get (const char *name)
{
  Executor *executor;

  if (executor_part ()->by_name == NULL)
    executor_part ()->by_name = g_hash_table_new (g_str_hash, g_str_equal);
  executor = g_hash_table_lookup (executor_part ()->by_name, name);
  if (executor != NULL)
    return executor;
  executor = g_new0 (Executor, 1);
  executor->name = g_strdup (name);
  executor->jobs = g_async_queue_new ();
  executor->thread = far_thread_begin (name, executor_run, executor, executor_free);
  g_hash_table_insert (executor_part ()->by_name, executor->name, executor);
  return executor;
}

static void
executor_push (Executor *executor, Job *job)
{
  g_atomic_int_inc (&executor->waiting);
  g_atomic_int_inc (&executor->unfinished);
  g_async_queue_push (executor->jobs, job);
}

void
far_run_blocking (const char *name, guint queue_max, void (*work) (FarRequest *req, gpointer data),
                  gpointer data, GDestroyNotify free_data, FarRequest *req)
{
  FAR_ON_MAIN ();
  Executor *executor = executor_get (name);
  Job *job = g_new0 (Job, 1);

  job->work = work;
  job->data = data;
  job->free_data = free_data;
  job->req = far_request_ref (req);
  if ((guint) g_atomic_int_get (&executor->waiting) >= queue_max) {
    far_request_fail_new (req, FAR_ERROR_LIMIT, _ ("busy: %u wait already at %s, try again later"), queue_max,
                          name);
    executor_job_free (job);
    return;
  }
  executor_push (executor, job);
}

gboolean
far_executors_busy (void)
{
  GHashTableIter iter;
  gpointer executor;

  if (executor_part ()->by_name == NULL)
    return FALSE;
  g_hash_table_iter_init (&iter, executor_part ()->by_name);
  while (g_hash_table_iter_next (&iter, NULL, &executor))
    if (g_atomic_int_get (&((Executor *) executor)->unfinished) > 0)
      return TRUE;
  return FALSE;
}

void
far_executors_end (void)
{
  GHashTableIter iter;
  Executor *executor;

  if (executor_part ()->by_name == NULL)
    return;
  g_hash_table_iter_init (&iter, executor_part ()->by_name);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &executor))
    executor_push (executor, g_new0 (Job, 1));
  g_hash_table_iter_init (&iter, executor_part ()->by_name);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &executor)) {
    g_hash_table_iter_steal (&iter); /* its key is the executor's own */
    far_thread_end (executor->thread);
  }
  g_clear_pointer (&executor_part ()->by_name, g_hash_table_unref);
}
