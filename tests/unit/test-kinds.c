/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kinds that a plugin may have beside samples and messages: notifiers and their queues, what sensors are
 * told to do, pictures, decoders. Plugins of tests stand in a profile that is read, run and read again. */
#include "config.h"

#include "data/event-private.h"
#include "door-help.h"
#include "life/instance-private.h"
#include "life/node.h"
#include "life/reload.h"
#include "node/api-private.h"
#include "node/node-hooks.h"

static char *folder, *trace;
static FarPrincipal *admin, *alice;

static void
set_up (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  folder = make_folder ();
  trace = g_build_filename (folder, "trace", NULL);
  link_fixture (folder, "sensor-probe");
  link_fixture (folder, "decoder-line");
  g_setenv ("FARWATCH_PLUGIN_DIR", folder, TRUE);
  g_setenv ("FARWATCH_TEST_TRACE", trace, TRUE);
  far_handlers_add (far_api_act_handlers, NULL, NULL);
  admin = root ();
  alice = person ("alice", "192.0.2.1");
}

static void
tear_down (void)
{
  far_instances_stop ();
  run_pending ();
  far_handlers_remove (far_api_act_handlers, NULL);
  ck_assert_uint_eq (far_call_count (), 0);
  far_dedup_clear ();
  far_right_clear ();
  far_node_close ();
  far_principal_unref (admin);
  far_principal_unref (alice);
  remove_folder (folder);
  g_clear_pointer (&folder, g_free);
  g_clear_pointer (&trace, g_free);
}

static void
write_profile (const char *lines)
{
  g_autofree char *state = g_build_filename (folder, "state", NULL);
  g_autofree char *text = g_strdup_printf ("farwatch: 1\nnode: {id: t1, state: %s}\n%s", state, lines);

  write_file (folder, "test.yaml", text, -1);
}

static void
start (const char *lines)
{
  g_autofree char *path = g_build_filename (folder, "test.yaml", NULL);
  g_autoptr (GPtrArray) faults = far_faults_new ();
  g_autoptr (FarProfile) profile = NULL;
  g_autofree char *said = NULL;

  write_profile (lines);
  profile = far_profile_load (path, NULL, faults);
  said = far_faults_text (faults);
  ck_assert_msg (profile != NULL, "%s", said);
  ck_assert (far_node_open (profile, NULL));
  far_node_hooks_start ();
  far_instances_start (profile);
  run_pending ();
  g_unlink (trace);
}

static void
reload (const char *lines)
{
  g_autoptr (GPtrArray) faults = far_faults_new ();
  g_autoptr (GError) error = NULL;
  json_t *changes = NULL;

  write_profile (lines);
  ck_assert_msg (far_reload (NULL, &changes, faults, &error), "%s", error != NULL ? error->message : "");
  json_decref (changes);
  run_pending ();
}

