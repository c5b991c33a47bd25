/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One libwebsockets context in its loop: a listener, or a client. Its connections are looked at once a second while any has a deadline. */
#pragma once
#include <farwatch/instance.h>

#include "conn.h"
#include "loop.h"
#include "tls.h"

/* What the owner adds. All [loop]; any may be NULL. */
typedef struct {
  /* An upgrade to WebSocket is asked for: sets conn->role, or answers an HTTP status with *text (static or interned). 0: go on. */
  guint (*upgrade) (WsConn *conn, const char *path, char **text);
  /* An HTTP request without upgrade: the library's return value. */
  int (*http) (WsConn *conn, const char *path);
  int (*http_body) (WsConn *conn, const guint8 *data, gsize size, gboolean last);
  void (*client_gone) (WsConn *conn); /* client: after its role's closed() */
  /* Client: no connection came about. text: why, in the library's words or ours. */
  void (*failed) (WsContext *context, const char *text);
  void (*reload) (WsContext *context, gconstpointer options);
  void (*streamless) (WsContext *context); /* the last stream has been freed */
  void (*end) (WsContext *context); /* the last thing, in the loop's thread */
} WsHooks;

typedef struct {
  const char *name;         /* of the thread */
  gboolean server;
  gsize buffer;             /* the library's, one per context; also the largest piece that comes in at once */
  gsize links;              /* bytes buffered per link inside the library */
  guint max_connections;
  guint header_max;         /* bytes of a request's header block */
  guint ping_s, hangup_s;   /* WebSocket pings of the library; 0: none */
} WsContextSpec;

struct _WsContext {
  FarInstance *at;          /* NULL: dialed by a tool */
  WsLoop *loop;
  FarHome *home;
  struct lws_context *lws;
  struct lws_vhost *vhost;
  WsTls tls;
  gboolean tls_server;
  const WsHooks *hooks;
  gpointer user;            /* [loop] the hooks' */
  WsHub *hub;               /* counted; NULL: none */
  gint64 idle_us;           /* a link that says nothing for so long is cut; 0: never */
  /* [loop] */
  GQueue conns;             /* those with a deadline */
  GQueue lively;            /* links, longest silent first */
  GQueue served;            /* server: all connections */
  FarHomeTimer *timer;
  gint64 due_us;            /* 0: not set */
  gint64 rotated_us;        /* server: session ticket keys */
  gint64 swept_us;          /* server: last look at files and at those who are gone */
  struct _WsAccept *accept; /* server */
  guint streams;            /* alive: the loop may not go before them */
  gboolean ending;
  GError *start_error;
  struct lws_protocols protocols[3];
  lws_retry_bo_t validity;
};

/* [main], before its loop runs. Takes what is in tls. FAR_ERROR_CONFIG. */
WsContext *ws_context_new (FarInstance *at, const WsContextSpec *spec, WsTls *tls, const WsHooks *hooks, WsHub *hub, gpointer user, GError **error);
void ws_context_run (WsContext *context);
/* [main] Ends every connection and the thread; the context is gone afterwards. */
void ws_context_free (WsContext *context);
/* [main] The hooks' reload() with these options, in the loop. */
void ws_context_reload (WsContext *context, gconstpointer options);
/* [loop] From there: other files, read at once. NULL ca: none. */
void ws_context_files (WsContext *context, const char *cert, const char *key, const char *ca);
/* [loop] Ends and frees itself when the loop is left. */
void ws_context_end_here (WsContext *context);

/* [loop], from conn.c */
void ws_context_forget (WsContext *context, WsConn *conn);
void ws_context_timed (WsContext *context, WsConn *conn);
void ws_context_lively (WsContext *context, WsConn *conn);
void ws_context_quiet (WsContext *context, WsConn *conn); /* is no link (any more) */

/* [loop], dead.c: ends connections whose other side was gone already at the last call and that nobody reads any more. */
void ws_dead_sweep (WsContext *context);

extern const char ws_protocol_link[], ws_protocol_stream[];
