/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The life of instances: a failure at each step, when it is tried again, in which order they start and stop,
 * what sensors do. lint: allow length, the cases share types that fail on demand. */
#include "config.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "life/instance-private.h"
#include "loop/log.h"
#include "node/node-hooks.h"
#include "life/node.h"
#include "loop/loop-latency.h"
#include "unit/core-help.h"

#define SECOND G_GINT64_CONSTANT (1000000)

static char *folder, *trace;
static GString *log_text;

static void
keep_log (GLogLevelFlags level, const char *path, const char *text, gpointer user)
{
  g_string_append_printf (log_text, "%s: %s\n", path != NULL ? path : "-", text);
}

static void
set_up (void)
{
  folder = make_folder ();
  trace = g_build_filename (folder, "trace", NULL);
  link_fixture (folder, "sensor-probe");
  g_setenv ("FARWATCH_PLUGIN_DIR", folder, TRUE);
  g_setenv ("FARWATCH_TEST_TRACE", trace, TRUE);
  log_text = g_string_new (NULL);
  far_log_set_sink (keep_log, NULL);
}

static void
tear_down (void)
{
  far_instances_stop ();
  far_node_close ();
  far_log_set_sink (NULL, NULL);
  g_string_free (log_text, TRUE);
  remove_folder (folder);
  g_clear_pointer (&folder, g_free);
  g_clear_pointer (&trace, g_free);
}

typedef FarProfile *(*Load) (const char *path, const char *state, GPtrArray *faults);

static void
start_by (Load load, const char *lines)
{
  g_autofree char *path = g_build_filename (folder, "test.yaml", NULL),
                  *state = g_build_filename (folder, "state", NULL);
  g_autofree char *text = g_strdup_printf ("farwatch: 1\nnode: {id: t1, state: %s}\n%s", state, lines),
                  *said = NULL;
  g_autoptr (GPtrArray) faults = far_faults_new ();
  g_autoptr (FarProfile) profile = NULL;
  g_autoptr (GError) error = NULL;

  write_file (folder, "test.yaml", text, -1);
  profile = load (path, NULL, faults);
  said = far_faults_text (faults);
  ck_assert_msg (profile != NULL, "%s", said);
  ck_assert_msg (far_node_open (profile, &error), "%s", error != NULL ? error->message : "");
  far_node_hooks_start ();
  far_instances_start (profile);
  run_pending ();
}

/* Starts a profile that has these lines after the node's. */
static void
start (const char *lines)
{
  start_by (far_profile_load, lines);
}

/* The steps so far, as one line; the trace begins anew. */
static char *
steps (void)
{
  g_autofree char *text = NULL;

  g_file_get_contents (trace, &text, NULL, NULL);
  g_unlink (trace);
  return text != NULL ? g_strdelimit (g_strchomp (g_steal_pointer (&text)), "\n", ',') : g_strdup ("");
}

#define ck_assert_steps(wanted)                                                                              \
  do {                                                                                                       \
    g_autofree char *steps_ = steps ();                                                                      \
    ck_assert_str_eq (steps_, (wanted));                                                                     \
  } while (0)

static FarInstance *
boiler (void)
{
  return far_instances_by_path ("sensors.boiler");
}

static void
pass (gint64 us)
{
  ck_assert (far_clock_advance (us));
  run_pending ();
}

START_TEST (a_good_one_runs_and_ends)
{
  start ("sensors:\n  boiler: {type: probe}\n");
  ck_assert_int_eq (boiler ()->state, FAR_STATE_RUNNING);
  ck_assert_ptr_eq (far_instance_find (FAR_KIND_SENSOR, "boiler", NULL), boiler ());
  ck_assert_steps ("boiler init,boiler start");
  far_instances_stop ();
  ck_assert_steps ("boiler stop,boiler fini");
}
END_TEST

/* Where it fails × what is called then. */
static const struct {
  const char *at, *steps, *later;
} failures[] = {
  { "init", "boiler init,boiler fini", "boiler init,boiler fini" },
  { "start", "boiler init,boiler start,boiler fini", "boiler init,boiler start,boiler fini" },
  { "later", "boiler init,boiler start,boiler stop,boiler fini",
    "boiler init,boiler start,boiler stop,boiler fini" },
};

