/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clearance of nodes: what stands because of a certificate stands as long as that is not revoked.
 *
 * A certificate is judged on a thread of its own while the connection comes up, and the list of what is
 * revoked may grow, or be read at last, before main hears of the connection and at any time after. So a
 * transport keeps what was presented, and a clearance for as long as the link (or the carrier) is there: it
 * is judged anew on main, and then each time the list changes. While the list has not been read, a clearance
 * waits, so that nobody has to be turned away because a store is slow.
 * Functions are [main] unless their comment says otherwise. (security.md) */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

/* What the other side of a connection has presented. Immutable, counted. */
typedef struct {
  gint refs;
  char *node;   /* its id */
  char *serial; /* of its certificate, as far_trust_serial() has it; NULL: none */
  char *key;    /* as far_trust_key_hash() has it; NULL: none */
} FarPresented;

/* Copies what it is given; serial and key: NULL ok. One reference. [any thread] */
FarPresented *far_presented_new (const char *node, const char *serial, const char *key);
/* A reference more, returned; and one less. NULL is fine. [any thread] */
FarPresented *far_presented_ref (FarPresented *presented);
void far_presented_unref (FarPresented *presented);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FarPresented, far_presented_unref)
/* Is its serial number, its key or its node on the list? [any thread] */
gboolean far_trust_revoked_any (const FarPresented *presented);

#define FAR_CLEARANCE_SECONDS 20    /* that one waits for the list */
#define FAR_CLEARANCES_WAITING 4096 /* so many of a node at once */

typedef enum {
  FAR_CLEARANCE_IN,      /* nothing of it is revoked */
  FAR_CLEARANCE_WAITS,   /* what is revoked has not been read yet (far_trust_revoked_known()) */
  FAR_CLEARANCE_REVOKED, /* for good */
  FAR_CLEARANCE_LATE     /* for good: it has waited too long, or too many do */
} FarClearanceState;

typedef struct _FarClearance FarClearance;
/* The state has changed. Not inside of a call that has changed the list, and not after far_clearance_free(),
 * which it may call. */
typedef void (*FarClearanceFunc) (gpointer user);

/* Judges presented, and watches over it from then on. incoming: the other side came to this node, so that it
 * waits for the list; FALSE: this node dialled it. */
FarClearance *
far_clearance_new (FarPresented *presented, gboolean incoming, FarClearanceFunc changed, gpointer user);
FarClearanceState far_clearance_state (const FarClearance *clearance);
/* Somebody else is told from now on: what was presented for one thing has become another. */
void far_clearance_tell (FarClearance *clearance, FarClearanceFunc changed, gpointer user);
void far_clearance_free (FarClearance *clearance /* NULL ok */);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FarClearance, far_clearance_free)

G_END_DECLS
