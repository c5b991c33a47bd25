/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every store promises (farwatch/store.h), asked of each: loop index = type. Faults: test-store-fault.c,
 * test-store-damage.c. FARWATCH_TEST_STORES="type type …" asks others: stores that were built outside the
 * tree, from FARWATCH_PLUGIN_DIR. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "store-help.h"

static char **types;
#define TYPE types[_i]
#define assert_code(error, code)                                                                             \
  ck_assert_msg (g_error_matches (error, FAR_ERROR, code), "%s", error ? error->message : "no error")

static char *
all_rows (const char *table)
{
  g_autoptr (GPtrArray) rows = store_rows (table, NULL, NULL, 100, FALSE);

  return store_rows_text (rows);
}

static void
assert_rows (const char *table, const char *wanted)
{
  g_autofree char *text = all_rows (table);

  ck_assert_str_eq (text, wanted);
}

/* ---- rows ---- */

START_TEST (a_row_comes_back_as_it_was_put)
{
  const char *row = "{\"name\":\"K\\u00f6ln \\\"x\\\"\",\"n\":1.50,\"deep\":{\"a\":[1,2,null]}}";
  g_autoptr (GPtrArray) rows = NULL;
  gint64 revision;

  store_open (TYPE, NULL, NULL);
  revision = store_put ("devices", "a key/with signs ÄÖ", row, FAR_EXPECT_ABSENT, NULL);
  ck_assert_int_gt (revision, 0);
  rows = store_rows ("devices", NULL, NULL, 10, FALSE);
  ck_assert_uint_eq (rows->len, 1);
  ck_assert_str_eq (((FarRow *) rows->pdata[0])->key, "a key/with signs ÄÖ");
  ck_assert_str_eq (((FarRow *) rows->pdata[0])->row, row);
  ck_assert_int_eq (((FarRow *) rows->pdata[0])->revision, revision);
  assert_rows ("other", "");
  store_close ();
}
END_TEST

START_TEST (expect_decides)
{
  gint64 first, second, third;
  GError *error = NULL;

  store_open (TYPE, NULL, NULL);
  first = store_put ("t", "k", "{\"v\":1}", FAR_EXPECT_ABSENT, NULL);
  ck_assert_int_eq (store_put ("t", "k", "{\"v\":2}", FAR_EXPECT_ABSENT, &error), -1);
  assert_code (error, FAR_ERROR_CONFLICT);
  g_clear_error (&error);
  second = store_put ("t", "k", "{\"v\":2}", first, NULL);
  ck_assert_int_gt (second, first);
  ck_assert_int_eq (store_put ("t", "k", "{\"v\":3}", first, &error), -1);
  assert_code (error, FAR_ERROR_CONFLICT);
  g_clear_error (&error);
  assert_rows ("t", "k={\"v\":2}");
  third = store_put ("t", "k", "{\"v\":4}", FAR_EXPECT_ANY, NULL);
  ck_assert_int_gt (third, second);
  ck_assert_int_eq (store_put ("t", "missing", "{}", 5, &error), -1);
  assert_code (error, FAR_ERROR_CONFLICT);
  g_clear_error (&error);
  store_close ();
}
END_TEST

START_TEST (deleting_and_making_again_never_repeats_a_revision)
{
  gint64 first, again;
  GError *error = NULL;

  store_open (TYPE, NULL, NULL);
  first = store_put ("t", "k", "{}", FAR_EXPECT_ANY, NULL);
  ck_assert_int_eq (store_put ("t", "k", NULL, first + 1, &error), -1);
  assert_code (error, FAR_ERROR_CONFLICT);
  g_clear_error (&error);
  ck_assert_int_eq (store_put ("t", "k", NULL, first, NULL), 0);
  assert_rows ("t", "");
  ck_assert_int_eq (store_put ("t", "k", NULL, FAR_EXPECT_ANY, NULL), 0);
  again = store_put ("t", "k", "{}", FAR_EXPECT_ABSENT, NULL);
  ck_assert_int_gt (again, first);
  ck_assert_int_eq (store_put ("t", "k", "{}", first, &error), -1);
  assert_code (error, FAR_ERROR_CONFLICT);
  g_clear_error (&error);
  store_close ();
}
END_TEST

