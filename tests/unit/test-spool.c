/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Spools: what was written is read, whatever was torn off, changed, dropped or full; the vectors of
 * doc/formats.md; a tap that writes into one. Most of it in the clear and sealed. */
#include "data/spool-private.h"
#include "unit/spool-help.h"
#include "unit/tap-help.h"

#include <signal.h>
#include <sys/resource.h>

/* of a loop test: 0 in the clear, 1 sealed */
#define KEY(i) ((i) % 2 == 0 ? NULL : spool_key)

START_TEST (written_and_read)
{
  char *folder = spool_folder ();
  FarSpool *spool = spool_open_with (folder, KEY (_i), 0, 4096);
  g_autoptr (FarSpoolReader) one = spool_reader (folder, KEY (_i), "one"),
                             two = spool_reader (folder, KEY (_i), NULL);
  spool_expect_nothing (one);
  for (guint64 n = 1; n <= 300;
       n++) { /* over many segments; one reader follows at once, the other by and by */
    spool_add (spool, n);
    spool_expect (one, n);
    spool_expect_nothing (one);
    if (n > 50)
      spool_expect (two, n - 50);
  }
  for (guint64 n = 251; n <= 300; n++)
    spool_expect (two, n);
  spool_expect_nothing (two);
  far_spool_close (spool);
  spool_folder_remove (folder);
}
END_TEST

START_TEST (positions_are_durable_by_name)
{
  char *folder = spool_folder ();
  FarSpool *spool = spool_open_with (folder, KEY (_i), 0, 1024);
  for (guint64 n = 1; n <= 60; n++)
    spool_add (spool, n);
  for (guint64 n = 1; n <= 60; n += 20) {
    g_autoptr (FarSpoolReader) reader = spool_reader (folder, KEY (_i), "uplink");
    for (guint64 i = n; i < n + 20; i++)
      spool_expect (reader, i);
    ck_assert (far_spool_reader_commit (reader, NULL));
  }
  g_autoptr (FarSpoolReader) again = spool_reader (folder, KEY (_i), "uplink");
  spool_expect_nothing (again);
  g_autoptr (FarSpoolReader) other = spool_reader (folder, KEY (_i), "copy");
  spool_expect (other, 1);
  ck_assert_ptr_null (far_spool_reader_open (folder, NULL, "../x", NULL));
  ck_assert_ptr_null (far_spool_reader_open (folder, NULL, "", NULL));
  far_spool_close (spool);
  spool_folder_remove (folder);
}
END_TEST

/* A kill at any byte: all whole records before are read, writing goes on, and the new ones are read too. */
START_TEST (cut_at_every_byte)
{
  enum { N = 6 };
  char *folder = spool_folder ();
  gsize ends[N + 1] = { SPOOL_HEAD_SIZE }, size = 0;
  g_autofree char *bytes = NULL, *path = spool_file (folder, 1);
  FarSpool *spool = spool_open_with (folder, KEY (_i), 0, 0);
  for (guint64 n = 1; n <= N; n++) {
    spool_add (spool, n);
    ends[n] = far_spool_size (spool);
  }
  far_spool_close (spool);
  ck_assert (g_file_get_contents (path, &bytes, &size, NULL));
  ck_assert_uint_eq (size, ends[N]);
  for (gsize cut = 0; cut <= size; cut++) {
    guint64 whole = 0;
    while (whole < N && ends[whole + 1] <= cut)
      whole++;
    ck_assert (g_file_set_contents (path, bytes, (gssize) cut, NULL));
    spool = spool_open_with (folder, KEY (_i), 0, 0);
    spool_add (spool, whole + 1);
    spool_add (spool, whole + 2);
    far_spool_close (spool);
    g_autoptr (FarSpoolReader) reader = spool_reader (folder, KEY (_i), NULL);
    for (guint64 n = 1; n <= whole + 2; n++)
      spool_expect (reader, n);
    spool_expect_nothing (reader);
    g_autofree char *next = spool_file (folder, whole + 1);
    if (whole > 0)
      ck_assert_int_eq (g_unlink (next), 0);
  }
  spool_folder_remove (folder);
}
END_TEST

