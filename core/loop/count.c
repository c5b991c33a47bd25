/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was refused, counted under a few fixed words for the whole node: `farctl status` shows them. */
#include "config.h"

#include "loop/log.h"

#include "base/node-part.h"

#include <farwatch/instance.h>

#define WORDS_MAX 64

typedef struct {
  GMutex lock;
  GHashTable *by_word; /* word → guint64 * */
} Counts;

static void
count_part_clear (gpointer part)
{
  Counts *self = part;
  g_autoptr (GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  g_clear_pointer (&self->by_word, g_hash_table_unref);
}

static Counts *
count_part (void)
{
  static const FarNodePart part = { FAR_PART_COUNT, sizeof (Counts), NULL, count_part_clear };

  return far_node_part (&part);
}

void
far_count (const char *what, guint times)
{
  g_autoptr (GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new (&count_part ()->lock);
  guint64 *number;

  if (count_part ()->by_word == NULL)
    count_part ()->by_word = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  number = g_hash_table_lookup (count_part ()->by_word, what);
  if (number == NULL && g_hash_table_size (count_part ()->by_word) >= WORDS_MAX)
    return;
  if (number == NULL)
    g_hash_table_insert (count_part ()->by_word, g_strdup (what), number = g_new0 (guint64, 1));
  *number += times;
}

json_t *
far_counts_json (void)
{
  g_autoptr (GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new (&count_part ()->lock);
  json_t *json = json_object ();
  GHashTableIter iter;
  gpointer word, number;

  if (count_part ()->by_word == NULL)
    return json;
  g_hash_table_iter_init (&iter, count_part ()->by_word);
  while (g_hash_table_iter_next (&iter, &word, &number))
    json_object_set_new (json, word, json_integer ((json_int_t) * (guint64 *) number));
  return json;
}
