/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The newest points of one series out of many batches: what every store's range query ends in. */
#include "config.h"

#include <string.h>

#include <farwatch/store.h>

struct _FarPicker {
  char *name;
  gint64 from_us, to_us;
  guint limit;
  GArray *points;
  gint64 floor_us; /* once there are enough: the oldest that still counts */
};

static void
point_clear (gpointer data)
{
  FarPoint *point = data;

  g_clear_pointer (&point->text, g_free);
}

GArray *
far_points_new (void)
{
  GArray *points = g_array_new (FALSE, TRUE, sizeof (FarPoint));

  g_array_set_clear_func (points, point_clear);
  return points;
}

FarPicker *
far_picker_new (const char *name, gint64 from_us, gint64 to_us, guint limit)
{
  FarPicker *picker = g_new0 (FarPicker, 1);

  picker->name = g_strdup (name);
  picker->from_us = from_us;
  picker->to_us = to_us;
  picker->limit = MAX (limit, 1);
  picker->points = far_points_new ();
  picker->floor_us = from_us;
  return picker;
}

void
far_picker_free (FarPicker *picker)
{
  if (picker == NULL)
    return;
  g_array_unref (picker->points);
  g_free (picker->name);
  g_free (picker);
}

gboolean
far_picker_wants (const FarPicker *picker, gint64 newest_us)
{
  return newest_us >= picker->floor_us;
}

static FarPoint
point_of (const FarReading *group, const FarSample *sample)
{
  FarPoint point = { .time_us = group->time_us, .type = sample->type, .quality = group->quality };

  if (sample->type == FAR_VALUE_F64)
    point.f64 = sample->value.f64;
  else if (sample->type == FAR_VALUE_I64)
    point.f64 = (double) (point.i64 = sample->value.i64);
  else if (sample->type == FAR_VALUE_BOOL)
    point.f64 = (double) (point.i64 = sample->value.boolean ? 1 : 0);
  else if (sample->type == FAR_VALUE_TEXT)
    point.text = g_strdup (sample->value.text);
  return point;
}

static int
point_order (gconstpointer a, gconstpointer b)
{
  const FarPoint *x = a, *y = b;

  return (x->time_us > y->time_us) - (x->time_us < y->time_us);
}

/* Back to the newest `limit`; g_array_sort is stable. */
static void
picker_trim (FarPicker *picker)
{
  g_array_sort (picker->points, point_order);
  if (picker->points->len > picker->limit)
    g_array_remove_range (picker->points, 0, picker->points->len - picker->limit);
  if (picker->points->len == picker->limit)
    picker->floor_us = MAX (picker->floor_us, g_array_index (picker->points, FarPoint, 0).time_us);
}

static void
picker_group (const FarReading *group, const FarSeriesInfo *series, guint n_series G_GNUC_UNUSED,
              gpointer user)
{
  FarPicker *picker = user;

  if (group->time_us < picker->floor_us || group->time_us >= picker->to_us)
    return;
  for (guint i = 0; i < group->n; i++) {
    FarPoint point;

    if (strcmp (series[group->samples[i].series - 1].name, picker->name) != 0)
      continue;
    point = point_of (group, &group->samples[i]);
    g_array_append_val (picker->points, point);
    if (picker->points->len >= (gsize) picker->limit * 2 + 1024)
      picker_trim (picker);
  }
}

gboolean
far_picker_add (FarPicker *picker, GBytes *batch, GError **error)
{
  if (!far_batch_read (batch, picker_group, picker, error))
    return FALSE;
  if (picker->points->len >= picker->limit)
    picker_trim (picker);
  return TRUE;
}

GArray *
far_picker_end (FarPicker *picker)
{
  GArray *points;

  picker_trim (picker);
  points = g_array_ref (picker->points);
  far_picker_free (picker);
  return points;
}
