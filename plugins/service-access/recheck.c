/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A right that was taken away, or has ended, ends the sessions it gave. Looked at every two seconds: changes
 * of rights come from several places. */
#include "config.h"

#include "access.h"

#define EVERY_US (2 * G_USEC_PER_SEC)

/* NULL: the person still may. */
static const char *
recheck_fault (const AccessSession *session)
{
  const char *cause = NULL;
  if (far_authorize (session->principal, FAR_ACTION_CONNECT, session->object, NULL, &cause) ==
      FAR_DECISION_DENY)
    return cause ? cause : "no right";
  if (session->raw && far_authorize (session->principal, FAR_ACTION_CONNECT_RAW, session->object, NULL,
                                     &cause) == FAR_DECISION_DENY)
    return cause ? cause : "no right";
  return NULL;
}

static void
recheck_session (AccessSession *session)
{
  const char *fault = session->state < FAR_SESSION_CLOSING ? recheck_fault (session) : NULL;
  if (!fault)
    return;
  g_autofree char *cause = g_strdup_printf (N_ ("the right has ended: %s"), fault);
  access_session_event (session, FAR_SESSION_EV_FAILED, cause, NULL);
}

static void
recheck_now (gpointer user)
{
  Access *self = user;
  g_autoptr (GPtrArray) live = far_book_live (self->book);
  for (guint i = 0; i < live->len; i++)
    recheck_session (live->pdata[i]);
  access_recheck_start (self);
}

void
access_recheck_start (Access *self)
{
  far_instance_timer (self->at, &self->recheck, far_clock_boottime_us () + EVERY_US, recheck_now, self);
}
