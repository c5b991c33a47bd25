/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A right to a device shows that device's values, and no others. */
#include "config.h"

#include <farwatch/store.h>

#include "unit/access-help.h"

static gboolean
is_ended (gpointer data)
{
  return *(gboolean *) data;
}

static void
stored (FarRequest *req, gpointer user)
{
  ck_assert (far_request_error (req) == NULL);
  *(gboolean *) user = TRUE;
}

/* What a terminal has sent. */
static void
measured (const char *source, const char *const *names)
{
  FarBatchBuilder *builder = far_batch_builder_new ();
  gboolean ended = FALSE;

  for (guint i = 0; names[i] != NULL; i++) {
    FarSample sample = { far_series_of (source, names[i], "Cel"), FAR_VALUE_I64, { .i64 = i } };
    FarReading group = { .time_us = far_clock_wall_us (), .n = 1, .samples = &sample };

    far_batch_builder_add (builder, &group);
  }
  g_autoptr (GBytes) bytes = far_batch_builder_end (builder);
  FarBatchKey key = { .source = source, .lane = 2, .epoch = 1, .seq = 1, .crc = far_batch_crc (bytes) };
  FarPart part = { .kind = FAR_PART_SAMPLES, .samples = bytes };
  far_store_apply ("main", &key, &part, 1, far_request_new (stored, &ended, 0));
  ck_assert (run_until (is_ended, &ended));
}

static void
set_up (void)
{
  static const char *const one[] = { "host.load1", "devices/d1/boiler.temp", "devices/d2/pump.temp",
                                     "devices/d1", "devices/../x.y",         NULL };
  static const char *const other[] = { "devices/d1/boiler.temp", NULL };

  cloud_up_whole ();
  measured ("t1", one);
  measured ("t2", other);
}

/* Names of the series that alice sees, of source/name, in order. */
static char *
seen_by_alice (const char *resource)
{
  Got got = ask_person ("alice", "GET", resource, NULL);
  g_autoptr (GString) names = g_string_new (NULL);
  json_t *entry;
  size_t i;

  if (got.status != 200)
    return g_strdup_printf ("%u", got.status);
  json_array_foreach (json_object_get (got.body, "series"), i, entry)
    g_string_append_printf (names, "%s%s/%s=%s", i > 0 ? " " : "", text_of (entry, "source"),
                            text_of (entry, "name"),
                            text_of (entry, "device") ? text_of (entry, "device") : "-");
  return g_string_free (g_steal_pointer (&names), FALSE);
}

#define ck_assert_sees(resource, wanted)                                                                     \
  do {                                                                                                       \
    g_autofree char *seen_ = seen_by_alice (resource);                                                       \
    ck_assert_str_eq (seen_, (wanted));                                                                      \
  } while (0)

#define OF_D1 "t1/devices/d1/boiler.temp=d1"
#define ALL "t1/devices/../x.y=- t1/devices/d1=- " OF_D1 " t1/devices/d2/pump.temp=d2 t1/host.load1=-"

START_TEST (a_right_to_a_device_shows_its_values_alone)
{
  grant ("alice", "see", "terminals/t1/devices/d1");
  ck_assert_sees ("samples", OF_D1);
  ck_assert_sees ("samples?source=t1", OF_D1);
  ck_assert_sees ("samples?source=t1&latest=1", OF_D1);
  ck_assert_sees ("samples?source=t2", "404");
}
END_TEST

START_TEST (and_their_points)
{
  static const struct {
    const char *resource;
    guint status;
  } points[] = {
    { "samples?source=t1&name=devices%2Fd1%2Fboiler.temp", 200 },
    { "samples?source=t1&name=devices%2Fd2%2Fpump.temp", 404 },
    { "samples?source=t1&name=host.load1", 404 },
    { "samples?source=t1&name=devices%2Fd1", 404 },
    { "samples?source=t1&name=none.such", 404 },
    { "samples?source=t2&name=devices%2Fd1%2Fboiler.temp", 404 },
  };

  grant ("alice", "connect", "terminals/t1/devices/d1");
  ck_assert_uint_eq (ask_person ("alice", "GET", points[_i].resource, NULL).status, points[_i].status);
}
END_TEST

START_TEST (a_right_to_the_terminal_shows_all)
{
  grant ("alice", "see", "terminals/t1");
  ck_assert_sees ("samples", ALL);
  ck_assert_uint_eq (ask_person ("alice", "GET", "samples?source=t1&name=devices%2Fd2%2Fpump.temp", NULL)
                         .status,
                     200);
}
END_TEST

