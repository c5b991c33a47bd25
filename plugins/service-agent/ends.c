/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tunnel ends that this terminal may dial. The cloud says where, and it may lie: a terminal that dialled
 * whatever it is told would scan its own network for the cloud. No name is looked up to decide: that, too,
 * would tell somebody something. */
#include "config.h"

#include "agent.h"

#include <farwatch/gate.h>

#include <string.h>

gboolean
agent_ends_good (const AgentOpts *opts, GError **error)
{
  for (char **item = opts->tunnel_ends; item && *item; item++) {
    GError *fault = NULL;
    far_address_at ("127.0.0.1", 1, *item, &fault);
    if (!fault)
      continue;
    g_propagate_prefixed_error (error, fault, "option 'tunnel-ends': ");
    return FALSE;
  }
  return TRUE;
}

/* A tunnel end that does not know its own name is where the link goes; its host key says whether that is
 * true. */
char *
agent_end_place (Agent *self, const char *address)
{
  gboolean wildcard = g_str_has_prefix (address, "0.0.0.0:") || g_str_has_prefix (address, "[::]:");
  if (!wildcard || !self->link_from)
    return g_strdup (address);
  return g_strdup_printf (strchr (self->link_from, ':') ? "[%s]%s" : "%s%s", self->link_from,
                          strrchr (address, ':'));
}

static gboolean
end_allowed (Agent *self, const char *host, guint16 port)
{
  char **list = agent_opts (self)->tunnel_ends;
  if (!list || !*list)
    return self->link_from && far_address_at (host, port, self->link_from, NULL);
  for (; *list; list++)
    if (far_address_at (host, port, *list, NULL))
      return TRUE;
  return FALSE;
}

gboolean
agent_end_allowed (Agent *self, const char *address, GError **error)
{
  g_autofree char *place = agent_end_place (self, address), *host = NULL;
  guint16 port = 0;
  if (far_parse_address (place, &host, &port, NULL) && end_allowed (self, host, port))
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
