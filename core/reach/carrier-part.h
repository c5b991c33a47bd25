/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the part of a carrier's kind is written: what the handle (carrier.c) needs of carrier-part.c. */
#pragma once
#include <farwatch/carrier.h>

/* Into json, as the kind does. */
void far_carrier_part_write (json_t *json, const char *kind, const FarCarrierOps *ops, json_t *part);
