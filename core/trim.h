/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
#include <glib.h>

/* A daemon at rest keeps mapped what it uses, not what its libraries touched while they started or while a session ran: heap that is free goes
 * back, and pages of programs and libraries that nothing wrote to are let go; who needs one again finds it in the page cache. */
/* Does it now; KiB resident afterwards. [any thread] */
gsize far_trim (void);
/* Looks once a minute and trims where it has grown since the last time. [main] */
void far_trim_watch (void);
void far_trim_unwatch (void);
