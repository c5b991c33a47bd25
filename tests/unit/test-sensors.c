/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sensors inside a node: what arrives at a listener. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/types.h>

#include "node-help.h"

/* name → last value as text */
static GHashTable *seen;
static GHashTable *units; /* name → unit; may be NULL */

static void
note (const FarReading *group, gpointer user G_GNUC_UNUSED)
{
  for (guint i = 0; i < group->n; i++) {
    const FarSample *sample = &group->samples[i];
    const FarSeriesInfo *info = far_series_info (sample->series);
    char *text = sample->type == FAR_VALUE_TEXT  ? g_strdup_printf ("%s", sample->value.text)
                 : sample->type == FAR_VALUE_F64 ? g_strdup_printf ("%g %s", sample->value.f64, info->unit)
                 : sample->type == FAR_VALUE_I64
                     ? g_strdup_printf ("%" G_GINT64_FORMAT " %s", sample->value.i64, info->unit)
                     : g_strdup ("none");

    if (units != NULL)
      g_hash_table_replace (units, g_strdup (info->name), g_strdup (info->unit));
    ck_assert_int_eq (group->time_us % 100000, 0); /* the tick, not the moment */
    g_hash_table_replace (seen, g_strdup (info->name),
                          g_strconcat (text, group->reason != NULL ? " " : "", group->reason, NULL));
    g_free (text);
  }
}

static gboolean
has (gpointer name)
{
  return g_hash_table_contains (seen, name);
}

static const char *
value (const char *name)
{
  node_until (has, (gpointer) name);
  return g_hash_table_lookup (seen, name);
}

static char *
script (const char *dir, const char *text)
{
  static guint number;
  char *path = g_strdup_printf ("%s/check-%u", dir, number++);
  g_autofree char *whole = g_strconcat ("#!/bin/sh\n", text, "\n", NULL);

  ck_assert (g_file_set_contents_full (path, whole, -1, G_FILE_SET_CONTENTS_NONE, 0755, NULL));
  return path;
}

static char *
begin (const char *extra, const char *text)
{
  char *dir = node_fresh_dir ();
  g_autofree char *path = text != NULL ? script (dir, text) : g_strdup ("/nowhere/check");
  g_autofree char *body = g_strdup_printf (
      "sensors:\n  c: { type: exec, interval: 200ms, command: [\"%s\", \"a b\", \"$HOME\"]%s }\n", path,
      extra);

  seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  far_sample_listen (NULL, note, NULL);
  node_open (dir, "term-1", body);
  return dir;
}

static void
end (char *dir)
{
  node_close ();
  g_clear_pointer (&seen, g_hash_table_unref);
  g_free (dir);
}

START_TEST (a_check_gives_state_text_and_values)
{
  char *dir = begin ("", "echo \"WARN $1 $2 $HOME|t=3.5ms;1;2 u=U\"; echo junk >&2; exit 1");

  ck_assert_str_eq (value ("c.state"), "1 1");
  ck_assert_str_eq (value ("c.text"), "WARN a b $HOME"); /* arguments as they are, and no environment */
  ck_assert_str_eq (value ("c.t"), "0.0035 s");
  ck_assert_str_eq (value ("c.u"), "none unknown");
  end (dir);
}
END_TEST

static const struct {
  const char *text, *state, *said;
} odd[] = {
  { "echo out; echo wrong option >&2; exit 64", "3 1", "wrong option" },
  { "kill -SEGV $$", "3 1", "ended by signal 11" },
  { "exit 2", "2 1", "exit status 2 and no text" },
  { "echo problem >&2; exit 2", "2 1", "problem" },
};

START_TEST (limits_are_said_when_they_change)
{
  g_autofree char *dir = node_fresh_dir (), *flag = g_build_filename (dir, "flag", NULL);
  g_autofree char *text = g_strdup_printf ("[ -e '%s' ] && echo 'OK|v=1;7;9' || echo 'OK|v=1;5;9;0'", flag);
  char *loop = begin ("", text);

  ck_assert_str_eq (value ("c.v@limits"), "5;9;0");
  g_hash_table_remove_all (seen);
  value ("c.v");
  ck_assert (!has ((gpointer) "c.v@limits")); /* not with each value */
  ck_assert (g_file_set_contents (flag, "", 0, NULL));
  ck_assert_str_eq (value ("c.v@limits"), "7;9");
  end (loop);
}
END_TEST

