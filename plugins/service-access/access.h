/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cloud's side of access on demand (spec B1, B3–B8, B10–B13). What is kept in memory mirrors rows of the
 * store: loaded at start, written through, and a change counts when its row is durable. Everything here runs
 * on the main context.
 *
 * One file, one idea. The registry: registry.c and devices.c, site.c (site and groups), known.c (what rights
 * name). Joining: join.c (join tokens), enroll.c, renew.c, revoke.c, server-certificate.c (this server's
 * certificate). A session, which core's book keeps: session-create.c (a person asks),
 * refusal.c, allocate.c (Z, X, Y) out of nodes.c, offer.c (credential), entry.c (streams), poll.c, session.c
 * (effects of its states), recheck.c (rights taken away), close.c, session-json.c. What is told later:
 * history.c, rejected.c (who was turned away). The store: tables.c and rows.c (reading), write.c. calls.c has
 * what several handlers ask. */
#pragma once
#include <farwatch/book.h>
#include <farwatch/plugin.h>
#include <farwatch/registry.h>
#include <farwatch/trust.h>

G_BEGIN_DECLS

enum { ACCESS_AUTHORITY_CLOUD, ACCESS_AUTHORITY_ADMIN };

typedef struct {
  char *store, *nodes, *tokens, *ca;
  GStrv tunnels;
  int authority;
  gint64 longest, usual, grace, poll, certificate;
  gint64 sessions, sessions_each;
  gboolean push;
} AccessOpts;

typedef struct _Access Access;

struct _Access {
  FarInstance *at;
  FarBook *book;             /* of sessions */
  GHashTable *sessions;      /* the book's: id → AccessSession */
  GHashTable *joins;         /* id → json row of a join token */
  GHashTable *enrollments;   /* number → json row of a pending enrolment */
  GHashTable *revisions;     /* "table/key" of a mirrored row → gint64, its revision */
  FarInstanceTimer *recheck; /* of rights under open sessions */
  FarInstanceTimer *asking;  /* for polls, by who has given no nonce */
  FarInstanceTimer *own;     /* of this server's own certificate */
  GHashTable *refusals;      /* person → rows written in this minute */
  gint64 refusals_us;        /* boottime at which the minute began */
  char *ca_pem;              /* the fleet's root, NULL: no enrolment here */
};

const AccessOpts *access_opts (Access *self);

/* ---- store (rows.c, write.c, tables.c) ---- */

/* Of a row of a mirrored table (tables.c): as it was when last read or written here. */
#define ACCESS_EXPECT_KNOWN (-2)

/* error NULL: durable. If the instance goes first, `dropped` runs on user instead (far_request_of()). */
typedef void (*AccessDone) (Access *self, const GError *error, gpointer user);
/* rows: GPtrArray of FarRow, borrowed. */
typedef void (*AccessRows) (Access *self, const GError *error, GPtrArray *rows, gpointer user);

void access_rows_apply (Access *self, const FarPart *parts, guint n, AccessDone done, gpointer user,
                        GDestroyNotify dropped);
/* row NULL: delete. takes row. */
void access_row_put (Access *self, const char *table, const char *key, json_t *row, gint64 expect,
                     AccessDone done, gpointer user, GDestroyNotify dropped);
/* user is not freed. */
void access_rows_load (Access *self, const char *table, AccessRows rows, gpointer user);
/* The tables that are mirrored, then the sessions of the process before; then the instance is ready, or has
 * failed. */
void access_tables_load (Access *self);
gboolean access_table_is_mirrored (const char *table);
/* What the store says of a row, into the mirror. row NULL: it is gone. */
void access_row_seen (Access *self, const char *table, const char *key, const FarRow *row);
/* A row that was written in a step before one that failed, into the mirror. revision: as the store has it,
 * where the table is mirrored by it. */
