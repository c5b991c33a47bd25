/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file holds rows, batches and blobs in memory, and judges a change before it is done. It neither
 * locks nor writes, so that playing the journal and a new change are the same code. */
#include "memory.h"

#include <string.h>

#define BLOB_KEPT_US (G_GINT64_CONSTANT (24) * 3600 * G_USEC_PER_SEC)

typedef struct {
  char *row;
  gint64 revision;
  GPtrArray *blobs; /* hashes that it refers to; NULL: none */
} Cell;

typedef struct {
  guint64 epoch, seq;
} Epoch;

typedef struct {
  GBytes *bytes;
  FarBatchSpan span;
} Batch;

typedef struct {
  GPtrArray *batches;
  GHashTable *units; /* name of the series → unit */
} Source;

typedef struct {
  GByteArray *bytes;
  gboolean whole;
  gint64 used_us; /* when it was last written, or seen in use */
} Blob;

struct _Memory {
  GHashTable *tables;  /* name → GTree of key → Cell */
  GHashTable *sources; /* node id → Source */
  GHashTable *lanes;   /* "source\nlane" → GArray of Epoch, the oldest first */
  GHashTable *blobs;   /* hash → Blob */
  gint64 revision;     /* the last that was given */
};

/* ---- life ---- */

static void
cell_free (gpointer data)
{
  Cell *cell = data;

  g_clear_pointer (&cell->blobs, g_ptr_array_unref);
  g_free (cell->row);
  g_free (cell);
}

static void
batch_free (gpointer data)
{
  Batch *batch = data;

  g_bytes_unref (batch->bytes);
  g_free (batch);
}

static void
source_free (gpointer data)
{
  Source *source = data;

  g_ptr_array_unref (source->batches);
  g_hash_table_unref (source->units);
  g_free (source);
}

static void
blob_free (gpointer data)
{
  Blob *blob = data;

  g_byte_array_unref (blob->bytes);
  g_free (blob);
}

Memory *
memory_new (void)
{
  Memory *memory = g_new0 (Memory, 1);

  memory->tables = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_tree_unref);
  memory->sources = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, source_free);
  memory->lanes = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_array_unref);
  memory->blobs = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, blob_free);
  return memory;
}

void
memory_free (Memory *memory)
{
  g_hash_table_unref (memory->tables);
  g_hash_table_unref (memory->sources);
  g_hash_table_unref (memory->lanes);
  g_hash_table_unref (memory->blobs);
  g_free (memory);
}

/* ---- judging ---- */

static char *
lane_name (const FarBatchKey *key)
{
  return g_strdup_printf ("%s\n%u", key->source, key->lane);
}

static Epoch *
epoch_find (GArray *epochs, guint64 number)
{
  for (guint i = epochs != NULL ? epochs->len : 0; i-- > 0;)
    if (g_array_index (epochs, Epoch, i).epoch == number)
      return &g_array_index (epochs, Epoch, i);
  return NULL;
}

/* Each batch counts once: the next number of its epoch, or the first of a new one. */
static FarApplied
judge_number (Memory *memory, const FarBatchKey *key)
{
  g_autofree char *name = lane_name (key);
  const Epoch *epoch = epoch_find (g_hash_table_lookup (memory->lanes, name), key->epoch);
  guint64 next = epoch != NULL ? epoch->seq + 1 : 1;

  if (key->seq < next)
    return (FarApplied){ .verdict = FAR_APPLY_DUPLICATE };
  return (FarApplied){ .verdict = key->seq == next ? FAR_APPLY_DURABLE : FAR_APPLY_GAP, .expected = next };
}

static Cell *
cell_find (Memory *memory, const char *table, const char *key)
{
  GTree *rows = g_hash_table_lookup (memory->tables, table);

  return rows != NULL ? g_tree_lookup (rows, key) : NULL;
}

