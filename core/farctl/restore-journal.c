/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* STATE/.restoring: a restore is moving files. Its first line is the name of the folder in which what was there before is put aside; the second one says whether
 * all of that is out ("in": what stands in STATE is of the backup). While it is there no daemon starts, and the next restore goes on from it. */
#include "config.h"

#include "restore-journal.h"

#include <glib/gstdio.h>
#include <string.h>

#include <farwatch/error.h>

#include "life/node.h"

static char *
journal_path (const char *state)
{
  return g_build_filename (state, FAR_RESTORING, NULL);
}

gboolean
restore_journal_write (const char *state, const char *aside, gboolean in, GError **error)
{
  g_autofree char *path = journal_path (state), *name = g_path_get_basename (aside), *text = g_strdup_printf ("%s\n%s\n", name, in ? "in" : "out");

  return g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600, error);
}

void
restore_journal_end (const char *state)
{
  g_autofree char *path = journal_path (state);

  g_unlink (path);
}

char *
restore_journal_read (const char *state, gboolean *in)
{
  g_autofree char *path = journal_path (state), *text = NULL;
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return NULL;
  lines = g_strsplit (text, "\n", 3);
  if (lines[0] == NULL || lines[1] == NULL || !g_str_has_prefix (lines[0], RESTORE_ASIDE) ||
      strspn (lines[0] + strlen (RESTORE_ASIDE), "0123456789-") != strlen (lines[0] + strlen (RESTORE_ASIDE)))
    return NULL;
  *in = strcmp (lines[1], "in") == 0;
  return g_strdup (lines[0]);
}
