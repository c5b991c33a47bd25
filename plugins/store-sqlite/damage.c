/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What becomes of a damaged file: it is moved aside, what can be read goes into a new one and is listed.
 * Unless the profile says that the store may go on, nobody gets to use the new one before a person has
 * decided. */
#include "config.h"

#include "store.h"

#include <errno.h>
#include <glib/gstdio.h>

#include "schema.h"

static const struct {
  const char *name;
  gboolean has_rowid;
} damage_tables[] = {
  { "row", TRUE },  { "source", TRUE },    { "series", FALSE },   { "mark", FALSE },
  { "blob", TRUE }, { "blob_part", TRUE }, { "blob_ref", FALSE }, { "batch", TRUE },
};

static gboolean
move_aside (const char *path, const char *aside, GError **error)
{
  static const char *const tails[] = { "", "-wal", "-shm", NULL };

  for (guint i = 0; tails[i] != NULL; i++) {
    g_autofree char *from = g_strconcat (path, tails[i], NULL);
    g_autofree char *to = g_strconcat (aside, tails[i], NULL);

    if (g_rename (from, to) != 0 && errno != ENOENT) {
      g_set_error (error, FAR_ERROR, FAR_ERROR_FULL, _ ("%s is damaged and cannot be moved to %s: %s"), from,
                   to, g_strerror (errno));
      return FALSE;
    }
  }
  return TRUE;
}

/* What an attempt before this one has left. */
static gboolean
remove_file (const char *path, GError **error)
{
  static const char *const tails[] = { "", "-wal", "-shm", NULL };

  for (guint i = 0; tails[i] != NULL; i++) {
    g_autofree char *file = g_strconcat (path, tails[i], NULL);

    if (g_unlink (file) != 0 && errno != ENOENT) {
      g_set_error (error, FAR_ERROR, FAR_ERROR_FULL, _ ("%s cannot be removed: %s"), file,
                   g_strerror (errno));
      return FALSE;
    }
  }
  return TRUE;
}

/* Copies what can be read: where a row cannot, it goes on a little behind it, ever further as long as nothing
 * can be read. */
typedef struct {
  sqlite3_stmt *in, *out;
  gint64 last, step, rows; /* rowid of the last one read */
  guint failures;          /* in a row */
  gboolean gaps;           /* not all of it was read, or written */
} Salvage;

#define SALVAGE_FAILURES 40

static void
salvage_row (Salvage *salvage)
{
  int columns = sqlite3_column_count (salvage->in);

  salvage->last = sqlite3_column_int64 (salvage->in, 0);
  salvage->step = 1;
  salvage->failures = 0;
  for (int i = 1; i < columns; i++)
    sqlite3_bind_value (salvage->out, i, sqlite3_column_value (salvage->in, i));
  if (sqlite3_step (salvage->out) == SQLITE_DONE)
    salvage->rows++;
  else
    salvage->gaps = TRUE;
  sqlite3_reset (salvage->out);
}

static void
salvage_rows (Salvage *salvage)
{
  int code;

  do {
    sqlite3_reset (salvage->in);
    sqlite3_bind_int64 (salvage->in, 1, salvage->last);
    while ((code = sqlite3_step (salvage->in)) == SQLITE_ROW)
      salvage_row (salvage);
    salvage->gaps = salvage->gaps || code != SQLITE_DONE;
    salvage->last += salvage->step;
    salvage->step *= 2;
  } while (code != SQLITE_DONE && ++salvage->failures < SALVAGE_FAILURES);
}

/* Tables without rowid are small: they are read up to the damage. FALSE: something of it is lost. */
static gboolean
salvage_table (sqlite3 *from, sqlite3 *to, const char *table, gboolean has_rowid)
{
  g_autofree char *select = has_rowid
                                ? g_strdup_printf ("SELECT rowid, * FROM %s WHERE rowid > ?1 ORDER BY rowid",
                                                   table)
                                : g_strdup_printf ("SELECT 0, * FROM %s WHERE ?1 = ?1", table);
  g_autoptr (GString) insert = g_string_new ("INSERT OR IGNORE INTO ");
  Salvage salvage = { .step = 1, .failures = has_rowid ? 0 : SALVAGE_FAILURES, .gaps = TRUE };

  if (sqlite3_prepare_v2 (from, select, -1, &salvage.in, NULL) != SQLITE_OK)
    return FALSE;
  g_string_append_printf (insert, "%s VALUES(?", table);
  for (int i = 2; i < sqlite3_column_count (salvage.in); i++)
    g_string_append (insert, ",?");
  g_string_append_c (insert, ')');
  if (sqlite3_prepare_v2 (to, insert->str, -1, &salvage.out, NULL) == SQLITE_OK) {
    salvage.gaps = FALSE;
    salvage_rows (&salvage);
  }
  sqlite3_finalize (salvage.in);
  sqlite3_finalize (salvage.out);
  return !salvage.gaps;
}

static gboolean
salvage_failed (Conn *conn, GError **error)
{
  g_set_error (
      error, FAR_ERROR, FAR_ERROR_FULL,
      _ ("what can be read of a damaged store cannot be written to %s: %s; make room, then try again"),
      conn->path, sqlite3_errmsg (conn->db));
  return FALSE;
}

