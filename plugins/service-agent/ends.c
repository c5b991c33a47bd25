/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tunnel ends that this terminal may dial. The cloud says where, and it may lie: a terminal that dialled
 * whatever it is told would scan its own network for the cloud. No name is looked up to decide: that, too,
 * would tell somebody something. */
#include "config.h"

#include "agent.h"

#include <farwatch/gate.h>

#include <string.h>

/* One item of the option: HOST, HOST:PORT, an address or a net. Port 0: any. */
typedef struct {
  char *host;
  guint16 port;
} AgentEnd;

static void
end_clear (AgentEnd *end)
{
  g_free (end->host);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AgentEnd, end_clear)

static gboolean
is_net (const char *text)
{
  g_autoptr (GError) error = NULL;
  far_address_in ("127.0.0.1", text, &error);
  return error == NULL;
}

static gboolean
end_read (const char *text, AgentEnd *end)
{
  g_autofree char *with_port = g_strconcat (text, ":1", NULL);
  guint16 unused;
  *end = (AgentEnd){ 0 };
  if (is_net (text)) {
    end->host = g_strdup (text);
    return TRUE;
  }
  if (far_parse_address (text, &end->host, &end->port, NULL))
    return end->port != 0;
  return far_parse_address (with_port, &end->host, &unused, NULL);
}

static gboolean
same_host (const char *host, const char *other)
{
  return g_ascii_strcasecmp (host, other) == 0 || far_address_in (host, other, NULL);
}

static gboolean
end_fits (const char *text, const char *host, guint16 port)
{
  g_auto (AgentEnd) end = { 0 };
  return end_read (text, &end) && same_host (host, end.host) && (end.port == 0 || end.port == port);
}

gboolean
agent_ends_good (const AgentOpts *opts, GError **error)
{
  for (char **item = opts->tunnel_ends; item && *item; item++) {
    g_auto (AgentEnd) end = { 0 };
    if (end_read (*item, &end))
      continue;
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
                 _ ("option 'tunnel-ends': '%s' is no HOST, HOST:PORT or net, as in cloud.example:2222 or "
                    "192.0.2.0/24"),
                 *item);
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
    return self->link_from && same_host (host, self->link_from);
  for (; *list; list++)
    if (end_fits (*list, host, port))
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
