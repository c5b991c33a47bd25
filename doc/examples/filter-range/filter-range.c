/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A filter: values that cannot be true are passed on as bad. A thermometer that is torn off says 85 °C, a
 * pressure gauge -1. */
#define FAR_PLUGIN_LICENSE "LGPL-2.1-or-later"
#include <farwatch/plugin.h>

typedef struct {
  double min, max;
} RangeOptions;

typedef struct {
  FarInstance *at;
} Range;

static gboolean
range_holds (const RangeOptions *options, const FarSample *sample)
{
  double value;

  if (sample->type == FAR_VALUE_F64)
    value = sample->value.f64;
  else if (sample->type == FAR_VALUE_I64)
    value = (double) sample->value.i64;
  else
    return TRUE; /* texts, yes and no: nothing to compare */
  return value >= options->min && value <= options->max;
}

/* A group has one quality, so the samples in range and those out of it leave as two groups, with the same
 * time. */
static void
range_emit (FarInstance *at, const FarReading *group, gboolean held)
{
  g_autofree FarSample *some = g_new (FarSample, group->n);
  FarReading out = *group;

  out.n = 0;
  out.samples = some;
  for (guint i = 0; i < group->n; i++)
    if (range_holds (far_instance_options (at), &group->samples[i]) == held)
      some[out.n++] = group->samples[i];
  if (!held) {
    out.quality = FAR_QUALITY_BAD;
    out.reason = "out of range";
  }
  if (out.n > 0)
    far_filter_emit (at, &out);
}

static void
range_feed (gpointer data, const FarReading *group)
{
  Range *self = data;

  range_emit (self->at, group, TRUE);
  range_emit (self->at, group, FALSE);
}

static gboolean
range_init (gpointer data, FarInstance *at, GError **error G_GNUC_UNUSED)
{
  ((Range *) data)->at = at;
  return TRUE;
}

static gboolean
range_start (gpointer data, GError **error G_GNUC_UNUSED)
{
  far_instance_ready (((Range *) data)->at);
  return TRUE;
}

static const FarOption range_options[] = {
  { .name = "min",
    .type = FAR_OPT_DOUBLE,
    .flags = FAR_OPT_REQUIRED | FAR_OPT_RELOADABLE,
    .offset = G_STRUCT_OFFSET (RangeOptions, min),
    .summary = N_ ("the smallest value that can be true") },
  { .name = "max",
    .type = FAR_OPT_DOUBLE,
    .flags = FAR_OPT_REQUIRED | FAR_OPT_RELOADABLE,
    .offset = G_STRUCT_OFFSET (RangeOptions, max),
    .summary = N_ ("the largest value that can be true") },
  { .type = FAR_OPT_END },
};

static const FarFilterType range_type = {
  .type = { .kind = FAR_KIND_FILTER,
            .name = "range",
            .summary = N_ ("values out of a range are passed on as bad"),
            .instance_size = sizeof (Range),
            .options_size = sizeof (RangeOptions),
            .options = range_options,
            .init = range_init,
            .start = range_start },
  .feed = range_feed,
};

FAR_PLUGIN ("filter-range", "0.1", "filter/range", "", &range_type.type)