START_TEST (fini_follows_init_wherever_it_fails)
{
  g_autofree char *lines = g_strdup_printf ("sensors:\n  boiler: {type: probe, fail-at: %s}\n",
                                            failures[_i].at);
  g_autoptr (GError) error = NULL;

  start (lines);
  ck_assert_steps (failures[_i].steps);
  ck_assert_int_eq (boiler ()->state, FAR_STATE_RETRYING);
  ck_assert_ptr_null (boiler ()->self);
  ck_assert_ptr_null (far_instance_find (FAR_KIND_SENSOR, "boiler", &error));
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE));
  pass (2 * SECOND);
  ck_assert_steps (failures[_i].later);
  ck_assert_msg (strstr (log_text->str, "asked to fail as unavailable (") != NULL, "%s", log_text->str);
  ck_assert_msg (strstr (log_text->str, "test.yaml:4)") != NULL, "%s", log_text->str);
}
END_TEST

/* What each code makes core do: not tried before `early`, tried by `late`; late 0: never. */
static const struct {
  const char *code;
  gint64 early, late;
  FarState state;
} codes[] = {
  { "unavailable", 700000, 1300000, FAR_STATE_RETRYING },
  { "foreign", 700000, 1300000, FAR_STATE_RETRYING },
  { "denied", 59 * SECOND, 61 * SECOND, FAR_STATE_RETRYING },
  { "protocol", 4 * SECOND, 6 * SECOND, FAR_STATE_RETRYING },
  { "config", 86400 * SECOND, 0, FAR_STATE_FAILED },
  { "internal", 86400 * SECOND, 0, FAR_STATE_FAILED },
};

START_TEST (the_code_says_when_it_is_tried_again)
{
  g_autofree char *lines =
      g_strdup_printf ("sensors:\n  boiler: {type: probe, fail-at: start, fail-as: %s}\n", codes[_i].code);

  start (lines);
  ck_assert_int_eq (boiler ()->state, codes[_i].state);
  ck_assert_steps ("boiler init,boiler start,boiler fini");
  pass (codes[_i].early);
  ck_assert_steps ("");
  if (codes[_i].late == 0)
    return;
  pass (codes[_i].late - codes[_i].early);
  ck_assert_steps ("boiler init,boiler start,boiler fini");
}
END_TEST

START_TEST (back_off_doubles_up_to_five_minutes)
{
  gint64 base = SECOND;

  start ("sensors:\n  boiler: {type: probe, fail-at: start}\n");
  for (guint i = 0; i < 12; i++) {
    g_free (steps ());
    pass (base * 79 / 100);
    ck_assert_steps ("");
    pass (base * 43 / 100);
    ck_assert_steps ("boiler init,boiler start,boiler fini");
    base = MIN (base * 2, 300 * SECOND);
  }
}
END_TEST

START_TEST (it_may_break_while_it_runs)
{
  start ("sensors:\n  boiler: {type: probe}\n");
  g_free (steps ());
  far_instance_fail (boiler (), g_error_new (FAR_ERROR, FAR_ERROR_UNAVAILABLE, "the line is dead"));
  ck_assert (!far_instance_is_running (boiler ()));
  ck_assert_steps (""); /* nothing is torn down under the caller */
  far_instance_fail (boiler (), g_error_new (FAR_ERROR, FAR_ERROR_INTERNAL, "a second cause is dropped"));
  run_pending ();
  ck_assert_steps ("boiler stop,boiler fini");
  pass (2 * SECOND);
  ck_assert_steps ("boiler init,boiler start");
  ck_assert (far_instance_is_running (boiler ()));
  ck_assert_ptr_nonnull (strstr (log_text->str, "runs again"));
}
END_TEST

START_TEST (end_between_failure_and_tear_down_is_clean)
{
  start ("sensors:\n  boiler: {type: probe}\n");
  far_instance_fail (boiler (), g_error_new (FAR_ERROR, FAR_ERROR_UNAVAILABLE, "the line is dead"));
  g_free (steps ());
  far_instances_stop ();
  ck_assert_steps ("boiler stop,boiler fini");
  run_pending ();
  ck_assert_steps ("");
}
END_TEST

