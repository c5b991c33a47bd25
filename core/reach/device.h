/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What stays inside core: how the profile's devices come in. [main] */
#pragma once
#include "profile/device-option.h"

G_BEGIN_DECLS

/* Replaces the devices of the profile (FarDevice, freed with far_device_free; takes the array). Devices added
 * at run time stay; where the profile has the same name, the profile's counts. Claims stay: they hang on
 * names. */
void far_device_profile_set (GPtrArray *devices);
/* Does this session hold this very device? */
gboolean far_device_locked (const char *device, const char *session);
/* Everything goes: for tests and the end of the program. */
void far_device_reset (void);

G_END_DECLS
