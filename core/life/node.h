/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This node: its profile in force, its state directory. [main] */
#pragma once
#define FAR_RESTORING ".restoring" /* in STATE: farctl restore is moving files, or was broken off */
#include "profile/profile.h"

/* Makes the state directory (0700) and takes the lock in it; FAR_ERROR_CONFLICT: another farwatchd has it. */
gboolean far_node_open (FarProfile *profile, GError **error);
/* After a reload. */
void far_node_set_profile (FarProfile *profile);
FarProfile *far_node_profile (void); /* borrowed; NULL: none */
const char *far_node_control (void); /* path of the control socket */
/* Frees the profile, lets the lock go. */
void far_node_close (void);
