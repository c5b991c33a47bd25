/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tunnel ends that this terminal may dial. The cloud says where, and it may lie: a terminal that dialled
 * whatever it is told would scan its own network for the cloud. */
#include "config.h"

#include "agent.h"

gboolean
agent_ends_good (const AgentOpts *opts, GError **error)
{
  if (far_carrier_ends_good (opts->tunnel_ends, error))
    return TRUE;
  g_prefix_error (error, "option 'tunnel-ends': ");
  return FALSE;
}

gboolean
agent_end_allowed (Agent *self, const char *address, GError **error)
{
  g_autofree char *place = far_carrier_end_place (self->link_from, address);
  if (far_carrier_end_allowed (agent_opts (self)->tunnel_ends, self->link_from, address))
    return TRUE;
  g_set_error (
      error, FAR_ERROR, FAR_ERROR_DENIED,
      _ ("terminal '%s' may dial no tunnel end at %s: its profile says where (agent: option 'tunnel-ends')"),
      far_node_id (), place);
  return FALSE;
}

/* Without a list the host of the link decides; while there is no link, what was judged when there was one
 * holds. */
gboolean
agent_end_still_allowed (Agent *self, const char *address, GError **error)
{
  char **list = agent_opts (self)->tunnel_ends;
  return ((!list || !*list) && !self->link_from) || agent_end_allowed (self, address, error);
}
