/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* HTTP/1.1 on a connection. What a peer sends behind a request stays in its stream until the answer is on its
 * way: no queue, nothing to run past. */
#include "config.h"

#include "http.h"

#include <string.h>

#include <farwatch/clock.h>
#include <farwatch/i18n.h>

#include "http-out.h"
#include "link.h"
#include "listener.h"

#define HEAD_US (10 * G_USEC_PER_SEC) /* from the accept, or from the first byte of a later head */
#define NEXT_US (30 * G_USEC_PER_SEC) /* until a later head begins */
#define BODY_US (10 * G_USEC_PER_SEC) /* and a second more for each KiB */
#define LINGER_MS 2000
#define LINGER_LONG_MS 60000                         /* while an answer is still on its way */
#define KEY_SIZE 24                                  /* base64 of 16 bytes */
#define MAGIC "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455 section 1.3 */
#define TURNS 16

typedef enum { HTTP_HEAD, HTTP_BODY, HTTP_ASKED } HttpState;

typedef struct {
  HttpState state;
  guint number;   /* requests of this connection */
  gboolean last;  /* the connection ends with the answer */
  gboolean live;  /* the answer has begun and goes on */
  gsize left;     /* of the answers on their way, when it was looked at last */
  GByteArray *in; /* of a head that is not whole; NULL: nothing */
  gsize looked;   /* of it */
  WsHead *head;   /* NULL: none is under way */
  GByteArray *body;
} Http;

static const WsRole http_role;

/* ---- answers ---- */

static Http *
http_of (const WsConn *conn)
{
  return conn->role == &http_role ? conn->data : NULL;
}

gboolean
ws_http_waits (const WsConn *conn)
{
  const Http *http = http_of (conn);

  return http != NULL && http->state == HTTP_ASKED && ws_conn_open (conn);
}

static void
request_over (Http *http)
{
  g_clear_pointer (&http->head, ws_head_free);
  if (http->body != NULL)
    memset (http->body->data, 0, http->body->len);
  g_clear_pointer (&http->body, g_byte_array_unref);
  http->state = HTTP_HEAD;
  http->live = FALSE;
}

/* Of the answers: what the kernel has not taken. */
static gsize
unsent (const WsConn *conn)
{
  const FarStreamClass *klass = conn->stream->klass;

  return conn->out_bytes + (klass->waiting != NULL ? klass->waiting (conn->stream) : 0);
}

/* The next request, or the end. */
static void
http_next (WsConn *conn, Http *http)
{
  request_over (http);
  if (!ws_conn_open (conn))
    return;
  if (http->last) {
    conn->linger_ms = unsent (conn) == 0 ? LINGER_MS : LINGER_LONG_MS;
    ws_conn_finish (conn);
    return;
  }
  http->left = 0;
  ws_conn_deadline (conn, NEXT_US);
  ws_conn_look (conn);
}

static void
put_answer (WsConn *conn, Http *http, GByteArray *answer)
{
  const FarFrame part = { .data = answer->data, .size = answer->len };

  ws_conn_put (conn, &part, 1);
  g_byte_array_unref (answer);
  http_next (conn, http);
}

static gboolean
head_only (const Http *http)
{
  return http->head != NULL && strcmp (http->head->method, "HEAD") == 0;
}

void
ws_http_answer (WsConn *conn, guint status, const char *type, const void *body, gsize size, const char *more)
{
  Http *http = http_of (conn);

  if (http != NULL && ws_conn_open (conn))
    put_answer (conn, http, ws_answer_make (status, type, body, size, head_only (http), http->last, more));
}

void
ws_http_live (WsConn *conn, const char *type)
{
  Http *http = http_of (conn);
  g_autofree char *head = NULL;
  FarFrame part;

  if (http == NULL || !ws_conn_open (conn))
    return;
  http->last |= http->head->minor == 0;
  head = g_strdup_printf ("HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncache-control: "
                          "no-store\r\nx-content-type-options: nosniff\r\n%s\r\n",
                          type, http->last ? "connection: close\r\n" : "transfer-encoding: chunked\r\n");
  part = (FarFrame){ .data = (const guint8 *) head, .size = strlen (head) };
  http->live = TRUE;
  ws_conn_put (conn, &part, 1);
  ws_conn_look (conn); /* it may have ended already */
}

