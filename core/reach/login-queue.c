/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who wants to log in waits here for a turn. Sources take turns, so that who sends a hundred tries waits
 * behind these and nobody else does; within a source the first goes first whose pair of name and source has
 * no delay to wait out. Bounded: the source that has most waiting loses its last. */
#include "config.h"

#include "reach/login-private.h"

#include "base/node-part.h"

#include <farwatch/clock.h>

typedef struct {
  char *name;
  GQueue waiting; /* LoginRun */
  GList link;
} LoginSource;

/* What is found out while each has its turn. */
typedef struct {
  gint64 at_us;  /* the earliest time that one of those who wait out a delay may go */
  guint delayed; /* of the source that is looked at: how many wait one out */
} Round;

/* Touched on main only. */
typedef struct {
  GHashTable *by_name;
  GQueue turns; /* LoginSource: who is first has the next turn */
  guint waiting, under_way;
  FarLoopTimer *timer; /* the first delay that is over; NULL: none runs */
  gboolean stepping, again;
} LoginQueue;

static void
login_queue_clear (gpointer part)
{
  far_login_queue_clear ();
}

static LoginQueue *
login_queue (void)
{
  static const FarNodePart part = { FAR_PART_LOGIN_QUEUE, sizeof (LoginQueue), NULL, login_queue_clear };

  return far_node_part (&part);
}

static void login_queue_step (void);

static LoginSource *
source_get (const char *name)
{
  LoginSource *source;

  if (login_queue ()->by_name == NULL)
    login_queue ()->by_name = g_hash_table_new (g_str_hash, g_str_equal);
  source = g_hash_table_lookup (login_queue ()->by_name, name);
  if (source != NULL)
    return source;
  source = g_new0 (LoginSource, 1);
  source->name = g_strdup (name);
  source->link.data = source;
  g_hash_table_insert (login_queue ()->by_name, source->name, source);
  g_queue_push_tail_link (&login_queue ()->turns, &source->link);
  return source;
}

static void
source_free (LoginSource *source)
{
  g_queue_unlink (&login_queue ()->turns, &source->link);
  g_hash_table_remove (login_queue ()->by_name, source->name);
  g_free (source->name);
  g_free (source);
}

static void
source_remove (LoginSource *source, LoginRun *run)
{
  g_queue_unlink (&source->waiting, &run->link);
  login_queue ()->waiting--;
}

/* ---- whose turn it is ---- */

/* Tokens wait for no place: they are checked by the store, many at once. */
static gboolean
login_has_place (const LoginRun *run)
{
  return run->login->form == FAR_LOGIN_TOKEN || login_queue ()->under_way < LOGIN_UNDER_WAY;
}

static FarThrottleWord
login_ask_throttle (LoginRun *run, gint64 *at_us, char **why)
{
  *at_us = 0;
  return run->counted ? far_throttle_enter (&run->try, run->since_us, at_us, why) : FAR_THROTTLE_GO;
}

static void
source_go (LoginSource *source, LoginRun *run)
{
  source_remove (source, run);
  run->entered = TRUE;
  login_queue ()->under_way += run->login->form != FAR_LOGIN_TOKEN;
  far_login_run (run);
}

static void
source_turn_away (LoginSource *source, LoginRun *run, LoginCrowd crowd)
{
  source_remove (source, run);
  far_login_turn_away (run, crowd);
}

/* Waits on, unless too many of its source do. */
static void
source_delay (LoginSource *source, LoginRun *run, gint64 until_us, Round *round)
{
  if (until_us == 0)
    return;
  if (++round->delayed > LOGIN_DELAYED)
    source_turn_away (source, run, LOGIN_CROWD_DELAYED);
  else
    round->at_us = MIN (round->at_us, until_us);
}

/* TRUE: the source has used its turn. */
static gboolean
source_try (LoginSource *source, LoginRun *run, Round *round)
{
  g_autofree char *why = NULL;
  gint64 until_us = 0;

  if (far_request_ended (run->req)) {
    source_remove (source, run);
    far_login_drop (run);
    return FALSE;
  }
  if (far_clock_boottime_us () - run->since_us > LOGIN_WAIT_US) {
    source_turn_away (source, run, LOGIN_CROWD_SLOW);
    return FALSE;
  }
  if (!login_has_place (run))
    return FALSE;
  switch (login_ask_throttle (run, &until_us, &why)) {
  case FAR_THROTTLE_GO:
    source_go (source, run);
    return TRUE;
  case FAR_THROTTLE_REFUSED:
    source_remove (source, run);
    far_login_refuse (run, why);
    return FALSE;
  default:
    source_delay (source, run, until_us, round);
    return FALSE;
  }
}

