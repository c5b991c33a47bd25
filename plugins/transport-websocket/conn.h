/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One connection of a listener or a client: HTTP first, then perhaps a link of messages. (A byte stream is a
 * thing of its own from the 101 on: stream.h.)
 *
 * Everything [loop] unless said otherwise. What is asked for inside of a role's ready() is done when ready()
 * returns: a connection never goes away under its own code. The struct stays while somebody holds a
 * reference, with stream NULL. */
#pragma once
#include <farwatch/clearance.h>
#include <farwatch/gate.h>
#include <farwatch/message.h>
#include <farwatch/stream.h>

#include "frame.h"
#include "in.h"

#define WS_OUT_PAUSE (256 * 1024)  /* waiting to be sent: nothing more is taken in */
#define WS_OUT_CLOSE (1024 * 1024) /* nobody reads there: close */
#define WS_CALLS_MAX 32            /* requests under way of one link: nothing more is taken in */

typedef struct _WsConn WsConn;
typedef struct _WsHub WsHub;
typedef struct _WsListener WsListener;

/* What a connection is now. */
typedef struct {
  const char *name;
  gboolean socket;                                /* it ends with a close frame */
  void (*ready) (WsConn *conn);                   /* there may be bytes */
  void (*pressure) (WsConn *conn, gboolean high); /* its queue has become long, short again; may be NULL */
  void (*late) (WsConn *conn);                    /* the deadline is over; NULL: it is cut */
  void (*closed) (WsConn *conn);                  /* once; stream is NULL already */
} WsRole;

/* What a connection tells the listener that it came in by. */
typedef struct {
  void (*gone) (WsListener *listener, WsConn *conn);  /* once; its stream is NULL */
  void (*heard) (WsListener *listener, WsConn *conn); /* a whole message, or a ping */
} WsConnEvents;

typedef enum { WS_END_NONE, WS_END_FINISH, WS_END_CLOSE, WS_END_KILL } WsEnd;

struct _WsConn {
  gint refs; /* [any thread] */
  FarLoop *loop;
  WsListener *listener; /* NULL: a client's, or the listener has ended */
  const WsConnEvents *events;
  WsHub *hub;        /* the owner's side, counted */
  gpointer link;     /* [main] the WsLink */
  FarStream *stream; /* NULL: gone */
  gboolean gone, client;
  const WsRole *role;
  gpointer data; /* the role's */
  char *address; /* of the socket's other end: the other side, or a proxy before it */
  char *from;    /* address of the other side, "" unknown; behind a proxy each request has its own */
  char *node;    /* id, by its certificate; NULL: none */
  FarPresented *presented; /* with that; NULL: none. Not changed once there is a link */
  FarPass *pass;           /* listeners'; NULL: gone */
  gboolean verified;
  GQueue out; /* of WsOut: what the stream has not taken */
  gsize out_bytes;
  gboolean out_long;                /* was over the pause mark */
  guint holds;                      /* reasons to read nothing */
  guint calls;                      /* requests handed to main and not answered */
  gpointer call;                    /* HTTP: the request with main, its owner's; NULL: none */
  void (*call_gone) (WsConn *conn); /* the connection is gone before its answer */
  void (*call_pressure) (WsConn *conn, gboolean high); /* its queue has become long, short again */
  gboolean live;                                       /* HTTP: an answer without end is being given */
  FarLoopTimer *timer;                                 /* the deadline; NULL: none */
  gint64 heard_us;                                     /* last whole message, or ping */
  gboolean pinged;                                     /* since then */
  gboolean parked; /* a node's link that main has not let in yet: it is silent since nothing of it is read */
  WsEnd end;
  guint16 close_code;
  guint linger_ms;
  gboolean busy;
  const char *cause; /* why it closed, static; NULL: the other side did, in order */
  GList lively;      /* node in the listener's list of links ordered by heard_us */
  GList served;      /* node in the listener's list of all connections */
};

/* Takes stream and pass (NULL: none); counts itself a reference until it is gone. hub: counted. A client's
 * has neither listener nor events. */
WsConn *ws_conn_new (FarStream *stream, WsListener *listener, const WsConnEvents *events, WsHub *hub,
                     const char *from, FarPass *pass);
WsConn *ws_conn_ref (WsConn *conn); /* [any thread] */
void ws_conn_unref (WsConn *conn);  /* [any thread] */

/* Written at once, or queued. Closes the connection when its queue is too long. */
void ws_conn_put (WsConn *conn, const FarFrame *parts, guint n);
/* Ends after what is queued was sent: with a close frame (1000) where it is a link. */
void ws_conn_finish (WsConn *conn);
/* Ends now, what is queued is dropped; where it is a link with this code. cause: static. */
void ws_conn_close (WsConn *conn, guint code, const char *cause);
/* At once and without delivering anything more; also when the other side has gone. */
void ws_conn_kill (WsConn *conn, const char *cause);
/* Gives the stream away: the connection is gone, without a word. With its pass, NULL when there is none. */
FarStream *ws_conn_steal (WsConn *conn, FarPass **pass);

/* Stops and goes on reading; holds are counted. */
void ws_conn_hold (WsConn *conn, gboolean hold);
/* Looks again for bytes, soon. */
void ws_conn_look (WsConn *conn);
void ws_conn_heard (WsConn *conn);
void ws_conn_verified (WsConn *conn);
/* Must be over or renewed so long from now; 0: no limit. */
void ws_conn_deadline (WsConn *conn, gint64 us);
/* TRUE: it goes on being used after this; FALSE: it has begun to end. */
gboolean ws_conn_open (const WsConn *conn);
/* Bytes before login are over the limit. Seconds are the deadline's. */
gboolean ws_conn_over (WsConn *conn);