START_TEST (lists_page_by_key_both_ways)
{
  g_autofree char *last = NULL;

  store_open (TYPE, NULL, NULL);
  for (guint i = 0; i < 25; i++) {
    g_autofree char *key = g_strdup_printf ("k%02u", i * 7 % 25);

    store_put ("t", key, "{}", FAR_EXPECT_ABSENT, NULL);
  }
  for (guint down = 0; down < 2; down++) {
    guint seen = 0;

    g_clear_pointer (&last, g_free);
    while (seen < 25) {
      g_autoptr (GPtrArray) rows = store_rows ("t", NULL, last, 10, down == 1);

      ck_assert_uint_eq (rows->len, MIN (10, 25 - seen));
      for (guint i = 0; i < rows->len; i++, seen++) {
        g_autofree char *key = g_strdup_printf ("k%02u", down == 1 ? 24 - seen : seen);

        ck_assert_str_eq (((FarRow *) rows->pdata[i])->key, key);
        g_free (last);
        last = g_strdup (key);
      }
    }
  }
  store_close ();
}
END_TEST

START_TEST (filter_looks_at_top_level_fields)
{
  static const struct {
    const char *field, *value, *wanted;
  } cases[] = {
    { "name", "alice", "a" }, { "n", "12", "b" },       { "yes", "true", "b" },
    { "yes", "false", "a" },  { "n", "1", "" },         { "gone", "null", "" },
    { "name", "ALICE", "" },  { "odd.name", "x", "a" }, { "yes", "1", "" },
  };
  FarFilterTerm both[] = { { "name", "alice" }, { "yes", "true" }, { NULL, NULL } };
  g_autoptr (GPtrArray) none = NULL;

  store_open (TYPE, NULL, NULL);
  store_put ("t", "a", "{\"name\":\"alice\",\"yes\":false,\"gone\":null,\"odd.name\":\"x\"}", FAR_EXPECT_ANY,
             NULL);
  store_put ("t", "b", "{\"name\":\"bob\",\"n\":12,\"yes\":true,\"sub\":{\"name\":\"alice\"}}",
             FAR_EXPECT_ANY, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    FarFilterTerm filter[] = { { cases[i].field, cases[i].value }, { NULL, NULL } };
    g_autoptr (GPtrArray) rows = store_rows ("t", filter, NULL, 10, FALSE);
    const char *key = rows->len > 0 ? ((FarRow *) rows->pdata[0])->key : "";

    ck_assert_msg (rows->len <= 1 && strcmp (key, cases[i].wanted) == 0, "%s = %s gave %u rows, first '%s'",
                   cases[i].field, cases[i].value, rows->len, key);
  }
  none = store_rows ("t", both, NULL, 10, FALSE);
  ck_assert_uint_eq (none->len, 0);
  store_close ();
}
END_TEST

static const struct {
  const char *table, *key, *row;
} bad_rows[] = {
  { "", "k", "{}" },  { "Upper", "k", "{}" }, { "t;drop", "k", "{}" },    { NULL, "k", "{}" },
  { "t", "", "{}" },  { "t", "a\nb", "{}" },  { "t", "\xff", "{}" },      { "t", "k", "" },
  { "t", "k", "[]" }, { "t", "k", "{" },      { "t", "k", "{\"a\":1,}" },
};

START_TEST (rows_that_are_none_are_refused)
{
  g_autofree char *long_key = g_strnfill (257, 'k');
  g_autofree char *filler = g_strnfill (FAR_ROW_MAX, 'x'),
                  *long_row = g_strdup_printf ("{\"a\":\"%s\"}", filler);
  GError *error = NULL;

  store_open (TYPE, NULL, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (bad_rows); i++) {
    store_put (bad_rows[i].table, bad_rows[i].key, bad_rows[i].row, FAR_EXPECT_ANY, &error);
    assert_code (error, FAR_ERROR_INVALID);
    g_clear_error (&error);
  }
  store_put ("t", long_key, "{}", FAR_EXPECT_ANY, &error);
  assert_code (error, FAR_ERROR_INVALID);
  g_clear_error (&error);
  store_put ("t", "k", long_row, FAR_EXPECT_ANY, &error);
  assert_code (error, FAR_ERROR_INVALID);
  g_clear_error (&error);
  assert_rows ("t", "");
  store_close ();
}
END_TEST

START_TEST (a_store_that_is_not_there_is_named)
{
  Wait *wait = wait_new ();

  store_open (TYPE, NULL, NULL);
  far_store_put ("attic", "t", "k", "{}", FAR_EXPECT_ANY, wait->req);
  wait_for (wait);
  ck_assert (wait->error != NULL && strstr (wait->error->message, "attic") != NULL);
  wait_free (wait, NULL);
  far_store_put ("attic", "t", "k", "{}", FAR_EXPECT_ANY, NULL); /* nobody minds: must not fall over */
  far_store_put ("main", "t", "k", "{}", FAR_EXPECT_ANY, NULL);
  /* writes keep their order: the one before is durable too */
  store_put ("t", "l", "{}", FAR_EXPECT_ANY, NULL);
  assert_rows ("t", "k={} l={}");
  store_close ();
}
END_TEST

