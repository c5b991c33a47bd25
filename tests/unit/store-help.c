/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store-help.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

#include "instance-private.h"
#include "lane.h"
#include "node.h"

#define WAIT_US (60 * G_USEC_PER_SEC)

static struct {
  char *dir;
  GPtrArray *dirs;
} help;

/* ---- folders ---- */

static int
remove_one (const char *path, const struct stat *stat G_GNUC_UNUSED, int type G_GNUC_UNUSED, struct FTW *walk G_GNUC_UNUSED)
{
  return remove (path);
}

char *
store_fresh_dir (void)
{
  char *dir = g_dir_make_tmp ("farwatch-store-XXXXXX", NULL);

  ck_assert_ptr_nonnull (dir);
  if (help.dirs == NULL)
    help.dirs = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_add (help.dirs, g_strdup (dir));
  return dir;
}

void
store_remove_dirs (void)
{
  for (guint i = 0; help.dirs != NULL && i < help.dirs->len; i++)
    nftw (help.dirs->pdata[i], remove_one, 8, FTW_DEPTH | FTW_PHYS);
  g_clear_pointer (&help.dirs, g_ptr_array_unref);
}

const char *
store_dir (void)
{
  return help.dir;
}

/* ---- the node ---- */

static void
iterate_until (gboolean (*done) (gpointer), gpointer data)
{
  gint64 end = g_get_monotonic_time () + WAIT_US;

  while (!done (data) && g_get_monotonic_time () < end)
    if (!g_main_context_iteration (NULL, FALSE))
      g_usleep (200); /* lint: allow sleep: the store's own threads work meanwhile */
  ck_assert_msg (done (data), "no answer in time");
}

static gboolean
store_was_tried (gpointer data G_GNUC_UNUSED)
{
  FarInstance *at = far_instances_by_path ("stores.main");

  return at != NULL && at->tried;
}

static FarProfile *
profile_of (const char *type, const char *dir, const char *extra)
{
  g_autofree char *path = g_build_filename (dir, "profile.yaml", NULL);
  g_autofree char *text = g_strdup_printf ("farwatch: 1\nnode: { id: cloud, state: \"%s\" }\nstores:\n  main: { type: %s, %s }\n", dir, type,
                                           extra != NULL ? extra : "keep: 0s");
  g_autoptr (GPtrArray) faults = far_faults_new ();
  FarProfile *profile;

  ck_assert (g_file_set_contents (path, text, -1, NULL));
  profile = far_profile_load (path, NULL, faults);
  if (profile == NULL) {
    g_autofree char *said = far_faults_text (faults);

    ck_abort_msg ("%s", said);
  }
  return profile;
}

void
store_try (const char *type, const char *dir, const char *extra, GError **error)
{
  g_autoptr (FarProfile) profile = NULL;
  GError *local = NULL;

  help.dir = dir != NULL ? g_strdup (dir) : store_fresh_dir ();
  profile = profile_of (type, help.dir, extra);
  ck_assert_msg (far_node_open (profile, &local), "%s", local != NULL ? local->message : "");
  far_instances_start (profile);
  iterate_until (store_was_tried, NULL);
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
  far_instances_stop ();
  far_lanes_end ();
  while (g_main_context_iteration (NULL, FALSE))
    continue;
  far_node_close ();
  g_clear_pointer (&help.dir, g_free);
}

/* ---- waiting ---- */

static void
wait_done (FarRequest *req, gpointer user)
{
  Wait *wait = user;
  const GError *error = far_request_error (req);

  wait->ended = TRUE;
  wait->error = error != NULL ? g_error_copy (error) : NULL;
  wait->result = far_request_steal (req);
}

Wait *
wait_new (void)
{
  Wait *wait = g_new0 (Wait, 1);

  wait->req = far_request_new (wait_done, wait, 0);
  return wait;
}

static gboolean
wait_is_over (gpointer data)
{
  return ((Wait *) data)->ended;
}

void
wait_for (Wait *wait)
{
  iterate_until (wait_is_over, wait);
}

void
wait_free (Wait *wait, GDestroyNotify free_result)
{
  if (wait->result != NULL && free_result != NULL)
    free_result (wait->result);
  g_clear_error (&wait->error);
  g_free (wait);
}

/* The result, taken; its error goes to *error, or fails the test. */
static gpointer
wait_result (Wait *wait, GError **error)
{
  gpointer result;

  wait_for (wait);
  if (wait->error != NULL && error == NULL)
    ck_abort_msg ("%s", wait->error->message);
  if (wait->error != NULL)
    g_propagate_error (error, g_steal_pointer (&wait->error));
  result = g_steal_pointer (&wait->result);
  wait_free (wait, NULL);
  return result;
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
store_rows (const char *table, const FarFilterTerm *filter, const char *after, guint limit, gboolean descending)
{
  Wait *wait = wait_new ();

  far_store_rows ("main", table, filter, after, limit, descending, wait->req);
  return wait_result (wait, NULL);
}

gboolean
store_apply (const FarBatchKey *key, const FarPart *parts, guint n, FarApplied *applied, gint64 *revision, GError **error)
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
  wait_result (wait, error);
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
    FarGroup group = { time_us, FAR_QUALITY_GOOD, NULL, 1, &sample };

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
