/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parts of transport-websocket that need no socket: what comes in over a link, counters, addresses. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <time.h>
#include <string.h>

#include "in.h"
#include "url.h"

#define LIMIT 70000

typedef struct {
  guint n;
  char *last;
} Seen;

static void
seen (FarMessage *message, gpointer user)
{
  Seen *all = user;

  all->n++;
  g_free (all->last);
  all->last = g_strdup (message->resource);
  far_message_unref (message);
}

static GBytes *
frame_of (const char *resource, gsize body)
{
  g_autoptr (FarMessage) message = far_message_request ("PUT", resource, NULL);
  g_autofree char *text = g_strnfill (body, 'x');

  if (body > 0) {
    message->content_type = g_strdup ("text/plain");
    message->body = g_bytes_new (text, body);
  }
  return far_message_encode (message);
}

static guint
feed (WsIn *in, const guint8 *data, gsize size, gboolean begins, gboolean ends, Seen *all)
{
  const WsPiece piece = { .binary = TRUE, .begins = begins, .frame = ends, .ends = ends };
  const char *cause = NULL;
  guint code = ws_in_feed (in, &piece, data, size, seen, all, &cause);

  ck_assert ((code == 0) == (cause == NULL));
  return code;
}

/* However a run of frames is cut, they come out whole and in order. */
START_TEST (cut_anywhere)
{
  g_autoptr (GByteArray) run = g_byte_array_new ();
  static const gsize bodies[] = { 0, 1, 5000, 0, 30000, 3 };
  static const gsize cuts[] = { 1, 2, 3, 7, 64, 1000, 4096, 40000, 100000 };

  for (guint i = 0; i < G_N_ELEMENTS (bodies); i++) {
    g_autofree char *name = g_strdup_printf ("r%u", i);
    g_autoptr (GBytes) frame = frame_of (name, bodies[i]);

    g_byte_array_append (run, g_bytes_get_data (frame, NULL), (guint) g_bytes_get_size (frame));
  }
  for (guint i = 0; i < G_N_ELEMENTS (cuts); i++) {
    WsIn in = { .limit = LIMIT };
    Seen all = { 0 };

    for (gsize at = 0; at < run->len; at += cuts[i])
      ck_assert_uint_eq (feed (&in, run->data + at, MIN (cuts[i], run->len - at), TRUE, TRUE, &all), 0);
    ck_assert_uint_eq (all.n, G_N_ELEMENTS (bodies));
    ck_assert_str_eq (all.last, "r5");
    ck_assert_ptr_null (in.part);
    g_free (all.last);
    ws_in_clear (&in);
  }
}
END_TEST

/* A message of one byte a piece must not be parsed at each byte. */
START_TEST (dribble_is_cheap)
{
  g_autoptr (GBytes) frame = frame_of ("r", 30000);
  gsize size;
  const guint8 *data = g_bytes_get_data (frame, &size);
  WsIn in = { .limit = LIMIT };
  Seen all = { 0 };
  struct timespec begin, end; /* of the processor, not of the wall: others may be at work */

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &begin);
  for (gsize at = 0; at < size; at++)
    ck_assert_uint_eq (feed (&in, data + at, 1, TRUE, TRUE, &all), 0);
  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &end);
  ck_assert_uint_eq (all.n, 1);
  ck_assert_int_lt ((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000, 2000);
  g_free (all.last);
  ws_in_clear (&in);
}
END_TEST

START_TEST (too_large)
{
  g_autoptr (GBytes) frame = frame_of ("r", 32768);
  gsize size;
  const guint8 *data = g_bytes_get_data (frame, &size);
  WsIn in = { .limit = 10000 };
  Seen all = { 0 };

  /* known from its head, before its body */
  ck_assert_uint_eq (feed (&in, data, 200, TRUE, FALSE, &all), WS_CLOSE_SIZE);
  ws_in_clear (&in);
  in = (WsIn){ .limit = 1000 };
  ck_assert_uint_eq (feed (&in, data, 3, TRUE, FALSE, &all), 0);
  ck_assert_uint_eq (feed (&in, data, 998, FALSE, FALSE, &all), WS_CLOSE_SIZE);
  ws_in_clear (&in);
}
END_TEST

