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
  const char *table;  /* being read; static */
  GPtrArray *read;    /* rows of the pages before */
  guint waiting;      /* writes */
  GError *error;      /* of the first that failed */
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

static void
op_free (Op *op)
{
  g_clear_pointer (&op->read, g_ptr_array_unref);
  g_clear_error (&op->error);
  access_life_unref (op->life);
  g_free (op);
}

static void
op_written (FarRequest *req, gpointer user)
{
  Op *op = user;
  if (far_request_error (req) && !op->error)
    op->error = g_error_copy (far_request_error (req));
  if (--op->waiting > 0)
    return;
  if (op->done)
    op->done (op->life->self, op->error, op->user);
  op_free (op);
}

static void op_read (FarRequest *req, gpointer user);

static void
op_read_page (Op *op)
{
  const FarRow *last = op->read->len > 0 ? op->read->pdata[op->read->len - 1] : NULL;
  far_store_rows (access_opts (op->life->self)->store, op->table, NULL, last ? last->key : NULL, ROWS_AT_ONCE, FALSE, far_request_new (op_read, op, 0));
}

/* All of a table, page after page: a list of what is revoked that is cut short would let the rest in again. */
static void
op_read (FarRequest *req, gpointer user)
{
  Op *op = user;
  const GError *error = far_request_error (req);
  GPtrArray *page = error ? NULL : far_request_result (req);
  for (guint i = 0; page && i < page->len; i++) {
    const FarRow *row = page->pdata[i];
    g_ptr_array_add (op->read, far_row_new (row->key, row->row, row->revision));
  }
  if (op->life->self && page && page->len == ROWS_AT_ONCE) {
    op_read_page (op);
    return;
  }
  op->rows (op->life->self, error, error ? NULL : op->read, op->user);
  op_free (op);
}

/* What is more than the store takes in one step goes in several, in order: what must hold first stands first. */
void
access_rows_apply (Access *self, const FarPart *parts, guint n, AccessDone done, gpointer user)
{
  Op *op = g_new0 (Op, 1);
  *op = (Op){ .life = access_life_ref (self->life), .done = done, .user = user, .waiting = MAX (1, (n + FAR_PARTS_MAX - 1) / FAR_PARTS_MAX) };
  for (guint at = 0, steps = op->waiting; steps > 0; steps--, at += FAR_PARTS_MAX)
    far_store_apply (access_opts (self)->store, NULL, parts + at, MIN (FAR_PARTS_MAX, n - at), far_request_new (op_written, op, 0));
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
  Op *op = g_new0 (Op, 1);
  *op = (Op){ access_life_ref (self->life), NULL, rows, user, table, g_ptr_array_new_with_free_func ((GDestroyNotify) far_row_free) };
  op_read_page (op);
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
