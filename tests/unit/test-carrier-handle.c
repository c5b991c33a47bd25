/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The handle of a carrier: its end is told once, whoever goes first and however its driver behaves, and what
 * nobody waits for any more is given back. */
#include "unit/access-help.h"

typedef struct {
  guint ended, events, freed, answers;
  char *cause;
  FarTunnel *tunnel;
  GError *error;
} Heard;

static Heard heard;

static void
hears (const FarCarrierEvent *event, gpointer user)
{
  Heard *to = user;
  ck_assert_uint_eq (to->ended, 0);
  ck_assert_uint_eq (to->freed, 0);
  ck_assert_str_eq (event->session, "s1");
  to->events++;
  to->ended += event->kind == FAR_CARRIER_ENDED;
  g_free (to->cause);
  to->cause = g_strdup (event->cause);
}

static void
hears_no_more (gpointer user)
{
  ((Heard *) user)->freed++;
}

static const FarCarrierFuncs funcs = { .event = hears, .free = hears_no_more };

static void
reserve_answered (FarRequest *req, gpointer user)
{
  Heard *to = user;
  to->answers++;
  if (far_request_error (req))
    to->error = g_error_copy (far_request_error (req));
  else
    to->tunnel = far_request_steal (req);
}

static FarRequest *
reserve_request (void)
{
  return far_request_new (reserve_answered, &heard, 0);
}

static FarCarrier *
reserve_at (const char *transport, FarRequest *req)
{
  static const FarCarrierSpec spec = { .session = "s1",
                                       .peer = "t1",
                                       .entry = FAR_ENTRY_STREAM,
                                       .length_us = 600 * SECOND };
  return far_carrier_reserve (transport, &spec, &funcs, &heard, req);
}

static void
set_up (void)
{
  heard = (Heard){ 0 };
  cloud_up (NULL);
}

static void
tear_down (void)
{
  g_free (heard.cause);
  far_tunnel_free (heard.tunnel);
  g_clear_error (&heard.error);
}

/* What a driver says after the end reaches nobody. */
START_TEST (the_end_is_told_once)
{
  g_autoptr (FarCarrier) carrier = reserve_at ("z1", reserve_request ());
  run_pending ();
  ck_assert_ptr_nonnull (heard.tunnel);
  FarCarrierEvent up = { .kind = FAR_CARRIER_UP }, over = { .kind = FAR_CARRIER_ENDED, .cause = "first" },
                  again = { .kind = FAR_CARRIER_ENDED, .cause = "second" };
  far_carrier_tell (carrier, &up);
  far_carrier_tell (carrier, &over);
  far_carrier_tell (carrier, &again);
  far_carrier_tell (carrier, &up);
  ck_assert_uint_eq (heard.events, 2);
  ck_assert_uint_eq (heard.freed, 1);
  ck_assert_str_eq (heard.cause, "first");
  tunnel_of ("s1")->ended = TRUE;
  far_carrier_end (carrier, "too late");
  far_carrier_set_deadline (carrier, 1);
  ck_assert_ptr_null (tunnel_of ("s1")->end_cause);
  cloud_down ();
}
END_TEST

/* Its instance stops: it says so itself (0), or nothing, and core does (1). */
START_TEST (the_instance_goes_first)
{
  g_autoptr (FarCarrier) carrier = reserve_at ("z1", reserve_request ());
  run_pending ();
  cloud_tunnels ()->mute = _i == 1;
  cloud_down ();
  run_pending ();
  ck_assert_uint_eq (heard.ended, 1);
  ck_assert_uint_eq (heard.freed, 1);
  ck_assert_str_eq (heard.cause, _i == 0 ? "stopped" : "its transport stops");
  far_carrier_end (carrier, "too late");
}
END_TEST

/* Who asked has gone before the driver answers: what is reserved then is given back, and nobody hears. */
START_TEST (a_late_reservation_is_given_back)
{
  cloud_tunnels ()->hold_reserve = TRUE;
  FarRequest *req = reserve_request ();
  g_autoptr (FarCarrier) carrier = reserve_at ("z1", req);
  far_request_cancel (req);
  run_pending ();
  ck_assert_uint_eq (heard.answers, 1);
  far_request_done (tunnel_of ("s1")->req, g_new0 (FarTunnel, 1), (GDestroyNotify) far_tunnel_free);
  run_pending ();
  ck_assert_str_eq (tunnel_of ("s1")->end_cause, "nobody waits for it any more");
  ck_assert_uint_eq (heard.freed, 0);
  tunnel_of ("s1")->ended = TRUE;
  FarCarrierEvent over = { .kind = FAR_CARRIER_ENDED, .cause = "given back" };
  far_carrier_tell (carrier, &over);
  ck_assert_uint_eq (heard.events, 0);
  ck_assert_uint_eq (heard.freed, 1);
  cloud_down ();
}
END_TEST

/* A reservation that fails has its error as the last word. */
START_TEST (a_failed_reservation_has_no_end)
{
  cloud_tunnels ()->hold_reserve = TRUE;
  g_autoptr (FarCarrier) carrier = reserve_at ("z1", reserve_request ());
  far_request_fail_new (tunnel_of ("s1")->req, FAR_ERROR_LIMIT, "no free port");
  tunnel_of ("s1")->ended = TRUE;
  run_pending ();
  ck_assert_uint_eq (heard.events, 0);
  ck_assert_uint_eq (heard.freed, 1);
  ck_assert (g_error_matches (heard.error, FAR_ERROR, FAR_ERROR_LIMIT));
  far_carrier_end (carrier, "nothing to end");
  cloud_down ();
}
END_TEST

START_TEST (no_such_transport)
{
  ck_assert_ptr_null (reserve_at ("nowhere", reserve_request ()));
  run_pending ();
  ck_assert_uint_eq (heard.freed, 1);
  ck_assert (g_error_matches (heard.error, FAR_ERROR, FAR_ERROR_CONFIG));
  FarCarrierLook look;
  ck_assert (!far_carrier_look ("nowhere", &look));
  ck_assert (far_carrier_look ("z1", &look) && look.accepts && look.up && look.common);
  cloud_down ();
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  TCase *cases = tcase_create ("carrier-handle");
  tcase_set_timeout (cases, 60);
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_test (cases, the_end_is_told_once);
  tcase_add_loop_test (cases, the_instance_goes_first, 0, 2);
  tcase_add_test (cases, a_late_reservation_is_given_back);
  tcase_add_test (cases, a_failed_reservation_has_no_end);
  tcase_add_test (cases, no_such_transport);
  Suite *suite = suite_create ("carrier-handle");
  suite_add_tcase (suite, cases);
  return run_suite (suite);
}
