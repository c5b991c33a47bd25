/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The session book with a kind made for this test: what holds for every kind (book-conform.h), how often it
 * writes, what it forgets, what a kind that outlives its owner keeps over a restart. */
#include "config.h"

#include <stdlib.h>

#include "book-conform.h"
#include "loop/log.h"
#include "node-help.h"

#define SECOND G_GINT64_CONSTANT (1000000)

/* ---- a kind ---- */

typedef struct {
  FAR_SESSION_BASE;
  char *colour;      /* its own field, on disk */
  gboolean stubborn; /* end() does not end it */
} Made;

static struct {
  FarBook *book;
  char *dir;
  guint ended, lost, cleared, entered, taken;
  gboolean goes_on, stubborn;
  gint64 grace_us;
} made;

static gint64
made_wait (FarSession *session)
{
  return 60 * SECOND;
}

static gint64
made_grace (FarSession *session, FarSessionEvent event)
{
  return event == FAR_SESSION_EV_CLOSE_ASKED ? made.grace_us : 0;
}

static void
made_entered (FarSession *session, FarSessionState before, FarSessionEvent event)
{
  made.entered++;
  ck_assert_int_ne (session->state, before);
}

static void
made_end (FarSession *session)
{
  made.ended++;
  if (!((Made *) session)->stubborn)
    far_session_event (session, FAR_SESSION_EV_TUNNEL_ENDED, NULL, NULL);
}

static void
made_row (const FarSession *session, json_t *row)
{
  json_object_set_new (row, "colour", json_string (((const Made *) session)->colour));
}

static gboolean
made_found (FarSession *session, const json_t *row)
{
  ((Made *) session)->colour = g_strdup (json_string_value (json_object_get (row, "colour")));
  made.taken++;
  return made.goes_on;
}

static void
made_lost (FarBook *book, const char *id)
{
  made.lost++;
}

static json_t *
made_show (const FarSession *session)
{
  return json_pack ("{s:s, s:s}", "session", session->id, "state", far_session_state_name (session->state));
}

static void
made_clear (FarSession *session)
{
  made.cleared++;
  g_free (((Made *) session)->colour);
}

#define MADE_KIND                                                                                            \
  .size = sizeof (Made), .rows = "sessions", .history = "history", .word = "session", .remembered = 100,     \
  .wait_us = made_wait, .grace_us = made_grace, .entered = made_entered, .end = made_end, .row = made_row,   \
  .show = made_show, .lost = made_lost, .clear = made_clear

static const FarSessionKind kind = { .name = "made", MADE_KIND };
static const FarSessionKind kind_that_stays = {
  .name = "stays", MADE_KIND, .outlives_owner = TRUE, .found = made_found
};
static const FarSessionKind kind_that_waits = { .name = "waits", MADE_KIND, .end_us = 2 * SECOND };
static const FarSessionKind kind_of_few = { .name = "few",
                                            .size = sizeof (Made),
                                            .remembered = 3,
                                            .remembered_us = 3600 * SECOND,
                                            .wait_us = made_wait,
                                            .end = made_end,
                                            .show = made_show,
                                            .clear = made_clear,
                                            .wait_once = TRUE };

static const FarSessionKind kind_of_one = { .name = "one",
                                            .size = sizeof (Made),
                                            .rows = "sessions",
                                            .history = "history",
                                            .word = "session",
                                            .remembered = 1,
                                            .wait_us = made_wait,
                                            .end = made_end,
                                            .row = made_row,
                                            .show = made_show,
                                            .clear = made_clear };

/* ---- around it ---- */

static FarBook *
made_book (void)
{
  return made.book;
}

static gboolean
flag_is_set (gpointer flag)
{
  return *(gboolean *) flag;
}

static void
flag_set (FarRequest *req, gpointer flag)
{
  ck_assert_ptr_null (far_request_error (req));
  *(gboolean *) flag = TRUE;
}

