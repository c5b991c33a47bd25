/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a sensor through its filters to all who listen. */
#include "config.h"

#include "data/sample-private.h"

#include "base/node-part.h"

#include <string.h>

#include "data/listener.h"
#include "life/instance-private.h"

#include <farwatch/thread.h>

static void
sample_listeners_clear (gpointer part)
{
  far_listeners_clear (part);
}

static FarListeners *
sample_listeners (void)
{
  static const FarNodePart part = { FAR_PART_SAMPLE, sizeof (FarListeners), NULL, sample_listeners_clear };

  return far_node_part (&part);
}

guint
far_sample_listen (FarInstance *at, FarReadingFunc func, gpointer user)
{
  FAR_ON_MAIN ();
  return far_listeners_add (sample_listeners (), at, (FarListenerFunc) func, user);
}

void
far_sample_unlisten (guint id)
{
  FAR_ON_MAIN ();
  far_listeners_remove (sample_listeners (), id);
}

static void
sample_listener_call (FarListenerFunc func, gconstpointer group, gpointer user)
{
  ((FarReadingFunc) func) (group, user);
}

/* To the first filter of names that runs; what is broken or missing is passed by, with a word. */
static void
pass_on (const char *const *names, FarInstance *sensor, const FarReading *group)
{
  for (; names != NULL && *names != NULL; names++) {
    g_autoptr (GError) error = NULL;
    FarInstance *filter = far_instance_find (FAR_KIND_FILTER, *names, &error);

    if (filter != NULL) {
      ((const FarFilterType *) filter->type)->feed (filter->self, group);
      return;
    }
    far_log_limited (sensor, *names, _ ("its samples pass unfiltered: %s"), error->message);
  }
  far_listeners_tell (sample_listeners (), sample_listener_call, group);
}

void
far_sample_push (FarInstance *at, const FarReading *group)
{
  FAR_ON_MAIN ();
  FarReading own = *group;

  if (own.time_us == 0)
    own.time_us = far_sensor_tick_us (at);
  far_sensor_gave (at, &own);
  pass_on (far_sensor_filters (at), at, &own);
}

/* The sensor stands in the name of the series, before the dot: so a filter may emit later, and serve many
 * sensors. */
static FarInstance *
sensor_of (const FarReading *group)
{
  const FarSeriesInfo *info = group->n > 0 ? far_series_info (group->samples[0].series) : NULL;
  g_autofree char *device = info != NULL ? far_series_device (info->name) : NULL;
  const char *name = info == NULL     ? ""
                     : device != NULL ? info->name + strlen ("devices/") + strlen (device) + 1
                                      : info->name,
             *dot = strchr (name, '.');
  g_autofree char *path = dot != NULL ? g_strdup_printf ("sensors.%.*s", (int) (dot - name), name) : NULL;

  return path != NULL ? far_instances_by_path (path) : NULL;
}

void
far_filter_emit (FarInstance *at, const FarReading *group)
{
  FAR_ON_MAIN ();
  FarInstance *sensor = sensor_of (group);
  const char *const *names = sensor != NULL && sensor->type != NULL ? far_sensor_filters (sensor) : NULL;

  while (names != NULL && *names != NULL && !g_str_equal (*names, at->name))
    names++;
  pass_on (names != NULL && *names != NULL ? names + 1 : NULL, sensor, group);
}