/* lost: the tables of which something could not be read, "" for none. */
static gboolean
salvage (Conn *conn, const char *damaged, GString *lost, GError **error)
{
  sqlite3 *from = NULL;
  gboolean good = sqlite3_exec (conn->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK ||
                  salvage_failed (conn, error);

  if (good && sqlite3_open_v2 (damaged, &from, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
    g_string_append (lost, sqlite3_errmsg (from));
  for (guint i = 0; good && from != NULL && i < G_N_ELEMENTS (damage_tables); i++)
    if (!salvage_table (from, conn->db, damage_tables[i].name, damage_tables[i].has_rowid))
      g_string_append_printf (lost, "%s%s", lost->len > 0 ? ", " : "", damage_tables[i].name);
  good = good &&
         conn_run (conn, error,
                   "UPDATE meta SET value = (SELECT 1000000 + coalesce(max(revision), 0) FROM row)", "");
  good = good &&
         (sqlite3_exec (conn->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK || salvage_failed (conn, error));
  sqlite3_close_v2 (from);
  return good;
}

/* "terminals 3, rights 2, samples 40": what the new file holds. */
static char *
damage_list (Conn *conn)
{
  static const char sql[] =
      "SELECT tbl, count(*) FROM row GROUP BY tbl UNION ALL SELECT 'batches of samples', count(*) FROM batch"
      " UNION ALL SELECT 'blobs', count(*) FROM blob WHERE complete = 1";
  GString *list = g_string_new (NULL);
  sqlite3_stmt *stmt = conn_query (conn, NULL, sql, "");

  while (stmt != NULL && conn_step (conn, stmt, NULL))
    if (sqlite3_column_int64 (stmt, 1) > 0)
      g_string_append_printf (list, "%s%s %" G_GINT64_FORMAT, list->len > 0 ? ", " : "",
                              (const char *) sqlite3_column_text (stmt, 0),
                              (gint64) sqlite3_column_int64 (stmt, 1));
  if (list->len == 0)
    g_string_append (list, _ ("nothing"));
  return g_string_free (list, FALSE);
}

/* The new file is made whole beside the damaged one: whatever ends this on the way leaves the damaged one in
 * its place, and the next start does it again. */
static gboolean
damage_salvage (Conn *conn, const char *fresh, GString *lost, char **list, GError **error)
{
  Conn beside;
  gboolean good;

  conn_init (&beside, fresh);
  good = remove_file (fresh, error) && conn_open (&beside, CONN_WRITE, error) &&
         salvage (&beside, conn->path, lost, error);
  if (good)
    *list = damage_list (&beside);
  conn_clear (&beside); /* the last one to close it: nothing stays in a -wal */
  return good;
}

/* said: what was done, one line. */
static gboolean
damage_replace (Conn *conn, char **said, GError **error)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autofree char *stamp = g_date_time_format (now, "%Y%m%d-%H%M%S");
  g_autofree char *aside = g_strdup_printf ("%s.damaged-%s", conn->path, stamp),
                  *fresh = g_strconcat (conn->path, ".salvage", NULL), *list = NULL;
  g_autoptr (GString) lost = g_string_new (NULL);

  conn_close (conn);
  if (!damage_salvage (conn, fresh, lost, &list, error) || !move_aside (conn->path, aside, error) ||
      !move_aside (fresh, conn->path, error) || !conn_open (conn, CONN_WRITE, error))
    return FALSE;
  *said = lost->len == 0
              ? g_strdup_printf (_ ("%s was damaged: moved to %s; could be read: %s"), conn->path, aside,
                                 list)
              : g_strdup_printf (_ ("%s was damaged: moved to %s; could be read: %s; not all of: %s"),
                                 conn->path, aside, list, lost->str);
  return TRUE;
}

gboolean
damage_finish (const char *path, GError **error)
{
  g_autofree char *fresh = g_strconcat (path, ".salvage", NULL),
                  *rest = g_strconcat (path, ".damaged-rest", NULL);

  if (g_file_test (path, G_FILE_TEST_EXISTS) || !g_file_test (fresh, G_FILE_TEST_EXISTS))
    return TRUE;
  return move_aside (path, rest, error) && move_aside (fresh, path, error);
}

static void
damage_hold (Writer *writer, const char *said)
{
  g_mutex_lock (&writer->lock);
  if (writer->held == NULL)
    far_store_damaged (writer->thread.at, said, &writer->held);
  g_mutex_unlock (&writer->lock);
}

/* The note comes first: a crash on the way must not end in a store that seems to be good and empty. */
gboolean
damage_found (Writer *writer, GError **error)
{
  Conn *conn = &writer->thread.conn;
  g_autofree char *said = NULL,
                  *first = g_strdup_printf (_ ("%s is damaged, and it is not known yet what can be read"),
                                            conn->path);
  g_autoptr (GError) local = NULL;

  if (!writer->go_on)
    far_store_damage_begin (writer->thread.at, first);
  if (!damage_replace (conn, &said, &local))
    said = g_strdup (local->message);
  g_atomic_int_inc (&writer->generation);
  if (!writer->go_on)
    damage_hold (writer, said);
  else if (local != NULL)
    far_log_limited (writer->thread.at, "damaged", "%s", said);
  else
    far_log (writer->thread.at, G_LOG_LEVEL_CRITICAL, "%s", said);
  if (writer->go_on && local != NULL)
    g_propagate_error (error, g_steal_pointer (&local));
  return writer->go_on ? local == NULL : base_usable (writer->thread.base, error);
}
