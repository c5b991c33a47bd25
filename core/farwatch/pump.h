/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pump = two ends, a leg that taps may see, a deadline (spec B7, B10, B12). It runs at the loop of its
 * ends; where the two ends have two loops and neither can move, far_pump_start() joins them by rings (two
 * pumps, one report).
 *
 * The deadline lives here and not on the main context: the pump compares CLOCK_BOOTTIME before each burst and
 * holds a timer of its loop; at the deadline both ends are aborted, then it reports. Main → pump: start,
 * hold, resume, deadline, close. Pump → main: opened, counters (at most one a second), closed(cause). All
 * functions here are [any thread] and return at once; reports come on the main context, closed exactly once
 * and last.
 * Functions are [any thread] unless their comment says otherwise. */
#pragma once
#include <farwatch/stream.h>

G_BEGIN_DECLS

typedef struct _FarPump FarPump;

typedef struct {
  guint64 bytes_ab, bytes_ba;     /* taken from a and written to b, and back */
  guint64 frames_ab, frames_ba;   /* the same in datagrams; of bytes 0 */
  guint64 dropped_ab, dropped_ba; /* datagrams that an end took and did not pass on */
} FarPumpCounters;

typedef struct {
  /* The leg that the pump carries (farwatch/leg.h), each copied or NULL: the session's id, the device, which
   * stream of the session, its address and port. */
  const char *session, *target, *inner, *destination;
  gint64 deadline_us; /* CLOCK_BOOTTIME; 0: none */
  gint64 idle_us;     /* close after so long without a byte either way; 0: never */
  /* close as "silent" when no byte of a has reached b so long after the start; 0: never */
  gint64 first_us;
  /* reports, on the main context; user data is not touched by the pump */
  void (*counters) (FarPump *pump, const FarPumpCounters *now, gpointer user);
  void (*closed) (FarPump *pump, const FarPumpCounters *total, const char *cause, gpointer user);
  gpointer user;
} FarPumpSpec;

/* Takes both streams. Causes of closed(): "end of a", "end of b" (orderly, both directions done), "deadline",
 * "idle", "silent", "datagrams and bytes cannot be joined" (both ends are closed before anything moves), or
 * the cause given to far_pump_close(), or the dead stream's cause. [any thread]: a and b may be touched only
 * at their loops, so the caller must not have a user on them. The pump frees itself after closed(). */
FarPump *far_pump_start (FarStream *a, FarStream *b, const FarPumpSpec *spec);
/* The same with two streams for each end, one that is read and one that is written to (two descriptors of one
 * socket, say), so that the two directions may live on two threads: a_in and b_out meet at one loop, b_in and
 * a_out at another. One deadline and one report; what ends one direction out of order ends both. */
FarPump *far_pump_start_split (FarStream *a_in, FarStream *a_out, FarStream *b_in, FarStream *b_out,
                               const FarPumpSpec *spec);
void far_pump_hold (FarPump *pump, gboolean hold);
void far_pump_set_deadline (FarPump *pump, gint64 deadline_us);
void far_pump_close (FarPump *pump, const char *cause); /* aborts both ends */

G_END_DECLS
