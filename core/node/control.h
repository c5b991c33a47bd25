/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside of the control socket: the listener (control.c), one connection (control-link.c), who it is
 * (control-who.c). [main] */
#pragma once
#include <farwatch/gate.h>
#include <farwatch/message.h>

#define FAR_CONTROL_LINKS 64 /* at once; the last FAR_CONTROL_SPARE are for who may all */
#define FAR_CONTROL_SPARE 16
#define FAR_CONTROL_SILENT 32                /* that have said nothing yet */
#define FAR_CONTROL_SHARE 16                 /* of these, of one uid; root has no limit */
#define FAR_CONTROL_US (10 * G_USEC_PER_SEC) /* for the first frame, and for each begun one */
#define FAR_CONTROL_FRAME (4 + FAR_HEADER_MAX + FAR_BODY_MAX)
#define FAR_CONTROL_CALLS 32         /* under way for one connection: then it is not read */
#define FAR_CONTROL_OUT (256 * 1024) /* waiting to be sent: then it is not read, and watches wait */
#define FAR_CONTROL_GROUP "farwatch"

typedef struct _FarControlLink FarControlLink;

/* takes fd. gone: the link has ended and is to be freed, not before the call is over. */
FarControlLink *
far_control_link_new (int fd, FarPrincipal *principal /* takes */, FarPass *pass /* takes; may be NULL */,
                      void (*gone) (FarControlLink *link, gpointer user), gpointer user);
void far_control_link_free (FarControlLink *link);
/* One word to who may not come in, and the interface. takes fd and error. */
void far_control_turn_away (int fd, GError *error);
/* Boottime at which it is to be cut; 0: none. */
gint64 far_control_link_deadline (const FarControlLink *link);
void far_control_link_late (FarControlLink *link);
/* One last word, at once, then as above. */
void far_control_link_end (FarControlLink *link, const GError *error);

/* local:root, local:NAME; kind NONE for who may not come in. *uid: the peer's. */
FarPrincipal *far_control_who (int fd, guint *uid);
