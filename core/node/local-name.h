/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Users of this machine, as `local:NAME` in a right means them. */
#pragma once
#include <farwatch/request.h>
#include <jansson.h>

/* What keeps this name from coming in at the control socket, whose group is `group`; caller frees; NULL:
 * nothing. May wait for a network. [any thread] */
char *far_local_name_odd (const char *name, const char *group);
/* Looks after all names of `local:` in these rights. Result: json_t* object of name → what is odd about it,
 * freed with the request. [main] */
void far_local_names_odd (json_t *rights, FarRequest *req);
/* The name of this uid at the control socket; caller frees. [any thread] */
char *far_local_name (unsigned uid);
