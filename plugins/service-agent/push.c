/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the cloud asks by itself, at the other end of our own link: it offers, wants a poll, closes. */
#include "config.h"

#include "agent.h"

static void
push_taken (FarRequest *req, gpointer user)
{
  FarCall *call = user;
  const GError *error = far_request_error (req);
  if (error)
    far_call_fail (call, g_error_copy (error));
  else
    far_call_answer (call, 202, json_object ());
}

/* Only the node at the other end of our own link may speak of sessions. */
static gboolean
from_cloud (Agent *self, FarCall *call)
{
  gboolean yes = call->principal->kind == FAR_PRINCIPAL_NODE &&
                 g_strcmp0 (call->transport, agent_opts (self)->link) == 0;
  if (!yes)
    far_call_fail_new (call, FAR_ERROR_DENIED, _ ("only this terminal's cloud may ask that"));
  return yes;
}

void
agent_offers_post (gpointer data, FarCall *call)
{
  Agent *self = data;
  if (!from_cloud (self, call))
    return;
  agent_offer_take (self, call->body, far_request_of (self->at, push_taken, call, NULL, 0));
}

void
agent_poll_now_post (gpointer data, FarCall *call)
{
  Agent *self = data;
  if (!from_cloud (self, call))
    return;
  far_cycle_soon (self->polls, 0);
  far_call_answer (call, 202, json_object ());
}

void
agent_close_post (gpointer data, FarCall *call)
{
  Agent *self = data;
  if (!from_cloud (self, call))
    return;
  AgentSession *session = agent_session (self, call->parts[0]);
  gboolean live = session && agent_session_live (session);
  if (live)
    agent_session_event (session, FAR_SESSION_EV_CLOSE_ASKED, agent_text (call->body, "cause"), NULL);
  far_call_answer (call, 202, json_pack ("{s:b}", "live", live)); /* not live: no report will come */
}