void
ws_http_live_piece (WsConn *conn, const void *data, gsize size)
{
  Http *http = http_of (conn);
  g_autofree char *head = NULL;
  FarFrame parts[3];

  if (http == NULL || !http->live || !ws_conn_open (conn) || (data != NULL && size == 0))
    return;
  head = g_strdup_printf ("%" G_GSIZE_MODIFIER "x\r\n", data == NULL ? 0 : size);
  parts[0] = (FarFrame){ .data = (const guint8 *) head, .size = strlen (head) };
  parts[1] = (FarFrame){ .data = data, .size = data == NULL ? 0 : size };
  parts[2] = (FarFrame){ .data = (const guint8 *) "\r\n", .size = 2 };
  if (!http->last)
    ws_conn_put (conn, parts, 3);
  else if (data != NULL)
    ws_conn_put (conn, parts + 1, 1);
  if (data == NULL)
    http_next (conn, http);
}

static const char *
more_of (guint status)
{
  switch (status) {
  case 401:
    return "www-authenticate: Bearer\r\n";
  case 405:
    return "allow: GET, HEAD, POST, PUT, DELETE\r\n";
  case 426:
    return "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n";
  default:
    return NULL;
  }
}

/* A body that is not read would be taken for the next request: the connection ends with the answer. */
void
ws_http_refuse (WsConn *conn, guint status, const char *text)
{
  Http *http = http_of (conn);

  if (http == NULL || !ws_conn_open (conn))
    return;
  if (http->state != HTTP_ASKED && (http->head == NULL || http->head->length > 0 ||
                                    ws_head_field (http->head, "transfer-encoding") != NULL))
    http->last = TRUE;
  put_answer (conn, http, ws_answer_refusal (status, text, head_only (http), http->last, more_of (status)));
}

/* ---- upgrades ---- */

static guint
socket_form (const WsHead *head, char **text)
{
  const char *key = ws_head_field (head, "sec-websocket-key"),
             *version = ws_head_field (head, "sec-websocket-version");
  gsize size = 0;
  g_autofree guchar *raw = key == NULL || strlen (key) != KEY_SIZE ? NULL : g_base64_decode (key, &size);

  if (strcmp (head->method, "GET") != 0)
    *text = g_strdup (_ ("WebSocket begins with GET"));
  else if (head->length > 0)
    *text = g_strdup (_ ("a request for WebSocket has no body"));
  else if (g_strcmp0 (version, "13") != 0) {
    *text = g_strdup (_ ("only WebSocket version 13 is spoken here"));
    return 426;
  } else if (raw == NULL || size != 16)
    *text = g_strdup (_ ("Sec-WebSocket-Key is wrong"));
  else
    return 0;
  return 400;
}

char *
ws_http_accept_key (const char *key)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA1);
  guint8 digest[20];
  gsize size = sizeof digest;

  g_checksum_update (sum, (const guchar *) key, (gssize) strlen (key));
  g_checksum_update (sum, (const guchar *) MAGIC, strlen (MAGIC));
  g_checksum_get_digest (sum, digest, &size);
  return g_base64_encode (digest, size);
}

