/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* parses: plugins/transport-websocket/in.c
 * What one link makes of the pieces the WebSocket library hands over. Input: pieces of {flags, u16 size,
 * bytes}: flag 1 binary, 2 begins a message, 4 ends its frame, 8 ends the message. Accepted: no piece was
 * refused and at least one message came out. */
#include "config.h"

#include "fuzz/fuzz.h"
#include "in.h"

static void
taken (FarMessage *message, gpointer user)
{
  guint *n = user;

  ++*n;
  g_assert (message->id != NULL);
  far_message_unref (message);
}

gboolean
fuzz_one (const guint8 *data, gsize size)
{
  WsIn in = { .limit = 70000 };
  WsText text = { 0 };
  guint n = 0, code = 0;

  for (gsize at = 0; code == 0 && size - at >= 3;) {
    const WsPiece piece = { data[at] & 1, (data[at] & 2) != 0, (data[at] & 4) != 0, (data[at] & 8) != 0 };
    gsize length = MIN ((gsize) data[at + 1] << 8 | data[at + 2], size - at - 3);
    const char *cause = NULL;

    if (!piece.binary) {
      WsTextIs is = ws_text_take (&text, &piece, data + at + 3, length);

      g_assert (is != WS_TEXT_EOF || piece.ends);
      at += 3 + length;
      code = is == WS_TEXT_OTHER ? WS_CLOSE_TYPE : 0;
      if (is == WS_TEXT_EOF)
        break;
      continue;
    }
    code = ws_in_feed (&in, &piece, data + at + 3, length, taken, &n, &cause);
    g_assert ((code == 0) == (cause == NULL));
    g_assert (in.part == NULL || in.part->len <= in.limit + length);
    at += 3 + length;
  }
  ws_in_clear (&in);
  return code == 0 && n > 0;
}
