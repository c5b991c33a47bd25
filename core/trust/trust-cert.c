/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file reads what one certificate says: its node, its names, its time, its serial number. Whether it
 * is to be trusted is trust.c. */
#include "config.h"

#include "trust/trust-private.h"

#include <arpa/inet.h>
#include <string.h>

#define NAMES_TOLD 8

char *
far_cert_name (gnutls_x509_crt_t cert)
{
  char name[129], second[2];
  size_t size = sizeof name - 1, other = sizeof second;

  if (gnutls_x509_crt_get_dn_by_oid (cert, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size) < 0)
    return NULL;
  if (gnutls_x509_crt_get_dn_by_oid (cert, GNUTLS_OID_X520_COMMON_NAME, 1, 0, second, &other) !=
      GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
    return NULL;
  return memchr (name, 0, size) == NULL ? g_strndup (name, size) : NULL;
}

static char *
hex (const guint8 *data, gsize size)
{
  GString *text = g_string_sized_new (2 * size + 1);

  for (gsize i = 0; i < size; i++)
    g_string_append_printf (text, "%02x", data[i]);
  return g_string_free (text, FALSE);
}

char *
far_cert_serial (gnutls_x509_crt_t cert)
{
  guint8 serial[64];
  size_t size = sizeof serial;

  return gnutls_x509_crt_get_serial (cert, serial, &size) < 0 ? NULL : hex (serial, size);
}

static gboolean
is_address (const char *name, guint8 *raw, gsize *size)
{
  *size = 4;
  if (inet_pton (AF_INET, name, raw) == 1)
    return TRUE;
  *size = 16;
  return inet_pton (AF_INET6, name, raw) == 1;
}

static gboolean
entry_is (int type, const char *entry, gsize size, const char *name, const guint8 *raw, gsize raw_size)
{
  if (raw_size > 0)
    return type == GNUTLS_SAN_IPADDRESS && size == raw_size && memcmp (entry, raw, size) == 0;
  return type == GNUTLS_SAN_DNSNAME && size == strlen (name) && g_ascii_strncasecmp (entry, name, size) == 0;
}

/* Exact only: a wildcard in the certificate matches nothing. */
gboolean
far_cert_has_name (gnutls_x509_crt_t cert, const char *name)
{
  guint8 raw[16];
  gsize raw_size;
  gboolean found = FALSE;

  if (!is_address (name, raw, &raw_size))
    raw_size = 0;
  for (guint i = 0;; i++) {
    char entry[256];
    size_t size = sizeof entry;
    int type = gnutls_x509_crt_get_subject_alt_name (cert, i, entry, &size, NULL);

    if (type == GNUTLS_E_SHORT_MEMORY_BUFFER)
      continue;
    if (type < 0)
      return found && type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE;
    if (type == GNUTLS_SAN_DNSNAME && memchr (entry, 0, size) != NULL)
      return FALSE;
    found = found || entry_is (type, entry, size, name, raw, raw_size);
  }
}

/* A certificate may hold a hundred names: a person reads a few. */
char *
far_cert_names (gnutls_x509_crt_t cert)
{
  GString *names = g_string_new (NULL);

  for (guint i = 0; i < NAMES_TOLD; i++) {
    char entry[256], text[INET6_ADDRSTRLEN];
    size_t size = sizeof entry;
    int type = gnutls_x509_crt_get_subject_alt_name (cert, i, entry, &size, NULL);
    gboolean address = type == GNUTLS_SAN_IPADDRESS && (size == 4 || size == 16) &&
                       inet_ntop (size == 4 ? AF_INET : AF_INET6, entry, text, sizeof text) != NULL;
    g_autofree char *name = type == GNUTLS_SAN_DNSNAME && memchr (entry, 0, size) == NULL
                                ? g_strndup (entry, size)
                                : NULL;
    g_autofree char *safe = name != NULL ? g_strescape (name, NULL) : NULL;

    if (type < 0 && type != GNUTLS_E_SHORT_MEMORY_BUFFER)
      break;
    if (safe != NULL || address)
      g_string_append_printf (names, "%s%s", names->len > 0 ? ", " : "", safe != NULL ? safe : text);
  }
  return g_string_free (names, FALSE);
}

/* The purpose itself must stand there: no extension, or "any", is not enough. */
gboolean
far_cert_has_purpose (gnutls_x509_crt_t cert, const char *oid)
{
  for (guint i = 0;; i++) {
    char text[128];
    size_t size = sizeof text;
    int rc = gnutls_x509_crt_get_key_purpose_oid (cert, i, text, &size, NULL);

    if (rc == GNUTLS_E_SHORT_MEMORY_BUFFER)
      continue;
    if (rc < 0)
      return FALSE;
    if (g_strcmp0 (text, oid) == 0)
      return TRUE;
  }
}

static char *
spki_hash (gnutls_pubkey_t key, GError **error)
{
  gnutls_datum_t der = { NULL, 0 };
  char *text;

  if (!far_trust_ok (gnutls_pubkey_export2 (key, GNUTLS_X509_FMT_DER, &der), FAR_ERROR_INVALID, "public key",
                     error))
    return NULL;
  text = far_trust_digest (der.data, der.size);
  gnutls_free (der.data);
  return text;
}

char *
far_cert_key_hash (gnutls_x509_crt_t cert, GError **error)
{
  g_auto (gnutls_pubkey_t) key = NULL;

  gnutls_pubkey_init (&key);
  return far_trust_ok (gnutls_pubkey_import_x509 (key, cert, 0), FAR_ERROR_INVALID, "certificate", error)
             ? spki_hash (key, error)
             : NULL;
}

char *
far_trust_key_hash (const char *pem, GError **error)
{
  g_auto (gnutls_pubkey_t) key = NULL;
  g_auto (gnutls_x509_crq_t) crq = NULL;
  g_auto (FarCerts) certs = { .n = 0 };
  gnutls_datum_t datum = { (unsigned char *) pem, (unsigned) strlen (pem) };

  gnutls_pubkey_init (&key);
  gnutls_x509_crq_init (&crq);
  if (strstr (pem, "CERTIFICATE REQUEST-----") != NULL) {
    if (!far_trust_ok (gnutls_x509_crq_import (crq, &datum, GNUTLS_X509_FMT_PEM), FAR_ERROR_INVALID,
                       "certificate request", error) ||
        !far_trust_ok (gnutls_pubkey_import_x509_crq (key, crq, 0), FAR_ERROR_INVALID, "certificate request",
                       error))
      return NULL;
    return spki_hash (key, error);
  }
  return far_certs_load (&certs, pem, datum.size, error) ? far_cert_key_hash (certs.at[0], error) : NULL;
}

char *
far_trust_serial (const char *cert_pem, GError **error)
{
  g_auto (FarCerts) certs = { .n = 0 };
  char *serial;

  if (!far_certs_load (&certs, cert_pem, strlen (cert_pem), error))
    return NULL;
  serial = far_cert_serial (certs.at[0]);
  if (serial == NULL)
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, "certificate has no serial number");
  return serial;
}

