/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The writing side of a spool. Each run writes segments of its own, also after an error: what a torn tail or
 * a write that went wrong has left is never written over, so no number meets other bytes under the same key.
 */
#include "config.h"

#include "data/spool-private.h"

#include <errno.h>
#include <farwatch/i18n.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sodium.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENT_SIZE ((gsize) 4 * 1024 * 1024)
#define SEGMENTS_MIN 4 /* that a budget has room for */

typedef struct {
  guint64 first;
  guint64 size;
} SpoolPart;

struct _FarSpool {
  char *folder;
  guint64 budget;
  gsize segment;
  FarSpoolSync sync;
  gboolean sealed;
  guint8 key[FAR_SPOOL_KEY_SIZE], segment_key[FAR_SPOOL_KEY_SIZE];
  int lock, folder_fd;
  int fd;        /* the segment that is written to; -1: the next record begins one */
  GArray *parts; /* SpoolPart, oldest first; the last one is fd's while there is one */
  guint64 total; /* bytes of all */
  guint64 next;  /* number of the next record */
  GByteArray *out;
};

static void
spool_close_fd (int *fd)
{
  if (*fd >= 0)
    close (*fd);
  *fd = -1;
}

/* ---- the folder ---- */

static gboolean
take_folder (FarSpool *self, GError **error)
{
  g_autofree char *path = g_build_filename (self->folder, "lock", NULL);
  if (g_mkdir_with_parents (self->folder, 0700) == 0)
    self->folder_fd = open (self->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (self->folder_fd >= 0)
    self->lock = open (path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (self->lock < 0) {
    far_spool_set_error (error, self->folder, errno);
    return FALSE;
  }
  if (flock (self->lock, LOCK_EX | LOCK_NB) == 0)
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFLICT, _ ("%s: another program writes here: end it first"),
               self->folder);
  return FALSE;
}

/* The last number in a segment; 0: it has no whole record. */
static guint64
last_number (FarSpool *self, guint64 first)
{
  g_autoptr (GByteArray) record = g_byte_array_new ();
  SpoolSegment *segment = far_spool_segment_open (self->folder, first, NULL);
  SpoolRecordHead head;
  guint64 last = 0;
  while (segment != NULL && far_spool_segment_next (segment, &head, record))
    last = head.sequence;
  far_spool_segment_close (segment);
  return last;
}

static void
remove_part (FarSpool *self, guint i)
{
  SpoolPart part = g_array_index (self->parts, SpoolPart, i);
  g_autofree char *path = far_spool_segment_path (self->folder, part.first);
  unlink (path);
  self->total -= part.size;
  g_array_remove_index (self->parts, i);
}

static void
add_part (FarSpool *self, guint64 first)
{
  g_autofree char *path = far_spool_segment_path (self->folder, first);
  struct stat about;
  SpoolPart part = { first, stat (path, &about) == 0 ? (guint64) about.st_size : 0 };
  g_array_append_val (self->parts, part);
  self->total += part.size;
}

/* A kill came before its first record was whole. What cannot be read now, or is damaged, is none of these. */
static gboolean
is_torn_at_first (FarSpool *self, guint64 first)
{
  g_autofree char *path = far_spool_segment_path (self->folder, first);
  guint8 bytes[SPOOL_HEAD_SIZE + SPOOL_RECORD_HEAD_SIZE];
  SpoolRecordHead head;
  struct stat about = { 0 };
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  gssize got = fd >= 0 && fstat (fd, &about) == 0 ? pread (fd, bytes, sizeof bytes, 0) : -1;
  spool_close_fd (&fd);
  if (got < (gssize) sizeof bytes)
    return got >= 0 && got == about.st_size;
  far_spool_record_head_read (&head, bytes + SPOOL_HEAD_SIZE);
  return (guint64) about.st_size < sizeof bytes + (guint64) head.length;
}

/* Numbers go on behind all that was written, or read and committed: a power cut may have taken back what a
 * reader had already. A last segment whose first record is torn goes, as the next one has its name. */
static gboolean
find_place (FarSpool *self, GError **error)
{
  g_autoptr (GArray) found = far_spool_segments (self->folder, error);
  if (found == NULL)
    return FALSE;
  for (guint i = 0; i < found->len; i++)
    add_part (self, g_array_index (found, guint64, i));
  self->next = MAX (1, far_spool_position_last (self->folder));
  while (self->parts->len > 0) {
    guint64 first = g_array_index (self->parts, SpoolPart, self->parts->len - 1).first;
    guint64 last = last_number (self, first);
    gboolean torn = last == 0 && is_torn_at_first (self, first);
    self->next = MAX (self->next, torn ? first : MAX (first, last) + 1);
    if (!torn)
      break;
    remove_part (self, self->parts->len - 1);
  }
  return TRUE;
}

FarSpool *
far_spool_open (const FarSpoolSpec *spec, GError **error)
{
  g_autoptr (FarSpool) self = g_new0 (FarSpool, 1);
  self->folder = g_strdup (spec->folder);
  self->budget = spec->budget;
  self->segment = spec->segment > 0 ? spec->segment : SEGMENT_SIZE;
  if (spec->budget > 0)
    self->segment = MIN (self->segment, (gsize) (spec->budget / SEGMENTS_MIN));
  self->sync = spec->sync;
  self->sealed = spec->key != NULL;
  if (self->sealed)
    memcpy (self->key, spec->key, FAR_SPOOL_KEY_SIZE);
  self->lock = self->folder_fd = self->fd = -1;
  self->parts = g_array_new (FALSE, FALSE, sizeof (SpoolPart));
  self->out = g_byte_array_new ();
  if (sodium_init () < 0) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_INTERNAL, "libsodium does not start");
    return NULL;
  }
  return take_folder (self, error) && find_place (self, error) ? g_steal_pointer (&self) : NULL;
}

