/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What sensors make of the texts they read: perfdata of checks, files of procfs. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sensor-exec/perfdata.h"
#include "sensor-system/parse.h"

static char *
perf (const char *output)
{
  g_autoptr (Perfdata) perfdata = perfdata_parse (output, strlen (output));
  GString *text = g_string_new (perfdata->text);

  for (guint i = 0; i < perfdata->values->len; i++) {
    const PerfValue *value = &g_array_index (perfdata->values, PerfValue, i);

    if (value->known)
      g_string_append_printf (text, "|%s=%.10g %s", value->channel, value->value, value->unit);
    else
      g_string_append_printf (text, "|%s unknown", value->channel);
    if (value->limits != NULL && g_str_has_prefix (value->channel, "limits"))
      g_string_append_printf (text, " (%s)", value->limits);
  }
  if (perfdata->repeated > 0)
    g_string_append_printf (text, "|%u twice", perfdata->repeated);
  if (perfdata->bad > 0)
    g_string_append_printf (text, "|%u bad", perfdata->bad);
  return g_string_free (text, FALSE);
}

static const struct {
  const char *output, *wanted;
} checks[] = {
  { "", "" },
  { "OK\n", "OK" },
  { "OK - load|load1=0.500;5.000;10.000;0; load5=1;4;6\n", "OK - load|load1=0.5 1|load5=1 1" },
  { "X|a=1s b=2ms c=3us d=4% e=5B f=6KB g=7MB h=8GB i=9TB j=10c k=11furlong",
    "X|a=1 s|b=0.002 s|c=3e-06 s|d=4 %|e=5 By|f=6144 By|g=7340032 By|h=8589934592 By|i=9.89560465e+12 "
    "By|j=10 1|k=11 1" },
  { "X|'/var lib'=1 'it''s'=2 'a=b'=3 'plain'=4", "X|/var%20lib=1 1|it%27s=2 1|a%3Db=3 1|plain=4 1" },
  { "X|'\346\270\251'=1 '\345\234\247'=2", "X|%E6%B8%A9=1 1|%E5%9C%A7=2 1" },
  { "X|'d:\\ Used'=1 'd:/ Used'=2 'd:_ Used'=3 '%'=4 '%25'=5",
    "X|d:%5C%20Used=1 1|d:/%20Used=2 1|d:_%20Used=3 1|%25=4 1|%2525=5 1" },
  { "X|a=1 b=2 a=3", "X|a=1 1|b=2 1|1 twice" },
  { "X|'a@limits'=1 a=2", "X|a%40limits=1 1|a=2 1" }, /* a@limits is where the limits of a go */
  { "X|limits=1ms;5;@6:7;0;100 limits2=1;5;;; limits3=1;;;; limits4=1",
    "X|limits=0.001 s (5;@6:7;0;100 ms)|limits2=1 1 (5)|limits3=1 1|limits4=1 1" },
  { "X|'=1", "X|1 bad" },
  { "X|'open=1", "X|1 bad" },
  { "X|=1 a= b=; c=1", "X|c=1 1|3 bad" },
  { "X|a=U;1;2", "X|a unknown" },
  { "X|a=-1.5 b=+2 c=1,5 d=1e3", "X|a=-1.5 1|b=2 1|c=1.5 1|d=1000 1" },
  { "X|a=inf b=nan c=0x10 d=1e999 e=--1", "X|5 bad" },
  { "DISK| /=2MB;5;6;0;7\nlong\ntext | /boot=68MB;88\n/home=3;4\n",
    "DISK|/=2097152 By|/boot=71303168 By|/home=3 1" },
  { "no bar\nlong | a=1\n b=2", "no bar|a=1 1|b=2 1" },
  { "bell\a and\ttab \xff bad|a=1", "bell  and tab \357\277\275 bad|a=1 1" },
};

START_TEST (checks_are_read)
{
  g_autofree char *got = perf (checks[_i].output);

  ck_assert_str_eq (got, checks[_i].wanted);
}
END_TEST

/* Labels that begin alike for longer than a channel may be. */
START_TEST (long_labels_are_told_apart)
{
  g_autofree char *filler = g_strnfill (80, 'x'),
                  *output = g_strdup_printf ("X|%sa=1 %sb=2 '\346%s'=3", filler, filler, filler);
  g_autoptr (Perfdata) perfdata = perfdata_parse (output, strlen (output));

  ck_assert_uint_eq (perfdata->values->len, 3);
  for (guint i = 0; i < 3; i++)
    ck_assert_uint_le (strlen (g_array_index (perfdata->values, PerfValue, i).channel), PERFDATA_LABEL);
  ck_assert_uint_eq (perfdata->repeated, 0);
}
END_TEST

START_TEST (what_a_nul_cuts_is_known)
{
  static const char output[] = "X|a=1\0 b=2";
  g_autoptr (Perfdata) perfdata = perfdata_parse (output, sizeof output - 1),
                       whole = perfdata_parse (output, 5);

  ck_assert_uint_eq (perfdata->values->len, 1);
  ck_assert (perfdata->cut && !whole->cut);
}
END_TEST