static gboolean
judge_row (Memory *memory, const FarPart *part, GError **error)
{
  const Cell *cell = cell_find (memory, part->table, part->key);
  gint64 has = cell != NULL ? cell->revision : FAR_EXPECT_ABSENT;

  if (part->expect == FAR_EXPECT_ANY || part->expect == has)
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFLICT, _ ("%s/%s: somebody else has changed it"), part->table,
               part->key);
  return FALSE;
}

gboolean
memory_judge (Memory *memory, const FarBatchKey *key, const FarPart *parts, guint n, FarApplied *applied,
              GError **error)
{
  gboolean good = far_parts_good (key, parts, n);

  *applied = (FarApplied){ .verdict = FAR_APPLY_DURABLE };
  if (key != NULL)
    *applied = good ? judge_number (memory, key) : (FarApplied){ .verdict = FAR_APPLY_BAD };
  if (key == NULL && !good) {
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("the samples are no batch"));
    return FALSE;
  }
  for (guint i = 0; i < n && applied->verdict == FAR_APPLY_DURABLE; i++)
    if (parts[i].kind == FAR_PART_ROW && !judge_row (memory, &parts[i], error))
      return FALSE;
  return TRUE;
}

/* ---- applying ---- */

static void
apply_number (Memory *memory, const FarBatchKey *key)
{
  g_autofree char *name = lane_name (key);
  GArray *epochs = g_hash_table_lookup (memory->lanes, name);
  Epoch *epoch, fresh = { key->epoch, key->seq };

  if (epochs == NULL) {
    epochs = g_array_new (FALSE, FALSE, sizeof (Epoch));
    g_hash_table_insert (memory->lanes, g_steal_pointer (&name), epochs);
  }
  epoch = epoch_find (epochs, key->epoch);
  if (epoch != NULL)
    epoch->seq = key->seq;
  else
    g_array_append_val (epochs, fresh);
  if (epochs->len > FAR_EPOCHS_KEPT)
    g_array_remove_index (epochs, 0);
}

static int
by_key (gconstpointer a, gconstpointer b, gpointer data G_GNUC_UNUSED)
{
  return strcmp (a, b);
}

static gint64
apply_row (Memory *memory, const FarPart *part)
{
  GTree *rows = g_hash_table_lookup (memory->tables, part->table);
  Cell *cell;

  if (rows == NULL) {
    rows = g_tree_new_full (by_key, NULL, g_free, cell_free);
    g_hash_table_insert (memory->tables, g_strdup (part->table), rows);
  }
  if (part->row == NULL) {
    g_tree_remove (rows, part->key);
    return 0;
  }
  cell = g_new0 (Cell, 1);
  cell->row = g_strdup (part->row);
  cell->revision = ++memory->revision;
  g_tree_replace (rows, g_strdup (part->key), cell);
  return cell->revision;
}

static void
apply_blob_ref (Memory *memory, const FarPart *part)
{
  Cell *cell = cell_find (memory, part->table, part->key);

  if (cell == NULL)
    return;
  if (cell->blobs == NULL)
    cell->blobs = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_add (cell->blobs, g_strdup (part->row));
}

static void
note_units (const FarReading *group G_GNUC_UNUSED, const FarSeriesInfo *series, guint n_series, gpointer data)
{
  for (guint i = 0; i < n_series; i++)
    g_hash_table_replace (((Source *) data)->units, g_strdup (series[i].name), g_strdup (series[i].unit));
}

static void
apply_samples (Memory *memory, const char *name, GBytes *bytes)
{
  Source *source = g_hash_table_lookup (memory->sources, name);
  Batch *batch = g_new0 (Batch, 1);

  if (source == NULL) {
    source = g_new0 (Source, 1);
    source->batches = g_ptr_array_new_with_free_func (batch_free);
    source->units = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
    g_hash_table_insert (memory->sources, g_strdup (name), source);
  }
  batch->bytes = g_bytes_ref (bytes);
  far_batch_span (bytes, &batch->span, NULL); /* was judged: it is one */
  far_batch_read (bytes, note_units, source, NULL);
  g_ptr_array_add (source->batches, batch);
}

