/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file runs a node inside the test program (node-help.h): its folder, its profile, its plugins, and
 * the main context until something has happened. */
#include "config.h"

#include "node-help.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

#include "reach/device.h"
#include "life/instance-private.h"
#include "loop/executor.h"
#include "node/node-hooks.h"
#include "life/node.h"

#define WAIT_US (60 * G_USEC_PER_SEC)

static GPtrArray *dirs;

static int
remove_one (const char *path, const struct stat *stat G_GNUC_UNUSED, int type G_GNUC_UNUSED,
            struct FTW *walk G_GNUC_UNUSED)
{
  return remove (path);
}

char *
node_fresh_dir (void)
{
  char *dir = g_dir_make_tmp ("farwatch-test-XXXXXX", NULL);

  ck_assert_ptr_nonnull (dir);
  if (dirs == NULL)
    dirs = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_add (dirs, g_strdup (dir));
  return dir;
}

void
node_remove_dirs (void)
{
  for (guint i = 0; dirs != NULL && i < dirs->len; i++)
    nftw (dirs->pdata[i], remove_one, 8, FTW_DEPTH | FTW_PHYS);
  g_clear_pointer (&dirs, g_ptr_array_unref);
}

void
node_until (gboolean (*done) (gpointer), gpointer data)
{
  gint64 end = g_get_monotonic_time () + WAIT_US;

  while (!done (data) && g_get_monotonic_time () < end)
    if (!g_main_context_iteration (NULL, FALSE))
      g_usleep (200);
  ck_assert_msg (done (data), "no answer in time");
}

void
node_for_ms (guint ms)
{
  gint64 end = g_get_monotonic_time () + (gint64) ms * 1000;

  while (g_get_monotonic_time () < end)
    if (!g_main_context_iteration (NULL, FALSE))
      g_usleep (200);
}

static gboolean
all_tried (gpointer data G_GNUC_UNUSED)
{
  GPtrArray *all = far_instances_all ();

  for (guint i = 0; i < all->len; i++)
    if (!((FarInstance *) all->pdata[i])->tried)
      return FALSE;
  return TRUE;
}

static FarProfile *
profile_of (const char *dir, const char *id, const char *body)
{
  g_autofree char *path = g_build_filename (dir, "profile.yaml", NULL);
  g_autofree char *text = g_strdup_printf ("farwatch: 1\nnode: { id: %s, state: \"%s\" }\n%s", id, dir, body);
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
node_open (const char *dir, const char *id, const char *body)
{
  g_autoptr (FarProfile) profile = profile_of (dir, id, body);
  GError *error = NULL;

  ck_assert_msg (far_node_open (profile, &error), "%s", error != NULL ? error->message : "");
  far_device_profile_set (g_ptr_array_ref (profile->devices));
  far_node_hooks_start ();
  far_instances_start (profile);
  node_until (all_tried, NULL);
  for (guint i = 0; i < far_instances_all ()->len; i++) {
    FarInstance *at = far_instances_all ()->pdata[i];

    ck_assert_msg (at->state != FAR_STATE_MISSING, "%s: no such plugin in $FARWATCH_PLUGIN_DIR",
                   at->head.path);
  }
}

void
node_close (void)
{
  far_instances_stop ();
  far_executors_end ();
  while (g_main_context_iteration (NULL, FALSE))
    continue;
  far_device_profile_set (NULL);
  far_node_close ();
}

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
  node_until (wait_is_over, wait);
}

void
wait_free (Wait *wait, GDestroyNotify free_result)
{
  if (wait->result != NULL && free_result != NULL)
    free_result (wait->result);
  g_clear_error (&wait->error);
  g_free (wait);
}

gpointer
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
