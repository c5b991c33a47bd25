/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses as keys, and the table of those somebody logged in from within a day: bounded, the oldest
 * forgotten. */
#include "config.h"

#include "stream/gate-private.h"

#include <netinet/in.h>
#include <string.h>

/* ---- keys ---- */

guint
far_net_key_hash (gconstpointer data)
{
  const FarNetKey *key = data;
  guint64 mixed = (key->net ^ key->kind ^ ((guint64) key->salt << 32)) *
                      G_GUINT64_CONSTANT (0x9e3779b97f4a7c15) +
                  key->salt;
  mixed ^= mixed >> 29;
  mixed *= G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9) ^ key->salt;
  return (guint) (mixed >> 32);
}

gboolean
far_net_key_equal (gconstpointer a, gconstpointer b)
{
  const FarNetKey *one = a, *two = b;
  return one->net == two->net && one->kind == two->kind;
}

static guint64
read_be (const guint8 *bytes, guint n)
{
  guint64 value = 0;
  for (guint i = 0; i < n; i++)
    value = value << 8 | bytes[i];
  return value;
}

FarNetKey
far_net_key (const struct sockaddr *address, guint32 salt)
{
  if (address != NULL && address->sa_family == AF_INET)
    return (FarNetKey){ ntohl (((const struct sockaddr_in *) (const void *) address)->sin_addr.s_addr),
                        FAR_NET_V4, salt };
  if (address == NULL || address->sa_family != AF_INET6)
    return (FarNetKey){ 0, FAR_NET_NOBODY, salt };
  const struct in6_addr *v6 = &((const struct sockaddr_in6 *) (const void *) address)->sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED (v6))
    return (FarNetKey){ read_be (v6->s6_addr + 12, 4), FAR_NET_V4, salt };
  return (FarNetKey){ read_be (v6->s6_addr, 8), FAR_NET_V6, salt };
}

/* ---- the table ---- */

typedef struct {
  FarNetKey key;
  gint64 until_us;
  GList link; /* in the order of their last logins */
} Entry;

struct _FarKnown {
  GHashTable *entries; /* FarNetKey → Entry, its own key */
  GQueue order;
};

FarKnown *
far_known_new (void)
{
  FarKnown *known = g_new0 (FarKnown, 1);
  known->entries = g_hash_table_new_full (far_net_key_hash, far_net_key_equal, NULL, g_free);
  return known;
}

void
far_known_free (FarKnown *known)
{
  g_hash_table_unref (known->entries);
  g_free (known);
}

static void
forget (FarKnown *known, Entry *entry)
{
  g_queue_unlink (&known->order, &entry->link);
  g_hash_table_remove (known->entries, &entry->key);
}

void
far_known_add (FarKnown *known, const FarNetKey *key, gint64 now_us)
{
  if (key->kind == FAR_NET_NOBODY)
    return;
  Entry *entry = g_hash_table_lookup (known->entries, key);
  if (entry == NULL) {
    if (known->order.length >= FAR_KNOWN_MAX)
      forget (known, g_queue_peek_head (&known->order));
    entry = g_new0 (Entry, 1);
    entry->key = *key;
    entry->link.data = entry;
    g_hash_table_insert (known->entries, &entry->key, entry);
  } else
    g_queue_unlink (&known->order, &entry->link);
  entry->until_us = now_us + FAR_KNOWN_US;
  g_queue_push_tail_link (&known->order, &entry->link);
}

gboolean
far_known_has (FarKnown *known, const FarNetKey *key, gint64 now_us)
{
  Entry *entry = g_hash_table_lookup (known->entries, key);
  if (entry == NULL || now_us < entry->until_us)
    return entry != NULL;
  forget (known, entry);
  return FALSE;
}
