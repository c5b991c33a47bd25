/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The handle of a carrier: its end is told once, whoever goes first and however its driver behaves, and what
 * nobody waits for any more is given back. */
#include "unit/access-help.h"

typedef struct {
  guint ended, events, freed, answers;
  guint64 up, down; /* as last told */
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
  to->up = event->bytes_up;
  to->down = event->bytes_down;
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

static void
tells (FarCarrier *carrier, FarCarrierEventKind kind, guint64 up, guint64 down)
{
  FarCarrierEvent event = { .kind = kind, .cause = "test", .bytes_up = up, .bytes_down = down };
  far_carrier_tell (carrier, &event);
}

/* A session goes on by another way while bytes of the first are still on their way: all of them count, each
 * once, and of the first one nothing else is told. */
START_TEST (ways_are_counted_together)
{
  static Heard first;
  first = (Heard){ 0 };
  FarCarrierSpec spec = { .session = "s1", .peer = "t1", .entry = FAR_ENTRY_STREAM };
  g_autoptr (FarCarrier)
      old = far_carrier_reserve ("z1", &spec, &funcs, &first, far_request_new (NULL, NULL, 0));
  FarCarrier *old_seen = tunnel_of ("s1")->carrier;
  tells (old_seen, FAR_CARRIER_COUNTERS, 100, 1000);
  spec.before = old;
  g_autoptr (FarCarrier) now = far_carrier_reserve ("z1", &spec, &funcs, &heard, reserve_request ());
  run_pending ();
  tells (old_seen, FAR_CARRIER_COUNTERS, 150, 1000);
  far_carrier_give_up (old, "another one");
  tells (now, FAR_CARRIER_UP, 0, 0);
  ck_assert_uint_eq (heard.up, 150);
  tells (now, FAR_CARRIER_COUNTERS, 7, 70);
  tells (old_seen, FAR_CARRIER_LOST, 160, 1000);
  tells (old_seen, FAR_CARRIER_ENDED, 165, 1001);
  ck_assert_uint_eq (first.up, 172);
  ck_assert_uint_eq (first.down, 1071);
  ck_assert_uint_eq (first.ended, 0);
  ck_assert_uint_eq (first.freed, 1);
  tells (now, FAR_CARRIER_ENDED, 8, 70);
  ck_assert_uint_eq (heard.up, 173);
  ck_assert_uint_eq (heard.down, 1071);
  ck_assert_uint_eq (heard.freed, 1);
  for (guint i = 0; i < 2; i++)
    ((FakeTunnel *) cloud_tunnels ()->tunnels->pdata[i])->ended = TRUE;
  g_free (first.cause);
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
  tcase_add_test (cases, ways_are_counted_together);
  tcase_add_test (cases, no_such_transport);
  Suite *suite = suite_create ("carrier-handle");
  suite_add_tcase (suite, cases);
  return run_suite (suite);
}
