/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file handles the files of a store directory (disk.h): it loads them at the start, finds what is
 * damaged, appends records, and begins new segments. What records mean is index.c and log.c. */
#include "config.h"

#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- small things ---- */

/* It was found damaged. Always FALSE. */
static gboolean
disk_held (const Disk *disk, GError **error)
{
  g_propagate_error (error, g_error_copy (disk->held));
  return FALSE;
}

gboolean
disk_full (GError **error, const char *path)
{
  g_set_error (error, FAR_ERROR, FAR_ERROR_FULL, _ ("cannot record in %s: %s; make room or make it writable"),
               path, g_strerror (errno));
  return FALSE;
}

char *
disk_file (const Disk *disk, const char *format, guint64 number)
{
  g_autofree char *name = NULL;

  if (strcmp (format, DISK_LOG) == 0)
    name = g_strdup_printf (DISK_LOG, number);
  else if (strcmp (format, DISK_BLK) == 0)
    name = g_strdup_printf (DISK_BLK, number);
  else
    name = g_strdup_printf (DISK_STATE, number);
  return g_build_filename (disk->path, name, NULL);
}

int
disk_segment_open (const Disk *disk, guint64 number)
{
  g_autofree char *block = disk_file (disk, DISK_BLK, number), *log = disk_file (disk, DISK_LOG, number);

  for (guint i = 0; i < 2; i++) { /* twice: a block may appear while we look for the log */
    int fd = open (block, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
      fd = open (log, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
      return fd;
  }
  return -1;
}

static gboolean
write_at (int fd, const guint8 *data, gsize size, guint64 offset)
{
  while (size > 0) {
    gssize n = pwrite (fd, data, size, (off_t) offset);

    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return FALSE;
    data += n;
    size -= (gsize) n;
    offset += (guint64) n;
  }
  return TRUE;
}

gboolean
disk_sync_dir (const char *path)
{
  int fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  gboolean good = fd >= 0 && fsync (fd) == 0;

  if (fd >= 0)
    close (fd);
  return good;
}

gboolean
disk_write_file (const char *path, const guint8 *data, gsize size, GError **error)
{
  g_autofree char *fresh = g_strconcat (path, ".new", NULL);
  int fd = open (fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  gboolean good = fd >= 0 && write_at (fd, data, size, 0) && fsync (fd) == 0;

  if (!good)
    disk_full (error, fresh);
  if (fd >= 0)
    close (fd);
  if (good && g_rename (fresh, path) == 0)
    return TRUE;
  if (good)
    disk_full (error, path);
  g_unlink (fresh);
  return FALSE;
}

Disk *
disk_new (const char *path, const char *name)
{
  Disk *disk = g_new0 (Disk, 1);

  disk->refs = 1;
  disk->path = g_strdup (path);
  disk->rows_lane = g_strconcat ("read ", name, NULL);
  disk->scan_lane = g_strconcat ("scan ", name, NULL);
  disk->fd = disk->lock_fd = disk->peek_fd = -1;
  disk->lost = g_string_new (NULL);
  g_mutex_init (&disk->lock);
  return disk;
}

Disk *
disk_ref (Disk *disk)
{
  g_atomic_int_inc (&disk->refs);
  return disk;
}

static void
close_fd (int *fd)
{
  if (*fd >= 0)
    close (*fd);
  *fd = -1;
}

void
disk_close (Disk *disk)
{
  g_mutex_lock (&disk->lock);
  close_fd (&disk->fd);
  close_fd (&disk->lock_fd);
  close_fd (&disk->peek_fd);
  g_clear_pointer (&disk->index, index_free);
  disk->writing = FALSE;
  g_mutex_unlock (&disk->lock);
}

void
disk_unref (Disk *disk)
{
  if (!g_atomic_int_dec_and_test (&disk->refs))
    return;
  disk_close (disk);
  g_mutex_clear (&disk->lock);
  g_string_free (disk->lost, TRUE);
  g_clear_error (&disk->held);
  g_free (disk->rows_lane);
  g_free (disk->scan_lane);
  g_free (disk->path);
  g_free (disk);
}

/* ---- loading ---- */

typedef struct {
  Index *index;
  guint64 segment;
} Taking;

static void
take_part (const LogPart *part, gpointer user)
{
  Taking *taking = user;

  index_part (taking->index, taking->segment, part);
}

typedef struct {
  GArray *states, *segments; /* guint64, ascending */
} Listing;

static int
number_order (gconstpointer a, gconstpointer b)
{
  guint64 x = *(const guint64 *) a, y = *(const guint64 *) b;

  return (x > y) - (x < y);
}

/* "NUMBER.log", "NUMBER.blk", "state-NUMBER"; a block beats the log it was made from. */
static void
list_name (const Disk *disk, Listing *listing, const char *name)
{
  gboolean state = g_str_has_prefix (name, "state-");
  g_autofree char *text = g_strndup (state ? name + 6 : name, 10);
  const char *tail = strlen (name) >= 10 ? name + (state ? 16 : 10) : "";
  guint64 number;

  if (!g_ascii_string_to_unsigned (text, 10, 1, G_MAXUINT64, &number, NULL) || strlen (text) != 10)
    return;
  if (state && *tail == '\0')
    g_array_append_val (listing->states, number);
  else if (!state && strcmp (tail, ".blk") == 0)
    g_array_append_val (listing->segments, number);
  else if (!state && strcmp (tail, ".log") == 0) {
    g_autofree char *block = disk_file (disk, DISK_BLK, number), *log = disk_file (disk, DISK_LOG, number);

    if (g_file_test (block, G_FILE_TEST_EXISTS))
      g_unlink (log);
    else
      g_array_append_val (listing->segments, number);
  }
}

static gboolean
list_dir (const Disk *disk, Listing *listing, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (GDir) dir = g_dir_open (disk->path, 0, &local);
  const char *name;

  if (dir == NULL) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE, "%s", local->message);
    return FALSE;
  }
  while ((name = g_dir_read_name (dir)) != NULL)
    list_name (disk, listing, name);
  g_array_sort (listing->states, number_order);
  g_array_sort (listing->segments, number_order);
  return TRUE;
}

/* It stays for whoever wants to look into it; nothing of ours reads a file of such a name. */
static void
keep_aside (const char *path)
{
  g_autofree char *aside = g_strconcat (path, ".damaged", NULL);

  if (link (path, aside) != 0 && errno != EEXIST)
    far_log_limited (NULL, path, "%s cannot be kept as %s: %s", path, aside, g_strerror (errno));
}

static void
lost (Disk *disk, const char *path, const char *what)
{
  if (strcmp (path, disk->path) != 0)
    keep_aside (path);
  g_string_append_printf (disk->lost, "%s%s: %s", disk->lost->len > 0 ? ", " : "", path, what);
}

/* A state counts only whole. NULL: it is damaged. */
static Index *
load_state (const Disk *disk, guint64 number)
{
  g_autofree char *path = disk_file (disk, DISK_STATE, number);
  g_autoptr (Index) index = index_new ();
  Taking taking = { index, 0 };
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  LogScan scan = { 0 };
  gboolean good = fd >= 0 && log_scan (fd, path, 0, G_MAXUINT64, take_part, &taking, &scan, NULL);

  if (fd >= 0)
    close (fd);
  good = good && !scan.torn && scan.skipped == 0 && index->ended && index->version == 1 &&
         index->state_segment == number;
  if (!good)
    far_log (disk->at, G_LOG_LEVEL_CRITICAL, "%s is damaged: going on from the one before", path);
  return good ? g_steal_pointer (&index) : NULL;
}

static void
load_newest_state (Disk *disk, const Listing *listing, Index **index)
{
  disk->older_state = 0;
  for (guint i = listing->states->len; i > 0; i--) {
    guint64 number = g_array_index (listing->states, guint64, i - 1);

    if (*index == NULL)
      *index = load_state (disk, number);
    else if (disk->older_state == 0)
      disk->older_state = number;
  }
  if (*index == NULL && listing->states->len > 0) {
    guint64 newest = g_array_index (listing->states, guint64, listing->states->len - 1);
    g_autofree char *path = disk_file (disk, DISK_STATE, newest);

    lost (disk, path, _ ("neither this state nor the one before can be read"));
  }
  if (listing->states->len == 0 && listing->segments->len > 0 &&
      g_array_index (listing->segments, guint64, 0) > 1)
    lost (disk, disk->path,
          _ ("the states are gone, and with them the rows of the time before the first segment"));
  if (*index == NULL)
    *index = index_new ();
}

static gboolean
load_segment (Disk *disk, Index *index, guint64 number, guint64 *end, GError **error)
{
  Taking taking = { index, number };
  g_autofree char *path = disk_file (disk, DISK_LOG, number);
  int fd = disk_segment_open (disk, number);
  LogScan scan = { 0 };
  gboolean good = fd >= 0 && log_scan (fd, path, 0, G_MAXUINT64, take_part, &taking, &scan, error);

  if (fd >= 0)
    close (fd);
  else
    disk_full (error, path);
  if (scan.skipped > 0) {
    g_autofree char *what = g_strdup_printf (_ ("%" G_GUINT64_FORMAT " bytes in the middle cannot be read"),
                                             scan.skipped);

    lost (disk, path, what);
  }
  if (scan.torn)
    far_log (disk->at, G_LOG_LEVEL_WARNING,
             "%s ends in the middle of a record: the end was not acknowledged and is left out", path);
  *end = scan.good_end;
  return good;
}

/* Segments of the state that are gone, and those that hold nothing but what the state has. */
static void
match_segments (Disk *disk, Index *index, const Listing *listing)
{
  for (guint i = index->segments->len; i > 0; i--) {
    guint64 number = g_array_index (index->segments, FileSegment, i - 1).number;
    gboolean there = FALSE;

    for (guint j = 0; j < listing->segments->len && !there; j++)
      there = g_array_index (listing->segments, guint64, j) == number;
    if (!there)
      index_segment_gone (index, number);
  }
  for (guint i = 0; i < listing->segments->len; i++)
    index_segment (index, g_array_index (listing->segments, guint64, i));
}

static gboolean
load_all (Disk *disk, Index **out, guint64 *current, guint64 *end, GError **error)
{
  g_autoptr (GArray) states = g_array_new (FALSE, FALSE, sizeof (guint64));
  g_autoptr (GArray) segments = g_array_new (FALSE, FALSE, sizeof (guint64));
  Listing listing = { states, segments };
  g_autoptr (Index) index = NULL;

  if (!list_dir (disk, &listing, error))
    return FALSE;
  load_newest_state (disk, &listing, &index);
  *current = 0;
  *end = 0;
  for (guint i = 0; i < segments->len; i++) {
    guint64 number = g_array_index (segments, guint64, i);

    if (number > index->state_segment && !load_segment (disk, index, *current = number, end, error))
      return FALSE;
  }
  match_segments (disk, index, &listing);
  if (*current == 0)
    *current = index->state_segment + 1;
  index_segment (index, *current);
  *out = g_steal_pointer (&index);
  return TRUE;
}

/* "terminals 3, rights 2" */
static char *
list_rows (Disk *disk)
{
  GString *list = g_string_new (NULL);
  GHashTableIter iter;
  gpointer table, rows;

  g_hash_table_iter_init (&iter, disk->index->tables);
  while (g_hash_table_iter_next (&iter, &table, &rows))
    if (((GPtrArray *) rows)->len > 0)
      g_string_append_printf (list, "%s%s %u", list->len > 0 ? ", " : "", (const char *) table,
                              ((GPtrArray *) rows)->len);
  if (list->len == 0)
    g_string_append (list, _ ("no rows"));
  return g_string_free (list, FALSE);
}

/* The note comes first: a crash on the way must not end in a store that seems to be good. */
static gboolean
damaged (Disk *disk, GError **error)
{
  g_autofree char *list = list_rows (disk),
                  *said = g_strdup_printf (_ ("%s was damaged (%s); could be read: %s"), disk->path,
                                           disk->lost->str, list);

  g_string_truncate (disk->lost, 0);
  if (!disk->go_on)
    far_store_damage_begin (disk->at, said);
  if (!disk_take_over (disk, error))
    return FALSE;
  if (!disk->go_on)
    return far_store_damaged (disk->at, said, &disk->held) || disk_held (disk, error);
  far_log (disk->at, G_LOG_LEVEL_CRITICAL, "%s", said);
  return TRUE;
}

/* Under the file lock. The tail that is no record is cut off: it was never acknowledged. */
static gboolean
disk_load (Disk *disk, GError **error)
{
  g_autofree char *path = NULL;
  Index *index = NULL, *old;
  guint64 current, end, head;
  int fd;

  if (!load_all (disk, &index, &current, &end, error))
    return FALSE;
  path = disk_file (disk, DISK_LOG, current);
  fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  head = GUINT64_TO_LE (current);
  if (fd < 0 || ftruncate (fd, (off_t) end) != 0 || !disk_sync_dir (disk->path) ||
      !write_at (disk->lock_fd, (guint8 *) &head, sizeof head, 0)) {
    disk_full (error, path);
    close_fd (&fd);
    index_free (index);
    return FALSE;
  }
  g_mutex_lock (&disk->lock);
  old = disk->index;
  close_fd (&disk->fd);
  disk->index = index;
  disk->fd = fd;
  disk->current = current;
  disk->end = end;
  g_mutex_unlock (&disk->lock);
  g_clear_pointer (&old, index_free);
  return disk->lost->len == 0 || damaged (disk, error);
}

/* ---- opening ---- */

static gboolean
check_format (Disk *disk, GError **error)
{
  g_autofree char *path = g_build_filename (disk->path, "FORMAT", NULL), *text = NULL;
  g_autofree char *wanted = g_strdup_printf ("farwatch store %d\n", DISK_FORMAT);

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return disk_write_file (path, (const guint8 *) wanted, strlen (wanted), error) &&
           (disk_sync_dir (disk->path) || disk_full (error, path));
  if (strcmp (text, wanted) == 0)
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
               _ ("%s was written by a newer farwatch, or is no store; upgrade, or choose another path"),
               disk->path);
  return FALSE;
}

