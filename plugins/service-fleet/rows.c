/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The store, as the other files use it: tables are read page by page. Writes are in write.c. */
#include "config.h"

#include "fleet.h"

#define ROWS_AT_ONCE 10000

typedef struct {
  Fleet *self;
  FleetRows rows;
  gpointer user;
  const char *table; /* static */
  GPtrArray *read;   /* rows of the pages before */
} Op;

static void
op_free (gpointer data)
{
  Op *op = data;
  g_ptr_array_unref (op->read);
  g_free (op);
}

static void op_read (FarRequest *req, gpointer user);

static void
op_read_page (Op *op)
{
  const FarRow *last = op->read->len > 0 ? op->read->pdata[op->read->len - 1] : NULL;
  far_store_rows (fleet_opts (op->self)->store, op->table, NULL, last ? last->key : NULL, ROWS_AT_ONCE, FALSE,
                  far_request_of (op->self->at, op_read, op, op_free, 0));
}

/* All of a table, page after page: a list of what is revoked that is cut short would let the rest in again.
 */
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
  if (page && page->len == ROWS_AT_ONCE) {
    op_read_page (op);
    return;
  }
  op->rows (op->self, error, error ? NULL : op->read, op->user);
  op_free (op);
}

void
fleet_rows_load (Fleet *self, const char *table, FleetRows rows, gpointer user)
{
  Op *op = g_new0 (Op, 1);
  *op = (Op){ self, rows, user, table, g_ptr_array_new_with_free_func ((GDestroyNotify) far_row_free) };
  op_read_page (op);
}

void
fleet_devices_read (Fleet *self, const char *terminal, FarRequest *req)
{
  g_autofree char *before = g_strconcat (terminal, ".~", NULL); /* '.' is what stands before '/' */
  far_store_rows (fleet_opts (self)->store, "devices", NULL, before, FLEET_DEVICES_MAX + 1, FALSE, req);
}

GQuark
fleet_partly_quark (void)
{
  return g_quark_from_string ("fleet-partly");
}

GError *
fleet_cannot_record (const GError *error)
{
  if (error->domain == FLEET_PARTLY)
    return g_error_new_literal (FAR_ERROR, FAR_ERROR_FULL, error->message);
  if (g_error_matches (error, FAR_ERROR, FAR_ERROR_CONFLICT))
    return g_error_copy (error);
  return g_error_new (FAR_ERROR, FAR_ERROR_FULL,
                      _ ("cannot record: %s; nothing was changed, try again when the store takes rows"),
                      error->message);
}

char *
fleet_json_text (const json_t *json)
{
  char *text = json_dumps (json, JSON_COMPACT | JSON_SORT_KEYS);
  char *copy = g_strdup (text);
  free (text);
  return copy;
}

const char *
fleet_text (const json_t *json, const char *key)
{
  return json_string_value (json_object_get (json, key));
}
