/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The registry: which nodes are registered with this one, which devices stand behind them, and whether they
 * have a link here now. One service writes it, any other reads it and listens; neither knows who the other
 * is.
 *
 * Entries live with this node, not with the instance that wrote them. While the writer restarts they stand as
 * they are and nobody is told anything: what hangs on a registered node goes on. It ends only when the writer
 * removes the entry, or says that what the node was given is void (far_registry_void()). Whoever begins
 * something new asks far_registry_is_known() first.
 * Functions are [main] unless their comment says otherwise. */
#pragma once
#include <farwatch/message.h>

G_BEGIN_DECLS

/* What is known of one node. Borrowed, and not to be kept over a return to the main context. */
typedef struct {
  const char *id;
  const char *object; /* as rights name it, two parts: "terminals/t1" */
  /* As its writer keeps it; never changed in place, so a reference of one's own stays as it is. Fields for
   * readers: `ssh`, `box`, `spki`: its public keys; `statement`: they are signed, it has joined; `stock`: its
   * end is a stock program of that kind, which sends no messages. Each may be missing. */
  json_t *row;
  /* name → json_t, as its writer keeps it. Fields for readers: `address`, `line`. Never to be changed. */
  GHashTable *devices;
  gboolean connected;          /* it has a link here */
  const char *from;            /* whence its newest link came; NULL: none was seen */
  gint64 seen_us, polled_us;   /* wall, when it was last heard of and last polled; 0: not in this life */
  gint64 skew_us;              /* by how much its clock is ahead of ours; of meaning if skew_told */
  gboolean skew_told;          /* it has said what its clock shows */
  const char *nonce;           /* for a login in advance; NULL: it has given none since its link came */
  const char *const *carriers; /* kinds that it has beside the common ones; NULL: it told none */
} FarRegistryNode;

/* ---- reading ---- */

/* NULL: not registered (id NULL ok). */
const FarRegistryNode *far_registry_node (const char *id);
/* All of them, in no order: const FarRegistryNode, the container to be freed. */
GPtrArray *far_registry_nodes (void);
/* Is there a writer that runs and has said all it knows? FALSE, with FAR_ERROR_UNAVAILABLE and words for
 * people: what is read may be old, and who is missing may be registered. */
gboolean far_registry_is_known (GError **error);
/* A device's object, as rights name it; caller frees. device NULL: the node's. */
char *far_registry_object (const FarRegistryNode *node, const char *device);
/* The device that text names: by its name, else by the port of its address, if the principal may see it; text
 * where there is none. *other: two have that port, this is one (then the result is text); else NULL. Borrowed
 * from the node, or text. */
const char *far_registry_device_named (const FarRegistryNode *node, const FarPrincipal *principal,
                                       const char *text, const char **other);

typedef enum {
  FAR_REGISTRY_ADDED,
  FAR_REGISTRY_CHANGED,  /* its row, or (device) that device */
  FAR_REGISTRY_REPLACED, /* another key has its name: what the one before was given is void */
  FAR_REGISTRY_REVOKED,  /* its key is revoked, and it stays as long as not all that is its own could be
                            removed:  what it was given is void */
  FAR_REGISTRY_REMOVED   /* told while it can still be found, with all it had; (device) that device is gone */
} FarRegistryEventKind;

typedef struct {
  FarRegistryEventKind kind;
  const FarRegistryNode *node;
  const char *device; /* NULL: it is about the node itself */
} FarRegistryEvent;

typedef void (*FarRegistryFunc) (const FarRegistryEvent *event, gpointer user);
/* Listener for all nodes; it reads, and writes nothing from inside its call. It is at's, and ends with it
 * before its stop(); at NULL: nobody's. Returns an id for far_registry_unlisten(); one that has ended is
 * fine. */
guint far_registry_listen (FarInstance *at, FarRegistryFunc func, gpointer user);
void far_registry_unlisten (guint id);

/* ---- what a node says of itself, by whichever service takes its polls ---- */

typedef struct {
  const char *nonce; /* NULL: the one before is still good, and so are the carriers */
  GStrv carriers;    /* NULL: none beside the common ones; copied */
  gboolean has_clock;
  gint64 clock_us; /* wall, as its own clock shows it */
} FarRegistryPoll;
/* A node that is not registered is passed over. */
void far_registry_polled (const char *id, const FarRegistryPoll *poll);

/* ---- which kinds of carrier a node does not reach, by whoever offers them ---- */

/* The node did not get to a carrier of this kind that it was offered. After two times in a row its sessions
 * come by another one for a while: a minute first, then twice as long each time, up to an hour. Those that
 * fail together have failed once. Result: how long, in µs, where that begins now; else 0. */
gint64 far_registry_unreached (const char *id, const char *kind);
/* It has come by one: what failed before is forgotten. TRUE: it was avoided before. */
gboolean far_registry_reached (const char *id, const char *kind);
/* Is one of another kind better for it now? */
gboolean far_registry_avoids (const char *id, const char *kind);
/* Of all nodes: somebody may have opened a port. */
void far_registry_ways_forget (void);
/* For people: [{carrier, failures: in a row, until | null: not avoided now}]; new reference. */
json_t *far_registry_ways_show (const FarRegistryNode *node);

/* ---- writing: calls of an instance that is not the writer do nothing ---- */

/* at is the writer from now on, until it goes, and says all it knows; until far_registry_complete() the
 * registry is not known. transport: on which its nodes come; their links are seen by core. FALSE, with
 * FAR_ERROR_UNAVAILABLE: another instance writes. */
gboolean far_registry_begin (FarInstance *at, const char *transport, GError **error);
/* All has been said: entries that stood before and were not put again are removed. */
void far_registry_complete (FarInstance *at);

typedef struct {
  const char *id, *object;
  const char *const *names; /* further names of object for rights (farwatch/right.h), NULL-terminated */
  json_t *row;              /* kept by a reference */
} FarRegistryEntry;
/* Adds or changes an entry; its devices stay. NULL: at is not the writer. */
const FarRegistryNode *far_registry_put (FarInstance *at, const FarRegistryEntry *entry);
/* What it was given is void: listeners hear kind (REPLACED or REVOKED), the entry stays. */
void far_registry_void (FarInstance *at, const char *id, FarRegistryEventKind kind);
/* REMOVED is told, then the entry goes, with its devices and its further names. */
void far_registry_remove (FarInstance *at, const char *id);
/* row: kept by a reference. FALSE: there is no such node, or at is not the writer. */
gboolean far_registry_device_put (FarInstance *at, const char *id, const char *device, json_t *row);
void far_registry_device_remove (FarInstance *at, const char *id, const char *device);

G_END_DECLS
