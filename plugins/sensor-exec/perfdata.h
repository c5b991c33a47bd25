/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a check prints (Monitoring Plugins Development Guidelines): text, '|', values; more lines of text, '|', more values.
 *   'label'=value[unit];[warn];[crit];[min];[max]
 * Limits are looked at and left out. Bytes come from a foreign program: nothing in them is trusted. */
#pragma once
#include <glib.h>

#define PERFDATA_MAX 256       /* values of one run */
#define PERFDATA_LABEL 64      /* bytes */

typedef struct {
  char *channel;   /* the label in letters a series may have */
  const char *unit; /* UCUM, static */
  double value;    /* in that unit */
  gboolean known;  /* FALSE: the check said U */
} PerfValue;

typedef struct {
  char *text;        /* first line without values, valid UTF-8, at most 4 KiB */
  GArray *values;    /* PerfValue */
  guint bad;         /* values that could not be read */
} Perfdata;

Perfdata *perfdata_parse (const char *output, gsize size);
void perfdata_free (Perfdata *perfdata);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Perfdata, perfdata_free)
