/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A copy of the directory: the index as a state, closed segments and whole blobs as links where that goes,
 * the current segment up to what is durable. */
#include "config.h"

#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct {
  Disk *disk;
  char *path;
} Snapshot;

static void
snapshot_free (gpointer data)
{
  Snapshot *job = data;

  disk_unref (job->disk);
  g_free (job->path);
  g_free (job);
}

static gboolean
copy_bytes (int in, int out, guint64 size)
{
  g_autofree guint8 *bytes = g_malloc (65536);

  while (size > 0) {
    gssize n = read (in, bytes, MIN (size, 65536));

    if (n <= 0 || write (out, bytes, (gsize) n) != n)
      return n == 0;
    size -= (guint64) n;
  }
  return TRUE;
}

/* TRUE also when the file is gone: then its time was over. */
static gboolean
copy_file (const char *from, const char *to, guint64 size, GError **error)
{
  int in = open (from, O_RDONLY | O_CLOEXEC), out;
  gboolean good;

  if (in < 0)
    return errno == ENOENT || disk_full (error, from);
  out = open (to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  good = out >= 0 && copy_bytes (in, out, size) && fsync (out) == 0;
  if (!good)
    disk_full (error, to);
  close (in);
  if (out >= 0)
    close (out);
  return good;
}

static gboolean
link_or_copy (const char *from, const char *to, GError **error)
{
  return link (from, to) == 0 || copy_file (from, to, G_MAXUINT64, error);
}

static gboolean
copy_segment (Disk *disk, const char *to, guint64 number, guint64 size, GError **error)
{
  for (guint i = 0; i < 2; i++) {
    g_autofree char *from = disk_file (disk, i == 0 ? DISK_BLK : DISK_LOG, number);
    g_autofree char *name = g_path_get_basename (from), *target = g_build_filename (to, name, NULL);

    if (!g_file_test (from, G_FILE_TEST_EXISTS))
      continue;
    return size != G_MAXUINT64 ? copy_file (from, target, size, error) : link_or_copy (from, target, error);
  }
  return TRUE;
}

static gboolean
copy_blobs (Disk *disk, const char *to, GError **error)
{
  g_autofree char *from = g_build_filename (disk->path, "blobs", NULL),
                  *target = g_build_filename (to, "blobs", NULL);
  g_autoptr (GDir) dir = g_dir_open (from, 0, NULL);
  const char *name;

  if (dir != NULL && g_mkdir (target, 0700) != 0)
    return disk_full (error, target);
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *source = g_build_filename (from, name, NULL),
                    *copy = g_build_filename (target, name, NULL);

    if (strlen (name) == 64 && !link_or_copy (source, copy, error))
      return FALSE;
  }
  return dir == NULL || disk_sync_dir (target) || disk_full (error, target);
}

static gboolean
copy_all (Disk *disk, const char *to, FarRequest *req, GError **error)
{
  g_autoptr (GByteArray) state = g_byte_array_new ();
  g_autoptr (GArray) segments = g_array_new (FALSE, FALSE, sizeof (FileSegment));
  g_autofree char *format = g_build_filename (to, "FORMAT", NULL), *name = NULL, *path = NULL;
  guint64 current, end;

  g_mutex_lock (&disk->lock);
  index_write (disk->index, disk->current, state);
  g_array_append_vals (segments, disk->index->segments->data, disk->index->segments->len);
  current = disk->current;
  end = disk->end;
  g_mutex_unlock (&disk->lock);
  name = g_strdup_printf (DISK_STATE, current);
  path = g_build_filename (to, name, NULL);
  if (!disk_write_file (format, (const guint8 *) "farwatch store 1\n", 17, error) ||
      !disk_write_file (path, state->data, state->len, error))
    return FALSE;
  for (guint i = 0; i < segments->len && !far_request_ended (req); i++) {
    guint64 number = g_array_index (segments, FileSegment, i).number;

    if (!copy_segment (disk, to, number, number == current ? end : G_MAXUINT64, error))
      return FALSE;
  }
  return copy_blobs (disk, to, error) && (disk_sync_dir (to) || disk_full (error, to));
}

static int
file_snapshot_remove_one (const char *path, const struct stat *stat G_GNUC_UNUSED, int type G_GNUC_UNUSED,
                          struct FTW *walk G_GNUC_UNUSED)
{
  return remove (path);
}

static void
snapshot_work (FarRequest *req, gpointer data)
{
  Snapshot *job = data;
  g_autofree char *part = g_strconcat (job->path, ".part", NULL);
  GError *error = NULL;

  disk_refresh (job->disk);
  if (job->disk->index == NULL)
    error = g_error_new (FAR_ERROR, FAR_ERROR_UNAVAILABLE, _ ("%s cannot be opened now; the log says why"),
                         job->disk->path);
  else if (g_file_test (job->path, G_FILE_TEST_EXISTS))
    error = g_error_new (FAR_ERROR, FAR_ERROR_CONFLICT, _ ("%s exists already; choose another name"),
                         job->path);
  else {
    nftw (part, file_snapshot_remove_one, 8, FTW_DEPTH | FTW_PHYS);
    if (g_mkdir (part, 0700) != 0 || !copy_all (job->disk, part, req, &error) ||
        g_rename (part, job->path) != 0)
      error = error != NULL ? error
                            : g_error_new (FAR_ERROR, FAR_ERROR_FULL, _ ("cannot write %s: %s"), part,
                                           g_strerror (errno));
  }
  if (error == NULL) {
    far_request_done (req, g_strdup (job->disk->path), g_free);
    return;
  }
  if (error->code != FAR_ERROR_CONFLICT)
    nftw (part, file_snapshot_remove_one, 8, FTW_DEPTH | FTW_PHYS);
  far_request_fail (req, error);
}

void
file_read_snapshot (Disk *disk, const char *path, FarRequest *req)
{
  Snapshot *job = g_new (Snapshot, 1);

  job->disk = disk_ref (disk);
  job->path = g_strdup (path);
  far_run_blocking (disk->scan_lane, FILE_LANE_MAX, snapshot_work, job, snapshot_free, req);
}
