/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The folder of a spool: its segments by their numbers, how one of them is read, and where its readers are.
 * A record counts when its checksum is right. One that is not is stepped over if a good one with the next
 * number stands where its length says, since then only its bytes are damaged. */
#include "config.h"

#include "data/spool-private.h"

#include "base/small-file.h"
#include <errno.h>
#include <farwatch/i18n.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define POSITION_SUFFIX ".position"
#define NUMBER_FORMAT "%016" G_GINT64_MODIFIER "x"

void
far_spool_set_error (GError **error, const char *folder, int code)
{
  gboolean full = code == ENOSPC || code == EDQUOT || code == EFBIG;
  if (full)
    g_set_error (error, FAR_ERROR, FAR_ERROR_FULL, _ ("%s: there is no room on the disk: free some"), folder);
  else
    g_set_error (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE, _ ("%s: %s: see to the folder and its disk"),
                 folder, g_strerror (code));
}

/* ---- the folder ---- */

char *
far_spool_segment_path (const char *folder, guint64 first)
{
  return g_strdup_printf ("%s/" NUMBER_FORMAT SPOOL_SUFFIX, folder, first);
}

static gint
by_number (gconstpointer a, gconstpointer b)
{
  guint64 one = *(const guint64 *) a, other = *(const guint64 *) b;
  return one < other ? -1 : one > other;
}

static gboolean
is_segment (const char *name, guint64 *first)
{
  char *end = NULL;
  if (strlen (name) != 16 + strlen (SPOOL_SUFFIX) || strspn (name, "0123456789abcdef") != 16)
    return FALSE;
  *first = g_ascii_strtoull (name, &end, 16);
  return strcmp (end, SPOOL_SUFFIX) == 0;
}

GArray *
far_spool_segments (const char *folder, GError **error)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  guint64 first;
  if (dir == NULL) {
    far_spool_set_error (error, folder, errno);
    return NULL;
  }
  GArray *found = g_array_new (FALSE, FALSE, sizeof (guint64));
  while ((name = g_dir_read_name (dir)) != NULL)
    if (is_segment (name, &first))
      g_array_append_val (found, first);
  g_array_sort (found, by_number);
  return found;
}

/* ---- positions ---- */

gboolean
far_spool_name_is_good (const char *name)
{
  gsize n = strlen (name);
  return n > 0 && n <= 64 && strspn (name, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

char *
far_spool_position_path (const char *folder, const char *name)
{
  return g_strconcat (folder, "/", name, POSITION_SUFFIX, NULL);
}

guint64
far_spool_position_read (const char *folder, const char *name)
{
  g_autofree char *path = far_spool_position_path (folder, name), *text = far_small_file_read (path, 64);
  guint64 position = 0;
  if (text == NULL || !g_ascii_string_to_unsigned (g_strchomp (text), 10, 1, G_MAXUINT64, &position, NULL))
    return 0;
  return position;
}

guint64
far_spool_position_last (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *file;
  guint64 last = 0;
  while (dir != NULL && (file = g_dir_read_name (dir)) != NULL)
    if (g_str_has_suffix (file, POSITION_SUFFIX)) {
      g_autofree char *name = g_strndup (file, strlen (file) - strlen (POSITION_SUFFIX));
      last = MAX (last, far_spool_position_read (folder, name));
    }
  return last;
}

/* ---- one segment ---- */

/* TRUE: all of it is there. */
static gboolean
read_at (int fd, gint64 at, guint8 *to, gsize size)
{
  while (size > 0) {
    gssize got = pread (fd, to, size, at);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return FALSE;
    to += got;
    at += got;
    size -= (gsize) got;
  }
  return TRUE;
}

SpoolSegment *
far_spool_segment_open (const char *folder, guint64 first, const guint8 *key)
{
  g_autofree char *path = far_spool_segment_path (folder, first);
  guint8 bytes[SPOOL_HEAD_SIZE];
  SpoolSegment segment = { .at = SPOOL_HEAD_SIZE };
  segment.fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (segment.fd < 0)
    return NULL;
  if (!read_at (segment.fd, 0, bytes, sizeof bytes) || !far_spool_head_read (&segment.head, bytes) ||
      segment.head.first != first) {
    close (segment.fd);
    errno = 0;
    return NULL;
  }
  if (key != NULL)
    far_spool_segment_key (key, &segment.head, segment.segment_key);
  return g_memdup2 (&segment, sizeof segment);
}

void
far_spool_segment_close (SpoolSegment *segment)
{
  if (segment == NULL)
    return;
  close (segment->fd);
  sodium_memzero (segment->segment_key, sizeof segment->segment_key);
  g_free (segment);
}

/* TRUE: a whole record with a length that can be. */
static gboolean
load_record (const SpoolSegment *segment, gint64 at, SpoolRecordHead *head, GByteArray *record)
{
  g_byte_array_set_size (record, SPOOL_RECORD_HEAD_SIZE);
  if (!read_at (segment->fd, at, record->data, SPOOL_RECORD_HEAD_SIZE))
    return FALSE;
  far_spool_record_head_read (head, record->data);
  if (head->length > FAR_SPOOL_RECORD_MAX + SPOOL_TAG_SIZE)
    return FALSE;
  g_byte_array_set_size (record, SPOOL_RECORD_HEAD_SIZE + head->length);
  return read_at (segment->fd, at + SPOOL_RECORD_HEAD_SIZE, record->data + SPOOL_RECORD_HEAD_SIZE,
                  head->length);
}

static gint64
record_end (gint64 at, const SpoolRecordHead *head)
{
  return at + SPOOL_RECORD_HEAD_SIZE + head->length;
}

gboolean
far_spool_segment_next (SpoolSegment *segment, SpoolRecordHead *head, GByteArray *record)
{
  if (!load_record (segment, segment->at, head, record))
    return FALSE;
  gint64 next = record_end (segment->at, head);
  gboolean whole = far_spool_record_is_whole (head, record->data);
  if (!whole && load_record (segment, next, head, record)) {
    whole = far_spool_record_is_whole (head, record->data);
    next = record_end (next, head);
  }
  if (whole)
    segment->at = next;
  return whole;
}
