/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header declares when memory is given back. A daemon at rest keeps mapped what it uses, not what its
 * libraries touched while they started or while a session ran: heap that is free goes back, and pages of
 * programs and libraries that nothing wrote to are let go; who needs one again finds it in the page cache. */
#pragma once
#include <glib.h>

/* Before the first thread: one heap for each processor instead of eight. Each keeps some pages for good, and
 * more threads than that do not run at once. */
void far_memory_trim_heaps (void);
/* Does it now; KiB resident afterwards. [any thread] */
gsize far_memory_trim (void);
/* Its second half: bytes of address space let go; 0: somebody traces this process. [any thread] */
gsize far_memory_trim_text (void);
/* Looks 30 s from now, then once a minute, and trims where memory has grown since the last time and no bytes
 * are pumped. FALSE: no more. [main] */
void far_memory_trim_watch (gboolean wanted);
/* The last pump is over: looks in 30 s. [main] */
void far_memory_trim_soon (void);
