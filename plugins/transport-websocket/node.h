/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Type `websocket`: links between nodes. A server (listen) has a link for each node that came, a client (connect) has one, to its server. */
#pragma once
#include <farwatch/plugin.h>

#include "context.h"
#include "link.h"

#define NODE_MESSAGE_MAX (FAR_BATCH_MAX + FAR_HEADER_MAX + 4)

typedef struct {
  char *listen, *connect;
  char *cert, *key, *ca, *ca_hash, *name;
  gint64 max_connections, max_per_address;
  GStrv trusted;
  gint64 idle_us, reconnect_us;
} NodeOptions;

typedef struct {
  FarInstance *at;
  WsHub *hub;
  WsContext *context;
  GHashTable *peers;          /* [main] node id → WsLink; "" on a client */
  struct _WsClient *client;   /* [loop] */
} Node;

/* client.c. [main], before the loop runs. */
gboolean ws_client_new (Node *self, const NodeOptions *options, GError **error);
/* [main], after the loop has ended */
void ws_client_free (Node *self);
