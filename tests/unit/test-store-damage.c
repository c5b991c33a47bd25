/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What stores make of files that are not good: damaged ones, newer ones, those of other programs. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/damage.h"
#include "life/instance-private.h"
#include "store-help.h"

static const char *const types[] = { "sqlite", "file" };
#define TYPE types[_i]

static void
patch (const char *path, off_t at, const char *bytes, gsize size)
{
  int fd = open (path, O_WRONLY);

  ck_assert_msg (fd >= 0, "%s", path);
  ck_assert_int_eq (pwrite (fd, bytes, size, at), (gssize) size);
  close (fd);
}

static char *
find_file (const char *dir, const char *end)
{
  g_autoptr (GDir) list = g_dir_open (dir, 0, NULL);
  const char *name;

  while (list != NULL && (name = g_dir_read_name (list)) != NULL)
    if (strstr (name, end) != NULL)
      return g_build_filename (dir, name, NULL);
  return NULL;
}

START_TEST (a_newer_store_is_left_alone)
{
  g_autofree char *dir = node_fresh_dir (), *path = NULL, *format = NULL;
  g_autoptr (GError) error = NULL;

  store_open (TYPE, dir, NULL);
  store_put ("t", "a", "{}", FAR_EXPECT_ANY, NULL);
  store_close ();
  path = g_build_filename (dir, _i == 0 ? "main.db" : "main.store", NULL);
  format = g_build_filename (path, "FORMAT", NULL);
  if (_i == 0)
    patch (path, 60, "\0\0\0\7", 4); /* user_version in the header */
  else
    ck_assert (g_file_set_contents (format, "farwatch store 7\n", -1, NULL));
  store_try (TYPE, dir, NULL, &error);
  ck_assert_ptr_nonnull (error);
  ck_assert_msg (strstr (error->message, "newer farwatch") != NULL, "%s", error->message);
  store_close ();
}
END_TEST

START_TEST (a_database_of_another_program_is_left_alone)
{
  g_autofree char *dir = node_fresh_dir (), *path = g_build_filename (dir, "main.db", NULL), *before = NULL,
                  *after = NULL;
  g_autoptr (GError) error = NULL;
  gsize size;

  store_open ("sqlite", dir, NULL);
  store_close ();
  patch (path, 68, "\1\2\3\4", 4); /* application_id */
  ck_assert (g_file_get_contents (path, &before, &size, NULL));
  store_try ("sqlite", dir, NULL, &error);
  ck_assert_msg (error != NULL && strstr (error->message, "another program") != NULL, "%s",
                 error ? error->message : "no error");
  store_close ();
  ck_assert (g_file_get_contents (path, &after, &size, NULL));
  ck_assert_mem_eq (before, after, size);
}
END_TEST

/* 400 rows of which every third page is junk. */
static void
damage_a_database (const char *dir)
{
  g_autofree char *path = g_build_filename (dir, "main.db", NULL), *junk = g_strnfill (4096, 'j'),
                  *filler = g_strnfill (1500, 'x');
  struct stat stat_now;

  store_open ("sqlite", dir, NULL);
  for (guint i = 0; i < 400; i++) {
    g_autofree char *key = g_strdup_printf ("k%03u", i), *row = g_strdup_printf ("{\"x\":\"%s\"}", filler);

    store_put ("t", key, row, FAR_EXPECT_ANY, NULL);
  }
  store_close ();
  ck_assert_int_eq (stat (path, &stat_now), 0);
  for (off_t page = 20; page * 4096 < stat_now.st_size; page += 3)
    patch (path, page * 4096, junk, 4096);
}

static gboolean
store_is_down (gpointer data G_GNUC_UNUSED)
{
  return far_instance_find (FAR_KIND_STORE, "main", NULL) == NULL;
}

