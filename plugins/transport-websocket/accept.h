/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way in of a listener: accepts, counts, refuses, and reads what an upgrade asks for. [loop] unless said otherwise. */
#pragma once
#include "context.h"

typedef struct _WsAccept WsAccept;

/* [main], before the loop runs. fd stays the caller's (core's): a copy is used. */
WsAccept *ws_accept_new (WsContext *context, int fd, const FarGateLimits *limits, GError **error);
void ws_accept_limits (WsAccept *accept, const FarGateLimits *limits);
void ws_accept_begin (WsAccept *accept);
void ws_accept_stop (WsAccept *accept); /* no more come; the passes stay */
void ws_accept_free (WsAccept *accept); /* after the last connection */

/* LWS_CALLBACK_HTTP_CONFIRM_UPGRADE */
int ws_accept_upgrade (WsContext *context, WsConn *conn);
