/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "home-private.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

static gint64
read_us (clockid_t id)
{
  struct timespec now;
  clock_gettime (id, &now);
  return (gint64) now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000 + __atomic_load_n (&the_clock ()->offset_us, __ATOMIC_RELAXED);
}

gint64
far_clock_boottime_us (void)
{
  return read_us (CLOCK_BOOTTIME);
}

gint64
far_clock_wall_us (void)
{
  return read_us (CLOCK_REALTIME);
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
  /* under the lock, so that a heap that goes away waits for a hook that runs: hooks only post */
  g_mutex_lock (&clock->lock);
  for (guint i = 0; i < clock->hooks->len; i++) {
    const Hook *entry = &g_array_index (clock->hooks, Hook, i);
    entry->hook (entry->data);
  }
  g_mutex_unlock (&clock->lock);
  return TRUE;
}
