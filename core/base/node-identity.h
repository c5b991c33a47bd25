/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who this node is and where it keeps its state. far_node_id() and far_node_path() are public
 * (farwatch/instance.h). [main] */
#pragma once
#include <glib.h>

/* As the profile has them, or a test; NULL: as before the first call. Both are copied. */
void far_node_identity_set (const char *id, const char *state);

#define FAR_NOTES_MADE ".made"      /* notes of where each store was made */
#define FAR_NOTES_DAMAGED "damaged" /* notes of stores that were found damaged */
#define FAR_NOTES_MISSING "missing" /* notes of those that are gone */

/* Does farwatch write under this name of the state directory by itself? No path of a profile may lead there.
 * [any thread] */
gboolean far_node_keeps (const char *name);

/* What this node's commands say of it, as typed in a shell: "--profile /etc/farwatch/t1.yaml", and --state
 * where it has another one than its profile says. For messages that name a command. [any thread] */
const char *far_node_words (void);
/* state: NULL: that of the profile. Both NULL: as before the first call. */
void far_node_words_set (const char *profile, const char *state);