START_TEST (floods_are_cut)
{
  g_autoptr (GString) many = g_string_new (NULL);
  g_autofree char *filler = g_strnfill (10000, 'x');
  g_autoptr (Perfdata) perfdata = NULL;

  g_string_append_printf (many, "%s|%s=1", filler, filler);
  for (guint i = 0; i < 1000; i++)
    g_string_append_printf (many, " v%u=%u", i, i);
  perfdata = perfdata_parse (many->str, many->len);
  ck_assert_uint_eq (strlen (perfdata->text), 4095);
  ck_assert_uint_eq (perfdata->values->len, PERFDATA_MAX);
  ck_assert_uint_eq (strlen (g_array_index (perfdata->values, PerfValue, 0).channel), PERFDATA_LABEL);
  ck_assert_uint_eq (perfdata->bad, 1001 - PERFDATA_MAX);
}
END_TEST

START_TEST (processor_ticks)
{
  SystemCpu cpu;

  ck_assert (system_parse_cpu ("cpu  10 20 30 400 5 6 7 8 9 10\ncpu0 1 2 3 4\n", &cpu));
  ck_assert_uint_eq (cpu.total, 10 + 20 + 30 + 400 + 5 + 6 + 7 + 8);
  ck_assert_uint_eq (cpu.busy, cpu.total - 405);
  ck_assert (system_parse_cpu ("cpu 1 2 3 4", &cpu));
  ck_assert (!system_parse_cpu ("cpu 1 2 3", &cpu));
  ck_assert (!system_parse_cpu ("cpu0 1 2 3 4", &cpu));
  ck_assert (!system_parse_cpu ("", &cpu));
}
END_TEST

START_TEST (memory_lines)
{
  SystemMemory memory;

  ck_assert (system_parse_memory (
      "MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:   600 kB\nSwapTotal: 50 kB\nSwapFree: 20 kB\n",
      &memory));
  ck_assert_int_eq (memory.used, 400 * 1024);
  ck_assert_int_eq (memory.available, 600 * 1024);
  ck_assert_int_eq (memory.swap_used, 30 * 1024);
  ck_assert (system_parse_memory ("MemTotal: 1000 kB\nMemAvailable: 600 kB", &memory));
  ck_assert_int_eq (memory.swap_used, 0);
  ck_assert (!system_parse_memory ("MemTotal: 1000 kB\n", &memory));
  ck_assert (!system_parse_memory ("MemTotal: x kB\nMemAvailable: y kB\n", &memory));
  ck_assert (!system_parse_memory ("", &memory));
}
END_TEST

START_TEST (interface_lines)
{
  const char *text = "Inter-|   Receive  |  Transmit\n face |bytes packets errs|bytes\n"
                     "    lo: 100 1 0 0 0 0 0 0 100 1 0 0 0 0 0 0\neth0:5 1 0 0 0 0 0 0 7\nbad0: 1 2 3\n  "
                     "wg-x: 1 0 0 0 0 0 0 0 2 0";
  const char *at = text;
  SystemNet net;
  GString *seen = g_string_new (NULL);

  while (system_parse_net (&at, &net))
    g_string_append_printf (seen, "%.*s %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n", (int) net.name_size,
                            net.name, net.rx, net.tx);
  ck_assert_str_eq (seen->str, "lo 100 100\neth0 5 7\nwg-x 1 2\n");
  g_string_free (seen, TRUE);
}
END_TEST

/* Of many interfaces the last has its own number, not the beginning of it. */
START_TEST (files_of_many_pages)
{
  g_autoptr (GString) text = g_string_new ("Inter-|\n");
  g_autofree char *whole = NULL;
  int fd = memfd_create ("dev", MFD_CLOEXEC);
  const char *at;
  SystemNet net;
  guint n = 0;

  for (guint i = 0; i < 1000; i++)
    g_string_append_printf (text, "veth%u: %u 1 0 0 0 0 0 0 7\n", i, i + 100000);
  ck_assert_int_eq (write (fd, text->str, text->len), (gssize) text->len);
  at = whole = system_read_whole (fd);
  for (; system_parse_net (&at, &net); n++)
    ck_assert_uint_eq (net.rx, n + 100000);
  ck_assert_uint_eq (n, 1000);
  g_clear_pointer (&whole, g_free);
  for (guint i = 0; i < 60; i++) /* beyond what is taken: whole lines all the same */
    ck_assert_int_eq (write (fd, text->str, text->len), (gssize) text->len);
  whole = system_read_whole (fd);
  ck_assert_uint_le (strlen (whole), 1024 * 1024);
  ck_assert_msg (g_str_has_suffix (whole, " 0 7"), "%s", whole + strlen (whole) - 20);
  close (fd);
  ck_assert_ptr_null (system_read_whole (-1));
}
END_TEST

START_TEST (first_number)
{
  double value;

  ck_assert (system_parse_double ("0.52 0.58 0.59 1/467 12345\n", &value));
  ck_assert_double_eq (value, 0.52);
  ck_assert (!system_parse_double ("\n", &value));
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("sensor-parse");
  TCase *tcase = tcase_create ("sensor-parse");
  SRunner *runner = srunner_create (suite);
  int failed;

  tcase_add_loop_test (tcase, checks_are_read, 0, G_N_ELEMENTS (checks));
  tcase_add_test (tcase, long_labels_are_told_apart);
  tcase_add_test (tcase, what_a_nul_cuts_is_known);
  tcase_add_test (tcase, floods_are_cut);
  tcase_add_test (tcase, processor_ticks);
  tcase_add_test (tcase, memory_lines);
  tcase_add_test (tcase, interface_lines);
  tcase_add_test (tcase, files_of_many_pages);
  tcase_add_test (tcase, first_number);
  suite_add_tcase (suite, tcase);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
