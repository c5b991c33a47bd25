/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file frees what describes a tunnel. Everything else about tunnels is done by transports
 * (farwatch/tunnel.h). */
#include "config.h"

#include <farwatch/tunnel.h>

void
far_tunnel_free (FarTunnel *tunnel)
{
  if (!tunnel)
    return;
  g_free (tunnel->address);
  g_free (tunnel->y_host);
  g_free (tunnel->host_key);
  g_free (tunnel);
}
