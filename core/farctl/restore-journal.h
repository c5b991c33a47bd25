/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What tells a restore that was broken off, by kill or power cut, from one that was not. As the owner of
 * STATE. */
#pragma once
#include <glib.h>

#define RESTORE_ASIDE "before-restore-" /* and the time */

gboolean restore_journal_write (const char *state, const char *aside, gboolean in, GError **error);
/* What stands in STATE is of both from here on. FALSE: that cannot be noted. */
gboolean restore_journal_mixed (const char *state);
void restore_journal_end (const char *state);
/* Name of the folder that the one broken off puts things aside in; NULL: none was. Caller frees. */
char *restore_journal_read (const char *state, gboolean *in);
/* The path, or the same with a number behind it: where nothing is that would be overwritten. Caller frees. */
char *restore_free_place (const char *path);