/* The store's writer works in order: when a row written now is durable, everything before it is. */
static void
settle (void)
{
  for (int i = 0; i < 3; i++) {
    gboolean passed = FALSE;
    while (g_main_context_iteration (NULL, FALSE))
      continue;
    far_store_put ("main", "barrier", "b", "{}", FAR_EXPECT_ANY, far_request_new (flag_set, &passed, 0));
    node_until (flag_is_set, &passed);
  }
}

static void
wait_for_timers (gint64 us)
{
  ck_assert (far_clock_advance (us));
  node_for_ms (5);
  settle ();
}

static void
loaded (gpointer self, const GError *error)
{
  ck_assert_ptr_null (error);
  *(gboolean *) self = TRUE;
}

static void
book_open (const FarSessionKind *of)
{
  static gboolean done;
  done = FALSE;
  made.book = far_book_new (far_instance_find (FAR_KIND_STORE, "main", NULL), of, "main", &done);
  if (!of->rows)
    return;
  far_book_load (made.book, loaded);
  node_until (flag_is_set, &done);
}

static void
book_close (void)
{
  settle ();
  far_book_stop (made.book);
  far_book_free (made.book);
  made.book = NULL;
}

static void
book_again (void)
{
  const FarSessionKind *of = made.book->kind;
  book_close ();
  book_open (of);
}

static FarSession *
make (FarBook *book)
{
  FarSession *session = far_session_new (book, NULL);
  session->person = g_strdup ("person:alice");
  session->object = g_strdup ("terminals/t1");
  session->reason = g_strdup ("test");
  session->for_us = 600 * SECOND;
  ((Made *) session)->colour = g_strdup ("green");
  ((Made *) session)->stubborn = made.stubborn;
  return session;
}

static void
finish (FarSession *session)
{
  ck_assert_uint_gt (made.ended, 0); /* it was asked to let go */
  ck_assert (far_session_event (session, FAR_SESSION_EV_TUNNEL_ENDED, NULL, NULL));
}

static const BookConform with = { "main", made_book, make, settle, finish, book_again };

static void
keep_quiet (GLogLevelFlags level, const char *path, const char *text, gpointer user)
{
  if (g_getenv ("FARWATCH_TEST_LOG"))
    g_printerr ("# %s: %s\n", path ? path : "-", text);
}

static void
set_up (void)
{
  memset (&made, 0, sizeof made);
  far_log_set_sink (keep_quiet, NULL);
  made.dir = node_fresh_dir ();
  node_open (made.dir, "n1", "stores: {main: {type: sqlite, path: main.db}}\n");
}

static void
tear_down (void)
{
  if (made.book)
    book_close ();
  node_close ();
  g_free (made.dir);
  node_remove_dirs ();
}

static void
open_with (const FarSessionKind *of)
{
  book_open (of);
  book_conform_begin (&with);
}

/* A session that came to that state, its first write done; with a reference. */
static FarSession *
come_to (FarSessionState state)
{
  FarSession *session = conform_begin (&with);
  for (guint i = 0; i < G_N_ELEMENTS (conform_ways); i++)
    if (conform_ways[i].state == state)
      ck_assert (conform_walk (&with, session, i));
  return session;
}

/* ---- cases ---- */

START_TEST (it_is_as_all_kinds_are)
{
  book_open (&kind);
  made.stubborn = TRUE;
  book_conform (&with);
  ck_assert_uint_gt (made.ended, 0);
  ck_assert_uint_ge (made.lost, 3); /* of the restart */
}
END_TEST

/* From the request until it is open: the first row, and the one that says that it is open. */
START_TEST (what_lies_between_costs_no_write)
{
  open_with (&kind);
  FarSession *session = conform_begin (&with);
  ck_assert (far_session_event (session, FAR_SESSION_EV_PERMIT, NULL, NULL));
  settle ();
  ck_assert (far_session_event (session, FAR_SESSION_EV_OFFERED, NULL, NULL));
  settle ();
  ck_assert_uint_eq (conform.writes, 1);
  ck_assert (conform_event (session, FAR_SESSION_EV_TUNNEL_UP, NULL));
  settle ();
  ck_assert_uint_eq (conform.writes, 2);
  ck_assert (conform_row_is (&with, "sessions", session->id, "state", "open"));
  ck_assert (conform_row_is (&with, "sessions", session->id, "colour", "green"));
  ck_assert (conform_row_is (&with, "sessions", session->id, "owner", "n1"));
  ck_assert (conform_row_is (&with, "sessions", session->id, "kind", "made"));
  far_session_unref (session);
}
END_TEST

