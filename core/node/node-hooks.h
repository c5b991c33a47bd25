/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which rooms are told of instances and profiles. */
#pragma once

/* Before the first instance starts; a second call changes nothing. [main] */
void far_node_hooks_start (void);
