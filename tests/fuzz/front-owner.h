/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who owns the connections of fuzz-front: the hooks of a listener, the interface behind its links, the user
 * of its streams. */
#pragma once
#include "fuzz/memory-stream.h"
#include "link.h"
#include "listener.h"
#include "stream.h"

#define FRONT_HEAD_MAX 4096
#define FRONT_MESSAGE_MAX (64 * 1024)

/* How a request is answered. */
typedef enum { FRONT_NOW, FRONT_SOON, FRONT_LATER, FRONT_REFUSED } FrontAnswer;

typedef struct {
  MemoryEnd wire;
  const guint8 *input; /* all that the peer says */
  gsize size;
  /* two bits a request: a FrontAnswer; bytes that the stream's user takes at once, 0: all */
  guint plan, chunk;
  WsListener listener;
  WsHub *hub;
  FarGate *gate;
  WsConn *conn;                               /* counted; NULL: a stream alone */
  guint http_asked, http_answered, http_open; /* answered: by ws_http_answer() */
  guint api_asked, api_answered, own_open;
  GQueue soon, later; /* of Pending */
  gsize mark;         /* wire.consumed when the last head was whole */
  gboolean link_began, link_bad, stream_began, idle;
  FarStream *stream;    /* NULL: none, or gone */
  GByteArray *expected; /* what the stream must show */
  gboolean in_order;    /* and that is all of it */
  gsize shown;
  GByteArray *echo;
  gboolean stream_shut, stream_bad, stream_held;
} Front;

/* There is one at a time: the interface has no other way to find it. */
void front_begin (Front *front, guint requests_max);
/* All has gone: frees the rest. */
void front_end (Front *front);

void front_begin_listener (Front *front, const char *node);
void front_begin_client_stream (Front *front);
void front_begin_client_link (Front *front);
/* Answers the oldest of those that wait for it. FALSE: none did. */
gboolean front_tick (Front *front);
/* Asserts what holds between two events. */
void front_check (const Front *front);
