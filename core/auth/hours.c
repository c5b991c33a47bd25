/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file parses the hours of a right and answers whether a time lies in them. It works on text and
 * times alone and knows no right, so that the rules of midnight and of week ends are tested by themselves. */
#include "config.h"

#include "auth/hours.h"

#include <farwatch/right.h>

#include <string.h>
#include <time.h>

#include <farwatch/i18n.h>

#define DAY_MINUTES (24 * 60)

typedef struct {
  guint8 days;      /* bit 0: Monday */
  guint16 from, to; /* minutes; to <= from: over midnight */
} HoursSpan;

struct _FarHours {
  GArray *spans;
};

static int
hours_day (const char *text, gsize size)
{
  static const char names[][4] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };

  for (guint i = 0; size == 3 && i < G_N_ELEMENTS (names); i++)
    if (g_ascii_strncasecmp (text, names[i], 3) == 0)
      return (int) i;
  return -1;
}

/* "mon", or "mon-fri", also round the week's end: "sat-mon". */
static gboolean
hours_day_range (const char *text, guint8 *days)
{
  const char *dash = strchr (text, '-');
  int first = hours_day (text, dash != NULL ? (gsize) (dash - text) : strlen (text));
  int last = dash != NULL ? hours_day (dash + 1, strlen (dash + 1)) : first;

  if (first < 0 || last < 0)
    return FALSE;
  for (int day = first;; day = (day + 1) % 7) {
    *days |= (guint8) (1 << day);
    if (day == last)
      return TRUE;
  }
}

static gboolean
hours_days (const char *text, guint8 *days)
{
  g_auto (GStrv) list = g_strsplit (text, ",", 8);

  for (guint i = 0; list[i] != NULL; i++)
    if (!hours_day_range (list[i], days))
      return FALSE;
  return *days != 0;
}

static gboolean
hours_clock (const char *text, gsize size, guint16 *minute)
{
  guint hour, min;

  if (size != 5 || text[2] != ':' || !g_ascii_isdigit (text[0]) || !g_ascii_isdigit (text[1]) ||
      !g_ascii_isdigit (text[3]) || !g_ascii_isdigit (text[4]))
    return FALSE;
  hour = (guint) (text[0] - '0') * 10 + (guint) (text[1] - '0');
  min = (guint) (text[3] - '0') * 10 + (guint) (text[4] - '0');
  *minute = (guint16) (hour * 60 + min);
  return min < 60 && *minute <= DAY_MINUTES;
}

static gboolean
hours_times (const char *text, HoursSpan *span)
{
  const char *dash = strchr (text, '-');

  return dash != NULL && hours_clock (text, (gsize) (dash - text), &span->from) &&
         hours_clock (dash + 1, strlen (dash + 1), &span->to) && span->from < DAY_MINUTES &&
         span->from != span->to;
}

static gboolean
hours_span (char *text, HoursSpan *span)
{
  g_auto (GStrv) words = g_strsplit_set (g_strstrip (text), " ", 3);
  guint n = g_strv_length (words);

  *span = (HoursSpan){ .days = 0, .from = 0, .to = DAY_MINUTES };
  if (n == 1 && g_ascii_isdigit (words[0][0])) {
    span->days = 0x7f;
    return hours_times (words[0], span);
  }
  if (n < 1 || n > 2 || !hours_days (words[0], &span->days))
    return FALSE;
  return n == 1 || hours_times (words[1], span);
}

FarHours *
far_hours_parse (const char *text, GError **error)
{
  g_auto (GStrv) list = g_strsplit (text, ";", 16);
  g_autoptr (FarHours) hours = g_new0 (FarHours, 1);

  hours->spans = g_array_new (FALSE, FALSE, sizeof (HoursSpan));
  for (guint i = 0; list[i] != NULL; i++) {
    HoursSpan span;

    if (!hours_span (list[i], &span)) {
      g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID,
                   _ ("hours '%s': write for example \"mon-fri 08:00-18:00\""), list[i]);
      return NULL;
    }
    g_array_append_val (hours->spans, span);
  }
  if (hours->spans->len == 0) {
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID,
                         _ ("hours are empty: leave them out for any time"));
    return NULL;
  }
  return g_steal_pointer (&hours);
}

void
far_hours_free (FarHours *hours)
{
  if (hours == NULL)
    return;
  g_array_unref (hours->spans);
  g_free (hours);
}

static gboolean
hours_span_has (const HoursSpan *span, guint day, guint minute)
{
  guint8 today = (guint8) (1 << day), yesterday = (guint8) (1 << ((day + 6) % 7));

  if (span->from < span->to)
    return (span->days & today) != 0 && minute >= span->from && minute < span->to;
  return ((span->days & today) != 0 && minute >= span->from) ||
         ((span->days & yesterday) != 0 && minute < span->to);
}

static gboolean
hours_instant (const FarHours *hours, gint64 wall_us)
{
  time_t seconds = (time_t) (wall_us / G_USEC_PER_SEC);
  struct tm local;

  if (localtime_r (&seconds, &local) == NULL)
    return FALSE;
  for (guint i = 0; i < hours->spans->len; i++)
    if (hours_span_has (&g_array_index (hours->spans, HoursSpan, i), (guint) (local.tm_wday + 6) % 7,
                        (guint) (local.tm_hour * 60 + local.tm_min)))
      return TRUE;
  return FALSE;
}

gboolean
far_hours_has (const FarHours *hours, gint64 wall_us, gint64 length_us)
{
  const gint64 minute_us = 60 * G_USEC_PER_SEC;

  if (length_us < 0 || length_us > DAY_MINUTES * minute_us)
    return FALSE;
  for (gint64 at = wall_us; at < wall_us + length_us; at += minute_us)
    if (!hours_instant (hours, at))
      return FALSE;
  /* The last instant is the one before the end: "until 18:00" may end at 18:00. */
  return hours_instant (hours, length_us > 0 ? wall_us + length_us - 1 : wall_us);
}

gboolean
far_hours_contain (const char *text, gint64 wall_us, gint64 length_us, GError **error)
{
  g_autoptr (FarHours) hours = far_hours_parse (text, error);

  return hours != NULL && far_hours_has (hours, wall_us, length_us);
}