START_TEST (too_many_fragments)
{
  WsIn in = { .limit = LIMIT };
  Seen all = { 0 };
  const WsPiece first = { .binary = TRUE, .begins = TRUE, .frame = TRUE },
                next = { .binary = TRUE, .frame = TRUE };
  const char *cause;

  ck_assert_uint_eq (ws_in_feed (&in, &first, NULL, 0, seen, &all, &cause), 0);
  for (guint i = 1; i < WS_FRAGMENTS_MAX; i++)
    ck_assert_uint_eq (ws_in_feed (&in, &next, NULL, 0, seen, &all, &cause), 0);
  ck_assert_uint_eq (ws_in_feed (&in, &next, NULL, 0, seen, &all, &cause), WS_CLOSE_POLICY);
  ck_assert_uint_eq (ws_in_feed (&in, &first, NULL, 0, seen, &all, &cause), 0); /* counted for each message */
}
END_TEST

START_TEST (garbage)
{
  static const char *const texts[] = { "\xff\xff\xff\xff....", "\0\0\0\2{]", "\0\0\0\2{}" };
  const WsPiece text = { .binary = FALSE, .begins = TRUE, .frame = TRUE, .ends = TRUE };
  const char *cause;

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    WsIn in = { .limit = LIMIT };
    Seen all = { 0 };

    ck_assert_uint_eq (feed (&in, (const guint8 *) texts[i], 6, TRUE, TRUE, &all), WS_CLOSE_PROTOCOL);
    ck_assert_uint_eq (ws_in_feed (&in, &text, (const guint8 *) "x", 1, seen, &all, &cause), WS_CLOSE_TYPE);
    ws_in_clear (&in);
  }
}
END_TEST

static const struct {
  const char *text, *host;
  guint16 port;
  const char *path;
} urls[] = {
  { "wss://cloud.example:8443", "cloud.example", 8443, "/link" },
  { "wss://cloud.example", "cloud.example", 443, "/link" },
  { "wss://cloud.example:8443/", "cloud.example", 8443, "/link" },
  { "wss://127.0.0.1:1/stream/abc", "127.0.0.1", 1, "/stream/abc" },
  { "wss://[2001:db8::1]:8443/link", "2001:db8::1", 8443, "/link" },
  { "wss://[2001:db8::1]", "2001:db8::1", 443, "/link" },
  { "ws://cloud.example:8443", NULL, 0, NULL },
  { "https://cloud.example:8443", NULL, 0, NULL },
  { "wss://", NULL, 0, NULL },
  { "wss://:8443", NULL, 0, NULL },
  { "wss://cloud.example:0", NULL, 0, NULL },
  { "wss://cloud.example:70000", NULL, 0, NULL },
  { "wss://user@cloud.example:8443", NULL, 0, NULL },
  { "wss://cloud.example:8443/a b", NULL, 0, NULL },
};

START_TEST (addresses)
{
  g_auto (WsUrl) parsed = { NULL };
  g_autoptr (GError) error = NULL;
  gboolean ok = ws_url_parse (urls[_i].text, "/link", &parsed, &error);

  ck_assert_msg (ok == (urls[_i].host != NULL), "%s", urls[_i].text);
  ck_assert (ok == (error == NULL));
  if (!ok)
    return;
  ck_assert_str_eq (parsed.host, urls[_i].host);
  ck_assert_uint_eq (parsed.port, urls[_i].port);
  ck_assert_str_eq (parsed.path, urls[_i].path);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("ws-in");
  TCase *tcase = tcase_create ("ws-in");
  SRunner *runner = srunner_create (suite);
  int failed;

  tcase_add_test (tcase, cut_anywhere);
  tcase_add_test (tcase, dribble_is_cheap);
  tcase_add_test (tcase, too_large);
  tcase_add_test (tcase, too_many_fragments);
  tcase_add_test (tcase, garbage);
  tcase_add_loop_test (tcase, addresses, 0, G_N_ELEMENTS (urls));
  suite_add_tcase (suite, tcase);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