static gboolean
open_lock (Disk *disk, GError **error)
{
  g_autofree char *path = g_build_filename (disk->path, "lock", NULL);

  disk->lock_fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  disk->peek_fd = open (path, O_RDONLY | O_CLOEXEC);
  if (disk->lock_fd >= 0 && disk->peek_fd >= 0 && flock (disk->lock_fd, LOCK_EX) == 0)
    return TRUE;
  return disk_full (error, path);
}

/* FORMAT alone is no store: the rows are in states and segments. */
static gboolean
file_disk_is_there (const Disk *disk)
{
  g_autofree char *format = g_build_filename (disk->path, "FORMAT", NULL);
  g_autoptr (GArray) states = g_array_new (FALSE, FALSE, sizeof (guint64)),
                     segments = g_array_new (FALSE, FALSE, sizeof (guint64));
  Listing listing = { states, segments };

  return g_file_test (format, G_FILE_TEST_EXISTS) && list_dir (disk, &listing, NULL) &&
         states->len + segments->len > 0;
}

gboolean
disk_open (Disk *disk, GError **error)
{
  gboolean good;

  if (disk->held != NULL)
    return disk_held (disk, error);
  if (disk->index != NULL)
    return TRUE;
  if (!far_store_expected (disk->at, disk->path, file_disk_is_there (disk), disk->go_on, error))
    return FALSE;
  if (g_mkdir_with_parents (disk->path, 0700) != 0)
    return disk_full (error, disk->path);
  good = check_format (disk, error) && open_lock (disk, error) && disk_load (disk, error);
  if (disk->lock_fd >= 0)
    flock (disk->lock_fd, LOCK_UN);
  if (good)
    far_store_made (disk->at, disk->path);
  else
    disk_close (disk);
  return good;
}

