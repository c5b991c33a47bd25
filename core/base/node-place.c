/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who this node is and where it keeps its state: told once at the start, asked for by every room. */
#include "config.h"

#include "base/node-place.h"

#include <farwatch/instance.h>

static struct {
  char *id, *state; /* outlive reloads; neither can change */
} node_place;

const char *
far_node_id (void)
{
  return node_place.id != NULL ? node_place.id : "";
}

const char *
far_node_state_dir (void)
{
  return node_place.state != NULL ? node_place.state : FAR_STATE_DIR;
}

char *
far_node_path (const char *relative)
{
  return g_path_is_absolute (relative) ? g_strdup (relative) : g_build_filename (far_node_state_dir (), relative, NULL);
}

/* One list for all that is written there without a profile that names it: what is added to the code is added here. */
gboolean
far_node_keeps (const char *name)
{
  static const char *const names[] = { FAR_NOTES_MADE, FAR_NOTES_DAMAGED, FAR_NOTES_MISSING, "lock", "clock", "backups", "devices.json", ".restore", ".restoring", NULL };

  return g_strv_contains (names, name) || g_str_has_prefix (name, "before-restore-");
}

void
far_node_place_set (const char *id, const char *state)
{
  g_free (node_place.id);
  g_free (node_place.state);
  node_place.id = g_strdup (id);
  node_place.state = g_strdup (state);
}
