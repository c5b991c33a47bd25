/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file holds the clocks of a node: boot time for deadlines, wall time for stamps, and the time that
 * another node told. Under FARWATCH_TEST_CLOCK=1 a test can push time forward, for all nodes of the process,
 * and set the system's clock of one of them wrong, so every module asks here and none asks the kernel. */
#include "config.h"

#include "base/clock-private.h"

#include "base/node-part.h"

#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>

#define NOT_TOLD G_MININT64

typedef struct {
  void (*hook) (gpointer data);
  gpointer data;
} Hook;

typedef struct {
  gboolean test;
  gint64 offset_us; /* atomic; only ever grows */
  GMutex lock;
  GArray *hooks;
} Clock;

/* What one node takes for the time of day: time itself passes for all alike. */
typedef struct {
  gint64 step_us;    /* atomic: how wrong a test has set the clock of its machine */
  gint64 told_us;    /* atomic: wall time at boottime 0, as a node that is trusted has told; NOT_TOLD */
  gint64 told_at_us; /* atomic: boottime at which it did */
  gint64 floor_us;   /* atomic: as told_us for the earliest time it can be; NOT_TOLD */
  /* atomic: the same for what was told when this node last ran, which may have been wrong; NOT_TOLD. */
  gint64 kept_us;
} DayClock;

static Clock *
the_clock (void)
{
  static gsize once;
  static Clock clock;
  if (g_once_init_enter (&once)) {
    clock.test = g_strcmp0 (g_getenv ("FARWATCH_TEST_CLOCK"), "1") == 0;
    clock.hooks = g_array_new (FALSE, FALSE, sizeof (Hook));
    g_once_init_leave (&once, 1);
  }
  return &clock;
}

static void
day_clock_init (gpointer part)
{
  DayClock *day = part;

  day->told_us = day->floor_us = day->kept_us = NOT_TOLD;
  if (the_clock ()->test && g_getenv ("FARWATCH_TEST_STEP_S") != NULL)
    day->step_us = g_ascii_strtoll (g_getenv ("FARWATCH_TEST_STEP_S"), NULL, 10) * G_USEC_PER_SEC;
}

static DayClock *
day_clock (void)
{
  static const FarNodePart part = { FAR_PART_CLOCK, sizeof (DayClock), day_clock_init, NULL };

  return far_node_part (&part);
}

static gint64
read_us (clockid_t id)
{
  struct timespec now;
  clock_gettime (id, &now);
  return (gint64) now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000 +
         __atomic_load_n (&the_clock ()->offset_us, __ATOMIC_RELAXED);
}

gint64
far_clock_boottime_us (void)
{
  return read_us (CLOCK_BOOTTIME);
}

/* ---- the time of day ---- */

gint64
far_clock_system_us (void)
{
  return read_us (CLOCK_REALTIME) + __atomic_load_n (&day_clock ()->step_us, __ATOMIC_RELAXED);
}

static gint64
clock_by (const gint64 *at_boot_us, gint64 boot_us)
{
  gint64 us = __atomic_load_n (at_boot_us, __ATOMIC_RELAXED);

  return us == NOT_TOLD ? NOT_TOLD : us + boot_us;
}

static gint64
clock_earliest (gint64 boot_us)
{
  return MAX (clock_by (&day_clock ()->floor_us, boot_us), clock_by (&day_clock ()->kept_us, boot_us));
}

static gboolean
clock_is_synchronised (void)
{
  struct timex state = { 0 };
  gint64 step = __atomic_load_n (&day_clock ()->step_us, __ATOMIC_RELAXED);

  return step == 0 && adjtimex (&state) != TIME_ERROR && (state.status & STA_UNSYNC) == 0;
}

/* The system's clock is finer than what another node tells, so it counts while the two agree; and it is right
 * where something keeps it right and nobody has told for long. */
gboolean
far_clock_system_counts (gint64 off_us, gint64 told_ago_us, gboolean synchronised)
{
  return ABS (off_us) <= FAR_CLOCK_AGREE_US || (synchronised && told_ago_us > FAR_CLOCK_STALE_US);
}

gint64
far_clock_wall_us (void)
{
  gint64 boot = far_clock_boottime_us (), system = far_clock_system_us ();
  gint64 told = clock_by (&day_clock ()->told_us, boot),
         ago = boot - __atomic_load_n (&day_clock ()->told_at_us, __ATOMIC_RELAXED);

  if (told == NOT_TOLD)
    return MAX (system, clock_earliest (boot));
  /* The kernel is asked only where its answer matters. */
  return far_clock_system_counts (system - told, ago, ago > FAR_CLOCK_STALE_US && clock_is_synchronised ())
             ? system
             : told;
}

