/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the time of day is made of: the system's clock, the earliest time it can be, and what another node has
 * told. */
#pragma once
#include <farwatch/clock.h>

#define FAR_CLOCK_AGREE_US (2 * G_USEC_PER_SEC)
#define FAR_CLOCK_STALE_US                                                                                   \
  G_TIME_SPAN_DAY /* with the longest poll cycle, too, somebody has told within it                           \
                   */

/* How far the test clock is ahead of the real one: a timerfd is set in real time. [any thread] */
gint64 far_clock_offset_us (void);
/* It is not earlier than that. [any thread] */
void far_clock_floor (gint64 wall_us);
/* The same by what was told earlier, which is forgotten when it proves wrong. [any thread] */
void far_clock_floor_told (gint64 wall_us);
/* The server's certificate that was just accepted ends then: it tells no later time than that. Seconds since
 * 1970, in us. [any thread] */
void far_clock_server_until (gint64 wall_us);
/* Whether a time that is told is one that can be. [any thread] */
gboolean far_clock_may_be (gint64 wall_us);
/* What the time is when nothing that was told counts. FALSE: nothing was told, or the system's clock is known
 * to be behind. [any thread] */
gboolean far_clock_untold_us (gint64 *wall_us);
/* All that was told, now and earlier, proved wrong. [any thread] */
void far_clock_forget_told (void);
/* The system's clock counts, which is off_us ahead of what was told told_ago_us ago; synchronised: as the
 * kernel says. [any thread] */
gboolean far_clock_system_counts (gint64 off_us, gint64 told_ago_us, gboolean synchronised);
/* It is that now, as a node that is trusted says; G_MININT64: forget it. [any thread] */
void far_clock_set_told (gint64 wall_us);
/* No node has told, and the system's clock is known to be behind. [any thread] */
gboolean far_clock_is_behind (void);
/* Tests: the system's clock is set forward or back, timers stay. FALSE unless the test clock is on. [any
 * thread] */
gboolean far_clock_step (gint64 us);

/* clock-told.c: the earliest time, from the build, from the node's own certificate and from what was told
 * when it last ran; a told time is kept in the state directory. [main] */
void far_clock_begin (void);
