/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This test covers the text forms of option values: what is read, what is refused, and that what is
 * written is read again. */
#include "config.h"

#include "profile/option-check.h"
#include "base/suggest.h"
#include "unit/core-help.h"

typedef struct {
  const char *text;
  gint64 value; /* -1: refused */
} Row;

static const Row durations[] = {
  { "0s", 0 },
  { "500ms", 500000 },
  { "10s", 10000000 },
  { "5m", 300000000 },
  { "2h", G_GINT64_CONSTANT (7200000000) },
  { "7us", 7 },
  { "1d", G_GINT64_CONSTANT (86400000000) },
  { "", -1 },
  { "10", -1 },
  { "10 s", -1 },
  { "-1s", -1 },
  { "1.5s", -1 },
  { "s", -1 },
  { "10S", -1 },
  { "10sec", -1 },
  { "9223372036854775807us", G_MAXINT64 },
  { "9223372036854775808us", -1 },
  { "106751992d", -1 },
};

START_TEST (durations_are_read)
{
  const Row *row = &durations[_i];
  gint64 us = 0;
  g_autoptr (GError) error = NULL;
  gboolean good = far_parse_duration (row->text, &us, &error);

  ck_assert_msg (good == (row->value >= 0), "%s", row->text);
  ck_assert (good ? us == row->value : g_error_matches (error, FAR_ERROR, FAR_ERROR_INVALID));
}
END_TEST

START_TEST (durations_are_written_short_and_exact)
{
  static const char *const texts[] = { "0s", "90s", "10m", "1d", "36h", "1500ms", "1us" };
  gint64 us;

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autofree char *again = NULL;

    ck_assert (far_parse_duration (texts[i], &us, NULL));
    again = far_format_duration (us);
    ck_assert_str_eq (again, texts[i]);
  }
}
END_TEST

static const Row sizes[] = {
  { "0", 0 },
  { "17", 17 },
  { "4k", 4096 },
  { "4K", 4096 },
  { "4KiB", 4096 },
  { "4kB", 4000 },
  { "16MiB", 16777216 },
  { "2G", G_GINT64_CONSTANT (2147483648) },
  { "1TiB", G_GINT64_CONSTANT (1099511627776) },
  { "", -1 },
  { "4 k", -1 },
  { "-4k", -1 },
  { "4x", -1 },
  { "k", -1 },
  { "9000000TiB", -1 },
};

START_TEST (sizes_are_read)
{
  const Row *row = &sizes[_i];
  gint64 bytes = 0;
  gboolean good = far_parse_size (row->text, &bytes, NULL);

  ck_assert_msg (good == (row->value >= 0) && (!good || bytes == row->value), "%s", row->text);
}
END_TEST

START_TEST (ranges_are_read)
{
  FarRange range = { 7, 7 };

  ck_assert (far_parse_range ("10000-65535", &range, NULL) && range.low == 10000 && range.high == 65535);
  ck_assert (far_parse_range ("80", &range, NULL) && range.low == 80 && range.high == 80);
  ck_assert (!far_parse_range ("65535-10000", &range, NULL));
  ck_assert (!far_parse_range ("1-", &range, NULL));
  ck_assert (!far_parse_range ("-1", &range, NULL));
  ck_assert (!far_parse_range ("1-2-3", &range, NULL));
  ck_assert (!far_parse_range ("", &range, NULL));
  ck_assert_int_eq (range.low, 80);
}
END_TEST

typedef struct {
  const char *text, *host; /* host NULL: refused */
  guint16 port;
} AddressRow;

static const AddressRow addresses[] = {
  { "127.0.0.1:8443", "127.0.0.1", 8443 },
  { "[::1]:22", "::1", 22 },
  { "[fe80::1%eth0]:22", "fe80::1%eth0", 22 },
  { "cloud.example:0", "cloud.example", 0 },
  { "plc_1:502", "plc_1", 502 },
  { "host", NULL, 0 },
  { ":80", NULL, 0 },
  { "host:", NULL, 0 },
  { "host:65536", NULL, 0 },
  { "host:-1", NULL, 0 },
  { "host:80x", NULL, 0 },
  { "::1:22", NULL, 0 },
  { "[::1]", NULL, 0 },
  { "[]:80", NULL, 0 },
  { "[1.2.3.4]:80", NULL, 0 },
  { "a b:80", NULL, 0 },
  { "[::1]x:80", NULL, 0 },
  { "", NULL, 0 },
  { "host:99999999999999999999", NULL, 0 },
};

START_TEST (addresses_are_split)
{
  const AddressRow *row = &addresses[_i];
  g_autofree char *host = NULL;
  guint16 port = 0;
  gboolean good = far_parse_address (row->text, &host, &port, NULL);

  ck_assert_msg (good == (row->host != NULL), "%s", row->text);
  if (good) {
    ck_assert_str_eq (host, row->host);
    ck_assert_uint_eq (port, row->port);
  }
}
END_TEST

