/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "stream.h"

#include <string.h>

#include "context.h"

#define IN_HIGH (64 * 1024)
#define IN_LOW (16 * 1024)
#define MESSAGE_MAX (1024 * 1024) /* of the other side's; it is not collected */

typedef struct {
  FarStream head;
  WsConn *conn;          /* counted */
  void (*opened) (WsConn *conn, FarStream *stream);
  GByteArray *queue;     /* came and was not consumed; NULL: nothing */
  gsize queue_at;        /* consumed of it */
  const guint8 *live;    /* the piece being handed over by the library */
  gsize live_size;
  WsIn in;               /* counts */
  gboolean eof_in, eof_out, deaf, held;
  gboolean parting;      /* the other side said goodbye in order: what it sent before is still shown */
  gboolean over;         /* the connection is gone, in order; dies when its user has seen the end */
  gboolean eof_seen;
} WsStream;

static gsize
queued (const WsStream *self)
{
  return self->queue == NULL ? 0 : self->queue->len - self->queue_at;
}

/* ---- as a FarStream ---- */

static void
stream_peek (FarStream *stream, FarBatch *batch)
{
  WsStream *self = (WsStream *) stream;

  batch->n = 0;
  batch->bytes = queued (self) + self->live_size;
  batch->eof = self->eof_in;
  if (queued (self) > 0)
    batch->frames[batch->n++] = (FarFrame){ .data = self->queue->data + self->queue_at, .size = queued (self) };
  if (self->live_size > 0)
    batch->frames[batch->n++] = (FarFrame){ .data = self->live, .size = self->live_size };
  if (batch->n > 0 || !batch->eof)
    return;
  self->eof_seen = TRUE;
  if (self->over)
    far_stream_die_soon (stream, "closed by the other side");
}

static void
judge_queue (WsStream *self)
{
  gboolean hold = self->held ? queued (self) > IN_LOW : queued (self) >= IN_HIGH;

  if (hold == self->held)
    return;
  self->held = hold;
  ws_conn_hold (self->conn, hold);
}

static void
stream_consume (FarStream *stream, gsize bytes)
{
  WsStream *self = (WsStream *) stream;
  gsize from_queue = MIN (bytes, queued (self));

  self->queue_at += from_queue;
  if (self->queue != NULL && queued (self) == 0) {
    g_clear_pointer (&self->queue, g_byte_array_unref);
    self->queue_at = 0;
  }
  bytes = MIN (bytes - from_queue, self->live_size);
  self->live += bytes;
  self->live_size -= bytes;
  judge_queue (self);
}

/* One WebSocket message is at most one TLS record; small frames share one. */
static gsize
stream_write (FarStream *stream, const FarBatch *batch)
{
  WsStream *self = (WsStream *) stream;
  gsize taken = 0;

  if (stream->closed || self->eof_out || self->over)
    return 0;
  for (guint i = 0; i < batch->n; i++)
    for (gsize at = 0; at < batch->frames[i].size;) {
      gsize n = MIN (MIN (batch->frames[i].size - at, WS_PIECE), ws_conn_room (self->conn));

      if (n == 0)
        return taken;
      ws_conn_send (self->conn, batch->frames[i].data + at, n, FALSE);
      at += n;
      taken += n;
    }
  return taken;
}

static void
finish_when_done (WsStream *self)
{
  if (self->eof_in && self->eof_out)
    ws_conn_finish (self->conn);
}

static void
stream_shutdown (FarStream *stream, FarDirection what)
{
  WsStream *self = (WsStream *) stream;

  if ((what & FAR_DIRECTION_READ) != 0)
    self->deaf = TRUE;
  if ((what & FAR_DIRECTION_WRITE) == 0 || self->eof_out || stream->closed)
    return;
  self->eof_out = TRUE;
  ws_conn_send (self->conn, WS_EOF, strlen (WS_EOF), TRUE);
  finish_when_done (self);
}

static void
stream_abort (FarStream *stream, const char *cause)
{
  WsStream *self = (WsStream *) stream;

  stream->closed = TRUE;
  if (stream->cause == NULL)
    stream->cause = g_intern_string (cause);
  ws_conn_kill (self->conn, stream->cause);
}