/* ---- one transaction ---- */

/* The current segment has no name any more: what is written to it is lost with the daemon. */
static gboolean
segment_gone (Disk *disk, GError **error)
{
  flock (disk->lock_fd, LOCK_UN);
  disk_close (disk);
  if (disk->go_on)
    return disk_begin (disk, error); /* a new one is made */
  return far_store_gone (disk->at, disk->path, &disk->held) || disk_held (disk, error);
}

/* Number of the current segment as the file says; 0: unknown. */
static guint64
head_number (int fd)
{
  guint64 head = 0;

  return pread (fd, &head, sizeof head, 0) == sizeof head ? GUINT64_FROM_LE (head) : 0;
}

/* What another process appended to our current segment. Lock held. Returns where the good ends. */
static gboolean
take_tail (Disk *disk, guint64 *good_end, GError **error)
{
  Taking taking = { disk->index, disk->current };
  LogScan scan = { 0 };
  gboolean good = log_scan (disk->fd, disk->path, disk->end, G_MAXUINT64, take_part, &taking, &scan, error);

  if (good)
    disk->end = scan.good_end;
  *good_end = scan.good_end;
  return good;
}

gboolean
disk_begin (Disk *disk, GError **error)
{
  guint64 good_end = 0;
  gboolean good = TRUE;
  struct stat stat;

  if (!disk_open (disk, error))
    return FALSE;
  if (flock (disk->lock_fd, LOCK_EX) != 0)
    return disk_full (error, disk->path);
  if (head_number (disk->lock_fd) != disk->current)
    good = disk_load (disk, error);
  else if (fstat (disk->fd, &stat) == 0 && stat.st_nlink == 0)
    return segment_gone (disk, error);
  else if (fstat (disk->fd, &stat) != 0 || (guint64) stat.st_size != disk->end) {
    g_mutex_lock (&disk->lock);
    good = take_tail (disk, &good_end, error);
    g_mutex_unlock (&disk->lock);
    if (good && ftruncate (disk->fd, (off_t) good_end) != 0)
      good = disk_full (error, disk->path);
  }
  g_mutex_lock (&disk->lock);
  disk->writing = good;
  g_mutex_unlock (&disk->lock);
  if (!good)
    flock (disk->lock_fd, LOCK_UN);
  if (disk->held != NULL)
    disk_close (disk);
  return good;
}

