/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header declares how decoders that run become known to who opens flows, on whatever thread. [main] */
#pragma once
#include <farwatch/decoder.h>

void far_decoder_came (FarInstance *at); /* it runs, or runs with other options */
void far_decoder_goes (FarInstance *at);
