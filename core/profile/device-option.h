/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The record of a device, and how it is read from a profile or a message. */
#pragma once
#include <farwatch/tunnel.h>

#include "profile/option-check.h"

FarDevice *far_device_copy (const FarDevice *device);
/* A device of the profile; faults and references go to check. */
FarDevice *far_device_read (const char *name, const FarYaml *map, const FarCheck *check);