static gboolean
source_turn (LoginSource *source, Round *round)
{
  round->delayed = 0;
  for (GList *link = source->waiting.head, *after; link != NULL; link = after) {
    after = link->next;
    if (source_try (source, link->data, round))
      return TRUE;
  }
  return FALSE;
}

/* One turn for each; who has had it goes to the end. TRUE: somebody got one, and there may be more. */
static gboolean
login_queue_round (Round *round)
{
  GList *link = login_queue ()->turns.head;
  gboolean any = FALSE;

  for (guint n = login_queue ()->turns.length; n > 0; n--) {
    LoginSource *source = link->data;

    link = link->next;
    if (source_turn (source, round)) {
      any = TRUE;
      g_queue_unlink (&login_queue ()->turns, &source->link);
      g_queue_push_tail_link (&login_queue ()->turns, &source->link);
    }
    if (source->waiting.length == 0)
      source_free (source);
  }
  return any;
}

static void
login_queue_timer (gpointer data G_GNUC_UNUSED)
{
  g_clear_pointer (&login_queue ()->timer, far_loop_timer_free);
  login_queue_step ();
}

static void
login_queue_wake_at (gint64 at_us)
{
  if (at_us == G_MAXINT64)
    g_clear_pointer (&login_queue ()->timer, far_loop_timer_free);
  else if (login_queue ()->timer != NULL)
    far_loop_timer_set (login_queue ()->timer, at_us);
  else
    login_queue ()->timer = far_loop_timer (far_loop_main (), at_us, login_queue_timer, NULL);
}

/* Somebody's turn may end at once, and ask for the next: that one waits for the round to end. */
static void
login_queue_step (void)
{
  Round round = { .at_us = G_MAXINT64 };

  login_queue ()->again = TRUE;
  if (login_queue ()->stepping)
    return;
  login_queue ()->stepping = TRUE;
  while (login_queue ()->again) {
    login_queue ()->again = FALSE;
    round = (Round){ .at_us = G_MAXINT64 };
    if (login_queue_round (&round))
      login_queue ()->again = TRUE;
  }
  login_queue ()->stepping = FALSE;
  login_queue_wake_at (round.at_us);
}

/* ---- who comes and goes ---- */

static LoginSource *
login_queue_longest (void)
{
  LoginSource *longest = NULL;

  for (GList *link = login_queue ()->turns.head; link != NULL; link = link->next) {
    LoginSource *source = link->data;

    if (longest == NULL || source->waiting.length > longest->waiting.length)
      longest = source;
  }
  return longest;
}

/* A newcomer of a source that has as many waiting as any other finds no place. */
static gboolean
login_queue_make_room (const LoginSource *source)
{
  LoginSource *longest;
  LoginRun *last;

  if (source->waiting.length >= LOGIN_WAITING_SOURCE)
    return FALSE;
  if (login_queue ()->waiting < LOGIN_WAITING)
    return TRUE;
  longest = login_queue_longest ();
  if (longest->waiting.length <= source->waiting.length + 1)
    return FALSE;
  last = longest->waiting.tail->data;
  source_turn_away (longest, last, LOGIN_CROWD_ALL);
  return TRUE;
}

void
far_login_queue_add (LoginRun *run)
{
  LoginSource *source = source_get (run->source);

  run->since_us = far_clock_boottime_us ();
  run->link.data = run;
  if (login_queue_make_room (source)) {
    g_queue_push_tail_link (&source->waiting, &run->link);
    login_queue ()->waiting++;
  } else
    far_login_turn_away (run, source->waiting.length >= LOGIN_WAITING_SOURCE ? LOGIN_CROWD_SOURCE
                                                                             : LOGIN_CROWD_ALL);
  login_queue_step ();
}

void
far_login_queue_leave (LoginRun *run, FarTryOutcome outcome)
{
  if (!run->entered)
    return;
  run->entered = FALSE;
  if (run->counted)
    far_throttle_leave (&run->try, outcome);
  login_queue ()->under_way -= run->login->form != FAR_LOGIN_TOKEN;
  login_queue_step ();
}

void
far_login_queue_counts (guint *waiting, guint *under_way)
{
  *waiting = login_queue ()->waiting;
  *under_way = login_queue ()->under_way;
}

void
far_login_queue_clear (void)
{
  while (login_queue ()->turns.head != NULL) {
    LoginSource *source = login_queue ()->turns.head->data;

    while (source->waiting.head != NULL) {
      LoginRun *run = source->waiting.head->data;

      source_remove (source, run);
      far_request_cancel (run->req);
      far_login_drop (run);
    }
    source_free (source);
  }
  g_clear_pointer (&login_queue ()->by_name, g_hash_table_unref);
  g_clear_pointer (&login_queue ()->timer, far_loop_timer_free);
}
