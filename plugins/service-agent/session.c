/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kind of session that a terminal has (farwatch/book.h): the book keeps it, this file lets each new state
 * have its effects. Nothing of it is on disk: the cloud has the rows, and a terminal that starts anew has no
 * tunnels. */
#include "config.h"

#include "agent.h"

/* Closed sessions are known for a day, so that their offers are known again (which expire by themselves as
 * well); a busy terminal keeps the last ones. */
#define REMEMBERED_US (24 * G_GINT64_CONSTANT (3600) * G_USEC_PER_SEC)
#define REMEMBERED_MAX 200

static AgentSession *
agent_of (FarSession *session)
{
  return (AgentSession *) session;
}

gboolean
agent_waits (Agent *self)
{
  g_autoptr (GPtrArray) live = far_book_live (self->book);
  for (guint i = 0; i < live->len; i++)
    if (((AgentSession *) live->pdata[i])->state == FAR_SESSION_RESUMING)
      return TRUE;
  return FALSE;
}

/* Somebody works here: a link that is lost comes back at once, whatever the profile has for quiet times. */
void
agent_hurry (Agent *self)
{
  far_peer_hurry (agent_opts (self)->link, agent_sessions_live (self) > 0);
}

static gint64
agent_kind_wait_us (FarSession *session)
{
  return 2 * agent_opts (agent_of (session)->self)->poll + 30 * G_USEC_PER_SEC;
}

static void
agent_kind_end (FarSession *session)
{
  agent_tunnel_end (agent_of (session));
}

static void
agent_session_opened (AgentSession *session)
{
  agent_session_forget_token (session);
  session->again = FALSE;
  far_carrier_tries_up (&session->tries);
}

/* A tunnel end that did not answer in time has nothing left that could. */
static void
agent_session_over (AgentSession *session)
{
  agent_session_forget_token (session);
  if (session->carrier)
    far_carrier_end (session->carrier, session->cause);
  g_clear_pointer (&session->carrier, far_carrier_unref);
  far_device_unlock (NULL, session->id);
  far_log (session->self->at, G_LOG_LEVEL_MESSAGE, "session closed: %s, %s, %s", session->id, session->person,
           session->cause);
  agent_report (session);
}

static void
agent_kind_entered (FarSession *base, FarSessionState before, FarSessionEvent event)
{
  AgentSession *session = agent_of (base);
  Agent *self = session->self;
  if (session->state == FAR_SESSION_RESUMING ||
      (session->state == FAR_SESSION_PERMITTED && before == FAR_SESSION_OPENING))
    agent_session_wait (session);
  else if (session->state == FAR_SESSION_OPEN)
    agent_session_opened (session);
  else if (session->state == FAR_SESSION_CLOSING)
    agent_session_forget_token (session);
  else if (session->state == FAR_SESSION_CLOSED)
    agent_session_over (session);
  agent_hurry (self);
}

static gboolean
agent_kind_told (const FarSession *session)
{
  return ((const AgentSession *) session)->reported;
}

static gboolean
agent_kind_visible (const FarSession *session, const FarPrincipal *principal)
{
  return far_authorize (principal, FAR_ACTION_MANAGE, session->object, NULL, NULL) == FAR_DECISION_ALLOW;
}

static void
agent_kind_gone (FarSession *base)
{
  AgentSession *session = agent_of (base);
  agent_session_forget_token (session);
  far_device_unlock (NULL, session->id);
  if (session->carrier)
    agent_tunnel_end (session);
  session->self = NULL;
}

static void
agent_kind_clear (FarSession *base)
{
  AgentSession *session = agent_of (base);
  char *texts[] = { session->user, session->device, session->address, session->transport };
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    g_free (texts[i]);
  json_decref (session->part);
  g_clear_pointer (&session->carrier, far_carrier_unref);
  g_clear_pointer (&session->before, far_carrier_unref);
  agent_session_forget_token (session);
}

json_t *
agent_session_show (const FarSession *base)
{
  const AgentSession *session = (const AgentSession *) base;
  g_autofree char *deadline = session->tries.opened ? far_clock_format (session->deadline.wall_us) : NULL;
  return json_pack ("{s:s, s:s, s:s?, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:s?, s:I, s:I, s:I, s:s?}",
                    "session", session->id, "terminal", far_node_id (), "device", session->device, "person",
                    session->person, "reason", session->reason, "entry",
                    session->entry == FAR_ENTRY_PORTS ? "ports" : "stream", "login",
                    session->in_advance ? "in-advance" : "in-band", "state",
                    far_session_state_name (session->state), "spec_state",
                    far_session_state_spec (session->state), "generation", (int) session->generation,
                    "for_us", (json_int_t) session->for_us, "deadline", deadline, "bytes_up",
                    (json_int_t) session->bytes_up, "bytes_down", (json_int_t) session->bytes_down,
                    "arrivals", (json_int_t) session->arrivals, "cause", session->cause);
}

const FarSessionKind agent_session_kind = {
  .name = "agent",
  .size = sizeof (AgentSession),
  .remembered = REMEMBERED_MAX,
  .remembered_us = REMEMBERED_US,
  .wait_once = TRUE,
  .end_us = 2 * G_USEC_PER_SEC,
  .wait_us = agent_kind_wait_us,
  .entered = agent_kind_entered,
  .end = agent_kind_end,
  .show = agent_session_show,
  .visible = agent_kind_visible,
  .told = agent_kind_told,
  .gone = agent_kind_gone,
  .clear = agent_kind_clear,
};
