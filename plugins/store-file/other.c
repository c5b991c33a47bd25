/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The writer's other jobs: opening, dropping, blobs, care on request. */
#include "config.h"

#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ORPHAN_US (24 * 3600 * (gint64) G_USEC_PER_SEC)
#define ORPHANS_AT_ONCE 16

/* ---- opening ---- */

/* A directory that cannot be written is said at each write and tried again: the store still runs. */
static void
open_run (Writer *writer, FileJob *job, FileChange *change G_GNUC_UNUSED)
{
  if (disk_open (writer->disk, &job->error) || !g_error_matches (job->error, FAR_ERROR, FAR_ERROR_FULL))
    return;
  far_log_limited (writer->at, "write", "%s", job->error->message);
  g_clear_error (&job->error);
}

FileJob *
open_new (FarRequest *req)
{
  return file_job_new (sizeof (FileJob), req, open_run, NULL);
}

/* ---- drop ---- */

typedef struct {
  FileJob job;
  char *table;
  gint64 before_us;
} FileDropJob;

static gboolean
drop_table (Disk *disk, const char *table, GError **error)
{
  g_autoptr (GByteArray) payload = g_byte_array_new (), records = g_byte_array_new ();

  log_drop (payload, disk->index->revision + 1, table);
  log_frame (records, payload);
  return disk_commit (disk, records, error);
}

static void
drop_run (Writer *writer, FileJob *base, FileChange *change G_GNUC_UNUSED)
{
  FileDropJob *job = (FileDropJob *) base;

  if (!disk_begin (writer->disk, &base->error))
    return;
  if ((job->table == NULL || drop_table (writer->disk, job->table, &base->error)) && job->before_us > 0)
    disk_drop_before (writer->disk, job->before_us, &base->error);
  disk_finish (writer->disk);
}

static void
file_other_drop_clear (FileJob *base)
{
  g_free (((FileDropJob *) base)->table);
}

FileJob *
drop_new (const char *table, gint64 before_us, FarRequest *req)
{
  FileDropJob *job = file_job_new (sizeof (FileDropJob), req, drop_run, file_other_drop_clear);

  job->table = g_strdup (table);
  job->before_us = before_us;
  return &job->job;
}

/* ---- blobs ---- */

typedef struct {
  FileJob job;
  char *sha256;
  guint64 offset;
  GBytes *bytes;
  gboolean last;
} FileBlobJob;

char *
blob_path (const Disk *disk, const char *sha256, gboolean part)
{
  g_autofree char *name = g_strconcat (sha256, part ? ".part" : "", NULL);

  return g_build_filename (disk->path, "blobs", name, NULL);
}

static gint64
file_size (const char *path)
{
  struct stat stat_now;

  return stat (path, &stat_now) == 0 ? stat_now.st_size : -1;
}

static gboolean
file_other_blob_append (const char *path, GBytes *bytes, gint64 at, GError **error)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);
  int fd = open (path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  gboolean good = fd >= 0;

  for (gsize done = 0; good && done < size;) {
    gssize n = pwrite (fd, data + done, size - done, (off_t) (at + (gint64) done));

    good = n > 0 || (n < 0 && errno == EINTR);
    done += (gsize) MAX (n, 0);
  }
  good = good && fdatasync (fd) == 0;
  if (!good)
    disk_full (error, path);
  if (fd >= 0 && !good && ftruncate (fd, (off_t) at) != 0)
    g_unlink (path); /* half a piece must not be taken for a whole one */
  if (fd >= 0)
    close (fd);
  return good;
}

static gboolean
file_other_blob_hash_is (const char *path, const char *sha256)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  g_autofree guint8 *bytes = g_malloc (65536);
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  gssize n = 0;

  while (fd >= 0 && (n = read (fd, bytes, 65536)) > 0)
    g_checksum_update (sum, bytes, n);
  if (fd >= 0)
    close (fd);
  return fd >= 0 && n == 0 && strcmp (g_checksum_get_string (sum), sha256) == 0;
}

