/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Slow-down of guesses, across all doors. A try counts from its start, so that a hundred at once gain nothing; a success takes its count back.
 * The table is bounded; entries are forgotten 10 minutes after the last failure. [main] */
#pragma once
#include <glib.h>

#define FAR_THROTTLE_ENTRIES 4096
#define FAR_THROTTLE_FREE 3            /* tries without delay */
#define FAR_THROTTLE_TRIES 10          /* of one name from one source: then the source is refused */
#define FAR_THROTTLE_SOURCE_TRIES 30   /* of any names from one source: likewise */
#define FAR_THROTTLE_US (10 * 60 * G_USEC_PER_SEC)

typedef enum { FAR_TRY_FAILED, FAR_TRY_SUCCEEDED, FAR_TRY_VOID } FarTryOutcome;

/* How long this try has to wait, us; -1: the source is refused (then no leave). */
gint64 far_throttle_enter (const char *name, const char *from);
void far_throttle_leave (const char *name, const char *from, FarTryOutcome outcome);
guint far_throttle_count (void);
void far_throttle_clear (void);
