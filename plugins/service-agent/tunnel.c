/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tunnel from here to Z, and what comes through it (S109–S119, S200–S209). */
#include "config.h"

#include "agent.h"

#include <string.h>

#define DIAL_TIMEOUT_MS 30000
#define DIALS_AT_ONCE 8 /* half of what a tunnel end takes of one address before login */
/* They wait for the check of a login, which takes as long as whoever asked for it wants; places of their own,
 * so that no other dial waits with them. */
#define PREPARED_AT_ONCE 2
/* The cause that the cloud hears. What it is like at the place where it had us dial is for this node's log
 * alone. */
#define NOT_REACHED "the terminal cannot reach the tunnel end, its log says why"

/* ---- end ---- */

void
agent_tunnel_end (AgentSession *session)
{
  if (session->carrier)
    far_carrier_end (session->carrier, session->cause ? session->cause : "closed");
  else
    agent_session_event (session, FAR_SESSION_EV_TUNNEL_ENDED, NULL, NULL);
}

/* ---- the credential ---- */

void
agent_session_forget_token (AgentSession *session)
{
  far_instance_timer_stop (&session->redial);
  g_clear_pointer (&session->token, far_secret_free);
}

/* The link under the tunnel is gone: another credential is wanted, soon, then ever more slowly. */
void
agent_session_wait (AgentSession *session)
{
  agent_session_forget_token (session);
  session->again = TRUE;
  far_cycle_soon (session->self->polls,
                  far_carrier_tries_wait_us (&session->tries, session->unreached != NULL));
}

/* ---- dial ---- */

static void
redial (gpointer user)
{
  agent_dial (user);
}

/* Another credential is wanted, or, by `unreached`, another carrier. */
void
agent_dial_again (AgentSession *session)
{
  if (session->state == FAR_SESSION_OPENING)
    agent_session_event (session, FAR_SESSION_EV_LINK_LOST, NULL, NULL);
  else if (session->state == FAR_SESSION_RESUMING)
    agent_session_wait (session);
}

/* `error` NULL: it may not be dialled from here. */
static void
agent_dial_failed (AgentSession *session, const GError *error)
{
  Agent *self = session->self;
  FarCarrierTry next = far_carrier_tried (&session->tries, session->carrier, error, self->linked);
  if (error)
    far_log_limited (self->at, session->id, "tunnel of session %s did not come up: %s", session->id,
                     error->message);
  if (error && next == FAR_CARRIER_TRY_ELSEWHERE)
    session->unreached = far_carrier_kind (session->carrier);
  if (next == FAR_CARRIER_TRY_NO_MORE)
    agent_session_event (session, FAR_SESSION_EV_FAILED, NOT_REACHED, NULL);
  else if (next == FAR_CARRIER_TRY_SAME && session->token && !session->redial)
    far_instance_timer (self->at, &session->redial, far_clock_boottime_us () + FAR_CARRIER_SAME_US, redial,
                        session);
  else
    agent_dial_again (session);
}

void
agent_dial_elsewhere (AgentSession *session)
{
  agent_dial_failed (session, NULL);
}

typedef struct {
  AgentSession *session;
  guint generation;
} AgentDial;

static void
agent_dial_free (gpointer data)
{
  AgentDial *dial = data;
  agent_session_unref (dial->session);
  g_free (dial);
}

static void dial_now (AgentSession *session);

/* One less is under way; whoever is first in line, and still wants to, goes. */
static void
agent_dial_next (Agent *self)
{
  AgentSession *session;
  self->dialling--;
  while (self->dialling < DIALS_AT_ONCE && (session = g_queue_pop_head (&self->in_line))) {
    session->in_line = FALSE;
    if (agent_session_live (session) && session->token)
      dial_now (session);
    agent_session_unref (session);
  }
}

void
agent_dials_forget (Agent *self)
{
  g_queue_clear_full (&self->in_line, (GDestroyNotify) agent_session_unref);
}

static void
agent_dial_unprepare (AgentSession *session)
{
  session->prepared = FALSE;
  session->self->preparing--;
}

static void
agent_dialled (FarRequest *req, gpointer user)
{
  AgentDial *dial = user;
  AgentSession *session = dial->session;
  const GError *error = far_request_error (req);
  if (session->prepared) { /* in vain: what the check of the login says is dialled for anew */
    agent_dial_unprepare (session);
  } else {
    if (error && agent_session_live (session) && dial->generation == session->generation)
      agent_dial_failed (session, error);
    agent_dial_next (session->self);
  }
  agent_dial_free (dial);
}

static void
event_up (AgentSession *session, const FarCarrierEvent *event)
{
  g_autoptr (GError) error = NULL;
  if (!session->tries.opened) {
    far_deadline_set (&session->deadline, session->for_us);
    if (event->deadline_boot_us > 0)
      session->deadline.boottime_us = MIN (session->deadline.boottime_us, event->deadline_boot_us);
  }
  if (!agent_session_event (session, FAR_SESSION_EV_TUNNEL_UP, NULL, &error)) {
    far_log (session->self->at, G_LOG_LEVEL_WARNING, "tunnel not wanted: %s, %s", session->id,
             error->message);
    agent_tunnel_end (session);
  }
}

static void
event_ended (AgentSession *session, const FarCarrierEvent *event)
{
  g_clear_pointer (&session->carrier, far_carrier_unref);
  if (session->self && g_strcmp0 (event->cause, "deadline") == 0)
    agent_session_event (session, FAR_SESSION_EV_DEADLINE, "deadline", NULL);
  if (session->self && agent_session_live (session))
    agent_session_event (session, FAR_SESSION_EV_TUNNEL_ENDED, event->cause, NULL);
}

