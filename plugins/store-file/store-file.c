/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Store in plain files: what the main context sees of it. */
#include "config.h"

#include "store.h"

typedef struct {
  char *path;
  gint64 keep_us;
  int if_damaged;
} FileStoreOptions;

typedef struct {
  FarInstance *at;
  Disk *disk;
  Writer *writer; /* NULL: not started */
  FarRequest *opening;
} FileStore;

static gboolean
file_init (gpointer data, FarInstance *at, GError **error G_GNUC_UNUSED)
{
  ((FileStore *) data)->at = at;
  return TRUE;
}

static void
file_opened (FarRequest *req, gpointer data)
{
  FileStore *self = data;
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
file_path (FileStore *self, const FileStoreOptions *options)
{
  g_autofree char *name = NULL;

  if (options->path != NULL)
    return g_strdup (options->path);
  name = g_strconcat (far_instance_name (self->at), ".store", NULL);
  return far_node_path (name);
}

static gboolean
file_start (gpointer data, GError **error G_GNUC_UNUSED)
{
  FileStore *self = data;
  const FileStoreOptions *options = far_instance_options (self->at);
  g_autofree char *path = file_path (self, options);

  self->disk = disk_new (path, far_instance_path (self->at));
  self->disk->at = self->at;
  self->disk->keep_us = options->keep_us;
  self->disk->go_on = options->if_damaged == FAR_IF_DAMAGED_GO_ON;
  self->writer = writer_begin (self->at, self->disk);
  self->opening = far_request_ref (far_request_new (file_opened, self, 0));
  writer_push (self->writer, open_new (self->opening));
  return TRUE;
}

static gboolean
file_reload (gpointer data, const void *options, GError **error G_GNUC_UNUSED)
{
  FileStore *self = data;

  g_mutex_lock (&self->disk->lock);
  self->disk->keep_us = ((const FileStoreOptions *) options)->keep_us;
  g_mutex_unlock (&self->disk->lock);
  return TRUE;
}

static void
file_stop (gpointer data)
{
  FileStore *self = data;
  FarRequest *opening = g_steal_pointer (&self->opening);

  if (opening != NULL)
    far_request_cancel (opening);
  g_clear_pointer (&opening, far_request_unref);
  g_clear_pointer (&self->writer, writer_end);
  g_clear_pointer (&self->disk, disk_unref); /* what is being read keeps it a little longer */
}

/* ---- operations ---- */

static void
file_apply (gpointer data, const FarBatchKey *key, const FarPart *parts, guint n, FarRequest *req)
{
  writer_push (((FileStore *) data)->writer, apply_new (key, parts, n, req));
}

static void
file_rows (gpointer data, const char *table, const FarFilterTerm *filter, const char *after, guint limit,
           gboolean descending, FarRequest *req)
{
  file_read_rows (((FileStore *) data)->disk, table, filter, after, limit, descending, req);
}

static void
file_series (gpointer data, const char *source, FarRequest *req)
{
  read_series (((FileStore *) data)->disk, source, req);
}

static void
file_samples (gpointer data, const char *source, const char *name, gint64 from_us, gint64 to_us, guint limit,
              FarRequest *req)
{
  read_samples (((FileStore *) data)->disk, source, name, from_us, to_us, limit, req);
}

static void
file_drop (gpointer data, const char *table, gint64 samples_before_us, FarRequest *req)
{
  writer_push (((FileStore *) data)->writer, drop_new (table, samples_before_us, req));
}

static void
file_blob_put (gpointer data, const char *sha256, guint64 offset, GBytes *bytes, gboolean last,
               FarRequest *req)
{
  writer_push (((FileStore *) data)->writer, blob_new (sha256, offset, bytes, last, req));
}

static void
file_blob_get (gpointer data, const char *sha256, guint64 offset, guint size, FarRequest *req)
{
  file_read_blob (((FileStore *) data)->disk, sha256, offset, size, req);
}

static void
file_snapshot (gpointer data, const char *path, FarRequest *req)
{
  file_read_snapshot (((FileStore *) data)->disk, path, req);
}

static void
file_maintain (gpointer data, guint budget_ms, FarRequest *req)
{
  writer_push (((FileStore *) data)->writer, maintain_new (budget_ms, req));
}

static const FarOption file_options[] = {
  { .name = "path",
    .type = FAR_OPT_PATH,
    .flags = FAR_OPT_RESTART,
    .offset = G_STRUCT_OFFSET (FileStoreOptions, path),
    .summary = N_ ("directory; without it NAME.store in the state directory") },
  { .name = "keep",
    .type = FAR_OPT_DURATION,
    .flags = FAR_OPT_RELOADABLE,
    .offset = G_STRUCT_OFFSET (FileStoreOptions, keep_us),
    .fallback = "30d",
    .summary = N_ ("how long samples stay; 0s: for ever"),
    .min = 0,
    .max = G_MAXINT64 },
  { .name = "if-damaged",
    .type = FAR_OPT_CHOICE,
    .flags = FAR_OPT_RESTART,
    .offset = G_STRUCT_OFFSET (FileStoreOptions, if_damaged),
    .fallback = "stop",
    .choices = far_if_damaged,
    .summary = N_ ("stop: nobody judges by the rest until a person has decided; go-on: with what could be "
                   "read, for a store of values alone") },
  { .type = FAR_OPT_END },
};

static const FarStoreOps file_ops = {
  .apply = file_apply,
  .rows = file_rows,
  .series = file_series,
  .samples = file_samples,
  .drop = file_drop,
  .blob_put = file_blob_put,
  .blob_get = file_blob_get,
  .snapshot = file_snapshot,
  .maintain = file_maintain,
};

static const FarStoreType file_type = {
  .type = {
    .kind = FAR_KIND_STORE,
    .name = "file",
    .summary = N_ ("records, samples and blobs in plain files"),
    .instance_size = sizeof (FileStore),
    .options_size = sizeof (FileStoreOptions),
    .options = file_options,
    .init = file_init,
    .start = file_start,
    .reload = file_reload,
    .stop = file_stop,
  },
  .ops = &file_ops,
};

FAR_PLUGIN ("store-file", "0.1", "store/file", "", &file_type.type)
