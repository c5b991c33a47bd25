/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
#include <farwatch/request.h>

/* Ends all lanes after the work that waits there, but for one that hangs; for shutdown. [main] */
void far_lanes_end (void);
