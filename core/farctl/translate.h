/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Texts of daemons in the language of the person (messages.md: Words). */
#pragma once
#include <glib.h>

/* The text as the person reads it: what the catalogue has of it is translated, what stood in for its
 * parameters stays. Caller frees. NULL stays NULL. */
char *ctl_translate (const char *text);
/* The same without a place to free it: kept as long as farctl runs, which is not long. */
const char *ctl_translated (const char *text);

/* ---- catalogue.c ---- */
/* All msgids of the catalogue that libintl uses; empty: there is none. */
GPtrArray *ctl_catalogue (void);

/* ---- for tests ---- */
/* If text is the msgid with something in the place of each conversion: what that is. NULL: it is not. */
GPtrArray *ctl_translate_match (const char *msgid, const char *text);
/* The format with these in the place of its conversions ("%2$s": the second). NULL: it wants more of them.
 * Caller frees. */
char *ctl_translate_fill (const char *format, const GPtrArray *args);
