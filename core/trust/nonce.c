/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Nonces of this node: words that a sealed message must name, so that it cannot be replayed. A nonce goes out
 * once and serves many: each who seals hangs a word of their own on it, and each such pair is good once. What
 * was used is remembered as long as the nonce is good; both are bounded. */
#include "config.h"

#include <farwatch/trust.h>

#include <string.h>

#include <farwatch/clock.h>
#include <farwatch/thread.h>

#define NONCES 32
#define NONCE_LENGTH 24
#define WORD_MAX 64
#define WORN 64  /* uses; then another goes out, and this one still serves those who hold it already */
#define USES 512 /* then it is over */
#define GOOD_FOR_US (G_GINT64_CONSTANT (3600) * G_USEC_PER_SEC)

typedef struct {
  char *text;
  gint64 given_us;  /* boottime */
  GHashTable *used; /* words; NULL: it is over */
} Nonce;

struct _FarNonces {
  GQueue all; /* of Nonce, newest last */
};

static void
nonce_free (gpointer data)
{
  Nonce *nonce = data;

  g_clear_pointer (&nonce->used, g_hash_table_unref);
  g_free (nonce->text);
  g_free (nonce);
}

FarNonces *
far_nonces_new (void)
{
  FAR_ON_MAIN ();
  FarNonces *nonces = g_new0 (FarNonces, 1);

  g_queue_init (&nonces->all);
  return nonces;
}

void
far_nonces_free (FarNonces *nonces)
{
  FAR_ON_MAIN ();
  if (nonces == NULL)
    return;
  g_queue_clear_full (&nonces->all, nonce_free);
  g_free (nonces);
}

char *
far_nonces_give (FarNonces *nonces)
{
  FAR_ON_MAIN ();
  Nonce *nonce = g_new0 (Nonce, 1);

  nonce->text = far_random_text (NONCE_LENGTH);
  nonce->given_us = far_clock_boottime_us ();
  nonce->used = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_queue_push_tail (&nonces->all, nonce);
  if (g_queue_get_length (&nonces->all) > NONCES)
    nonce_free (g_queue_pop_head (&nonces->all));
  return g_strdup (nonce->text);
}

gboolean
far_nonces_fresh (FarNonces *nonces)
{
  FAR_ON_MAIN ();
  const Nonce *newest = g_queue_peek_tail (&nonces->all);

  return newest != NULL && newest->used != NULL && g_hash_table_size (newest->used) < WORN &&
         far_clock_boottime_us () < newest->given_us + GOOD_FOR_US / 2;
}

static Nonce *
nonce_find (FarNonces *nonces, const char *text)
{
  for (GList *at = nonces->all.head; at != NULL; at = at->next) {
    Nonce *nonce = at->data;

    if (nonce->used != NULL && far_equal_secret (nonce->text, text))
      return nonce;
  }
  return NULL;
}

gboolean
far_nonces_spend (FarNonces *nonces, const char *text)
{
  FAR_ON_MAIN ();
  g_auto (GStrv) parts = g_strsplit (text != NULL ? text : "", ".", 2);
  const char *word = parts[0] != NULL && parts[1] != NULL ? parts[1] : "";
  Nonce *nonce = parts[0] != NULL ? nonce_find (nonces, parts[0]) : NULL;
  gboolean good;

  if (nonce == NULL || strlen (word) > WORD_MAX)
    return FALSE;
  good = far_clock_boottime_us () < nonce->given_us + GOOD_FOR_US &&
         g_hash_table_add (nonce->used, g_strdup (word));
  if (g_hash_table_size (nonce->used) >= USES)
    g_clear_pointer (&nonce->used, g_hash_table_unref);
  return good;
}
