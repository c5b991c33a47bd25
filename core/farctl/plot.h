/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Curves in the terminal, of braille dots: two columns and four rows of dots a character. */
#pragma once
#include <glib.h>

typedef struct {
  double time, value;
} CtlPoint; /* time: seconds */

/* Lines of a plot with scale at the left and times below. points: in order of time, at least one. Caller
 * frees. */
char *ctl_plot (const CtlPoint *points, guint n, guint width, guint height, const char *unit);
