/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The uplink against the real intake and a real store, over a link that loses requests, loses answers,
 * doubles and breaks: every group arrives once, or is among those that were counted as dropped. */
#include "config.h"

#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock-private.h"
#include "life/instance-private.h"
#include "loop/owned.h"
#include "loop/request-private.h"
#include "node-help.h"
#include "service-intake/intake.h"
#include "service-uplink/uplink.h"

/* ---- the link: this program's own far_peer_* come before the library's ---- */

typedef enum { LINK_GOOD, LINK_NO_REQUEST, LINK_NO_ANSWER, LINK_TWICE, LINK_DENIES, N_FAULTS } Fault;

typedef struct {
  gboolean up;
  guint faults; /* percent of requests with one */
  Fault always; /* or this one, if not LINK_GOOD */
  FarPrincipal *node;
  guint sent, told_gap;
  GRand *chance;
} TestLink;

static TestLink test_link;

typedef struct {
  FarRequest *req;
  Fault fault;
} Passing;

static void
answered (FarMessage *answer, gboolean last G_GNUC_UNUSED, gpointer user)
{
  Passing *passing = user;

  if (passing->req != NULL && passing->fault == LINK_NO_ANSWER)
    far_request_fail_new (passing->req, FAR_ERROR_UNAVAILABLE, "the link broke");
  else if (passing->req != NULL)
    far_request_done (passing->req, far_message_ref (answer), (GDestroyNotify) far_message_unref);
  g_clear_pointer (&passing->req, far_request_unref);
  g_free (passing);
}

static void
pass (FarMessage *request, FarRequest *req, Fault fault)
{
  Passing *passing = g_new0 (Passing, 1);

  passing->req = req != NULL ? far_request_ref (req) : NULL;
  passing->fault = fault;
  far_api_submit (test_link.node, "link", request, answered, passing);
}

gboolean
far_peer_connected (const char *transport G_GNUC_UNUSED, const char *peer G_GNUC_UNUSED)
{
  return test_link.up;
}

static Fault
next_fault (void)
{
  if (test_link.always != LINK_GOOD)
    return test_link.always;
  return g_rand_int_range (test_link.chance, 0, 100) < (int) test_link.faults
             ? (Fault) g_rand_int_range (test_link.chance, 1, N_FAULTS)
             : LINK_GOOD;
}

void
far_peer_send (const char *transport G_GNUC_UNUSED, const char *peer, FarMessage *request, FarRequest *req)
{
  Fault fault = next_fault ();
  g_autoptr (FarMessage) again = NULL;

  ck_assert_str_eq (peer, "");
  test_link.sent++;
  test_link.told_gap += far_message_header (request, "gap") != NULL;
  if (fault == LINK_NO_REQUEST)
    far_request_fail_new (req, FAR_ERROR_UNAVAILABLE, "the link broke");
  else if (fault == LINK_DENIES)
    far_request_fail_new (req, FAR_ERROR_DENIED, "not you");
  else
    pass (request, req, fault);
  if (fault != LINK_TWICE)
    return;
  /* another id: not caught by the interface */
  again = far_message_request (request->method, request->resource, NULL);
  again->content_type = g_strdup (request->content_type);
  again->body = g_bytes_ref (request->body);
  pass (again, NULL, LINK_GOOD);
}

/* ---- the uplink, without a profile ---- */

extern const FarPluginInfo far_plugin_info;

typedef struct {
  FarInstance at;
  UplinkOptions options;
  Uplink uplink;
  const FarServiceType *type;
} Terminal;

static gboolean
is_loaded (gpointer data)
{
  return ((Terminal *) data)->uplink.timer != NULL;
}

static Terminal *
terminal_with (gint64 buffer, const char *store)
{
  Terminal *terminal = g_new0 (Terminal, 1);

  terminal->type = (const FarServiceType *) far_plugin_info.types[0];
  terminal->options = (UplinkOptions){ .link = (char *) "link",
                                       .interval_us = G_USEC_PER_SEC / 1000,
                                       .buffer = buffer,
                                       .store = (char *) store };
  terminal->at = (FarInstance){ .head = { .refs = 1, .path = (char *) "services.uplink" },
                                .name = (char *) "uplink",
                                .options = &terminal->options };
  terminal->type->type.init (&terminal->uplink, &terminal->at, NULL);
  terminal->type->type.start (&terminal->uplink, NULL);
  node_until (is_loaded, terminal);
  return terminal;
}

static Terminal *
terminal_new (gint64 buffer)
{
  return terminal_with (buffer, NULL);
}

