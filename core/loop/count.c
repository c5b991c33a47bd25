/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was refused, counted under a few fixed words for the whole node: `farctl status` shows them. */
#include "config.h"

#include "loop/log.h"

#include <farwatch/instance.h>

#define WORDS_MAX 64

static GMutex counts_lock;
static GHashTable *counts; /* word → guint64 * */

void
far_count (const char *what, guint times)
{
  g_autoptr (GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new (&counts_lock);
  guint64 *number;

  if (counts == NULL)
    counts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  number = g_hash_table_lookup (counts, what);
  if (number == NULL && g_hash_table_size (counts) >= WORDS_MAX)
    return;
  if (number == NULL)
    g_hash_table_insert (counts, g_strdup (what), number = g_new0 (guint64, 1));
  *number += times;
}

json_t *
far_counts_json (void)
{
  g_autoptr (GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new (&counts_lock);
  json_t *json = json_object ();
  GHashTableIter iter;
  gpointer word, number;

  if (counts == NULL)
    return json;
  g_hash_table_iter_init (&iter, counts);
  while (g_hash_table_iter_next (&iter, &word, &number))
    json_object_set_new (json, word, json_integer ((json_int_t) * (guint64 *) number));
  return json;
}
