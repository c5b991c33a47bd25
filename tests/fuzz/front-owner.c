/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The owner of fuzz-front's connections, see front-owner.h. far_door_*() stand here in place of core's. */
#include "config.h"

#include "fuzz/front-owner.h"

#include <arpa/inet.h>
#include <string.h>

#include "http.h"
#include "in.h"

#define FRONT_FROM "192.0.2.1"
#define CONTROLS_MAX 100 /* then the stream may have been cut for them */

/* A request that waits for its answer: over HTTP when it has a conn. */
typedef struct {
  WsConn *conn;
  guint number;
  FarMessage *request;
  FarAnswered answered;
  gpointer user;
} Pending;

static Front *the_front;

static FrontAnswer
plan_of (const Front *front, guint number)
{
  return (FrontAnswer) (front->plan >> (number % 4 * 2) & 3);
}

static void
pending_free (Pending *pending)
{
  if (pending->conn != NULL)
    ws_conn_unref (pending->conn);
  if (pending->request != NULL)
    far_message_unref (pending->request);
  g_free (pending);
}

/* ---- answers ---- */

static void
put_answer (Front *front, WsConn *conn, guint number)
{
  g_autofree char *more = g_strdup_printf ("x-number: %u\r\n", number);

  ws_http_answer (conn, 200, "application/json", "{\"good\":1}", 10, more);
  front->http_answered++;
}

static void
answer_http (Front *front, Pending *pending)
{
  WsConn *conn = pending->conn;

  g_assert (conn->call == pending && front->http_open == 1);
  front->http_open--;
  conn->call = NULL;
  conn->calls--;
  ws_conn_verified (conn);
  if (ws_http_waits (conn))
    put_answer (front, conn, pending->number);
  if (conn->listener != NULL)
    ws_listener_less (conn->listener);
}

/* A watch has an event before its end. */
static void
answer_interface (Front *front, const Pending *pending)
{
  g_autoptr (FarMessage) answer = far_message_answer (pending->request, 200,
                                                      json_pack ("{s:i}", "number", (int) pending->number));
  gboolean watch = strcmp (pending->request->method, "WATCH") == 0;

  front->api_answered++;
  if (watch)
    pending->answered (answer, FALSE, pending->user);
  pending->answered (answer, TRUE, pending->user);
}

static gboolean
answer_first (Front *front, GQueue *queue)
{
  Pending *pending = g_queue_pop_head (queue);

  if (pending == NULL)
    return FALSE;
  if (pending->conn != NULL)
    answer_http (front, pending);
  else
    answer_interface (front, pending);
  pending_free (pending);
  return TRUE;
}

static void
answer_soon (gpointer front)
{
  answer_first (front, &((Front *) front)->soon);
}

gboolean
front_tick (Front *front)
{
  return answer_first (front, &front->later);
}

static void
keep (Front *front, Pending *pending, FrontAnswer how)
{
  if (how == FRONT_LATER) {
    g_queue_push_tail (&front->later, pending);
    return;
  }
  g_queue_push_tail (&front->soon, pending);
  far_loop_post (far_loop_main (), answer_soon, front);
}

/* ---- HTTP ---- */

static void
call_gone (WsConn *conn)
{
  Pending *pending = g_steal_pointer (&conn->call);

  conn->calls--;
  the_front->http_open--;
  g_queue_remove (&the_front->soon, pending);
  g_queue_remove (&the_front->later, pending);
  pending_free (pending);
}

static guint
judge (WsConn *conn, const WsHead *head, char **text)
{
  the_front->mark = the_front->wire.consumed;
  g_assert (head->method != NULL && head->path != NULL && !head->upgrade);
  return g_str_has_prefix (head->path, "/no") ? 404 : 0;
}

