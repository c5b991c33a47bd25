/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Care, in steps of a few milliseconds while nothing waits: small batches of a source become one big one, old
 * samples and orphaned blobs go, free pages go back to the file system. */
#include "config.h"

#include "store.h"

#define YOUNG_MAX 256 /* small batches of a source before they are merged */
#define MERGED_SIZE (64 * 1024)
#define CARE_EVERY_US (60 * G_USEC_PER_SEC)
#define DROP_AT_ONCE 256
#define ORPHAN_US (24 * 3600 * (gint64) G_USEC_PER_SEC)

void
care_added (Writer *writer, gint64 source)
{
  gpointer key = GINT_TO_POINTER ((gint) source);
  guint young = GPOINTER_TO_UINT (g_hash_table_lookup (writer->young, key)) + 1;

  if (young >= YOUNG_MAX) {
    g_queue_push_tail (&writer->merge, key);
    young = 0;
  }
  g_hash_table_insert (writer->young, key, GUINT_TO_POINTER (young));
}

/* ---- merging ---- */

typedef struct {
  FarBatchBuilder *builder;
  GArray *ids;
} Merge;

/* Reads small batches, oldest first, until there is enough for one big one. */
static gboolean
merge_collect (Conn *conn, gint64 source, Merge *merge, GError **error)
{
  sqlite3_stmt
      *stmt = conn_query (conn, error,
                          "SELECT id, body FROM batch WHERE source = ?1 AND level = 0 ORDER BY t0 LIMIT 1024",
                          "i", source);

  while (stmt != NULL && conn_step (conn, stmt, error)) {
    gint64 id = sqlite3_column_int64 (stmt, 0);
    g_autoptr (GBytes)
        body = g_bytes_new (sqlite3_column_blob (stmt, 1), (gsize) sqlite3_column_bytes (stmt, 1));

    if (!far_batch_builder_merge (merge->builder, body, NULL))
      continue; /* unreadable: left alone, a range query says so */
    g_array_append_val (merge->ids, id);
    if (far_batch_builder_size (merge->builder) >= MERGED_SIZE)
      break;
  }
  if (stmt != NULL)
    sqlite3_reset (stmt);
  return *error == NULL;
}

static gboolean
merge_write (Conn *conn, gint64 source, GArray *ids, GBytes *body, GError **error)
{
  FarBatchSpan span;

  if (!far_batch_span (body, &span, error))
    return FALSE;
  for (guint i = 0; i < ids->len; i++)
    if (!conn_run (conn, error, "DELETE FROM batch WHERE id = ?1", "i", g_array_index (ids, gint64, i)))
      return FALSE;
  return conn_run (conn, error,
                   "INSERT INTO batch(source, level, t0, t1, n, body) VALUES(?1, 1, ?2, ?3, ?4, ?5)", "iiiib",
                   source, span.first_us, span.last_us, (gint64) span.samples, body);
}

/* What is left below the size waits for more. */
static gboolean
merge_source (Writer *writer, gint64 source, GError **error)
{
  Conn *conn = &writer->thread.conn;
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (gint64));
  g_autoptr (GBytes) body = NULL;
  Merge merge = { far_batch_builder_new (), ids };
  gboolean good = merge_collect (conn, source, &merge, error);
  gboolean full = far_batch_builder_size (merge.builder) >= MERGED_SIZE;

  body = far_batch_builder_end (merge.builder);
  if (!good || (!full && ids->len < YOUNG_MAX / 2))
    return good;
  if (full)
    g_queue_push_tail (&writer->merge, GINT_TO_POINTER ((gint) source));
  return merge_write (conn, source, ids, body, error);
}

/* ---- the rest ---- */

static gboolean
drop_old (Writer *writer, gboolean *more, GError **error)
{
  Conn *conn = &writer->thread.conn;
  gint64 keep = base_keep (writer->thread.base);

  if (keep == 0)
    return TRUE;
  if (!conn_run (conn, error,
                 "DELETE FROM batch WHERE id IN (SELECT b.id FROM source AS s CROSS JOIN batch AS b ON "
                 "b.source = s.id AND b.t1 < ?1"
                 " LIMIT " G_STRINGIFY (DROP_AT_ONCE) ")",
                 "i", far_clock_wall_us () - keep))
    return FALSE;
  *more = *more || sqlite3_changes (conn->db) == DROP_AT_ONCE;
  return TRUE;
}

static gboolean
drop_orphans (Writer *writer, gboolean *more, GError **error)
{
  Conn *conn = &writer->thread.conn;

  if (!conn_run (conn, error,
                 "DELETE FROM blob WHERE sha256 IN (SELECT sha256 FROM blob AS b WHERE changed < ?1"
                 " AND NOT EXISTS (SELECT 1 FROM blob_ref AS r WHERE r.sha256 = b.sha256) LIMIT 16)",
                 "i", far_clock_wall_us () - ORPHAN_US))
    return FALSE;
  if (sqlite3_changes (conn->db) == 0)
    return TRUE;
  *more = TRUE;
  return conn_run (conn, error, "DELETE FROM blob_part WHERE sha256 NOT IN (SELECT sha256 FROM blob)", "");
}

static gboolean
give_back (Writer *writer, gboolean *more, GError **error)
{
  Conn *conn = &writer->thread.conn;
  gint64 free_pages = conn_number (conn, error, 0, "PRAGMA freelist_count", "");

  if (*error != NULL || free_pages < 1024)
    return *error == NULL;
  *more = TRUE;
  return conn_run (conn, error, "PRAGMA incremental_vacuum(256)", "");
}

static gboolean
in_transaction (Writer *writer, gboolean *more, gint64 source, GError **error)
{
  Conn *conn = &writer->thread.conn;
  gboolean good;

  if (!conn_run (conn, error, "BEGIN IMMEDIATE", ""))
    return FALSE;
  good = source != 0 ? merge_source (writer, source, error)
                     : drop_old (writer, more, error) && drop_orphans (writer, more, error);
  if (good && conn_run (conn, error, "COMMIT", ""))
    return TRUE;
  if (!sqlite3_get_autocommit (conn->db))
    sqlite3_exec (conn->db, "ROLLBACK", NULL, NULL, NULL);
  return FALSE;
}

gboolean
care_step (Writer *writer, GError **error)
{
  gint64 source = GPOINTER_TO_INT (g_queue_pop_head (&writer->merge));
  g_autoptr (GError) local = NULL;
  gboolean more = source != 0;

  if (source == 0 && far_clock_boottime_us () < writer->next_care_us)
    return FALSE; /* nothing to do; lint: allow silent */
  if (in_transaction (writer, &more, source, &local) && (source != 0 || give_back (writer, &more, &local))) {
    if (!more)
      writer->next_care_us = far_clock_boottime_us () + CARE_EVERY_US;
    return more;
  }
  writer->next_care_us = far_clock_boottime_us () + CARE_EVERY_US;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}
