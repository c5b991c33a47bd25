/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Marks for user-visible text: _() translates at run time, N_() only marks a table entry. */
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
