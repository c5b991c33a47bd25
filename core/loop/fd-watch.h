/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A descriptor watched at an I/O thread or on main, for code that lives at either. Level-triggered. */
#pragma once
#include <farwatch/loop.h>

G_BEGIN_DECLS

typedef struct _FarFdWatch FarFdWatch;

/* As far_loop_watch(); ready: READ, WRITE or both. FAR_READY_CLOSED alone: it cannot be watched (told soon,
 * I/O threads only). NULL on an external loop. [loop] */
FarFdWatch *far_fd_watch_new (FarLoop *loop, int fd, guint ready, FarWatchFunc func, gpointer data);
/* Safe inside func; NULL is fine. [loop] */
void far_fd_watch_free (FarFdWatch *watch);

G_END_DECLS
