/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A session at the terminal: the state machine decides (doc/sessions.md), this file lets each new state have
 * its effects. */
#include "config.h"

#include "agent.h"

#define REMEMBERED_US (24 * G_GINT64_CONSTANT (3600) * G_USEC_PER_SEC)
#define REMEMBERED_MAX 200
#define SECOND_LOOK_US (G_USEC_PER_SEC / 2)
#define RETRY_FIRST_US G_USEC_PER_SEC

AgentSession *
agent_session_new (Agent *self, const char *id)
{
  AgentSession *session = g_new0 (AgentSession, 1);
  session->refs = 1;
  session->self = self;
  session->id = g_strdup (id);
  session->state = FAR_SESSION_REQUESTED;
  return session;
}

AgentSession *
agent_session_ref (AgentSession *session)
{
  session->refs++;
  return session;
}

void
agent_session_unref (AgentSession *session)
{
  if (--session->refs > 0)
    return;
  char *texts[] = { session->id,     session->person,  session->asker,    session->reason,
                    session->device, session->address, session->host_key, session->cause };
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    g_free (texts[i]);
  agent_session_forget_token (session);
  far_instance_timer_stop (&session->timer);
  g_free (session);
}

void
agent_session_forget_token (AgentSession *session)
{
  far_instance_timer_stop (&session->redial);
  g_clear_pointer (&session->token, far_secret_free);
}

AgentSession *
agent_session (Agent *self, const char *id)
{
  return id ? g_hash_table_lookup (self->sessions, id) : NULL;
}

gboolean
agent_session_live (const AgentSession *session)
{
  return session->state != FAR_SESSION_CLOSED;
}

guint
agent_sessions_live (Agent *self)
{
  guint n = 0;
  GHashTableIter iter;
  gpointer session;
  g_hash_table_iter_init (&iter, self->sessions);
  while (g_hash_table_iter_next (&iter, NULL, &session))
    n += agent_session_live (session);
  return n;
}

gboolean
agent_waits (Agent *self)
{
  GHashTableIter iter;
  gpointer session;
  g_hash_table_iter_init (&iter, self->sessions);
  while (g_hash_table_iter_next (&iter, NULL, &session))
    if (((AgentSession *) session)->state == FAR_SESSION_RESUMING)
      return TRUE;
  return FALSE;
}

/* Somebody works here: a link that is lost comes back at once, whatever the profile has for quiet times. */
void
agent_hurry (Agent *self)
{
  far_peer_hurry (agent_opts (self)->link, agent_sessions_live (self) > 0);
}

/* The time for which a session that is not open yet may stay so. */
static gint64
opening_limit_us (const AgentSession *session)
{
  return far_clock_boottime_us () + 2 * agent_opts (session->self)->poll + 30 * G_USEC_PER_SEC;
}

static void
agent_session_timer_done (gpointer user)
{
  AgentSession *session = agent_session_ref (user);
  if (session->state == FAR_SESSION_CLOSING) { /* the tunnel end did not answer: nothing is left that could */
    session->dialled = NULL;
    agent_session_event (session, FAR_SESSION_EV_TUNNEL_ENDED, NULL, NULL);
  } else if (session->opened) {
    agent_session_event (session, FAR_SESSION_EV_DEADLINE, "deadline", NULL);
  } else {
    agent_session_event (session, FAR_SESSION_EV_FAILED, "not opened in time", NULL);
  }
  agent_session_unref (session);
}

void
agent_session_timer (AgentSession *session, gint64 boottime_us)
{
  far_instance_timer (session->self->at, &session->timer, boottime_us, agent_session_timer_done, session);
}

/* The one that closed first, of those that the cloud knows to be closed if there are any. */
static AgentSession *
oldest_closed (Agent *self)
{
  AgentSession *oldest = NULL;
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init (&iter, self->sessions);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    AgentSession *session = value;
    gboolean before = !oldest ||
                      (session->reported != oldest->reported ? session->reported
                                                             : session->closed_us < oldest->closed_us);
    if (!agent_session_live (session) && before)
      oldest = session;
  }
  return oldest;
}

static gboolean
is_forgettable (gpointer id, gpointer value, gpointer user)
{
  const AgentSession *session = value;
  return !agent_session_live (session) && session->reported &&
         far_clock_boottime_us () > session->closed_us + REMEMBERED_US;
}

