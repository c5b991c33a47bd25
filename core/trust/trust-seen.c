/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Chains whose signatures were found right, by their hash: a signature costs half a millisecond, and a
 * thousand terminals that come back bring the certificates they had. Nothing but signatures is remembered:
 * times, purpose, names and revocation are looked at each time. Bounded: two generations, the older one goes
 * when the younger is full. Of the process, for all its nodes: the hash covers the authority, so that what
 * one found says the same to another. */
#include "config.h"

#include "trust/trust-private.h"

#include <string.h>

#define GENERATION 4096

static GMutex lock;
static GHashTable *young, *old; /* under lock; sets of hex texts */

gboolean
far_trust_seen (const char *digest)
{
  gboolean seen;

  g_mutex_lock (&lock);
  seen = (young != NULL && g_hash_table_contains (young, digest)) ||
         (old != NULL && g_hash_table_contains (old, digest));
  g_mutex_unlock (&lock);
  return seen;
}

void
far_trust_remember (const char *digest)
{
  g_mutex_lock (&lock);
  if (young != NULL && g_hash_table_size (young) >= GENERATION) {
    g_clear_pointer (&old, g_hash_table_unref);
    old = g_steal_pointer (&young);
  }
  if (young == NULL)
    young = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_hash_table_add (young, g_strdup (digest));
  g_mutex_unlock (&lock);
}
