/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which language a program speaks (messages.md: Words). Both before any thread. */
#pragma once

/* That of the person who started it, with the catalogues of $FARWATCH_LOCALE_DIR (not in a setuid program) or
 * the installed ones. */
void far_locale_of_person (void);
/* That of the msgids: what a daemon sends, keeps and logs is the same whoever started it. File names stay in
 * the encoding they are in. */
void far_locale_of_daemon (void);
