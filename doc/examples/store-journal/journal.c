/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file keeps the journal: the file with one change a line, which is played into the memory when it is
 * opened and written before a change is done. It takes no lock on the file: the lock of the state
 * directory keeps a second daemon out only where the file lies below it. */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

Journal *
journal_new (const char *path)
{
  Journal *journal = g_new0 (Journal, 1);

  journal->refs = 1;
  g_rw_lock_init (&journal->lock);
  journal->memory = memory_new ();
  journal->path = g_strdup (path);
  journal->fd = -1;
  return journal;
}

Journal *
journal_ref (Journal *journal)
{
  g_atomic_int_inc (&journal->refs);
  return journal;
}

void
journal_unref (Journal *journal)
{
  if (!g_atomic_int_dec_and_test (&journal->refs))
    return;
  if (journal->fd >= 0)
    close (journal->fd);
  memory_free (journal->memory);
  g_rw_lock_clear (&journal->lock);
  g_free (journal->path);
  g_free (journal);
}

/* ---- opening ---- */

static gboolean
fault (Journal *journal, FarErrorCode code, const char *what, GError **error)
{
  g_set_error (error, FAR_ERROR, code, "%s: %s: %s", journal->path, what, g_strerror (errno));
  return FALSE;
}

static gboolean
play_line (Journal *journal, const char *line, gsize size, guint number, GError **error)
{
  json_t *change = json_loadb (line, size, 0, NULL);

  if (!json_is_string (json_object_get (change, "op"))) {
    json_decref (change);
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
                 _ ("%s:%u: this line is damaged: put a backup in its place"), journal->path, number);
    return FALSE;
  }
  change_play (journal->memory, change);
  json_decref (change);
  return TRUE;
}

/* A last line without its end was never acknowledged: the power went while it was written. */
static gboolean
play_all (Journal *journal, const char *text, gsize size, GError **error)
{
  const char *at = text, *end;

  for (guint number = 1; (end = memchr (at, '\n', size - (gsize) (at - text))) != NULL; number++) {
    if (!play_line (journal, at, (gsize) (end - at), number, error))
      return FALSE;
    at = end + 1;
  }
  journal->size = at - text;
  return TRUE;
}

/* The file's name must be durable, too. */
static gboolean
sync_folder (Journal *journal, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (journal->path);
  int fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  gboolean good = fd >= 0 && fsync (fd) == 0;

  if (fd >= 0)
    close (fd);
  return good || fault (journal, FAR_ERROR_UNAVAILABLE, _ ("its folder"), error);
}

gboolean
journal_open (Journal *journal, GError **error)
{
  g_autofree char *text = NULL;
  gsize size;

  journal->fd = open (journal->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (journal->fd < 0)
    return fault (journal, FAR_ERROR_UNAVAILABLE, _ ("cannot be opened"), error);
  if (!sync_folder (journal, error) || !g_file_get_contents (journal->path, &text, &size, error) ||
      !play_all (journal, text, size, error))
    return FALSE;
  return ftruncate (journal->fd, journal->size) == 0 ||
         fault (journal, FAR_ERROR_UNAVAILABLE, _ ("cannot be cut to its whole lines"), error);
}

/* ---- writing ---- */

static gboolean
write_all (int fd, const char *text, gsize size)
{
  while (size > 0) {
    gssize done = write (fd, text, size);

    if (done < 0 && errno == EINTR)
      continue;
    if (done <= 0)
      return FALSE;
    text += done;
    size -= (gsize) done;
  }
  return TRUE;
}

gboolean
journal_write (Journal *journal, json_t *change, GError **error)
{
  char *text = json_dumps (change, JSON_COMPACT);
  g_autofree char *line = text != NULL ? g_strconcat (text, "\n", NULL) : NULL;
  gsize size = line != NULL ? strlen (line) : 0;
  gboolean good = line != NULL && write_all (journal->fd, line, size) && fdatasync (journal->fd) == 0;

  free (text);
  if (good) {
    journal->size += (gint64) size;
    return TRUE;
  }
  fault (journal, FAR_ERROR_FULL, _ ("cannot record"), error);
  if (ftruncate (journal->fd, journal->size) != 0)
    far_log_limited (NULL, journal->path, "%s: half a line stands at its end", journal->path);
  return FALSE;
}

gboolean
journal_copy (Journal *journal, const char *path, GError **error)
{
  g_autofree char *text = NULL;
  gsize size;
  int fd;
  gboolean good;

  if (!g_file_get_contents (journal->path, &text, &size, error))
    return FALSE;
  fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) {
    g_set_error (error, FAR_ERROR, errno == EEXIST ? FAR_ERROR_CONFLICT : FAR_ERROR_UNAVAILABLE, "%s: %s",
                 path, g_strerror (errno));
    return FALSE;
  }
  good = write_all (fd, text, size) && fsync (fd) == 0;
  if (!good)
    g_set_error (error, FAR_ERROR, FAR_ERROR_FULL, "%s: %s", path, g_strerror (errno));
  close (fd);
  return good;
}