/* Each of them, at a store that is there and at one that is not. What is written is written, what is read is
 * let go. */
START_TEST (nobody_has_to_mind_the_outcome)
{
  static const char *const names[] = { "attic", "main" };
  g_autofree char *dir = node_fresh_dir (), *copy = g_build_filename (dir, "copy", NULL),
                  *hash = g_compute_checksum_for_string (G_CHECKSUM_SHA256, "blob", 4);
  g_autoptr (GBytes) blob = g_bytes_new ("blob", 4), kept = NULL;

  store_open (TYPE, NULL, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    far_store_put (names[i], "t", "k", "{}", FAR_EXPECT_ANY, NULL);
    far_store_apply (names[i], NULL, NULL, 0, NULL);
    far_store_rows (names[i], "t", NULL, NULL, 10, FALSE, NULL);
    far_store_rows (names[i], "no table!", NULL, NULL, 10, FALSE, NULL);
    far_store_series (names[i], NULL, NULL);
    far_store_samples (names[i], "", "x.v", 0, G_MAXINT64, 10, NULL);
    far_store_drop (names[i], "other", 0, NULL);
    far_store_blob_put (names[i], hash, 0, blob, TRUE, NULL);
    far_store_blob_get (names[i], hash, 0, 4, NULL);
    far_store_blob_get (names[i], "no hash", 0, 4, NULL);
    far_store_snapshot (names[i], copy, NULL);
    far_store_snapshot (names[i], "not absolute", NULL);
    far_store_maintain (names[i], 10, NULL);
  }
  store_put ("t", "l", "{}", FAR_EXPECT_ANY, NULL); /* what was asked for before is done then */
  assert_rows ("t", "k={} l={}");
  kept = store_blob_get (hash, 0, 4, NULL);
  ck_assert (kept != NULL && g_bytes_equal (kept, blob));
  store_close ();
}
END_TEST

START_TEST (parts_are_all_or_nothing)
{
  FarPart parts[] = {
    { .kind = FAR_PART_ROW, .table = "t", .key = "a", .row = "{\"v\":1}", .expect = FAR_EXPECT_ANY },
    { .kind = FAR_PART_ROW, .table = "t", .key = "b", .row = "{\"v\":1}", .expect = 77 },
    { .kind = FAR_PART_SAMPLES, .samples = store_batch (1000000, 1000000, 3) },
  };
  FarBatchKey key = { "term", 2, 1, 1, far_batch_crc (parts[2].samples) };
  GError *error = NULL;
  gint64 revision = 0, before;
  FarApplied applied;
  g_autoptr (GArray) none = NULL, some = NULL;

  store_open (TYPE, NULL, NULL);
  ck_assert (!store_apply (NULL, parts, 3, NULL, NULL, &error));
  assert_code (error, FAR_ERROR_CONFLICT);
  g_clear_error (&error);
  ck_assert (!store_apply (&key, parts, 3, NULL, NULL, &error));
  assert_code (error, FAR_ERROR_CONFLICT);
  g_clear_error (&error);
  assert_rows ("t", "");
  none = store_samples ("cloud", "x.v", 0, G_MAXINT64, 10);
  ck_assert_uint_eq (none->len, 0);
  before = store_put ("t", "b", "{}", FAR_EXPECT_ANY, NULL);
  parts[1].expect = before;
  ck_assert (store_apply (&key, parts, 3, &applied, NULL, NULL));
  ck_assert_int_eq (applied.verdict, FAR_APPLY_DURABLE);
  assert_rows ("t", "a={\"v\":1} b={\"v\":1}");
  parts[1].expect = FAR_EXPECT_ANY;
  ck_assert (store_apply (NULL, parts, 3, NULL, &revision, NULL));
  ck_assert_int_gt (revision, before);
  some = store_samples ("cloud", "x.v", 0, G_MAXINT64, 10);
  ck_assert_uint_eq (some->len, 3);
  g_bytes_unref (parts[2].samples);
  store_close ();
}
END_TEST

