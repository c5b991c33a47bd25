/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Links: what comes in at the connection's loop goes to main as messages, and what main answers or asks comes
 * back. */
#include "config.h"

#include "link.h"

#include <string.h>

#include <farwatch/clock.h>
#include <farwatch/i18n.h>
#include <farwatch/trust.h>

#define LOGIN_US (10 * G_USEC_PER_SEC)
#define CONTROL_PER_SECOND 20 /* as the cause says */
#define CONTROL_BURST 160
#define READ_TURNS 16 /* then other connections of the thread have theirs */

static void link_put (WsConn *conn, guint opcode, const guint8 *data, gsize size);

/* ---- main's half ---- */

static void
fail_pending (WsLink *link)
{
  GHashTableIter iter;
  gpointer req;

  g_hash_table_iter_init (&iter, link->pending);
  while (g_hash_table_iter_next (&iter, NULL, &req))
    far_request_fail_new (req, FAR_ERROR_UNAVAILABLE, _ ("the link to %s was lost before the answer came"),
                          link->peer != NULL ? link->peer : "the peer");
  g_hash_table_remove_all (link->pending);
}

static void
link_free (WsLink *link)
{
  far_api_gone (link);
  fail_pending (link);
  far_clearance_free (link->clearance);
  g_hash_table_remove (link->hub->links, link);
  g_hash_table_unref (link->pending);
  far_principal_unref (link->principal);
  link->conn->link = NULL;
  ws_conn_unref (link->conn);
  ws_hub_unref (link->hub);
  far_secret_free (link->ticket);
  g_free (link->login_id);
  g_free (link->peer);
  g_free (link);
}

void
ws_hub_end (WsHub *hub)
{
  g_autoptr (GList) links = g_hash_table_get_keys (hub->links);

  hub->self = NULL;
  g_list_foreach (links, (GFunc) (void (*) (void)) link_free, NULL);
  ws_hub_unref (hub);
}

static WsLink *
link_new (WsConn *conn)
{
  WsLink *link = g_new0 (WsLink, 1);

  link->hub = ws_hub_ref (conn->hub);
  link->conn = ws_conn_ref (conn);
  link->peer = g_strdup (conn->node);
  link->principal = far_principal_new (conn->node != NULL ? FAR_PRINCIPAL_NODE : FAR_PRINCIPAL_NONE,
                                       conn->node != NULL ? conn->node : "", NULL, conn->from);
  link->pending = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) far_request_unref);
  g_hash_table_add (conn->hub->links, link);
  conn->link = link;
  return link;
}

/* ---- from main to the connection's loop ---- */

typedef struct {
  WsConn *conn;
  FarMessage *message; /* NULL: none */
  gboolean answered;   /* one of its requests is done */
  guint code;          /* close */
  const char *cause;
  gboolean verified, let_in;
} ToLoop;

/* What the connection's thread keeps of a link. */
typedef struct {
  WsDecoder decoder;
  WsIn in;
  WsText text;
  gsize limit;       /* of a message; before login it is less */
  gint64 control_us; /* when all control frames that came will be worked off at the rate allowed */
  gboolean eof;      /* nothing more will come: the connection ends with the last answer */
} LinkIn;

static void
end_when_answered (WsConn *conn)
{
  LinkIn *self = conn->data;

  if (self != NULL && ws_conn_open (conn) && self->eof && conn->calls == 0)
    ws_conn_finish (conn);
}

static void
one_answered (WsConn *conn)
{
  if (conn->calls-- == WS_CALLS_MAX)
    ws_conn_hold (conn, FALSE);
  end_when_answered (conn);
}

/* A client masks, with a word of its own for each frame (RFC 6455 section 5.3). */
static void
put_masked (WsConn *conn, guint opcode, const guint8 *data, gsize size)
{
  guint32 word = far_random_u32 (G_MAXUINT32);
  g_autofree guint8 *frame = g_malloc (WS_FRAME_HEAD_MAX + size);
  gsize head = ws_frame_head (frame, opcode, TRUE, size, (const guint8 *) &word);
  FarFrame part = { .data = frame, .size = head + size };

  ws_mask (frame + head, data, size, (const guint8 *) &word, 0);
  ws_conn_put (conn, &part, 1);
}

static void
link_put (WsConn *conn, guint opcode, const guint8 *data, gsize size)
{
  guint8 head[WS_FRAME_HEAD_MAX];
  FarFrame parts[2] = { { .data = head }, { .data = data, .size = size } };

  if (conn->client) {
    put_masked (conn, opcode, data, size);
    return;
  }
  parts[0].size = ws_frame_head (head, opcode, TRUE, size, NULL);
  ws_conn_put (conn, parts, size > 0 ? 2 : 1);
}

