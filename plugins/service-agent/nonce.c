/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A login in advance names a nonce that this node gave with a poll; each is good once, so that a sealed box cannot be replayed. */
#include "config.h"

#include "agent.h"

#define NONCES 32
#define NONCE_LENGTH 24
#define GOOD_FOR_US (G_GINT64_CONSTANT (3600) * G_USEC_PER_SEC)

typedef struct {
  char *text;
  gint64 given_us; /* boottime */
} AgentNonce;

static void
nonce_free (gpointer data)
{
  AgentNonce *nonce = data;
  g_free (nonce->text);
  g_free (nonce);
}

char *
agent_nonce_new (Agent *self)
{
  AgentNonce *nonce = g_new0 (AgentNonce, 1);
  *nonce = (AgentNonce){ far_random_text (NONCE_LENGTH), far_clock_boottime_us () };
  g_queue_push_tail (&self->nonces, nonce);
  if (g_queue_get_length (&self->nonces) > NONCES)
    nonce_free (g_queue_pop_head (&self->nonces));
  return g_strdup (nonce->text);
}

gboolean
agent_nonce_good (Agent *self)
{
  AgentNonce *newest = g_queue_peek_tail (&self->nonces);
  return newest && far_clock_boottime_us () < newest->given_us + GOOD_FOR_US / 2;
}

gboolean
agent_nonce_spend (Agent *self, const char *text)
{
  for (GList *at = self->nonces.head; text && at; at = at->next) {
    AgentNonce *nonce = at->data;
    if (!far_equal_secret (nonce->text, text))
      continue;
    gboolean good = far_clock_boottime_us () < nonce->given_us + GOOD_FOR_US;
    self->nonce_told = self->nonce_told && at != self->nonces.tail;
    g_queue_delete_link (&self->nonces, at);
    nonce_free (nonce);
    return good;
  }
  return FALSE;
}

void
agent_nonces_clear (Agent *self)
{
  g_queue_clear_full (&self->nonces, nonce_free);
}
