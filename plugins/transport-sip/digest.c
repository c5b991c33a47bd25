/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Digest SHA-256. A nonce is hex of {time, random, MAC of both and of the connection}: nobody can make one,
 * and one that was made for a connection is good for no other. */
#include "config.h"

#include "digest.h"

#include <farwatch/error.h>
#include <farwatch/i18n.h>
#include <gnutls/crypto.h>
#include <sodium.h>
#include <string.h>

#define HEX (2 * 32)

typedef struct {
  guint8 time[8], random[8], mac[16];
} DigestNonce;

#define NONCE_HEX (2 * sizeof (DigestNonce))

struct _SipDigest {
  char *realm;
  GHashTable *users; /* name → HA1 */
  guint8 key[crypto_generichash_KEYBYTES];
  char dummy[HEX + 1]; /* the HA1 of who is not there */
};

/* ---- what is hashed ---- */

static void
hash_texts (const char *const *texts, char hex[HEX + 1])
{
  guint8 sum[32];
  gnutls_hash_hd_t hash;
  if (gnutls_hash_init (&hash, GNUTLS_DIG_SHA256) < 0)
    g_error ("GnuTLS has no SHA-256");
  for (guint i = 0; texts[i] != NULL; i++) {
    if (i > 0)
      gnutls_hash (hash, ":", 1);
    gnutls_hash (hash, texts[i], strlen (texts[i]));
  }
  gnutls_hash_deinit (hash, sum);
  sodium_bin2hex (hex, HEX + 1, sum, sizeof sum);
}

void
sip_digest_ha1 (const char *user, const char *realm, const char *password, char ha1[65])
{
  const char *const texts[] = { user, realm, password, NULL };
  hash_texts (texts, ha1);
}

void
sip_digest_response (const char *ha1, const char *nonce, const char *nc, const char *cnonce,
                     const char *method, const char *uri, char response[65])
{
  const char *const asked[] = { method, uri, NULL };
  char ha2[HEX + 1];
  const char *const texts[] = { ha1, nonce, nc, cnonce, "auth", ha2, NULL };
  hash_texts (asked, ha2);
  hash_texts (texts, response);
}

/* ---- users ---- */

static gboolean
users_line (SipDigest *digest, const char *line, guint number, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (line, ":", 4);
  if (*line == '\0' || *line == '#')
    return TRUE;
  if (g_strv_length (parts) != 3 || *parts[0] == '\0' || strlen (parts[2]) != HEX ||
      strspn (parts[2], "0123456789abcdef") != HEX) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
                 _ ("users, line %u: write name:realm:HA1, HA1 in 64 lower-case hex digits of SHA-256"),
                 number);
    return FALSE;
  }
  if (strcmp (parts[1], digest->realm) == 0)
    g_hash_table_replace (digest->users, g_strdup (parts[0]), g_strdup (parts[2]));
  return TRUE;
}

SipDigest *
sip_digest_new (const char *realm, const char *users, GError **error)
{
  SipDigest *digest = g_new0 (SipDigest, 1);
  g_auto (GStrv) lines = g_strsplit (users, "\n", -1);
  gboolean good = TRUE;
  digest->realm = g_strdup (realm);
  digest->users = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  randombytes_buf (digest->key, sizeof digest->key);
  sip_digest_ha1 ("", realm, "", digest->dummy);
  for (guint i = 0; good && lines[i] != NULL; i++)
    good = users_line (digest, g_strchomp (lines[i]), i + 1, error);
  if (good && g_hash_table_size (digest->users) == 0) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, _ ("users: nobody of realm '%s' is in it"), realm);
    good = FALSE;
  }
  if (!good)
    g_clear_pointer (&digest, sip_digest_free);
  return digest;
}

void
sip_digest_free (SipDigest *digest)
{
  if (digest == NULL)
    return;
  sodium_memzero (digest->key, sizeof digest->key);
  g_hash_table_unref (digest->users);
  g_free (digest->realm);
  g_free (digest);
}

gboolean
sip_digest_knows (SipDigest *digest, const char *user)
{
  return g_hash_table_contains (digest->users, user);
}

/* ---- nonces ---- */

static void
nonce_mac (SipDigest *digest, const DigestNonce *nonce, guint64 flow, guint8 mac[16])
{
  const guint64 number = GUINT64_TO_BE (flow);
  crypto_generichash_state state;
  crypto_generichash_init (&state, digest->key, sizeof digest->key, 16);
  crypto_generichash_update (&state, nonce->time, sizeof nonce->time);
  crypto_generichash_update (&state, nonce->random, sizeof nonce->random);
  crypto_generichash_update (&state, (const guint8 *) &number, sizeof number);
  crypto_generichash_final (&state, mac, 16);
}

static void
nonce_new (SipDigest *digest, guint64 flow, gint64 now_us, char hex[NONCE_HEX + 1])
{
  const guint64 time = GUINT64_TO_BE ((guint64) now_us);
  DigestNonce nonce;
  memcpy (nonce.time, &time, sizeof time);
  randombytes_buf (nonce.random, sizeof nonce.random);
  nonce_mac (digest, &nonce, flow, nonce.mac);
  sodium_bin2hex (hex, NONCE_HEX + 1, (const guint8 *) &nonce, sizeof nonce);
}

