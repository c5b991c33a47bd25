/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header declares what the daemon tells its service manager (sd_notify(3)): that it is ready, and by
 * a watchdog that its main context turns. */
#pragma once
#include <glib.h>

/* A line to the service manager ("READY=1"), where there is one ($NOTIFY_SOCKET). [main] */
void far_notify (const char *text);
/* Tells it at half of $WATCHDOG_USEC that the main context turns; a main context that is stuck is ended and
 * started anew. TRUE: it wants that. [main] */
gboolean far_notify_watchdog_start (void);
void far_notify_watchdog_stop (void);
