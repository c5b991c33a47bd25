/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "trim.h"

#include <link.h>
#include <malloc.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <farwatch/clock.h>
#include <farwatch/home.h>

#define EVERY_US (60 * G_USEC_PER_SEC)
#define GROWN_KIB 1024

static struct {
  FarHomeTimer *timer;
  gsize kib; /* after the last time */
} trim;

/* A segment that is never writable is as it stands in its file; one that is may hold relocations, even where it is read-only now. */
static int
let_go (struct dl_phdr_info *object, size_t size, void *data)
{
  gsize page = (gsize) sysconf (_SC_PAGESIZE);

  for (guint i = 0; i < object->dlpi_phnum; i++) {
    const ElfW (Phdr) *part = &object->dlpi_phdr[i];
    gsize from = object->dlpi_addr + part->p_vaddr, to = from + part->p_memsz;

    if (part->p_type == PT_LOAD && (part->p_flags & PF_W) == 0)
      madvise ((void *) (from / page * page), to - from / page * page, MADV_DONTNEED);
  }
  return 0;
}

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

gsize
far_trim (void)
{
  malloc_trim (0);
  dl_iterate_phdr (let_go, NULL);
  return resident_kib ();
}

static void
look (gpointer data)
{
  if (resident_kib () > trim.kib + GROWN_KIB)
    trim.kib = far_trim ();
  far_home_timer_set (trim.timer, far_clock_boottime_us () + EVERY_US);
}

void
far_trim_watch (void)
{
  if (trim.timer == NULL)
    trim.timer = far_home_timer (far_home_main (), far_clock_boottime_us () + EVERY_US / 2, look, NULL);
}

void
far_trim_unwatch (void)
{
  g_clear_pointer (&trim.timer, far_home_timer_free);
}