static void
agent_tunnel_event (const FarCarrierEvent *event, gpointer user)
{
  AgentSession *session = user;
  far_session_counted (&session->base, event->bytes_up, event->bytes_down);
  if (event->kind == FAR_CARRIER_ENDED) {
    event_ended (session, event);
  } else if (session->self && event->kind == FAR_CARRIER_UP) {
    event_up (session, event);
  } else if (session->self && event->kind == FAR_CARRIER_LOST) {
    agent_session_event (session, FAR_SESSION_EV_LINK_LOST, NULL, NULL);
  } else if (session->self && event->kind == FAR_CARRIER_REFUSED) {
    far_log_limited (session->self->at, session->id, "a connection of session %s was refused: %s",
                     session->id, event->cause ? event->cause : "?");
    agent_report_trouble (session, event->cause ? event->cause : "?");
  }
}

/* ---- what arrives ---- */

static void
arrived (const char *id, const char *from, FarLoop *loop, FarRequest *req, gpointer user)
{
  AgentSession *session = user;
  if (!session->self || session->state != FAR_SESSION_OPEN) {
    far_request_fail_new (req, FAR_ERROR_CONFLICT, _ ("session '%s' is %s"), id,
                          far_session_state_name (session->state));
    return;
  }
  const AgentOpts *opts = agent_opts (session->self);
  FarEndpointSpec spec = { .session = session->id,
                           .from = from,
                           .asker = session->person,
                           .device = session->device,
                           .want_loop = loop,
                           .deadline_us = session->deadline.boottime_us };
  session->arrivals++;
  if (!session->in_advance) { /* S200–S209: the login service asks, then joins the device or the shell */
    far_endpoint_open (opts->login, &spec, req);
    return;
  }
  spec.person = session->user;
  if (session->device)
    far_device_open (&spec, req);
  else if (opts->shell)
    far_endpoint_open (opts->shell, &spec, req);
  else
    far_request_fail_new (req, FAR_ERROR_CONFIG, _ ("this terminal has no shell (agent: option 'shell')"));
}

static void
agent_carrier_let_go (gpointer session)
{
  agent_session_unref (session);
}

void
agent_tunnel_change (AgentSession *session)
{
  FarCarrierLook look;
  if (!session->carrier || !far_carrier_look (session->transport, &look) ||
      strcmp (look.kind, far_carrier_kind (session->carrier)) == 0)
    return;
  g_clear_pointer (&session->before, far_carrier_unref);
  session->before = g_steal_pointer (&session->carrier);
  far_carrier_give_up (session->before, "another carrier is offered");
}

static const FarCarrierFuncs agent_carrier = { agent_tunnel_event, arrived, agent_carrier_let_go };

void
agent_dial (AgentSession *session)
{
  Agent *self = session->self;
  if (session->prepared && session->carrier) {
    agent_dial_unprepare (session);
    self->dialling++;
    far_carrier_show (session->carrier, session->token);
  } else if (self->dialling < DIALS_AT_ONCE) {
    dial_now (session);
  } else if (!session->in_line) {
    session->in_line = TRUE;
    g_queue_push_tail (&self->in_line, agent_session_ref (session));
  }
}

/* May it be dialled, and is there somebody to dial it? Else the session has failed. */
static gboolean
dial_may (AgentSession *session)
{
  g_autoptr (GError) error = NULL;
  FarCarrierLook look;
  if (!session->carrier && !far_carrier_look (session->transport, &look)) {
    agent_session_event (session, FAR_SESSION_EV_FAILED, "the terminal's tunnel transport does not run",
                         NULL);
    return FALSE;
  }
  if (agent_end_still_allowed (session->self, session->address, &error))
    return TRUE;
  far_log_limited (session->self->at, session->id, "tunnel of session %s is not dialled: %s", session->id,
                   error->message);
  agent_session_event (session, FAR_SESSION_EV_FAILED, NOT_REACHED, NULL);
  return FALSE;
}

/* `token` NULL: it is to be prepared. */
static void
agent_dial_begin (AgentSession *session, const char *token)
{
  FarCarrierOpen spec = { .session = session->id,
                          .part = session->part,
                          .address = session->address,
                          .token = token,
                          .length_us = session->tries.opened
                                           ? session->deadline.boottime_us - far_clock_boottime_us ()
                                           : session->for_us,
                          .before = session->before };
  AgentDial *dial = g_new0 (AgentDial, 1);
  *dial = (AgentDial){ agent_session_ref (session), session->generation };
  FarRequest *req = far_request_of (session->self->at, agent_dialled, dial, agent_dial_free, DIAL_TIMEOUT_MS);
  if (session->carrier)
    far_carrier_reopen (session->carrier, &spec, req);
  else
    session->carrier = far_carrier_open (session->transport, &spec, &agent_carrier,
                                         agent_session_ref (session), req);
}

static void
dial_now (AgentSession *session)
{
  if (!dial_may (session))
    return;
  session->self->dialling++;
  agent_dial_begin (session, session->token);
}

void
agent_dial_prepare (AgentSession *session)
{
  Agent *self = session->self;
  FarCarrierLook look;
  if (self->preparing < PREPARED_AT_ONCE && far_carrier_look (session->transport, &look) &&
      agent_end_still_allowed (self, session->address, NULL)) {
    session->prepared = TRUE;
    self->preparing++;
    agent_dial_begin (session, NULL);
  }
}
