/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The decoder has three states: in a head, in a payload, ended. A head is collected byte by byte in `kept`
 * and judged as soon as the byte has come that decides; the payload of a message is shown where it lies, that
 * of a control frame collected in `kept`. */
#include "config.h"

#include "frame.h"

#include <string.h>

#define FIN 0x80
#define RESERVED 0x70
#define OPCODE 0x0f
#define CONTROL 0x08
#define MASKED 0x80
#define LENGTH 0x7f

enum { IN_HEAD, IN_PAYLOAD, ENDED };

/* A vector of the compiler's, for memory of any alignment and type: it is used at -O2 as well, and four loads
 * stand ahead of four stores. */
typedef guint64 Lane __attribute__ ((vector_size (16), aligned (1), may_alias));

static void
mask_lanes (Lane *to, const Lane *from, Lane key)
{
  const Lane a = from[0] ^ key, b = from[1] ^ key, c = from[2] ^ key, d = from[3] ^ key;

  to[0] = a;
  to[1] = b;
  to[2] = c;
  to[3] = d;
}

void
ws_mask (guint8 *to, const guint8 *from, gsize size, const guint8 mask[4], guint64 phase)
{
  const guint8 turned[4] = { mask[phase & 3], mask[(phase + 1) & 3], mask[(phase + 2) & 3],
                             mask[(phase + 3) & 3] };
  guint64 key, word;
  gsize at = 0;

  memcpy (&key, turned, 4);
  memcpy ((guint8 *) &key + 4, turned, 4);
  for (; size - at >= 4 * sizeof (Lane); at += 4 * sizeof (Lane))
    mask_lanes ((Lane *) (to + at), (const Lane *) (from + at), (Lane){ key, key });
  for (; size - at >= sizeof word; at += sizeof word) {
    memcpy (&word, from + at, sizeof word);
    word ^= key;
    memcpy (to + at, &word, sizeof word);
  }
  for (; at < size; at++)
    to[at] = from[at] ^ turned[at & 3];
}

