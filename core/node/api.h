/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the daemon starts and stops of the interfaces. [main] */
#pragma once
#include <farwatch/message.h>

/* Core's own handlers: login, users, rights, explain, methods. Rights kept in the store called main are read
 * once it runs. */
void far_api_start (void);
/* What core answers itself, for far_profile_set_own_requests(): tables, ending with NULL. */
const FarHandler *const *far_api_tables (void);
void far_api_stop (void);

/* The control socket: far_message frames over a unix socket, people by SO_PEERCRED. path is made anew;
 * FAR_ERROR_CONFIG, FAR_ERROR_CONFLICT when another daemon answers there. */
gboolean far_control_start (const char *path, GError **error);
void far_control_stop (void);

/* The authenticators of an interface, NULL-terminated; NULL: it has none. transport NULL: the control socket.
 */
const char *const *far_api_login (const char *transport);
const char *far_api_no_login (void); /* what is said where that is empty */
