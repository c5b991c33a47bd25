/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a sensor through its filters to all who listen. */
#include "config.h"

#include "data/sample-private.h"

#include "base/node-part.h"

#include <string.h>

#include "life/instance-private.h"
#include "loop/owned.h"

typedef struct {
  FarOwned owned;
  guint id;
  FarReadingFunc func; /* NULL: gone */
  gpointer user;
} Listener;

typedef struct {
  GPtrArray *list; /* of Listener */
  guint last_id, depth;
} Listeners;

static void
listeners_clear (gpointer part)
{
  Listeners *self = part;

  for (guint i = 0; self->list != NULL && i < self->list->len; i++)
    far_owned_leave (&((Listener *) self->list->pdata[i])->owned); /* its instance may go later */
  g_clear_pointer (&self->list, g_ptr_array_unref);
}

static Listeners *
listeners (void)
{
  static const FarNodePart part = { FAR_PART_SAMPLE, sizeof (Listeners), NULL, listeners_clear };

  return far_node_part (&part);
}

static void
remove_gone (void)
{
  for (guint i = listeners ()->list->len; i > 0; i--)
    if (((Listener *) listeners ()->list->pdata[i - 1])->func == NULL)
      g_ptr_array_remove_index (listeners ()->list, i - 1);
  if (listeners ()->list->len == 0)
    g_clear_pointer (&listeners ()->list, g_ptr_array_unref);
}

/* A listener may leave from inside its call. */
static void
sample_listener_end (gpointer thing)
{
  Listener *listener = thing;

  far_owned_leave (&listener->owned);
  listener->func = NULL;
  if (listeners ()->depth == 0)
    remove_gone ();
}

guint
far_sample_listen (FarInstance *at, FarReadingFunc func, gpointer user)
{
  Listener *listener = g_new0 (Listener, 1);

  *listener = (Listener){ .id = ++listeners ()->last_id, .func = func, .user = user };
  far_owned_by (&listener->owned, at, sample_listener_end, listener);
  if (listeners ()->list == NULL)
    listeners ()->list = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_add (listeners ()->list, listener);
  return listener->id;
}

void
far_sample_unlisten (guint id)
{
  for (guint i = 0; listeners ()->list != NULL && i < listeners ()->list->len; i++) {
    Listener *listener = listeners ()->list->pdata[i];

    if (listener->id == id && listener->func != NULL) {
      sample_listener_end (listener);
      return;
    }
  }
}

static void
tell_listeners (const FarReading *group)
{
  guint n = listeners ()->list != NULL ? listeners ()->list->len : 0;

  listeners ()->depth++;
  for (guint i = 0; i < n; i++) {
    const Listener *listener = listeners ()->list->pdata[i];

    if (listener->func != NULL)
      listener->func (group, listener->user);
  }
  listeners ()->depth--;
  if (listeners ()->depth == 0 && listeners ()->list != NULL)
    remove_gone ();
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
  tell_listeners (group);
}

void
far_sample_push (FarInstance *at, const FarReading *group)
{
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
  FarInstance *sensor = sensor_of (group);
  const char *const *names = sensor != NULL && sensor->type != NULL ? far_sensor_filters (sensor) : NULL;

  while (names != NULL && *names != NULL && !g_str_equal (*names, at->name))
    names++;
  pass_on (names != NULL && *names != NULL ? names + 1 : NULL, sensor, group);
}
