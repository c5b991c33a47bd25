/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A byte stream over a WebSocket: binary messages of any size are its bytes, the text message "eof" ends one direction. [loop] */
#pragma once
#include <farwatch/stream.h>

#include "conn.h"

/* Makes the connection a stream's; the stream is its own thing then, freed by whoever takes it. opened() runs when the WebSocket is up. */
void ws_stream_begin (WsConn *conn, void (*opened) (WsConn *conn, FarStream *stream));
/* Frees a stream from another thread. [any thread] GDestroyNotify */
void ws_stream_free_at_home (gpointer stream);