/* Whoever follows `next` sees each series once, and those alone that are alice's. */
START_TEST (series_come_in_pages)
{
  g_autoptr (GString) seen = g_string_new (NULL);
  g_autofree char *next = NULL;
  guint pages = 0;

  grant ("alice", "see", "terminals/t1");
  do {
    g_autofree char *after = next ? g_uri_escape_string (next, NULL, FALSE) : NULL;
    g_autofree char *asked = g_strdup_printf ("samples?limit=2%s%s%s", _i ? "&latest=1" : "",
                                              after ? "&after=" : "", after ? after : "");
    Got got = ask_person ("alice", "GET", asked, NULL);
    json_t *entry;
    size_t i;

    ck_assert_uint_eq (got.status, 200);
    ck_assert_uint_le (json_array_size (json_object_get (got.body, "series")), 2);
    json_array_foreach (json_object_get (got.body, "series"), i, entry)
      g_string_append_printf (seen, "%s ", text_of (entry, "name"));
    g_free (next);
    next = g_strdup (text_of (got.body, "next"));
  } while (next && ++pages < 20);
  ck_assert_str_eq (seen->str,
                    "devices/../x.y devices/d1 devices/d1/boiler.temp devices/d2/pump.temp host.load1 ");
}
END_TEST

#define POINTS 5

/* The newest first, each page oldest first; what `limit` leaves out stands in the next one, were it of the
 * same millisecond. */
START_TEST (points_come_in_pages)
{
  FarBatchBuilder *builder = far_batch_builder_new ();
  g_autoptr (GString) seen = g_string_new (NULL);
  g_autofree char *next = NULL;
  gboolean ended = FALSE;
  guint pages = 0;

  for (guint i = 0; i < POINTS; i++) {
    FarSample sample = { far_series_of ("t3", "a.b", "1"), FAR_VALUE_I64, { .i64 = i } };
    FarReading group = { .time_us = far_clock_wall_us () + i * 100, .n = 1, .samples = &sample };

    far_batch_builder_add (builder, &group);
  }
  g_autoptr (GBytes) bytes = far_batch_builder_end (builder);
  FarBatchKey key = { .source = "t3", .lane = 2, .epoch = 1, .seq = 1, .crc = far_batch_crc (bytes) };
  FarPart part = { .kind = FAR_PART_SAMPLES, .samples = bytes };
  far_store_apply ("main", &key, &part, 1, far_request_new (stored, &ended, 0));
  ck_assert (run_until (is_ended, &ended));
  do {
    g_autofree char *after = next ? g_uri_escape_string (next, NULL, FALSE) : NULL;
    g_autofree char *asked = g_strdup_printf ("samples?source=t3&name=a.b&limit=2%s%s",
                                              after ? "&after=" : "", after ? after : "");
    Got got = ask_root ("GET", asked, NULL);
    json_t *entry;
    size_t i;

    ck_assert_uint_eq (got.status, 200);
    json_array_foreach (json_object_get (got.body, "points"), i, entry)
      g_string_append_printf (seen, "%d ", (int) json_integer_value (json_object_get (entry, "value")));
    g_string_append (seen, "| ");
    g_free (next);
    next = g_strdup (text_of (got.body, "next"));
  } while (next && ++pages < 20);
  ck_assert_str_eq (seen->str, "3 4 | 1 2 | 0 | ");
}
END_TEST

START_TEST (no_right_shows_nothing)
{
  ck_assert_sees ("samples", "");
  ck_assert_sees ("samples?source=t1", "404");
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("device-values");
  TCase *cases = tcase_create ("device-values");

  tcase_set_timeout (cases, 60);
  tcase_add_checked_fixture (cases, set_up, cloud_down);
  tcase_add_test (cases, a_right_to_a_device_shows_its_values_alone);
  tcase_add_loop_test (cases, and_their_points, 0, 6);
  tcase_add_test (cases, a_right_to_the_terminal_shows_all);
  tcase_add_loop_test (cases, series_come_in_pages, 0, 2);
  tcase_add_test (cases, points_come_in_pages);
  tcase_add_test (cases, no_right_shows_nothing);
  suite_add_tcase (suite, cases);
  return run_suite (suite);
}
