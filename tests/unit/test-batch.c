/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sample batches: the vectors of doc/formats.md, round trips, and what bad bytes get. */
#include "config.h"

#include <check.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include <farwatch/error.h>
#include <farwatch/sample.h>
#include <farwatch/store.h>

static GBytes *
from_hex (const char *hex)
{
  GByteArray *bytes = g_byte_array_new ();

  for (; *hex != '\0'; hex++) {
    guint8 byte;

    if (g_ascii_isspace (*hex))
      continue;
    byte = (guint8) (g_ascii_xdigit_value (hex[0]) << 4 | g_ascii_xdigit_value (hex[1]));
    g_byte_array_append (bytes, &byte, 1);
    hex++;
  }
  return g_byte_array_free_to_bytes (bytes);
}

static char *
to_hex (GBytes *bytes)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);
  GString *text = g_string_new (NULL);

  for (gsize i = 0; i < size; i++)
    g_string_append_printf (text, "%02x", data[i]);
  return g_string_free (text, FALSE);
}

/* One line a sample: time quality reason name unit type value. */
static void
print_group (const FarReading *group, gpointer user)
{
  GString *text = user;

  for (guint i = 0; i < group->n; i++) {
    const FarSample *sample = &group->samples[i];
    const FarSeriesInfo *info = far_series_info (sample->series);

    g_string_append_printf (text, "%" G_GINT64_FORMAT " %d %s %s/%s %s ", group->time_us, group->quality,
                            group->reason ? group->reason : "-", info->source, info->name, info->unit);
    if (sample->type == FAR_VALUE_F64)
      g_string_append_printf (text, "f %.17g\n", sample->value.f64);
    else if (sample->type == FAR_VALUE_I64)
      g_string_append_printf (text, "i %" G_GINT64_FORMAT "\n", sample->value.i64);
    else if (sample->type == FAR_VALUE_BOOL)
      g_string_append_printf (text, "b %d\n", sample->value.boolean);
    else if (sample->type == FAR_VALUE_TEXT)
      g_string_append_printf (text, "t %s\n", sample->value.text);
    else
      g_string_append (text, "none\n");
  }
}

static char *
print_batch (GBytes *batch, const char *source)
{
  GString *text = g_string_new (NULL);
  GError *error = NULL;

  if (!far_batch_foreach (batch, source, print_group, text, &error))
    g_string_append_printf (text, "error %s", error->message);
  g_clear_error (&error);
  return g_string_free (text, FALSE);
}

static void
add (FarBatchBuilder *builder, gint64 time_us, FarQuality quality, const char *reason, guint n,
     const FarSample *samples)
{
  FarReading group = { time_us, quality, reason, n, samples };

  far_batch_builder_add (builder, &group);
}

/* The second vector of the document. */
static GBytes *
example (void)
{
  FarBatchBuilder *builder = far_batch_builder_new ();
  FarSeries load = far_series_of ("t", "host.load1", "1"), state = far_series_of ("t", "boiler.state", "1"),
            text = far_series_of ("t", "boiler.text", "1");
  FarSample first[] = { { load, FAR_VALUE_F64, { .f64 = 0.5 } }, { state, FAR_VALUE_I64, { .i64 = -1 } } };
  FarSample second[] = { { text, FAR_VALUE_TEXT, { .text = "hot" } }, { state, FAR_VALUE_NONE, { 0 } } };

  add (builder, 1000000, FAR_QUALITY_GOOD, NULL, 2, first);
  add (builder, 1000000 + 250000, FAR_QUALITY_BAD, "timeout", 2, second);
  return far_batch_builder_end (builder);
}

START_TEST (crc_of_the_rfc)
{
  guint8 bytes[32];

  ck_assert_uint_eq (far_crc32c (0, "123456789", 9), 0xe3069283);
  memset (bytes, 0, sizeof bytes);
  ck_assert_uint_eq (far_crc32c (0, bytes, 32), 0x8a9136aa);
  memset (bytes, 0xff, sizeof bytes);
  ck_assert_uint_eq (far_crc32c (0, bytes, 32), 0x62a8ab43);
  for (guint i = 0; i < 32; i++)
    bytes[i] = (guint8) i;
  ck_assert_uint_eq (far_crc32c (0, bytes, 32), 0x46dd794e);
  for (guint i = 0; i <= 32; i++) {
    ck_assert_uint_eq (far_crc32c (0, bytes, i), far_crc32c_plain (0, bytes, i));
    ck_assert_uint_eq (far_crc32c (far_crc32c (0, bytes, i), bytes + i, 32 - i), 0x46dd794e);
  }
}
END_TEST

