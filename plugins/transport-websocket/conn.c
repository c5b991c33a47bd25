/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connections: their queue, their deadline, and how they end. */
#include "config.h"

#include "conn.h"

#include <string.h>

#include <farwatch/clock.h>
#include <farwatch/trust.h>

#include "link.h"

#define CLOSE_MS 1000   /* for the close frame; a node that was cut is gone within two seconds */
#define FINISH_MS 10000 /* what is queued may take a while */

typedef struct {
  gsize size, sent;
  guint8 data[];
} WsOut;

/* ---- life ---- */

static void conn_ready (FarStream *stream, guint ready, gpointer user);

WsConn *
ws_conn_new (FarStream *stream, WsListener *listener, const WsConnEvents *events, WsHub *hub,
             const char *from, FarPass *pass)
{
  WsConn *conn = g_new0 (WsConn, 1);

  conn->refs = 1;
  conn->loop = stream->loop;
  conn->listener = listener;
  conn->events = events;
  conn->hub = ws_hub_ref (hub);
  conn->stream = stream;
  conn->address = g_strdup (from);
  conn->from = g_strdup (from);
  conn->pass = pass;
  conn->lively.data = conn->served.data = conn;
  conn->heard_us = far_clock_boottime_us ();
  g_queue_init (&conn->out);
  far_stream_take (stream, conn_ready, conn);
  return conn;
}

WsConn *
ws_conn_ref (WsConn *conn)
{
  g_atomic_int_inc (&conn->refs);
  return conn;
}

void
ws_conn_unref (WsConn *conn)
{
  if (!g_atomic_int_dec_and_test (&conn->refs))
    return;
  ws_hub_unref (conn->hub);
  g_free (conn->address);
  g_free (conn->from);
  g_free (conn->node);
  far_presented_unref (conn->presented);
  g_free (conn);
}

gboolean
ws_conn_open (const WsConn *conn)
{
  return !conn->gone && conn->end == WS_END_NONE;
}

/* ---- the end ---- */

static void
drop_out (WsConn *conn)
{
  g_queue_clear_full (&conn->out, g_free);
  conn->out_bytes = 0;
}

static void
conn_gone (WsConn *conn)
{
  const WsRole *role = conn->role;

  if (conn->gone)
    return;
  conn->gone = TRUE;
  if (conn->stream != NULL) {
    far_stream_take (conn->stream, NULL, NULL);
    g_clear_pointer (&conn->stream, far_stream_free);
  }
  drop_out (conn);
  g_clear_pointer (&conn->timer, far_loop_timer_free);
  if (conn->listener != NULL)
    conn->events->gone (conn->listener, conn);
  conn->listener = NULL;
  g_clear_pointer (&conn->pass, far_gate_leave);
  conn->role = NULL;
  if (role != NULL && role->closed != NULL)
    role->closed (conn);
  ws_conn_unref (conn);
}

static void
append_close (GByteArray *to, const WsConn *conn)
{
  guint8 head[WS_FRAME_HEAD_MAX],
      payload[WS_FRAME_CONTROL_MAX] = { (guint8) (conn->close_code >> 8), (guint8) conn->close_code };
  gsize size = conn->close_code == WS_CLOSE_NONE ? 0 : 2;
  guint32 word = far_random_u32 (G_MAXUINT32);
  const guint8 *mask = conn->client ? (const guint8 *) &word : NULL;

  if (conn->cause != NULL && size > 0) {
    gsize text = MIN (strlen (conn->cause), sizeof payload - size);

    memcpy (payload + size, conn->cause, text);
    size += text;
  }
  if (mask != NULL)
    ws_mask (payload, payload, size, mask, 0);
  g_byte_array_append (to, head, (guint) ws_frame_head (head, WS_OPCODE_CLOSE, TRUE, size, mask));
  g_byte_array_append (to, payload, (guint) size);
}

/* What still goes out: a frame that was begun must be ended, what is behind it only where the connection ends
 * in peace. */
