/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes of this machine's own network, as the kernel tells them (rtnetlink): a link is up or down, an
 * address or a route has come or gone. What lies beyond the next router shows nowhere here. Whoever waits for
 * a way to open again asks then, and by time as well. */
#pragma once
#include <farwatch/loop.h>

G_BEGIN_DECLS

typedef struct _FarNetworkWatch FarNetworkWatch;

/* func runs on main, a little after a change, for all that change together: at most once in
 * FAR_NETWORK_QUIET_US. Never fails: without a kernel that tells there is nothing to hear. [main] */
#define FAR_NETWORK_QUIET_US (G_USEC_PER_SEC / 4)
FarNetworkWatch *far_network_watch_new (FarLoopFunc func, gpointer data);
/* NULL is fine; not inside func. [main] */
void far_network_watch_free (FarNetworkWatch *watch);

G_END_DECLS