static void
terminal_free (Terminal *terminal)
{
  far_owned_end (&terminal->at); /* as core does */
  far_requests_drop (&terminal->at);
  terminal->type->type.stop (&terminal->uplink);
  far_requests_drop (&terminal->at);
  g_free (terminal);
}

static void
measure (Terminal *terminal, guint number)
{
  FarSample sample = { far_series_of ("term-1", "s.v", "1"), FAR_VALUE_I64, { .i64 = number } };
  FarReading group = { (gint64) number * 1000, FAR_QUALITY_GOOD, NULL, 1, &sample };

  uplink_add (&terminal->uplink, &group);
}

static gboolean
all_sent (gpointer data)
{
  Terminal *terminal = data;

  return terminal->uplink.waiting.length == 0 && terminal->uplink.builder == NULL;
}

static void
set_link (Terminal *terminal, gboolean up)
{
  test_link.up = up;
  terminal->type->ops->peer (&terminal->uplink, "link", "", up, "192.0.2.1");
}

/* ---- the cloud ---- */

static void
begin (const char *store)
{
  g_autofree char *dir = node_fresh_dir (), *body = NULL;

  body = g_strdup_printf ("stores:\n  main: { type: %s, keep: 0s }\n  spool: { type: file, path: spool "
                          "}\nservices:\n  intake: { type: intake, store: main }\n",
                          store);
  node_open (dir, "cloud", body);
  test_link = (TestLink){ .up = TRUE,
                          .node = far_principal_new (FAR_PRINCIPAL_NODE, "term-1", NULL, "192.0.2.1"),
                          .chance = g_rand_new_with_seed (7) };
}

static GArray *
arrived (const char *source)
{
  Wait *wait = wait_new ();

  far_store_samples ("main", source, "s.v", G_MININT64, G_MAXINT64, 100000, wait->req);
  return wait_result (wait, NULL);
}

static void
end (Terminal *terminal)
{
  if (terminal != NULL)
    terminal_free (terminal);
  node_for_ms (20); /* what is still on its way is answered */
  node_close ();
  g_rand_free (test_link.chance);
  far_principal_unref (test_link.node);
}

START_TEST (every_group_arrives_once)
{
  Terminal *terminal;
  g_autoptr (GArray) points = NULL;
  const guint total = 20000;

  begin (_i == 0 ? "sqlite" : "file");
  test_link.faults = 30;
  terminal = terminal_new (64 * 1024 * 1024);
  for (guint i = 0; i < total; i++) {
    measure (terminal, i);
    if (i % 50 == 0)
      node_for_ms (1);
    if (i % 1000 == 0)
      set_link (terminal, i % 3000 != 0);
  }
  set_link (terminal, TRUE);
  node_until (all_sent, terminal);
  points = arrived ("term-1");
  ck_assert_uint_eq (points->len, total);
  for (guint i = 0; i < total; i++)
    ck_assert_int_eq (g_array_index (points, FarPoint, i).i64, i);
  ck_assert_uint_eq (terminal->uplink.lost, 0);
  end (terminal);
}
END_TEST

START_TEST (a_restart_starts_a_new_epoch)
{
  Terminal *terminal;
  g_autoptr (GArray) points = NULL;

  begin ("sqlite");
  for (guint round = 0; round < 5; round++) {
    terminal = terminal_new (1 << 20);
    for (guint i = 0; i < 500; i++)
      measure (terminal, round * 500 + i);
    node_until (all_sent, terminal);
    terminal_free (terminal);
  }
  points = arrived ("term-1");
  ck_assert_uint_eq (points->len, 2500);
  end (NULL);
}
END_TEST

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

static void
must_be_once (guint total)
{
  g_autoptr (GArray) points = arrived ("term-1");

  ck_assert_uint_eq (points->len, total);
  for (guint i = 0; i < total; i++)
    ck_assert_int_eq (g_array_index (points, FarPoint, i).i64, i);
}

START_TEST (what_waits_survives_a_restart)
{
  Terminal *terminal;

  begin (_i == 0 ? "sqlite" : "file");
  test_link.up = FALSE;
  terminal = terminal_with (1 << 20, "spool");
  for (guint i = 0; i < 1000; i++)
    measure (terminal, i);
  terminal_free (terminal);
  terminal = terminal_with (1 << 20, "spool");
  ck_assert_uint_eq (terminal->uplink.waiting.length, 5);
  for (guint i = 1000; i < 1500; i++)
    measure (terminal, i);
  set_link (terminal, TRUE);
  node_until (all_sent, terminal);
  must_be_once (1500);
  node_for_ms (20);
  ck_assert_uint_eq (rows_kept (), 0);
  end (terminal);
}
END_TEST

