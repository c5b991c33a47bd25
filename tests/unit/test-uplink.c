/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The uplink against the real intake and a real store, over a link that loses requests, loses answers,
 * doubles and breaks: every group arrives once. What the disk does to it: test-uplink-disk. */
#include "config.h"

#include "unit/uplink-help.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock-private.h"
#include "service-intake/intake.h"

START_TEST (every_group_arrives_once)
{
  Terminal *terminal;
  const guint total = 20000;

  begin (_i == 0 ? "sqlite" : "file");
  test_link.faults = 30;
  test_link.ordered = TRUE;
  terminal = terminal_new ();
  for (guint i = 0; i < total; i++) {
    measure (terminal, i);
    if (i % 50 == 0)
      node_for_ms (1);
    if (i % 1000 == 0)
      set_link (terminal, i % 3000 != 0);
  }
  send_all (terminal);
  must_be_once (total);
  ck_assert_uint_eq (terminal->uplink.lost, 0);
  end (terminal);
}
END_TEST

START_TEST (a_restart_starts_a_new_epoch)
{
  Terminal *terminal;

  begin ("sqlite");
  for (guint round = 0; round < 5; round++) {
    terminal = terminal_new ();
    ck_assert_uint_eq (terminal->uplink.disk->waiting, 0);
    measure_batches (terminal, round * 500, round * 500 + 500, 100);
    node_until (all_sent, terminal);
    terminal_free (terminal);
  }
  must_be_once (2500);
  end (NULL);
}
END_TEST

START_TEST (what_waits_survives_a_restart)
{
  Terminal *terminal;
  const guint before = 2000, after = 500;

  begin (_i == 0 ? "sqlite" : "file");
  test_link.up = FALSE;
  terminal = terminal_new ();
  measure_batches (terminal, 0, before, 2);
  node_until (all_written, terminal); /* nothing waits in memory */
  ck_assert_uint_eq (terminal->uplink.unwritten_size, 0);
  ck_assert_ptr_null (terminal->uplink.head);
  measure (terminal, before); /* not closed yet: the end does */
  terminal_free (terminal);
  terminal = terminal_new ();
  ck_assert_uint_eq (terminal->uplink.disk->waiting, before / 2 + 1);
  measure_batches (terminal, before + 1, before + after, 100);
  test_link.ordered = TRUE;
  send_all (terminal);
  must_be_once (before + after);
  terminal_free (terminal);
  terminal = terminal_new ();
  ck_assert_uint_eq (terminal->uplink.disk->waiting, 0);
  end (terminal);
}
END_TEST

/* The server had them on disk and its answer was lost, then the terminal was started anew: they come again
 * under their numbers. */
START_TEST (what_was_sent_is_not_doubled_by_a_restart)
{
  Terminal *terminal;

  begin (_i == 0 ? "sqlite" : "file");
  terminal = terminal_new ();
  test_link.always = LINK_NO_ANSWER;
  measure_batches (terminal, 0, 1000, 200);
  node_for_ms (100);
  ck_assert_uint_gt (test_link.sent, 0);
  test_link.up = FALSE;
  terminal_free (terminal);
  test_link.always = LINK_GOOD;
  terminal = terminal_new ();
  ck_assert_uint_eq (terminal->uplink.disk->waiting, 5);
  send_all (terminal);
  must_be_once (1000);
  end (terminal);
}
END_TEST

START_TEST (restarts_and_faults_at_any_time)
{
  Terminal *terminal = NULL;
  guint next = 0;

  begin (_i == 0 ? "sqlite" : "file");
  test_link.faults = 30;
  for (guint round = 0; round < 20; round++) {
    terminal = terminal_new ();
    set_link (terminal, round % 3 != 0);
    for (guint n = (guint) g_rand_int_range (test_link.chance, 1, 900); n > 0; n--) {
      measure (terminal, next++);
      if (n % 40 == 0)
        node_for_ms (1);
    }
    terminal_free (terminal);
  }
  terminal = terminal_new ();
  send_all (terminal);
  must_be_once (next);
  ck_assert_uint_eq (test_node.dropped, 0);
  end (terminal);
}
END_TEST

/* ---- times ---- */

/* Measured before the time was told, by a clock that was a day off; some before the machine was started anew.
 * The link then tells, and the answer to the first is lost, then the terminal is killed. */
