/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* parses: core/trust/seal.c
 * functions: far_seal_open_with refuse
 *
 * Two ways in: the text as a hostile cloud would send it, and, behind the first byte '+', a plain text that
 * this program seals itself, so that the JSON behind the box is reached as well. */
#include "config.h"

#include "fuzz/fuzz.h"
#include "trust/seal-private.h"

#include <sodium.h>
#include <string.h>

/* The key of the vector in doc/formats.md. */
static void
keys (guint8 *open, guint8 *secret)
{
  for (guint i = 0; i < crypto_box_SECRETKEYBYTES; i++)
    secret[i] = (guint8) (i + 1);
  if (crypto_scalarmult_base (open, secret) != 0)
    g_error ("no key");
}

static char *
sealed (const guint8 *data, gsize size, const guint8 *open)
{
  g_autofree guint8 *box = g_malloc (size + crypto_box_SEALBYTES);

  if (crypto_box_seal (box, data, size, open) != 0)
    g_error ("cannot seal");
  return g_base64_encode (box, size + crypto_box_SEALBYTES);
}

gboolean
fuzz_one (const guint8 *data, gsize size)
{
  guint8 open[crypto_box_PUBLICKEYBYTES], secret[crypto_box_SECRETKEYBYTES];
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  json_t *plain;

  if (!far_seal_ready (NULL))
    g_error ("libsodium does not start");
  keys (open, secret);
  text = size > 0 && data[0] == '+' ? sealed (data + 1, size - 1, open) : fuzz_text (data, size);
  plain = far_seal_open_with (open, secret, text, &error);
  g_assert ((plain == NULL) == (error != NULL));
  json_decref (plain);
  return plain != NULL;
}
