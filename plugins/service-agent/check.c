/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An offer comes from the cloud, which may lie: this node's own rules. An offer may narrow, never widen; its
 * form is core's (farwatch/offer.h). */
#include "config.h"

#include "agent.h"

#include <string.h>

gboolean
agent_offer_read (Agent *self, json_t *json, FarOffer *offer, GError **error)
{
  const AgentOpts *opts = agent_opts (self);
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  g_ptr_array_add (names, opts->tunnel);
  for (char **name = opts->carriers; name && *name; name++)
    g_ptr_array_add (names, *name);
  g_ptr_array_add (names, NULL);
  return far_offer_read ((const char *const *) names->pdata, json, offer, error);
}

static gboolean
allowed_time (Agent *self, const FarOffer *offer, GError **error)
{
  const AgentOpts *opts = agent_opts (self);
  g_autofree char *longest = far_format_duration (opts->max_duration);
  if (offer->for_us > opts->max_duration) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_DENIED, _ ("terminal '%s' allows at most %s"), far_node_id (),
                 longest);
    return FALSE;
  }
  if (!opts->hours || !*opts->hours)
    return TRUE;
  gboolean open = far_hours_contain (opts->hours, far_clock_wall_us (), offer->for_us, error);
  if (!open && (!error || !*error))
    g_set_error (error, FAR_ERROR, FAR_ERROR_DENIED, _ ("terminal '%s' is open for access only %s"),
                 far_node_id (), opts->hours);
  return open;
}

gboolean
agent_offer_end (Agent *self, FarOffer *offer, GError **error)
{
  g_autoptr (GError) local = NULL;
  FarCarrierLook look, common;
  if (agent_end_allowed (self, offer->address, &local))
    return TRUE;
  if (!far_carrier_look (offer->transport, &look) || !far_carrier_look (agent_opts (self)->tunnel, &common) ||
      strcmp (look.kind, common.kind) == 0) {
    g_propagate_error (error, g_steal_pointer (&local));
    return FALSE;
  }
  offer->unreached = look.kind;
  far_log_limited (self->at, look.kind, "carrier '%s' is not dialled: %s", look.kind, local->message);
  return TRUE;
}

gboolean
agent_offer_allowed (Agent *self, FarOffer *offer, GError **error)
{
  const AgentOpts *opts = agent_opts (self);
  if (offer->device && !far_device_find (offer->device)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_NOT_FOUND, _ ("terminal '%s' has no device '%s'"),
                 far_node_id (), offer->device);
    return FALSE;
  }
  if (agent_sessions_live (self) >= opts->sessions) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_LIMIT,
                 _ ("terminal '%s' has %u sessions already (agent: option 'sessions'): try later"),
                 far_node_id (), agent_sessions_live (self));
    return FALSE;
  }
  if (offer->in_advance && (!opts->in_advance || !opts->in_advance[0])) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_DENIED, _ ("terminal '%s' takes no login in advance"),
                 far_node_id ());
    return FALSE;
  }
  if (!offer->in_advance && (!opts->login || !*opts->login)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_DENIED, _ ("terminal '%s' takes no login in band"),
                 far_node_id ());
    return FALSE;
  }
  return agent_offer_end (self, offer, error) && allowed_time (self, offer, error);
}

gboolean
agent_offer_continues (const AgentSession *session, const FarOffer *offer, GError **error)
{
  const char *fault = NULL;
  if (!agent_session_live (session) || session->state == FAR_SESSION_CLOSING)
    fault = "the session is closed";
  else if (session->state == FAR_SESSION_REQUESTED)
    fault = "the login of the one before is being checked";
  else if (offer->generation <= session->generation)
    fault = "an old generation";
  else if (g_strcmp0 (offer->device, session->device) != 0)
    fault = "another device";
  else if (g_strcmp0 (offer->person, session->user) != 0)
    fault = "another person";
  else if (offer->entry != session->entry || offer->in_advance != session->in_advance)
    fault = "another entry";
  else if (offer->for_us > session->for_us)
    fault = "a longer time";
  if (fault)
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFLICT, _ ("offer for session '%s' refused: %s"),
                 offer->session, fault);
  return fault == NULL;
}
