/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* doc/sessions.md is read and every cell compared with the code. */
#include "config.h"

#include <farwatch/clock.h>
#include <farwatch/session.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

static char *
page_read (void)
{
  g_autofree char *path = g_build_filename (g_getenv ("FARWATCH_TEST_SRCDIR") ?: ".", "doc", "sessions.md",
                                            NULL);
  char *text = NULL;
  ck_assert_msg (g_file_get_contents (path, &text, NULL, NULL), "cannot read %s", path);
  return text;
}

/* The cells of a table row: "| a | b |" → {"a", "b"}; NULL when the line is none. */
static GStrv
row_cells (const char *line)
{
  if (line[0] != '|')
    return NULL;
  GStrv parts = g_strsplit (line + 1, "|", -1);
  guint n = g_strv_length (parts);
  if (n > 0) {
    g_free (parts[n - 1]);
    parts[n - 1] = NULL;
  }
  for (guint i = 0; parts[i]; i++)
    g_strstrip (parts[i]);
  return parts;
}

static FarSessionEvent
event_parse (const char *name)
{
  for (guint e = 0; e < FAR_N_SESSION_EVENTS; e++)
    if (strcmp (name, far_session_event_name (e)) == 0)
      return e;
  ck_abort_msg ("the page names an event the code does not know: '%s'", name);
  return 0;
}

static FarSessionState
state_parse (const char *name)
{
  FarSessionState state = 0;
  ck_assert_msg (far_session_state_parse (name, &state),
                 "the page names a state the code does not know: '%s'", name);
  return state;
}

static void
cell_compare (const char *cell, FarSessionState state, FarSessionEvent event)
{
  FarStep step = far_session_step (state, event);
  const char *code = step.kind == FAR_STEP_REFUSE ? "refuse"
                     : step.kind == FAR_STEP_DROP ? "drop"
                                                  : far_session_state_name (step.next);
  ck_assert_msg (strcmp (cell, code) == 0, "'%s' when %s: page says '%s', code says '%s'",
                 far_session_event_name (event), far_session_state_name (state), cell, code);
}

static guint
event_row (GStrv cells, const FarSessionState *columns)
{
  FarSessionEvent event = event_parse (cells[0]);
  guint n = 0;
  for (; cells[n + 1]; n++) {
    ck_assert_uint_lt (n, FAR_N_SESSION_STATES);
    cell_compare (cells[n + 1], columns[n], event);
  }
  return n;
}

START_TEST (test_table)
{
  g_autofree char *text = page_read ();
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  FarSessionState columns[FAR_N_SESSION_STATES];
  guint compared = 0, rows = 0;
  gboolean inside = FALSE;
  for (guint i = 0; lines[i]; i++) {
    g_auto (GStrv) cells = row_cells (lines[i]);
    if (!cells) {
      inside = FALSE;
    } else if (strcmp (cells[0], "event") == 0 && cells[1] && strcmp (cells[1], "comes from") != 0) {
      inside = TRUE;
      ck_assert_uint_eq (g_strv_length (cells), FAR_N_SESSION_STATES + 1);
      for (guint s = 0; s < FAR_N_SESSION_STATES; s++)
        columns[s] = state_parse (cells[s + 1]);
    } else if (inside && !g_str_has_prefix (cells[0], "---")) {
      compared += event_row (cells, columns);
      rows++;
    }
  }
  ck_assert_uint_eq (rows, FAR_N_SESSION_EVENTS);
  ck_assert_uint_eq (compared, FAR_N_SESSION_EVENTS * FAR_N_SESSION_STATES);
}
END_TEST

/* The table of states: each is there, with the source's word. */
START_TEST (test_states)
{
  g_autofree char *text = page_read ();
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  guint seen = 0;
  for (guint i = 0; lines[i]; i++) {
    g_auto (GStrv) cells = row_cells (lines[i]);
    FarSessionState state;
    if (!cells || g_strv_length (cells) != 4 || !far_session_state_parse (cells[0], &state))
      continue;
    ck_assert_str_eq (cells[2], far_session_state_spec (state));
    seen++;
  }
  ck_assert_uint_eq (seen, FAR_N_SESSION_STATES);
}
END_TEST

START_TEST (test_apply)
{
  g_autoptr (GError) error = NULL;
  FarSessionState state = FAR_SESSION_REQUESTED;
  ck_assert (far_session_apply (&state, FAR_SESSION_EV_PERMIT, &error));
  ck_assert_int_eq (state, FAR_SESSION_PERMITTED);
  ck_assert (!far_session_apply (&state, FAR_SESSION_EV_PERMIT, &error));
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_CONFLICT));
  ck_assert_ptr_nonnull (strstr (error->message, "permitted"));
  ck_assert_int_eq (state, FAR_SESSION_PERMITTED);
  state = FAR_SESSION_CLOSED;
  ck_assert (far_session_apply (&state, FAR_SESSION_EV_DEADLINE, NULL));
  ck_assert_int_eq (state, FAR_SESSION_CLOSED);
}
END_TEST

/* What a wire may carry as a number never leaves the table. */
START_TEST (test_outside)
{
  ck_assert_int_eq (far_session_step ((FarSessionState) 99, FAR_SESSION_EV_PERMIT).kind, FAR_STEP_REFUSE);
  ck_assert_int_eq (far_session_step (FAR_SESSION_OPEN, (FarSessionEvent) 99).kind, FAR_STEP_REFUSE);
  ck_assert_str_eq (far_session_state_name ((FarSessionState) -1), "unknown");
  ck_assert_str_eq (far_session_event_name ((FarSessionEvent) 12345), "unknown");
  FarSessionState state;
  ck_assert (!far_session_state_parse (NULL, &state));
  ck_assert (!far_session_state_parse ("Open", &state));
}
END_TEST

START_TEST (test_id)
{
  g_autofree char *a = far_session_id_new (), *b = far_session_id_new ();
  ck_assert_uint_eq (strlen (a), 16);
  ck_assert_str_ne (a, b);
  ck_assert_uint_eq (strspn (a, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS), 16);
}
END_TEST

START_TEST (test_deadline)
{
  FarDeadline deadline;
  far_deadline_set (&deadline, 60 * G_USEC_PER_SEC);
  ck_assert (!far_deadline_over (&deadline));
  ck_assert (far_clock_advance (59 * G_USEC_PER_SEC));
  ck_assert (!far_deadline_over (&deadline));
  ck_assert (far_clock_advance (G_USEC_PER_SEC + 1));
  ck_assert (far_deadline_over (&deadline));
  far_deadline_set (&deadline, 60 * G_USEC_PER_SEC);
  deadline.boot_id[0] = deadline.boot_id[0] == '0' ? '1' : '0';
  ck_assert (far_deadline_over (&deadline)); /* another boot */
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  Suite *suite = suite_create ("session");
  TCase *cases = tcase_create ("session");
  tcase_add_test (cases, test_table);
  tcase_add_test (cases, test_states);
  tcase_add_test (cases, test_apply);
  tcase_add_test (cases, test_outside);
  tcase_add_test (cases, test_id);
  tcase_add_test (cases, test_deadline);
  suite_add_tcase (suite, cases);
  SRunner *runner = srunner_create (suite);
  srunner_run_all (runner, CK_NORMAL);
  int failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
