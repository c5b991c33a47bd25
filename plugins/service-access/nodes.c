/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The nodes the cloud consists of, with their tunnel ends: Z is drawn among those that are up (spec B5). Now
 * this node alone. */
#include "config.h"

#include "access.h"

#include <string.h>

typedef struct {
  guint reserved, open;
} Load;

static Load
tunnel_load (Access *self, const char *name)
{
  Load load = { 0, 0 };
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init (&iter, self->sessions);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    const AccessSession *session = value;
    if (!session->carrier || strcmp (session->tunnel, name) != 0)
      continue;
    load.reserved++;
    load.open += session->state == FAR_SESSION_OPEN;
  }
  return load;
}

static json_t *
tunnel_show (Access *self, const char *name, gboolean up)
{
  Load load = tunnel_load (self, name);
  return json_pack ("{s:s, s:b, s:b, s:i, s:i}", "tunnel", name, "up", up, "drawn",
                    access_tunnel_wanted (access_opts (self), name), "sessions", (int) load.reserved, "open",
                    (int) load.open);
}

static json_t *
node_show (Access *self)
{
  g_autoptr (GPtrArray) all = far_instance_list (FAR_KIND_TRANSPORT), terminals = far_registry_nodes ();
  json_t *tunnels = json_array ();
  guint links = 0;
  for (guint i = 0; i < all->len; i++) {
    const char *name = far_instance_name (all->pdata[i]);
    FarCarrierLook look;
    if (far_carrier_look (name, &look) && look.accepts)
      json_array_append_new (tunnels, tunnel_show (self, name, look.up));
  }
  for (guint i = 0; i < terminals->len; i++)
    links += ((const FarRegistryNode *) terminals->pdata[i])->connected;
  return json_pack ("{s:s, s:b, s:i, s:i, s:o}", "node", far_node_id (), "up", TRUE, "terminals",
                    (int) terminals->len, "connected", (int) links, "tunnels", tunnels);
}

void
access_nodes_get (gpointer data, FarCall *call)
{
  g_autofree char *object = g_strconcat ("nodes/", far_node_id (), NULL);
  json_t *list = json_array ();
  if (far_authorize_see (call->principal, object))
    json_array_append_new (list, node_show (data));
  far_call_answer (call, 200, json_pack ("{s:o, s:n}", "nodes", list, "next"));
}