static void
take_records (Disk *disk, const GByteArray *records)
{
  Taking taking = { disk->index, disk->current };

  for (guint at = 0; at < records->len;) {
    guint32 size;

    memcpy (&size, records->data + at + 4, 4);
    size = GUINT32_FROM_LE (size);
    log_parts (records->data + at + LOG_FRAME, size, take_part, &taking);
    at += LOG_FRAME + size;
  }
}

gboolean
disk_commit (Disk *disk, const GByteArray *records, GError **error)
{
  if (records->len == 0)
    return TRUE;
  if (!write_at (disk->fd, records->data, records->len, disk->end) || fdatasync (disk->fd) != 0) {
    disk_full (error, disk->path);
    if (ftruncate (disk->fd, (off_t) disk->end) != 0 || fdatasync (disk->fd) != 0)
      far_log_limited (disk->at, "undo", "%s: what was not recorded cannot be taken back either: %s",
                       disk->path, g_strerror (errno));
    return FALSE;
  }
  g_mutex_lock (&disk->lock);
  take_records (disk, records);
  disk->end += records->len;
  g_mutex_unlock (&disk->lock);
  return TRUE;
}

void
disk_finish (Disk *disk)
{
  g_mutex_lock (&disk->lock);
  disk->writing = FALSE;
  g_mutex_unlock (&disk->lock);
  if (disk->lock_fd >= 0)
    flock (disk->lock_fd, LOCK_UN);
}

