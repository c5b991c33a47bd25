/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one way to a store: finds the instance, checks what every store may rely on, passes on to the plugin.
 */
#include "config.h"

#include <string.h>

#include <farwatch/plugin.h>
#include <farwatch/store.h>
#include <farwatch/thread.h>

#define STORE_TABLE_MAX 64

/* ---- checks ---- */

static gboolean
store_refuse (FarRequest *req, const char *what)
{
  far_request_fail_new (req, FAR_ERROR_INVALID, "%s", what);
  return FALSE;
}

static gboolean
table_fits (const char *table, FarRequest *req)
{
  gsize size = table != NULL ? strspn (table, "abcdefghijklmnopqrstuvwxyz0123456789_-") : 0;

  if (size == 0 || size > STORE_TABLE_MAX || table[size] != '\0')
    return store_refuse (req, "table name: 1 to 64 of a-z 0-9 - _");
  return TRUE;
}

static gboolean
key_fits (const char *key, FarRequest *req)
{
  gsize size = key != NULL ? strlen (key) : 0;
  gboolean good = size > 0 && size <= FAR_ROW_KEY_MAX && g_utf8_validate (key, -1, NULL);

  for (gsize i = 0; good && i < size; i++)
    good = !g_ascii_iscntrl (key[i]);
  return good || store_refuse (req, "key of a row: 1 to 256 bytes of text");
}

static gboolean
row_fits (const char *row, FarRequest *req)
{
  json_t *object;
  gboolean good;

  if (row == NULL)
    return TRUE;
  if (strnlen (row, FAR_ROW_MAX + 1) > FAR_ROW_MAX)
    return store_refuse (req, "row: more than 256 KiB");
  object = json_loads (row, 0, NULL);
  good = json_is_object (object);
  json_decref (object);
  return good || store_refuse (req, "row: not a JSON object");
}

static gboolean
hash_fits (const char *sha256, FarRequest *req)
{
  gsize size = sha256 != NULL ? strspn (sha256, "0123456789abcdef") : 0;

  if (size != 64 || sha256[64] != '\0')
    return store_refuse (req, "name of a blob: 64 hex digits in lower case");
  return TRUE;
}