/* Any flipped bit costs at most the records it touches and what cannot be told from it; nothing wrong is ever
 * shown, and the next segment is read. */
START_TEST (flipped_bits)
{
  enum { N = 5 };
  char *folder = spool_folder ();
  gsize size = 0;
  g_autofree char *bytes = NULL, *path = spool_file (folder, 1);
  FarSpool *spool = spool_open_with (folder, KEY (_i), 0, 0);
  for (guint64 n = 1; n <= N; n++)
    spool_add (spool, n);
  far_spool_close (spool);
  spool = spool_open_with (folder, KEY (_i), 0, 0); /* a segment of its own */
  spool_add (spool, N + 1);
  far_spool_close (spool);
  ck_assert (g_file_get_contents (path, &bytes, &size, NULL));
  for (gsize bit = 0; bit < size * 8; bit += 3) {
    guint64 due = 1;
    FarSpoolItem item;
    FarSpoolRead read;
    bytes[bit / 8] ^= (char) (1 << (bit % 8));
    ck_assert (g_file_set_contents (path, bytes, (gssize) size, NULL));
    bytes[bit / 8] ^= (char) (1 << (bit % 8));
    g_autoptr (FarSpoolReader) reader = spool_reader (folder, KEY (_i), NULL);
    while ((read = far_spool_reader_next (reader, &item, NULL)) != FAR_SPOOL_NOTHING) {
      g_autofree char *text = spool_text (item.sequence);
      ck_assert_int_ne (read, FAR_SPOOL_ERROR);
      ck_assert_uint_ge (item.sequence, due);
      if (read == FAR_SPOOL_RECORD)
        ck_assert_mem_eq (item.data, text, item.size);
      due = item.sequence + (read == FAR_SPOOL_RECORD ? 1 : item.lost);
    }
    ck_assert_uint_eq (due, N + 2);
  }
  spool_folder_remove (folder);
}
END_TEST

/* One damaged byte in a record costs that record. */
START_TEST (one_damaged_record)
{
  char *folder = spool_folder ();
  gsize size = 0;
  g_autofree char *bytes = NULL, *path = spool_file (folder, 1);
  FarSpool *spool = spool_open_with (folder, KEY (_i), 0, 0);
  gsize first = 0;
  for (guint64 n = 1; n <= 3; n++) {
    spool_add (spool, n);
    first = n == 1 ? far_spool_size (spool) : first;
  }
  far_spool_close (spool);
  ck_assert (g_file_get_contents (path, &bytes, &size, NULL));
  bytes[first + SPOOL_RECORD_HEAD_SIZE + 2] ^= 1;
  ck_assert (g_file_set_contents (path, bytes, (gssize) size, NULL));
  g_autoptr (FarSpoolReader) reader = spool_reader (folder, KEY (_i), NULL);
  spool_expect (reader, 1);
  spool_expect_gap (reader, 2, 1);
  spool_expect (reader, 3);
  spool_folder_remove (folder);
}
END_TEST

/* The budget drops the oldest segments; readers that were behind are told how many records they missed. */
START_TEST (budget)
{
  char *folder = spool_folder ();
  FarSpool *spool = spool_open_with (folder, KEY (_i), 8192, 0);
  g_autoptr (FarSpoolReader) reader = spool_reader (folder, KEY (_i), "slow");
  FarSpoolItem item;
  spool_add (spool, 1);
  spool_expect (reader, 1);
  ck_assert (far_spool_reader_commit (reader, NULL));
  for (guint64 n = 2; n <= 1000; n++) {
    spool_add (spool, n);
    ck_assert_uint_le (far_spool_size (spool), 8192);
  }
  g_autoptr (FarSpoolReader) again = spool_reader (folder, KEY (_i), "slow");
  ck_assert_int_eq (far_spool_reader_next (again, &item, NULL), FAR_SPOOL_GAP);
  ck_assert_uint_eq (item.sequence, 2);
  for (guint64 n = 2 + item.lost; n <= 1000; n++)
    spool_expect (again, n);
  ck_assert_uint_gt (item.lost, 500);
  ck_assert_uint_lt (item.lost, 950);
  guint8 much[9000] = { 0 };
  g_autoptr (GError) error = NULL;
  ck_assert_uint_eq (far_spool_append (spool, much, sizeof much, 0, &error), 0);
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_INVALID));
  far_spool_close (spool);
  spool_folder_remove (folder);
}
END_TEST

