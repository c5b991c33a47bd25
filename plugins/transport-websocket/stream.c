/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Byte streams over WebSocket, in place: the bytes below are decoded once, where they lie; what is payload
 * among them is remembered as places. */
#include "config.h"

#include "stream.h"

#include <string.h>

#include <farwatch/clock.h>
#include <farwatch/trust.h>

#include "in.h"

#define MASKED_MAX (64 * 1024 - 64) /* of a client's frame: with its head four TLS records */
#define TURNS 16                    /* looks below that may show nothing but heads and control frames */
#define FINISH_MS 10000
#define FINISH_LONG_MS 60000 /* while something still waits to go out */
#define PONGS_MAX 16 /* that wait: who asks on and does not read gets no more (RFC 6455 section 5.5.3) */
#define CONTROL_PER_SECOND 20 /* as the cause says */
#define CONTROL_BURST 160

/* Payload among the bytes below, counted from the first that is not consumed there. */
typedef struct {
  gsize at, size;
} WsPlace;

typedef struct {
  FarStream head;
  FarStream *below;
  FarPass *pass;
  WsStreams *streams;
  GList node;        /* in streams */
  FarDeferred *kill; /* under streams' lock; asked for when the listener ends */
  WsDecoder decoder;
  gsize decoded; /* bytes below that the decoder has had */
  WsPlace place[FAR_BURST_FRAMES];
  guint first, n;      /* of place */
  GByteArray *pending; /* frames that the stream below has not taken; NULL: none */
  guint8 *masked;      /* client: room for a frame */
  gint64 control_us;
  WsText text;
  guint pongs; /* that wait */
  gboolean client, held, away;
  gboolean eof_in, eof_out, close_out;
  gboolean over; /* the other side has closed in order; dies when its user has seen the end */
} WsStream;

struct _WsStreams {
  gint refs;
  GMutex lock;
  GQueue all; /* of WsStream; under lock */
  FarLoop *loop;
  FarLoopFunc less; /* told whenever one of them has gone */
  gpointer owner;   /* [loop]; NULL: it has ended */
  gboolean over;    /* it has; under lock */
};

/* ---- those of a listener ---- */

WsStreams *
ws_streams_new (FarLoop *loop, FarLoopFunc less, gpointer owner)
{
  WsStreams *streams = g_new0 (WsStreams, 1);

  streams->refs = 1;
  g_mutex_init (&streams->lock);
  streams->owner = owner;
  streams->less = less;
  streams->loop = loop;
  return streams;
}

WsStreams *
ws_streams_ref (WsStreams *streams)
{
  g_atomic_int_inc (&streams->refs);
  return streams;
}

void
ws_streams_unref (WsStreams *streams)
{
  if (!g_atomic_int_dec_and_test (&streams->refs))
    return;
  g_mutex_clear (&streams->lock);
  g_free (streams);
}

