/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Spools: spool-conform.h for every kind there is; sealing and the vectors of doc/formats.md; a tap that
 * writes into one. */
#include "unit/spool-conform.h"
#include "unit/tap-help.h"

/* ---- what holds for every kind ---- */

START_TEST (written_and_read)
{
  conform_spool_written_and_read (&spool_kinds[_i]);
}
END_TEST

START_TEST (positions_are_durable_by_name)
{
  conform_spool_positions_are_durable_by_name (&spool_kinds[_i]);
}
END_TEST

START_TEST (cut_at_every_byte)
{
  conform_spool_cut_at_every_byte (&spool_kinds[_i]);
}
END_TEST

START_TEST (flipped_bits)
{
  conform_spool_flipped_bits (&spool_kinds[_i]);
}
END_TEST

START_TEST (one_damaged_record)
{
  conform_spool_one_damaged_record (&spool_kinds[_i]);
}
END_TEST

START_TEST (budget)
{
  conform_spool_budget (&spool_kinds[_i]);
}
END_TEST

START_TEST (forgotten)
{
  conform_spool_forgotten (&spool_kinds[_i]);
}
END_TEST

START_TEST (full_disk)
{
  conform_spool_full_disk (&spool_kinds[_i]);
}
END_TEST

START_TEST (numbers_go_on_behind_readers)
{
  conform_spool_numbers_go_on_behind_readers (&spool_kinds[_i]);
}
END_TEST

START_TEST (damage_is_kept)
{
  conform_spool_damage_is_kept (&spool_kinds[_i]);
}
END_TEST

START_TEST (one_writer)
{
  conform_spool_one_writer (&spool_kinds[_i]);
}
END_TEST

/* ---- sealing ---- */

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
  tcase_add_loop_test (cases, written_and_read, 0, (int) N_SPOOL_KINDS);
  tcase_add_loop_test (cases, positions_are_durable_by_name, 0, (int) N_SPOOL_KINDS);
  tcase_add_loop_test (cases, cut_at_every_byte, 0, (int) N_SPOOL_KINDS);
  tcase_add_loop_test (cases, flipped_bits, 0, (int) N_SPOOL_KINDS);
  tcase_add_loop_test (cases, one_damaged_record, 0, (int) N_SPOOL_KINDS);
  tcase_add_loop_test (cases, budget, 0, (int) N_SPOOL_KINDS);
  tcase_add_loop_test (cases, forgotten, 0, (int) N_SPOOL_KINDS);
  tcase_add_loop_test (cases, full_disk, 0, (int) N_SPOOL_KINDS);
  tcase_add_loop_test (cases, numbers_go_on_behind_readers, 0, (int) N_SPOOL_KINDS);
  tcase_add_loop_test (cases, damage_is_kept, 0, (int) N_SPOOL_KINDS);
  tcase_add_loop_test (cases, one_writer, 0, (int) N_SPOOL_KINDS);
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