static gboolean
filter_fits (const FarFilterTerm *filter, FarRequest *req)
{
  for (; filter != NULL && filter->field != NULL; filter++) {
    gsize size = strspn (filter->field, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

    if (size == 0 || size > STORE_TABLE_MAX || filter->field[size] != '\0' || filter->value == NULL)
      return store_refuse (req, "filter: field names are 1 to 64 of A-Z a-z 0-9 . _ -");
  }
  return TRUE;
}

static gboolean
part_fits (const FarPart *part, FarRequest *req)
{
  if (part->kind == FAR_PART_SAMPLES)
    return part->samples != NULL || store_refuse (req, "apply: a part without samples");
  if (!table_fits (part->table, req) || !key_fits (part->key, req))
    return FALSE;
  return part->kind == FAR_PART_ROW ? row_fits (part->row, req) : hash_fits (part->row, req);
}

static gboolean
parts_fit (const FarBatchKey *key, const FarPart *parts, guint n, FarRequest *req)
{
  if (n > FAR_PARTS_MAX)
    return store_refuse (req, "apply: more than 256 parts");
  if (key != NULL && (key->source == NULL || *key->source == '\0' || strlen (key->source) > 64))
    return store_refuse (req, "apply: source: 1 to 64 characters");
  if (key != NULL && (key->seq == 0 || key->epoch > G_MAXINT64 || key->seq > G_MAXINT64 || key->lane > 255))
    return store_refuse (req, "apply: lane 0 to 255, seq from 1");
  for (guint i = 0; i < n; i++)
    if (!part_fits (&parts[i], req))
      return FALSE;
  return TRUE;
}

/* ---- the way to the plugin ---- */

static void
store_unasked (FarRequest *req, gpointer user)
{
  const GError *error = far_request_error (req);
  char *store = user;

  if (error != NULL)
    far_log_limited (NULL, store, "stores.%s: %s", store, error->message);
  g_free (store);
}

/* A request for callers that do not mind the outcome: it is said at least. */
static FarRequest *
store_request (const char *store, FarRequest *req)
{
  return req != NULL ? req : far_request_new (store_unasked, g_strdup (store), 0);
}

/* *req becomes one of ours where nobody minds the outcome. */
static const FarStoreOps *
store_find (const char *store, gpointer *self, FarRequest **req)
{
  GError *error = NULL;
  FarInstance *at = far_instance_find (FAR_KIND_STORE, store, &error);

  *req = store_request (store, *req);
  if (at == NULL) {
    far_request_fail (*req, error);
    return NULL;
  }
  far_request_serve (*req, at);
  *self = far_instance_self (at);
  return ((const FarStoreType *) far_instance_type (at))->ops;
}

static gboolean
store_can (gboolean can, FarRequest *req)
{
  if (!can)
    far_request_fail_new (req, FAR_ERROR_CONFIG, "this type of store cannot do that");
  return can;
}

void
far_store_apply (const char *store, const FarBatchKey *key, const FarPart *parts, guint n, FarRequest *req)
{
  FAR_ON_MAIN ();
  gpointer self;
  const FarStoreOps *ops = store_find (store, &self, &req);

  if (ops != NULL && parts_fit (key, parts, n, req))
    ops->apply (self, key, parts, n, req);
}

void
far_store_put (const char *store, const char *table, const char *key, const char *row, gint64 expect,
               FarRequest *req)
{
  FAR_ON_MAIN ();
  FarPart part = { .kind = FAR_PART_ROW, .table = table, .key = key, .row = row, .expect = expect };

  far_store_apply (store, NULL, &part, 1, req);
}

void
far_store_rows (const char *store, const char *table, const FarFilterTerm *filter, const char *after,
                guint limit, gboolean descending, FarRequest *req)
{
  FAR_ON_MAIN ();
  gpointer self;
  const FarStoreOps *ops = store_find (store, &self, &req);

  if (ops != NULL && table_fits (table, req) && filter_fits (filter, req))
    ops->rows (self, table, filter, after, CLAMP (limit, 1, FAR_ROWS_MAX), descending, req);
}

void
far_store_series (const char *store, const char *source, FarRequest *req)
{
  FAR_ON_MAIN ();
  gpointer self;
  const FarStoreOps *ops = store_find (store, &self, &req);

  if (ops != NULL)
    ops->series (self, source, req);
}

void
far_store_samples (const char *store, const char *source, const char *name, gint64 from_us, gint64 to_us,
                   guint limit, FarRequest *req)
{
  FAR_ON_MAIN ();
  gpointer self;
  const FarStoreOps *ops = store_find (store, &self, &req);

  if (ops != NULL)
    ops->samples (self, source, name, from_us, to_us, CLAMP (limit, 1, 100000), req);
}

void
far_store_drop (const char *store, const char *table, gint64 samples_before_us, FarRequest *req)
{
  FAR_ON_MAIN ();
  gpointer self;
  const FarStoreOps *ops = store_find (store, &self, &req);

  if (ops != NULL && (table == NULL || table_fits (table, req)))
    ops->drop (self, table, samples_before_us, req);
}

void
far_store_blob_put (const char *store, const char *sha256, guint64 offset, GBytes *bytes, gboolean last,
                    FarRequest *req)
{
  FAR_ON_MAIN ();
  gpointer self;
  const FarStoreOps *ops = store_find (store, &self, &req);

  if (ops == NULL || !hash_fits (sha256, req) || !store_can (ops->blob_put != NULL, req))
    return;
  if (g_bytes_get_size (bytes) > 256 * 1024 || offset > G_MAXINT64 / 2)
    store_refuse (req, "piece of a blob: more than 256 KiB");
  else
    ops->blob_put (self, sha256, offset, bytes, last, req);
}

void
far_store_blob_get (const char *store, const char *sha256, guint64 offset, guint size, FarRequest *req)
{
  FAR_ON_MAIN ();
  gpointer self;
  const FarStoreOps *ops = store_find (store, &self, &req);

  if (ops == NULL || !hash_fits (sha256, req) || !store_can (ops->blob_get != NULL, req))
    return;
  ops->blob_get (self, sha256, MIN (offset, G_MAXINT64 / 2), MIN (size, 256 * 1024), req);
}

void
far_store_snapshot (const char *store, const char *path, FarRequest *req)
{
  FAR_ON_MAIN ();
  gpointer self;
  const FarStoreOps *ops = store_find (store, &self, &req);

  if (ops == NULL || !store_can (ops->snapshot != NULL, req))
    return;
  if (path == NULL || !g_path_is_absolute (path))
    store_refuse (req, "path of a snapshot: must be absolute");
  else
    ops->snapshot (self, path, req);
}

void
far_store_maintain (const char *store, guint budget_ms, FarRequest *req)
{
  FAR_ON_MAIN ();
  gpointer self;
  const FarStoreOps *ops = store_find (store, &self, &req);

  if (ops != NULL && store_can (ops->maintain != NULL, req))
    ops->maintain (self, budget_ms, req);
}
