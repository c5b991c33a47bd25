/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is given back at rest, when, and that nothing of it is missed. */
#include "config.h"

#include "unit/stream-pair.h"

#include <link.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "stream/memory-trim.h"

static int data_of_the_program = 1; /* written before: must not be let go */

/* What code and data there is works on after its pages were dropped, relocated pointers too. */
START_TEST (test_all_goes_on)
{
  const char *const *words = (const char *const[]){ "one", "two", NULL };
  g_autofree char *before = g_strdup ("kept");

  data_of_the_program = 7;
  for (int i = 0; i < 50; i++) {
    ck_assert_uint_gt (far_memory_trim (), 0);
    ck_assert_int_eq (data_of_the_program, 7);
    ck_assert_str_eq (before, "kept");
    ck_assert (g_strv_contains (words, "two"));
    ck_assert_double_eq_tol (sqrt ((double) i * i), i, 1e-9);
  }
}
END_TEST

static gpointer
work (gpointer stop)
{
  gulong n = 0;

  for (; !g_atomic_int_get ((gint *) stop); n++) {
    g_autofree char *text = g_strdup_printf ("%lu", n);

    ck_assert_uint_eq (strtoul (text, NULL, 10), n);
  }
  return GSIZE_TO_POINTER (n);
}

START_TEST (test_under_work)
{
  gint stop = 0;
  GThread *thread = g_thread_new ("work", work, &stop);

  for (int i = 0; i < 100; i++)
    far_memory_trim ();
  g_atomic_int_set (&stop, 1);
  ck_assert_uint_gt (GPOINTER_TO_SIZE (g_thread_join (thread)), 0);
}
END_TEST

#ifndef __SANITIZE_ADDRESS__ /* that one keeps freed memory for a while */
static gsize
touched (gsize size)
{
  g_autofree char *much = g_malloc (size);

  memset (much, 1, size);
  return far_memory_trim ();
}

START_TEST (test_gives_back)
{
  gsize with = touched (32 << 20), without = far_memory_trim ();

  ck_assert_uint_lt (without + (16 << 10), with);
}
END_TEST
#endif

#ifdef __SANITIZE_ADDRESS__
#define UNCHECKED __attribute__ ((no_sanitize ("address"))) /* the gaps between constants are read too */
#else
#define UNCHECKED
#endif

/* Pages of files in memory, KiB. */
static long
file_kib (void)
{
  g_autofree char *status = NULL;
  ck_assert (g_file_get_contents ("/proc/self/status", &status, NULL, NULL));
  const char *line = strstr (status, "\nRssFile:");
  ck_assert_ptr_nonnull (line);
  return strtol (line + strlen ("\nRssFile:"), NULL, 10);
}

/* A sum over every byte of every file that is mapped read-only: text, constants, and constants that were
 * relocated. */
UNCHECKED static guint64
sum_of_maps (gsize *size)
{
  g_autofree char *maps = NULL;
  guint64 sum = 0;
  *size = 0;
  ck_assert (g_file_get_contents ("/proc/self/maps", &maps, NULL, NULL));
  g_auto (GStrv) lines = g_strsplit (maps, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++) {
    unsigned long begin, end;
    char mode[5];
    if (sscanf (lines[i], "%lx-%lx %4s", &begin, &end, mode) != 3 || mode[0] != 'r' || mode[1] != '-' ||
        strstr (lines[i], ".so") == NULL)
      continue;
    for (const volatile guint64 *at = (const volatile guint64 *) begin; at < (const volatile guint64 *) end;
         at++)
      sum = sum * 31 + *at;
    *size += end - begin;
  }
  return sum;
}

START_TEST (nothing_is_lost)
{
  gsize size;
  guint64 sum = sum_of_maps (&size);
  long before = file_kib ();
  gsize dropped = far_memory_trim_text ();
  long after = file_kib ();
  ck_assert_uint_gt (size, 1000000);
  if (dropped > 0) /* else somebody traces the test */
    ck_assert_int_lt (after, before - (long) size / 2048);
  ck_assert (sum == sum_of_maps (&size));
}
END_TEST

/* Without a tracer, everything that is not written to is looked at. */
static int
count_objects (struct dl_phdr_info *object, size_t size, void *data)
{
  *(guint *) data += object->dlpi_phnum > 0;
  return 0;
}

START_TEST (most_is_looked_at)
{
  guint objects = 0;
  gsize dropped = far_memory_trim_text ();
  dl_iterate_phdr (count_objects, &objects);
  ck_assert_uint_gt (objects, 5);
  if (dropped > 0)
    ck_assert_uint_gt (dropped, objects * 16384);
}
END_TEST

/* As on a daemon with so much in use: is it let go within these seconds? */
static gboolean
trimmed_after (gint64 seconds, gboolean use)
{
  gsize size = 0;
  if (use)
    sum_of_maps (&size);
  long before = file_kib ();
  far_clock_advance (SECONDS (seconds));
  help_spin (20);
  return file_kib () < before - (long) size / 2048;
}

START_TEST (waits_for_rest)
{
  gsize able = far_memory_trim_text ();
  ck_assert (!trimmed_after (40, TRUE)); /* nobody asked for it */
  far_memory_trim_watch (TRUE);
  ck_assert (!trimmed_after (20, TRUE));
  ck_assert (able == 0 || trimmed_after (20, TRUE));
  trimmed_after (61, FALSE); /* this is how it rests */
  ck_assert (able == 0 || trimmed_after (61, TRUE));
  ck_assert (!trimmed_after (61, TRUE)); /* it rests with more */
  ck_assert (!trimmed_after (61, TRUE));
  far_memory_trim_watch (FALSE);
  ck_assert (!trimmed_after (120, TRUE));
}
END_TEST

START_TEST (waits_for_pumps)
{
  gsize able = far_memory_trim_text ();
  Loops loops = { 0 };
  int a, b;
  Report report = { 0 };
  FarPumpSpec spec = { .session = "s",
                       .counters = report_counters,
                       .closed = report_closed,
                       .user = &report };
  loops_start (&loops);
  FarStream *end_a = end_make (&loops, KIND_UNIX_ONE, &a), *end_b = end_make (&loops, KIND_UNIX_TWO, &b);
  far_memory_trim_watch (TRUE);
  far_pump_start (end_a, end_b, &spec);
  ck_assert (!trimmed_after (40, TRUE));
  close (a);
  close (b);
  report_wait (&report);
  ck_assert (!trimmed_after (20, TRUE));
  ck_assert (able == 0 || trimmed_after (20, TRUE));
  far_memory_trim_watch (FALSE);
  loops_stop (&loops);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("trim");
  TCase *all = tcase_create ("trim");
  SRunner *runner = srunner_create (suite);
  int failed;

  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  tcase_set_timeout (all, 60);
  tcase_add_test (all, test_all_goes_on);
  tcase_add_test (all, test_under_work);
  tcase_add_test (all, nothing_is_lost);
  tcase_add_test (all, most_is_looked_at);
  tcase_add_test (all, waits_for_rest);
  tcase_add_test (all, waits_for_pumps);
#ifndef __SANITIZE_ADDRESS__
  tcase_add_test (all, test_gives_back);
#endif
  suite_add_tcase (suite, all);
  srunner_run_all (runner, CK_ENV);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