/* Lock held. While another process writes, what is known is good enough; a new segment of its is found at our
 * next write or here. */
static gboolean
foreign_tail (Disk *disk)
{
  struct stat stat;

  return disk->index != NULL && !disk->writing && fstat (disk->fd, &stat) == 0 &&
         ((guint64) stat.st_size > disk->end || head_number (disk->peek_fd) != disk->current);
}

void
disk_refresh (Disk *disk)
{
  guint64 unused;
  Index *index = NULL;
  guint64 current, end;

  g_mutex_lock (&disk->lock);
  if (foreign_tail (disk) && flock (disk->peek_fd, LOCK_SH | LOCK_NB) == 0) {
    if (head_number (disk->peek_fd) == disk->current)
      take_tail (disk, &unused, NULL);
    else if (load_all (disk, &index, &current, &end, NULL)) {
      g_autofree char *path = disk_file (disk, DISK_LOG, current);
      int fd = open (path, O_RDWR | O_CLOEXEC);

      if (fd >= 0) {
        close_fd (&disk->fd);
        index_free (disk->index);
        disk->fd = fd;
        disk->index = g_steal_pointer (&index);
        disk->current = current;
        disk->end = end;
      }
      g_clear_pointer (&index, index_free);
    }
    flock (disk->peek_fd, LOCK_UN);
  }
  g_mutex_unlock (&disk->lock);
}
