/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Digest authentication with SHA-256 (RFC 7616, RFC 8760), the server's side. Nonces need no memory: each
 * says when and for which connection it was made, under a key of this process. What must be remembered, the
 * highest count seen, stands with the connection.
 * Functions are [one thread]. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

#define SIP_DIGEST_NONCE_US (300 * (gint64) G_USEC_PER_SEC)

typedef struct _SipDigest SipDigest;

/* users: lines "name:realm:HA1", HA1 = SHA-256 of "name:realm:password" in hex, as htdigest has it with
 * MD5. Lines of another realm are passed over. NULL and *error: a line is none, or there is no user. */
SipDigest *sip_digest_new (const char *realm, const char *users, GError **error);
void sip_digest_free (SipDigest *digest);
gboolean sip_digest_knows (SipDigest *digest, const char *user);

/* The value of WWW-Authenticate or Proxy-Authenticate; caller frees. */
char *sip_digest_challenge (SipDigest *digest, guint64 flow, gint64 now_us, gboolean stale);

typedef enum { SIP_DIGEST_BAD, SIP_DIGEST_STALE, SIP_DIGEST_GOOD } SipDigestVerdict;

typedef struct {
  const char *method, *uri; /* of the request */
  guint64 flow;
  gint64 now_us;
  char **nonce;         /* the last one that this connection used, NULL: none; replaced */
  guint32 *nonce_count; /* its highest count */
} SipDigestAsk;

/* params: "name=value" texts, ending with NULL. GOOD: *user is who it is, borrowed. */
SipDigestVerdict
sip_digest_check (SipDigest *digest, const char *const *params, const SipDigestAsk *ask, const char **user);

/* Hex SHA-256 (64 characters and NUL) of the answer, as RFC 7616 3.4.1 has it with qop=auth. */
void sip_digest_response (const char *ha1, const char *nonce, const char *nc, const char *cnonce,
                          const char *method, const char *uri, char response[65]);
/* HA1 of a user. */
void sip_digest_ha1 (const char *user, const char *realm, const char *password, char ha1[65]);

G_END_DECLS
