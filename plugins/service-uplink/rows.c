/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An older version kept what waits as rows of a store, one a batch, each with the number it is sent under. At
 * the start they become records, with their numbers, before anything new does; then the rows go. What was
 * taken in is noted before the first is sent, so a kill at any time neither loses nor doubles one. */
#include "config.h"

#include "disk.h"

#define ROWS_AT_ONCE 100
#define JOBS_MAX 8

typedef struct {
  Uplink *self; /* [main] */
  UplinkDisk *disk;
  guint64 budget;
  GPtrArray *rows; /* FarRow; NULL: the spool is opened only */
  guint bad;
} UplinkRows;

static void
rows_clear (gpointer data)
{
  UplinkRows *rows = data;

  g_clear_pointer (&rows->rows, g_ptr_array_unref);
  uplink_disk_unref (rows->disk);
}

static void
rows_unref (gpointer data)
{
  g_atomic_rc_box_release_full (data, rows_clear);
}

static char *
rows_table (Uplink *self)
{
  g_autofree char *name = g_strndup (far_instance_name (self->at), 48), *lower = g_ascii_strdown (name, -1);

  return g_strconcat ("uplink-", g_strcanon (lower, "abcdefghijklmnopqrstuvwxyz0123456789_-", '_'), NULL);
}

/* ---- on the executor ---- */

static UplinkBatch *
uplink_row_parse (const FarRow *row)
{
  json_t *json = json_loads (row->row, 0, NULL);
  const char *base64 = json_string_value (json_object_get (json, "batch"));
  guint64 number = g_ascii_strtoull (row->key, NULL, 10);
  UplinkBatch *batch = NULL;
  gsize size = 0;
  guint8 *bytes = base64 != NULL ? g_base64_decode (base64, &size) : NULL;

  if (bytes != NULL && number > 0) {
    batch = uplink_batch_new (g_bytes_new (bytes, size),
                              (guint) json_integer_value (json_object_get (json, "groups")));
    batch->epoch = (guint64) json_integer_value (json_object_get (json, "epoch"));
    batch->seq = (guint64) json_integer_value (json_object_get (json, "seq"));
    batch->row = number;
    batch->stamps = uplink_stamps_read (json_object_get (json, "stamps"));
  }
  g_free (bytes);
  json_decref (json);
  return batch;
}

/* FALSE: the disk takes no more. */
static gboolean
uplink_row_take (UplinkRows *rows, const FarRow *row, GError **error)
{
  UplinkBatch *batch = uplink_row_parse (row);
  gboolean good = TRUE;

  if (batch == NULL) {
    rows->bad++;
    return TRUE;
  }
  if (batch->row >= rows->disk->row)
    good = uplink_disk_append (rows->disk, batch, error) > 0;
  if (good)
    rows->disk->row = MAX (rows->disk->row, batch->row + 1);
  uplink_batch_unref (batch);
  return good;
}

static gboolean
uplink_rows_take (UplinkRows *rows, GError **error)
{
  UplinkLedger *ledger = &rows->disk->ledger;

  ledger->row = MAX (ledger->row, 1);
  if (!uplink_disk_note (rows->disk, error))
    return FALSE;
  for (guint i = 0; i < rows->rows->len; i++)
    if (!uplink_row_take (rows, rows->rows->pdata[i], error))
      return FALSE;
  ledger->row = rows->disk->row;
  return uplink_disk_note (rows->disk, error);
}

static void
uplink_rows_work (FarRequest *req, gpointer data)
{
  UplinkRows *rows = data;
  GError *error = NULL;

  if (!uplink_disk_open (rows->disk, rows->budget, &error) ||
      (rows->rows != NULL && !uplink_rows_take (rows, &error)))
    far_request_fail (req, error);
  else
    far_request_done (req, g_atomic_rc_box_acquire (rows), rows_unref);
}

/* All rows are gone, so numbers of rows may start over, should an older version come back. */
static void
rows_gone_work (FarRequest *req, gpointer data)
{
  UplinkRows *rows = data;

  if (rows->disk->ledger.row > 0) {
    rows->disk->ledger.row = rows->disk->row = 0;
    uplink_disk_note (rows->disk, NULL);
  }
  far_request_done (req, NULL, NULL);
}

/* ---- on main ---- */

