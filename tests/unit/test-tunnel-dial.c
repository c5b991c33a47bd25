/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The terminal's way to a tunnel end that has a name: addresses that are dead, and name servers that say
 * nothing. */
#include "unit/dial-help.h"
#include "unit/ssh-help.h"

#define BOTH_ENDS                                                                                            \
  "authenticators:\n  wax: {type: wax, tokens: ['t1 word-1 session/s1', 't1 word-2 session/s2']}\n"          \
  "transports:\n  z: {type: ssh, listen: '127.0.0.1:0', login: [wax]}\n  t: {type: ssh}\n"

/* One session: its tunnel end's side, the terminal's, and how the dial ends. */
typedef struct {
  Side cloud, terminal;
  Reserved *tunnel;
  Answer answer;
} Session;

static Session one, two;

static void
set_up (void)
{
  memset (&names, 0, sizeof names);
  one = two = (Session){ 0 };
  far_look_up_set (ask);
  node_start (BOTH_ENDS);
}

static void
session_clear (Session *session)
{
  side_clear (&session->cloud);
  side_clear (&session->terminal);
  reserved_free (session->tunnel);
  g_clear_error (&session->answer.error);
}

static void
tear_down (void)
{
  let_go ();
  far_look_up_set (NULL);
  node_stop ();
  session_clear (&one);
  session_clear (&two);
}

static guint16
port_of (const Reserved *tunnel)
{
  return (guint16) atoi (strrchr (tunnel->address, ':') + 1);
}

static void
begin (Session *session, const char *id)
{
  FarCarrierSpec spec = { .session = id,
                          .peer = "t1",
                          .entry = FAR_ENTRY_STREAM,
                          .length_us = SECONDS (600) };
  session->tunnel = reserve ("z", &spec, &session->cloud);
}

/* The answer comes later. */
static void
dial (Session *session, const char *id, const char *host, const char *word)
{
  g_autofree char *address = g_strdup_printf ("%s:%u", host, port_of (session->tunnel));
  g_free (session->tunnel->address);
  session->tunnel->address = g_steal_pointer (&address);
  g_clear_error (&session->answer.error);
  session->answer = (Answer){ 0 };
  dial_begin ("t", session->tunnel, id, "t1", word, session->tunnel->host_key, &session->terminal,
              &session->answer);
}

static void
await_up (Session *session)
{
  answer_wait (&session->answer);
  ck_assert_msg (session->answer.error == NULL, "%s",
                 session->answer.error != NULL ? session->answer.error->message : "");
  await (&session->cloud.up, 1);
  await (&session->terminal.up, 1);
}

static void
await_asked (gint n)
{
  gint64 limit = g_get_monotonic_time () + SECONDS (20);
  while (g_atomic_int_get (&names.asked) < n && g_get_monotonic_time () < limit)
    if (!g_main_context_iteration (NULL, FALSE))
      g_usleep (200);
  ck_assert_int_eq (g_atomic_int_get (&names.asked), n);
}

static void
fails (Session *session, const char *part)
{
  answer_wait (&session->answer);
  ck_assert (g_error_matches (session->answer.error, FAR_ERROR, FAR_ERROR_UNAVAILABLE));
  ck_assert_msg (strstr (session->answer.error->message, part) != NULL, "%s", session->answer.error->message);
}

START_TEST (a_dead_first_address)
{
  gint64 began;
  begin (&one, "s1");
  guint16 port = port_of (one.tunnel);
  Hole hole = hole_at ("127.0.0.2", &port);
  names.addresses[0] = "127.0.0.2";
  names.addresses[1] = "127.0.0.1";
  began = far_clock_boottime_us ();
  dial (&one, "s1", NAME, "word-1");
  await_up (&one);
  ck_assert_int_lt (far_clock_boottime_us () - began, SECONDS (15));
  hole_close (&hole);
}
END_TEST

/* It holds up neither another name nor the session's own end, nor the next dial of that session. */
START_TEST (a_silent_name_server_holds_nothing_up)
{
  begin (&one, "s1");
  begin (&two, "s2");
  names.silent = TRUE;
  names.addresses[0] = "127.0.0.1";
  dial (&one, "s1", NAME, "word-1");
  await_asked (1);
  dial (&two, "s2", "other.example", "word-2");
  await_up (&two);
  ck_assert_int_eq (one.answer.done, 0);
  far_clock_advance (SECONDS (20));
  fails (&one, "no name server answers");
  dial (&one, "s1", "other.example", "word-1");
  await_up (&one);
}
END_TEST

/* A session that ends, and an instance that stops, wait for no name. */
START_TEST (nothing_waits_for_a_name)
{
  begin (&one, "s1");
  names.silent = TRUE;
  names.addresses[0] = "127.0.0.1";
  dial (&one, "s1", NAME, "word-1");
  await_asked (1);
  if (_i == 0)
    far_carrier_end (one.terminal.carrier, "enough");
  else
    node_stop ();
  fails (&one, "cancelled");
  help_wait (&one.terminal.ended);
  if (_i != 0)
    node_start (BOTH_ENDS);
  let_go ();
  run_pending ();
  ck_assert_uint_eq (one.cloud.up, 0);
}
END_TEST

/* All of it has 20 s: what the name took is not there for the handshake. */
START_TEST (one_time_for_name_and_handshake)
{
  guint16 port = 0;
  begin (&one, "s1");
  int mute = listen_at ("127.0.0.2", &port, 8);
  g_autofree char *address = g_strdup_printf ("127.0.0.1:%u", port);
  g_free (one.tunnel->address);
  one.tunnel->address = g_steal_pointer (&address);
  names.silent = TRUE;
  names.addresses[0] = "127.0.0.2";
  dial (&one, "s1", NAME, "word-1");
  await_asked (1);
  far_clock_advance (SECONDS (15));
  run_pending ();
  let_go ();
  struct pollfd came = { .fd = mute, .events = POLLIN };
  gint64 limit = g_get_monotonic_time () + SECONDS (20);
  while (poll (&came, 1, 0) == 0 && g_get_monotonic_time () < limit)
    run_pending ();
  int fd = accept (mute, NULL, NULL);
  char banner[8];
  ck_assert_int_eq (person_reads (fd, banner, 4), 4); /* its timer is set by then */
  far_clock_advance (SECONDS (6));
  fails (&one, "no answer in 20s");
  close (fd);
  close (mute);
}
END_TEST

START_TEST (a_failure_tells_each_address)
{
  begin (&one, "s1");
  names.addresses[0] = "127.0.0.2";
  names.addresses[1] = "127.0.0.3";
  dial (&one, "s1", NAME, "word-1");
  fails (&one, "the connection was refused");
  ck_assert_ptr_nonnull (strstr (one.answer.error->message, "(tried: 127.0.0.2 refused, 127.0.0.3 refused)"));
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  TCase *cases = tcase_create ("tunnel-dial");
  tcase_set_timeout (cases, 60);
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_test (cases, a_dead_first_address);
  tcase_add_test (cases, a_silent_name_server_holds_nothing_up);
  tcase_add_loop_test (cases, nothing_waits_for_a_name, 0, 2);
  tcase_add_test (cases, one_time_for_name_and_handshake);
  tcase_add_test (cases, a_failure_tells_each_address);
  Suite *suite = suite_create ("tunnel-dial");
  suite_add_tcase (suite, cases);
  return run_suite (suite);
}