/* What was done since the last time, without the lives of instances. */
static char *
told (void)
{
  g_autofree char *text = NULL;
  g_autoptr (GString) said = g_string_new (NULL);
  g_auto (GStrv) lines = NULL;

  g_file_get_contents (trace, &text, NULL, NULL);
  g_unlink (trace);
  lines = g_strsplit (text != NULL ? text : "", "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    if (strchr (lines[i], ':') != NULL)
      g_string_append_printf (said, "%s%s", said->len > 0 ? "," : "", lines[i]);
  return g_string_free (g_steal_pointer (&said), FALSE);
}

#define ck_assert_told(wanted)                                                                               \
  do {                                                                                                       \
    g_autofree char *told_ = told ();                                                                        \
    ck_assert_str_eq (told_, (wanted));                                                                      \
  } while (0)

static FarInstance *
instance (const char *path)
{
  FarInstance *at = far_instances_by_path (path);

  ck_assert_msg (at != NULL && far_instance_is_running (at), "%s does not run", path);
  return at;
}

/* ---- events and notifiers ---- */

#define BELL "notifiers:\n  bell: {type: bell}\n"
#define BOILER "sensors:\n  boiler: {type: probe}\n"

static void
raise_at (const char *path, FarSeverity severity, const char *key)
{
  far_event_raise (instance (path), severity, key, "%s", "text");
  run_pending ();
}

START_TEST (a_notifier_is_told_of_news_alone)
{
  start (BELL BOILER);
  far_event_raise (instance ("sensors.boiler"), FAR_SEVERITY_WARNING, "hot", "text");
  ck_assert_told (""); /* never inside the call */
  run_pending ();
  ck_assert_told ("bell hot:warning:1");
  raise_at ("sensors.boiler", FAR_SEVERITY_WARNING, "hot");
  raise_at ("sensors.boiler", FAR_SEVERITY_INFO, "hot");
  ck_assert_told ("");
  raise_at ("sensors.boiler", FAR_SEVERITY_CRITICAL, "hot"); /* worse: that is news */
  ck_assert_told ("bell hot:critical:4");
  far_event_clear (instance ("sensors.boiler"), "hot", "%s", "cold");
  far_event_clear (instance ("sensors.boiler"), "hot", "%s", "cold");
  far_event_clear (instance ("sensors.boiler"), "never", "%s", "cold");
  run_pending ();
  ck_assert_told ("bell hot:critical:4:over");
  raise_at ("sensors.boiler", FAR_SEVERITY_INFO, "hot");
  ck_assert_told ("bell hot:info:1");
}
END_TEST

START_TEST (the_same_key_of_another_is_another_matter)
{
  start (BELL "  horn: {type: bell}\n" BOILER "  pump: {type: probe}\n");
  raise_at ("sensors.boiler", FAR_SEVERITY_WARNING, "hot");
  ck_assert_told ("bell hot:warning:1,horn hot:warning:1"); /* all notifiers */
  raise_at ("sensors.pump", FAR_SEVERITY_WARNING, "hot");
  ck_assert_told ("bell hot:warning:1,horn hot:warning:1");
  ck_assert_uint_eq (far_events_open (), 2);
}
END_TEST

START_TEST (one_that_fails_is_asked_ever_more_rarely_and_not_for_ever)
{
  static const gint64 waits_s[] = { 1, 4, 16, 64, 256, 600, 600 };

  start (BELL BOILER);
  raise_at ("sensors.boiler", FAR_SEVERITY_FAULT, "broken");
  raise_at ("sensors.boiler", FAR_SEVERITY_FAULT, "next");
  ck_assert_told ("bell broken:fault:1"); /* in order: the next one waits */
  for (guint i = 0; i < G_N_ELEMENTS (waits_s); i++) {
    if (waits_s[i] > 1)
      forward (waits_s[i] - 1);
    ck_assert_told ("");
    forward (1);
    if (i + 1 < G_N_ELEMENTS (waits_s))
      ck_assert_told ("bell broken:fault:1");
  }
  ck_assert_told ("bell broken:fault:1,bell next:fault:1"); /* given up, and the next one is told */
  forward (3600);
  ck_assert_told ("");
}
END_TEST

START_TEST (what_makes_no_sense_is_not_tried_again)
{
  start (BELL BOILER);
  raise_at ("sensors.boiler", FAR_SEVERITY_FAULT, "senseless");
  raise_at ("sensors.boiler", FAR_SEVERITY_FAULT, "next");
  ck_assert_told ("bell senseless:fault:1,bell next:fault:1");
  forward (3600);
  ck_assert_told ("");
}
END_TEST

START_TEST (one_that_does_not_answer_is_asked_again)
{
  start (BELL BOILER);
  raise_at ("sensors.boiler", FAR_SEVERITY_FAULT, "slow");
  ck_assert_told ("bell slow:fault:1");
  forward (FAR_EVENT_TRY_MS / 1000 + 1);
  forward (1);
  ck_assert_told ("bell slow:fault:1");
}
END_TEST

/* The queue goes by the name: a reload that replaces the notifier loses nothing, and neither does one that is
 * ended while it has an event. */
START_TEST (a_reload_loses_no_event)
{
  start (BELL BOILER);
  raise_at ("sensors.boiler", FAR_SEVERITY_FAULT, "slow");
  raise_at ("sensors.boiler", FAR_SEVERITY_FAULT, "next");
  ck_assert_told ("bell slow:fault:1");
  far_instance_end (instance ("notifiers.bell"));
  run_pending ();
  forward (3600);
  ck_assert_told ("");
  far_instance_try (far_instances_by_path ("notifiers.bell"));
  run_pending ();
  ck_assert_told ("bell slow:fault:1"); /* once more */
  reload (BOILER);                      /* nobody is there to be told */
  reload (BELL BOILER);
  raise_at ("sensors.boiler", FAR_SEVERITY_FAULT, "last");
  ck_assert_told ("bell last:fault:1");
}
END_TEST

START_TEST (events_of_what_is_gone_are_forgotten)
{
  start (BELL BOILER);
  raise_at ("sensors.boiler", FAR_SEVERITY_FAULT, "hot");
  reload (BELL "sensors:\n  boiler: {type: probe, count: 5}\n");
  ck_assert_uint_eq (far_events_open (), 1);
  reload (BELL);
  ck_assert_uint_eq (far_events_open (), 0);
}
END_TEST

START_TEST (a_full_queue_drops_the_oldest_that_waits)
{
  g_autofree char *text = NULL;

  start (BELL BOILER);
  raise_at ("sensors.boiler", FAR_SEVERITY_FAULT, "slow");
  for (guint i = 0; i < FAR_EVENT_QUEUE_MAX + 10; i++) {
    g_autofree char *key = g_strdup_printf ("k%u", i);

    far_event_raise (instance ("sensors.boiler"), FAR_SEVERITY_INFO, key, "text");
  }
  far_instance_end (instance ("notifiers.bell"));
  run_pending ();
  g_unlink (trace);
  far_event_clear (instance ("sensors.boiler"), "slow", "text");
  far_instance_try (far_instances_by_path ("notifiers.bell"));
  run_pending ();
  forward (FAR_EVENT_TRY_MS / 1000 + 1);
  for (guint i = 0; i < FAR_EVENT_TRIES; i++) {
    forward (600);
    forward (FAR_EVENT_TRY_MS / 1000 + 1);
  }
  text = told ();
  ck_assert_ptr_null (strstr (text, "bell k11:")); /* 266 and one end for 255 places behind the first */
  ck_assert_ptr_nonnull (strstr (text, "bell k12:info:1,bell k13:"));
  ck_assert_ptr_nonnull (strstr (text, "bell k265:"));
}
END_TEST

START_TEST (too_many_events_at_once_are_not_kept)
{
  start (BOILER);
  for (guint i = 0; i < FAR_EVENT_OPEN_MAX + 10; i++) {
    g_autofree char *key = g_strdup_printf ("k%u", i);

    far_event_raise (instance ("sensors.boiler"), FAR_SEVERITY_INFO, key, "text");
  }
  ck_assert_uint_eq (far_events_open (), FAR_EVENT_OPEN_MAX);
}
END_TEST

static void
note_event (const FarEvent *event, gpointer user)
{
  g_string_append_printf (user, "%s|%s|%s|%d;", event->path, event->key, event->text, event->recovered);
}

START_TEST (listeners_hear_what_a_person_may_look_at)
{
  g_autoptr (GString) heard_text = g_string_new (NULL);
  g_autofree char *key = g_strnfill (FAR_EVENT_KEY_MAX - 1, 'k'), *long_key = g_strconcat (key, "ää", NULL),
                  *wanted = g_strdup_printf ("sensors.boiler|%s|two lines|0;", key);
  guint id;

  start (BOILER);
  id = far_event_listen (NULL, note_event, heard_text);
  far_event_raise (instance ("sensors.boiler"), FAR_SEVERITY_INFO, long_key, "two\nlines");
  ck_assert_str_eq (heard_text->str, wanted);
  far_event_unlisten (id);
  far_event_clear (instance ("sensors.boiler"), long_key, "over");
  ck_assert_str_eq (heard_text->str, wanted);
}
END_TEST

/* ---- what sensors are told to do ---- */

#define PRESS "devices:\n  press: {endpoint: door, address: a}\nendpoints:\n  door: {type: door}\n"
#define ON_PRESS "sensors:\n  boiler: {type: probe, device: press}\n"

static guint
act_as (FarPrincipal *who, const char *act, const char *args, const char *part)
{
  g_autofree char *resource = g_strconcat ("sensors/boiler/acts/", act, NULL), *text = NULL;
  json_t *body = NULL;
  guint status = ask_as (who, "POST", resource, args, &body);

  text = json_dumps (body, JSON_COMPACT);
  ck_assert_msg (part == NULL || (text != NULL && strstr (text, part) != NULL), "%s: %u %s", act, status,
                 text);
  json_decref (body);
  return status;
}

START_TEST (an_act_is_listed_and_answers)
{
  json_t *body = NULL, *first;

  start (BOILER);
  ck_assert_uint_eq (ask_as (admin, "GET", "sensors/boiler/acts", NULL, &body), 200);
  first = json_array_get (json_object_get (body, "acts"), 0);
  ck_assert_str_eq (json_string_value (json_object_get (first, "act")), "say");
  first = json_array_get (json_object_get (first, "fields"), 0);
  ck_assert_str_eq (json_string_value (json_object_get (first, "name")), "word");
  ck_assert_str_eq (json_string_value (json_object_get (first, "type")), "text");
  ck_assert (json_is_true (json_object_get (first, "required")));
  json_decref (body);
  ck_assert_uint_eq (act_as (admin, "say", "{\"word\":\"go\",\"times\":2}", "{\"said\":\"gogo\"}"), 200);
}
END_TEST

START_TEST (a_bad_act_is_refused_with_the_cause)
{
  static const struct {
    const char *act, *args, *part;
    guint status;
  } bad[] = {
    { "jump", "{}", "there are: say, hold", 404 },
    { "say", "{}", "field 'word' is missing", 400 },
    { "say", "{\"word\":\"go\",\"times\":4}", "too large", 400 },
    { "say", "{\"word\":7}", "must be a text", 400 },
    { "say", "{\"word\":\"go\",\"loud\":true}", "field 'loud' is not known", 400 },
    { "hold", "{\"word\":\"go\"}", "known are: none", 400 },
    { "refuse", "{}", "the device does not answer", 503 },
  };

  start (BOILER);
  ck_assert_uint_eq (act_as (admin, bad[_i].act, bad[_i].args, bad[_i].part), bad[_i].status);
  ck_assert_uint_eq (act_as (admin, "say", "{\"word\":\"go\"}", "\"go\""), 200); /* nothing is left of it */
}
END_TEST

#define SAY "{\"word\":\"go\"}"

START_TEST (who_may_act_is_told_by_rights)
{
  start (PRESS ON_PRESS);
  ck_assert_uint_eq (act_as (alice, "say", SAY, "no such object"), 404);
  ck_assert_uint_eq (ask_as (alice, "GET", "sensors/boiler/acts", NULL, NULL), 404);
  give ("r", "alice", "act", "node/sensors/boiler", NULL); /* not what it measures */
  ck_assert_uint_eq (act_as (alice, "say", SAY, NULL), 404);
  give ("r", "alice", "see", "terminals/t1/devices/press", NULL);
  ck_assert_uint_eq (ask_as (alice, "GET", "sensors/boiler/acts", NULL, NULL), 200);
  ck_assert_uint_eq (act_as (alice, "say", SAY, "no right to have the sensor"), 403);
  give ("r", "alice", "act", "terminals/t1/devices/press", NULL);
  ck_assert_uint_eq (act_as (alice, "say", SAY, "go"), 200);
  ck_assert_uint_eq (ask_as (alice, "POST", "sensors/none/acts/say", SAY, NULL), 404);
  ck_assert_uint_eq (ask_as (alice, "GET", "sensors/none/acts", NULL, NULL), 404);
}
END_TEST

START_TEST (a_sensor_of_no_device_is_an_object_of_its_node)
{
  start (BOILER);
  ck_assert_uint_eq (act_as (alice, "say", SAY, NULL), 404);
  give ("r", "alice", "act", _i == 0 ? "node/sensors/boiler" : "node", NULL);
  ck_assert_uint_eq (act_as (alice, "say", SAY, "go"), 200);
}
END_TEST

START_TEST (no_other_action_lets_act)
{
  static const char *const actions[] = { "see",  "connect", "connect-raw", "watch",
                                         "copy", "approve", "manage",      "act" };
  g_autoptr (FarPrincipal) nobody = far_principal_new (FAR_PRINCIPAL_NONE, "", NULL, ""),
                           node = far_principal_new (FAR_PRINCIPAL_NODE, "t1", NULL, "");

  start (BOILER);
  for (guint i = 0; i < G_N_ELEMENTS (actions); i++) {
    give ("r", "alice", actions[i], "node", NULL);
    ck_assert_uint_eq (act_as (alice, "say", SAY, NULL), i + 1 < G_N_ELEMENTS (actions) ? 403 : 200);
    ck_assert_uint_eq (ask_as (alice, "GET", "sensors/boiler/acts", NULL, NULL),
                       200); /* as with all rights */
  }
  ck_assert_uint_eq (act_as (nobody, "say", SAY, NULL), 401);
  ck_assert_uint_ge (act_as (node, "say", SAY, NULL), 400);
}
END_TEST

static Heard held;

static void
hold (void)
{
  g_autoptr (FarMessage) request = far_message_request ("POST", "sensors/boiler/acts/hold", NULL);

  far_api_submit (admin, NULL, request, heard, &held);
  run_pending ();
  ck_assert_uint_eq (held.n, 0);
}

/* Status of the one that was held. */
static guint
held_status (void)
{
  guint status;

  ck_assert (run_until (is_last, &held));
  status = heard_at (&held, 0)->status;
  heard_clear (&held);
  return status;
}

START_TEST (one_act_at_a_time)
{
  json_t *body = NULL;

  start (BOILER "  pump: {type: probe}\n");
  hold ();
  ck_assert_uint_eq (act_as (admin, "say", SAY, "another act is under way"), 409);
  ck_assert_uint_eq (ask_as (admin, "POST", "sensors/pump/acts/say", SAY, NULL), 200); /* another sensor */
  ck_assert_uint_eq (ask_as (admin, "GET", "sensors/boiler/acts", NULL, &body), 200);
  ck_assert (json_is_true (json_object_get (body, "busy")));
  json_decref (body);
  forward (FAR_ACT_MS / 1000 + 1);
  ck_assert_uint_eq (held_status (), 503);
  ck_assert_uint_eq (act_as (admin, "say", SAY, "go"), 200);
}
END_TEST

START_TEST (an_act_ends_with_its_sensor)
{
  start (BOILER);
  hold ();
  if (_i == 0) {
    far_instance_end (instance ("sensors.boiler"));
    ck_assert_uint_eq (held_status (), 503);
    ck_assert_uint_eq (act_as (admin, "say", SAY, "does not run"), 503);
    far_instance_try (far_instances_by_path ("sensors.boiler"));
  } else {
    reload ("sensors:\n  boiler: {type: probe, count: 5}\n"); /* replaced */
    ck_assert_uint_eq (held_status (), 503);
  }
  ck_assert_uint_eq (act_as (admin, "say", SAY, "go"), 200);
}
END_TEST

START_TEST (a_reload_of_options_leaves_an_act_alone)
{
  start (BOILER);
  hold ();
  reload ("sensors:\n  boiler: {type: probe, loud: yes}\n");
  ck_assert_uint_eq (held.n, 0);
  ck_assert_uint_eq (act_as (admin, "say", SAY, "another act is under way"), 409);
  forward (FAR_ACT_MS / 1000 + 1);
  ck_assert_uint_eq (held_status (), 503);
}
END_TEST

START_TEST (a_service_may_have_a_sensor_act)
{
  start (BOILER);
  far_sensor_act ("boiler", "hold", NULL, "a test", far_request_new (NULL, NULL, 0));
  far_sensor_act ("none", "hold", NULL, "a test", far_request_new (NULL, NULL, 0));
  ck_assert_uint_eq (act_as (admin, "say", SAY, "another act is under way"), 409);
}
END_TEST

/* ---- pictures ---- */

static void
note_picture (const FarPicture *picture, gpointer user)
{
  g_string_append_printf (user, "%s %s %s %" G_GSIZE_FORMAT " %d %s;", picture->source, picture->name,
                          picture->content_type != NULL ? picture->content_type : "-",
                          picture->image != NULL ? g_bytes_get_size (picture->image) : 0,
                          (int) picture->quality, picture->reason != NULL ? picture->reason : "-");
  ck_assert_int_le (ABS (picture->time_us - far_clock_wall_us ()), 60 * G_USEC_PER_SEC);
}

START_TEST (a_picture_comes_with_its_quality_and_within_its_bounds)
{
  static const struct {
    const char *args, *wanted;
  } rows[] = {
    { "{\"size\":4,\"type\":\"image/png\"}", "t1 devices/press/boiler.front image/png 4 0 -;" },
    { "{\"size\":4194304,\"type\":\"image/png\"}", "t1 devices/press/boiler.front image/png 4194304 0 -;" },
    { "{\"size\":4194305,\"type\":\"image/png\"}", "t1 devices/press/boiler.front - 0 2 too large;" },
    { "{\"size\":4,\"type\":\"png\"}", "t1 devices/press/boiler.front - 0 2 content type;" },
    { "{\"size\":4,\"type\":\"image/png\\r\\nX: y\"}", "t1 devices/press/boiler.front - 0 2 content type;" },
    { "{\"size\":4}", "t1 devices/press/boiler.front - 0 2 content type;" },
    { "{\"type\":\"image/png\"}", "t1 devices/press/boiler.front - 0 2 timeout;" },
  };
  g_autoptr (GString) seen = g_string_new (NULL);
  guint id;

  start (PRESS ON_PRESS);
  id = far_picture_listen (NULL, note_picture, seen);
  ck_assert_uint_eq (act_as (admin, "picture", rows[_i].args, "{}"), 200);
  ck_assert_str_eq (seen->str, rows[_i].wanted);
  far_picture_unlisten (id);
  ck_assert_uint_eq (act_as (admin, "picture", rows[_i].args, "{}"), 200);
  ck_assert_str_eq (seen->str, rows[_i].wanted);
}
END_TEST

START_TEST (a_sensor_raises_an_event)
{
  start (BELL BOILER);
  ck_assert_uint_eq (act_as (admin, "alarm", "{\"key\":\"hot\",\"severity\":2}", "{}"), 200);
  ck_assert_uint_eq (act_as (admin, "alarm", "{\"key\":\"hot\",\"over\":true}", "{}"), 200);
  run_pending ();
  ck_assert_told ("bell hot:fault:1,bell hot:fault:1:over");
}
END_TEST

/* ---- decoders ---- */

#define LINES "decoders:\n  lines: {type: line, longest: 16B}\n"

static void
note_operation (const FarOperation *operation, gpointer user)
{
  g_autofree char *detail = operation->detail != NULL ? json_dumps (operation->detail, JSON_COMPACT) : NULL;

  ck_assert_str_eq (operation->application, "line");
  ck_assert_int_eq (operation->time_us, 7);
  g_string_append_printf (user, "%s %s %s %s%s;", operation->to_device ? ">" : "<", operation->verb,
                          operation->object != NULL ? operation->object : "-", detail != NULL ? detail : "-",
                          operation->opaque ? " opaque" : "");
}

/* At a thread that is not main, in pieces: cut at `at`, or a byte at a time. */
typedef struct {
  FarDecoding *flow;
  GString *said;
  const char *text;
  gsize at;
  gboolean bytes;
} Feed;

static void
feed_piece (const Feed *feed, gsize from, gsize to)
{
  far_decoding_bytes (feed->flow, TRUE, (const guint8 *) feed->text + from, to - from, 7);
}

static gpointer
feed_all (gpointer data)
{
  FarDecoderFlow flow = { .session = "s1", .device = "press", .application = "line" };
  Feed *feed = data;
  gsize size = strlen (feed->text);

  feed->flow = far_decoding_open (&flow, note_operation, feed->said, NULL);
  ck_assert_ptr_nonnull (feed->flow);
  for (gsize i = 0; feed->bytes && i < size; i++)
    feed_piece (feed, i, i + 1);
  if (!feed->bytes) {
    feed_piece (feed, 0, feed->at);
    feed_piece (feed, feed->at, size);
  }
  far_decoding_bytes (feed->flow, FALSE, (const guint8 *) "OK 40\r\n", 7, 7);
  far_decoding_close (feed->flow);
  return NULL;
}

static char *
decoded (const char *text, gsize at, gboolean bytes)
{
  Feed feed = { NULL, g_string_new (NULL), text, at, bytes };

  g_thread_join (far_thread_new ("feed", feed_all, &feed));
  return g_string_free (feed.said, FALSE);
}

#define SAID "SET valve 40 now\r\n\r\nGET temp\nLOOKATTHISTOOLONGLINE x\nSET a b\nlast"
#define DONE                                                                                                 \
  "> set valve {\"rest\":\"40 now\"};> get temp -;> opaque - - opaque;> set a {\"rest\":\"b\"};"             \
  "< answer OK 40 -;> last - -;"

START_TEST (operations_are_the_same_however_the_bytes_are_cut)
{
  g_autofree char *single = NULL;

  start ("decoders:\n  lines: {type: line, longest: 17B}\n");
  for (gsize at = 0; at <= strlen (SAID); at++) {
    g_autofree char *said = decoded (SAID, at, FALSE);

    ck_assert_str_eq (said, DONE);
  }
  single = decoded (SAID, 0, TRUE);
  ck_assert_str_eq (single, DONE);
}
END_TEST

START_TEST (a_gap_is_told_as_opaque)
{
  FarDecoderFlow flow = { .application = "line" };
  g_autoptr (GString) said = g_string_new (NULL);
  FarDecoding *decoding;

  start (LINES);
  decoding = far_decoding_open (&flow, note_operation, said, NULL);
  far_instance_end (instance ("decoders.lines")); /* a flow goes on without its instance */
  far_decoding_bytes (decoding, TRUE, (const guint8 *) "SET va", 6, 7);
  far_decoding_gap (decoding, TRUE, 100, 7);
  far_decoding_bytes (decoding, TRUE, (const guint8 *) "lve\nGET x\n", 10, 7);
  ck_assert_str_eq (said->str, "> opaque - - opaque;> get x -;");
  far_decoding_close (decoding);
}
END_TEST

static char *
decoded_as (const char *text)
{
  g_autofree char *whole = decoded (text, 0, FALSE);

  return g_strndup (whole, strcspn (whole, ";"));
}

START_TEST (new_options_are_for_the_flows_that_come)
{
  g_autofree char *before = NULL, *after = NULL;

  start (LINES);
  before = decoded_as ("GET a-rather-long-name\n");
  reload ("decoders:\n  lines: {type: line, longest: 1KiB}\n");
  after = decoded_as ("GET a-rather-long-name\n");
  ck_assert_str_eq (before, "> opaque - - opaque");
  ck_assert_str_eq (after, "> get a-rather-long-name -");
}
END_TEST

/* Flows begin and end on threads of their own while the decoder comes and goes. */
static gpointer
feed_often (gpointer data)
{
  FarDecoderFlow flow = { .application = "line" };
  GString *said = g_string_new (NULL);
  guint opened = 0;

  for (guint i = 0; i < 2000; i++) {
    FarDecoding *decoding = far_decoding_open (&flow, note_operation, said, NULL);

    if (decoding == NULL)
      continue;
    opened++;
    far_decoding_bytes (decoding, TRUE, (const guint8 *) "GET x\n", 6, 7);
    far_decoding_close (decoding);
  }
  ck_assert_uint_eq (said->len, opened * strlen ("> get x -;"));
  g_string_free (said, TRUE);
  return NULL;
}

START_TEST (a_decoder_may_go_while_flows_are_opened)
{
  GThread *threads[3];

  start (LINES);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = far_thread_new ("feed", feed_often, NULL);
  for (guint i = 0; i < 20; i++)
    reload (i % 2 == 0 ? BOILER : LINES);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}
END_TEST

START_TEST (no_decoder_is_an_error_that_says_what_to_do)
{
  FarDecoderFlow flow = { .application = _i == 0 ? "modbus" : NULL };
  g_autoptr (GError) error = NULL;

  start (LINES);
  ck_assert_ptr_null (far_decoding_open (&flow, note_operation, NULL, &error));
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_NOT_FOUND));
  ck_assert_ptr_nonnull (strstr (error->message, "add one to the profile"));
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("kinds");
  TCase *tcase = tcase_create ("kinds");

  tcase_set_timeout (tcase, 120);
  tcase_add_checked_fixture (tcase, set_up, tear_down);
  tcase_add_test (tcase, a_notifier_is_told_of_news_alone);
  tcase_add_test (tcase, the_same_key_of_another_is_another_matter);
  tcase_add_test (tcase, one_that_fails_is_asked_ever_more_rarely_and_not_for_ever);
  tcase_add_test (tcase, what_makes_no_sense_is_not_tried_again);
  tcase_add_test (tcase, one_that_does_not_answer_is_asked_again);
  tcase_add_test (tcase, a_reload_loses_no_event);
  tcase_add_test (tcase, events_of_what_is_gone_are_forgotten);
  tcase_add_test (tcase, a_full_queue_drops_the_oldest_that_waits);
  tcase_add_test (tcase, too_many_events_at_once_are_not_kept);
  tcase_add_test (tcase, listeners_hear_what_a_person_may_look_at);
  tcase_add_test (tcase, an_act_is_listed_and_answers);
  tcase_add_loop_test (tcase, a_bad_act_is_refused_with_the_cause, 0, 7);
  tcase_add_test (tcase, who_may_act_is_told_by_rights);
  tcase_add_loop_test (tcase, a_sensor_of_no_device_is_an_object_of_its_node, 0, 2);
  tcase_add_test (tcase, no_other_action_lets_act);
  tcase_add_test (tcase, one_act_at_a_time);
  tcase_add_loop_test (tcase, an_act_ends_with_its_sensor, 0, 2);
  tcase_add_test (tcase, a_reload_of_options_leaves_an_act_alone);
  tcase_add_test (tcase, a_service_may_have_a_sensor_act);
  tcase_add_loop_test (tcase, a_picture_comes_with_its_quality_and_within_its_bounds, 0, 7);
  tcase_add_test (tcase, a_sensor_raises_an_event);
  tcase_add_test (tcase, operations_are_the_same_however_the_bytes_are_cut);
  tcase_add_test (tcase, a_gap_is_told_as_opaque);
  tcase_add_test (tcase, new_options_are_for_the_flows_that_come);
  tcase_add_test (tcase, a_decoder_may_go_while_flows_are_opened);
  tcase_add_loop_test (tcase, no_decoder_is_an_error_that_says_what_to_do, 0, 2);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
