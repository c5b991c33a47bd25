/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
#include <glib.h>

#define FAR_TICKETS 8192

guint far_ticket_count (void);
void far_ticket_clear (void);
