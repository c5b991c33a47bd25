/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This is the smallest sensor: it reads a number from a file below /proc or /sys. doc/writing-a-plugin.md
 * explains it line by line. */
#define FAR_PLUGIN_LICENSE "LGPL-2.1-or-later"
#include <farwatch/plugin.h>

typedef struct {
  gint64 interval;
  char **filters;
  char *path, *unit;
  double factor;
} NumberOptions;

typedef struct {
  FarInstance *at;
} Number;

static const FarOption number_options[] = {
  FAR_SENSOR_OPTIONS (NumberOptions),
  { .name = "path",
    .type = FAR_OPT_PATH,
    .flags = FAR_OPT_REQUIRED,
    .offset = G_STRUCT_OFFSET (NumberOptions, path),
    .summary = N_ ("file below /proc or /sys that holds a number") },
  { .name = "unit",
    .type = FAR_OPT_STRING,
    .offset = G_STRUCT_OFFSET (NumberOptions, unit),
    .fallback = "1",
    .summary = N_ ("unit of the value (UCUM)") },
  { .name = "factor",
    .type = FAR_OPT_DOUBLE,
    .offset = G_STRUCT_OFFSET (NumberOptions, factor),
    .fallback = "1.0",
    .summary = N_ ("what the number is multiplied by") },
  { .type = FAR_OPT_END },
};

static gboolean
number_init (gpointer self, FarInstance *at, GError **error G_GNUC_UNUSED)
{
  ((Number *) self)->at = at;
  return TRUE;
}

static gboolean
number_start (gpointer self, GError **error G_GNUC_UNUSED)
{
  far_instance_ready (((Number *) self)->at);
  return TRUE;
}

/* On the main context: fine for /proc and /sys, which do not block. What can block goes through
 * far_run_blocking(). */
static void
number_sample (gpointer self, FarRequest *req)
{
  FarInstance *at = ((Number *) self)->at;
  const NumberOptions *options = far_instance_options (at);
  FarSample sample = { far_series (at, "value", options->unit), FAR_VALUE_F64, { .f64 = 0 } };
  const FarReading group = { .quality = FAR_QUALITY_GOOD, .n = 1, .samples = &sample };
  g_autofree char *text = NULL;
  GError *error = NULL;

  if (!g_file_get_contents (options->path, &text, NULL, &error)) {
    far_request_fail (req, error);
    return;
  }
  sample.value.f64 = g_ascii_strtod (text, NULL) * options->factor;
  far_sample_push (at, &group);
  far_request_done (req, NULL, NULL);
}

static const FarSensorType number_type = {
  .type = { .kind = FAR_KIND_SENSOR,
            .name = "number",
            .summary = N_ ("a number in a file of the kernel"),
            .instance_size = sizeof (Number),
            .options_size = sizeof (NumberOptions),
            .options = number_options,
            .init = number_init,
            .start = number_start },
  .sample = number_sample,
};

FAR_PLUGIN ("sensor-number", "0.1", "sensor/number", "", &number_type.type)