START_TEST (they_start_by_reference_and_stop_backwards)
{
  start ("services:\n  a: {type: clerk, clerk: b, shelf: main}\n  b: {type: clerk, shelf: main}\nstores:\n  "
         "main: {type: shelf}\n");
  ck_assert_steps ("main init,main start,b init,b start,a init,a start");
  far_instances_stop ();
  ck_assert_steps ("a stop,a fini,b stop,b fini,main stop,main fini");
}
END_TEST

START_TEST (one_that_fails_does_not_hold_up_the_rest)
{
  start ("sensors:\n  boiler: {type: probe, fail-at: start, fail-as: config}\n  burner: {type: probe}\n");
  ck_assert_int_eq (boiler ()->state, FAR_STATE_FAILED);
  ck_assert_ptr_nonnull (far_instance_find (FAR_KIND_SENSOR, "burner", NULL));
}
END_TEST

START_TEST (a_missing_type_is_degraded_not_dead)
{
  g_autoptr (GError) error = NULL;

  start ("sensors:\n  boiler: {type: modbus, port: x}\n  burner: {type: probe}\n");
  ck_assert_int_eq (boiler ()->state, FAR_STATE_MISSING);
  ck_assert_ptr_null (far_instance_find (FAR_KIND_SENSOR, "boiler", &error));
  ck_assert_msg (strstr (error->message, "farwatch-plugin-sensor-modbus") != NULL, "%s", error->message);
  ck_assert_ptr_nonnull (far_instance_find (FAR_KIND_SENSOR, "burner", NULL));
}
END_TEST

START_TEST (what_is_not_configured_is_said)
{
  g_autoptr (GError) error = NULL;

  start ("");
  ck_assert_ptr_null (far_instance_find (FAR_KIND_STORE, "main", &error));
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_CONFIG));
  ck_assert_str_eq (error->message, "the profile has no store 'main'; add it, or name one that is there");
}
END_TEST

static guint ups;

static void
count_up (void)
{
  ups++;
}

START_TEST (up_comes_once_whatever_fails)
{
  start ("sensors:\n  boiler: {type: probe, fail-at: start}\n  burner: {type: probe}\n  other: {type: "
         "modbus}\n");
  ups = 0;
  far_instances_on_up (count_up);
  pass (60 * SECOND);
  ck_assert_uint_eq (ups, 1);
}
END_TEST

START_TEST (one_that_hangs_holds_up_for_ten_seconds_only)
{
  start ("services:\n  a: {type: clerk, shelf: main, clerk: slow}\n  slow: {type: clerk, shelf: "
         "main}\nstores:\n  main: {type: shelf, hang: true}\n");
  ck_assert_steps ("main init,main start");
  pass (9 * SECOND);
  ck_assert_steps ("");
  pass (2 * SECOND);
  ck_assert_steps ("slow init,slow start,a init,a start");
  far_instance_ready (far_instances_by_path ("stores.main"));
  ck_assert_ptr_nonnull (far_instance_find (FAR_KIND_STORE, "main", NULL));
}
END_TEST

static const Load loads[] = { far_profile_load, far_profile_load_lazy };

START_TEST (what_rests_starts_when_it_is_asked_for)
{
  start_by (loads[_i], "stores:\n  main: {type: shelf, start: on-demand}\n");
  ck_assert_int_eq (far_instances_by_path ("stores.main")->state, FAR_STATE_RESTING);
  ck_assert (_i == 0 || far_instances_by_path ("stores.main")->type == NULL);
  ck_assert_steps ("");
  ck_assert_ptr_nonnull (far_instance_find (FAR_KIND_STORE, "main", NULL));
  ck_assert_steps ("main init,main start");
  far_instances_stop ();
  ck_assert_steps ("main stop,main fini");
}
END_TEST

START_TEST (what_rests_may_be_of_a_missing_type)
{
  g_autoptr (GError) error = NULL;

  start_by (loads[_i], "stores:\n  main: {type: cellar, start: on-demand}\n");
  ck_assert_int_eq (far_instances_by_path ("stores.main")->state, FAR_STATE_MISSING);
  ck_assert_ptr_null (far_instance_find (FAR_KIND_STORE, "main", &error));
  ck_assert_ptr_nonnull (strstr (error->message, "farwatch-plugin-store-cellar"));
}
END_TEST

