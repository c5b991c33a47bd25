/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file parses what a check printed into text and values (perfdata.h). It is a parser of foreign bytes
 * with a fuzz target of its own, so it knows neither processes nor series. */
#include "config.h"

#include "perfdata.h"

#include <math.h>
#include <string.h>

#define TEXT_MAX 4095
#define UNIT_MAX 16
#define LABEL_MAX 1024
#define LIMITS_MAX 256
#define HASH_DIGITS 8

static void
value_clear (gpointer data)
{
  PerfValue *value = data;

  g_free (value->channel);
  g_free (value->limits);
}

void
perfdata_free (Perfdata *perfdata)
{
  g_array_unref (perfdata->values);
  g_free (perfdata->text);
  g_free (perfdata);
}

/* ---- units ---- */

static const struct {
  const char *word, *unit;
  double factor;
} perf_units[] = {
  { "", "1", 1 },
  { "%", "%", 1 },
  { "c", "1", 1 },
  { "s", "s", 1 },
  { "ms", "s", 1e-3 },
  { "us", "s", 1e-6 },
  { "ns", "s", 1e-9 },
  { "B", "By", 1 },
  { "KB", "By", 1024.0 },
  { "kB", "By", 1024.0 },
  { "MB", "By", 1048576.0 },
  { "GB", "By", 1073741824.0 },
  { "TB", "By", 1099511627776.0 },
  { "C", "Cel", 1 },
};

/* Units outside the convention count as none: what they mean is not known. */
static double
unit_of (PerfValue *value, const char *word)
{
  value->unit = "1";
  for (guint i = 0; i < G_N_ELEMENTS (perf_units); i++)
    if (strcmp (perf_units[i].word, word) == 0) {
      value->unit = perf_units[i].unit;
      value->value *= perf_units[i].factor;
      return perf_units[i].factor;
    }
  return 1;
}

/* ---- one value ---- */

/* Label up to '='; quotes around it are taken off, '' inside is a quote. NULL: there is none. */
static char *
take_label (const char **at, const char *end)
{
  GString *label = g_string_new (NULL);
  gboolean quoted = *at < end && **at == '\'';
  const char *p = *at + quoted;

  for (; p < end; p++) {
    if (quoted && *p == '\'' && p + 1 < end && p[1] == '\'')
      p++;
    else if (quoted && *p == '\'')
      break;
    else if (!quoted && (*p == '=' || g_ascii_isspace (*p)))
      break;
    if (label->len < LABEL_MAX)
      g_string_append_c (label, *p);
  }
  p += quoted && p < end;
  *at = p + 1;
  if (p < end && *p == '=' && label->len > 0)
    return g_string_free (label, FALSE);
  *at = p;
  g_string_free (label, TRUE);
  return NULL;
}

/* No label may become another one's channel: bytes that a series may not have are escaped as in URLs, and so
 * are the sign that says so and the one before what is made here (LABEL@limits, and @HASH of a long one).
 * Takes label. */
static char *
channel_of (char *label)
{
  g_autofree char *owned G_GNUC_UNUSED = label;
  g_autofree char *hash = NULL;
  GString *channel = g_string_new (NULL);
  gsize fits = 0;

  for (const char *p = label; *p != '\0'; p++) {
    if (g_ascii_isalnum (*p) || strchr ("._-/:", *p) != NULL)
      g_string_append_c (channel, *p);
    else
      g_string_append_printf (channel, "%%%02X", (guint8) *p);
    if (channel->len <= PERFDATA_LABEL - HASH_DIGITS - 1)
      fits = channel->len;
  }
  if (channel->len <= PERFDATA_LABEL)
    return g_string_free (channel, FALSE);
  hash = g_compute_checksum_for_string (G_CHECKSUM_SHA256, label, -1);
  g_string_truncate (channel, fits);
  g_string_append_printf (channel, "@%.*s", HASH_DIGITS, hash);
  return g_string_free (channel, FALSE);
}

static gboolean
exec_perfdata_is_there (const Perfdata *perfdata, const char *channel)
{
  for (guint i = 0; i < perfdata->values->len; i++)
    if (strcmp (g_array_index (perfdata->values, PerfValue, i).channel, channel) == 0)
      return TRUE;
  return FALSE;
}