/* More batches than a store gives in one answer; one group each. */
static void
measure_batches (Terminal *terminal, guint first, guint n)
{
  for (guint i = first; i < first + n; i++) {
    measure (terminal, i);
    uplink_close_batch (&terminal->uplink);
    if (i % 1000 == 0)
      node_for_ms (20); /* the store takes only so many at once */
  }
}

START_TEST (all_that_waits_survives_a_restart)
{
  Terminal *terminal;
  const guint before = 10500, after = 20;

  begin ("file");
  test_link.up = FALSE;
  terminal = terminal_with (64 << 20, "spool");
  measure_batches (terminal, 0, before);
  terminal_free (terminal);
  terminal = terminal_with (64 << 20, "spool");
  ck_assert_uint_eq (terminal->uplink.waiting.length, before);
  measure_batches (terminal, before, after);
  terminal_free (terminal);
  terminal = terminal_with (64 << 20, "spool"); /* what is new has not been written over what was there */
  ck_assert_uint_eq (terminal->uplink.waiting.length, before + after);
  set_link (terminal, TRUE);
  node_until (all_sent, terminal);
  must_be_once (before + after);
  node_for_ms (20);
  ck_assert_uint_eq (rows_kept (), 0);
  end (terminal);
}
END_TEST

/* A store that does not answer at the start: what is in it stays, and samples go up all the same. */
START_TEST (rows_that_cannot_be_read_are_not_written_over)
{
  Terminal *terminal;

  begin ("file");
  test_link.up = FALSE;
  terminal = terminal_with (1 << 20, "spool");
  measure_batches (terminal, 0, 5);
  terminal_free (terminal);
  node_for_ms (20);
  far_instance_end (far_instances_by_path ("stores.spool"));
  terminal = terminal_with (1 << 20, "spool");
  ck_assert_uint_eq (terminal->uplink.waiting.length, 0);
  far_instance_try (far_instances_by_path ("stores.spool"));
  measure_batches (terminal, 5, 5);
  set_link (terminal, TRUE);
  node_until (all_sent, terminal);
  terminal_free (terminal);
  node_for_ms (20);
  ck_assert_uint_eq (rows_kept (), 5);
  terminal = terminal_with (1 << 20, "spool");
  node_until (all_sent, terminal);
  must_be_once (10);
  end (terminal);
}
END_TEST

/* The server had them on disk and its answer was lost, then the terminal was started anew: they come again
 * under their numbers. */
START_TEST (what_was_sent_is_not_doubled_by_a_restart)
{
  Terminal *terminal;
  guint sent;

  begin (_i == 0 ? "sqlite" : "file");
  terminal = terminal_with (1 << 20, "spool");
  test_link.always = LINK_NO_ANSWER;
  for (guint i = 0; i < 1000; i++)
    measure (terminal, i);
  node_for_ms (100);
  sent = test_link.sent;
  ck_assert_uint_gt (sent, 0);
  test_link.up = FALSE;
  terminal_free (terminal);
  test_link.always = LINK_GOOD;
  terminal = terminal_with (1 << 20, "spool");
  ck_assert_uint_eq (terminal->uplink.waiting.length, 5);
  set_link (terminal, TRUE);
  node_until (all_sent, terminal);
  must_be_once (1000);
  end (terminal);
}
END_TEST

/* Measured before the time was told, by a clock that was a day off; the last of them after the machine was
 * started anew. The link then tells. */