START_TEST (a_fault_that_shows_when_it_wakes_is_told)
{
  g_autoptr (GError) error = NULL;

  start_by (far_profile_load_lazy, "stores:\n  main: {type: shelf, hang: maybe, start: on-demand}\n");
  ck_assert_ptr_null (far_instance_find (FAR_KIND_STORE, "main", &error));
  ck_assert_msg (strstr (error->message, "'maybe' is neither true nor false") != NULL, "%s", error->message);
  ck_assert_int_eq (far_instances_by_path ("stores.main")->state, FAR_STATE_FAILED);
}
END_TEST

/* ---- the main loop ---- */

static gboolean
compute (gpointer data)
{
  struct timespec begun, now;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &begun);
  do
    clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now);
  while ((now.tv_sec - begun.tv_sec) * 1000000000LL + now.tv_nsec - begun.tv_nsec <
         GPOINTER_TO_INT (data) * 1000000LL);
  return G_SOURCE_REMOVE;
}

START_TEST (a_long_callback_is_counted_and_told)
{
  far_loop_latency_watch ();
  g_idle_add (compute, GINT_TO_POINTER (5));
  run_pending ();
  ck_assert_uint_eq (far_loop_latency_count (), 0);
  g_idle_add (compute, GINT_TO_POINTER (70));
  run_pending ();
  ck_assert_uint_eq (far_loop_latency_count (), 1);
  ck_assert_ptr_nonnull (strstr (log_text->str, "the main loop was held up for 7"));
}
END_TEST

static gboolean
nap (gpointer data)
{
  g_usleep (60 * 1000); /* lint: allow g_usleep: a callback that waits is what is tested */
  return G_SOURCE_REMOVE;
}

START_TEST (a_callback_that_waits_is_counted_and_told)
{
  guint before;

  far_loop_latency_watch ();
  run_pending ();
  before = far_loop_latency_waits ();
  g_idle_add (nap, NULL);
  run_pending ();
  ck_assert_uint_gt (far_loop_latency_waits (), before);
  ck_assert_ptr_nonnull (strstr (log_text->str, "the main loop waited in a turn of "));
}
END_TEST

START_TEST (two_instances_of_one_type_are_apart)
{
  start ("sensors:\n  boiler: {type: probe, count: 1}\n  burner: {type: probe, count: 2}\n");
  ck_assert_ptr_ne (boiler ()->self, far_instances_by_path ("sensors.burner")->self);
  ck_assert_ptr_ne (boiler ()->options, far_instances_by_path ("sensors.burner")->options);
}
END_TEST

START_TEST (a_socket_outlives_the_failure)
{
  g_autofree char *bound = NULL;
  int fd;

  start ("sensors:\n  boiler: {type: probe, address: \"127.0.0.1:0\"}\n");
  fd = far_instance_listen (boiler (), "127.0.0.1:0", &bound, NULL); /* a second one: another port */
  ck_assert_int_ge (fd, 0);
  ck_assert_uint_eq (boiler ()->listens->len, 2);
  far_instance_fail (boiler (), g_error_new (FAR_ERROR, FAR_ERROR_UNAVAILABLE, "the line is dead"));
  run_pending ();
  ck_assert_uint_eq (boiler ()->listens->len, 2);
  pass (2 * SECOND);
  /* what start() asked for again is kept, the other is closed */
  ck_assert_uint_eq (boiler ()->listens->len, 1);
}
END_TEST

START_TEST (a_bad_address_is_the_admins)
{
  g_autoptr (GError) error = NULL, second = NULL;

  start ("sensors:\n  boiler: {type: probe}\n");
  ck_assert_int_eq (far_instance_listen (boiler (), "no.such.host:80", NULL, &error), -1);
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_CONFIG));
  ck_assert_int_eq (far_instance_listen (boiler (), "192.0.2.77:80", NULL, &second), -1);
  ck_assert (g_error_matches (second, FAR_ERROR, FAR_ERROR_UNAVAILABLE)); /* it may come */
}
END_TEST

static int
dial_unix (const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  if (connect (fd, (const struct sockaddr *) &address, sizeof address) == 0)
    return fd;
  close (fd);
  return -1;
}

