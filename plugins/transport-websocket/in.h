/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What comes in over a link: pieces of WebSocket messages in, whole Farwatch messages out. The binary
 * messages of a link are a run of bytes and frames delimit themselves, so one frame may fill one WebSocket
 * message (what we send), several may share one, or one be spread. */
#pragma once
#include "frame.h"
#include <farwatch/message.h>

#define WS_FRAGMENTS_MAX 64 /* as the cause says */

typedef struct {
  gboolean binary;
  gboolean begins; /* the first piece of a WebSocket message */
  gboolean frame;  /* the last piece of its WebSocket frame  */
  gboolean ends;   /* and of its message                     */
} WsPiece;

typedef struct {
  gsize limit;      /* bytes of one WebSocket message, and of one frame in it */
  GByteArray *part; /* a frame begun; NULL: none */
  gsize need;       /* of its bytes before it is looked at again */
  guint fragments;  /* of the message under way */
  gsize bytes;
} WsIn;

/* The one text there is: "nothing more will come from this side". */
#define WS_EOF "eof"

/* A text message under way. It is judged where a frame of it ends, wherever the bytes were cut on their way:
 * text that is none must get its own code. */
typedef struct {
  guint n; /* bytes so far */
  guint frames;
  gboolean other; /* than WS_EOF */
} WsText;

typedef enum { WS_TEXT_MORE, WS_TEXT_EOF, WS_TEXT_OTHER } WsTextIs;

/* The next piece of a text message; what it begins with is forgotten at the next beginning. */
WsTextIs ws_text_take (WsText *text, const WsPiece *piece, const guint8 *data, gsize size);

typedef void (*WsTake) (FarMessage *message /* takes */, gpointer user);

void ws_in_clear (WsIn *in);
/* Counts a piece of any WebSocket message. 0, or the code to close with and a static text why. */
guint ws_in_count (WsIn *in, const WsPiece *piece, gsize size, const char **cause);
/* Counts, then takes whole frames out. take may be called any number of times. */
guint ws_in_feed (WsIn *in, const WsPiece *piece, const guint8 *data, gsize size, WsTake take, gpointer user,
                  const char **cause);