/* Who writes several rows at once knows the revision of each that stands before the first deletion. */
START_TEST (revisions_of_one_step_follow_each_other)
{
  FarPart parts[] = {
    { .kind = FAR_PART_ROW, .table = "t", .key = "b", .row = "{}", .expect = FAR_EXPECT_ANY },
    { .kind = FAR_PART_ROW, .table = "u", .key = "a", .row = "{}", .expect = FAR_EXPECT_ANY },
    { .kind = FAR_PART_ROW, .table = "t", .key = "a", .row = "{}", .expect = FAR_EXPECT_ABSENT },
    { .kind = FAR_PART_ROW, .table = "t", .key = "none", .row = NULL, .expect = FAR_EXPECT_ANY },
  };
  gint64 first = 0;

  store_open (TYPE, NULL, NULL);
  store_put ("t", "b", "{}", FAR_EXPECT_ANY, NULL);
  ck_assert (store_apply (NULL, parts, G_N_ELEMENTS (parts), NULL, &first, NULL));
  ck_assert_int_ge (store_put ("t", "a", "{}", first + 2, NULL), first + 3);
  ck_assert_int_ge (store_put ("t", "b", "{}", first, NULL), first + 3);
  ck_assert_int_ge (store_put ("u", "a", "{}", first + 1, NULL), first + 3);
  store_close ();
}
END_TEST

/* ---- batches ---- */

static FarApplied
apply_batch (const char *source, guint lane, guint64 epoch, guint64 seq, GBytes *batch)
{
  FarBatchKey key = { source, lane, epoch, seq, far_batch_crc (batch) };
  FarPart part = { .kind = FAR_PART_SAMPLES, .samples = batch };
  FarApplied applied = { 99, 0 };

  ck_assert (store_apply (&key, &part, 1, &applied, NULL, NULL));
  return applied;
}

static void
assert_applied (FarApplied applied, FarApplyVerdict verdict, guint64 expected)
{
  ck_assert_int_eq (applied.verdict, verdict);
  if (verdict == FAR_APPLY_GAP)
    ck_assert_uint_eq (applied.expected, expected);
}

static guint
count_samples (const char *source)
{
  g_autoptr (GArray) points = store_samples (source, "x.v", G_MININT64, G_MAXINT64, 100000);

  return points->len;
}

START_TEST (a_batch_counts_once)
{
  g_autoptr (GBytes) one = store_batch (1000000, 1000000, 5), two = store_batch (6000000, 1000000, 5);

  store_open (TYPE, NULL, NULL);
  assert_applied (apply_batch ("t1", 2, 7, 2, two), FAR_APPLY_GAP, 1);
  assert_applied (apply_batch ("t1", 2, 7, 1, one), FAR_APPLY_DURABLE, 0);
  assert_applied (apply_batch ("t1", 2, 7, 1, one), FAR_APPLY_DUPLICATE, 0);
  assert_applied (apply_batch ("t1", 2, 7, 3, two), FAR_APPLY_GAP, 2);
  assert_applied (apply_batch ("t1", 2, 7, 2, two), FAR_APPLY_DURABLE, 0);
  assert_applied (apply_batch ("t1", 2, 7, 1, one), FAR_APPLY_DUPLICATE, 0);
  ck_assert_uint_eq (count_samples ("t1"), 10);
  /* lanes and sources count for themselves */
  assert_applied (apply_batch ("t1", 3, 7, 1, one), FAR_APPLY_DURABLE, 0);
  assert_applied (apply_batch ("t2", 2, 7, 1, one), FAR_APPLY_DURABLE, 0);
  ck_assert_uint_eq (count_samples ("t1"), 15);
  ck_assert_uint_eq (count_samples ("t2"), 5);
  store_close ();
}
END_TEST

/* n epochs from first on, each with a batch; a few wait together, so that they share commits. */
static void
apply_epochs (guint64 first, guint n, GBytes *batch)
{
  for (guint i = 0; i < n; i++) {
    FarBatchKey key = { "t1", 2, first + i, 1, far_batch_crc (batch) };
    FarPart part = { .kind = FAR_PART_SAMPLES, .samples = batch };

    if (i % 32 == 31 || i + 1 == n)
      assert_applied (apply_batch ("t1", 2, first + i, 1, batch), FAR_APPLY_DURABLE, 0);
    else
      far_store_apply ("main", &key, &part, 1, far_request_new (NULL, NULL, 0));
  }
}

