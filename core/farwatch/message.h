/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One message model behind every interface (control socket, HTTP, WebSocket, SIP later).
 *
 * A request has {id, method, resource, headers, content type, body}, an answer {id, status, headers, content
 * type, body}. Body at most FAR_BODY_MAX at every interface; lists page by `after`; anything larger or live
 * is answered by a stream ticket. Same sender and id within 10 minutes: the stored answer, not run again,
 * while the right is still there; an answer with a ticket or token is not stored. At most two node hops
 * (header "hops"). JSON bodies are {"error":"word","message":"…","next":"…"} for errors. Wire form (every own
 * interface): u32 BE length of the header JSON, header JSON (its "n" = bytes of the body), body bytes:
 * self-delimiting, so the same bytes are one WebSocket message or a run in a byte stream (control socket,
 * farctl's link). Format and vectors in doc/formats.md. A connection that sent `STREAM tickets/T` and got 200
 * is that ticket's byte stream from then on (on WebSocket: path /stream/T instead).
 * Functions are [main] unless their comment says otherwise. */
#pragma once
#include <farwatch/request.h>
#include <farwatch/instance.h>
#include <farwatch/right.h>
#include <farwatch/stream.h>
#include <jansson.h>

G_BEGIN_DECLS

#define FAR_BODY_MAX (32 * 1024)
#define FAR_HEADER_MAX (8 * 1024)
#define FAR_BATCH_MAX (256 * 1024) /* body with content type FAR_TYPE_BATCH from a node: samples */
#define FAR_TYPE_JSON "application/json"
#define FAR_TYPE_BATCH "application/vnd.farwatch.batch"

/* Counted; immutable once sent. [any thread] */
typedef struct {
  gint refs;
  char *id;            /* of the request; 1…64 of [A-Za-z0-9._-] */
  char *method;        /* GET POST PUT DELETE WATCH; NULL: this is an answer */
  char *resource;      /* "terminals/t1/devices/d1?after=x": path below the root, no leading slash */
  guint status;        /* answers: 200 201 202 204 400 401 403 404 409 413 429 500 503 507; 0: request */
  GHashTable *headers; /* lower-case name → value; may be NULL; at most 32 */
  char *content_type;  /* NULL: no body */
  GBytes *body;        /* NULL: none */
} FarMessage;

/* A request with a new id; method and resource are copied. The caller has one reference. [any thread] */
FarMessage *
far_message_request (const char *method, const char *resource, json_t *body /* takes; may be NULL */);
/* The answer to a request, with its id; body NULL: none. [any thread] */
FarMessage *far_message_answer (const FarMessage *request, guint status, json_t *body /* takes */);
/* The answer that an error stands for: status, word and message (far_message_check() is the way back).
 * [any thread] */
FarMessage *far_message_error (const FarMessage *request, const GError *error);
/* A reference more, returned; and one less, NULL is fine. [any thread] */
FarMessage *far_message_ref (FarMessage *message);
void far_message_unref (FarMessage *message);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FarMessage, far_message_unref)
/* A header by its lower-case name, borrowed; NULL: it has none. [any thread] */
const char *far_message_header (const FarMessage *message, const char *name);
/* Sets one before the message is sent, both are copied; value NULL takes it away. [one thread] */
void far_message_set_header (FarMessage *message, const char *name, const char *value);
/* Body as JSON (new reference), FAR_ERROR_INVALID with line and column when it is none. [any thread] */
json_t *far_message_json (const FarMessage *message, GError **error);
/* The error an answer stands for (status >= 400): code by its word, its message; FALSE and *error set then,
 * TRUE otherwise. [any thread] */
gboolean far_message_check (const FarMessage *answer, GError **error);
/* One frame. decode: FAR_ERROR_PROTOCOL; never reads past size. [any thread] */
GBytes *far_message_encode (const FarMessage *message);
FarMessage *far_message_decode (const guint8 *data, gsize size, GError **error);
/* Length of the whole frame at data, 0: not yet known (fewer than needed bytes), -1: never valid.
 * [any thread] */
gssize far_message_frame_size (const guint8 *data, gsize size, GError **error);

/* ---- handlers ---- */

