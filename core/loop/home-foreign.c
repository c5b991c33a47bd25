/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A home whose thread a library owns (a SIP stack's messages; no part has one today). Its timers are kept by
 * a worker, its clock: that one posts "run them" when the earliest is due. */
#include "config.h"

#include "loop/home-private.h"

/* Lives at the clock's home; counted by the messages on their way and by the foreign home. */
typedef struct {
  gint refs;
  FarHome *clock;
  FarHomeTimer *alarm; /* [clock] */
  GMutex lock;
  FarHome *home;  /* NULL: gone; under lock */
  gint64 when_us; /* wished; 0: has rung; under lock */
} Alarm;

typedef struct {
  FarHome home;
  Alarm *alarm;
} ForeignHome;

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
  FarHome *home = data;
  far_timers_run (&home->timers);
  if (home->clock_later != NULL)
    far_later_ask (home->clock_later);
}

static void
alarm_rings (gpointer data)
{
  Alarm *alarm = data;
  g_mutex_lock (&alarm->lock);
  alarm->when_us = 0;
  if (alarm->home != NULL)
    far_home_post (alarm->home, run_due, alarm->home);
  g_mutex_unlock (&alarm->lock);
}

/* [clock] */
static void
set_alarm (gpointer data)
{
  Alarm *alarm = data;
  g_mutex_lock (&alarm->lock);
  gint64 when = alarm->when_us;
  gboolean gone = alarm->home == NULL;
  g_mutex_unlock (&alarm->lock);
  if (gone)
    g_clear_pointer (&alarm->alarm, far_home_timer_free);
  else if (when != 0 && alarm->alarm == NULL)
    alarm->alarm = far_home_timer (alarm->clock, when, alarm_rings, alarm);
  else if (when != 0)
    far_home_timer_set (alarm->alarm, when);
  alarm_unref (alarm);
}

static void
tell_clock (Alarm *alarm)
{
  g_atomic_int_inc (&alarm->refs);
  far_home_post (alarm->clock, set_alarm, alarm);
}

/* [home] timers were set or the clock jumped */
static void
timers_changed (gpointer data)
{
  ForeignHome *self = data;
  gint64 when;
  if (!far_timers_first (&self->home.timers, &when))
    return;
  g_mutex_lock (&self->alarm->lock);
  gboolean same = self->alarm->when_us == when;
  self->alarm->when_us = when;
  g_mutex_unlock (&self->alarm->lock);
  if (!same)
    tell_clock (self->alarm);
}

FarHome *
far_home_foreign_new (const char *name, void (*wake) (gpointer data), gpointer data)
{
  ForeignHome *self = g_new0 (ForeignHome, 1);
  far_home_init (&self->home, FAR_HOME_FOREIGN, name);
  self->home.wake = wake;
  self->home.wake_data = data;
  self->home.clock_later = far_later_new (&self->home, timers_changed, self);
  self->alarm = g_new0 (Alarm, 1);
  self->alarm->refs = 1;
  self->alarm->home = &self->home;
  self->alarm->clock = far_home_pick ();
  g_mutex_init (&self->alarm->lock);
  return &self->home;
}

void
far_home_foreign_bind (FarHome *home)
{
  far_home_bind (home);
}

void
far_home_run_posted (FarHome *home)
{
  far_home_run_posts (home);
}

void
far_home_foreign_free (FarHome *home)
{
  ForeignHome *self = (ForeignHome *) home;
  if (home == NULL)
    return;
  g_mutex_lock (&self->alarm->lock);
  self->alarm->home = NULL;
  g_mutex_unlock (&self->alarm->lock);
  tell_clock (self->alarm);
  /* what is posted may still ask for the later: it goes after them, the alarm last */
  while (far_home_run_posts (home))
    ;
  g_clear_pointer (&home->clock_later, far_later_free);
  while (far_home_run_posts (home))
    ;
  alarm_unref (self->alarm);
  far_home_clear (home);
  g_free (self);
}