/* Which store it is, what could be read, what to do. */
static void
assert_held (const char *dir, const char *part)
{
  g_autoptr (GError) error = NULL;

  ck_assert (store_is_down (NULL));
  ck_assert_int_eq (store_put ("t", "z", "{}", FAR_EXPECT_ANY, &error), -1);
  ck_assert_msg (strstr (error->message, "store damaged") != NULL && strstr (error->message, dir) != NULL &&
                     strstr (error->message, part) != NULL &&
                     strstr (error->message, "--begin-empty") != NULL,
                 "%s", error->message);
}

static void
until_damage_is_found (const char *dir)
{
  g_autoptr (GError) error = NULL;

  store_try ("sqlite", dir, NULL, &error);
  for (guint i = 0; i < 400 && error == NULL; i++) { /* sooner or later */
    g_autofree char *key = g_strdup_printf ("k%03u", i);

    store_put ("t", key, "{}", FAR_EXPECT_ANY, &error);
  }
  ck_assert_ptr_nonnull (error);
  node_until (store_is_down, NULL);
}

START_TEST (a_damaged_database_is_read_out_and_not_judged_by)
{
  g_autofree char *dir = node_fresh_dir (), *aside = NULL;
  g_autoptr (GPtrArray) rows = NULL;

  damage_a_database (dir);
  until_damage_is_found (dir);
  assert_held (dir, "not all of: row");
  aside = find_file (dir, "main.db.damaged-");
  ck_assert_ptr_nonnull (aside);
  store_close ();
  store_try ("sqlite", dir, NULL, NULL); /* nor after a restart, nor when it is tried again */
  assert_held (dir, "could be read: t ");
  far_instance_retry (far_instances_by_path ("stores.main"));
  assert_held (dir, "could be read: t ");
  store_close ();
  ck_assert (far_damage_accept (dir, "main", NULL));
  store_open ("sqlite", dir, NULL);
  rows = store_rows ("t", NULL, NULL, 1000, FALSE);
  ck_assert_uint_gt (rows->len, 100);
  store_close ();
}
END_TEST

/* No half of it takes the place of the whole: the damaged file stays where it is until all that can be read
 * is beside it. */
START_TEST (what_can_be_read_is_written_beside_the_damaged_database)
{
  g_autofree char *dir = node_fresh_dir (), *file = g_build_filename (dir, "main.db", NULL),
                  *way = g_strconcat (file, ".salvage", NULL), *aside = NULL;
  g_autoptr (GPtrArray) rows = NULL;

  damage_a_database (dir);
  ck_assert_int_eq (g_mkdir (way, 0700), 0);
  until_damage_is_found (dir);
  assert_held (dir, "cannot be removed");
  ck_assert_ptr_null (aside = find_file (dir, "main.db.damaged-"));
  store_close ();
  ck_assert_int_eq (g_rmdir (way), 0);
  ck_assert (far_damage_accept (dir, "main", NULL));
  until_damage_is_found (dir);
  store_close ();
  ck_assert (far_damage_accept (dir, "main", NULL));
  ck_assert_int_eq (g_rename (file, way), 0); /* an end just before the new one got its name */
  store_open ("sqlite", dir, NULL);
  rows = store_rows ("t", NULL, NULL, 1000, FALSE);
  ck_assert_uint_gt (rows->len, 100);
  store_close ();
}
END_TEST

START_TEST (a_damaged_database_of_values_goes_on)
{
  g_autofree char *dir = node_fresh_dir (), *aside = NULL;
  g_autoptr (GPtrArray) rows = NULL;

  damage_a_database (dir);
  store_open ("sqlite", dir, "if-damaged: go-on");
  for (guint i = 0; i < 400; i++) {
    g_autofree char *key = g_strdup_printf ("k%03u", i);
    g_autoptr (GError) error = NULL;

    if (store_put ("t", key, "{}", FAR_EXPECT_ANY, &error) < 0)
      store_put ("t", key, "{}", FAR_EXPECT_ANY, NULL);
  }
  rows = store_rows ("t", NULL, NULL, 1000, FALSE);
  ck_assert_uint_eq (rows->len, 400);
  aside = find_file (dir, "main.db.damaged-");
  ck_assert_ptr_nonnull (aside);
  store_close ();
}
END_TEST