START_TEST (what_a_wrong_clock_stamped_is_moved_or_marked)
{
  const gint64 day = G_TIME_SPAN_DAY * (_i == 0 ? 1 : -1);
  g_autoptr (GArray) points = NULL;
  Terminal *terminal;
  guint sent = 1;

  begin ("sqlite");
  test_link.up = FALSE;
  terminal = terminal_new ();
  measure_batches (terminal, 0, 200, 200);
  test_node.boot[0] = 'x';
  measure_batches (terminal, 200, 400, 200);
  terminal_free (terminal);
  test_node.boot[0] = '0';
  terminal = terminal_new ();
  ck_assert_uint_eq (terminal->uplink.disk->waiting, 2);
  measure (terminal, 400);
  far_clock_set_told (far_clock_wall_us () + day);
  measure_batches (terminal, 401, 402, 1);
  node_until (all_written, terminal);
  test_link.always = LINK_NO_ANSWER;
  set_link (terminal, TRUE);
  node_until (has_sent, &sent);
  node_for_ms (20);
  test_link.up = FALSE;
  terminal_kill (terminal);
  test_node.boot[0] = 'y'; /* how far is not known any more, but what went up goes as it did */
  terminal = terminal_new ();
  sent = test_link.sent + 2;
  set_link (terminal, TRUE);
  node_until (has_sent, &sent);
  node_for_ms (20);
  test_link.always = LINK_GOOD;
  test_node.boot[0] = '0';
  send_all (terminal);
  far_clock_set_told (G_MININT64);
  ck_assert_uint_eq (test_node.dropped, 0);
  points = arrived ("term-1");
  ck_assert_uint_eq (points->len, 402);
  for (guint i = 0; i < points->len; i++) {
    const FarPoint *point = &g_array_index (points, FarPoint, i);
    gboolean marked = point->i64 >= 200 && point->i64 < 400, moved = point->i64 < 200 || point->i64 == 400;

    ck_assert_int_eq (point->quality, marked ? FAR_QUALITY_UNCERTAIN : FAR_QUALITY_GOOD);
    ck_assert_int_le (ABS (point->time_us - point->i64 * 1000 - (moved ? day : 0)), 2 * G_USEC_PER_SEC);
  }
  end (terminal);
}
END_TEST

/* As if the cloud came back from a backup: the numbers it expects are others. Then the answer is lost and the
 * terminal killed: the new number is known. */
START_TEST (a_cloud_that_lost_its_store_gets_the_rest)
{
  Terminal *terminal;
  guint sent;

  begin ("sqlite");
  terminal = terminal_new ();
  measure_batches (terminal, 0, 1, 1);
  node_until (all_sent, terminal);
  terminal->uplink.disk->seq += 7;
  test_link.up = FALSE;
  measure_batches (terminal, 1, 5, 1);
  node_until (all_written, terminal);
  if (_i == 1) {
    sent = test_link.sent + 1;
    set_link (terminal, TRUE);
    node_until (has_sent, &sent); /* the gap */
    node_until (has_sent, &(guint){ test_link.sent + 1 });
    test_link.always = LINK_NO_ANSWER;
    node_for_ms (50);
    test_link.up = FALSE;
    terminal_kill (terminal);
    test_link.always = LINK_GOOD;
    terminal = terminal_new ();
  }
  send_all (terminal);
  must_be_once (5);
  end (terminal);
}
END_TEST

/* ---- speed ---- */

/* Written without a link, then sent. The bounds are far off: they catch what grows with what waits. */
START_TEST (what_waits_catches_up)
{
  const guint total = 100000;
  gint64 begun, written, sent;
  Terminal *terminal;

  begin ("file");
  test_link.up = FALSE;
  terminal = terminal_new ();
  begun = g_get_monotonic_time ();
  for (guint i = 0; i < total; i++) {
    measure (terminal, i);
    if (i % 6000 == 0)
      node_for_ms (2);
  }
  node_until (all_written, terminal);
  written = g_get_monotonic_time ();
  send_all (terminal);
  sent = g_get_monotonic_time ();
  must_be_once (total);
  printf ("# catch-up: written %.0f/s, sent %.0f/s\n", total / ((double) (written - begun) / G_USEC_PER_SEC),
          total / ((double) (sent - written) / G_USEC_PER_SEC));
  ck_assert_int_lt (sent - written, total / 5000 * G_USEC_PER_SEC);
  end (terminal);
}
END_TEST