typedef enum {
  FAR_FIELD_END,
  FAR_FIELD_STRING,
  FAR_FIELD_INT,
  FAR_FIELD_BOOL,
  FAR_FIELD_DURATION,
  FAR_FIELD_NAME /* [A-Za-z0-9][A-Za-z0-9._-]{0,63} */,
  FAR_FIELD_LIST /* of strings */,
  FAR_FIELD_OBJECT,
  FAR_FIELD_ANY,
  FAR_FIELD_OTHERS /* last row of a table: fields that it does not name are taken, and checked by the handler
                    */
} FarFieldType;
typedef struct {
  const char *name;
  FarFieldType type;
  gboolean required;
  const char *summary;
  gint64 max; /* bytes of a string, value of an int */
} FarField;

/* One call of a handler. Borrowed until it is answered, or until fini() of the handler's instance has
 * returned: what is open then, core answers and frees. */
typedef struct {
  const FarPrincipal *principal;
  const FarMessage *message;
  char **parts;    /* values of {…} in the pattern, in order; NULL-terminated */
  json_t *query;   /* object of strings, from ?a=b */
  json_t *body;    /* checked against fields; object, maybe empty */
  GBytes *bytes;   /* a body that is not JSON; its type is in the message. NULL: none */
  char *object;    /* resolved */
  char *transport; /* name of the transport instance it came by; NULL: control socket */
  /* the nodes that it has passed, as they tell: "front, cloud"; NULL: none. Whoever speaks for the asker is
   * proven, and stands in principal->via */
  const char *via;
  guint hops; /* how many these are */
  struct _FarAnswer *answer;
} FarCall;

/* The answer will hold a secret (a ticket, a token): it is not kept for who sends the message twice, and who
 * does so makes another. Before it is answered. [main] */
void far_call_secret (FarCall *call);
/* Answers a call, once; the call is gone afterwards. Too late (the asker has gone, or has been told that time
 * ran out or the service has stopped): dropped. [main] */
void far_call_answer (FarCall *call, guint status, json_t *body /* takes */);
void far_call_fail (FarCall *call, GError *error /* takes */);
/* For lists that page: one more row, unless it makes the answer larger than a body may be. *size: 0 at first.
 * FALSE: this page is full, the row stands in the next. The first row is always taken, so that paging comes
 * to its end. Where the next page begins is told by the last row *looked at*, by its place in an order that
 * the end of any row leaves as it is: else rows are lost, which the asker may not see or which end between
 * two pages. */
gboolean far_page_add (json_t *list, gsize *size, json_t *row /* borrowed */);
/* A page of rows that are all at hand, sorted by their places (strcmp(); borrowed as long as the page is
 * made): each row that the asker may see is offered, and the answer has `list`, and as `next` where the rest
 * begins. Rows of one place stay together. [main] */
typedef struct {
  json_t *list; /* for the answer, which takes it */
  /* place of the last row, if others follow it, which nothing but another page has room for: stop. NULL: not
   * so, or not yet */
  const char *next;
  const char *after; /* what was asked for */
  const char *last;
  guint limit;
  gsize size;
} FarPage;
/* most: rows, unless `limit` asks for fewer. beside: bytes that stand beside the list, if they are many. */
void far_page_begin (FarPage *page, const FarCall *call, guint most, gsize beside);
/* Does the row of this place stand in the page, as far as there is room? Before it is made. */
gboolean far_page_wants (FarPage *page, const char *place);
void far_page_take (FarPage *page, const char *place, json_t *row /* takes */);
/* A word for what is shown of an object, which changes when that does; shown NULL, nothing is there: "none".
 * Caller frees. [any thread] */
char *far_revision (const json_t *shown);
/* Does the call change what its asker has seen? It says so by `expect`, a far_revision(), in the body or in
 * the query; without, it may. FALSE: FAR_ERROR_CONFLICT, with what it is now, in `words` where there are any.
 * place: "terminals/t1". Ask it in the step that decides: what is judged here must be what the change is made
 * from. */
gboolean far_expect_ok (const FarCall *call, const char *place, const json_t *shown, const char *words,
                        GError **error);
#define FAR_FIELD_EXPECT                                                                                     \
  {                                                                                                          \
    "expect", FAR_FIELD_STRING, FALSE, N_ ("the revision that was seen: refused when it is another by now"), \
        16                                                                                                   \
  }
