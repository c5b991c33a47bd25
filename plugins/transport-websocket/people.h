/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Type `https`: the people's listener. GET / (a line of text), /api/RESOURCE (one message, one answer), /link (WebSocket: messages),
 * /stream/TICKET (WebSocket: bytes). Who asks is known by the ticket of a `POST login`. */
#pragma once
#include <farwatch/plugin.h>

#include "context.h"
#include "link.h"

#define PEOPLE_MESSAGE_MAX (64 * 1024)
#define PEOPLE_REQUESTS_MAX 1000 /* of one connection */

typedef struct {
  char *listen, *cert, *key;
  GStrv login, origins, trusted, proxies;
  gint64 max_connections, max_per_address;
} PeopleOptions;

typedef struct {
  FarInstance *at;
  WsHub *hub;
  WsContext *context;
  const PeopleOptions *options; /* held; the loop's once it runs */
  gboolean retiring;            /* [loop] */
} People;

/* people-http.c [loop] */
int people_http (WsConn *conn, const char *path);
int people_http_body (WsConn *conn, const guint8 *data, gsize size, gboolean last);

/* people.c [loop] 0, or 403 with a text that names the origin and the option. */
guint people_origin (WsConn *conn, char **text);
/* [main] Who stands behind a ticket now; a new reference. */
FarPrincipal *people_principal (const char *ticket, const char *from);
