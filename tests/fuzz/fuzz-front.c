/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* parses: plugins/transport-websocket/http.c plugins/transport-websocket/conn.c
 * plugins/transport-websocket/link.c plugins/transport-websocket/stream.c with: tests/fuzz/memory-stream.c
 * tests/fuzz/front-owner.c plugins/transport-websocket/frame.c plugins/transport-websocket/http-form.c
 *   plugins/transport-websocket/http-head.c plugins/transport-websocket/http-other.c
 * plugins/transport-websocket/http-out.c plugins/transport-websocket/http-target.c
 * plugins/transport-websocket/hub.c plugins/transport-websocket/in.c plugins/transport-websocket/listener.c
 * libraries: http_parser A whole connection over a stream in memory: HTTP, then perhaps a link or a byte
 * stream that is sent back. Input: a byte of flags (the lowest two: who we are, see Who; 4: the end comes
 * with the last bytes; 8: four requests at most; from 16 up: how it ends, see Ending), the bytes that one
 * peek shows and those of its frames (0: all), the bytes that go out in a step (in eights; 0: no limit), the
 * bytes that come in a step (0: all), how requests are answered (two bits each: FrontAnswer), how much the
 * stream's user takes at once; then what the peer says.
 *
 * One request at a time, answered once and in order, and nothing read behind it; limits of what is held; what
 * we say is HTTP and frames; a stream shows what came and is sent back; after the peer's end all has gone,
 * memory and places. Accepted: something was answered and nothing refused. */
#include "config.h"

#include "fuzz/front-owner.h"
#include "fuzz/fuzz.h"

#include <string.h>

#include <farwatch/clock.h>

#define OPTIONS 7
#define LOOSE (4 * 1024 * 1024)
#define LATE_US (11 * (gint64) G_USEC_PER_SEC)

typedef enum { WHO_PEOPLE, WHO_NODES, WHO_CLIENT_STREAM, WHO_CLIENT_LINK } Who;
/* The peer's end; a reset; its end before the last answers; with nothing said for long; while the listener
 * retires. */
typedef enum { END_IN_ORDER, END_RESET, END_BEFORE_ANSWERS, END_LATE, END_RETIRED, N_ENDINGS } Ending;

/* What we have said. */
typedef struct {
  guint answers, refusals;    /* those that bear a number; those of 400 and more */
  gboolean switched, refused; /* refused: by the code of a close frame */
  gsize payload;
} Said;

/* ---- what we say ---- */

static gboolean
code_good (guint code)
{
  return code == WS_CLOSE_NORMAL || code == WS_CLOSE_AWAY || code == WS_CLOSE_NONE;
}

/* A link's messages are whole, a stream's bytes those that were shown. */
static void
look_at_piece (const Front *front, Said *said, const WsFrame *frame)
{
  g_autoptr (FarMessage) message = NULL;

  if (!frame->binary)
    return;
  if (front->stream_began) {
    g_assert (said->payload + frame->size <= front->shown);
    g_assert (frame->size == 0 ||
              memcmp (frame->data, front->expected->data + said->payload, frame->size) == 0);
  } else if (frame->begins && frame->ends) {
    message = far_message_decode (frame->data, frame->size, NULL);
    g_assert (message != NULL);
  }
  said->payload += frame->size;
}

static void
look_at_frames (const Front *front, Said *said, gboolean from_client, const guint8 *data, gsize size)
{
  g_autofree guint8 *copy = g_memdup2 (data, size);
  gboolean closed = FALSE;
  WsDecoder decoder;

  ws_decoder_init (&decoder, !from_client, 0);
  for (gsize used = 0; used < size;) {
    WsFrame frame;

    g_assert (!closed);
    used += ws_decoder_next (&decoder, copy + used, size - used, &frame);
    g_assert (frame.kind != WS_FRAME_BAD);
    if (frame.kind == WS_FRAME_PIECE)
      look_at_piece (front, said, &frame);
    closed = frame.kind == WS_FRAME_CLOSE;
    said->refused = said->refused || (closed && !code_good (frame.code));
  }
}

/* The bytes of its body that have come: none of an answer to HEAD, whatever its length says, and none of it
 * is mistaken for the next head. */
static gsize
body_size (const WsHead *head, const guint8 *data, gsize size)
{
  static const char next[] = "HTTP/1.1 ";

  if (size >= strlen (next) && memcmp (data, next, strlen (next)) == 0)
    return 0;
  return MIN (size, head->length);
}

static void
count_answer (Said *said, const WsHead *head, guint status, guint *number)
{
  const char *field = ws_head_field (head, "x-number");

  g_assert (!said->switched);
  said->refusals += status >= 400;
  if (field == NULL)
    return;
  g_assert (status == 200 && g_ascii_strtoull (field, NULL, 10) >= *number);
  *number = (guint) g_ascii_strtoull (field, NULL, 10) + 1;
  said->answers++;
}