void
ws_link_ping (WsConn *conn)
{
  link_put (conn, WS_OPCODE_PING, (const guint8 *) "", 0);
}

static void
link_job_at_loop (gpointer data)
{
  ToLoop *job = data;
  WsConn *conn = job->conn;

  if (job->verified)
    ws_conn_verified (conn);
  if (job->let_in) {
    conn->parked = FALSE;
    ws_conn_heard (conn);
    ws_conn_hold (conn, FALSE);
  }
  if (job->message != NULL) {
    g_autoptr (GBytes) frame = far_message_encode (job->message);
    gsize size;
    const guint8 *bytes = g_bytes_get_data (frame, &size);

    link_put (conn, WS_OPCODE_BINARY, bytes, size);
    far_message_unref (job->message);
  }
  if (job->answered)
    one_answered (conn);
  if (job->code != 0)
    ws_conn_close (conn, job->code, job->cause);
  ws_conn_unref (conn);
  g_free (job);
}

static void
link_to_loop (WsLink *link, const ToLoop *what)
{
  ToLoop *job = g_new0 (ToLoop, 1);

  *job = *what;
  job->conn = ws_conn_ref (link->conn);
  far_loop_post (link->conn->loop, link_job_at_loop, job);
}

void
ws_link_close (WsLink *link, guint code, const char *cause)
{
  link->cause = cause;
  link_to_loop (link, &(ToLoop){ .code = code, .cause = cause });
}

void
ws_link_verified (WsLink *link)
{
  link_to_loop (link, &(ToLoop){ .verified = TRUE });
}

/* Only what came is held; what this node has dialled is read at once. */
static gboolean
link_is_held (const WsConn *conn)
{
  return conn->node != NULL && !conn->client;
}

void
ws_link_let_in (WsLink *link)
{
  link->waits = FALSE;
  if (link_is_held (link->conn))
    link_to_loop (link, &(ToLoop){ .let_in = TRUE });
}

/* Requests that ended by themselves (timeout) still wait for their answers: they go when there is no room. */
static void
sweep_pending (WsLink *link)
{
  GHashTableIter iter;
  gpointer req;

  g_hash_table_iter_init (&iter, link->pending);
  while (g_hash_table_iter_next (&iter, NULL, &req))
    if (far_request_ended (req))
      g_hash_table_iter_remove (&iter);
}

void
ws_link_send (WsLink *link, FarMessage *request, FarRequest *req)
{
  if (g_hash_table_size (link->pending) >= WS_PENDING_MAX)
    sweep_pending (link);
  if (g_hash_table_size (link->pending) >= WS_PENDING_MAX) {
    far_request_fail_new (req, FAR_ERROR_LIMIT, _ ("%s answers too slowly: %d requests are under way"),
                          link->peer, WS_PENDING_MAX);
    return;
  }
  if (g_hash_table_contains (link->pending, request->id)) {
    far_request_fail_new (req, FAR_ERROR_CONFLICT, _ ("a request with this id is under way already"));
    return;
  }
  g_hash_table_insert (link->pending, g_strdup (request->id), far_request_ref (req));
  link_to_loop (link, &(ToLoop){ .message = far_message_ref (request) });
}

/* ---- from the connection's loop to main ---- */

typedef struct {
  WsConn *conn;
  FarMessage *message;
  const char *cause;
  gboolean high;
} ToMain;

static void
link_interface_answered (FarMessage *answer, gboolean last, gpointer user)
{
  WsLink *link = user;

  if (link->hub->self != NULL && link->hub->funcs->answered != NULL)
    link->hub->funcs->answered (link->hub->self, link, answer);
  link_to_loop (link, &(ToLoop){ .message = far_message_ref (answer), .answered = last });
}

static void
take_request (WsLink *link, FarMessage *request)
{
  const WsHubFuncs *funcs = link->hub->funcs;
  g_autoptr (FarPrincipal) asker = NULL;

  if (funcs->asked != NULL)
    funcs->asked (link->hub->self, link, request);
  asker = funcs->asker == NULL ? NULL : funcs->asker (link->hub->self, link);
  far_api_submit (asker != NULL ? asker : link->principal, link->hub->transport, request,
                  link_interface_answered, link);
}

/* An answer nobody waits for (any more) is dropped. */
static void
take_answer (WsLink *link, FarMessage *answer)
{
  FarRequest *req = NULL;
  g_autofree gpointer id = NULL;

  if (!g_hash_table_steal_extended (link->pending, answer->id, &id, (gpointer *) &req))
    return;
  far_request_done (req, far_message_ref (answer), (GDestroyNotify) far_message_unref);
  far_request_unref (req);
}

