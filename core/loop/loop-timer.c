/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file holds the timers of a loop: a heap, over one timerfd for all of them, on CLOCK_BOOTTIME or the
 * fake clock. No plugin makes a source of its own for a peer. */
#include "config.h"

#include "loop/loop-private.h"
#include <sys/timerfd.h>
#include <unistd.h>

struct _FarLoopTimer {
  FarTimers *timers;
  gint64 when_us;
  guint at; /* place in the heap + 1; 0: not set */
  FarLoopFunc func;
  gpointer data;
  FarNode *node; /* of who made it */
};

static FarLoopTimer *
nth (FarTimers *timers, guint i)
{
  return g_ptr_array_index (timers->heap, i);
}

static void
loop_timer_put (FarTimers *timers, guint i, FarLoopTimer *timer)
{
  g_ptr_array_index (timers->heap, i) = timer;
  timer->at = i + 1;
}

static void
sift_up (FarTimers *timers, guint i)
{
  FarLoopTimer *timer = nth (timers, i);
  while (i > 0 && nth (timers, (i - 1) / 2)->when_us > timer->when_us) {
    loop_timer_put (timers, i, nth (timers, (i - 1) / 2));
    i = (i - 1) / 2;
  }
  loop_timer_put (timers, i, timer);
}

static void
sift_down (FarTimers *timers, guint i)
{
  FarLoopTimer *timer = nth (timers, i);
  guint n = timers->heap->len;
  for (guint child = 2 * i + 1; child < n; child = 2 * i + 1) {
    if (child + 1 < n && nth (timers, child + 1)->when_us < nth (timers, child)->when_us)
      child++;
    if (nth (timers, child)->when_us >= timer->when_us)
      break;
    loop_timer_put (timers, i, nth (timers, child));
    i = child;
  }
  loop_timer_put (timers, i, timer);
}

static void
take_out (FarLoopTimer *timer)
{
  FarTimers *timers = timer->timers;
  guint i = timer->at - 1;
  if (timer->at == 0)
    return;
  FarLoopTimer *last = g_ptr_array_steal_index (timers->heap, timers->heap->len - 1);
  timer->at = 0;
  if (last == timer)
    return;
  loop_timer_put (timers, i, last);
  sift_up (timers, i);
  sift_down (timers, last->at - 1);
}

/* The clock jumped: whoever sleeps must look again. Runs in the thread that moved the clock. */
static void
look_again (gpointer data)
{
  FarTimers *timers = data;
  timers->armed_us = 0;
  if (timers->loop->clock_later != NULL)
    far_deferred_ask (timers->loop->clock_later);
}

static void
clock_jumped (gpointer data)
{
  FarTimers *timers = data;
  far_loop_post (timers->loop, look_again, timers);
}

void
far_timers_init (FarTimers *timers, FarLoop *loop)
{
  timers->loop = loop;
  timers->heap = g_ptr_array_new ();
  timers->fd = loop->sort == FAR_LOOP_FOREIGN ? -1
                                              : timerfd_create (CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
  far_clock_add_hook (clock_jumped, timers);
}

void
far_timers_clear (FarTimers *timers)
{
  far_clock_remove_hook (clock_jumped, timers);
  g_ptr_array_free (timers->heap, TRUE);
  if (timers->fd >= 0)
    close (timers->fd);
}

static void
set_fd (FarTimers *timers, gint64 real_us)
{
  struct itimerspec spec = { .it_value = { .tv_sec = real_us / G_USEC_PER_SEC,
                                           .tv_nsec = real_us % G_USEC_PER_SEC * 1000 } };
  timerfd_settime (timers->fd, TFD_TIMER_ABSTIME, &spec, NULL);
  timers->armed_us = real_us;
}

gboolean
far_timers_arm (FarTimers *timers)
{
  if (timers->heap->len == 0)
    return FALSE; /* a timerfd left set costs one idle wake, less than switching it off each time */
  gint64 when = nth (timers, 0)->when_us;
  gint64 real = MAX (when - far_clock_offset_us (), 1);
  if (timers->fd >= 0 && real != timers->armed_us)
    set_fd (timers, real);
  return when <= far_clock_boottime_us ();
}

gboolean
far_timers_first (FarTimers *timers, gint64 *when_us)
{
  if (timers->heap->len == 0)
    return FALSE;
  *when_us = nth (timers, 0)->when_us;
  return TRUE;
}

void
far_timers_run (FarTimers *timers)
{
  gint64 now = far_clock_boottime_us ();
  FarNode *before = far_node_entered ();
  for (guint left = timers->heap->len; left > 0 && timers->heap->len > 0; left--) {
    FarLoopTimer *timer = nth (timers, 0);
    if (timer->when_us > now)
      break;
    take_out (timer);
    far_node_enter (timer->node);
    timer->func (timer->data);
  }
  far_node_enter (before);
}

static void
changed (FarTimers *timers)
{
  if (timers->loop->clock_later != NULL)
    far_deferred_ask (timers->loop->clock_later);
}

FarLoopTimer *
far_loop_timer (FarLoop *loop, gint64 boottime_us, FarLoopFunc func, gpointer data)
{
  FarLoopTimer *timer = g_new0 (FarLoopTimer, 1);
  timer->timers = &loop->timers;
  timer->func = func;
  timer->data = data;
  timer->node = far_node_entered ();
  far_loop_timer_set (timer, boottime_us);
  return timer;
}

void
far_loop_timer_set (FarLoopTimer *timer, gint64 boottime_us)
{
  FarTimers *timers = timer->timers;
  take_out (timer);
  timer->when_us = boottime_us;
  g_ptr_array_add (timers->heap, timer);
  sift_up (timers, timers->heap->len - 1);
  changed (timers);
}

void
far_loop_timer_free (FarLoopTimer *timer)
{
  if (timer == NULL)
    return;
  take_out (timer);
  g_free (timer);
}
