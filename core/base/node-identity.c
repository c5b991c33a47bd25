/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who this node is, where it keeps its state and how a person names it: told once at the start, asked for by
 * every room. */
#include "config.h"

#include "base/node-identity.h"

#include "base/node-part.h"

#include <string.h>

#include <farwatch/instance.h>

typedef struct {
  char *id, *state, *words; /* outlive reloads; none can change */
} NodeIdentity;

static void
node_place_clear (gpointer part)
{
  NodeIdentity *self = part;

  g_clear_pointer (&self->id, g_free);
  g_clear_pointer (&self->state, g_free);
  g_clear_pointer (&self->words, g_free);
}

static NodeIdentity *
node_place (void)
{
  static const FarNodePart part = { FAR_PART_IDENTITY, sizeof (NodeIdentity), NULL, node_place_clear };

  return far_node_part (&part);
}

const char *
far_node_id (void)
{
  return node_place ()->id != NULL ? node_place ()->id : "";
}

const char *
far_node_state_dir (void)
{
  return node_place ()->state != NULL ? node_place ()->state : FAR_STATE_DIR;
}

char *
far_node_path (const char *relative)
{
  return g_path_is_absolute (relative) ? g_strdup (relative)
                                       : g_build_filename (far_node_state_dir (), relative, NULL);
}

/* One list for all that is written there without a profile that names it: what is added to the code is added
 * here. */
gboolean
far_node_keeps (const char *name)
{
  static const char *const names[] = {
    FAR_NOTES_MADE, FAR_NOTES_DAMAGED, FAR_NOTES_MISSING, "lock",    "clock", "backups",
    "devices.json", ".restore",        ".restoring",      ".uplink", NULL
  };

  return g_strv_contains (names, name) || g_str_has_prefix (name, "before-restore-");
}

const char *
far_node_words (void)
{
  return node_place ()->words != NULL ? node_place ()->words : "--profile FILE";
}

static char *
word (const char *path)
{
  g_autofree char *whole = g_canonicalize_filename (path, NULL);
  gboolean plain = strspn (whole, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "/._@%+,:-") == strlen (whole);

  return plain ? g_steal_pointer (&whole) : g_shell_quote (whole);
}

void
far_node_words_set (const char *profile, const char *state)
{
  g_autofree char *file = profile != NULL ? word (profile) : NULL,
                  *folder = state != NULL ? word (state) : NULL;

  g_free (node_place ()->words);
  node_place ()->words = file == NULL     ? NULL
                         : folder == NULL ? g_strconcat ("--profile ", file, NULL)
                                          : g_strconcat ("--profile ", file, " --state ", folder, NULL);
}

void
far_node_identity_set (const char *id, const char *state)
{
  g_free (node_place ()->id);
  g_free (node_place ()->state);
  node_place ()->id = g_strdup (id);
  node_place ()->state = g_strdup (state);
}