/* BAD: none of ours. STALE: it was one. */
static SipDigestVerdict
nonce_check (SipDigest *digest, const char *hex, guint64 flow, gint64 now_us)
{
  DigestNonce nonce;
  guint8 mac[16];
  guint64 time;
  gsize size;
  if (strlen (hex) != NONCE_HEX ||
      sodium_hex2bin ((guint8 *) &nonce, sizeof nonce, hex, NONCE_HEX, NULL, &size, NULL) != 0 ||
      size != sizeof nonce)
    return SIP_DIGEST_BAD;
  nonce_mac (digest, &nonce, flow, mac);
  if (sodium_memcmp (mac, nonce.mac, sizeof mac) != 0)
    return SIP_DIGEST_STALE; /* of another connection, or of before a restart: asked again, without a fault */
  memcpy (&time, nonce.time, sizeof time);
  return now_us - (gint64) GUINT64_FROM_BE (time) <= SIP_DIGEST_NONCE_US ? SIP_DIGEST_GOOD : SIP_DIGEST_STALE;
}

char *
sip_digest_challenge (SipDigest *digest, guint64 flow, gint64 now_us, gboolean stale)
{
  char nonce[NONCE_HEX + 1];
  nonce_new (digest, flow, now_us, nonce);
  return g_strdup_printf ("Digest realm=\"%s\", nonce=\"%s\", algorithm=SHA-256, qop=\"auth\"%s",
                          digest->realm, nonce, stale ? ", stale=true" : "");
}

/* ---- answers ---- */

/* The value of a parameter, without quotes, in *kept; NULL: it is not there, twice there, or no plain text.
 */
static const char *
param (const char *const *params, const char *name, char **kept)
{
  gsize length = strlen (name);
  const char *found = NULL;
  for (guint i = 0; params[i] != NULL; i++) {
    if (g_ascii_strncasecmp (params[i], name, length) != 0 || params[i][length] != '=')
      continue;
    if (found != NULL)
      return NULL;
    found = params[i] + length + 1;
  }
  if (found == NULL)
    return NULL;
  length = strlen (found);
  if (*found == '"' && length >= 2 && found[length - 1] == '"')
    *kept = g_strndup (found + 1, length - 2);
  else
    *kept = g_strdup (found);
  return strpbrk (*kept, "\"\\") == NULL ? *kept : NULL;
}

enum { USER, REALM, NONCE, URI, RESPONSE, NC, CNONCE, QOP, ALGORITHM, N_PARAMS };

static gboolean
params_fit (SipDigest *digest, const char *const *p, const SipDigestAsk *ask)
{
  for (guint i = 0; i < N_PARAMS; i++)
    if (p[i] == NULL)
      return FALSE;
  return strcmp (p[REALM], digest->realm) == 0 && strcmp (p[URI], ask->uri) == 0 &&
         g_ascii_strcasecmp (p[QOP], "auth") == 0 && g_ascii_strcasecmp (p[ALGORITHM], "SHA-256") == 0 &&
         strlen (p[NC]) == 8 && strspn (p[NC], "0123456789abcdefABCDEF") == 8 && strlen (p[RESPONSE]) == HEX;
}

/* A count that has been, of the same nonce, is a replay. */
static gboolean
count_good (const SipDigestAsk *ask, const char *nonce, const char *nc)
{
  guint32 count = (guint32) g_ascii_strtoull (nc, NULL, 16);
  gboolean same = g_strcmp0 (*ask->nonce, nonce) == 0;
  if (count == 0 || (same && count <= *ask->nonce_count))
    return FALSE;
  if (!same) {
    g_free (*ask->nonce);
    *ask->nonce = g_strdup (nonce);
  }
  *ask->nonce_count = count;
  return TRUE;
}

static SipDigestVerdict
answer_check (SipDigest *digest, const char *const *p, const SipDigestAsk *ask, const char **user)
{
  gpointer name = NULL, ha1 = NULL;
  char wanted[HEX + 1];
  SipDigestVerdict nonce = nonce_check (digest, p[NONCE], ask->flow, ask->now_us);
  gboolean known = g_hash_table_lookup_extended (digest->users, p[USER], &name, &ha1);
  sip_digest_response (known ? ha1 : digest->dummy, p[NONCE], p[NC], p[CNONCE], ask->method, ask->uri,
                       wanted);
  if (sodium_memcmp (wanted, p[RESPONSE], HEX) != 0 || !known || nonce == SIP_DIGEST_BAD)
    return SIP_DIGEST_BAD;
  if (nonce == SIP_DIGEST_STALE || !count_good (ask, p[NONCE], p[NC]))
    return SIP_DIGEST_STALE;
  *user = name;
  return SIP_DIGEST_GOOD;
}

SipDigestVerdict
sip_digest_check (SipDigest *digest, const char *const *params, const SipDigestAsk *ask, const char **user)
{
  static const char *const names[N_PARAMS] = { "username", "realm",  "nonce", "uri",      "response",
                                               "nc",       "cnonce", "qop",   "algorithm" };
  char *kept[N_PARAMS] = { NULL };
  const char *p[N_PARAMS];
  SipDigestVerdict verdict = SIP_DIGEST_BAD;
  for (guint i = 0; i < N_PARAMS; i++)
    p[i] = param (params, names[i], &kept[i]);
  if (params_fit (digest, p, ask))
    verdict = answer_check (digest, p, ask, user);
  for (guint i = 0; i < N_PARAMS; i++)
    g_free (kept[i]);
  return verdict;
}
