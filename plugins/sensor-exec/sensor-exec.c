/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Values from programs that follow the monitoring-plugins convention: exit status 0 to 3 is the state, the
 * first line says why, values follow '|'. */
#include "config.h"

#include <string.h>
#include <sys/wait.h>

#include "perfdata.h"
#include "run.h"

#define STATE_UNKNOWN 3
#define SAY_LIMITS_US (3600 * (gint64) G_USEC_PER_SEC)

typedef struct {
  gint64 interval;
  char **filters;
  char *device;
  char **command;
  gint64 timeout_us;
} ExecOptions;

typedef struct {
  FarInstance *at;
  Run *run;
  FarRequest *req;    /* of the run */
  GHashTable *limits; /* channel → Limits: those said last */
} Exec;

typedef struct {
  char *text;
  gint64 said_us; /* boottime */
} Limits;

static const ExecOptions *
exec_options (Exec *self)
{
  return far_instance_options (self->at);
}

/* ---- what came out ---- */

static void
exec_push (Exec *self, gint64 state, const char *text, const char *reason)
{
  FarSample samples[] = {
    { far_series (self->at, "state", "1"), FAR_VALUE_I64, { .i64 = state } },
    { far_series (self->at, "text", "1"), FAR_VALUE_TEXT, { .text = text } },
  };
  FarReading group = { .quality = reason == NULL ? FAR_QUALITY_GOOD : FAR_QUALITY_BAD,
                       .reason = reason,
                       .n = 2,
                       .samples = samples };

  far_sample_push (self->at, &group);
}

/* Limits are the same for weeks: they are said when they change, and each hour, so that they live as long as
 * the values. */
static void
push_limits (Exec *self, const PerfValue *value)
{
  Limits *last = g_hash_table_lookup (self->limits, value->channel);
  g_autofree char *channel = g_strconcat (value->channel, "@limits", NULL);
  FarSample sample = { far_series (self->at, channel, "1"), FAR_VALUE_TEXT, { .text = value->limits } };
  FarReading group = { .quality = FAR_QUALITY_GOOD, .n = 1, .samples = &sample };

  if (last != NULL && strcmp (last->text, value->limits) == 0 &&
      far_clock_boottime_us () - last->said_us < SAY_LIMITS_US)
    return;
  if (last == NULL && g_hash_table_size (self->limits) >= PERFDATA_MAX)
    g_hash_table_remove_all (self->limits); /* a check whose labels change for ever */
  last = g_new (Limits, 1);
  *last = (Limits){ g_strdup (value->limits), far_clock_boottime_us () };
  g_hash_table_replace (self->limits, g_strdup (value->channel), last);
  far_sample_push (self->at, &group);
}

static void
push_values (Exec *self, const Perfdata *perfdata)
{
  g_autofree FarSample *samples = g_new0 (FarSample, perfdata->values->len + 1);
  FarReading good = { .quality = FAR_QUALITY_GOOD, .samples = samples };
  guint n = 0;

  for (guint i = 0; i < perfdata->values->len; i++) {
    const PerfValue *value = &g_array_index (perfdata->values, PerfValue, i);
    FarSample sample = { far_series (self->at, value->channel, value->unit),
                         value->known ? FAR_VALUE_F64 : FAR_VALUE_NONE,
                         { .f64 = value->value } };
    FarReading unknown = { .quality = FAR_QUALITY_BAD, .reason = "unknown", .n = 1, .samples = &sample };

    if (value->known)
      samples[n++] = sample;
    else
      far_sample_push (self->at, &unknown);
    if (value->limits != NULL)
      push_limits (self, value);
  }
  good.n = n;
  if (n > 0)
    far_sample_push (self->at, &good);
}

/* Other exit statuses than 0 to 3, signals too, are UNKNOWN; then stderr says more than stdout. */
static gint64
state_of (const RunResult *result)
{
  int status = WIFEXITED (result->status) ? WEXITSTATUS (result->status) : STATE_UNKNOWN;

  return status <= STATE_UNKNOWN ? status : STATE_UNKNOWN;
}

static char *
exec_text_of (const RunResult *result, const Perfdata *perfdata)
{
  gboolean odd = !WIFEXITED (result->status) || WEXITSTATUS (result->status) > STATE_UNKNOWN;
  g_autoptr (Perfdata) errors = perfdata_parse (result->errors, strlen (result->errors));

  if (!odd && *perfdata->text != '\0')
    return g_strdup (perfdata->text);
  if (*errors->text != '\0')
    return g_strdup (errors->text);
  if (WIFSIGNALED (result->status))
    return g_strdup_printf (_ ("ended by signal %d"), WTERMSIG (result->status));
  return *perfdata->text != '\0'
             ? g_strdup (perfdata->text)
             : g_strdup_printf (_ ("exit status %d and no text"), WEXITSTATUS (result->status));
}

