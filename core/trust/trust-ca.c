/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fleet's authority: makes itself, signs requests of nodes. */
#include "config.h"

#include "trust/seal-private.h"
#include "trust/trust-private.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <string.h>

#include <farwatch/i18n.h>

#define DAY (24 * 3600)
#define CA_DAYS 3650
#define DAYS_MAX 3650
#define BACKDATE 3600 /* a node whose clock is an hour behind can use it at once */

static int
set_serial (gnutls_x509_crt_t cert)
{
  guint8 serial[16];

  randombytes_buf (serial, sizeof serial);
  serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, and always 16 bytes */
  return gnutls_x509_crt_set_serial (cert, serial, sizeof serial);
}

static gboolean
set_key_id (gnutls_x509_crt_t cert, GError **error)
{
  guint8 id[32];
  size_t size = sizeof id;

  return far_trust_ok (gnutls_x509_crt_get_key_id (cert, 0, id, &size), FAR_ERROR_INTERNAL, "key id",
                       error) &&
         far_trust_ok (gnutls_x509_crt_set_subject_key_id (cert, id, size), FAR_ERROR_INTERNAL, "key id",
                       error);
}

static gboolean
set_common (gnutls_x509_crt_t cert, const char *name, time_t until, GError **error)
{
  time_t now = far_trust_now ();

  if (!far_seal_ready (error))
    return FALSE;
  gnutls_x509_crt_set_version (cert, 3);
  gnutls_x509_crt_set_activation_time (cert, now - BACKDATE);
  gnutls_x509_crt_set_expiration_time (cert, until);
  return far_trust_ok (set_serial (cert), FAR_ERROR_INTERNAL, "serial number", error) &&
         far_trust_ok (gnutls_x509_crt_set_dn_by_oid (cert, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                                      (unsigned) strlen (name)),
                       FAR_ERROR_INVALID, "name", error) &&
         set_key_id (cert, error);
}

static char *
cert_pem (gnutls_x509_crt_t cert, GError **error)
{
  gnutls_datum_t pem = { NULL, 0 };
  char *text;

  if (!far_trust_ok (gnutls_x509_crt_export2 (cert, GNUTLS_X509_FMT_PEM, &pem), FAR_ERROR_INTERNAL,
                     "certificate", error))
    return NULL;
  text = g_strndup ((char *) pem.data, pem.size);
  gnutls_free (pem.data);
  return text;
}

static char *
ca_self_sign (gnutls_x509_privkey_t key, const char *fleet, GError **error)
{
  g_auto (gnutls_x509_crt_t) cert = NULL;
  g_autofree char *name = g_strdup_printf ("%s authority", fleet);

  gnutls_x509_crt_init (&cert);
  if (!far_trust_ok (gnutls_x509_crt_set_key (cert, key), FAR_ERROR_INTERNAL, "ca.key", error) ||
      !set_common (cert, name, far_trust_now () + (time_t) CA_DAYS * DAY, error))
    return NULL;
  gnutls_x509_crt_set_basic_constraints (cert, 1, 0);
  gnutls_x509_crt_set_key_usage (cert, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN |
                                           GNUTLS_KEY_DIGITAL_SIGNATURE);
  if (!far_trust_ok (gnutls_x509_crt_sign2 (cert, cert, key, GNUTLS_DIG_SHA256, 0), FAR_ERROR_INTERNAL,
                     "ca.crt", error))
    return NULL;
  return cert_pem (cert, error);
}

gboolean
far_trust_ca_create (const char *dir, const char *fleet, GError **error)
{
  g_autofree char *key_path = far_trust_path (dir, "ca.key"), *crt_path = far_trust_path (dir, "ca.crt"),
                  *pem = NULL;
  g_auto (gnutls_x509_privkey_t) key = NULL;

  if (!far_trust_name_ok (fleet)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID,
                 "fleet name '%.64s': letters, digits, '.', '_' and '-' only, at most 64", fleet);
    return FALSE;
  }
  if (g_mkdir_with_parents (dir, 0700) != 0 || g_file_test (key_path, G_FILE_TEST_EXISTS) ||
      g_file_test (crt_path, G_FILE_TEST_EXISTS)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFLICT,
                 "%s: there is an authority already, or the directory cannot be made", dir);
    return FALSE;
  }
  if (!far_trust_node_key_create (key_path, error))
    return FALSE;
  key = far_trust_key_load (key_path, error);
  pem = key == NULL ? NULL : ca_self_sign (key, fleet, error);
  return pem != NULL && far_trust_write (crt_path, pem, 0644, error);
}

