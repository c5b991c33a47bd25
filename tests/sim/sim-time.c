/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Time of a simulated fleet. The fake clock goes on from timer to timer: never while somebody is at work, so
 * that a thread's answer comes at the time at which it was asked for. */
#include "config.h"

#include "sim/sim.h"

#include "life/instance-private.h"
#include "loop/executor.h"
#include "loop/loop-private.h"

/* Something that a thread will end: stores answer each request that they were given. */
static gboolean
node_works (SimNode *node)
{
  FarNode *before;
  GPtrArray *all;
  gboolean works;

  if (node->node == NULL)
    return FALSE;
  before = far_node_enter (node->node);
  works = far_executors_busy ();
  all = far_instances_all ();
  for (guint i = 0; i < all->len && !works; i++) {
    FarInstance *at = all->pdata[i];

    works = at->kind == FAR_KIND_STORE && (at->state == FAR_STATE_STARTING || at->head.served.length > 0);
  }
  far_node_enter (before);
  return works;
}

static gboolean
sim_works (Sim *sim)
{
  gboolean works = node_works (sim->cloud);

  for (guint i = 0; i < sim->terminals->len && !works; i++)
    works = node_works (sim->terminals->pdata[i]);
  return works;
}

/* FALSE: nobody has anything to do before the next timer. */
static gboolean
sim_turn (Sim *sim)
{
  if (g_main_context_iteration (NULL, FALSE))
    return TRUE;
  if (!sim_works (sim))
    return g_main_context_iteration (NULL, FALSE); /* who ended it meanwhile has posted */
  g_usleep (20); /* a thread that has told its end may not have noted it yet: nobody would wake us */
  return TRUE;
}

/* To the next timer, or to end_us. */
static void
sim_leap (gint64 end_us)
{
  gint64 when, now = far_clock_boottime_us ();

  if (!far_timers_first (&far_loop_main ()->timers, &when) || when > end_us)
    when = end_us;
  far_clock_advance (MAX (when - now, 0));
}

void
sim_run_until (Sim *sim, gint64 boottime_us)
{
  while (far_clock_boottime_us () < boottime_us)
    if (!sim_turn (sim))
      sim_leap (boottime_us);
}

gboolean
sim_run (Sim *sim, gboolean (*done) (gpointer data), gpointer data)
{
  gint64 end = far_clock_boottime_us () + G_TIME_SPAN_MINUTE;

  while (!done (data) && far_clock_boottime_us () < end)
    if (!sim_turn (sim) && !done (data))
      sim_leap (end);
  return done (data);
}