gint64
memory_apply (Memory *memory, const char *source, const FarBatchKey *key, const FarPart *parts, guint n)
{
  gint64 first = 0;

  if (key != NULL)
    apply_number (memory, key);
  for (guint i = 0; i < n; i++) {
    gint64 revision = parts[i].kind == FAR_PART_ROW ? apply_row (memory, &parts[i]) : 0;

    if (parts[i].kind == FAR_PART_SAMPLES)
      apply_samples (memory, source, parts[i].samples);
    else if (parts[i].kind == FAR_PART_BLOB_REF)
      apply_blob_ref (memory, &parts[i]);
    first = first != 0 ? first : revision;
  }
  return first;
}

/* ---- reading ---- */

static GTreeNode *
rows_begin (GTree *rows, const char *after, gboolean descending)
{
  GTreeNode *node;

  if (!descending)
    return after != NULL ? g_tree_upper_bound (rows, after) : g_tree_node_first (rows);
  if (after == NULL)
    return g_tree_node_last (rows);
  node = g_tree_lower_bound (rows, after);
  return node != NULL ? g_tree_node_previous (node) : g_tree_node_last (rows);
}

GPtrArray *
memory_rows (Memory *memory, const char *table, const FarFilterTerm *filter, const char *after, guint limit,
             gboolean descending)
{
  GPtrArray *found = g_ptr_array_new_with_free_func ((GDestroyNotify) far_row_free);
  GTree *rows = g_hash_table_lookup (memory->tables, table);
  GTreeNode *node = rows != NULL ? rows_begin (rows, after, descending) : NULL;

  for (; node != NULL && found->len < limit;
       node = descending ? g_tree_node_previous (node) : g_tree_node_next (node)) {
    const Cell *cell = g_tree_node_value (node);

    if (far_row_matches (cell->row, filter))
      g_ptr_array_add (found, far_row_new (g_tree_node_key (node), cell->row, cell->revision));
  }
  return found;
}

static void
add_series (GPtrArray *found, const char *name, const Source *source)
{
  GHashTableIter iter;
  gpointer series, unit;

  g_hash_table_iter_init (&iter, source->units);
  while (g_hash_table_iter_next (&iter, &series, &unit)) {
    FarSeriesInfo *info = g_new0 (FarSeriesInfo, 1);

    *info = (FarSeriesInfo){ .source = g_strdup (name), .name = g_strdup (series), .unit = g_strdup (unit) };
    g_ptr_array_add (found, info);
  }
}

GPtrArray *
memory_series (Memory *memory, const char *source)
{
  GPtrArray *found = g_ptr_array_new_with_free_func ((GDestroyNotify) far_series_info_free);
  GHashTableIter iter;
  gpointer name, value;

  g_hash_table_iter_init (&iter, memory->sources);
  while (g_hash_table_iter_next (&iter, &name, &value))
    if (source == NULL || g_str_equal (source, name))
      add_series (found, name, value);
  return found;
}

/* The picker wants batches in any order, and is quickest with the newest first. */
GArray *
memory_samples (Memory *memory, const char *source, const char *name, gint64 from_us, gint64 to_us,
                guint limit)
{
  const Source *at = g_hash_table_lookup (memory->sources, source);
  FarLatestPoints *picker = far_latest_points_new (name, from_us, to_us, limit);

  for (guint i = at != NULL ? at->batches->len : 0; i-- > 0;) {
    const Batch *batch = at->batches->pdata[i];

    if (far_latest_points_wants (picker, batch->span.last_us))
      far_latest_points_add (picker, batch->bytes, NULL);
  }
  return far_latest_points_end (picker);
}

/* ---- dropping ---- */

static void
source_drop (Source *source, gint64 before_us)
{
  for (guint i = source->batches->len; i-- > 0;)
    if (((Batch *) source->batches->pdata[i])->span.last_us < before_us)
      g_ptr_array_remove_index (source->batches, i);
}

