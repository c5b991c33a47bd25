/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The server's half of HTTP/1.1 on a connection: one request at a time, read when the one before has been
 * answered. [loop] */
#pragma once
#include "conn.h"
#include "http-head.h"

/* The answer's Sec-WebSocket-Accept to this Sec-WebSocket-Key (RFC 6455 section 4.2.2). Caller frees. [any
 * thread] */
char *ws_http_accept_key (const char *key);
/* A fresh connection of a listener: the first request is awaited. */
void ws_http_begin (WsConn *conn);
/* Answers the request under way. more: further header lines, each with CR LF; NULL: none. */
void
ws_http_answer (WsConn *conn, guint status, const char *type, const void *body, gsize size, const char *more);
/* The same with our own text of an error. */
void ws_http_refuse (WsConn *conn, guint status, const char *text);
/* A live answer: its head, then any number of pieces, then its end (NULL data), after which the connection
 * goes on. Chunked, or until the end of the connection for HTTP/1.0. ws_http_waits() says whether somebody
 * still listens. */
void ws_http_live (WsConn *conn, const char *type);
void ws_http_live_piece (WsConn *conn, const void *data, gsize size);
/* Is a request waiting for its answer? FALSE: the connection has gone or has become something else. */
gboolean ws_http_waits (const WsConn *conn);
/* Inside hooks->upgrade(): answers 101, and the connection is a link; limit: bytes of one message. The hook's
 * head is gone after this or the next. */
void ws_http_socket (WsConn *conn, gsize limit);
/* Inside hooks->upgrade(): answers 101, and the connection's bytes are a stream, which lives on by itself.
 * NULL: the connection could not be written to. */
FarStream *ws_http_stream (WsConn *conn);