/* Closed sessions are kept for a day, to know their offers again (which expire by themselves as well); a busy
 * terminal keeps the last ones. */
static void
sessions_forget (Agent *self)
{
  AgentSession *oldest;
  g_hash_table_foreach_remove (self->sessions, is_forgettable, NULL);
  while (g_hash_table_size (self->sessions) > REMEMBERED_MAX && (oldest = oldest_closed (self)))
    g_hash_table_remove (self->sessions, oldest->id);
}

static void
agent_session_entered_open (AgentSession *session)
{
  agent_session_forget_token (session);
  session->opened = TRUE;
  session->again = FALSE;
  session->failures = 0;
  agent_session_timer (session, session->deadline.boottime_us + SECOND_LOOK_US);
}

/* The link under the tunnel is gone: another credential is wanted, soon, then ever more slowly. */
void
agent_session_wait (AgentSession *session)
{
  guint shift = MIN (session->failures, 6);
  agent_session_forget_token (session);
  session->again = TRUE;
  agent_poll_soon (session->self, session->failures ? RETRY_FIRST_US << (shift - 1) : 0);
}

static void
agent_session_entered_closing (AgentSession *session)
{
  agent_session_forget_token (session);
  agent_session_timer (session, far_clock_boottime_us () + 2 * G_USEC_PER_SEC);
  agent_tunnel_end (session);
}

static void
entered_closed (AgentSession *session)
{
  Agent *self = session->self;
  agent_session_forget_token (session);
  far_instance_timer_stop (&session->timer);
  session->closed_us = far_clock_boottime_us ();
  far_device_unlock (NULL, session->id);
  far_log (self->at, G_LOG_LEVEL_MESSAGE, "session closed: %s, %s, %s", session->id, session->asker,
           session->cause);
  agent_report (session);
  sessions_forget (self);
}

static void
agent_session_entered (AgentSession *session, FarSessionState before)
{
  switch (session->state) {
  case FAR_SESSION_PERMITTED:
    if (!session->timer)
      agent_session_timer (session, opening_limit_us (session));
    if (before == FAR_SESSION_OPENING)
      agent_session_wait (session);
    break;
  case FAR_SESSION_RESUMING:
    agent_session_wait (session);
    break;
  case FAR_SESSION_OPEN:
    agent_session_entered_open (session);
    break;
  case FAR_SESSION_CLOSING:
    agent_session_entered_closing (session);
    break;
  case FAR_SESSION_CLOSED:
    entered_closed (session);
    break;
  default:
    break;
  }
}

gboolean
agent_session_event (AgentSession *session, FarSessionEvent event, const char *cause, GError **error)
{
  FarSessionState before = session->state;
  if (!session->self || !far_session_apply (&session->state, event, error))
    return FALSE;
  gboolean ends = session->state == FAR_SESSION_CLOSING || session->state == FAR_SESSION_CLOSED;
  if (ends && !session->cause)
    session->cause = g_strdup (cause ? cause : far_session_event_name (event));
  agent_session_ref (session);
  if (session->state != before)
    agent_session_entered (session, before);
  if (session->self)
    agent_hurry (session->self);
  agent_session_unref (session);
  return TRUE;
}

void
agent_session_abandon (AgentSession *session)
{
  agent_session_forget_token (session);
  far_device_unlock (NULL, session->id);
  if (session->dialled)
    agent_tunnel_end (session);
  session->self = NULL;
}

json_t *
agent_session_show (const AgentSession *session)
{
  g_autofree char *deadline = session->opened ? far_clock_format (session->deadline.wall_us) : NULL;
  return json_pack ("{s:s, s:s, s:s?, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:s?, s:I, s:I, s:I, s:s?}",
                    "session", session->id, "terminal", far_node_id (), "device", session->device, "person",
                    session->asker, "reason", session->reason, "entry",
                    session->entry == FAR_ENTRY_PORTS ? "ports" : "stream", "login",
                    session->in_advance ? "in-advance" : "in-band", "state",
                    far_session_state_name (session->state), "spec_state",
                    far_session_state_spec (session->state), "generation", (int) session->generation,
                    "for_us", (json_int_t) session->for_us, "deadline", deadline, "bytes_up",
                    (json_int_t) session->bytes_up, "bytes_down", (json_int_t) session->bytes_down,
                    "arrivals", (json_int_t) session->arrivals, "cause", session->cause);
}
