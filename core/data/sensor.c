/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When sensors are read: at ticks that are whole multiples of their interval, so that all nodes read at the
 * same times. A sensor that fails is asked ever more rarely, up to 32 times its interval; one success
 * restores it. (spec B2) */
#include "config.h"

#include <inttypes.h>

#include <farwatch/clock.h>

#include "life/instance-private.h"
#include "data/sample-private.h"
#include "data/sensor-private.h"

#define SLOW_MAX 5 /* doublings */
#define CLOCK_MOVED_US (2 * G_USEC_PER_SEC)

struct _FarSensorRun {
  FarInstance *at;
  FarLoopTimer *timer;
  FarRequest *req;       /* reading now */
  gint64 tick_us;        /* wall: of that reading */
  gint64 tick_offset_us; /* what the wall clock was ahead of boottime then */
  guint slow;            /* doublings in force */
  GArray *series;        /* FarSeries it has given */
};

static const FarOption *
option_named (const FarType *type, const char *name, FarOptType kind)
{
  for (const FarOption *option = type->options; option != NULL && option->type != FAR_OPT_END; option++)
    if (option->type == kind && g_str_equal (option->name, name))
      return option;
  return NULL;
}

static gint64
interval_us (const FarInstance *at)
{
  const FarOption *option = option_named (at->type, "interval", FAR_OPT_DURATION);
  gint64 interval = option != NULL ? G_STRUCT_MEMBER (gint64, at->options, option->offset) : 0;

  return MAX (interval, 100000);
}

const char *const *
far_sensor_filters (const FarInstance *at)
{
  const FarOption *option = option_named (at->type, "filters", FAR_OPT_REFS);

  return option != NULL ? (const char *const *) G_STRUCT_MEMBER (GStrv, at->options, option->offset) : NULL;
}

const char *
far_sensor_device (const FarInstance *at)
{
  const FarOption *option = at->kind == FAR_KIND_SENSOR && at->options != NULL
                                ? option_named (at->type, "device", FAR_OPT_STRING)
                                : NULL;
  const char *device = option != NULL ? G_STRUCT_MEMBER (char *, at->options, option->offset) : NULL;

  return device != NULL && *device != '\0' ? device : NULL;
}

/* The clock may have been found wrong since the tick. */
static gint64
sensor_tick_us (const FarSensorRun *run)
{
  gint64 moved = far_clock_wall_us () - far_clock_boottime_us () - run->tick_offset_us;

  return run->tick_us + (ABS (moved) > CLOCK_MOVED_US ? moved : 0);
}

gint64
far_sensor_tick_us (const FarInstance *at)
{
  return at->sensor != NULL && at->sensor->req != NULL ? sensor_tick_us (at->sensor) : far_clock_wall_us ();
}

void
far_sensor_gave (FarInstance *at, const FarReading *group)
{
  FarSensorRun *run = at->sensor;

  for (guint i = 0; run != NULL && i < group->n; i++) {
    gboolean known = FALSE;

    for (guint j = 0; j < run->series->len && !known; j++)
      known = g_array_index (run->series, FarSeries, j) == group->samples[i].series;
    if (!known)
      g_array_append_val (run->series, group->samples[i].series);
  }
}

/* A reading that failed is told too: a gap in the curve must not look like a dead node. */
static void
push_bad (FarSensorRun *run, const GError *error)
{
  g_autofree FarSample *samples = g_new0 (FarSample, run->series->len);
  FarReading group = { .time_us = sensor_tick_us (run),
                       .quality = FAR_QUALITY_BAD,
                       .reason = far_error_word (error),
                       .n = run->series->len,
                       .samples = samples };

  for (guint i = 0; i < group.n; i++)
    samples[i].series = g_array_index (run->series, FarSeries, i);
  if (group.n > 0)
    far_sample_push (run->at, &group);
}

static void
sensor_schedule (FarSensorRun *run)
{
  gint64 interval = interval_us (run->at) << run->slow, now = far_clock_wall_us ();
  gint64 when = far_clock_boottime_us () + (now / interval + 1) * interval - now;

  far_loop_timer_set (run->timer, when);
}

static void
sensor_done (FarRequest *req, gpointer user)
{
  FarSensorRun *run = user;
  const GError *error = far_request_error (req);
  FarInstance *at = run->at;

  g_clear_pointer (&run->req, far_request_unref);
  if (at->sensor != run)
    return; /* ended; the request was cancelled */
  if (error != NULL) {
    push_bad (run, error);
    run->slow = MIN (run->slow + 1, SLOW_MAX);
    far_log_limited (at, "sample", _ ("reading failed: %s; read every %" PRId64 " s until it succeeds"),
                     error->message, (interval_us (at) << run->slow) / 1000000);
  } else if (run->slow > 0) {
    run->slow = 0;
    far_log (at, G_LOG_LEVEL_MESSAGE, _ ("reading succeeds again"));
  }
  sensor_schedule (run);
}

static void
sensor_tick (gpointer data)
{
  FarSensorRun *run = data;
  const FarSensorType *type = (const FarSensorType *) run->at->type;
  gint64 interval = interval_us (run->at) << run->slow;
  guint timeout_ms = (guint) CLAMP (interval / 1000, 1000, 60000);

  run->tick_us = (far_clock_wall_us () / interval) * interval;
  run->tick_offset_us = far_clock_wall_us () - far_clock_boottime_us ();
  run->req = far_request_ref (far_request_new (sensor_done, run, timeout_ms));
  type->sample (run->at->self, run->req);
}

void
far_sensor_begin (FarInstance *at)
{
  FarSensorRun *run;

  if (at->sensor != NULL || ((const FarSensorType *) at->type)->sample == NULL)
    return;
  run = g_new0 (FarSensorRun, 1);
  run->at = at;
  run->series = g_array_new (FALSE, FALSE, sizeof (FarSeries));
  run->timer = far_loop_timer (far_loop_main (), G_MAXINT64, sensor_tick, run);
  at->sensor = run;
  sensor_schedule (run);
}

void
far_sensor_end (FarInstance *at)
{
  FarSensorRun *run = g_steal_pointer (&at->sensor);

  if (run == NULL)
    return;
  if (run->req != NULL)
    far_request_cancel (run->req);
  far_loop_timer_free (run->timer);
  g_array_unref (run->series);
  g_free (run);
}

void
far_sensor_changed (FarInstance *at)
{
  if (at->sensor != NULL && at->sensor->req == NULL)
    sensor_schedule (at->sensor);
}
