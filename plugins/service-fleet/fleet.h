/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The service that keeps a fleet: who is registered, with which devices, at which site and in which groups
 * (spec B1), how a node joins, renews its certificate and is revoked. It writes core's registry
 * (farwatch/registry.h); what hangs on a terminal elsewhere hears of its end from there. What is kept in
 * memory mirrors rows of the store: loaded at start, written through, and a change counts when its row is
 * durable. Everything here runs on the main context.
 *
 * From the bottom up: calls.c has the options and small questions, rows.c reads the store and write.c writes
 * it, site.c says where a terminal stands, registry.c brings rows into core's registry, known.c says what
 * rights may name. revoke.c has what ends with a node, join.c join tokens, enroll-row.c what an enrolment
 * makes of a node, terminal-show.c how a terminal is seen. Above them are the handlers: terminals.c,
 * terminal-change.c, devices.c, enroll.c, approve.c, renew.c; and server-certificate.c, which renews this
 * server's own. tables.c loads what is mirrored; write.c calls it by the table of functions that fleet.c
 * hands over. fleet.c, with options, handlers and the life of the instance, is on top, and nobody calls into
 * it. */
#pragma once
#include <farwatch/plugin.h>
#include <farwatch/registry.h>
#include <farwatch/trust.h>

G_BEGIN_DECLS

enum { FLEET_AUTHORITY_CLOUD, FLEET_AUTHORITY_ADMIN };

typedef struct {
  char *store, *nodes, *ca;
  int authority;
  gint64 certificate;
} FleetOpts;

typedef struct _Fleet Fleet;

/* What is mirrored in memory, for who writes it (tables.c). */
typedef struct {
  /* Is a revision known of each row of this table? */
  gboolean (*by_revision) (const char *table);
  /* What the store says of a row, into the mirror. row NULL: it is gone. */
  void (*seen) (Fleet *self, const char *table, const char *key, const FarRow *row);
  /* A row that was written in a step before one that failed. revision: as the store has it, where the table
   * is mirrored by it. */
  void (*made) (Fleet *self, const FarPart *part, gint64 revision);
  /* All device rows of a terminal and a bit of what stands behind them, as fleet_devices_read() gives them.
   */
  void (*devices_seen) (Fleet *self, const char *terminal, GPtrArray *rows);
} FleetMirror;

struct _Fleet {
  FarInstance *at;
  const FleetMirror *mirror;
  GHashTable *joins;       /* id → json row of a join token */
  GHashTable *enrollments; /* number → json row of a pending enrolment */
  GHashTable *revisions;   /* "table/key" of a mirrored row → gint64, its revision */
  FarInstanceTimer *own;   /* of this server's own certificate */
  char *ca_pem;            /* the fleet's root, NULL: no enrolment here */
};

const FleetOpts *fleet_opts (Fleet *self);

/* ---- store (rows.c, write.c, tables.c) ---- */

/* Of a row of a mirrored table (tables.c): as it was when last read or written here. */
#define FLEET_EXPECT_KNOWN (-2)

/* error NULL: durable. If the instance goes first, `dropped` runs on user instead (far_request_of()). */
typedef void (*FleetDone) (Fleet *self, const GError *error, gpointer user);
/* rows: GPtrArray of FarRow, borrowed. */
typedef void (*FleetRows) (Fleet *self, const GError *error, GPtrArray *rows, gpointer user);

void fleet_rows_apply (Fleet *self, const FarPart *parts, guint n, FleetDone done, gpointer user,
                       GDestroyNotify dropped);
/* row NULL: delete. takes row. */
void fleet_row_put (Fleet *self, const char *table, const char *key, json_t *row, gint64 expect,
                    FleetDone done, gpointer user, GDestroyNotify dropped);
/* user is not freed. */
void fleet_rows_load (Fleet *self, const char *table, FleetRows rows, gpointer user);
/* The tables that are mirrored; then the registry is known and the instance ready, or it has failed. */
void fleet_tables_load (Fleet *self);
extern const FleetMirror fleet_mirror;
void fleet_revision_set (Fleet *self, const char *table, const char *key, gint64 revision);
/* After a write that made its change from what was known: somebody else's was faster. TRUE: the handler
 * judges again, a bounded number of times, and answers the call; error is not to be told. */