START_TEST (a_new_epoch_starts_over_and_old_ones_stay_known)
{
  g_autoptr (GBytes) one = store_batch (1000000, 1000000, 1), two = store_batch (2000000, 1000000, 1);
  char *dir = node_fresh_dir ();

  store_open (TYPE, dir, "keep: 0s");
  assert_applied (apply_batch ("t1", 2, 900, 1, one), FAR_APPLY_DURABLE, 0);
  assert_applied (apply_batch ("t1", 2, 5, 2, two), FAR_APPLY_GAP, 1);
  assert_applied (apply_batch ("t1", 2, 5, 1, two), FAR_APPLY_DURABLE, 0);
  assert_applied (apply_batch ("t1", 2, 900, 1, one), FAR_APPLY_DUPLICATE, 0);
  store_close ();
  store_open (TYPE, dir, "keep: 0s");
  assert_applied (apply_batch ("t1", 2, 900, 1, one), FAR_APPLY_DUPLICATE, 0);
  assert_applied (apply_batch ("t1", 2, 5, 1, two), FAR_APPLY_DUPLICATE, 0);
  /* a late batch of before many restarts */
  apply_epochs (1000, 100, one);
  assert_applied (apply_batch ("t1", 2, 900, 1, one), FAR_APPLY_DUPLICATE, 0);
  /* the memory is bounded: the oldest goes */
  apply_epochs (2000, FAR_EPOCHS_KEPT - 100, one);
  assert_applied (apply_batch ("t1", 2, 1000, 1, one), FAR_APPLY_DUPLICATE, 0);
  assert_applied (apply_batch ("t1", 2, 900, 2, one), FAR_APPLY_GAP, 1);
  store_close ();
  g_free (dir);
}
END_TEST

START_TEST (what_is_broken_moves_nothing)
{
  g_autoptr (GBytes) good = store_batch (1000000, 1000000, 5), junk = g_bytes_new_static ("FB\1\7", 4);
  FarBatchKey key = { "t1", 2, 1, 1, far_batch_crc (good) ^ 1 };
  FarPart part = { .kind = FAR_PART_SAMPLES, .samples = good };
  FarApplied applied;
  GError *error = NULL;

  store_open (TYPE, NULL, NULL);
  ck_assert (store_apply (&key, &part, 1, &applied, NULL, NULL));
  assert_applied (applied, FAR_APPLY_BAD, 0);
  assert_applied (apply_batch ("t1", 2, 1, 1, junk), FAR_APPLY_BAD, 0);
  assert_applied (apply_batch ("t1", 2, 1, 1, good), FAR_APPLY_DURABLE, 0);
  /* another body under a number that was given away */
  assert_applied (apply_batch ("t1", 2, 1, 1, junk), FAR_APPLY_BAD, 0);
  part.samples = junk;
  ck_assert (!store_apply (NULL, &part, 1, NULL, NULL, &error));
  assert_code (error, FAR_ERROR_INVALID);
  g_clear_error (&error);
  ck_assert_uint_eq (count_samples ("t1"), 5);
  store_close ();
}
END_TEST

/* ---- samples ---- */

START_TEST (range_gives_the_newest_in_time_order)
{
  g_autoptr (GArray) points = NULL, tail = NULL, none = NULL;

  store_open (TYPE, NULL, NULL);
  for (guint i = 0; i < 10; i++) { /* batches arrive out of order: 900 s first */
    g_autoptr (GBytes) batch = store_batch ((gint64) (9 - i) * 100000000, 1000000, 100);

    assert_applied (apply_batch ("t1", 2, 1, i + 1, batch), FAR_APPLY_DURABLE, 0);
  }
  points = store_samples ("t1", "x.v", 250000000, 750000000, 10000);
  ck_assert_uint_eq (points->len, 500);
  for (guint i = 0; i < 500; i++) {
    ck_assert_int_eq (g_array_index (points, FarPoint, i).time_us, (gint64) (250 + i) * 1000000);
    ck_assert_double_eq (g_array_index (points, FarPoint, i).f64, 250 + i);
  }
  tail = store_samples ("t1", "x.v", 0, 750000000, 7);
  ck_assert_uint_eq (tail->len, 7);
  ck_assert_int_eq (g_array_index (tail, FarPoint, 0).time_us, 743000000);
  none = store_samples ("t1", "x.w", 0, G_MAXINT64, 10);
  ck_assert_uint_eq (none->len, 0);
  ck_assert_uint_eq (count_samples ("t2"), 0);
  store_close ();
}
END_TEST

