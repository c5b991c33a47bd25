/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of transport-ssh.
 *
 * instance.c what all of them need of the instance: options, the loop of handshakes, the key
 * tunnel.c  a session's tunnel at either end: link, deadline, joined connections, events
 * ports.c   X and Y at the tunnel end: drawing, accepting, the rules of Y
 * server.c  listener, handshakes, who is let in, what a terminal may ask for
 * dial.c    the terminal's way to the tunnel end
 * login.c   endpoint ssh-login: the terminal's own login service; ssh_user*.c its connections
 * auth.c   logging in, for both servers */
#pragma once
#include <farwatch/gate.h>

#include "auth.h"
#include "connection.h"

G_BEGIN_DECLS

#define SSH_CIPHERS                                                                                          \
  "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr,aes128-ctr"
#define TUNNEL_JOINS_MAX 1024 /* connections at once in one tunnel, whatever the options say */
#define TUNNEL_WAITING_US (30 * (gint64) G_USEC_PER_SEC)

typedef struct {
  char *listen, *advertise, *y_host, *y_listen, *ciphers;
  FarRange ports;
  GStrv login, trusted;
  gint64 connections, per_address, unverified, y_connections, rest_us;
} SshOptions;

typedef struct _SshListener SshListener;

typedef struct {
  FarInstance *at;
  GHashTable *tunnels; /* session → Tunnel */
  /* port (GUINT_TO_POINTER) → gint64 *, boottime until which it is not drawn again if there is another */
  GHashTable *resting;
  char *host_key; /* "ssh-ed25519 AAAA…" of this node */
  char *keys;
  char *address; /* told to terminals */
  char *y_host;
  SshListener *listener; /* NULL: no listener */
  FarLoop *handshakes;   /* made when first needed */
  gboolean retired;
} Ssh;

extern const FarOption ssh_option_table[];
const SshOptions *ssh_options (Ssh *self);
FarLoop *ssh_handshakes (Ssh *self);
void ssh_stream_discard (gpointer stream); /* [any thread] frees it at its loop */
/* The private key in a keys folder; NULL and *error. [any thread] */
ssh_key ssh_key_load (const char *folder, GError **error);

/* ---- tunnels ---- */

typedef struct _Tunnel Tunnel;
typedef struct _Ports Ports;
typedef struct _Dial Dial;

/* What a tunnel tells the end that has made it; any may be NULL. */
typedef struct {
  void (*link_up) (Tunnel *tunnel); /* [loop] acknowledged: who waits may go through */
  void (*shut) (Tunnel *tunnel);    /* [loop] no connections any more, the link stays */
  void (*over) (Tunnel *tunnel);    /* [loop] all is over; the ports are free when this returns */
  void (*ending) (Tunnel *tunnel);  /* [main] it is to end: what is under way for it is given up */
  void (*ended) (Tunnel *tunnel);   /* [main] before its last event */
  void (*free) (Tunnel *tunnel);    /* [any thread] */
} TunnelEnd;

struct _Tunnel {
  gint refs;
  const TunnelEnd *end;
  char *session;
  FarLoop *loop;
  /* main */
  Ssh *self;           /* NULL: the instance has stopped */
  FarCarrier *carrier; /* NULL: ENDED was told */
  GPtrArray *joins;
  guint64 done_up, done_down;
  gboolean ending, loop_over;
  gboolean shut, loop_shut; /* no connections any more; the loop has obeyed */
  GPtrArray *shut_waits;    /* FarRequest */
  const char *cause;
  char *terminal; /* server: who must come; immutable */
  Dial *dial;     /* client: under way */
  /* loop */
  gboolean over, closed;         /* all is over; no connections any more */
  gint64 length_us, deadline_us; /* deadline: 0 before the first acknowledgement */
  FarLoopTimer *deadline;
  SshConnection *conn; /* the present link, granted; NULL: none */
  char *bind_host;     /* as the terminal wrote it */
  Ports *ports;        /* server */
  guint16 x, y;
  guint n_joins;
};

