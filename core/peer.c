/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages between nodes: services name a transport and a peer, the transport carries. */
#include "config.h"

#include <farwatch/i18n.h>
#include <farwatch/plugin.h>

static const FarMessageOps *
peer_ops (const char *transport, gpointer *self, GError **error)
{
  FarInstance *at = far_instance_find (FAR_KIND_TRANSPORT, transport, error);
  const FarMessageOps *ops;

  if (at == NULL)
    return NULL;
  ops = ((const FarTransportType *) far_instance_type (at))->messages;
  if (ops == NULL)
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, _("transport %s carries no messages: name one of type websocket"), transport);
  *self = far_instance_self (at);
  return ops;
}

void
far_peer_send (const char *transport, const char *peer, FarMessage *request, FarRequest *req)
{
  GError *error = NULL;
  gpointer self = NULL;
  const FarMessageOps *ops = peer_ops (transport, &self, &error);

  if (ops == NULL)
    far_request_fail (req, error);
  else if (ops->send == NULL)
    far_request_fail_new (req, FAR_ERROR_CONFIG, _("transport %s sends no messages"), transport);
  else
    ops->send (self, peer, request, req);
}

gboolean
far_peer_connected (const char *transport, const char *peer)
{
  gpointer self = NULL;
  const FarMessageOps *ops = peer_ops (transport, &self, NULL);

  return ops != NULL && ops->connected != NULL && ops->connected (self, peer);
}

void
far_peer_cut (const char *transport, const char *peer, const char *cause)
{
  gpointer self = NULL;
  const FarMessageOps *ops = peer_ops (transport, &self, NULL);

  if (ops != NULL && ops->cut != NULL)
    ops->cut (self, peer, cause);
}

void
far_peer_changed (FarInstance *transport, const char *peer, gboolean up, const char *from)
{
  g_autoptr (GPtrArray) services = far_instance_list (FAR_KIND_SERVICE);
  g_autofree char *name = g_strdup (far_instance_name (transport));

  for (guint i = 0; i < services->len; i++) {
    FarInstance *service = services->pdata[i];
    const FarServiceType *type = (const FarServiceType *) far_instance_type (service);

    if (type->ops != NULL && type->ops->peer != NULL)
      type->ops->peer (far_instance_self (service), name, peer, up, from);
  }
}
