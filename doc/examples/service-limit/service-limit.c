/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A service: it looks at the values of this node as they come, remembers which are above a limit, answers
 * `GET alarms`, tells who watches `alarms` of each change, and raises an event for each, of which core tells
 * the notifiers of the profile. */
#define FAR_PLUGIN_LICENSE "LGPL-2.1-or-later"
#include <farwatch/plugin.h>

typedef struct {
  char **values;
  double above;
} LimitOptions;

typedef struct {
  FarInstance *at;
  GHashTable *alarms; /* name of the value → since when it is too high (wall, gint64 *) */
  GArray *watches;
} Limit;

/* ---- what happens ---- */

static json_t *
alarm_json (const char *name, gboolean on, gint64 since_us)
{
  g_autofree char *since = far_clock_format (since_us);

  return json_pack ("{s:s, s:b, s:s}", "value", name, "alarm", on, "since", since);
}

static void
limit_change (Limit *self, const char *name, gboolean on, gint64 time_us)
{
  double above = ((const LimitOptions *) far_instance_options (self->at))->above;

  if (on)
    g_hash_table_insert (self->alarms, g_strdup (name), g_memdup2 (&time_us, sizeof time_us));
  else
    g_hash_table_remove (self->alarms, name);
  if (on) /* the log has it, too */
    far_event_raise (self->at, FAR_SEVERITY_WARNING, name, _ ("above %g"), above);
  else
    far_event_clear (self->at, name, _ ("at or below %g again"), above);
  for (guint i = self->watches->len;
       i-- > 0;) /* backwards: a watch whose reader is too slow, or may no longer, is taken out meanwhile */
    far_subscription_event (g_array_index (self->watches, guint, i), alarm_json (name, on, time_us));
}

/* For all groups of this node, from any sensor. */
static void
limit_group (const FarReading *group, gpointer data)
{
  Limit *self = data;
  const LimitOptions *options = far_instance_options (self->at);

  for (guint i = 0; i < group->n && group->quality == FAR_QUALITY_GOOD; i++) {
    const FarSample *sample = &group->samples[i];
    const char *name = far_series_info (sample->series)->name;
    double value = sample->type == FAR_VALUE_I64 ? (double) sample->value.i64 : sample->value.f64;
    gboolean number = sample->type == FAR_VALUE_F64 || sample->type == FAR_VALUE_I64;

    if (number && g_strv_contains ((const char *const *) options->values, name) &&
        (value > options->above) != g_hash_table_contains (self->alarms, name))
      limit_change (self, name, value > options->above, group->time_us);
  }
}

/* ---- what it is asked ---- */

static void
limit_get (gpointer data, FarCall *call)
{
  Limit *self = data;
  json_t *list = json_array ();
  GHashTableIter iter;
  gpointer name, since;

  g_hash_table_iter_init (&iter, self->alarms);
  while (g_hash_table_iter_next (&iter, &name, &since))
    json_array_append_new (list, alarm_json (name, TRUE, *(gint64 *) since));
  far_call_answer (call, 200, json_pack ("{s:o}", "alarms", list));
}

static void
limit_watch_gone (guint watch, gpointer data)
{
  Limit *self = data;

  for (guint i = 0; i < self->watches->len; i++)
    if (g_array_index (self->watches, guint, i) == watch)
      g_array_remove_index_fast (self->watches, i--);
}

static void
limit_watch (gpointer data, FarCall *call)
{
  Limit *self = data;
  guint watch = far_call_subscribe (call, limit_watch_gone, self);

  if (watch != 0)
    g_array_append_val (self->watches, watch);
}

/* ---- life: the listener and the watches end with the instance, nothing is left to stop ---- */

static gboolean
limit_init (gpointer data, FarInstance *at, GError **error G_GNUC_UNUSED)
{
  Limit *self = data;

  self->at = at;
  self->alarms = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self->watches = g_array_new (FALSE, FALSE, sizeof (guint));
  return TRUE;
}

static gboolean
limit_start (gpointer data, GError **error G_GNUC_UNUSED)
{
  Limit *self = data;

  far_sample_listen (self->at, limit_group, self);
  far_instance_ready (self->at);
  return TRUE;
}

static void
limit_fini (gpointer data)
{
  Limit *self = data;

  g_hash_table_unref (self->alarms);
  g_array_unref (self->watches);
}

static const FarOption limit_options[] = {
  { .name = "values",
    .type = FAR_OPT_LIST,
    .flags = FAR_OPT_REQUIRED,
    .offset = G_STRUCT_OFFSET (LimitOptions, values),
    .summary = N_ ("names of values of this node, as farctl samples shows them") },
  { .name = "above",
    .type = FAR_OPT_DOUBLE,
    .flags = FAR_OPT_REQUIRED | FAR_OPT_RELOADABLE,
    .offset = G_STRUCT_OFFSET (LimitOptions, above),
    .summary = N_ ("an alarm is on while the value is higher") },
  { .type = FAR_OPT_END },
};

/* Who may: whoever has the right to see this node. */
static const FarHandler limit_handlers[] = {
  { .method = "GET",
    .pattern = "alarms",
    .action = FAR_ACTION_SEE,
    .object = "node",
    .handle = limit_get,
    .summary = N_ ("values that are too high") },
  { .method = "WATCH",
    .pattern = "alarms",
    .action = FAR_ACTION_SEE,
    .object = "node",
    .handle = limit_watch,
    .summary = N_ ("each value that becomes too high, or is not any more") },
  { .method = NULL },
};

static const FarServiceType limit_type = {
  .type = { .kind = FAR_KIND_SERVICE,
            .name = "limit",
            .summary = N_ ("alarms for values above a limit"),
            .instance_size = sizeof (Limit),
            .options_size = sizeof (LimitOptions),
            .options = limit_options,
            .init = limit_init,
            .start = limit_start,
            .fini = limit_fini },
  .handlers = limit_handlers,
};

FAR_PLUGIN ("service-limit", "0.1", "service/limit", "", &limit_type.type)
