/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One connection to the database file, used by one thread. Statements are prepared once and kept. */
#pragma once
#include <farwatch/plugin.h>
#include <sqlite3.h>

#define SQLITE_SCHEMA_VERSION 1
#define SQLITE_APPLICATION_ID 0x46617277 /* "Farw" */

typedef struct {
  sqlite3 *db;            /* NULL: not open                      */
  GHashTable *statements; /* SQL literal (its address) → stmt    */
  char *path;
  int worst; /* last result code that was an error  */
} Conn;

typedef enum { CONN_READ, CONN_WRITE } ConnMode;

void conn_init (Conn *conn, const char *path);
/* Opens if it is not open. WRITE: makes or checks the schema. */
gboolean conn_open (Conn *conn, ConnMode mode, GError **error);
void conn_close (Conn *conn);
void conn_clear (Conn *conn);

/* types: one letter for each value: s text (NULL ok), i gint64, b GBytes*. sql must be a literal. */
sqlite3_stmt *conn_query (Conn *conn, GError **error, const char *sql, const char *types, ...);
sqlite3_stmt *conn_query_va (Conn *conn, GError **error, const char *sql, const char *types, va_list args);
/* TRUE: there is a row. FALSE with or without error: none. Resets the statement when there is none. */
gboolean conn_step (Conn *conn, sqlite3_stmt *stmt, GError **error);
/* A statement without rows. */
gboolean conn_run (Conn *conn, GError **error, const char *sql, const char *types, ...);
/* The first value of the first row, fallback without one. *failed (may be NULL) is set on an error. */
gint64 conn_number (Conn *conn, GError **error, gint64 fallback, const char *sql, const char *types, ...);

/* Sets error for a result code; always FALSE. */
gboolean conn_fail (Conn *conn, int code, GError **error);
/* Does the file itself seem damaged? */
gboolean conn_is_damaged (int code);