static GByteArray *
last_words (WsConn *conn)
{
  GByteArray *rest = g_byte_array_new ();

  for (const GList *link = conn->out.head; link != NULL; link = link->next) {
    const WsOut *out = link->data;

    if (conn->end == WS_END_FINISH || out->sent > 0)
      g_byte_array_append (rest, out->data + out->sent, (guint) (out->size - out->sent));
  }
  if (conn->role != NULL && conn->role->socket && conn->close_code != 0)
    append_close (rest, conn);
  return rest;
}

static void
conn_end (WsConn *conn)
{
  FarStream *stream = conn->stream;

  if (conn->gone || stream == NULL)
    return;
  far_stream_take (stream, NULL, NULL);
  conn->stream = NULL;
  if (conn->end == WS_END_KILL) {
    if (!stream->closed)
      stream->klass->abort (stream, conn->cause != NULL ? conn->cause : "closed");
    far_stream_free (stream);
  } else {
    GByteArray *rest = last_words (conn);

    if (rest->len == 0)
      g_clear_pointer (&rest, g_byte_array_unref);
    far_stream_linger (stream, rest,
                       conn->linger_ms > 0          ? conn->linger_ms
                       : conn->end == WS_END_FINISH ? FINISH_MS
                                                    : CLOSE_MS,
                       g_steal_pointer (&conn->pass));
  }
  conn_gone (conn);
}

/* The first wish counts, but for a kill, which outdoes all. */
static void
wish_end (WsConn *conn, WsEnd end, guint code, const char *cause)
{
  if (conn->gone || (conn->end != WS_END_NONE && end != WS_END_KILL))
    return;
  conn->end = end;
  conn->close_code = (guint16) code;
  conn->cause = cause;
  if (!conn->busy)
    conn_end (conn);
}

void
ws_conn_finish (WsConn *conn)
{
  wish_end (conn, WS_END_FINISH, WS_CLOSE_NORMAL, NULL);
}

void
ws_conn_close (WsConn *conn, guint code, const char *cause)
{
  wish_end (conn, WS_END_CLOSE, code, cause);
}

void
ws_conn_kill (WsConn *conn, const char *cause)
{
  wish_end (conn, WS_END_KILL, WS_CLOSE_AWAY, cause);
}

FarStream *
ws_conn_steal (WsConn *conn, FarPass **pass)
{
  FarStream *stream = g_steal_pointer (&conn->stream);

  *pass = g_steal_pointer (&conn->pass);
  far_stream_take (stream, NULL, NULL);
  conn->end = WS_END_KILL; /* nothing is read or written any more */
  return stream;
}

/* ---- out ---- */

static void
judge_out (WsConn *conn)
{
  gboolean high = conn->out_bytes >= WS_OUT_PAUSE;

  if (high == conn->out_long || (conn->out_long && conn->out_bytes > WS_OUT_PAUSE / 2))
    return;
  conn->out_long = high;
  if (conn->role != NULL && conn->role->pressure != NULL)
    conn->role->pressure (conn, high);
}

static void
ws_conn_keep (WsConn *conn, const FarFrame *parts, guint n, gsize skip)
{
  gsize size = 0, at = 0;
  WsOut *out;

  for (guint i = 0; i < n; i++)
    size += parts[i].size;
  out = g_malloc (sizeof *out + size);
  out->size = size;
  out->sent = skip;
  for (guint i = 0; i < n; i++) {
    memcpy (out->data + at, parts[i].data, parts[i].size);
    at += parts[i].size;
  }
  g_queue_push_tail (&conn->out, out);
  conn->out_bytes += size - skip;
  judge_out (conn);
}