static void
request (WsConn *conn, const WsHead *head, GBytes *body)
{
  Front *front = the_front;
  FrontAnswer how = plan_of (front, front->http_asked);
  Pending *pending;

  g_assert (front->http_open == 0);
  g_assert ((body == NULL ? 0 : g_bytes_get_size (body)) == head->length);
  front->mark = front->wire.consumed;
  front->http_asked++;
  if (how == FRONT_REFUSED)
    ws_http_refuse (conn, 503, "not now");
  if (how == FRONT_NOW)
    put_answer (front, conn, front->http_asked - 1);
  if (how == FRONT_REFUSED || how == FRONT_NOW)
    return;
  pending = g_new0 (Pending, 1);
  pending->conn = ws_conn_ref (conn);
  pending->number = front->http_asked - 1;
  conn->call = pending;
  conn->call_gone = call_gone;
  conn->calls++;
  front->http_open++;
  keep (front, pending, how);
}

static void
idle (WsListener *listener)
{
  ((Front *) listener->spec.user)->idle = TRUE;
}

/* ---- byte streams ---- */

/* TRUE: nothing is shown of what comes behind it. */
static gboolean
expect_frame (Front *front, const WsFrame *frame, WsText *text)
{
  const WsPiece piece = { .begins = frame->begins, .frame = frame->frame, .ends = frame->ends };
  gboolean bytes = frame->kind == WS_FRAME_PIECE && frame->binary && frame->size > 0, ended = front->in_order;
  WsTextIs eof = frame->kind == WS_FRAME_PIECE && !frame->binary
                     ? ws_text_take (text, &piece, frame->data, frame->size)
                     : WS_TEXT_MORE;

  if (frame->kind == WS_FRAME_CLOSE)
    front->in_order = frame->code == WS_CLOSE_NORMAL || frame->code == WS_CLOSE_AWAY ||
                      frame->code == WS_CLOSE_NONE;
  else if (frame->kind == WS_FRAME_BAD || eof == WS_TEXT_OTHER || (bytes && ended))
    front->in_order = FALSE;
  else if (eof == WS_TEXT_EOF)
    front->in_order = TRUE;
  if (bytes && !ended)
    g_byte_array_append (front->expected, frame->data, (guint) frame->size);
  return frame->kind == WS_FRAME_CLOSE || frame->kind == WS_FRAME_BAD || eof == WS_TEXT_OTHER ||
         (bytes && ended);
}

/* Another reading of the same bytes, in one run. */
static void
expect (Front *front, gboolean client)
{
  gsize size = front->size - MIN (front->size, front->wire.consumed), used = 0;
  g_autofree guint8 *copy = g_memdup2 (front->input + (front->size - size), size);
  gboolean over = FALSE;
  guint controls = 0;
  WsText text = { 0 };
  WsDecoder decoder;

  ws_decoder_init (&decoder, client, 0);
  while (used < size && !over) {
    WsFrame frame;

    used += ws_decoder_next (&decoder, copy + used, size - used, &frame);
    controls += frame.kind == WS_FRAME_PING || frame.kind == WS_FRAME_PONG;
    over = expect_frame (front, &frame, &text);
  }
  front->in_order = front->in_order && controls < CONTROLS_MAX;
}

static void
leave_stream (Front *front)
{
  far_stream_free (g_steal_pointer (&front->stream));
}

/* TRUE: all is written. What the stream does not take although there is room below, because the other side
 * has closed, it never will: it is dropped, as nobody may stop reading for it. */
static gboolean
put_echo (Front *front)
{
  FarBurst batch = { .n = 1, .bytes = front->echo->len };
  gsize taken;

  if (front->echo->len == 0)
    return TRUE;
  batch.frames[0] = (FarFrame){ .data = front->echo->data, .size = front->echo->len };
  taken = front->stream->klass->write (front->stream, &batch);
  g_assert (taken <= front->echo->len);
  if (taken > 0)
    g_byte_array_remove_range (front->echo, 0, (guint) taken);
  if (taken == 0 && !front->wire.wants_write)
    g_byte_array_set_size (front->echo, 0);
  return front->echo->len == 0;
}

static gsize
take_batch (Front *front, const FarBurst *batch)
{
  gsize left = front->chunk == 0 ? batch->bytes : MIN (front->chunk, batch->bytes), taken = 0;

  for (guint i = 0; i < batch->n && left > taken; i++) {
    gsize n = MIN (batch->frames[i].size, left - taken);

    g_assert (front->shown + n <= front->expected->len);
    g_assert (memcmp (batch->frames[i].data, front->expected->data + front->shown, n) == 0);
    g_byte_array_append (front->echo, batch->frames[i].data, (guint) n);
    front->shown += n;
    taken += n;
  }
  return taken;
}