static void
exec_done (const RunResult *result, gpointer user)
{
  Exec *self = user;
  g_autoptr (Perfdata) perfdata = perfdata_parse (result->output, result->output_size);
  g_autofree char *text = NULL;

  self->run = NULL;
  if (result->timed_out)
    exec_push (self, STATE_UNKNOWN, _ ("no answer in time"), "timeout");
  else {
    text = exec_text_of (result, perfdata);
    exec_push (self, state_of (result), text, NULL);
    push_values (self, perfdata);
  }
  if (perfdata->repeated > 0)
    far_log_limited (self->at, "twice",
                     "%u values of %s have a label that stood there before: the first counts",
                     perfdata->repeated, exec_options (self)->command[0]);
  if (perfdata->cut)
    far_log_limited (self->at, "nul", "%s printed a NUL: what stands behind it is left out",
                     exec_options (self)->command[0]);
  if (perfdata->bad > 0)
    far_log_limited (self->at, "perfdata", "%u values of %s cannot be read", perfdata->bad,
                     exec_options (self)->command[0]);
  far_request_done (self->req, NULL, NULL);
  g_clear_pointer (&self->req, far_request_unref);
}

/* ---- the type ---- */

/* Core asks no longer than a cycle (1 s to 60 s): the program ends a little before. */
static gint64
time_limit (const ExecOptions *options)
{
  return MIN (options->timeout_us, CLAMP (options->interval, G_USEC_PER_SEC, 60 * G_USEC_PER_SEC) * 9 / 10);
}

static void
exec_sample (gpointer data, FarRequest *req)
{
  Exec *self = data;
  const ExecOptions *options = exec_options (self);
  GError *error = NULL;

  if (self->run != NULL) {
    far_request_fail_new (req, FAR_ERROR_LIMIT, _ ("%s still runs"), options->command[0]);
    return;
  }
  self->run = run_start (self->at, options->command, time_limit (options), exec_done, self, &error);
  if (self->run == NULL)
    far_request_fail (req, error);
  else
    self->req = far_request_ref (req);
}

static void
limits_free (gpointer data)
{
  g_free (((Limits *) data)->text);
  g_free (data);
}

static gboolean
exec_init (gpointer data, FarInstance *at, GError **error G_GNUC_UNUSED)
{
  Exec *self = data;

  self->at = at;
  self->limits = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, limits_free);
  return TRUE;
}

static void
exec_fini (gpointer data)
{
  g_hash_table_unref (((Exec *) data)->limits);
}

static gboolean
exec_start (gpointer data, GError **error)
{
  Exec *self = data;
  char **command = exec_options (self)->command;

  if (command == NULL || command[0] == NULL || command[0][0] != '/') {
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_CONFIG,
                         _ ("command: wants a list whose first entry is the program with its full path, like "
                            "[/usr/lib/nagios/plugins/check_load, -w, \"5,4,3\"]"));
    return FALSE;
  }
  far_instance_ready (self->at);
  return TRUE;
}

static void
exec_stop (gpointer data)
{
  Exec *self = data;

  g_clear_pointer (&self->run, run_stop);
  g_clear_pointer (&self->req, far_request_unref);
}

static const FarOption exec_options_table[] = {
  FAR_SENSOR_OPTIONS (ExecOptions),
  FAR_SENSOR_DEVICE (ExecOptions),
  { .name = "command",
    .type = FAR_OPT_LIST,
    .flags = FAR_OPT_REQUIRED | FAR_OPT_PROGRAM,
    .offset = G_STRUCT_OFFSET (ExecOptions, command),
    .summary = N_ ("program with its full path, and its arguments; no shell is involved") },
  { .name = "timeout",
    .type = FAR_OPT_DURATION,
    .flags = FAR_OPT_RELOADABLE,
    .offset = G_STRUCT_OFFSET (ExecOptions, timeout_us),
    .fallback = "10s",
    .summary = N_ ("after this the program and what it started are killed; never longer than the interval"),
    .min = 100000,
    .max = 60000000 },
  { .type = FAR_OPT_END },
};

static const FarSensorType exec_type = {
  .type = {
    .kind = FAR_KIND_SENSOR,
    .name = "exec",
    .summary = N_ ("values from programs, monitoring-plugins convention"),
    .instance_size = sizeof (Exec),
    .options_size = sizeof (ExecOptions),
    .options = exec_options_table,
    .init = exec_init,
    .start = exec_start,
    .stop = exec_stop,
    .fini = exec_fini,
  },
  .sample = exec_sample,
};

FAR_PLUGIN ("sensor-exec", "0.1", "sensor/exec", "", &exec_type.type)
