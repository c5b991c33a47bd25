/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two nodes in one process: each has its own id, rights, clock, instances and lists, and whatever is called
 * later is called for the node that asked for it, on whichever thread. */
#include "config.h"

#include <signal.h>
#include <sys/eventfd.h>

#include "base/clock-private.h"
#include "base/node-part.h"
#include "base/node-identity.h"
#include "core-help.h"
#include "data/sample-private.h"
#include "life/instance-private.h"
#include "loop/fd-watch.h"
#include "loop/log.h"
#include "loop/owned.h"
#include "loop/request-private.h"

#include <farwatch/trust.h>

static struct {
  FarNode *a, *b;
  guint left;      /* of what is to be called */
  char *heard[16]; /* names of the nodes it was called for */
  guint n;
  GPtrArray *kept; /* what is freed once it was called */
} two;

typedef struct {
  gpointer thing;
  GDestroyNotify free;
} Kept;

static void
kept_free (gpointer data)
{
  g_autofree Kept *kept = data;

  kept->free (kept->thing);
}

static void
keep (gpointer thing, GDestroyNotify free)
{
  Kept *kept = g_new (Kept, 1);

  *kept = (Kept){ thing, free };
  g_ptr_array_add (two.kept, kept);
}

static FarNode *
node_of (const char *id)
{
  FarNode *node = far_node_new (), *before = far_node_enter (node);

  far_node_identity_set (id, NULL);
  far_node_enter (before);
  return node;
}

static void
two_make (void)
{
  two.kept = g_ptr_array_new_with_free_func (kept_free);
  two.a = node_of ("a");
  two.b = node_of ("b");
}

static void
two_free (void)
{
  far_node_free (two.a);
  far_node_free (two.b);
  g_ptr_array_unref (two.kept);
  ck_assert_ptr_null (far_node_entered ());
}

/* ---- parts ---- */

static void
numbers_clear (gpointer part)
{
  /* what is below is still there, and the node is current */
  ck_assert_str_eq (far_node_id (), *(char *) part == 1 ? "a" : "b");
  two.n++;
}

START_TEST (each_has_its_own_parts)
{
  static const FarNodePart part = { FAR_PART_API_RIGHTS, 1, NULL, numbers_clear };

  two_make ();
  far_node_enter (two.a);
  *(char *) far_node_part (&part) = 1;
  ck_assert_ptr_eq (far_node_part (&part), far_node_part (&part));
  far_node_enter (two.b);
  ck_assert_int_eq (*(char *) far_node_part (&part), 0);
  far_node_enter (NULL);
  two_free ();
  ck_assert_uint_eq (two.n, 2);
}
END_TEST

/* The room above ends first. */
START_TEST (parts_end_from_above)
{
  ck_assert_int_lt (FAR_PART_IDENTITY, FAR_PART_EXECUTOR);
  ck_assert_int_lt (FAR_PART_EXECUTOR, FAR_PART_INSTANCES);
  ck_assert_int_lt (FAR_PART_INSTANCES, FAR_PART_CONTROL);
  far_node_free (NULL);
}
END_TEST

START_TEST (a_program_that_makes_none_has_one)
{
  far_node_identity_set ("alone", "/nowhere");
  ck_assert_str_eq (far_node_id (), "alone");
  ck_assert_ptr_null (far_node_entered ());
  far_node_identity_set (NULL, NULL);
}
END_TEST

START_TEST (the_only_one_need_not_be_entered)
{
  FarNode *node = node_of ("only");

  ck_assert_str_eq (far_node_id (), "only");
  far_node_free (node);
}
END_TEST

START_TEST (several_and_none_entered_is_a_fault)
{
  two_make ();
  far_node_id ();
}
END_TEST

/* ---- what is called later ---- */

static void
hear (gpointer data)
{
  two.heard[two.n++] = g_strdup (far_node_id ());
  g_atomic_int_dec_and_test (&two.left);
}

static gboolean
all_heard (gpointer data)
{
  return g_atomic_int_get (&two.left) == 0;
}

static void
heard_a_then_b (void)
{
  ck_assert (run_until (all_heard, NULL));
  ck_assert_str_eq (two.heard[0], "a");
  ck_assert_str_eq (two.heard[1], "b");
  ck_assert_ptr_null (far_node_entered ());
  g_free (two.heard[0]);
  g_free (two.heard[1]);
  two.n = 0;
  g_ptr_array_set_size (two.kept, 0);
}

