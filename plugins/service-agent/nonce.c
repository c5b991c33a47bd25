/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A login in advance names a nonce that this node gave with a poll, and after a dot a word of its own: so all
 * who ask can use the one that the cloud holds, and a sealed box can still not be replayed, for each is good
 * once. What was used is remembered as long as the nonce is good. */
#include "config.h"

#include "agent.h"

#include <string.h>

#define NONCES 32
#define NONCE_LENGTH 24
#define WORD_MAX 64
#define WORN 64  /* uses; then another goes out, and this one still serves those who hold it already */
#define USES 512 /* then it is over */
#define GOOD_FOR_US (G_GINT64_CONSTANT (3600) * G_USEC_PER_SEC)

typedef struct {
  char *text;
  gint64 given_us;  /* boottime */
  GHashTable *used; /* words */
} AgentNonce;

static void
nonce_free (gpointer data)
{
  AgentNonce *nonce = data;
  g_hash_table_unref (nonce->used);
  g_free (nonce->text);
  g_free (nonce);
}

char *
agent_nonce_new (Agent *self)
{
  AgentNonce *nonce = g_new0 (AgentNonce, 1);
  *nonce = (AgentNonce){ far_random_text (NONCE_LENGTH), far_clock_boottime_us (),
                         g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL) };
  g_queue_push_tail (&self->nonces, nonce);
  if (g_queue_get_length (&self->nonces) > NONCES)
    nonce_free (g_queue_pop_head (&self->nonces));
  return g_strdup (nonce->text);
}

gboolean
agent_nonce_good (Agent *self)
{
  AgentNonce *newest = g_queue_peek_tail (&self->nonces);
  return newest && g_hash_table_size (newest->used) < WORN &&
         far_clock_boottime_us () < newest->given_us + GOOD_FOR_US / 2;
}

static GList *
nonce_find (Agent *self, const char *text)
{
  for (GList *at = self->nonces.head; at; at = at->next)
    if (far_equal_secret (((AgentNonce *) at->data)->text, text))
      return at;
  return NULL;
}

static void
nonce_drop (Agent *self, GList *at)
{
  self->nonce_told = self->nonce_told && at != self->nonces.tail;
  nonce_free (at->data);
  g_queue_delete_link (&self->nonces, at);
}

gboolean
agent_nonce_spend (Agent *self, const char *text)
{
  g_auto (GStrv) parts = g_strsplit (text ? text : "", ".", 2);
  const char *word = parts[0] && parts[1] ? parts[1] : "";
  GList *at = parts[0] ? nonce_find (self, parts[0]) : NULL;
  AgentNonce *nonce = at ? at->data : NULL;
  if (!nonce || strlen (word) > WORD_MAX)
    return FALSE;
  gboolean good = far_clock_boottime_us () < nonce->given_us + GOOD_FOR_US &&
                  g_hash_table_add (nonce->used, g_strdup (word));
  if (g_hash_table_size (nonce->used) >= USES)
    nonce_drop (self, at);
  return good;
}

void
agent_nonces_clear (Agent *self)
{
  g_queue_clear_full (&self->nonces, nonce_free);
}
