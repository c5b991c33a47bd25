/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What core does for a sensor while it runs. [main] */
#pragma once
#include <farwatch/act.h>
#include <farwatch/sample.h>

void far_sensor_begin (FarInstance *at); /* it runs */
void far_sensor_end (FarInstance *at);
void far_sensor_changed (FarInstance *at); /* its options were swapped */

/* What it can be told, ends with name NULL; an empty table of a type that is not there. */
const FarAct *far_sensor_acts (const FarInstance *at);
