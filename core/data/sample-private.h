/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header declares what core knows of a sensor while its groups pass: its filters, its device, the
 * time of its tick, the series it gave. What plugins call is public (farwatch/sample.h). [main] */
#pragma once
#include <farwatch/sample.h>

/* Names of the filters a sensor's groups pass; NULL: none. */
const char *const *far_sensor_filters (const FarInstance *at);
/* The device it measures, by its option `device`; NULL: none. */
const char *far_sensor_device (const FarInstance *at);
/* Wall time of the tick that is being read, or now. */
gint64 far_sensor_tick_us (const FarInstance *at);
/* Remembers which series it gives. */
void far_sensor_gave (FarInstance *at, const FarReading *group);
/* "host.load1", or "devices/DEVICE/host.load1": what a channel of the instance is called in the node. Caller
 * frees. */
char *far_series_name (FarInstance *at, const char *channel);
