/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading: rows and series from the index, samples and blobs from files. Nobody waits for the writer: it
 * holds the lock only while it takes over what is durable already. */
#include "config.h"

#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

typedef struct {
  Disk *disk;
  char *a, *b;       /* table and after, source and name, hash, path */
  GPtrArray *filter; /* field, value, field, value … */
  gint64 from, to;
  guint limit;
  gboolean descending;
} Read;

static void
read_free (gpointer data)
{
  Read *job = data;

  disk_unref (job->disk);
  g_free (job->a);
  g_free (job->b);
  g_clear_pointer (&job->filter, g_ptr_array_unref);
  g_free (job);
}

static Read *
file_read_new (Disk *disk, const char *a, const char *b)
{
  Read *job = g_new0 (Read, 1);

  job->disk = disk_ref (disk);
  job->a = g_strdup (a);
  job->b = g_strdup (b);
  return job;
}

/* The lock, with the index there and fresh. FALSE: the request has failed. */
static gboolean
index_lock (Disk *disk, FarRequest *req)
{
  disk_refresh (disk);
  g_mutex_lock (&disk->lock);
  if (disk->index != NULL)
    return TRUE;
  g_mutex_unlock (&disk->lock);
  far_request_fail_new (req, FAR_ERROR_UNAVAILABLE, _ ("%s cannot be opened now; the log says why"),
                        disk->path);
  return FALSE;
}

/* ---- rows and series ---- */

static void
rows_work (FarRequest *req, gpointer data)
{
  Read *job = data;
  g_autofree FarFilterTerm *filter = g_new0 (FarFilterTerm,
                                             (job->filter != NULL ? job->filter->len / 2 : 0) + 1);
  GPtrArray *rows;

  for (guint i = 0; job->filter != NULL && i + 1 < job->filter->len; i += 2)
    filter[i / 2] = (FarFilterTerm){ job->filter->pdata[i], job->filter->pdata[i + 1] };
  if (!index_lock (job->disk, req))
    return;
  rows = index_rows (job->disk->index, job->a, filter, job->b, job->limit, job->descending);
  g_mutex_unlock (&job->disk->lock);
  far_request_done (req, rows, (GDestroyNotify) g_ptr_array_unref);
}

void
file_read_rows (Disk *disk, const char *table, const FarFilterTerm *filter, const char *after, guint limit,
                gboolean descending, FarRequest *req)
{
  Read *job = file_read_new (disk, table, after);

  job->limit = limit;
  job->descending = descending;
  for (; filter != NULL && filter->field != NULL; filter++) {
    if (job->filter == NULL)
      job->filter = g_ptr_array_new_with_free_func (g_free);
    g_ptr_array_add (job->filter, g_strdup (filter->field));
    g_ptr_array_add (job->filter, g_strdup (filter->value));
  }
  far_run_blocking (disk->rows_lane, FILE_LANE_MAX, rows_work, job, read_free, req);
}

static void
series_work (FarRequest *req, gpointer data)
{
  Read *job = data;
  GPtrArray *list;

  if (!index_lock (job->disk, req))
    return;
  list = index_series (job->disk->index, job->a);
  g_mutex_unlock (&job->disk->lock);
  far_request_done (req, list, (GDestroyNotify) g_ptr_array_unref);
}

void
read_series (Disk *disk, const char *source, FarRequest *req)
{
  far_run_blocking (disk->rows_lane, FILE_LANE_MAX, series_work, file_read_new (disk, source, NULL),
                    read_free, req);
}

/* ---- samples ---- */

typedef struct {
  const Read *job;
  FarLatestPoints *latest;
  guint64 bad;
} Picking;

static void
pick_part (const LogPart *part, gpointer user)
{
  Picking *picking = user;
  g_autoptr (GBytes) body = NULL;

  if (part->kind != PART_SAMPLES || part->from_us >= picking->job->to ||
      !far_latest_points_wants (picking->latest, part->to_us) || strcmp (part->a, picking->job->a) != 0)
    return;
  body = g_bytes_new_static (part->body, part->body_size);
  if (!far_latest_points_add (picking->latest, body, NULL))
    picking->bad++;
}

