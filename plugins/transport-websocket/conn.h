/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One connection, server's or client's, as this library's code sees it. Everything [loop] unless said otherwise.
 *
 * It begins as `new` and becomes an HTTP exchange, a link (messages) or a stream (bytes) when the request is known: its role. The library's struct lws may
 * go at any turn of the loop; the WsConn stays while somebody holds a reference, with wsi NULL. */
#pragma once
#include <libwebsockets.h>

#include <farwatch/gate.h>
#include <farwatch/message.h>

#include "in.h"

#define WS_OUT_PAUSE (256 * 1024)  /* waiting to be sent: nothing more is taken in */
#define WS_OUT_CLOSE (1024 * 1024) /* nobody reads there: close */
#define WS_CALLS_MAX 32            /* requests under way of one link: nothing more is taken in */
#define WS_PIECE (16384 - 16)      /* with its frame head one TLS record */

typedef struct _WsConn WsConn;
typedef struct _WsContext WsContext;
typedef struct _WsHub WsHub;

/* What a connection is for. Any may be NULL. */
typedef struct {
  const char *name;
  void (*opened) (WsConn *conn);
  /* 0, or the code to close with. */
  guint (*piece) (WsConn *conn, const WsPiece *piece, const guint8 *data, gsize size, const char **cause);
  void (*pressure) (WsConn *conn, gboolean high); /* its queue has become long, short again */
  void (*parting) (WsConn *conn);   /* the other side closes in order (1000, 1001) */
  void (*closed) (WsConn *conn);    /* once; wsi is NULL already */
} WsRole;

struct _WsConn {
  gint refs;              /* [any thread] */
  WsContext *context;
  WsHub *hub;             /* the owner's side, counted; NULL: dialed by a tool */
  gpointer link;          /* [main] the WsLink */
  struct lws *wsi;        /* NULL: not there yet, or gone */
  gboolean gone;
  const WsRole *role;     /* NULL: not known yet */
  gpointer data;          /* the role's */
  char *address;          /* of the socket's other end: the other side, or a proxy before it */
  char *from;             /* address of the other side, "" unknown; behind a proxy each request has its own */
  char *node;             /* id, by its certificate; NULL: none */
  FarPass *pass;          /* servers'; NULL: gone */
  gboolean verified;
  GQueue out;             /* of Out */
  gsize out_bytes;
  gboolean out_long;      /* was over the pause mark */
  guint holds;            /* reasons to read nothing */
  gboolean reading;
  guint calls;            /* requests handed to main and not answered */
  gint64 deadline_us;     /* boottime; 0: none: what must have happened until then */
  gint64 heard_us;        /* last whole message */
  gint64 noise;           /* bytes that were neither payload nor its frame, see conn.c */
  gint64 noise_us;
  guint16 close_code;     /* closing; 0: not */
  gboolean in_callback;   /* of the library: a close is done by its return */
  const char *cause;      /* why it closed, static; NULL: the other side did */
  GList timed;            /* node in the context's list of connections that are looked at every second */
  GList lively;           /* node in the list ordered by heard_us */
  GList served;           /* node in the list of all that a server has */
  gboolean hung_up;       /* its other side was gone at the last look, see dead.c */
};

WsConn *ws_conn_new (WsContext *context, const char *from);
WsConn *ws_conn_ref (WsConn *conn);  /* [any thread] */
void ws_conn_unref (WsConn *conn);   /* [any thread] */

/* Copies; queued. text: a WebSocket text message, else binary. Closes the connection when its queue is too long. */
void ws_conn_send (WsConn *conn, const void *data, gsize size, gboolean text);
gsize ws_conn_room (const WsConn *conn); /* bytes until the pause mark */
/* Orderly: what is queued is dropped, a close frame is sent. cause: static. */
void ws_conn_close (WsConn *conn, guint code, const char *cause);
/* At once and without delivering anything more. */
void ws_conn_kill (WsConn *conn, const char *cause);
void ws_conn_end_now (WsConn *conn);                          /* without a word, outside of callbacks */
/* Sends what is queued, then closes. */
void ws_conn_finish (WsConn *conn);
/* Stops and goes on reading; holds are counted. */
void ws_conn_hold (WsConn *conn, gboolean hold);
void ws_conn_heard (WsConn *conn);
void ws_conn_verified (WsConn *conn);
/* Must be over or renewed by then; 0: no limit. */
void ws_conn_deadline (WsConn *conn, gint64 boottime_us);

/* From the library's callbacks: the value to return. */
int ws_conn_piece (WsConn *conn, const guint8 *data, gsize size);
int ws_conn_writable (WsConn *conn);
int ws_conn_pong (WsConn *conn);
void ws_conn_parting (WsConn *conn, const guint8 *code, gsize size);
void ws_conn_established (WsConn *conn, int send_buffer);
void ws_conn_gone (WsConn *conn);