void access_part_made (Access *self, const FarPart *part, gint64 revision);
void access_revision_set (Access *self, const char *table, const char *key, gint64 revision);
/* After a write that made its change from what was known: somebody else's was faster. TRUE: the handler
 * judges again, a bounded number of times, and answers the call; error is not to be told. */
typedef void (*AccessTry) (Access *self, FarCall *call, guint tries);
gboolean access_again (Access *self, const GError *error, FarCall *call, guint tries, AccessTry again);
/* The domain of a write that stopped between its steps: some of its rows are written, some are not. */
#define ACCESS_PARTLY (access_partly_quark ())
GQuark access_partly_quark (void);
/* error of a write, as a person reads it: FAR_ERROR_FULL "cannot record: …", or the conflict itself. */
GError *access_cannot_record (const GError *error);
char *access_json_text (const json_t *json);
const char *access_text (const json_t *json, const char *key); /* NULL where it is no string */

/* ---- calls (calls.c) ---- */

gboolean access_name_fits (const char *name);
/* The node that calls, known and not revoked; else the call is failed and NULL returned. */
const FarRegistryNode *access_calling_terminal (Access *self, FarCall *call);
gboolean access_manages (const FarPrincipal *principal, const char *object);

/* ---- registry (registry.c) ---- */

/* What the row says, into the registry. NULL: it is not usable. Borrows row. */
const FarRegistryNode *access_terminal_load (Access *self, json_t *row);
void access_terminal_forget (Access *self, const char *id);
gboolean access_is_stock (const FarRegistryNode *terminal);
/* As people see it, with its revision; new reference. */
json_t *access_device_show (const json_t *row);
gboolean access_device_load (Access *self, json_t *row);
void access_device_forget (Access *self, const char *key); /* TERMINAL/DEVICE */
/* All device rows of a terminal, as far_store_rows() gives them, and a bit of what stands behind them; and
 * the same taken in. */
void access_devices_read (Access *self, const char *terminal, FarRequest *req);
void access_devices_seen (Access *self, const char *terminal, GPtrArray *rows);
char *access_object (const char *terminal, const char *device);
/* What is made for a terminal goes when that is removed or replaced: it is written together with the
 * terminal's row as it is, so of the two that cross, the later one is judged again. FALSE: not registered, no
 * part. *text: to be freed when the part has been used. */
gboolean access_terminal_part (Access *self, const char *terminal, FarPart *part, char **text);
/* A link is up: one of a node that is not registered is cut. */
void access_registry_peer (Access *self, const char *peer, const char *from);
/* site.c: site and groups, as rights see them: texts, NULL at the end. */
GPtrArray *access_site_names (json_t *row);
/* Form of site and groups, and whether the principal may put a terminal there. before: NULL, or the row so
 * far. */
gboolean access_site_check (const FarPrincipal *principal, json_t *before, json_t *now, GError **error);
void access_terminals_get (gpointer self, FarCall *call);
void access_terminal_get (gpointer self, FarCall *call);
void access_terminal_put (gpointer self, FarCall *call);
void access_terminal_delete (gpointer self, FarCall *call);
void access_statement_get (gpointer self, FarCall *call);
void access_device_put (gpointer self, FarCall *call);
void access_device_delete (gpointer self, FarCall *call);
void access_devices_put (gpointer self, FarCall *call);

/* ---- enrolment (join.c, enroll.c, renew.c) ---- */

#define ACCESS_RENEW_AFTER_EXPIRY (G_GINT64_CONSTANT (90) * 24 * 3600 * G_USEC_PER_SEC)

void access_join_post (gpointer self, FarCall *call);
/* revoke.c */
void access_certificate_set (json_t *row, const char *certificate);
/* From when on the node may have the next one, and when this one ends: as it says itself. An admin signs for
 * a time of their choice, and the option `certificate` may have had another value then. */