typedef void (*FleetTry) (Fleet *self, FarCall *call, guint tries);
gboolean fleet_again (Fleet *self, const GError *error, FarCall *call, guint tries, FleetTry again);
/* The domain of a write that stopped between its steps: some of its rows are written, some are not. */
#define FLEET_PARTLY (fleet_partly_quark ())
GQuark fleet_partly_quark (void);
/* error of a write, as a person reads it: FAR_ERROR_FULL "cannot record: …", or the conflict itself. */
GError *fleet_cannot_record (const GError *error);
char *fleet_json_text (const json_t *json);
const char *fleet_text (const json_t *json, const char *key); /* NULL where it is no string */

/* ---- calls (calls.c) ---- */

/* The node that calls, known and not revoked; else the call is failed and NULL returned. */
const FarRegistryNode *fleet_calling_terminal (FarCall *call);
gboolean fleet_manages (const FarPrincipal *principal, const char *object);

/* ---- terminals and devices (registry.c, terminals.c, terminal-change.c, devices.c) ---- */

/* What the row says, into the registry. NULL: it is not usable. Borrows row. */
const FarRegistryNode *fleet_terminal_load (Fleet *self, json_t *row);
void fleet_terminal_forget (Fleet *self, const char *id);
/* As people see it, with its revision; new reference. */
json_t *fleet_device_show (const json_t *row);
gboolean fleet_device_load (Fleet *self, json_t *row);
void fleet_device_forget (Fleet *self, const char *key); /* TERMINAL/DEVICE */
#define FLEET_DEVICES_MAX 500                            /* of one terminal */
/* All device rows of a terminal, as far_store_rows() gives them, and a bit of what stands behind them. */
void fleet_devices_read (Fleet *self, const char *terminal, FarRequest *req);
/* Those of the terminal whose names are not in `there` go. */
void fleet_devices_keep (Fleet *self, const char *terminal, GHashTable *there);
char *fleet_object (const char *terminal, const char *device);
/* What is made for a terminal goes when that is removed or replaced: it is written together with the
 * terminal's row as it is, so of the two that cross, the later one is judged again. FALSE: not registered, no
 * part. *text: to be freed when the part has been used. */
gboolean fleet_terminal_part (Fleet *self, const char *terminal, FarPart *part, char **text);
/* A link is up: one of a node that is not registered is cut. */
void fleet_link_up (Fleet *self, const char *peer, const char *from);
/* site.c: site and groups, as rights see them: texts, NULL at the end. */
GPtrArray *fleet_site_names (json_t *row);
/* Form of site and groups, and whether the principal may put a terminal there. before: NULL, or the row so
 * far. */
gboolean fleet_site_check (const FarPrincipal *principal, json_t *before, json_t *now, GError **error);
/* terminal-show.c: as people see it; new reference. */
json_t *fleet_terminal_show (const FarRegistryNode *terminal);
/* What people change of it, so that a renewal of its certificate is no change that they would have to look
 * at; new reference. */
json_t *fleet_terminal_seen (const FarRegistryNode *terminal);
/* Fields of its row that are texts and that people change; NULL-terminated. */
extern const char *const fleet_terminal_fields[];
/* The terminal of part 0; else the call is failed and NULL returned. */
const FarRegistryNode *fleet_called_terminal (FarCall *call);
void fleet_terminals_get (gpointer self, FarCall *call);
void fleet_terminal_get (gpointer self, FarCall *call);
void fleet_terminal_put (gpointer self, FarCall *call);
void fleet_terminal_delete (gpointer self, FarCall *call);
void fleet_statement_get (gpointer self, FarCall *call);
void fleet_device_put (gpointer self, FarCall *call);
void fleet_device_delete (gpointer self, FarCall *call);
void fleet_devices_put (gpointer self, FarCall *call);

