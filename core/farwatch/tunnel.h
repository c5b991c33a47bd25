/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tunnels, endpoints and devices: how a person's bytes reach a device (spec B5–B8, B10–B12).
 *
 * The tunnel end (at the cloud; Z) reserves a tunnel for a session, the terminal dials it and is asked "what
 * reaches X to me". The transport knows sessions by id only; what a login's claim says ("session/ID") decides
 * which reservation it belongs to. */
#pragma once
#include <farwatch/instance.h>
#include <farwatch/request.h>
#include <farwatch/stream.h>
#include <jansson.h>

G_BEGIN_DECLS

typedef enum { FAR_ENTRY_PORTS, FAR_ENTRY_STREAM } FarEntry;

typedef struct {
  const char *session;  /* id */
  const char *terminal; /* node id that must come */
  FarEntry entry;
  /* Y carries clear text: bound to person_address, first connection within 60 s */
  gboolean raw;
  const char *person_address; /* Y accepts only this address or net (an address alone, raw: exact; else family
                                 /32 or /64); 127.0.0.1 or ::1: and whoever on this machine dials the address
                                 that Y is bound to; NULL: refused where there is a Y */
  gint64 length_us;           /* connection time; counts from the tunnel's acknowledgement */
} FarTunnelSpec;

typedef struct {
  guint16 x, y; /* y 0: no port (entry stream) */
  /* where the terminal dials: "host:port"; 0.0.0.0 or [::] as host: the one it has its link to */
  char *address;
  char *y_host;   /* where the person dials; NULL: the host by which they reach this node */
  char *host_key; /* "ssh-ed25519 AAAA…" of Z */
} FarTunnel;
void far_tunnel_free (FarTunnel *tunnel);

typedef enum {
  FAR_TUNNEL_UP,     /* acknowledged; timer started               */
  FAR_TUNNEL_LOST,   /* link lost; reservation kept (resuming)    */
  FAR_TUNNEL_OPENED, /* a person's connection was joined          */
  FAR_TUNNEL_CLOSED, /* that connection ended; counters, cause    */
  FAR_TUNNEL_COUNTERS,
  FAR_TUNNEL_REFUSED, /* somebody was refused at X or Y: cause, from */
  FAR_TUNNEL_ENDED    /* last event: ports are free; cause         */
} FarTunnelEventKind;
typedef struct {
  FarTunnelEventKind kind;
  const char *session;
  const char *cause, *from;
  /* UP at the tunnel end: the address of this machine that the link has come to, without port; NULL: not
   * known */
  const char *here;
  guint times;                  /* REFUSED: so many are told at once; 0: one */
  guint64 bytes_up, bytes_down; /* person → device, device → person; totals of the session */
  gint64 deadline_boot_us;      /* UP: as computed at this end */
  gboolean stock;               /* UP: the other end is a stock program: deadline at one end only */
} FarTunnelEvent;
typedef void (*FarTunnelFunc) (const FarTunnelEvent *event, gpointer user); /* [main] */

/* Terminal's side: how to dial. */
typedef struct {
  const char *session;
  const char *address;  /* Z's host:port */
  const char *host_key; /* must match, NULL is refused */
  const char *user;     /* login name at Z: the terminal's id */
  const char *token;    /* copied, cleared after use */
  gboolean node_key;    /* prove the node key as well */
  guint16 x;
  gint64 length_us;
  /* each person's connection that arrives: asks on main; the answer is the near end to join with. */
  void (*arrived) (const char *session, const char *from, FarLoop *loop,
                   FarRequest *req /* result FarStream* */, gpointer user);
} FarDialSpec;

typedef struct {
  /* server end; result FarTunnel*. X and Y are bound before the result. events until ENDED. */
  void (*reserve) (gpointer self, const FarTunnelSpec *spec, FarTunnelFunc events, gpointer user,
                   FarRequest *req);
  /* joins a stream (entry stream) with a new connection to the terminal. takes stream. */
  void (*attach) (gpointer self, const char *session, FarStream *stream, const char *from);
  /* client end; events as above */
  void (*dial) (gpointer self, const FarDialSpec *spec, FarTunnelFunc events, gpointer user, FarRequest *req);
  /* both ends: everything of this session ends now (ENDED follows) */
  void (*end) (gpointer self, const char *session, const char *cause);
  void (*set_deadline) (gpointer self, const char *session, gint64 boottime_us);
  gboolean (*serves) (gpointer self); /* can it reserve? (a listener is up) */
  /* tunnel end: what people have open is aborted and nobody comes in any more, while the link stands, so that
   * the terminal can end in order. Done when no byte of theirs passes; also for a session that is not known.
   */
  void (*shut) (gpointer self, const char *session, const char *cause, FarRequest *req);
} FarTunnelOps;