static void
for_each (void (*ask) (gpointer data))
{
  two.left = 2;
  for (guint i = 0; i < 2; i++) {
    far_node_enter (i == 0 ? two.a : two.b);
    ask (NULL);
  }
  far_node_enter (NULL);
}

static void
ask_post (gpointer data)
{
  far_loop_post (far_loop_main (), hear, NULL);
}

static void
ask_timer (gpointer data)
{
  keep (far_loop_timer (far_loop_main (), far_clock_boottime_us (), hear, NULL),
        (GDestroyNotify) far_loop_timer_free);
}

static void
ask_deferred (gpointer data)
{
  FarDeferred *deferred = far_deferred_new (far_loop_main (), hear, NULL);

  keep (deferred, (GDestroyNotify) far_deferred_free);
  far_node_enter (NULL); /* whoever asks */
  far_deferred_ask (deferred);
}

static void
done (FarRequest *req, gpointer user)
{
  hear (NULL);
}

static void
ask_request (gpointer data)
{
  FarRequest *req = far_request_new (done, NULL, 0);

  far_node_enter (two.b); /* whoever ends it */
  far_request_done (req, NULL, NULL);
}

static void
ask_cancelled (gpointer data)
{
  FarRequest *req = far_request_new (done, NULL, 0);

  far_node_enter (NULL);
  far_request_cancel (req);
}

static void
work (FarRequest *req, gpointer data)
{
  far_request_done (req, g_strdup (far_node_id ()), g_free);
}

static void
worked (FarRequest *req, gpointer user)
{
  ck_assert_str_eq (far_request_result (req), far_node_id ());
  hear (NULL);
}

static void
ask_executor (gpointer data)
{
  far_run_blocking ("work", 4, work, NULL, NULL, far_request_new (worked, NULL, 0));
}

static void
ready (int fd, guint ready, gpointer data)
{
  eventfd_t value;

  ck_assert_int_eq (eventfd_read (fd, &value), 0);
  hear (NULL);
}

static void
ask_watch (gpointer data)
{
  keep (far_fd_watch_new (far_loop_main (), eventfd (1, EFD_NONBLOCK), FAR_READY_READ, ready, NULL),
        (GDestroyNotify) far_fd_watch_free);
}

START_TEST (what_is_called_later_knows_its_node)
{
  static void (*const asks[]) (gpointer data) = { ask_post,    ask_timer,     ask_deferred,
                                                  ask_request, ask_cancelled, ask_watch };

  two_make ();
  for (guint i = 0; i < G_N_ELEMENTS (asks); i++) {
    for_each (asks[i]);
    heard_a_then_b ();
  }
  two_free ();
}
END_TEST

/* A source of GLib that a plugin has made by itself. */
START_TEST (an_instance_is_called_for_its_node)
{
  FarInstanceHead head;

  two_make ();
  two.left = 1;
  far_node_enter (two.b);
  far_instance_head_init (&head, NULL, NULL);
  far_node_enter (NULL);
  far_instance_call ((FarInstance *) &head, hear, NULL);
  ck_assert_str_eq (two.heard[0], "b");
  ck_assert_ptr_null (far_node_entered ());
  g_free (two.heard[0]);
  two_free ();
}
END_TEST

/* Each has its own threads, so either may be first. */
START_TEST (an_executor_works_for_its_node)
{
  two_make ();
  for_each (ask_executor);
  ck_assert (run_until (all_heard, NULL));
  ck_assert_str_ne (two.heard[0], two.heard[1]);
  two_free ();
}
END_TEST

/* ---- on an I/O thread, which all nodes share ---- */

typedef struct {
  FarLoop *home;
  int fd;
} AtWorker;

static void
hear_on_main (gpointer data)
{
  far_loop_post (far_loop_main (), hear, NULL);
}

static void
worker_ready (int fd, guint ready, gpointer data)
{
  eventfd_t value;

  if (eventfd_read (fd, &value) == 0)
    hear_on_main (NULL);
}

static void
begin_at_worker (gpointer data)
{
  AtWorker *at = data;

  far_loop_watch (at->home, at->fd, FAR_READY_READ, worker_ready, at);
}

START_TEST (a_worker_answers_to_who_asked)
{
  AtWorker at[2];

  two_make ();
  two.left = 2;
  for (guint i = 0; i < 2; i++) {
    far_node_enter (i == 0 ? two.a : two.b);
    at[i] = (AtWorker){ far_loop_pick (), eventfd (0, EFD_NONBLOCK) };
    far_loop_call (at[i].home, begin_at_worker, &at[i]);
  }
  far_node_enter (NULL);
  for (guint i = 0; i < 2; i++)
    ck_assert_int_eq (eventfd_write (at[i].fd, 1), 0);
  ck_assert (run_until (all_heard, NULL));
  ck_assert_str_ne (two.heard[0], two.heard[1]);
  two_free ();
}
END_TEST

