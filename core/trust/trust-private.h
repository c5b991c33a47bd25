/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Helpers of the trust files; not installed. All [any thread], all block for file reads only. */
#pragma once
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include <farwatch/trust.h>

G_BEGIN_DECLS

#define FAR_TRUST_FILE_MAX (64 * 1024)
#define FAR_TRUST_CHAIN_MAX 8

G_DEFINE_AUTO_CLEANUP_FREE_FUNC (gnutls_x509_crt_t, gnutls_x509_crt_deinit, NULL)
G_DEFINE_AUTO_CLEANUP_FREE_FUNC (gnutls_x509_crq_t, gnutls_x509_crq_deinit, NULL)
G_DEFINE_AUTO_CLEANUP_FREE_FUNC (gnutls_x509_privkey_t, gnutls_x509_privkey_deinit, NULL)
G_DEFINE_AUTO_CLEANUP_FREE_FUNC (gnutls_privkey_t, gnutls_privkey_deinit, NULL)
G_DEFINE_AUTO_CLEANUP_FREE_FUNC (gnutls_pubkey_t, gnutls_pubkey_deinit, NULL)

/* A list of certificates that frees them. */
typedef struct {
  gnutls_x509_crt_t at[FAR_TRUST_CHAIN_MAX];
  guint n;
} FarCerts;
void far_certs_clear (FarCerts *certs);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (FarCerts, far_certs_clear)

/* FALSE with "what: GnuTLS's text" when rc < 0. */
gboolean far_trust_ok (int rc, FarErrorCode code, const char *what, GError **error);
/* What an accepted certificate says of the clock, for when its owner has proved to have the key: who shows it
 * may have seen it somewhere. */
typedef struct {
  gboolean told_wrong; /* it is good by the system's clock, and not by what other nodes have told */
  /* a server of nodes tells no time at which its certificate would have ended, and would lock it out; 0: no
   * such */
  gint64 until_us;
} FarTrustClock;
void far_trust_clock_take (const FarTrustClock *clock);
/* far_trust_check_der() for GnuTLS: also says which alert fits a refusal. */
gboolean
far_trust_check_raw (const gnutls_datum_t *chain, guint n, const char *ca_file, FarPurpose purpose,
                     const char *name, char **node, int *alert, FarTrustClock *clock, GError **error);
/* Has an authority of ca_file signed it, in whatever time? */
gboolean far_trust_signed (const char *chain_pem, const char *ca_file);
/* Reads a small regular file; FAR_ERROR_CONFIG. */
gboolean far_trust_read (const char *path, char **text, gsize *size, GError **error);
gboolean far_trust_write (const char *path, const char *text, int mode, GError **error);
/* All certificates of a PEM text or file, 1…FAR_TRUST_CHAIN_MAX; certs empty before. */
gboolean far_certs_load (FarCerts *certs, const char *pem, gsize size, GError **error);
gboolean far_certs_load_file (FarCerts *certs, const char *path, GError **error);
gnutls_x509_privkey_t far_trust_key_load (const char *path, GError **error);
/* Seconds since 1970 that are believed: never before the build. */
time_t far_trust_now (void);
/* Have these signatures been found right before? digest: hex of a hash over authorities and chain. [any
 * thread] */
gboolean far_trust_seen (const char *digest);
void far_trust_remember (const char *digest);
/* The form of a node id: [A-Za-z0-9][A-Za-z0-9._-]{0,63}. */
gboolean far_trust_name_ok (const char *name);
/* "sha256:" and hex of bytes; caller frees. */
char *far_trust_digest (const void *data, gsize size);
/* The one common name; NULL when there is none, several, or one with a NUL. */
char *far_cert_name (gnutls_x509_crt_t cert);
char *far_cert_serial (gnutls_x509_crt_t cert);
/* As far_trust_key_hash(). */
char *far_cert_key_hash (gnutls_x509_crt_t cert, GError **error);
/* Does a subject alternative name say so, exactly? FALSE as well when any entry holds a NUL. */
gboolean far_cert_has_name (gnutls_x509_crt_t cert, const char *name);
char *far_cert_names (gnutls_x509_crt_t cert); /* "cloud.example, 192.0.2.1", the first few; caller frees */
gboolean far_cert_has_purpose (gnutls_x509_crt_t cert, const char *oid);

G_END_DECLS
