/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "answer.h"

#include <stdlib.h>
#include <string.h>

#define HEAD_MAX 1024

typedef struct { unsigned char *at, *end; } Head;

static gboolean
add (struct lws *wsi, Head *head, const char *name, const char *value)
{
  return lws_add_http_header_by_name (wsi, (const unsigned char *) name, (const unsigned char *) value, (int) strlen (value), &head->at, head->end) == 0;
}

static gboolean
fill (struct lws *wsi, Head *head, guint status, const char *type, gsize size, const char *name, const char *value)
{
  g_autofree char *length = g_strdup_printf ("%" G_GSIZE_FORMAT, size);

  return lws_add_http_header_status (wsi, status, &head->at, head->end) == 0 && add (wsi, head, "content-type:", type) &&
         add (wsi, head, "content-length:", length) && add (wsi, head, "cache-control:", "no-store") &&
         add (wsi, head, "x-content-type-options:", "nosniff") && add (wsi, head, "content-security-policy:", "default-src 'none'") &&
         add (wsi, head, "strict-transport-security:", "max-age=31536000") && (name == NULL || add (wsi, head, name, value)) &&
         lws_finalize_http_header (wsi, &head->at, head->end) == 0;
}

int
ws_answer (WsConn *conn, guint status, const char *type, const void *body, gsize size, const char *name, const char *value)
{
  unsigned char room[LWS_PRE + HEAD_MAX];
  unsigned char *start = room + LWS_PRE;
  Head head = { start, room + sizeof room - 1 };
  g_autofree guint8 *copy = g_malloc (LWS_PRE + size);
  gsize n;

  if (!fill (conn->wsi, &head, status, type, size, name, value))
    return -1;
  n = (gsize) (head.at - start);
  if (lws_write (conn->wsi, start, n, LWS_WRITE_HTTP_HEADERS) != (int) n)
    return -1;
  if (size > 0)
    memcpy (copy + LWS_PRE, body, size);
  return size == 0 || lws_write (conn->wsi, copy + LWS_PRE, size, LWS_WRITE_HTTP_FINAL) == (int) size ? 0 : -1;
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
  int rc = ws_answer (conn, status, FAR_TYPE_JSON, line == NULL ? "{}" : line, line == NULL ? 2 : strlen (line), NULL, NULL);

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
