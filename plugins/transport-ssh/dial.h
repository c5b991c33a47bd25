/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One carrier of a tunnel as the terminal dials it. */
#pragma once
#include "client.h"
#include "wire.h"

#include <netdb.h>

G_BEGIN_DECLS

typedef struct _Tunnel Tunnel;
typedef enum { DIAL_CONNECT, DIAL_HOST_KEY, DIAL_NODE_KEY, DIAL_TOKEN, DIAL_FORWARD, DIAL_UP } DialStep;

typedef struct {
  gint refs;
  Tunnel *tunnel;               /* [main] NULL: nobody minds any more */
  /* constant */
  FarHome *home;
  char *session, *address, *host, *host_key, *user, *key_path;
  guint16 port, x;
  gboolean node_key;
  gint64 length_us;
  FarRequest *req;
  struct addrinfo *found;
  /* [home] */
  char *token;                  /* cleared as soon as it is used */
  const struct addrinfo *next;
  int fd, connect_error;
  FarWatch *watch;
  Wire *wire;
  DialStep step;
  gint64 deadline_us;
  FarHomeTimer *timer;
  FarErrorCode code;            /* why it ended, for the request */
  char *end_cause;              /* asked to end before there was a wire */
} Dial;

Dial *dial_new (const FarDialSpec *spec, const char *host, guint16 port, FarRequest *req);
Dial *dial_ref (Dial *dial);
void dial_unref (Dial *dial);
void dial_begin (Dial *dial);                        /* [main] found is there */
void dial_end (Dial *dial, const char *cause);       /* [any thread] */
void dial_move_deadline (Dial *dial, gint64 boottime_us); /* [any thread] */

/* login at the tunnel end: WireOps.advance */
gboolean dial_advance (Wire *wire, gpointer user);
/* a connection comes: WireOps.message */
gboolean dial_message (Wire *wire, ssh_message message, gpointer user);

/* reports, [main] */
void tunnel_up (Dial *dial);
void tunnel_down (Dial *dial, const char *cause);
void tunnel_arrived (Dial *dial, const char *from, FarRequest *req);
void tunnel_event (Dial *dial, FarTunnelEventKind kind, const char *cause, const char *from);
void tunnel_count (Dial *dial, guint64 up, guint64 down);

G_END_DECLS
