/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The format of backups: the vectors of doc/formats.md, what is written is read, and what bad bytes get. */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ctl-support/backup.h"

#define PASSPHRASE "four words are a passphrase"
#define LARGE 200000

static const guint8 secret[FAR_BACKUP_KEY] = {
  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16,
  17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32
};
static guint8 box[FAR_BACKUP_KEY];

static void
set_up (void)
{
  gsize size = 0;
  g_autofree guchar *open = g_base64_decode ("B6N8vBQgk8i3VdwbEOhstCY3StFqqFPtC9/AsrhtHHw=", &size);

  ck_assert_uint_eq (size, FAR_BACKUP_KEY);
  memcpy (box, open, size);
}

static int
file_of (gconstpointer bytes, gsize size)
{
  int fd = memfd_create ("backup", MFD_CLOEXEC);

  ck_assert_int_ge (fd, 0);
  ck_assert_int_eq (write (fd, bytes, size), (gssize) size);
  ck_assert_int_eq (lseek (fd, 0, SEEK_SET), 0);
  return fd;
}

static FarBackupLock
lock_of (FarBackupMode mode)
{
  return (FarBackupLock){ mode, mode == FAR_BACKUP_PASSPHRASE ? PASSPHRASE : NULL,
                          mode == FAR_BACKUP_BOX ? box : NULL, mode == FAR_BACKUP_BOX ? secret : NULL };
}

static void
put (FarBackupOut *out, const char *path, const char *bytes, gsize size)
{
  json_t *head = json_pack ("{s:s}", "path", path);

  ck_assert (far_backup_entry (out, head, size, NULL));
  ck_assert (far_backup_write (out, bytes, size, NULL));
  json_decref (head);
}

/* A small entry, an empty one, one of several chunks. */
static GByteArray *
written (FarBackupMode mode)
{
  FarBackupLock lock = lock_of (mode);
  int fd = memfd_create ("backup", MFD_CLOEXEC);
  g_autoptr (FarBackupOut) out = far_backup_create (fd, &lock, NULL);
  g_autofree char *large = g_strnfill (LARGE, 'x');
  GByteArray *bytes = g_byte_array_new ();
  off_t size;

  ck_assert_ptr_nonnull (out);
  put (out, "state/a", "hello", 5);
  put (out, "state/b", "", 0);
  put (out, "state/c", large, LARGE);
  ck_assert (far_backup_end (out, NULL));
  size = lseek (fd, 0, SEEK_CUR);
  g_byte_array_set_size (bytes, (guint) size);
  ck_assert_int_eq (pread (fd, bytes->data, (gsize) size, 0), size);
  close (fd);
  return bytes;
}

/* Number of entries, -1: refused. The bytes read are added up. */
static int
read_all (gconstpointer bytes, gsize size, const FarBackupLock *lock, gsize *sum, GError **error)
{
  int fd = file_of (bytes, size), entries = 0;
  g_autoptr (FarBackupIn) in = far_backup_open (fd, lock, error);
  g_autoptr (GError) local = NULL;
  char part[1000];
  guint64 n = 0;
  gsize got;
  json_t *head;

  while (in != NULL && local == NULL && (head = far_backup_next (in, &n, &local)) != NULL) {
    json_decref (head);
    entries++;
    while ((got = far_backup_read (in, part, sizeof part, &local)) > 0)
      *sum += got;
  }
  close (fd);
  if (in != NULL && local == NULL)
    return entries;
  if (local != NULL)
    g_propagate_error (error, g_steal_pointer (&local));
  return -1;
}

START_TEST (what_is_written_is_read)
{
  g_autoptr (GByteArray) bytes = written ((FarBackupMode) _i);
  FarBackupLock lock = lock_of ((FarBackupMode) _i), none = { 0 };
  g_autoptr (GError) error = NULL;
  gsize sum = 0;

  ck_assert_int_eq (read_all (bytes->data, bytes->len, &lock, &sum, NULL), 3);
  ck_assert_uint_eq (sum, LARGE + 5);
  ck_assert_int_eq (read_all (bytes->data, bytes->len, &none, &sum, &error), _i == FAR_BACKUP_PLAIN ? 3 : -1);
  if (_i != FAR_BACKUP_PLAIN)
    ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_DENIED));
}
END_TEST

/* Every byte of the front and of what is around chunks' borders; every length. */
START_TEST (every_change_is_refused)
{
  g_autoptr (GByteArray) bytes = written (FAR_BACKUP_BOX);
  FarBackupLock lock = lock_of (FAR_BACKUP_BOX);
  gsize sum = 0;

  for (guint at = 0; at < bytes->len; at += at < 250 || at + 250 > bytes->len ? 1 : 997) {
    bytes->data[at] ^= 4;
    ck_assert_msg (read_all (bytes->data, bytes->len, &lock, &sum, NULL) == -1, "byte %u changed", at);
    bytes->data[at] ^= 4;
    ck_assert_msg (read_all (bytes->data, at, &lock, &sum, NULL) == -1, "cut at %u", at);
  }
  g_byte_array_append (bytes, (const guint8 *) "", 1);
  ck_assert_int_eq (read_all (bytes->data, bytes->len, &lock, &sum, NULL), -1);
}
END_TEST

