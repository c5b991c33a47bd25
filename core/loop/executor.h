/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header declares what the daemon needs of executors (threads for blocking work): that they end. Work is
 * given to an executor by far_run_blocking() (farwatch/request.h). */
#pragma once
#include <farwatch/request.h>

/* Ends all executors after the work that waits there, but for one that hangs; for shutdown. [main] */
void far_executors_end (void);
/* Does work wait or go on, or is its end on its way to main? For who moves the fake clock. [main] */
gboolean far_executors_busy (void);
