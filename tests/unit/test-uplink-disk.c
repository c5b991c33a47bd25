/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The uplink on a disk that is full, cut off at any byte by a kill, or has what an older version left: every
 * group arrives once, or is among those that were counted as dropped. */
#include "config.h"

#include "unit/uplink-help.h"

#include <glib/gstdio.h>
#include <stdlib.h>

#include "unit/spool-help.h"

/* Killed after each number of batches that went up, committed or not, answered or not. */
START_TEST (a_kill_neither_loses_nor_doubles)
{
  Terminal *terminal;
  guint next = 0;

  begin (_i == 0 ? "sqlite" : "file");
  for (guint round = 0; round < 12; round++) {
    guint sent = 0;

    test_link.up = FALSE;
    terminal = terminal_new ();
    measure_batches (terminal, next, next + 320, 4);
    next += 320;
    node_until (all_written, terminal);
    sent = test_link.sent + (guint) g_rand_int_range (test_link.chance, 1, 90);
    test_link.faults = 20;
    set_link (terminal, TRUE);
    node_until (has_sent, &sent);
    terminal_kill (terminal);
  }
  test_link.faults = 0;
  terminal = terminal_new ();
  send_all (terminal);
  must_be_once (next);
  ck_assert_uint_eq (test_node.dropped, 0);
  end (terminal);
}
END_TEST

/* The newest segment is cut off at each byte: what is whole before goes up, once, and what comes then too. */
START_TEST (a_spool_cut_at_every_byte)
{
  enum { N = 2, GROUPS = 2 };
  g_autofree char *folder = NULL, *path = NULL, *bytes = NULL;
  Terminal *terminal;
  gsize size = 0;
  guint next = N * GROUPS;

  begin ("file");
  folder = terminal_folder ();
  path = spool_file (folder, 1);
  test_link.up = FALSE;
  terminal = terminal_new ();
  measure_batches (terminal, 0, N * GROUPS, GROUPS);
  node_until (all_written, terminal);
  terminal_free (terminal);
  terminal = terminal_new ();
  ck_assert (g_file_get_contents (path, &bytes, &size, NULL));
  for (gsize cut = 0; cut <= size; cut++) {
    terminal_close (terminal);
    terminal_folder_remove ();
    g_mkdir (folder, 0700);
    ck_assert (g_file_set_contents (path, bytes, (gssize) cut, NULL));
    terminal = terminal_new ();
    measure_batches (terminal, next, next + 1, 1);
    next++;
    send_all (terminal);
    test_link.up = FALSE;
  }
  must_be_once (next);
  ck_assert_uint_gt (size, 250);
  end (terminal);
}
END_TEST

/* ---- too much, too little room ---- */

START_TEST (the_budget_drops_the_oldest_and_says_so)
{
  Terminal *terminal;
  g_autoptr (GArray) points = NULL;
  const guint total = 100000;

  begin ("sqlite");
  test_link.up = FALSE;
  terminal = terminal_with (256 * 1024, NULL);
  measure_batches (terminal, 0, total, 100);
  node_until (all_written, terminal);
  ck_assert_uint_le (far_spool_size (terminal->uplink.disk->spool), 256 * 1024);
  if (_i == 1) { /* over a restart too */
    terminal_free (terminal);
    terminal = terminal_with (256 * 1024, NULL);
  }
  send_all (terminal);
  ck_assert_uint_ge (test_link.told_gap, 1);
  ck_assert_uint_gt (test_node.dropped, 0);
  ck_assert_uint_eq (terminal->uplink.lost, 0);
  must_be_counted (total);
  points = arrived ("term-1");
  ck_assert_int_eq (g_array_index (points, FarPoint, points->len - 1).i64, total - 1);
  end (terminal);
}
END_TEST

