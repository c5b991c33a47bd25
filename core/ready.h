/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
#include <glib.h>

/* A line to the service manager ("READY=1"), where there is one ($NOTIFY_SOCKET). [main] */
void far_notify (const char *text);
