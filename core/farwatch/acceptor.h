/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The acceptor: the one accept loop of all listeners.
 *
 * It takes connections from a listening socket (TCP or unix) in batches of 64, so that other events of its
 * loop get their turn; any error of accept4() but those of a single connection pauses it for a second, with a
 * complaint. Where asked for, it reads the header of the PROXY protocol version 2 (haproxy,
 * proxy-protocol.txt), asks a rate and the gate, sets socket options, and hands what is left to came(). Who
 * is refused is reset. */
#pragma once
#include <farwatch/gate.h>
#include <farwatch/loop.h>
#include <farwatch/instance.h>

G_BEGIN_DECLS

#define FAR_ACCEPT_BATCH 64
#define FAR_PROXY_MAX 536   /* bytes of a PROXY header, all of it */
#define FAR_PROXY_SECONDS 5 /* to send it; the oldest of 1024 that still do goes for a newcomer */

typedef struct _FarAcceptor FarAcceptor;

/* All of it is copied. */
typedef struct {
  FarInstance *at;  /* whose log lines these are; NULL: name begins them */
  const char *name; /* for log lines without an instance: "control socket" */
  FarGate *gate;    /* NULL: none. A reference is taken. */
  /* Nets whose connections begin with a PROXY header; "unix": all of a unix socket. NULL: none. Version 2
   * only; LOCAL, and PROXY with TCP over IPv4 or IPv6, unix stream or unspecified; TLVs are passed over.
   * Anything else, or nothing in time, closes the connection, with a complaint and a count. A header that
   * comes from elsewhere is not looked at: it is what the peer said first. */
  const char *const *proxies;
  /* connections a second of one address (/32, /64) that the gate does not know; twice as many at once. 0: no
   * limit */
  double per_second;
  gboolean nodelay; /* TCP_NODELAY */
  /* TCP_USER_TIMEOUT: unacknowledged for so long means gone; 0: the kernel's own */
  guint user_timeout_ms;
  /* [loop] fd: connected, non-blocking, close-on-exec; takes it. address: the peer's, or the one that the
   * PROXY header tells; valid during the call. AF_UNIX: from is "unix". from: as text without port. pass:
   * takes it; NULL without a gate. It may free the acceptor. */
  void (*came) (int fd, const struct sockaddr *address, const char *from, FarPass *pass, gpointer user);
  gpointer user;
} FarAcceptorSpec;

/* Begins at once. loop: an I/O thread or main. listen_fd stays the caller's, open until far_acceptor_free().
 * [loop] */
FarAcceptor *far_acceptor_new (FarLoop *loop, int listen_fd, const FarAcceptorSpec *spec);
/* Other proxies from now on (a reload); copied, NULL: none. [loop] */
void far_acceptor_set_proxies (FarAcceptor *acceptor, const char *const *proxies);
/* came() is not called any more; those whose PROXY header was still awaited are closed. NULL is fine. [loop]
 */
void far_acceptor_free (FarAcceptor *acceptor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FarAcceptor, far_acceptor_free)

G_END_DECLS
