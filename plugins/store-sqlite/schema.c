/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "schema.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

/* Tables with bodies have a rowid: a body of some 1 kB in a WITHOUT ROWID tree spills and doubles the file. */
static const char schema_sql[] =
  "BEGIN IMMEDIATE;"
  "CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
  "INSERT INTO meta VALUES('revision', 0);"
  "CREATE TABLE row(tbl TEXT NOT NULL, key TEXT NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY(tbl, key));"
  "CREATE TABLE source(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
  "CREATE TABLE series(source INTEGER NOT NULL, name TEXT NOT NULL, unit TEXT NOT NULL, PRIMARY KEY(source, name)) WITHOUT ROWID;"
  "CREATE TABLE batch(id INTEGER PRIMARY KEY, source INTEGER NOT NULL, level INTEGER NOT NULL, t0 INTEGER NOT NULL, t1 INTEGER NOT NULL,"
  " n INTEGER NOT NULL, body BLOB NOT NULL);"
  "CREATE INDEX batch_time ON batch(source, t1, t0);"
  "CREATE INDEX batch_small ON batch(source, t0) WHERE level = 0;"
  "CREATE TABLE mark(source INTEGER NOT NULL, lane INTEGER NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, crc INTEGER NOT NULL,"
  " used INTEGER NOT NULL, PRIMARY KEY(source, lane, epoch)) WITHOUT ROWID;"
  "CREATE TABLE blob(sha256 TEXT PRIMARY KEY, size INTEGER NOT NULL, complete INTEGER NOT NULL, changed INTEGER NOT NULL);"
  "CREATE TABLE blob_part(id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL, start INTEGER NOT NULL, data BLOB NOT NULL, UNIQUE(sha256, start));"
  "CREATE TABLE blob_ref(tbl TEXT NOT NULL, key TEXT NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY(tbl, key, sha256)) WITHOUT ROWID;"
  "CREATE INDEX blob_ref_hash ON blob_ref(sha256);"
  "PRAGMA application_id = 1180791415;"
  "PRAGMA user_version = 1;"
  "COMMIT;";

G_STATIC_ASSERT (SQLITE_APPLICATION_ID == 1180791415);
G_STATIC_ASSERT (SQLITE_SCHEMA_VERSION == 1);

static const struct { const char *name; gboolean has_rowid; } schema_tables[] = {
  { "row", TRUE }, { "source", TRUE }, { "series", FALSE }, { "mark", FALSE }, { "blob", TRUE }, { "blob_part", TRUE }, { "blob_ref", FALSE },
  { "batch", TRUE },
};

static gboolean
schema_create (Conn *conn, GError **error)
{
  int code = sqlite3_exec (conn->db, schema_sql, NULL, NULL, NULL);

  if (code == SQLITE_OK)
    return TRUE;
  conn_fail (conn, code, error);
  sqlite3_exec (conn->db, "ROLLBACK", NULL, NULL, NULL);
  return FALSE;
}

static gint64
count_tables (Conn *conn, GError **error)
{
  return conn_number (conn, error, -1, "SELECT count(*) FROM sqlite_master", "");
}

gboolean
schema_check (Conn *conn, GError **error)
{
  gint64 tables = count_tables (conn, error);
  gint64 id = tables > 0 ? conn_number (conn, error, 0, "PRAGMA application_id", "") : SQLITE_APPLICATION_ID;
  gint64 version = tables > 0 ? conn_number (conn, error, 0, "PRAGMA user_version", "") : 0;

  if (tables < 0)
    return FALSE;
  if (id != SQLITE_APPLICATION_ID)
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, _("%s is a database of another program; choose another path"), conn->path);
  else if (version > SQLITE_SCHEMA_VERSION)
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
                 _("%s was written by a newer farwatch (schema %" G_GINT64_FORMAT ", this one knows %d); upgrade, or choose another path"),
                 conn->path, version, SQLITE_SCHEMA_VERSION);
  else
    return TRUE;
  return FALSE;
}