START_TEST (a_listener_at_a_path)
{
  g_autofree char *path = g_build_filename (folder, "in", NULL), *address = g_strconcat ("unix:", path, NULL),
                  *bound = NULL;
  g_autoptr (GError) error = NULL;
  struct stat info;
  int fd;

  start ("sensors:\n  boiler: {type: probe}\n  burner: {type: probe}\n");
  ck_assert_int_ge (far_instance_listen (boiler (), address, &bound, NULL), 0);
  ck_assert_str_eq (bound, address);
  ck_assert_int_eq (stat (path, &info), 0);
  ck_assert_uint_eq (info.st_mode & 0777, 0660);
  fd = dial_unix (path);
  ck_assert_int_ge (fd, 0);
  close (fd);
  /* somebody answers there */
  ck_assert_int_eq (far_instance_listen (far_instances_by_path ("sensors.burner"), address, NULL, &error),
                    -1);
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_CONFLICT));
  ck_assert_int_eq (stat (path, &info), 0);
  far_listens_free (boiler ());
  ck_assert_int_ne (stat (path, &info), 0);
}
END_TEST

START_TEST (a_path_that_is_taken)
{
  g_autofree char *path = g_build_filename (folder, "in", NULL), *address = g_strconcat ("unix:", path, NULL),
                  *longest = g_strnfill (200, 'a');
  g_autofree char *too_long = g_strdup_printf ("unix:%s/%s", folder, longest);
  g_autoptr (GError) error = NULL;
  struct sockaddr_un left = { .sun_family = AF_UNIX };
  struct stat info;
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  start ("sensors:\n  boiler: {type: probe}\n");
  ck_assert_int_eq (far_instance_listen (boiler (), too_long, NULL, &error), -1);
  g_clear_error (&error);
  ck_assert_int_eq (far_instance_listen (boiler (), "unix:in", NULL, &error), -1); /* of which folder? */
  g_clear_error (&error);
  write_file (folder, "in", "precious", -1);
  ck_assert_int_eq (far_instance_listen (boiler (), address, NULL, &error), -1);
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_CONFIG));
  ck_assert_int_eq (stat (path, &info), 0);
  g_unlink (path);
  g_strlcpy (left.sun_path, path, sizeof left.sun_path);
  ck_assert_int_eq (bind (fd, (const struct sockaddr *) &left, sizeof left), 0);
  close (fd); /* as after kill -9 */
  ck_assert_int_ge (far_instance_listen (boiler (), address, NULL, NULL), 0);
  fd = dial_unix (path);
  ck_assert_int_ge (fd, 0);
  close (fd);
  g_unlink (path);
  write_file (folder, "in", "somebody else's", -1);
  far_listens_free (boiler ());
  ck_assert_int_eq (stat (path, &info), 0); /* it is not ours any more */
}
END_TEST

/* ---- sensors ---- */

typedef struct {
  guint good, bad;
  gint64 last_us;
  double value;
  char *reason;
} Heard;

static void
hear (const FarReading *group, gpointer user)
{
  Heard *heard = user;

  heard->last_us = group->time_us;
  if (group->quality == FAR_QUALITY_GOOD) {
    heard->good++;
    heard->value = group->samples[0].value.f64;
  } else {
    heard->bad++;
    g_free (heard->reason);
    heard->reason = g_strdup (group->reason);
  }
}

START_TEST (readings_come_at_aligned_ticks)
{
  Heard heard = { 0 };
  guint id = far_sample_listen (NULL, hear, &heard);

  start ("sensors:\n  boiler: {type: probe, interval: 10s, factor: 1.5}\n");
  for (guint i = 1; i <= 5; i++) {
    pass (10 * SECOND);
    ck_assert_uint_eq (heard.good, i);
    ck_assert_int_eq (heard.last_us % (10 * SECOND), 0);
  }
  ck_assert_double_eq (heard.value, 1.5);
  far_sample_unlisten (id);
  pass (10 * SECOND);
  ck_assert_uint_eq (heard.good, 5);
}
END_TEST

