/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stores on a disk that hangs: this program's own fdatasync(), fsync() and pread() come before libc's and do
 * not come back while the disk is dead. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "store-help.h"

#define END_US (3 * G_USEC_PER_SEC) /* a second of patience, and what a busy machine adds */

static const char *const types[] = { "sqlite", "file" };

static struct {
  GMutex lock;
  GCond alive;
  char *dead;    /* files below it hang; NULL: none */
  guint hanging; /* threads */
} disk;

static gboolean
is_dead (int fd)
{
  char link[64], path[4096];
  gssize n;

  g_snprintf (link, sizeof link, "/proc/self/fd/%d", fd);
  n = disk.dead != NULL ? readlink (link, path, sizeof path - 1) : -1;
  if (n < 0)
    return FALSE;
  path[n] = '\0';
  return g_str_has_prefix (path, disk.dead);
}

static void
hang (int fd)
{
  g_mutex_lock (&disk.lock);
  while (is_dead (fd)) {
    disk.hanging++;
    g_cond_wait (&disk.alive, &disk.lock);
    disk.hanging--;
  }
  g_mutex_unlock (&disk.lock);
}

int
fdatasync (int fd)
{
  hang (fd);
  return (int) syscall (SYS_fdatasync, fd);
}

int
fsync (int fd)
{
  hang (fd);
  return (int) syscall (SYS_fsync, fd);
}

ssize_t
pread (int fd, void *bytes, size_t size, off_t at)
{
  hang (fd);
  return (ssize_t) syscall (SYS_pread64, fd, bytes, size, at);
}

/* SQLite's name for it: with another one than ours, reading would not hang. */
ssize_t
pread64 (int fd, void *bytes, size_t size, off64_t at)
{
  hang (fd);
  return (ssize_t) syscall (SYS_pread64, fd, bytes, size, at);
}

static void
disk_dies (const char *below)
{
  g_mutex_lock (&disk.lock);
  disk.dead = g_strdup (below);
  g_mutex_unlock (&disk.lock);
}

static void
disk_lives (void)
{
  g_mutex_lock (&disk.lock);
  g_clear_pointer (&disk.dead, g_free);
  g_cond_broadcast (&disk.alive);
  g_mutex_unlock (&disk.lock);
}

static gboolean
somebody_hangs (gpointer data G_GNUC_UNUSED)
{
  gboolean hangs;

  g_mutex_lock (&disk.lock);
  hangs = disk.hanging > 0;
  g_mutex_unlock (&disk.lock);
  return hangs;
}

static gboolean
nobody_hangs (gpointer data)
{
  return !somebody_hangs (data);
}

/* What waits behind the write that hangs is told; that one may yet be done, so nobody says that it was not.
 */
START_TEST (a_store_that_hangs_is_not_waited_for)
{
  g_autofree char *dir = node_fresh_dir ();
  g_autoptr (GPtrArray) rows = NULL;
  Wait *first, *second;
  gint64 begun;

  store_open (types[_i], dir, NULL);
  store_put ("t", "before", "{}", FAR_EXPECT_ANY, NULL);
  disk_dies (dir);
  first = wait_new ();
  far_store_put ("main", "t", "first", "{}", FAR_EXPECT_ANY, first->req);
  node_until (somebody_hangs, NULL);
  second = wait_new ();
  far_store_put ("main", "t", "second", "{}", FAR_EXPECT_ANY, second->req);
  begun = g_get_monotonic_time ();
  store_close ();
  ck_assert_int_lt (g_get_monotonic_time () - begun, END_US);
  ck_assert (second->ended && second->error != NULL);
  ck_assert_msg (strstr (second->error->message, "does not answer") != NULL, "%s", second->error->message);
  disk_lives ();
  node_until (nobody_hangs, NULL);
  wait_for (first);
  /* it has come back and done what it had begun, and nothing of it is in the way */
  store_open (types[_i], dir, NULL);
  store_put ("t", "after", "{}", FAR_EXPECT_ANY, NULL);
  rows = store_rows ("t", NULL, NULL, 10, FALSE);
  ck_assert_uint_eq (rows->len, first->error == NULL ? 3 : 2);
  store_close ();
  wait_free (first, g_free);
  wait_free (second, g_free);
}
END_TEST

/* Reading has executors of its own for each store. */
START_TEST (a_store_that_hangs_holds_up_no_other)
{
  g_autofree char *dir = node_fresh_dir (), *dead = g_build_filename (dir, "a", NULL),
                  *good = g_build_filename (dir, "b", NULL);
  g_autofree char *body =
      g_strdup_printf ("stores:\n  main: { type: %s, path: \"%s\" }\n  other: { type: %s, path: \"%s\" }\n",
                       types[_i], dead, types[_i], good);
  Wait *hung = wait_new (), *other = wait_new ();

  node_open (dir, "cloud", body);
  disk_dies (dead);
  far_store_rows ("main", "t", NULL, NULL, 10, FALSE, hung->req);
  node_until (somebody_hangs, NULL);
  far_store_rows ("other", "t", NULL, NULL, 10, FALSE, other->req);
  wait_for (other);
  ck_assert (!hung->ended);
  disk_lives ();
  wait_for (hung);
  wait_free (hung, (GDestroyNotify) g_ptr_array_unref);
  wait_free (other, (GDestroyNotify) g_ptr_array_unref);
  node_close ();
}
END_TEST

/* Certificates and lists of devices. */
START_TEST (a_small_file_holds_up_nobody)
{
  g_autofree char *dir = node_fresh_dir (), *path = g_build_filename (dir, "node.crt", NULL), *text = NULL;
  Wait *wait = wait_new ();

  node_open (dir, "cloud", "");
  disk_dies (dir);
  far_write_file (path, "a certificate", 0600, wait->req);
  node_until (somebody_hangs, NULL); /* this very loop goes on */
  ck_assert (!wait->ended);
  disk_lives ();
  ck_assert_ptr_null (wait_result (wait, NULL));
  ck_assert (g_file_get_contents (path, &text, NULL, NULL));
  ck_assert_str_eq (text, "a certificate");
  node_close ();
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("store-hang");
  TCase *tcase = tcase_create ("store-hang");
  SRunner *runner = srunner_create (suite);
  int failed;

  tcase_set_timeout (tcase, 120);
  tcase_add_checked_fixture (tcase, NULL, node_remove_dirs);
  tcase_add_loop_test (tcase, a_store_that_hangs_is_not_waited_for, 0, G_N_ELEMENTS (types));
  tcase_add_loop_test (tcase, a_store_that_hangs_holds_up_no_other, 0, G_N_ELEMENTS (types));
  tcase_add_test (tcase, a_small_file_holds_up_nobody);
  suite_add_tcase (suite, tcase);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
