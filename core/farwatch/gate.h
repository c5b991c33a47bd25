/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The accept gate: the one place that counts connections and decides who goes when a limit is reached.
 *
 * Whoever has not logged in holds a slot before login. When a limit is reached, the newcomer is let in and
 * one of those that may be evicted (far_gate_evictable()) and have not logged in goes: of the address that
 * holds most of them (IPv4 /32; IPv6 the /56 that holds most, in it the /64 that holds most) the oldest
 * silent one (far_gate_heard() was not called), else the oldest. The newcomer is refused only when nobody can
 * go. Who has logged in is never evicted.
 *
 * per_address bounds what one address (/32, /64) may hold before login; a /56 may hold four times as much.
 * Who is over it loses its own oldest silent connection, never somebody else's; without a silent one the
 * newcomer is refused.
 *
 * Known addresses (/32, /64), from which somebody logged in, or was still logged in, within a day (4096 of
 * them, the oldest forgotten), have a quarter of unverified_total for themselves, and go only when no
 * stranger can. `trusted` nets count as known and have no share of their own.
 *
 * Before login a peer may take FAR_GATE_BYTES bytes and FAR_GATE_SECONDS seconds: far_gate_over() tells, from
 * TCP_INFO and the clock; the owner asks at every wake-up and from a timer. Refusals and evictions are
 * counted with far_count() under fixed words.
 * Functions are [any thread] unless their comment says otherwise. */
#pragma once
#include <farwatch/error.h>
#include <farwatch/loop.h>
#include <sys/socket.h>

G_BEGIN_DECLS

#define FAR_GATE_BYTES (48 * 1024)
#define FAR_GATE_SECONDS 10

typedef struct _FarGate FarGate;
typedef struct _FarPass FarPass;

typedef struct {
  guint total, per_address, unverified_total; /* 0: no limit */
  const char *const *trusted;                 /* "10.0.0.0/8"; copied */
  /* Static names of the options that set the limits, for the text of a refusal; NULL: "max-connections",
   * "max-per-address", and none for unverified_total; "": no option sets it. */
  const char *total_option, *per_address_option, *unverified_option;
} FarGateLimits;

/* What a listener's options say of these limits, for a struct S with `gint64 unverified, per_address;` and
 * `GStrv trusted;` (farwatch/option.h). */
#define FAR_GATE_OPTIONS(S)                                                                                  \
  { .name = "unverified",                                                                                    \
    .type = FAR_OPT_INT,                                                                                     \
    .offset = G_STRUCT_OFFSET (S, unverified),                                                               \
    .fallback = "64",                                                                                        \
    .summary = N_ ("connections at once that have not logged in"),                                           \
    .min = 1,                                                                                                \
    .max = 100000 },                                                                                         \
      { .name = "per-address",                                                                               \
        .type = FAR_OPT_INT,                                                                                 \
        .offset = G_STRUCT_OFFSET (S, per_address),                                                          \
        .fallback = "16",                                                                                    \
        .summary = N_ ("of these, from one address (one /64)"),                                              \
        .min = 1,                                                                                            \
        .max = 100000 },                                                                                     \
  {                                                                                                          \
    .name = "trusted", .type = FAR_OPT_LIST, .flags = FAR_OPT_NETS, .offset = G_STRUCT_OFFSET (S, trusted),  \
    .summary = N_ ("nets that are not counted by address")                                                   \
  }

typedef struct {
  guint now, unverified; /* evicted ones are in neither */
  guint known;           /* of the unverified: from known or trusted addresses */
  guint64 refused, evicted;
} FarGateCounts;

/* name begins the text of a refusal; NULL: nothing does (where a log line's prefix says it). */
FarGate *far_gate_new (const char *name, const FarGateLimits *limits);
FarGate *far_gate_ref (FarGate *gate);
/* Drops a reference; passes that are out keep the gate alive. NULL is fine. */
void far_gate_free (FarGate *gate);
/* From now on; who is in stays. */
void far_gate_set_limits (FarGate *gate, const FarGateLimits *limits);
FarGateCounts far_gate_counts (FarGate *gate);
/* TRUE: the address is trusted, or known by a login. address NULL: FALSE. */
gboolean far_gate_knows (FarGate *gate, const struct sockaddr *address);

/* Address NULL, or one that is no IP address (a unix socket): only the totals count. fd stays the caller's:
 * it is asked what has come (TCP_INFO, FIONREAD) as long as the pass is out; -1: none. FAR_ERROR_LIMIT names
 * the limit, its value and its option. */
FarPass *far_gate_enter (FarGate *gate, int fd, const struct sockaddr *address, GError **error);
/* The same for who comes by a unix socket: counted by uid (per_address is its share). uid 0 is never refused
 * and never evicted. */
FarPass *far_gate_enter_uid (FarGate *gate, int fd, guint uid, GError **error);

/* [loop] From now on the pass may be evicted: evicted(data) runs once, at loop, and never after
 * far_gate_leave() or far_gate_verified(). Its owner then ends the connection and calls far_gate_leave(). An
 * evicted pass no longer counts at once, before evicted() has run. To take the connection to another loop:
 * call it with loop NULL at the old one (nothing is told meanwhile), then at the new one with that. */
void far_gate_evictable (FarPass *pass, FarLoop *loop, FarLoopFunc evicted, gpointer data);
/* Its first bytes came: silent ones go before it. (Bytes that still wait in the kernel count as well.) */
void far_gate_heard (FarPass *pass);
/* Logged in: leaves the counts before login, cannot be evicted any more, makes its address known. When its
 * eviction had been decided but not told, it stays (one more than the limit, for once). [loop] when
 * far_gate_evictable() was called, else [any thread]. */
void far_gate_verified (FarPass *pass);
/* TRUE: cut it; cause "too slow" | "too many bytes before login" */
gboolean far_gate_over (FarPass *pass, const char **cause);
/* Frees the pass; NULL is fine. [loop] while it may be evicted, else [any thread]. */
void far_gate_leave (FarPass *pass);

/* "192.0.2.1" / "2001:db8::1" of an address without port; "unix" otherwise. Caller frees. */
char *far_address_text (const struct sockaddr *address);
/* Is address inside net ("10.0.0.0/8", "2001:db8::/64", a lone address; "unix" is inside "unix" only)?
 * FAR_ERROR_INVALID for a bad net. */
gboolean far_address_in (const char *address, const char *net, GError **error);
/* Is host:port what item says: HOST, HOST:PORT, an address or a net? No name is looked up,
 * and its letters may be of either case. FALSE with FAR_ERROR_INVALID for an item of no such form. [any
 * thread] */
gboolean far_address_at (const char *host, guint16 port, const char *item, GError **error);

G_END_DECLS
