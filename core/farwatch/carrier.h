/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Carriers: how two named nodes get the streams of one session, whatever carries them (doc/carriers.md).
 *
 * One end accepts: it reserves a place for a session, where its peer may come. The other end opens: it comes
 * with what the offer says and spends the session's token. From then on the accepting end attaches streams
 * of people, and the opening end is asked for the other end of each.
 *
 * A service holds a FarCarrier and nothing else: no instance, no type. The handle stays with the instance
 * that made it, also while a reload retires that, and ENDED comes exactly once and last, whoever goes first.
 * Callbacks are [main], too.
 * Functions are [main] unless their comment says otherwise. */
#pragma once
#include <farwatch/instance.h>
#include <farwatch/request.h>
#include <farwatch/stream.h>
#include <jansson.h>

G_BEGIN_DECLS

typedef enum { FAR_ENTRY_PORTS, FAR_ENTRY_STREAM } FarEntry;

/* One way of a session. A session may go by several, one after the other: what has passed by those before
 * counts with what passes by the one that it has (`before`, far_carrier_give_up()). */
typedef struct _FarCarrier FarCarrier;

/* ---- what is wanted, and what there is ---- */

/* The accepting end. */
typedef struct {
  const char *session; /* id */
  const char *peer;    /* node id that must come */
  FarEntry entry;
  /* Y carries clear text: bound to person_address, first connection within 60 s */
  gboolean raw;
  const char *person_address; /* Y accepts only this address or net (an address alone, raw: exact; else family
                                 /32 or /64); 127.0.0.1 or ::1: and whoever on this machine dials the address
                                 that Y is bound to; NULL: refused where there is a Y */
  gint64 length_us;           /* connection time; counts from the acknowledgement of the link */
  FarCarrier *before;         /* the way that the session had until now; NULL: this is its first */
} FarCarrierSpec;

/* What is reserved. */
typedef struct {
  guint16 x, y; /* ports of this machine that the session has; 0: none */
  char *y_host; /* where the person dials Y; NULL: the host by which they reach this node */
  /* the carrier's part of the offer: an object with "address", host:port, where the peer comes (0.0.0.0 or
   * [::] as host: the one it has its link to), and what else the kind needs */
  json_t *part;
} FarTunnel;
void far_tunnel_free (FarTunnel *tunnel);

/* The opening end. */
typedef struct {
  const char *session;
  json_t *part;        /* as far_carrier_part() found it in the offer; borrowed */
  const char *address; /* where to dial: that of the part, or what it stands for */
  /* at most 256 bytes, printable ASCII; copied, cleared after use. NULL: it is not to be shown yet, and comes
   * by far_carrier_show() */
  const char *token;
  gint64 length_us;
  FarCarrier *before; /* as above; of far_carrier_open() alone */
} FarCarrierOpen;

typedef enum {
  FAR_CARRIER_UP,     /* acknowledged; timer started               */
  FAR_CARRIER_LOST,   /* link lost; reservation kept (resuming)    */
  FAR_CARRIER_OPENED, /* a person's connection was joined          */
  FAR_CARRIER_CLOSED, /* that connection ended; counters, cause    */
  FAR_CARRIER_COUNTERS,
  FAR_CARRIER_REFUSED, /* a connection was refused: cause, from     */
  FAR_CARRIER_ENDED    /* last event: nothing is held; cause        */
} FarCarrierEventKind;

typedef struct {
  FarCarrierEventKind kind;
  const char *session;
  const char *cause, *from;
  /* UP at the accepting end: the address of this machine that the link has come to, without port; NULL: not
   * known */
  const char *here;
  guint times;                  /* REFUSED: so many are told at once; 0: one */
  guint64 bytes_up, bytes_down; /* person → device, device → person; totals of the session, over all
                                   its ways */
  gint64 deadline_boot_us;      /* UP: as computed at this end */
  gboolean stock;               /* UP: the other end is a stock program: deadline at one end only */
} FarCarrierEvent;

typedef struct {
  void (*event) (const FarCarrierEvent *event, gpointer user);
  /* opening end: a connection has come through; result of req: the FarStream* to join it with, best at loop.
   * NULL at the accepting end. */
  void (*incoming) (const char *session, const char *from, FarLoop *loop, FarRequest *req, gpointer user);
  /* user is not needed any more: after ENDED, or when nothing came of the reservation. NULL: nothing to do.
   */
  GDestroyNotify free;
} FarCarrierFuncs;

/* ---- the handle ---- */

/* Reserves at a transport (its instance's name). funcs: borrowed for ever. req: FarTunnel*, to be freed by
 * its taker; its error is the last word, and no event comes. What is reserved for nobody any more, because
 * req has ended otherwise, is given back. Caller unrefs the result; NULL: req fails, and user is freed. */
FarCarrier *far_carrier_reserve (const char *transport, const FarCarrierSpec *spec,
                                 const FarCarrierFuncs *funcs, gpointer user, FarRequest *req);
/* Opens by a transport. req ends when the link is up or is not: FAR_ERROR_UNAVAILABLE, the other end was not
 * reached and the token not shown; else it was refused. Either way the handle is there until ENDED, which
 * comes after far_carrier_end(). Caller unrefs the result; NULL: req fails, and user is freed. */
FarCarrier *far_carrier_open (const char *transport, const FarCarrierOpen *spec, const FarCarrierFuncs *funcs,
                              gpointer user, FarRequest *req);