START_TEST (a_failing_sensor_is_asked_ever_more_rarely)
{
  Heard heard = { 0 };
  guint id = far_sample_listen (NULL, hear, &heard), before = 0, asked[3] = { 0 };
  FarReading group = { .quality = FAR_QUALITY_GOOD, .n = 1 };
  FarSample sample = { .type = FAR_VALUE_F64 };

  start ("sensors:\n  boiler: {type: probe, interval: 1s, fail-at: sample}\n");
  sample.series = far_series (boiler (), "value", "1");
  group.samples = &sample;
  far_sample_push (boiler (), &group); /* so that its series is known */
  for (guint phase = 0; phase < 3; phase++) {
    for (guint i = 0; i < 64; i++)
      pass (SECOND);
    asked[phase] = heard.bad - before;
    before = heard.bad;
  }
  ck_assert_uint_ge (asked[0], 4);
  ck_assert_uint_le (asked[0], 8);
  ck_assert_uint_ge (asked[2], 2); /* 32 times the interval: twice */
  ck_assert_uint_le (asked[2], 3); /* Ticks are aligned: real time may add one. */
  ck_assert_str_eq (heard.reason, "unavailable");
  far_sample_unlisten (id);
  g_free (heard.reason);
}
END_TEST

START_TEST (samples_pass_the_filters_in_order)
{
  Heard heard = { 0 };
  guint id = far_sample_listen (NULL, hear, &heard);

  start ("filters:\n  one: {type: double}\n  two: {type: double}\nsensors:\n  boiler: {type: probe, "
         "interval: 1s, factor: 3, filters: [one, two]}\n");
  pass (SECOND);
  ck_assert_uint_ge (heard.good, 1); /* ticks are aligned: real time may add one */
  ck_assert_double_eq (heard.value, 12);
  far_sample_unlisten (id);
}
END_TEST

static void
hear_name (const FarReading *group, gpointer user)
{
  char **name = user;

  g_free (*name);
  *name = g_strdup (far_series_info (group->samples[0].series)->name);
}

/* Behind its filters as well. A device that the profile has not may be added at run time: that is no fault,
 * but said. */
START_TEST (series_of_a_device_name_it)
{
  g_autofree char *name = NULL, *device = NULL;
  Heard heard = { 0 };
  guint ids[] = { far_sample_listen (NULL, hear_name, &name), far_sample_listen (NULL, hear, &heard) };

  start ("filters:\n  one: {type: double}\nsensors:\n  boiler: {type: probe, interval: 1s, factor: 3, "
         "filters: [one], device: plc}\n");
  pass (SECOND);
  ck_assert_str_eq (name, "devices/plc/boiler.value");
  ck_assert_double_eq (heard.value, 6);
  device = far_series_device (name);
  ck_assert_str_eq (device, "plc");
  for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
    far_sample_unlisten (ids[i]);
}
END_TEST

START_TEST (a_broken_filter_is_passed_by)
{
  Heard heard = { 0 };
  guint id = far_sample_listen (NULL, hear, &heard);

  start ("filters:\n  one: {type: median}\n  two: {type: double}\nsensors:\n  boiler: {type: probe, "
         "interval: 1s, factor: 3, filters: [one, two]}\n");
  pass (SECOND);
  ck_assert_double_eq (heard.value, 6);
  ck_assert_ptr_nonnull (strstr (log_text->str, "its samples pass unfiltered"));
  far_sample_unlisten (id);
}
END_TEST

/* ---- log ---- */

START_TEST (complaints_come_ever_more_rarely)
{
  guint more = 0, due = 0;

  for (guint i = 0; i < 3600; i++) { /* an hour, once a second */
    due += far_log_limit_due ("sensors.boiler", "%s", "line", &more);
    ck_assert (far_clock_advance (SECOND));
  }
  ck_assert_uint_eq (due, 6); /* 0, 1, 3, 7, 15, 31 min */
  ck_assert_uint_eq (more, 959);
  ck_assert (far_log_limit_due ("sensors.boiler", "%s", "another key", &more));
  ck_assert (far_clock_advance (86400 * 3 * SECOND));
  ck_assert (far_log_limit_due ("sensors.boiler", "%s", "line", &more));
}
END_TEST

START_TEST (what_is_refused_is_counted_under_few_words)
{
  json_t *counts;

  for (guint i = 0; i < 200; i++) {
    g_autofree char *word = g_strdup_printf ("word %u", i);

    far_count ("tokens", 1);
    far_count (word, 1);
  }
  counts = far_counts_json ();
  ck_assert_int_eq (json_integer_value (json_object_get (counts, "tokens")), 200);
  ck_assert_int_eq (json_integer_value (json_object_get (counts, "word 1")), 1);
  ck_assert_uint_eq (json_object_size (counts), 64);
  json_decref (counts);
}
END_TEST