/* ---- enrolment (join.c, enroll.c, renew.c) ---- */

#define FLEET_RENEW_AFTER_EXPIRY (G_GINT64_CONSTANT (90) * 24 * 3600 * G_USEC_PER_SEC)

void fleet_join_post (gpointer self, FarCall *call);
/* revoke.c */
void fleet_certificate_set (json_t *row, const char *certificate);
/* From when on the node may have the next one, and when this one ends: as it says itself. An admin signs for
 * a time of their choice, and the option `certificate` may have had another value then. */
void fleet_certificate_life (Fleet *self, json_t *row, gint64 *due_us, gint64 *until_us);
/* What ends with a node that is removed, or whose name another key takes. */
typedef struct {
  char *terminal, *key; /* key: its hash; NULL: another node has the same one */
  GStrv serials;        /* of all its certificates */
  /* ids of what would bring it back; removed: also of what waits for a node of that name */
  GPtrArray *joins, *enrollments;
} FleetRevocation;
FleetRevocation *fleet_revocation_new (Fleet *self, const json_t *row, gboolean removed);
void fleet_revocation_free (FleetRevocation *revocation);
/* Rows for one apply(); texts keeps their memory, revocation their keys. */
void fleet_revocation_parts (const FleetRevocation *revocation, GArray *parts, GPtrArray *texts);
/* Once they are durable. */
void fleet_revocation_now (Fleet *self, const FleetRevocation *revocation);
gboolean fleet_key_is_good (const char *key, const char *node, GError **error);
void fleet_link_cut (Fleet *self, const char *terminal, const char *cause);
/* The token in "id.secret", bound to key: its row (borrowed), or NULL with one polite error for every cause.
 */
json_t *fleet_join_check (Fleet *self, const char *token, const char *key, const char *node, GError **error);
/* May who shows this token come as a terminal that is registered already? Always with all keys it has: keys
 * has ssh and box. */
gboolean fleet_join_gives (json_t *join, const FarRegistryNode *known, const char *key, json_t *keys);
/* Has the row these keys, ssh and box? */
gboolean fleet_keys_same (json_t *row, json_t *keys);
/* enroll-row.c: an enrolment under way; token: the join token's row from now on. */
typedef struct {
  FarCall *call;
  char *node, *join, *spki;
  json_t *row, *keys, *token; /* token: the join token's row from now on */
  FleetRevocation *revoked;   /* the node that had this name with another key; NULL: none */
  guint tries;
} FleetEnrol;
void fleet_enrol_free (gpointer enrol);
/* The node's row with these keys and this certificate; takes statement. Who had the name with another key is
 * in enrol->revoked from now on. */
json_t *fleet_enrol_row (Fleet *self, FleetEnrol *enrol, const char *certificate, json_t *statement);
/* The parts and what is revoked, in one step. done has enrol as its user, which is freed if it is dropped. */
void fleet_enrol_apply (Fleet *self, FleetEnrol *enrol, const FarPart *parts, guint n, FleetDone done);
/* It is durable: the certificates of the one before are void, and so is what it holds. */
void fleet_enrol_replace (Fleet *self, FleetEnrol *enrol);
/* Fails the call: the name is taken. */
void fleet_enrol_taken (FarCall *call, const char *node);
void fleet_enroll_post (gpointer self, FarCall *call);
/* approve.c */
void fleet_enrollments_get (gpointer self, FarCall *call);
void fleet_enrollment_post (gpointer self, FarCall *call);
void fleet_enrollment_delete (gpointer self, FarCall *call);
void fleet_renew_post (gpointer self, FarCall *call);
/* The fleet authority signs here (authority: cloud). */
char *fleet_sign (Fleet *self, const char *csr, const char *node, GError **error);
json_t *fleet_statement_new (Fleet *self, const char *node, json_t *keys, const char *spki, GError **error);

/* known.c */
FarKnows fleet_knows (gpointer self, char **parts);

/* server-certificate.c */
void fleet_server_certificate_start (Fleet *self);

G_END_DECLS
