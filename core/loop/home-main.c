/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The main context as a home (one GSource for posted work and all timers), and the pool of data-plane
 * workers. */
#include "config.h"

#include "loop/home-private.h"
#include <glib-unix.h>
#include <unistd.h>

typedef struct {
  GSource source;
  FarHome *home;
  gpointer tag;
} MainSource;

static gboolean
home_main_is_due (FarHome *home)
{
  return far_timers_arm (&home->timers) || far_home_has_posts (home);
}

static gboolean
main_prepare (GSource *source, gint *timeout)
{
  *timeout = -1;
  return home_main_is_due (((MainSource *) source)->home);
}

static gboolean
main_check (GSource *source)
{
  MainSource *self = (MainSource *) source;
  return g_source_query_unix_fd (source, self->tag) != 0 || home_main_is_due (self->home);
}

static gboolean
main_dispatch (GSource *source, GSourceFunc func, gpointer data)
{
  MainSource *self = (MainSource *) source;
  guint64 count;
  if (!g_atomic_int_get (&self->home->bound))
    far_home_bind (self->home);
  if (g_source_query_unix_fd (source, self->tag) != 0 &&
      read (self->home->timers.fd, &count, sizeof count) > 0)
    self->home->timers.armed_us = 0;
  far_timers_run (&self->home->timers);
  far_home_run_posts (self->home);
  return G_SOURCE_CONTINUE;
}

static void
wake_main (gpointer data)
{
  g_main_context_wakeup (NULL);
}

static FarHome *
main_new (void)
{
  static GSourceFuncs funcs = { main_prepare, main_check, main_dispatch, NULL, NULL, NULL };
  FarHome *home = g_new0 (FarHome, 1);
  far_home_init (home, FAR_HOME_MAIN, "main");
  home->wake = wake_main;
  MainSource *source = (MainSource *) g_source_new (&funcs, sizeof (MainSource));
  source->home = home;
  source->tag = g_source_add_unix_fd (&source->source, home->timers.fd, G_IO_IN);
  g_source_set_static_name (&source->source, "farwatch home");
  g_source_attach (&source->source, NULL);
  g_source_unref (&source->source);
  return home;
}

FarHome *
far_home_main (void)
{
  static gsize home;
  if (g_once_init_enter (&home))
    g_once_init_leave (&home, (gsize) main_new ());
  return (FarHome *) home;
}

FarHome *
far_home_pick (void)
{
  static GMutex lock;
  static GPtrArray *pool; /* workers are made when first picked: who has no session has no threads */
  static guint next;
  g_mutex_lock (&lock);
  if (pool == NULL)
    pool = g_ptr_array_new ();
  guint i = next++ % g_get_num_processors ();
  if (i >= pool->len) {
    g_autofree char *name = g_strdup_printf ("worker-%u", i);
    g_ptr_array_add (pool, far_home_worker_new (name));
  }
  FarHome *home = g_ptr_array_index (pool, i);
  g_mutex_unlock (&lock);
  return home;
}
