/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A whole node, from an open state directory to its end: what the daemon and a simulated fleet start alike.
 * [main] */
#pragma once
#include "profile/profile.h"

/* Takes the state directory, brings handlers, rights and devices into force and opens the control socket, for
 * the current node: what the instances may rely on from their first moment, which the caller starts next, so
 * that one can ask why something does not start. state: as given on the command line instead of the
 * profile's; NULL: the profile's. FALSE: far_node_whole_stop() still ends what has begun. */
gboolean far_node_whole_open (FarProfile *profile, const char *state, GError **error);
/* Stops the instances, the last first, and all else. */
void far_node_whole_stop (void);
