/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file has the tables of the database and decides what becomes of a file: ours, newer than us, or
 * foreign. The latter two are left as they are. */
#include "config.h"

#include "schema.h"

/* Tables with bodies have a rowid: a body of some 1 kB in a WITHOUT ROWID tree spills and doubles the file.
 */
static const char schema_sql[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO meta VALUES('revision', 0);"
    "CREATE TABLE row(tbl TEXT NOT NULL, key TEXT NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL, "
    "PRIMARY KEY(tbl, key));"
    "CREATE TABLE source(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE series(source INTEGER NOT NULL, name TEXT NOT NULL, unit TEXT NOT NULL, PRIMARY "
    "KEY(source, name)) WITHOUT ROWID;"
    "CREATE TABLE batch(id INTEGER PRIMARY KEY, source INTEGER NOT NULL, level INTEGER NOT NULL, t0 INTEGER "
    "NOT NULL, t1 INTEGER NOT NULL,"
    " n INTEGER NOT NULL, body BLOB NOT NULL);"
    "CREATE INDEX batch_time ON batch(source, t1, t0);"
    "CREATE INDEX batch_small ON batch(source, t0) WHERE level = 0;"
    "CREATE TABLE mark(source INTEGER NOT NULL, lane INTEGER NOT NULL, epoch INTEGER NOT NULL, seq INTEGER "
    "NOT NULL, crc INTEGER NOT NULL,"
    " used INTEGER NOT NULL, PRIMARY KEY(source, lane, epoch)) WITHOUT ROWID;"
    "CREATE TABLE blob(sha256 TEXT PRIMARY KEY, size INTEGER NOT NULL, complete INTEGER NOT NULL, changed "
    "INTEGER NOT NULL);"
    "CREATE TABLE blob_part(id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL, start INTEGER NOT NULL, data BLOB "
    "NOT NULL, UNIQUE(sha256, start));"
    "CREATE TABLE blob_ref(tbl TEXT NOT NULL, key TEXT NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY(tbl, key, "
    "sha256)) WITHOUT ROWID;"
    "CREATE INDEX blob_ref_hash ON blob_ref(sha256);"
    "PRAGMA application_id = 1180791415;"
    "PRAGMA user_version = 1;"
    "COMMIT;";

G_STATIC_ASSERT (SQLITE_APPLICATION_ID == 1180791415);
G_STATIC_ASSERT (SQLITE_SCHEMA_VERSION == 1);

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
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
                 _ ("%s is a database of another program; choose another path"), conn->path);
  else if (version > SQLITE_SCHEMA_VERSION)
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
                 _ ("%s was written by a newer farwatch (schema %" G_GINT64_FORMAT
                    ", this one knows %d); upgrade, or choose another path"),
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
