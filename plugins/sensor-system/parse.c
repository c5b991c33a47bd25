/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file turns texts of procfs into numbers. It reads no file by itself, so that its tests feed it any
 * text. */
#include "config.h"

#include "parse.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX (1024 * 1024)

/* Half a line would be another number. */
static void
cut_lines (GString *text)
{
  const char *end = g_strrstr_len (text->str, TEXT_MAX, "\n");

  g_string_truncate (text, end != NULL ? (gsize) (end - text->str) : 0);
}

/* procfs gives a page at a time, whatever is asked for. */
char *
system_read_whole (int fd)
{
  g_autoptr (GString) text = g_string_new (NULL);
  char part[4096];
  gssize n;

  while ((n = pread (fd, part, sizeof part, (off_t) text->len)) != 0) {
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return NULL;
    g_string_append_len (text, part, n);
    if (text->len <= TEXT_MAX)
      continue;
    cut_lines (text);
    break;
  }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static gboolean
next_number (const char **at, guint64 *value)
{
  char *end;

  while (**at == ' ')
    (*at)++;
  if (!g_ascii_isdigit (**at))
    return FALSE;
  *value = g_ascii_strtoull (*at, &end, 10);
  *at = end;
  return TRUE;
}

/* cpu user nice system idle iowait irq softirq steal …; guest time is inside user already. */
gboolean
system_parse_cpu (const char *stat, SystemCpu *cpu)
{
  guint64 ticks[8] = { 0 };
  guint n = 0;

  if (!g_str_has_prefix (stat, "cpu "))
    return FALSE;
  stat += 4;
  while (n < G_N_ELEMENTS (ticks) && next_number (&stat, &ticks[n]))
    n++;
  if (n < 4)
    return FALSE;
  cpu->total = 0;
  for (guint i = 0; i < n; i++)
    cpu->total += ticks[i];
  cpu->busy = cpu->total - ticks[3] - ticks[4];
  return TRUE;
}

gboolean
system_parse_double (const char *text, double *value)
{
  char *end;

  *value = g_ascii_strtod (text, &end);
  return end != text;
}

/* Value of a line "Name:   123 kB" in bytes, -1: not there. */
static gint64
memory_line (const char *meminfo, const char *name)
{
  gsize size = strlen (name);

  for (const char *line = meminfo; line != NULL; line = strchr (line, '\n')) {
    const char *at;
    guint64 value;

    line += *line == '\n';
    at = line + size + 1;
    if (strncmp (line, name, size) == 0 && line[size] == ':' && next_number (&at, &value))
      return (gint64) MIN (value, G_MAXINT64 / 1024) * 1024;
  }
  return -1;
}

gboolean
system_parse_memory (const char *meminfo, SystemMemory *memory)
{
  gint64 total = memory_line (meminfo, "MemTotal"), swap_total = memory_line (meminfo, "SwapTotal"),
         swap_free = memory_line (meminfo, "SwapFree");

  memory->available = memory_line (meminfo, "MemAvailable");
  if (total < 0 || memory->available < 0)
    return FALSE;
  memory->used = total - memory->available;
  memory->swap_used = swap_total > 0 && swap_free >= 0 ? swap_total - swap_free : 0;
  return TRUE;
}

/* "  eth0: rx-bytes packets errs drop fifo frame compressed multicast tx-bytes …" */
static gboolean
net_line (const char *line, const char *colon, SystemNet *net)
{
  guint64 values[9];

  while (*line == ' ')
    line++;
  net->name = line;
  net->name_size = (gsize) (colon - line);
  colon++;
  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    if (!next_number (&colon, &values[i]))
      return FALSE;
  net->rx = values[0];
  net->tx = values[8];
  return net->name_size > 0;
}

gboolean
system_parse_net (const char **at, SystemNet *net)
{
  while (**at != '\0') {
    const char *line = *at, *end = strchrnul (line, '\n'), *colon = memchr (line, ':', (gsize) (end - line));

    *at = *end == '\n' ? end + 1 : end;
    if (colon != NULL && net_line (line, colon, net))
      return TRUE;
  }
  return FALSE;
}
