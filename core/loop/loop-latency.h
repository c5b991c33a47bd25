/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header declares the watch over the main context's turns: how many took too long, and in how many
 * the thread slept. `farctl status` shows both. */
#pragma once
#include <glib.h>

/* Watches the main context: an iteration that takes more than 50 ms of the thread's CPU is counted and told.
 * [main] */
void far_loop_latency_watch (void);
guint far_loop_latency_count (void);
/* Turns in which the thread went to sleep by itself (a voluntary context switch): something waited there for
 * a disk, a lock, a process. One of more than 50 ms is told. */
guint far_loop_latency_waits (void);
