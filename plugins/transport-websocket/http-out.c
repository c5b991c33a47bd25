/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file writes HTTP/1.1 answers as bytes, and has the table of statuses with their words. It knows no
 * connection, so that tests read back what it writes. */
#include "config.h"

#include "http-out.h"

#include <stdlib.h>
#include <string.h>

#include <farwatch/clock.h>
#include <farwatch/message.h>

/* The word is the one of errors in messages; NULL: no refusal. */
static const struct {
  guint status;
  const char *reason, *word;
} statuses[] = {
  { 100, "Continue", NULL },
  { 101, "Switching Protocols", NULL },
  { 200, "OK", NULL },
  { 201, "Created", NULL },
  { 202, "Accepted", NULL },
  { 204, "No Content", NULL },
  { 400, "Bad Request", "invalid" },
  { 401, "Unauthorized", "denied" },
  { 403, "Forbidden", "denied" },
  { 404, "Not Found", "not-found" },
  { 405, "Method Not Allowed", "invalid" },
  { 408, "Request Timeout", "limit" },
  { 409, "Conflict", "conflict" },
  { 411, "Length Required", "invalid" },
  { 413, "Content Too Large", "limit" },
  { 414, "URI Too Long", "limit" },
  { 417, "Expectation Failed", "invalid" },
  { 421, "Misdirected Request", "invalid" },
  { 426, "Upgrade Required", "invalid" },
  { 429, "Too Many Requests", "limit" },
  { 431, "Request Header Fields Too Large", "limit" },
  { 500, "Internal Server Error", "internal" },
  { 501, "Not Implemented", "invalid" },
  { 503, "Service Unavailable", "unavailable" },
  { 505, "HTTP Version Not Supported", "invalid" },
  { 507, "Insufficient Storage", "full" },
};

/* A reason may be empty (RFC 9112 section 4). */
static const char *
out_reason (guint status)
{
  for (guint i = 0; i < G_N_ELEMENTS (statuses); i++)
    if (statuses[i].status == status)
      return statuses[i].reason;
  return "";
}

static const char *
out_word (guint status)
{
  for (guint i = 0; i < G_N_ELEMENTS (statuses); i++)
    if (statuses[i].status == status && statuses[i].word != NULL)
      return statuses[i].word;
  return "invalid";
}

char *
ws_answer_date (gint64 wall_us)
{
  static const char days[][4] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };
  static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
  g_autoptr (GDateTime) date = g_date_time_new_from_unix_utc (wall_us / G_USEC_PER_SEC);

  if (date == NULL)
    return NULL;
  return g_strdup_printf ("%s, %02d %s %04d %02d:%02d:%02d GMT", days[g_date_time_get_day_of_week (date) - 1],
                          g_date_time_get_day_of_month (date), months[g_date_time_get_month (date) - 1],
                          g_date_time_get_year (date), g_date_time_get_hour (date),
                          g_date_time_get_minute (date), g_date_time_get_second (date));
}

static void
append_fixed (GString *head, gboolean close)
{
  g_autofree char *date = ws_answer_date (far_clock_wall_us ());

  if (date != NULL)
    g_string_append_printf (head, "date: %s\r\n", date);
  g_string_append (head, "cache-control: no-store\r\nx-content-type-options: "
                         "nosniff\r\ncontent-security-policy: default-src 'none'\r\n"
                         "strict-transport-security: max-age=31536000\r\n");
  if (close)
    g_string_append (head, "connection: close\r\n");
}

/* A type comes from whoever answered the message: it must not begin a line of its own. */
static gboolean
is_line (const char *text)
{
  for (; *text != 0; text++)
    if (*text < ' ' || *text > '~')
      return FALSE;
  return TRUE;
}

GByteArray *
ws_answer_make (guint status, const char *type, const void *body, gsize size, gboolean head_only,
                gboolean close, const char *more)
{
  g_autoptr (GString) head = g_string_sized_new (512);
  gboolean bodiless = status < 200 || status == 204;
  GByteArray *bytes;

  g_string_append_printf (head, "HTTP/1.1 %u %s\r\n", status, out_reason (status));
  if (!bodiless && type != NULL)
    g_string_append_printf (head, "content-type: %s\r\n", is_line (type) ? type : "application/octet-stream");
  if (!bodiless)
    g_string_append_printf (head, "content-length: %" G_GSIZE_FORMAT "\r\n", size);
  if (status >= 200)
    append_fixed (head, close);
  g_string_append_printf (head, "%s\r\n", more != NULL ? more : "");
  if (bodiless || head_only)
    size = 0;
  bytes = g_byte_array_sized_new ((guint) (head->len + size));
  g_byte_array_append (bytes, (const guint8 *) head->str, (guint) head->len);
  if (size > 0)
    g_byte_array_append (bytes, body, (guint) size);
  return bytes;
}

GByteArray *
ws_answer_refusal (guint status, const char *text, gboolean head_only, gboolean close, const char *more)
{
  json_t *body = json_pack ("{s:s,s:s}", "error", out_word (status), "message", text);
  char *line = body != NULL ? json_dumps (body, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
  const char *sent = line != NULL ? line : "{}";
  GByteArray *bytes = ws_answer_make (status, FAR_TYPE_JSON, sent, strlen (sent), head_only, close, more);

  free (line);
  json_decref (body);
  return bytes;
}
