/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* parses: plugins/transport-websocket/frame.c
 * What a peer sends over a WebSocket. Input: a byte of flags (1: we are the client, 2: a frame has at most
 * 200 bytes), a byte that says in runs of how many bytes it comes (0: one run), the bytes. Accepted: not
 * refused, and something whole came.
 *
 * Three readings must be the same: in these runs, in one run, and of what the encoder makes of the first.
 * With FAR_WSLAY a fourth, by the event API of libwslay: the same messages and the same end. Where
 * wslay 1.1.1 differs from the RFC, peer_differs() says so; besides it refuses a frame only when its payload
 * begins, so that it gets some bytes more when we have refused, and it skips two bytes of each part of a
 * close frame when it looks for UTF-8, so that it gets its input frame by frame. */
#include "config.h"

#include "../plugins/transport-websocket/frame.h" /* core has a frame.h of its own, found first */
#include "fuzz/fuzz.h"

#include <string.h>

#define FRAME_MAX 200

/* What came, told so that it does not depend on where the bytes were cut. */
typedef struct {
  GString *told, *message, *frames;
  gsize in_frame;
  gboolean open;
  guint closed; /* the peer's code, 0: it has not closed */
  guint bad;    /* the code to close with, 0: nothing wrong */
} Course;

static void
course_init (Course *course)
{
  *course = (Course){ g_string_new (NULL), g_string_new (NULL), g_string_new (NULL), 0, FALSE, 0, 0 };
}

static void
course_clear (Course *course)
{
  g_string_free (course->told, TRUE);
  g_string_free (course->message, TRUE);
  g_string_free (course->frames, TRUE);
}

static void
course_add (Course *course, const guint8 *data, gsize size)
{
  course->open = TRUE;
  course->in_frame += size;
  if (size > 0)
    g_string_append_len (course->message, (const char *) data, (gssize) size);
}

static void
course_end_frame (Course *course, gboolean binary, gboolean ends)
{
  g_string_append_printf (course->frames, " %zu", course->in_frame);
  course->in_frame = 0;
  if (!ends)
    return;
  g_string_append_printf (course->told, "%s%s: ", binary ? "binary" : "text", course->frames->str);
  g_string_append_len (course->told, course->message->str, (gssize) course->message->len);
  g_string_append_c (course->told, '\n');
  g_string_truncate (course->message, 0);
  g_string_truncate (course->frames, 0);
  course->open = FALSE;
}

static void
course_control (Course *course, const char *what, guint code, const guint8 *data, gsize size)
{
  g_string_append_printf (course->told, "%s %u: ", what, code);
  if (size > 0)
    g_string_append_len (course->told, (const char *) data, (gssize) size);
  g_string_append_c (course->told, '\n');
  course->closed = code;
}

/* After an end, what was under way is no longer told: how much of it came before depends on the runs. */
static void
course_finish (Course *course)
{
  if (!course->open || course->closed != 0 || course->bad != 0)
    return;
  g_string_append_printf (course->told, "open%s, %zu: ", course->frames->str, course->in_frame);
  g_string_append_len (course->told, course->message->str, (gssize) course->message->len);
}

static void
follow (Course *course, const WsFrame *frame)
{
  g_assert ((frame->kind == WS_FRAME_BAD) == (frame->cause != NULL));
  g_assert (frame->kind == WS_FRAME_MORE || (course->closed == 0 && course->bad == 0));
  if (frame->kind == WS_FRAME_PIECE) {
    g_assert (frame->begins == !course->open);
    course_add (course, frame->data, frame->size);
    if (frame->frame)
      course_end_frame (course, frame->binary, frame->ends);
  } else if (frame->kind == WS_FRAME_PING || frame->kind == WS_FRAME_PONG) {
    course_control (course, frame->kind == WS_FRAME_PING ? "ping" : "pong", 0, frame->data, frame->size);
  } else if (frame->kind == WS_FRAME_CLOSE) {
    course_control (course, "close", frame->code, frame->data, frame->size);
  }
  course->bad = frame->kind == WS_FRAME_BAD ? frame->code : course->bad;
}

