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
base_thread_fill (Base *base, StoreThread *thread, FarInstance *at)
{
  thread->base = base;
  thread->at = at;
  thread->path = base->path;
  thread->jobs = g_async_queue_new_full ((GDestroyNotify) sqlite_job_free);
  thread->generation = &base->writer.generation;
  thread->writer = &base->writer.thread;
  thread->owner = &base->writer;
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
  base_thread_fill (base, &base->writer.thread, at);
  base_thread_fill (base, &base->reader, at);
  base_thread_fill (base, &base->scanner, at);
  return base;
}

void
base_unref (Base *base)
{
  if (!g_atomic_int_dec_and_test (&base->refs))
    return;
  g_async_queue_unref (base->writer.thread.jobs);
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
base_thread_gone (gpointer data)
{
  StoreThread *thread = data;

  conn_clear (&thread->conn);
  base_unref (thread->base);
}

void
base_begin (Base *base, StoreThread *thread, const char *name, GThreadFunc func)
{
  base_ref (base);
  store_thread_begin (thread, name, func, base_thread_gone);
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