/* ---- writing ---- */

static gboolean
spool_write_all (int fd, const guint8 *data, gsize size)
{
  while (size > 0) {
    gssize done = write (fd, data, size);
    if (done < 0 && errno != EINTR)
      return FALSE;
    data += MAX (done, 0);
    size -= (gsize) MAX (done, 0);
  }
  return TRUE;
}

/* The segment is closed for good. */
static gboolean
end_segment (FarSpool *self)
{
  gboolean good = self->fd < 0 || self->sync == FAR_SPOOL_SYNC_ASKED || fdatasync (self->fd) == 0;
  spool_close_fd (&self->fd);
  return good;
}

static gboolean
begin_segment (FarSpool *self, GError **error)
{
  g_autofree char *path = far_spool_segment_path (self->folder, self->next);
  SpoolHead head = { .sealed = self->sealed, .first = self->next };
  guint8 bytes[SPOOL_HEAD_SIZE];
  if (self->sealed)
    randombytes_buf (head.salt, sizeof head.salt);
  far_spool_head_write (&head, bytes);
  self->fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (self->fd < 0 || !spool_write_all (self->fd, bytes, sizeof bytes)) {
    far_spool_set_error (error, self->folder, errno);
    if (self->fd >= 0)
      unlink (path);
    spool_close_fd (&self->fd);
    return FALSE;
  }
  if (self->sealed)
    far_spool_segment_key (self->key, &head, self->segment_key);
  if (self->sync != FAR_SPOOL_SYNC_ASKED)
    fsync (self->folder_fd);
  add_part (self, self->next);
  return TRUE;
}

static SpoolPart *
last_part (FarSpool *self)
{
  return &g_array_index (self->parts, SpoolPart, self->parts->len - 1);
}

/* FALSE with error; else there is a segment with room. */
static gboolean
spool_make_room (FarSpool *self, gsize size, GError **error)
{
  if (self->fd >= 0 && last_part (self)->size + size > self->segment &&
      last_part (self)->size > SPOOL_HEAD_SIZE && !end_segment (self)) {
    far_spool_set_error (error, self->folder, errno);
    return FALSE;
  }
  guint keep = self->fd >= 0 ? 1 : 0;
  gsize more = size + (self->fd >= 0 ? 0 : SPOOL_HEAD_SIZE);
  while (self->budget > 0 && self->parts->len > keep && self->total + more > self->budget)
    remove_part (self, 0);
  return self->fd >= 0 || begin_segment (self, error);
}

/* A half-written record stays what it is, a torn tail, if it cannot be taken back. */
static void
spool_take_back (FarSpool *self)
{
  SpoolPart *part = last_part (self);
  int code = errno;
  struct stat about;
  if (ftruncate (self->fd, (off_t) part->size) != 0 && fstat (self->fd, &about) == 0) {
    self->total += (guint64) about.st_size - part->size;
    part->size = (guint64) about.st_size;
  }
  if (part->first == self->next) /* it has no record, and its name is the next one's */
    remove_part (self, self->parts->len - 1);
  spool_close_fd (&self->fd);
  errno = code;
}

guint64
far_spool_append (FarSpool *self, gconstpointer data, gsize size, gint64 time_us, GError **error)
{
  gsize whole = SPOOL_RECORD_HEAD_SIZE + size + (self->sealed ? SPOOL_TAG_SIZE : 0);
  if (size > FAR_SPOOL_RECORD_MAX || (self->budget > 0 && whole + SPOOL_HEAD_SIZE > self->budget)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("%s: a record of %zu bytes is too long: cut it"),
                 self->folder, size);
    return 0;
  }
  if (!spool_make_room (self, whole, error))
    return 0;
  g_byte_array_set_size (self->out, 0);
  far_spool_record_write (self->out, self->next, time_us, data, size,
                          self->sealed ? self->segment_key : NULL);
  if (!spool_write_all (self->fd, self->out->data, self->out->len) ||
      (self->sync == FAR_SPOOL_SYNC_RECORD && fdatasync (self->fd) != 0)) {
    spool_take_back (self);
    far_spool_set_error (error, self->folder, errno);
    return 0;
  }
  last_part (self)->size += whole;
  self->total += whole;
  return self->next++;
}

gboolean
far_spool_sync (FarSpool *self, GError **error)
{
  if ((self->fd < 0 || fdatasync (self->fd) == 0) && fsync (self->folder_fd) == 0)
    return TRUE;
  far_spool_set_error (error, self->folder, errno);
  return FALSE;
}

/* The number of the first record behind a segment. */
static guint64
part_end (FarSpool *self, guint i)
{
  return i + 1 < self->parts->len ? g_array_index (self->parts, SpoolPart, i + 1).first : self->next;
}

void
far_spool_forget (FarSpool *self, guint64 before)
{
  guint keep = self->fd >= 0 ? 1 : 0;
  while (self->parts->len > keep && part_end (self, 0) <= before)
    remove_part (self, 0);
}

guint64
far_spool_size (const FarSpool *self)
{
  return self->total;
}

void
far_spool_close (FarSpool *self)
{
  if (self == NULL)
    return;
  if (self->folder_fd >= 0 && self->lock >= 0)
    far_spool_sync (self, NULL);
  spool_close_fd (&self->fd);
  spool_close_fd (&self->folder_fd);
  spool_close_fd (&self->lock);
  g_array_unref (self->parts);
  g_byte_array_unref (self->out);
  g_free (self->folder);
  sodium_memzero (self, sizeof *self);
  g_free (self);
}
