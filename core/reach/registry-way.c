/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file keeps which kinds of carrier a node did not reach (farwatch/registry.h): where a firewall shuts
 * the port of one, its sessions begin with another for a while. It is kept in memory, for the address that
 * the node's link comes from, since another network may have another firewall. */
#include "config.h"

#include "reach/registry-private.h"

#include <farwatch/clock.h>
#include <farwatch/thread.h>

#define WAY_FIRST_US (60 * (gint64) G_USEC_PER_SEC)
#define WAY_DOUBLED_MAX 6 /* then it is an hour */
#define WAY_LONGEST_US (3600 * (gint64) G_USEC_PER_SEC)
#define WAY_SAME_US (10 * (gint64) G_USEC_PER_SEC) /* sessions that fail together have failed once */
#define WAY_ROW 2                                  /* failures in a row that mean something */

typedef struct {
  char *from; /* of the link then; NULL: there was none */
  guint failures;
  gint64 last_us, until_us; /* boottime; until 0: it is not avoided */
} RegistryWay;

static void
registry_way_free (gpointer data)
{
  g_free (((RegistryWay *) data)->from);
  g_free (data);
}

static RegistryWay *
registry_way_find (const FarRegistryHeld *held, const char *kind)
{
  RegistryWay *way = held != NULL && held->ways != NULL ? g_hash_table_lookup (held->ways, kind) : NULL;

  return way != NULL && g_strcmp0 (way->from, held->from) == 0 ? way : NULL;
}

static RegistryWay *
registry_way_get (FarRegistryHeld *held, const char *kind)
{
  RegistryWay *way = registry_way_find (held, kind);

  if (way != NULL)
    return way;
  if (held->ways == NULL)
    held->ways = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, registry_way_free);
  way = g_new0 (RegistryWay, 1);
  way->from = g_strdup (held->from);
  g_hash_table_replace (held->ways, g_strdup (kind), way);
  return way;
}

gint64
far_registry_unreached (const char *id, const char *kind)
{
  FAR_ON_MAIN ();
  FarRegistryHeld *held = far_registry_held (id);
  RegistryWay *way = held != NULL ? registry_way_get (held, kind) : NULL;
  gint64 now = far_clock_boottime_us (), length_us;

  if (way == NULL || now < way->until_us || (way->failures > 0 && now < way->last_us + WAY_SAME_US))
    return 0;
  way->last_us = now;
  if (++way->failures < WAY_ROW)
    return 0;
  length_us = MIN (WAY_FIRST_US << MIN (way->failures - WAY_ROW, WAY_DOUBLED_MAX), WAY_LONGEST_US);
  way->until_us = now + length_us;
  return length_us;
}

gboolean
far_registry_reached (const char *id, const char *kind)
{
  FAR_ON_MAIN ();
  const FarRegistryHeld *held = far_registry_held (id);
  const RegistryWay *way = registry_way_find (held, kind);
  gboolean told = way != NULL && way->until_us != 0;

  if (held != NULL && held->ways != NULL)
    g_hash_table_remove (held->ways, kind);
  return told;
}

gboolean
far_registry_avoids (const char *id, const char *kind)
{
  FAR_ON_MAIN ();
  const RegistryWay *way = registry_way_find (far_registry_held (id), kind);

  return way != NULL && far_clock_boottime_us () < way->until_us;
}

void
far_registry_ways_forget (void)
{
  FAR_ON_MAIN ();
  g_autoptr (GPtrArray) all = far_registry_nodes ();

  for (guint i = 0; i < all->len; i++)
    g_clear_pointer (&far_registry_held (((const FarRegistryNode *) all->pdata[i])->id)->ways,
                     g_hash_table_unref);
}

json_t *
far_registry_ways_show (const FarRegistryNode *node)
{
  FAR_ON_MAIN ();
  const FarRegistryHeld *held = far_registry_held (node->id);
  json_t *list = json_array ();
  gint64 now = far_clock_boottime_us ();
  GHashTableIter iter;
  gpointer kind;

  if (held == NULL || held->ways == NULL)
    return list;
  g_hash_table_iter_init (&iter, held->ways);
  while (g_hash_table_iter_next (&iter, &kind, NULL)) {
    const RegistryWay *way = registry_way_find (held, kind);
    gboolean avoided = way != NULL && now < way->until_us;
    g_autofree char *until = avoided ? far_clock_format (far_clock_wall_us () + way->until_us - now) : NULL;

    if (way != NULL)
      json_array_append_new (list, json_pack ("{s:s, s:i, s:s?}", "carrier", kind, "failures",
                                              (int) way->failures, "until", until));
  }
  return list;
}