static void
ws_link_job_free (ToMain *job)
{
  if (job->message != NULL)
    far_message_unref (job->message);
  ws_conn_unref (job->conn);
  g_free (job);
}

static void
message_on_main (gpointer data)
{
  ToMain *job = data;
  WsLink *link = job->conn->link;

  /* cause: we have closed it; what still comes is nobody's. */
  if (link != NULL && link->cause == NULL && job->message->method == NULL)
    take_answer (link, job->message);
  else if (link != NULL && link->cause == NULL)
    take_request (link, job->message);
  ws_link_job_free (job);
}

static void
up_on_main (gpointer data)
{
  ToMain *job = data;
  WsHub *hub = job->conn->hub;

  if (hub->self != NULL) {
    WsLink *link = link_new (job->conn);

    if (hub->funcs->up != NULL)
      hub->funcs->up (hub->self, link);
    if (!link->waits && link->cause == NULL)
      ws_link_let_in (link);
  } else { /* its owner has stopped meanwhile */
    ToLoop *close = g_new0 (ToLoop, 1);

    *close = (ToLoop){ .conn = ws_conn_ref (job->conn), .code = WS_CLOSE_AWAY, .cause = "this node stops" };
    far_loop_post (job->conn->loop, link_job_at_loop, close);
  }
  ws_link_job_free (job);
}

static void
down_on_main (gpointer data)
{
  ToMain *job = data;
  WsLink *link = job->conn->link;

  if (link != NULL) {
    WsHub *hub = link->hub;

    if (link->cause == NULL)
      link->cause = job->cause;
    if (hub->funcs->down != NULL)
      hub->funcs->down (hub->self, link, link->cause);
    link_free (link);
  }
  ws_link_job_free (job);
}

static void
link_pressure_on_main (gpointer data)
{
  ToMain *job = data;

  if (job->conn->link != NULL)
    far_api_busy (job->conn->link, job->high);
  ws_link_job_free (job);
}

static void
link_to_main (WsConn *conn, FarLoopFunc func, const ToMain *what)
{
  ToMain *job = g_new0 (ToMain, 1);

  *job = *what;
  job->conn = ws_conn_ref (conn);
  far_loop_post (far_loop_main (), func, job);
}

/* ---- the connection's half ---- */

static void
link_take_message (FarMessage *message, gpointer user)
{
  WsConn *conn = user;

  ws_conn_heard (conn);
  /* People and strangers are asked nothing: each answer would only cost. */
  if (message->method == NULL && conn->node == NULL) {
    ws_conn_close (conn, WS_CLOSE_POLICY, "an answer to nothing");
    far_message_unref (message);
    return;
  }
  if (message->method != NULL && ++conn->calls == WS_CALLS_MAX)
    ws_conn_hold (conn, TRUE);
  link_to_main (conn, message_on_main, &(ToMain){ .message = message });
}

static guint
link_take_text (WsConn *conn, LinkIn *self, const WsPiece *piece, const WsFrame *frame, const char **cause)
{
  WsTextIs is = ws_text_take (&self->text, piece, frame->data, frame->size);

  if (is == WS_TEXT_OTHER) {
    *cause = "binary messages only";
    return WS_CLOSE_TYPE;
  }
  if (is == WS_TEXT_EOF) {
    self->eof = TRUE;
    end_when_answered (conn);
  }
  return 0;
}

static guint
link_take_piece (WsConn *conn, LinkIn *self, const WsFrame *frame, const char **cause)
{
  const WsPiece piece = { .binary = frame->binary,
                          .begins = frame->begins,
                          .frame = frame->frame,
                          .ends = frame->ends };

  if (ws_conn_over (conn)) {
    *cause = "too much before login";
    return WS_CLOSE_POLICY;
  }
  if (!piece.binary)
    return link_take_text (conn, self, &piece, frame, cause);
  return ws_in_feed (&self->in, &piece, frame->data, frame->size, link_take_message, conn, cause);
}

/* 20 control frames a second, 160 at once. */
static gboolean
control_ok (LinkIn *self)
{
  gint64 now = far_clock_boottime_us ();

  self->control_us = MAX (self->control_us, now) + G_USEC_PER_SEC / CONTROL_PER_SECOND;
  return self->control_us - now <= CONTROL_BURST * G_USEC_PER_SEC / CONTROL_PER_SECOND;
}