/* ---- endpoints and devices ---- */

typedef struct {
  const char *session, *person, *from; /* who it is for; person NULL: not logged in yet */
  /* who asked for the session, as another node tells; NULL: nobody told */
  const char *asker;
  const char *device;  /* name, or NULL */
  const char *address; /* device's address for tcp, unix, serial; NULL otherwise */
  const char *line;
  const char *command; /* shell: run this one command and end; NULL: talk */
  gboolean pty;        /* the person's end is a terminal: echo and line editing are wanted */
  gint *status;       /* an atomic rc box of the caller's: where the endpoint leaves the command's exit status
                         before its stream       ends; NULL: nobody asks */
  FarLoop *want_loop; /* NULL: anywhere */
  gint64 deadline_us; /* boottime; 0: none */
} FarEndpointSpec;
/* Opens through an endpoint instance. Result FarStream*. [main] */
void far_endpoint_open (const char *endpoint, const FarEndpointSpec *spec, FarRequest *req);

/* A device of this node's profile. Borrowed; valid until the next reload. */
typedef struct {
  char *name, *endpoint, *address, *line;
  int weight; /* watch 0, light 1, heavy 2 */
  gboolean inspect_required;
  GStrv applications;
} FarDevice;
/* A device somebody sent, {"endpoint","address","line","weight","inspect","applications"}: judged by the
 * profile's own table; also taken are "name" and "note" (ignored), weight as a number, inspect as a boolean.
 * whole FALSE: the endpoint may be missing. Whether there is such an endpoint is not asked. Free with
 * far_device_free(); NULL: FAR_ERROR_INVALID. [any thread] */
FarDevice *far_device_parse (const char *name, json_t *device, gboolean whole, GError **error);
/* Has it an address as its endpoint wants it? The one check for the profile, for what is added at run time
 * and for what a cloud registers. type: the endpoint's, which says whether it reaches host:port; NULL where
 * it is not known: what begins as an address in numbers is looked at as one. [any thread] */
gboolean far_device_address_ok (const FarDevice *device, const FarType *type, GError **error);
void far_device_free (FarDevice *device);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FarDevice, far_device_free)
const FarDevice *far_device_find (const char *name); /* [main] */
GPtrArray *far_device_list (void);                   /* container to be freed */
/* at run time, on top of the profile; copied */
gboolean far_device_add (const FarDevice *device, GError **error);
gboolean far_device_remove (const char *name);
/* Device whose address is host:port or whose name is host (any port), NULL: none (so -L/-W reach devices and
 * nothing else). */
const FarDevice *far_device_by_address (const char *host, guint16 port);
/* One writer a device (and a line): claims it for a session, or FAR_ERROR_CONFLICT naming who holds it. The
 * same person takes over: the old session's `lost` runs. Released by far_device_unlock(). [main] */
typedef void (*FarDeviceLost) (const char *session, const char *device, gpointer user);
gboolean far_device_lock (const char *device, const char *session, const char *person, FarDeviceLost lost,
                          gpointer user, GError **error);
void far_device_unlock (const char *device /* NULL: all of the session */, const char *session);
/* Who stands in the way of a claim on this device (its line counts): the person ("" unknown) and, when
 * wanted, the session; NULL: nobody. [main] */
const char *far_device_holder (const char *device, const char **session);
/* Told of claims made without `lost` that were taken over: the one service that owns sessions, whoever asked
 * last. It is at's, and ends with it before its stop(); at NULL: nobody's. func NULL: nobody is told. [main]
 */
void far_device_on_lost (FarInstance *at, FarDeviceLost func, gpointer user);
/* Told of each far_device_open() that failed, and why: the same. [main] */
typedef void (*FarDeviceFailed) (const char *session, const char *device, const char *cause, gpointer user);
void far_device_on_failed (FarInstance *at, FarDeviceFailed func, gpointer user);
/* Claims (without `lost`), then opens its endpoint; spec->device set. The claim ends with
 * far_device_unlock(). [main] */
void far_device_open (const FarEndpointSpec *spec, FarRequest *req);

G_END_DECLS
