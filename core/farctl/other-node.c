/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the state directory of a node is known from outside: by what every node has there once it has joined a
 * fleet, or once a daemon has run on it. */
#include "config.h"

#include "other-node.h"

#include "ctl-support/shared.h"

#define DEPTH_MAX 8 /* folders within folders that are looked into */

static gboolean
has (const char *folder, const char *name)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);

  return g_file_test (path, G_FILE_TEST_EXISTS);
}

/* A lock alone is none: a store of plain files has one as well. */
gboolean
other_node_is (const char *folder)
{
  return has (folder, "keys/node.key") || (has (folder, "lock") && has (folder, FAR_NOTES_MADE));
}

static gboolean
other_node_folder_holds (const char *folder, guint depth)
{
  g_autoptr (GDir) dir = NULL;
  const char *name;

  if (!g_file_test (folder, G_FILE_TEST_IS_DIR))
    return FALSE;
  if (other_node_is (folder))
    return TRUE;
  dir = depth > 0 && !g_file_test (folder, G_FILE_TEST_IS_SYMLINK) ? g_dir_open (folder, 0, NULL) : NULL;
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *below = g_build_filename (folder, name, NULL);

    if (other_node_folder_holds (below, depth - 1))
      return TRUE;
  }
  return FALSE;
}

gboolean
other_node_holds (const char *folder)
{
  return other_node_folder_holds (folder, DEPTH_MAX);
}