void
ws_conn_put (WsConn *conn, const FarFrame *parts, guint n)
{
  FarBurst batch = { .n = n };
  gsize taken;

  if (!ws_conn_open (conn))
    return;
  for (guint i = 0; i < n; i++) {
    batch.frames[i] = parts[i];
    batch.bytes += parts[i].size;
  }
  if (conn->out_bytes + batch.bytes > WS_OUT_CLOSE) {
    ws_conn_close (conn, WS_CLOSE_LATER, "the other side does not read");
    return;
  }
  taken = g_queue_is_empty (&conn->out) ? conn->stream->klass->write (conn->stream, &batch) : 0;
  if (taken < batch.bytes)
    ws_conn_keep (conn, parts, n, taken);
}

static void
conn_flush (WsConn *conn)
{
  WsOut *out;

  while (conn->stream != NULL && (out = g_queue_peek_head (&conn->out)) != NULL) {
    FarBurst batch = { .n = 1, .bytes = out->size - out->sent };
    gsize taken;

    batch.frames[0] = (FarFrame){ .data = out->data + out->sent, .size = batch.bytes };
    taken = conn->stream->klass->write (conn->stream, &batch);
    out->sent += taken;
    conn->out_bytes -= taken;
    if (out->sent < out->size)
      break;
    g_free (g_queue_pop_head (&conn->out));
  }
  judge_out (conn);
}

/* ---- in ---- */

static void
conn_ready (FarStream *stream, guint ready, gpointer user)
{
  WsConn *conn = ws_conn_ref (user);

  if (conn->stream != stream || conn->gone) {
    ws_conn_unref (conn);
    return;
  }
  conn->busy = TRUE;
  if ((ready & FAR_READY_CLOSED) != 0)
    ws_conn_kill (conn, stream->cause != NULL ? stream->cause : "connection lost");
  else if ((ready & FAR_READY_WRITE) != 0 && ws_conn_open (conn))
    conn_flush (conn);
  if (ws_conn_open (conn) && conn->holds == 0 && conn->role != NULL)
    conn->role->ready (conn);
  conn->busy = FALSE;
  if (conn->end != WS_END_NONE)
    conn_end (conn);
  if (conn->stream == NULL && !conn->gone) /* given away */
    conn_gone (conn);
  ws_conn_unref (conn);
}

void
ws_conn_look (WsConn *conn)
{
  if (conn->stream != NULL)
    far_stream_tell_soon (conn->stream, FAR_READY_READ);
}

void
ws_conn_hold (WsConn *conn, gboolean hold)
{
  if (hold)
    conn->holds++;
  else if (conn->holds > 0 && --conn->holds == 0)
    ws_conn_look (conn);
}

void
ws_conn_heard (WsConn *conn)
{
  conn->heard_us = far_clock_boottime_us ();
  conn->pinged = FALSE;
  if (conn->listener != NULL)
    conn->events->heard (conn->listener, conn);
}

/* ---- limits ---- */

void
ws_conn_verified (WsConn *conn)
{
  if (conn->verified || conn->gone)
    return;
  conn->verified = TRUE;
  if (conn->pass != NULL)
    far_gate_verified (conn->pass);
}

static void
deadline_over (gpointer data)
{
  WsConn *conn = ws_conn_ref (data);

  g_clear_pointer (&conn->timer, far_loop_timer_free);
  if (conn->role != NULL && conn->role->late != NULL)
    conn->role->late (conn);
  else
    ws_conn_kill (conn, "too slow");
  ws_conn_unref (conn);
}

void
ws_conn_deadline (WsConn *conn, gint64 us)
{
  gint64 when = far_clock_boottime_us () + us;

  if (us == 0 || conn->gone)
    g_clear_pointer (&conn->timer, far_loop_timer_free);
  else if (conn->timer == NULL)
    conn->timer = far_loop_timer (conn->loop, when, deadline_over, conn);
  else
    far_loop_timer_set (conn->timer, when);
}

gboolean
ws_conn_over (WsConn *conn)
{
  const char *cause = NULL;

  return conn->pass != NULL && !conn->verified && far_gate_over (conn->pass, &cause) &&
         strcmp (cause, "too slow") != 0;
}
