/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A change of more rows than the store takes in one step, and a store that stops between two steps: what was
 * done and what was not is said, the node goes on with what is in the store, and asking again does the rest.
 */
#include "config.h"

#include "unit/access-help.h"

#include <dlfcn.h>
#include <gmodule.h>

#define DEVICES 400

static guint steps_good; /* of the store, before one fails; 0: none fails */

typedef void (*Apply) (const char *store, const FarBatchKey *key, const FarPart *parts, guint n,
                       FarRequest *req);

/* Stands before core's own: the service writes through it. Only steps of many rows count. */
G_MODULE_EXPORT void
far_store_apply (const char *store, const FarBatchKey *key, const FarPart *parts, guint n, FarRequest *req)
{
  static Apply real;
  if (!real)
    real = (Apply) dlsym (RTLD_NEXT, "far_store_apply");
  if (steps_good > 0 && n > 1 && --steps_good == 0)
    far_request_fail_new (req, FAR_ERROR_FULL, "no room on the disk");
  else
    real (store, key, parts, n, req);
}

static void
set_up (void)
{
  cloud_up (NULL);
  terminal_enrol ("t1");
}

static void
tear_down (void)
{
  steps_good = 0;
  cloud_down ();
}

static json_t *
list_of (guint from, guint n)
{
  json_t *list = json_array ();
  for (guint i = from; i < from + n; i++) {
    g_autofree char *name = g_strdup_printf ("d%03u", i);
    json_array_append_new (list, json_pack ("{s:s}", "name", name));
  }
  return json_pack ("{s:o}", "devices", list);
}

/* All pages. */
static gsize
devices_shown (void)
{
  g_autofree char *resource = g_strdup ("terminals/t1");
  gsize n = 0;
  while (resource) {
    Got got = ask_root ("GET", resource, NULL);
    const char *next = text_of (got.body, "next");
    if (got.status != 200)
      return 0;
    n += json_array_size (json_object_get (got.body, "devices"));
    g_free (resource);
    resource = next && *next ? g_strdup_printf ("terminals/t1?after=%s", next) : NULL;
  }
  return n;
}

static void
assert_partly (Got got, const char *count)
{
  const char *message = text_of (got.body, "message");
  ck_assert_uint_eq (got.status, 507);
  ck_assert_msg (strstr (message, "no room on the disk") != NULL, "%s", message);
  ck_assert_msg (strstr (message, count) != NULL, "%s", message);
  ck_assert_msg (strstr (message, "nothing was changed") == NULL, "%s", message);
}

/* The first step has failed: that is all or nothing. */
START_TEST (a_first_step_that_fails_changes_nothing)
{
  steps_good = 1;
  Got got = ask_node ("t1", "PUT", "terminals/t1/devices", list_of (0, DEVICES));
  ck_assert_uint_eq (got.status, 507);
  ck_assert_ptr_nonnull (strstr (text_of (got.body, "message"), "nothing was changed"));
  ck_assert_uint_eq (devices_shown (), 0);
}
END_TEST

START_TEST (a_list_that_is_written_in_part_is_shown_in_part)
{
  steps_good = 2;
  assert_partly (ask_node ("t1", "PUT", "terminals/t1/devices", list_of (0, DEVICES)), "256 of 401");
  ck_assert_uint_eq (devices_shown (), 255); /* the terminal's own row is one of the 256 */
  cloud_restart ();
  ck_assert_uint_eq (devices_shown (), 255);
  ck_assert_uint_eq (ask_node ("t1", "PUT", "terminals/t1/devices", list_of (0, DEVICES)).status, 200);
  ck_assert_uint_eq (devices_shown (), DEVICES);
}
END_TEST

START_TEST (devices_that_went_in_part_are_gone_in_part)
{
  ask_node ("t1", "PUT", "terminals/t1/devices", list_of (0, DEVICES));
  steps_good = 2;
  assert_partly (ask_node ("t1", "PUT", "terminals/t1/devices", list_of (0, 0)), "256 of 401");
  ck_assert_uint_eq (devices_shown (), DEVICES - 255);
  cloud_restart ();
  ck_assert_uint_eq (devices_shown (), DEVICES - 255);
}
END_TEST

/* Its key is void at once and over a restart; the terminal is there until all of it is gone, so that the
 * removal can be asked for again. */
START_TEST (a_removal_in_part_can_be_asked_for_again)
{
  ask_node ("t1", "PUT", "terminals/t1/devices", list_of (0, DEVICES));
  steps_good = 2;
  assert_partly (ask_root ("DELETE", "terminals/t1", NULL), "256 of");
  cloud_restart ();
  ck_assert_uint_eq (ask_root ("GET", "terminals/t1", NULL).status, 200);
  ck_assert_uint_gt (devices_shown (), 0);
  g_autofree char *own = terminal_keys ("t1");
  g_autofree char *waits = new_token (NULL);
  ck_assert_uint_eq (enrol (waits, own, "t9").status, 403);
  ck_assert_uint_eq (ask_root ("DELETE", "terminals/t1", NULL).status, 204);
  ck_assert_uint_eq (ask_root ("GET", "terminals/t1", NULL).status, 404);
  ask_root ("PUT", "terminals/t1", json_pack ("{s:b}", "new", 1));
  cloud_restart ();
  ck_assert_uint_eq (devices_shown (), 0); /* none of the old ones comes back with the name */
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  Suite *suite = suite_create ("access-partly");
  TCase *cases = tcase_create ("partly");
  tcase_set_timeout (cases, 60);
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_test (cases, a_first_step_that_fails_changes_nothing);
  tcase_add_test (cases, a_list_that_is_written_in_part_is_shown_in_part);
  tcase_add_test (cases, devices_that_went_in_part_are_gone_in_part);
  tcase_add_test (cases, a_removal_in_part_can_be_asked_for_again);
  suite_add_tcase (suite, cases);
  return run_suite (suite);
}