/* What nobody needs any more goes, segment by segment, but not what is written to; numbers go on, and no
 * reader that is further is told a gap. */
START_TEST (forgotten)
{
  char *folder = spool_folder ();
  FarSpool *spool = spool_open_with (folder, KEY (_i), 0, 1024);
  g_autofree char *first = spool_file (folder, 1);
  g_autoptr (FarSpoolReader) reader = spool_reader (folder, KEY (_i), "uplink");
  for (guint64 n = 1; n <= 100; n++)
    spool_add (spool, n);
  for (guint64 n = 1; n <= 60; n++)
    spool_expect (reader, n);
  ck_assert (far_spool_reader_commit (reader, NULL));
  guint64 before = far_spool_size (spool);
  far_spool_forget (spool, 2);
  ck_assert_uint_eq (far_spool_size (spool), before);
  far_spool_forget (spool, 61);
  ck_assert (!g_file_test (first, G_FILE_TEST_EXISTS));
  ck_assert_uint_lt (far_spool_size (spool), before - before / 3);
  g_autoptr (FarSpoolReader) again = spool_reader (folder, KEY (_i), "uplink");
  for (guint64 n = 61; n <= 100; n++)
    spool_expect (again, n);
  ck_assert (far_spool_reader_commit (again, NULL));
  far_spool_forget (spool, 101);
  ck_assert_uint_le (far_spool_size (spool), 1024);
  ck_assert_uint_gt (far_spool_size (spool), 0);
  far_spool_close (spool);
  spool = spool_open_with (folder, KEY (_i), 0, 1024);
  far_spool_forget (spool, 101);
  ck_assert_uint_eq (far_spool_size (spool), 0);
  spool_add (spool, 101);
  spool_expect (again, 101);
  far_spool_close (spool);
  spool_folder_remove (folder);
}
END_TEST

/* A full disk (here: the largest size of a file): the error says so, nothing half is read, and when there is
 * room again the same number is written. */
START_TEST (full_disk)
{
  char *folder = spool_folder ();
  struct rlimit before, small = { 700, RLIM_INFINITY };
  g_autoptr (GError) error = NULL;
  guint64 n = 1;
  FarSpool *spool = spool_open_with (folder, KEY (_i), 0, 0);
  signal (SIGXFSZ, SIG_IGN);
  ck_assert_int_eq (getrlimit (RLIMIT_FSIZE, &before), 0);
  small.rlim_max = before.rlim_max;
  ck_assert_int_eq (setrlimit (RLIMIT_FSIZE, &small), 0);
  for (g_autofree char *text = g_strnfill (300, 'x'); far_spool_append (spool, text, 300, 0, &error) != 0;)
    n++;
  ck_assert_uint_eq (n, 2);
  ck_assert_msg (g_error_matches (error, FAR_ERROR, FAR_ERROR_FULL), "%s", error->message);
  ck_assert_int_eq (setrlimit (RLIMIT_FSIZE, &before), 0);
  spool_add (spool, 2);
  spool_add (spool, 3);
  g_autoptr (FarSpoolReader) reader = spool_reader (folder, KEY (_i), NULL);
  FarSpoolItem item;
  ck_assert_int_eq (far_spool_reader_next (reader, &item, NULL), FAR_SPOOL_RECORD);
  ck_assert_uint_eq (item.size, 300);
  spool_expect (reader, 2);
  spool_expect (reader, 3);
  spool_expect_nothing (reader);
  far_spool_close (spool);
  spool_folder_remove (folder);
}
END_TEST

