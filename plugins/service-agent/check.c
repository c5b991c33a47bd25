/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An offer comes from the cloud, which may lie: its form, and this node's own rules. An offer may narrow,
 * never widen. */
#include "config.h"

#include "agent.h"

#include <string.h>

static gboolean
agent_check_bad (GError **error, const char *what)
{
  g_set_error (error, FAR_ERROR, FAR_ERROR_PROTOCOL, _ ("offer without a usable %s"), what);
  return FALSE;
}

static gboolean
read_numbers (json_t *json, AgentOffer *offer, GError **error)
{
  json_int_t generation = json_integer_value (json_object_get (json, "generation"));
  offer->for_us = json_integer_value (json_object_get (json, "for_us"));
  if (generation < 1 || generation > G_MAXINT)
    return agent_check_bad (error, "generation");
  if (offer->for_us <= 0)
    return agent_check_bad (error, "for_us");
  offer->generation = generation;
  return TRUE;
}

static gboolean
read_choices (json_t *json, AgentOffer *offer, GError **error)
{
  const char *entry = agent_text (json, "entry"), *login = agent_text (json, "login");
  if (g_strcmp0 (entry, "ports") != 0 && g_strcmp0 (entry, "stream") != 0)
    return agent_check_bad (error, "entry");
  if (g_strcmp0 (login, "in-band") != 0 && g_strcmp0 (login, "in-advance") != 0)
    return agent_check_bad (error, "login");
  offer->entry = strcmp (entry, "ports") == 0 ? FAR_ENTRY_PORTS : FAR_ENTRY_STREAM;
  offer->in_advance = strcmp (login, "in-advance") == 0;
  return TRUE;
}

static gboolean
short_text (const char *text)
{
  return text && *text && strlen (text) <= 4096;
}

/* The carrier's own part, by the transport here that has its kind. */
static gboolean
read_part (Agent *self, json_t *json, AgentOffer *offer, GError **error)
{
  const AgentOpts *opts = agent_opts (self);
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  g_ptr_array_add (names, opts->tunnel);
  for (char **name = opts->carriers; name && *name; name++)
    g_ptr_array_add (names, *name);
  g_ptr_array_add (names, NULL);
  offer->part = far_carrier_part ((const char *const *) names->pdata, json, &offer->transport, error);
  offer->address = agent_text (offer->part, "address");
  return offer->part != NULL;
}

void
agent_offer_clear (AgentOffer *offer)
{
  g_clear_pointer (&offer->part, json_decref);
}

gboolean
agent_offer_read (Agent *self, json_t *json, AgentOffer *offer, GError **error)
{
  *offer = (AgentOffer){ .session = agent_text (json, "session"),
                         .request = agent_text (json, "request"),
                         .device = agent_text (json, "device"),
                         .person = agent_text (json, "person"),
                         .asker = agent_text (json, "asker"),
                         .reason = agent_text (json, "reason"),
                         .sealed = agent_text (json, "sealed"),
                         .login_box = agent_text (json, "login_box") };
  if (!short_text (offer->session) || strlen (offer->session) > 64 ||
      strspn (offer->session, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._-") != strlen (offer->session))
    return agent_check_bad (error, "session");
  if (!read_part (self, json, offer, error))
    return FALSE;
  if (!short_text (offer->person) || strlen (offer->person) > 64)
    return agent_check_bad (error, "person");
  if (!short_text (offer->sealed))
    return agent_check_bad (error, "sealed");
  return read_numbers (json, offer, error) && read_choices (json, offer, error);
}

static gboolean
allowed_time (Agent *self, const AgentOffer *offer, GError **error)
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
agent_offer_end (Agent *self, AgentOffer *offer, GError **error)
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
agent_offer_allowed (Agent *self, AgentOffer *offer, GError **error)
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
agent_offer_continues (const AgentSession *session, const AgentOffer *offer, GError **error)
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
