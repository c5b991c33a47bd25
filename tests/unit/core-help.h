/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What tests of profile, loader and instances share: a folder of their own with plugins made for tests. */
#pragma once
#include <check.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <farwatch/clock.h>
#include <farwatch/plugin.h>

/* "$builddir/tests/fixtures/.libs/NAME.so" */
static inline char *
fixture_path (const char *name)
{
  const char *build = g_getenv ("FARWATCH_TEST_BUILDDIR");
  g_autofree char *file = g_strconcat (name, ".so", NULL);
  g_autofree char *path = g_build_filename (build != NULL ? build : ".", "tests", "fixtures", ".libs", file,
                                            NULL);

  return g_canonicalize_filename (path, NULL);
}

/* An empty folder; caller removes it with remove_folder(). */
static inline char *
make_folder (void)
{
  char *folder = g_dir_make_tmp ("farwatch-test-XXXXXX", NULL);

  ck_assert_ptr_nonnull (folder);
  return folder;
}

static inline void
remove_folder (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *entry;

  while (dir != NULL && (entry = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_build_filename (folder, entry, NULL);

    if (g_file_test (path, G_FILE_TEST_IS_DIR) && !g_file_test (path, G_FILE_TEST_IS_SYMLINK))
      remove_folder (path);
    else
      g_unlink (path);
  }
  g_rmdir (folder);
}

/* Link to a fixture in folder. */
static inline void
link_fixture (const char *folder, const char *name)
{
  g_autofree char *from = fixture_path (name), *file = g_strconcat (name, ".so", NULL),
                  *to = g_build_filename (folder, file, NULL);

  ck_assert_msg (g_file_test (from, G_FILE_TEST_EXISTS), "%s is not built", from);
  ck_assert_int_eq (symlink (from, to), 0);
}

static inline void
write_file (const char *folder, const char *name, const char *data, gssize size)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);

  ck_assert (g_file_set_contents (path, data, size, NULL));
}

/* Runs the main context until *done or for at most five seconds of real time. */
static inline gboolean
run_until (gboolean (*done) (gpointer data), gpointer data)
{
  gint64 end = g_get_monotonic_time () + 5 * G_USEC_PER_SEC;

  while (!done (data) && g_get_monotonic_time () < end)
    if (!g_main_context_iteration (NULL, FALSE))
      g_usleep (1000);
  return done (data);
}

/* Exit status of a child, -1 if it did not exit. */
static inline int
wait_for (pid_t child)
{
  int status = 0;

  ck_assert_int_eq (waitpid (child, &status, 0), child);
  return WIFEXITED (status) ? WEXITSTATUS (status) : -1;
}

/* Everything that is due now. */
static inline void
run_pending (void)
{
  for (int i = 0; i < 10; i++) {
    while (g_main_context_iteration (NULL, FALSE))
      continue;
    g_usleep (300); /* a timer that is due takes the kernel a moment */
  }
}

static inline int
run_suite (Suite *suite)
{
  SRunner *runner = srunner_create (suite);
  int failed;

  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static inline gboolean
is_line_of (const char *line, const char *const *cases)
{
  for (; *cases != NULL; cases++) {
    g_autofree char *name = g_strconcat (":", *cases, ":", NULL);

    if (g_str_has_prefix (line, "ok ") && strstr (line, name) != NULL)
      return TRUE;
  }
  return FALSE;
}

/* Tests that did nothing here are counted as skipped. Check has no word for that, so their lines of TAP get
 * it afterwards. cases ends with NULL. */
static inline int
run_suite_skipping (Suite *suite, const char *const *cases, const char *why)
{
  g_autofree char *folder = g_dir_make_tmp ("farwatch-test-XXXXXX", NULL),
                  *path = g_build_filename (folder != NULL ? folder : "", "tap", NULL), *text = NULL;
  g_auto (GStrv) lines = NULL;
  SRunner *runner = srunner_create (suite);
  int failed;

  srunner_set_tap (runner, path);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  if (g_file_get_contents (path, &text, NULL, NULL))
    lines = g_strsplit (g_strchomp (text), "\n", 0);
  for (guint i = 0; lines != NULL && lines[i] != NULL; i++)
    g_print ("%s%s%s\n", lines[i], is_line_of (lines[i], cases) ? " # SKIP " : "",
             is_line_of (lines[i], cases) ? why : "");
  remove_folder (folder);
  return failed == 0 && lines != NULL ? EXIT_SUCCESS : EXIT_FAILURE;
}