/* Keys that strangers choose make no line each, and push out nobody else's: 10,000 in an hour. */
START_TEST (chosen_keys_fill_no_log)
{
  guint due = 0, more = 0, told = 0;

  ck_assert (far_log_limit_due ("sensors.boiler", "line %s", "mine", &more));
  for (guint i = 0; i < 10000; i++) {
    g_autofree char *key = g_strdup_printf ("2001:db8:0:%x::1", i);

    if (far_log_limit_due ("transports.https", "refused %s", key, &more)) {
      due++;
      told += more + 1;
    }
    ck_assert (far_clock_advance (360 * 1000));
  }
  ck_assert_uint_ge (due, 32);
  ck_assert_uint_le (due, 32 + 60 + 8);
  ck_assert_uint_gt (told, 4000); /* how many were like it is told, the last of them when it is due again */
  /* the one of this minute */
  far_log_limit_due ("transports.https", "refused %s", "2001:db8:ffff::2", &more);
  ck_assert (!far_log_limit_due ("transports.https", "refused %s", "2001:db8:ffff::1", &more));
  ck_assert (far_log_limit_due ("transports.https", "another kind %s", "2001:db8:ffff::1", &more));
  ck_assert (far_log_limit_due ("transports.nodes", "refused %s", "2001:db8:ffff::1", &more));
}
END_TEST

/* A complaint that is under way is not forgotten for new ones. */
START_TEST (new_keys_push_out_no_old_one)
{
  guint more = 0;

  ck_assert (far_log_limit_due ("a", "%s", "mine", &more));
  for (guint i = 0; i < 100; i++)
    for (guint k = 0; k < 40; k++) {
      g_autofree char *kind = g_strdup_printf ("kind %u", i), *key = g_strdup_printf ("%u", k);

      far_log_limit_due ("a", kind, key, &more);
    }
  ck_assert (!far_log_limit_due ("a", "%s", "mine", &more));
}
END_TEST

/* What peers sent may stand in a text: it makes no line and no escape sequence of its own. */
START_TEST (a_line_of_the_log_is_one_line)
{
  int ends[2], old = dup (STDERR_FILENO);
  char text[4200] = "";
  g_autofree char *huge = g_strnfill (100000, 'x');
  gssize n;

  ck_assert_int_eq (pipe (ends), 0);
  dup2 (ends[1], STDERR_FILENO);
  far_log_line (G_LOG_LEVEL_WARNING, "sensors.boiler",
                "said \"a\nb\x1b[31m\xff\" at \xe2\x80\xa8 once\xe2\x80\xae"
                "evil");
  n = read (ends[0], text, sizeof text - 1);
  ck_assert_int_gt (n, 0);
  ck_assert_ptr_nonnull (strstr (
      text, " warning: sensors.boiler: said \"a\\x0ab\\x1b[31m\xef\xbf\xbd\" at \\x2028 once\\x202eevil\n"));
  far_log_line (G_LOG_LEVEL_WARNING, NULL, huge);
  n = read (ends[0], text, sizeof text - 1);
  ck_assert_int_lt (n, 4097);
  ck_assert_int_eq (text[n - 1], '\n');
  dup2 (old, STDERR_FILENO);
  close (old);
  close (ends[0]);
  close (ends[1]);
}
END_TEST

START_TEST (a_second_daemon_on_one_state_is_refused)
{
  g_autoptr (GError) error = NULL;
  pid_t child;

  start ("");
  child = fork ();
  if (child == 0) {
    gboolean taken = far_node_open (far_node_profile (), &error);

    _exit (!taken && g_error_matches (error, FAR_ERROR, FAR_ERROR_CONFLICT) ? 0 : 1);
  }
  ck_assert_int_eq (wait_for (child), 0);
}
END_TEST

/* ---- secrets ---- */

