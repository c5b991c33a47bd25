/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The SIP stack behind one interface: messages come in as a view that names no library, go out as an answer
 * or to another connection. It has a thread of its own, an external loop (farwatch/loop.h): everything here
 * is [loop] of that unless a comment says otherwise, and so are the callbacks.
 *
 * Behind it is the `nta` layer of sofia-sip: transactions, retransmissions, ACK and CANCEL. It looks up no
 * name and makes no connection, listens on a loopback port that the fences dial (fence.h), and gets nothing
 * that they do not let through. */
#pragma once
#include "fence.h"

#include <farwatch/plugin.h>

G_BEGIN_DECLS

#define SIP_CONTACTS_MAX 8
#define SIP_RINGING_MAX_S 3600

typedef struct _SipStack SipStack;
typedef struct _SipRequest SipRequest;

/* A connection, and who it has proved to be. */
typedef struct {
  guint64 id;
  char *account;   /* proved; NULL: not yet */
  gboolean proved; /* all of it, as the domain wants it */
  char *address;   /* of the peer */
  guint port;
  gpointer peer;       /* what keeps the connection, of the stack's user */
  gint64 used_us;      /* boottime: the last request */
  guint under_way;     /* its requests that have no final answer */
  gboolean bound;      /* it is the one that its account is registered by */
  gboolean leaving;    /* it was told to end */
  char *nonce;         /* the last one that was used on it; NULL: none */
  guint32 nonce_count; /* of that, the highest */
} SipFlow;

/* Of a URI as it stands in a message: texts are NULL where there are none. */
typedef struct {
  const char *scheme;
  const char *user; /* unescaped; "": one that cannot be a name */
  const char *host, *port, *params;
} SipUri;

typedef struct {
  gboolean any; /* "*" */
  SipUri uri;
  const char *text; /* the URI */
  gint64 expires_s; /* -1: not said */
} SipContact;

/* A request, valid during the call. */
typedef struct {
  SipFlow *flow;
  const char *method;
  SipUri target, from, to, route; /* route: the first Route header, if there is one */
  const char *target_text;
  guint routes;
  const char *from_tag, *to_tag, *call_id;
  guint32 cseq;
  gint max_forwards; /* -1: not said */
  gboolean looped;   /* it has been here */
  gint64 expires_s;  /* -1: not said */
  guint contacts;    /* how many; the first SIP_CONTACTS_MAX of them: */
  SipContact contact[SIP_CONTACTS_MAX];
  const char *require, *proxy_require; /* "a, b"; NULL: none */
  /* of the first Authorization or Proxy-Authorization of scheme Digest for this realm: "name=value" texts,
   * ending with NULL; NULL: none */
  const char *const *authorization, *const *proxy_authorization;
} SipView;

typedef struct {
  const char *host; /* of the Via lines that are ours */
  guint port;
  const char *realm;
  /* A request; ends in sip_request_answer(), _forward() or _drop(), within the call. */
  void (*request) (SipRequest *request, const SipView *view, gpointer user);
  /* A flow has come, and is going; with it go the requests from it and to it. */
  void (*flow_came) (SipFlow *flow, gpointer user);
  void (*flow_gone) (SipFlow *flow, gpointer user);
  void (*second) (gpointer user); /* once a second */
  gpointer user;
} SipStackSpec;

/* May change while it runs. */
typedef struct {
  guint transactions, per_flow; /* requests under way, of all and of one connection */
  gsize message_max;
  gint64 answer_us, ringing_us; /* how long a request may be under way; an INVITE that rings (Timer C) */
} SipStackLimits;

/* spec is copied, its texts too. [main] */
SipStack *sip_stack_new (FarInstance *at, const SipStackSpec *spec, const SipStackLimits *limits);
/* Its thread begins; `begun` runs once on main, with an error where it failed (borrowed). [main] */
void sip_stack_begin (SipStack *stack, void (*begun) (const GError *error, gpointer user), gpointer user);
/* Ends it and waits for its thread; no fence lives any more. `begun` is not called any more. [main] */
void sip_stack_free (SipStack *stack);
FarLoop *sip_stack_loop (SipStack *stack); /* [any thread] */
void sip_stack_limit (SipStack *stack, const SipStackLimits *limits);

/* A new connection: *fd is connected to the stack, and the caller puts a fence between it and the peer, in
 * the flow's name. account is copied, NULL: not proved. NULL and *error: none can be made. */
typedef struct {
  const char *account, *address;
  guint port;
  gpointer peer;
} SipStackPeer;
SipFlow *sip_stack_connect (SipStack *stack, const SipStackPeer *peer, int *fd, GError **error);
SipFlow *sip_stack_flow (SipStack *stack, guint64 id); /* NULL: it is no more */
/* Its fence has ended, or will never be. */
void sip_stack_lost (SipStack *stack, guint64 id);
guint sip_stack_under_way (SipStack *stack);

/* ---- requests ---- */

/* phrase NULL: that of RFC 3261. headers: whole lines "Name: value\n", or NULL. */
void sip_request_answer (SipRequest *request, guint code, const char *phrase, const char *headers);
/* No answer: of an ACK. */
void sip_request_drop (SipRequest *request);

typedef struct {
  SipFlow *to;
  const char *target;       /* the new Request-URI; NULL: as it is */
  guint routes;             /* so many Route headers, from the first, are taken away */
  const char *record_route; /* a header's value; NULL: none */
} SipForward;

/* To another connection; the answers come back by themselves, with what RFC 3261 16.7 says. An ACK is sent
 * and forgotten. */
void sip_request_forward (SipRequest *request, const SipForward *how);

G_END_DECLS
