/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Time. Deadlines run on CLOCK_BOOTTIME (they go on through suspend and clock steps), stamps on wall time.
 * The wall time is the one that this node believes: what the node at the other end of its link tells, over
 * TLS, when the system's clock is more than two seconds off; before that the latest of the system's clock,
 * the day of the build, its own certificate's first day, and the last time that was told. The test clock
 * (environment FARWATCH_TEST_CLOCK=1 at start) adds an offset that only ever grows, so that tests jump over
 * an hour instead of sleeping; all loops' timers are re-armed by a jump.
 * Functions are [any thread] unless their comment says otherwise. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

typedef enum { FAR_CLOCK_BOOT, FAR_CLOCK_WALL } FarClockKind;

/* Microseconds. [any thread] */
gint64 far_clock_boottime_us (void);
gint64 far_clock_wall_us (void);
/* What the system's clock says, right or wrong. [any thread] */
gint64 far_clock_system_us (void);
/* How far it is ahead of what another node told (< 0: behind). FALSE: none has told. [any thread] */
gboolean far_clock_skew_us (gint64 *skew_us);
/* Another node has told the time, or the kernel says that the clock is synchronised. [any thread] */
gboolean far_clock_is_sure (void);
/* How far a clock is off, in one unit, without its sign: "24 h"; caller frees. */
char *far_clock_off_text (gint64 us);
/* A node that was authenticated, and may be believed, says that it is that now. What cannot be is not taken.
 * [any thread] */
void far_clock_told (gint64 wall_us);
/* This node's own certificate, just read or kept (PEM): it is not earlier than its first day, and a told time
 * is not believed that is more than 90 days after its end. What is no certificate, or not of the authority in
 * ca_file, changes nothing. [any thread] */
void far_clock_own_certificate (const char *pem, const char *ca_file);
/* The kernel's boot_id (36 characters), read once. [any thread] */
const char *far_clock_boot_id (void);
/* ISO 8601 in UTC with milliseconds of a wall time in us; caller frees. */
char *far_clock_format (gint64 wall_us);
/* Reads ISO 8601 ("2026-01-02T03:04:05Z", date alone allowed) or a duration back from now ("2h").
 * FAR_ERROR_INVALID. */
gboolean far_clock_parse (const char *text, gint64 *wall_us, GError **error);

/* Test clock: FALSE unless it was switched on in the environment. [main] */
gboolean far_clock_is_test (void);
gboolean far_clock_advance (gint64 us);
/* Called by every timer heap at its start; hook runs in the thread that calls far_clock_advance(). */
void far_clock_add_hook (void (*hook) (gpointer data), gpointer data);
void far_clock_remove_hook (void (*hook) (gpointer data), gpointer data);

G_END_DECLS