START_TEST (junk_instead_of_a_database_is_moved_aside)
{
  g_autofree char *dir = node_fresh_dir (), *path = g_build_filename (dir, "main.db", NULL), *aside = NULL;

  ck_assert (g_file_set_contents (
      path, "this is no database, whatever it is; but it is longer than a header of one would be, by far", -1,
      NULL));
  store_try ("sqlite", dir, NULL, NULL);
  assert_held (dir, "could be read: nothing");
  aside = find_file (dir, "main.db.damaged-");
  ck_assert_ptr_nonnull (aside);
  store_close ();
  ck_assert (far_damage_accept (dir, "main", NULL));
  store_open ("sqlite", dir, NULL);
  ck_assert_int_gt (store_put ("t", "a", "{}", FAR_EXPECT_ABSENT, NULL), 0);
  store_close ();
}
END_TEST

START_TEST (a_wrong_path_costs_nobody_a_file)
{
  g_autofree char *dir = node_fresh_dir (), *path = g_build_filename (dir, "letter.txt", NULL), *text = NULL;
  g_autofree char *extra = g_strdup_printf ("path: \"%s\"", path);
  g_autoptr (GError) error = NULL;

  ck_assert (g_file_set_contents (path,
                                  "dear reader, this is not a database and must stay what it is, where it is",
                                  -1, NULL));
  store_try ("sqlite", dir, extra, &error);
  ck_assert_ptr_nonnull (error);
  store_close ();
  ck_assert (g_file_get_contents (path, &text, NULL, NULL));
  ck_assert (g_str_has_prefix (text, "dear reader"));
}
END_TEST

START_TEST (states_that_are_all_damaged_are_not_made_up_for)
{
  g_autofree char *dir = node_fresh_dir (), *store = g_build_filename (dir, "main.store", NULL),
                  *filler = g_strnfill (100000, 'x');
  g_autofree char *row = g_strdup_printf ("{\"x\":\"%s\"}", filler);
  g_autoptr (GDir) list = NULL;
  const char *name;

  store_open ("file", dir, NULL);
  for (guint i = 0; i < 200; i++) {
    g_autofree char *key = g_strdup_printf ("k%03u", i % 50);

    store_put ("t", key, row, FAR_EXPECT_ANY, NULL);
  }
  store_maintain (5000);
  store_close ();
  list = g_dir_open (store, 0, NULL);
  while ((name = g_dir_read_name (list)) != NULL)
    if (g_str_has_prefix (name, "state-")) {
      g_autofree char *state = g_build_filename (store, name, NULL);

      patch (state, 1000, "damage", 6);
    }
  store_try ("file", dir, NULL, NULL);
  assert_held (dir, "neither this state nor the one before");
  store_close ();
  store_try ("file", dir, "if-damaged: go-on", NULL); /* the note holds it whatever the profile says now */
  assert_held (dir, "neither this state nor the one before");
  store_close ();
}
END_TEST

static char *
log_path (const char *dir)
{
  g_autofree char *store = g_build_filename (dir, "main.store", NULL);

  return find_file (store, ".log");
}

