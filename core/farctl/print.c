/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file prints what a daemon answered: one value as a person reads it (a cell), an object as fields,
 * JSON as it came, and errors with their exit code. Tables are table.c. All text that came from elsewhere
 * is made harmless here. */
#include "config.h"

#include "ctl.h"
#include "translate.h"

#include <stdio.h>
#include <string.h>

#include <farwatch/option.h>

#include "ctl-support/shared.h"

/* ---- cells ---- */

static char *
cell_bytes (json_int_t n)
{
  char *text = g_format_size_full ((guint64) MAX (n, 0), G_FORMAT_SIZE_IEC_UNITS), *hard;

  while ((hard = strstr (text, "\xc2\xa0")) != NULL) { /* a space that a search finds */
    *hard = ' ';
    memmove (hard + 1, hard + 2, strlen (hard + 2) + 1);
  }
  return text;
}

static char *
cell_length (json_int_t us)
{
  return far_format_duration (us >= G_USEC_PER_SEC ? us / G_USEC_PER_SEC * G_USEC_PER_SEC : us);
}

static char *
cell_list (json_t *list)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (gsize i = 0; i < json_array_size (list); i++) {
    const char *word = json_string_value (json_array_get (list, i));

    if (word != NULL)
      g_string_append_printf (text, "%s%s", i > 0 ? "," : "", word);
  }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

/* "2026-11-21T22:03:00.000Z" in local time, to the second, with its zone: a form that options for times take,
 * too. */
static char *
cell_time (const char *text)
{
  g_autoptr (GDateTime) utc = g_date_time_new_from_iso8601 (text, NULL);
  g_autoptr (GDateTime) local = utc != NULL ? g_date_time_to_local (utc) : NULL;

  return local != NULL ? g_date_time_format (local, "%Y-%m-%d %H:%M:%S%:z") : g_strdup (text);
}

/* Text from the wire may hold what moves a terminal's cursor, or what shows something else than it is. Takes
 * text. */
static char *
clean (char *text, gboolean lines)
{
  g_autofree char *taken = text;

  return far_sanitize_text (taken, lines);
}

static char *
cell_plain (json_t *value)
{
  char *text, *copy;

  if (json_is_string (value))
    return g_strdup (json_string_value (value));
  if (json_is_boolean (value))
    return g_strdup (json_is_true (value) ? _ ("yes") : _ ("no"));
  if (json_is_real (value))
    return g_strdup_printf ("%.6g", json_real_value (value));
  if (value == NULL || json_is_null (value))
    return g_strdup ("-");
  text = json_dumps (value, JSON_COMPACT | JSON_ENCODE_ANY);
  copy = g_strdup (text);
  free (text);
  return copy;
}

/* "10d 4h": the two largest units say enough. */
static char *
cell_seconds (double seconds)
{
  static const struct {
    int seconds;
    const char *unit;
  } units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "m" }, { 1, "s" } };
  gint64 left = (gint64) seconds;

  for (guint i = 0; i + 1 < G_N_ELEMENTS (units); i++)
    if (left >= units[i].seconds)
      return g_strdup_printf ("%" G_GINT64_FORMAT "%s %" G_GINT64_FORMAT "%s", left / units[i].seconds,
                              units[i].unit, left % units[i].seconds / units[i + 1].seconds,
                              units[i + 1].unit);
  return g_strdup_printf ("%.6g s", seconds);
}

/* A number with its unit (UCUM), as people read it: bytes by powers of 1024, long times in days and hours. */
static char *
cell_measured (double value, const char *unit)
{
  gboolean bytes = strcmp (unit, "By") == 0 || strcmp (unit, "By/s") == 0;
  g_autofree char *size = bytes && value >= 1024 ? cell_bytes ((json_int_t) MIN (value, 9e18)) : NULL;

  if (size != NULL)
    return g_strconcat (size, unit + strlen ("By"), NULL);
  if (strcmp (unit, "s") == 0 && value >= 120 && value < 1e12)
    return cell_seconds (value);
  return g_strdup_printf ("%.6g%s%s", value, strcmp (unit, "1") == 0 ? "" : " ",
                          strcmp (unit, "1") == 0 ? ""
                          : bytes                 ? "B"
                                                  : unit);
}

static char *
cell_value (json_t *row, json_t *value)
{
  const char *unit = json_string_value (json_object_get (row, "unit"));

  if (!json_is_number (value) || unit == NULL)
    return cell_plain (value);
  return cell_measured (json_number_value (value), unit);
}

