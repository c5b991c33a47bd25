/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* WebSocket pieces to Farwatch messages; the limits of a message under way. */
#include "config.h"

#include "in.h"

#include <string.h>

#define WS_TEXT_LOOK                                                                                         \
  125 /* bytes of text that cannot be WS_EOF any more, until it is refused in the middle of a frame */

void
ws_in_clear (WsIn *in)
{
  g_clear_pointer (&in->part, g_byte_array_unref);
}

WsTextIs
ws_text_take (WsText *text, const WsPiece *piece, const guint8 *data, gsize size)
{
  if (piece->begins)
    *text = (WsText){ 0 };
  text->other = text->other || size > strlen (WS_EOF) - MIN (text->n, strlen (WS_EOF)) ||
                (size > 0 && memcmp (data, &WS_EOF[text->n], size) != 0);
  text->n += (guint) MIN (size, WS_TEXT_LOOK);
  text->frames += piece->frame;
  if (text->other)
    return piece->frame || text->n >= WS_TEXT_LOOK ? WS_TEXT_OTHER : WS_TEXT_MORE;
  if (!piece->ends)
    return text->frames > WS_FRAGMENTS_MAX ? WS_TEXT_OTHER : WS_TEXT_MORE;
  return text->n == strlen (WS_EOF) ? WS_TEXT_EOF : WS_TEXT_OTHER;
}

static guint
ws_in_refuse (guint code, const char *text, const char **cause)
{
  *cause = text;
  return code;
}

/* The limits of a program are few: each text is made once. */
static guint
ws_in_too_large (gsize limit, const char **cause)
{
  g_autofree char *text = g_strdup_printf ("message too large (the limit is %" G_GSIZE_FORMAT " bytes)",
                                           limit);

  return ws_in_refuse (WS_CLOSE_SIZE, g_intern_string (text), cause);
}

guint
ws_in_count (WsIn *in, const WsPiece *piece, gsize size, const char **cause)
{
  if (!piece->binary)
    return ws_in_refuse (WS_CLOSE_TYPE, "binary messages only", cause);
  if (piece->begins) {
    in->fragments = 0;
    in->bytes = 0;
  }
  in->bytes += size;
  if (in->bytes > in->limit)
    return ws_in_too_large (in->limit, cause);
  if (piece->frame && ++in->fragments > WS_FRAGMENTS_MAX)
    return ws_in_refuse (WS_CLOSE_POLICY, "too many fragments (64 at most)", cause);
  return 0;
}

/* A frame that is not whole: its length says how much of it must come before another look, so that bytes that
 * dribble in cost nothing. */
static gsize
need_of (const guint8 *data, gsize size, gsize frame)
{
  if (frame > 0)
    return frame;
  return size < 4 ? 4 : 4 + ((gsize) data[0] << 24 | (gsize) data[1] << 16 | (gsize) data[2] << 8 | data[3]);
}

/* How much of data is whole frames: they are taken. *code: what is wrong, 0: nothing. */
static gsize
take_frames (WsIn *in, const guint8 *data, gsize size, WsTake take, gpointer user, guint *code,
             const char **cause)
{
  gsize used = 0;

  *code = 0;
  while (used < size) {
    gssize frame = far_message_frame_size (data + used, size - used, NULL);
    FarMessage *message;

    if (frame < 0)
      *code = ws_in_refuse (WS_CLOSE_PROTOCOL, "not a message", cause);
    else if ((gsize) frame > in->limit)
      *code = ws_in_too_large (in->limit, cause);
    if (*code == 0 && (frame == 0 || (gsize) frame > size - used))
      in->need = need_of (data + used, size - used, (gsize) frame);
    if (*code != 0 || frame == 0 || (gsize) frame > size - used)
      return used;
    message = far_message_decode (data + used, (gsize) frame, NULL);
    if (message == NULL) {
      *code = ws_in_refuse (WS_CLOSE_PROTOCOL, "not a message", cause);
      return used;
    }
    take (message, user);
    used += (gsize) frame;
  }
  return used;
}

guint
ws_in_feed (WsIn *in, const WsPiece *piece, const guint8 *data, gsize size, WsTake take, gpointer user,
            const char **cause)
{
  guint code = ws_in_count (in, piece, size, cause);
  gsize used;

  if (code != 0)
    return code;
  if (in->part == NULL) {
    used = take_frames (in, data, size, take, user, &code, cause);
    if (code == 0 && used < size) {
      in->part = g_byte_array_new ();
      g_byte_array_append (in->part, data + used, (guint) (size - used));
    }
    return code;
  }
  g_byte_array_append (in->part, data, (guint) size);
  if (in->part->len < in->need)
    return 0;
  used = take_frames (in, in->part->data, in->part->len, take, user, &code, cause);
  if (used == in->part->len)
    ws_in_clear (in);
  else if (used > 0)
    g_byte_array_remove_range (in->part, 0, (guint) used);
  return code;
}
