/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file draws a curve of points with braille characters for a terminal. It gets numbers and a size,
 * and knows nothing of samples. */
#include "config.h"

#include "plot.h"

#include <math.h>
#include <string.h>

typedef struct {
  guint8 *cells; /* width × height, a bit a dot */
  guint width, height;
  double low, high, first, last;
} Plot;

static int
plot_round (double value)
{
  return (int) (value < 0 ? value - 0.5 : value + 0.5);
}

static void
plot_dot (Plot *plot, int x, int y)
{
  static const guint8 bits[4][2] = { { 0x01, 0x08 }, { 0x02, 0x10 }, { 0x04, 0x20 }, { 0x40, 0x80 } };

  if (x >= 0 && y >= 0 && x < (int) plot->width * 2 && y < (int) plot->height * 4)
    plot->cells[(guint) (y / 4) * plot->width + (guint) (x / 2)] |= bits[y % 4][x % 2];
}

static int
plot_x (const Plot *plot, double time)
{
  return plot->last > plot->first
             ? plot_round ((time - plot->first) / (plot->last - plot->first) * (plot->width * 2 - 1))
             : 0;
}

static int
plot_y (const Plot *plot, double value)
{
  /* halves: the range of two large numbers may be none. */
  return plot_round ((plot->high / 2 - value / 2) / (plot->high / 2 - plot->low / 2) *
                     (plot->height * 4 - 1));
}

/* From dot to dot, so that few points are a line as well. */
static void
plot_line (Plot *plot, const CtlPoint *a, const CtlPoint *b)
{
  int x0 = plot_x (plot, a->time), y0 = plot_y (plot, a->value), x1 = plot_x (plot, b->time),
      y1 = plot_y (plot, b->value);
  int steps = MAX (MAX (ABS (x1 - x0), ABS (y1 - y0)), 1);

  for (int i = 0; i <= steps; i++)
    plot_dot (plot, x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps);
}

static void
plot_range (Plot *plot, const CtlPoint *points, guint n)
{
  plot->low = plot->high = points[0].value;
  for (guint i = 1; i < n; i++) {
    plot->low = MIN (plot->low, points[i].value);
    plot->high = MAX (plot->high, points[i].value);
  }
  /* A level curve, in the middle. */
  if (plot->high / 2 - plot->low / 2 < 1e-12 * MAX (1, fabs (plot->high))) {
    plot->low -= MAX (1, fabs (plot->low) * 0.1);
    plot->high += MAX (1, fabs (plot->high) * 0.1);
  }
  plot->first = points[0].time;
  plot->last = points[n - 1].time;
}

static void
plot_row (const Plot *plot, guint row, const char *unit, GString *out)
{
  double below = (double) row / MAX (plot->height - 1, 1),
         value = plot->high * (1 - below) + plot->low * below;

  if (row == 0 || row == plot->height - 1 || row == plot->height / 2)
    g_string_append_printf (out, "%10.5g %-4s", value, unit);
  else
    g_string_append_printf (out, "%15s", "");
  g_string_append (out, "┤");
  for (guint column = 0; column < plot->width; column++)
    g_string_append_unichar (out, 0x2800 + plot->cells[row * plot->width + column]);
  g_string_append_c (out, '\n');
}

static void
plot_times (const Plot *plot, GString *out)
{
  const char *format = plot->last - plot->first < 86400 ? "%H:%M:%S" : "%Y-%m-%d %H:%M";
  g_autoptr (GDateTime) a = g_date_time_new_from_unix_local ((gint64) plot->first),
                        b = g_date_time_new_from_unix_local ((gint64) plot->last);
  g_autofree char *from = a != NULL ? g_date_time_format (a, format) : g_strdup (""),
                  *to = b != NULL ? g_date_time_format (b, format) : g_strdup ("");
  int gap = (int) plot->width - (int) strlen (from) - (int) strlen (to);

  g_string_append_printf (out, "%16s%s%*s%s\n", "", from, MAX (gap, 1), "", to);
}

char *
ctl_plot (const CtlPoint *points, guint n, guint width, guint height, const char *unit)
{
  Plot plot = { .width = MAX (width, 20), .height = MAX (height, 4) };
  g_autofree guint8 *cells = g_new0 (guint8, plot.width * plot.height);
  GString *out = g_string_new (NULL);

  plot.cells = cells;
  plot_range (&plot, points, n);
  for (guint i = 0; i < n; i++)
    plot_line (&plot, &points[i > 0 ? i - 1 : 0], &points[i]);
  for (guint row = 0; row < plot.height; row++)
    plot_row (&plot, row, unit, out);
  plot_times (&plot, out);
  return g_string_free (out, FALSE);
}