static char *
cell_text (json_t *row, const CtlColumn *column)
{
  json_t *value = json_object_get (row, column->field);

  if (column->kind == CTL_TRANSLATED && json_is_string (value))
    return ctl_translate (json_string_value (value));
  if (column->kind == CTL_VALUE)
    return cell_value (row, value);
  if (column->kind == CTL_SECONDS && json_is_number (value))
    return cell_seconds (json_number_value (value));
  if (column->kind == CTL_YESNO)
    return g_strdup (json_is_true (value) ? _ ("yes") : _ ("no"));
  if (column->kind == CTL_LENGTH_US && json_is_integer (value))
    return cell_length (json_integer_value (value));
  if (column->kind == CTL_BYTES && json_is_integer (value))
    return cell_bytes (json_integer_value (value));
  if (column->kind == CTL_LIST && json_is_array (value))
    return cell_list (value);
  if (column->kind == CTL_COUNT && json_is_array (value))
    return g_strdup_printf ("%" G_GSIZE_FORMAT, json_array_size (value));
  if (column->kind == CTL_TIME && json_is_string (value))
    return cell_time (json_string_value (value));
  return cell_plain (value);
}

char *
ctl_cell (json_t *row, const CtlColumn *column)
{
  return clean (cell_text (row, column), FALSE);
}

/* ---- fields ---- */

void
ctl_fields (json_t *object, const CtlColumn *columns)
{
  for (const CtlColumn *column = columns; column->field != NULL; column++) {
    g_autofree char *cell = NULL;

    if (json_object_get (object, column->field) == NULL ||
        json_is_null (json_object_get (object, column->field)))
      continue;
    cell = ctl_cell (object, column);
    printf ("%-12s %s\n", _ (column->title), cell);
  }
}

/* ---- the rest ---- */

void
ctl_json_flags (json_t *json, size_t flags)
{
  char *text = json_dumps (json, flags | JSON_ENCODE_ANY);
  g_autofree char *plain = far_sanitize_json (text != NULL ? text : "null");

  puts (plain);
  free (text);
}

void
ctl_json (json_t *json)
{
  ctl_json_flags (json, JSON_INDENT (2));
}

void
ctl_print (FILE *to, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = clean (g_strdup_vprintf (format, args), TRUE);
  va_end (args);
  fputs (text, to);
}

static int
print_status (const GError *error)
{
  static const int statuses[] = {
    [FAR_ERROR_UNAVAILABLE] = CTL_FAILED, [FAR_ERROR_NOT_FOUND] = CTL_NOT_FOUND,
    [FAR_ERROR_INVALID] = CTL_USAGE,      [FAR_ERROR_LIMIT] = CTL_BUSY,
    [FAR_ERROR_CONFLICT] = CTL_BUSY,      [FAR_ERROR_FULL] = CTL_FAILED,
  };
  int status = error->domain == FAR_ERROR && error->code >= 0 && error->code < (int) G_N_ELEMENTS (statuses)
                   ? statuses[error->code]
                   : 0;

  return status != 0 ? status : CTL_FAILED;
}

int
ctl_fail (Ctl *ctl, GError *error)
{
  g_autoptr (GError) owned = error;
  gboolean unreachable = g_error_matches (owned, FAR_ERROR, FAR_ERROR_UNAVAILABLE) && ctl->fd < 0;
  g_autofree char *text = clean (ctl_translate (owned->message), TRUE);

  if (ctl->json) {
    json_t *body = json_pack ("{s:s, s:s}", "error", far_error_word (owned), "message", owned->message);

    ctl_json (body);
    json_decref (body);
  }
  fflush (stdout);
  fprintf (stderr, "farctl: %s\n", text);
  return unreachable ? CTL_UNREACHABLE : print_status (owned);
}

int
ctl_fail_new (Ctl *ctl, FarErrorCode code, const char *format, ...)
{
  va_list args;
  GError *error;

  va_start (args, format);
  error = g_error_new_valist (FAR_ERROR, (int) code, format, args);
  va_end (args);
  return ctl_fail (ctl, error);
}

int
ctl_usage (Ctl *ctl, const char *format, ...)
{
  va_list args;
  g_autofree char *text = NULL;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  fprintf (stderr, "farctl: %s\n", text);
  if (ctl->command != NULL)
    fprintf (stderr, _ ("usage: farctl %s %s\n"), ctl->command->name, ctl->command->args);
  ctl->status = CTL_USAGE;
  return CTL_USAGE;
}

int
ctl_done (Ctl *ctl, json_t *answer, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = clean (g_strdup_vprintf (format, args), TRUE);
  va_end (args);
  if (ctl->json)
    ctl_json (answer);
  else
    puts (text);
  json_decref (answer);
  return CTL_OK;
}

void
ctl_say (const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = clean (g_strdup_vprintf (format, args), TRUE);
  va_end (args);
  fprintf (stderr, "%s\n", text);
}
