/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Times of a person: what a table shows may be typed in again. */
#include "config.h"

#include "ctl.h"

#include <string.h>

#include <farwatch/clock.h>
#include <farwatch/option.h>

/* Without a zone it is this machine's, as the person's clock on the wall. */
static GDateTime *
times_iso (const char *text)
{
  g_autoptr (GTimeZone) here = g_time_zone_new_local ();
  gsize length = strlen (text);
  const char *rest = length == strlen ("2026-01-02")         ? "T00:00:00"
                     : length == strlen ("2026-01-02 03:04") ? ":00"
                                                             : "";
  g_autofree char *full = g_strconcat (text, rest, NULL);

  return g_date_time_new_from_iso8601 (full, here);
}

gboolean
ctl_time (char **text, GError **error)
{
  g_autoptr (GDateTime) date = *text != NULL ? times_iso (*text) : NULL;
  gint64 wall_us, back_us;

  if (*text == NULL)
    return TRUE;
  if (date != NULL)
    wall_us = g_date_time_to_unix (date) * G_USEC_PER_SEC + g_date_time_get_microsecond (date);
  else if (far_parse_duration (*text, &back_us, NULL))
    wall_us = far_clock_wall_us () - back_us;
  else {
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID,
                 _ ("'%s' is no time: write 2026-01-02, '2026-01-02 03:04' (local; with Z or +01:00 "
                    "elsewhere), or how long ago, like 2h"),
                 *text);
    return FALSE;
  }
  g_free (*text);
  *text = far_clock_format (wall_us);
  return TRUE;
}
