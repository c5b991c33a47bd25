/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file brings rows of terminals and devices into core's registry, and takes them out again. */
#include "config.h"

#include "fleet.h"

/* Is it another node that has the name now? One that was registered without a certificate is known by its SSH
 * key. */
static gboolean
key_differs (const json_t *before, const json_t *now)
{
  const char *spki = fleet_text (before, "spki"), *ssh = fleet_text (before, "ssh");
  if (spki)
    return g_strcmp0 (spki, fleet_text (now, "spki")) != 0;
  return ssh && fleet_text (now, "spki") && g_strcmp0 (ssh, fleet_text (now, "ssh")) != 0;
}

/* Whoever wrote the row, and in whichever life: what the one before was given is void. */
static void
end_replaced (Fleet *self, const char *id, const json_t *now)
{
  const FarRegistryNode *known = far_registry_node (id);
  if (!known || !key_differs (known->row, now))
    return;
  fleet_link_cut (self, id, "enrolled with another key");
  far_registry_void (self->at, id, FAR_REGISTRY_REPLACED);
}

const FarRegistryNode *
fleet_terminal_load (Fleet *self, json_t *row)
{
  const char *id = fleet_text (row, "terminal");
  if (!far_object_name_ok (id))
    return NULL;
  g_autofree char *object = fleet_object (id, NULL);
  g_autoptr (GPtrArray) names = fleet_site_names (row);
  end_replaced (self, id, row);
  FarRegistryEntry entry = { id, object, (const char *const *) names->pdata, row };
  return far_registry_put (self->at, &entry);
}

void
fleet_terminal_forget (Fleet *self, const char *id)
{
  far_registry_remove (self->at, id);
}

gboolean
fleet_terminal_part (Fleet *self, const char *id, FarPart *part, char **text)
{
  const FarRegistryNode *terminal = id ? far_registry_node (id) : NULL;
  if (!terminal)
    return FALSE;
  *text = fleet_json_text (terminal->row);
  *part = (FarPart){ .kind = FAR_PART_ROW,
                     .table = "terminals",
                     .key = terminal->id,
                     .row = *text,
                     .expect = FLEET_EXPECT_KNOWN };
  return TRUE;
}

/* ---- links ---- */

void
fleet_link_cut (Fleet *self, const char *peer, const char *cause)
{
  const char *nodes = fleet_opts (self)->nodes;
  if (nodes)
    far_peer_cut (nodes, peer, cause);
}

void
fleet_link_up (Fleet *self, const char *peer, const char *from)
{
  if (far_registry_node (peer))
    return;
  far_log_limited (self->at, peer, "node '%s' from %s is not registered: link cut", peer, from ? from : "?");
  fleet_link_cut (self, peer, "not registered");
}

/* ---- devices ---- */

gboolean
fleet_device_load (Fleet *self, json_t *row)
{
  const FarRegistryNode *terminal = far_registry_node (fleet_text (row, "terminal"));
  const char *name = fleet_text (row, "device");
  if (!terminal || !far_object_name_ok (name))
    return FALSE;
  return far_registry_device_put (self->at, terminal->id, name, row);
}

void
fleet_device_forget (Fleet *self, const char *key)
{
  g_auto (GStrv) names = g_strsplit (key, "/", 2);
  if (names[0] && names[1])
    far_registry_device_remove (self->at, names[0], names[1]);
}

/* Those of the terminal whose names are not in `there` go. */
void
fleet_devices_keep (Fleet *self, const char *terminal, GHashTable *there)
{
  const FarRegistryNode *known = far_registry_node (terminal);
  g_autoptr (GList) names = known ? g_hash_table_get_keys (known->devices) : NULL;
  for (GList *at = names; at; at = at->next)
    if (!g_hash_table_contains (there, at->data))
      far_registry_device_remove (self->at, terminal, at->data);
}