static char *
document_vector (const char *name)
{
  const char *top = g_getenv ("FARWATCH_TEST_SRCDIR");
  g_autofree char *path = g_build_filename (top != NULL ? top : ".", "doc", "formats.md", NULL);
  g_autofree char *text = NULL;
  g_autofree char *wanted = g_strdup_printf ("Vector `%s`:", name);
  const char *at;
  GString *hex = g_string_new (NULL);

  ck_assert_msg (g_file_get_contents (path, &text, NULL, NULL), "cannot read %s", path);
  at = strstr (text, wanted);
  ck_assert_msg (at != NULL, "no %s in %s", wanted, path);
  for (at = strstr (at, "    ") + 4; g_ascii_isxdigit (*at) || *at == ' '; at++)
    if (*at != ' ')
      g_string_append_c (hex, *at);
  return g_string_free (hex, FALSE);
}

START_TEST (vectors_of_the_document)
{
  g_autoptr (GBytes) made = example ();
  g_autofree char *hex = to_hex (made);
  g_autofree char *wanted = document_vector ("batch");
  g_autofree char *crc = document_vector ("batch-crc");
  g_autofree char *crc_made = g_strdup_printf ("%08x", far_batch_crc (made));
  g_autoptr (GBytes) empty = from_hex ("464201");
  g_autofree char *nothing = print_batch (empty, "t");
  g_autofree char *printed = print_batch (made, "t");

  ck_assert_str_eq (hex, wanted);
  ck_assert_str_eq (crc_made, crc);
  ck_assert_str_eq (nothing, "");
  ck_assert_str_eq (printed,
                    "1000000 0 - t/host.load1 1 f 0.5\n1000000 0 - t/boiler.state 1 i -1\n"
                    "1250000 2 timeout t/boiler.text 1 t hot\n1250000 2 timeout t/boiler.state 1 none\n");
}
END_TEST

START_TEST (every_value_survives)
{
  static const double doubles[] = { 0.0, -0.0, 0.1, -1e308, DBL_MIN / 4, DBL_MAX };
  static const gint64 ints[] = { 0, 1, -1, 63, 64, -64, -65, G_MAXINT64, G_MININT64, 9007199254740993 };
  static const gint64 times[] = { 0, -1, G_MAXINT64, G_MININT64, 1700000000000000, 5 };
  FarBatchBuilder *builder = far_batch_builder_new ();
  FarSeries series = far_series_of ("t", "x", "Cel");
  GString *wanted = g_string_new (NULL);
  g_autoptr (GBytes) batch = NULL;
  g_autofree char *printed = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (doubles); i++) {
    FarSample sample = { series, FAR_VALUE_F64, { .f64 = doubles[i] } };

    add (builder, times[i], FAR_QUALITY_UNCERTAIN, NULL, 1, &sample);
    g_string_append_printf (wanted, "%" G_GINT64_FORMAT " 1 - t/x Cel f %.17g\n", times[i], doubles[i]);
  }
  for (guint i = 0; i < G_N_ELEMENTS (ints); i++) {
    FarSample sample = { series, FAR_VALUE_I64, { .i64 = ints[i] } };

    add (builder, 7, FAR_QUALITY_GOOD, NULL, 1, &sample);
    g_string_append_printf (wanted, "7 0 - t/x Cel i %" G_GINT64_FORMAT "\n", ints[i]);
  }
  batch = far_batch_builder_end (builder);
  printed = print_batch (batch, "t");
  ck_assert_str_eq (printed, wanted->str);
  g_string_free (wanted, TRUE);
}
END_TEST

START_TEST (long_and_broken_text_is_cut_between_characters)
{
  FarBatchBuilder *builder = far_batch_builder_new ();
  g_autofree char *text = g_strnfill (5000, 'a');
  FarSample sample = { far_series_of ("t", "x", "1"), FAR_VALUE_TEXT, { .text = text } };
  g_autoptr (GBytes) batch = NULL;
  g_autofree char *printed = NULL;

  memcpy (text + 4095, "\xc3\xa4", 2);
  add (builder, 0, FAR_QUALITY_GOOD, NULL, 1, &sample);
  sample.value.text = "ok\xff"
                      "bad";
  add (builder, 0, FAR_QUALITY_GOOD, NULL, 1, &sample);
  batch = far_batch_builder_end (builder);
  printed = print_batch (batch, "t");
  ck_assert_uint_eq (strlen (printed), strlen ("0 0 - t/x 1 t \n") + 4095 + strlen ("0 0 - t/x 1 t ok\n"));
}
END_TEST

