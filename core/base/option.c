/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file reads the text forms of option values (durations, sizes, ranges, addresses) and writes
 * durations. It knows neither profile nor option table, so that messages and farctl read the same forms. */
#include "config.h"

#include <farwatch/option.h>

#include <arpa/inet.h>
#include <string.h>

#include <farwatch/error.h>
#include <farwatch/i18n.h>

typedef struct {
  const char *name;
  gint64 factor;
} Unit;

static const Unit duration_units[] = {
  { "us", 1 },
  { "ms", 1000 },
  { "s", G_GINT64_CONSTANT (1000000) },
  { "m", G_GINT64_CONSTANT (60000000) },
  { "h", G_GINT64_CONSTANT (3600000000) },
  { "d", G_GINT64_CONSTANT (86400000000) },
  { NULL, 0 },
};

static const Unit size_units[] = {
  { "", 1 },
  { "B", 1 },
  { "k", 1 << 10 },
  { "K", 1 << 10 },
  { "KiB", 1 << 10 },
  { "kB", 1000 },
  { "M", 1 << 20 },
  { "MiB", 1 << 20 },
  { "MB", 1000000 },
  { "G", 1 << 30 },
  { "GiB", 1 << 30 },
  { "GB", 1000000000 },
  { "T", G_GINT64_CONSTANT (1) << 40 },
  { "TiB", G_GINT64_CONSTANT (1) << 40 },
  { NULL, 0 },
};

/* Digits at *text, which is moved behind them. */
static gboolean
read_number (const char **text, gint64 *number)
{
  const char *at = *text;
  gint64 value = 0;

  if (!g_ascii_isdigit (*at))
    return FALSE;
  for (; g_ascii_isdigit (*at); at++)
    if (__builtin_mul_overflow (value, 10, &value) || __builtin_add_overflow (value, *at - '0', &value))
      return FALSE;
  *number = value;
  *text = at;
  return TRUE;
}

static gboolean
read_with_unit (const char *text, const Unit *units, gint64 *result)
{
  gint64 number;

  if (text == NULL || !read_number (&text, &number))
    return FALSE;
  for (; units->name != NULL; units++)
    if (g_str_equal (text, units->name))
      return !__builtin_mul_overflow (number, units->factor, result);
  return FALSE;
}

gboolean
far_parse_duration (const char *text, gint64 *us, GError **error)
{
  if (read_with_unit (text, duration_units, us))
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID,
               _ ("'%s' is no duration; write a number with ms, s, m, h or d, as in 500ms, 10s, 5m, 2h, 1d"),
               text != NULL ? text : "");
  return FALSE;
}

gboolean
far_parse_size (const char *text, gint64 *bytes, GError **error)
{
  if (read_with_unit (text, size_units, bytes))
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID,
               _ ("'%s' is no size; write bytes, or a number with KiB, MiB or GiB, as in 16MiB, 4k"),
               text != NULL ? text : "");
  return FALSE;
}

static gboolean
read_range (const char *text, FarRange *range)
{
  if (text == NULL || !read_number (&text, &range->low))
    return FALSE;
  range->high = range->low;
  if (*text == '-' && (text++, !read_number (&text, &range->high)))
    return FALSE;
  return *text == '\0' && range->low <= range->high;
}

gboolean
far_parse_range (const char *text, FarRange *range, GError **error)
{
  FarRange read;

  if (read_range (text, &read)) {
    *range = read;
    return TRUE;
  }
  g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID,
               _ ("'%s' is no range; write the lowest and the highest number, as in 10000-65535"),
               text != NULL ? text : "");
  return FALSE;
}

char *
far_format_duration (gint64 us)
{
  for (int i = G_N_ELEMENTS (duration_units) - 2; us > 0 && i >= 0; i--)
    if (us % duration_units[i].factor == 0)
      return g_strdup_printf ("%" G_GINT64_FORMAT "%s", us / duration_units[i].factor,
                              duration_units[i].name);
  return g_strdup_printf ("%" G_GINT64_FORMAT "%s", us, us == 0 ? "s" : "us");
}

static gboolean
host_ok (const char *host, gboolean bracketed)
{
  struct in6_addr address;
  g_auto (GStrv) scoped = NULL;

  if (bracketed) {
    scoped = g_strsplit (host, "%", 2);
    return scoped[0] != NULL && inet_pton (AF_INET6, scoped[0], &address) == 1;
  }
  return *host != '\0' && strlen (host) <= 253 &&
         strspn (host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == strlen (host);
}

static gboolean
option_split_address (const char *text, char **host, guint16 *port)
{
  gboolean bracketed = text[0] == '[';
  const char *colon = strrchr (text, ':');
  g_autofree char *name = NULL;
  const char *digits;
  gint64 number;

  if (colon == NULL || colon == text || (bracketed && colon[-1] != ']'))
    return FALSE;
  digits = colon + 1;
  if (!read_number (&digits, &number) || *digits != '\0' || number > 65535)
    return FALSE;
  name = bracketed ? g_strndup (text + 1, colon - text - 2) : g_strndup (text, colon - text);
  if (!host_ok (name, bracketed))
    return FALSE;
  *port = (guint16) number;
  *host = g_steal_pointer (&name);
  return TRUE;
}

gboolean
far_parse_address (const char *text, char **host, guint16 *port, GError **error)
{
  if (text != NULL && option_split_address (text, host, port))
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID,
               _ ("'%s' is no address; write host:port, as in 127.0.0.1:8080 or [::1]:8080"),
               text != NULL ? text : "");
  return FALSE;
}
