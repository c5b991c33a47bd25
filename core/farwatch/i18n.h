/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Marks for user-visible text: N_() only marks, _() translates in a program that speaks to the person who
 * started it. In a daemon that runs, _() is the msgid: what it sends, keeps and logs is the same in every
 * language, and farctl translates it where it is read (doc/messages.md: Words). printf's own conversions only
 * in such a text: "%zu", "%" PRId64, no macro of another library, which no catalogue could have. */
#pragma once
#include <libintl.h>

#ifndef FAR_GETTEXT_DOMAIN
#define FAR_GETTEXT_DOMAIN "farwatch"
#endif
#ifndef _
#define _(text) dgettext (FAR_GETTEXT_DOMAIN, text)
#endif
#ifndef N_
#define N_(text) (text)
#endif
