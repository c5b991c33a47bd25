/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509_vfy.h>
#include <sys/stat.h>

#include <farwatch/i18n.h>

#define CHAIN_MAX 8

void
ws_tls_clear (WsTls *tls)
{
  g_clear_pointer (&tls->context, SSL_CTX_free);
  g_clear_pointer (&tls->cert, g_free);
  g_clear_pointer (&tls->key, g_free);
  g_clear_pointer (&tls->ca, g_free);
  g_clear_pointer (&tls->name, g_free);
  g_clear_error (&tls->refusal);
}

/* ---- verification ---- */

static GBytes *
der_of (X509 *cert)
{
  guint8 *der = NULL;
  int size = i2d_X509 (cert, &der);
  GBytes *bytes = size > 0 ? g_bytes_new (der, (gsize) size) : g_bytes_new_static ("", 0);

  OPENSSL_free (der);
  return bytes;
}

/* The leaf, then what the peer sent with it, each once. */
static gboolean
check_chain (WsTls *tls, X509 *leaf, STACK_OF (X509) *sent, char **node, GError **error)
{
  GBytes *chain[CHAIN_MAX];
  guint n = 0;
  gboolean ok;

  chain[n++] = der_of (leaf);
  for (int i = 0; i < sk_X509_num (sent) && n < CHAIN_MAX; i++)
    if (X509_cmp (sk_X509_value (sent, i), leaf) != 0)
      chain[n++] = der_of (sk_X509_value (sent, i));
  ok = far_trust_check_der (chain, n, tls->ca, tls->purpose, tls->name, node, error);
  for (guint i = 0; i < n; i++)
    g_bytes_unref (chain[i]);
  return ok;
}