guint
ws_streams_count (WsStreams *streams)
{
  g_autoptr (GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new (&streams->lock);

  return streams->all.length;
}

void
ws_streams_end (WsStreams *streams)
{
  g_autoptr (GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new (&streams->lock);

  streams->owner = NULL;
  streams->over = TRUE;
  for (const GList *link = streams->all.head; link != NULL; link = link->next)
    far_deferred_ask (((const WsStream *) link->data)->kill);
}

static void
less_at_loop (gpointer data)
{
  WsStreams *streams = data;

  if (streams->owner != NULL)
    streams->less (streams->owner);
  ws_streams_unref (streams);
}

static void
kill_now (gpointer data)
{
  WsStream *self = data;

  if (self->head.closed)
    return;
  if (self->below != NULL && !self->below->closed)
    self->below->klass->abort (self->below, "the listener has ended");
  far_stream_die (&self->head, "the listener has ended");
}

/* The later belongs to a loop: another loop, another later. */
static void
listen_for_end (WsStream *self, FarLoop *loop)
{
  g_autoptr (GMutexLocker) locked G_GNUC_UNUSED = NULL;

  if (self->streams == NULL)
    return;
  locked = g_mutex_locker_new (&self->streams->lock);
  g_clear_pointer (&self->kill, far_deferred_free);
  self->kill = far_deferred_new (loop, kill_now, self);
  if (self->streams->over) /* it was asked for where the stream has just been */
    far_deferred_ask (self->kill);
}

static void
join_streams (WsStream *self, WsStreams *streams)
{
  self->streams = ws_streams_ref (streams);
  listen_for_end (self, self->head.loop);
  g_mutex_lock (&streams->lock);
  self->node.data = self;
  g_queue_push_tail_link (&streams->all, &self->node);
  g_mutex_unlock (&streams->lock);
}

static void
leave_streams (WsStream *self)
{
  WsStreams *streams = g_steal_pointer (&self->streams);

  if (streams == NULL)
    return;
  g_mutex_lock (&streams->lock);
  g_queue_unlink (&streams->all, &self->node);
  g_clear_pointer (&self->kill, far_deferred_free);
  g_mutex_unlock (&streams->lock);
  far_loop_post (streams->loop, less_at_loop, streams);
}

/* ---- out ---- */

static void
keep_rest (WsStream *self, const FarBurst *batch, gsize skip)
{
  if (self->pending == NULL)
    self->pending = g_byte_array_new ();
  for (guint i = 0; i < batch->n; i++) {
    gsize n = MIN (skip, batch->frames[i].size);

    g_byte_array_append (self->pending, batch->frames[i].data + n, (guint) (batch->frames[i].size - n));
    skip -= n;
  }
}

/* TRUE: nothing waits. */
static gboolean
stream_flush (WsStream *self)
{
  FarBurst batch = { .n = 1 };
  gsize taken;

  if (self->pending == NULL)
    return TRUE;
  batch.bytes = self->pending->len;
  batch.frames[0] = (FarFrame){ .data = self->pending->data, .size = self->pending->len };
  taken = self->below->klass->write (self->below, &batch);
  if (taken < self->pending->len) {
    if (taken > 0)
      g_byte_array_remove_range (self->pending, 0, (guint) taken);
    return FALSE;
  }
  g_clear_pointer (&self->pending, g_byte_array_unref);
  self->pongs = 0;
  return TRUE;
}

/* A short frame of our own: behind what waits. */
static void
put_frame (WsStream *self, guint opcode, const guint8 *data, gsize size)
{
  guint8 frame[WS_FRAME_HEAD_MAX + WS_FRAME_CONTROL_MAX];
  guint32 word = far_random_u32 (G_MAXUINT32);
  const guint8 *mask = self->client ? (const guint8 *) &word : NULL;
  gsize head = ws_frame_head (frame, opcode, TRUE, size, mask), taken;
  FarBurst batch = { .n = 1, .bytes = head + size };

  memcpy (frame + head, data, size);
  if (mask != NULL)
    ws_mask (frame + head, frame + head, size, mask, 0);
  batch.frames[0] = (FarFrame){ .data = frame, .size = head + size };
  taken = stream_flush (self) ? self->below->klass->write (self->below, &batch) : 0;
  if (taken < batch.bytes)
    keep_rest (self, &batch, taken);
}

static void
put_close (WsStream *self, guint code, const char *cause)
{
  guint8 payload[WS_FRAME_CONTROL_MAX] = { (guint8) (code >> 8), (guint8) code };
  gsize text = cause == NULL ? 0 : MIN (strlen (cause), sizeof payload - 2);

  if (self->close_out)
    return;
  self->close_out = TRUE;
  if (text > 0)
    memcpy (payload + 2, cause, text);
  put_frame (self, WS_OPCODE_CLOSE, payload, code == WS_CLOSE_NONE ? 0 : 2 + text);
}

/* Both directions have ended: the other side is told that this was all. */
static void
close_when_done (WsStream *self)
{
  if (self->eof_in && self->eof_out)
    put_close (self, WS_CLOSE_NORMAL, NULL);
}

/* One message for all of a batch: its head, and the frames as they lie. */
static gsize
write_plain (WsStream *self, const FarBurst *batch)
{
  guint8 head[WS_FRAME_HEAD_MAX];
  FarBurst out = { .n = 1 };
  gsize payload = 0, taken;

  for (guint i = 0; i < batch->n && out.n < FAR_BURST_FRAMES; i++) {
    out.frames[out.n++] = batch->frames[i];
    payload += batch->frames[i].size;
  }
  out.frames[0] = (FarFrame){ .data = head,
                              .size = ws_frame_head (head, WS_OPCODE_BINARY, TRUE, payload, NULL) };
  out.bytes = payload + out.frames[0].size;
  taken = self->below->klass->write (self->below, &out);
  if (taken == 0)
    return 0;
  if (taken < out.bytes)
    keep_rest (self, &out, taken);
  return payload;
}

static gsize
write_masked (WsStream *self, const FarBurst *batch)
{
  guint32 word = far_random_u32 (G_MAXUINT32);
  const guint8 *mask = (const guint8 *) &word;
  gsize payload = MIN (batch->bytes, MASKED_MAX), done = 0, head, taken;
  FarBurst out = { .n = 1 };

  if (self->masked == NULL)
    self->masked = g_malloc (MASKED_MAX + WS_FRAME_HEAD_MAX);
  head = ws_frame_head (self->masked, WS_OPCODE_BINARY, TRUE, payload, mask);
  for (guint i = 0; i < batch->n && done < payload; i++) {
    gsize n = MIN (batch->frames[i].size, payload - done);

    ws_mask (self->masked + head + done, batch->frames[i].data, n, mask, done);
    done += n;
  }
  out.bytes = head + payload;
  out.frames[0] = (FarFrame){ .data = self->masked, .size = out.bytes };
  taken = self->below->klass->write (self->below, &out);
  if (taken == 0)
    return 0;
  if (taken < out.bytes)
    keep_rest (self, &out, taken);
  return payload;
}

/* ---- in ---- */

static void
stream_take_text (WsStream *self, const WsFrame *frame)
{
  const WsPiece piece = { .begins = frame->begins, .frame = frame->frame, .ends = frame->ends };
  WsTextIs is = ws_text_take (&self->text, &piece, frame->data, frame->size);

  if (is == WS_TEXT_MORE)
    return;
  if (is == WS_TEXT_EOF) {
    self->eof_in = TRUE;
    close_when_done (self);
    return;
  }
  put_close (self, WS_CLOSE_TYPE, "text on a stream is only: " WS_EOF);
  far_stream_die_soon (&self->head, "text on a stream is only: " WS_EOF);
}

static void
stream_take_piece (WsStream *self, const WsFrame *frame, gsize at)
{
  if (!frame->binary) {
    stream_take_text (self, frame);
  } else if (frame->size > 0 && self->eof_in) {
    put_close (self, WS_CLOSE_PROTOCOL, "bytes after " WS_EOF);
    far_stream_die_soon (&self->head, "bytes after " WS_EOF);
  } else if (frame->size > 0) {
    self->place[self->n++] = (WsPlace){ at, frame->size };
  }
}

static void
stream_take_control (WsStream *self, const WsFrame *frame)
{
  gint64 now = far_clock_boottime_us ();

  self->control_us = MAX (self->control_us, now) + G_USEC_PER_SEC / CONTROL_PER_SECOND;
  if (self->control_us - now > CONTROL_BURST * G_USEC_PER_SEC / CONTROL_PER_SECOND) {
    put_close (self, WS_CLOSE_POLICY, "too many control frames (20 a second)");
    far_stream_die_soon (&self->head, "too many control frames (20 a second)");
  } else if (frame->kind == WS_FRAME_PING && !self->close_out &&
             (self->pending == NULL || self->pongs++ < PONGS_MAX)) {
    put_frame (self, WS_OPCODE_PONG, frame->data, frame->size);
  }
}

/* In order: what came before is still shown. No code at all is what a browser's plain close() sends. */
static void
take_close (WsStream *self, guint code)
{
  gboolean in_order = code == WS_CLOSE_NORMAL || code == WS_CLOSE_AWAY || code == WS_CLOSE_NONE;

  put_close (self, code, NULL);
  self->eof_in = self->over = TRUE;
  if (!in_order)
    far_stream_die_soon (&self->head, "closed by the other side");
}

static void
stream_take_frame (WsStream *self, const WsFrame *frame, gsize at)
{
  switch (frame->kind) {
  case WS_FRAME_MORE:
    return;
  case WS_FRAME_PIECE:
    stream_take_piece (self, frame, at);
    return;
  case WS_FRAME_CLOSE:
    take_close (self, frame->code);
    return;
  case WS_FRAME_BAD:
    put_close (self, frame->code, frame->cause);
    far_stream_die_soon (&self->head, frame->cause);
    return;
  default:
    stream_take_control (self, frame);
  }
}

/* Decodes what is new of the bytes below. */
static void
ws_stream_decode (WsStream *self, const FarBurst *below)
{
  gsize begin = 0;

  for (guint i = 0; i < below->n; i++) {
    const FarFrame *frame = &below->frames[i];

    while (self->decoded < begin + frame->size && self->n < FAR_BURST_FRAMES && !self->head.closed &&
           !self->over) {
      guint8 *data = (guint8 *) frame->data + (self->decoded - begin);
      WsFrame what;
      gsize used = ws_decoder_next (&self->decoder, data, begin + frame->size - self->decoded, &what);

      stream_take_frame (self, &what,
                         what.kind == WS_FRAME_PIECE ? self->decoded + (gsize) (what.data - data) : 0);
      self->decoded += used;
    }
    begin += frame->size;
  }
}

/* Shows the places; one that lies across two frames below is shown in two. */
static void
show (const WsStream *self, const FarBurst *below, FarBurst *batch)
{
  gsize begin = 0;
  guint p = self->first;

  for (guint i = 0; i < below->n; i++) {
    gsize end = begin + below->frames[i].size;

    for (; p < self->n && batch->n < FAR_BURST_FRAMES; p++) {
      gsize from = MAX (self->place[p].at, begin), to = MIN (self->place[p].at + self->place[p].size, end);

      if (from >= end)
        break;
      if (from < to) {
        batch->frames[batch->n++] = (FarFrame){ .data = below->frames[i].data + (from - begin),
                                                .size = to - from };
        batch->bytes += to - from;
      }
      if (self->place[p].at + self->place[p].size > end)
        break;
    }
    begin = end;
  }
}

static void stream_below_ready (FarStream *below, guint ready, gpointer user);

static void
stream_take_below (WsStream *self)
{
  if (!self->away)
    return;
  self->away = FALSE;
  far_stream_take (self->below, stream_below_ready, self);
}

/* Heads and control frames alone: nothing to show, so they go at once. */
static void
drop_decoded (WsStream *self)
{
  if (self->first < self->n || self->decoded == 0)
    return;
  self->first = self->n = 0;
  self->below->klass->consume (self->below, self->decoded);
  self->decoded = 0;
}

static void
stream_peek (FarStream *stream, FarBurst *batch)
{
  WsStream *self = (WsStream *) stream;
  FarBurst below;
  guint turn;

  batch->n = 0;
  batch->bytes = 0;
  batch->eof = FALSE;
  if (stream->closed || self->below == NULL)
    return;
  stream_take_below (self);
  if (self->held)
    return;
  for (turn = 0; turn < TURNS && !stream->closed; turn++) {
    self->below->klass->peek (self->below, &below);
    if (below.n == 0 || self->over)
      break;
    ws_stream_decode (self, &below);
    if (self->first < self->n)
      break;
    drop_decoded (self);
  }
  if (stream->closed)
    return;
  if (self->first < self->n) {
    show (self, &below, batch);
    return;
  }
  if (turn == TURNS)
    far_stream_tell_soon (stream, FAR_READY_READ);
  batch->eof = self->eof_in;
  if (self->over)
    far_stream_die_soon (stream, "closed by the other side");
  else if (turn < TURNS && below.n == 0 && below.eof)
    far_stream_die_soon (stream,
                         self->eof_in && self->eof_out ? "closed by the other side" : "connection lost");
}

static void
stream_consume (FarStream *stream, gsize bytes)
{
  WsStream *self = (WsStream *) stream;
  gsize drop = 0;

  while (bytes > 0 && self->first < self->n) {
    WsPlace *place = &self->place[self->first];
    gsize n = MIN (bytes, place->size);

    place->at += n;
    place->size -= n;
    bytes -= n;
    drop = place->at;
    if (place->size == 0)
      self->first++;
  }
  if (self->first == self->n) {
    drop_decoded (self);
    return;
  }
  self->below->klass->consume (self->below, drop);
  self->decoded -= drop;
  for (guint i = self->first; i < self->n; i++)
    self->place[i - self->first] = (WsPlace){ self->place[i].at - drop, self->place[i].size };
  self->n -= self->first;
  self->first = 0;
}

static gsize
stream_write (FarStream *stream, const FarBurst *batch)
{
  WsStream *self = (WsStream *) stream;

  if (stream->closed || self->below == NULL)
    return 0;
  stream_take_below (self);
  if (self->over)
    return batch->bytes; /* nobody reads it any more, and who waited for room would never see the end */
  if (self->eof_out || self->close_out || batch->bytes == 0 || !stream_flush (self))
    return 0;
  return self->client ? write_masked (self, batch) : write_plain (self, batch);
}

static void
stream_shutdown (FarStream *stream, FarDirection what)
{
  WsStream *self = (WsStream *) stream;

  if ((what & FAR_DIRECTION_WRITE) == 0 || self->eof_out || self->close_out || stream->closed ||
      self->below == NULL)
    return;
  stream_take_below (self);
  self->eof_out = TRUE;
  put_frame (self, WS_OPCODE_TEXT, (const guint8 *) WS_EOF, strlen (WS_EOF));
  close_when_done (self);
}

static void
stream_abort (FarStream *stream, const char *cause)
{
  WsStream *self = (WsStream *) stream;

  stream->closed = TRUE;
  if (stream->cause == NULL)
    stream->cause = far_cause (cause);
  if (self->below != NULL && !self->below->closed)
    self->below->klass->abort (self->below, cause);
}

/* The stream below is taken again when this one is used at its new loop. The end of the listener may come to
 * it there as soon as it is listened for, so that is last. */
static void
stream_move (FarStream *stream, FarLoop *loop)
{
  WsStream *self = (WsStream *) stream;

  far_stream_take (self->below, NULL, NULL);
  self->below->klass->move (self->below, loop);
  self->away = TRUE;
  far_stream_moved (stream, loop);
  listen_for_end (self, loop);
}

static gsize
stream_waiting (FarStream *stream)
{
  const WsStream *self = (const WsStream *) stream;
  FarStream *below = self->below;

  return (self->pending != NULL ? self->pending->len : 0) +
         (below != NULL && below->klass->waiting != NULL ? below->klass->waiting (below) : 0);
}

/* What is behind a close frame is not read; what was written before it still goes out. */
static void
stream_let_go (WsStream *self)
{
  gboolean waits = stream_waiting (&self->head) > 0;
  FarStream *below = g_steal_pointer (&self->below);
  FarPass *pass = g_steal_pointer (&self->pass);

  if (below == NULL) {
    far_gate_leave (pass);
    return;
  }
  far_stream_take (below, NULL, NULL);
  far_stream_linger (below, g_steal_pointer (&self->pending),
                     below->closed ? 0
                     : waits       ? FINISH_LONG_MS
                                   : FINISH_MS,
                     pass);
}

static void
ws_stream_free (FarStream *stream)
{
  WsStream *self = (WsStream *) stream;

  if (self->below != NULL && !self->below->closed && (!stream->closed || !self->close_out))
    put_close (self, WS_CLOSE_NORMAL, NULL);
  stream_let_go (self);
  leave_streams (self);
  ws_decoder_clear (&self->decoder);
  g_clear_pointer (&self->pending, g_byte_array_unref);
  g_free (self->masked);
  g_free (self);
}

static const FarStreamClass stream_class = {
  .name = "websocket",
  .movable = TRUE,
  .peek = stream_peek,
  .consume = stream_consume,
  .write = stream_write,
  .shutdown = stream_shutdown,
  .abort = stream_abort,
  .move = stream_move,
  .free = ws_stream_free,
  .waiting = stream_waiting,
};

static void
stream_below_ready (FarStream *below, guint ready, gpointer user)
{
  WsStream *self = user;

  if (self->head.closed)
    return;
  if ((ready & FAR_READY_CLOSED) != 0) {
    far_stream_die (&self->head, self->over || (self->eof_in && self->eof_out) ? "closed by the other side"
                                 : below->cause != NULL                        ? below->cause
                                                                               : "closed");
    return;
  }
  if ((ready & FAR_READY_WRITE) != 0 && !stream_flush (self))
    ready &= ~(guint) FAR_READY_WRITE;
  if (ready != 0)
    far_stream_tell (&self->head, ready);
}

static void
stream_evicted (gpointer data)
{
  kill_now (data);
}

FarStream *
ws_stream_new (FarStream *below, gboolean client, FarPass *pass, WsStreams *streams)
{
  WsStream *self = g_new0 (WsStream, 1);

  far_stream_init (&self->head, &stream_class, below->loop);
  self->below = below;
  self->client = client;
  self->pass = pass;
  if (pass != NULL)
    far_gate_evictable (pass, below->loop, stream_evicted, self);
  if (streams != NULL)
    join_streams (self, streams);
  ws_decoder_init (&self->decoder, client, 0);
  far_stream_take (below, stream_below_ready, self);
  return &self->head;
}

void
ws_stream_hold (FarStream *stream, gboolean hold)
{
  ((WsStream *) stream)->held = hold;
  if (!hold)
    far_stream_tell_soon (stream, FAR_READY_READ);
}

void
ws_stream_verified (FarStream *stream)
{
  WsStream *self = (WsStream *) stream;

  if (self->pass != NULL)
    far_gate_verified (self->pass);
}

void
ws_stream_refuse (FarStream *stream, guint code, const char *cause)
{
  WsStream *self = (WsStream *) stream;

  if (!stream->closed && self->below != NULL && !self->below->closed)
    put_close (self, code, cause);
  far_stream_free (stream);
}

static void
free_now (gpointer stream)
{
  far_stream_free (stream);
}

void
ws_stream_free_at_loop (gpointer data)
{
  FarStream *stream = data;

  far_loop_post (stream->loop, free_now, stream);
}