void
memory_drop (Memory *memory, const char *table, gint64 before_us)
{
  GHashTableIter iter;
  gpointer source;

  if (table != NULL)
    g_hash_table_remove (memory->tables, table);
  g_hash_table_iter_init (&iter, memory->sources);
  while (before_us != 0 && g_hash_table_iter_next (&iter, NULL, &source))
    source_drop (source, before_us);
}

/* ---- blobs ---- */

static gboolean
blob_hash_is (const Blob *blob, GBytes *more, const char *hash)
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);

  if (blob != NULL)
    g_checksum_update (checksum, blob->bytes->data, blob->bytes->len);
  g_checksum_update (checksum, g_bytes_get_data (more, NULL), (gssize) g_bytes_get_size (more));
  return g_str_equal (g_checksum_get_string (checksum), hash);
}

gboolean
memory_blob_judge (Memory *memory, const char *hash, guint64 offset, GBytes *bytes, gboolean last,
                   gint64 *there, gboolean *wanted, GError **error)
{
  const Blob *blob = g_hash_table_lookup (memory->blobs, hash);
  gboolean asks = g_bytes_get_size (bytes) == 0 && !last;

  *there = blob != NULL ? blob->bytes->len : 0;
  *wanted = !asks && (blob == NULL || !blob->whole);
  if (!*wanted)
    return TRUE;
  if (offset != (guint64) *there) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFLICT, _ ("blob %s: %" G_GINT64_FORMAT " bytes are there"),
                 hash, *there);
    return FALSE;
  }
  if (!last || blob_hash_is (blob, bytes, hash))
    return TRUE;
  g_hash_table_remove (memory->blobs, hash);
  g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("blob %s: the bytes have another hash"), hash);
  return FALSE;
}

gint64
memory_blob_add (Memory *memory, const char *hash, guint64 offset, GBytes *bytes, gboolean last)
{
  Blob *blob = offset > 0 ? g_hash_table_lookup (memory->blobs, hash) : NULL;

  if (blob == NULL) { /* replaces what may be left of an earlier try */
    blob = g_new0 (Blob, 1);
    blob->bytes = g_byte_array_new ();
    g_hash_table_insert (memory->blobs, g_strdup (hash), blob);
  }
  g_byte_array_append (blob->bytes, g_bytes_get_data (bytes, NULL), (guint) g_bytes_get_size (bytes));
  blob->whole = last;
  blob->used_us = far_clock_wall_us ();
  return blob->bytes->len;
}

GBytes *
memory_blob_get (Memory *memory, const char *hash, guint64 offset, guint size, GError **error)
{
  const Blob *blob = g_hash_table_lookup (memory->blobs, hash);
  guint at;

  if (blob == NULL || !blob->whole) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_NOT_FOUND, _ ("no blob %s"), hash);
    return NULL;
  }
  at = (guint) MIN (offset, blob->bytes->len);
  return g_bytes_new (blob->bytes->data + at, MIN (size, blob->bytes->len - at));
}

static gboolean
cell_uses (gpointer key G_GNUC_UNUSED, gpointer data, gpointer used)
{
  const Cell *cell = data;

  for (guint i = 0; cell->blobs != NULL && i < cell->blobs->len; i++)
    g_hash_table_add (used, cell->blobs->pdata[i]);
  return FALSE;
}

static gboolean
blob_is_old (gpointer hash, gpointer data, gpointer used)
{
  Blob *blob = data;
  gint64 now = far_clock_wall_us ();

  if (blob->whole && g_hash_table_contains (used, hash))
    blob->used_us = now;
  return now - blob->used_us > BLOB_KEPT_US;
}

void
memory_drop_blobs (Memory *memory)
{
  g_autoptr (GHashTable) used = g_hash_table_new (g_str_hash, g_str_equal);
  GHashTableIter iter;
  gpointer rows;

  g_hash_table_iter_init (&iter, memory->tables);
  while (g_hash_table_iter_next (&iter, NULL, &rows))
    g_tree_foreach (rows, cell_uses, used);
  g_hash_table_foreach_remove (memory->blobs, blob_is_old, used);
}
