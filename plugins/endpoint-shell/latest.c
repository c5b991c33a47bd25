/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file keeps the newest value of each series for the shell's command that shows them. It stands apart
 * from the shell since it listens for samples as long as the instance lives, with or without people. */
#include "config.h"

#include "shell.h"

#include <string.h>

#define TEXT_MAX 200

typedef struct {
  FarSeries series;
  gint64 time_us;
  FarValueType type;
  FarQuality quality;
  double f64;
  gint64 i64;
  char *text;
} Value;

struct _Latest {
  GHashTable *values; /* series → Value */
};

static void
value_free (gpointer data)
{
  g_free (((Value *) data)->text);
  g_free (data);
}

static void
note (Latest *latest, const FarReading *group, const FarSample *sample)
{
  Value *value = g_hash_table_lookup (latest->values, GUINT_TO_POINTER (sample->series));

  if (value == NULL) {
    value = g_new0 (Value, 1);
    value->series = sample->series;
    g_hash_table_insert (latest->values, GUINT_TO_POINTER (sample->series), value);
  }
  value->time_us = group->time_us;
  value->quality = group->quality;
  value->type = sample->type;
  value->f64 = sample->type == FAR_VALUE_F64 ? sample->value.f64 : 0;
  value->i64 = sample->type == FAR_VALUE_I64    ? sample->value.i64
               : sample->type == FAR_VALUE_BOOL ? sample->value.boolean
                                                : 0;
  g_free (value->text);
  value->text = sample->type == FAR_VALUE_TEXT ? g_strndup (sample->value.text, TEXT_MAX) : NULL;
}

static void
on_group (const FarReading *group, gpointer user)
{
  for (guint i = 0; i < group->n; i++)
    note (user, group, &group->samples[i]);
}

Latest *
latest_new (FarInstance *at)
{
  Latest *latest = g_new0 (Latest, 1);

  latest->values = g_hash_table_new_full (NULL, NULL, NULL, value_free);
  far_sample_listen (at, on_group, latest);
  return latest;
}

void
latest_free (Latest *latest)
{
  g_hash_table_unref (latest->values);
  g_free (latest);
}

static char *
value_text (const Value *value)
{
  if (value->type == FAR_VALUE_F64)
    return g_strdup_printf ("%.6g", value->f64);
  if (value->type == FAR_VALUE_I64)
    return g_strdup_printf ("%" G_GINT64_FORMAT, value->i64);
  if (value->type == FAR_VALUE_BOOL)
    return g_strdup (value->i64 != 0 ? _ ("yes") : _ ("no"));
  if (value->type == FAR_VALUE_TEXT) /* from a device: nothing in it may steer the person's terminal */
    return g_strcanon (
        g_utf8_make_valid (value->text, -1),
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,:;_-+*/()[]{}<>=%&#@!?'\"|", '?');
  return g_strdup ("-");
}

static int
shell_latest_by_name (gconstpointer a, gconstpointer b)
{
  return strcmp (far_series_info (((const Value *) a)->series)->name,
                 far_series_info (((const Value *) b)->series)->name);
}

void
latest_print (Latest *latest, Shell *to, const char *name)
{
  g_autoptr (GList) values = g_list_sort (g_hash_table_get_values (latest->values), shell_latest_by_name);
  guint shown = 0;

  for (GList *at = values; at != NULL; at = at->next) {
    const Value *value = at->data;
    const FarSeriesInfo *info = far_series_info (value->series);
    g_autofree char *text = value_text (value), *time = far_clock_format (value->time_us);

    if (name != NULL && !g_str_has_prefix (info->name, name))
      continue;
    shell_print (to, "%-32s %14s %-6s %s%s\n", info->name, text, info->unit, time,
                 value->quality == FAR_QUALITY_GOOD ? "" : _ (" (not good)"));
    shown++;
  }
  if (shown == 0)
    shell_print (to, "%s\n",
                 name != NULL ? _ ("no samples of that name; see: samples") : _ ("no samples yet"));
}
