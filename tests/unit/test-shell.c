/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The terminal's command shell, talked to through its stream. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "node-help.h"

typedef struct {
  FarLoop *loop;
  FarStream *stream; /* [loop] */
  GMutex lock;
  GString *got;  /* under lock */
  gboolean over; /* under lock */
  GBytes *todo;  /* [loop] */
  gsize done;
  gboolean end; /* [loop] after todo: end of input */
} Person;

static void
person_read (Person *person)
{
  FarBurst batch;

  for (;;) {
    person->stream->klass->peek (person->stream, &batch);
    g_mutex_lock (&person->lock);
    for (guint i = 0; i < batch.n; i++)
      g_string_append_len (person->got, (const char *) batch.frames[i].data, (gssize) batch.frames[i].size);
    person->over |= batch.eof;
    g_mutex_unlock (&person->lock);
    if (batch.n == 0)
      return;
    person->stream->klass->consume (person->stream, batch.bytes);
  }
}

static void
person_write (Person *person)
{
  gsize size = 0;
  const guint8 *data = person->todo != NULL ? g_bytes_get_data (person->todo, &size) : NULL;

  while (person->done < size) {
    FarBurst batch = { .n = 1, .bytes = size - person->done };
    gsize taken;

    batch.frames[0] = (FarFrame){ .data = data + person->done, .size = size - person->done };
    taken = person->stream->klass->write (person->stream, &batch);
    person->done += taken;
    if (taken == 0)
      return;
  }
  if (person->end)
    person->stream->klass->shutdown (person->stream, FAR_DIRECTION_WRITE);
  person->end = FALSE;
}

static void
person_ready (FarStream *stream G_GNUC_UNUSED, guint ready, gpointer user)
{
  Person *person = user;

  person_write (person);
  person_read (person);
  if ((ready & FAR_READY_CLOSED) == 0)
    return;
  g_mutex_lock (&person->lock);
  person->over = TRUE;
  g_mutex_unlock (&person->lock);
}

static void
person_take (gpointer data)
{
  Person *person = data;

  far_stream_take (person->stream, person_ready, person);
}

static gint *exit_box; /* for the next person_open() */

static Person *
person_open (const char *device, const char *command, gboolean pty)
{
  Person *person = g_new0 (Person, 1);
  Wait *wait = wait_new ();
  FarEndpointSpec spec = { .session = "s1",
                           .person = "alice",
                           .from = "192.0.2.7",
                           .device = device,
                           .command = command,
                           .pty = pty,
                           .status = exit_box };

  person->loop = far_loop_io_new ("person");
  spec.want_loop = person->loop;
  g_mutex_init (&person->lock);
  person->got = g_string_new (NULL);
  far_endpoint_open ("shell", &spec, wait->req);
  person->stream = wait_result (wait, NULL);
  ck_assert_ptr_eq (person->stream->loop, person->loop);
  far_loop_call (person->loop, person_take, person);
  return person;
}

typedef struct {
  Person *person;
  GBytes *bytes;
  gboolean end;
} Say;

static void
do_say (gpointer data)
{
  Say *say = data;

  g_clear_pointer (&say->person->todo, g_bytes_unref);
  say->person->todo = say->bytes;
  say->person->done = 0;
  say->person->end = say->end;
  person_write (say->person);
}

static void
say_bytes (Person *person, const char *bytes, gssize size, gboolean end)
{
  Say say = { person, g_bytes_new (bytes, size < 0 ? strlen (bytes) : (gsize) size), end };

  far_loop_call (person->loop, do_say, &say);
}

static void
say (Person *person, const char *text)
{
  say_bytes (person, text, -1, FALSE);
}

typedef struct {
  Person *person;
  const char *text;
} Sees;

static gboolean
sees_now (gpointer data)
{
  Sees *sees = data;
  gboolean seen;

  g_mutex_lock (&sees->person->lock);
  seen = sees->text != NULL ? strstr (sees->person->got->str, sees->text) != NULL : sees->person->over;
  g_mutex_unlock (&sees->person->lock);
  return seen;
}

/* Waits for it and forgets what came up to its end. */
static void
expect (Person *person, const char *text)
{
  Sees sees = { person, text };

  node_until (sees_now, &sees);
  g_mutex_lock (&person->lock);
  if (text != NULL)
    g_string_erase (person->got, 0,
                    strstr (person->got->str, text) - person->got->str + (gssize) strlen (text));
  g_mutex_unlock (&person->lock);
}

