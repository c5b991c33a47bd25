/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside of pumps. A pump has one half, or two when its ends have two loops: a + ring and ring + b. A split
 * pump has these for each direction. */
#pragma once
#include <farwatch/clock.h>
#include <farwatch/leg.h>
#include <farwatch/pump.h>

#include "stream/tap-port.h"

G_BEGIN_DECLS

/* The live legs of a node, and its taps. */
typedef struct _FarLegs FarLegs;

typedef struct {
  FarPump *pump;
  FarLoop *loop;     /* everything below is touched there only */
  FarLoop *from;     /* where it is started: the loop of the end that comes over, else its own */
  FarStream *end[2]; /* 0: towards a, 1: towards b; direction d goes from end[d] to end[!d] */
  gboolean readable[2], writable[2], dead[2];
  gboolean done[2];    /* direction d: its end of input was passed on */
  gboolean counts[2];  /* direction d is counted here */
  GPtrArray *ports[2]; /* FarTapPort*, of directions that are counted here; NULL: none */
  gboolean one_way;    /* moves only direction `way`, the other one is done from the start */
  guint way;
  gboolean started, over, busy, held;
  gint64 deadline_us, now_us;
  const char *wanted; /* closed before it began: the cause */
  FarLoopTimer *deadline, *idle, *first, *report;
  FarDeferred *turn;
} FarPumpHalf;

struct _FarPump {
  gint refs;
  FarPumpSpec spec;
  FarLeg *leg;
  FarLegs *legs;
  guint n_halves;
  FarPumpHalf half[4];
  gboolean datagrams, split;
  gint alive;         /* halves that are not over */
  const char *cause;  /* the first one counts; atomic */
  guint64 bytes[2];   /* atomic */
  guint64 frames[2];  /* of datagrams; atomic */
  guint64 dropped[2]; /* atomic */
  gint64 active_us;   /* last byte; atomic */
  gint counters_wait; /* a report is on its way to main */
};

guint far_pumps_alive (void); /* [any thread] */
FarPump *far_pump_ref (FarPump *pump);
void far_pump_unref (FarPump *pump);
void far_pump_set_cause (FarPump *pump, const char *cause);
void far_pump_half_over (FarPump *pump); /* a half has freed its ends */
void far_pump_report (FarPump *pump);    /* counters to main, unless they are on their way */

/* Ports of taps, at the half that counts direction d. It takes the port. running: its half may have begun.
 * [any thread], under the lock of the list of legs */
void far_pump_add_port (FarPump *pump, guint d, FarTapPort *port, gboolean running);
void far_pump_remove_ports (FarPump *pump, FarTap *tap);

/* All at the half's loop. */
void far_pump_half_add_port (FarPumpHalf *half, guint d, FarTapPort *port);
void far_pump_half_remove_ports (FarPumpHalf *half, const FarTap *tap);
void far_pump_half_start (FarPumpHalf *half);
void far_pump_half_run (FarPumpHalf *half);
void far_pump_half_hold (FarPumpHalf *half, gboolean hold);
void far_pump_half_deadline (FarPumpHalf *half, gint64 deadline_us);
void far_pump_half_close (FarPumpHalf *half, const char *cause);

G_END_DECLS
