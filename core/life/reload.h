/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A new profile comes in force without a restart, or the old one stays. [main] */
#pragma once
#include <farwatch/error.h>
#include <jansson.h>

#include "profile/profile.h"

/* Reads the profile's file again. On success *changes (may be NULL) is [{"path","action":
 * added|removed|replaced|reloaded|retried}]. On failure nothing has changed; faults has what is wrong with
 * the file. state: as in far_profile_load(). */
gboolean far_reload (const char *state, json_t **changes, GPtrArray *faults, GError **error);
