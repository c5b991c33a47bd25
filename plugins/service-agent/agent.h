/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The terminal's side of access on demand (spec B3, B6–B12). The cloud may offer and ask to close; what may
 * happen here is decided here: an offer is checked against this node's own profile, its sealed credential
 * must say the same as the offer, and a login in advance is checked before anything opens. Everything here
 * runs on the main context.
 *
 * From top to bottom, each calling only what stands below it: agent (the type, its handlers), local (what
 * this node's own people may do), push (what the cloud asks), poll (what the cloud is asked), offer (an offer
 * comes), check (this node's rules; an offer's form and what is sealed with it are farwatch/offer.h's),
 * session (effects of states), tunnel (dial, what arrives), report, ends (where a tunnel may go). What
 * is to happen above is told by the cycle of polls, and by the events of the book. The certificate and the
 * list of devices are another service's, `member`: devices are found in core, whoever added them. */
#pragma once
#include <farwatch/book.h>
#include <farwatch/carrier-course.h>
#include <farwatch/cycle.h>
#include <farwatch/offer.h>
#include <farwatch/plugin.h>
#include <farwatch/trust.h>

G_BEGIN_DECLS

typedef struct {
  char *link, *tunnel, *login, *shell, *hours, *keys;
  GStrv in_advance, tunnel_ends, carriers;
  gint64 poll, max_duration, sessions;
} AgentOpts;

typedef struct _Agent Agent;

/* A session of this service: what the book knows (farwatch/book.h), and what is its own. */
typedef struct _AgentSession {
  FAR_SESSION_BASE;
  Agent *self;         /* NULL: the instance has gone */
  char *user, *device; /* user: login name here */
  gboolean in_advance;
  char *address;       /* of Z, from the newest offer, as is the next one */
  json_t *part;        /* what the carrier needs to know */
  char *transport;     /* name of the one that carries it */
  FarCarrier *carrier; /* until its ENDED; NULL: never opened */
  FarCarrier *before;  /* of another kind, given up for it; NULL: none was */
  const char
      *unreached;    /* kind of the carrier, where the newest offer's was not reached and there is another */
  char *token;       /* of the newest offer, until it is spent */
  gboolean prepared; /* its carrier is on its way, and waits for the token */
  FarInstanceTimer *redial;
  gboolean in_line; /* to be dialled */
  gboolean again;   /* this generation's credential is used up: another is wanted */
  FarCarrierTries tries;
  guint64 arrivals;
  gint64 trouble_us; /* when the last one was reported, boottime */
  gboolean reported;
  gboolean denied; /* its login was refused: the same offer by the other way hears the same cause */
} AgentSession;

struct _Agent {
  FarInstance *at;
  FarCycle *polls;      /* of poll.c; who needs one before its time asks it */
  FarBook *book;        /* of sessions */
  GHashTable *sessions; /* the book's: id → AgentSession */
  FarNonces *nonces;    /* that a login in advance must name */
  gboolean nonce_told;  /* the cloud has the newest one */
  char *link_from;      /* address of the other end of the link, now or last; NULL: never linked */
  gboolean linked;
  gint64 cut_us;   /* when the link was last cut for want of an answer, boottime */
  guint dialling;  /* tunnels under way */
  guint preparing; /* beside these: those that wait for their token */
  GQueue in_line;  /* of AgentSession: to be dialled when one of these is done */
  /* boottime when the cloud was told what this machine's clock says; 0: not on this link */
  gint64 clock_said_us;
  gint64 clock_skew_us;  /* as it was then */
  GPtrArray *taken_over; /* ids to close, off the claim's stack */
  FarInstanceTimer *later;
};

static inline const AgentOpts *
agent_opts (const Agent *self)
{
  return far_instance_options (self->at);
}

/* NULL where it is no string */
static inline const char *
agent_text (const json_t *json, const char *key)
{
  return json_string_value (json_object_get (json, key));
}

static inline AgentSession *
agent_session (Agent *self, const char *id)
{
  return (AgentSession *) far_book_session (self->book, id);
}

static inline guint
agent_sessions_live (Agent *self)
{
  return far_book_count (self->book, NULL);
}

FAR_DEFINE_SESSION (AgentSession, agent_session)

/* ---- ends.c: the option 'tunnel-ends' ---- */
gboolean agent_ends_good (const AgentOpts *opts, GError **error);
/* May the tunnel end of an offer be dialled? */
gboolean agent_end_allowed (Agent *self, const char *address, GError **error);
/* May it still, just before a dial? The profile may be another one than when the offer was judged. */
gboolean agent_end_still_allowed (Agent *self, const char *address, GError **error);

/* ---- report.c ---- */
void agent_report (AgentSession *session);
/* A person's connection came to nothing, and why: their device is down, a limit. Of many, some are told. */
void agent_report_trouble (AgentSession *session, const char *cause);
void agent_report_refused (Agent *self, const char *session, const GError *error);

/* ---- tunnel.c ---- */
/* With session->token; soon. */
void agent_dial (AgentSession *session);
/* The way to the tunnel end as far as it goes without a credential, while the person's login is checked.
 * Where that comes to nothing, agent_dial() begins anew. */
void agent_dial_prepare (AgentSession *session);
/* Not dialled: another credential is wanted, or, by `unreached`, another carrier. */
void agent_dial_again (AgentSession *session);
/* The same of an offer by a kind that may not be dialled from here. It counts as a failed try: a cloud that
 * has no other one would offer it for ever. */
void agent_dial_elsewhere (AgentSession *session);
/* Before the newest offer is dialled: a carrier of another kind than what is offered now is given up. */
void agent_tunnel_change (AgentSession *session);
void agent_dials_forget (Agent *self);
void agent_session_forget_token (AgentSession *session);
/* Its credential is used up: asks for the next by poll, soon, then ever more slowly. */
void agent_session_wait (AgentSession *session);
/* Everything of this session ends at the tunnel end; where it never was there, at once. */
void agent_tunnel_end (AgentSession *session);

/* ---- session.c ---- */
extern const FarSessionKind agent_session_kind;
gboolean agent_waits (Agent *self); /* a session has lost its tunnel */
void agent_hurry (Agent *self);     /* tells the link whether somebody waits for it */
json_t *agent_session_show (const FarSession *session);

/* ---- offers ---- */
/* Its form, by the transports that this node's sessions may come by. */
gboolean agent_offer_read (Agent *self, json_t *json, FarOffer *offer, GError **error);
/* May the tunnel end of an offer be dialled? Where not, and it need not be this kind, the offer is not
 * refused for it: the cloud has another carrier (offer->unreached). */
gboolean agent_offer_end (Agent *self, FarOffer *offer, GError **error);
/* This node's own rules: device, hours, longest, number of sessions. */
gboolean agent_offer_allowed (Agent *self, FarOffer *offer, GError **error);
/* The next generation of a session that is here: it may change where to dial and nothing else. */
gboolean agent_offer_continues (const AgentSession *session, const FarOffer *offer, GError **error);
/* Takes an offer. Ends req when it is clear whether it is accepted; its error is the refusal. */
void agent_offer_take (Agent *self, json_t *offer, FarRequest *req);

/* ---- poll.c ---- */
FarCycle *agent_polls_new (Agent *self);

/* ---- push.c, local.c: handlers ---- */
void agent_offers_post (gpointer self, FarCall *call);
void agent_poll_now_post (gpointer self, FarCall *call);
void agent_close_post (gpointer self, FarCall *call);
void agent_sessions_get (gpointer self, FarCall *call);
/* Sessions here are the node's. */
void agent_session_resolve (gpointer self, const FarPrincipal *principal, char **parts, FarResolved *found);
void agent_session_get (gpointer self, FarCall *call);
void agent_session_delete (gpointer self, FarCall *call);

G_END_DECLS