static void
link_take_control (WsConn *conn, LinkIn *self, const WsFrame *frame)
{
  if (!control_ok (self))
    ws_conn_close (conn, WS_CLOSE_POLICY, "too many control frames (20 a second)");
  else if (frame->kind == WS_FRAME_PING)
    link_put (conn, WS_OPCODE_PONG, frame->data, frame->size);
  else if (conn->verified)
    ws_conn_heard (conn); /* the answer to our ping */
}

static void
link_take_frame (WsConn *conn, LinkIn *self, const WsFrame *frame)
{
  const char *cause = "not expected here";
  guint code;

  switch (frame->kind) {
  case WS_FRAME_MORE:
    return;
  case WS_FRAME_PIECE:
    code = link_take_piece (conn, self, frame, &cause);
    if (code != 0)
      ws_conn_close (conn, code, cause);
    return;
  case WS_FRAME_CLOSE:
    ws_conn_close (conn, frame->code, NULL);
    return;
  case WS_FRAME_BAD:
    ws_conn_close (conn, frame->code, frame->cause);
    return;
  default:
    link_take_control (conn, self, frame);
  }
}

/* How much of it was used: all, but when nothing more is to be read. */
static gsize
link_take_bytes (WsConn *conn, LinkIn *self, guint8 *data, gsize size)
{
  gsize at = 0;

  while (at < size && ws_conn_open (conn) && conn->holds == 0) {
    WsFrame frame;

    self->in.limit = self->decoder.frame_max = conn->verified || conn->client
                                                   ? self->limit
                                                   : MIN (self->limit, FAR_BODY_MAX);

    at += ws_decoder_next (&self->decoder, data + at, size - at, &frame);
    link_take_frame (conn, self, &frame);
  }
  return at;
}

/* FALSE: nothing more now. */
static gboolean
link_turn (WsConn *conn, LinkIn *self)
{
  FarBurst batch;
  gsize used = 0, before;

  conn->stream->klass->peek (conn->stream, &batch);
  if (batch.n == 0 && batch.eof)
    ws_conn_kill (conn, "connection lost");
  for (guint i = 0; i < batch.n && ws_conn_open (conn) && conn->holds == 0; i++) {
    before = used;
    used += link_take_bytes (conn, self, (guint8 *) batch.frames[i].data, batch.frames[i].size);
    if (used - before < batch.frames[i].size)
      break;
  }
  if (conn->stream != NULL && used > 0)
    conn->stream->klass->consume (conn->stream, used);
  return batch.n > 0 && used == batch.bytes && ws_conn_open (conn) && conn->holds == 0;
}

static void
link_ready (WsConn *conn)
{
  LinkIn *self = conn->data;

  for (guint turn = 0; turn < READ_TURNS; turn++)
    if (!link_turn (conn, self))
      return;
  ws_conn_look (conn);
}

/* Nothing more is taken in while the other side does not fetch what it asked for. */
static void
link_pressure (WsConn *conn, gboolean high)
{
  ws_conn_hold (conn, high);
  link_to_main (conn, link_pressure_on_main, &(ToMain){ .high = high });
}

/* Login is due. Our own slowness is not the other side's fault: while an answer is due, the clock stands
 * still. */
static void
link_late (WsConn *conn)
{
  if (conn->verified)
    return;
  if (conn->calls > 0)
    ws_conn_deadline (conn, G_USEC_PER_SEC);
  else
    ws_conn_close (conn, WS_CLOSE_POLICY, "too slow");
}

static void
link_closed (WsConn *conn)
{
  LinkIn *self = conn->data;

  conn->data = NULL;
  ws_in_clear (&self->in);
  ws_decoder_clear (&self->decoder);
  g_free (self);
  link_to_main (conn, down_on_main, &(ToMain){ .cause = conn->cause });
}

static const WsRole link_role = { "link", TRUE, link_ready, link_pressure, link_late, link_closed };

void
ws_link_begin (WsConn *conn, gsize limit)
{
  LinkIn *self = g_new0 (LinkIn, 1);

  ws_decoder_init (&self->decoder, conn->client, limit);
  self->limit = limit;
  conn->data = self;
  conn->role = &link_role;
  ws_conn_deadline (conn, conn->verified || conn->client ? 0 : LOGIN_US);
  ws_conn_heard (conn);
  conn->parked = link_is_held (conn);
  if (conn->parked)
    ws_conn_hold (conn, TRUE);
  link_to_main (conn, up_on_main, &(ToMain){ 0 });
  if (conn->out_long) /* with answers of HTTP */
    link_pressure (conn, TRUE);
  ws_conn_look (conn);
}