START_TEST (merging_keeps_every_group)
{
  g_autoptr (GBytes) one = example ();
  FarBatchBuilder *builder = far_batch_builder_new ();
  g_autoptr (GBytes) merged = NULL;
  g_autofree char *single = print_batch (one, "t");
  g_autofree char *twice = g_strconcat (single, single, NULL);
  g_autofree char *printed = NULL;

  ck_assert (far_batch_builder_merge (builder, one, NULL));
  ck_assert (far_batch_builder_merge (builder, one, NULL));
  merged = far_batch_builder_end (builder);
  printed = print_batch (merged, "t");
  ck_assert_str_eq (printed, twice);
  ck_assert_uint_lt (g_bytes_get_size (merged), 2 * g_bytes_get_size (one));
}
END_TEST

static void
count_call (const FarReading *group G_GNUC_UNUSED, gpointer user)
{
  (*(guint *) user)++;
}

static const struct {
  const char *hex, *fault;
} bad_batches[] = {
  { "", "not a batch" },
  { "4642", "not a batch" },
  { "464202", "not a batch" },
  { "464201 03", "unknown record" },
  { "464201 01", "ends too early" },
  { "464201 01 01 61", "text too long" },
  { "464201 01 01 61 62 01 31 00", "text without end" },
  { "464201 01 00 00 00 00", "bad name" },
  { "464201 01 01 20 00 00 00", "bad name" },
  { "464201 01 01 ff 00 00 00", "not UTF-8" },
  { "464201 01 01 61 00 01 20 00", "bad name or unit" },
  { "464201 02 00 00 00 00 01 01 00", "unknown series" },
  { "464201 01 01 61 00 00 00 02 00 00 00 00 01 02 00", "unknown series" },
  { "464201 01 01 61 00 00 00 02 00 00 00 00 00", "bad number" },
  { "464201 01 01 61 00 00 00 02 00 03 00 00 01 01 00", "unknown quality" },
  { "464201 01 01 61 00 00 00 02 00 00 00 00 01 01 05", "unknown type" },
  { "464201 01 01 61 00 00 00 02 00 00 00 00 01 01 01 00 00", "ends too early" },
  { "464201 01 01 61 00 00 00 02 00 00 00 00 01 01 03 02", "neither true nor false" },
  { "464201 01 01 61 00 00 00 02 ffffffffffffffffff 02 00 00 00 01 01 00", "number too long" },
  { "464201 01 01 61 00 00 00 02 00 00 00 00 ffffffffff7f 01 00", "bad number" },
};

START_TEST (bad_bytes_are_refused_before_anything_is_called)
{
  g_autoptr (GBytes) batch = from_hex (bad_batches[_i].hex);
  g_autoptr (GError) error = NULL;
  guint calls = 0;

  ck_assert (!far_batch_foreach (batch, "t", count_call, &calls, &error));
  ck_assert_msg (g_error_matches (error, FAR_ERROR, FAR_ERROR_PROTOCOL), "%s", error->message);
  ck_assert_msg (strstr (error->message, bad_batches[_i].fault) != NULL, "%s", error->message);
  ck_assert_uint_eq (calls, 0);
}
END_TEST

START_TEST (every_cut_and_every_flip_is_harmless)
{
  g_autoptr (GBytes) good = example ();
  gsize size;
  const guint8 *data = g_bytes_get_data (good, &size);

  for (gsize cut = 0; cut < size; cut++) {
    g_autoptr (GBytes) part = g_bytes_new (data, cut);

    far_batch_foreach (part, "t", count_call, &(guint){ 0 }, NULL);
  }
  for (gsize bit = 0; bit < size * 8; bit++) {
    g_autofree guint8 *copy = g_memdup2 (data, size);
    g_autoptr (GBytes) flipped = NULL;

    copy[bit / 8] ^= (guint8) (1 << bit % 8);
    flipped = g_bytes_new (copy, size);
    far_batch_foreach (flipped, "t", count_call, &(guint){ 0 }, NULL);
    ck_assert_uint_ne (far_batch_crc (flipped), far_batch_crc (good));
  }
}
END_TEST

