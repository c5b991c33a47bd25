/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A hub's life. It stands below the connections, each of which holds one whether it becomes a link or not;
 * what a hub is for, its links, is link.c. */
#include "config.h"

#include "link.h"

WsHub *
ws_hub_new (FarInstance *at, gpointer self, const WsHubFuncs *funcs)
{
  WsHub *hub = g_new0 (WsHub, 1);

  hub->refs = 1;
  hub->at = at;
  hub->self = self;
  hub->transport = g_strdup (far_instance_name (at));
  hub->funcs = funcs;
  hub->links = g_hash_table_new (NULL, NULL);
  return hub;
}

WsHub *
ws_hub_ref (WsHub *hub)
{
  g_atomic_int_inc (&hub->refs);
  return hub;
}

void
ws_hub_unref (WsHub *hub)
{
  if (hub == NULL || !g_atomic_int_dec_and_test (&hub->refs))
    return;
  g_hash_table_unref (hub->links);
  g_free (hub->transport);
  g_free (hub);
}
