/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header declares what executors and instances need of requests beyond their public side: to hear of a
 * request's end, and to drop or refuse those of an instance that goes. Plugins use farwatch/request.h. */
#pragma once
#include <farwatch/request.h>

G_BEGIN_DECLS

/* ended(data) runs on main when the end of req is delivered, whoever ended it, before its done(): so that
 * what works for it stops at that moment. One a request, whose end is not delivered yet. [main] */
void far_request_set_ended (FarRequest *req, void (*ended) (gpointer data), gpointer data);

/* What the instance has asked for is nobody's any more. */
void far_requests_drop (FarInstance *at);
/* What the instance has been asked for and has not ended fails as unavailable. */
void far_requests_refuse (FarInstance *at);

G_END_DECLS
