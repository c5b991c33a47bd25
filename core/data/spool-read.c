/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The reading side of a spool. It goes from segment to segment by their numbers; where a number is not the
 * one that was due, the reader is told a gap first. A segment is left only when a later one is there, since
 * until then its writer may go on, and after one more look into it. */
#include "config.h"

#include "data/spool-private.h"

#include <errno.h>
#include <farwatch/i18n.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

struct _FarSpoolReader {
  char *folder, *name;
  gboolean has_key;
  guint8 key[FAR_SPOOL_KEY_SIZE];
  SpoolSegment *segment; /* NULL: the next look chooses one */
  guint64 due;           /* number of the record that comes next; 0: whichever is the first */
  GByteArray *record;
  SpoolRecordHead head; /* of record, which waits behind a gap */
  gboolean waits;
};

FarSpoolReader *
far_spool_reader_open (const char *folder, const guint8 *key, const char *name, GError **error)
{
  if (name != NULL && !far_spool_name_is_good (name)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("reader %s: use a-z, 0-9 and -, 64 at most"), name);
    return NULL;
  }
  FarSpoolReader *self = g_new0 (FarSpoolReader, 1);
  self->folder = g_strdup (folder);
  self->name = g_strdup (name);
  self->has_key = key != NULL;
  if (key != NULL)
    memcpy (self->key, key, FAR_SPOOL_KEY_SIZE);
  if (name != NULL)
    self->due = far_spool_position_read (folder, name);
  self->record = g_byte_array_new ();
  return self;
}

/* The segment to go on with: the last one that begins at or before the record that is due and behind the
 * present one, else the first behind it. 0: there is none. */
static guint64
choose_segment (FarSpoolReader *self, const GArray *found)
{
  guint64 after = self->segment != NULL ? self->segment->head.first : 0, chosen = 0;
  for (guint i = 0; i < found->len; i++) {
    guint64 first = g_array_index (found, guint64, i);
    if (first > after && (chosen == 0 || first <= self->due))
      chosen = first;
  }
  return chosen;
}

/* TRUE: there is another segment than before. */
static gboolean
next_segment (FarSpoolReader *self, GArray *found)
{
  guint64 first;
  while ((first = choose_segment (self, found)) != 0) {
    SpoolSegment *segment = far_spool_segment_open (self->folder, first, self->has_key ? self->key : NULL);
    if (segment != NULL) {
      far_spool_segment_close (self->segment);
      self->segment = segment;
      return TRUE;
    }
    /* It went meanwhile, or its head is damaged: as if it were not there. */
    for (guint i = 0; i < found->len; i++)
      if (g_array_index (found, guint64, i) == first)
        g_array_remove_index (found, i);
  }
  return FALSE;
}

static gboolean
read_here (FarSpoolReader *self)
{
  return self->segment != NULL && far_spool_segment_next (self->segment, &self->head, self->record);
}

/* TRUE: there is a record that was not shown yet; FALSE without error: none now. */
static gboolean
find_record (FarSpoolReader *self, GError **error)
{
  for (;;) {
    while (read_here (self))
      if (self->head.sequence >= self->due)
        return TRUE;
    g_autoptr (GArray) found = far_spool_segments (self->folder, error);
    if (found == NULL || choose_segment (self, found) == 0)
      return FALSE;
    while (read_here (self)) /* what was written before the next segment was begun */
      if (self->head.sequence >= self->due)
        return TRUE;
    if (!next_segment (self, found))
      return FALSE;
  }
}

static FarSpoolRead
show_record (FarSpoolReader *self, FarSpoolItem *item, GError **error)
{
  gssize size = self->head.length;
  if (self->segment->head.sealed)
    size = self->has_key ? far_spool_record_open (&self->head, self->record->data, self->segment->segment_key)
                         : -1;
  if (size < 0) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_DENIED, _ ("%s: it is sealed with another key: give that one"),
                 self->folder);
    return FAR_SPOOL_ERROR;
  }
  *item = (FarSpoolItem){ .sequence = self->head.sequence,
                          .time_us = self->head.time_us,
                          .data = self->record->data + SPOOL_RECORD_HEAD_SIZE,
                          .size = (gsize) size };
  self->due = self->head.sequence + 1;
  self->waits = FALSE;
  return FAR_SPOOL_RECORD;
}

FarSpoolRead
far_spool_reader_next (FarSpoolReader *self, FarSpoolItem *item, GError **error)
{
  GError *fault = NULL;
  if (!self->waits && !find_record (self, &fault)) {
    gboolean failed = fault != NULL;
    if (failed)
      g_propagate_error (error, fault);
    return failed ? FAR_SPOOL_ERROR : FAR_SPOOL_NOTHING;
  }
  self->waits = TRUE;
  if (self->due == 0 || self->due == self->head.sequence)
    return show_record (self, item, error);
  *item = (FarSpoolItem){ .sequence = self->due, .lost = self->head.sequence - self->due };
  self->due = self->head.sequence;
  return FAR_SPOOL_GAP;
}

gboolean
far_spool_reader_commit (FarSpoolReader *self, GError **error)
{
  g_autofree char *path = NULL, *text = g_strdup_printf ("%" G_GUINT64_FORMAT "\n", self->due);
  if (self->name == NULL || self->due == 0)
    return TRUE;
  path = far_spool_position_path (self->folder, self->name);
  if (g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
                                0600, NULL))
    return TRUE;
  far_spool_set_error (error, self->folder, errno);
  return FALSE;
}

void
far_spool_reader_close (FarSpoolReader *self)
{
  if (self == NULL)
    return;
  far_spool_segment_close (self->segment);
  g_byte_array_unref (self->record);
  g_free (self->folder);
  g_free (self->name);
  sodium_memzero (self, sizeof *self);
  g_free (self);
}
