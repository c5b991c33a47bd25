/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* STATE/.restoring: a restore is moving files. Its first line is the name of the folder in which what was
 * there before is put aside; the second one says whether all of that is out ("in": what stands in STATE is of
 * the backup). While it is there no daemon starts, and the next restore goes on from it. */
#include "config.h"

#include "restore-journal.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <farwatch/error.h>

#include "ctl-support/shared.h"

#define JOURNAL_MAX 256

static char *
journal_path (const char *state)
{
  return g_build_filename (state, FAR_RESTORING, NULL);
}

gboolean
restore_journal_write (const char *state, const char *aside, gboolean in, GError **error)
{
  g_autofree char *path = journal_path (state), *name = g_path_get_basename (aside),
                  *text = g_strdup_printf ("%s\n%s\n", name, in ? "in" : "out");

  return g_file_set_contents_full (path, text, -1,
                                   G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600, error);
}

/* By cutting its second line off: that takes no room on a disk that is full. */
gboolean
restore_journal_mixed (const char *state)
{
  g_autofree char *path = journal_path (state), *text = far_small_file_read (path, JOURNAL_MAX);
  int fd = text != NULL ? open (path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
  gboolean good = fd >= 0 && ftruncate (fd, (off_t) strcspn (text, "\n") + 1) == 0 && fsync (fd) == 0;

  if (fd >= 0)
    close (fd);
  return good;
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
  g_autofree char *path = journal_path (state), *text = far_small_file_read (path, JOURNAL_MAX);
  g_auto (GStrv) lines = NULL;

  if (text == NULL)
    return NULL;
  lines = g_strsplit (text, "\n", 3);
  if (lines[0] == NULL || lines[1] == NULL || !g_str_has_prefix (lines[0], RESTORE_ASIDE) ||
      strspn (lines[0] + strlen (RESTORE_ASIDE), "0123456789-") != strlen (lines[0] + strlen (RESTORE_ASIDE)))
    return NULL;
  *in = strcmp (lines[1], "in") == 0;
  return g_strdup (lines[0]);
}

char *
restore_free_place (const char *path)
{
  struct stat st;
  char *place = g_strdup (path);

  for (guint i = 2; lstat (place, &st) == 0 || errno != ENOENT; i++) {
    g_free (place);
    place = g_strdup_printf ("%s-%u", path, i);
    if (i >= 1000)
      break; /* the move to it says why not */
  }
  return place;
}
