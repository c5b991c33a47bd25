/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A listener: where connections come in, are shaken hands with, and are kept while they live. Its connections
 * live at one I/O thread; everything [loop] unless said otherwise. */
#pragma once
#include <farwatch/acceptor.h>
#include <farwatch/tls.h>

#include "conn.h"
#include "http-head.h"
#include "stream.h"

/* What the owner adds; any may be NULL. A request is judged when its head is there: 0 and the body is read,
 * or a status (400 to 599) and *text (allocated) why not. */
typedef struct {
  /* 0: the owner has called ws_http_socket() or ws_http_stream() */
  guint (*upgrade) (WsConn *conn, const WsHead *head, char **text);
  guint (*judge) (WsConn *conn, const WsHead *head, char **text);
  /* body NULL: none. Answered now or later by ws_http_answer() */
  void (*request) (WsConn *conn, const WsHead *head, GBytes *body);
  /* retiring, and nothing is open any more */
  void (*idle) (WsListener *listener);
} WsHooks;

typedef struct {
  FarInstance *at;
  int fd;      /* core's */
  FarTls *tls; /* counted; NULL: plain, for a proxy on this machine */
  FarGateLimits limits;
  const char *const *proxies; /* whose connections begin with a PROXY header */
  double per_second;          /* new connections of one unknown address */
  WsHeadLimits head;
  guint requests_max; /* of one connection */
  gint64 idle_us;     /* a link that says nothing for so long is cut; 0: never */
  gint64 ping_us;     /* and is asked whether it is there after so long; 0: never */
  const WsHooks *hooks;
  WsHub *hub;    /* counted */
  gpointer user; /* the hooks' */
} WsListenerSpec;

struct _WsListener {
  WsListenerSpec spec;
  FarLoop *loop;
  FarGate *gate;
  FarAcceptor *acceptor;
  GQueue arrivals;    /* of WsArrival: before the first request */
  GQueue served;      /* all connections */
  GQueue lively;      /* links, longest silent first */
  WsStreams *streams; /* counted: byte streams that came in here, wherever they live */
  FarLoopTimer *timer;
  gboolean retiring;
};

/* [main] It begins at once. */
WsListener *ws_listener_new (const WsListenerSpec *spec);
/* [main] Takes over what may change while it runs. NULL cert, key, ca: as before. */
void ws_listener_change (WsListener *listener, const FarGateLimits *limits, const char *const *proxies,
                         const char *cert, const char *key, const char *ca, gint64 idle_us);
/* [main] Nobody comes in any more; links end; requests and streams go on until hooks->idle(). */
void ws_listener_retire (WsListener *listener);
/* [main] Ends everything that came in; nothing of it calls the owner any more. */
void ws_listener_free (WsListener *listener);

/* Every connection begins here, its handshake over. Takes stream, which lives at the listener's loop, pass,
 * and presented, NULL: no certificate. */
void ws_listener_take (WsListener *listener, FarStream *stream, const char *from, FarPass *pass,
                       FarPresented *presented);

/* A request or a stream is over: is this the end of a retiring listener? */
void ws_listener_less (WsListener *listener);
