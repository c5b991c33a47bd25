/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The end of a session: what it held goes, its history is closed, and it is remembered for a while so that
 * whoever asks hears how it ended. */
#include "config.h"

#include "access.h"

#define REMEMBERED 1000

static void
session_forget_oldest (Access *self)
{
  while (g_queue_get_length (&self->closed) > REMEMBERED) {
    g_autofree char *id = g_queue_pop_head (&self->closed);
    g_hash_table_remove (self->sessions, id);
  }
}

static void
session_let_go (AccessSession *session)
{
  far_instance_timer_stop (&session->timer);
  if (session->ticket)
    far_ticket_revoke (session->ticket);
  g_clear_pointer (&session->ticket, g_free);
  g_clear_pointer (&session->offer, json_decref);
  g_clear_pointer (&session->login_box, far_secret_free);
}

void
access_session_ended (AccessSession *session)
{
  Access *self = session->self;
  g_autofree char *claim = g_strdup_printf ("session/%s", session->id);
  session->closed_us = far_clock_wall_us ();
  session_let_go (session);
  access_rejected_end (session);
  far_token_withdraw (access_opts (self)->tokens, claim);
  far_log (self->at, G_LOG_LEVEL_MESSAGE, "session closed: %s, %s to %s%s%s, %s", session->id,
           session->person, session->terminal, session->device ? "/" : "",
           session->device ? session->device : "", session->cause);
  g_queue_push_tail (&self->closed, g_strdup (session->id));
  session_forget_oldest (self);
}

/* The instance stops: the tunnel end lets go; rows stay as they are and read `restart` at the next start. */
void
access_session_abandon (AccessSession *session)
{
  session_let_go (session);
  if (session->ports && access_session_live (session))
    access_tunnel_end (session);
  session->self = NULL;
}