/* The same again by a handle whose link is lost or never came up: the next generation, or another try. */
void far_carrier_reopen (FarCarrier *carrier, const FarCarrierOpen *spec, FarRequest *req);
/* What an open without a token waits for: until then the way is prepared as far as it goes without one (the
 * peer is reached, each end has proved its key), while somebody decides whether it may be used. After that
 * open's req has ended: nothing. */
void far_carrier_show (FarCarrier *carrier, const char *token);
FarCarrier *far_carrier_ref (FarCarrier *carrier);
void far_carrier_unref (FarCarrier *carrier);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FarCarrier, far_carrier_unref)
/* Name of the instance that it was made at. */
const char *far_carrier_transport (FarCarrier *carrier);
const char *far_carrier_session (FarCarrier *carrier);
/* Its kind, the name of that instance's type; static. */
const char *far_carrier_kind (FarCarrier *carrier);
/* Can any peer and a stock program be its other end? */
gboolean far_carrier_is_common (FarCarrier *carrier);
/* Which of the peer's registered keys its token is bound to: a field of a terminal's registration. */
const char *far_carrier_key (FarCarrier *carrier);
/* Accepting end: joins a stream (entry stream) with a new connection to the peer. Takes stream. */
void far_carrier_attach (FarCarrier *carrier, FarStream *stream, const char *from);
/* From now on both what is open and what comes ends then. */
void far_carrier_set_deadline (FarCarrier *carrier, gint64 boottime_us);
/* Accepting end: what people have open is aborted and nobody comes in any more, while the link stands, so
 * that the peer can end in order. req ends when no byte of theirs passes; at once where nothing is held. */
void far_carrier_shut (FarCarrier *carrier, const char *cause, FarRequest *req);
/* Everything of it ends now; ENDED follows. */
void far_carrier_end (FarCarrier *carrier, const char *cause);
/* The same of a way whose session goes on by another: COUNTERS is all that is told of it from now on, as
 * long as bytes that it had carried are found; then its user is freed, without ENDED. */
void far_carrier_give_up (FarCarrier *carrier, const char *cause);

/* ---- which there are ---- */

typedef struct {
  const char *kind; /* of the carrier: the type's name */
  gboolean accepts; /* it can reserve, and … */
  gboolean up;      /* … does so now */
  gboolean ports;   /* it has the entry `ports` */
  /* peers that name no kinds have this one, and a stock program can be its other end */
  gboolean common;
  const char *key; /* as far_carrier_key() */
} FarCarrierLook;
/* FALSE: the transport does not run, or is no carrier. */
gboolean far_carrier_look (const char *transport, FarCarrierLook *look);

/* ---- its part of an offer ---- */

/* Writes the part into an offer or a credential: beside the other fields for a common kind, else as
 * {"carrier": {"kind": KIND, …}}. json: an object. */
void far_carrier_part_put (FarCarrier *carrier, json_t *json, json_t *part);
/* Finds the part in an offer, and the transport, of those named, that carries this kind; new reference.
 * transport: the name in transports. FAR_ERROR_PROTOCOL: no usable part; FAR_ERROR_UNAVAILABLE: none of these
 * transports has such a kind, or it does not run. */
json_t *
far_carrier_part (const char *const *transports, json_t *offer, const char **transport, GError **error);
/* The first field in which the part of a credential is not that of its offer; NULL: they are the same. */
const char *far_carrier_part_other (json_t *part, json_t *credential);

/* ---- for transports ---- */

/* What a transport type does to be a carrier. It finds what it holds by the handle, or by its session. */
typedef struct {
  /* Names of the fields of its part that stand in offers themselves; NULL: its part is the object `carrier`.
   * For kinds that are older than that object, no others. NULL-terminated. */
  const char *const *flat;
  gboolean ports;
  const char *key;
  /* The field of the part that is no good (static); NULL: it can be opened. "address" has been looked at. */
  const char *(*check) (json_t *part);
  /* Accepting end. Ends req with FarTunnel*, everything bound before; or with an error, and forgets the
   * handle. NULL: it cannot. */
  void (*reserve) (gpointer self, const FarCarrierSpec *spec, FarCarrier *carrier, FarRequest *req);
  /* Opening end; again for a handle it knows: the next try. NULL: it cannot. */
  void (*open) (gpointer self, const FarCarrierOpen *spec, FarCarrier *carrier, FarRequest *req);
  /* The token of an open() that had none. NULL: core calls open() when there is one, and not before. */
  void (*show) (gpointer self, FarCarrier *carrier, const char *token);
  void (*attach) (gpointer self, FarCarrier *carrier, FarStream *stream /* takes */, const char *from);
  void (*set_deadline) (gpointer self, FarCarrier *carrier, gint64 boottime_us);
  void (*shut) (gpointer self, FarCarrier *carrier, const char *cause, FarRequest *req);
  void (*end) (gpointer self, FarCarrier *carrier, const char *cause);
  gboolean (*serves) (gpointer self); /* can it reserve now? (a listener is up) */
} FarCarrierOps;

/* Tells an event; session is filled in. Nothing after ENDED reaches anybody; the handle may be gone when
 * ENDED has been told. */
void far_carrier_tell (FarCarrier *carrier, FarCarrierEvent *event);
/* Opening end: a connection has come through; req as in FarCarrierFuncs. */
void far_carrier_incoming (FarCarrier *carrier, const char *from, FarLoop *loop, FarRequest *req);

G_END_DECLS
