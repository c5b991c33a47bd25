/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An offer comes, by push or as the answer to a poll (S108); the same one may come by both. */
#include "config.h"

#include "agent.h"

static void
session_take_place (AgentSession *session, const FarOffer *offer)
{
  g_free (session->address);
  g_free (session->transport);
  json_decref (session->part);
  session->address = far_carrier_end_place (session->self->link_from, offer->address);
  session->transport = g_strdup (offer->transport);
  session->part = json_incref (offer->part);
  session->generation = offer->generation;
  session->again = FALSE;
  session->unreached = offer->unreached;
}

static AgentSession *
session_from (Agent *self, const FarOffer *offer)
{
  AgentSession *session = (AgentSession *) far_session_new (self->book, offer->session);
  session->self = self;
  session->object = g_strdup ("node"); /* whoever manages this terminal may see and end it */
  session->user = g_strdup (offer->person);
  session->person = g_strdup (offer->asker ? offer->asker : offer->person);
  session->reason = g_strdup (offer->reason ? offer->reason : "");
  session->device = g_strdup (offer->device);
  session->entry = offer->entry;
  session->in_advance = offer->in_advance;
  session->for_us = offer->for_us;
  session_take_place (session, offer);
  return session;
}

static void
offer_refuse (Agent *self, const char *session, GError *error, FarRequest *req)
{
  far_count ("offers", 1);
  far_log (self->at, G_LOG_LEVEL_WARNING, "offer refused: %s, %s", session ? session : "?", error->message);
  far_request_fail (req, error);
}

static void
session_go (AgentSession *session, char *token /* takes */)
{
  agent_session_forget_token (session);
  session->token = token;
  gboolean taken = agent_session_event (session, FAR_SESSION_EV_OFFERED, NULL, NULL);
  if (taken && session->unreached)
    agent_dial_elsewhere (session);
  else if (taken)
    agent_dial (session);
}

/* ---- a new session ---- */

typedef struct {
  AgentSession *session;
  char *token;
  FarRequest *outer;
} Wait;

static void
wait_free (gpointer data)
{
  Wait *wait = data;
  far_request_unref (wait->outer);
  far_secret_free (wait->token);
  agent_session_unref (wait->session);
  g_free (wait);
}

static void
agent_offer_login_checked (FarRequest *req, gpointer user)
{
  Wait *wait = user;
  AgentSession *session = wait->session;
  const GError *error = far_request_error (req);
  if (session->state == FAR_SESSION_REQUESTED && !error) {
    agent_session_event (session, FAR_SESSION_EV_PERMIT, NULL, NULL);
    session_go (session, g_steal_pointer (&wait->token));
    far_request_done (wait->outer, NULL, NULL);
  } else if (session->state == FAR_SESSION_REQUESTED) {
    session->reported = TRUE; /* the refusal itself is the report */
    session->denied = TRUE;
    agent_session_event (session, FAR_SESSION_EV_DENY, error->message, NULL);
    offer_refuse (session->self, session->id, g_error_copy (error), wait->outer);
  } else {
    far_request_fail_new (wait->outer, FAR_ERROR_CONFLICT, _ ("session '%s' is over"), session->id);
  }
  wait_free (wait);
}

/* The way to the tunnel end is prepared while the password is checked. */
static void
agent_offer_login (AgentSession *session, const FarOffer *offer, FarRequest *req)
{
  Agent *self = session->self;
  const AgentOpts *opts = agent_opts (self);
  gboolean asked = far_offer_login (offer, opts->keys, self->nonces, (const char *const *) opts->in_advance,
                                    req);
  if (!self->nonce_told || !far_nonces_fresh (self->nonces))
    far_cycle_soon (self->polls, 0); /* the next person needs a fresh nonce */
  if (asked)
    agent_dial_prepare (session);
}

static void
agent_offer_new (Agent *self, FarOffer *offer, FarRequest *req)
{
  GError *error = NULL;
  char *token = agent_offer_allowed (self, offer, &error)
                    ? far_offer_token (offer, agent_opts (self)->keys, &error)
                    : NULL;
  if (!token) {
    offer_refuse (self, offer->session, error, req);
    return;
  }
  AgentSession *session = session_from (self, offer);
  far_log (self->at, G_LOG_LEVEL_MESSAGE, "access offered: %s, %s%s%s, %s", session->id, session->person,
           session->device ? " to " : "", session->device ? session->device : "", session->reason);
  if (offer->in_advance) {
    Wait *wait = g_new0 (Wait, 1);
    *wait = (Wait){ agent_session_ref (session), token, far_request_ref (req) };
    agent_offer_login (session, offer,
                       far_request_of (self->at, agent_offer_login_checked, wait, wait_free, 0));
    return;
  }
  agent_session_event (session, FAR_SESSION_EV_PERMIT, NULL, NULL);
  session_go (session, token);
  far_request_done (req, NULL, NULL);
}

/* ---- the next generation ---- */

static void
offer_continue (Agent *self, AgentSession *session, FarOffer *offer, FarRequest *req)
{
  GError *error = NULL;
  gboolean good = agent_offer_continues (session, offer, &error) && agent_offer_end (self, offer, &error);
  char *token = good ? far_offer_token (offer, agent_opts (self)->keys, &error) : NULL;
  if (!token) {
    offer_refuse (self, offer->session, error, req);
    return;
  }
  if (session->state == FAR_SESSION_OPEN || session->state == FAR_SESSION_OPENING)
    agent_session_event (session, FAR_SESSION_EV_LINK_LOST, NULL, NULL); /* Z knows earlier than we do */
  session_take_place (session, offer);
  agent_tunnel_change (session);
  session_go (session, token);
  far_request_done (req, NULL, NULL);
}

void
agent_offer_take (Agent *self, json_t *json, FarRequest *req)
{
  g_auto (FarOffer) offer = { 0 };
  GError *error = NULL;
  if (!agent_offer_read (self, json, &offer, &error)) {
    offer_refuse (self, agent_text (json, "session"), error, req);
    return;
  }
  AgentSession *session = agent_session (self, offer.session);
  if (!session)
    agent_offer_new (self, &offer, req);
  else if (offer.generation == session->generation && agent_session_live (session))
    far_request_done (req, NULL, NULL); /* came by push and by poll */
  else if (offer.generation == session->generation && session->denied)
    far_request_fail_new (req, FAR_ERROR_DENIED, "%s", session->cause);
  else
    offer_continue (self, session, &offer, req);
}
