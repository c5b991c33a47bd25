/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file gives memory back while the daemon is at rest: the heap's free pages here, pages of program
 * files in memory-trim-text.c. It stands in the room of streams because pumps that run put it off. */
#include "config.h"

#include "stream/memory-trim.h"

#include <malloc.h>
#include <string.h>
#include <unistd.h>

#include <farwatch/clock.h>
#include <farwatch/loop.h>

#include "stream/pump-private.h"

#define EVERY_US (60 * G_USEC_PER_SEC)
#define SOON_US (30 * G_USEC_PER_SEC)
#define GROWN_KIB 1024

static struct {
  FarLoopTimer *timer; /* NULL: not wanted */
  gboolean settling;   /* trimmed: what is used at rest comes back until the next look, and is no growth */
  gsize kib;           /* then */
} trim;

/* The second number of statm: pages resident. */
static gsize
resident_kib (void)
{
  g_autofree char *text = NULL;
  const char *second;

  if (!g_file_get_contents ("/proc/self/statm", &text, NULL, NULL) || (second = strchr (text, ' ')) == NULL)
    return 0;
  return (gsize) g_ascii_strtoull (second, NULL, 10) * (gsize) sysconf (_SC_PAGESIZE) / 1024;
}

void
far_memory_trim_heaps (void)
{
  if (g_getenv ("MALLOC_ARENA_MAX") == NULL)
    mallopt (M_ARENA_MAX, (int) MAX (g_get_num_processors () / 4, 1));
}

gsize
far_memory_trim (void)
{
  malloc_trim (0);
  far_memory_trim_text ();
  return resident_kib ();
}

static void
trim_look (gpointer data)
{
  gsize kib = resident_kib ();

  far_loop_timer_set (trim.timer, far_clock_boottime_us () + EVERY_US);
  if (far_pumps_alive () > 0)
    return;
  if (trim.settling) {
    trim.settling = FALSE;
    trim.kib = kib;
  } else if (kib > trim.kib + GROWN_KIB) {
    trim.settling = TRUE;
    far_memory_trim ();
  }
}

void
far_memory_trim_soon (void)
{
  if (trim.timer == NULL)
    return;
  trim.settling = FALSE; /* what comes back is mixed with what the pumps left */
  far_loop_timer_set (trim.timer, far_clock_boottime_us () + SOON_US);
}

void
far_memory_trim_watch (gboolean wanted)
{
  if (!wanted)
    g_clear_pointer (&trim.timer, far_loop_timer_free);
  else if (trim.timer == NULL)
    trim.timer = far_loop_timer (far_loop_main (), far_clock_boottime_us () + SOON_US, trim_look, NULL);
}
