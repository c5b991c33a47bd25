/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file reads and writes the files of keys and certificates, with the rights they must have, and has
 * the helpers for GnuTLS's return codes that the room shares. */
#include "config.h"

#include "trust/trust-private.h"

#include <string.h>
#include <sys/stat.h>

#include <build-epoch.h>

#include "base/clock-private.h"

void
far_certs_clear (FarCerts *certs)
{
  for (guint i = 0; i < certs->n; i++)
    gnutls_x509_crt_deinit (certs->at[i]);
  certs->n = 0;
}

gboolean
far_trust_ok (int rc, FarErrorCode code, const char *what, GError **error)
{
  if (rc >= 0)
    return TRUE;
  g_set_error (error, FAR_ERROR, code, "%s: %s", what, gnutls_strerror (rc));
  return FALSE;
}

gboolean
far_trust_read (const char *path, char **text, gsize *size, GError **error)
{
  g_autoptr (GError) cause = NULL;
  struct stat st;

  if (stat (path, &st) == 0 && (!S_ISREG (st.st_mode) || st.st_size > FAR_TRUST_FILE_MAX)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, "%s: not a key or certificate file", path);
    return FALSE;
  }
  if (g_file_get_contents (path, text, size, &cause))
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, "%s", cause->message);
  return FALSE;
}

gboolean
far_trust_write (const char *path, const char *text, int mode, GError **error)
{
  g_autoptr (GError) cause = NULL;

  if (g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
                                mode, &cause))
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, "%s", cause->message);
  return FALSE;
}

gboolean
far_certs_load (FarCerts *certs, const char *pem, gsize size, GError **error)
{
  gnutls_datum_t datum = { (unsigned char *) pem, (unsigned) MIN (size, FAR_TRUST_FILE_MAX + 1) };
  guint n = FAR_TRUST_CHAIN_MAX;
  int rc;

  if (size > FAR_TRUST_FILE_MAX) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_DENIED, "certificate text is too long");
    return FALSE;
  }
  rc = gnutls_x509_crt_list_import (certs->at, &n, &datum, GNUTLS_X509_FMT_PEM,
                                    GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);
  certs->n = rc < 0 ? 0 : (guint) rc;
  if (rc == 0)
    rc = GNUTLS_E_NO_CERTIFICATE_FOUND;
  return far_trust_ok (rc, FAR_ERROR_DENIED, "certificate", error);
}

gboolean
far_certs_load_file (FarCerts *certs, const char *path, GError **error)
{
  g_autofree char *pem = NULL;
  gsize size = 0;

  if (!far_trust_read (path, &pem, &size, error))
    return FALSE;
  if (far_certs_load (certs, pem, size, error))
    return TRUE;
  g_prefix_error (error, "%s: ", path);
  return FALSE;
}

gnutls_x509_privkey_t
far_trust_key_load (const char *path, GError **error)
{
  g_auto (gnutls_x509_privkey_t) key = NULL;
  char *pem = NULL;
  gsize size = 0;
  gboolean ok;

  if (!far_trust_read (path, &pem, &size, error))
    return NULL;
  gnutls_x509_privkey_init (&key);
  ok = far_trust_ok (gnutls_x509_privkey_import (key,
                                                 &(gnutls_datum_t){ (unsigned char *) pem, (unsigned) size },
                                                 GNUTLS_X509_FMT_PEM),
                     FAR_ERROR_CONFIG, path, error);
  gnutls_memset (pem, 0, size);
  g_free (pem);
  return ok ? g_steal_pointer (&key) : NULL;
}

time_t
far_trust_now (void)
{
  return (time_t) MAX (far_clock_wall_us () / G_USEC_PER_SEC, FAR_BUILD_EPOCH);
}

gboolean
far_trust_name_ok (const char *name)
{
  gsize n = strlen (name);

  return n >= 1 && n <= 64 && g_ascii_isalnum (name[0]) &&
         strspn (name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

char *
far_trust_digest (const void *data, gsize size)
{
  g_autofree char *hex = g_compute_checksum_for_data (G_CHECKSUM_SHA256, data, size);

  return g_strconcat ("sha256:", hex, NULL);
}

char *
far_trust_path (const char *keys_dir, const char *file)
{
  return g_build_filename (keys_dir, file, NULL);
}

char *
far_trust_file_sha256 (const char *path, GError **error)
{
  g_auto (FarCerts) certs = { .n = 0 };
  gnutls_datum_t der = { NULL, 0 };
  char *text;

  if (!far_certs_load_file (&certs, path, error) ||
      !far_trust_ok (gnutls_x509_crt_export2 (certs.at[0], GNUTLS_X509_FMT_DER, &der), FAR_ERROR_CONFIG, path,
                     error))
    return NULL;
  text = far_trust_digest (der.data, der.size);
  gnutls_free (der.data);
  return text;
}
