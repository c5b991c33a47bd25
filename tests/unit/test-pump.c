/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file is about what a pump counts and reports. The joining itself: test-stream; taps: test-tap. */
#include "unit/stream-pair.h"

typedef struct {
  Loops loops;
  int a, b;
  Report report;
  FarPump *pump;
} Scene;

static void
scene_start (Scene *scene, Kind kind_a, Kind kind_b, const FarPumpSpec *extra)
{
  FarPumpSpec spec = *extra;
  spec.session = "s";
  spec.counters = report_counters;
  spec.closed = report_closed;
  spec.user = &scene->report;
  loops_start (&scene->loops);
  FarStream *a = end_make (&scene->loops, kind_a, &scene->a),
            *b = end_make (&scene->loops, kind_b, &scene->b);
  scene->pump = far_pump_start (a, b, &spec);
}

static void
scene_end (Scene *scene)
{
  close (scene->a);
  close (scene->b);
  report_wait (&scene->report);
  loops_stop (&scene->loops);
}

static void
send_text (int fd, int to, const char *text)
{
  char seen[64] = "";
  ck_assert_int_eq (send (fd, text, strlen (text), 0), (int) strlen (text));
  ck_assert_int_eq (recv (to, seen, strlen (text), MSG_WAITALL), (int) strlen (text));
  ck_assert_str_eq (seen, text);
}

START_TEST (counters_once_a_second)
{
  Scene scene = { .a = -1 };
  FarPumpSpec spec = { .idle_us = 0 };
  scene_start (&scene, KIND_RING_ONE, KIND_RING_TWO, &spec);
  for (int i = 0; i < 50; i++)
    send_text (scene.a, scene.b, "0123456789");
  help_settle (scene.loops.two);
  help_spin (10);
  ck_assert_uint_eq (scene.report.n_counters, 0);
  far_clock_advance (SECONDS (2));
  gint64 end = g_get_monotonic_time () + SECONDS (10);
  while (scene.report.n_counters == 0 && g_get_monotonic_time () < end)
    help_spin (1);
  ck_assert_uint_eq (scene.report.last.bytes_ab, 500);
  far_clock_advance (SECONDS (20)); /* nothing moved: nothing to tell */
  help_settle (scene.loops.two);
  help_spin (10);
  ck_assert_uint_eq (scene.report.n_counters, 1);
  scene_end (&scene);
}
END_TEST

START_TEST (idle_ends_it)
{
  Scene scene = { .a = -1 };
  FarPumpSpec spec = { .idle_us = SECONDS (60) };
  scene_start (&scene, KIND_UNIX_ONE, _i == 0 ? KIND_UNIX_TWO : KIND_RING_TWO, &spec);
  send_text (scene.a, scene.b, "x");
  far_clock_advance (SECONDS (50));
  send_text (scene.a, scene.b, "y");
  far_clock_advance (SECONDS (50));
  send_text (scene.b, scene.a, "z");
  ck_assert_int_eq (scene.report.closed, 0);
  far_clock_advance (SECONDS (61));
  report_wait (&scene.report);
  ck_assert_str_eq (scene.report.cause, "idle");
  scene_end (&scene);
}
END_TEST

/* Whoever never says a word goes; one word is enough. What b says does not count. */
START_TEST (silence_ends_it)
{
  Scene scene = { .a = -1 };
  FarPumpSpec spec = { .first_us = SECONDS (10) };
  scene_start (&scene, KIND_UNIX_ONE, _i / 2 == 0 ? KIND_UNIX_TWO : KIND_RING_TWO, &spec);
  send_text (scene.b, scene.a, "who is there?");
  if (_i % 2 == 0)
    send_text (scene.a, scene.b, "me");
  help_settle (scene.loops.one);
  help_settle (scene.loops.two);
  far_clock_advance (SECONDS (11));
  if (_i % 2 == 0) {
    send_text (scene.b, scene.a, "hello");
    ck_assert_int_eq (scene.report.closed, 0);
  } else {
    report_wait (&scene.report);
    ck_assert_str_eq (scene.report.cause, "silent");
  }
  scene_end (&scene);
}
END_TEST

START_TEST (deadline_moves)
{
  Scene scene = { .a = -1 };
  FarPumpSpec spec = { .deadline_us = far_clock_boottime_us () + SECONDS (60) };
  scene_start (&scene, KIND_UNIX_ONE, _i == 0 ? KIND_UNIX_ONE : KIND_RING_TWO, &spec);
  far_pump_set_deadline (scene.pump, far_clock_boottime_us () + SECONDS (600));
  send_text (scene.a, scene.b, "x");
  help_settle (scene.loops.one);
  help_settle (scene.loops.two);
  far_clock_advance (SECONDS (100));
  send_text (scene.a, scene.b, "y");
  far_pump_set_deadline (scene.pump, far_clock_boottime_us () - 1);
  report_wait (&scene.report);
  ck_assert_str_eq (scene.report.cause, "deadline");
  scene_end (&scene);
}
END_TEST

/* A deadline that is over already lets no byte through. */
START_TEST (late_from_the_start)
{
  Scene scene = { .a = -1 };
  FarPumpSpec spec = { .deadline_us = far_clock_boottime_us () - 1 };
  scene_start (&scene, KIND_UNIX_ONE, _i == 0 ? KIND_UNIX_TWO : KIND_FOREIGN, &spec);
  char text[4];
  if (send (scene.a, "x", 1, MSG_NOSIGNAL) == 1)
    ck_assert_int_le (recv (scene.b, text, 1, 0), 0);
  report_wait (&scene.report);
  ck_assert_uint_eq (scene.report.total.bytes_ab, 0);
  ck_assert_str_eq (scene.report.cause, "deadline");
  scene_end (&scene);
}
END_TEST

/* One busy pump leaves the others of its loop their turn. */
START_TEST (turns_are_shared)
{
  Scene scene = { .a = -1 }, other = { .a = -1 };
  FarPumpSpec spec = { .idle_us = 0 };
  scene_start (&scene, KIND_UNIX_ONE, KIND_UNIX_ONE, &spec);
  FarPumpSpec second = { .session = "t", .closed = report_closed, .user = &other.report };
  FarStream *a = end_make (&scene.loops, KIND_UNIX_ONE, &other.a),
            *b = end_make (&scene.loops, KIND_UNIX_ONE, &other.b);
  far_pump_start (a, b, &second);
  g_autofree char *much = g_malloc0 (1 << 20);
  for (int i = 0; i < 20; i++) {
    while (send (scene.a, much, 1 << 20, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
      ;
    while (recv (scene.b, much, 1 << 20, MSG_DONTWAIT) > 0)
      ;
    send_text (other.a, other.b, "ping");
  }
  close (other.a);
  close (other.b);
  report_wait (&other.report);
  scene_end (&scene);
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  TCase *cases = tcase_create ("pump");
  tcase_set_timeout (cases, 60);
  tcase_add_test (cases, counters_once_a_second);
  tcase_add_loop_test (cases, idle_ends_it, 0, 2);
  tcase_add_loop_test (cases, silence_ends_it, 0, 4);
  tcase_add_loop_test (cases, deadline_moves, 0, 2);
  tcase_add_loop_test (cases, late_from_the_start, 0, 2);
  tcase_add_test (cases, turns_are_shared);
  Suite *suite = suite_create ("pump");
  suite_add_tcase (suite, cases);
  SRunner *runner = srunner_create (suite);
  srunner_run_all (runner, CK_NORMAL);
  int failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed > 0;
}
