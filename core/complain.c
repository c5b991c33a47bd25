/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When a complaint that repeats is due: at once, then after 1 minute, 2 minutes … 1 day. Quiet for twice its interval, it starts over. */
#include "config.h"

#include "log.h"

#include <farwatch/clock.h>

#define MINUTE_US G_GINT64_CONSTANT (60000000)
#define DAY_US (1440 * MINUTE_US)
#define KEYS_MAX 1024

typedef struct {
  gint64 due_us, last_us, interval_us;
  guint swallowed;
} Complaint;

static GMutex complaints_lock;
static GHashTable *complaints; /* "path\nkey" → Complaint */

static gboolean
complaint_old (gpointer key, gpointer value, gpointer user)
{
  const Complaint *complaint = value;

  return complaint->last_us + 2 * complaint->interval_us < *(const gint64 *) user;
}

/* Takes id. */
static Complaint *
complaint_get (char *id, gint64 now)
{
  Complaint *complaint;

  if (complaints == NULL)
    complaints = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  if (g_hash_table_size (complaints) >= KEYS_MAX) {
    g_hash_table_foreach_remove (complaints, complaint_old, &now);
    if (g_hash_table_size (complaints) >= KEYS_MAX)
      g_hash_table_remove_all (complaints);
  }
  complaint = g_hash_table_lookup (complaints, id);
  if (complaint == NULL) {
    complaint = g_new0 (Complaint, 1);
    g_hash_table_insert (complaints, id, complaint);
  } else {
    if (complaint_old (NULL, complaint, &now))
      *complaint = (Complaint) { 0 };
    g_free (id);
  }
  return complaint;
}

gboolean
far_complaint_due (const char *path, const char *key, guint *more)
{
  gint64 now = far_clock_boottime_us ();
  g_autoptr (GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new (&complaints_lock);
  Complaint *complaint = complaint_get (g_strdup_printf ("%s\n%s", path != NULL ? path : "", key), now);

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
