/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages between nodes: services name a transport and a peer, the transport carries. */
#include "config.h"

#include "reach/peer.h"

#include "base/node-part.h"

#include <string.h>

#include <farwatch/i18n.h>
#include <farwatch/plugin.h>
#include <farwatch/thread.h>

#include "message/router.h"
#include "reach/registry-private.h"

/* Links that are up: "transport\npeer" → address. A service that starts later is told of them. [main] */
typedef struct {
  GHashTable *up;
} PeersUp;

static void
peer_part_clear (gpointer part)
{
  far_peer_forget ();
}

static PeersUp *
peer_part (void)
{
  static const FarNodePart part = { FAR_PART_PEER, sizeof (PeersUp), NULL, peer_part_clear };

  return far_node_part (&part);
}

/* `req`, if there is one, is this transport's to end. */
static const FarMessageOps *
peer_ops_for (FarRequest *req, const char *transport, gpointer *self, GError **error)
{
  FarInstance *at = far_instance_find (FAR_KIND_TRANSPORT, transport, error);
  const FarMessageOps *ops;

  if (at != NULL && req != NULL)
    far_request_serve (req, at);
  if (at == NULL)
    return NULL;
  ops = ((const FarTransportType *) far_instance_type (at))->messages;
  if (ops == NULL)
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
                 _ ("transport %s carries no messages: name one of type websocket"), transport);
  *self = far_instance_self (at);
  return ops;
}

static const FarMessageOps *
peer_ops (const char *transport, gpointer *self, GError **error)
{
  return peer_ops_for (NULL, transport, self, error);
}

void
far_peer_send (const char *transport, const char *peer, FarMessage *request, FarRequest *req)
{
  FAR_ON_MAIN ();
  GError *error = NULL;
  gpointer self = NULL;
  const FarMessageOps *ops = peer_ops_for (req, transport, &self, &error);
  g_autoptr (FarMessage) counted = ops != NULL && ops->send != NULL ? far_hops_count (request, &error) : NULL;

  if (counted != NULL)
    ops->send (self, peer, counted, req);
  else if (error != NULL)
    far_request_fail (req, error);
  else
    far_request_fail_new (req, FAR_ERROR_CONFIG, _ ("transport %s sends no messages"), transport);
}

gboolean
far_peer_connected (const char *transport, const char *peer)
{
  FAR_ON_MAIN ();
  gpointer self = NULL;
  const FarMessageOps *ops = peer_ops (transport, &self, NULL);

  return ops != NULL && ops->connected != NULL && ops->connected (self, peer);
}

void
far_peer_cut (const char *transport, const char *peer, const char *cause)
{
  FAR_ON_MAIN ();
  gpointer self = NULL;
  const FarMessageOps *ops = peer_ops (transport, &self, NULL);

  if (ops != NULL && ops->cut != NULL)
    ops->cut (self, peer, cause);
}

void
far_peer_hurry (const char *transport, gboolean hurry)
{
  FAR_ON_MAIN ();
  gpointer self = NULL;
  const FarMessageOps *ops = peer_ops (transport, &self, NULL);

  if (ops != NULL && ops->hurry != NULL)
    ops->hurry (self, hurry);
}

static void
peer_tell (FarInstance *service, const char *transport, const char *peer, gboolean up, const char *from)
{
  const FarServiceType *type = (const FarServiceType *) far_instance_type (service);

  if (type->ops != NULL && type->ops->peer != NULL)
    type->ops->peer (far_instance_self (service), transport, peer, up, from);
}

static void
peer_note (const char *transport, const char *peer, gboolean up, const char *from)
{
  g_autofree char *key = g_strconcat (transport, "\n", peer, NULL);

  if (peer_part ()->up == NULL)
    peer_part ()->up = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  if (up)
    g_hash_table_insert (peer_part ()->up, g_steal_pointer (&key), g_strdup (from));
  else
    g_hash_table_remove (peer_part ()->up, key);
}

gboolean
far_peer_is_up (const char *transport, const char *peer, const char **from)
{
  g_autofree char *key = g_strconcat (transport, "\n", peer, NULL);
  gpointer found = NULL;

  if (peer_part ()->up == NULL || !g_hash_table_lookup_extended (peer_part ()->up, key, NULL, &found) ||
      !far_peer_connected (transport, peer))
    return FALSE;
  if (from != NULL)
    *from = found;
  return TRUE;
}

void
far_peer_changed (FarInstance *transport, const char *peer, gboolean up, const char *from)
{
  FAR_ON_MAIN ();
  g_autoptr (GPtrArray) services = far_instance_list (FAR_KIND_SERVICE);
  g_autofree char *name = g_strdup (far_instance_name (transport));

  peer_note (name, peer, up, from);
  far_registry_link (name, peer, up, from);
  for (guint i = 0; i < services->len; i++)
    peer_tell (services->pdata[i], name, peer, up, from);
}

void
far_services_devices_changed (void)
{
  g_autoptr (GPtrArray) services = far_instance_list (FAR_KIND_SERVICE);

  for (guint i = 0; i < services->len; i++) {
    const FarServiceType *type = (const FarServiceType *) far_instance_type (services->pdata[i]);

    if (type->ops != NULL && type->ops->devices != NULL)
      type->ops->devices (far_instance_self (services->pdata[i]));
  }
}

void
far_peer_catch_up (FarInstance *service)
{
  g_autoptr (GPtrArray) keys = g_ptr_array_new_with_free_func (g_free);
  GHashTableIter iter;
  gpointer key;

  if (peer_part ()->up == NULL)
    return;
  g_hash_table_iter_init (&iter, peer_part ()->up);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    g_ptr_array_add (keys, g_strdup (key));
  for (guint i = 0; i < keys->len; i++) { /* what is told may change the links */
    char *transport = keys->pdata[i], *peer = strchr (transport, '\n');
    g_autofree char *from = g_strdup (g_hash_table_lookup (peer_part ()->up, transport));

    *peer++ = '\0';
    if (far_peer_connected (transport, peer))
      peer_tell (service, transport, peer, TRUE, from);
  }
}

void
far_peer_forget (void)
{
  g_clear_pointer (&peer_part ()->up, g_hash_table_unref);
}