static void
uplink_rows_run (Uplink *self, GPtrArray *taken, void (*work) (FarRequest *req, gpointer data), FarDone done)
{
  UplinkRows *rows = g_atomic_rc_box_new0 (UplinkRows);

  rows->self = self;
  rows->disk = uplink_disk_ref (self->disk);
  rows->budget = (guint64) uplink_options (self)->budget;
  rows->rows = taken;
  far_run_blocking (far_instance_path (self->at), JOBS_MAX, work, rows, rows_unref,
                    far_request_of (self->at, done, self, NULL, 0));
}

static void rows_page (Uplink *self);

static void
rows_over (Uplink *self)
{
  self->more = TRUE;
  self->loaded (self);
}

static void
rows_gone (FarRequest *req G_GNUC_UNUSED, gpointer data)
{
  rows_over (data);
}

/* What is in the way stays there until the next start. */
static void
rows_stay (Uplink *self, const GError *error)
{
  far_log (self->at, G_LOG_LEVEL_WARNING,
           "samples that an older version left in the store stay there until the next start: %s",
           error->message);
  rows_over (self);
}

static void
rows_deleted (FarRequest *req, gpointer data)
{
  const GError *error = far_request_error (req);

  if (error != NULL)
    rows_stay (data, error);
  else
    rows_page (data);
}

/* They are records now. */
static void
rows_delete (Uplink *self, GPtrArray *rows)
{
  g_autofree char *table = rows_table (self);
  g_autofree FarPart *parts = g_new0 (FarPart, rows->len);

  for (guint i = 0; i < rows->len; i++)
    parts[i] = (FarPart){ .kind = FAR_PART_ROW,
                          .table = table,
                          .key = ((const FarRow *) rows->pdata[i])->key,
                          .expect = FAR_EXPECT_ANY };
  far_store_apply (uplink_options (self)->store, NULL, parts, rows->len,
                   far_request_of (self->at, rows_deleted, self, NULL, 0));
}

static void
rows_taken (FarRequest *req, gpointer data)
{
  Uplink *self = data;
  const GError *error = far_request_error (req);
  UplinkRows *rows = far_request_result (req);

  if (error != NULL) {
    rows_stay (self, error);
    return;
  }
  if (rows->bad > 0)
    far_log (self->at, G_LOG_LEVEL_WARNING, "%u batches in the store are bad and left out", rows->bad);
  far_log (self->at, G_LOG_LEVEL_MESSAGE, "%u batches that an older version left in the store are sent first",
           rows->rows->len);
  rows_delete (self, rows->rows);
}

static void
rows_read (FarRequest *req, gpointer data)
{
  Uplink *self = data;
  const GError *error = far_request_error (req);
  GPtrArray *rows = error == NULL ? far_request_result (req) : NULL;

  if (error != NULL)
    rows_stay (self, error);
  else if (rows->len > 0)
    uplink_rows_run (self, g_ptr_array_ref (rows), uplink_rows_work, rows_taken);
  else
    uplink_rows_run (self, NULL, rows_gone_work, rows_gone);
}

/* The first ones that are still there. */
static void
rows_page (Uplink *self)
{
  g_autofree char *table = rows_table (self);

  far_store_rows (uplink_options (self)->store, table, NULL, NULL, ROWS_AT_ONCE, FALSE,
                  far_request_of (self->at, rows_read, self, NULL, 0));
}

static void
rows_first (FarRequest *req G_GNUC_UNUSED, gpointer data)
{
  rows_page (data);
}

static void
disk_opened (FarRequest *req, gpointer data)
{
  Uplink *self = data;
  const GError *error = far_request_error (req);
  const UplinkRows *rows = far_request_result (req);
  g_autofree char *table = rows_table (self);

  if (error != NULL)
    far_log (self->at, G_LOG_LEVEL_WARNING, "samples cannot wait on disk: %s", error->message);
  else if (rows->disk->waiting > 0)
    far_log (self->at, G_LOG_LEVEL_MESSAGE,
             "%" G_GUINT64_FORMAT " batches of before the restart are sent first", rows->disk->waiting);
  if (error != NULL || uplink_options (self)->store == NULL)
    rows_over (self);
  else
    /* Reads do not wait for the writer, and an instance before this one may have left it work: a write that
     * does nothing goes first. */
    far_store_put (uplink_options (self)->store, table, "0", NULL, FAR_EXPECT_ANY,
                   far_request_of (self->at, rows_first, self, NULL, 0));
}

void
uplink_load (Uplink *self)
{
  uplink_rows_run (self, NULL, uplink_rows_work, disk_opened);
}
