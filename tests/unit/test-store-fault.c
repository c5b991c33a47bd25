/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What stores do when things go wrong: kill -9, a full disk, a directory that cannot be written, two
 * processes. Damaged and foreign files: test-store-damage.c. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "life/instance-private.h"
#include "store-help.h"

static const char *const types[] = { "sqlite", "file" };
#define TYPE types[_i]
#define assert_code(error, code)                                                                             \
  ck_assert_msg (g_error_matches (error, FAR_ERROR, code), "%s", error ? error->message : "no error")

/* ---- kill -9 ---- */

#define KILLS 25
#define WINDOW 8 /* writes under way at once */

typedef struct {
  guint number;
  Wait *wait;
} Write;

/* Row n and batch n of source t1, both in one apply(). */
static Wait *
write_number (guint number)
{
  g_autofree char *key = g_strdup_printf ("k%06u", number), *row = g_strdup_printf ("{\"n\":%u}", number);
  g_autoptr (GBytes) batch = store_batch ((gint64) number * 1000000, 1, 2);
  FarBatchKey name = { "t1", 2, 1, number, far_batch_crc (batch) };
  FarPart parts[] = {
    { .kind = FAR_PART_SAMPLES, .samples = batch },
    { .kind = FAR_PART_ROW, .table = "t", .key = key, .row = row, .expect = FAR_EXPECT_ABSENT },
  };
  Wait *wait = wait_new ();

  far_store_apply ("main", &name, parts, 2, wait->req);
  return wait;
}

/* The child: writes on and on, says each number that was acknowledged. */
static void
write_until_killed (const char *type, const char *dir, guint first, int out)
{
  GQueue under_way = G_QUEUE_INIT;

  store_open (type, dir, NULL);
  for (guint number = first;; number++) {
    Write *write_now = g_new (Write, 1);

    *write_now = (Write){ number, write_number (number) };
    g_queue_push_tail (&under_way, write_now);
    if (under_way.length < WINDOW)
      continue;
    write_now = g_queue_pop_head (&under_way);
    wait_for (write_now->wait);
    if (write_now->wait->error != NULL ||
        ((FarApplied *) write_now->wait->result)->verdict != FAR_APPLY_DURABLE)
      _exit (3);
    if (write (out, &write_now->number, sizeof write_now->number) != sizeof write_now->number)
      _exit (4);
    wait_free (write_now->wait, g_free);
    g_free (write_now);
  }
}

/* Kills a writer at some moment; the last number it was told to be durable. */
static guint
kill_a_writer (const char *type, const char *dir, guint first, guint after_us)
{
  int pipes[2], status;
  guint last = first - 1, number;
  gint64 end;
  pid_t child;

  ck_assert_int_eq (pipe (pipes), 0);
  child = fork ();
  if (child == 0) {
    close (pipes[0]);
    write_until_killed (type, dir, first, pipes[1]);
  }
  close (pipes[1]);
  /* the moment counts from its first acknowledgement */
  ck_assert_int_eq (read (pipes[0], &number, sizeof number), sizeof number);
  last = number;
  for (end = g_get_monotonic_time () + after_us; g_get_monotonic_time () < end;)
    continue;
  kill (child, SIGKILL);
  while (read (pipes[0], &number, sizeof number) == sizeof number)
    last = number;
  close (pipes[0]);
  waitpid (child, &status, 0);
  ck_assert_msg (WIFSIGNALED (status), "the writer ended by itself: %d", WEXITSTATUS (status));
  return last;
}

/* Rows and samples must agree, number by number, and reach at least to the last acknowledged. Returns what
 * comes next. */
static guint
look (const char *type, const char *dir, guint acknowledged)
{
  g_autoptr (GPtrArray) rows = NULL;
  g_autoptr (GArray) points = NULL;
  guint n;

  store_open (type, dir, NULL);
  rows = store_rows ("t", NULL, NULL, 10000, FALSE);
  n = rows->len;
  ck_assert_msg (n >= acknowledged, "%u of %u acknowledged are there", n, acknowledged);
  for (guint i = 0; i < n; i++) {
    g_autofree char *row = g_strdup_printf ("{\"n\":%u}", i + 1);

    ck_assert_str_eq (((FarRow *) rows->pdata[i])->row, row);
  }
  points = store_samples ("t1", "x.v", G_MININT64, G_MAXINT64, 100000);
  ck_assert_uint_eq (points->len, 2 * n);
  store_close ();
  return n + 1;
}

