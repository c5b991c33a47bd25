/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The store, as the other files use it: results come back only while the instance lives. */
#include "config.h"

#include "access.h"

#define ROWS_AT_ONCE 10000

typedef struct {
  AccessLife *life;
  AccessDone done;
  AccessRows rows;
  gpointer user;
} Op;

AccessLife *
access_life_ref (AccessLife *life)
{
  life->refs++;
  return life;
}

void
access_life_unref (AccessLife *life)
{
  if (--life->refs == 0)
    g_free (life);
}

static FarRequest *
op_request (Access *self, FarDone func, AccessDone done, AccessRows rows, gpointer user)
{
  Op *op = g_new0 (Op, 1);
  *op = (Op){ access_life_ref (self->life), done, rows, user };
  return far_request_new (func, op, 0);
}

static void
op_free (Op *op)
{
  access_life_unref (op->life);
  g_free (op);
}

static void
op_written (FarRequest *req, gpointer user)
{
  Op *op = user;
  if (op->done)
    op->done (op->life->self, far_request_error (req), op->user);
  op_free (op);
}

static void
op_read (FarRequest *req, gpointer user)
{
  Op *op = user;
  const GError *error = far_request_error (req);
  op->rows (op->life->self, error, error ? NULL : far_request_result (req), op->user);
  op_free (op);
}

void
access_rows_apply (Access *self, const FarPart *parts, guint n, AccessDone done, gpointer user)
{
  far_store_apply (access_opts (self)->store, NULL, parts, n, op_request (self, op_written, done, NULL, user));
}

void
access_row_put (Access *self, const char *table, const char *key, json_t *row, gint64 expect, AccessDone done, gpointer user)
{
  g_autofree char *text = row ? access_json_text (row) : NULL;
  FarPart part = { .kind = FAR_PART_ROW, .table = table, .key = key, .row = text, .expect = expect };
  access_rows_apply (self, &part, 1, done, user);
  json_decref (row);
}

void
access_rows_load (Access *self, const char *table, AccessRows rows, gpointer user)
{
  far_store_rows (access_opts (self)->store, table, NULL, NULL, ROWS_AT_ONCE, FALSE, op_request (self, op_read, NULL, rows, user));
}

GError *
access_cannot_record (const GError *error)
{
  return g_error_new (FAR_ERROR, FAR_ERROR_FULL, _("cannot record: %s; nothing was changed, try again when the store takes rows"), error->message);
}

char *
access_json_text (const json_t *json)
{
  char *text = json_dumps (json, JSON_COMPACT | JSON_SORT_KEYS);
  char *copy = g_strdup (text);
  free (text);
  return copy;
}

const char *
access_text (const json_t *json, const char *key)
{
  return json_string_value (json_object_get (json, key));
}
