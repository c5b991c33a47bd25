/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside of the gate: limits and passes (gate.c), who waits by where it comes from (gate-slots.c), known
 * addresses (gate-known.c). All of it under the gate's lock. */
#pragma once
#include <farwatch/gate.h>

G_BEGIN_DECLS

/* ---- addresses as keys ---- */

typedef enum { FAR_NET_NOBODY, FAR_NET_V4, FAR_NET_V6, FAR_NET_UID } FarNetKind;

/* salt: strangers choose addresses, they shall not choose their buckets of a hash table. */
typedef struct {
  guint64 net; /* IPv4: the address; IPv6: its upper 64 bits; uid */
  guint32 kind, salt;
} FarNetKey;

guint far_net_key_hash (gconstpointer key);
gboolean far_net_key_equal (gconstpointer a, gconstpointer b);
/* The net a peer counts as: IPv4 /32, IPv6 /64; NOBODY for other addresses and NULL. */
FarNetKey far_net_key (const struct sockaddr *address, guint32 salt);

/* ---- who waits ---- */

typedef struct _FarSite FarSite;
typedef struct _FarPlaces FarSlots;

/* One address (/32, /64, uid) with at least one connection before login. */
typedef struct {
  FarNetKey key;
  FarSite *site;
  GList link;           /* in the site's nets */
  guint waiting;        /* before login, evictable or not */
  GQueue silent, heard; /* evictable ones, oldest first, by their links */
} FarNet;

typedef enum { FAR_PASS_WAITING, FAR_PASS_VERIFIED, FAR_PASS_EVICTED, FAR_PASS_TOLD } FarPassState;

struct _FarPass {
  FarGate *gate;
  int fd;
  FarNetKey key;
  gint64 entered_us;
  guint64 number; /* in the order of entering */
  FarPassState state;
  gboolean heard, evictable, never_evicted;
  FarNet *net;        /* while it waits */
  GList link;         /* in one of the net's queues while it is evictable and waits */
  FarDeferred *later; /* [loop] frees it */
  FarLoopFunc evicted;
  gpointer data;
};

FarSlots *far_slots_new (void);
void far_slots_free (FarSlots *slots);
/* How many wait: strangers, known ones. */
guint far_slots_waiting (const FarSlots *slots, gboolean known);
/* What the net, and the strangers of its /56, hold. */
guint far_slots_net_waiting (const FarSlots *slots, const FarNetKey *key);
guint far_slots_site_waiting (const FarSlots *slots, const FarNetKey *key);

/* The pass waits from now on, until it leaves; all of its net are known or strangers. */
void far_slots_enter (FarSlots *slots, FarPass *pass, gboolean known);
void far_slots_leave (FarSlots *slots, FarPass *pass);
/* It may be evicted, or may not; it has said something. */
void far_slots_offer (FarSlots *slots, FarPass *pass);
void far_slots_withdraw (FarSlots *slots, FarPass *pass);
void far_slots_heard (FarSlots *slots, FarPass *pass);

/* Who goes; NULL: nobody can. */
FarPass *far_slots_victim (const FarSlots *slots, gboolean known);
/* The oldest silent one of the net; of the strangers of its /56. */
FarPass *far_slots_silent_of_net (const FarSlots *slots, const FarNetKey *key);
FarPass *far_slots_silent_of_site (const FarSlots *slots, const FarNetKey *key);

/* ---- known addresses ---- */

#define FAR_KNOWN_MAX 4096
#define FAR_KNOWN_US (24 * 3600 * (gint64) G_USEC_PER_SEC)

typedef struct _FarKnown FarKnown;

FarKnown *far_known_new (void);
void far_known_free (FarKnown *known);
void far_known_add (FarKnown *known, const FarNetKey *key, gint64 now_us);
gboolean far_known_has (FarKnown *known, const FarNetKey *key, gint64 now_us);

G_END_DECLS