/* An answer was lost, then the record itself is dropped: nothing takes its number. */
START_TEST (a_dropped_batch_of_unknown_fate)
{
  Terminal *terminal;
  g_autoptr (GArray) points = NULL;

  begin ("file");
  terminal = terminal_with (256 * 1024, NULL);
  test_link.always = LINK_NO_ANSWER;
  measure_batches (terminal, 0, 1000, 200);
  node_for_ms (50);
  test_link.up = FALSE;
  measure_batches (terminal, 1000, 100000, 200);
  node_until (all_written, terminal);
  if (_i == 1) {
    terminal_free (terminal);
    terminal = terminal_with (256 * 1024, NULL);
  }
  test_link.always = LINK_GOOD;
  send_all (terminal);
  points = arrived ("term-1");
  /* what was dropped without an answer may have arrived: never twice, never less than was not dropped */
  ck_assert_uint_ge (points->len + test_node.dropped, 100000);
  ck_assert_uint_le (points->len + test_node.dropped, 100200);
  for (guint i = 1; i < points->len; i++)
    ck_assert_int_gt (g_array_index (points, FarPoint, i).i64, g_array_index (points, FarPoint, i - 1).i64);
  end (terminal);
}
END_TEST

static gboolean
is_stuck (gpointer data)
{
  return ((Terminal *) data)->uplink.stuck;
}

/* A full disk, already at the start or later: while there is a link samples go up; without one a few wait,
 * and those that are dropped are counted; when there is room, the spool goes on. */
START_TEST (a_full_disk_stops_nothing)
{
  Terminal *terminal;
  guint next = 0;

  begin ("sqlite");
  g_atomic_int_set (&test_node.full, _i == 0);
  terminal = terminal_new ();
  if (_i == 1)
    measure_batches (terminal, next, next + 500, 50), next += 500;
  node_until (nothing_left, terminal);
  g_atomic_int_set (&test_node.full, 1);
  for (guint round = 0; round < 20; round++, next += 100) {
    measure_batches (terminal, next, next + 100, 50);
    node_until (nothing_left, terminal);
  }
  ck_assert (terminal->uplink.stuck);
  must_be_once (next);
  set_link (terminal, FALSE);
  for (guint i = 0; i < 200000; i++, next++)
    measure (terminal, next);
  node_until (is_stuck, terminal);
  ck_assert_uint_le (terminal->uplink.unwritten_size, 2 << 20);
  ck_assert_uint_gt (test_node.dropped, 0);
  g_atomic_int_set (&test_node.full, 0);
  node_until (all_written, terminal);
  measure_batches (terminal, next, next + 100, 50), next += 100;
  terminal_free (terminal);
  terminal = terminal_new ();
  send_all (terminal);
  must_be_counted (next);
  end (terminal);
}
END_TEST

/* It was sent while the disk was full, without an answer, and there is room at the end: it keeps its number.
 */
START_TEST (what_was_sent_from_memory_counts_once)
{
  Terminal *terminal;
  guint sent = 2;

  begin ("file");
  terminal = terminal_new ();
  g_atomic_int_set (&test_node.full, 1);
  measure_batches (terminal, 0, 50, 50);
  node_until (nothing_left, terminal);
  test_link.always = _i == 0 ? LINK_NO_ANSWER : LINK_NO_REQUEST;
  measure_batches (terminal, 50, 100, 50);
  node_until (has_sent, &sent);
  node_for_ms (20);
  test_link.up = FALSE;
  g_atomic_int_set (&test_node.full, 0);
  terminal_free (terminal);
  test_link.always = LINK_GOOD;
  terminal = terminal_new ();
  send_all (terminal);
  must_be_once (100);
  end (terminal);
}
END_TEST

/* ---- what an older version left ---- */

static guint
rows_kept (void)
{
  Wait *wait = wait_new ();
  GPtrArray *rows;
  guint n;

  far_store_rows ("spool", "uplink-uplink", NULL, NULL, 10000, FALSE, wait->req);
  rows = wait_result (wait, NULL);
  n = rows->len;
  g_ptr_array_unref (rows);
  return n;
}

