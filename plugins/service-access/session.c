/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A session at the cloud: the state machine decides (doc/sessions.md), this file lets each new state have its
 * effects. */
#include "config.h"

#include "access.h"

AccessSession *
access_session_new (Access *self, const char *id)
{
  AccessSession *session = g_new0 (AccessSession, 1);
  session->refs = 1;
  session->self = self;
  session->id = g_strdup (id);
  session->state = FAR_SESSION_REQUESTED;
  session->asked_us = far_clock_wall_us ();
  session->history = access_history_key (session->asked_us, id);
  session->watches = g_array_new (FALSE, FALSE, sizeof (guint));
  return session;
}

AccessSession *
access_session_ref (AccessSession *session)
{
  session->refs++;
  return session;
}

static void
session_free (AccessSession *session)
{
  char *texts[] = {
    session->id,      session->request, session->terminal, session->device,  session->person,
    session->user,    session->from,    session->reason,   session->trouble, session->tunnel,
    session->link_to, session->cause,   session->ended_by, session->ticket,  session->history
  };
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    g_free (texts[i]);
  far_secret_free (session->login_box);
  g_clear_pointer (&session->principal, far_principal_unref);
  g_clear_pointer (&session->ports, far_tunnel_free);
  far_instance_timer_stop (&session->timer);
  json_decref (session->offer);
  g_clear_pointer (&session->turned, g_ptr_array_unref);
  g_array_unref (session->watches);
  g_free (session);
}

void
access_session_unref (AccessSession *session)
{
  if (--session->refs == 0)
    session_free (session);
}

AccessSession *
access_session (Access *self, const char *id)
{
  return id ? g_hash_table_lookup (self->sessions, id) : NULL;
}

gboolean
access_session_live (const AccessSession *session)
{
  return session->state != FAR_SESSION_CLOSED;
}

/* A request may wait for two polls and a little. */
gint64
access_session_wait_us (Access *self)
{
  return 2 * access_opts (self)->poll + 30 * G_USEC_PER_SEC;
}

static void
access_session_timer_done (gpointer user)
{
  AccessSession *session = access_session_ref (user);
  switch (session->state) {
  case FAR_SESSION_REQUESTED:
  case FAR_SESSION_AWAITING:
  case FAR_SESSION_PERMITTED:
  case FAR_SESSION_OPENING:
    access_session_event (session, FAR_SESSION_EV_FAILED, "not opened in time", NULL);
    break;
  case FAR_SESSION_OPEN:
  case FAR_SESSION_RESUMING:
    access_session_event (session, FAR_SESSION_EV_DEADLINE, "deadline", NULL);
    break;
  case FAR_SESSION_CLOSING:
    access_tunnel_end (session);
    break;
  default:
    break;
  }
  access_session_unref (session);
}

void
access_session_timer (AccessSession *session, gint64 boottime_us)
{
  far_instance_timer (session->self->at, &session->timer, boottime_us, access_session_timer_done, session);
}

void
access_session_renew_offer (AccessSession *session)
{
  session->generation++;
  session->withhold = FALSE;
  g_clear_pointer (&session->offer, json_decref);
  access_offer_make (session);
}

static void
entered_permitted (AccessSession *session, FarSessionState before)
{
  access_session_timer (session, far_clock_boottime_us () + access_session_wait_us (session->self));
  if (session->ports)
    access_session_renew_offer (session);
  else
    access_allocate (session);
}

static void
access_session_entered_open (AccessSession *session, FarSessionState before)
{
  if (!session->opened_us)
    session->opened_us = far_clock_wall_us ();
  /* the tunnel end cuts by itself at the deadline; this is the second look */
  access_session_timer (session, session->deadline.boottime_us + G_USEC_PER_SEC / 2);
}

static void
access_session_entered_closing (AccessSession *session, FarSessionEvent event)
{
  access_session_close_told (session);
  if (event == FAR_SESSION_EV_CLOSE_ASKED && session->ports)
    access_session_timer (session, far_clock_boottime_us () + access_opts (session->self)->grace);
  else
    access_tunnel_end (session);
}

static void
access_session_entered (AccessSession *session, FarSessionState before, FarSessionEvent event)
{
  switch (session->state) {
  case FAR_SESSION_AWAITING:
    access_session_timer (session, far_clock_boottime_us () + access_session_wait_us (session->self));
    break;
  case FAR_SESSION_PERMITTED:
    entered_permitted (session, before);
    break;
  case FAR_SESSION_OPEN:
    access_session_entered_open (session, before);
    break;
  case FAR_SESSION_RESUMING:
    access_session_renew_offer (session);
    break;
  case FAR_SESSION_CLOSING:
    access_session_entered_closing (session, event);
    break;
  case FAR_SESSION_CLOSED:
    access_session_ended (session);
    break;
  default:
    break;
  }
}

gboolean
access_session_event (AccessSession *session, FarSessionEvent event, const char *cause, GError **error)
{
  FarSessionState before = session->state;
  if (!session->self || !far_session_apply (&session->state, event, error))
    return FALSE;
  gboolean ends = session->state == FAR_SESSION_CLOSING || session->state == FAR_SESSION_CLOSED;
  if (ends && !session->cause)
    session->cause = g_strdup (cause ? cause : far_session_event_name (event));
  if (session->state == before) {
    if (event == FAR_SESSION_EV_REPORTED && session->state == FAR_SESSION_CLOSING)
      access_tunnel_end (session);
    return TRUE;
  }
  access_session_ref (session);
  FarSessionState now = session->state;
  access_session_entered (session, before, event);
  if (session->state == now) { /* else a further step has told and saved already */
    access_session_tell (session);
    access_session_save (session);
  }
  access_session_unref (session);
  return TRUE;
}
