/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A store that was there and is gone does not begin empty: its first start does, and what a person says to.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/node-identity.h"
#include "data/damage.h"
#include "life/instance-private.h"
#include "profile/profile.h"
#include "store-help.h"

static const char *const types[] = { "sqlite", "file" };
#define TYPE types[_i]

/* Of a store called "main", its files without what stands behind: "main.db" and so on. */
static char *
place_of (const char *type, const char *dir)
{
  return g_build_filename (dir, strcmp (type, "sqlite") == 0 ? "main.db" : "main.store", NULL);
}

/* A line of shell, in which $0 is the place. */
static void
run (const char *line, const char *place)
{
  const char *const words[] = { "sh", "-c", line, place, NULL };
  int status = -1;

  ck_assert (g_spawn_sync (NULL, (char **) words, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status,
                           NULL) &&
             status == 0);
}

static char *
filled (const char *type, const char *extra)
{
  char *dir = node_fresh_dir ();

  store_open (type, dir, extra);
  ck_assert_int_gt (store_put ("t", "a", "{}", FAR_EXPECT_ANY, NULL), 0);
  return dir;
}

static void
remove_store (const char *type, const char *dir)
{
  g_autofree char *place = place_of (type, dir);

  run ("rm -rf $0 $0-wal $0-shm", place);
}

static gboolean
store_is_down (gpointer data G_GNUC_UNUSED)
{
  return far_instance_find (FAR_KIND_STORE, "main", NULL) == NULL;
}

/* What is gone, what to do; and nothing is made in its place. */
static void
assert_missing (const GError *error, const char *place, gboolean untouched)
{
  ck_assert_ptr_nonnull (error);
  ck_assert_msg (strstr (error->message, "store missing") != NULL && strstr (error->message, place) != NULL &&
                     strstr (error->message, "--begin-empty") != NULL,
                 "%s", error->message);
  ck_assert (!untouched || !g_file_test (place, G_FILE_TEST_EXISTS));
}

static void
assert_rows (guint n)
{
  g_autoptr (GPtrArray) rows = store_rows ("t", NULL, NULL, 100, FALSE);

  ck_assert_uint_eq (rows->len, n);
}

START_TEST (a_store_that_is_gone_does_not_begin_empty)
{
  g_autofree char *dir = filled (TYPE, NULL), *place = place_of (TYPE, dir);

  store_close ();
  remove_store (TYPE, dir);
  for (guint i = 0; i < 2; i++) { /* not the second time either */
    g_autoptr (GError) error = NULL;
    g_auto (GStrv) known = NULL;

    store_try (TYPE, dir, NULL, &error);
    assert_missing (error, place, TRUE);
    store_close ();
    known = far_damage_stores (dir);
    ck_assert (g_strv_contains ((const char *const *) known, "main"));
  }
  ck_assert (far_damage_accept (dir, "main", NULL));
  store_open (TYPE, dir, NULL);
  assert_rows (0);
  store_close ();
  store_open (TYPE, dir, NULL);
  store_close ();
}
END_TEST

/* As on a full disk: what the log says to do helps all the same. */
START_TEST (a_store_whose_loss_cannot_be_noted_begins_empty_when_told)
{
  g_autofree char *dir = filled (TYPE, NULL), *place = place_of (TYPE, dir),
                  *in_the_way = g_build_filename (dir, FAR_NOTES_MISSING, NULL), *note = NULL, *none = NULL;
  g_autoptr (GError) error = NULL;

  none = far_missing_note (dir, "main");
  ck_assert_ptr_null (none);
  store_close ();
  remove_store (TYPE, dir);
  ck_assert (g_file_set_contents (in_the_way, "", -1, NULL));
  store_try (TYPE, dir, NULL, &error);
  assert_missing (error, place, TRUE);
  store_close ();
  note = far_missing_note (dir, "main");
  ck_assert_msg (note != NULL && strstr (note, place) != NULL, "%s", note);
  ck_assert (far_damage_accept (dir, "main", NULL));
  store_open (TYPE, dir, NULL);
  assert_rows (0);
  store_close ();
}
END_TEST

