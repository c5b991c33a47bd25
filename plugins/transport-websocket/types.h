/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header names the two types of this library, for its table. */
#pragma once
#include <farwatch/plugin.h>

extern const FarTransportType ws_type_node, ws_type_people;

/* dial.c: FarTransportType.dial */
void ws_dial (const char *url, const char *ca_file, FarRequest *req);