/* Who waits long is on disk as they wait. */
START_TEST (a_state_that_lasts_is_written)
{
  open_with (&kind);
  FarSession *session = come_to (FAR_SESSION_PERMITTED);
  wait_for_timers (9 * SECOND);
  ck_assert_uint_eq (conform.writes, 1);
  wait_for_timers (2 * SECOND);
  ck_assert_uint_eq (conform.writes, 2);
  ck_assert (conform_row_is (&with, "sessions", session->id, "state", "permitted"));
  wait_for_timers (20 * SECOND);
  ck_assert_uint_eq (conform.writes, 2); /* nothing has changed */
  far_session_unref (session);
}
END_TEST

START_TEST (counters_are_written_now_and_then)
{
  open_with (&kind);
  FarSession *session = come_to (FAR_SESSION_OPEN);
  guint before = conform.writes;
  for (guint i = 1; i <= 100; i++)
    far_session_counted (session, i, 2 * i);
  settle ();
  ck_assert_uint_eq (conform.writes, before);
  far_session_counted (session, 1, 1); /* they never fall */
  wait_for_timers (11 * SECOND);
  ck_assert_uint_eq (conform.writes, before + 1);
  json_t *row = conform_row (&with, "history", session->in->place);
  ck_assert_int_eq (json_integer_value (json_object_get (row, "bytes_down")), 200);
  json_decref (row);
  far_session_unref (session);
}
END_TEST

/* What goes with the first write is there when that is, and not when it is not. */
START_TEST (more_goes_with_the_first_write)
{
  static const FarPart more = { .kind = FAR_PART_ROW,
                                .table = "tokens",
                                .key = "k",
                                .row = "{}",
                                .expect = FAR_EXPECT_ABSENT };
  open_with (&kind);
  for (guint fail = 1; fail < 2; fail--) { /* 1, then 0 */
    ConformBegun begun = { FALSE, FALSE };
    conform.writes = 0;
    conform.fail_at = fail;
    far_session_begin (make (made.book), &more, 1, conform_begun, &begun, NULL);
    settle ();
    ck_assert (begun.done && begun.failed == (fail == 1));
    json_t *row = conform_row (&with, "tokens", "k");
    ck_assert_int_eq (row == NULL, fail == 1);
    json_decref (row);
  }
  ck_assert_uint_eq (far_book_count (made.book, NULL), 1);
  ck_assert_uint_eq (far_sessions_live (), 1);
  ck_assert_uint_eq (far_book_count (made.book, "person:alice"), 1);
  ck_assert_uint_eq (far_book_count (made.book, "person:bob"), 0);
}
END_TEST

START_TEST (time_ends_what_stands_still)
{
  static const struct {
    FarSessionState state;
    gint64 before_us;
    const char *cause;
  } rows[] = { { FAR_SESSION_AWAITING, 59 * SECOND, "not opened in time" },
               { FAR_SESSION_PERMITTED, 59 * SECOND, "not opened in time" },
               { FAR_SESSION_OPENING, 59 * SECOND, "not opened in time" },
               { FAR_SESSION_OPEN, 599 * SECOND, "deadline" },
               { FAR_SESSION_RESUMING, 599 * SECOND, "deadline" } };
  open_with (&kind);
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    FarSession *session = come_to (rows[i].state);
    wait_for_timers (rows[i].before_us);
    ck_assert_int_eq (session->state, rows[i].state);
    wait_for_timers (2 * SECOND);
    ck_assert_int_eq (session->state, FAR_SESSION_CLOSED);
    ck_assert_str_eq (session->cause, rows[i].cause);
    far_session_unref (session);
  }
}
END_TEST