START_TEST (what_a_wrong_clock_stamped_is_moved_or_marked)
{
  const gint64 day = G_TIME_SPAN_DAY * (_i == 0 ? 1 : -1);
  g_autoptr (GArray) points = NULL;
  Terminal *terminal;

  begin ("sqlite");
  test_link.up = FALSE;
  terminal = terminal_with (1 << 20, "spool");
  for (guint i = 0; i < 400; i++)
    measure (terminal, i);
  terminal_free (terminal);
  terminal = terminal_with (1 << 20, "spool");
  ck_assert_uint_eq (terminal->uplink.waiting.length, 2);
  ((Batch *) terminal->uplink.waiting.tail->data)->stamps.boot[0] = '?';
  ((Batch *) terminal->uplink.waiting.tail->data)->stamps.sure = FALSE;
  measure (terminal, 400);
  far_clock_set_told (far_clock_wall_us () + day);
  measure (terminal, 401);
  set_link (terminal, TRUE);
  node_until (all_sent, terminal);
  far_clock_set_told (G_MININT64);
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

START_TEST (restarts_and_faults_at_any_time)
{
  Terminal *terminal = NULL;
  guint next = 0;

  begin (_i == 0 ? "sqlite" : "file");
  test_link.faults = 30;
  for (guint round = 0; round < 20; round++) {
    terminal = terminal_with (64 << 20, "spool");
    set_link (terminal, round % 3 != 0);
    for (guint n = (guint) g_rand_int_range (test_link.chance, 1, 900); n > 0; n--) {
      measure (terminal, next++);
      if (n % 40 == 0)
        node_for_ms (1);
    }
    terminal_free (terminal);
  }
  terminal = terminal_with (64 << 20, "spool");
  set_link (terminal, TRUE);
  node_until (all_sent, terminal);
  must_be_once (next);
  node_for_ms (20);
  ck_assert_uint_eq (rows_kept (), 0);
  end (terminal);
}
END_TEST

START_TEST (a_full_buffer_drops_the_oldest_and_says_so)
{
  Terminal *terminal;
  g_autoptr (GArray) points = NULL;
  const guint total = 100000;
  guint64 lost;

  begin ("sqlite");
  test_link.up = FALSE;
  terminal = terminal_new (256 * 1024);
  for (guint i = 0; i < total; i++)
    measure (terminal, i);
  ck_assert_uint_le (terminal->uplink.waiting_size, 256 * 1024);
  lost = terminal->uplink.lost;
  ck_assert_uint_gt (lost, 0);
  set_link (terminal, TRUE);
  node_until (all_sent, terminal);
  ck_assert_uint_ge (test_link.told_gap, 1);
  ck_assert_uint_eq (terminal->uplink.lost, 0);
  points = arrived ("term-1");
  ck_assert_uint_eq (points->len + lost, total);
  ck_assert_int_eq (g_array_index (points, FarPoint, points->len - 1).i64, total - 1);
  end (terminal);
}
END_TEST

/* An answer was lost, then the batch itself falls out: its number must not go to another. */
START_TEST (a_dropped_batch_of_unknown_fate_starts_a_new_epoch)
{
  Terminal *terminal;
  g_autoptr (GArray) points = NULL;
  guint64 lost;

  begin ("file");
  terminal = terminal_new (256 * 1024);
  test_link.always = LINK_NO_ANSWER;
  for (guint i = 0; i < 1000; i++)
    measure (terminal, i);
  node_for_ms (50);
  test_link.up = FALSE;
  for (guint i = 1000; i < 100000; i++)
    measure (terminal, i);
  lost = terminal->uplink.lost;
  test_link.always = LINK_GOOD;
  set_link (terminal, TRUE);
  node_until (all_sent, terminal);
  points = arrived ("term-1");
  /* what was dropped without an answer may have arrived: never twice, never less than was not dropped */
  ck_assert_uint_ge (points->len + lost, 100000);
  for (guint i = 1; i < points->len; i++)
    ck_assert_int_gt (g_array_index (points, FarPoint, i).i64, g_array_index (points, FarPoint, i - 1).i64);
  end (terminal);
}
END_TEST

START_TEST (a_cloud_that_lost_its_store_gets_the_rest)
{
  Terminal *terminal;
  g_autoptr (GArray) points = NULL;
  Wait *wait;

  begin ("sqlite");
  terminal = terminal_new (1 << 20);
  measure (terminal, 1);
  node_until (all_sent, terminal);
  /* as if it came back from a backup: the numbers it expects are others */
  terminal->uplink.seq += 7;
  measure (terminal, 2);
  node_until (all_sent, terminal);
  points = arrived ("term-1");
  ck_assert_uint_eq (points->len, 2);
  wait = wait_new ();
  far_store_series ("main", NULL, wait->req);
  g_ptr_array_unref (wait_result (wait, NULL));
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
  tcase_add_loop_test (tcase, what_a_wrong_clock_stamped_is_moved_or_marked, 0, 2);
  tcase_add_loop_test (tcase, what_was_sent_is_not_doubled_by_a_restart, 0, 2);
  tcase_add_loop_test (tcase, restarts_and_faults_at_any_time, 0, 2);
  tcase_add_test (tcase, a_restart_starts_a_new_epoch);
  tcase_add_test (tcase, a_full_buffer_drops_the_oldest_and_says_so);
  tcase_add_test (tcase, all_that_waits_survives_a_restart);
  tcase_add_test (tcase, rows_that_cannot_be_read_are_not_written_over);
  tcase_add_test (tcase, a_dropped_batch_of_unknown_fate_starts_a_new_epoch);
  tcase_add_test (tcase, a_cloud_that_lost_its_store_gets_the_rest);
  tcase_add_test (tcase, nobody_answers_for_another);
  tcase_add_loop_test (tcase, what_was_measured_survives_a_write_that_failed_unheard, 0, 2);
  suite_add_tcase (suite, tcase);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
