/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "conn.h"

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>

#include <farwatch/clock.h>

#include "context.h"
#include "link.h"

#define NOISE_MAX (128 * 1024)     /* then the other side is cut */
#define NOISE_PER_SECOND (16 * 1024)
#define NOISE_PER_PIECE 64         /* a frame's head and its share of TLS */
#define CLOSE_SECONDS 1 /* for the close frame; a node that was cut is gone within two */
#define FINISH_SECONDS 60 /* what is queued may take a while */

typedef struct {
  gsize size, sent;
  gboolean text;
  guint8 room[]; /* LWS_PRE, then the data */
} Out;

WsConn *
ws_conn_new (WsContext *context, const char *from)
{
  WsConn *conn = g_new0 (WsConn, 1);

  conn->refs = 1;
  conn->context = context;
  conn->hub = context->hub == NULL ? NULL : ws_hub_ref (context->hub);
  conn->address = g_strdup (from);
  conn->from = g_strdup (from);
  conn->reading = TRUE;
  conn->timed.data = conn->lively.data = conn->served.data = conn;
  conn->noise_us = conn->heard_us = far_clock_boottime_us ();
  g_queue_init (&conn->out);
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
  if (conn->hub != NULL)
    ws_hub_unref (conn->hub);
  g_free (conn->address);
  g_free (conn->from);
  g_free (conn->node);
  g_free (conn);
}

/* ---- out ---- */

static void
drop_out (WsConn *conn)
{
  g_queue_clear_full (&conn->out, g_free);
  conn->out_bytes = 0;
}

gsize
ws_conn_room (const WsConn *conn)
{
  return conn->out_bytes >= WS_OUT_PAUSE ? 0 : WS_OUT_PAUSE - conn->out_bytes;
}

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

void
ws_conn_send (WsConn *conn, const void *data, gsize size, gboolean text)
{
  Out *out;

  if (conn->wsi == NULL || conn->close_code != 0)
    return;
  if (conn->out_bytes + size > WS_OUT_CLOSE) {
    ws_conn_close (conn, WS_CLOSE_LATER, "the other side does not read");
    return;
  }
  out = g_malloc (sizeof *out + LWS_PRE + size);
  *out = (Out){ .size = size, .text = text };
  memcpy (out->room + LWS_PRE, data, size);
  g_queue_push_tail (&conn->out, out);
  conn->out_bytes += size;
  judge_out (conn);
  lws_callback_on_writable (conn->wsi);
}

/* One fragment; its head goes where the bytes before it were, which are sent already. */
static int
write_piece (WsConn *conn, Out *out)
{
  gsize n = MIN (out->size - out->sent, WS_PIECE);
  int kind = out->sent > 0 ? LWS_WRITE_CONTINUATION : out->text ? LWS_WRITE_TEXT : LWS_WRITE_BINARY;

  if (out->sent + n < out->size)
    kind |= LWS_WRITE_NO_FIN;
  if (lws_write (conn->wsi, out->room + LWS_PRE + out->sent, n, (enum lws_write_protocol) kind) < (int) n)
    return -1;
  out->sent += n;
  conn->out_bytes -= n;
  return 0;
}

static int
end_now (WsConn *conn)
{
  lws_close_reason (conn->wsi, (enum lws_close_status) conn->close_code, (unsigned char *) conn->cause, conn->cause == NULL ? 0 : strlen (conn->cause));
  return -1;
}

static int
write_out (WsConn *conn)
{
  do {
    Out *out = g_queue_peek_head (&conn->out);

    if (out == NULL)
      return 0;
    if (write_piece (conn, out) != 0)
      return -1;
    if (out->sent == out->size)
      g_free (g_queue_pop_head (&conn->out));
  } while (!lws_partial_buffered (conn->wsi) && !lws_send_pipe_choked (conn->wsi));
  if (!g_queue_is_empty (&conn->out))
    lws_callback_on_writable (conn->wsi);
  return 0;
}