/* ---- what the rooms keep ---- */

START_TEST (each_has_its_own_time_of_day)
{
  two_make ();
  far_node_enter (two.a);
  ck_assert (far_clock_step (G_TIME_SPAN_HOUR));
  far_clock_set_told (far_clock_system_us () + 60 * G_USEC_PER_SEC);
  ck_assert (far_clock_is_sure ());
  gint64 a = far_clock_system_us ();
  far_node_enter (two.b);
  gint64 b = far_clock_system_us (), skew;
  ck_assert_int_gt (a - b, G_TIME_SPAN_HOUR - G_TIME_SPAN_MINUTE);
  ck_assert (!far_clock_skew_us (&skew));
  far_node_enter (NULL);
  two_free ();
}
END_TEST

START_TEST (what_one_revokes_the_other_takes)
{
  two_make ();
  far_node_enter (two.a);
  far_trust_revoked_add ("0815");
  ck_assert (far_trust_revoked ("0815", NULL));
  far_node_enter (two.b);
  ck_assert (!far_trust_revoked ("0815", NULL));
  far_node_enter (NULL);
  two_free ();
}
END_TEST

START_TEST (each_has_its_own_series_and_counts)
{
  two_make ();
  far_node_enter (two.a);
  FarSeries first = far_series_of ("a", "x", NULL);
  far_count ("requests", 2);
  json_t *counts = far_counts_json ();
  ck_assert_int_eq (json_integer_value (json_object_get (counts, "requests")), 2);
  json_decref (counts);
  far_node_enter (two.b);
  ck_assert_ptr_null (far_series_info (first));
  counts = far_counts_json ();
  ck_assert_uint_eq (json_object_size (counts), 0);
  json_decref (counts);
  far_node_enter (NULL);
  two_free ();
}
END_TEST

static void
hear_reading (const FarReading *reading, gpointer user)
{
}

/* As after a crash: nobody has stopped its instances. */
START_TEST (an_instance_outlives_the_lists_of_its_node)
{
  FarInstanceHead head;

  two_make ();
  far_node_enter (two.a);
  far_instance_head_init (&head, NULL, NULL);
  far_sample_listen ((FarInstance *) &head, hear_reading, NULL);
  far_node_enter (NULL);
  far_node_free (two.a);
  ck_assert_uint_eq (head.owned.length, 0);
  far_node_enter (two.b);
  far_owned_end ((FarInstance *) &head);
  far_node_enter (NULL);
  two.a = NULL;
  two_free ();
}
END_TEST

/* A shell is there for what comes late. */
START_TEST (what_comes_late_finds_an_empty_node)
{
  two_make ();
  two.left = 1;
  far_node_enter (two.a);
  far_loop_post (far_loop_main (), hear, NULL);
  far_node_enter (NULL);
  two_free ();
  ck_assert (run_until (all_heard, NULL));
  ck_assert_str_eq (two.heard[0], "");
  g_free (two.heard[0]);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("node");
  TCase *cases = tcase_create ("node");

  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  tcase_set_timeout (cases, 30);
  tcase_add_test (cases, each_has_its_own_parts);
  tcase_add_test (cases, parts_end_from_above);
  tcase_add_test (cases, a_program_that_makes_none_has_one);
  tcase_add_test (cases, the_only_one_need_not_be_entered);
  tcase_add_test_raise_signal (cases, several_and_none_entered_is_a_fault, SIGTRAP);
  tcase_add_test (cases, what_is_called_later_knows_its_node);
  tcase_add_test (cases, an_instance_is_called_for_its_node);
  tcase_add_test (cases, an_executor_works_for_its_node);
  tcase_add_test (cases, a_worker_answers_to_who_asked);
  tcase_add_test (cases, each_has_its_own_time_of_day);
  tcase_add_test (cases, what_one_revokes_the_other_takes);
  tcase_add_test (cases, each_has_its_own_series_and_counts);
  tcase_add_test (cases, an_instance_outlives_the_lists_of_its_node);
  tcase_add_test (cases, what_comes_late_finds_an_empty_node);
  suite_add_tcase (suite, cases);
  SRunner *runner = srunner_create (suite);
  srunner_run_all (runner, CK_ENV);
  int failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? 0 : 1;
}
