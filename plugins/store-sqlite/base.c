/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the threads of a store share: the writer's books and the queues. It lives as long as one of the
 * threads, of which one that hangs may come back after the store has stopped. */
#include "config.h"

#include "store.h"

static Base *
base_ref (Base *base)
{
  g_atomic_int_inc (&base->refs);
  return base;
}

static void
worker_fill (Base *base, Worker *worker, FarInstance *at)
{
  worker->base = base;
  worker->at = at;
  worker->path = base->path;
  worker->jobs = g_async_queue_new_full ((GDestroyNotify) sqlite_job_free);
  worker->generation = &base->writer.generation;
  worker->writer = &base->writer.worker;
  worker->owner = &base->writer;
}

Base *
base_new (FarInstance *at, const char *path)
{
  Base *base = g_new0 (Base, 1);

  base->refs = 1;
  base->path = g_strdup (path);
  g_mutex_init (&base->writer.lock);
  g_queue_init (&base->writer.merge);
  base->writer.series = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  base->writer.young = g_hash_table_new (NULL, NULL);
  worker_fill (base, &base->writer.worker, at);
  worker_fill (base, &base->reader, at);
  worker_fill (base, &base->scanner, at);
  return base;
}

void
base_unref (Base *base)
{
  if (!g_atomic_int_dec_and_test (&base->refs))
    return;
  g_async_queue_unref (base->writer.worker.jobs);
  g_async_queue_unref (base->reader.jobs);
  g_async_queue_unref (base->scanner.jobs);
  g_clear_error (&base->writer.held);
  g_hash_table_unref (base->writer.series);
  g_hash_table_unref (base->writer.young);
  g_queue_clear (&base->writer.merge);
  g_mutex_clear (&base->writer.lock);
  if (base->held != NULL)
    far_instance_release (base->held);
  g_free (base->path);
  g_free (base);
}

/* Its thread has ended, or ends now. */
static void
base_worker_gone (gpointer data)
{
  Worker *worker = data;

  conn_clear (&worker->conn);
  base_unref (worker->base);
}

void
base_begin (Base *base, Worker *worker, const char *name, GThreadFunc func)
{
  base_ref (base);
  worker_begin (worker, name, func, base_worker_gone);
}

gint64
base_keep (Base *base)
{
  gint64 keep;

  g_mutex_lock (&base->writer.lock);
  keep = base->writer.keep_us;
  g_mutex_unlock (&base->writer.lock);
  return keep;
}

gboolean
base_usable (Base *base, GError **error)
{
  Writer *writer = &base->writer;
  gboolean usable;

  g_mutex_lock (&writer->lock);
  usable = writer->held == NULL;
  if (!usable)
    g_propagate_error (error, g_error_copy (writer->held));
  g_mutex_unlock (&writer->lock);
  return usable;
}
