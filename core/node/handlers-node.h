/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header declares the handlers by which a node tells of itself (status, plugins, types, profile), and
 * reload by message and by signal. [main] */
#pragma once
#include <glib.h>

/* status, plugins, types/{kind}/{type}, config, reload. state: what --state said, may be NULL. [main] */
void far_handlers_node_start (const char *state);
void far_handlers_node_stop (void);
/* Reload by signal: the outcome goes to the log. */
void far_reload_by_signal (void);
