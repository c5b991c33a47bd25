/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file makes random numbers and texts, hashes texts and compares secrets in constant time, all by
 * libsodium, so that the rest of the tree calls no generator by itself. */
#include "config.h"

#include "trust/seal-private.h"

#include <sodium.h>
#include <string.h>

#define TEXT_MAX 128
#define LETTERS 62u

/* libsodium's generator takes from the kernel; it cannot be used before sodium_init(). */
static void
ready (void)
{
  if (sodium_init () < 0)
    g_error ("libsodium does not start");
}

guint32
far_random_u32 (guint32 bound)
{
  ready ();
  return bound < 2 ? 0 : randombytes_uniform (bound);
}

char *
far_random_text (guint n)
{
  static const char letters[LETTERS + 1] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  guint8 drawn[2 * TEXT_MAX];
  char *text;

  ready ();
  n = MIN (n, TEXT_MAX);
  text = g_malloc (n + 1);
  for (guint i = 0; i < n;) {
    randombytes_buf (drawn, 2 * n); /* more than needed at once: each call is one of the system */
    for (guint at = 0; at < 2 * n && i < n; at++)
      if (drawn[at] < 256 / LETTERS * LETTERS) /* the rest would favour the first letters */
        text[i++] = letters[drawn[at] % LETTERS];
  }
  sodium_memzero (drawn, sizeof drawn);
  text[n] = 0;
  return text;
}

char *
far_sha256_text (const char *text)
{
  return g_compute_checksum_for_string (G_CHECKSUM_SHA256, text, -1);
}

/* Hashed first, so that the time tells nothing about the length either. */
gboolean
far_equal_secret (const char *a, const char *b)
{
  guint8 hash_a[crypto_hash_sha256_BYTES], hash_b[crypto_hash_sha256_BYTES];

  ready ();
  crypto_hash_sha256 (hash_a, (const guint8 *) a, strlen (a));
  crypto_hash_sha256 (hash_b, (const guint8 *) b, strlen (b));
  return sodium_memcmp (hash_a, hash_b, sizeof hash_a) == 0;
}
