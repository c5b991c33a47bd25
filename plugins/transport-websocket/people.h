/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Type `https`: the people's listener. GET / (a line of text), /api/RESOURCE (one message, one answer), /link
 * (WebSocket: messages), /stream/TICKET (WebSocket: bytes). Who asks is known by the ticket of a `POST
 * login`. */
#pragma once
#include <farwatch/plugin.h>

#include "http.h"
#include "link.h"
#include "listener.h"

#define PEOPLE_MESSAGE_MAX (64 * 1024)
#define PEOPLE_REQUESTS_MAX 1000 /* of one connection */

typedef struct {
  char *listen, *cert, *key;
  GStrv login, origins, trusted, proxies, proxy_protocol;
  gint64 max_connections, max_per_address;
} PeopleOptions;

typedef struct {
  FarInstance *at;
  WsHub *hub;
  WsListener *listener;
  const PeopleOptions *options; /* [loop] held */
  gboolean retired;             /* [loop] told */
} People;

/* people-http.c [loop] */
guint people_judge (WsConn *conn, const WsHead *head, char **text);
void people_request (WsConn *conn, const WsHead *head, GBytes *body);

/* people.c [loop] 0, or 403 with a text that names the origin and the option. */
guint people_origin (WsConn *conn, const WsHead *head, char **text);
void people_look_behind_proxy (WsConn *conn, const WsHead *head);
/* [main] Who stands behind a ticket now; a new reference. */
FarPrincipal *people_principal (const char *ticket, const char *from);
