/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What this side shows and what it demands of the other, for one TLS context. Every verification ends in far_trust_check_der(). */
#pragma once
#include <farwatch/trust.h>
#include <openssl/ssl.h>

typedef struct {
  char *cert, *key;     /* PEM files; cert NULL: shows none */
  char *ca;             /* PEM file, or "sha256:HEX"; NULL: asks for no certificate */
  gboolean cert_wanted; /* client: go without while cert is missing or out of its time */
  FarPurpose purpose;   /* what the other side's certificate must be for */
  char *name;           /* client: the server's name */
  /* the loop's from here on */
  SSL_CTX *context;
  guint64 stamp;        /* of the files in use */
  GError *refusal;      /* why the last peer was refused; a client tells it to people */
} WsTls;

void ws_tls_clear (WsTls *tls);
/* Server: fills a context of the library's making. FAR_ERROR_CONFIG. */
gboolean ws_tls_serve (WsTls *tls, SSL_CTX *context, GError **error);
/* Client: a context of one's own, to be freed with ws_tls_clear(). */
gboolean ws_tls_client (WsTls *tls, GError **error);
/* Loads the files again when they have changed; a bad pair of files is refused and the old one stays in use.
 * TRUE: in use now. *changed: something new. */
gboolean ws_tls_reload (WsTls *tls, gboolean *changed, GError **error);
/* Server: new keys for session tickets. */
void ws_tls_rotate (WsTls *tls);
/* After the handshake, resumed or not: who is it? *node NULL: showed none (server). FAR_ERROR_DENIED. */
gboolean ws_tls_peer (WsTls *tls, SSL *ssl, char **node, GError **error);
