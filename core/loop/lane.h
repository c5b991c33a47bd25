/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header declares what the daemon needs of lanes (threads for blocking work): that they end. Work is
 * given to a lane by far_run_blocking() (farwatch/request.h). */
#pragma once
#include <farwatch/request.h>

/* Ends all lanes after the work that waits there, but for one that hangs; for shutdown. [main] */
void far_lanes_end (void);