/* The one protocol of ours that was asked for, if any (RFC 6455 section 4.2.2). */
static const char *
protocol_of (const WsHead *head)
{
  static const char *const names[] = { "farwatch", "farwatch-stream" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (ws_head_has_token (head, "sec-websocket-protocol", names[i]))
      return names[i];
  return NULL;
}

static void
http_free (Http *http)
{
  request_over (http);
  g_clear_pointer (&http->in, g_byte_array_unref);
  g_free (http);
}

static void
put_switch (WsConn *conn)
{
  Http *http = conn->data;
  g_autofree char *accept = ws_http_accept_key (ws_head_field (http->head, "sec-websocket-key"));
  const char *protocol = protocol_of (http->head);
  g_autofree char *text =
      g_strdup_printf ("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: "
                       "Upgrade\r\nsec-websocket-accept: %s\r\nfarwatch-time: %" G_GINT64_FORMAT
                       "\r\n%s%s%s\r\n",
                       accept, far_clock_wall_us (), protocol != NULL ? "sec-websocket-protocol: " : "",
                       protocol != NULL ? protocol : "", protocol != NULL ? "\r\n" : "");
  const FarFrame part = { .data = (const guint8 *) text, .size = strlen (text) };

  ws_conn_put (conn, &part, 1);
  conn->data = NULL;
  conn->role = NULL;
  http_free (http);
}

void
ws_http_socket (WsConn *conn, gsize limit)
{
  put_switch (conn);
  if (ws_conn_open (conn))
    ws_link_begin (conn, limit);
}

FarStream *
ws_http_stream (WsConn *conn)
{
  FarStream *stream;
  FarPass *pass = NULL;

  put_switch (conn);
  if (!ws_conn_open (conn) || !g_queue_is_empty (&conn->out)) {
    ws_conn_kill (conn, "the other side does not read");
    return NULL;
  }
  ws_conn_deadline (conn, 0);
  stream = ws_conn_steal (conn, &pass);
  return ws_stream_new (stream, FALSE, pass, conn->listener->streams);
}

static void
http_upgrade (WsConn *conn, Http *http)
{
  const WsHooks *hooks = conn->listener->spec.hooks;
  g_autofree char *text = NULL;
  guint status = socket_form (http->head, &text);

  if (status == 0)
    status = hooks->upgrade == NULL ? 404 : hooks->upgrade (conn, http->head, &text);
  if (status != 0)
    ws_http_refuse (conn, status, text != NULL ? text : _ ("there is no such WebSocket here"));
}

/* ---- requests ---- */

static void
ws_http_ask (WsConn *conn, Http *http)
{
  g_autoptr (GBytes) body = http->body == NULL ? NULL
                                               : g_byte_array_free_to_bytes (g_steal_pointer (&http->body));

  http->state = HTTP_ASKED;
  ws_conn_deadline (conn, 0); /* the router has its own */
  conn->listener->spec.hooks->request (conn, http->head, body);
}

static void
await_body (WsConn *conn, Http *http)
{
  static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
  const FarFrame part = { .data = (const guint8 *) go_on, .size = sizeof go_on - 1 };

  http->state = HTTP_BODY;
  http->body = g_byte_array_sized_new ((guint) http->head->length);
  ws_conn_deadline (conn, BODY_US + (gint64) http->head->length * G_USEC_PER_SEC / 1024);
  if (http->head->expects)
    ws_conn_put (conn, &part, 1);
}

/* 0, or why the request is refused before its body is looked at. */
static guint
length_fault (const WsHead *head, char **text)
{
  gboolean wants = strcmp (head->method, "POST") == 0 || strcmp (head->method, "PUT") == 0;

  if (head->length > FAR_BODY_MAX) {
    *text = g_strdup (_ ("the body is too large: 32 KiB at most"));
    return 413;
  }
  if (!wants || head->has_length)
    return 0;
  *text = g_strdup (_ ("Content-Length is missing"));
  return 411;
}

static void
http_take_head (WsConn *conn, Http *http)
{
  const WsListenerSpec *spec = &conn->listener->spec;
  g_autofree char *text = NULL;
  guint status;

  http->last = ++http->number >= spec->requests_max || !http->head->keep || conn->listener->retiring;
  if (http->head->upgrade) {
    http_upgrade (conn, http);
    return;
  }
  status = spec->hooks->judge == NULL ? 0 : spec->hooks->judge (conn, http->head, &text);
  if (status == 0)
    status = length_fault (http->head, &text);
  if (status != 0)
    ws_http_refuse (conn, status, text != NULL ? text : _ ("not here"));
  else if (http->head->length > 0)
    await_body (conn, http);
  else
    ws_http_ask (conn, http);
}

/* ---- bytes ---- */

/* How much of the data just seen belongs to the head, or to what cannot be one. */
static gsize
http_read_head (WsConn *conn, Http *http, const guint8 *data, gsize size)
{
  const WsHeadLimits *limits = &conn->listener->spec.head;
  gboolean kept = http->in != NULL, final = FALSE;
  guint status = 0;
  const char *text = NULL;
  gsize used = 0, whole = size;
  WsHeadResult result;

  if (kept) {
    g_byte_array_append (http->in, data, (guint) size);
    data = http->in->data;
    whole = http->in->len;
  }
  result = ws_head_read (data, whole, http->looked, limits, &http->head, &used, &status, &text, &final);
  if (result == WS_HEAD_MORE) {
    if (!kept) {
      http->in = g_byte_array_new ();
      g_byte_array_append (http->in, data, (guint) size);
      ws_conn_deadline (conn, HEAD_US);
    }
    http->looked = whole;
    return size;
  }
  if (kept)
    memset (http->in->data, 0, http->in->len);
  g_clear_pointer (&http->in, g_byte_array_unref);
  http->looked = 0;
  if (result == WS_HEAD_REFUSED) {
    http->last |= final;
    ws_http_refuse (conn, status, text);
    return size;
  }
  return size - (whole - used);
}

static gsize
read_body (Http *http, const guint8 *data, gsize size)
{
  gsize n = MIN (size, http->head->length - http->body->len);

  g_byte_array_append (http->body, data, (guint) n);
  return n;
}

/* The other side ends: in order between two requests, else in the middle of something. */
static void
ended (WsConn *conn, Http *http)
{
  if (http->in == NULL && http->state == HTTP_HEAD)
    ws_conn_finish (conn);
  else
    ws_conn_kill (conn, "connection lost");
}

/* FALSE: nothing more now. */
static gboolean
http_turn (WsConn *conn, Http *http)
{
  FarBurst batch;
  gsize used;
  gboolean had_head = http->state == HTTP_BODY;

  conn->stream->klass->peek (conn->stream, &batch);
  if (batch.n == 0) {
    if (batch.eof)
      ended (conn, http);
    return FALSE;
  }
  used = had_head ? read_body (http, batch.frames[0].data, batch.frames[0].size)
                  : http_read_head (conn, http, batch.frames[0].data, batch.frames[0].size);
  if (conn->stream != NULL)
    conn->stream->klass->consume (conn->stream, used);
  if (!ws_conn_open (conn))
    return FALSE;
  if (!had_head && http->head != NULL)
    http_take_head (conn, http);
  else if (had_head && http->body->len == http->head->length)
    ws_http_ask (conn, http);
  return http_of (conn) == http && ws_conn_open (conn) && http->state != HTTP_ASKED;
}

/* While an answer is due nothing is taken, but a connection that dies is noticed. An answer that goes on for
 * good ends with the other side's end; what is asked behind it would hide that, and never have an answer. */
static void
look_for_end (WsConn *conn)
{
  const Http *http = http_of (conn);
  FarBurst batch;

  if (http == NULL || http->state != HTTP_ASKED || !ws_conn_open (conn))
    return;
  conn->stream->klass->peek (conn->stream, &batch);
  if (http->live && batch.n > 0)
    ws_conn_close (conn, WS_CLOSE_POLICY, "a request behind a watch");
  else if (http->live && batch.eof)
    ws_conn_kill (conn, "closed by the other side");
}

/* Who does not fetch his answers is not asked what he wants next. (A few may wait: in a connection that has
 * broken the reader finds its end.) */
static void
http_ready (WsConn *conn)
{
  Http *http = conn->data;

  for (guint turn = 0; turn < TURNS; turn++)
    if (http->state == HTTP_ASKED || conn->out_long || !http_turn (conn, http)) {
      look_for_end (conn);
      return;
    }
  ws_conn_look (conn);
}

static void
http_late (WsConn *conn)
{
  Http *http = conn->data;
  gsize left = unsent (conn);

  /* Slow, but the answer arrives. */
  if (http->in == NULL && http->state == HTTP_HEAD && left > 0 && left != http->left) {
    http->left = left;
    ws_conn_deadline (conn, NEXT_US);
    return;
  }
  if (http->in == NULL && http->state == HTTP_HEAD) {
    conn->linger_ms = 1;
    ws_conn_finish (conn);
    return;
  }
  http->last = TRUE;
  ws_http_refuse (conn, 408, _ ("the request is not whole in time"));
}

static void
http_closed (WsConn *conn)
{
  Http *http = conn->data;

  conn->data = NULL;
  http_free (http);
  if (conn->call != NULL && conn->call_gone != NULL)
    conn->call_gone (conn);
}

/* Who reads a live answer slowly is told less often. */
static void
http_pressure (WsConn *conn, gboolean high)
{
  if (conn->call != NULL && conn->call_pressure != NULL)
    conn->call_pressure (conn, high);
}

static const WsRole http_role = { "http", FALSE, http_ready, http_pressure, http_late, http_closed };

void
ws_http_begin (WsConn *conn)
{
  conn->role = &http_role;
  conn->data = g_new0 (Http, 1);
  ws_conn_deadline (conn, HEAD_US);
}
