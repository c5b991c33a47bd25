/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Principals and rights. Default deny. A right is a row {who, action, object, hours, longest, from, needs,
 * until}; what a person may see is what a right of any action lets them see. A forwarded person is the
 * forwarding node's word: judged as node AND person.
 * Functions are [main] unless their comment says otherwise. */
#pragma once
#include <farwatch/error.h>
#include <jansson.h>

G_BEGIN_DECLS

typedef enum {
  FAR_PRINCIPAL_NONE,
  FAR_PRINCIPAL_LOCAL,
  FAR_PRINCIPAL_PERSON,
  FAR_PRINCIPAL_NODE
} FarPrincipalKind;

/* Immutable, counted. [any thread] */
typedef struct {
  gint refs;
  FarPrincipalKind kind;
  char *name;      /* "alice", "term-1", "root" */
  GStrv groups;    /* of a person; may be NULL */
  gboolean super;  /* local root or the daemon's own uid: may all */
  char *via;       /* delegated: the node that speaks for them; NULL: none */
  char *from;      /* address the interface saw, "" if none */
  gint64 until_us; /* wall; 0: no end */
  gint64 since_us; /* boottime at which it was made: a person's logins end when the person is removed */
} FarPrincipal;

/* A principal with one reference; all is copied, groups may be NULL, name and from NULL read "". until_us is
 * the caller's to set before it is shown to others. [any thread] */
FarPrincipal *
far_principal_new (FarPrincipalKind kind, const char *name, const char *const *groups, const char *from);
/* A reference more, returned; and one less, NULL is fine. [any thread] */
FarPrincipal *far_principal_ref (const FarPrincipal *principal);
void far_principal_unref (FarPrincipal *principal);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FarPrincipal, far_principal_unref)
/* "person:alice", "node:term-1", "local:root", "nobody"; caller frees. [any thread] */
char *far_principal_text (const FarPrincipal *principal);

typedef enum {
  FAR_ACTION_NONE = 0, /* handler is open to whoever passed the interface's login */
  FAR_ACTION_SEE = 1 << 0,
  FAR_ACTION_CONNECT = 1 << 1,
  FAR_ACTION_CONNECT_RAW = 1 << 2,
  FAR_ACTION_WATCH = 1 << 3,
  FAR_ACTION_COPY = 1 << 4,
  FAR_ACTION_ACT = 1 << 5,
  FAR_ACTION_APPROVE = 1 << 6,
  FAR_ACTION_MANAGE = 1 << 7,
  FAR_ACTION_NODE = 1 << 8,   /* only for a verified node, about itself */
  FAR_ACTION_ANYONE = 1 << 9, /* before login: `login`, `enroll` */
  FAR_ACTION_KNOW = 1 << 10   /* of handlers only: who may know that the object exists; the handler shows what
                                 far_authorize_see() lets through */
} FarAction;
/* The word of one action ("connect-raw"), static; and back, FAR_ACTION_NONE: unknown. [any thread] */
const char *far_action_name (FarAction action);
FarAction far_action_parse (const char *name);

/* Object path: "node" (this node itself), "terminals/T", "terminals/T/devices/D", "users/U", "rights/R",
 * "sessions/S"… */
typedef struct {
  gint64 wall_us;   /* 0: now */
  gint64 length_us; /* wished connection time; 0: does not matter */
  const char *from; /* address; NULL: principal's */
  const char *application;
} FarCircumstances;

typedef enum { FAR_DECISION_DENY, FAR_DECISION_ALLOW, FAR_DECISION_NEEDS_APPROVAL } FarDecision;

/* cause: static text of the true reason on deny ("no right", "outside hours", "too long", "wrong address",
 * "expired"). [main] */
FarDecision far_authorize (const FarPrincipal *principal, FarAction action, const char *object,
                           const FarCircumstances *how, const char **cause);
/* May the principal know that the object exists? By a right of any action to it, to what it is part of, or to
 * a part of it: a terminal must be found by who may reach one of its devices. Not more than its name follows
 * from this. [main] */
gboolean far_visible (const FarPrincipal *principal, const char *object);
/* May the principal see what the object is, holds and did? By a right of any action to it or to what it is
 * part of; one to a part of it is not enough. The same as FAR_ACTION_SEE asks, and what a node may see of
 * itself. Whatever tells more than a name goes through this. [main] */
gboolean far_authorize_see (const FarPrincipal *principal, const char *object);
/* JSON: each right that is for the principal (or for the node that vouches for them) and what it said, in
 * order; how many are for others. For `farctl explain`. */
json_t *far_explain (const FarPrincipal *principal, FarAction action, const char *object,
                     const FarCircumstances *how);

/* The object ("terminals/t1", two parts) is also known by these names ("sites/north", "groups/pumps"): a
 * right to one of them covers it and what is below it ("sites/north/devices/plc*"). Replaces the names it
 * had; NULL or none: forgotten, if they are the owner's. Copied. [main] */
void far_right_alias (gconstpointer owner, const char *object, const char *const *names);

/* Are wall_us … wall_us + length_us inside hours as a right writes them ("mon-fri 08:00-18:00")? FALSE with
 * FAR_ERROR_INVALID for text that is none. [any thread] */
gboolean far_hours_contain (const char *hours, gint64 wall_us, gint64 length_us, GError **error);

/* The set in force. A right's JSON: {"id","who":"alice"|"@group"|"*","action","object":"terminals/t1" (a
 * glob),"hours":"mon-fri 08:00-18:00",
 * "longest":"30m","from":"192.0.2.0/24","needs":"approval","until":"2027-01-01"}; who, action, object
 * required. [main] */
gboolean far_right_check (json_t *right, GError **error); /* form only */
gboolean far_right_set (json_t *right, GError **error);   /* add or replace by id */
gboolean far_right_remove (const char *id);
json_t *far_right_list (void);
/* "alice may connect terminals/t1, longest 30m, needs approval"; caller frees. [any thread] */
char *far_right_text (const json_t *right);

G_END_DECLS