static void
echo (Front *front)
{
  FarBurst batch;

  while (put_echo (front)) {
    front->stream->klass->peek (front->stream, &batch);
    if (batch.n == 0)
      break;
    front->stream->klass->consume (front->stream, take_batch (front, &batch));
  }
  if (front->echo->len > 0 || batch.n > 0 || !batch.eof || front->stream_shut)
    return;
  front->stream_shut = TRUE;
  front->stream->klass->shutdown (front->stream, FAR_DIRECTION_WRITE);
}

static void
stream_ready (FarStream *stream, guint ready, gpointer user)
{
  Front *front = user;

  if ((ready & FAR_READY_CLOSED) == 0) {
    echo (front);
    return;
  }
  g_assert (stream->cause != NULL);
  front->stream_bad = strcmp (stream->cause, "closed by the other side") != 0 || !front->in_order;
  leave_stream (front);
}

static void
begin_echo (gpointer data)
{
  Front *front = data;

  front->stream_held = FALSE;
  ws_stream_verified (front->stream);
  ws_stream_hold (front->stream, FALSE);
  far_stream_take (front->stream, stream_ready, front);
}

static void
refuse_stream (gpointer data)
{
  Front *front = data;

  front->stream_held = FALSE;
  front->stream_bad = TRUE;
  front->in_order = FALSE;
  ws_stream_refuse (g_steal_pointer (&front->stream), WS_CLOSE_POLICY, "no such ticket");
}

static guint
upgrade (WsConn *conn, const WsHead *head, char **text)
{
  Front *front = the_front;
  gboolean bad = strcmp (head->path, "/stream/bad") == 0; /* the head goes with the switch */

  front->mark = front->wire.consumed;
  if (strcmp (head->path, "/link") == 0) {
    ws_http_socket (conn, FRONT_MESSAGE_MAX);
    return 0;
  }
  if (!g_str_has_prefix (head->path, "/stream/"))
    return 404;
  expect (front, FALSE);
  front->stream = ws_http_stream (conn);
  front->stream_began = front->stream != NULL;
  if (front->stream == NULL)
    return 0;
  ws_stream_hold (front->stream, TRUE);
  front->stream_held = TRUE;
  far_loop_post (far_loop_main (), bad ? refuse_stream : begin_echo, front);
  return 0;
}

static const WsHooks front_hooks = { upgrade, judge, request, idle };

/* ---- links ---- */

static void
own_done (FarRequest *req, gpointer user)
{
  Front *front = user;

  g_assert (front->own_open > 0);
  front->own_open--;
  if (far_request_error (req) == NULL)
    far_message_unref (far_request_steal (req));
}

/* Nodes are asked something. */
static void
link_up (gpointer self, WsLink *link)
{
  Front *front = self;
  g_autoptr (FarMessage) question = far_message_request ("GET", "node", NULL);

  front->link_began = TRUE;
  if (link->conn->node == NULL)
    return;
  g_free (question->id);
  question->id = g_strdup ("q1");
  front->own_open++;
  ws_link_send (link, question, far_request_new (own_done, front, 0));
}

static void
link_down (gpointer self, WsLink *link, const char *cause)
{
  ((Front *) self)->link_bad = cause != NULL;
}

static void
link_answered (gpointer self, WsLink *link, const FarMessage *answer)
{
  ws_link_verified (link);
}

static const WsHubFuncs front_funcs = { .up = link_up, .down = link_down, .answered = link_answered };

void
far_api_submit (const FarPrincipal *principal, const char *transport, FarMessage *message,
                FarAnswered answered, gpointer user)
{
  Front *front = the_front;
  Pending *pending = g_new0 (Pending, 1);

  g_assert (message->method != NULL && principal != NULL);
  *pending = (Pending){ .number = front->api_asked++,
                        .request = far_message_ref (message),
                        .answered = answered,
                        .user = user };
  g_assert (front->soon.length + front->later.length < WS_CALLS_MAX);
  keep (front, pending, plan_of (front, pending->number));
}