START_TEST (what_was_acknowledged_survives_kill_9)
{
  g_autofree char *dir = node_fresh_dir ();
  guint next = 1;

  /* never forked after threads were made: each look is a child too */
  for (guint i = 0; i < KILLS && next < 9000; i++) {
    guint last = kill_a_writer (TYPE, dir, next, i * i * 97 % 23000);
    int status, pipes[2];
    pid_t child;

    ck_assert_int_eq (pipe (pipes), 0);
    child = fork ();
    if (child == 0) {
      next = look (TYPE, dir, last);
      _exit (write (pipes[1], &next, sizeof next) == sizeof next ? 0 : 5);
    }
    waitpid (child, &status, 0);
    ck_assert_msg (WIFEXITED (status) && WEXITSTATUS (status) == 0, "round %u", i);
    ck_assert_int_eq (read (pipes[0], &next, sizeof next), sizeof next);
    close (pipes[0]);
    close (pipes[1]);
  }
  ck_assert_uint_gt (next, KILLS);
}
END_TEST

/* ---- a full disk ---- */

static void
file_limit (rlim_t size)
{
  struct rlimit limit = { size, RLIM_INFINITY };

  ck_assert_int_eq (setrlimit (RLIMIT_FSIZE, &limit), 0);
}

static guint64
largest_file (const char *dir)
{
  g_autoptr (GDir) list = g_dir_open (dir, 0, NULL);
  const char *name;
  guint64 largest = 0;

  while (list != NULL && (name = g_dir_read_name (list)) != NULL) {
    g_autofree char *path = g_build_filename (dir, name, NULL);
    struct stat stat_now;

    if (g_file_test (path, G_FILE_TEST_IS_DIR))
      largest = MAX (largest, largest_file (path));
    else if (stat (path, &stat_now) == 0)
      largest = MAX (largest, (guint64) stat_now.st_size);
  }
  return largest;
}

/* Rows until it is full. Returns how many were taken. */
static guint
fill (guint first)
{
  g_autofree char *filler = g_strnfill (2000, 'x'), *row = g_strdup_printf ("{\"x\":\"%s\"}", filler);
  g_autoptr (GError) error = NULL;

  for (guint i = first; i < first + 10000; i++) {
    g_autofree char *key = g_strdup_printf ("k%06u", i);

    if (store_put ("t", key, row, FAR_EXPECT_ABSENT, &error) > 0)
      continue;
    assert_code (error, FAR_ERROR_FULL);
    ck_assert_msg (strstr (error->message, "cannot record") != NULL, "%s", error->message);
    return i - first;
  }
  ck_abort_msg ("it never got full");
}

START_TEST (a_full_disk_is_said_and_got_over)
{
  g_autofree char *dir = node_fresh_dir ();
  g_autoptr (GBytes) batch = store_batch (1000000, 1000, 4000);
  FarBatchKey key = { "t1", 2, 1, 0, far_batch_crc (batch) };
  FarPart part = { .kind = FAR_PART_SAMPLES, .samples = batch };
  g_autoptr (GPtrArray) rows = NULL;
  FarApplied applied = { FAR_APPLY_DURABLE, 0 };
  guint taken;

  signal (SIGXFSZ, SIG_IGN); /* lint: allow signal: of the test program alone */
  store_open (TYPE, dir, NULL);
  store_put ("t", "a", "{}", FAR_EXPECT_ANY, NULL);
  file_limit (largest_file (dir) + 300000);
  taken = fill (0);
  ck_assert_uint_gt (taken, 10);
  while (applied.verdict == FAR_APPLY_DURABLE && key.seq < 100) { /* old room may be used first */
    key.seq++;
    ck_assert (store_apply (&key, &part, 1, &applied, NULL, NULL));
  }
  ck_assert_int_eq (applied.verdict, FAR_APPLY_FULL);
  /* reading goes on, nothing half is there */
  rows = store_rows ("t", NULL, NULL, 10000, FALSE);
  ck_assert_uint_eq (rows->len, taken + 1);
  file_limit (RLIM_INFINITY);
  ck_assert (store_apply (&key, &part, 1, &applied, NULL, NULL));
  ck_assert_int_eq (applied.verdict, FAR_APPLY_DURABLE);
  ck_assert_int_gt (store_put ("t", "z", "{}", FAR_EXPECT_ABSENT, NULL), 0);
  store_close ();
  store_open (TYPE, dir, NULL);
  g_clear_pointer (&rows, g_ptr_array_unref);
  rows = store_rows ("t", NULL, NULL, 10000, FALSE);
  ck_assert_uint_eq (rows->len, taken + 2);
  store_close ();
}
END_TEST

/* ---- a directory that cannot be written ---- */

