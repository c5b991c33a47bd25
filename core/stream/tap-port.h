/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A tap port is the ring of one tap, one leg and one direction. A pump half writes to it, the tap's loop
 * reads. */
#pragma once
#include "stream/slot-ring.h"

#include <farwatch/leg.h>

G_BEGIN_DECLS

typedef struct _FarTapPort FarTapPort;

/* A tap lives as long as somebody has one of its ports. wake: it has to look again. [any thread] */
FarTap *far_tap_ref (FarTap *tap);
void far_tap_unref (FarTap *tap);
void far_tap_wake (FarTap *tap);
/* Memory of rings that wait for the loop though their writer has ended. [any thread] */
void far_tap_unseen_add (FarTap *tap, gsize bytes);
void far_tap_unseen_drop (FarTap *tap, gsize bytes);

/* A reference for each side. datagrams: frames are put whole; bytes are cut into pieces that fit. */
FarTapPort *far_tap_port_new (gsize ring, FarTap *tap, gboolean datagrams);
void far_tap_port_unref (FarTapPort *port);
FarTap *far_tap_port_tap (const FarTapPort *port);

/* [writer] */
void far_tap_port_put (FarTapPort *port, const FarFrame *frame, guint64 at, gint64 now_us);
void far_tap_port_end (FarTapPort *port, const char *cause); /* also drops the writer's reference */

/* [reader] The writer has ended, and why; asked for before the last look into the ring. NULL: it has not. */
const char *far_tap_port_ended (const FarTapPort *port);
/* The time of what comes next; G_MAXINT64: nothing is there. */
gint64 far_tap_port_time (const FarTapPort *port);
/* Shows what comes next as a piece (TRUE) or a gap (FALSE); there is something. Valid until drop. */
gboolean far_tap_port_show (const FarTapPort *port, FarTapPiece *piece, FarTapGap *gap);
void far_tap_port_drop (FarTapPort *port);
/* What was left out behind all that the ring holds, once the writer has ended; FALSE: nothing. */
gboolean far_tap_port_last_gap (const FarTapPort *port, FarTapGap *gap);

G_END_DECLS