START_TEST (a_torn_tail_is_cut_off_and_a_bad_middle_passed_over)
{
  g_autofree char *dir = node_fresh_dir (), *path = NULL;
  g_autoptr (GPtrArray) rows = NULL;
  struct stat stat_now;
  int fd;

  store_open ("file", dir, NULL);
  for (guint i = 0; i < 100; i++) {
    g_autofree char *key = g_strdup_printf ("k%03u", i);

    store_put ("t", key, "{\"some\":\"text\"}", FAR_EXPECT_ANY, NULL);
  }
  store_close ();
  path = log_path (dir);
  ck_assert_int_eq (stat (path, &stat_now), 0);
  patch (path, stat_now.st_size / 2, "\377\377\377", 3);
  fd = open (path, O_WRONLY | O_APPEND);
  ck_assert_int_eq (write (fd, "\372FR\n\100\0\0\0abcd half a record", 27), 27);
  close (fd);
  store_try ("file", dir, NULL, NULL);
  assert_held (dir, "could be read: t ");
  store_close ();
  ck_assert (far_damage_accept (dir, "main", NULL));
  store_open ("file", dir, NULL); /* the same damage is not found again */
  rows = store_rows ("t", NULL, NULL, 1000, FALSE);
  ck_assert_uint_ge (rows->len, 98); /* the record that was hit, or two if it was hit in the frame */
  ck_assert_uint_lt (rows->len, 100);
  store_put ("t", "z", "{}", FAR_EXPECT_ANY, NULL);
  store_close ();
  store_open ("file", dir, NULL);
  g_clear_pointer (&rows, g_ptr_array_unref);
  rows = store_rows ("t", NULL, "k099", 1000, FALSE);
  ck_assert_uint_eq (rows->len, 1);
  store_close ();
}
END_TEST

START_TEST (a_damaged_state_is_made_up_for_by_the_one_before)
{
  g_autofree char *dir = node_fresh_dir (), *store = g_build_filename (dir, "main.store", NULL),
                  *newest = NULL;
  g_autofree char *filler = g_strnfill (100000, 'x'), *row = g_strdup_printf ("{\"x\":\"%s\"}", filler);
  g_autoptr (GPtrArray) rows = NULL;
  g_autoptr (GDir) list = NULL;
  const char *name;

  store_open ("file", dir, NULL);
  for (guint i = 0; i < 200; i++) { /* 20 MB: several segments and states */
    g_autofree char *key = g_strdup_printf ("k%03u", i % 50);

    store_put ("t", key, row, FAR_EXPECT_ANY, NULL);
    if (i == 60)
      store_put ("t", "early", "{}", FAR_EXPECT_ANY, NULL);
  }
  store_maintain (5000); /* what two states know is stripped */
  store_put ("t", "late", "{}", FAR_EXPECT_ANY, NULL);
  store_close ();
  list = g_dir_open (store, 0, NULL);
  while ((name = g_dir_read_name (list)) != NULL)
    if (g_str_has_prefix (name, "state-") && (newest == NULL || strcmp (name, newest) > 0)) {
      g_free (newest);
      newest = g_strdup (name);
    }
  ck_assert_ptr_nonnull (newest);
  g_free (g_steal_pointer (&row));
  row = g_build_filename (store, newest, NULL);
  patch (row, 1000, "damage", 6);
  store_open ("file", dir, NULL);
  rows = store_rows ("t", NULL, NULL, 1000, FALSE);
  ck_assert_uint_eq (rows->len, 52);
  store_close ();
}
END_TEST

int
main (void)
{
  const TTest *const sole[] = {
    a_database_of_another_program_is_left_alone,
    a_damaged_database_is_read_out_and_not_judged_by,
    a_damaged_database_of_values_goes_on,
    what_can_be_read_is_written_beside_the_damaged_database,
    junk_instead_of_a_database_is_moved_aside,
    states_that_are_all_damaged_are_not_made_up_for,
    a_wrong_path_costs_nobody_a_file,
    a_torn_tail_is_cut_off_and_a_bad_middle_passed_over,
    a_damaged_state_is_made_up_for_by_the_one_before,
  };
  Suite *suite = suite_create ("store-damage");
  TCase *tcase = tcase_create ("store-damage");
  SRunner *runner = srunner_create (suite);
  int failed;

  tcase_set_timeout (tcase, 240);
  tcase_add_checked_fixture (tcase, NULL, node_remove_dirs);
  tcase_add_loop_test (tcase, a_newer_store_is_left_alone, 0, G_N_ELEMENTS (types));
  for (guint i = 0; i < G_N_ELEMENTS (sole); i++)
    tcase_add_test (tcase, sole[i]);
  suite_add_tcase (suite, tcase);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
