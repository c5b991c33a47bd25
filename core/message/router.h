/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Core's inside of the message router: tables, body check, stored answers, calls under way. All [main]. */
#pragma once
#include <farwatch/message.h>

/* ---- route-pattern.c ---- */
/* The same request: method and pattern, whatever the names in {…} are. */
gboolean far_handler_same (const FarHandler *a, const FarHandler *b);
/* How many rows of b have the same request as one of a; *first: the first of them. A table may be NULL. */
guint far_handlers_shared (const FarHandler *a, const FarHandler *b, const FarHandler **first);
/* The first row of b whose verb a row of a has, too; NULL: none. A table may be NULL. */
const FarHandler *far_handlers_shared_verb (const FarHandler *a, const FarHandler *b);
gboolean far_verb_ok (const char *verb); /* its form */
/* Of two patterns that fit the same path: is a the more specific? The one that writes out the first part in
 * which they differ. */
gboolean far_pattern_before (char **a, char **b);

/* ---- route.c: which handler ---- */
typedef struct {
  const FarHandler *handler;
  gpointer self;
  FarInstance *at;
  GStrv pattern;
} FarRoute;

/* Cuts "terminals/t1?after=x": the path's parts (caller frees) and the query's fields. FAR_ERROR_INVALID. */
char **far_route_split (const char *resource, json_t **query, GError **error);
/* Of those with this method that fit, the most specific one, in whatever order they were added. NULL: none.
 * *values: what stood for {…}, caller frees. *known: the resource exists with another method. */
const FarRoute *far_route_find (const char *method, char **parts, GStrv *values, gboolean *known);
/* The row of FAR_UPSTREAM; NULL: none. */
const FarRoute *far_route_find_upstream (void);
gboolean far_handler_is_upstream (const FarHandler *handler);
/* The row of this verb; NULL: none. */
const FarRoute *far_route_find_verb (const char *verb);
/* The service that would have such a resource if it ran; NULL: none. */
const FarInstance *far_route_owner (char **parts);
/* The handler's object with {…} filled from values and body; a body field that was not sent cuts the object
 * before the word it belongs to: "terminals/{body.terminal}/devices/{body.device}" is "terminals/t1" without
 * device. FAR_ERROR_INVALID for text that is no name. */
char *far_route_object (const FarRoute *route, char **values, json_t *body, GError **error);
/* Every handler but the upstream hook, for `farctl call --list` and the sweep test: array of {method,
 * resource, action, summary}, and verb where there is one. */
json_t *far_route_list (void);

/* ---- hops.c ---- */
/* FAR_ERROR_INVALID when its header `hops` is no number, or more than 2; or when `via` names no nodes, more
 * than 2, or this one. */
gboolean far_hops_ok (const FarMessage *message, GError **error);
/* How many nodes it has passed; 0 where that is no number. */
guint far_hops_of (const FarMessage *message);
/* What goes to the next node in its place: a copy that has passed one more, this. The message itself may go
 * to others, too. Errors as above. */
FarMessage *far_hops_count (const FarMessage *message, GError **error);

/* ---- delegated.c ---- */
/* Who asks by this message: who has sent it, or the person for whom that node speaks. The one place that sets
 * a principal's `via`. Caller unrefs. FAR_ERROR_DENIED: who sent it speaks for nobody. */
FarPrincipal *far_delegated_asker (const FarPrincipal *sender, const FarMessage *request, GError **error);
/* What goes to another node for a person who asks here: the same request with an id of its own, which is the
 * same when the person repeats theirs, and of their headers timeout, hops and via alone; not yet
 * counted by far_hops_count(). FAR_ERROR_DENIED: asker is no person, or another node speaks for them already.
 */
FarMessage *far_delegated_request (const FarPrincipal *asker, const FarMessage *request, GError **error);

/* ---- schema.c ---- */
gboolean far_schema_check (const FarField *fields, json_t *body, GError **error);
gboolean far_field_name_ok (const char *text); /* FAR_FIELD_NAME */

/* ---- dedup.c: answers kept 10 minutes ---- */
#define FAR_DEDUP_US (10 * 60 * G_USEC_PER_SEC)
#define FAR_DEDUP_COUNT 4096
#define FAR_DEDUP_BYTES (4 * 1024 * 1024)
/* NULL: a sender whose messages are not kept (nobody). Caller frees. */
char *far_dedup_key (const FarPrincipal *principal, const char *id);
/* The kept answer, borrowed; NULL: none. *same: the request was the same (method and resource). */
FarMessage *far_dedup_find (const char *key, const FarMessage *request, gboolean *same);
void far_dedup_keep (const char *key, const FarMessage *request, FarMessage *answer);
void far_dedup_clear (void);
void far_dedup_counts (guint *count, gsize *bytes);

/* ---- call.c: calls under way ---- */
typedef struct _FarAnswer FarAnswer;
struct _FarAnswer {
  FarCall call;
  const FarHandler *handler;
  gpointer self;
  FarInstance *at; /* whose handler it is, counted; NULL: core's own */
  FarPrincipal *principal;
  FarMessage *request;
  GArray *askers;     /* who waits: one, and those that sent the same message again */
  char *key;          /* for dedup; NULL: not kept */
  gboolean secret;    /* the answer is not kept */
  gint64 deadline_us; /* boottime */
  gboolean stops;     /* its instance stops: the deadline is that of its grace */
  /* this node has no such resource, or not with that method: told in the header `route` */
  gboolean no_route;
};
FarAnswer *
far_call_new (const FarPrincipal *principal, FarMessage *request, FarAnswered answered, gpointer user);
/* Under way already under this key: the asker waits with it. */
gboolean far_call_join (const char *key, const FarMessage *request, FarAnswered answered, gpointer user,
                        gboolean *same);
void far_call_start (FarAnswer *answer, gint64 timeout_us);
/* The handlers' owner takes no more: askers are told within grace_us that it has stopped; 0: now. The call
 * itself lives until its handler lets go, or far_calls_end(). */
void far_call_refuse_all (const FarHandler *handlers, gpointer self, gint64 grace_us);
/* The instance has gone: what its handlers left open is answered as unavailable and freed. */
void far_calls_end (FarInstance *at);
/* far_handlers_remove() for one that goes on for a while. */
#define FAR_CALL_GRACE_US (5 * G_USEC_PER_SEC)
void far_handlers_retire (const FarHandler *handlers, gpointer self);
/* Answers without a call (refusals before a handler is known). Takes answer. */
void far_call_deliver (FarMessage *answer, gboolean last, FarAnswered answered, gpointer user);
void far_call_gone (gpointer user);
guint far_call_count (void);
const char *far_call_hidden (void); /* the one text for what is not there and what may not be seen */
/* With what another node has answered: its status, body and type. Never kept here, as it may be a secret, and
 * the node that has it done keeps it. The call is gone. */
void far_call_answer_as (FarCall *call, const FarMessage *answer);
/* For watches: who asked, taken out of the call; FALSE: gone already. Then the call's end without an answer.
 */
gboolean far_call_take_asker (FarCall *call, FarAnswered *answered, gpointer *user);
void far_call_drop (FarCall *call);

/* ---- subscription.c ---- */
void far_subscription_user_gone (gpointer user);
void far_subscription_user_busy (gpointer user, gboolean busy);
void far_subscription_self_gone (const FarHandler *handlers, gpointer self);
guint far_subscription_count (void);