static void
expect_end (Person *person)
{
  expect (person, NULL);
}

static void
do_free_stream (gpointer data)
{
  Person *person = data;

  far_stream_free (person->stream);
}

static void
person_close (Person *person)
{
  far_loop_call (person->loop, do_free_stream, person);
  node_for_ms (5);
  far_loop_io_free (person->loop);
  g_string_free (person->got, TRUE);
  g_clear_pointer (&person->todo, g_bytes_unref);
  g_mutex_clear (&person->lock);
  g_free (person);
}

static const char body[] = "endpoints:\n"
                           "  shell: { type: shell, limit: 2 }\n"
                           "  inner: { type: shell }\n"
                           "sensors:\n"
                           "  host: { type: system, interval: 100ms, read: [load] }\n"
                           "devices:\n"
                           "  plc: { endpoint: inner, weight: heavy }\n"
                           "  cam: { endpoint: inner }\n";

static void
begin (void)
{
  g_autofree char *dir = node_fresh_dir ();

  node_open (dir, "term-1", body);
}

START_TEST (commands_answer)
{
  Person *person;

  begin ();
  node_for_ms (250); /* two ticks of the sensor */
  person = person_open (NULL, NULL, FALSE);
  expect (person, "term-1> ");
  say (person, "help\n");
  expect (person, "join DEVICE");
  expect (person, "term-1> ");
  say (person, "status\r\n");
  expect (person, "term-1, farwatch 0.");
  expect (person, "shell");
  say (person, "samples host\rsamples nothing\n");
  expect (person, "host.load1");
  expect (person, "no samples of that name");
  say (person, "devices\nwhoami\ntime\n");
  expect (person, "plc");
  expect (person, "heavy");
  expect (person, "free");
  expect (person, "cam");
  expect (person, "alice from 192.0.2.7, session s1");
  expect (person, "T");
  say (person, "reboot now please\nsh\n");
  expect (person, "too many words");
  expect (person, "unknown command");
  say (person, "exit\n");
  expect_end (person);
  person_close (person);
  node_close ();
}
END_TEST

START_TEST (end_of_input_ends_it_after_what_came_before)
{
  Person *person;

  begin ();
  person = person_open (NULL, NULL, FALSE);
  say_bytes (person, "whoami\n", -1, TRUE);
  expect (person, "alice from");
  expect_end (person);
  person_close (person);
  node_close ();
}
END_TEST

START_TEST (a_terminal_gets_echo_and_editing)
{
  Person *person;

  begin ();
  person = person_open (NULL, NULL, TRUE);
  expect (person, "term-1> ");
  say (person, "x\303\244\177\177whoamj\177i\r");
  expect (person, "x\303\244\b \b\b \bwhoamj\b \bi\r\n");
  expect (person, "alice from 192.0.2.7, session s1\r\n");
  say (person, "junk\003");
  expect (person, "junk^C\r\nterm-1> ");
  say (person, "\033[A\033OBjunk\025whoami\r");
  expect (person, "session s1\r\n");
  say (person, "a\004\177\004"); /* ^D in a line does nothing */
  expect_end (person);
  person_close (person);
  node_close ();
}
END_TEST

START_TEST (a_line_has_a_limit)
{
  Person *person;
  g_autofree char *filler = g_strnfill (200000, 'x');

  begin ();
  person = person_open (NULL, NULL, FALSE);
  expect (person, "term-1> ");
  say (person, filler);
  say (person, "\n");
  expect (person, "unknown command");
  say (person, "whoami\n");
  expect (person, "alice");
  person_close (person);
  node_close ();
}
END_TEST

START_TEST (a_flood_of_commands_waits_for_who_does_not_read)
{
  Person *person;
  g_autoptr (GString) flood = g_string_new (NULL);

  begin ();
  for (guint i = 0; i < 20000; i++)
    g_string_append (flood, "help\n");
  g_string_append (flood, "whoami\nexit\n");
  person = person_open (NULL, NULL, FALSE);
  say (person, flood->str);
  expect (person, "alice from");
  expect_end (person);
  person_close (person);
  node_close ();
}
END_TEST

/* A command that fails says so by its exit status, when somebody wants to know. */
START_TEST (exit_status)
{
  static const struct {
    const char *command;
    int status;
  } all[] = { { "whoami", 0 }, { "join", 1 }, { "join nowhere", 1 }, { "one two three", 1 }, { "rm", 127 } };
  gint *status = g_atomic_rc_box_new0 (gint);
  Person *person;

  begin ();
  exit_box = status;
  person = person_open (NULL, all[_i].command, FALSE);
  exit_box = NULL;
  expect_end (person);
  ck_assert_int_eq (g_atomic_int_get (status), all[_i].status);
  person_close (person);
  node_close ();
  g_atomic_rc_box_release (status);
}
END_TEST

