/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A byte stream over a WebSocket (doc/formats.md): binary messages of any size are its bytes, the text
 * message "eof" ends one direction, a close frame the whole. It is a thing of its own from the 101 on and
 * lives at whatever I/O thread its user has taken it to. Payload is unmasked and shown where it lies in the
 * stream below. */
#pragma once
#include <farwatch/gate.h>
#include <farwatch/stream.h>

#include "frame.h"

/* The streams that came in by one listener, wherever they live; counted. [any thread] */
typedef struct _WsStreams WsStreams;
/* less: told with owner at the loop, the listener's, after each of them that has gone. */
WsStreams *ws_streams_new (FarLoop *loop, FarLoopFunc less, gpointer owner);
WsStreams *ws_streams_ref (WsStreams *streams);
void ws_streams_unref (WsStreams *streams);
guint ws_streams_count (WsStreams *streams);
void ws_streams_end (WsStreams *streams); /* [listener's loop] all die; the owner hears no more of them */

/* Takes below, whose next bytes are frames, and pass (NULL: none). streams: NULL on a client. [loop of below]
 */
FarStream *ws_stream_new (FarStream *below, gboolean client, FarPass *pass, WsStreams *streams);
/* While held it shows nothing. [loop] */
void ws_stream_hold (FarStream *stream, gboolean hold);
void ws_stream_verified (FarStream *stream); /* [loop] */
/* Ends it with this code before anybody has used it, and frees it. cause: static. [loop] */
void ws_stream_refuse (FarStream *stream, guint code, const char *cause);
/* Frees a stream from another thread. GDestroyNotify */
void ws_stream_free_at_loop (gpointer stream);