static Said
look_at_answers (const Front *front)
{
  static const WsHeadLimits limits = { 4096, 2048, 32 };
  const guint8 *data = front->wire.written->data;
  gsize size = front->wire.written->len;
  Said said = { 0 };
  guint number = 0;

  while (size > 0 && !said.switched) {
    g_autoptr (WsHead) head = NULL;
    const char *text = NULL;
    guint status = 0;
    gsize used = 0;
    WsHeadResult result = ws_answer_read (data, size, 0, &limits, &status, &head, &used, &text);

    g_assert (result != WS_HEAD_REFUSED);
    if (result == WS_HEAD_MORE)
      break;
    count_answer (&said, head, status, &number);
    said.switched = status == 101;
    if (status >= 200)
      used += body_size (head, data + used, size - used);
    data += used;
    size -= used;
  }
  if (said.switched)
    look_at_frames (front, &said, FALSE, data, size);
  return said;
}

/* ---- the course ---- */

static void
settle (Front *front)
{
  memory_settle ();
  front_check (front);
}

/* In steps, and with each some room to write and one answer that was put off. */
static void
feed (Front *front, gsize step, gsize room)
{
  if (step == 0)
    step = front->size;
  for (gsize at = 0; at < front->size && front->wire.stream != NULL; at += step) {
    memory_feed (&front->wire, front->input + at, MIN (step, front->size - at));
    settle (front);
    memory_give_room (&front->wire, room);
    settle (front);
    front_tick (front);
    settle (front);
  }
}

static void
answer_all (Front *front)
{
  do
    settle (front);
  while (front_tick (front));
}

typedef struct {
  WsListener *listener;
  gint done; /* atomic */
} Retirement;

static gpointer
retire_run (gpointer data)
{
  Retirement *retirement = data;

  ws_listener_retire (retirement->listener);
  g_atomic_int_set (&retirement->done, TRUE);
  return NULL;
}

/* As in the daemon, a listener's owner has another thread than its connections: here these have the first. */
static void
retire (WsListener *listener)
{
  Retirement retirement = { .listener = listener };
  GThread *owner = far_thread_new ("owner", retire_run, &retirement);

  while (!g_atomic_int_get (&retirement.done))
    if (!g_main_context_iteration (NULL, FALSE))
      g_thread_yield ();
  g_thread_join (owner);
}

static void
come_to_end (Front *front, Ending ending)
{
  if (ending == END_RESET)
    memory_die (&front->wire, "connection reset");
  if (ending == END_BEFORE_ANSWERS)
    memory_eof (&front->wire);
  if (ending == END_LATE)
    far_clock_advance (LATE_US);
  if (ending == END_RETIRED)
    retire (&front->listener);
  settle (front);
  memory_give_room (&front->wire, LOOSE);
  answer_all (front);
  memory_eof (&front->wire);
  settle (front);
  answer_all (front);
}

static void
begin (Front *front, Who who, guint requests_max)
{
  front_begin (front, requests_max);
  if (who == WHO_CLIENT_STREAM)
    front_begin_client_stream (front);
  else if (who == WHO_CLIENT_LINK)
    front_begin_client_link (front);
  else
    front_begin_listener (front, who == WHO_NODES ? "n1" : NULL);
}

static gboolean
judge_end (const Front *front, Who who, Ending ending)
{
  Said said = { 0 };

  if (who == WHO_PEOPLE || who == WHO_NODES)
    said = look_at_answers (front);
  else
    look_at_frames (front, &said, TRUE, front->wire.written->data, front->wire.written->len);
  g_assert (said.answers <= front->http_answered && front->http_answered <= front->http_asked);
  g_assert (ending == END_RESET || ending == END_LATE || said.answers == front->http_answered);
  g_assert (ending != END_RETIRED || who >= WHO_CLIENT_STREAM || front->idle);
  /* what the peer has ended in order is shown to the last byte and sent back */
  if (ending == END_IN_ORDER && front->stream_began && front->in_order)
    g_assert (front->shown == front->expected->len);
  if (said.refusals > 0 || said.refused || front->link_bad || front->stream_bad)
    return FALSE;
  return said.answers > 0 || front->api_answered > 0 || front->shown > 0;
}

/* Timers stand still but where the input moves the clock. */
static void
use_test_clock (void)
{
  static gboolean set;

  if (!set)
    g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  set = TRUE;
  g_assert (far_clock_is_test ());
}

gboolean
fuzz_one (const guint8 *data, gsize size)
{
  Front front = { 0 };
  Who who;
  Ending ending;
  gsize room;
  gboolean good;

  use_test_clock ();
  if (size < OPTIONS)
    return FALSE;
  who = data[0] & 3;
  ending = data[0] / 16 % N_ENDINGS;
  room = data[3] * 8u;
  front.wire.early_eof = (data[0] & 4) != 0;
  front.wire.show = data[1];
  front.wire.frame = data[2];
  front.wire.room = room == 0 ? LOOSE : room;
  front.plan = data[5];
  front.chunk = data[6];
  front.input = data + OPTIONS;
  front.size = size - OPTIONS;
  begin (&front, who, data[0] & 8 ? 4 : 1000);
  feed (&front, data[4], room);
  come_to_end (&front, ending);
  g_assert (front.wire.stream == NULL);
  good = judge_end (&front, who, ending);
  front_end (&front);
  memory_settle ();
  memory_end_clear (&front.wire);
  return good;
}
