/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Store in one SQLite file: what the main context sees of it. */
#include "config.h"

#include "store.h"

#include <glib/gstdio.h>

struct _Sqlite {
  FarInstance *at;
  Base *base; /* NULL: not started */
  FarRequest *opening;
};

static const FarOption sqlite_options[] = {
  { .name = "path",
    .type = FAR_OPT_PATH,
    .flags = FAR_OPT_RESTART,
    .offset = G_STRUCT_OFFSET (SqliteOptions, path),
    .summary = N_ ("database file; without it NAME.db in the state directory") },
  { .name = "keep",
    .type = FAR_OPT_DURATION,
    .flags = FAR_OPT_RELOADABLE,
    .offset = G_STRUCT_OFFSET (SqliteOptions, keep_us),
    .fallback = "30d",
    .summary = N_ ("how long samples stay; 0s: for ever"),
    .min = 0,
    .max = G_MAXINT64 },
  { .name = "if-damaged",
    .type = FAR_OPT_CHOICE,
    .flags = FAR_OPT_RESTART,
    .offset = G_STRUCT_OFFSET (SqliteOptions, if_damaged),
    .fallback = "stop",
    .choices = far_if_damaged,
    .summary = N_ ("stop: nobody judges by the rest until a person has decided; go-on: with what could be "
                   "read, for a store of values alone") },
  { .type = FAR_OPT_END },
};

static gboolean
sqlite_init (gpointer data, FarInstance *at, GError **error G_GNUC_UNUSED)
{
  ((Sqlite *) data)->at = at;
  return TRUE;
}

/* ---- life ---- */

static void
sqlite_opened (FarRequest *req, gpointer data)
{
  Sqlite *self = data;
  const GError *error = far_request_error (req);
  gboolean stopped = self->opening == NULL;

  g_clear_pointer (&self->opening, far_request_unref);
  if (stopped)
    return;
  if (error != NULL)
    far_instance_fail (self->at, g_error_copy (error));
  else
    far_instance_ready (self->at);
}

static char *
sqlite_path (Sqlite *self, const SqliteOptions *options)
{
  g_autofree char *name = NULL;

  if (options->path != NULL)
    return g_strdup (options->path);
  name = g_strconcat (far_instance_name (self->at), ".db", NULL);
  return far_node_path (name);
}

static gboolean
sqlite_start (gpointer data, GError **error G_GNUC_UNUSED)
{
  Sqlite *self = data;
  const SqliteOptions *options = far_instance_options (self->at);
  g_autofree char *path = sqlite_path (self, options);

  self->base = base_new (self->at, path);
  self->base->writer.keep_us = options->keep_us;
  self->base->writer.go_on = options->if_damaged == FAR_IF_DAMAGED_GO_ON;
  base_begin (self->base, &self->base->writer.thread, "sqlite-write", sqlite_writer_run);
  base_begin (self->base, &self->base->reader, "sqlite-read", sqlite_reader_run);
  base_begin (self->base, &self->base->scanner, "sqlite-scan", sqlite_reader_run);
  self->opening = far_request_ref (far_request_new (sqlite_opened, self, 0));
  store_thread_push (&self->base->writer.thread,
                     sqlite_job_new (sizeof (SqliteJob), self->opening, write_open, NULL));
  return TRUE;
}

static gboolean
sqlite_reload (gpointer data, const void *options, GError **error G_GNUC_UNUSED)
{
  Writer *writer = &((Sqlite *) data)->base->writer;

  g_mutex_lock (&writer->lock);
  writer->keep_us = ((const SqliteOptions *) options)->keep_us;
  g_mutex_unlock (&writer->lock);
  return TRUE;
}

