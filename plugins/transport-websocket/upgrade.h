/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The client's half of coming in: TLS, the request for WebSocket, its answer. */
#pragma once
#include <farwatch/tls.h>

#include "url.h"

#define WS_UPGRADE_SECONDS 30

/* stream: from the first frame on, without a user; NULL and the error, which does not say where: no. told_us: the server's time of day now; 0: it did not
 * say. [home] */
typedef void (*WsUpgraded) (FarStream *stream /* takes */, const char *node, gint64 told_us, const GError *error, gpointer user);
/* Takes fd. done runs once, later, at home, which is a worker. protocol: of the WebSocket. [any thread] */
void ws_upgrade (FarTls *tls, FarHome *home, int fd, const WsUrl *url, const char *protocol, WsUpgraded done, gpointer user);
