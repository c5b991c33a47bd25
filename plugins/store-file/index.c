/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file keeps in memory what the log says, and plays the parts of a record into it. The files are
 * disk.c, the letters log.c. */
#include "config.h"

#include "index.h"

#include <string.h>

static void
rows_free (gpointer rows)
{
  g_ptr_array_unref (rows);
}

Index *
index_new (void)
{
  Index *index = g_new0 (Index, 1);

  index->tables = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, rows_free);
  index->marks = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_array_unref);
  index->series = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                         (GDestroyNotify) g_hash_table_unref);
  index->refs = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_hash_table_unref);
  index->segments = g_array_new (FALSE, TRUE, sizeof (FileSegment));
  return index;
}

void
index_free (Index *index)
{
  g_hash_table_unref (index->tables);
  g_hash_table_unref (index->marks);
  g_hash_table_unref (index->series);
  g_hash_table_unref (index->refs);
  g_array_unref (index->segments);
  g_free (index);
}

/* ---- rows ---- */

/* Place of the first row whose key is not less. */
static guint
rows_place (GPtrArray *rows, const char *key)
{
  guint low = 0, high = rows->len;

  while (low < high) {
    guint middle = (low + high) / 2;

    if (strcmp (((FarRow *) rows->pdata[middle])->key, key) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static FarRow *
rows_at (GPtrArray *rows, guint place, const char *key)
{
  FarRow *row = place < rows->len ? rows->pdata[place] : NULL;

  return row != NULL && strcmp (row->key, key) == 0 ? row : NULL;
}

const FarRow *
index_row (Index *index, const char *table, const char *key)
{
  GPtrArray *rows = g_hash_table_lookup (index->tables, table);

  return rows != NULL ? rows_at (rows, rows_place (rows, key), key) : NULL;
}

static void
row_put (Index *index, const LogPart *part)
{
  GPtrArray *rows = g_hash_table_lookup (index->tables, part->a);
  FarRow *there;
  guint place;

  if (rows == NULL) {
    rows = g_ptr_array_new_with_free_func ((GDestroyNotify) far_row_free);
    g_hash_table_insert (index->tables, g_strdup (part->a), rows);
  }
  place = rows_place (rows, part->b);
  there = rows_at (rows, place, part->b);
  if (there == NULL) {
    g_ptr_array_insert (rows, (int) place, far_row_new (part->b, part->c, (gint64) part->n[0]));
    return;
  }
  g_free (there->row);
  there->row = g_strdup (part->c);
  there->revision = (gint64) part->n[0];
}

/* References of a row that goes; key NULL: of the whole table. */
static void
refs_drop (Index *index, const char *table, const char *key)
{
  g_autofree char *wanted = g_strconcat (table, "\n", key, NULL);
  GHashTableIter iter, inner;
  gpointer set, who;

  g_hash_table_iter_init (&iter, index->refs);
  while (g_hash_table_iter_next (&iter, NULL, &set)) {
    g_hash_table_iter_init (&inner, set);
    while (g_hash_table_iter_next (&inner, &who, NULL))
      if (key != NULL ? strcmp (who, wanted) == 0 : g_str_has_prefix (who, wanted))
        g_hash_table_iter_remove (&inner);
    if (g_hash_table_size (set) == 0)
      g_hash_table_iter_remove (&iter);
  }
}

static void
row_delete (Index *index, const LogPart *part)
{
  GPtrArray *rows = g_hash_table_lookup (index->tables, part->a);
  guint place = rows != NULL ? rows_place (rows, part->b) : 0;

  if (rows != NULL && rows_at (rows, place, part->b) != NULL)
    g_ptr_array_remove_index (rows, place);
  if (rows != NULL && rows->len == 0)
    g_hash_table_remove (index->tables, part->a);
  refs_drop (index, part->a, part->b);
}

GPtrArray *
index_rows (Index *index, const char *table, const FarFilterTerm *filter, const char *after, guint limit,
            gboolean descending)
{
  GPtrArray *found = g_ptr_array_new_with_free_func ((GDestroyNotify) far_row_free);
  GPtrArray *rows = g_hash_table_lookup (index->tables, table);
  guint n = rows != NULL ? rows->len : 0;
  guint from = after == NULL ? (descending ? n : 0) : n > 0 ? rows_place (rows, after) : 0;

  if (!descending && after != NULL && n > 0 && rows_at (rows, from, after) != NULL)
    from++;
  for (guint i = 0; found->len < limit && i < (descending ? from : n - from); i++) {
    const FarRow *row = rows->pdata[descending ? from - 1 - i : from + i];

    if (far_row_matches (row->row, filter))
      g_ptr_array_add (found, far_row_new (row->key, row->row, row->revision));
  }
  return found;
}

/* ---- marks ---- */

static char *
mark_key (const char *source, guint lane)
{
  return g_strdup_printf ("%s\n%u", source, lane);
}

const Mark *
index_mark (Index *index, const char *source, guint lane, guint64 epoch)
{
  g_autofree char *key = mark_key (source, lane);
  GArray *marks = g_hash_table_lookup (index->marks, key);

  for (guint i = 0; marks != NULL && i < marks->len; i++)
    if (g_array_index (marks, Mark, i).epoch == epoch)
      return &g_array_index (marks, Mark, i);
  return NULL;
}

/* The mark that was used longest ago makes room. */
static void
marks_limit (GArray *marks)
{
  guint oldest = 0;

  for (guint i = 1; i < marks->len; i++)
    if (g_array_index (marks, Mark, i).used < g_array_index (marks, Mark, oldest).used)
      oldest = i;
  if (marks->len > FAR_EPOCHS_KEPT)
    g_array_remove_index_fast (marks, oldest);
}

static void
mark_put (Index *index, const LogPart *part)
{
  char *key = mark_key (part->a, (guint) part->n[0]);
  GArray *marks = g_hash_table_lookup (index->marks, key);
  Mark mark = { part->n[1], part->n[2], part->n[3], part->n[4] };

  if (marks == NULL) {
    marks = g_array_new (FALSE, FALSE, sizeof (Mark));
    g_hash_table_insert (index->marks, g_strdup (key), marks);
  }
  g_free (key);
  for (guint i = 0; i < marks->len; i++)
    if (g_array_index (marks, Mark, i).epoch == mark.epoch) {
      g_array_index (marks, Mark, i) = mark;
      return;
    }
  g_array_append_val (marks, mark);
  marks_limit (marks);
}

/* ---- series, references, segments ---- */

static void
series_put (Index *index, const LogPart *part)
{
  GHashTable *names = g_hash_table_lookup (index->series, part->a);

  if (names == NULL) {
    names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
    g_hash_table_insert (index->series, g_strdup (part->a), names);
  }
  g_hash_table_insert (names, g_strdup (part->b), g_strdup (part->c));
}

const char *
index_unit (Index *index, const char *source, const char *name)
{
  GHashTable *names = g_hash_table_lookup (index->series, source);

  return names != NULL ? g_hash_table_lookup (names, name) : NULL;
}

guint
index_series_count (Index *index, const char *source)
{
  GHashTable *names = g_hash_table_lookup (index->series, source);

  return names != NULL ? g_hash_table_size (names) : 0;
}

static int
file_index_series_order (gconstpointer a, gconstpointer b)
{
  const FarSeriesInfo *x = *(const FarSeriesInfo *const *) a, *y = *(const FarSeriesInfo *const *) b;
  int order = strcmp (x->source, y->source);

  return order != 0 ? order : strcmp (x->name, y->name);
}

GPtrArray *
index_series (Index *index, const char *source)
{
  GPtrArray *list = g_ptr_array_new_with_free_func ((GDestroyNotify) far_series_info_free);
  GHashTableIter outer, inner;
  gpointer from, names, name, unit;

  g_hash_table_iter_init (&outer, index->series);
  while (g_hash_table_iter_next (&outer, &from, &names)) {
    if (source != NULL && strcmp (from, source) != 0)
      continue;
    g_hash_table_iter_init (&inner, names);
    while (g_hash_table_iter_next (&inner, &name, &unit)) {
      FarSeriesInfo *info = g_new (FarSeriesInfo, 1);

      *info = (FarSeriesInfo){ g_strdup (from), g_strdup (name), g_strdup (unit) };
      g_ptr_array_add (list, info);
    }
  }
  g_ptr_array_sort (list, file_index_series_order);
  return list;
}

static void
ref_put (Index *index, const LogPart *part)
{
  GHashTable *set = g_hash_table_lookup (index->refs, part->c);

  if (set == NULL) {
    set = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    g_hash_table_insert (index->refs, g_strdup (part->c), set);
  }
  g_hash_table_add (set, g_strconcat (part->a, "\n", part->b, NULL));
}

gboolean
index_is_referred (Index *index, const char *hash)
{
  return g_hash_table_contains (index->refs, hash);
}

FileSegment *
index_segment (Index *index, guint64 number)
{
  FileSegment fresh = { number, G_MAXINT64, G_MININT64, 0, G_MININT64 };
  guint place = index->segments->len;

  while (place > 0 && g_array_index (index->segments, FileSegment, place - 1).number >= number)
    place--;
  if (place == index->segments->len || g_array_index (index->segments, FileSegment, place).number != number)
    g_array_insert_val (index->segments, place, fresh);
  return &g_array_index (index->segments, FileSegment, place);
}

void
index_segment_gone (Index *index, guint64 number)
{
  for (guint i = 0; i < index->segments->len; i++)
    if (g_array_index (index->segments, FileSegment, i).number == number) {
      g_array_remove_index (index->segments, i);
      return;
    }
}

static void
segment_grow (Index *index, guint64 number, gint64 from_us, gint64 to_us, guint64 samples)
{
  FileSegment *segment = index_segment (index, number);

  segment->from_us = MIN (segment->from_us, from_us);
  segment->to_us = MAX (segment->to_us, to_us);
  segment->samples += samples;
}

/* ---- one part ---- */

void
index_part (Index *index, guint64 segment, const LogPart *part)
{
  switch (part->kind) {
  case PART_ROW:
    index->revision = MAX (index->revision, part->n[0]);
    row_put (index, part);
    break;
  case PART_DELETE:
    index->revision = MAX (index->revision, part->n[0]);
    row_delete (index, part);
    break;
  case PART_DROP:
    index->revision = MAX (index->revision, part->n[0]);
    g_hash_table_remove (index->tables, part->a);
    refs_drop (index, part->a, NULL);
    break;
  case PART_REF:
    ref_put (index, part);
    break;
  case PART_MARK:
    index->revision = MAX (index->revision, part->n[4]);
    mark_put (index, part);
    break;
  case PART_SERIES:
    series_put (index, part);
    break;
  case PART_SAMPLES:
    segment_grow (index, segment, part->from_us, part->to_us, part->n[0]);
    break;
  case PART_SEGMENT:
    segment_grow (index, part->n[0], part->from_us, part->to_us, part->n[1]);
    break;
  case PART_HEAD:
    index->version = part->n[0];
    index->state_segment = part->n[1];
    index->revision = MAX (index->revision, part->n[2]);
    break;
  case PART_END:
    index->ended = TRUE;
    break;
  }
}

/* ---- the whole ---- */

typedef struct {
  GByteArray *out, *part;
} FileWriting;

static void
writing_flush (FileWriting *writing, gboolean always)
{
  if (writing->part->len == 0 || (!always && writing->part->len < 256 * 1024))
    return;
  log_frame (writing->out, writing->part);
  g_byte_array_set_size (writing->part, 0);
}

static void
write_rows (Index *index, FileWriting *writing)
{
  GHashTableIter iter;
  gpointer table, rows;

  g_hash_table_iter_init (&iter, index->tables);
  while (g_hash_table_iter_next (&iter, &table, &rows))
    for (guint i = 0; i < ((GPtrArray *) rows)->len; i++) {
      const FarRow *row = ((GPtrArray *) rows)->pdata[i];

      log_row (writing->part, (guint64) row->revision, table, row->key, row->row);
      writing_flush (writing, FALSE);
    }
}

static void
write_marks (Index *index, FileWriting *writing)
{
  GHashTableIter iter;
  gpointer key, marks;

  g_hash_table_iter_init (&iter, index->marks);
  while (g_hash_table_iter_next (&iter, &key, &marks)) {
    const char *end = strrchr (key, '\n');
    g_autofree char *source = g_strndup (key, (gsize) (end - (char *) key));

    for (guint i = 0; i < ((GArray *) marks)->len; i++) {
      const Mark *mark = &g_array_index ((GArray *) marks, Mark, i);
      guint64 n[5] = { g_ascii_strtoull (end + 1, NULL, 10), mark->epoch, mark->seq, mark->crc, mark->used };

      log_mark (writing->part, source, n);
      writing_flush (writing, FALSE);
    }
  }
}

static void
write_series (Index *index, FileWriting *writing)
{
  g_autoptr (GPtrArray) list = index_series (index, NULL);

  for (guint i = 0; i < list->len; i++) {
    const FarSeriesInfo *info = list->pdata[i];

    log_series (writing->part, info->source, info->name, info->unit);
    writing_flush (writing, FALSE);
  }
}

static void
write_refs (Index *index, FileWriting *writing)
{
  GHashTableIter outer, inner;
  gpointer hash, set, who;

  g_hash_table_iter_init (&outer, index->refs);
  while (g_hash_table_iter_next (&outer, &hash, &set)) {
    g_hash_table_iter_init (&inner, set);
    while (g_hash_table_iter_next (&inner, &who, NULL)) {
      g_auto (GStrv) parts = g_strsplit (who, "\n", 2);

      log_ref (writing->part, parts[0], parts[1], hash);
      writing_flush (writing, FALSE);
    }
  }
}

static void
write_segments (Index *index, guint64 up_to, FileWriting *writing)
{
  for (guint i = 0; i < index->segments->len; i++) {
    const FileSegment *segment = &g_array_index (index->segments, FileSegment, i);

    if (segment->number <= up_to && segment->samples > 0)
      log_segment (writing->part, segment->number, segment->from_us, segment->to_us, segment->samples);
    writing_flush (writing, FALSE);
  }
}

void
index_write (Index *index, guint64 up_to_segment, GByteArray *out)
{
  g_autoptr (GByteArray) part = g_byte_array_new ();
  FileWriting writing = { out, part };

  log_head (part, up_to_segment, index->revision);
  write_rows (index, &writing);
  write_marks (index, &writing);
  write_series (index, &writing);
  write_refs (index, &writing);
  write_segments (index, up_to_segment, &writing);
  log_end (part);
  writing_flush (&writing, TRUE);
}