START_TEST (series_are_listed_with_their_unit)
{
  g_autoptr (GBytes) batch = store_batch (0, 1, 1);
  FarBatchBuilder *builder = far_batch_builder_new ();
  FarSample sample = { far_series_of ("any", "x.v", "K"), FAR_VALUE_BOOL, { .boolean = TRUE } };
  FarReading group = { 5, FAR_QUALITY_UNCERTAIN, "stale", 1, &sample };
  g_autoptr (GBytes) changed = NULL;
  g_autoptr (GPtrArray) all = NULL, one = NULL;
  g_autoptr (GArray) points = NULL;

  far_batch_builder_add (builder, &group);
  changed = far_batch_builder_end (builder);
  store_open (TYPE, NULL, NULL);
  apply_batch ("b", 2, 1, 1, batch);
  apply_batch ("a", 2, 1, 1, batch);
  apply_batch ("a", 2, 1, 2, changed);
  all = store_series (NULL);
  ck_assert_uint_eq (all->len, 2);
  one = store_series ("a");
  ck_assert_uint_eq (one->len, 1);
  ck_assert_str_eq (((FarSeriesInfo *) one->pdata[0])->source, "a");
  ck_assert_str_eq (((FarSeriesInfo *) one->pdata[0])->name, "x.v");
  ck_assert_str_eq (((FarSeriesInfo *) one->pdata[0])->unit, "K");
  points = store_samples ("a", "x.v", 5, 6, 10);
  ck_assert_uint_eq (points->len, 1);
  ck_assert_int_eq (g_array_index (points, FarPoint, 0).quality, FAR_QUALITY_UNCERTAIN);
  ck_assert_int_eq (g_array_index (points, FarPoint, 0).type, FAR_VALUE_BOOL);
  ck_assert_double_eq (g_array_index (points, FarPoint, 0).f64, 1.0);
  store_close ();
}
END_TEST

START_TEST (care_and_restart_keep_every_sample)
{
  char *dir = node_fresh_dir ();
  g_autoptr (GArray) points = NULL;

  store_open (TYPE, dir, "keep: 0s");
  for (guint i = 0; i < 700; i++) {
    g_autoptr (GBytes) batch = store_batch ((gint64) i * 10000000, 1000000, 10);

    assert_applied (apply_batch ("t1", 2, 1, i + 1, batch), FAR_APPLY_DURABLE, 0);
  }
  for (guint round = 0; round < 2; round++) {
    store_maintain (2000);
    g_clear_pointer (&points, g_array_unref);
    points = store_samples ("t1", "x.v", G_MININT64, G_MAXINT64, 100000);
    ck_assert_uint_eq (points->len, 7000);
    for (guint i = 0; i < 7000; i++)
      ck_assert_double_eq (g_array_index (points, FarPoint, i).f64, i);
    store_close ();
    store_open (TYPE, dir, "keep: 0s");
  }
  store_close ();
  g_free (dir);
}
END_TEST

START_TEST (drop_takes_old_samples_and_whole_tables)
{
  store_open (TYPE, NULL, "keep: 0s");
  store_put ("t", "a", "{}", FAR_EXPECT_ANY, NULL);
  store_put ("u", "a", "{}", FAR_EXPECT_ANY, NULL);
  for (guint i = 0; i < 10; i++) {
    g_autoptr (GBytes) batch = store_batch ((gint64) i * 10000000, 1000000, 10);

    apply_batch ("t1", 2, 1, i + 1, batch);
  }
  store_drop ("t", 50000000);
  assert_rows ("t", "");
  assert_rows ("u", "a={}");
  ck_assert_uint_eq (count_samples ("t1"), 50);
  store_close ();
}
END_TEST

START_TEST (old_samples_go_by_themselves)
{
  g_autoptr (GBytes) old = store_batch (far_clock_wall_us () - G_GINT64_CONSTANT (10800000000), 1, 4);
  g_autoptr (GBytes) fresh = store_batch (far_clock_wall_us (), 1, 3);

  store_open (TYPE, NULL, "keep: 1h");
  apply_batch ("t1", 2, 1, 1, old);
  apply_batch ("t1", 2, 1, 2, fresh);
  store_maintain (1000);
  ck_assert_uint_eq (count_samples ("t1"), 3);
  store_close ();
}
END_TEST

/* ---- blobs, snapshot, restart ---- */

static char *
hash_of (GBytes *bytes)
{
  return g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, bytes);
}

START_TEST (blobs_come_in_pieces_and_go_out_from_anywhere)
{
  g_autofree guint8 *data = g_malloc (300000);
  g_autoptr (GBytes) whole = NULL, middle = NULL, end = NULL;
  g_autofree char *hash = NULL;
  GError *error = NULL;

  for (guint i = 0; i < 300000; i++)
    data[i] = (guint8) (i * 7 + i / 256);
  whole = g_bytes_new (data, 300000);
  hash = hash_of (whole);
  store_open (TYPE, NULL, NULL);
  for (gsize at = 0; at < 300000; at += 100000) {
    g_autoptr (GBytes) piece = g_bytes_new (data + at, 100000), nothing = g_bytes_new (NULL, 0);

    ck_assert_int_eq (store_blob_put (hash, 0, nothing, FALSE, NULL), (gint64) at);
    if (at > 0) {
      ck_assert_int_eq (store_blob_put (hash, 0, piece, FALSE, &error), -1);
      assert_code (error, FAR_ERROR_CONFLICT);
      g_clear_error (&error);
    }
    ck_assert_ptr_null (store_blob_get (hash, 0, 10, &error));
    assert_code (error, FAR_ERROR_NOT_FOUND);
    g_clear_error (&error);
    ck_assert_int_eq (store_blob_put (hash, at, piece, at == 200000, NULL), (gint64) at + 100000);
  }
  middle = store_blob_get (hash, 99990, 100100, NULL);
  ck_assert_uint_eq (g_bytes_get_size (middle), 100100);
  ck_assert_mem_eq (g_bytes_get_data (middle, NULL), data + 99990, 100100);
  end = store_blob_get (hash, 299999, 1000, NULL);
  ck_assert_uint_eq (g_bytes_get_size (end), 1);
  store_close ();
}
END_TEST

