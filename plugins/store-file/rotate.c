/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* New segments, and what becomes of closed ones. A segment may lose what is no sample only when two states
 * know it: the newest may turn out damaged. */
#include "config.h"

#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

#define MERGED_SIZE (64 * 1024)

/* ---- rolling ---- */

static void
drop_old_state (Disk *disk, guint64 keep_newest, guint64 keep_older)
{
  g_autoptr (GDir) dir = g_dir_open (disk->path, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    guint64 number;
    g_autofree char *path = g_build_filename (disk->path, name, NULL);

    if (g_str_has_prefix (name, "state-") &&
        g_ascii_string_to_unsigned (name + 6, 10, 1, G_MAXUINT64, &number, NULL) && number != keep_newest &&
        number != keep_older)
      g_unlink (path);
  }
}

static gboolean
write_state (Disk *disk, GError **error)
{
  g_autoptr (GByteArray) out = g_byte_array_new ();
  g_autofree char *path = disk_file (disk, DISK_STATE, disk->current);

  g_mutex_lock (&disk->lock);
  index_write (disk->index, disk->current, out);
  g_mutex_unlock (&disk->lock);
  return disk_write_file (path, out->data, out->len, error) &&
         (disk_sync_dir (disk->path) || disk_full (error, path));
}

static gboolean
open_next (Disk *disk, GError **error)
{
  guint64 next = disk->current + 1, head = GUINT64_TO_LE (next);
  g_autofree char *path = disk_file (disk, DISK_LOG, next);
  int fd = open (path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

  if (fd < 0 || !disk_sync_dir (disk->path) || pwrite (disk->lock_fd, &head, sizeof head, 0) != sizeof head) {
    disk_full (error, path);
    if (fd >= 0)
      close (fd);
    return FALSE;
  }
  g_mutex_lock (&disk->lock);
  close (disk->fd);
  disk->fd = fd;
  disk->older_state = disk->index->state_segment;
  disk->index->state_segment = disk->current;
  disk->current = next;
  disk->end = 0;
  index_segment (disk->index, next);
  g_mutex_unlock (&disk->lock);
  return TRUE;
}

gboolean
disk_roll (Disk *disk, gboolean now, GError **error)
{
  if (disk->end < DISK_SEGMENT_SIZE && (!now || disk->end == 0))
    return TRUE;
  if (!write_state (disk, error) || !open_next (disk, error))
    return FALSE;
  drop_old_state (disk, disk->index->state_segment, disk->older_state);
  return TRUE;
}

gboolean
disk_take_over (Disk *disk, GError **error)
{
  return write_state (disk, error) && open_next (disk, error);
}

/* ---- rewriting a closed segment ---- */

typedef struct {
  GHashTable *builders; /* source → FarBatchBuilder */
  GByteArray *out;
  gint64 before_us; /* batches that end before it are left out */
  gboolean all;     /* keep what is no sample, too */
  FileSegment held; /* what the new file holds */
} Rewriting;

static void
put_batch (Rewriting *rewriting, const char *source, GBytes *batch)
{
  g_autoptr (GByteArray) part = g_byte_array_new ();
  FarBatchSpan span;

  if (!far_batch_span (batch, &span, NULL) || span.samples == 0)
    return;
  log_samples (part, source, &span, batch);
  log_frame (rewriting->out, part);
  rewriting->held.from_us = MIN (rewriting->held.from_us, span.first_us);
  rewriting->held.to_us = MAX (rewriting->held.to_us, span.last_us);
  rewriting->held.samples += span.samples;
}

static void
flush_builder (Rewriting *rewriting, const char *source)
{
  gpointer key, builder;

  if (g_hash_table_steal_extended (rewriting->builders, source, &key, &builder)) {
    g_autoptr (GBytes) batch = far_batch_builder_end (builder);

    put_batch (rewriting, key, batch);
    g_free (key);
  }
}

static void
rewrite_samples (Rewriting *rewriting, const LogPart *part)
{
  g_autoptr (GBytes) body = g_bytes_new_static (part->body, part->body_size);
  FarBatchBuilder *builder = g_hash_table_lookup (rewriting->builders, part->a);

  if (part->to_us < rewriting->before_us)
    return;
  if (builder == NULL) {
    builder = far_batch_builder_new ();
    g_hash_table_insert (rewriting->builders, g_strdup (part->a), builder);
  }
  far_batch_builder_merge (builder, body, NULL);
  if (far_batch_builder_size (builder) >= MERGED_SIZE)
    flush_builder (rewriting, part->a);
}

static void
rewrite_part (const LogPart *part, gpointer user)
{
  Rewriting *rewriting = user;
  g_autoptr (GByteArray) payload = NULL;

  if (part->kind == PART_SAMPLES) {
    rewrite_samples (rewriting, part);
    return;
  }
  if (!rewriting->all)
    return;
  payload = g_byte_array_new ();
  log_part (payload, part);
  log_frame (rewriting->out, payload);
}

static gboolean
rewrite_read (Disk *disk, guint64 number, Rewriting *rewriting, GError **error)
{
  g_autofree char *path = disk_file (disk, DISK_LOG, number);
  g_autoptr (GList) sources = NULL;
  int fd = disk_segment_open (disk, number);
  LogScan scan;
  gboolean good;

  if (fd < 0)
    return TRUE; /* gone already */
  good = log_scan (fd, path, 0, G_MAXUINT64, rewrite_part, rewriting, &scan, error);
  close (fd);
  sources = g_hash_table_get_keys (rewriting->builders);
  for (GList *source = sources; source != NULL; source = source->next)
    flush_builder (rewriting, source->data);
  return good;
}

static void
segment_replaced (Disk *disk, guint64 number, const FileSegment *held)
{
  g_mutex_lock (&disk->lock);
  if (held == NULL)
    index_segment_gone (disk->index, number);
  else
    *index_segment (disk->index, number) = *held;
  g_mutex_unlock (&disk->lock);
}

static gboolean
rewrite_write (Disk *disk, guint64 number, const Rewriting *rewriting, GError **error)
{
  g_autofree char *log = disk_file (disk, DISK_LOG, number), *block = disk_file (disk, DISK_BLK, number);

  if (rewriting->out->len == 0) {
    g_unlink (log);
    g_unlink (block);
    segment_replaced (disk, number, NULL);
    return TRUE;
  }
  if (!disk_write_file (rewriting->all ? log : block, rewriting->out->data, rewriting->out->len, error))
    return FALSE;
  if (!disk_sync_dir (disk->path))
    return disk_full (error, disk->path);
  if (!rewriting->all)
    g_unlink (log);
  segment_replaced (disk, number, &rewriting->held);
  return TRUE;
}

static void
builder_drop (gpointer builder)
{
  g_bytes_unref (far_batch_builder_end (builder));
}

static gboolean
rewrite (Disk *disk, guint64 number, gint64 before_us, GError **error)
{
  g_autoptr (GHashTable) builders = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, builder_drop);
  g_autoptr (GByteArray) out = g_byte_array_new ();
  Rewriting rewriting = { builders,
                          out,
                          before_us,
                          number > disk->older_state,
                          { number, G_MAXINT64, G_MININT64, 0, before_us } };

  return rewrite_read (disk, number, &rewriting, error) && rewrite_write (disk, number, &rewriting, error);
}