START_TEST (a_store_that_cannot_be_written_runs_and_says_so)
{
  g_autofree char *dir = node_fresh_dir (), *below = g_build_filename (dir, "below", NULL);
  g_autofree char *path = g_build_filename (below, "main", NULL),
                  *extra = g_strdup_printf ("keep: 0s, path: \"%s\"", path);
  g_autoptr (GError) error = NULL;

  /* a file where the directory should be: that stops root as well */
  ck_assert (g_file_set_contents (below, "", 0, NULL));
  store_open (TYPE, dir, extra);
  ck_assert_int_eq (store_put ("t", "a", "{}", FAR_EXPECT_ANY, &error), -1);
  assert_code (error, FAR_ERROR_FULL);
  g_clear_error (&error);
  g_unlink (below);
  g_mkdir (below, 0700);
  ck_assert_int_gt (store_put ("t", "a", "{}", FAR_EXPECT_ANY, NULL), 0);
  store_close ();
}
END_TEST

/* ---- two processes ---- */

#define TOKENS 1000

/* Tries every token when it is told to. */
static void
spend_all (const char *type, const char *dir, const char *path, guint8 *won, int ready, int go)
{
  g_autofree char *extra = g_strdup_printf ("keep: 0s, path: \"%s\"", path);
  g_autoptr (GPtrArray) rows = NULL;
  char byte = 0;

  store_open (type, dir, extra);
  rows = store_rows ("tokens", NULL, NULL, TOKENS, FALSE);
  ck_assert_uint_eq (rows->len, TOKENS);
  for (guint i = 0; i < TOKENS; i++) {
    const FarRow *row = rows->pdata[i];
    g_autoptr (GError) error = NULL;

    ck_assert_int_eq (write (ready, &byte, 1), 1);
    ck_assert_int_eq (read (go, &byte, 1), 1);
    won[i] = store_put ("tokens", row->key, "{\"spent\":1}", row->revision, &error) > 0;
    if (!won[i])
      assert_code (error, FAR_ERROR_CONFLICT);
  }
  store_close ();
}

static void
make_tokens (const char *type, const char *dir, const char *path)
{
  g_autofree char *extra = g_strdup_printf ("keep: 0s, path: \"%s\"", path);

  store_open (type, dir, extra);
  for (guint i = 0; i < TOKENS; i += 250) {
    g_autoptr (GPtrArray) keys = g_ptr_array_new_with_free_func (g_free);
    FarPart parts[250];

    for (guint j = 0; j < 250; j++) {
      g_ptr_array_add (keys, g_strdup_printf ("t%06u", i + j));
      parts[j] = (FarPart){ .kind = FAR_PART_ROW,
                            .table = "tokens",
                            .key = keys->pdata[j],
                            .row = "{}",
                            .expect = FAR_EXPECT_ABSENT };
    }
    ck_assert (store_apply (NULL, parts, 250, NULL, NULL, NULL));
  }
  store_close ();
}

static void
in_child (void (*func) (const char *, const char *, const char *), const char *type, const char *dir,
          const char *path)
{
  int status;
  pid_t child = fork ();

  if (child == 0) {
    func (type, dir, path);
    _exit (0);
  }
  waitpid (child, &status, 0);
  ck_assert (WIFEXITED (status) && WEXITSTATUS (status) == 0);
}

START_TEST (of_two_processes_one_spends_a_token)
{
  g_autofree char *loop = node_fresh_dir (), *path = g_build_filename (loop, "shared", NULL);
  int ready[2][2], go[2][2], result[2][2];
  guint8 won[2][TOKENS];
  guint wins[2] = { 0, 0 };
  char byte = 0;

  in_child (make_tokens, TYPE, loop, path);
  for (guint who = 0; who < 2; who++) {
    g_autofree char *dir = node_fresh_dir ();

    ck_assert (pipe (ready[who]) == 0 && pipe (go[who]) == 0 && pipe (result[who]) == 0);
    if (fork () == 0) {
      spend_all (TYPE, dir, path, won[who], ready[who][1], go[who][0]);
      _exit (write (result[who][1], won[who], TOKENS) == TOKENS ? 0 : 3);
    }
    close (ready[who][1]);
    close (result[who][1]);
  }
  for (guint i = 0; i < TOKENS; i++) { /* both stand at the same token */
    ck_assert (read (ready[0][0], &byte, 1) == 1 && read (ready[1][0], &byte, 1) == 1);
    ck_assert (write (go[i % 2][1], "g", 1) == 1 && write (go[1 - i % 2][1], "g", 1) == 1);
  }
  for (guint who = 0; who < 2; who++)
    for (gssize n, done = 0; done < TOKENS; done += n) {
      n = read (result[who][0], won[who] + done, (gsize) (TOKENS - done));
      ck_assert_msg (n > 0, "one of the two died");
    }
  for (guint i = 0; i < TOKENS; i++) {
    ck_assert_msg (won[0][i] + won[1][i] == 1, "token %u was spent %d times", i, won[0][i] + won[1][i]);
    wins[0] += won[0][i];
    wins[1] += won[1][i];
  }
  ck_assert_msg (wins[0] > 0 && wins[1] > 0, "there was no race: %u to %u", wins[0], wins[1]);
  while (wait (NULL) > 0)
    continue;
}
END_TEST

