/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A loop whose thread a library owns (a SIP stack's messages; no part has one today). Its timers are kept by
 * an I/O thread, its clock: that one posts "run them" when the earliest is due. */
#include "config.h"

#include "loop/loop-private.h"

#include <farwatch/thread.h>

/* Lives at the clock's loop; counted by the messages on their way and by the external loop. */
typedef struct {
  gint refs;
  FarLoop *clock;
  FarLoopTimer *alarm; /* [clock] */
  GMutex lock;
  FarLoop *loop;  /* NULL: gone; under lock */
  gint64 when_us; /* wished; 0: has rung; under lock */
} Alarm;

typedef struct {
  FarLoop loop;
  Alarm *alarm;
} ExternalLoop;

static void
alarm_unref (Alarm *alarm)
{
  if (!g_atomic_int_dec_and_test (&alarm->refs))
    return;
  g_mutex_clear (&alarm->lock);
  g_free (alarm);
}

static void
run_due (gpointer data)
{
  FarLoop *loop = data;
  far_timers_run (&loop->timers);
  if (loop->clock_later != NULL)
    far_deferred_ask (loop->clock_later);
}

static void
alarm_rings (gpointer data)
{
  Alarm *alarm = data;
  g_mutex_lock (&alarm->lock);
  alarm->when_us = 0;
  if (alarm->loop != NULL)
    far_loop_post (alarm->loop, run_due, alarm->loop);
  g_mutex_unlock (&alarm->lock);
}

/* [clock] */
static void
set_alarm (gpointer data)
{
  Alarm *alarm = data;
  g_mutex_lock (&alarm->lock);
  gint64 when = alarm->when_us;
  gboolean gone = alarm->loop == NULL;
  g_mutex_unlock (&alarm->lock);
  if (gone)
    g_clear_pointer (&alarm->alarm, far_loop_timer_free);
  else if (when != 0 && alarm->alarm == NULL)
    alarm->alarm = far_loop_timer (alarm->clock, when, alarm_rings, alarm);
  else if (when != 0)
    far_loop_timer_set (alarm->alarm, when);
  alarm_unref (alarm);
}

static void
tell_clock (Alarm *alarm)
{
  g_atomic_int_inc (&alarm->refs);
  far_loop_post (alarm->clock, set_alarm, alarm);
}

/* [loop] timers were set or the clock jumped */
static void
timers_changed (gpointer data)
{
  ExternalLoop *self = data;
  gint64 when;
  if (!far_timers_first (&self->loop.timers, &when))
    return;
  g_mutex_lock (&self->alarm->lock);
  gboolean same = self->alarm->when_us == when;
  self->alarm->when_us = when;
  g_mutex_unlock (&self->alarm->lock);
  if (!same)
    tell_clock (self->alarm);
}

FarLoop *
far_loop_external_new (const char *name, void (*wake) (gpointer data), gpointer data)
{
  ExternalLoop *self = g_new0 (ExternalLoop, 1);
  far_loop_init (&self->loop, FAR_LOOP_FOREIGN, name);
  self->loop.wake = wake;
  self->loop.wake_data = data;
  self->loop.clock_later = far_deferred_new (&self->loop, timers_changed, self);
  self->alarm = g_new0 (Alarm, 1);
  self->alarm->refs = 1;
  self->alarm->loop = &self->loop;
  self->alarm->clock = far_loop_pick ();
  g_mutex_init (&self->alarm->lock);
  return &self->loop;
}

void
far_loop_external_bind (FarLoop *loop)
{
  far_loop_bind (loop);
}

void
far_loop_run_posted (FarLoop *loop)
{
  FAR_ON_LOOP (loop);
  far_loop_run_posts (loop);
}

void
far_loop_external_free (FarLoop *loop)
{
  ExternalLoop *self = (ExternalLoop *) loop;
  if (loop == NULL)
    return;
  g_mutex_lock (&self->alarm->lock);
  self->alarm->loop = NULL;
  g_mutex_unlock (&self->alarm->lock);
  tell_clock (self->alarm);
  /* What is posted may still ask for the later: it goes after them, the alarm last. */
  while (far_loop_run_posts (loop))
    ;
  g_clear_pointer (&loop->clock_later, far_deferred_free);
  while (far_loop_run_posts (loop))
    ;
  alarm_unref (self->alarm);
  far_loop_clear (loop);
  g_free (self);
}