int
ws_conn_writable (WsConn *conn)
{
  int rc = 0;

  conn->in_callback = TRUE;
  if (conn->close_code == 0 || conn->cause == NULL)
    rc = write_out (conn);
  conn->in_callback = FALSE;
  if (rc == 0)
    judge_out (conn);
  if (rc == 0 && conn->close_code != 0 && (conn->cause != NULL || g_queue_is_empty (&conn->out)))
    rc = end_now (conn);
  return rc;
}

/* ---- end ---- */

static void
begin_close (WsConn *conn, guint code, const char *cause)
{
  if (conn->wsi == NULL || conn->close_code != 0)
    return;
  conn->close_code = (guint16) code;
  conn->cause = cause;
  if (cause != NULL)
    drop_out (conn);
  if (conn->in_callback)
    return;
  lws_set_timeout (conn->wsi, PENDING_TIMEOUT_USER_REASON_BASE, cause != NULL ? CLOSE_SECONDS : FINISH_SECONDS); /* one that reads nothing */
  lws_callback_on_writable (conn->wsi);
}

void
ws_conn_close (WsConn *conn, guint code, const char *cause)
{
  begin_close (conn, code, cause);
}

void
ws_conn_finish (WsConn *conn)
{
  begin_close (conn, WS_CLOSE_NORMAL, NULL);
}

