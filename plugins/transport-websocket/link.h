/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Links: messages both ways. The half at the connection's loop is a role of WsConn; the main context's half
 * is WsLink, kept by a WsHub that belongs to an instance. The halves know each other through the WsConn,
 * whose fields only its loop touches, but for `link`, which only main does. */
#pragma once
#include "conn.h"

#define WS_PENDING_MAX 256 /* our requests under way on one link */

typedef struct _WsLink WsLink;

/* [main]; any may be NULL */
typedef struct {
  void (*up) (gpointer self, WsLink *link);
  void (*down) (gpointer self, WsLink *link, const char *cause);
  /* Who asks now? Owned by the caller. NULL: link->principal. */
  FarPrincipal *(*asker) (gpointer self, WsLink *link);
  /* An answer of the interface passes. */
  void (*answered) (gpointer self, WsLink *link, const FarMessage *answer);
  /* A request passes. */
  void (*asked) (gpointer self, WsLink *link, const FarMessage *request);
} WsHubFuncs;

struct _WsHub {
  gint refs;       /* [any thread] */
  gpointer self;   /* [main] the instance; NULL: it has ended */
  char *transport; /* its name */
  FarInstance *at;
  const WsHubFuncs *funcs;
  GHashTable *links; /* [main] set of WsLink */
};

struct _WsLink {
  WsHub *hub;
  WsConn *conn;
  FarPrincipal *principal;
  char *peer;              /* node id; NULL: nobody yet */
  char *ticket;            /* people: the front ticket in use */
  char *login_id;          /* people: id of the POST login under way */
  GHashTable *pending;     /* id → FarRequest */
  const char *cause;       /* why we closed it; static */
  FarClearance *clearance; /* nodes: its owner's; NULL: none */
  gboolean waits;          /* up() has not let it in yet: nothing of it is read */
};

/* [main] */
WsHub *ws_hub_new (FarInstance *at, gpointer self, const WsHubFuncs *funcs);
/* links are forgotten, the instance is not called any more; drops the reference */
void ws_hub_end (WsHub *hub);
WsHub *ws_hub_ref (WsHub *hub); /* [any thread] */
void ws_hub_unref (WsHub *hub); /* [any thread] */

/* [main] */
void ws_link_send (WsLink *link, FarMessage *request, FarRequest *req);
void ws_link_close (WsLink *link, guint code, const char *cause); /* static cause */
void ws_link_verified (WsLink *link);
/* One that up() has left with `waits` comes in: it is read from now on. */
void ws_link_let_in (WsLink *link);

/* [loop] From now on the connection, whose handshake is over, is a link. limit: bytes of one message. What a
 * node that came says is read once main has let it in; until then it is left where it is, with the kernel. */
void ws_link_begin (WsConn *conn, gsize limit);
/* [loop] Asks whether the other side is there. */
void ws_link_ping (WsConn *conn);
