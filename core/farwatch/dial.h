/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
#include <farwatch/request.h>
G_BEGIN_DECLS
void far_dial (const char *host, guint16 port, FarRequest *req);
int far_dial_take (FarRequest *req);
G_END_DECLS
