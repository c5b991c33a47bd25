/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pages of programs and libraries that were touched once (start, handshakes, a session) stay in a process's
 * resident set for years on a machine that is never short of memory. Letting them go is what the kernel
 * itself does when it is short: they are read again from the file, out of its cache, when they are next used.
 *
 * That is true only of pages nobody wrote to. /proc/self/maps does not tell: a library's relocated constants
 * (RELRO) are mapped r--p as well, and dropping them would bring back addresses that were never relocated.
 * The program headers tell: what the loader writes to has PF_W there, whatever became of it later. A
 * breakpoint is a write too, of a debugger: with one attached nothing is dropped. */
#include "config.h"

#include "stream/memory-trim.h"

#include <elf.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct {
  guintptr begin, end;
} Range;

/* Its text itself is relocated. */
static gboolean
writes_text (const struct dl_phdr_info *object, const ElfW (Phdr) * dynamic)
{
  const ElfW (Dyn) *entry = (const ElfW (Dyn) *) (object->dlpi_addr + dynamic->p_vaddr);

  for (; entry->d_tag != DT_NULL; entry++)
    if (entry->d_tag == DT_TEXTREL || (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL) != 0))
      return TRUE;
  return FALSE;
}

/* The kernel's own, without a file. */
static gboolean
is_vdso (const struct dl_phdr_info *object)
{
  guintptr header = getauxval (AT_SYSINFO_EHDR);

  for (guint i = 0; header != 0 && i < object->dlpi_phnum; i++)
    if (object->dlpi_phdr[i].p_type == PT_LOAD && object->dlpi_addr + object->dlpi_phdr[i].p_vaddr == header)
      return TRUE;
  return FALSE;
}

static gboolean
may_drop (const struct dl_phdr_info *object)
{
  for (guint i = 0; i < object->dlpi_phnum; i++)
    if (object->dlpi_phdr[i].p_type == PT_DYNAMIC && writes_text (object, &object->dlpi_phdr[i]))
      return FALSE;
  return !is_vdso (object);
}

static Range
pages_of (const struct dl_phdr_info *object, const ElfW (Phdr) * segment, guintptr page)
{
  guintptr begin = object->dlpi_addr + segment->p_vaddr;

  return (Range){ begin & ~(page - 1), (begin + segment->p_filesz + page - 1) & ~(page - 1) };
}

/* Segments are in the order of addresses: a last page in which the next one begins belongs to that one. */
static int
drop_object (struct dl_phdr_info *object, size_t size, void *data)
{
  gsize *dropped = data;
  guintptr page = (guintptr) sysconf (_SC_PAGESIZE);
  Range last = { 0, 0 };

  if (!may_drop (object))
    return 0;
  for (guint i = 0; i <= object->dlpi_phnum; i++) {
    const ElfW (Phdr) *segment = i < object->dlpi_phnum ? &object->dlpi_phdr[i] : NULL;
    Range next = { 0, 0 };

    if (segment != NULL && segment->p_type != PT_LOAD)
      continue;
    if (segment != NULL)
      next = pages_of (object, segment, page);
    if (next.begin > 0)
      last.end = MIN (last.end, next.begin);
    if (last.end > last.begin && madvise ((void *) last.begin, last.end - last.begin, MADV_DONTNEED) == 0)
      *dropped += last.end - last.begin;
    last = segment != NULL && (segment->p_flags & PF_W) == 0 ? next : (Range){ 0, 0 };
  }
  return 0;
}

/* strace and gdb alike: a line "TracerPid:\t0" means nobody. */
static gboolean
is_traced (void)
{
  g_autofree char *status = NULL;
  const char *line;

  if (!g_file_get_contents ("/proc/self/status", &status, NULL, NULL))
    return TRUE;
  line = strstr (status, "\nTracerPid:");
  return line == NULL || strtol (line + strlen ("\nTracerPid:"), NULL, 10) != 0;
}

gsize
far_memory_trim_text (void)
{
  gsize dropped = 0;

  if (!is_traced ())
    dl_iterate_phdr (drop_object, &dropped);
  return dropped;
}
