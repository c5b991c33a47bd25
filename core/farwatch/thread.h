/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a function may be called. Each function of the public headers has one of these tags in its comment,
 * or its header says which one counts (build-aux/header-comments):
 *
 *   [main]        on the main context, which decides and never waits
 *   [loop]        at the thread of the loop of what it is given (a stream's, a timer's, a pass's)
 *   [old loop]    of what moves: at the thread of the loop that it leaves
 *   [any thread]  at any thread, also at several at once
 *   [one thread]  at any thread, but what it is given is at no other one meanwhile
 *   [blocking]    waits for a disk: at an executor or a thread of one's own, never on main
 *
 * The first two are asserted in builds with sanitizers (./configure --enable-sanitizers): the function's
 * first statement is FAR_ON_MAIN() or FAR_ON_LOOP(). In other builds they are nothing. Which thread calls is
 * the programmer's to know, so no input leads to one of them. */
#pragma once
#include <farwatch/loop.h>

G_BEGIN_DECLS

#ifdef FAR_CHECK_THREADS
#define FAR_ON_MAIN() far_thread_check_main (G_STRFUNC)
#define FAR_ON_LOOP(loop) far_thread_check_loop (G_STRFUNC, (loop))
#else
#define FAR_ON_MAIN() ((void) 0)
#define FAR_ON_LOOP(loop) ((void) 0)
#endif

/* What the macros are made of: aborts with the function's name and the thread's, unless it is called at main,
 * or at the loop's thread. [any thread] */
void far_thread_check_main (const char *function);
void far_thread_check_loop (const char *function, FarLoop *loop);

G_END_DECLS
