/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The three keys of a node and what is public of them. */
#include "config.h"

#include "trust/seal-private.h"
#include "trust/trust-private.h"

#include <sodium.h>
#include <string.h>
#include <sys/stat.h>

static gboolean
key_write (gnutls_x509_privkey_t key, const char *path, GError **error)
{
  gnutls_datum_t pem = { NULL, 0 };
  gboolean ok;

  if (!far_trust_ok (gnutls_x509_privkey_export2_pkcs8 (key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN,
                                                        &pem),
                     FAR_ERROR_INTERNAL, path, error))
    return FALSE;
  ok = far_trust_write (path, (const char *) pem.data, 0600, error);
  gnutls_memset (pem.data, 0, pem.size);
  gnutls_free (pem.data);
  return ok;
}

static gboolean
key_create (const char *path, gnutls_pk_algorithm_t algorithm, GError **error)
{
  g_auto (gnutls_x509_privkey_t) key = NULL;
  guint bits = GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_SECP256R1);

  if (algorithm == GNUTLS_PK_EDDSA_ED25519)
    bits = GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_ED25519);
  gnutls_x509_privkey_init (&key);
  return far_trust_ok (gnutls_x509_privkey_generate (key, algorithm, bits, 0), FAR_ERROR_INTERNAL, path,
                       error) &&
         key_write (key, path, error);
}

static gboolean
box_create (const char *path, GError **error)
{
  guint8 open[crypto_box_PUBLICKEYBYTES], secret[crypto_box_SECRETKEYBYTES];
  char text[sodium_base64_ENCODED_LEN (sizeof secret, sodium_base64_VARIANT_ORIGINAL) + 1];
  gboolean ok;

  if (!far_seal_ready (error))
    return FALSE;
  crypto_box_keypair (open, secret);
  sodium_bin2base64 (text, sizeof text - 1, secret, sizeof secret, sodium_base64_VARIANT_ORIGINAL);
  g_strlcat (text, "\n", sizeof text);
  ok = far_trust_write (path, text, 0600, error);
  sodium_memzero (secret, sizeof secret);
  sodium_memzero (text, sizeof text);
  return ok;
}

gboolean
far_trust_keys_create (const char *keys_dir, GError **error)
{
  g_autofree char *node = far_trust_path (keys_dir, "node.key"), *ssh = far_trust_path (keys_dir, "ssh.key"),
                  *box = far_trust_path (keys_dir, "box.key");

  if (g_mkdir_with_parents (keys_dir, 0700) != 0) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, "cannot make %s: %s", keys_dir, g_strerror (errno));
    return FALSE;
  }
  return (g_file_test (node, G_FILE_TEST_EXISTS) || key_create (node, GNUTLS_PK_ECDSA, error)) &&
         (g_file_test (ssh, G_FILE_TEST_EXISTS) || key_create (ssh, GNUTLS_PK_EDDSA_ED25519, error)) &&
         (g_file_test (box, G_FILE_TEST_EXISTS) || box_create (box, error));
}

gboolean
far_trust_node_key_create (const char *path, GError **error)
{
  return key_create (path, GNUTLS_PK_ECDSA, error);
}

static void
wire_string (GByteArray *wire, const void *data, guint size)
{
  guint32 length = GUINT32_TO_BE (size);

  g_byte_array_append (wire, (const guint8 *) &length, sizeof length);
  g_byte_array_append (wire, data, size);
}

static char *
ssh_line (gnutls_privkey_t key, GError **error)
{
  g_autoptr (GByteArray) wire = g_byte_array_new ();
  g_autofree char *base64 = NULL;
  gnutls_datum_t x = { NULL, 0 };
  gnutls_ecc_curve_t curve;

  if (!far_trust_ok (gnutls_privkey_export_ecc_raw2 (key, &curve, &x, NULL, NULL, 0), FAR_ERROR_CONFIG,
                     "ssh.key", error))
    return NULL;
  wire_string (wire, "ssh-ed25519", 11);
  wire_string (wire, x.data, x.size);
  gnutls_free (x.data);
  if (curve != GNUTLS_ECC_CURVE_ED25519) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
                 "ssh.key is not an ed25519 key; move it away and start again");
    return NULL;
  }
  base64 = g_base64_encode (wire->data, wire->len);
  return g_strconcat ("ssh-ed25519 ", base64, NULL);
}

