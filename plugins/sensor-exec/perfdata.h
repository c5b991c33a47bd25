/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a check prints (Monitoring Plugins Development Guidelines): text, '|', values; more lines of text,
 * '|', more values. 'label'=value[unit];[warn];[crit];[min];[max] Bytes come from a foreign program: nothing
 * in them is trusted. */
#pragma once
#include <glib.h>

#define PERFDATA_MAX 256  /* values of one run */
#define PERFDATA_LABEL 64 /* bytes of a channel */

typedef struct {
  /* the label in letters a series may have: another byte is %XX; one that is too long is cut and told apart
   * by a hash */
  char *channel;
  const char *unit; /* UCUM, static */
  double value;     /* in that unit */
  gboolean known;   /* FALSE: the check said U */
  /* "warn;crit;min;max" as printed, with the unit they are in where that is not `unit`; NULL: none */
  char *limits;
} PerfValue;

typedef struct {
  char *text;     /* first line without values, valid UTF-8, at most 4 KiB */
  GArray *values; /* PerfValue */
  guint bad;      /* values that could not be read */
  guint repeated; /* values of a label that stood there before: the first counts */
  gboolean cut;   /* there was a NUL: nothing behind it counts */
} Perfdata;

Perfdata *perfdata_parse (const char *output, gsize size);
void perfdata_free (Perfdata *perfdata);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Perfdata, perfdata_free)