START_TEST (nobody_answers_for_another)
{
  static const char *const bad[] = {
    "batches",
    "batches?lane=2&epoch=1&seq=1",
    "batches?lane=2&epoch=1&seq=0&crc=00000000",
    "batches?lane=9&epoch=1&seq=1&crc=00000000",
    "batches?lane=2&epoch=x&seq=1&crc=00000000",
    "batches?lane=2&epoch=99999999999999999999&seq=1&crc=0",
    "batches?lane=2&epoch=1&seq=1&crc=123456789",
  };
  g_autoptr (FarPrincipal) person = far_principal_new (FAR_PRINCIPAL_PERSON, "alice", NULL, "192.0.2.9");
  FarBatchBuilder *builder = far_batch_builder_new ();
  g_autoptr (GBytes) batch = far_batch_builder_end (builder);

  begin ("sqlite");
  for (guint i = 0; i <= G_N_ELEMENTS (bad); i++) {
    gboolean as_person = i == G_N_ELEMENTS (bad);
    g_autoptr (FarMessage)
        request = far_message_request ("POST", as_person ? "batches?lane=2&epoch=1&seq=1&crc=0" : bad[i],
                                       NULL);
    Wait *wait = wait_new ();
    Passing *passing = g_new0 (Passing, 1);
    FarMessage *answer;

    request->content_type = g_strdup (FAR_TYPE_BATCH);
    request->body = g_bytes_ref (batch);
    passing->req = far_request_ref (wait->req);
    far_api_submit (as_person ? person : test_link.node, as_person ? NULL : "link", request, answered,
                    passing);
    answer = wait_result (wait, NULL);
    ck_assert_msg (answer->status == (as_person ? 403 : 400) || (as_person && answer->status == 404),
                   "%s: %u", bad[MIN (i, 6)], answer->status);
    far_message_unref (answer);
  }
  end (NULL);
}
END_TEST

/* ---- what the cloud measures by itself ---- */

static gboolean
is_writing (gpointer data)
{
  return ((Intake *) data)->writing;
}

/* What this process writes to files fails from now on, or does no more. */
static void
disk_is_full (gboolean full)
{
  struct rlimit limit;

  signal (SIGXFSZ, SIG_IGN);
  ck_assert_int_eq (getrlimit (RLIMIT_FSIZE, &limit), 0);
  limit.rlim_cur = full ? 0 : limit.rlim_max;
  ck_assert_int_eq (setrlimit (RLIMIT_FSIZE, &limit), 0);
}

static void
measure_here (void)
{
  FarSample sample = { far_series_of (far_node_id (), "s.v", "1"), FAR_VALUE_I64, { .i64 = 7 } };
  FarReading group = { far_clock_wall_us (), FAR_QUALITY_GOOD, NULL, 1, &sample };

  far_filter_emit (far_instance_find (FAR_KIND_SERVICE, "intake", NULL), &group);
}

/* Its write has failed, and it ends before it hears of that. */
START_TEST (what_was_measured_survives_a_write_that_failed_unheard)
{
  const char *type = _i == 0 ? "sqlite" : "file";
  g_autofree char *dir = node_fresh_dir ();
  g_autofree char *body = g_strdup_printf ("stores:\n  main: { type: %s, keep: 0s }\nservices:\n  intake: { "
                                           "type: intake, store: main, interval: 100ms }\n",
                                           type);
  g_autoptr (GArray) points = NULL;
  Intake *intake;

  node_open (dir, "cloud", body);
  node_for_ms (150);
  intake = far_instance_self (far_instance_find (FAR_KIND_SERVICE, "intake", NULL));
  measure_here ();
  disk_is_full (TRUE);
  node_until (is_writing, intake);
  poll (NULL, 0, 500); /* meanwhile the answer comes to the queue of this thread, which does not look */
  disk_is_full (FALSE);
  ck_assert (intake->writing);
  node_close ();
  node_open (dir, "cloud", body);
  points = arrived ("cloud");
  ck_assert_uint_eq (points->len, 1);
  node_close ();
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("uplink");
  TCase *tcase = tcase_create ("uplink");
  SRunner *runner = srunner_create (suite);
  int failed;

  tcase_set_timeout (tcase, 180);
  tcase_add_checked_fixture (tcase, NULL, node_remove_dirs);
  tcase_add_loop_test (tcase, every_group_arrives_once, 0, 2);
  tcase_add_loop_test (tcase, what_waits_survives_a_restart, 0, 2);
  tcase_add_loop_test (tcase, what_was_sent_is_not_doubled_by_a_restart, 0, 2);
  tcase_add_loop_test (tcase, restarts_and_faults_at_any_time, 0, 2);
  tcase_add_test (tcase, a_restart_starts_a_new_epoch);
  tcase_add_loop_test (tcase, what_a_wrong_clock_stamped_is_moved_or_marked, 0, 2);
  tcase_add_loop_test (tcase, a_cloud_that_lost_its_store_gets_the_rest, 0, 2);
  tcase_add_test (tcase, what_waits_catches_up);
  tcase_add_test (tcase, nobody_answers_for_another);
  tcase_add_loop_test (tcase, what_was_measured_survives_a_write_that_failed_unheard, 0, 2);
  suite_add_tcase (suite, tcase);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