/* [main] */
Tunnel *tunnel_new (Ssh *self, const TunnelEnd *end, FarCarrier *carrier, gint64 length_us);
Tunnel *tunnel_ref (Tunnel *tunnel);
void tunnel_unref (gpointer tunnel);
/* Of this instance, by its handle; NULL: none. */
Tunnel *tunnel_of (Ssh *self, FarCarrier *carrier);
/* Also of an older instance of this name that still holds it. */
Tunnel *tunnel_find (Ssh *self, const char *session);
void tunnel_end (Tunnel *tunnel, const char *cause);
/* People's connections end, the link stays. */
void tunnel_shut (Tunnel *tunnel, const char *cause, FarRequest *req);
void tunnel_set_deadline (Tunnel *tunnel, gint64 boottime_us);
void tunnel_abandon (Tunnel *tunnel); /* the instance stops: ENDED is told now */
void tunnel_tell (Tunnel *tunnel, FarCarrierEvent *event);

/* [loop] */
/* A link was acknowledged: the timer starts, or goes on; takes the place of an older one. */
void ssh_tunnel_up (Tunnel *tunnel, SshConnection *conn, gboolean stock, gint64 since_us);
void tunnel_link_dead (Tunnel *tunnel, SshConnection *conn, const char *cause);
/* Joins a person's end a with a connection through the link; takes both. first_us: as of a pump. */
void tunnel_join (Tunnel *tunnel, FarStream *a, FarStream *b, const char *from, gint64 first_us);
void tunnel_say (Tunnel *tunnel, FarCarrierEventKind kind, const char *cause, const char *from);
void tunnel_say_refused (Tunnel *tunnel, const char *cause, const char *from, guint times);
void tunnel_over (Tunnel *tunnel, const char *cause);

/* ---- ports (server) ---- */

typedef struct {
  gboolean raw;
  char *person_address;  /* or net; with a port Y never NULL */
  guint connections_max; /* with those that wait for the link */
} PortRules;

/* Draws and binds; entry stream: X only. Two descriptors. [main] */
gboolean ports_draw (Ssh *self, gboolean with_y, int fd[2], guint16 port[2], GError **error);
/* A session has ended: its ports are not drawn for a while. [main] */
void ports_rest (Ssh *self, guint16 port);
Ports *ports_new (Tunnel *tunnel, int x_fd, int y_fd, const PortRules *rules); /* [main]; takes descriptors */
void ports_open (Ports *ports);                                                /* [loop] */
void ports_link_up (Ports *ports);                                     /* [loop] those that wait go through */
void ports_attach (Ports *ports, FarStream *stream, const char *from); /* [loop] takes stream */
void ports_shut (Ports *ports);  /* [loop] who waits goes, who comes is reset; the numbers stay taken */
void ports_close (Ports *ports); /* [loop] at once, with all that wait */
void ports_free (Ports *ports);
/* Is from the person that address, or a net, stands for? */
gboolean ports_same_person (const char *from, const char *address, gboolean raw);

/* ---- server ---- */

SshListener *listener_new (Ssh *self, int fd, GError **error); /* [main] */
void listener_no_new (SshListener *listener);                  /* [main] accepts no more */
void listener_free (SshListener *listener);                    /* [main] */
void server_reserve (gpointer self, const FarCarrierSpec *spec, FarCarrier *carrier, FarRequest *req);
void server_attach (gpointer self, FarCarrier *carrier, FarStream *stream, const char *from);

/* ---- client ---- */

void client_show (gpointer self, FarCarrier *carrier, const char *token);
void client_open (gpointer self, const FarCarrierOpen *spec, FarCarrier *carrier, FarRequest *req);
const char *client_part_fault (json_t *part); /* of an offer; NULL: it can be dialled */

G_END_DECLS