char *
far_trust_csr (const char *keys_dir, const char *node, GError **error)
{
  g_autofree char *path = far_trust_path (keys_dir, "node.key");
  g_auto (gnutls_x509_privkey_t) key = far_trust_key_load (path, error);
  g_auto (gnutls_x509_crq_t) crq = NULL;
  gnutls_datum_t pem = { NULL, 0 };
  char *text;

  if (key == NULL)
    return NULL;
  gnutls_x509_crq_init (&crq);
  gnutls_x509_crq_set_version (crq, 1);
  if (!far_trust_ok (gnutls_x509_crq_set_dn_by_oid (crq, GNUTLS_OID_X520_COMMON_NAME, 0, node,
                                                    (unsigned) strlen (node)),
                     FAR_ERROR_INVALID, node, error) ||
      !far_trust_ok (gnutls_x509_crq_set_key (crq, key), FAR_ERROR_INTERNAL, path, error) ||
      !far_trust_ok (gnutls_x509_crq_sign2 (crq, key, GNUTLS_DIG_SHA256, 0), FAR_ERROR_INTERNAL, path,
                     error) ||
      !far_trust_ok (gnutls_x509_crq_export2 (crq, GNUTLS_X509_FMT_PEM, &pem), FAR_ERROR_INTERNAL, path,
                     error))
    return NULL;
  text = g_strndup ((char *) pem.data, pem.size);
  gnutls_free (pem.data);
  return text;
}

/* The asker proves that it has the key, the key is of the one kind we use, and the name is the one agreed. */
static gboolean
csr_check (gnutls_x509_crq_t crq, const char *node, GError **error)
{
  char name[129] = "";
  size_t size = sizeof name - 1;
  guint bits = 0;

  if (gnutls_x509_crq_verify (crq, 0) < 0)
    g_set_error (error, FAR_ERROR, FAR_ERROR_DENIED, "certificate request: its signature is wrong");
  else if (gnutls_x509_crq_get_pk_algorithm (crq, &bits) != GNUTLS_PK_ECDSA || bits != 256)
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, "certificate request: the key must be ECDSA P-256");
  else if (gnutls_x509_crq_get_dn_by_oid (crq, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size) < 0 ||
           size != strlen (node) || memcmp (name, node, size) != 0)
    g_set_error (error, FAR_ERROR, FAR_ERROR_DENIED, "certificate request: it is not for '%s'", node);
  else
    return TRUE;
  return FALSE;
}

/* Bytes of an address, 0 for what is none. */
static guint
name_address (const char *name, guint8 raw[16])
{
  return inet_pton (AF_INET, name, raw) == 1 ? 4 : inet_pton (AF_INET6, name, raw) == 1 ? 16 : 0;
}

