/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The newest points of one series out of many batches: what every store's range query ends in. */
#include "config.h"

#include <string.h>

#include <farwatch/store.h>

struct _FarLatestPoints {
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

FarLatestPoints *
far_latest_points_new (const char *name, gint64 from_us, gint64 to_us, guint limit)
{
  FarLatestPoints *latest = g_new0 (FarLatestPoints, 1);

  latest->name = g_strdup (name);
  latest->from_us = from_us;
  latest->to_us = to_us;
  latest->limit = MAX (limit, 1);
  latest->points = far_points_new ();
  latest->floor_us = from_us;
  return latest;
}

void
far_latest_points_free (FarLatestPoints *latest)
{
  if (latest == NULL)
    return;
  g_array_unref (latest->points);
  g_free (latest->name);
  g_free (latest);
}

gboolean
far_latest_points_wants (const FarLatestPoints *latest, gint64 newest_us)
{
  return newest_us >= latest->floor_us;
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
picker_trim (FarLatestPoints *latest)
{
  g_array_sort (latest->points, point_order);
  if (latest->points->len > latest->limit)
    g_array_remove_range (latest->points, 0, latest->points->len - latest->limit);
  if (latest->points->len == latest->limit)
    latest->floor_us = MAX (latest->floor_us, g_array_index (latest->points, FarPoint, 0).time_us);
}

static void
picker_group (const FarReading *group, const FarSeriesInfo *series, guint n_series G_GNUC_UNUSED,
              gpointer user)
{
  FarLatestPoints *latest = user;

  if (group->time_us < latest->floor_us || group->time_us >= latest->to_us)
    return;
  for (guint i = 0; i < group->n; i++) {
    FarPoint point;

    if (strcmp (series[group->samples[i].series - 1].name, latest->name) != 0)
      continue;
    point = point_of (group, &group->samples[i]);
    g_array_append_val (latest->points, point);
    if (latest->points->len >= (gsize) latest->limit * 2 + 1024)
      picker_trim (latest);
  }
}

gboolean
far_latest_points_add (FarLatestPoints *latest, GBytes *batch, GError **error)
{
  if (!far_batch_read (batch, picker_group, latest, error))
    return FALSE;
  if (latest->points->len >= latest->limit)
    picker_trim (latest);
  return TRUE;
}

GArray *
far_latest_points_end (FarLatestPoints *latest)
{
  GArray *points;

  picker_trim (latest);
  points = g_array_ref (latest->points);
  far_latest_points_free (latest);
  return points;
}