/* ---- care ---- */

static gboolean
is_log (const Disk *disk, guint64 number)
{
  g_autofree char *path = disk_file (disk, DISK_LOG, number);

  return g_file_test (path, G_FILE_TEST_EXISTS);
}

/* Rewriting costs the flash: a segment that is old only in part waits until an eighth of the time has gone
 * by, and is then cut once for that. */
static gboolean
file_roll_is_due (const Disk *disk, const FileSegment *segment, gint64 before_us)
{
  gint64 slack = disk->keep_us / 8;

  if (segment->number <= disk->older_state && is_log (disk, segment->number))
    return TRUE;
  if (segment->samples == 0 || segment->to_us < before_us)
    return segment->samples > 0;
  return disk->keep_us > 0 && segment->from_us < before_us - slack && segment->cut_us < before_us - slack;
}

gboolean
disk_care (Disk *disk, gint64 before_us, GError **error)
{
  guint64 due = 0;

  if (disk->index == NULL)
    return FALSE; /* nothing to do; lint: allow silent */
  for (guint i = 0; i < disk->index->segments->len && due == 0; i++)
    if (file_roll_is_due (disk, &g_array_index (disk->index->segments, FileSegment, i), before_us))
      due = g_array_index (disk->index->segments, FileSegment, i).number;
  if (due == 0)
    return FALSE; /* likewise; lint: allow silent */
  return (due != disk->current || disk_roll (disk, TRUE, error)) && rewrite (disk, due, before_us, error);
}

gboolean
disk_drop_before (Disk *disk, gint64 before_us, GError **error)
{
  if (!disk_roll (disk, TRUE, error))
    return FALSE;
  for (guint i = disk->index->segments->len; i > 0; i--) {
    FileSegment segment = g_array_index (disk->index->segments, FileSegment, i - 1);

    if (segment.number != disk->current && segment.samples > 0 && segment.from_us < before_us &&
        !rewrite (disk, segment.number, before_us, error))
      return FALSE;
  }
  return TRUE;
}
