/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Texts of procfs to numbers. The text comes from the kernel, but is read as if it did not. */
#pragma once
#include <glib.h>

typedef struct {
  guint64 busy, total; /* ticks of all processors since boot */
} SystemCpu;

typedef struct {
  gint64 used, available, swap_used; /* bytes */
} SystemMemory;

typedef struct {
  const char *name; /* not terminated: name_size bytes of the text */
  gsize name_size;
  guint64 rx, tx; /* bytes since boot */
} SystemNet;

/* All of the file from its start, at most a MiB of whole lines; NULL: it cannot be read. Caller frees. */
char *system_read_whole (int fd);
gboolean system_parse_cpu (const char *stat, SystemCpu *cpu);
gboolean system_parse_double (const char *text, double *value); /* the first number of loadavg or uptime */
gboolean system_parse_memory (const char *meminfo, SystemMemory *memory);
/* Moves *at over one line of net/dev. FALSE: no more. */
gboolean system_parse_net (const char **at, SystemNet *net);
