/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file sets the timer that each state needs, and lets the states have their effects: a session that does
 * not open in time fails, one that is open has a deadline, one that is closing is given up after its grace.
 */
#include "config.h"

#include "reach/book-private.h"

#include <farwatch/clock.h>

#define SECOND_LOOK_US (G_USEC_PER_SEC / 2) /* the tunnel end cuts by itself at the deadline */

static void
state_due (gpointer user)
{
  FarSession *session = far_session_ref (user);

  if (session->state < FAR_SESSION_OPEN)
    far_session_event (session, FAR_SESSION_EV_FAILED, "not opened in time", NULL);
  else if (session->state < FAR_SESSION_CLOSING)
    far_session_event (session, FAR_SESSION_EV_DEADLINE, "deadline", NULL);
  else if (session->state == FAR_SESSION_CLOSING && session->in->ending && session->kind->end_us > 0)
    far_session_event (session, FAR_SESSION_EV_TUNNEL_ENDED, NULL,
                       NULL); /* nothing is left that could say so */
  else if (session->state == FAR_SESSION_CLOSING)
    far_book_end (session);
  far_session_unref (session);
}

static void
timer_at (FarSession *session, gint64 boottime_us)
{
  far_instance_timer (session->book->at, &session->in->timer, boottime_us, state_due, session);
}

static void
timer_in (FarSession *session, gint64 in_us)
{
  timer_at (session, far_clock_boottime_us () + in_us);
}

void
far_book_end (FarSession *session)
{
  if (session->kind->end_us > 0 && !session->in->ending) /* once, however often a peer reports */
    timer_in (session, session->kind->end_us);
  session->in->ending = TRUE;
  session->kind->end (session);
}

void
far_book_wait (FarSession *session)
{
  if (session->state >= FAR_SESSION_OPEN)
    timer_at (session, session->deadline.boottime_us + SECOND_LOOK_US);
  else if (session->in->timer == NULL || !session->kind->wait_once)
    timer_in (session, session->kind->wait_us (session));
}

static void
book_entered_closing (FarSession *session, FarSessionEvent event)
{
  gint64 grace_us = session->kind->grace_us != NULL ? session->kind->grace_us (session, event) : 0;

  if (grace_us > 0)
    timer_in (session, grace_us);
  else
    far_book_end (session);
}

static void
book_entered_closed (FarSession *session)
{
  FarBook *book = session->book;

  far_instance_timer_stop (&session->in->timer);
  session->closed_us = far_clock_wall_us ();
  session->in->over_us = far_clock_boottime_us ();
  far_book_uncount (session);
  g_queue_push_tail (&book->closed, session);
}

void
far_book_entered (FarSession *session, FarSessionState before, FarSessionEvent event)
{
  FarSessionState state = session->state;

  if (state == FAR_SESSION_AWAITING || state == FAR_SESSION_PERMITTED)
    far_book_wait (session);
  if (state == FAR_SESSION_OPEN) {
    session->opened_us = session->opened_us != 0 ? session->opened_us : far_clock_wall_us ();
    far_book_wait (session);
  }
  if (state == FAR_SESSION_CLOSED)
    book_entered_closed (session);
  if (session->kind->entered != NULL)
    session->kind->entered (session, before, event);
  if (state == FAR_SESSION_CLOSING && session->state == state)
    book_entered_closing (session, event);
}
