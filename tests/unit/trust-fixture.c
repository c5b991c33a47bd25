/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file makes certificates as a liar or a careless authority would (trust-fixture.h), extension by
 * extension where GnuTLS would refuse to. */
#include "config.h"

#include "unit/trust-fixture.h"

#include <arpa/inet.h>
#include <check.h>
#include <glib/gstdio.h>
#include <string.h>

#include <farwatch/trust.h>

char *
fixture_dir (void)
{
  char *dir = g_dir_make_tmp ("farwatch-trust-XXXXXX", NULL);

  ck_assert_ptr_nonnull (dir);
  return dir;
}

void
fixture_remove (char *dir)
{
  GDir *list = g_dir_open (dir, 0, NULL);
  const char *name;

  while (list != NULL && (name = g_dir_read_name (list)) != NULL) {
    char *path = g_build_filename (dir, name, NULL);

    if (g_file_test (path, G_FILE_TEST_IS_DIR)) {
      fixture_remove (path);
      continue;
    }
    g_unlink (path);
    g_free (path);
  }
  if (list != NULL)
    g_dir_close (list);
  g_rmdir (dir);
  g_free (dir);
}

static char *
load (const char *dir, const char *file, gsize *size)
{
  g_autofree char *path = g_build_filename (dir, file, NULL);
  char *text = NULL;

  ck_assert (g_file_get_contents (path, &text, size, NULL));
  return text;
}

static void
load_ca (const char *dir, gnutls_x509_crt_t cert, gnutls_x509_privkey_t key)
{
  gsize cert_size, key_size;
  g_autofree char *cert_text = load (dir, "ca.crt", &cert_size), *key_text = load (dir, "ca.key", &key_size);
  gnutls_datum_t cert_pem = { (unsigned char *) cert_text, cert_size },
                 key_pem = { (unsigned char *) key_text, key_size };

  ck_assert_int_eq (gnutls_x509_crt_import (cert, &cert_pem, GNUTLS_X509_FMT_PEM), 0);
  ck_assert_int_eq (gnutls_x509_privkey_import (key, &key_pem, GNUTLS_X509_FMT_PEM), 0);
}

/* The library would stop at a NUL: the extension is written by hand. */
static void
set_raw_dns (gnutls_x509_crt_t cert, const char *dns, guint8 size)
{
  guint8 der[68] = { 0x30, size + 2, 0x82, size };

  memcpy (der + 4, dns, size);
  ck_assert_int_eq (gnutls_x509_crt_set_extension_by_oid (cert, "2.5.29.17", der, size + 4, 0), 0);
}

static void
set_names (gnutls_x509_crt_t cert, const FixtureCert *spec)
{
  guint8 raw[4];

  if (spec->cn != NULL)
    gnutls_x509_crt_set_dn_by_oid (cert, GNUTLS_OID_X520_COMMON_NAME, 0, spec->cn,
                                   spec->cn_size ? spec->cn_size : strlen (spec->cn));
  if (spec->dns_size > 0)
    set_raw_dns (cert, spec->dns, spec->dns_size);
  else if (spec->dns != NULL)
    gnutls_x509_crt_set_subject_alt_name (cert, GNUTLS_SAN_DNSNAME, spec->dns, strlen (spec->dns),
                                          GNUTLS_FSAN_APPEND);
  if (spec->address != NULL && inet_pton (AF_INET, spec->address, raw) == 1)
    gnutls_x509_crt_set_subject_alt_name (cert, GNUTLS_SAN_IPADDRESS, raw, sizeof raw, GNUTLS_FSAN_APPEND);
}

static void
set_rest (gnutls_x509_crt_t cert, const FixtureCert *spec)
{
  guint8 serial = g_ascii_strtoull (spec->serial ? spec->serial : "42", NULL, 16);
  time_t now = time (NULL);

  gnutls_x509_crt_set_version (cert, 3);
  gnutls_x509_crt_set_serial (cert, &serial, 1);
  gnutls_x509_crt_set_activation_time (cert, now + spec->from);
  gnutls_x509_crt_set_expiration_time (cert, now + spec->until);
  gnutls_x509_crt_set_basic_constraints (cert, spec->authority, spec->authority ? 0 : -1);
  for (guint i = 0; i < G_N_ELEMENTS (spec->purposes) && spec->purposes[i] != NULL; i++)
    gnutls_x509_crt_set_key_purpose_oid (cert, spec->purposes[i], 0);
}

char *
fixture_cert (const char *ca_dir, const FixtureCert *spec)
{
  gnutls_x509_crt_t cert, ca;
  gnutls_x509_privkey_t key, ca_key;
  gnutls_datum_t pem;
  char *text;

  gnutls_x509_crt_init (&cert);
  gnutls_x509_crt_init (&ca);
  gnutls_x509_privkey_init (&key);
  gnutls_x509_privkey_init (&ca_key);
  load_ca (ca_dir, ca, ca_key);
  ck_assert_int_eq (gnutls_x509_privkey_generate (key, GNUTLS_PK_ECDSA,
                                                  GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_SECP256R1), 0),
                    0);
  gnutls_x509_crt_set_key (cert, key);
  set_names (cert, spec);
  set_rest (cert, spec);
  ck_assert_int_eq (gnutls_x509_crt_sign2 (cert, spec->self ? cert : ca, spec->self ? key : ca_key,
                                           GNUTLS_DIG_SHA256, 0),
                    0);
  ck_assert_int_eq (gnutls_x509_crt_export2 (cert, GNUTLS_X509_FMT_PEM, &pem), 0);
  text = g_strndup ((char *) pem.data, pem.size);
  gnutls_free (pem.data);
  gnutls_x509_privkey_deinit (ca_key);
  gnutls_x509_privkey_deinit (key);
  gnutls_x509_crt_deinit (ca);
  gnutls_x509_crt_deinit (cert);
  return text;
}

char *
fixture_node (const char *ca_dir, const char *name, const char *const *names, gboolean server)
{
  g_autofree char *dir = g_build_filename (ca_dir, name, NULL), *csr = NULL;
  g_autoptr (GError) error = NULL;
  char *pem;

  ck_assert_msg (far_trust_keys_create (dir, &error), "%s", error ? error->message : "");
  csr = far_trust_csr (dir, name, &error);
  ck_assert_ptr_nonnull (csr);
  pem = far_trust_sign (ca_dir, csr, name, names, server, 30, &error);
  ck_assert_msg (pem != NULL, "%s", error ? error->message : "");
  return pem;
}
