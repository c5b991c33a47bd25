/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Timers that go with their instance, and run for its node whoever sets them: so one node's transport hands
 * something to another's. */
#include "config.h"

#include "loop/instance-head.h"
#include "loop/owned.h"

#include <farwatch/loop.h>
#include <farwatch/thread.h>

struct _FarInstanceTimer {
  FarOwned owned;
  FarLoopTimer *timer;
  FarInstanceTimer **handle; /* NULL: nobody has one */
  FarLoopFunc func;
  gpointer data;
  GDestroyNotify dropped;
};

static void
timer_free (FarInstanceTimer *self)
{
  if (self->handle != NULL)
    *self->handle = NULL;
  far_owned_leave (&self->owned);
  far_loop_timer_free (self->timer);
  g_free (self);
}

/* It is gone when its func runs, which may set it again. */
static void
timer_due (gpointer data)
{
  FarInstanceTimer *self = data;
  FarLoopFunc func = self->func;
  gpointer user = self->data;

  timer_free (self);
  func (user);
}

static void
timer_dropped (gpointer thing)
{
  FarInstanceTimer *self = thing;
  GDestroyNotify dropped = self->dropped;
  gpointer user = self->data;

  timer_free (self);
  if (dropped != NULL)
    dropped (user);
}

static FarInstanceTimer *
timer_new (FarInstance *at, gint64 boottime_us)
{
  FarInstanceTimer *self = g_new0 (FarInstanceTimer, 1);
  FarNode *before = far_node_enter (far_instance_head (at)->node);

  self->timer = far_loop_timer (far_loop_main (), boottime_us, timer_due, self);
  far_owned_by (&self->owned, at, timer_dropped, self);
  far_node_enter (before);
  return self;
}

void
far_instance_timer (FarInstance *at, FarInstanceTimer **timer, gint64 boottime_us,
                    void (*func) (gpointer data), gpointer data)
{
  FAR_ON_MAIN ();
  if (*timer != NULL)
    far_loop_timer_set ((*timer)->timer, boottime_us);
  else
    *timer = timer_new (at, boottime_us);
  (*timer)->handle = timer;
  (*timer)->func = func;
  (*timer)->data = data;
}

void
far_instance_timer_stop (FarInstanceTimer **timer)
{
  FAR_ON_MAIN ();
  if (*timer != NULL)
    timer_free (*timer);
}

void
far_instance_after (FarInstance *at, gint64 boottime_us, void (*func) (gpointer data), gpointer data,
                    GDestroyNotify dropped)
{
  FAR_ON_MAIN ();
  FarInstanceTimer *self = timer_new (at, boottime_us);

  self->func = func;
  self->data = data;
  self->dropped = dropped;
}
