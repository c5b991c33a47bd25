/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What waits, on disk: one row a batch, with the number it is sent under. A batch goes up only after its row
 * is durable, so that the same bytes come again under the same number after a restart; the row goes when the
 * other end has the batch. */
#include "config.h"

#include "uplink.h"

#define ROWS_AT_ONCE 1000
#define ROW_OVERHEAD 256

typedef struct {
  Uplink *self;
  guint64 number; /* 0: nobody waits */
} UplinkWrite;

/* ---- rows ---- */

static char *
keep_table (Uplink *self)
{
  g_autofree char *name = g_strndup (far_instance_name (self->at), 48), *lower = g_ascii_strdown (name, -1);

  return g_strconcat ("uplink-", g_strcanon (lower, "abcdefghijklmnopqrstuvwxyz0123456789_-", '_'), NULL);
}

static char *
keep_row (const Batch *batch)
{
  gsize size = 0;
  gconstpointer bytes = g_bytes_get_data (batch->bytes, &size);
  g_autofree char *base64 = g_base64_encode (bytes, size);
  json_t *row = json_pack ("{s:I, s:I, s:i, s:s}", "epoch", (json_int_t) batch->epoch, "seq",
                           (json_int_t) batch->seq, "groups", (int) batch->groups, "batch", base64);
  json_t *stamps = uplink_stamps_json (&batch->stamps);

  if (stamps != NULL)
    json_object_set_new (row, "stamps", stamps);
  char *text = json_dumps (row, JSON_COMPACT), *copy = g_strdup (text);

  free (text);
  json_decref (row);
  return copy;
}

static Batch *
keep_find (Uplink *self, guint64 number)
{
  for (GList *at = self->waiting.head; at != NULL; at = at->next)
    if (((Batch *) at->data)->number == number)
      return at->data;
  return NULL;
}

static void
keep_written (FarRequest *req, gpointer data)
{
  UplinkWrite *write = data;
  Uplink *self = write->self;
  const GError *error = far_request_error (req);
  Batch *batch = write->number != 0 ? keep_find (self, write->number) : NULL;

  if (error != NULL)
    far_log_limited (self->at, "keep", "samples that wait are not on disk, a restart would lose them: %s",
                     error->message);
  if (batch != NULL && --batch->writes == 0)
    uplink_send (self);
  g_free (write);
}

static void
keep_write (Uplink *self, guint64 number, const char *row, gboolean waits)
{
  g_autofree char *table = keep_table (self), *key = g_strdup_printf ("%020" G_GUINT64_FORMAT, number);
  UplinkWrite *write = g_new0 (UplinkWrite, 1);

  *write = (UplinkWrite){ self, waits ? number : 0 };
  far_store_put (uplink_options (self)->store, table, key, row, FAR_EXPECT_ANY,
                 far_request_of (self->at, keep_written, write, g_free, 0));
}

gboolean
uplink_keep (Uplink *self, Batch *batch)
{
  g_autofree char *row = NULL;

  if (uplink_options (self)->store == NULL || self->unread)
    return FALSE;
  if (g_bytes_get_size (batch->bytes) / 3 * 4 + ROW_OVERHEAD > FAR_ROW_MAX) {
    far_log_limited (self->at, "large",
                     "a batch of %" G_GSIZE_FORMAT " bytes is too large to be kept on disk",
                     g_bytes_get_size (batch->bytes));
    return FALSE;
  }
  row = keep_row (batch);
  batch->kept = TRUE;
  batch->writes++;
  keep_write (self, batch->number, row, TRUE);
  return TRUE;
}

void
uplink_forget (Uplink *self, const Batch *batch)
{
  if (batch->kept)
    keep_write (self, batch->number, NULL, FALSE);
}

/* ---- after a start ---- */

static Batch *
keep_parse (const FarRow *row)
{
  json_t *json = json_loads (row->row, 0, NULL);
  const char *base64 = json_string_value (json_object_get (json, "batch"));
  guint64 number = g_ascii_strtoull (row->key, NULL, 10);
  Batch *batch = NULL;
  gsize size = 0;
  guint8 *bytes = base64 != NULL ? g_base64_decode (base64, &size) : NULL;

  if (bytes != NULL && number > 0) {
    batch = g_new0 (Batch, 1);
    batch->bytes = g_bytes_new_take (g_steal_pointer (&bytes), size);
    batch->groups = (guint) json_integer_value (json_object_get (json, "groups"));
    batch->epoch = (guint64) json_integer_value (json_object_get (json, "epoch"));
    batch->seq = (guint64) json_integer_value (json_object_get (json, "seq"));
    batch->number = number;
    batch->stamps = uplink_stamps_read (json_object_get (json, "stamps"));
    batch->kept = TRUE;
  }
  g_free (bytes);
  json_decref (json);
  return batch;
}

static void
keep_take (Uplink *self, GPtrArray *rows)
{
  for (guint i = 0; i < rows->len; i++) {
    Batch *batch = keep_parse (rows->pdata[i]);

    if (batch == NULL)
      far_log (self->at, G_LOG_LEVEL_WARNING, "a batch in the store is bad and left out: %s",
               ((FarRow *) rows->pdata[i])->key);
    else
      uplink_take_kept (self, batch);
  }
}

static void keep_loaded (FarRequest *req, gpointer data);

static void
keep_page (Uplink *self, const char *after)
{
  g_autofree char *table = keep_table (self);

  far_store_rows (uplink_options (self)->store, table, NULL, after, ROWS_AT_ONCE, FALSE,
                  far_request_of (self->at, keep_loaded, self, NULL, 0));
}

static void
keep_over (Uplink *self)
{
  if (self->waiting.length > 0)
    far_log (self->at, G_LOG_LEVEL_MESSAGE, "%u batches of before the restart are sent first",
             self->waiting.length);
  uplink_loaded (self);
}

/* Which rows there are is not known, so none is written over: until the next start samples wait in memory
 * alone. */
static void
keep_unread (Uplink *self, const GError *error)
{
  self->unread = TRUE;
  far_log (self->at, G_LOG_LEVEL_WARNING,
           "samples of before the restart cannot be read and stay where they are; those of now wait in "
           "memory only: %s",
           error->message);
}

/* All of them, page after page: a batch that was not read would never be sent, and its number given to
 * another. */
static void
keep_loaded (FarRequest *req, gpointer data)
{
  Uplink *self = data;
  const GError *error = far_request_error (req);
  GPtrArray *rows = error == NULL ? far_request_result (req) : NULL;

  if (error != NULL)
    keep_unread (self, error);
  else
    keep_take (self, rows);
  if (rows != NULL && rows->len == ROWS_AT_ONCE)
    keep_page (self, ((const FarRow *) rows->pdata[rows->len - 1])->key);
  else
    keep_over (self);
}

static void
keep_read (FarRequest *req G_GNUC_UNUSED, gpointer data)
{
  keep_page (data, NULL);
}

/* Reads do not wait for the writer, and an instance before this one may have left it work: a write that does
 * nothing goes first. */
void
uplink_load (Uplink *self)
{
  g_autofree char *table = keep_table (self);

  if (uplink_options (self)->store == NULL) {
    uplink_loaded (self);
    return;
  }
  far_store_put (uplink_options (self)->store, table, "0", NULL, FAR_EXPECT_ANY,
                 far_request_of (self->at, keep_read, self, NULL, 0));
}