START_TEST (chunks_do_not_change_places)
{
  g_autoptr (GByteArray) bytes = written (FAR_BACKUP_PLAIN);
  FarBackupLock lock = { 0 };
  gsize chunk = 4 + 65536 + 17, first = 5 + 1 + 32 + 24, sum = 0;
  g_autofree guint8 *one = g_memdup2 (bytes->data + first, chunk);

  memcpy (bytes->data + first, bytes->data + first + chunk, chunk);
  memcpy (bytes->data + first + chunk, one, chunk);
  ck_assert_int_eq (read_all (bytes->data, bytes->len, &lock, &sum, NULL), -1);
}
END_TEST

START_TEST (a_costly_key_is_not_made)
{
  g_autoptr (GByteArray) bytes = written (FAR_BACKUP_PASSPHRASE);
  FarBackupLock lock = lock_of (FAR_BACKUP_PASSPHRASE);
  g_autoptr (GError) error = NULL;
  gsize sum = 0;

  memset (bytes->data + 6 + 16, 0xff, 8);
  ck_assert_int_eq (read_all (bytes->data, bytes->len, &lock, &sum, &error), -1);
  ck_assert_msg (strstr (error->message, "costlier") != NULL, "%s", error->message);
}
END_TEST

START_TEST (a_short_passphrase_is_refused)
{
  FarBackupLock lock = { FAR_BACKUP_PASSPHRASE, "short", NULL, NULL };

  ck_assert_ptr_null (far_backup_create (-1, &lock, NULL));
}
END_TEST

START_TEST (paths_stay_below)
{
  static const char *const good[] = { "state", "state/keys/node.key", "stores/main", "state/..a", "state/ü" };
  static const char *const bad[] = { "",       "/etc/passwd", "..",   "state/../../etc", "state//a",
                                     "state/", "state/.",     "a\nb", "state/\377" };

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    ck_assert_msg (far_backup_path_ok (good[i]), "%s", good[i]);
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    ck_assert_msg (!far_backup_path_ok (bad[i]), "%s", bad[i]);
}
END_TEST

/* The base64 behind "Vector `NAME`" in doc/formats.md. */
static guchar *
vector (const char *name, gsize *size)
{
  const char *top = g_getenv ("FARWATCH_TEST_SRCDIR");
  g_autofree char *path = g_build_filename (top != NULL ? top : ".", "doc", "formats.md", NULL), *text = NULL;
  g_autofree char *mark = g_strdup_printf ("Vector `%s`", name), *line = NULL;
  const char *at;

  ck_assert (g_file_get_contents (path, &text, NULL, NULL));
  at = strstr (text, mark);
  ck_assert_ptr_nonnull (at);
  at = strstr (at, "\n    ") + 5;
  line = g_strndup (at, strcspn (at, "\n"));
  return g_base64_decode (line, size);
}

START_TEST (vectors)
{
  static const char *const names[] = { "backup-plain", "backup-passphrase", "backup-key" };
  FarBackupLock lock = lock_of ((FarBackupMode) _i);
  gsize size = 0;
  g_autofree guchar *bytes = vector (names[_i], &size);
  int fd = file_of (bytes, size);
  g_autoptr (FarBackupIn) in = far_backup_open (fd, &lock, NULL);
  g_autoptr (GError) error = NULL;
  char text[16] = "";
  guint64 n = 0;
  json_t *head;

  ck_assert_ptr_nonnull (in);
  head = far_backup_next (in, &n, &error);
  ck_assert_str_eq (json_string_value (json_object_get (head, "path")), "state/a");
  ck_assert_uint_eq (far_backup_read (in, text, sizeof text, NULL), 5);
  ck_assert_str_eq (text, "hello");
  json_decref (head);
  ck_assert_ptr_null (far_backup_next (in, &n, &error));
  ck_assert_ptr_null (error);
  close (fd);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("backup");
  TCase *tcase = tcase_create ("backup");
  SRunner *runner = srunner_create (suite);
  int failed;

  tcase_set_timeout (tcase, 120);
  tcase_add_checked_fixture (tcase, set_up, NULL);
  tcase_add_loop_test (tcase, what_is_written_is_read, 0, 3);
  tcase_add_test (tcase, every_change_is_refused);
  tcase_add_test (tcase, chunks_do_not_change_places);
  tcase_add_test (tcase, a_costly_key_is_not_made);
  tcase_add_test (tcase, a_short_passphrase_is_refused);
  tcase_add_test (tcase, paths_stay_below);
  tcase_add_loop_test (tcase, vectors, 0, 3);
  suite_add_tcase (suite, tcase);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
