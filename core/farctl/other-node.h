/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Below the state directory of one node the one of another may lie, as /var/lib/farwatch/terminal once did:
 * it is no part of the first, whose backup and restore pass it over. */
#pragma once
#include <glib.h>

/* Whether the folder is the state directory of a node: it has keys, or a daemon has run on it. A link is
 * followed. */
gboolean other_node_is (const char *folder);
/* Whether it is one, or one lies below it. */
gboolean other_node_holds (const char *folder);
