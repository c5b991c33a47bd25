/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside of the acceptor: the loop (acceptor.c), PROXY headers (accept-proxy.c), the rate (accept-rate.c). */
#pragma once
#include <farwatch/acceptor.h>
#include <sys/socket.h>

#include "loop/fd-watch.h"
#include "stream/gate-private.h"

G_BEGIN_DECLS

/* ---- the PROXY header ---- */

#define FAR_PROXY_HEAD 16 /* signature, version and command, family, length */

typedef enum {
  FAR_PROXY_BAD,
  FAR_PROXY_REAL /* the connection's own address holds */,
  FAR_PROXY_TOLD
} FarProxyVerdict;

/* Bytes of the whole header, told by its first FAR_PROXY_HEAD ones; 0: they are none, or it is too long. */
gsize far_proxy_size (const guint8 *head);
/* A whole header. *address is set when TOLD. */
FarProxyVerdict far_proxy_read (const guint8 *header, gsize size, struct sockaddr_storage *address);

/* Those whose header is awaited. */
typedef struct _FarProxyWait FarProxyWait;
/* The header was good; takes fd. */
typedef void (*FarProxyDone) (int fd, const struct sockaddr_storage *address, gpointer user);
/* Something came, or nothing in time, and it is no good header: the connection is closed. */
typedef void (*FarProxyRefused) (const struct sockaddr_storage *peer, gpointer user);

FarProxyWait *far_proxy_wait_new (FarLoop *loop, FarProxyDone done, FarProxyRefused refused, gpointer user);
/* Takes fd; it is closed when no good header comes. done may be called inside, and may free the FarProxyWait.
 */
void far_proxy_wait_add (FarProxyWait *wait, int fd, const struct sockaddr_storage *peer);
void far_proxy_wait_free (FarProxyWait *wait);

/* ---- the rate ---- */

typedef struct _FarRate FarRate;

/* So many a second for each address, twice as many at once. Addresses share 1024 counters by a salted hash:
 * bounded, and a stranger can at worst slow down those who share a counter with him. */
FarRate *far_rate_new (double per_second);
gboolean far_rate_take (FarRate *rate, const struct sockaddr *address, gint64 now_us);

G_END_DECLS
