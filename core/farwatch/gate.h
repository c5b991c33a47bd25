/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The accept gate: one place that counts connections for ssh, Y and control. Per address (/32, /64) it counts unauthenticated connections only;
 * trusted nets are exempt from the per-address count. Before login a peer may take FAR_GATE_BYTES bytes and FAR_GATE_SECONDS seconds: far_gate_over() tells,
 * from TCP_INFO and the clock; the owner asks at every wake-up and from a timer. [any thread] */
#pragma once
#include <farwatch/error.h>
#include <sys/socket.h>

G_BEGIN_DECLS

#define FAR_GATE_BYTES (48 * 1024)
#define FAR_GATE_SECONDS 10

typedef struct _FarGate FarGate;
typedef struct _FarPass FarPass;

typedef struct { guint total, per_address, unverified_total; /* 0: no limit */ const char *const *trusted; /* "10.0.0.0/8"; copied */ } FarGateLimits;

FarGate *far_gate_new (const char *name, const FarGateLimits *limits);
/* From now on; who is in stays. By the thread that enters. */
void far_gate_set_limits (FarGate *gate, const FarGateLimits *limits);
void far_gate_free (FarGate *gate);                      /* after the last pass was left */
/* Address NULL (unix socket): only the totals count. FAR_ERROR_LIMIT. */
/* fd: -1 when there is no TCP connection to look at. */
FarPass *far_gate_enter (FarGate *gate, int fd, const struct sockaddr *address, GError **error);
void far_gate_verified (FarPass *pass);                  /* logged in: leaves the per-address count */
gboolean far_gate_over (FarPass *pass, const char **cause); /* TRUE: cut it; cause "too slow" | "too many bytes before login" */
void far_gate_leave (FarPass *pass);                     /* frees the pass */
void far_gate_counts (FarGate *gate, guint *now, guint *unverified, guint64 *refused);

/* "192.0.2.1" / "2001:db8::1" of an address without port; "unix" otherwise. Caller frees. */
char *far_address_text (const struct sockaddr *address);
/* Is address inside net ("10.0.0.0/8", "2001:db8::/64", a lone address)? FAR_ERROR_INVALID for a bad net. */
gboolean far_address_in (const char *address, const char *net, GError **error);

G_END_DECLS
