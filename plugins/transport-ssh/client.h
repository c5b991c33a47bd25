/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The terminal's end of tunnels: dials the tunnel end, proves itself, asks for what reaches X, joins each connection that comes with the
 * stream its user gives. One record a session from its first dial to ENDED; a carrier that is lost may be dialled anew. All [main]. */
#pragma once
#include <farwatch/plugin.h>

G_BEGIN_DECLS

typedef struct _Client Client;

Client *client_new (FarInstance *at);
void client_free (Client *client);   /* cuts all; no more events */
void client_dial (Client *client, const FarDialSpec *spec, FarTunnelFunc events, gpointer user, FarRequest *req);
/* FALSE: no such session here. */
gboolean client_end (Client *client, const char *session, const char *cause);
gboolean client_set_deadline (Client *client, const char *session, gint64 boottime_us);
guint client_count (Client *client);

G_END_DECLS
