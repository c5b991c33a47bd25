/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is there what a right names? Terminals by their name, their site or a group, and devices below them. */
#include "config.h"

#include "fleet.h"

#include <string.h>

static gboolean
device_fits (const FarRegistryNode *terminal, const char *pattern)
{
  GHashTableIter iter;
  gpointer name;
  g_hash_table_iter_init (&iter, terminal->devices);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    if (g_pattern_match_simple (pattern, name))
      return TRUE;
  return FALSE;
}

/* What stands below the terminal's name. */
static gboolean
rest_fits (const FarRegistryNode *terminal, char **rest)
{
  return !rest[0] || !rest[1] || !g_pattern_match_simple (rest[0], "devices") ||
         device_fits (terminal, rest[1]);
}

static gboolean
terminal_fits (const FarRegistryNode *terminal, const char *family, const char *pattern)
{
  if (strcmp (family, "terminals") == 0)
    return g_pattern_match_simple (pattern, terminal->id);
  json_t *groups = json_object_get (terminal->row, "groups"), *group;
  size_t i;
  const char *site = fleet_text (terminal->row, "site");
  if (strcmp (family, "sites") == 0)
    return site && g_pattern_match_simple (pattern, site);
  json_array_foreach (groups, i, group)
    if (json_is_string (group) && g_pattern_match_simple (pattern, json_string_value (group)))
      return TRUE;
  return FALSE;
}

FarKnows
fleet_knows (gpointer data, char **parts)
{
  static const char *const families[] = { "terminals", "sites", "groups", NULL };
  if (strcmp (parts[0], "nodes") == 0)
    return g_pattern_match_simple (parts[1], far_node_id ()) ? FAR_KNOWS_IT : FAR_KNOWS_NONE;
  if (!g_strv_contains (families, parts[0]))
    return FAR_KNOWS_NOT_MINE;
  g_autoptr (GPtrArray) all = far_registry_nodes ();
  for (guint i = 0; i < all->len; i++)
    if (terminal_fits (all->pdata[i], parts[0], parts[1]) && rest_fits (all->pdata[i], parts + 2))
      return FAR_KNOWS_IT;
  return FAR_KNOWS_NONE;
}
