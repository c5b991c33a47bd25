/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hours of a right: "mon-fri 08:00-18:00", several joined by ";", days a list or a range, times optional
 * (whole day). A window over midnight ("fri 22:00-06:00") belongs to the day it begins on. Local time of this
 * node. [any thread] */
#pragma once
#include <farwatch/error.h>

typedef struct _FarHours FarHours;

FarHours *far_hours_parse (const char *text, GError **error); /* FAR_ERROR_INVALID */
void far_hours_free (FarHours *hours);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FarHours, far_hours_free)

/* Is the instant inside? With a length: is it inside from wall_us to wall_us + length_us without a break?
 * Over 24 h: no. */
gboolean far_hours_has (const FarHours *hours, gint64 wall_us, gint64 length_us);