static void
drop_of (GQueue *queue, gpointer user)
{
  for (GList *link = queue->head, *after; link != NULL; link = after) {
    after = link->next;
    if (((const Pending *) link->data)->user != user)
      continue;
    pending_free (link->data);
    g_queue_delete_link (queue, link);
  }
}

void
far_api_gone (gpointer user)
{
  drop_of (&the_front->soon, user);
  drop_of (&the_front->later, user);
}

void
far_api_busy (gpointer user, gboolean busy)
{
}

/* ---- life ---- */

static void
front_stream_gone (gpointer listener)
{
  ws_listener_less (listener);
}

void
front_begin (Front *front, guint requests_max)
{
  const FarGateLimits limits = { 4, 4, 4, NULL, NULL, NULL, NULL };
  WsHub *hub = g_new0 (WsHub, 1);

  the_front = front;
  hub->refs = 1;
  hub->self = front;
  hub->transport = g_strdup ("test");
  hub->funcs = &front_funcs;
  hub->links = g_hash_table_new (NULL, NULL);
  front->hub = hub;
  front->gate = far_gate_new (NULL, &limits);
  front->echo = g_byte_array_new ();
  front->expected = g_byte_array_new ();
  front->listener.loop = far_loop_main ();
  front->listener.gate = front->gate;
  front->listener.streams = ws_streams_new (front->listener.loop, front_stream_gone, &front->listener);
  front->listener.spec = (WsListenerSpec){ .fd = -1,
                                           .head = { FRONT_HEAD_MAX, 2048, 16 },
                                           .requests_max = requests_max,
                                           .hooks = &front_hooks,
                                           .hub = hub,
                                           .user = front };
}

void
front_begin_listener (Front *front, const char *node)
{
  const struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (0xc0000201) };
  FarPass *pass = far_gate_enter (front->gate, -1, (const struct sockaddr *) &address, NULL);

  far_gate_heard (pass);
  ws_listener_take (&front->listener, memory_stream_new (&front->wire), FRONT_FROM, pass,
                    node != NULL ? far_presented_new (node, NULL, NULL) : NULL);
  front->conn = ws_conn_ref (g_queue_peek_head (&front->listener.served));
}

void
front_begin_client_stream (Front *front)
{
  expect (front, TRUE);
  front->stream_began = TRUE;
  front->stream = ws_stream_new (memory_stream_new (&front->wire), TRUE, NULL, NULL);
  far_stream_take (front->stream, stream_ready, front);
}

void
front_begin_client_link (Front *front)
{
  WsConn *conn = ws_conn_new (memory_stream_new (&front->wire), NULL, NULL, front->hub, FRONT_FROM, NULL);

  conn->client = TRUE;
  conn->node = g_strdup ("n1");
  front->conn = ws_conn_ref (conn);
  ws_link_begin (conn, FRONT_MESSAGE_MAX);
}

void
front_check (const Front *front)
{
  const WsConn *conn = front->conn;

  if (conn == NULL || !ws_conn_open (conn))
    return;
  g_assert (conn->out_bytes <= WS_OUT_CLOSE && conn->calls <= WS_CALLS_MAX);
  /* what is behind a request waits in the wire until it is answered */
  g_assert (!ws_http_waits (conn) || front->wire.consumed == front->mark);
  g_assert (front->link_began || front->wire.consumed - front->mark <= FRONT_HEAD_MAX + FAR_BODY_MAX);
}

void
front_end (Front *front)
{
  g_assert (front->stream == NULL && front->http_open == 0 && front->own_open == 0);
  g_assert (front->soon.length == 0 && front->later.length == 0 &&
            g_hash_table_size (front->hub->links) == 0);
  g_assert (front->listener.served.length == 0 && front->listener.lively.length == 0 &&
            far_gate_counts (front->gate).now == 0);
  g_assert (front->conn == NULL || front->conn->refs == 1);
  g_clear_pointer (&front->conn, ws_conn_unref);
  ws_streams_end (front->listener.streams);
  ws_streams_unref (front->listener.streams);
  far_gate_free (front->gate);
  ws_hub_end (front->hub);
  g_byte_array_unref (front->echo);
  g_byte_array_unref (front->expected);
  the_front = NULL;
}
