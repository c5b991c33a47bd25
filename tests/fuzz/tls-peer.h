/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The other side of a TLS connection in memory: GnuTLS itself, with certificates made once a process. */
#pragma once
#include <farwatch/tls.h>
#include <gnutls/gnutls.h>

/* What is joined. */
enum {
  PAIR_CLIENT = 1, /* we are the client, the peer is the server */
  PAIR_TLS12 = 2,
  PAIR_STRANGER = 4, /* the peer's certificate is of another authority */
  PAIR_RESUMED = 8,  /* with a ticket of an earlier connection of the same sort, if there was one */
  PAIR_CERT = 16,    /* the client shows a certificate */
  PAIR_ASKS = 32,    /* the server asks for one */
  PAIR_SORTS = 64
};

typedef struct {
  guint sort;
  gnutls_session_t session;
  GByteArray *in;             /* what we wrote and it has not read; somebody else's */
  GByteArray *out;            /* records for us */
  gsize said, got;            /* bytes of content */
  gboolean open, over, ended; /* over: has failed, or nothing can come any more; ended: by our close_notify */
  gboolean bye;               /* it has said its own */
} TlsPeer;

/* Our settings for this sort, made when first asked for. */
FarTls *tls_pair_ours (guint sort);

void tls_peer_init (TlsPeer *peer, guint sort, GByteArray *in);
void tls_peer_clear (TlsPeer *peer);
/* Reads what has come, and checks it. TRUE: something has happened. */
gboolean tls_peer_turn (TlsPeer *peer);
/* One record of content; size at most 16384. */
void tls_peer_say (TlsPeer *peer, gsize size);
/* New keys in TLS 1.3, a new handshake in TLS 1.2. */
void tls_peer_renew (TlsPeer *peer);
void tls_peer_bye (TlsPeer *peer);
void tls_peer_warn (TlsPeer *peer);

/* The content of both directions: what stands at this place of it. */
guint8 tls_content (gsize at);
