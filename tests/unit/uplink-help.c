/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file stands between the uplink and all that it meets (uplink-help.h). */
#include "config.h"

#include "unit/uplink-help.h"

#include <dlfcn.h>
#include <ftw.h>
#include <glib/gstdio.h>
#include <string.h>

#include "base/clock-private.h"
#include "loop/executor.h"
#include "loop/owned.h"
#include "loop/request-private.h"

/* ---- the link: this program's own far_peer_* come before the library's ---- */

TestLink test_link;

void
answered (FarMessage *answer, gboolean last G_GNUC_UNUSED, gpointer user)
{
  Passing *passing = user;

  if (passing->req != NULL && passing->fault == LINK_NO_ANSWER)
    far_request_fail_new (passing->req, FAR_ERROR_UNAVAILABLE, "the link broke");
  else if (passing->req != NULL)
    far_request_done (passing->req, far_message_ref (answer), (GDestroyNotify) far_message_unref);
  g_clear_pointer (&passing->req, far_request_unref);
  g_free (passing);
}

static void
pass (FarMessage *request, FarRequest *req, Fault fault)
{
  Passing *passing = g_new0 (Passing, 1);

  passing->req = req != NULL ? far_request_ref (req) : NULL;
  passing->fault = fault;
  far_api_submit (test_link.node, "link", request, answered, passing);
}

gboolean
far_peer_connected (const char *transport G_GNUC_UNUSED, const char *peer G_GNUC_UNUSED)
{
  return test_link.up;
}

static Fault
next_fault (void)
{
  if (test_link.always != LINK_GOOD)
    return test_link.always;
  return g_rand_int_range (test_link.chance, 0, 100) < (int) test_link.faults
             ? (Fault) g_rand_int_range (test_link.chance, 1, N_FAULTS)
             : LINK_GOOD;
}

static void
first_time (const FarReading *group, gpointer data)
{
  gint64 *first_us = data;

  if (*first_us < 0)
    *first_us = group->time_us;
}

static void
must_be_in_order (FarMessage *request)
{
  gint64 first_us = -1;

  ck_assert (far_batch_foreach (request->body, "order", first_time, &first_us, NULL));
  ck_assert_int_ge (first_us, test_link.last_us);
  test_link.last_us = first_us;
}

void
far_peer_send (const char *transport G_GNUC_UNUSED, const char *peer, FarMessage *request, FarRequest *req)
{
  Fault fault = next_fault ();
  g_autoptr (FarMessage) again = NULL;

  ck_assert_str_eq (peer, "");
  test_link.sent++;
  if (test_link.ordered)
    must_be_in_order (request);
  test_link.told_gap += far_message_header (request, "gap") != NULL;
  if (fault == LINK_NO_REQUEST)
    far_request_fail_new (req, FAR_ERROR_UNAVAILABLE, "the link broke");
  else if (fault == LINK_DENIES)
    far_request_fail_new (req, FAR_ERROR_DENIED, "not you");
  else
    pass (request, req, fault);
  if (fault != LINK_TWICE)
    return;
  /* another id: not caught by the interface */
  again = far_message_request (request->method, request->resource, NULL);
  again->content_type = g_strdup (request->content_type);
  again->body = g_bytes_ref (request->body);
  pass (again, NULL, LINK_GOOD);
}

/* ---- the disk and the clock: likewise ---- */

TestNode test_node = { .boot = "00000000-0000-0000-0000-000000000001" };

static gboolean
is_full (GError **error)
{
  if (g_atomic_int_get (&test_node.full) == 0)
    return FALSE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_FULL, "no room");
  return TRUE;
}

FarSpool *
far_spool_open (const FarSpoolSpec *spec, GError **error)
{
  FarSpool *(*real) (const FarSpoolSpec *spec, GError **error) = dlsym (RTLD_NEXT, "far_spool_open");

  return is_full (error) ? NULL : real (spec, error);
}

guint64
far_spool_append (FarSpool *spool, gconstpointer data, gsize size, gint64 time_us, GError **error)
{
  guint64 (*real) (FarSpool * spool, gconstpointer data, gsize size, gint64 time_us,
                   GError * *error) = dlsym (RTLD_NEXT, "far_spool_append");

  return is_full (error) ? 0 : real (spool, data, size, time_us, error);
}

gboolean
far_spool_reader_commit (FarSpoolReader *reader, GError **error)
{
  gboolean (*real) (FarSpoolReader * reader, GError * *error) = dlsym (RTLD_NEXT, "far_spool_reader_commit");

  return !is_full (error) && real (reader, error);
}

void
far_count (const char *what, guint times)
{
  if (strcmp (what, "groups of samples dropped") == 0)
    test_node.dropped += times;
}

const char *
far_clock_boot_id (void)
{
  return test_node.boot;
}

gboolean
far_clock_is_sure (void)
{
  return test_node.sure;
}

/* ---- the uplink, without a profile ---- */

extern const FarPluginInfo far_plugin_info;

static gboolean
is_loaded (gpointer data)
{
  return ((Terminal *) data)->uplink.timer != NULL;
}

Terminal *
terminal_with (gint64 budget, const char *store)
{
  Terminal *terminal = g_new0 (Terminal, 1);

  terminal->type = (const FarServiceType *) far_plugin_info.types[0];
  terminal->options = (UplinkOptions){ .link = (char *) "link",
                                       .interval_us = G_USEC_PER_SEC / 1000,
                                       .budget = budget,
                                       .store = (char *) store };
  terminal->at = (FarInstance){ .head = { .refs = 1, .path = (char *) "services.uplink" },
                                .name = (char *) "uplink",
                                .options = &terminal->options };
  terminal->type->type.init (&terminal->uplink, &terminal->at, NULL);
  terminal->type->type.start (&terminal->uplink, NULL);
  node_until (is_loaded, terminal);
  return terminal;
}

