/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file knows when something is asked next that is asked again and again (farwatch/cycle.h). */
#include "config.h"

#include <farwatch/clock.h>
#include <farwatch/cycle.h>
#include <farwatch/thread.h>
#include <farwatch/trust.h>

#define CYCLE_DOUBLED_MAX 10

struct _FarCycle {
  FarInstance *at;
  const FarCycleFuncs *funcs;
  gpointer user;
  FarInstanceTimer *timer;
  gint64 next_us, retry_us; /* next: boottime of the timer */
  gboolean asking, again;   /* again: as soon as the answer is there */
  guint failed;             /* in a row */
};

FarCycle *
far_cycle_new (FarInstance *at, const FarCycleFuncs *funcs, gint64 retry_us, gpointer user)
{
  FAR_ON_MAIN ();
  FarCycle *cycle = g_new0 (FarCycle, 1);

  cycle->at = at;
  cycle->funcs = funcs;
  cycle->retry_us = retry_us;
  cycle->user = user;
  return cycle;
}

void
far_cycle_free (FarCycle *cycle)
{
  FAR_ON_MAIN ();
  if (cycle == NULL)
    return;
  far_instance_timer_stop (&cycle->timer);
  g_free (cycle);
}

static void cycle_now (gpointer data);

static void
cycle_at (FarCycle *cycle, gint64 at_us)
{
  cycle->next_us = at_us;
  far_instance_timer (cycle->at, &cycle->timer, at_us, cycle_now, cycle);
}

static void
cycle_now (gpointer data)
{
  FarCycle *cycle = data;
  gint64 length = cycle->funcs->length_us (cycle->user);
  guint32 spread = MIN (length / 5, G_MAXINT32) + 1;

  cycle_at (cycle, far_clock_boottime_us () + length - length / 10 + far_random_u32 (spread));
  if (!cycle->asking)
    cycle->asking = cycle->funcs->ask (cycle->user);
}

void
far_cycle_soon (FarCycle *cycle, gint64 in_us)
{
  FAR_ON_MAIN ();
  gint64 at_us = far_clock_boottime_us () + in_us;

  if (in_us <= 0 && cycle->asking)
    cycle->again = TRUE;
  else if (cycle->timer == NULL || at_us < cycle->next_us)
    cycle_at (cycle, at_us);
}

void
far_cycle_over (FarCycle *cycle, gboolean good)
{
  FAR_ON_MAIN ();
  gboolean again = cycle->again && good;

  cycle->asking = cycle->again = FALSE;
  if (!good)
    far_cycle_soon (cycle, cycle->retry_us << MIN (cycle->failed, CYCLE_DOUBLED_MAX));
  cycle->failed = good ? 0 : cycle->failed + 1;
  if (again)
    far_cycle_soon (cycle, 0);
}