/* Another process may make the tables between our look and our try. */
gboolean
schema_make (Conn *conn, GError **error)
{
  GError *local = NULL;
  gint64 tables = count_tables (conn, error);

  if (tables != 0 || schema_create (conn, &local))
    return tables >= 0;
  if (count_tables (conn, NULL) > 0) {
    g_clear_error (&local);
    return schema_check (conn, error);
  }
  g_propagate_error (error, local);
  return FALSE;
}

/* ---- damaged files ---- */

static gboolean
move_aside (const char *path, const char *aside, GError **error)
{
  static const char *const tails[] = { "", "-wal", "-shm", NULL };

  for (guint i = 0; tails[i] != NULL; i++) {
    g_autofree char *from = g_strconcat (path, tails[i], NULL);
    g_autofree char *to = g_strconcat (aside, tails[i], NULL);

    if (g_rename (from, to) != 0 && errno != ENOENT) {
      g_set_error (error, FAR_ERROR, FAR_ERROR_FULL, _("%s is damaged and cannot be moved to %s: %s"), from, to, g_strerror (errno));
      return FALSE;
    }
  }
  return TRUE;
}

/* Copies what can be read: where a row cannot, it goes on a little behind it, ever further as long as nothing can be read. */
typedef struct {
  sqlite3_stmt *in, *out;
  gint64 last, step, rows;  /* rowid of the last one read */
  guint failures;           /* in a row */
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
  salvage->rows += sqlite3_step (salvage->out) == SQLITE_DONE;
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
    salvage->last += salvage->step;
    salvage->step *= 2;
  } while (code != SQLITE_DONE && ++salvage->failures < SALVAGE_FAILURES);
}

/* Tables without rowid are small: they are read up to the damage. */
static gint64
salvage_table (sqlite3 *from, sqlite3 *to, const char *table, gboolean has_rowid)
{
  g_autofree char *select = has_rowid ? g_strdup_printf ("SELECT rowid, * FROM %s WHERE rowid > ?1 ORDER BY rowid", table)
                                      : g_strdup_printf ("SELECT 0, * FROM %s WHERE ?1 = ?1", table);
  g_autoptr (GString) insert = g_string_new ("INSERT OR IGNORE INTO ");
  Salvage salvage = { .step = 1, .failures = has_rowid ? 0 : SALVAGE_FAILURES };

  if (sqlite3_prepare_v2 (from, select, -1, &salvage.in, NULL) != SQLITE_OK)
    return 0;
  g_string_append_printf (insert, "%s VALUES(?", table);
  for (int i = 2; i < sqlite3_column_count (salvage.in); i++)
    g_string_append (insert, ",?");
  g_string_append_c (insert, ')');
  if (sqlite3_prepare_v2 (to, insert->str, -1, &salvage.out, NULL) == SQLITE_OK)
    salvage_rows (&salvage);
  sqlite3_finalize (salvage.in);
  sqlite3_finalize (salvage.out);
  return salvage.rows;
}

static gint64
salvage (Conn *conn, const char *aside)
{
  sqlite3 *from = NULL;
  gint64 rows = 0;

  if (sqlite3_open_v2 (aside, &from, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK
      && sqlite3_exec (conn->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK) {
    for (guint i = 0; i < G_N_ELEMENTS (schema_tables); i++)
      rows += salvage_table (from, conn->db, schema_tables[i].name, schema_tables[i].has_rowid);
    conn_run (conn, NULL, "UPDATE meta SET value = (SELECT 1000000 + coalesce(max(revision), 0) FROM row)", "");
    if (sqlite3_exec (conn->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
      rows = 0;
  }
  sqlite3_close_v2 (from);
  return rows;
}

gboolean
schema_replace_damaged (Conn *conn, char **said, GError **error)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autofree char *stamp = g_date_time_format (now, "%Y%m%d-%H%M%S");
  g_autofree char *aside = g_strdup_printf ("%s.damaged-%s", conn->path, stamp);
  gint64 rows;

  conn_close (conn);
  if (!move_aside (conn->path, aside, error) || !conn_open (conn, CONN_WRITE, error))
    return FALSE;
  rows = salvage (conn, aside);
  *said = g_strdup_printf (_("%s was damaged: moved to %s, %" G_GINT64_FORMAT " records taken over; compare with your last backup"),
                           conn->path, aside, rows);
  return TRUE;
}