/* What no row refers to goes, a day later; so does what was begun and not gone on with. */
START_TEST (orphaned_blobs_go)
{
  g_autoptr (GBytes) kept = g_bytes_new_static ("kept", 4), orphan = g_bytes_new_static ("orphan", 6),
                     half = g_bytes_new_static ("half", 4), back = NULL;
  g_autofree char *kept_hash = hash_of (kept), *orphan_hash = hash_of (orphan), *half_hash = hash_of (half);
  FarPart parts[] = {
    { .kind = FAR_PART_ROW, .table = "t", .key = "k", .row = "{}", .expect = FAR_EXPECT_ANY },
    { .kind = FAR_PART_BLOB_REF, .table = "t", .key = "k", .row = kept_hash }
  };
  Wait *wait;
  GError *error = NULL;

  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE); /* before the first loop, which asks for it */
  wait = wait_new ();
  store_open (TYPE, NULL, "keep: 0s");
  store_blob_put (kept_hash, 0, kept, TRUE, NULL);
  store_blob_put (orphan_hash, 0, orphan, TRUE, NULL);
  store_blob_put (half_hash, 0, half, FALSE, NULL);
  far_store_apply ("main", NULL, parts, 2, wait->req);
  g_free (wait_result (wait, NULL));
  far_clock_advance (3600 * (gint64) G_USEC_PER_SEC);
  store_maintain (1000);
  back = store_blob_get (orphan_hash, 0, 10, NULL);
  ck_assert_uint_eq (g_bytes_get_size (back), 6);
  far_clock_advance (25 * 3600 * (gint64) G_USEC_PER_SEC);
  store_maintain (1000);
  ck_assert_ptr_null (store_blob_get (orphan_hash, 0, 10, &error));
  g_clear_error (&error);
  g_clear_pointer (&back, g_bytes_unref);
  back = store_blob_get (kept_hash, 0, 10, NULL);
  ck_assert_uint_eq (g_bytes_get_size (back), 4);
  ck_assert_int_eq (store_blob_put (half_hash, 0, half, TRUE, NULL), 4); /* from the start again */
  store_close ();
}
END_TEST

START_TEST (a_blob_with_another_hash_is_not_kept)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static ("hello", 5), other = g_bytes_new_static ("world", 5);
  g_autofree char *hash = hash_of (bytes);
  GError *error = NULL;

  store_open (TYPE, NULL, NULL);
  ck_assert_int_eq (store_blob_put (hash, 0, other, TRUE, &error), -1);
  assert_code (error, FAR_ERROR_INVALID);
  g_clear_error (&error);
  ck_assert_int_eq (store_blob_put (hash, 0, bytes, TRUE, NULL), 5);
  ck_assert_int_eq (store_blob_put (hash, 0, bytes, TRUE, NULL), 5); /* once more: it is there */
  ck_assert_int_eq (store_blob_put ("ABC", 0, bytes, TRUE, &error), -1);
  assert_code (error, FAR_ERROR_INVALID);
  g_clear_error (&error);
  store_close ();
}
END_TEST

START_TEST (everything_is_there_after_a_restart)
{
  char *dir = node_fresh_dir ();
  g_autoptr (GBytes) batch = store_batch (1000000, 1000000, 5), bytes = g_bytes_new_static ("hello", 5),
                     back = NULL;
  g_autofree char *hash = hash_of (bytes);
  gint64 revision;

  store_open (TYPE, dir, "keep: 0s");
  revision = store_put ("t", "a", "{\"v\":1}", FAR_EXPECT_ANY, NULL);
  store_put ("t", "gone", "{}", FAR_EXPECT_ANY, NULL);
  store_put ("t", "gone", NULL, FAR_EXPECT_ANY, NULL);
  apply_batch ("t1", 2, 1, 1, batch);
  store_blob_put (hash, 0, bytes, TRUE, NULL);
  store_close ();
  store_open (TYPE, dir, "keep: 0s");
  assert_rows ("t", "a={\"v\":1}");
  ck_assert_uint_eq (count_samples ("t1"), 5);
  assert_applied (apply_batch ("t1", 2, 1, 1, batch), FAR_APPLY_DUPLICATE, 0);
  back = store_blob_get (hash, 0, 100, NULL);
  ck_assert_uint_eq (g_bytes_get_size (back), 5);
  ck_assert_int_gt (store_put ("t", "a", "{\"v\":2}", revision, NULL), revision);
  store_close ();
  g_free (dir);
}
END_TEST