START_TEST (credentials_are_read_from_private_files_only)
{
  g_autofree char *state = g_build_filename (folder, "state", NULL),
                  *dir = g_build_filename (state, "credentials", NULL);
  g_autofree char *file = g_build_filename (dir, "key", NULL);
  g_autoptr (GError) error = NULL, second = NULL, third = NULL;
  char *secret;

  start ("");
  ck_assert_int_eq (g_mkdir_with_parents (dir, 0700), 0);
  write_file (dir, "key", "open sesame\n", -1);
  g_chmod (file, 0600);
  secret = far_secret_read ("key", &error);
  ck_assert_str_eq (secret, "open sesame");
  far_secret_free (secret);
  g_chmod (file, 0644);
  ck_assert_ptr_null (far_secret_read ("key", &error));
  ck_assert_ptr_nonnull (strstr (error->message, "others may read it"));
  ck_assert_ptr_null (far_secret_read ("../key", &second));
  ck_assert_ptr_null (far_secret_read ("none", &third));
  ck_assert (g_error_matches (third, FAR_ERROR, FAR_ERROR_CONFIG));
  g_setenv ("CREDENTIALS_DIRECTORY", dir, TRUE); /* the service manager's own, whatever its mode */
  secret = far_secret_read ("key", NULL);
  ck_assert_str_eq (secret, "open sesame");
  far_secret_free (secret);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("instance");
  TCase *tcase = tcase_create ("instance");

  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  g_setenv ("LC_ALL", "C", TRUE);
  tcase_add_checked_fixture (tcase, set_up, tear_down);
  tcase_set_timeout (tcase, 60);
  tcase_add_test (tcase, a_good_one_runs_and_ends);
  tcase_add_loop_test (tcase, fini_follows_init_wherever_it_fails, 0, G_N_ELEMENTS (failures));
  tcase_add_loop_test (tcase, the_code_says_when_it_is_tried_again, 0, G_N_ELEMENTS (codes));
  tcase_add_test (tcase, back_off_doubles_up_to_five_minutes);
  tcase_add_test (tcase, it_may_break_while_it_runs);
  tcase_add_test (tcase, end_between_failure_and_tear_down_is_clean);
  tcase_add_test (tcase, they_start_by_reference_and_stop_backwards);
  tcase_add_test (tcase, one_that_fails_does_not_hold_up_the_rest);
  tcase_add_test (tcase, a_missing_type_is_degraded_not_dead);
  tcase_add_test (tcase, what_is_not_configured_is_said);
  tcase_add_test (tcase, up_comes_once_whatever_fails);
  tcase_add_test (tcase, one_that_hangs_holds_up_for_ten_seconds_only);
  tcase_add_loop_test (tcase, what_rests_starts_when_it_is_asked_for, 0, G_N_ELEMENTS (loads));
  tcase_add_loop_test (tcase, what_rests_may_be_of_a_missing_type, 0, G_N_ELEMENTS (loads));
  tcase_add_test (tcase, a_fault_that_shows_when_it_wakes_is_told);
  tcase_add_test (tcase, a_long_callback_is_counted_and_told);
  tcase_add_test (tcase, a_callback_that_waits_is_counted_and_told);
  tcase_add_test (tcase, two_instances_of_one_type_are_apart);
  tcase_add_test (tcase, a_socket_outlives_the_failure);
  tcase_add_test (tcase, a_bad_address_is_the_admins);
  tcase_add_test (tcase, a_listener_at_a_path);
  tcase_add_test (tcase, a_path_that_is_taken);
  tcase_add_test (tcase, readings_come_at_aligned_ticks);
  tcase_add_test (tcase, a_failing_sensor_is_asked_ever_more_rarely);
  tcase_add_test (tcase, samples_pass_the_filters_in_order);
  tcase_add_test (tcase, series_of_a_device_name_it);
  tcase_add_test (tcase, a_broken_filter_is_passed_by);
  tcase_add_test (tcase, complaints_come_ever_more_rarely);
  tcase_add_test (tcase, what_is_refused_is_counted_under_few_words);
  tcase_add_test (tcase, a_line_of_the_log_is_one_line);
  tcase_add_test (tcase, chosen_keys_fill_no_log);
  tcase_add_test (tcase, new_keys_push_out_no_old_one);
  tcase_add_test (tcase, a_second_daemon_on_one_state_is_refused);
  tcase_add_test (tcase, credentials_are_read_from_private_files_only);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
