/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header shows the table of login tickets to the rest of core: its limits, how many tickets there
 * are, and how all are dropped. What interfaces call to give and to check a ticket is public
 * (farwatch/login.h). [main] */
#pragma once
#include <glib.h>

#define FAR_FRONT_TICKET_US (12 * G_TIME_SPAN_HOUR)
#define FAR_FRONT_TICKETS 4096
#define FAR_FRONT_TICKETS_PER_NAME 32

guint far_login_ticket_count (void);
void far_login_ticket_clear (void);