START_TEST (a_source_gets_no_more_than_its_share_of_handles)
{
  for (guint i = 0; i < 4096; i++) {
    g_autofree char *name = g_strdup_printf ("s%u", i);
    FarSeries series = far_series_of ("greedy", name, "1");

    ck_assert_uint_ne (series, 0);
    ck_assert_uint_eq (series, far_series_of ("greedy", name, "1"));
  }
  ck_assert_uint_eq (far_series_of ("greedy", "one-more", "1"), 0);
  ck_assert_uint_ne (far_series_of ("modest", "one-more", "1"), 0);
  ck_assert_ptr_null (far_series_info (0));
  ck_assert_ptr_null (far_series_info (G_MAXUINT32));
}
END_TEST

static GArray *
pick (GBytes *const *batches, guint n, const char *name, gint64 from, gint64 to, guint limit)
{
  FarLatestPoints *picker = far_latest_points_new (name, from, to, limit);

  for (guint i = 0; i < n; i++)
    ck_assert (far_latest_points_add (picker, batches[i], NULL));
  return far_latest_points_end (picker);
}

START_TEST (picker_gives_the_newest_in_order)
{
  GBytes *batches[4];
  FarSeries a = far_series_of ("t", "a", "1"), b = far_series_of ("t", "b", "1");
  g_autoptr (GArray) some = NULL, none = NULL;

  for (guint i = 0; i < 4; i++) {
    FarBatchBuilder *builder = far_batch_builder_new ();

    for (guint j = 0; j < 1000; j++) {
      gint64 time = j * 4 + (i * 7) % 4; /* interleaved, batches out of order */
      FarSample samples[] = { { a, FAR_VALUE_I64, { .i64 = time } }, { b, FAR_VALUE_F64, { .f64 = 1 } } };

      add (builder, time, FAR_QUALITY_GOOD, NULL, 2, samples);
    }
    batches[i] = far_batch_builder_end (builder);
  }
  some = pick (batches, 4, "a", 100, 3000, 50);
  ck_assert_uint_eq (some->len, 50);
  for (guint i = 0; i < 50; i++) {
    ck_assert_int_eq (g_array_index (some, FarPoint, i).time_us, 2950 + i);
    ck_assert_int_eq (g_array_index (some, FarPoint, i).i64, 2950 + i);
  }
  none = pick (batches, 4, "c", 0, 4000, 50);
  ck_assert_uint_eq (none->len, 0);
  for (guint i = 0; i < 4; i++)
    g_bytes_unref (batches[i]);
}
END_TEST

START_TEST (rows_match_by_the_text_of_a_field)
{
  const char *row = "{\"s\":\"x\",\"n\":12,\"f\":1.5,\"t\":true,\"z\":null,\"o\":{}}";
  static const struct {
    const char *field, *value;
    gboolean matches;
  } terms[] = {
    { "s", "x", TRUE },   { "s", "y", FALSE },      { "n", "12", TRUE }, { "n", "12.0", FALSE },
    { "f", "1.5", TRUE }, { "t", "true", TRUE },    { "t", "1", FALSE }, { "z", "null", FALSE },
    { "o", "{}", FALSE }, { "missing", "", FALSE },
  };
  FarFilterTerm both[] = { { "s", "x" }, { "n", "13" }, { NULL, NULL } };

  for (guint i = 0; i < G_N_ELEMENTS (terms); i++) {
    FarFilterTerm filter[] = { { terms[i].field, terms[i].value }, { NULL, NULL } };

    ck_assert_msg (far_row_matches (row, filter) == terms[i].matches, "%s = %s", terms[i].field,
                   terms[i].value);
  }
  ck_assert (!far_row_matches (row, both));
  ck_assert (far_row_matches (row, NULL));
  ck_assert (!far_row_matches ("not json", both));
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("batch");
  TCase *tcase = tcase_create ("batch");
  SRunner *runner = srunner_create (suite);
  int failed;

  tcase_add_test (tcase, crc_of_the_rfc);
  tcase_add_test (tcase, vectors_of_the_document);
  tcase_add_test (tcase, every_value_survives);
  tcase_add_test (tcase, long_and_broken_text_is_cut_between_characters);
  tcase_add_test (tcase, merging_keeps_every_group);
  tcase_add_loop_test (tcase, bad_bytes_are_refused_before_anything_is_called, 0, G_N_ELEMENTS (bad_batches));
  tcase_add_test (tcase, every_cut_and_every_flip_is_harmless);
  tcase_add_test (tcase, a_source_gets_no_more_than_its_share_of_handles);
  tcase_add_test (tcase, picker_gives_the_newest_in_order);
  tcase_add_test (tcase, rows_match_by_the_text_of_a_field);
  suite_add_tcase (suite, tcase);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
