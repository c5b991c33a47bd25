/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file opens a node with one store and turns the store's requests into calls that wait
 * (store-help.h), so that the conformance suite reads as a list of calls. */
#include "config.h"

#include "store-help.h"

#include <check.h>

static char *dir_now;

void
store_try (const char *type, const char *dir, const char *extra, GError **error)
{
  g_autofree char *body = g_strdup_printf ("stores:\n  main: { type: %s, %s }\n", type,
                                           extra != NULL ? extra : "keep: 0s");

  dir_now = dir != NULL ? g_strdup (dir) : node_fresh_dir ();
  node_open (dir_now, "cloud", body);
  (void) far_instance_find (FAR_KIND_STORE, "main", error);
}

void
store_open (const char *type, const char *dir, const char *extra)
{
  GError *error = NULL;

  store_try (type, dir, extra, &error);
  ck_assert_msg (error == NULL, "%s", error != NULL ? error->message : "");
}

void
store_close (void)
{
  node_close ();
  g_clear_pointer (&dir_now, g_free);
}

static gint64
wait_number (Wait *wait, GError **error)
{
  g_autofree gint64 *number = wait_result (wait, error);

  return number != NULL ? *number : -1;
}

/* ---- calls ---- */

gint64
store_put (const char *table, const char *key, const char *row, gint64 expect, GError **error)
{
  Wait *wait = wait_new ();

  far_store_put ("main", table, key, row, expect, wait->req);
  return wait_number (wait, error);
}

GPtrArray *
store_rows (const char *table, const FarFilterTerm *filter, const char *after, guint limit,
            gboolean descending)
{
  Wait *wait = wait_new ();

  far_store_rows ("main", table, filter, after, limit, descending, wait->req);
  return wait_result (wait, NULL);
}

gboolean
store_apply (const FarBatchKey *key, const FarPart *parts, guint n, FarApplied *applied, gint64 *revision,
             GError **error)
{
  Wait *wait = wait_new ();
  g_autofree gpointer result = NULL;

  far_store_apply ("main", key, parts, n, wait->req);
  result = wait_result (wait, error);
  if (result == NULL)
    return FALSE;
  if (key != NULL && applied != NULL)
    *applied = *(FarApplied *) result;
  if (key == NULL && revision != NULL)
    *revision = *(gint64 *) result;
  return TRUE;
}

GArray *
store_samples (const char *source, const char *name, gint64 from, gint64 to, guint limit)
{
  Wait *wait = wait_new ();

  far_store_samples ("main", source, name, from, to, limit, wait->req);
  return wait_result (wait, NULL);
}

GPtrArray *
store_series (const char *source)
{
  Wait *wait = wait_new ();

  far_store_series ("main", source, wait->req);
  return wait_result (wait, NULL);
}

gint64
store_blob_put (const char *hash, guint64 offset, GBytes *bytes, gboolean last, GError **error)
{
  Wait *wait = wait_new ();

  far_store_blob_put ("main", hash, offset, bytes, last, wait->req);
  return wait_number (wait, error);
}

GBytes *
store_blob_get (const char *hash, guint64 offset, guint size, GError **error)
{
  Wait *wait = wait_new ();

  far_store_blob_get ("main", hash, offset, size, wait->req);
  return wait_result (wait, error);
}

void
store_snapshot (const char *path, GError **error)
{
  Wait *wait = wait_new ();

  far_store_snapshot ("main", path, wait->req);
  g_free (wait_result (wait, error));
}

void
store_maintain (guint budget_ms)
{
  Wait *wait = wait_new ();

  far_store_maintain ("main", budget_ms, wait->req);
  wait_result (wait, NULL);
}

void
store_drop (const char *table, gint64 before_us)
{
  Wait *wait = wait_new ();

  far_store_drop ("main", table, before_us, wait->req);
  wait_result (wait, NULL);
}

/* ---- things to store ---- */

GBytes *
store_batch (gint64 from_us, gint64 step_us, guint n)
{
  FarBatchBuilder *builder = far_batch_builder_new ();
  FarSeries series = far_series_of ("any", "x.v", "Cel");

  for (guint i = 0; i < n; i++) {
    gint64 time_us = from_us + i * step_us;
    FarSample sample = { series, FAR_VALUE_F64, { .f64 = (double) time_us / 1e6 } };
    FarReading group = { time_us, FAR_QUALITY_GOOD, NULL, 1, &sample };

    far_batch_builder_add (builder, &group);
  }
  return far_batch_builder_end (builder);
}

char *
store_rows_text (GPtrArray *rows)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < rows->len; i++) {
    const FarRow *row = rows->pdata[i];

    g_string_append_printf (text, "%s%s=%s", i > 0 ? " " : "", row->key, row->row);
  }
  return g_string_free (text, FALSE);
}