/* Grace, then end(); and where nobody says that it has ended, the book does. */
START_TEST (closing_comes_to_an_end)
{
  open_with (&kind_that_waits);
  made.grace_us = 10 * SECOND;
  FarSession *session = come_to (FAR_SESSION_OPEN);
  ((Made *) session)->stubborn = TRUE;
  ck_assert (far_session_close (session, "closed by the user", "person:bob", NULL));
  wait_for_timers (9 * SECOND);
  ck_assert_uint_eq (made.ended, 0);
  wait_for_timers (2 * SECOND);
  ck_assert_uint_eq (made.ended, 1);
  ck_assert_int_eq (session->state, FAR_SESSION_CLOSING);
  wait_for_timers (SECOND + SECOND / 2);
  ck_assert (far_session_event (session, FAR_SESSION_EV_REPORTED, NULL, NULL)); /* gives it no more time */
  ck_assert (far_session_close (session, "again", "person:mallory", NULL));     /* nor is it theirs */
  wait_for_timers (3 * SECOND);
  ck_assert_int_eq (session->state, FAR_SESSION_CLOSED);
  ck_assert (conform_row_is (&with, "history", session->in->place, "ended_by", "person:bob"));
  ck_assert (conform_row_is (&with, "history", session->in->place, "cause", "closed by the user"));
  ck_assert (!far_session_close (session, "again", "person:mallory", NULL));
  ck_assert_str_eq (session->ended_by, "person:bob");
  far_session_unref (session);
}
END_TEST

/* One that closes in a single step says who closed it. */
START_TEST (who_closed_stands_in_the_only_write)
{
  open_with (&kind);
  FarSession *session = come_to (FAR_SESSION_AWAITING);
  ck_assert (far_session_close (session, "closed by the user", "person:bob", NULL));
  settle ();
  ck_assert (conform_row_is (&with, "history", session->in->place, "ended_by", "person:bob"));
  far_session_unref (session);
}
END_TEST

static void
few_close (const char *id)
{
  FarSession *session = far_session_new (made.book, id);
  session->for_us = SECOND;
  ck_assert (far_session_event (session, FAR_SESSION_EV_DENY, NULL, NULL));
}

/* A kind without tables; the oldest closed ones are forgotten, by number and by age, one that lives never. */
START_TEST (the_oldest_are_forgotten)
{
  static const char *const ids[] = { "a", "b", "c", "d" };
  book_open (&kind_of_few);
  FarSession *alive = far_session_new (made.book, "alive");
  for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
    few_close (ids[i]);
  ck_assert_ptr_null (far_book_session (made.book, "a"));
  ck_assert_ptr_nonnull (far_book_session (made.book, "b"));
  ck_assert_uint_eq (made.cleared, 1);
  ck_assert (far_clock_advance (3601 * SECOND));
  few_close ("e");
  ck_assert_uint_eq (g_hash_table_size (far_book_sessions (made.book)), 2);
  ck_assert_ptr_eq (far_book_session (made.book, "alive"), alive);
  g_autoptr (GPtrArray) live = far_book_live (made.book);
  ck_assert_uint_eq (live->len, 1);
}
END_TEST

/* A second permission gives no further time, where the kind says so. */
START_TEST (a_second_wait_is_the_first)
{
  book_open (&kind_of_few);
  FarSession *session = far_session_ref (far_session_new (made.book, NULL));
  static const FarSessionEvent way[] = { FAR_SESSION_EV_PERMIT, FAR_SESSION_EV_OFFERED,
                                         FAR_SESSION_EV_LINK_LOST };
  for (guint i = 0; i < G_N_ELEMENTS (way); i++) {
    ck_assert (far_session_event (session, way[i], NULL, NULL));
    wait_for_timers (25 * SECOND);
  }
  ck_assert_int_eq (session->state, FAR_SESSION_CLOSED);
  far_session_unref (session);
}
END_TEST