/* ";warn;crit;min;max" behind a number with the unit `word`. NULL: none. */
static char *
exec_perfdata_take_limits (const char *text, gsize size, const char *word, double factor)
{
  g_autofree char *limits = g_strndup (text, MIN (size, LIMITS_MAX));
  gsize length;

  if (!g_str_is_ascii (limits) || strspn (limits, ";") == strlen (limits))
    return NULL;
  for (length = strlen (limits); length > 0 && limits[length - 1] == ';'; length--)
    limits[length - 1] = '\0';
  for (char *p = limits; *p != '\0'; p++)
    if (g_ascii_iscntrl (*p))
      return NULL;
  return factor == 1 ? g_strdup (limits + 1) : g_strdup_printf ("%s %s", limits + 1, word);
}

/* Number and unit of "12.5ms", "U"; size up to the first ';' or space, whole up to the space. */
static gboolean
take_number (PerfValue *value, const char *text, gsize size, gsize whole)
{
  g_autofree char *copy = g_strndup (text, MIN (size, 64));
  double factor;
  char *unit;

  value->known = strcmp (copy, "U") != 0;
  value->unit = "1";
  if (!value->known)
    return TRUE;
  g_strdelimit (copy, ",", '.');
  if (strspn (copy, "+-.0123456789") == 0)
    return FALSE; /* no inf, nan, hexadecimal */
  if (g_str_has_prefix (copy + strspn (copy, "+-"), "0x") ||
      g_str_has_prefix (copy + strspn (copy, "+-"), "0X"))
    return FALSE;
  value->value = g_ascii_strtod (copy, &unit);
  if (unit == copy || !isfinite (value->value) || strlen (unit) > UNIT_MAX)
    return FALSE;
  factor = unit_of (value, unit);
  value->limits = exec_perfdata_take_limits (text + size, whole - size, unit, factor);
  return isfinite (value->value);
}

static void
take_value (Perfdata *perfdata, const char **at, const char *end)
{
  char *label = take_label (at, end);
  PerfValue value = { 0 };
  const char *stop = *at;
  gsize size;

  while (stop < end && !g_ascii_isspace (*stop))
    stop++;
  size = 0;
  while (*at + size < stop && (*at)[size] != ';')
    size++;
  if (label != NULL)
    value.channel = channel_of (label);
  if (label != NULL && exec_perfdata_is_there (perfdata, value.channel))
    perfdata->repeated++;
  else if (label != NULL && perfdata->values->len < PERFDATA_MAX &&
           take_number (&value, *at, size, (gsize) (stop - *at))) {
    g_array_append_val (perfdata->values, value);
    value = (PerfValue){ 0 };
  } else
    perfdata->bad++;
  value_clear (&value);
  *at = stop;
}

static void
take_values (Perfdata *perfdata, const char *at, const char *end)
{
  while (at < end)
    if (g_ascii_isspace (*at))
      at++;
    else
      take_value (perfdata, &at, end);
}

/* ---- the whole ---- */

static char *
clean_text (const char *text, gsize size)
{
  g_autofree char *cut = g_strndup (text, MIN (size, TEXT_MAX));
  g_autofree char *valid = g_utf8_make_valid (cut, -1);
  gsize length = strlen (valid);

  if (length > TEXT_MAX) /* what replaces bad bytes is longer than they */
    *g_utf8_find_prev_char (valid, valid + TEXT_MAX + 1) = '\0';
  for (char *p = valid; *p != '\0'; p++)
    if (g_ascii_iscntrl (*p))
      *p = ' ';
  return g_strdup (g_strstrip (valid));
}

/* A program may print NUL; nothing behind it counts. */
Perfdata *
perfdata_parse (const char *output, gsize size)
{
  Perfdata *perfdata = g_new0 (Perfdata, 1);
  const char *end = memchr (output, '\0', size), *line, *bar;

  perfdata->values = g_array_new (FALSE, FALSE, sizeof (PerfValue));
  g_array_set_clear_func (perfdata->values, value_clear);
  perfdata->cut = end != NULL;
  end = end != NULL ? end : output + size;
  line = memchr (output, '\n', (gsize) (end - output));
  line = line != NULL ? line : end;
  bar = memchr (output, '|', (gsize) (line - output));
  perfdata->text = clean_text (output, (gsize) ((bar != NULL ? bar : line) - output));
  if (bar != NULL)
    take_values (perfdata, bar + 1, line);
  bar = memchr (line, '|', (gsize) (end - line));
  if (bar != NULL)
    take_values (perfdata, bar + 1, end);
  return perfdata;
}