/* What a reader had and a power cut took back is not written again under the same number. */
START_TEST (numbers_go_on_behind_readers)
{
  char *folder = spool_folder ();
  g_autofree char *path = spool_file (folder, 1);
  FarSpool *spool = spool_open_with (folder, KEY (_i), 0, 0);
  for (guint64 n = 1; n <= 10; n++)
    spool_add (spool, n);
  far_spool_close (spool);
  g_autoptr (FarSpoolReader) reader = spool_reader (folder, KEY (_i), "uplink");
  for (guint64 n = 1; n <= 10; n++)
    spool_expect (reader, n);
  ck_assert (far_spool_reader_commit (reader, NULL));
  ck_assert_int_eq (g_unlink (path), 0);
  spool = spool_open_with (folder, KEY (_i), 0, 0);
  spool_add (spool, 11);
  g_autoptr (FarSpoolReader) again = spool_reader (folder, KEY (_i), "uplink");
  spool_expect (again, 11);
  far_spool_close (spool);
  spool_folder_remove (folder);
}
END_TEST

/* A segment that cannot be read is not taken for a torn one, which would be removed. */
START_TEST (damage_is_kept)
{
  char *folder = spool_folder ();
  gsize size = 0;
  g_autofree char *bytes = NULL, *path = spool_file (folder, 1);
  FarSpool *spool = spool_open_with (folder, KEY (_i), 0, 0);
  spool_add (spool, 1);
  far_spool_close (spool);
  ck_assert (g_file_get_contents (path, &bytes, &size, NULL));
  bytes[30] ^= 1; /* in the head */
  ck_assert (g_file_set_contents (path, bytes, (gssize) size, NULL));
  spool = spool_open_with (folder, KEY (_i), 0, 0);
  spool_add (spool, 2);
  far_spool_close (spool);
  ck_assert (g_file_test (path, G_FILE_TEST_EXISTS));
  g_autoptr (FarSpoolReader) reader = spool_reader (folder, KEY (_i), NULL);
  spool_expect (reader, 2);
  spool_folder_remove (folder);
}
END_TEST

START_TEST (one_writer)
{
  char *folder = spool_folder ();
  const FarSpoolSpec spec = { .folder = folder };
  g_autoptr (GError) error = NULL;
  FarSpool *spool = spool_open_with (folder, NULL, 0, 0);
  ck_assert_ptr_null (far_spool_open (&spec, &error));
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_CONFLICT));
  far_spool_close (spool);
  spool = spool_open_with (folder, NULL, 0, 0);
  far_spool_close (spool);
  spool_folder_remove (folder);
}
END_TEST

/* Sealed: nothing in the clear on the disk, another key reads nothing, no two segments have the same key. */
START_TEST (sealed)
{
  static const guint8 other[FAR_SPOOL_KEY_SIZE] = { 9 };
  char *folder = spool_folder ();
  g_autofree char *path = spool_file (folder, 1), *bytes = NULL, *more = spool_file (folder, 2),
                  *bytes_more = NULL;
  gsize size = 0, size_more = 0;
  FarSpoolItem item;
  for (guint64 n = 1; n <= 2; n++) {
    FarSpool *spool = spool_open_with (folder, spool_key, 0, 0);
    spool_add (spool, n);
    far_spool_close (spool);
  }
  ck_assert (g_file_get_contents (path, &bytes, &size, NULL));
  ck_assert (g_file_get_contents (more, &bytes_more, &size_more, NULL));
  for (gsize i = 0; i + 6 <= size; i++)
    ck_assert_int_ne (memcmp (bytes + i, "record", 6), 0);
  ck_assert_int_ne (memcmp (bytes + 24, bytes_more + 24, SPOOL_SALT_SIZE), 0);
  for (guint i = 0; i < 2; i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (FarSpoolReader) reader = spool_reader (folder, i == 0 ? NULL : other, NULL);
    ck_assert_int_eq (far_spool_reader_next (reader, &item, &error), FAR_SPOOL_ERROR);
    ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_DENIED));
  }
  spool_folder_remove (folder);
}
END_TEST

/* ---- vectors of doc/formats.md ---- */