void access_certificate_life (Access *self, json_t *row, gint64 *due_us, gint64 *until_us);
/* What ends with a node that is removed, or whose name another key takes. */
typedef struct {
  char *terminal, *key; /* key: its hash; NULL: another node has the same one */
  GStrv serials;        /* of all its certificates */
  /* ids of what would bring it back; removed: also of what waits for a node of that name */
  GPtrArray *joins, *enrollments;
} AccessRevocation;
AccessRevocation *access_revocation_new (Access *self, const json_t *row, gboolean removed);
void access_revocation_free (AccessRevocation *revocation);
/* Rows for one apply(); texts keeps their memory, revocation their keys. */
void access_revocation_parts (const AccessRevocation *revocation, GArray *parts, GPtrArray *texts);
/* Once they are durable. */
void access_revocation_now (Access *self, const AccessRevocation *revocation);
gboolean access_key_is_good (const char *key, const char *node, GError **error);
void access_registry_cut (Access *self, const char *terminal, const char *cause);
/* The token in "id.secret", bound to key: its row (borrowed), or NULL with one polite error for every cause.
 */
json_t *
access_join_check (Access *self, const char *token, const char *key, const char *node, GError **error);
/* May who shows this token come as a terminal that is registered already? Always with all keys it has: keys
 * has ssh and box. */
gboolean access_join_gives (json_t *join, const FarRegistryNode *known, const char *key, json_t *keys);
/* Has the row these keys, ssh and box? */
gboolean access_keys_same (json_t *row, json_t *keys);
void access_enroll_post (gpointer self, FarCall *call);
void access_enrollments_get (gpointer self, FarCall *call);
void access_enrollment_post (gpointer self, FarCall *call);
void access_enrollment_delete (gpointer self, FarCall *call);
void access_renew_post (gpointer self, FarCall *call);
/* The fleet authority signs here (authority: cloud). */
char *access_sign (Access *self, const char *csr, const char *node, GError **error);
json_t *access_statement_new (Access *self, const char *node, json_t *keys, const char *spki, GError **error);

/* ---- sessions ---- */

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
  gboolean reserving;
  json_t *offer;      /* of this generation, NULL: being made */
  gboolean withhold;  /* the terminal holds this very offer */
  gint64 offered_us;  /* boottime */
  gboolean stock_end; /* deadline at one end only */
  guint64 turned_away;
  GPtrArray *turned; /* of rejected.c */
  char *trouble;     /* why the last one was turned away, or came to nothing; NULL: none was */
  gint64 trouble_us; /* when the watchers were told of it, boottime */
  char *ticket;
} AccessSession;

/* session.c */
extern const FarSessionKind access_session_kind;
AccessSession *access_session (Access *self, const char *id);
/* A new generation: old offers are void. */
void access_session_renew_offer (AccessSession *session);
gint64 access_session_wait_us (Access *self);

static inline AccessSession *
access_session_ref (AccessSession *session)
{
  far_session_ref (&session->base);
  return session;
}

static inline void
access_session_unref (AccessSession *session)
{
  far_session_unref (&session->base);
}

static inline gboolean
access_session_live (const AccessSession *session)
{
  return far_session_live (&session->base);
}

static inline gboolean
access_session_event (AccessSession *session, FarSessionEvent event, const char *cause, GError **error)
{
  return far_session_event (&session->base, event, cause, error);
}

static inline void
access_session_tell (AccessSession *session)
{
  far_session_tell (&session->base);
}

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
/* The session of part 0 that the caller may know; else the call is failed and NULL returned. */
AccessSession *access_called_session (Access *self, FarCall *call);

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
/* Which of the terminal's keys the token for its carrier will be bound to, as things are; static. */
const char *access_allocate_key (AccessSession *session);
/* A tunnel server that the profile draws from? */
gboolean access_tunnel_wanted (const AccessOpts *opts, const char *name);
void access_nodes_get (gpointer self, FarCall *call);
void access_offer_make (AccessSession *session);
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

/* known.c */
FarKnows access_knows (gpointer self, char **parts);

/* server-certificate.c */
void access_server_certificate_start (Access *self);

G_END_DECLS