static void
append_frame (GByteArray *wire, gboolean masked, guint opcode, gboolean fin, const guint8 *data, gsize size)
{
  static const guint8 mask[4] = { 0x12, 0x00, 0xff, 0x80 };
  guint8 head[WS_FRAME_HEAD_MAX];
  guint at;

  g_byte_array_append (wire, head, (guint) ws_frame_head (head, opcode, fin, size, masked ? mask : NULL));
  at = wire->len;
  if (size > 0)
    g_byte_array_append (wire, data, (guint) size);
  if (masked)
    ws_mask (wire->data + at, wire->data + at, size, mask, 0);
}

static void
encode (GByteArray *wire, gboolean masked, const WsFrame *frame)
{
  guint8 reason[WS_FRAME_CONTROL_MAX] = { (guint8) (frame->code >> 8), (guint8) frame->code };

  if (frame->kind == WS_FRAME_PIECE)
    append_frame (wire, masked,
                  !frame->begins  ? WS_OPCODE_MORE
                  : frame->binary ? WS_OPCODE_BINARY
                                  : WS_OPCODE_TEXT,
                  frame->ends, frame->data, frame->size);
  else if (frame->kind == WS_FRAME_PING || frame->kind == WS_FRAME_PONG)
    append_frame (wire, masked, frame->kind == WS_FRAME_PING ? WS_OPCODE_PING : WS_OPCODE_PONG, TRUE,
                  frame->data, frame->size);
  else if (frame->kind == WS_FRAME_CLOSE && frame->size > 0)
    memcpy (reason + 2, frame->data, frame->size);
  if (frame->kind == WS_FRAME_CLOSE)
    append_frame (wire, masked, WS_OPCODE_CLOSE, TRUE, reason,
                  frame->code == WS_CLOSE_NONE ? 0 : 2 + frame->size);
}

/* Reads a copy, since the mask is taken off in place. wire: gets what came, encoded anew; ends: the offsets
 * of the frames' ends. May both be NULL. */
static void
decode (Course *course, gboolean client, gsize frame_max, const guint8 *data, gsize size, gsize step,
        GByteArray *wire, GArray *ends)
{
  WsDecoder decoder;

  course_init (course);
  ws_decoder_init (&decoder, client, frame_max);
  for (gsize from = 0, run = 0; from < size; from += run) {
    g_autofree guint8 *copy = NULL;

    run = step == 0 ? size : MIN (step, size - from);
    copy = g_memdup2 (data + from, run);
    for (gsize at = 0, used; at < run; at += used) {
      WsFrame frame;

      used = ws_decoder_next (&decoder, copy + at, run - at, &frame);
      g_assert (used > 0 && used <= run - at);
      g_assert (frame.kind != WS_FRAME_MORE || used == run - at);
      follow (course, &frame);
      if (wire != NULL)
        encode (wire, !client, &frame);
      if (ends != NULL && frame.kind != WS_FRAME_MORE && ws_decoder_left (&decoder) == 0)
        g_array_append_vals (ends, &(gsize){ from + at + used }, 1);
    }
  }
  course_finish (course);
  ws_decoder_clear (&decoder);
}

#ifdef FAR_WSLAY
#include <wslay/wslay.h>

/* wslay's reading of the same bytes. */
typedef struct {
  Course course;
  const guint8 *data;
  gsize size, at;
  const GArray *ends;
  guint next_end;
  gboolean control, fin, binary;
  gboolean short_close; /* a close frame of one byte came */
} Peer;