/* Readers first: they may still tell the writer of damage. */
static void
sqlite_stop (gpointer data)
{
  Sqlite *self = data;
  StoreThread *threads[] = { &self->base->reader, &self->base->scanner, &self->base->writer.thread };
  FarRequest *opening = g_steal_pointer (&self->opening);
  gboolean left = FALSE;

  if (opening != NULL)
    far_request_cancel (opening);
  g_clear_pointer (&opening, far_request_unref);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    store_thread_ask_end (threads[i]);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    left = !store_thread_end (threads[i]) || left;
  if (!left)
    return;
  far_instance_hold (self->at);
  self->base->held = self->at;
}

static void
sqlite_fini (gpointer data)
{
  g_clear_pointer (&((Sqlite *) data)->base, base_unref);
}

/* ---- operations ---- */

static void
sqlite_apply (gpointer data, const FarBatchKey *key, const FarPart *parts, guint n, FarRequest *req)
{
  store_thread_push (&((Sqlite *) data)->base->writer.thread, write_apply_new (key, parts, n, req));
}

static void
sqlite_rows (gpointer data, const char *table, const FarFilterTerm *filter, const char *after, guint limit,
             gboolean descending, FarRequest *req)
{
  store_thread_push (&((Sqlite *) data)->base->reader,
                     read_rows_new (table, filter, after, limit, descending, req));
}

static void
sqlite_series (gpointer data, const char *source, FarRequest *req)
{
  store_thread_push (&((Sqlite *) data)->base->scanner, read_series_new (source, req));
}

static void
sqlite_samples (gpointer data, const char *source, const char *name, gint64 from_us, gint64 to_us,
                guint limit, FarRequest *req)
{
  store_thread_push (&((Sqlite *) data)->base->scanner,
                     read_samples_new (source, name, from_us, to_us, limit, req));
}

static void
sqlite_drop (gpointer data, const char *table, gint64 samples_before_us, FarRequest *req)
{
  store_thread_push (&((Sqlite *) data)->base->writer.thread, write_drop_new (table, samples_before_us, req));
}

static void
sqlite_blob_put (gpointer data, const char *sha256, guint64 offset, GBytes *bytes, gboolean last,
                 FarRequest *req)
{
  store_thread_push (&((Sqlite *) data)->base->writer.thread,
                     write_blob_new (sha256, offset, bytes, last, req));
}

static void
sqlite_blob_get (gpointer data, const char *sha256, guint64 offset, guint size, FarRequest *req)
{
  store_thread_push (&((Sqlite *) data)->base->reader, read_blob_new (sha256, offset, size, req));
}

static void
sqlite_snapshot (gpointer data, const char *path, FarRequest *req)
{
  store_thread_push (&((Sqlite *) data)->base->scanner, read_snapshot_new (path, req));
}

static void
sqlite_maintain (gpointer data, guint budget_ms, FarRequest *req)
{
  store_thread_push (&((Sqlite *) data)->base->writer.thread, write_maintain_new (budget_ms, req));
}

static const FarStoreOps sqlite_ops = {
  .apply = sqlite_apply,
  .rows = sqlite_rows,
  .series = sqlite_series,
  .samples = sqlite_samples,
  .drop = sqlite_drop,
  .blob_put = sqlite_blob_put,
  .blob_get = sqlite_blob_get,
  .snapshot = sqlite_snapshot,
  .maintain = sqlite_maintain,
};

static const FarStoreType sqlite_type = {
  .type = {
    .kind = FAR_KIND_STORE,
    .name = "sqlite",
    .summary = N_ ("records, samples and blobs in one SQLite file"),
    .instance_size = sizeof (Sqlite),
    .options_size = sizeof (SqliteOptions),
    .options = sqlite_options,
    .init = sqlite_init,
    .start = sqlite_start,
    .reload = sqlite_reload,
    .stop = sqlite_stop,
    .fini = sqlite_fini,
  },
  .ops = &sqlite_ops,
};

FAR_PLUGIN ("store-sqlite", "0.1", "store/sqlite", "libsqlite3.so.0", &sqlite_type.type)