static void
write_one (const char *type, const char *dir, const char *path)
{
  g_autofree char *extra = g_strdup_printf ("keep: 0s, path: \"%s\"", path);

  store_open (type, dir, extra);
  store_put ("t", "from-the-other", "{}", FAR_EXPECT_ABSENT, NULL);
  store_close ();
}

/* Not a child of a program with threads: the other process is there first and waits. */
START_TEST (what_another_process_writes_is_seen)
{
  g_autofree char *loop = node_fresh_dir (), *dir = node_fresh_dir (),
                  *path = g_build_filename (loop, "shared", NULL);
  g_autofree char *extra = g_strdup_printf ("keep: 0s, path: \"%s\"", path);
  g_autoptr (GPtrArray) rows = NULL;
  int go[2], status;
  char byte = 0;
  pid_t child;

  ck_assert_int_eq (pipe (go), 0);
  child = fork ();
  if (child == 0) {
    if (read (go[0], &byte, 1) == 1)
      write_one (TYPE, dir, path);
    _exit (0);
  }
  store_open (TYPE, loop, extra);
  store_put ("t", "mine", "{}", FAR_EXPECT_ABSENT, NULL);
  ck_assert_int_eq (write (go[1], "g", 1), 1);
  waitpid (child, &status, 0);
  ck_assert (WIFEXITED (status) && WEXITSTATUS (status) == 0);
  rows = store_rows ("t", NULL, NULL, 10, FALSE);
  ck_assert_uint_eq (rows->len, 2);
  store_put ("t", "mine-again", "{}", FAR_EXPECT_ABSENT, NULL);
  g_clear_pointer (&rows, g_ptr_array_unref);
  rows = store_rows ("t", NULL, NULL, 10, FALSE);
  ck_assert_uint_eq (rows->len, 3);
  store_close ();
}
END_TEST

/* ---- much at once ---- */

START_TEST (a_queue_that_is_full_says_busy)
{
  g_autoptr (GPtrArray) waits = g_ptr_array_new ();
  guint busy = 0;

  store_open (TYPE, NULL, NULL);
  for (guint i = 0; i < 6000; i++) {
    Wait *wait = wait_new ();

    g_ptr_array_add (waits, wait);
    far_store_put ("main", "t", "k", "{}", FAR_EXPECT_ANY, wait->req);
  }
  for (guint i = 0; i < waits->len; i++) {
    Wait *wait = waits->pdata[i];

    wait_for (wait);
    if (wait->error != NULL) {
      assert_code (wait->error, FAR_ERROR_LIMIT);
      busy++;
    }
    wait_free (wait, g_free);
  }
  ck_assert_uint_lt (busy, 6000 - 4000);
  store_close ();
}
END_TEST

START_TEST (what_was_given_before_the_end_is_still_written)
{
  g_autofree char *dir = node_fresh_dir ();
  g_autoptr (GPtrArray) rows = NULL;

  store_open (TYPE, dir, NULL);
  for (guint i = 0; i < 100; i++) {
    g_autofree char *key = g_strdup_printf ("k%03u", i);

    far_store_put ("main", "t", key, "{}", FAR_EXPECT_ANY, NULL);
  }
  store_close ();
  store_open (TYPE, dir, NULL);
  rows = store_rows ("t", NULL, NULL, 1000, FALSE);
  ck_assert_uint_eq (rows->len, 100);
  store_close ();
}
END_TEST

int
main (void)
{
  const TTest *const each[] = {
    what_was_acknowledged_survives_kill_9,
    a_full_disk_is_said_and_got_over,
    a_store_that_cannot_be_written_runs_and_says_so,
    of_two_processes_one_spends_a_token,
    what_another_process_writes_is_seen,
    a_queue_that_is_full_says_busy,
    what_was_given_before_the_end_is_still_written,
  };
  Suite *suite = suite_create ("store-fault");
  TCase *tcase = tcase_create ("store-fault");
  SRunner *runner = srunner_create (suite);
  int failed;

  tcase_set_timeout (tcase, 240);
  tcase_add_checked_fixture (tcase, NULL, node_remove_dirs);
  for (guint i = 0; i < G_N_ELEMENTS (each); i++)
    tcase_add_loop_test (tcase, each[i], 0, G_N_ELEMENTS (types));
  suite_add_tcase (suite, tcase);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