typedef struct {
  const char *text;
  guint flags;
  gboolean good;
} PathRow;

static const PathRow paths[] = {
  { "unix:/run/farwatch/in", FAR_OPT_UNIX, TRUE },
  { "127.0.0.1:80", FAR_OPT_UNIX, TRUE },
  { "unix:/run/farwatch/in", 0, FALSE },
  { "unix:in", FAR_OPT_UNIX, FALSE },
  { "unix:", FAR_OPT_UNIX, FALSE },
  { "unix:/"
    "12345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
    "56",
    FAR_OPT_UNIX, TRUE },
  { "unix:/"
    "12345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
    "567",
    FAR_OPT_UNIX, FALSE },
};

START_TEST (paths_stand_where_they_are_wanted)
{
  const PathRow *row = &paths[_i];
  const FarOption table[] = {
    { .name = "listen", .type = FAR_OPT_ADDRESS, .flags = row->flags },
    { .type = FAR_OPT_END },
  };
  gpointer options = far_options_new (table, sizeof (char *));
  g_autoptr (FarYaml) value = far_yaml_scalar (row->text);
  g_autoptr (GError) error = NULL;

  ck_assert_msg (far_option_fill (table, value, NULL, options, &error) == row->good, "%s", row->text);
  if (row->good)
    ck_assert_str_eq (*(char **) options, row->text);
  else
    ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_INVALID));
  far_options_unref (options);
}
END_TEST

START_TEST (distances_are_those_of_typing)
{
  g_autofree char *long_word = g_strnfill (200, 'x');

  ck_assert_uint_eq (far_distance ("interval", "intervall"), 1);
  ck_assert_uint_eq (far_distance ("word", "wrod"), 1);
  ck_assert_uint_eq (far_distance ("", "abc"), 3);
  ck_assert_uint_eq (far_distance ("kitten", "sitting"), 3);
  ck_assert_uint_eq (far_distance ("same", "same"), 0);
  ck_assert_uint_eq (far_distance ("a", long_word), G_MAXUINT);
}
END_TEST

START_TEST (errors_have_words_and_statuses)
{
  for (int code = FAR_ERROR_CONFIG; code <= FAR_ERROR_FULL; code++) {
    g_autoptr (GError) error = g_error_new_literal (FAR_ERROR, code, "x");

    ck_assert_int_eq (far_error_code (far_error_word (error)), code);
    ck_assert_uint_ge (far_error_status (error), 400);
  }
  ck_assert_int_eq (far_error_code ("no such word"), FAR_ERROR_UNAVAILABLE);
  ck_assert_int_eq (far_error_code (NULL), FAR_ERROR_UNAVAILABLE);
}
END_TEST

START_TEST (foreign_errors_count_as_unavailable)
{
  g_autoptr (GError) error = g_error_new_literal (G_FILE_ERROR, G_FILE_ERROR_NOENT, "x");

  ck_assert_str_eq (far_error_word (error), "unavailable");
  ck_assert_uint_eq (far_error_status (error), 503);
}
END_TEST

START_TEST (kinds_have_names_both_ways)
{
  for (int kind = 1; kind < FAR_N_KINDS; kind++) {
    ck_assert_int_eq (far_kind_parse (far_kind_name (kind)), kind);
    ck_assert_int_eq (far_kind_parse (far_kind_plural (kind)), kind);
  }
  ck_assert_int_eq (far_kind_parse ("gadget"), 0);
  ck_assert_str_eq (far_kind_name (0), "unknown");
  ck_assert_str_eq (far_kind_name (99), "unknown");
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("option");
  TCase *tcase = tcase_create ("option");

  tcase_add_loop_test (tcase, durations_are_read, 0, G_N_ELEMENTS (durations));
  tcase_add_test (tcase, durations_are_written_short_and_exact);
  tcase_add_loop_test (tcase, sizes_are_read, 0, G_N_ELEMENTS (sizes));
  tcase_add_test (tcase, ranges_are_read);
  tcase_add_loop_test (tcase, addresses_are_split, 0, G_N_ELEMENTS (addresses));
  tcase_add_loop_test (tcase, paths_stand_where_they_are_wanted, 0, G_N_ELEMENTS (paths));
  tcase_add_test (tcase, distances_are_those_of_typing);
  tcase_add_test (tcase, errors_have_words_and_statuses);
  tcase_add_test (tcase, foreign_errors_count_as_unavailable);
  tcase_add_test (tcase, kinds_have_names_both_ways);
  suite_add_tcase (suite, tcase);
  return run_suite (suite);
}