static void
stream_free (FarStream *stream)
{
  WsStream *self = (WsStream *) stream;
  WsContext *context = self->conn->context;

  self->conn->data = NULL;
  ws_conn_finish (self->conn);
  ws_conn_unref (self->conn);
  g_clear_pointer (&self->queue, g_byte_array_unref);
  g_free (self);
  context->streams--;
  if (context->streams == 0 && context->hooks->streamless != NULL)
    context->hooks->streamless (context);
}

static const FarStreamClass stream_class = { "websocket", FALSE, FALSE, stream_peek, stream_consume, stream_write, stream_shutdown, stream_abort, NULL,
                                             stream_free };

static void
free_now (gpointer stream)
{
  far_stream_free (stream);
}

void
ws_stream_free_at_home (gpointer data)
{
  FarStream *stream = data;

  far_home_post (stream->home, free_now, stream);
}

/* ---- as a role ---- */

static void
role_opened (WsConn *conn)
{
  WsStream *self = conn->data;
  void (*opened) (WsConn *opened_conn, FarStream *stream) = self->opened;

  self->opened = NULL; /* somebody's from now on */
  opened (conn, &self->head);
}

static void
keep_rest (WsStream *self)
{
  if (self->live_size > 0 && !self->deaf) {
    if (self->queue == NULL)
      self->queue = g_byte_array_new ();
    if (self->queue_at > IN_HIGH / 2) {
      g_byte_array_remove_range (self->queue, 0, (guint) self->queue_at);
      self->queue_at = 0;
    }
    g_byte_array_append (self->queue, self->live, (guint) self->live_size);
  }
  self->live = NULL;
  self->live_size = 0;
  judge_queue (self);
}

static guint
take_text (WsStream *self, const WsPiece *piece, const guint8 *data, gsize size, const char **cause)
{
  if (!ws_in_is_eof (piece, data, size)) {
    *cause = "text on a stream is only: " WS_EOF;
    return WS_CLOSE_TYPE;
  }
  if (self->eof_in)
    return 0;
  self->eof_in = TRUE;
  finish_when_done (self);
  far_stream_tell (&self->head, FAR_READY_READ);
  return 0;
}

/* Freed, or dead: whatever comes is nobody's. */
static guint
role_piece (WsConn *conn, const WsPiece *piece, const guint8 *data, gsize size, const char **cause)
{
  WsStream *self = conn->data;
  guint code;

  if (self == NULL || self->head.closed)
    return 0;
  if (!piece->binary)
    return take_text (self, piece, data, size, cause);
  code = ws_in_count (&self->in, piece, size, cause);
  if (code != 0 || size == 0)
    return code;
  if (self->eof_in) {
    *cause = "bytes after " WS_EOF;
    return WS_CLOSE_PROTOCOL;
  }
  self->live = data;
  self->live_size = size;
  far_stream_tell (&self->head, FAR_READY_READ);
  if (conn->data == self)
    keep_rest (self);
  return 0;
}

static void
role_pressure (WsConn *conn, gboolean high)
{
  WsStream *self = conn->data;

  if (self != NULL && !high && !self->head.closed)
    far_stream_tell (&self->head, FAR_READY_WRITE);
}

static void
role_parting (WsConn *conn)
{
  WsStream *self = conn->data;

  if (self != NULL)
    self->parting = TRUE;
}

static void
role_closed (WsConn *conn)
{
  WsStream *self = conn->data;

  if (self != NULL && self->opened != NULL) { /* never was anybody's: a refused server, a failed handshake */
    far_stream_free (&self->head);
    return;
  }
  if (self == NULL || self->head.closed)
    return;
  if (conn->cause != NULL || (!self->parting && !(self->eof_in && self->eof_out))) {
    far_stream_die (&self->head, conn->cause != NULL ? conn->cause : "connection lost");
    return;
  }
  self->eof_in = self->over = TRUE;
  if (self->eof_seen)
    far_stream_die (&self->head, "closed by the other side");
  else
    far_stream_tell (&self->head, FAR_READY_READ);
}

static const WsRole stream_role = { "stream", role_opened, role_piece, role_pressure, role_parting, role_closed };

void
ws_stream_begin (WsConn *conn, void (*opened) (WsConn *conn, FarStream *stream))
{
  WsStream *self = g_new0 (WsStream, 1);

  far_stream_init (&self->head, &stream_class, conn->context->home);
  self->conn = ws_conn_ref (conn);
  self->opened = opened;
  self->in.limit = MESSAGE_MAX;
  conn->data = self;
  conn->role = &stream_role;
  conn->context->streams++;
}