/* What outlives its owner goes on, under the next epoch, with all that stood in its row. */
START_TEST (what_goes_on_is_taken_up)
{
  open_with (&kind_that_stays);
  made.goes_on = TRUE;
  FarSession *session = conform_begin (&with);
  session->legs = json_pack ("[{s:s, s:b}]", "target", "plc", "inner", 1);
  session->extra = json_pack ("{s:i}", "network", 7);
  session->flags = FAR_SESSION_RECORDED | FAR_SESSION_OPAQUE;
  session->parent = g_strdup ("above");
  ck_assert (conform_walk (&with, session, 4));
  g_autofree char *id = g_strdup (session->id), *place = g_strdup (session->in->place);
  guint64 epoch = session->epoch;
  gint64 deadline_us = session->deadline.boottime_us;
  far_session_unref (session);
  FarSession *waiting = come_to (FAR_SESSION_PERMITTED);
  g_autofree char *other = g_strdup (waiting->id);
  far_session_unref (waiting);
  book_again ();
  session = far_book_session (made.book, id);
  ck_assert_ptr_nonnull (session);
  ck_assert_int_eq (session->state, FAR_SESSION_OPEN);
  ck_assert_uint_gt (session->epoch, epoch);
  ck_assert_str_eq (((Made *) session)->colour, "green");
  ck_assert_str_eq (session->parent, "above");
  ck_assert_str_eq (session->person, "person:alice");
  ck_assert_uint_eq (session->flags, FAR_SESSION_RECORDED | FAR_SESSION_OPAQUE);
  ck_assert_str_eq (json_string_value (json_object_get (json_array_get (session->legs, 0), "target")), "plc");
  ck_assert_int_eq (json_integer_value (json_object_get (session->extra, "network")), 7);
  ck_assert_int_eq (session->deadline.boottime_us, deadline_us);
  json_t *row = conform_row (&with, "sessions", id);
  ck_assert_int_eq (json_integer_value (json_object_get (row, "epoch")), session->epoch);
  json_decref (row);
  ck_assert_ptr_null (far_book_session (made.book, other)); /* what had not opened is over */
  wait_for_timers (601 * SECOND);
  ck_assert_int_eq (session->state, FAR_SESSION_CLOSED);
  ck_assert (conform_row_is (&with, "history", place, "cause", "deadline"));
}
END_TEST

START_TEST (what_does_not_go_on_is_closed)
{
  open_with (&kind_that_stays);
  FarSession *session = come_to (FAR_SESSION_OPEN);
  g_autofree char *id = g_strdup (session->id), *place = g_strdup (session->in->place);
  far_session_unref (session);
  book_again ();
  ck_assert_ptr_null (far_book_session (made.book, id));
  ck_assert_uint_eq (made.lost, 1);
  ck_assert_uint_eq (far_book_count (made.book, NULL), 0);
  ck_assert (conform_row_is (&with, "history", place, "cause", "restart"));
}
END_TEST

static gboolean
nothing_more (gpointer data)
{
  return made.taken == 150;
}

/* What ends while the start still writes the rows of those that go on: its end is the last that is written.
 */
START_TEST (what_ends_during_the_start_stays_ended)
{
  open_with (&kind_that_stays);
  made.goes_on = TRUE;
  for (guint i = 0; i < 150; i++) {
    g_autofree char *id = g_strdup_printf ("s%03u", i);
    FarSession *session = far_session_ref (far_session_new (made.book, id));
    ConformBegun begun;
    session->for_us = 600 * SECOND;
    far_session_begin (session, NULL, 0, conform_begun, &begun, NULL);
    settle ();
    ck_assert (conform_walk (&with, session, 4));
    far_session_unref (session);
  }
  book_close ();
  static gboolean done;
  done = FALSE;
  made.taken = 0;
  made.book = far_book_new (far_instance_find (FAR_KIND_STORE, "main", NULL), &kind_that_stays, "main",
                            &done);
  far_book_load (made.book, loaded);
  node_until (nothing_more, NULL);
  FarSession *last = far_book_session (made.book, "s149");
  ck_assert_ptr_nonnull (last);
  g_autofree char *place = g_strdup (last->in->place);
  ck_assert (!done);
  ck_assert (far_session_event (last, FAR_SESSION_EV_FAILED, "tried", NULL));
  node_until (flag_is_set, &done);
  settle ();
  ck_assert (conform_row_is (&with, "sessions", "s149", NULL, NULL));
  ck_assert (conform_row_is (&with, "history", place, "state", "closed"));
  ck_assert (conform_row_is (&with, "history", place, "cause", "tried"));
  ck_assert (conform_row_is (&with, "sessions", "s148", "state", "open"));
}
END_TEST

