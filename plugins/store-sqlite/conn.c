/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file opens a database file, sets it up for power cuts, keeps prepared statements, and turns codes
 * of SQLite into our errors. One connection belongs to one thread. */
#include "config.h"

#include "conn.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "schema.h"

#define BUSY_MS 5000

static void
statement_free (gpointer stmt)
{
  sqlite3_finalize (stmt);
}

void
conn_init (Conn *conn, const char *path)
{
  conn->db = NULL;
  conn->path = g_strdup (path);
  conn->statements = g_hash_table_new_full (NULL, NULL, NULL, statement_free);
  conn->worst = SQLITE_OK;
}

void
conn_close (Conn *conn)
{
  g_hash_table_remove_all (conn->statements);
  sqlite3_close_v2 (conn->db);
  conn->db = NULL;
}

void
conn_clear (Conn *conn)
{
  if (conn->statements == NULL)
    return;
  conn_close (conn);
  g_clear_pointer (&conn->statements, g_hash_table_unref);
  g_clear_pointer (&conn->path, g_free);
}

gboolean
conn_is_damaged (int code)
{
  return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
}

/* What the caller does about it. */
static FarErrorCode
conn_code (int code)
{
  switch (code & 0xff) {
  case SQLITE_IOERR:
    return code == SQLITE_IOERR_READ || code == SQLITE_IOERR_SHORT_READ ? FAR_ERROR_UNAVAILABLE
                                                                        : FAR_ERROR_FULL;
  case SQLITE_FULL:
  case SQLITE_READONLY:
  case SQLITE_CANTOPEN:
  case SQLITE_PERM:
    return FAR_ERROR_FULL;
  case SQLITE_TOOBIG:
    return FAR_ERROR_INVALID;
  default:
    return FAR_ERROR_UNAVAILABLE;
  }
}

gboolean
conn_fail (Conn *conn, int code, GError **error)
{
  const char *text = conn->db != NULL ? sqlite3_errmsg (conn->db) : sqlite3_errstr (code);
  int saved = conn->db != NULL ? sqlite3_system_errno (conn->db) : 0;
  FarErrorCode kind = conn_code (code);

  conn->worst = code;
  if (kind == FAR_ERROR_FULL)
    g_set_error (error, FAR_ERROR, kind, _ ("cannot record in %s: %s%s%s; make room or make it writable"),
                 conn->path, text, saved != 0 ? ": " : "", saved != 0 ? g_strerror (saved) : "");
  else if (conn_is_damaged (code))
    g_set_error (error, FAR_ERROR, kind, _ ("%s is damaged: %s"), conn->path, text);
  else
    g_set_error (error, FAR_ERROR, kind, "%s: %s", conn->path, text);
  return FALSE;
}

static gboolean
conn_pragmas (Conn *conn, ConnMode mode, GError **error)
{
  const char
      *sql = mode == CONN_WRITE
                 ? "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                   "PRAGMA journal_size_limit = 16777216; PRAGMA foreign_keys = OFF;"
                 : "PRAGMA query_only = ON;";
  int code = sqlite3_exec (conn->db, sql, NULL, NULL, NULL);

  return code == SQLITE_OK || conn_fail (conn, sqlite3_extended_errcode (conn->db), error);
}

/* SQLite gives its files the mode of the database: nobody else reads them. */
static void
make_private (const char *path)
{
  int fd = open (path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);

  if (fd >= 0)
    close (fd);
}

/* Short and even steps: with SQLite's own, ever longer ones a busy neighbour would always come first. */
static int
busy (void *data G_GNUC_UNUSED, int tries)
{
  sqlite3_sleep (1);
  return tries < BUSY_MS;
}

