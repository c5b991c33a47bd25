/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clock and switches of the thread, read twice per turn of the main loop: before it sleeps and after. */
#include "config.h"

#include "loop/loop-latency.h"

#include <inttypes.h>
#include <sys/resource.h>

#include <farwatch/i18n.h>
#include <farwatch/instance.h>

#define STALL_US 50000

static struct {
  GPollFunc poll;
  gint64 awake_us;    /* CPU time of the thread when it woke up; 0: not yet */
  gint64 awake_at_us; /* monotonic */
  glong switches;     /* voluntary ones until then */
  guint count, waits;
} stall;

/* One system call for both: it is asked twice a turn. */
static void
thread_used (gint64 *cpu_us, glong *switches)
{
  struct rusage used = { 0 };

  getrusage (RUSAGE_THREAD, &used);
  *cpu_us = (gint64) (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * G_USEC_PER_SEC + used.ru_utime.tv_usec +
            used.ru_stime.tv_usec;
  *switches = used.ru_nvcsw;
}

static void
latency_waited (void)
{
  gint64 turn_us = g_get_monotonic_time () - stall.awake_at_us;

  stall.waits++;
  if (turn_us > STALL_US)
    far_log_limited (NULL, "wait",
                     _ ("the main loop waited in a turn of %" PRId64 " ms; something blocks in it"),
                     turn_us / 1000);
}

static gint
latency_poll (GPollFD *fds, guint n, gint timeout)
{
  gint64 used_us;
  glong switches;
  gint result;

  thread_used (&used_us, &switches);
  used_us = stall.awake_us > 0 ? used_us - stall.awake_us : 0;
  if (used_us > STALL_US) {
    stall.count++;
    far_log_limited (NULL, "stall",
                     _ ("the main loop was held up for %" PRId64 " ms; something computes too long in it"),
                     used_us / 1000);
  } else if (stall.awake_us > 0 && switches > stall.switches)
    latency_waited ();
  result = stall.poll (fds, n, timeout);
  thread_used (&stall.awake_us, &stall.switches);
  stall.awake_at_us = g_get_monotonic_time ();
  return result;
}

void
far_loop_latency_watch (void)
{
  if (stall.poll != NULL)
    return;
  stall.poll = g_main_context_get_poll_func (NULL);
  g_main_context_set_poll_func (NULL, latency_poll);
}

guint
far_loop_latency_count (void)
{
  return stall.count;
}

guint
far_loop_latency_waits (void)
{
  return stall.waits;
}
