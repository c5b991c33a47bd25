/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside of legs and taps: what pumps, the list of legs and taps have of each other. */
#pragma once
#include "stream/pump-private.h"
#include "stream/tap-port.h"

G_BEGIN_DECLS

FarLeg *far_leg_new (const FarPumpSpec *spec, gboolean datagrams, gint64 began_us);
gboolean far_leg_matches (const FarLeg *leg, const FarLegMatch *match);

/* The list of the current node. [any thread] */
FarLegs *far_legs_here (void);
/* A pump is in the list between the two; at the first, taps that stand already are set. [any thread] */
void far_legs_began (FarLegs *legs, FarPump *pump);
void far_legs_over (FarLegs *legs, FarPump *pump);

/* [any thread] */
void far_legs_tap (FarLegs *legs, FarTap *tap);
void far_legs_untap (FarLegs *legs, FarTap *tap);
gboolean far_tap_wants (FarTap *tap, const FarLeg *leg);
/* Makes the two ports, whose writer's reference is the caller's. FALSE: too much waits for the tap; it is
 * told later that it missed this leg. */
gboolean far_tap_arrive (FarTap *tap, FarLeg *leg, FarTapPort *port[2]);

G_END_DECLS