START_TEST (odd_ends_are_unknown)
{
  char *dir = begin ("", odd[_i].text);

  ck_assert_str_eq (value ("c.state"), odd[_i].state);
  ck_assert_str_eq (value ("c.text"), odd[_i].said);
  end (dir);
}
END_TEST

/* Gone, or dead and waiting for somebody to ask after it. */
static gboolean
is_dead (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", (int) pid), *text = NULL;

  return !g_file_get_contents (path, &text, NULL, NULL) || strstr (text, ") Z ") != NULL;
}

START_TEST (who_hangs_is_killed_with_all_it_started)
{
  /* lint: allow sleep: it is killed */
  char *dir = begin (", timeout: 100ms", "sleep 600 & echo $! > \"$0.pid\"; exec sleep 600");
  g_autofree char *path = g_strdup_printf ("%s/check-0.pid", dir), *text = NULL;
  pid_t grandchild;

  ck_assert_str_eq (value ("c.state"), "3 1 timeout");
  ck_assert (g_file_get_contents (path, &text, NULL, NULL));
  grandchild = (pid_t) g_ascii_strtoll (text, NULL, 10);
  end (dir);
  for (guint i = 0; i < 2000 && !is_dead (grandchild); i++)
    g_usleep (1000);
  ck_assert (is_dead (grandchild));
}
END_TEST

START_TEST (a_flood_is_cut_and_does_not_block)
{
  char *dir = begin ("", "echo 'ok|a=1'; head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2; exit 0");

  ck_assert_str_eq (value ("c.state"), "0 1");
  ck_assert_str_eq (value ("c.a"), "1 1");
  end (dir);
}
END_TEST

START_TEST (who_leaves_a_child_with_the_pipe_still_ends)
{
  char *dir = begin (", timeout: 60s", "sleep 600 & echo ok; exit 0"); /* lint: allow sleep: it is killed */

  ck_assert_str_eq (value ("c.text"), "ok");
  end (dir);
}
END_TEST

START_TEST (a_program_that_is_not_there_fails_the_reading)
{
  char *dir = begin ("", NULL);

  node_for_ms (500);
  ck_assert (!has ((gpointer) "c.state"));
  end (dir);
}
END_TEST

/* "host.disk.used:/" → "disk.used:*" */
static char *
channel_of (const char *name)
{
  const char *channel = strchr (name, '.') + 1, *thing = strchr (channel, ':');

  return thing != NULL ? g_strdup_printf ("%.*s:*", (int) (thing - channel), channel) : g_strdup (channel);
}

/* name → unit, as etc/channels.yaml says. */
static GHashTable *
channels_told (void)
{
  const char *source = g_getenv ("FARWATCH_TEST_SRCDIR");
  g_autofree char *path = g_build_filename (source != NULL ? source : ".", "etc", "channels.yaml", NULL),
                  *text = NULL;
  g_autoptr (GRegex) line = g_regex_new ("^  \"?([a-z0-9.]+(?::\\*)?)\"?:\\s+\\{ unit: \"?([^\",}]+)",
                                         G_REGEX_MULTILINE, 0, NULL);
  GHashTable *told = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr (GMatchInfo) match = NULL;

  ck_assert_msg (g_file_get_contents (path, &text, NULL, NULL), "%s", path);
  for (g_regex_match (line, text, 0, &match); g_match_info_matches (match); g_match_info_next (match, NULL))
    g_hash_table_insert (told, g_match_info_fetch (match, 1), g_match_info_fetch (match, 2));
  return told;
}

/* What the sensors give and what etc/channels.yaml says are the same. */
static void
compare_with_the_list (const char *const *not_here)
{
  g_autoptr (GHashTable) told = channels_told (),
                         given = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  GHashTableIter iter;
  gpointer name, unit;

  g_hash_table_iter_init (&iter, units);
  while (g_hash_table_iter_next (&iter, &name, &unit)) {
    char *channel = channel_of (name);

    ck_assert_msg (g_strcmp0 (g_hash_table_lookup (told, channel), unit) == 0,
                   "%s (%s) is not so in etc/channels.yaml", channel, (char *) unit);
    g_hash_table_add (given, channel);
  }
  g_hash_table_iter_init (&iter, told);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    ck_assert_msg (g_hash_table_contains (given, name) || g_strv_contains (not_here, name),
                   "etc/channels.yaml: no sensor gives %s", (char *) name);
}