/* A row as versions before the spool wrote it. */
static void
row_put (guint number, guint64 epoch, guint value)
{
  FarSample sample = { far_series_of ("term-1", "s.v", "1"), FAR_VALUE_I64, { .i64 = value } };
  FarReading group = { (gint64) value * 1000, FAR_QUALITY_GOOD, NULL, 1, &sample };
  FarBatchBuilder *builder = far_batch_builder_new ();
  g_autofree char *key = g_strdup_printf ("%020u", number), *base64 = NULL, *row = NULL;
  g_autoptr (GBytes) bytes = NULL;
  Wait *wait = wait_new ();

  far_batch_builder_add (builder, &group);
  bytes = far_batch_builder_end (builder);
  base64 = g_base64_encode (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  row = g_strdup_printf ("{\"epoch\":%" G_GUINT64_FORMAT ",\"seq\":%u,\"groups\":1,\"batch\":\"%s\"}", epoch,
                         number, base64);
  far_store_put ("spool", "uplink-uplink", key, row, FAR_EXPECT_ANY, wait->req);
  g_free (wait_result (wait, NULL));
}

static void
rows_put (guint n)
{
  for (guint i = 0; i < n; i++)
    row_put (i + 1, 77, i);
}

/* They go first, under their numbers; the rows go. Killed after they were taken in and before the rows were
 * deleted (round 1), or even before that was noted (round 2), and with the first sent before the update
 * (all): each once. */
START_TEST (rows_of_an_older_version_go_first)
{
  enum { N = 250 };
  Terminal *terminal;

  begin (_i == 0 ? "sqlite" : "file");
  row_put (1, 77, 0);
  terminal = terminal_with (BUDGET, "spool");
  node_until (all_sent, terminal);
  terminal_free (terminal);
  test_link.up = FALSE;
  rows_put (N); /* the first once more: it had been sent */
  terminal = terminal_with (BUDGET, "spool");
  ck_assert_uint_eq (rows_kept (), 0);
  measure_batches (terminal, N, N + 3, 1);
  terminal_close (terminal);
  for (guint round = 1; round < 3; round++) {
    g_autofree char *folder = terminal_folder ();
    UplinkLedger ledger = uplink_ledger_read (folder);

    ck_assert_uint_eq (ledger.row, 0);
    ledger.row = round == 1 ? N + 1 : 1;
    ck_assert (uplink_ledger_write (folder, &ledger, NULL));
    rows_put (N);
    terminal = terminal_with (BUDGET, "spool");
    ck_assert_uint_eq (rows_kept (), 0);
    terminal_close (terminal);
  }
  terminal = terminal_with (BUDGET, "spool");
  ck_assert_uint_eq (terminal->uplink.disk->waiting, N + 3);
  test_link.ordered = TRUE;
  send_all (terminal);
  must_be_once (N + 3);
  end (terminal);
}
END_TEST

/* A store that does not answer at the start: what is in it stays, and samples go up all the same. */
START_TEST (rows_that_cannot_be_read_stay)
{
  Terminal *terminal;

  begin ("file");
  rows_put (5);
  far_instance_end (far_instances_by_path ("stores.spool"));
  terminal = terminal_with (BUDGET, "spool");
  far_instance_try (far_instances_by_path ("stores.spool"));
  measure_batches (terminal, 5, 10, 1);
  node_until (all_sent, terminal);
  terminal_free (terminal);
  ck_assert_uint_eq (rows_kept (), 5);
  terminal = terminal_with (BUDGET, "spool");
  node_until (all_sent, terminal);
  must_be_once (10);
  ck_assert_uint_eq (rows_kept (), 0);
  end (terminal);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("uplink-disk");
  TCase *tcase = tcase_create ("uplink-disk");
  SRunner *runner = srunner_create (suite);
  int failed;

  tcase_set_timeout (tcase, 180);
  tcase_add_checked_fixture (tcase, NULL, node_remove_dirs);
  tcase_add_loop_test (tcase, a_kill_neither_loses_nor_doubles, 0, 2);
  tcase_add_test (tcase, a_spool_cut_at_every_byte);
  tcase_add_loop_test (tcase, the_budget_drops_the_oldest_and_says_so, 0, 2);
  tcase_add_loop_test (tcase, a_dropped_batch_of_unknown_fate, 0, 2);
  tcase_add_loop_test (tcase, a_full_disk_stops_nothing, 0, 2);
  tcase_add_loop_test (tcase, what_was_sent_from_memory_counts_once, 0, 2);
  tcase_add_loop_test (tcase, rows_of_an_older_version_go_first, 0, 2);
  tcase_add_test (tcase, rows_that_cannot_be_read_stay);
  suite_add_tcase (suite, tcase);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
