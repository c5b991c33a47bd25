/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header declares the one place that knows which rooms are told of instances and of profiles. [main] */
#pragma once

/* Before the first instance starts; a second call changes nothing. [main] */
void far_node_hooks_start (void);