static gboolean
file_other_blob_finish (Disk *disk, const FileBlobJob *job, GError **error)
{
  g_autofree char *part = blob_path (disk, job->sha256, TRUE), *whole = blob_path (disk, job->sha256, FALSE);
  g_autofree char *dir = g_path_get_dirname (whole);

  if (!file_other_blob_hash_is (part, job->sha256)) {
    g_unlink (part);
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID,
                         _ ("blob: the bytes do not have this hash; send it again from the start"));
    return FALSE;
  }
  return (g_rename (part, whole) == 0 && disk_sync_dir (dir)) || disk_full (error, whole);
}

static void
blob_run (Writer *writer, FileJob *base, FileChange *change G_GNUC_UNUSED)
{
  FileBlobJob *job = (FileBlobJob *) base;
  Disk *disk = writer->disk;
  g_autofree char *part = blob_path (disk, job->sha256, TRUE), *whole = blob_path (disk, job->sha256, FALSE);
  g_autofree char *dir = g_path_get_dirname (whole);
  gint64 size = file_size (whole), more = (gint64) g_bytes_get_size (job->bytes);

  if (g_mkdir_with_parents (dir, 0700) != 0) {
    disk_full (&base->error, dir);
    return;
  }
  if (size >= 0) {
    file_job_result_int (base, size);
    return;
  }
  size = MAX (file_size (part), 0);
  if (more == 0 && !job->last)
    file_job_result_int (base, size);
  else if (job->offset != (guint64) size)
    base->error = g_error_new (FAR_ERROR, FAR_ERROR_CONFLICT,
                               _ ("blob: %" PRId64 " bytes are there; go on from them"), size);
  else if (file_other_blob_append (part, job->bytes, size, &base->error) &&
           (!job->last || file_other_blob_finish (disk, job, &base->error)))
    file_job_result_int (base, size + more);
}

static void
file_other_blob_clear (FileJob *base)
{
  FileBlobJob *job = (FileBlobJob *) base;

  g_free (job->sha256);
  g_bytes_unref (job->bytes);
}

FileJob *
blob_new (const char *sha256, guint64 offset, GBytes *bytes, gboolean last, FarRequest *req)
{
  FileBlobJob *job = file_job_new (sizeof (FileBlobJob), req, blob_run, file_other_blob_clear);

  job->sha256 = g_strdup (sha256);
  job->offset = offset;
  job->bytes = g_bytes_ref (bytes);
  job->last = last;
  return &job->job;
}

/* Nobody refers to it, and it is so old that nobody is about to; of an unfinished one: so long nothing came.
 */
static gboolean
blob_is_orphan (const Disk *disk, const char *name, const char *path)
{
  g_autofree char *hash = g_strndup (name, strcspn (name, "."));
  struct stat stat_now;

  if (stat (path, &stat_now) != 0 ||
      (gint64) stat_now.st_mtime * G_USEC_PER_SEC > far_clock_wall_us () - ORPHAN_US)
    return FALSE;
  return hash[0] != '\0' && (name[strlen (hash)] != '\0' || !index_is_referred (disk->index, hash));
}

gboolean
blobs_care (Disk *disk)
{
  g_autofree char *folder = g_build_filename (disk->path, "blobs", NULL);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  guint gone = 0;

  while (dir != NULL && gone < ORPHANS_AT_ONCE && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_build_filename (folder, name, NULL);

    gone += blob_is_orphan (disk, name, path) && g_unlink (path) == 0;
  }
  return gone == ORPHANS_AT_ONCE;
}

/* ---- care on request ---- */

typedef struct {
  FileJob job;
  guint budget_ms;
} FileCareJob;

static void
maintain_run (Writer *writer, FileJob *base, FileChange *change G_GNUC_UNUSED)
{
  gint64 end_us = g_get_monotonic_time () + (gint64) ((FileCareJob *) base)->budget_ms * 1000;

  while (file_writer_care (writer, &base->error) && g_get_monotonic_time () < end_us)
    continue;
}

FileJob *
maintain_new (guint budget_ms, FarRequest *req)
{
  FileCareJob *job = file_job_new (sizeof (FileCareJob), req, maintain_run, NULL);

  job->budget_ms = budget_ms;
  return &job->job;
}
