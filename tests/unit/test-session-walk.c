/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A random walk over two ends of the session machine, with a network between them that loses, doubles and
 * swaps. The cloud end owns the ports; the terminal end follows. After each step: ports are held in exactly
 * the states of doc/sessions.md and never by two sessions, a carrier joins the newest generation only, and a
 * byte passes only between two ends that are open before both deadlines. At the end of the walk, time alone
 * has to bring everything back: nothing leaked. */
#include "config.h"

#include <farwatch/session.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define N_SESSIONS 6
#define N_WIRE 32
#define N_PORTS 16
#define STEPS 1000000
#define LENGTH 600 /* connection time, ticks */
#define WAIT 300   /* a request that does not come up */
#define GRACE 10

/* ck_assert() tells its parent process each time it passes: too slow for 10^7 checks. */
#define must(expression)                                                                                     \
  do {                                                                                                       \
    if (!(expression))                                                                                       \
      ck_abort_msg ("broken: %s", #expression);                                                              \
  } while (0)

typedef enum { MSG_NONE, MSG_OFFER, MSG_DIAL, MSG_ACK, MSG_CLOSE, MSG_REPORT } Kind;
typedef struct {
  Kind kind;
  guint session, life, generation;
} Message;

typedef struct {
  FarSessionState state;
  guint life; /* which use of this slot: an id */
  guint generation, spent, port;
  gint64 deadline, closing_at;
} Cloud;

typedef struct {
  FarSessionState state;
  guint life, generation;
  gint64 deadline;
} Terminal;

typedef struct {
  GRand *rand;
  gint64 now;
  Cloud cloud[N_SESSIONS];
  Terminal terminal[N_SESSIONS];
  guint carrier[N_SESSIONS]; /* generation of the live tunnel, 0: none */
  guint held[N_PORTS];       /* session + 1 */
  Message wire[N_WIRE];
  guint64 bytes, opened, resumed, closed, refused;
} World;

static guint
draw (World *w, guint n)
{
  return g_rand_int_range (w->rand, 0, n);
}

static void
post (World *w, Message message)
{
  if (draw (w, 5) == 0)
    return; /* lost */
  guint copies = draw (w, 20) == 0 ? 2 : 1;
  while (copies--)
    w->wire[draw (w, N_WIRE)] = message; /* may push another one out: lost as well */
}

static void
ports_give_back (World *w, guint s)
{
  must (w->held[w->cloud[s].port] == s + 1);
  w->held[w->cloud[s].port] = 0;
  w->cloud[s].port = 0;
}

static void cloud_event (World *w, guint s, FarSessionEvent event);

static void
carrier_cut (World *w, guint s)
{
  w->carrier[s] = 0;
}

/* The tunnel end's `end`: no byte from now on, then the ports are free. */
static void
tunnel_end (World *w, guint s)
{
  carrier_cut (w, s);
  cloud_event (w, s, FAR_SESSION_EV_TUNNEL_ENDED);
}

static gboolean
holds (FarSessionState state)
{
  return state >= FAR_SESSION_PERMITTED && state <= FAR_SESSION_CLOSING;
}

static void
cloud_entered (World *w, guint s, FarSessionState before)
{
  Cloud *c = &w->cloud[s];
  if (c->state == FAR_SESSION_PERMITTED || c->state == FAR_SESSION_RESUMING)
    c->generation++;
  if (c->state == FAR_SESSION_OPEN && before != FAR_SESSION_RESUMING) {
    c->deadline = w->now + LENGTH;
    w->opened++;
  }
  if (c->state == FAR_SESSION_OPEN && before == FAR_SESSION_RESUMING)
    w->resumed++;
  if (c->state == FAR_SESSION_CLOSING) {
    c->closing_at = w->now;
    carrier_cut (w, s);
    post (w, (Message){ MSG_CLOSE, s, c->life, c->generation });
  }
  if (c->state == FAR_SESSION_CLOSED)
    w->closed++;
}

static void
cloud_event (World *w, guint s, FarSessionEvent event)
{
  Cloud *c = &w->cloud[s];
  FarSessionState before = c->state;
  if (!far_session_apply (&c->state, event, NULL)) {
    w->refused++;
    return;
  }
  if (c->state != before && !holds (before) && holds (c->state)) {
    do
      c->port = 1 + draw (w, N_PORTS - 1);
    while (w->held[c->port]);
    w->held[c->port] = s + 1;
  }
  if (c->state != before) {
    if (holds (before) && !holds (c->state))
      ports_give_back (w, s);
    cloud_entered (w, s, before);
  }
  if (event == FAR_SESSION_EV_REPORTED && c->state == FAR_SESSION_CLOSING)
    tunnel_end (w, s);
}

static void
terminal_event (World *w, guint s, FarSessionEvent event)
{
  Terminal *t = &w->terminal[s];
  FarSessionState before = t->state;
  if (!far_session_apply (&t->state, event, NULL))
    return;
  if (t->state == FAR_SESSION_OPEN && before != FAR_SESSION_OPEN && before != FAR_SESSION_RESUMING)
    t->deadline = w->now + LENGTH;
  if (t->state == FAR_SESSION_CLOSING && before != FAR_SESSION_CLOSING) {
    far_session_apply (&t->state, FAR_SESSION_EV_TUNNEL_ENDED, NULL);
    post (w, (Message){ MSG_REPORT, s, t->life, t->generation });
  }
}

/* An offer: a new session, or the next generation of one that resumes. Old ones are refused. */
static void
terminal_offer (World *w, Message m)
{
  Terminal *t = &w->terminal[m.session];
  if (m.life == t->life && m.generation <= t->generation)
    return;
  if (m.life < t->life)
    return;
  if (m.life > t->life) {
    *t = (Terminal){ FAR_SESSION_REQUESTED, m.life, m.generation, w->now + LENGTH };
    terminal_event (w, m.session, draw (w, 10) ? FAR_SESSION_EV_PERMIT : FAR_SESSION_EV_DENY);
  }
  if (t->state == FAR_SESSION_CLOSED || t->state == FAR_SESSION_CLOSING)
    return;
  if (t->state == FAR_SESSION_OPEN || t->state == FAR_SESSION_OPENING)
    terminal_event (w, m.session, FAR_SESSION_EV_LINK_LOST);
  t->generation = m.generation;
  terminal_event (w, m.session, FAR_SESSION_EV_OFFERED);
  post (w, (Message){ MSG_DIAL, m.session, m.life, m.generation });
}

/* The tunnel end: a credential of the newest generation, once. */
static void
cloud_dial (World *w, Message m)
{
  Cloud *c = &w->cloud[m.session];
  if (m.life != c->life || m.generation != c->generation || c->spent >= m.generation)
    return;
  FarStep step = far_session_step (c->state, FAR_SESSION_EV_TUNNEL_UP);
  if (step.kind != FAR_STEP_GO)
    return;
  c->spent = m.generation;
  w->carrier[m.session] = m.generation;
  cloud_event (w, m.session, FAR_SESSION_EV_TUNNEL_UP);
  post (w, (Message){ MSG_ACK, m.session, m.life, m.generation });
}

static void
deliver (World *w)
{
  guint i = draw (w, N_WIRE);
  Message m = w->wire[i];
  w->wire[i].kind = MSG_NONE;
  Cloud *c = &w->cloud[m.session];
  Terminal *t = &w->terminal[m.session];
  switch (m.kind) {
  case MSG_OFFER:
    terminal_offer (w, m);
    break;
  case MSG_DIAL:
    cloud_dial (w, m);
    break;
  case MSG_ACK:
    if (m.life == t->life && m.generation == t->generation)
      terminal_event (w, m.session, FAR_SESSION_EV_TUNNEL_UP);
    break;
  case MSG_CLOSE:
    if (m.life == t->life)
      terminal_event (w, m.session, FAR_SESSION_EV_CLOSE_ASKED);
    break;
  case MSG_REPORT:
    if (m.life == c->life)
      cloud_event (w, m.session, FAR_SESSION_EV_REPORTED);
    break;
  case MSG_NONE:
    break;
  }
}

static void
offer (World *w, guint s)
{
  Cloud *c = &w->cloud[s];
  if (c->state == FAR_SESSION_PERMITTED || c->state == FAR_SESSION_RESUMING) {
    post (w, (Message){ MSG_OFFER, s, c->life, c->generation });
    if (c->state == FAR_SESSION_PERMITTED && draw (w, 2))
      cloud_event (w, s, FAR_SESSION_EV_OFFERED);
  }
}

/* What the terminal says with its poll: sessions it lost, and those it has closed. */
static void
poll (World *w, guint s)
{
  Terminal *t = &w->terminal[s];
  Cloud *c = &w->cloud[s];
  if (draw (w, 4) == 0)
    return;
  if (c->life == t->life && t->state == FAR_SESSION_CLOSED && c->state != FAR_SESSION_CLOSED)
    cloud_event (w, s, FAR_SESSION_EV_REPORTED);
  if (c->life == t->life && (t->state == FAR_SESSION_RESUMING || t->state == FAR_SESSION_OPENING) &&
      t->generation == c->generation && c->state == FAR_SESSION_OPEN) {
    carrier_cut (w, s);
    cloud_event (w, s, FAR_SESSION_EV_LINK_LOST);
  }
  if (c->life != t->life || c->state == FAR_SESSION_CLOSING || c->state == FAR_SESSION_CLOSED)
    terminal_event (w, s, FAR_SESSION_EV_CLOSE_ASKED);
  offer (w, s);
}

static void
cut (World *w, guint s)
{
  if (w->carrier[s] == 0)
    return;
  carrier_cut (w, s);
  cloud_event (w, s, FAR_SESSION_EV_LINK_LOST);
  if (draw (w, 2))
    terminal_event (w, s, FAR_SESSION_EV_LINK_LOST);
}

static void
tick (World *w, guint by)
{
  w->now += by;
  for (guint s = 0; s < N_SESSIONS; s++) {
    Cloud *c = &w->cloud[s];
    Terminal *t = &w->terminal[s];
    if (c->state != FAR_SESSION_CLOSED && w->now >= c->deadline)
      cloud_event (w, s, FAR_SESSION_EV_DEADLINE);
    if (c->state == FAR_SESSION_CLOSING && w->now >= c->closing_at + GRACE)
      tunnel_end (w, s);
    if (t->state != FAR_SESSION_CLOSED && w->now >= t->deadline)
      terminal_event (w, s, FAR_SESSION_EV_DEADLINE);
  }
}

static void
request (World *w, guint s)
{
  Cloud *c = &w->cloud[s];
  if (c->state != FAR_SESSION_CLOSED)
    return;
  guint life = c->life + 1;
  *c = (Cloud){ FAR_SESSION_REQUESTED, life, 0, 0, 0, w->now + WAIT, 0 };
}

static void
restart_cloud (World *w)
{
  for (guint s = 0; s < N_SESSIONS; s++) {
    carrier_cut (w, s);
    if (w->cloud[s].state != FAR_SESSION_CLOSED)
      cloud_event (w, s, FAR_SESSION_EV_RESTART);
    must (w->cloud[s].state == FAR_SESSION_CLOSED);
  }
}

static void
restart_terminal (World *w)
{
  for (guint s = 0; s < N_SESSIONS; s++) {
    Terminal *t = &w->terminal[s];
    if (t->state != FAR_SESSION_CLOSED)
      far_session_apply (&t->state, FAR_SESSION_EV_RESTART, NULL);
    cut (w, s);
  }
}

static void
check_world (World *w)
{
  guint by_ports = 0, by_state = 0;
  for (guint p = 1; p < N_PORTS; p++)
    by_ports += w->held[p] != 0;
  for (guint s = 0; s < N_SESSIONS; s++) {
    Cloud *c = &w->cloud[s];
    by_state += holds (c->state);
    must ((c->port != 0) == holds (c->state));
    if (c->port)
      must (w->held[c->port] == s + 1);
    if (w->carrier[s]) {
      must (c->state == FAR_SESSION_OPEN);
      must (w->carrier[s] == c->generation);
      must (w->now < c->deadline);
    }
  }
  must (by_ports == by_state);
}

static void
byte (World *w, guint s)
{
  Terminal *t = &w->terminal[s];
  if (!w->carrier[s] || t->state != FAR_SESSION_OPEN || t->life != w->cloud[s].life ||
      t->generation != w->carrier[s])
    return;
  must (w->cloud[s].state == FAR_SESSION_OPEN);
  must (w->now < w->cloud[s].deadline);
  must (w->now < t->deadline);
  w->bytes++;
}

static const FarSessionEvent any[] = {
  FAR_SESSION_EV_APPROVAL_NEEDED, FAR_SESSION_EV_PERMIT,   FAR_SESSION_EV_DENY,  FAR_SESSION_EV_OFFERED,
  FAR_SESSION_EV_CLOSE_ASKED,     FAR_SESSION_EV_REPORTED, FAR_SESSION_EV_FAILED
};

static void
step (World *w)
{
  guint s = draw (w, N_SESSIONS), what = draw (w, 100);
  if (what < 10)
    request (w, s);
  else if (what < 20)
    cloud_event (w, s,
                 w->cloud[s].state == FAR_SESSION_REQUESTED && draw (w, 4) == 0
                     ? FAR_SESSION_EV_APPROVAL_NEEDED
                     : FAR_SESSION_EV_PERMIT);
  else if (what < 21)
    cloud_event (w, s, FAR_SESSION_EV_DENY);
  else if (what < 30)
    offer (w, s);
  else if (what < 60)
    deliver (w);
  else if (what < 70)
    poll (w, s);
  else if (what < 72)
    cut (w, s);
  else if (what < 73)
    cloud_event (w, s, FAR_SESSION_EV_CLOSE_ASKED);
  else if (what < 80)
    tick (w, 1 + draw (w, 3));
  else if (what < 99)
    byte (w, s);
  else if (draw (w, 200) == 0)
    restart_cloud (w);
  else if (draw (w, 200) == 0)
    restart_terminal (w);
  else /* anything a person or a peer may say at any time: the table alone decides */
    cloud_event (w, s, any[draw (w, G_N_ELEMENTS (any))]);
}

START_TEST (test_walk)
{
  World *w = g_new0 (World, 1);
  w->rand = g_rand_new_with_seed (20260101 + _i);
  for (guint s = 0; s < N_SESSIONS; s++)
    w->cloud[s].state = w->terminal[s].state = FAR_SESSION_CLOSED;
  for (guint i = 0; i < STEPS; i++) {
    step (w);
    check_world (w);
  }
  ck_assert_uint_gt (w->opened, 1000); /* the walk got somewhere */
  ck_assert_uint_gt (w->resumed, 100);
  ck_assert_uint_gt (w->bytes, 1000);
  ck_assert_uint_gt (w->refused, 1000);
  memset (w->wire, 0, sizeof w->wire);
  for (guint i = 0; i < LENGTH + WAIT + GRACE; i++)
    tick (w, 1);
  check_world (w);
  for (guint s = 0; s < N_SESSIONS; s++) {
    ck_assert_int_eq (w->cloud[s].state, FAR_SESSION_CLOSED);
    ck_assert_int_eq (w->terminal[s].state, FAR_SESSION_CLOSED);
    ck_assert_uint_eq (w->carrier[s], 0);
  }
  for (guint p = 0; p < N_PORTS; p++)
    ck_assert_uint_eq (w->held[p], 0);
  g_rand_free (w->rand);
  g_free (w);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("session-walk");
  TCase *cases = tcase_create ("walk");
  tcase_set_timeout (cases, 120);
  tcase_add_loop_test (cases, test_walk, 0, 2);
  suite_add_tcase (suite, cases);
  SRunner *runner = srunner_create (suite);
  srunner_run_all (runner, CK_NORMAL);
  int failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
