/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file seals JSON to a node's public key and opens it with the secret one (libsodium's
 * crypto_box_seal). A box that cannot be opened is refused with one text, whatever was wrong, so that
 * nobody learns from it. */
#include "config.h"

#include "trust/seal-private.h"
#include "trust/trust-private.h"

#include <sodium.h>
#include <string.h>

#define BASE64 sodium_base64_VARIANT_ORIGINAL

gboolean
far_seal_ready (GError **error)
{
  if (sodium_init () >= 0)
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_INTERNAL, "libsodium does not start");
  return FALSE;
}

/* Exactly size bytes of base64, white space at the end allowed. */
static gboolean
seal_decode (const char *text, guint8 *out, gsize size)
{
  gsize n = 0;

  return sodium_base642bin (out, size, text, strlen (text), "\n", &n, NULL, BASE64) == 0 && n == size;
}

gboolean
far_seal_box_parse (const char *text, guint8 *open)
{
  return seal_decode (text, open, crypto_box_PUBLICKEYBYTES);
}

gboolean
far_seal_box_load (const char *keys_dir, guint8 *open, guint8 *secret, GError **error)
{
  g_autofree char *path = far_trust_path (keys_dir, "box.key");
  char *text = NULL;
  gsize size = 0;
  gboolean ok;

  if (!far_seal_ready (error) || !far_trust_read (path, &text, &size, error))
    return FALSE;
  ok = seal_decode (text, secret, crypto_box_SECRETKEYBYTES) && crypto_scalarmult_base (open, secret) == 0;
  sodium_memzero (text, size);
  g_free (text);
  if (!ok)
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, "%s: not a box key", path);
  return ok;
}

char *
far_trust_box_public (const char *keys_dir, GError **error)
{
  guint8 open[crypto_box_PUBLICKEYBYTES], secret[crypto_box_SECRETKEYBYTES];

  if (!far_seal_box_load (keys_dir, open, secret, error))
    return NULL;
  sodium_memzero (secret, sizeof secret);
  return g_base64_encode (open, sizeof open);
}

char *
far_seal (const char *box_public_b64, json_t *plain, GError **error)
{
  guint8 open[crypto_box_PUBLICKEYBYTES];
  g_autofree guint8 *sealed = NULL;
  char *text, *base64;
  gsize size;
  int rc;

  if (!far_seal_ready (error))
    return NULL;
  if (!seal_decode (box_public_b64, open, sizeof open)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, "not a box key: %u bytes in base64 are needed",
                 (guint) sizeof open);
    return NULL;
  }
  text = json_dumps (plain, JSON_COMPACT);
  size = text == NULL ? 0 : strlen (text);
  sealed = g_malloc (size + crypto_box_SEALBYTES);
  rc = text == NULL ? -1 : crypto_box_seal (sealed, (guint8 *) text, size, open);
  if (text != NULL)
    sodium_memzero (text, size);
  free (text);
  base64 = rc == 0 ? g_base64_encode (sealed, size + crypto_box_SEALBYTES) : NULL;
  if (base64 == NULL)
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, "cannot seal to this box key");
  return base64;
}

static json_t *
seal_refuse (GError **error)
{
  g_set_error (error, FAR_ERROR, FAR_ERROR_DENIED, "not sealed to this node, or changed");
  return NULL;
}

json_t *
far_seal_open_with (const guint8 *box_public, const guint8 *box_secret, const char *sealed_b64,
                    GError **error)
{
  gsize length = strnlen (sealed_b64, FAR_SEAL_TEXT_MAX + 1), size = 0;
  g_autofree guint8 *sealed = NULL, *text = NULL;
  json_t *plain = NULL;

  if (length > FAR_SEAL_TEXT_MAX)
    return seal_refuse (error);
  sealed = g_malloc (length + 1);
  if (sodium_base642bin (sealed, length + 1, sealed_b64, length, NULL, &size, NULL, BASE64) != 0 ||
      size < crypto_box_SEALBYTES)
    return seal_refuse (error);
  text = g_malloc (size - crypto_box_SEALBYTES + 1);
  if (crypto_box_seal_open (text, sealed, size, box_public, box_secret) == 0) {
    plain = json_loadb ((char *) text, size - crypto_box_SEALBYTES, JSON_REJECT_DUPLICATES, NULL);
    sodium_memzero (text, size - crypto_box_SEALBYTES);
  }
  return json_is_object (plain) ? plain : (json_decref (plain), seal_refuse (error));
}

json_t *
far_seal_open (const char *keys_dir, const char *sealed_b64, GError **error)
{
  guint8 open[crypto_box_PUBLICKEYBYTES], secret[crypto_box_SECRETKEYBYTES];
  json_t *plain;

  if (!far_seal_box_load (keys_dir, open, secret, error))
    return NULL;
  plain = far_seal_open_with (open, secret, sealed_b64, error);
  sodium_memzero (secret, sizeof secret);
  return plain;
}
