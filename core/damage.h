/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stores that were found damaged: each has a note, STATE/damaged/NAME, and does not start while it is there. */
#pragma once
#include <glib.h>

/* What the note says, NULL: there is none. Caller frees. [any thread] */
char *far_damage_note (const char *state, const char *store);
/* The names of the stores that have one. Caller frees. [any thread] */
GStrv far_damage_stores (const char *state);
/* Somebody has decided to go on with what could be read: the note goes. FALSE: it cannot be taken away. [any thread] */
gboolean far_damage_accept (const char *state, const char *store, GError **error);
/* What a person reads of a note. Always FALSE. */
gboolean far_damage_refuse (const char *note, GError **error);