/* Stands in for OpenSSL's whole verification, in a full handshake. */
static int
verify (X509_STORE_CTX *store, void *data)
{
  WsTls *tls = data;
  X509 *leaf = X509_STORE_CTX_get0_cert (store);

  g_clear_error (&tls->refusal);
  if (leaf != NULL && check_chain (tls, leaf, X509_STORE_CTX_get0_untrusted (store), NULL, &tls->refusal)) {
    X509_STORE_CTX_set_error (store, X509_V_OK);
    return 1;
  }
  X509_STORE_CTX_set_error (store, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

gboolean
ws_tls_peer (WsTls *tls, SSL *ssl, char **node, GError **error)
{
  X509 *leaf = ssl == NULL ? NULL : SSL_get1_peer_certificate (ssl);
  gboolean ok;

  *node = NULL;
  if (leaf == NULL)
    return TRUE;
  ok = check_chain (tls, leaf, SSL_get_peer_cert_chain (ssl), node, error);
  X509_free (leaf);
  return ok;
}

/* ---- files ---- */

static guint64
stamp_of (const char *path)
{
  struct stat st;

  if (path == NULL || stat (path, &st) != 0)
    return 0;
  return (guint64) st.st_mtim.tv_sec * 1000000000u + (guint64) st.st_mtim.tv_nsec + (guint64) st.st_ino + (guint64) st.st_size;
}

static gboolean
fail (GError **error, const char *path)
{
  unsigned long code = ERR_peek_last_error ();

  if (g_path_is_absolute (path) && !g_file_test (path, G_FILE_TEST_EXISTS)) {
    ERR_clear_error ();
    g_set_error (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE, _("%s is not there yet: 'farctl ca init' makes the certificate of a cloud, 'farctl enroll' gets one for other nodes"),
                 path);
    return FALSE;
  }
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, _("%s: %s; 'farctl doctor' shows what is there"), path,
               code != 0 && ERR_reason_error_string (code) != NULL ? ERR_reason_error_string (code) : "cannot be used");
  ERR_clear_error ();
  return FALSE;
}

/* A client without a certificate of its own, or with one out of its time, comes without: it can only enroll then. */
static gboolean
goes_without (const WsTls *tls)
{
  g_autofree char *pem = NULL;

  if (!tls->cert_wanted)
    return FALSE;
  return !g_file_get_contents (tls->cert, &pem, NULL, NULL) || !far_trust_check (pem, tls->ca, FAR_PURPOSE_NODE_CLIENT, NULL, NULL, NULL, NULL);
}

static int
choose_cert (SSL *ssl, void *data)
{
  const WsTls *tls = data;

  if (goes_without (tls))
    SSL_certs_clear (ssl);
  return 1;
}

/* A server of nodes shows the authority too, so that who enrolls can compare its hash with the token's. Put there once: left alone OpenSSL would
 * build and verify the chain anew in each handshake. */
static void
show_authority (const WsTls *tls, SSL_CTX *into)
{
  BIO *file = tls->ca == NULL ? NULL : BIO_new_file (tls->ca, "r");
  X509 *cert;

  for (int i = 0; file != NULL && i < CHAIN_MAX && (cert = PEM_read_bio_X509 (file, NULL, NULL, NULL)) != NULL; i++)
    if (SSL_CTX_add0_chain_cert (into, cert) != 1)
      X509_free (cert);
  BIO_free (file);
  ERR_clear_error ();
}

/* Into a context of its own first: a bad pair of files must not spoil what is in use. */
static gboolean
load_pair (const WsTls *tls, SSL_CTX *into, GError **error)
{
  ERR_clear_error ();
  if (SSL_CTX_use_certificate_chain_file (into, tls->cert) != 1)
    return fail (error, tls->cert);
  if (SSL_CTX_use_PrivateKey_file (into, tls->key, SSL_FILETYPE_PEM) != 1)
    return fail (error, tls->key);
  if (SSL_CTX_check_private_key (into) != 1)
    return fail (error, tls->key);
  if (tls->purpose == FAR_PURPOSE_NODE_CLIENT)
    show_authority (tls, into);
  return TRUE;
}

static gboolean
try_pair (const WsTls *tls, GError **error)
{
  SSL_CTX *trial = SSL_CTX_new (TLS_method ());
  gboolean ok = trial != NULL && load_pair (tls, trial, error);

  SSL_CTX_free (trial);
  return ok;
}

static gboolean
load_files (WsTls *tls, GError **error)
{
  guint64 stamp = stamp_of (tls->cert) ^ (stamp_of (tls->key) << 1) ^ (stamp_of (tls->ca) << 2);

  if (tls->cert != NULL && !goes_without (tls) && (!try_pair (tls, error) || !load_pair (tls, tls->context, error)))
    return FALSE;
  tls->stamp = stamp;
  return TRUE;
}

gboolean
ws_tls_reload (WsTls *tls, gboolean *changed, GError **error)
{
  guint64 stamp = stamp_of (tls->cert) ^ (stamp_of (tls->key) << 1) ^ (stamp_of (tls->ca) << 2);

  *changed = stamp != tls->stamp;
  if (!*changed)
    return TRUE;
  if (load_files (tls, error))
    return TRUE;
  tls->stamp = stamp; /* not again before the files change again */
  return FALSE;
}

/* Tickets older than this open nothing: their key is forgotten. */
void
ws_tls_rotate (WsTls *tls)
{
  guint8 keys[128];
  long size = SSL_CTX_get_tlsext_ticket_keys (tls->context, NULL, 0);

  if (size > 0 && size <= (long) sizeof keys && RAND_bytes (keys, (int) size) == 1)
    SSL_CTX_set_tlsext_ticket_keys (tls->context, keys, size);
  OPENSSL_cleanse (keys, sizeof keys);
}

/* ---- contexts ---- */

static void
common (SSL_CTX *context)
{
  SSL_CTX_set_min_proto_version (context, TLS1_2_VERSION);
  SSL_CTX_set_options (context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode (context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
}

gboolean
ws_tls_serve (WsTls *tls, SSL_CTX *context, GError **error)
{
  static const guint8 id[] = "farwatch";

  SSL_CTX_up_ref (context);
  tls->context = context;
  common (context);
  SSL_CTX_set_tlsext_servername_callback (context, NULL); /* one name, one context */
  SSL_CTX_set_session_cache_mode (context, SSL_SESS_CACHE_OFF); /* tickets only: nothing is kept for a client here */
  SSL_CTX_set_num_tickets (context, 1);
  SSL_CTX_set_session_id_context (context, id, sizeof id - 1);
  if (tls->ca != NULL) {
    SSL_CTX_set_verify (context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback (context, verify, tls);
  }
  return load_files (tls, error);
}

gboolean
ws_tls_client (WsTls *tls, GError **error)
{
  tls->context = SSL_CTX_new (TLS_client_method ());
  if (tls->context == NULL)
    return fail (error, "TLS");
  common (tls->context);
  SSL_CTX_set_verify (tls->context, SSL_VERIFY_PEER, NULL);
  SSL_CTX_set_cert_verify_callback (tls->context, verify, tls);
  SSL_CTX_set_cert_cb (tls->context, choose_cert, tls);
  return load_files (tls, error);
}
