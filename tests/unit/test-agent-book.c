/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sessions of a terminal as the book keeps them: what holds for every kind. */
#include "config.h"

#include "unit/access-help.h"

#include "../plugins/service-agent/agent.h"
#include "book-conform.h"

#include "reach/device.h"

static FarBook *
agent_book (void)
{
  return ((Agent *) far_instance_self (far_instance_find (FAR_KIND_SERVICE, "agent", NULL)))->book;
}

static void
heard_by_nobody (const FarCarrierEvent *event, gpointer user)
{
}

static const FarCarrierFuncs nobody_hears = { .event = heard_by_nobody };

/* As an offer makes one, with a tunnel end that knows of it: it is closing until that says that it is not. */
static FarSession *
agent_make (FarBook *book)
{
  AgentSession *session = (AgentSession *) far_session_new (book, NULL);
  session->self = far_book_self (book);
  session->object = g_strdup ("node");
  session->user = g_strdup ("alice");
  session->person = g_strdup ("person:alice");
  session->reason = g_strdup ("test");
  session->for_us = 600 * SECOND;
  json_t *part = json_pack ("{s:s, s:s, s:i}", "address", "192.0.2.1:2222", "host_key", "ssh-ed25519 AAAA",
                            "x", 40001);
  FarCarrierOpen spec = { .session = session->id, .part = part, .address = "192.0.2.1:2222" };
  session->carrier = far_carrier_open ("z1", &spec, &nobody_hears, NULL, far_request_new (NULL, NULL, 0));
  json_decref (part);
  return &session->base;
}

static void
agent_finish (FarSession *session)
{
  ck_assert (far_session_event (session, FAR_SESSION_EV_TUNNEL_ENDED, NULL, NULL));
}

static const BookConform with = { NULL, agent_book, agent_make, run_pending, agent_finish, NULL };

static void
set_up (void)
{
  agent_up (NULL);
}

static void
tear_down (void)
{
  cloud_down ();
  far_device_reset ();
}

START_TEST (it_is_as_all_kinds_are)
{
  book_conform (&with);
}
END_TEST

/* A tunnel end that never answers does not keep it. */
START_TEST (a_silent_tunnel_end_is_given_up)
{
  book_conform_begin (&with);
  FarSession *session = conform_begin (&with);
  ck_assert (conform_walk (&with, session, 4));
  ck_assert (far_session_close (session, "closed at the terminal", NULL, NULL));
  far_clock_advance (SECOND);
  run_pending ();
  ck_assert_int_eq (session->state, FAR_SESSION_CLOSING);
  far_clock_advance (2 * SECOND);
  run_pending ();
  ck_assert_int_eq (session->state, FAR_SESSION_CLOSED);
  ck_assert_ptr_null (((AgentSession *) session)->carrier);
  far_session_unref (session);
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  Suite *suite = suite_create ("agent-book");
  TCase *cases = tcase_create ("agent-book");
  tcase_set_timeout (cases, 120);
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_test (cases, it_is_as_all_kinds_are);
  tcase_add_test (cases, a_silent_tunnel_end_is_given_up);
  suite_add_tcase (suite, cases);
  return run_suite (suite);
}
