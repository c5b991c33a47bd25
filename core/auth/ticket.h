/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header shows the table of stream tickets to the rest of core: its limit, how many tickets there
 * are, and how all are dropped. What plugins call is public (farwatch/message.h). [main] */
#pragma once
#include <glib.h>

#define FAR_TICKETS 8192

guint far_ticket_count (void);
void far_ticket_clear (void);
