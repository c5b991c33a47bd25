/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A node statement: who a node is, signed by the fleet's authority. */
#include "config.h"

#include "trust/trust-private.h"

#include <stdlib.h>
#include <string.h>

#define STATEMENT_MAX (16 * 1024)

/* The signed text: compact JSON with sorted keys, without "signature". Free with free(). */
static char *
canonical (json_t *statement)
{
  json_t *bare = json_copy (statement);
  char *text;

  json_object_del (bare, "signature");
  text = json_dumps (bare, JSON_COMPACT | JSON_SORT_KEYS);
  json_decref (bare);
  if (text != NULL && strlen (text) <= STATEMENT_MAX)
    return text;
  free (text);
  return NULL;
}

static gboolean
text_field (json_t *statement, const char *key, GError **error)
{
  const char *text = json_string_value (json_object_get (statement, key));

  if (text != NULL && text[0] != 0)
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, "node statement: '%s' is missing", key);
  return FALSE;
}

static gboolean
form_ok (json_t *statement, GError **error)
{
  const char *authority = json_string_value (json_object_get (statement, "authority"));

  if (!text_field (statement, "node", error) || !text_field (statement, "box", error) ||
      !text_field (statement, "ssh", error) || !text_field (statement, "spki", error))
    return FALSE;
  if (g_strcmp0 (authority, "admin") == 0 || g_strcmp0 (authority, "cloud") == 0)
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, "node statement: 'authority' must be admin or cloud");
  return FALSE;
}

static gboolean
sign (const char *ca_dir, const char *text, gnutls_datum_t *signature, GError **error)
{
  g_autofree char *path = far_trust_path (ca_dir, "ca.key");
  g_auto (gnutls_x509_privkey_t) raw = far_trust_key_load (path, error);
  g_auto (gnutls_privkey_t) key = NULL;
  gnutls_datum_t data = { (unsigned char *) text, (unsigned) strlen (text) };

  if (raw == NULL)
    return FALSE;
  gnutls_privkey_init (&key);
  return far_trust_ok (gnutls_privkey_import_x509 (key, raw, 0), FAR_ERROR_CONFIG, path, error) &&
         far_trust_ok (gnutls_privkey_sign_data2 (key, GNUTLS_SIGN_ECDSA_SHA256, 0, &data, signature),
                       FAR_ERROR_CONFIG, path, error);
}

json_t *
far_statement_sign (const char *ca_dir, json_t *statement, GError **error)
{
  gnutls_datum_t signature = { NULL, 0 };
  char *text = NULL;
  gboolean ok;

  ok = form_ok (statement, error);
  if (ok && (text = canonical (statement)) == NULL) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, "node statement: too long");
    ok = FALSE;
  }
  ok = ok && sign (ca_dir, text, &signature, error);
  free (text);
  if (ok) {
    g_autofree char *base64 = g_base64_encode (signature.data, signature.size);

    json_object_set_new (statement, "signature", json_string (base64));
    gnutls_free (signature.data);
    return statement;
  }
  json_decref (statement);
  return NULL;
}

static gboolean
verify (const FarCerts *authorities, const char *text, const guint8 *signature, gsize size)
{
  gnutls_datum_t data = { (unsigned char *) text, (unsigned) strlen (text) },
                 raw = { (unsigned char *) signature, (unsigned) size };

  for (guint i = 0; i < authorities->n; i++) {
    g_auto (gnutls_pubkey_t) key = NULL;

    gnutls_pubkey_init (&key);
    if (gnutls_pubkey_import_x509 (key, authorities->at[i], 0) >= 0 &&
        gnutls_pubkey_verify_data2 (key, GNUTLS_SIGN_ECDSA_SHA256, 0, &data, &raw) >= 0)
      return TRUE;
  }
  return FALSE;
}

gboolean
far_statement_check (json_t *statement, const char *ca_file, GError **error)
{
  g_auto (FarCerts) authorities = { .n = 0 };
  const char *base64 = json_string_value (json_object_get (statement, "signature"));
  g_autofree guint8 *signature = NULL;
  gsize size = 0;
  char *text;
  gboolean ok;

  if (!far_certs_load_file (&authorities, ca_file, error) || !form_ok (statement, error))
    return FALSE;
  text = base64 == NULL || strlen (base64) > 1024 ? NULL : canonical (statement);
  signature = text == NULL ? NULL : g_base64_decode (base64, &size);
  ok = signature != NULL && verify (&authorities, text, signature, size);
  free (text);
  if (!ok)
    g_set_error (error, FAR_ERROR, FAR_ERROR_DENIED,
                 "node statement: not signed by this fleet's authority, or changed");
  return ok;
}
