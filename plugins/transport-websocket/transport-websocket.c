/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file is the plugin's table: its two types, `websocket` for nodes and `https` for people. What each
 * does is in its own files (types.h). */
#include "config.h"

#include "types.h"

FAR_PLUGIN ("transport-websocket", "0.1", "transport/websocket transport/https", "libhttp_parser.so.2.9",
            &ws_type_node.type, &ws_type_people.type)