START_TEST (channels_are_those_of_the_list)
{
  static const char *const not_here[] = { "temperature", NULL }; /* not every machine has one */
  g_autofree char *dir = node_fresh_dir (), *path = script (dir, "echo fine"), *body = NULL;

  seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  units = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  far_sample_listen (NULL, note, NULL);
  body = g_strdup_printf ("sensors:\n  host: { type: system, interval: 100ms, interfaces: [lo] }\n  check: { "
                          "type: exec, interval: 200ms, command: [\"%s\"] }\n",
                          path);
  node_open (dir, "term-1", body);
  value ("host.cpu");
  value ("host.disk.free:/");
  value ("host.network.tx:lo");
  value ("host.uptime");
  value ("check.text");
  node_close ();
  compare_with_the_list (not_here);
  g_clear_pointer (&units, g_hash_table_unref);
  g_clear_pointer (&seen, g_hash_table_unref);
}
END_TEST

static gint dead_disk; /* atomic: statvfs() does not come back */

int
statvfs (const char *path G_GNUC_UNUSED, struct statvfs *room)
{
  while (g_atomic_int_get (&dead_disk))
    g_usleep (1000);
  *room = (struct statvfs){ .f_frsize = 4096, .f_blocks = 100, .f_bfree = 50, .f_bavail = 40 };
  return 0;
}

/* Neither main nor the other values wait for it. */
START_TEST (a_file_system_that_hangs_holds_up_nothing)
{
  g_autofree char *dir = node_fresh_dir ();

  seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  far_sample_listen (NULL, note, NULL);
  g_atomic_int_set (&dead_disk, TRUE);
  node_open (dir, "term-1", "sensors:\n  host: { type: system, interval: 100ms, read: [disk, load] }\n");
  for (guint i = 0; i < 3; i++) {
    value ("host.load1");
    g_hash_table_remove_all (seen);
  }
  ck_assert (!has ((gpointer) "host.disk.free:/"));
  g_atomic_int_set (&dead_disk, FALSE);
  ck_assert_str_eq (value ("host.disk.free:/"), "163840 By");
  node_close ();
  g_clear_pointer (&seen, g_hash_table_unref);
}
END_TEST

START_TEST (the_machine_says_what_it_does)
{
  g_autofree char *dir = node_fresh_dir ();

  seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  far_sample_listen (NULL, note, NULL);
  node_open (dir, "term-1", "sensors:\n  host: { type: system, interval: 100ms, interfaces: [lo] }\n");
  value ("host.cpu");
  value ("host.load1");
  value ("host.memory.used");
  value ("host.swap.used");
  value ("host.disk.used:/");
  value ("host.disk.free:/");
  value ("host.network.rx:lo");
  value ("host.uptime");
  ck_assert (!has ((gpointer) "host.temperature"));
  node_close ();
  g_clear_pointer (&seen, g_hash_table_unref);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("sensors");
  TCase *tcase = tcase_create ("sensors");
  SRunner *runner = srunner_create (suite);
  int failed;

  tcase_set_timeout (tcase, 60);
  tcase_add_checked_fixture (tcase, NULL, node_remove_dirs);
  tcase_add_test (tcase, a_check_gives_state_text_and_values);
  tcase_add_test (tcase, limits_are_said_when_they_change);
  tcase_add_loop_test (tcase, odd_ends_are_unknown, 0, G_N_ELEMENTS (odd));
  tcase_add_test (tcase, who_hangs_is_killed_with_all_it_started);
  tcase_add_test (tcase, a_flood_is_cut_and_does_not_block);
  tcase_add_test (tcase, who_leaves_a_child_with_the_pipe_still_ends);
  tcase_add_test (tcase, a_program_that_is_not_there_fails_the_reading);
  tcase_add_test (tcase, the_machine_says_what_it_does);
  tcase_add_test (tcase, a_file_system_that_hangs_holds_up_nothing);
  tcase_add_test (tcase, channels_are_those_of_the_list);
  suite_add_tcase (suite, tcase);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
