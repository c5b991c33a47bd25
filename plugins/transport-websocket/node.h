/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Type `websocket`: links between nodes. A server (listen) has a link for each node that came, a client
 * (connect) has one, to its server. */
#pragma once
#include <farwatch/plugin.h>

#include "link.h"
#include "listener.h"

#define NODE_MESSAGE_MAX (FAR_BATCH_MAX + FAR_HEADER_MAX + 4)

typedef struct {
  char *listen, *connect;
  char *cert, *key, *ca, *ca_hash, *name;
  gint64 max_connections, max_per_address;
  GStrv trusted, proxy_protocol;
  gint64 idle_us, reconnect_us;
} NodeOptions;

typedef struct {
  FarInstance *at;
  WsHub *hub;
  WsListener *listener;     /* NULL: a client */
  GHashTable *peers;        /* [main] node id → WsLink; "" on a client */
  GHashTable *waiting;      /* [main] of WsLink: those that are not let in yet */
  struct _WsClient *client; /* [main] */
  gboolean by_hash;         /* client: the authority is known by its hash alone */
} Node;

/* client.c, all [main] */
gboolean ws_client_new (Node *self, const NodeOptions *options, GError **error);
void ws_client_free (Node *self);
void ws_client_reload (Node *self, const NodeOptions *options);
void ws_client_up (Node *self);   /* a link counts */
void ws_client_down (Node *self); /* it is lost, or one that never counted */
void ws_client_hurry (Node *self, gboolean hurry);
