/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The client's half of coming in: TLS, the request for WebSocket, its answer. */
#pragma once
#include <farwatch/tls.h>

#include "url.h"

#define WS_UPGRADE_SECONDS 30

/* stream: from the first frame on, without a user; NULL and the error, which does not say where: no. told_us:
 * the server's time of day now; 0: it did not say. [loop] */
typedef void (*WsUpgraded) (FarStream *stream /* takes */, const char *node, gint64 told_us,
                            const GError *error, gpointer user);
typedef struct _WsUpgrade WsUpgrade;
/* Takes fd. done runs once, later, at loop, which is an I/O thread. protocol: of the WebSocket. The result
 * goes with ws_upgrade_unref(). [any thread] */
WsUpgrade *ws_upgrade (FarTls *tls, FarLoop *loop, int fd, const WsUrl *url, const char *protocol,
                       WsUpgraded done, gpointer user);
/* Soon done runs with an error, unless it has run: what was begun is closed, and nothing is asked for that
 * was not yet. [any thread] */
void ws_upgrade_cancel (WsUpgrade *upgrade);
void ws_upgrade_unref (WsUpgrade *upgrade); /* [any thread] */