/* Its disk is mounted again: nobody has to be asked. */
START_TEST (a_store_that_is_put_back_goes_on)
{
  g_autofree char *dir = filled (TYPE, NULL), *place = place_of (TYPE, dir),
                  *away = g_strconcat (place, ".away", NULL);
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) known = NULL;

  store_close ();
  ck_assert_int_eq (g_rename (place, away), 0);
  store_try (TYPE, dir, NULL, &error);
  assert_missing (error, place, TRUE);
  store_close ();
  ck_assert_int_eq (g_rename (away, place), 0);
  store_open (TYPE, dir, NULL);
  assert_rows (1);
  store_close ();
  known = far_damage_stores (dir);
  ck_assert_ptr_null (known[0]);
}
END_TEST

START_TEST (a_store_that_was_emptied_is_gone)
{
  g_autofree char *dir = filled (TYPE, NULL), *place = place_of (TYPE, dir);
  g_autoptr (GError) error = NULL;

  store_close ();
  run (_i == 0 ? "truncate -s 0 $0" : "rm $0/*.log", place);
  store_try (TYPE, dir, NULL, &error);
  assert_missing (error, place, FALSE);
  store_close ();
}
END_TEST

START_TEST (a_store_that_the_profile_has_elsewhere_is_not_made_there)
{
  g_autofree char *dir = filled (TYPE, NULL), *place = place_of (TYPE, dir),
                  *other = g_build_filename (dir, "other", NULL);
  g_autofree char *extra = g_strdup_printf ("path: %s", other);
  g_autoptr (GError) error = NULL;

  store_close ();
  store_try (TYPE, dir, extra, &error);
  assert_missing (error, other, TRUE);
  ck_assert_msg (strstr (error->message, place) != NULL, "%s", error->message);
  store_close ();
  ck_assert_int_eq (g_rename (place, other), 0);
  store_open (TYPE, dir, extra);
  assert_rows (1);
  store_close ();
}
END_TEST

START_TEST (a_store_of_values_begins_empty_and_says_so)
{
  g_autofree char *dir = filled (TYPE, "if-damaged: go-on");

  store_close ();
  remove_store (TYPE, dir);
  store_open (TYPE, dir, "if-damaged: go-on");
  assert_rows (0);
  store_close ();
}
END_TEST

/* A profile's path is taken from the state directory, where the note of it is too: neither takes the other's
 * place. */
START_TEST (a_store_in_a_folder_named_stores_is_kept)
{
  g_autofree char *dir = node_fresh_dir (), *folder = g_build_filename (dir, "stores", NULL),
                  *place = g_build_filename (folder, "main", NULL);
  g_autoptr (GError) error = NULL;

  ck_assert_int_eq (g_mkdir (folder, 0700), 0);
  store_open (TYPE, dir, "path: stores/main");
  ck_assert_int_gt (store_put ("t", "a", "{}", FAR_EXPECT_ANY, NULL), 0);
  store_close ();
  store_open (TYPE, dir, "path: stores/main");
  assert_rows (1);
  store_close ();
  run ("rm -rf $0 $0-wal $0-shm", place);
  store_try (TYPE, dir, "path: stores/main", &error);
  assert_missing (error, place, TRUE);
  store_close ();
}
END_TEST

/* A note that is there and cannot be read is no sign that the store was never made: a link, a folder, one too
 * long. Nor is it one when somebody moves it away. */
static const char *const spoilt[] = {
  "mv $0 $0.away && ln -s $0.away $0",
  "rm $0 && mkdir $0",
  "truncate -s 70000 $0",
};

