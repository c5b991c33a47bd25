/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one list of revoked certificates and keys of this process: TLS threads ask it, the main context feeds
 * it. It is process-wide on purpose: a listener that was given no list would accept what the fleet has
 * revoked. */
#include "config.h"

#include <farwatch/trust.h>

static GMutex lock;
static GHashTable *revoked; /* under lock; entries are strings */
static gint unknown;        /* atomic */

static void
add_locked (const char *entry)
{
  if (revoked == NULL)
    revoked = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_hash_table_add (revoked, g_strdup (entry));
}

void
far_trust_revoked_set (const char *const *entries)
{
  g_mutex_lock (&lock);
  g_clear_pointer (&revoked, g_hash_table_unref);
  for (; entries != NULL && *entries != NULL; entries++)
    add_locked (*entries);
  g_mutex_unlock (&lock);
}

void
far_trust_revoked_add (const char *entry)
{
  g_mutex_lock (&lock);
  add_locked (entry);
  g_mutex_unlock (&lock);
}

void
far_trust_revoked_remove (const char *entry)
{
  g_mutex_lock (&lock);
  if (revoked != NULL)
    g_hash_table_remove (revoked, entry);
  g_mutex_unlock (&lock);
}

gboolean
far_trust_revoked (const char *serial, const char *node)
{
  g_autofree char *every = node == NULL ? NULL : g_strconcat ("node:", node, NULL);
  gboolean found;

  g_mutex_lock (&lock);
  found = revoked != NULL && ((serial != NULL && g_hash_table_contains (revoked, serial)) ||
                              (every != NULL && g_hash_table_contains (revoked, every)));
  g_mutex_unlock (&lock);
  return found;
}

gboolean
far_trust_revoked_known (void)
{
  return !g_atomic_int_get (&unknown);
}

void
far_trust_revoked_set_known (gboolean known)
{
  g_atomic_int_set (&unknown, !known);
}

gboolean
far_trust_revoked_key (const char *hash)
{
  gboolean found;

  g_mutex_lock (&lock);
  found = revoked != NULL && g_hash_table_contains (revoked, hash);
  g_mutex_unlock (&lock);
  return found;
}