START_TEST (a_snapshot_is_a_store)
{
  char *dir = node_fresh_dir (), *other = node_fresh_dir ();
  g_autofree char *path = g_build_filename (other, "copy", NULL);
  g_autofree char *extra = g_strdup_printf ("keep: 0s, path: \"%s\"", path);
  g_autoptr (GBytes) batch = store_batch (1000000, 1000000, 5);
  GError *error = NULL;

  store_open (TYPE, dir, "keep: 0s");
  store_put ("t", "a", "{\"v\":1}", FAR_EXPECT_ANY, NULL);
  apply_batch ("t1", 2, 1, 1, batch);
  store_snapshot (path, NULL);
  store_put ("t", "a", "{\"v\":2}", FAR_EXPECT_ANY, NULL);
  store_snapshot (path, &error);
  assert_code (error, FAR_ERROR_CONFLICT);
  g_clear_error (&error);
  store_snapshot ("relative", &error);
  assert_code (error, FAR_ERROR_INVALID);
  g_clear_error (&error);
  store_close ();
  store_open (TYPE, other, extra);
  assert_rows ("t", "a={\"v\":1}");
  ck_assert_uint_eq (count_samples ("t1"), 5);
  assert_applied (apply_batch ("t1", 2, 1, 1, batch), FAR_APPLY_DUPLICATE, 0);
  store_close ();
  g_free (dir);
  g_free (other);
}
END_TEST

START_TEST (many_writes_at_once_share_commits)
{
  Wait *waits[2000];
  g_autoptr (GPtrArray) rows = NULL;

  store_open (TYPE, NULL, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (waits); i++) {
    g_autofree char *key = g_strdup_printf ("k%u", i % 500);

    waits[i] = wait_new ();
    far_store_put ("main", "t", key, "{}",
                   i < 500      ? FAR_EXPECT_ABSENT
                   : i % 3 == 0 ? FAR_EXPECT_ABSENT
                                : FAR_EXPECT_ANY,
                   waits[i]->req);
  }
  for (guint i = 0; i < G_N_ELEMENTS (waits); i++) {
    wait_for (waits[i]);
    ck_assert ((waits[i]->error == NULL) == (i < 500 || i % 3 != 0));
    wait_free (waits[i], g_free);
  }
  rows = store_rows ("t", NULL, NULL, 1000, FALSE);
  ck_assert_uint_eq (rows->len, 500);
  store_close ();
}
END_TEST

int
main (void)
{
  const TTest *const tests[] = {
    a_row_comes_back_as_it_was_put,
    expect_decides,
    deleting_and_making_again_never_repeats_a_revision,
    lists_page_by_key_both_ways,
    filter_looks_at_top_level_fields,
    rows_that_are_none_are_refused,
    a_store_that_is_not_there_is_named,
    nobody_has_to_mind_the_outcome,
    parts_are_all_or_nothing,
    revisions_of_one_step_follow_each_other,
    a_batch_counts_once,
    a_new_epoch_starts_over_and_old_ones_stay_known,
    what_is_broken_moves_nothing,
    range_gives_the_newest_in_time_order,
    series_are_listed_with_their_unit,
    care_and_restart_keep_every_sample,
    drop_takes_old_samples_and_whole_tables,
    old_samples_go_by_themselves,
    blobs_come_in_pieces_and_go_out_from_anywhere,
    orphaned_blobs_go,
    a_blob_with_another_hash_is_not_kept,
    everything_is_there_after_a_restart,
    a_snapshot_is_a_store,
    many_writes_at_once_share_commits,
  };
  const char *others = g_getenv ("FARWATCH_TEST_STORES");
  Suite *suite = suite_create ("store");
  TCase *tcase = tcase_create ("store");
  SRunner *runner = srunner_create (suite);
  int failed;

  types = g_strsplit (others != NULL ? others : "sqlite file", " ", -1);
  tcase_set_timeout (tcase, 120);
  tcase_add_checked_fixture (tcase, NULL, node_remove_dirs);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    tcase_add_loop_test (tcase, tests[i], 0, (int) g_strv_length (types));
  suite_add_tcase (suite, tcase);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  g_strfreev (types);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