gboolean
far_trust_host_ok (const char *name, GError **error)
{
  guint8 raw[16];

  if (name_address (name, raw) > 0 ||
      (strlen (name) <= 253 && g_ascii_isalnum (name[0]) &&
       name[strspn (name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_")] == 0))
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID,
               _ ("'%.253s' is neither a host name nor an address: write it alone, as in cloud.example or "
                  "192.0.2.1; wildcards are not possible"),
               name);
  return FALSE;
}

static gboolean
add_name (gnutls_x509_crt_t cert, const char *name, GError **error)
{
  guint8 raw[16];
  guint size = name_address (name, raw);
  int rc;

  if (!far_trust_host_ok (name, error))
    return FALSE;
  if (size > 0)
    rc = gnutls_x509_crt_set_subject_alt_name (cert, GNUTLS_SAN_IPADDRESS, raw, size, GNUTLS_FSAN_APPEND);
  else
    rc = gnutls_x509_crt_set_subject_alt_name (cert, GNUTLS_SAN_DNSNAME, name, (unsigned) strlen (name),
                                               GNUTLS_FSAN_APPEND);
  return far_trust_ok (rc, FAR_ERROR_INVALID, name, error);
}

static gboolean
set_leaf (gnutls_x509_crt_t cert, const char *node, const char *const *names, gboolean server, GError **error)
{
  gnutls_x509_crt_set_basic_constraints (cert, 0, -1);
  gnutls_x509_crt_set_key_usage (cert, GNUTLS_KEY_DIGITAL_SIGNATURE);
  gnutls_x509_crt_set_key_purpose_oid (cert, GNUTLS_KP_TLS_WWW_CLIENT, 0);
  if (server)
    gnutls_x509_crt_set_key_purpose_oid (cert, GNUTLS_KP_TLS_WWW_SERVER, 0);
  if (!add_name (cert, node, error))
    return FALSE;
  for (; names != NULL && *names != NULL; names++)
    if (g_ascii_strcasecmp (*names, node) != 0 && !add_name (cert, *names, error))
      return FALSE;
  return TRUE;
}

/* Nothing but the key is taken over from the request. */
static gboolean
take_key (gnutls_x509_crt_t cert, gnutls_x509_crq_t crq, GError **error)
{
  g_auto (gnutls_pubkey_t) key = NULL;

  gnutls_pubkey_init (&key);
  return far_trust_ok (gnutls_pubkey_import_x509_crq (key, crq, 0), FAR_ERROR_INVALID, "certificate request",
                       error) &&
         far_trust_ok (gnutls_x509_crt_set_pubkey (cert, key), FAR_ERROR_INVALID, "certificate request",
                       error);
}

static gboolean
issue (gnutls_x509_crt_t cert, gnutls_x509_crt_t ca, gnutls_x509_privkey_t key, GError **error)
{
  guint8 id[64];
  size_t size = sizeof id;

  if (gnutls_x509_crt_get_subject_key_id (ca, id, &size, NULL) >= 0)
    gnutls_x509_crt_set_authority_key_id (cert, id, size);
  return far_trust_ok (gnutls_x509_crt_sign2 (cert, ca, key, GNUTLS_DIG_SHA256, 0), FAR_ERROR_CONFIG,
                       "ca.key", error);
}

static gboolean
sign_check (const char *node, guint days, GError **error)
{
  if (!far_trust_name_ok (node))
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID,
                 "node '%.64s': letters, digits, '.', '_' and '-' only, at most 64", node);
  else if (days < 1 || days > DAYS_MAX)
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, "a certificate lasts 1 to %d days, not %u", DAYS_MAX,
                 days);
  else
    return TRUE;
  return FALSE;
}

char *
far_trust_sign (const char *ca_dir, const char *csr_pem, const char *node, const char *const *names,
                gboolean server, guint days, GError **error)
{
  g_autofree char *key_path = far_trust_path (ca_dir, "ca.key"),
                  *crt_path = far_trust_path (ca_dir, "ca.crt");
  g_auto (gnutls_x509_privkey_t) key = NULL;
  g_auto (gnutls_x509_crq_t) crq = NULL;
  g_auto (gnutls_x509_crt_t) cert = NULL;
  g_auto (FarCerts) ca = { .n = 0 };
  gnutls_datum_t datum = { (unsigned char *) csr_pem, (unsigned) strnlen (csr_pem, FAR_TRUST_FILE_MAX) };

  gnutls_x509_crq_init (&crq);
  gnutls_x509_crt_init (&cert);
  if (!sign_check (node, days, error) || (key = far_trust_key_load (key_path, error)) == NULL ||
      !far_certs_load_file (&ca, crt_path, error) ||
      !far_trust_ok (gnutls_x509_crq_import (crq, &datum, GNUTLS_X509_FMT_PEM), FAR_ERROR_INVALID,
                     "certificate request", error) ||
      !csr_check (crq, node, error) || !take_key (cert, crq, error) ||
      !set_common (cert, node,
                   MIN (far_trust_now () + (time_t) days * DAY,
                        gnutls_x509_crt_get_expiration_time (ca.at[0])),
                   error) ||
      !set_leaf (cert, node, names, server, error) || !issue (cert, ca.at[0], key, error))
    return NULL;
  return cert_pem (cert, error);
}
