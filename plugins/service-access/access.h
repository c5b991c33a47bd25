/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cloud's side of access on demand (spec B3–B8, B10–B13): sessions of people to terminals and devices,
 * which it knows by core's registry (farwatch/registry.h), whoever writes that. A change counts when its row
 * is durable. Everything here runs on the main context.
 *
 * One file, one idea. A session, which core's book keeps: session-create.c (a person asks), refusal.c,
 * tunnels.c and allocate.c (Z, X, Y), nodes.c, offer.c (credential), entry.c (streams), poll.c, session.c
 * (effects of its states), recheck.c (rights taken away), close.c, session-json.c. What is told later:
 * history.c, rejected.c (who was turned away). calls.c is what all others stand on; access.c, with the table
 * of handlers, and session.c, with that of the kind of session, are on top, and nobody calls into them. */
#pragma once
#include <farwatch/book.h>
#include <farwatch/offer.h>
#include <farwatch/plugin.h>
#include <farwatch/registry.h>
#include <farwatch/trust.h>

G_BEGIN_DECLS

typedef struct {
  char *store, *nodes, *tokens;
  GStrv tunnels;
  gint64 max_duration, default_duration, grace, poll;
  gint64 sessions, sessions_each;
  gboolean push;
} AccessOpts;

typedef struct _Access Access;

struct _Access {
  FarInstance *at;
  FarBook *book;             /* of sessions */
  GHashTable *sessions;      /* the book's: id → AccessSession */
  FarInstanceTimer *recheck; /* of rights under open sessions */
  FarInstanceTimer *asking;  /* for polls, by who has given no nonce */
  GHashTable *moves;         /* terminal → gint64, of unreached.c */
  GHashTable *refusals;      /* person → rows written in this minute */
  gint64 refusals_us;        /* boottime at which the minute began */
};

const AccessOpts *access_opts (Access *self);

/* ---- store (refusal.c) ---- */

/* error NULL: durable. If the instance goes first, `dropped` runs on user instead (far_request_of()). */
typedef void (*AccessDone) (Access *self, const GError *error, gpointer user);
/* A row of the history; takes row. */
void access_history_put (Access *self, const char *key, json_t *row, AccessDone done, gpointer user,
                         GDestroyNotify dropped);

/* ---- calls (calls.c) ---- */

const char *access_text (const json_t *json, const char *key); /* NULL where it is no string */
/* As rights name it; it need not be registered. device NULL: the terminal. Caller frees. */
char *access_object (const char *terminal, const char *device);
/* Is its end a stock program? */
gboolean access_is_stock (const FarRegistryNode *terminal);
/* The node that calls, registered; else the call is failed and NULL returned. */
const FarRegistryNode *access_calling_terminal (FarCall *call);
gboolean access_manages (const FarPrincipal *principal, const char *object);

/* ---- sessions ---- */

#define ACCESS_UNREACHED_MAX 3 /* as often a session may go on by another kind */

/* A session of this service: what the book knows (farwatch/book.h), and what is its own. */
typedef struct _AccessSession {
  FAR_SESSION_BASE;
  Access *self; /* NULL: the instance has gone */
  char *request, *terminal, *device;
  char *user, *from; /* user: login name at the terminal */
  gboolean raw, in_advance;
  char *login_box;
  char *token;           /* of the first offer, written with the session's row; NULL: to be asked for */
  const char *token_key; /* which of the terminal's keys it is bound to */
  /* the tunnel end */
  char *tunnel;        /* name of the transport that carries it */
  FarCarrier *carrier; /* until its ENDED; NULL: none */
  FarTunnel *ports;    /* NULL: nothing reserved */
  /* the address of the tunnel end that the terminal's link has come to; NULL: it has not */
  char *link_to;
  gboolean reserving; /* a carrier is drawn, in the place of the one it has, or its first */
  json_t *offer;      /* of this generation, NULL: being made */
  gboolean withhold;  /* the terminal holds this very offer */
  guint offered;      /* the newest generation of which the terminal was sent the offer */
  gint64 offered_us;  /* boottime */
  /* kinds of carrier that its terminal did not reach: it is offered none of these any more where there is
   * another; static */
  const char *unreached[ACCESS_UNREACHED_MAX];
  guint n_unreached;
  gint64 renewed_us;  /* unreached.c: how often the terminal has asked for another offer */
  gboolean stock_end; /* deadline at one end only */
  guint64 turned_away;
  GPtrArray *turned; /* of rejected.c */
  char *trouble;     /* why the last one was turned away, or came to nothing; NULL: none was */
  gint64 trouble_us; /* when the watchers were told of it, boottime */
  char *ticket;
} AccessSession;

