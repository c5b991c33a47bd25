/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "answer.h"

#include <stdlib.h>
#include <string.h>

static const char *
reason_of (guint status)
{
  static const struct { guint status; const char *text; } rows[] = {
    { 200, "OK" }, { 201, "Created" }, { 202, "Accepted" }, { 204, "No Content" }, { 400, "Bad Request" }, { 401, "Unauthorized" }, { 403, "Forbidden" },
    { 404, "Not Found" }, { 405, "Method Not Allowed" }, { 409, "Conflict" }, { 411, "Length Required" }, { 413, "Content Too Large" },
    { 426, "Upgrade Required" }, { 429, "Too Many Requests" }, { 500, "Internal Server Error" }, { 501, "Not Implemented" },
    { 503, "Service Unavailable" }, { 507, "Insufficient Storage" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    if (rows[i].status == status)
      return rows[i].text;
  return "Other";
}

static char *
head_of (guint status, const char *type, gsize size, const char *more)
{
  return g_strdup_printf ("HTTP/1.1 %u %s\r\ncontent-type: %s\r\ncontent-length: %" G_GSIZE_FORMAT "\r\ncache-control: no-store\r\n"
                          "x-content-type-options: nosniff\r\ncontent-security-policy: default-src 'none'\r\n"
                          "strict-transport-security: max-age=31536000\r\n%s\r\n",
                          status, reason_of (status), type, size, more != NULL ? more : "");
}

/* Head and body in one piece: one TLS record. The library's own helpers say HTTP/1.0 while an upgrade is being looked at. */
int
ws_answer (WsConn *conn, guint status, const char *type, const void *body, gsize size, const char *more)
{
  g_autofree char *head = head_of (status, type, size, more);
  gsize head_size = strlen (head), whole = head_size + size;
  g_autofree guint8 *room = g_malloc (LWS_PRE + whole);

  memcpy (room + LWS_PRE, head, head_size);
  if (size > 0)
    memcpy (room + LWS_PRE + head_size, body, size);
  return lws_write (conn->wsi, room + LWS_PRE, whole, LWS_WRITE_HTTP_FINAL) == (int) whole ? 0 : -1;
}

static const char *
word_of (guint status)
{
  switch (status) {
  case 401:
  case 403:
    return "denied";
  case 404:
    return "not-found";
  case 413:
  case 429:
    return "limit";
  case 503:
    return "unavailable";
  default:
    return "invalid";
  }
}

int
ws_answer_error (WsConn *conn, guint status, const char *text)
{
  json_t *body = json_pack ("{s:s,s:s}", "error", word_of (status), "message", text);
  char *line = json_dumps (body, JSON_COMPACT | JSON_ENSURE_ASCII);
  int rc = ws_answer (conn, status, FAR_TYPE_JSON, line == NULL ? "{}" : line, line == NULL ? 2 : strlen (line), NULL);

  free (line);
  json_decref (body);
  return rc;
}

char *
ws_header (WsConn *conn, enum lws_token_indexes token, gsize max)
{
  int size = lws_hdr_total_length (conn->wsi, token);
  char *text;

  if (size <= 0 || (gsize) size > max)
    return NULL;
  text = g_malloc0 ((gsize) size + 2);
  if (lws_hdr_copy (conn->wsi, text, size + 1, token) == size && strlen (text) == (gsize) size)
    return text;
  g_free (text);
  return NULL;
}

gboolean
ws_has_body (WsConn *conn)
{
  g_autofree char *length = ws_header (conn, WSI_TOKEN_HTTP_CONTENT_LENGTH, 32);

  return lws_hdr_total_length (conn->wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0 || (length != NULL && strcmp (length, "0") != 0);
}

int
ws_answer_plain (WsConn *conn, guint status, const char *text)
{
  gboolean body = ws_has_body (conn);

  if (ws_answer_error (conn, status, text) != 0 || body || lws_http_transaction_completed (conn->wsi) != 0)
    return -1;
  return 0;
}
