/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The main context as a loop (one GSource for posted work and all timers), and the pool of data-plane
 * I/O threads. */
#include "config.h"

#include "loop/loop-private.h"
#include <glib-unix.h>
#include <unistd.h>

typedef struct {
  GSource source;
  FarLoop *loop;
  gpointer tag;
} MainSource;

static gboolean
loop_main_is_due (FarLoop *loop)
{
  return far_timers_arm (&loop->timers) || far_loop_has_posts (loop);
}

static gboolean
main_prepare (GSource *source, gint *timeout)
{
  *timeout = -1;
  return loop_main_is_due (((MainSource *) source)->loop);
}

static gboolean
main_check (GSource *source)
{
  MainSource *self = (MainSource *) source;
  return g_source_query_unix_fd (source, self->tag) != 0 || loop_main_is_due (self->loop);
}

static gboolean
main_dispatch (GSource *source, GSourceFunc func, gpointer data)
{
  MainSource *self = (MainSource *) source;
  guint64 count;
  if (!g_atomic_int_get (&self->loop->bound))
    far_loop_bind (self->loop);
  if (g_source_query_unix_fd (source, self->tag) != 0 &&
      read (self->loop->timers.fd, &count, sizeof count) > 0)
    self->loop->timers.armed_us = 0;
  far_timers_run (&self->loop->timers);
  far_loop_run_posts (self->loop);
  return G_SOURCE_CONTINUE;
}

static void
wake_main (gpointer data)
{
  g_main_context_wakeup (NULL);
}

static FarLoop *
main_new (void)
{
  static GSourceFuncs funcs = { main_prepare, main_check, main_dispatch, NULL, NULL, NULL };
  FarLoop *loop = g_new0 (FarLoop, 1);
  far_loop_init (loop, FAR_LOOP_MAIN, "main");
  loop->wake = wake_main;
  MainSource *source = (MainSource *) g_source_new (&funcs, sizeof (MainSource));
  source->loop = loop;
  source->tag = g_source_add_unix_fd (&source->source, loop->timers.fd, G_IO_IN);
  g_source_set_static_name (&source->source, "farwatch loop");
  g_source_attach (&source->source, NULL);
  g_source_unref (&source->source);
  return loop;
}

/* 0 until it is asked for the first time. */
static gsize *
main_place (void)
{
  static gsize loop;
  return &loop;
}

FarLoop *
far_loop_main (void)
{
  gsize *loop = main_place ();
  if (g_once_init_enter (loop))
    g_once_init_leave (loop, (gsize) main_new ());
  return (FarLoop *) *loop;
}

gboolean
far_loop_main_is_here (void)
{
  FarLoop *loop = g_atomic_pointer_get ((FarLoop **) main_place ());
  return loop != NULL ? far_loop_is_here (loop) : far_thread_is_first ();
}

FarLoop *
far_loop_pick (void)
{
  static GMutex lock;
  static GPtrArray *pool; /* I/O threads are made when first picked: who has no session has no threads */
  static guint next;
  g_mutex_lock (&lock);
  if (pool == NULL) {
    far_loop_main (); /* I/O threads answer to main, and none of them is the one to make it */
    pool = g_ptr_array_new ();
  }
  guint i = next++ % g_get_num_processors ();
  if (i >= pool->len) {
    g_autofree char *name = g_strdup_printf ("io-%u", i);
    g_ptr_array_add (pool, far_loop_io_new (name));
  }
  FarLoop *loop = g_ptr_array_index (pool, i);
  g_mutex_unlock (&lock);
  return loop;
}