/* calls.c */
AccessSession *access_session (Access *self, const char *id);
/* The session of part 0 that the caller may know; else the call is failed and NULL returned. */
AccessSession *access_called_session (Access *self, FarCall *call);
/* How long a request may wait. */
gint64 access_session_wait_us (Access *self);

/* session.c */
extern const FarSessionKind access_session_kind;

FAR_DEFINE_SESSION (AccessSession, access_session)

/* session-json.c */
json_t *access_session_show (const FarSession *session);
/* What is its own, into its row and its history row. */
void access_session_row (const FarSession *session, json_t *row);
void access_session_record (const FarSession *session, json_t *record);
void access_sessions_get (gpointer self, FarCall *call);
/* The device or terminal of session part 0. */
void access_session_resolve (gpointer self, const FarPrincipal *principal, char **parts, FarResolved *found);
void access_session_get (gpointer self, FarCall *call);
void access_session_watch (gpointer self, FarCall *call);

/* history.c */
void access_history_get (gpointer self, FarCall *call);

/* rejected.c */
void access_rejected_away (AccessSession *session, const char *from, const char *cause, guint times);
void access_rejected_end (AccessSession *session);

/* refusal.c */
typedef struct {
  const FarPrincipal *principal;
  const char *terminal, *device, *reason;
  gint64 for_us;
} AccessAsked;
/* Records the true cause, then answers the call with `polite` (taken). */
void access_refuse (Access *self, FarCall *call, const AccessAsked *asked, const char *cause, GError *polite);

/* session-create.c, close.c, offer.c, allocate.c, poll.c, entry.c */
void access_session_post (gpointer self, FarCall *call);
void access_session_approve (gpointer self, FarCall *call);
void access_session_delete (gpointer self, FarCall *call);
void access_session_close_told (AccessSession *session);
void access_tunnel_end (AccessSession *session);
/* People's connections end now, the terminal's link stays; req ends when none of their bytes passes. */
void access_tunnel_shut (AccessSession *session, FarRequest *req);
void access_allocate (AccessSession *session);
/* The next generation, for a session whose link is gone: by what is reserved, or, where the terminal does not
 * reach that kind and there is another, by what is drawn anew. */
void access_allocate_renew (AccessSession *session);
/* unreached.c: a terminal says that it did not reach what was offered. */
GHashTable *access_moves_new (void);
/* kind: as it says; what was not offered, or any node has, is no news. */
void access_unreached_told (AccessSession *session, const char *kind);
/* The session has come up. */
void access_reached (AccessSession *session);
gboolean access_unreached (const AccessSession *session, const char *kind);
/* May it go on by another carrier now? That takes ports, so a terminal is held to a rate. */
gboolean access_move_may (AccessSession *session);
/* May the terminal ask for another offer of it now? */
gboolean access_again_may (AccessSession *session);
/* tunnels.c: a tunnel server that the profile draws from? */
gboolean access_tunnel_wanted (const AccessOpts *opts, const char *name);
/* Names of those that can carry this session, the best alone (full). */
GPtrArray *access_tunnels (AccessSession *session);
/* Which of the terminal's keys the token for its carrier will be bound to, as things are; static. */
const char *access_tunnels_key (AccessSession *session);
void access_nodes_get (gpointer self, FarCall *call);
void access_offer_make (AccessSession *session);
/* A new generation: old offers are void. */
void access_offer_renew (AccessSession *session);
/* The token of its first offer as a row, for who writes it to `store`. FALSE: it is not to be had so. */
gboolean access_offer_token (AccessSession *session, const char *store, FarTokenRow *row);
void access_offer_push (AccessSession *session);
void access_offer_take (gpointer self, FarCall *call);
void access_poll_post (gpointer self, FarCall *call);
/* A link is up. Whoever has not polled a moment later is asked to: its link was up before this service was.
 */
void access_poll_wanted (Access *self);
void access_report_post (gpointer self, FarCall *call);
void access_stream_post (gpointer self, FarCall *call);

/* recheck.c */
void access_recheck_start (Access *self);

G_END_DECLS