gboolean
conn_open (Conn *conn, ConnMode mode, GError **error)
{
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (mode == CONN_WRITE ? SQLITE_OPEN_CREATE : 0);
  int code;

  if (conn->db != NULL)
    return TRUE;
  if (mode == CONN_WRITE)
    make_private (conn->path);
  code = sqlite3_open_v2 (conn->path, &conn->db, flags, NULL);
  if (code != SQLITE_OK)
    conn_fail (conn, conn->db != NULL ? sqlite3_extended_errcode (conn->db) : code, error);
  else {
    sqlite3_extended_result_codes (conn->db, 1);
    sqlite3_busy_handler (conn->db, busy, NULL);
    sqlite3_limit (conn->db, SQLITE_LIMIT_LENGTH, 64 * 1024 * 1024);
    if ((mode == CONN_READ || schema_check (conn, error)) && conn_pragmas (conn, mode, error) &&
        (mode == CONN_READ || schema_make (conn, error)))
      return TRUE;
  }
  conn_close (conn);
  return FALSE;
}

static sqlite3_stmt *
conn_statement (Conn *conn, const char *sql, GError **error)
{
  sqlite3_stmt *stmt = g_hash_table_lookup (conn->statements, sql);
  int code;

  if (stmt != NULL) {
    sqlite3_reset (stmt);
    sqlite3_clear_bindings (stmt);
    return stmt;
  }
  code = sqlite3_prepare_v3 (conn->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
  if (code != SQLITE_OK) {
    conn_fail (conn, code, error);
    return NULL;
  }
  g_hash_table_insert (conn->statements, (gpointer) sql, stmt);
  return stmt;
}

static void
bind_bytes (sqlite3_stmt *stmt, int place, GBytes *bytes)
{
  gsize size;
  gconstpointer data = g_bytes_get_data (bytes, &size);

  sqlite3_bind_blob64 (stmt, place, data != NULL ? data : "", size, SQLITE_TRANSIENT);
}

sqlite3_stmt *
conn_query_va (Conn *conn, GError **error, const char *sql, const char *types, va_list args)
{
  sqlite3_stmt *stmt = conn_statement (conn, sql, error);

  for (int place = 1; stmt != NULL && *types != '\0'; types++, place++) {
    if (*types == 's')
      sqlite3_bind_text (stmt, place, va_arg (args, const char *), -1, SQLITE_TRANSIENT);
    else if (*types == 'i')
      sqlite3_bind_int64 (stmt, place, va_arg (args, gint64));
    else
      bind_bytes (stmt, place, va_arg (args, GBytes *));
  }
  return stmt;
}

sqlite3_stmt *
conn_query (Conn *conn, GError **error, const char *sql, const char *types, ...)
{
  sqlite3_stmt *stmt;
  va_list args;

  va_start (args, types);
  stmt = conn_query_va (conn, error, sql, types, args);
  va_end (args);
  return stmt;
}

gboolean
conn_step (Conn *conn, sqlite3_stmt *stmt, GError **error)
{
  int code = stmt != NULL ? sqlite3_step (stmt) : SQLITE_DONE;

  if (code == SQLITE_ROW)
    return TRUE;
  if (code != SQLITE_DONE)
    conn_fail (conn, code, error);
  if (stmt != NULL)
    sqlite3_reset (stmt);
  return FALSE;
}

gboolean
conn_run (Conn *conn, GError **error, const char *sql, const char *types, ...)
{
  sqlite3_stmt *stmt;
  GError *local = NULL;
  va_list args;

  va_start (args, types);
  stmt = conn_query_va (conn, &local, sql, types, args);
  va_end (args);
  while (conn_step (conn, stmt, &local))
    continue;
  if (local == NULL)
    return TRUE;
  g_propagate_error (error, local);
  return FALSE;
}

gint64
conn_number (Conn *conn, GError **error, gint64 fallback, const char *sql, const char *types, ...)
{
  sqlite3_stmt *stmt;
  gint64 number = fallback;
  va_list args;

  va_start (args, types);
  stmt = conn_query_va (conn, error, sql, types, args);
  va_end (args);
  if (stmt != NULL && conn_step (conn, stmt, error)) {
    if (sqlite3_column_type (stmt, 0) != SQLITE_NULL)
      number = sqlite3_column_int64 (stmt, 0);
    sqlite3_reset (stmt);
  }
  return number;
}