static GByteArray *
vector (const char *name)
{
  g_autofree char *path = g_build_filename (g_getenv ("FARWATCH_TEST_SRCDIR"), "doc", "formats.md", NULL);
  g_autofree char *text = NULL, *mark = g_strdup_printf ("Vector `%s`", name);
  GByteArray *bytes = g_byte_array_new ();
  ck_assert (g_file_get_contents (path, &text, NULL, NULL));
  const char *at = strstr (text, mark);
  ck_assert_msg (at != NULL, "no %s", mark);
  for (at = strstr (at, "\n\n    ") + 6; g_ascii_isxdigit (at[0]) && g_ascii_isxdigit (at[1]); at += 2) {
    guint8 byte = (guint8) (g_ascii_xdigit_value (at[0]) * 16 + g_ascii_xdigit_value (at[1]));
    g_byte_array_append (bytes, &byte, 1);
  }
  return bytes;
}

static char *
hex (const guint8 *bytes, gsize size)
{
  GString *text = g_string_new (NULL);
  for (gsize i = 0; i < size; i++)
    g_string_append_printf (text, "%02x", bytes[i]);
  return g_string_free (text, FALSE);
}

START_TEST (vectors)
{
  guint8 key[FAR_SPOOL_KEY_SIZE], segment_key[FAR_SPOOL_KEY_SIZE], bytes[SPOOL_HEAD_SIZE];
  SpoolHead head = { .sealed = _i == 1, .first = 7 };
  g_autoptr (GByteArray) made = g_byte_array_new (),
                         wanted = vector (_i == 0 ? "spool-clear" : "spool-sealed");
  for (guint i = 0; i < FAR_SPOOL_KEY_SIZE; i++)
    key[i] = (guint8) (i + 1);
  for (guint i = 0; i < SPOOL_SALT_SIZE && _i == 1; i++)
    head.salt[i] = (guint8) (0xa0 + i);
  far_spool_segment_key (key, &head, segment_key);
  far_spool_head_write (&head, bytes);
  g_byte_array_append (made, bytes, sizeof bytes);
  far_spool_record_write (made, 7, 1700000000000000, "hello", 5, _i == 1 ? segment_key : NULL);
  g_autofree char *text = hex (made->data, made->len), *right = hex (wanted->data, wanted->len);
  ck_assert_str_eq (text, right);
}
END_TEST

/* ---- a tap into a spool ---- */

START_TEST (a_tap_writes_records)
{
  char *folder = spool_folder ();
  Loops loops = { .one = NULL };
  Report report = { 0 };
  FarPumpSpec spec = { .session = "s1", .target = "plc", .closed = report_closed, .user = &report };
  const FarLegMatch match = { .session = "s1" };
  int a, b;
  char text[8];
  loops_start (&loops);
  FarTap *tap = far_tap_spool (&match, spool_open_with (folder, spool_key, 0, 0), loops.three);
  FarStream *end_a = end_make (&loops, KIND_UNIX_ONE, &a), *end_b = end_make (&loops, KIND_UNIX_TWO, &b);
  far_pump_start (end_a, end_b, &spec);
  ck_assert_int_eq (send (a, "hello", 5, 0), 5);
  ck_assert_int_eq (recv (b, text, 5, MSG_WAITALL), 5);
  ck_assert_int_eq (send (b, "yes", 3, 0), 3);
  ck_assert_int_eq (recv (a, text, 3, MSG_WAITALL), 3);
  close (a);
  close (b);
  report_wait (&report);
  for (guint i = 0; i < 4; i++)
    help_settle (loops.three);
  far_leg_untap (tap);
  help_settle (loops.three);
  static const struct {
    guint8 kind, from_a;
    const char *end;
  } wanted[] = { { 1, 0, "" }, { 2, 1, "hello" }, { 2, 0, "yes" }, { 4, 0, "" } };
  g_autoptr (FarSpoolReader) reader = spool_reader (folder, spool_key, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (wanted); i++) {
    FarSpoolItem item;
    gsize size = strlen (wanted[i].end);
    ck_assert_int_eq (far_spool_reader_next (reader, &item, NULL), FAR_SPOOL_RECORD);
    ck_assert_uint_eq (item.data[0], wanted[i].kind);
    if (wanted[i].kind == 2)
      ck_assert_uint_eq (item.data[9], wanted[i].from_a);
    ck_assert_mem_eq (item.data + item.size - size, wanted[i].end, size);
  }
  spool_expect_nothing (reader);
  loops_stop (&loops);
  spool_folder_remove (folder);
}
END_TEST

