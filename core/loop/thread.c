/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file begins threads with the signals of the daemon masked, and ends those that may hang in a system
 * call: who waits for one does so for a bounded time, then leaves it to itself and counts it. */
#include "config.h"

#include <farwatch/loop.h>

#include "base/node-part.h"

#include <signal.h>

#include <farwatch/i18n.h>
#include <farwatch/instance.h>
#include <farwatch/thread.h>

#define PATIENCE_US G_USEC_PER_SEC
#define LEAST_US                                                                                             \
  (50 * 1000) /* when others have used up the time, one that does not hang still ends in peace */

struct _FarThread {
  gint refs;       /* atomic: the thread's and its owner's */
  GThread *thread; /* the owner's */
  char *name;
  GThreadFunc func;
  gpointer data;
  GDestroyNotify free_data;
  GMutex lock;
  GCond ended;
  gboolean over; /* under lock */
};

/* Touched on main only. */
static struct {
  gint64 end_us; /* monotonic: when the process ends whatever hangs; 0: it does not end */
  guint left;
} threads;

/* What a new thread is to do, and for which node. */
typedef struct {
  GThreadFunc func;
  gpointer data;
  FarNode *node;
} ThreadBegin;

static gpointer
thread_enter (gpointer data)
{
  g_autofree ThreadBegin *begin = data;

  far_node_enter (begin->node);
  return begin->func (begin->data);
}

/* A new thread inherits the mask of the one that makes it, and its node. */
GThread *
far_thread_new (const char *name, GThreadFunc func, gpointer data)
{
  sigset_t all, before;
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &before);
  ThreadBegin *begin = g_new (ThreadBegin, 1);
  *begin = (ThreadBegin){ func, data, far_node_entered () };
  GThread *thread = g_thread_new (name, thread_enter, begin);
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  return thread;
}

/* ---- threads that may hang ---- */

static void
thread_unref (FarThread *thread)
{
  if (!g_atomic_int_dec_and_test (&thread->refs))
    return;
  if (thread->free_data != NULL)
    thread->free_data (thread->data);
  g_mutex_clear (&thread->lock);
  g_cond_clear (&thread->ended);
  g_free (thread->name);
  g_free (thread);
}

static gpointer
thread_run (gpointer data)
{
  FarThread *thread = data;

  thread->func (thread->data);
  g_mutex_lock (&thread->lock);
  thread->over = TRUE;
  g_cond_signal (&thread->ended);
  g_mutex_unlock (&thread->lock);
  thread_unref (thread);
  return NULL;
}

FarThread *
far_thread_begin (const char *name, GThreadFunc func, gpointer data, GDestroyNotify free_data)
{
  FarThread *thread = g_new0 (FarThread, 1);

  thread->refs = 2;
  thread->name = g_strdup (name);
  thread->func = func;
  thread->data = data;
  thread->free_data = free_data;
  g_mutex_init (&thread->lock);
  g_cond_init (&thread->ended);
  thread->thread = far_thread_new (name, thread_run, thread);
  return thread;
}

gboolean
far_thread_end (FarThread *thread)
{
  FAR_ON_MAIN ();
  gint64 until = g_get_monotonic_time () + PATIENCE_US;
  gboolean over;

  if (threads.end_us != 0)
    until = MAX (MIN (until, threads.end_us), until - PATIENCE_US + LEAST_US);
  g_mutex_lock (&thread->lock);
  while (!thread->over && g_cond_wait_until (&thread->ended, &thread->lock, until))
    continue;
  over = thread->over;
  g_mutex_unlock (&thread->lock);
  if (over)
    /* Then ours is the last reference: what it had is given back before anything else happens. */
    g_thread_join (thread->thread);
  else {
    threads.left++;
    g_thread_unref (thread->thread);
    far_log (NULL, G_LOG_LEVEL_WARNING,
             _ ("%s does not come back from a system call, a dead disk perhaps: not waited for"),
             thread->name);
  }
  thread_unref (thread);
  return over;
}

void
far_threads_ending (void)
{
  FAR_ON_MAIN ();
  threads.end_us = g_get_monotonic_time () + FAR_END_US;
}

guint
far_threads_left (void)
{
  FAR_ON_MAIN ();
  return threads.left;
}