char *
far_trust_ssh_public (const char *keys_dir, GError **error)
{
  g_autofree char *path = far_trust_path (keys_dir, "ssh.key");
  g_auto (gnutls_x509_privkey_t) raw = far_trust_key_load (path, error);
  g_auto (gnutls_privkey_t) key = NULL;

  if (raw == NULL)
    return NULL;
  gnutls_privkey_init (&key);
  if (!far_trust_ok (gnutls_privkey_import_x509 (key, raw, 0), FAR_ERROR_CONFIG, path, error))
    return NULL;
  return ssh_line (key, error);
}

/* The secret part of an OpenSSH private key: checks, public and private key, no comment, padded with 1, 2, 3…
 */
static GByteArray *
ssh_secret_part (const gnutls_datum_t *x, const gnutls_datum_t *k)
{
  GByteArray *part = g_byte_array_new ();
  guint8 both[64], zero[8] = { 0 };

  g_byte_array_append (part, zero, sizeof zero); /* two equal check words: there is no passphrase to check */
  wire_string (part, "ssh-ed25519", 11);
  wire_string (part, x->data, x->size);
  memcpy (both, k->data, 32);
  memcpy (both + 32, x->data, 32);
  wire_string (part, both, sizeof both);
  wire_string (part, "", 0);
  for (guint8 i = 1; part->len % 8 != 0; i++)
    g_byte_array_append (part, &i, 1);
  gnutls_memset (both, 0, sizeof both);
  return part;
}

static char *
ssh_private_text (const gnutls_datum_t *x, const gnutls_datum_t *k)
{
  g_autoptr (GByteArray) all = g_byte_array_new (), public = g_byte_array_new (),
                         secret = ssh_secret_part (x, k);
  g_autofree char *base64 = NULL;
  guint32 one = GUINT32_TO_BE (1);
  char *text;

  g_byte_array_append (all, (const guint8 *) "openssh-key-v1", 15);
  wire_string (all, "none", 4);
  wire_string (all, "none", 4);
  wire_string (all, "", 0);
  g_byte_array_append (all, (const guint8 *) &one, sizeof one);
  wire_string (public, "ssh-ed25519", 11);
  wire_string (public, x->data, x->size);
  wire_string (all, public->data, public->len);
  wire_string (all, secret->data, secret->len);
  base64 = g_base64_encode (all->data, all->len);
  text = g_strconcat ("-----BEGIN OPENSSH PRIVATE KEY-----\n", base64,
                      "\n-----END OPENSSH PRIVATE KEY-----\n", NULL);
  gnutls_memset (all->data, 0, all->len);
  gnutls_memset (secret->data, 0, secret->len);
  gnutls_memset (base64, 0, strlen (base64));
  return text;
}

char *
far_trust_ssh_private (const char *keys_dir, GError **error)
{
  g_autofree char *path = far_trust_path (keys_dir, "ssh.key");
  g_auto (gnutls_x509_privkey_t) raw = far_trust_key_load (path, error);
  g_auto (gnutls_privkey_t) key = NULL;
  gnutls_datum_t x = { NULL, 0 }, k = { NULL, 0 };
  gnutls_ecc_curve_t curve;
  char *text = NULL;

  if (raw == NULL)
    return NULL;
  gnutls_privkey_init (&key);
  if (!far_trust_ok (gnutls_privkey_import_x509 (key, raw, 0), FAR_ERROR_CONFIG, path, error) ||
      !far_trust_ok (gnutls_privkey_export_ecc_raw2 (key, &curve, &x, NULL, &k, 0), FAR_ERROR_CONFIG, path,
                     error))
    return NULL;
  if (curve == GNUTLS_ECC_CURVE_ED25519 && x.size == 32 && k.size == 32)
    text = ssh_private_text (&x, &k);
  else
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
                 "ssh.key is not an ed25519 key; move it away and start again");
  gnutls_memset (k.data, 0, k.size);
  gnutls_free (k.data);
  gnutls_free (x.data);
  return text;
}