static void
hang (gpointer data)
{
  g_mutex_lock (data);
  g_mutex_unlock (data);
}

static void
short_leg (Loops *loops)
{
  Report report = { 0 };
  FarPumpSpec spec = { .session = "s1", .closed = report_closed, .user = &report };
  int a, b;
  FarStream *end_a = end_make (loops, KIND_UNIX_ONE, &a), *end_b = end_make (loops, KIND_UNIX_ONE, &b);
  far_pump_start (end_a, end_b, &spec);
  close (a);
  close (b);
  report_wait (&report);
}

/* Its loop hangs, as on a dead disk, while more legs come and go than it keeps: a record says how many it
 * knows nothing of. */
START_TEST (a_tap_counts_what_it_missed)
{
  enum { KEPT = FAR_TAP_UNSEEN / (2 * FAR_TAP_RING), MISSED = 2 };
  char *folder = spool_folder ();
  Loops loops = { .one = NULL };
  const FarLegMatch match = { .session = "s1" };
  FarSpoolItem item;
  GMutex slow;
  guint began = 0;
  guint64 missed = 0;
  g_mutex_init (&slow);
  loops_start (&loops);
  FarTap *tap = far_tap_spool (&match, spool_open_with (folder, spool_key, 0, 0), loops.three);
  g_mutex_lock (&slow);
  far_loop_post (loops.three, hang, &slow);
  for (guint i = 0; i < KEPT + MISSED; i++)
    short_leg (&loops);
  g_mutex_unlock (&slow);
  for (guint i = 0; i < 4; i++)
    help_settle (loops.three);
  far_leg_untap (tap);
  help_settle (loops.three);
  g_autoptr (FarSpoolReader) reader = spool_reader (folder, spool_key, NULL);
  while (far_spool_reader_next (reader, &item, NULL) == FAR_SPOOL_RECORD) {
    began += item.data[0] == 1;
    if (item.data[0] == 5) {
      ck_assert_uint_eq (item.size, 17);
      missed += item.data[16];
    }
  }
  ck_assert_uint_eq (began, KEPT);
  ck_assert_uint_eq (missed, MISSED);
  loops_stop (&loops);
  spool_folder_remove (folder);
  g_mutex_clear (&slow);
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  TCase *cases = tcase_create ("spool");
  tcase_set_timeout (cases, 60);
  tcase_add_loop_test (cases, written_and_read, 0, 2);
  tcase_add_loop_test (cases, positions_are_durable_by_name, 0, 2);
  tcase_add_loop_test (cases, cut_at_every_byte, 0, 2);
  tcase_add_loop_test (cases, flipped_bits, 0, 2);
  tcase_add_loop_test (cases, one_damaged_record, 0, 2);
  tcase_add_loop_test (cases, budget, 0, 2);
  tcase_add_loop_test (cases, forgotten, 0, 2);
  tcase_add_loop_test (cases, full_disk, 0, 2);
  tcase_add_loop_test (cases, numbers_go_on_behind_readers, 0, 2);
  tcase_add_loop_test (cases, damage_is_kept, 0, 2);
  tcase_add_test (cases, one_writer);
  tcase_add_test (cases, sealed);
  tcase_add_loop_test (cases, vectors, 0, 2);
  tcase_add_test (cases, a_tap_writes_records);
  tcase_add_test (cases, a_tap_counts_what_it_missed);
  Suite *suite = suite_create ("spool");
  suite_add_tcase (suite, cases);
  SRunner *runner = srunner_create (suite);
  srunner_run_all (runner, CK_NORMAL);
  int failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed > 0;
}