void far_call_fail_new (FarCall *call, FarErrorCode code, const char *format, ...) G_GNUC_PRINTF (3, 4);
/* Answers with what the peer answers, in the name of the call's asker: the peer judges them as node and
 * person and takes it from a node alone that has a right there. For the upstream hook. Refused at once: an
 * asker who is no person, or for whom another node speaks already; a message that has passed two nodes. Two
 * nodes that hand up to each other end it, as each refuses what has been there before. [main] */
void far_call_forward (FarCall *call, const char *transport, const char *peer);
/* Refuses what a right does not give: to who may not see the object the words are those of an unknown one
 * (404), else 403 with the cause. */
void far_call_refuse (FarCall *call, const char *object, const char *cause);
/* Subscribes the asker of WATCH: a streamed answer of events numbered from 1 (header "event"; all but the
 * last have the header "more: 1"); NULL ends it. Who has more than FAR_SUBSCRIPTION_EVENTS waiting gets the
 * error word `gap` and is cut. The call is gone afterwards. gone runs once, when the subscription ends,
 * whoever ended it. Returns 0 when the asker has gone already: then gone has run, with 0. [main] */
#define FAR_SUBSCRIPTION_EVENTS 64
guint far_call_subscribe (FarCall *call, void (*gone) (guint subscription, gpointer user), gpointer user);
void far_subscription_event (guint subscription, json_t *event /* takes */);
/* Who subscribed: what they may see can end meanwhile. NULL: the subscription has ended. [main] */
const FarPrincipal *far_subscription_principal (guint subscription);

/* What a resource stands for, where its path is not what rights are about ("sessions/{s}": one to a device).
 */
typedef struct {
  char *object;  /* NULL: there is none */
  gboolean own;  /* the asker's own, who needs no right to it */
  char *unknown; /* what is said where there is none, or none for the asker to see (404) */
  /* what is said to who sees it without the right (403); NULL: the same as to who does not see it */
  char *refused;
} FarResolved;

typedef struct {
  const char *method;  /* NULL: end of table */
  const char *pattern; /* "terminals/{t}/devices/{d}" */
  /* FarAction; FAR_ACTION_NONE = any logged-in principal, the handler filters by far_visible() */
  guint action;
  /* "terminals/{t}", with {name} from the pattern or {body.field}; NULL: the pattern itself */
  const char *object;
  const FarField *fields; /* body; NULL: no body wanted */
  /* types of body it takes, ending with NULL; NULL: FAR_TYPE_JSON alone. What is not JSON comes as bytes */
  const char *const *content;
  void (*handle) (gpointer self, FarCall *call); /* [main] */
  const char *summary;                           /* N_(); `farctl call --list` */
  /* Whoever passed an interface's login may ask; `action` is asked of what this finds, right before the
   * handler runs, so that it finds the same. NULL: it is asked of `object`. Fills *found, which begins empty;
   * its texts are taken. [main] */
  void (*resolve) (gpointer self, const FarPrincipal *principal, char **parts, FarResolved *found);
  /* The word of this request where a transport's messages carry one in place of method and path (SIP): 1 to
   * 24 of a-z 0-9 - that begin with a letter, unique in a node. NULL: it has none. */
  const char *verb;
} FarHandler;

/* Method and pattern of the *upstream hook*: at most one row of a node, which gets what nobody here has a
 * handler for (a front process, a cluster node). Its action is asked of its object ("node" where that is
 * NULL), and nothing else: who may do what the message asks for is *not* judged here, but by the node above,
 * as node and person. So FAR_ACTION_NONE lets through whoever has logged in here; FAR_ACTION_ANYONE is
 * refused. The call has the path in `parts`, an empty `body`, and what came as body in `message`, unchecked.
 * Not handed up: a message before its login, WATCH, a path that this node has with another method or for a
 * service that does not run now, and all while the node starts. */
#define FAR_UPSTREAM "*"

/* Registers a table for an instance or for core itself (self given, at NULL). */
void far_handlers_add (const FarHandler *handlers, gpointer self, FarInstance *at);
void far_handlers_remove (const FarHandler *handlers, gpointer self);
/* For transports whose messages carry a verb: the request that it stands for. names: what stands for the {…}
 * of the pattern, in order, ending with NULL; NULL: none. Caller frees. FAR_ERROR_NOT_FOUND: nobody here has
 * the verb; FAR_ERROR_INVALID: too few or too many names, or one that is no name. [main] */