static void
spoil_note (const char *type, const char *line)
{
  g_autofree char *dir = filled (type, NULL), *place = place_of (type, dir),
                  *made = g_build_filename (dir, FAR_NOTES_MADE, "main", NULL), *note = NULL;
  g_autoptr (GError) error = NULL, later = NULL, kept = NULL;

  store_close ();
  remove_store (type, dir);
  run (line, made);
  note = far_missing_note (dir, "main");
  ck_assert_msg (note != NULL && strstr (note, made) != NULL, "%s: %s", line, note);
  store_try (type, dir, NULL, &error);
  assert_missing (error, made, FALSE);
  ck_assert_msg (strstr (error->message, g_strerror (EINVAL)) != NULL &&
                     !g_file_test (place, G_FILE_TEST_EXISTS),
                 "%s", error->message);
  store_close ();
  ck_assert (!far_damage_accept (dir, "main", &kept) && strstr (kept->message, made) != NULL);
  run ("rm -rf $0", made);
  store_try (type, dir, NULL, &later);
  assert_missing (later, made, FALSE);
  store_close ();
  ck_assert (far_damage_accept (dir, "main", NULL));
  store_open (type, dir, NULL);
  assert_rows (0);
  store_close ();
}

START_TEST (a_note_that_cannot_be_read_is_not_taken_for_none)
{
  for (guint i = 0; i < G_N_ELEMENTS (spoilt); i++)
    spoil_note (TYPE, spoilt[i]);
}
END_TEST

/* What is no note is somebody's. */
START_TEST (what_is_no_note_is_neither_overwritten_nor_deleted)
{
  g_autofree char *dir = node_fresh_dir (), *folder = g_build_filename (dir, FAR_NOTES_MISSING, NULL),
                  *file = g_build_filename (folder, "main", NULL), *text = NULL;
  static const char other[] = "SQLite format 3\0and more";
  gsize size = 0;

  ck_assert_int_eq (g_mkdir_with_parents (folder, 0700), 0);
  ck_assert (g_file_set_contents (file, other, sizeof other, NULL));
  ck_assert (!far_damage_write (dir, FAR_NOTES_MISSING, "main", "/a/place", NULL));
  ck_assert (!far_damage_remove (dir, FAR_NOTES_MISSING, "main", NULL));
  ck_assert (!far_damage_accept (dir, "main", NULL));
  ck_assert (g_file_get_contents (file, &text, &size, NULL) && size == sizeof other &&
             memcmp (text, other, size) == 0);
  ck_assert_int_eq (g_unlink (file), 0);
  ck_assert_int_eq (symlink ("/dev/zero", file), 0);
  ck_assert (!far_damage_write (dir, FAR_NOTES_MISSING, "main", "/a/place", NULL));
  g_free (far_damage_note (dir, "main"));
}
END_TEST

static gboolean
profile_is_good (const char *state, const char *path, const char *more, char **text)
{
  g_autofree char *file = g_build_filename (state, "some.yaml", NULL);
  g_autofree char *body = g_strdup_printf (
      "farwatch: 1\nnode: {id: node, state: %s}\nstores:\n  main: {type: sqlite, path: %s}\n%s", state, path,
      more);
  g_autoptr (GPtrArray) faults = far_faults_new ();

  ck_assert (g_file_set_contents (file, body, -1, NULL));
  g_autoptr (FarProfile) profile = far_profile_load (file, NULL, faults);
  *text = far_faults_text (faults);
  return profile != NULL;
}

static const char *const taken_paths[] = {
  ".made/main",
  ".made",
  "damaged/x",
  "missing/main",
  "backups/a/b",
  "lock",
  "clock",
  "devices.json",
  ".restore/x",
  ".restoring",
  ".uplink/main",
  "before-restore-20260101-000000/x",
  "x/../damaged/main",
  "some.yaml",
  "some.yaml.d/x",
  "keys",
  "keys/node.key",
  "credentials/a",
  "control.sock",
  ".",
  "..",
  "people.yaml",
  "persons.d",
  "persons.d/x",
};
static const char *const free_paths[] = {
  "main.db", "stores/main", "locks", "clock.db", "a/lock", "keys.db", "/srv/lock", "made", "people.yaml.db",
};

