/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all homes share: posted work, the thread, scratch memory. */
#include "config.h"

#include "loop/home-private.h"
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

void
far_home_init (FarHome *home, FarHomeSort sort, const char *name)
{
  home->sort = sort;
  home->name = g_strdup (name);
  g_mutex_init (&home->lock);
  home->posts = g_array_new (FALSE, FALSE, sizeof (FarPost));
  home->spare = g_array_new (FALSE, FALSE, sizeof (FarPost));
  home->epoll = home->event = -1;
  far_timers_init (&home->timers, home);
}

void
far_home_clear (FarHome *home)
{
  far_timers_clear (&home->timers);
  g_array_free (home->posts, TRUE);
  g_array_free (home->spare, TRUE);
  g_mutex_clear (&home->lock);
  g_free (home->scratch);
  g_free (home->name);
}

void
far_home_bind (FarHome *home)
{
  home->thread = pthread_self ();
  g_atomic_int_set (&home->bound, 1);
}

/* The main context runs on the process's first thread. */
static gboolean
on_first_thread (void)
{
  return syscall (SYS_gettid) == getpid ();
}

gboolean
far_home_is_here (FarHome *home)
{
  if (g_atomic_int_get (&home->bound))
    return pthread_equal (home->thread, pthread_self ());
  return home->sort == FAR_HOME_MAIN && on_first_thread ();
}

const char *
far_home_name (FarHome *home)
{
  return home->name;
}

gboolean
far_home_is_worker (FarHome *home)
{
  return home->sort == FAR_HOME_WORKER;
}

void
far_home_post (FarHome *home, FarHomeFunc func, gpointer data)
{
  FarPost post = { func, data };
  /* main and workers look at the queue before they sleep, so that their own thread needs no wake */
  gboolean looks = home->sort != FAR_HOME_FOREIGN && far_home_is_here (home);
  g_mutex_lock (&home->lock);
  g_array_append_val (home->posts, post);
  gboolean wake = !looks && !home->woken;
  home->woken |= wake;
  g_mutex_unlock (&home->lock);
  if (wake)
    home->wake (home->wake_data);
}

gboolean
far_home_has_posts (FarHome *home)
{
  g_mutex_lock (&home->lock);
  gboolean has = home->posts->len > 0;
  g_mutex_unlock (&home->lock);
  return has;
}

gboolean
far_home_run_posts (FarHome *home)
{
  GArray *todo = g_steal_pointer (&home->spare);
  if (todo == NULL) /* a turn inside a turn (nested main loop) */
    todo = g_array_new (FALSE, FALSE, sizeof (FarPost));
  g_mutex_lock (&home->lock);
  GArray *now = home->posts;
  home->posts = todo;
  home->woken = FALSE;
  g_mutex_unlock (&home->lock);

  guint n = now->len;
  for (guint i = 0; i < n; i++) {
    FarPost post = g_array_index (now, FarPost, i);
    post.func (post.data);
  }
  if (home->spare == NULL && n < 4096) {
    g_array_set_size (now, 0);
    home->spare = now;
  } else
    g_array_free (now, TRUE);
  return n > 0;
}

typedef struct {
  GMutex lock;
  GCond done;
  gboolean is_done;
  FarHomeFunc func;
  gpointer data;
} HomeCall;

static void
run_call (gpointer data)
{
  HomeCall *call = data;
  call->func (call->data);
  g_mutex_lock (&call->lock);
  call->is_done = TRUE;
  g_cond_signal (&call->done);
  g_mutex_unlock (&call->lock);
}

void
far_home_call (FarHome *home, FarHomeFunc func, gpointer data)
{
  HomeCall call = { .func = func, .data = data };
  g_return_if_fail (!far_home_is_here (home));
  g_mutex_init (&call.lock);
  g_cond_init (&call.done);
  far_home_post (home, run_call, &call);
  g_mutex_lock (&call.lock);
  while (!call.is_done)
    g_cond_wait (&call.done, &call.lock);
  g_mutex_unlock (&call.lock);
  g_cond_clear (&call.done);
  g_mutex_clear (&call.lock);
}

guint8 *
far_home_scratch_take (FarHome *home, FarScratchSave save, gpointer owner)
{
  FarScratchSave old = home->scratch_save;
  gpointer old_owner = home->scratch_owner;
  home->scratch_save = NULL;
  home->scratch_owner = NULL;
  if (old != NULL && old_owner != owner)
    old (old_owner);
  if (home->scratch == NULL)
    home->scratch = g_malloc (FAR_SCRATCH_SIZE);
  home->scratch_save = save;
  home->scratch_owner = save != NULL ? owner : NULL;
  return home->scratch;
}

void
far_home_scratch_leave (FarHome *home, gpointer owner)
{
  if (home->scratch_owner != owner)
    return;
  home->scratch_save = NULL;
  home->scratch_owner = NULL;
}

guint8 *
far_home_scratch (FarHome *home)
{
  return far_home_scratch_take (home, NULL, NULL);
}