/* What waits in the socket is dropped as well: the kernel resets the connection when it is told to forget its peer. */
void
ws_conn_kill (WsConn *conn, const char *cause)
{
  const struct linger none = { .l_onoff = 1, .l_linger = 0 };
  const struct sockaddr nobody = { .sa_family = AF_UNSPEC };
  int fd;

  if (conn->wsi == NULL)
    return;
  fd = lws_get_socket_fd (conn->wsi);
  conn->close_code = WS_CLOSE_AWAY;
  conn->cause = cause;
  drop_out (conn);
  if (fd >= 0 && setsockopt (fd, SOL_SOCKET, SO_LINGER, &none, sizeof none) == 0 && connect (fd, &nobody, sizeof nobody) != 0)
    shutdown (fd, SHUT_RDWR);
  if (!conn->in_callback)
    lws_set_timeout (conn->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
}

/* Outside the library's callbacks. At once, because the library's timeouts wait until no descriptor is ready, and that of a peer who is gone
 * always is: watched and not read, it would keep the loop busy and all timeouts waiting for ever. */
void
ws_conn_end_now (WsConn *conn)
{
  if (conn->wsi != NULL)
    lws_set_timeout (conn->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
}

void
ws_conn_gone (WsConn *conn)
{
  const WsRole *role = conn->role;

  if (conn->gone)
    return;
  conn->gone = TRUE;
  conn->wsi = NULL;
  drop_out (conn);
  ws_context_forget (conn->context, conn);
  if (conn->pass != NULL)
    far_gate_leave (g_steal_pointer (&conn->pass));
  conn->role = NULL;
  if (role != NULL && role->closed != NULL)
    role->closed (conn);
  ws_conn_unref (conn);
}

/* ---- in ---- */

void
ws_conn_hold (WsConn *conn, gboolean hold)
{
  gboolean reading;

  if (hold)
    conn->holds++;
  else if (conn->holds > 0)
    conn->holds--;
  reading = conn->holds == 0;
  if (conn->wsi == NULL || reading == conn->reading)
    return;
  conn->reading = reading;
  lws_rx_flow_control (conn->wsi, reading);
}

void
ws_conn_heard (WsConn *conn)
{
  conn->heard_us = far_clock_boottime_us ();
  ws_context_lively (conn->context, conn);
}

void
ws_conn_verified (WsConn *conn)
{
  if (conn->verified)
    return;
  conn->verified = TRUE;
  if (conn->pass != NULL)
    far_gate_verified (conn->pass);
  ws_context_timed (conn->context, conn);
}

void
ws_conn_deadline (WsConn *conn, gint64 boottime_us)
{
  conn->deadline_us = boottime_us;
  ws_context_timed (conn->context, conn);
}

/* Noise: bytes that came without becoming payload. The library answers pings by itself and does not tell, nor does it tell of TLS records without content;
 * so what the socket gave is compared with what arrived here. */
static void
noise_add (WsConn *conn, gint64 bytes)
{
  gint64 now = far_clock_boottime_us ();

  conn->noise -= (now - conn->noise_us) * NOISE_PER_SECOND / G_USEC_PER_SEC;
  conn->noise_us = now;
  conn->noise = MAX (conn->noise, 0) + bytes;
}

static long
socket_read (BIO *bio, int oper, const char *data, size_t length, int argi, long argl, int ret, size_t *processed)
{
  WsConn *conn = (WsConn *) BIO_get_callback_arg (bio);

  if (oper != (BIO_CB_READ | BIO_CB_RETURN) || ret <= 0 || processed == NULL || conn == NULL)
    return ret;
  noise_add (conn, (gint64) *processed);
  if (conn->noise > NOISE_MAX && conn->close_code == 0)
    ws_conn_kill (conn, "too many control frames");
  return ret;
}

/* The BIO goes with the struct lws, before the WsConn does. */
static void
watch_noise (WsConn *conn)
{
  SSL *ssl = lws_get_ssl (conn->wsi);
  BIO *bio = ssl == NULL ? NULL : SSL_get_rbio (ssl);

  if (bio == NULL)
    return;
  BIO_set_callback_arg (bio, (char *) conn);
  BIO_set_callback_ex (bio, socket_read);
}

/* The library sets the socket's buffer to the size of its own. */
void
ws_conn_established (WsConn *conn, int send_buffer)
{
  int fd = lws_get_socket_fd (conn->wsi);

  if (fd >= 0)
    setsockopt (fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
  watch_noise (conn);
  if (conn->role != NULL && conn->role->opened != NULL)
    conn->role->opened (conn);
}

/* Seconds are looked at by the context; bytes are counted here, because a second is long. While an answer is due, only bytes count. */
static gboolean
over_before_login (WsConn *conn)
{
  const char *cause = NULL;

  return conn->pass != NULL && !conn->verified && far_gate_over (conn->pass, &cause) && (conn->calls == 0 || strcmp (cause, "too slow") != 0);
}

static guint
take_piece (WsConn *conn, const guint8 *data, gsize size, const char **cause)
{
  gboolean whole = lws_remaining_packet_payload (conn->wsi) == 0;
  WsPiece piece = { .binary = lws_frame_is_binary (conn->wsi), .begins = lws_is_first_fragment (conn->wsi), .frame = whole,
                    .ends = whole && lws_is_final_fragment (conn->wsi) };

  conn->noise -= (gint64) size + NOISE_PER_PIECE;
  if (over_before_login (conn)) {
    *cause = "too much before login";
    return WS_CLOSE_POLICY;
  }
  return conn->role == NULL || conn->role->piece == NULL ? WS_CLOSE_POLICY : conn->role->piece (conn, &piece, data, size, cause);
}

int
ws_conn_piece (WsConn *conn, const guint8 *data, gsize size)
{
  const char *cause = "not expected here";
  guint code;

  if (conn->close_code != 0)
    return conn->cause != NULL ? -1 : 0;
  conn->in_callback = TRUE;
  code = take_piece (conn, data, size, &cause);
  if (code != 0 && conn->close_code == 0)
    begin_close (conn, code, cause);
  conn->in_callback = FALSE;
  return conn->close_code != 0 && conn->cause != NULL ? end_now (conn) : 0;
}

/* More than 20 a second. */
int
ws_conn_pong (WsConn *conn)
{
  noise_add (conn, NOISE_PER_SECOND / 20);
  if (conn->noise <= NOISE_MAX)
    return 0;
  conn->close_code = WS_CLOSE_POLICY;
  conn->cause = "too many control frames";
  return end_now (conn);
}

/* No code at all is what a browser's plain close() sends. */
void
ws_conn_parting (WsConn *conn, const guint8 *code, gsize size)
{
  guint value = size >= 2 ? (guint) code[0] << 8 | code[1] : WS_CLOSE_NORMAL;

  if ((value == WS_CLOSE_NORMAL || value == WS_CLOSE_AWAY) && conn->role != NULL && conn->role->parting != NULL)
    conn->role->parting (conn);
}