FarMessage *
far_message_from_verb (const char *verb, const char *const *names, json_t *body /* takes */, GError **error);

/* What an interface calls for each message that came in: [main]. answered runs on main, exactly once, never
 * inside this call; for WATCH once per event until `last`. transport: the interface's instance, NULL for the
 * control socket. principal of kind NONE: nobody has logged in yet. */
typedef void (*FarAnswered) (FarMessage *answer /* borrowed */, gboolean last, gpointer user);
void far_api_submit (const FarPrincipal *principal, const char *transport, FarMessage *request,
                     FarAnswered answered, gpointer user);
/* The authenticators that `POST login` at this interface asks, in order. */
void far_api_set_login (FarInstance *at, const char *const *authenticators);
/* The asker is gone: no more answers for this user pointer. */
void far_api_gone (gpointer user);
/* The asker reads slowly (busy), or reads again: events of its watches wait in between. */
void far_api_busy (gpointer user, gboolean busy);

/* ---- between nodes ---- */

/* transport plugins implement; services call through far_peer_*(). [main] */
typedef struct {
  /* result: FarMessage* answer */
  void (*send) (gpointer self, const char *peer, FarMessage *request, FarRequest *req);
  gboolean (*connected) (gpointer self, const char *peer);
  void (*cut) (gpointer self, const char *peer, const char *cause); /* end the live link (revoked) */
  /* a link that is dialled from here is waited for: come back at once; NULL: it cannot */
  void (*hurry) (gpointer self, gboolean hurry);
} FarMessageOps;

/* Result: FarMessage*. peer: node id; on a terminal, with one server, peer is "" for it. */
void far_peer_send (const char *transport, const char *peer, FarMessage *request, FarRequest *req);
gboolean far_peer_connected (const char *transport, const char *peer);
/* A transport reports: peer's link is up / down. Services hear it through FarServiceOps.peer. [main] */
void far_peer_changed (FarInstance *transport, const char *peer, gboolean up, const char *from);
void far_peer_cut (const char *transport, const char *peer, const char *cause);
/* Somebody waits for the link that this node dials: until it is taken back, a lost one is dialled every
 * second, whatever the options say. */
void far_peer_hurry (const char *transport, gboolean hurry);

/* Is there what a right's object names? */
typedef enum {
  FAR_KNOWS_NOT_MINE /* another keeps such objects, or nobody */,
  FAR_KNOWS_NONE,
  FAR_KNOWS_IT
} FarKnows;

/* What a service may hear; any may be NULL. [main] */
typedef struct {
  void (*peer) (gpointer self, const char *transport, const char *peer, gboolean up, const char *from);
  void (*devices) (gpointer self); /* a reload has read the devices of the profile again */
  /* parts of the object, each a name or a glob; one that fits is enough */
  FarKnows (*knows) (gpointer self, char **parts);
} FarServiceOps;

/* ---- stream tickets ---- */

/* One-time (or reusable until it ends) word that lets its principal open a stream at any interface. stream()
 * gets the stream, [main] (the stream may be touched only at its loop). Returns the ticket (32 characters);
 * ends at until_us (boottime), by far_ticket_revoke(), or with the instance whose it is, before its stop();
 * at NULL: nobody's. */
typedef void (*FarTicketFunc) (FarStream *stream /* takes */, const char *from, gpointer user);
char *far_ticket_new (FarInstance *at, const FarPrincipal *principal, gboolean reusable, gint64 until_boot_us,
                      FarTicketFunc stream, gpointer user);
void far_ticket_revoke (const char *ticket); /* one that has ended is fine */
/* Interfaces: is it good for this principal? (NULL principal: the ticket alone speaks, as it came over TLS.)
 * [main] */
gboolean far_ticket_valid (const char *ticket, const FarPrincipal *principal);
/* Interfaces: hands the stream over; frees it when the ticket is not good any more. [main] */
void far_ticket_redeem (const char *ticket, FarStream *stream, const char *from);

G_END_DECLS