Terminal *
terminal_new (void)
{
  return terminal_with (BUDGET, NULL);
}

void
terminal_free (Terminal *terminal)
{
  far_owned_end (&terminal->at); /* as core does */
  far_requests_drop (&terminal->at);
  terminal->type->type.stop (&terminal->uplink);
  far_requests_drop (&terminal->at);
  g_free (terminal);
}

void
measure (Terminal *terminal, guint number)
{
  FarSample sample = { far_series_of ("term-1", "s.v", "1"), FAR_VALUE_I64, { .i64 = number } };
  FarReading group = { (gint64) number * 1000, FAR_QUALITY_GOOD, NULL, 1, &sample };

  uplink_add (&terminal->uplink, &group);
}

void
measure_batches (Terminal *terminal, guint first, guint last, guint batch)
{
  for (guint i = first; i < last; i++) {
    measure (terminal, i);
    if ((i - first + 1) % batch == 0 || i + 1 == last) {
      uplink_close_batch (&terminal->uplink);
      uplink_write (&terminal->uplink);
    }
  }
}

gboolean
all_written (gpointer data)
{
  Uplink *uplink = &((Terminal *) data)->uplink;

  return uplink->builder == NULL && uplink->unwritten.length == 0 && uplink->writing == 0;
}

gboolean
all_sent (gpointer data)
{
  Uplink *uplink = &((Terminal *) data)->uplink;

  return all_written (data) && uplink->head == NULL && !uplink->more && !uplink->busy;
}

void
set_link (Terminal *terminal, gboolean up)
{
  test_link.up = up;
  terminal->type->ops->peer (&terminal->uplink, "link", "", up, "192.0.2.1");
}

void
send_all (Terminal *terminal)
{
  set_link (terminal, TRUE);
  node_until (all_sent, terminal);
}

/* ---- its folder ---- */

static int
copy_one (const char *path, const struct stat *about G_GNUC_UNUSED, int type, struct FTW *walk)
{
  g_autofree char *top = g_strndup (path, (gsize) walk->base - 1), *to = NULL, *bytes = NULL;
  gsize size = 0;

  if (type != FTW_F)
    return 0;
  to = g_strconcat (top, ".copy/", path + walk->base, NULL);
  ck_assert (g_file_get_contents (path, &bytes, &size, NULL));
  ck_assert (g_file_set_contents (to, bytes, (gssize) size, NULL));
  return 0;
}

static int
remove_one (const char *path, const struct stat *about G_GNUC_UNUSED, int type G_GNUC_UNUSED,
            struct FTW *walk G_GNUC_UNUSED)
{
  return remove (path);
}

static gboolean
executors_rest (gpointer data G_GNUC_UNUSED)
{
  return !far_executors_busy ();
}

void
terminal_close (Terminal *terminal)
{
  terminal_free (terminal);
  node_until (executors_rest, NULL);
}

char *
terminal_folder (void)
{
  return far_node_path (".uplink/uplink");
}

void
terminal_folder_remove (void)
{
  g_autofree char *folder = terminal_folder ();

  nftw (folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void
terminal_kill (Terminal *terminal)
{
  g_autofree char *folder = terminal_folder (), *copy = g_strconcat (folder, ".copy", NULL);

  ck_assert_int_eq (g_mkdir (copy, 0700), 0);
  nftw (folder, copy_one, 8, FTW_PHYS);
  terminal_close (terminal);
  terminal_folder_remove ();
  ck_assert_int_eq (g_rename (copy, folder), 0);
}

/* ---- the cloud ---- */

void
begin (const char *store)
{
  g_autofree char *dir = node_fresh_dir (), *body = NULL;

  body = g_strdup_printf ("stores:\n  main: { type: %s, keep: 0s }\n  spool: { type: file, path: spool "
                          "}\nservices:\n  intake: { type: intake, store: main }\n",
                          store);
  node_open (dir, "cloud", body);
  test_node.dropped = 0;
  test_link = (TestLink){ .up = TRUE,
                          .node = far_principal_new (FAR_PRINCIPAL_NODE, "term-1", NULL, "192.0.2.1"),
                          .chance = g_rand_new_with_seed (7) };
}

GArray *
arrived (const char *source)
{
  Wait *wait = wait_new ();

  far_store_samples ("main", source, "s.v", G_MININT64, G_MAXINT64, 100000, wait->req);
  return wait_result (wait, NULL);
}

void
end (Terminal *terminal)
{
  if (terminal != NULL)
    terminal_free (terminal);
  node_for_ms (20); /* what is still on its way is answered */
  node_close ();
  g_rand_free (test_link.chance);
  far_principal_unref (test_link.node);
}

void
must_be_once (guint total)
{
  g_autoptr (GArray) points = arrived ("term-1");

  ck_assert_uint_eq (points->len, total);
  for (guint i = 0; i < total; i++)
    ck_assert_int_eq (g_array_index (points, FarPoint, i).i64, i);
}

void
must_be_counted (guint total)
{
  g_autoptr (GArray) points = arrived ("term-1");

  ck_assert_uint_eq (points->len + test_node.dropped, total);
  for (guint i = 1; i < points->len; i++)
    ck_assert_int_gt (g_array_index (points, FarPoint, i).i64, g_array_index (points, FarPoint, i - 1).i64);
}

gboolean
has_sent (gpointer data)
{
  return test_link.sent >= *(guint *) data;
}

gboolean
nothing_left (gpointer data)
{
  Uplink *uplink = &((Terminal *) data)->uplink;

  return uplink->builder == NULL && uplink->unwritten.length == 0 && uplink->head == NULL && !uplink->busy;
}