/* Newest segments first; the current one only up to what is durable. */
static GArray *
segments_of (Disk *disk, guint64 *current, guint64 *end)
{
  GArray *segments = g_array_sized_new (FALSE, FALSE, sizeof (FileSegment), disk->index->segments->len);

  g_array_append_vals (segments, disk->index->segments->data, disk->index->segments->len);
  *current = disk->current;
  *end = disk->end;
  return segments;
}

static int
newest_first (gconstpointer a, gconstpointer b)
{
  const FileSegment *x = a, *y = b;

  return (x->to_us < y->to_us) - (x->to_us > y->to_us);
}

static void
pick_segment (Picking *picking, const FileSegment *segment, guint64 to)
{
  int fd = disk_segment_open (picking->job->disk, segment->number);
  LogScan scan;

  if (fd < 0)
    return; /* its time was over */
  log_scan (fd, picking->job->disk->path, 0, to, pick_part, picking, &scan, NULL);
  close (fd);
  if (scan.skipped > 0 || picking->bad > 0)
    far_log_limited (NULL, picking->job->disk->path,
                     "%s: damaged samples of segment %" G_GUINT64_FORMAT " left out",
                     picking->job->disk->path, segment->number);
}

static void
samples_work (FarRequest *req, gpointer data)
{
  Read *job = data;
  g_autoptr (GArray) segments = NULL;
  Picking picking = { job, NULL, 0 };
  guint64 current, end;

  if (!index_lock (job->disk, req))
    return;
  segments = segments_of (job->disk, &current, &end);
  g_mutex_unlock (&job->disk->lock);
  g_array_sort (segments, newest_first);
  picking.latest = far_latest_points_new (job->b, job->from, job->to, job->limit);
  for (guint i = 0; i < segments->len && !far_request_ended (req); i++) {
    const FileSegment *segment = &g_array_index (segments, FileSegment, i);

    if (segment->samples > 0 && segment->from_us < job->to &&
        far_latest_points_wants (picking.latest, segment->to_us))
      pick_segment (&picking, segment, segment->number == current ? end : G_MAXUINT64);
  }
  far_request_done (req, far_latest_points_end (picking.latest), (GDestroyNotify) g_array_unref);
}

void
read_samples (Disk *disk, const char *source, const char *name, gint64 from_us, gint64 to_us, guint limit,
              FarRequest *req)
{
  Read *job = file_read_new (disk, source, name);

  job->from = from_us;
  job->to = to_us;
  job->limit = limit;
  far_run_blocking (disk->scan_lane, FILE_LANE_MAX, samples_work, job, read_free, req);
}

/* ---- blobs ---- */

static void
blob_work (FarRequest *req, gpointer data)
{
  Read *job = data;
  g_autofree char *path = blob_path (job->disk, job->a, FALSE);
  g_autofree guint8 *bytes = g_malloc (job->limit + 1);
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  gssize size = fd < 0 ? -1 : pread (fd, bytes, job->limit, (off_t) job->from);

  if (fd >= 0)
    close (fd);
  if (size < 0)
    far_request_fail_new (req, fd < 0 && errno == ENOENT ? FAR_ERROR_NOT_FOUND : FAR_ERROR_UNAVAILABLE, "%s",
                          _ ("no such blob"));
  else
    far_request_done (req, g_bytes_new (bytes, (gsize) size), (GDestroyNotify) g_bytes_unref);
}

void
file_read_blob (Disk *disk, const char *sha256, guint64 offset, guint size, FarRequest *req)
{
  Read *job = file_read_new (disk, sha256, NULL);

  job->from = (gint64) offset;
  job->limit = size;
  far_run_blocking (disk->scan_lane, FILE_LANE_MAX, blob_work, job, read_free, req);
}
