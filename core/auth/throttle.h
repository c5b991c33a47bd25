/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Slow-down of guesses, across all interfaces. Only failures count that have been found out; a try under way
 * holds a place instead, of which there are never more than failures are left before the limit, so that a
 * hundred at once gain nothing and a hundred right ones harm nobody. Counted are the pair (name, source)
 * after 3 slower (1 s, doubling to 32 s) and one at a time, after 10 refused for 10 minutes; the source 30 of
 * any names: refused. IPv6: the /64; its network              IPv6: the /48, 100 of any names: refused; the
 * name, everywhere     after 30 slower for sources that did not log in by it within a day, never refused.
 * Refusals of source and network do not hold for a pair that has logged in within a day: who shares an
 * address with a guesser gets in. The table is bounded; failures of a pair are forgotten 10 minutes after the
 * last, the others leak away as fast as their limit allows. [main] */
#pragma once
#include <glib.h>

#define FAR_THROTTLE_ENTRIES 8192
#define FAR_THROTTLE_FREE 3 /* failures of a pair without delay */
#define FAR_THROTTLE_TRIES 10
#define FAR_THROTTLE_SOURCE_TRIES 30
#define FAR_THROTTLE_NET_TRIES 100
#define FAR_THROTTLE_NAME_FREE 30
#define FAR_THROTTLE_AT_ONCE 4 /* tries of one source under way */
#define FAR_THROTTLE_US (10 * 60 * G_USEC_PER_SEC)
#define FAR_THROTTLE_TOLD_US (FAR_THROTTLE_US / FAR_THROTTLE_NAME_FREE)

/* Who tries. */
typedef struct {
  const char *name, *from;
  const char *told; /* NULL: this node sees from itself. Else who it is that another node speaks for: what
                       that node tells may be invented, so that all tries of a name over this interface
                       together have the rate of one source, one after the other. */
  const char *interface; /* of told */
  gboolean token;        /* no word that can be guessed: as many at once as failures are left */
} FarTry;

typedef enum { FAR_TRY_FAILED, FAR_TRY_SUCCEEDED, FAR_TRY_UNDECIDED, FAR_TRY_VOID } FarTryOutcome;
/* UNDECIDED: nobody said no, but somebody could not be asked: slower, never refused. VOID: nothing was found
 * out. */

typedef enum { FAR_THROTTLE_GO, FAR_THROTTLE_LATER, FAR_THROTTLE_REFUSED } FarThrottleWord;

/* May it begin? since_us: boottime when it came. GO: it has begun, leave follows. LATER: ask again at *at_us,
 * or (0) when another leaves. REFUSED: *why, in words for the log; caller frees. */
FarThrottleWord far_throttle_enter (const FarTry *try, gint64 since_us, gint64 *at_us, char **why);
void far_throttle_leave (const FarTry *try, FarTryOutcome outcome);
/* What counts as one source: the address, IPv6 its /64, or who another node tells. Caller frees. */
char *far_throttle_source (const FarTry *try);
guint far_throttle_count (void);
void far_throttle_clear (void);
