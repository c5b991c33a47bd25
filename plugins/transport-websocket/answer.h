/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* HTTP answers, whole. [loop], inside a callback of the library about this connection. */
#pragma once
#include "conn.h"

/* 0, or -1: the connection cannot go on. more: further header lines, each with its line end; NULL: none. */
int ws_answer (WsConn *conn, guint status, const char *type, const void *body, gsize size, const char *more);
/* {"error": …, "message": text}; the status says which word. */
int ws_answer_error (WsConn *conn, guint status, const char *text);
/* Copies a request header; NULL: not there, or longer than max. */
char *ws_header (WsConn *conn, enum lws_token_indexes token, gsize max);
/* An error, and the exchange is over; a request with a body ends the connection. For the library. */
int ws_answer_plain (WsConn *conn, guint status, const char *text);
gboolean ws_has_body (WsConn *conn);