/* At most to the end of the frame. */
static ssize_t
peer_recv (wslay_event_context_ptr context, uint8_t *to, size_t room, int flags, void *user)
{
  Peer *peer = user;
  gsize until = peer->size, used;

  (void) flags;
  while (peer->next_end < peer->ends->len && g_array_index (peer->ends, gsize, peer->next_end) <= peer->at)
    peer->next_end++;
  if (peer->next_end < peer->ends->len)
    until = g_array_index (peer->ends, gsize, peer->next_end);
  used = MIN (until - peer->at, room);
  if (used == 0) {
    wslay_event_set_error (context, WSLAY_ERR_WOULDBLOCK);
    return -1;
  }
  memcpy (to, peer->data + peer->at, used);
  peer->at += used;
  return (ssize_t) used;
}

static void
peer_start (wslay_event_context_ptr context, const struct wslay_event_on_frame_recv_start_arg *frame,
            void *user)
{
  Peer *peer = user;

  (void) context;
  peer->control = wslay_is_ctrl_frame (frame->opcode);
  if (peer->control)
    return;
  peer->fin = frame->fin;
  if (frame->opcode != WSLAY_CONTINUATION_FRAME)
    peer->binary = frame->opcode == WSLAY_BINARY_FRAME;
}

static void
peer_chunk (wslay_event_context_ptr context, const struct wslay_event_on_frame_recv_chunk_arg *chunk,
            void *user)
{
  Peer *peer = user;

  (void) context;
  if (!peer->control)
    course_add (&peer->course, chunk->data, chunk->data_length);
}

static void
peer_end (wslay_event_context_ptr context, void *user)
{
  Peer *peer = user;

  (void) context;
  if (!peer->control)
    course_end_frame (&peer->course, peer->binary, peer->fin);
}

static void
peer_message (wslay_event_context_ptr context, const struct wslay_event_on_msg_recv_arg *message, void *user)
{
  Peer *peer = user;
  gsize skip = message->opcode == WSLAY_CONNECTION_CLOSE ? MIN (message->msg_length, 2) : 0;

  (void) context;
  if (!wslay_is_ctrl_frame (message->opcode))
    return;
  peer->short_close = skip == 1;
  course_control (&peer->course,
                  message->opcode == WSLAY_PING   ? "ping"
                  : message->opcode == WSLAY_PONG ? "pong"
                                                  : "close",
                  skip == 0 && message->opcode == WSLAY_CONNECTION_CLOSE ? WS_CLOSE_NONE
                                                                         : message->status_code,
                  skip > 0 ? message->msg + skip : message->msg, message->msg_length - skip);
}

/* Its answers are not read, but it says what it has closed with only after it has sent that. */
static ssize_t
peer_send (wslay_event_context_ptr context, const uint8_t *data, size_t size, int flags, void *user)
{
  (void) context;
  (void) data;
  (void) flags;
  (void) user;
  return (ssize_t) size;
}

static int
peer_mask (wslay_event_context_ptr context, uint8_t *to, size_t size, void *user)
{
  (void) context;
  (void) user;
  memset (to, 0, size);
  return 0;
}

static void
peer_read (Peer *peer, gboolean client, guint64 frame_max)
{
  const struct wslay_event_callbacks calls = { peer_recv,  peer_send, peer_mask,   peer_start,
                                               peer_chunk, peer_end,  peer_message };
  wslay_event_context_ptr context = NULL;
  int result = client ? wslay_event_context_client_init (&context, &calls, peer)
                      : wslay_event_context_server_init (&context, &calls, peer);

  g_assert (result == 0);
  course_init (&peer->course);
  wslay_event_config_set_no_buffering (context, 1);
  wslay_event_config_set_max_recv_msg_length (context, frame_max);
  do {
    result = wslay_event_recv (context);
  } while (result == 0 && wslay_event_get_read_enabled (context) && peer->at < peer->size);
  if (!wslay_event_get_read_enabled (context) && !wslay_event_get_close_received (context)) {
    wslay_event_send (context);
    peer->course.bad = wslay_event_get_status_code_sent (context);
  }
  if (peer->course.bad == WSLAY_CODE_NO_STATUS_RCVD) /* its frame layer knows no codes */
    peer->course.bad = WS_CLOSE_PROTOCOL;
  course_finish (&peer->course);
  wslay_event_context_free (context);
}