START_TEST (one_command_and_out)
{
  Person *person;

  begin ();
  person = person_open (NULL, "whoami", TRUE);
  expect_end (person);
  ck_assert_str_eq (person->got->str, "alice from 192.0.2.7, session s1\n");
  person_close (person);
  person = person_open (NULL, "join nowhere", FALSE);
  expect_end (person);
  ck_assert_str_eq (person->got->str, "no device 'nowhere' here; see: devices\n");
  person_close (person);
  node_close ();
}
END_TEST

/* The device behind `plc` is another shell: it can be told by its own prompt. */
START_TEST (join_reaches_the_device_and_comes_back)
{
  Person *person;

  begin ();
  person = person_open (NULL, NULL, FALSE);
  expect (person, "term-1> ");
  /* bytes typed in one go with the command belong to the device */
  say (person, "join plc\r\nwhoami\n");
  expect (person, "joined plc\n");
  expect (person, "term-1> ");
  expect (person, "alice from");
  ck_assert_ptr_nonnull (far_device_holder ("plc", NULL));
  say (person, "exit\n");
  expect (person, "plc: ");
  expect (person, "term-1> ");
  ck_assert_ptr_null (far_device_holder ("plc", NULL));
  say (person, "join cam\nexit\n");
  expect (person, "joined cam\n");
  expect (person, "cam: ");
  say (person, "exit\n");
  expect_end (person);
  person_close (person);
  node_close ();
}
END_TEST

START_TEST (one_command_can_be_a_join)
{
  Person *person;

  begin ();
  person = person_open (NULL, "join plc", FALSE);
  say_bytes (person, "whoami\n", -1, TRUE);
  expect_end (person);
  ck_assert_str_eq (person->got->str, "term-1> alice from 192.0.2.7, session s1\nterm-1> ");
  person_close (person);
  ck_assert_ptr_null (far_device_holder ("plc", NULL));
  node_close ();
}
END_TEST

START_TEST (a_session_for_one_device_joins_no_other)
{
  Person *person;

  begin ();
  person = person_open ("plc", NULL, FALSE);
  expect (person, "term-1> ");
  say (person, "join cam\n");
  expect (person, "no device 'cam' here");
  say (person, "devices\nwhoami\n");
  expect (person, "alice");
  ck_assert_ptr_null (strstr (person->got->str, "cam"));
  person_close (person);
  node_close ();
}
END_TEST

START_TEST (limits_and_ends)
{
  Person *one, *two;
  Wait *wait;
  FarEndpointSpec spec = { .session = "s1" };

  begin ();
  one = person_open (NULL, NULL, FALSE);
  two = person_open (NULL, NULL, FALSE);
  say (two, "join plc\n");
  expect (two, "joined plc");
  wait = wait_new ();
  far_endpoint_open ("shell", &spec, wait->req);
  wait_for (wait);
  ck_assert (g_error_matches (wait->error, FAR_ERROR, FAR_ERROR_LIMIT));
  wait_free (wait, NULL);
  person_close (one); /* without a word */
  one = person_open (NULL, NULL, FALSE);
  expect (one, "term-1> ");
  node_close (); /* the shells end with their endpoint */
  expect_end (one);
  expect_end (two);
  person_close (one);
  person_close (two);
}
END_TEST

int
main (void)
{
  const TTest *const tests[] = {
    commands_answer,
    end_of_input_ends_it_after_what_came_before,
    a_terminal_gets_echo_and_editing,
    a_line_has_a_limit,
    a_flood_of_commands_waits_for_who_does_not_read,
    one_command_and_out,
    join_reaches_the_device_and_comes_back,
    one_command_can_be_a_join,
    a_session_for_one_device_joins_no_other,
    limits_and_ends,
  };
  Suite *suite = suite_create ("shell");
  TCase *tcase = tcase_create ("shell");
  SRunner *runner = srunner_create (suite);
  int failed;

  tcase_set_timeout (tcase, 60);
  tcase_add_checked_fixture (tcase, NULL, node_remove_dirs);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    tcase_add_test (tcase, tests[i]);
  tcase_add_loop_test (tcase, exit_status, 0, 5);
  suite_add_tcase (suite, tcase);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