START_TEST (no_store_lies_where_something_else_is_kept)
{
  const char *more =
      "authenticators:\n  people: {type: file, path: people.yaml}\n  keys: {type: key, path: persons.d}\n";
  g_autofree char *dir = node_fresh_dir ();

  for (guint i = 0; i < G_N_ELEMENTS (taken_paths); i++) {
    g_autofree char *text = NULL;

    ck_assert_msg (!profile_is_good (dir, taken_paths[i], more, &text), "%s was taken", taken_paths[i]);
    ck_assert_msg (strstr (text, "'path' in stores.main") != NULL &&
                       strstr (text, "choose another path") != NULL,
                   "%s: %s", taken_paths[i], text);
  }
  for (guint i = 0; i < G_N_ELEMENTS (free_paths); i++) {
    g_autofree char *text = NULL;

    ck_assert_msg (profile_is_good (dir, free_paths[i], more, &text), "%s: %s", free_paths[i], text);
  }
}
END_TEST

/* What is written to a file that has no name any more is lost: nobody is told that it was recorded. */
START_TEST (a_store_that_goes_while_it_runs_is_told)
{
  g_autofree char *dir = filled (TYPE, NULL), *place = place_of (TYPE, dir);
  g_autoptr (GError) error = NULL, later = NULL;

  remove_store (TYPE, dir);
  ck_assert_int_eq (store_put ("t", "b", "{}", FAR_EXPECT_ANY, &error), -1);
  assert_missing (error, place, TRUE);
  node_until (store_is_down, NULL);
  store_close ();
  store_try (TYPE, dir, NULL, &later);
  assert_missing (later, place, TRUE);
  store_close ();
}
END_TEST

START_TEST (a_store_of_values_that_goes_while_it_runs_is_made_anew)
{
  g_autofree char *dir = filled (TYPE, "if-damaged: go-on");

  remove_store (TYPE, dir);
  store_put ("t", "b", "{}", FAR_EXPECT_ANY, NULL);
  ck_assert_int_gt (store_put ("t", "c", "{}", FAR_EXPECT_ANY, NULL), 0);
  store_close ();
  store_open (TYPE, dir, "if-damaged: go-on");
  g_autoptr (GPtrArray) rows = store_rows ("t", NULL, "b", 100, FALSE);
  ck_assert_uint_eq (rows->len, 1);
  store_close ();
}
END_TEST

/* The rows of before are in the states, the segments go on from there. */
START_TEST (states_that_are_gone_are_not_made_up_for)
{
  g_autofree char *filler = g_strnfill (100000, 'x'), *row = g_strdup_printf ("{\"x\":\"%s\"}", filler),
                  *dir = filled ("file", NULL), *place = place_of ("file", dir);
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 200; i++)
    store_put ("t", "k", row, FAR_EXPECT_ANY, NULL);
  store_maintain (5000);
  store_close ();
  run ("rm $0/state-*", place);
  store_try ("file", dir, NULL, &error);
  ck_assert_msg (error != NULL && strstr (error->message, "store damaged") != NULL, "%s",
                 error != NULL ? error->message : "no error");
  store_close ();
}
END_TEST

int
main (void)
{
  const TTest *const both[] = {
    a_store_that_is_gone_does_not_begin_empty,
    a_store_that_is_put_back_goes_on,
    a_store_that_was_emptied_is_gone,
    a_store_that_the_profile_has_elsewhere_is_not_made_there,
    a_store_of_values_begins_empty_and_says_so,
    a_store_that_goes_while_it_runs_is_told,
    a_store_of_values_that_goes_while_it_runs_is_made_anew,
    a_store_in_a_folder_named_stores_is_kept,
    a_store_whose_loss_cannot_be_noted_begins_empty_when_told,
    a_note_that_cannot_be_read_is_not_taken_for_none,
  };
  Suite *suite = suite_create ("store-missing");
  TCase *tcase = tcase_create ("store-missing");
  SRunner *runner = srunner_create (suite);
  int failed;

  tcase_set_timeout (tcase, 240);
  tcase_add_checked_fixture (tcase, NULL, node_remove_dirs);
  for (guint i = 0; i < G_N_ELEMENTS (both); i++)
    tcase_add_loop_test (tcase, both[i], 0, G_N_ELEMENTS (types));
  tcase_add_test (tcase, what_is_no_note_is_neither_overwritten_nor_deleted);
  tcase_add_test (tcase, no_store_lies_where_something_else_is_kept);
  tcase_add_test (tcase, states_that_are_gone_are_not_made_up_for);
  suite_add_tcase (suite, tcase);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