/* Where it may: it takes a close frame of one byte (5.5.1: the code has two), does not know the codes 1012 to
 * 1014 that IANA has given out since, and looks for UTF-8 in a reason before it looks at the code. */
static gboolean
peer_differs (const Course *ours, const Peer *peer)
{
  if (ours->bad == WS_CLOSE_PROTOCOL && peer->short_close)
    return TRUE;
  if (ours->closed >= 1012 && ours->closed <= 1014 && peer->course.bad == WS_CLOSE_PROTOCOL)
    return TRUE;
  return ours->bad == WS_CLOSE_PROTOCOL && peer->course.bad == WS_CLOSE_TEXT && peer->control;
}

/* It looks at a reason before all of it has come: a close frame that is not whole is kept from it. */
static gsize
size_for_peer (const Course *ours, const guint8 *data, gsize size, const GArray *ends)
{
  gsize last = ends->len > 0 ? g_array_index (ends, gsize, ends->len - 1) : 0;

  return ours->bad == 0 && last < size && (data[last] & 0x0f) == WS_OPCODE_CLOSE ? last : size;
}

static void
compare_peer (const Course *ours, gboolean client, gsize frame_max, const guint8 *data, gsize size,
              const GArray *ends)
{
  static const guint8 more[WS_FRAME_HEAD_MAX + 2] = { 0 };
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  Peer peer = { .ends = ends };

  g_byte_array_append (bytes, data, (guint) size_for_peer (ours, data, size, ends));
  if (ours->bad != 0)
    g_byte_array_append (bytes, more, sizeof more);
  peer.data = bytes->data;
  peer.size = bytes->len;
  peer_read (&peer, client, frame_max > 0 ? frame_max : G_MAXUINT64);
  if (!peer_differs (ours, &peer)) {
    g_assert_cmpuint (ours->bad, ==, peer.course.bad);
    g_assert_cmpuint (ours->closed, ==, peer.course.closed);
    g_assert_cmpuint (ours->told->len, ==, peer.course.told->len);
  }
  g_assert (memcmp (ours->told->str, peer.course.told->str, MIN (ours->told->len, peer.course.told->len)) ==
            0);
  course_clear (&peer.course);
}
#endif

gboolean
fuzz_one (const guint8 *data, gsize size)
{
  gboolean client = size > 0 && (data[0] & 1), good;
  gsize frame_max = size > 0 && (data[0] & 2) ? FRAME_MAX : 0, step = size > 1 ? data[1] : 0;
  g_autoptr (GByteArray) wire = g_byte_array_new ();
  g_autoptr (GArray) ends = g_array_new (FALSE, FALSE, sizeof (gsize));
  Course runs, whole, again;

  if (size <= 2)
    return FALSE;
  decode (&runs, client, frame_max, data + 2, size - 2, step, NULL, NULL);
  decode (&whole, client, frame_max, data + 2, size - 2, 0, wire, ends);
  g_assert (g_string_equal (runs.told, whole.told) && runs.bad == whole.bad && runs.closed == whole.closed);
  decode (&again, client, frame_max, wire->data, wire->len, step, NULL, NULL);
  g_assert (again.bad == 0 && again.closed == whole.closed &&
            (whole.open || whole.bad != 0 || g_string_equal (again.told, whole.told)));
#ifdef FAR_WSLAY
  compare_peer (&whole, client, frame_max, data + 2, size - 2, ends);
#endif
  good = whole.bad == 0 && whole.told->len > 0;
  course_clear (&runs);
  course_clear (&whole);
  course_clear (&again);
  return good;
}
