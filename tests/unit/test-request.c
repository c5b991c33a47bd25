/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A request ends exactly once, on the main context, whoever ends it. */
#include "config.h"

#include <farwatch/request.h>

#include "loop/executor.h"
#include "unit/core-help.h"

typedef struct {
  guint calls;
  int code; /* -1: success */
  char *result;
} Outcome;

static void
note_outcome (FarRequest *req, gpointer user)
{
  Outcome *outcome = user;
  const GError *error = far_request_error (req);

  outcome->calls++;
  outcome->code = error != NULL ? error->code : -1;
  g_free (outcome->result);
  outcome->result = error == NULL ? far_request_steal (req) : g_strdup (error->message);
}

static gboolean
is_called (gpointer data)
{
  return ((Outcome *) data)->calls > 0;
}

START_TEST (done_is_delivered_later_and_once)
{
  Outcome outcome = { 0 };
  FarRequest *req = far_request_ref (far_request_new (note_outcome, &outcome, 0));

  far_request_done (req, g_strdup ("one"), g_free);
  far_request_done (req, g_strdup ("two"), g_free);
  far_request_fail_new (req, FAR_ERROR_INTERNAL, "three");
  far_request_cancel (req);
  ck_assert_uint_eq (outcome.calls, 1); /* the cancel brings the delivery forward */
  run_pending ();
  ck_assert_uint_eq (outcome.calls, 1);
  ck_assert_str_eq (outcome.result, "one");
  far_request_unref (req);
  g_free (outcome.result);
}
END_TEST

START_TEST (nothing_is_delivered_inside_the_call)
{
  Outcome outcome = { 0 };

  far_request_done (far_request_new (note_outcome, &outcome, 0), NULL, NULL);
  ck_assert_uint_eq (outcome.calls, 0);
  ck_assert (run_until (is_called, &outcome));
  ck_assert_int_eq (outcome.code, -1);
}
END_TEST

START_TEST (a_failure_without_an_error_is_ours)
{
  Outcome outcome = { 0 };

  far_request_fail (far_request_new (note_outcome, &outcome, 0), NULL);
  ck_assert (run_until (is_called, &outcome));
  ck_assert_int_eq (outcome.code, FAR_ERROR_INTERNAL);
  g_free (outcome.result);
}
END_TEST

START_TEST (time_runs_out)
{
  Outcome outcome = { 0 };
  FarRequest *req = far_request_ref (far_request_new (note_outcome, &outcome, 30000));

  run_pending ();
  ck_assert_uint_eq (outcome.calls, 0);
  ck_assert (far_clock_advance (30100000));
  ck_assert (run_until (is_called, &outcome));
  ck_assert_int_eq (outcome.code, FAR_ERROR_UNAVAILABLE);
  ck_assert (far_request_ended (req));
  far_request_done (req, g_strdup ("too late"), g_free);
  run_pending ();
  ck_assert_uint_eq (outcome.calls, 1);
  far_request_unref (req);
  g_free (outcome.result);
}
END_TEST

START_TEST (after_cancel_nothing_comes)
{
  Outcome *outcome = g_new0 (Outcome, 1);
  FarRequest *req = far_request_ref (far_request_new (note_outcome, outcome, 60000));

  far_request_cancel (req);
  ck_assert_uint_eq (outcome->calls, 1);
  g_free (outcome->result);
  g_free (outcome); /* what a stop() does: the sanitizer sees a later touch */
  far_request_done (req, g_strdup ("late"), g_free);
  run_pending ();
  far_request_unref (req);
}
END_TEST

/* ---- executors ---- */

static void
answer_thread (FarRequest *req, gpointer data)
{
  far_request_done (req, g_strdup (g_thread_self () == data ? "main" : "other"), g_free);
}

START_TEST (a_lane_is_another_thread)
{
  Outcome outcome = { 0 };

  far_run_blocking ("test", 4, answer_thread, g_thread_self (), NULL,
                    far_request_new (note_outcome, &outcome, 5000));
  ck_assert (run_until (is_called, &outcome));
  ck_assert_str_eq (outcome.result, "other");
  g_free (outcome.result);
  far_executors_end ();
}
END_TEST

typedef struct {
  GMutex lock;
  gint begun;
} Gate;

static void
wait_at_gate (FarRequest *req, gpointer data)
{
  Gate *gate = data;

  g_atomic_int_inc (&gate->begun);
  g_mutex_lock (&gate->lock);
  g_mutex_unlock (&gate->lock);
  far_request_done (req, NULL, NULL);
}

static gboolean
has_begun (gpointer data)
{
  return g_atomic_int_get (&((Gate *) data)->begun) > 0;
}

START_TEST (a_full_lane_says_busy)
{
  Gate gate = { 0 };
  Outcome outcomes[4] = { { 0 } };

  g_mutex_init (&gate.lock);
  g_mutex_lock (&gate.lock);
  far_run_blocking ("test", 2, wait_at_gate, &gate, NULL, far_request_new (note_outcome, &outcomes[0], 0));
  ck_assert (run_until (has_begun, &gate));
  for (guint i = 1; i < 4; i++)
    far_run_blocking ("test", 2, wait_at_gate, &gate, NULL, far_request_new (note_outcome, &outcomes[i], 0));
  ck_assert (run_until (is_called, &outcomes[3]));
  ck_assert_int_eq (outcomes[3].code, FAR_ERROR_LIMIT);
  g_mutex_unlock (&gate.lock);
  for (guint i = 0; i < 3; i++) {
    ck_assert (run_until (is_called, &outcomes[i]));
    ck_assert_int_eq (outcomes[i].code, -1);
  }
  far_executors_end ();
  g_free (outcomes[3].result);
  g_mutex_clear (&gate.lock);
}
END_TEST

START_TEST (cancelled_work_is_not_begun)
{
  Gate gate = { 0 };
  Outcome first = { 0 }, second = { 0 };
  FarRequest *req;

  g_mutex_init (&gate.lock);
  g_mutex_lock (&gate.lock);
  far_run_blocking ("test", 4, wait_at_gate, &gate, NULL, far_request_new (note_outcome, &first, 0));
  ck_assert (run_until (has_begun, &gate));
  req = far_request_new (note_outcome, &second, 0);
  far_run_blocking ("test", 4, wait_at_gate, &gate, NULL, req);
  far_request_cancel (req);
  g_mutex_unlock (&gate.lock);
  ck_assert (run_until (is_called, &first));
  far_executors_end ();
  ck_assert_int_eq (gate.begun, 1);
  g_free (second.result);
  g_mutex_clear (&gate.lock);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("request");
  TCase *tcase = tcase_create ("request");

  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  tcase_set_timeout (tcase, 30);
  tcase_add_test (tcase, done_is_delivered_later_and_once);
  tcase_add_test (tcase, nothing_is_delivered_inside_the_call);
  tcase_add_test (tcase, a_failure_without_an_error_is_ours);
  tcase_add_test (tcase, time_runs_out);
  tcase_add_test (tcase, after_cancel_nothing_comes);
  tcase_add_test (tcase, a_lane_is_another_thread);
  tcase_add_test (tcase, a_full_lane_says_busy);
  tcase_add_test (tcase, cancelled_work_is_not_begun);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