gboolean
ws_close_code_ok (guint code)
{
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

static void
put_number (guint8 *to, guint64 number, gsize bytes)
{
  for (gsize i = 0; i < bytes; i++)
    to[i] = (guint8) (number >> 8 * (bytes - 1 - i));
}

static guint64
get_number (const guint8 *from, gsize bytes)
{
  guint64 number = 0;

  for (gsize i = 0; i < bytes; i++)
    number = number << 8 | from[i];
  return number;
}

gsize
ws_frame_head (guint8 head[WS_FRAME_HEAD_MAX], guint opcode, gboolean fin, guint64 size, const guint8 mask[4])
{
  gsize extra = size <= 125 ? 0 : size <= G_MAXUINT16 ? 2 : 8;

  head[0] = (guint8) ((fin ? FIN : 0) | (opcode & OPCODE));
  head[1] = (guint8) ((mask ? MASKED : 0) | (extra == 0 ? size : extra == 2 ? 126 : 127));
  put_number (head + 2, size, extra);
  if (mask == NULL)
    return 2 + extra;
  memcpy (head + 2 + extra, mask, 4);
  return 2 + extra + 4;
}

void
ws_decoder_init (WsDecoder *decoder, gboolean client, gsize frame_max)
{
  *decoder = (WsDecoder){ .client = client != FALSE, .frame_max = frame_max };
}

void
ws_decoder_clear (WsDecoder *decoder)
{
  ws_decoder_init (decoder, decoder->client, decoder->frame_max);
}

guint64
ws_decoder_left (const WsDecoder *decoder)
{
  return decoder->state == IN_PAYLOAD ? decoder->left : 0;
}

static void
refuse_frame (WsDecoder *decoder, WsFrame *frame, guint code, const char *cause)
{
  decoder->state = ENDED;
  *frame = (WsFrame){ .kind = WS_FRAME_BAD, .code = code, .cause = cause };
}

/* What a character may begin with, and its second byte, by table 3-7 of the Unicode standard: neither
 * surrogates nor more bytes than it needs. */
static gboolean
begin_character (WsDecoder *decoder, guint8 byte)
{
  if (byte < 0xc2 || byte > 0xf4)
    return FALSE;
  decoder->wanted = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
  decoder->low = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
  decoder->high = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
  return TRUE;
}

static gsize
count_ascii (const guint8 *data, gsize size)
{
  guint64 words[4];
  gsize at = 0;

  for (; size - at >= sizeof words; at += sizeof words) {
    memcpy (words, data + at, sizeof words);
    if (((words[0] | words[1] | words[2] | words[3]) & 0x8080808080808080u) != 0)
      break;
  }
  while (at < size && data[at] < 0x80)
    at++;
  return at;
}

/* FALSE: these bytes, after all that have been, can be no UTF-8 whatever comes. */
static gboolean
take_text (WsDecoder *decoder, const guint8 *data, gsize size)
{
  for (gsize at = 0; at < size; at++) {
    if (decoder->wanted == 0) {
      at += count_ascii (data + at, size - at);
      if (at < size && !begin_character (decoder, data[at]))
        return FALSE;
    } else if (data[at] < decoder->low || data[at] > decoder->high) {
      return FALSE;
    } else {
      decoder->wanted--;
      decoder->low = 0x80;
      decoder->high = 0xbf;
    }
  }
  return TRUE;
}

static const char *
judge_first (const WsDecoder *decoder, guint8 byte)
{
  guint opcode = byte & OPCODE;

  if (byte & RESERVED)
    return "reserved bits are set";
  if (opcode > WS_OPCODE_PONG || (opcode > WS_OPCODE_BINARY && opcode < WS_OPCODE_CLOSE))
    return "unknown opcode";
  if (opcode & CONTROL)
    return byte & FIN ? NULL : "fragmented control frame";
  if (opcode == WS_OPCODE_MORE)
    return decoder->message ? NULL : "continuation of no message";
  return decoder->message ? "new message inside another" : NULL;
}

static const char *
judge_second (const WsDecoder *decoder, guint8 first, guint8 byte)
{
  guint length = byte & LENGTH;

  if (decoder->client && (byte & MASKED))
    return "masked frame from a server";
  if (!decoder->client && !(byte & MASKED))
    return "unmasked frame from a client";
  if ((first & CONTROL) && length > WS_FRAME_CONTROL_MAX)
    return "long control frame";
  return (first & OPCODE) == WS_OPCODE_CLOSE && length == 1 ? "close frame of one byte" : NULL;
}

static gsize
extra_of (guint8 second)
{
  return (second & LENGTH) == 126 ? 2 : (second & LENGTH) == 127 ? 8 : 0;
}

static guint64
length_of (const WsDecoder *decoder)
{
  gsize extra = extra_of (decoder->kept[1]);

  return extra == 0 ? decoder->kept[1] & LENGTH : get_number (decoder->kept + 2, extra);
}

/* The limits of a program are few: each text is made once. */
static const char *
ws_frame_too_large (gsize limit)
{
  g_autofree char *text = g_strdup_printf ("frame too large (the limit is %" G_GSIZE_FORMAT " bytes)", limit);

  return g_intern_string (text);
}

/* The length is whole in `kept`. */
static void
ws_frame_judge_length (WsDecoder *decoder, WsFrame *frame)
{
  gsize extra = extra_of (decoder->kept[1]);
  guint64 size = length_of (decoder);

  if ((extra == 2 && size <= 125) || (extra == 8 && size <= G_MAXUINT16))
    refuse_frame (decoder, frame, WS_CLOSE_PROTOCOL, "length not in its shortest form");
  else if (size > G_MAXINT64)
    refuse_frame (decoder, frame, WS_CLOSE_PROTOCOL, "length with its top bit set");
  else if (decoder->frame_max > 0 && size > decoder->frame_max && !(decoder->kept[0] & CONTROL))
    refuse_frame (decoder, frame, WS_CLOSE_SIZE, ws_frame_too_large (decoder->frame_max));
}

/* The head is whole in `kept`. */
static void
begin_payload (WsDecoder *decoder)
{
  decoder->state = IN_PAYLOAD;
  decoder->opcode = decoder->kept[0] & OPCODE;
  decoder->fin = (decoder->kept[0] & FIN) != 0;
  decoder->left = length_of (decoder);
  decoder->done = 0;
  if (!decoder->client)
    memcpy (decoder->mask, decoder->kept + decoder->n_kept - 4, 4);
  decoder->n_kept = 0;
  if (decoder->opcode == WS_OPCODE_TEXT || decoder->opcode == WS_OPCODE_BINARY) {
    decoder->message = decoder->opcode;
    decoder->begins = TRUE;
  }
}

/* Each byte is judged when it comes, so that nothing is waited for behind what is bad. */
static void
judge_head (WsDecoder *decoder, WsFrame *frame)
{
  const char *cause = NULL;

  if (decoder->n_kept == 1)
    cause = judge_first (decoder, decoder->kept[0]);
  else if (decoder->n_kept == 2)
    cause = judge_second (decoder, decoder->kept[0], decoder->kept[1]);
  if (cause != NULL)
    refuse_frame (decoder, frame, WS_CLOSE_PROTOCOL, cause);
  else if (decoder->n_kept >= 2 && decoder->n_kept == 2 + extra_of (decoder->kept[1]))
    ws_frame_judge_length (decoder, frame);
}

static gsize
ws_frame_take_head (WsDecoder *decoder, const guint8 *data, gsize size, WsFrame *frame)
{
  gsize used = 0;

  while (used < size && decoder->state == IN_HEAD) {
    decoder->kept[decoder->n_kept++] = data[used++];
    judge_head (decoder, frame);
    if (decoder->state == IN_HEAD && decoder->n_kept >= 2 &&
        decoder->n_kept == 2 + extra_of (decoder->kept[1]) + (decoder->client ? 0 : 4))
      begin_payload (decoder);
  }
  return used;
}

/* Section 7.1.5 and 7.1.6; that a close frame has not one byte was seen in its head. The text of a message
 * under way no longer matters. */
static void
end_close (WsDecoder *decoder, WsFrame *frame)
{
  guint code = decoder->n_kept == 0 ? WS_CLOSE_NONE : (guint) get_number (decoder->kept, 2);
  gsize skip = MIN (decoder->n_kept, 2);

  decoder->wanted = 0;
  if (decoder->n_kept > 0 && !ws_close_code_ok (code)) {
    refuse_frame (decoder, frame, WS_CLOSE_PROTOCOL, "close code that may not be sent");
  } else if (!take_text (decoder, decoder->kept + skip, decoder->n_kept - skip) || decoder->wanted > 0) {
    refuse_frame (decoder, frame, WS_CLOSE_TEXT, "close reason is not UTF-8");
  } else {
    decoder->state = ENDED;
    *frame = (WsFrame){ .kind = WS_FRAME_CLOSE,
                        .data = decoder->kept + skip,
                        .size = decoder->n_kept - skip,
                        .code = code };
  }
}

static gsize
take_control (WsDecoder *decoder, const guint8 *data, gsize size, WsFrame *frame)
{
  gsize used = (gsize) MIN (decoder->left, size);

  if (decoder->client)
    memcpy (decoder->kept + decoder->n_kept, data, used);
  else
    ws_mask (decoder->kept + decoder->n_kept, data, used, decoder->mask, decoder->n_kept);
  decoder->n_kept += (guint8) used;
  decoder->left -= used;
  if (decoder->left > 0)
    return used;
  if (decoder->opcode == WS_OPCODE_CLOSE) {
    end_close (decoder, frame);
    return used;
  }
  frame->kind = decoder->opcode == WS_OPCODE_PING ? WS_FRAME_PING : WS_FRAME_PONG;
  frame->data = decoder->kept;
  frame->size = decoder->n_kept;
  decoder->state = IN_HEAD;
  decoder->n_kept = 0;
  return used;
}

static gsize
take_piece (WsDecoder *decoder, guint8 *data, gsize size, WsFrame *frame)
{
  gsize used = (gsize) MIN (decoder->left, size);
  gboolean whole = used == decoder->left, ends = whole && decoder->fin,
           text = decoder->message == WS_OPCODE_TEXT;

  if (!decoder->client)
    ws_mask (data, data, used, decoder->mask, decoder->done);
  if (text && (!take_text (decoder, data, used) || (ends && decoder->wanted > 0))) {
    refuse_frame (decoder, frame, WS_CLOSE_TEXT, "text is not UTF-8");
    return used;
  }
  *frame = (WsFrame){ .kind = WS_FRAME_PIECE,
                      .data = data,
                      .size = used,
                      .binary = !text,
                      .begins = decoder->begins,
                      .frame = whole,
                      .ends = ends };
  decoder->begins = FALSE;
  decoder->left -= used;
  decoder->done += used;
  if (whole)
    decoder->state = IN_HEAD;
  if (ends)
    decoder->message = 0;
  return used;
}

gsize
ws_decoder_next (WsDecoder *decoder, guint8 *data, gsize size, WsFrame *frame)
{
  gsize used = 0;

  *frame = (WsFrame){ .kind = WS_FRAME_MORE };
  if (decoder->state == ENDED)
    return size;
  if (decoder->state == IN_HEAD)
    used = ws_frame_take_head (decoder, data, size, frame);
  if (decoder->state != IN_PAYLOAD || (used == size && decoder->left > 0))
    return used;
  if (decoder->opcode & CONTROL)
    return used + take_control (decoder, data + used, size - used, frame);
  return used + take_piece (decoder, data + used, size - used, frame);
}
