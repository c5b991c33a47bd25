/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who this node is and where it keeps its state. far_node_id() and far_node_path() are public (farwatch/instance.h). [main] */
#pragma once
#include <glib.h>

/* As the profile has them, or a test; NULL: as before the first call. Both are copied. */
void far_node_place_set (const char *id, const char *state);
