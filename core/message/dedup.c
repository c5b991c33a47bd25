/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who sends a message twice (the answer was lost on the way) gets the answer that was given, and nothing is
 * done again. */
#include "config.h"

#include "message/router.h"

#include "base/node-part.h"

#include <farwatch/clock.h>

typedef struct {
  char *key;
  char *what; /* method and resource */
  FarMessage *answer;
  gsize bytes;
  gint64 until_us;
} Kept;

/* By key, and in order of age: touched on main only. */
typedef struct {
  GHashTable *by_key; /* key → GList link of order */
  GQueue order;
  gsize bytes;
} Dedup;

static void
dedup_clear (gpointer part)
{
  far_dedup_clear ();
}

static Dedup *
dedup (void)
{
  static const FarNodePart part = { FAR_PART_DEDUP, sizeof (Dedup), NULL, dedup_clear };

  return far_node_part (&part);
}

char *
far_dedup_key (const FarPrincipal *principal, const char *id)
{
  g_autofree char *who = NULL;

  if (principal->kind == FAR_PRINCIPAL_NONE)
    return NULL;
  who = far_principal_text (principal);
  return g_strconcat (who, "\n", id, NULL);
}

static char *
dedup_what (const FarMessage *request)
{
  return g_strconcat (request->method, " ", request->resource, NULL);
}

static void
kept_free (Kept *kept)
{
  g_free (kept->key);
  g_free (kept->what);
  far_message_unref (kept->answer);
  g_free (kept);
}

static void
dedup_drop_oldest (void)
{
  Kept *kept = g_queue_pop_head (&dedup ()->order);

  g_hash_table_remove (dedup ()->by_key, kept->key);
  dedup ()->bytes -= kept->bytes;
  kept_free (kept);
}

static void
dedup_age (gint64 now)
{
  while (!g_queue_is_empty (&dedup ()->order) &&
         ((Kept *) g_queue_peek_head (&dedup ()->order))->until_us <= now)
    dedup_drop_oldest ();
}

FarMessage *
far_dedup_find (const char *key, const FarMessage *request, gboolean *same)
{
  g_autofree char *what = dedup_what (request);
  GList *link;
  Kept *kept;

  dedup_age (far_clock_boottime_us ());
  link = dedup ()->by_key != NULL ? g_hash_table_lookup (dedup ()->by_key, key) : NULL;
  if (link == NULL)
    return NULL;
  kept = link->data;
  *same = g_str_equal (kept->what, what);
  return kept->answer;
}

static gsize
dedup_size (const char *key, const char *what, const FarMessage *answer)
{
  return sizeof (Kept) + 128 + strlen (key) + strlen (what) +
         (answer->body != NULL ? g_bytes_get_size (answer->body) : 0);
}

void
far_dedup_keep (const char *key, const FarMessage *request, FarMessage *answer)
{
  Kept *kept = g_new0 (Kept, 1);

  if (dedup ()->by_key == NULL)
    dedup ()->by_key = g_hash_table_new (g_str_hash, g_str_equal);
  kept->key = g_strdup (key);
  kept->what = dedup_what (request);
  kept->answer = far_message_ref (answer);
  kept->bytes = dedup_size (kept->key, kept->what, answer);
  kept->until_us = far_clock_boottime_us () + FAR_DEDUP_US;
  g_queue_push_tail (&dedup ()->order, kept);
  g_hash_table_insert (dedup ()->by_key, kept->key, g_queue_peek_tail_link (&dedup ()->order));
  dedup ()->bytes += kept->bytes;
  while (dedup ()->order.length > FAR_DEDUP_COUNT || dedup ()->bytes > FAR_DEDUP_BYTES)
    dedup_drop_oldest ();
}

void
far_dedup_clear (void)
{
  while (!g_queue_is_empty (&dedup ()->order))
    dedup_drop_oldest ();
  g_clear_pointer (&dedup ()->by_key, g_hash_table_unref);
}

void
far_dedup_counts (guint *count, gsize *bytes)
{
  *count = dedup ()->order.length;
  *bytes = dedup ()->bytes;
}
