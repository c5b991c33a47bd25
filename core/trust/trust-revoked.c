/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one list of revoked certificates and keys of this node: TLS threads ask it, the main context feeds it.
 * There is one for all listeners on purpose: a listener that was given no list would accept what the fleet
 * has revoked. */
#include "config.h"

#include "trust/trust-revoked.h"

#include "base/node-part.h"

#include <farwatch/thread.h>

typedef struct {
  GMutex lock;
  GHashTable *entries;  /* under lock; entries are strings */
  FarDeferred *changed; /* under lock; NULL: nobody wants to know */
  gint read, needed;    /* atomic: who keeps the list has read it; somebody here needs it */
} Revocations;

static void
revocations_clear (gpointer part)
{
  Revocations *self = part;
  g_autoptr (GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  g_clear_pointer (&self->entries, g_hash_table_unref);
}

static Revocations *
revocations (void)
{
  static const FarNodePart part = { FAR_PART_REVOKED, sizeof (Revocations), NULL, revocations_clear };

  return far_node_part (&part);
}

static void
add_locked (const char *entry)
{
  if (revocations ()->entries == NULL)
    revocations ()->entries = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_hash_table_add (revocations ()->entries, g_strdup (entry));
}

static void
tell_locked (void)
{
  if (revocations ()->changed != NULL)
    far_deferred_ask (revocations ()->changed);
}

static void
revoked_tell (void)
{
  g_mutex_lock (&revocations ()->lock);
  tell_locked ();
  g_mutex_unlock (&revocations ()->lock);
}

void
far_trust_revoked_tell (FarDeferred *changed)
{
  FAR_ON_MAIN ();
  g_mutex_lock (&revocations ()->lock);
  revocations ()->changed = changed;
  g_mutex_unlock (&revocations ()->lock);
}

void
far_trust_revoked_set (const char *const *entries)
{
  g_mutex_lock (&revocations ()->lock);
  g_clear_pointer (&revocations ()->entries, g_hash_table_unref);
  for (; entries != NULL && *entries != NULL; entries++)
    add_locked (*entries);
  tell_locked ();
  g_mutex_unlock (&revocations ()->lock);
}

void
far_trust_revoked_add (const char *entry)
{
  g_mutex_lock (&revocations ()->lock);
  add_locked (entry);
  tell_locked ();
  g_mutex_unlock (&revocations ()->lock);
}

void
far_trust_revoked_remove (const char *entry)
{
  g_mutex_lock (&revocations ()->lock);
  if (revocations ()->entries != NULL)
    g_hash_table_remove (revocations ()->entries, entry);
  g_mutex_unlock (&revocations ()->lock);
}

gboolean
far_trust_revoked (const char *serial, const char *node)
{
  g_autofree char *every = node == NULL ? NULL : g_strconcat ("node:", node, NULL);
  gboolean found;

  g_mutex_lock (&revocations ()->lock);
  found = revocations ()->entries != NULL &&
          ((serial != NULL && g_hash_table_contains (revocations ()->entries, serial)) ||
           (every != NULL && g_hash_table_contains (revocations ()->entries, every)));
  g_mutex_unlock (&revocations ()->lock);
  return found;
}

gboolean
far_trust_revoked_known (void)
{
  return g_atomic_int_get (&revocations ()->read) || !g_atomic_int_get (&revocations ()->needed);
}

void
far_trust_revoked_set_known (void)
{
  g_atomic_int_set (&revocations ()->read, TRUE);
  revoked_tell ();
}

void
far_trust_revoked_set_needed (gboolean needed)
{
  g_atomic_int_set (&revocations ()->needed, needed);
  revoked_tell ();
}

gboolean
far_trust_revoked_key (const char *hash)
{
  gboolean found;

  g_mutex_lock (&revocations ()->lock);
  found = revocations ()->entries != NULL && g_hash_table_contains (revocations ()->entries, hash);
  g_mutex_unlock (&revocations ()->lock);
  return found;
}