/* In a book that has forgotten nobody yet: who was never recorded is not among the closed ones. */
START_TEST (who_was_never_recorded_is_not_remembered)
{
  open_with (&kind);
  conform_early_end (&with, FAR_SESSION_EV_FAILED, 1);
  ck_assert_uint_eq (made.book->closed.length, 1);
}
END_TEST

/* While the store takes nothing, the newest is still known. */
START_TEST (the_newest_is_not_the_one_forgotten)
{
  open_with (&kind_of_one);
  FarSession *first = come_to (FAR_SESSION_OPEN), *second = come_to (FAR_SESSION_OPEN);
  conform.writes = 0;
  conform.fail_at = 1; /* of the first's end */
  ck_assert (far_session_event (first, FAR_SESSION_EV_FAILED, NULL, NULL));
  settle ();
  ck_assert_uint_eq (conform.failed, 1);
  ck_assert (far_session_event (second, FAR_SESSION_EV_FAILED, NULL, NULL));
  ck_assert_ptr_eq (far_book_session (made.book, second->id), second);
  wait_for_timers (4 * SECOND);
  conform_check_closed (&with, first);
  conform_check_closed (&with, second);
  far_session_unref (first);
  far_session_unref (second);
}
END_TEST

/* More rows than the store takes in one step. */
START_TEST (many_rows_are_closed)
{
  open_with (&kind);
  for (guint i = 0; i < 300; i++) {
    g_autofree char *id = g_strdup_printf ("s%03u", i);
    conform_put_row (&with, id, far_node_id (), "made");
  }
  book_again ();
  ck_assert_uint_eq (made.lost, 300);
  conform_check_left (&with, "s000", FALSE);
  conform_check_left (&with, "s299", FALSE);
}
END_TEST

/* A session that somebody holds longer than its service refuses what comes. */
START_TEST (it_outlives_its_book_quietly)
{
  g_autoptr (GError) error = NULL;
  open_with (&kind);
  FarSession *session = come_to (FAR_SESSION_OPEN);
  ck_assert_uint_eq (far_sessions_live (), 1);
  book_close ();
  ck_assert_uint_eq (far_sessions_live (), 0);
  ck_assert_ptr_null (session->book);
  ck_assert (!far_session_event (session, FAR_SESSION_EV_DEADLINE, NULL, &error));
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE));
  far_session_unref (session);
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  Suite *suite = suite_create ("book");
  TCase *cases = tcase_create ("book");
  tcase_set_timeout (cases, 120);
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_test (cases, it_is_as_all_kinds_are);
  tcase_add_test (cases, what_lies_between_costs_no_write);
  tcase_add_test (cases, a_state_that_lasts_is_written);
  tcase_add_test (cases, counters_are_written_now_and_then);
  tcase_add_test (cases, more_goes_with_the_first_write);
  tcase_add_test (cases, time_ends_what_stands_still);
  tcase_add_test (cases, closing_comes_to_an_end);
  tcase_add_test (cases, who_closed_stands_in_the_only_write);
  tcase_add_test (cases, the_oldest_are_forgotten);
  tcase_add_test (cases, a_second_wait_is_the_first);
  tcase_add_test (cases, what_goes_on_is_taken_up);
  tcase_add_test (cases, what_does_not_go_on_is_closed);
  tcase_add_test (cases, what_ends_during_the_start_stays_ended);
  tcase_add_test (cases, who_was_never_recorded_is_not_remembered);
  tcase_add_test (cases, the_newest_is_not_the_one_forgotten);
  tcase_add_test (cases, many_rows_are_closed);
  tcase_add_test (cases, it_outlives_its_book_quietly);
  suite_add_tcase (suite, cases);
  SRunner *runner = srunner_create (suite);
  srunner_run_all (runner, CK_NORMAL);
  int failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
