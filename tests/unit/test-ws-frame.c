/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames of RFC 6455: each row of test-ws-frame-rows.h whole, cut in two at every place and byte by byte, as
 * both sides; what the encoder makes comes back from the decoder; the mask and UTF-8 against plain versions
 * of the same. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../plugins/transport-websocket/frame.h" /* core has a frame.h of its own, found first */
#include "test-ws-frame-rows.h"

#define LONGEST_SHOWN 300 /* longer payloads are shown by their length */
#define ALL_CUTS 700      /* a row of more bytes is not cut at each of them */

static const guint8 row_mask[4] = { 0x37, 0xfa, 0x21, 0x3d };

/* ck_assert() writes into a pipe each time; these are asked some ten million times. */
#define sure(holds)                                                                                          \
  do {                                                                                                       \
    if (!(holds))                                                                                            \
      ck_abort_msg ("%s", #holds);                                                                           \
  } while (0)

/* What came, in words that do not depend on where the bytes were cut. */
typedef struct {
  GString *said;
  GByteArray *message;
  GString *frames; /* lengths of its frames */
  gsize in_frame;
  gboolean open, over;
} Tale;

static void
say_bytes (GString *to, const guint8 *data, gsize size)
{
  gsize same = 0;

  while (same < size && data[same] == 'x')
    same++;
  if (size > LONGEST_SHOWN) {
    g_string_append_printf (to, same == size ? "x*%zu" : "?*%zu", size);
    return;
  }
  for (gsize i = 0; i < size; i++)
    g_string_append_printf (to, g_ascii_isprint (data[i]) ? "%c" : "\\%02x", data[i]);
}

static void
tell_piece (Tale *tale, const WsFrame *frame)
{
  sure (frame->begins == !tale->open);
  sure (!frame->ends || frame->frame);
  tale->open = !frame->ends;
  if (frame->size > 0)
    g_byte_array_append (tale->message, frame->data, (guint) frame->size);
  tale->in_frame += frame->size;
  if (frame->frame) {
    g_string_append_printf (tale->frames, "%s%zu", tale->frames->len > 0 ? "+" : "", tale->in_frame);
    tale->in_frame = 0;
  }
  if (!frame->ends)
    return;
  g_string_append_printf (tale->said, "%s ", frame->binary ? "binary" : "text");
  if (strchr (tale->frames->str, '+') != NULL)
    g_string_append_printf (tale->said, "%s ", tale->frames->str);
  g_string_append_c (tale->said, '<');
  say_bytes (tale->said, tale->message->data, tale->message->len);
  g_string_append (tale->said, "> ");
  g_byte_array_set_size (tale->message, 0);
  g_string_set_size (tale->frames, 0);
}

static void
tell (Tale *tale, const WsFrame *frame)
{
  static const char
      *const names[] = { [WS_FRAME_PING] = "ping", [WS_FRAME_PONG] = "pong", [WS_FRAME_CLOSE] = "close" };

  sure ((frame->kind == WS_FRAME_BAD) == (frame->cause != NULL));
  sure ((frame->kind == WS_FRAME_BAD || frame->kind == WS_FRAME_CLOSE) == (frame->code != 0));
  sure (!tale->over || frame->kind == WS_FRAME_MORE);
  if (frame->kind == WS_FRAME_PIECE)
    tell_piece (tale, frame);
  if (frame->kind == WS_FRAME_BAD)
    g_string_append_printf (tale->said, "bad %u ", frame->code);
  tale->over |= frame->kind == WS_FRAME_BAD || frame->kind == WS_FRAME_CLOSE;
  if (frame->kind != WS_FRAME_PING && frame->kind != WS_FRAME_PONG && frame->kind != WS_FRAME_CLOSE)
    return;
  g_string_append (tale->said, names[frame->kind]);
  if (frame->kind == WS_FRAME_CLOSE)
    g_string_append_printf (tale->said, " %u", frame->code);
  g_string_append (tale->said, " <");
  say_bytes (tale->said, frame->data, frame->size);
  g_string_append (tale->said, "> ");
}

/* A copy of just its size, so that the sanitizer sees a byte too many. */
static void
feed (WsDecoder *decoder, Tale *tale, const guint8 *data, gsize size)
{
  g_autofree guint8 *copy = g_malloc (size);

  memcpy (copy, data, size);
  for (gsize at = 0; at < size;) {
    guint64 left = ws_decoder_left (decoder);
    WsFrame frame;
    gsize used = ws_decoder_next (decoder, copy + at, size - at, &frame);

    sure (used > 0 && used <= size - at);
    sure (frame.kind != WS_FRAME_MORE || used == size - at);
    sure (left == 0 || used <= left);
    sure (frame.kind != WS_FRAME_PIECE || frame.size == 0 ||
          (frame.data >= copy + at && frame.data + frame.size == copy + at + used));
    tell (tale, &frame);
    at += used;
  }
}

static char *
finish (Tale *tale)
{
  if (tale->open && !tale->over)
    g_string_append_printf (tale->said, "open %u ", tale->message->len);
  if (tale->said->len > 0)
    g_string_truncate (tale->said, tale->said->len - 1);
  g_byte_array_unref (tale->message);
  g_string_free (tale->frames, TRUE);
  return g_string_free (tale->said, FALSE);
}

/* The bytes in runs: first, then each step; step 0: all the rest. */
static char *
tell_cut (gboolean client, gsize frame_max, const guint8 *data, gsize size, gsize first, gsize step)
{
  Tale tale = { g_string_new (NULL), g_byte_array_new (), g_string_new (NULL), 0, FALSE, FALSE };
  WsDecoder decoder;

  ws_decoder_init (&decoder, client, frame_max);
  for (gsize at = 0, run = MIN (first, size); at < size;
       at += run, run = step == 0 ? size - at : MIN (step, size - at))
    feed (&decoder, &tale, data + at, run);
  ws_decoder_clear (&decoder);
  sure (ws_decoder_left (&decoder) == 0);
  return finish (&tale);
}

/* The language of the rows: see test-ws-frame-rows.h. */
typedef struct {
  GByteArray *bytes;
  gboolean client, masking;
  guint64 phase;
} Writer;

static void
put (Writer *writer, guint8 byte, gsize times)
{
  for (; times > 0; times--) {
    guint8 out = writer->masking && !writer->client ? byte ^ row_mask[writer->phase & 3] : byte;

    writer->phase++;
    g_byte_array_append (writer->bytes, &out, 1);
  }
}

static void
put_word (Writer *writer, const char *word)
{
  const char *times = strchr (word, '*');

  if (*word == 'm') {
    writer->masking = FALSE;
    put (writer, (guint8) (strtoul (word + 1, NULL, 16) | (writer->client ? 0 : 0x80)), 1);
  } else if (*word == 'k') {
    for (guint i = 0; !writer->client && i < 4; i++)
      put (writer, row_mask[i], 1);
    writer->masking = TRUE;
    writer->phase = 0;
  } else if (*word == '.') {
    writer->masking = FALSE;
  } else if (*word == '\'') {
    for (const char *at = word + 1; *at != '\''; at++)
      put (writer, *at == '_' ? ' ' : (guint8) *at, 1);
  } else {
    ck_assert_msg (g_ascii_isxdigit (word[0]) && g_ascii_isxdigit (word[1]) &&
                       (word[2] == '\0' || times == word + 2),
                   "%s", word);
    put (writer, (guint8) strtoul (word, NULL, 16), times ? strtoul (times + 1, NULL, 10) : 1);
  }
}

static GByteArray *
write_row (const char *text, gboolean client)
{
  Writer writer = { g_byte_array_new (), client, FALSE, 0 };
  g_auto (GStrv) words = g_strsplit (text, " ", -1);

  for (guint i = 0; words[i] != NULL; i++) {
    if (words[i][0] != '\0')
      put_word (&writer, words[i]);
  }
  return writer.bytes;
}

static void
check_cut (const Row *row, gboolean client, const GByteArray *bytes, gsize first, gsize step)
{
  g_autofree char *told = tell_cut (client, row->frame_max, bytes->data, bytes->len, first, step);

  if (strcmp (told, row->told) != 0)
    ck_abort_msg ("%s, as %s, cut %zu and %zu: \"%s\", not \"%s\"", row->name, client ? "client" : "server",
                  first, step, told, row->told);
}

static void
check_row (const Row *row, gboolean client)
{
  g_autoptr (GByteArray) bytes = write_row (row->bytes, client);

  check_cut (row, client, bytes, bytes->len, 0);
  check_cut (row, client, bytes, 1, 1);
  check_cut (row, client, bytes, 3, 2);
  check_cut (row, client, bytes, 997, 997);
  for (gsize at = 1; at < bytes->len; at++) {
    if (bytes->len <= ALL_CUTS || at < 30 || at > bytes->len - 10 || at % 8191 == 0)
      check_cut (row, client, bytes, at, 0);
  }
}

START_TEST (rows_of_bytes)
{
  const Row *row = &rows[_i];

  if (row->side != SERVER)
    check_row (row, TRUE);
  if (row->side != CLIENT)
    check_row (row, FALSE);
}
END_TEST

/* Each side's payload comes out of the other's hands, whatever its size and wherever it is cut. */
typedef struct {
  GByteArray *wire;
  Tale told;
  gboolean masked;
  GRand *dice;
} Sender;

static void
send_frame (Sender *sender, guint opcode, gboolean fin, const guint8 *data, gsize size)
{
  guint32 drawn = g_rand_int (sender->dice);
  guint8 head[WS_FRAME_HEAD_MAX], mask[4];
  g_autofree guint8 *out = g_malloc (size);

  memcpy (mask, &drawn, sizeof mask);
  g_byte_array_append (sender->wire, head,
                       (guint) ws_frame_head (head, opcode, fin, size, sender->masked ? mask : NULL));
  if (size == 0)
    return;
  memcpy (out, data, size);
  if (sender->masked)
    ws_mask (out, data, size, mask, 0);
  g_byte_array_append (sender->wire, out, (guint) size);
}

static void
send_control (Sender *sender)
{
  guint8 some[WS_FRAME_CONTROL_MAX];
  gsize size = (gsize) g_rand_int_range (sender->dice, 0, sizeof some + 1);
  gboolean ping = g_rand_boolean (sender->dice);
  const WsFrame frame = { .kind = ping ? WS_FRAME_PING : WS_FRAME_PONG, .data = some, .size = size };

  for (gsize i = 0; i < size; i++)
    some[i] = (guint8) g_rand_int (sender->dice);
  send_frame (sender, ping ? WS_OPCODE_PING : WS_OPCODE_PONG, TRUE, some, size);
  tell (&sender->told, &frame);
}

static void
send_message (Sender *sender)
{
  static const gint32 below[] = { 2, 130, 70000, 200 };
  gboolean text = g_rand_boolean (sender->dice);
  gint frames = g_rand_int_range (sender->dice, 1, 5);

  for (gint i = 0; i < frames; i++) {
    gsize size = (gsize) g_rand_int_range (sender->dice, 0,
                                           below[g_rand_int_range (sender->dice, 0, G_N_ELEMENTS (below))]);
    g_autofree guint8 *data = g_malloc (size + 1);
    const WsFrame frame = { .kind = WS_FRAME_PIECE,
                            .data = data,
                            .size = size,
                            .binary = !text,
                            .begins = i == 0,
                            .frame = TRUE,
                            .ends = i == frames - 1 };

    for (gsize n = 0; n < size; n++)
      data[n] = text ? (guint8) g_rand_int_range (sender->dice, 1, 128) : (guint8) g_rand_int (sender->dice);
    send_frame (sender,
                i > 0  ? WS_OPCODE_MORE
                : text ? WS_OPCODE_TEXT
                       : WS_OPCODE_BINARY,
                frame.ends, data, size);
    tell (&sender->told, &frame);
    if (g_rand_int_range (sender->dice, 0, 3) == 0)
      send_control (sender);
  }
}

START_TEST (what_is_sent_comes)
{
  g_autoptr (GRand) dice = g_rand_new_with_seed ((guint32) _i);
  g_autoptr (GByteArray) wire = g_byte_array_new ();
  Sender sender = { wire,
                    { g_string_new (NULL), g_byte_array_new (), g_string_new (NULL), 0, FALSE, FALSE },
                    _i % 2 == 0,
                    dice };
  static const gsize steps[] = { 0, 1, 2, 7, 100, 4096, 16384 };
  g_autofree char *sent = NULL;

  for (guint n = 0; n < 6; n++)
    send_message (&sender);
  sent = finish (&sender.told);
  for (guint i = 0; i < G_N_ELEMENTS (steps); i++) {
    g_autofree char *came = tell_cut (!sender.masked, 0, wire->data, wire->len,
                                      (gsize) g_rand_int_range (dice, 1, 40), steps[i]);

    ck_assert_str_eq (came, sent);
  }
}
END_TEST

START_TEST (heads)
{
  static const guint8 mask[4] = { 1, 2, 3, 4 };
  static const struct {
    guint64 size;
    const char *head;
  } all[] = {
    { 0, "\x00" },
    { 1, "\x01" },
    { 125, "\x7d" },
    { 126, "\x7e\x00\x7e" },
    { 65535, "\x7e\xff\xff" },
    { 65536, "\x7f\0\0\0\0\0\x01\0\0" },
    { G_MAXINT64, "\x7f\x7f\xff\xff\xff\xff\xff\xff\xff" },
  };
  static const gsize lengths[] = { 1, 1, 1, 3, 3, 9, 9 };
  guint8 head[WS_FRAME_HEAD_MAX];

  for (guint i = 0; i < G_N_ELEMENTS (all); i++) {
    ck_assert_uint_eq (ws_frame_head (head, WS_OPCODE_BINARY, TRUE, all[i].size, NULL), 1 + lengths[i]);
    ck_assert_uint_eq (head[0], 0x82);
    ck_assert_mem_eq (head + 1, all[i].head, lengths[i]);
    ck_assert_uint_eq (ws_frame_head (head, WS_OPCODE_MORE, FALSE, all[i].size, mask), 5 + lengths[i]);
    ck_assert_uint_eq (head[0], 0x00);
    ck_assert_uint_eq (head[1], 0x80 | (guint8) all[i].head[0]);
    ck_assert_mem_eq (head + 1 + lengths[i], mask, 4);
  }
}
END_TEST

START_TEST (mask_at_each_phase_and_place)
{
  static const guint8 mask[4] = { 0xa1, 0x5c, 0x03, 0xf0 };
  static const guint64 phases[] = { 0, 1, 2, 3, 4, 7, 1021, (G_GUINT64_CONSTANT (1) << 32) + 3, G_MAXINT64 };

  for (gsize size = 0; size < 420; size += size < 280 ? 1 : 13) {
    for (guint i = 0; i < G_N_ELEMENTS (phases) * 9; i++) {
      guint64 phase = phases[i / 9];
      gsize place = i % 9;
      guint8 from[512], to[512], here[512];

      for (gsize n = 0; n < sizeof from; n++)
        from[n] = (guint8) (n * 7 + 3);
      memcpy (here, from, sizeof here);
      memset (to, 0x55, sizeof to);
      ws_mask (to + place, from + place, size, mask, phase);
      ws_mask (here + place, here + place, size, mask, phase);
      for (gsize n = 0; n < sizeof from; n++) {
        gboolean in = n >= place && n < place + size;
        guint8 masked = in ? from[n] ^ mask[(phase + n - place) % 4] : 0;

        sure (to[n] == (in ? masked : 0x55));
        sure (here[n] == (in ? masked : from[n]));
      }
    }
  }
}
END_TEST

START_TEST (close_codes)
{
  for (guint code = 0; code <= 70000; code++) {
    gboolean may = (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
                   (code >= 3000 && code < 5000);

    if (ws_close_code_ok (code) != may)
      ck_abort_msg ("%u", code);
  }
}
END_TEST

static gboolean
is_text (const guint8 *data, gsize size, gsize cut)
{
  g_autofree guint8 *bytes = g_malloc (2 + size);
  g_autofree char *told = NULL;

  bytes[0] = 0x81;
  bytes[1] = (guint8) size;
  memcpy (bytes + 2, data, size);
  told = tell_cut (TRUE, 0, bytes, 2 + size, 2 + cut, 1);
  sure (g_str_has_prefix (told, "text <") || strcmp (told, "bad 1007") == 0);
  return *told == 't';
}

/* GLib's judgement over all strings of up to four bytes that stand at the edges of the ranges of UTF-8. */
START_TEST (text_is_judged_as_glib_does)
{
  static const guint8 edges[] = { 'a',  0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2, 0xdf,
                                  0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf4, 0xf5, 0xff };
  const guint n = G_N_ELEMENTS (edges);
  guint good = 0;

  for (guint i = 0; i < n * n * n * n; i++) {
    const guint8 text[4] = { edges[i % n], edges[i / n % n], edges[i / n / n % n], edges[i / n / n / n] };
    gboolean valid = g_utf8_validate_len ((const char *) text, sizeof text, NULL);

    if (is_text (text, sizeof text, i % 4) != valid)
      ck_abort_msg ("%02x %02x %02x %02x", text[0], text[1], text[2], text[3]);
    good += valid;
  }
  ck_assert_uint_gt (good, 100);
}
END_TEST

START_TEST (every_character_is_text)
{
  WsDecoder decoder;

  ws_decoder_init (&decoder, TRUE, 0);
  for (gunichar c = 1; c < 0x110000; c++) {
    guint8 bytes[2 + 6] = { 0x81 };
    WsFrame frame;

    bytes[1] = (guint8) g_unichar_to_utf8 (c, (char *) bytes + 2);
    ws_decoder_next (&decoder, bytes, 2 + bytes[1], &frame);
    if ((frame.kind == WS_FRAME_PIECE) != (c < 0xd800 || c > 0xdfff))
      ck_abort_msg ("U+%04X", c);
    if (frame.kind == WS_FRAME_BAD)
      ws_decoder_clear (&decoder);
  }
}
END_TEST

START_TEST (small)
{
  WsDecoder decoder;
  WsFrame frame;

  ck_assert_uint_le (sizeof decoder, 200);
  ws_decoder_init (&decoder, TRUE, 0);
  ck_assert_uint_eq (ws_decoder_next (&decoder, NULL, 0, &frame), 0);
  ck_assert_int_eq (frame.kind, WS_FRAME_MORE);
}
END_TEST

START_TEST (how_much_is_left)
{
  guint8 bytes[] = { 0x82, 5, 'a', 'b', 'c', 'd', 'e', 0x89, 2 };
  WsDecoder decoder;
  WsFrame frame;

  ws_decoder_init (&decoder, TRUE, 0);
  ck_assert_uint_eq (ws_decoder_left (&decoder), 0);
  ck_assert_uint_eq (ws_decoder_next (&decoder, bytes, 1, &frame), 1);
  ck_assert_uint_eq (ws_decoder_left (&decoder), 0);
  ck_assert_uint_eq (ws_decoder_next (&decoder, bytes + 1, 1, &frame), 1);
  ck_assert_int_eq (frame.kind, WS_FRAME_MORE);
  ck_assert_uint_eq (ws_decoder_left (&decoder), 5);
  ck_assert_uint_eq (ws_decoder_next (&decoder, bytes + 2, 3, &frame), 3);
  ck_assert (frame.kind == WS_FRAME_PIECE && frame.begins && !frame.frame);
  ck_assert_uint_eq (ws_decoder_left (&decoder), 2);
  ck_assert_uint_eq (ws_decoder_next (&decoder, bytes + 5, 4, &frame), 2);
  ck_assert (frame.kind == WS_FRAME_PIECE && !frame.begins && frame.ends);
  ck_assert_uint_eq (ws_decoder_left (&decoder), 0);
  ck_assert_uint_eq (ws_decoder_next (&decoder, bytes + 7, 2, &frame), 2);
  ck_assert_uint_eq (ws_decoder_left (&decoder), 2);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("ws-frame");
  TCase *tcase = tcase_create ("ws-frame");
  SRunner *runner = srunner_create (suite);
  int failed;

  tcase_set_timeout (tcase, 60);
  tcase_add_loop_test (tcase, rows_of_bytes, 0, G_N_ELEMENTS (rows));
  tcase_add_loop_test (tcase, what_is_sent_comes, 0, 20);
  tcase_add_test (tcase, heads);
  tcase_add_test (tcase, mask_at_each_phase_and_place);
  tcase_add_test (tcase, close_codes);
  tcase_add_test (tcase, text_is_judged_as_glib_does);
  tcase_add_test (tcase, every_character_is_text);
  tcase_add_test (tcase, small);
  tcase_add_test (tcase, how_much_is_left);
  suite_add_tcase (suite, tcase);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
