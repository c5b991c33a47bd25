/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file writes points in time as text and reads them, also as how long ago, in the one form that
 * profiles, messages and people share. Durations alone are option.c. */
#include "config.h"

#include <farwatch/clock.h>
#include <farwatch/error.h>
#include <farwatch/option.h>

char *
far_clock_format (gint64 wall_us)
{
  g_autoptr (GDateTime)
      second = g_date_time_new_from_unix_utc (wall_us / G_USEC_PER_SEC - (wall_us % G_USEC_PER_SEC < 0));
  if (second == NULL)
    return g_strdup ("out of range");
  gint64 rest = (wall_us % G_USEC_PER_SEC + G_USEC_PER_SEC) % G_USEC_PER_SEC;
  g_autofree char *text = g_date_time_format (second, "%Y-%m-%dT%H:%M:%S");
  return g_strdup_printf ("%s.%03dZ", text, (int) (rest / 1000));
}

/* "2026-01-02" → midnight UTC; anything longer goes to GLib, without a zone as UTC. */
static GDateTime *
parse_iso (const char *text)
{
  g_autoptr (GTimeZone) utc = g_time_zone_new_utc ();
  if (strlen (text) != 10)
    return g_date_time_new_from_iso8601 (text, utc);
  g_autofree char *full = g_strconcat (text, "T00:00:00Z", NULL);
  return g_date_time_new_from_iso8601 (full, utc);
}

gboolean
far_clock_parse (const char *text, gint64 *wall_us, GError **error)
{
  g_autoptr (GDateTime) date = parse_iso (text);
  gint64 back;
  if (date != NULL) {
    *wall_us = g_date_time_to_unix (date) * G_USEC_PER_SEC + g_date_time_get_microsecond (date);
    return TRUE;
  }
  if (far_parse_duration (text, &back, NULL)) {
    *wall_us = far_clock_wall_us () - back;
    return TRUE;
  }
  g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID,
               "'%s' is no time: write 2026-01-02T03:04:05Z, 2026-01-02, or how long ago, like 2h", text);
  return FALSE;
}

char *
far_clock_off_text (gint64 us)
{
  static const struct {
    gint64 us;
    const char *unit;
  } units[] = { { G_TIME_SPAN_DAY, "d" }, { G_TIME_SPAN_HOUR, "h" }, { G_TIME_SPAN_MINUTE, "min" } };

  us = ABS (us);
  for (guint i = 0; i < G_N_ELEMENTS (units); i++)
    if (us >= 2 * units[i].us)
      return g_strdup_printf ("%" G_GINT64_FORMAT " %s", (us + units[i].us / 2) / units[i].us, units[i].unit);
  return g_strdup_printf ("%" G_GINT64_FORMAT " s", (us + G_USEC_PER_SEC / 2) / G_USEC_PER_SEC);
}