gboolean
far_trust_life (const char *cert_pem, gint64 *from_us, gint64 *until_us, GError **error)
{
  g_auto (FarCerts) certs = { .n = 0 };

  if (!far_certs_load (&certs, cert_pem, strlen (cert_pem), error))
    return FALSE;
  *from_us = (gint64) gnutls_x509_crt_get_activation_time (certs.at[0]) * G_USEC_PER_SEC;
  *until_us = (gint64) gnutls_x509_crt_get_expiration_time (certs.at[0]) * G_USEC_PER_SEC;
  return TRUE;
}

static char *
name_text (int type, const guint8 *data, gsize size)
{
  char text[INET6_ADDRSTRLEN];

  if (type == GNUTLS_SAN_DNSNAME)
    return g_strndup ((const char *) data, size);
  if (type == GNUTLS_SAN_IPADDRESS && (size == 4 || size == 16) &&
      inet_ntop (size == 4 ? AF_INET : AF_INET6, data, text, sizeof text) != NULL)
    return g_strdup (text);
  return NULL;
}

char *
far_trust_node (const char *cert_pem, GError **error)
{
  g_auto (FarCerts) certs = { .n = 0 };
  char *name = far_certs_load (&certs, cert_pem, strlen (cert_pem), error) ? far_cert_name (certs.at[0])
                                                                           : NULL;

  if (name == NULL && certs.n > 0)
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID, "certificate has no name, or several");
  return name;
}

gboolean
far_trust_is_for (const char *cert_pem, FarPurpose purpose)
{
  g_auto (FarCerts) certs = { .n = 0 };

  return far_certs_load (&certs, cert_pem, strlen (cert_pem), NULL) &&
         far_cert_has_purpose (certs.at[0], purpose == FAR_PURPOSE_NODE_CLIENT ? GNUTLS_KP_TLS_WWW_CLIENT
                                                                               : GNUTLS_KP_TLS_WWW_SERVER);
}

GStrv
far_trust_names (const char *cert_pem, GError **error)
{
  g_auto (FarCerts) certs = { .n = 0 };
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  guint8 entry[256];

  if (!far_certs_load (&certs, cert_pem, strlen (cert_pem), error))
    return NULL;
  for (unsigned i = 0; i < 100; i++) {
    size_t size = sizeof entry;
    int type = gnutls_x509_crt_get_subject_alt_name (certs.at[0], i, entry, &size, NULL);
    char *name;

    if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
      break;
    name = type >= 0 ? name_text (type, entry, size) : NULL;
    if (name != NULL)
      g_ptr_array_add (names, name);
  }
  g_ptr_array_add (names, NULL);
  return (GStrv) g_ptr_array_steal (names, NULL);
}
