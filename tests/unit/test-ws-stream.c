/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Byte streams over WebSocket: the end of their listener while they move, and a peer that asks and does not
 * read. */
#include "unit/stream-help.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream.h"

/* The listener's part: nobody asks how many are left. */
static void
less (gpointer owner)
{
}

typedef struct {
  FarLoop *one, *two;
  WsStreams *streams;
  FarStream *stream;
  int fd; /* the peer's */
} Place;

static void
place_begin (gpointer data)
{
  Place *place = data;

  place->stream = ws_stream_new (place->stream, FALSE, NULL, place->streams);
}

static Place *
place_make (void)
{
  Place *place = g_new0 (Place, 1);
  int fd[2];

  place->one = far_loop_io_new ("one");
  place->two = far_loop_io_new ("two");
  place->streams = ws_streams_new (place->one, less, place);
  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM, 0, fd), 0);
  place->fd = fd[0];
  place->stream = far_stream_fd_new (place->one, fd[1]);
  far_loop_call (place->one, place_begin, place);
  return place;
}

static void
place_end (gpointer data)
{
  Place *place = data;

  far_stream_free (place->stream);
}

static void
place_drop (Place *place)
{
  far_loop_call (place->stream->loop, place_end, place);
  close (place->fd);
  far_loop_io_free (place->two);
  far_loop_io_free (place->one);
  ws_streams_unref (place->streams);
  g_free (place);
}

/* ---- the end of the listener ---- */

static void
end_and_move (gpointer data)
{
  Place *place = data;

  ws_streams_end (place->streams);
  place->stream->klass->move (place->stream, place->two);
}

START_TEST (who_moves_ends_too)
{
  Place *place = place_make ();

  far_loop_call (place->one, end_and_move, place);
  help_settle (place->one);
  help_settle (place->two);
  ck_assert (place->stream->closed);
  ck_assert_str_eq (place->stream->cause, "the listener has ended");
  place_drop (place);
}
END_TEST

/* ---- pings ---- */

static void
look (FarStream *stream, guint ready, gpointer user)
{
  FarBurst batch;

  stream->klass->peek (stream, &batch);
  stream->klass->consume (stream, batch.bytes);
}

/* Nothing more goes out: the peer does not read. */
static void
fill (gpointer data)
{
  static const guint8 zeros[1024 * 1024]; /* more than fits: some of it is taken */
  Place *place = data;
  FarBurst batch = { .n = 1, .bytes = sizeof zeros };

  batch.frames[0] = (FarFrame){ .data = zeros, .size = sizeof zeros };
  while (place->stream->klass->waiting (place->stream) == 0)
    place->stream->klass->write (place->stream, &batch);
  far_stream_take (place->stream, look, NULL);
}

START_TEST (pongs_do_not_heap_up)
{
  Place *place = place_make ();
  guint8 ping[6 + WS_FRAME_CONTROL_MAX] = { 0x80 | WS_OPCODE_PING, 0x80 | WS_FRAME_CONTROL_MAX };
  gsize before;

  far_loop_call (place->one, fill, place);
  before = place->stream->klass->waiting (place->stream);
  ck_assert_uint_gt (before, 0);
  for (guint i = 0; i < 600; i++) {
    ck_assert_int_eq (send (place->fd, ping, sizeof ping, 0), sizeof ping);
    help_settle (place->one);
    ck_assert (far_clock_advance (G_USEC_PER_SEC / 10));
  }
  help_settle (place->one);
  help_settle (place->one);
  ck_assert (!place->stream->closed);
  ck_assert_uint_le (place->stream->klass->waiting (place->stream), before + 4096);
  place_drop (place);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("ws-stream");
  TCase *tcase = tcase_create ("ws-stream");
  SRunner *runner = srunner_create (suite);
  int failed;

  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  tcase_set_timeout (tcase, 60);
  tcase_add_test (tcase, who_moves_ends_too);
  tcase_add_test (tcase, pongs_do_not_heap_up);
  suite_add_tcase (suite, tcase);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
