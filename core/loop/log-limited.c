/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When a complaint that repeats is due: at once, then after 1 minute, 2 minutes … 1 day. Quiet for twice its
 * interval, it starts over.
 *
 * Keys may be what a stranger chose: an address, a name. So of one kind of complaint, of one instance, 32
 * keys begin at once and one more a minute; further ones share a complaint, so that nobody outside decides
 * how much is written, or makes others' complaints forgotten. */
#include "config.h"

#include "loop/log.h"

#include "base/node-part.h"

#include <farwatch/clock.h>

#define MINUTE_US G_GINT64_CONSTANT (60000000)
#define DAY_US (1440 * MINUTE_US)
#define KEYS_MAX 1024
#define BEGIN_MAX 32 /* keys of a kind that begin at once */

typedef struct {
  gint64 due_us, last_us, interval_us;
  guint swallowed;
} Complaint;

/* Of one kind: how many keys may begin now. */
typedef struct {
  guint left;
  gint64 since_us; /* counted up to here */
} Kind;

typedef struct {
  GMutex lock;
  GHashTable *by_id; /* "path\nkind\nkey" → Complaint */
  /* "path\nkind" → Kind; paths and kinds stand in the profile and the program, nobody makes them up. */
  GHashTable *kinds;
} Complaints;

static void
limits_clear (gpointer part)
{
  Complaints *self = part;
  g_autoptr (GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  g_clear_pointer (&self->by_id, g_hash_table_unref);
  g_clear_pointer (&self->kinds, g_hash_table_unref);
}

static Complaints *
limits (void)
{
  static const FarNodePart part = { FAR_PART_LOG_LIMITED, sizeof (Complaints), NULL, limits_clear };

  return far_node_part (&part);
}

static gboolean
complaint_old (gpointer key, gpointer value, gpointer user)
{
  const Complaint *complaint = value;

  return complaint->last_us + 2 * complaint->interval_us < *(const gint64 *) user;
}

static Kind *
kind_get (const char *name, gint64 now)
{
  Kind *kind;

  if (limits ()->kinds == NULL)
    limits ()->kinds = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  kind = g_hash_table_lookup (limits ()->kinds, name);
  if (kind == NULL) {
    kind = g_new0 (Kind, 1);
    *kind = (Kind){ BEGIN_MAX, now };
    g_hash_table_insert (limits ()->kinds, g_strdup (name), kind);
  }
  return kind;
}

/* May another key of the kind begin? */
static gboolean
kind_begins (const char *name, gint64 now)
{
  Kind *kind = kind_get (name, now);
  gint64 minutes = (now - kind->since_us) / MINUTE_US;

  kind->left = (guint) MIN (kind->left + minutes, BEGIN_MAX);
  kind->since_us += minutes * MINUTE_US;
  if (kind->left == 0)
    return FALSE;
  kind->left--;
  return TRUE;
}

/* Room for one more, without forgetting what is of today. */
static gboolean
complaint_fits (gint64 now)
{
  if (g_hash_table_size (limits ()->by_id) >= KEYS_MAX)
    g_hash_table_foreach_remove (limits ()->by_id, complaint_old, &now);
  return g_hash_table_size (limits ()->by_id) < KEYS_MAX;
}

static Complaint *
complaint_at (const char *id, gint64 now)
{
  Complaint *complaint = g_hash_table_lookup (limits ()->by_id, id);

  if (complaint == NULL) {
    complaint = g_new0 (Complaint, 1);
    g_hash_table_insert (limits ()->by_id, g_strdup (id), complaint);
  } else if (complaint_old (NULL, complaint, &now)) {
    *complaint = (Complaint){ 0 };
  }
  return complaint;
}

static Complaint *
complaint_get (const char *kind, const char *key, gint64 now)
{
  g_autofree char *id = g_strdup_printf ("%s\n%s", kind, key), *shared = g_strconcat (kind, "\n", NULL);
  Complaint *complaint;

  if (limits ()->by_id == NULL)
    limits ()->by_id = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  complaint = g_hash_table_lookup (limits ()->by_id, id);
  if (complaint != NULL && !complaint_old (NULL, complaint, &now))
    return complaint;
  return complaint_at (kind_begins (kind, now) && complaint_fits (now) ? id : shared, now);
}

gboolean
far_log_limit_due (const char *path, const char *kind, const char *key, guint *more)
{
  gint64 now = far_clock_boottime_us ();
  g_autoptr (GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new (&limits ()->lock);
  g_autofree char *of = g_strdup_printf ("%s\n%s", path != NULL ? path : "", kind);
  Complaint *complaint = complaint_get (of, key, now);

  complaint->last_us = now;
  if (now < complaint->due_us) {
    complaint->swallowed++;
    return FALSE;
  }
  *more = complaint->swallowed;
  complaint->swallowed = 0;
  complaint->interval_us = CLAMP (complaint->interval_us * 2, MINUTE_US, DAY_US);
  complaint->due_us = now + complaint->interval_us;
  return TRUE;
}
