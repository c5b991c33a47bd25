/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames of RFC 6455 section 5, over memory: bytes in, pieces of messages and control frames out, or the code
 * to close with; and heads for what goes out. It knows no stream, no thread and no heap. The payload is
 * unmasked where it lies, so that a frame of any size costs a connection nothing; what has to be kept between
 * two calls (a head or a control frame that is not whole) is at most 125 bytes inside the decoder.
 *
 * Judged here is what the protocol forbids (1002), text that is not UTF-8 (1007) and one frame's size (1009).
 * How large a message may be, of how many fragments, how many control frames a second and whether text has a
 * meaning is the caller's. */
#pragma once
#include <glib.h>

/* Close codes of RFC 6455 section 7.4.1 and of IANA's registry. 1005 is never sent: it stands for "the peer
 * gave none". */
enum {
  WS_CLOSE_NORMAL = 1000,
  WS_CLOSE_AWAY = 1001,
  WS_CLOSE_PROTOCOL = 1002,
  WS_CLOSE_TYPE = 1003,
  WS_CLOSE_NONE = 1005,
  WS_CLOSE_TEXT = 1007,
  WS_CLOSE_POLICY = 1008,
  WS_CLOSE_SIZE = 1009,
  WS_CLOSE_LATER = 1013
};

/* Section 5.2. */
enum {
  WS_OPCODE_MORE = 0,
  WS_OPCODE_TEXT = 1,
  WS_OPCODE_BINARY = 2,
  WS_OPCODE_CLOSE = 8,
  WS_OPCODE_PING = 9,
  WS_OPCODE_PONG = 10
};

#define WS_FRAME_HEAD_MAX 14
#define WS_FRAME_CONTROL_MAX 125

/* What a run of bytes is. */
typedef enum {
  WS_FRAME_MORE,  /* nothing yet */
  WS_FRAME_PIECE, /* payload of a text or binary message */
  WS_FRAME_PING,
  WS_FRAME_PONG,
  WS_FRAME_CLOSE, /* the peer closes: nothing comes after it */
  WS_FRAME_BAD,   /* close with `code`: nothing may come after it */
} WsFrameKind;

typedef struct {
  gboolean client; /* our side is the client: what comes must not be masked; server: it must be */
  gsize frame_max; /* a data frame's payload in bytes, 0: no limit (a byte stream's) */
  /*< private >*/
  guint64 left; /* of the payload under way */
  guint64 done; /* of it, so far: the phase of the mask */
  guint8 mask[4];
  guint8 state, opcode, fin;
  guint8 message;           /* opcode that the message under way began with, 0: none */
  guint8 begins;            /* no piece of it has been shown yet */
  guint8 wanted, low, high; /* UTF-8: how many bytes the character still has, and what the next one may be */
  guint8 n_kept;
  guint8 kept[WS_FRAME_CONTROL_MAX]; /* of a head, then of a control frame's payload */
} WsDecoder;

typedef struct {
  WsFrameKind kind;
  /* PIECE: in the caller's memory, unmasked in place. PING, PONG: the payload, CLOSE: the reason, in the
   * decoder until its next call */
  const guint8 *data;
  gsize size;
  gboolean binary;   /* of a PIECE as in WsPiece: not text */
  gboolean begins;   /* the first of its message */
  gboolean frame;    /* the last of its frame    */
  gboolean ends;     /* the last of its message  */
  guint code;        /* CLOSE: the peer's, WS_CLOSE_NONE: it gave none. BAD: what to close with. Else 0 */
  const char *cause; /* BAD: static text, fit for a close frame's reason. Else NULL */
} WsFrame;

void ws_decoder_init (WsDecoder *decoder, gboolean client, gsize frame_max);
/* Forgets what is under way: as after ws_decoder_init(). */
void ws_decoder_clear (WsDecoder *decoder);
/* Takes what comes next from the front of data and says in *frame what it is. Returns how many bytes that
 * were: the caller goes on with the rest until it is used up. All bytes are used whenever the kind is MORE. A
 * frame without payload gives a PIECE of size 0. A piece never spans two frames. After BAD and CLOSE whatever
 * comes is swallowed as MORE. data is written to (the mask) as far as it is used. */
gsize ws_decoder_next (WsDecoder *decoder, guint8 *data, gsize size, WsFrame *frame);
/* How many of the next bytes are payload of the frame under way; 0: a head is due. */
guint64 ws_decoder_left (const WsDecoder *decoder);

/* Writes a head and returns its length, 2 to 14. opcode: WS_OPCODE_…; size: of the payload, below 2^63; mask:
 * a client's, drawn anew for each frame (section 5.3), NULL: a server's. */
gsize ws_frame_head (guint8 head[WS_FRAME_HEAD_MAX], guint opcode, gboolean fin, guint64 size,
                     const guint8 mask[4]);
/* Masks and unmasks: size bytes at `from` into `to`, which may be the same but not overlap otherwise. phase:
 * offset of the first in its frame's payload. */
void ws_mask (guint8 *to, const guint8 *from, gsize size, const guint8 mask[4], guint64 phase);
/* May a peer send it in a close frame: 1000 to 1003, 1007 to 1014, 3000 to 4999. */
gboolean ws_close_code_ok (guint code);
