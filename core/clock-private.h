/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the time of day is made of: the system's clock, the earliest time it can be, and what another node has told. */
#pragma once
#include <farwatch/clock.h>

#define FAR_CLOCK_AGREE_US (2 * G_USEC_PER_SEC)

/* It is not earlier than that. [any thread] */
void far_clock_floor (gint64 wall_us);
/* The same by the first day of a certificate that this node believes already. PEM. [any thread] */
void far_clock_floor_of (const char *cert_pem);
/* It is that now, as a node that is trusted says; G_MININT64: forget it. [any thread] */
void far_clock_set_told (gint64 wall_us);
/* No node has told, and the system's clock is known to be behind. [any thread] */
gboolean far_clock_is_behind (void);
/* Tests: the system's clock is set forward or back, timers stay. FALSE unless the test clock is on. [any thread] */
gboolean far_clock_step (gint64 us);

/* clock-told.c: the earliest time, from the build, from the node's own certificate and from what was told when it last ran; a told time is kept in the
 * state directory. [main] */
void far_clock_begin (void);