/* A clock that is behind what is certain tells nothing. */
gboolean
far_clock_untold_us (gint64 *wall_us)
{
  gint64 boot = far_clock_boottime_us ();
  gboolean told = clock_by (&day_clock ()->told_us, boot) != NOT_TOLD ||
                  clock_by (&day_clock ()->kept_us, boot) != NOT_TOLD;

  *wall_us = far_clock_system_us ();
  return told && *wall_us >= clock_by (&day_clock ()->floor_us, boot);
}

gboolean
far_clock_skew_us (gint64 *skew_us)
{
  gint64 told = clock_by (&day_clock ()->told_us, far_clock_boottime_us ());

  *skew_us = told == NOT_TOLD ? 0 : far_clock_system_us () - told;
  return told != NOT_TOLD;
}

gboolean
far_clock_is_behind (void)
{
  gint64 boot = far_clock_boottime_us ();

  return clock_by (&day_clock ()->told_us, boot) == NOT_TOLD &&
         far_clock_system_us () < clock_earliest (boot);
}

gboolean
far_clock_is_sure (void)
{
  return clock_by (&day_clock ()->told_us, 0) != NOT_TOLD || clock_is_synchronised ();
}

static void
clock_raise (gint64 *at_boot_us, gint64 wall_us)
{
  gint64 boot = far_clock_boottime_us ();

  if (wall_us > clock_by (at_boot_us, boot))
    __atomic_store_n (at_boot_us, wall_us - boot, __ATOMIC_RELAXED);
}

void
far_clock_floor (gint64 wall_us)
{
  clock_raise (&day_clock ()->floor_us, wall_us);
}

void
far_clock_floor_told (gint64 wall_us)
{
  clock_raise (&day_clock ()->kept_us, wall_us);
}

void
far_clock_forget_told (void)
{
  __atomic_store_n (&day_clock ()->kept_us, NOT_TOLD, __ATOMIC_RELAXED);
  far_clock_set_told (NOT_TOLD);
}

void
far_clock_set_told (gint64 wall_us)
{
  __atomic_store_n (&day_clock ()->told_at_us, far_clock_boottime_us (), __ATOMIC_RELAXED);
  __atomic_store_n (&day_clock ()->told_us,
                    wall_us == G_MININT64 ? NOT_TOLD : wall_us - far_clock_boottime_us (), __ATOMIC_RELAXED);
}

gboolean
far_clock_step (gint64 us)
{
  if (!the_clock ()->test)
    return FALSE;
  __atomic_add_fetch (&day_clock ()->step_us, us, __ATOMIC_SEQ_CST);
  return TRUE;
}

gint64
far_clock_offset_us (void)
{
  return __atomic_load_n (&the_clock ()->offset_us, __ATOMIC_RELAXED);
}

const char *
far_clock_boot_id (void)
{
  static gsize once;
  static char id[40];
  if (g_once_init_enter (&once)) {
    g_autofree char *text = NULL;
    if (g_file_get_contents ("/proc/sys/kernel/random/boot_id", &text, NULL, NULL))
      g_strlcpy (id, g_strstrip (text), sizeof id);
    else
      g_strlcpy (id, "unknown", sizeof id);
    g_once_init_leave (&once, 1);
  }
  return id;
}

gboolean
far_clock_is_test (void)
{
  return the_clock ()->test;
}

void
far_clock_add_hook (void (*hook) (gpointer data), gpointer data)
{
  Clock *clock = the_clock ();
  Hook entry = { hook, data };
  g_mutex_lock (&clock->lock);
  g_array_append_val (clock->hooks, entry);
  g_mutex_unlock (&clock->lock);
}

void
far_clock_remove_hook (void (*hook) (gpointer data), gpointer data)
{
  Clock *clock = the_clock ();
  g_mutex_lock (&clock->lock);
  for (guint i = 0; i < clock->hooks->len; i++) {
    const Hook *entry = &g_array_index (clock->hooks, Hook, i);
    if (entry->hook == hook && entry->data == data) {
      g_array_remove_index (clock->hooks, i);
      break;
    }
  }
  g_mutex_unlock (&clock->lock);
}

gboolean
far_clock_advance (gint64 us)
{
  Clock *clock = the_clock ();
  if (!clock->test || us < 0)
    return FALSE;
  __atomic_add_fetch (&clock->offset_us, us, __ATOMIC_SEQ_CST);
  /* Under the lock, so that a heap that goes away waits for a hook that runs: hooks only post. */
  g_mutex_lock (&clock->lock);
  for (guint i = 0; i < clock->hooks->len; i++) {
    const Hook *entry = &g_array_index (clock->hooks, Hook, i);
    entry->hook (entry->data);
  }
  g_mutex_unlock (&clock->lock);
  return TRUE;
}
