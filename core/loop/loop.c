/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all loops share: posted work, the thread, scratch memory. */
#include "config.h"

#include "loop/loop-private.h"
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <farwatch/thread.h>

void
far_loop_init (FarLoop *loop, FarLoopKind sort, const char *name)
{
  loop->sort = sort;
  loop->name = g_strdup (name);
  g_mutex_init (&loop->lock);
  loop->posts = g_array_new (FALSE, FALSE, sizeof (FarPost));
  loop->spare = g_array_new (FALSE, FALSE, sizeof (FarPost));
  loop->epoll = loop->event = -1;
  far_timers_init (&loop->timers, loop);
}

void
far_loop_clear (FarLoop *loop)
{
  far_timers_clear (&loop->timers);
  g_array_free (loop->posts, TRUE);
  g_array_free (loop->spare, TRUE);
  g_mutex_clear (&loop->lock);
  g_free (loop->scratch);
  g_free (loop->name);
}

void
far_loop_bind (FarLoop *loop)
{
  loop->thread = pthread_self ();
  g_atomic_int_set (&loop->bound, 1);
}

/* The main context runs on the process's first thread. */
gboolean
far_thread_is_first (void)
{
  return syscall (SYS_gettid) == getpid ();
}

gboolean
far_loop_is_here (FarLoop *loop)
{
  if (g_atomic_int_get (&loop->bound))
    return pthread_equal (loop->thread, pthread_self ());
  return loop->sort == FAR_LOOP_MAIN && far_thread_is_first ();
}

const char *
far_loop_name (FarLoop *loop)
{
  return loop->name;
}

gboolean
far_loop_is_io (FarLoop *loop)
{
  return loop->sort == FAR_LOOP_WORKER;
}

void
far_loop_post (FarLoop *loop, FarLoopFunc func, gpointer data)
{
  FarPost post = { func, data, far_node_entered () };
  /* Main and I/O threads look at the queue before they sleep, so that their own thread needs no wake. */
  gboolean looks = loop->sort != FAR_LOOP_FOREIGN && far_loop_is_here (loop);
  g_mutex_lock (&loop->lock);
  g_array_append_val (loop->posts, post);
  gboolean wake = !looks && !loop->woken;
  loop->woken |= wake;
  g_mutex_unlock (&loop->lock);
  if (wake)
    loop->wake (loop->wake_data);
}

gboolean
far_loop_has_posts (FarLoop *loop)
{
  g_mutex_lock (&loop->lock);
  gboolean has = loop->posts->len > 0;
  g_mutex_unlock (&loop->lock);
  return has;
}

gboolean
far_loop_run_posts (FarLoop *loop)
{
  GArray *todo = g_steal_pointer (&loop->spare);
  if (todo == NULL) /* a turn inside a turn (nested main loop) */
    todo = g_array_new (FALSE, FALSE, sizeof (FarPost));
  g_mutex_lock (&loop->lock);
  GArray *now = loop->posts;
  loop->posts = todo;
  loop->woken = FALSE;
  g_mutex_unlock (&loop->lock);

  FarNode *before = far_node_entered ();
  guint n = now->len;
  for (guint i = 0; i < n; i++) {
    FarPost post = g_array_index (now, FarPost, i);
    far_node_enter (post.node);
    post.func (post.data);
  }
  far_node_enter (before);
  if (loop->spare == NULL && n < 4096) {
    g_array_set_size (now, 0);
    loop->spare = now;
  } else
    g_array_free (now, TRUE);
  return n > 0;
}

typedef struct {
  GMutex lock;
  GCond done;
  gboolean is_done;
  FarLoopFunc func;
  gpointer data;
} LoopCall;

static void
run_call (gpointer data)
{
  LoopCall *call = data;
  call->func (call->data);
  g_mutex_lock (&call->lock);
  call->is_done = TRUE;
  g_cond_signal (&call->done);
  g_mutex_unlock (&call->lock);
}

void
far_loop_call (FarLoop *loop, FarLoopFunc func, gpointer data)
{
  LoopCall call = { .func = func, .data = data };
  g_return_if_fail (!far_loop_is_here (loop));
  g_mutex_init (&call.lock);
  g_cond_init (&call.done);
  far_loop_post (loop, run_call, &call);
  g_mutex_lock (&call.lock);
  while (!call.is_done)
    g_cond_wait (&call.done, &call.lock);
  g_mutex_unlock (&call.lock);
  g_cond_clear (&call.done);
  g_mutex_clear (&call.lock);
}

guint8 *
far_loop_scratch_take (FarLoop *loop, FarScratchSave save, gpointer owner)
{
  FAR_ON_LOOP (loop);
  FarScratchSave old = loop->scratch_save;
  gpointer old_owner = loop->scratch_owner;
  loop->scratch_save = NULL;
  loop->scratch_owner = NULL;
  if (old != NULL && old_owner != owner)
    old (old_owner);
  if (loop->scratch == NULL)
    loop->scratch = g_malloc (FAR_SCRATCH_SIZE);
  loop->scratch_save = save;
  loop->scratch_owner = save != NULL ? owner : NULL;
  return loop->scratch;
}

void
far_loop_scratch_leave (FarLoop *loop, gpointer owner)
{
  FAR_ON_LOOP (loop);
  if (loop->scratch_owner != owner)
    return;
  loop->scratch_save = NULL;
  loop->scratch_owner = NULL;
}

guint8 *
far_loop_scratch (FarLoop *loop)
{
  FAR_ON_LOOP (loop);
  return far_loop_scratch_take (loop, NULL, NULL);
}
