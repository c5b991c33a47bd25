/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header declares what core itself says about links to peers: to a service that has just come up,
 * after a reload, and at the end. Plugins use farwatch/message.h. [main] */
#pragma once
#include <farwatch/instance.h>

/* Tells a service that has just come up which links are up already: they may have come before it. [main] */
void far_peer_catch_up (FarInstance *service);
/* Tells every service that runs: a reload has read the devices of the profile again. */
void far_services_devices_changed (void);
/* Has this node a link to the peer? *from (may be NULL): whence it came, borrowed; NULL: not known. */
gboolean far_peer_is_up (const char *transport, const char *peer, const char **from);
/* At the daemon's end. [main] */
void far_peer_forget (void);
