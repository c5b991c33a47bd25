/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stores that were found damaged: each has a note, STATE/damaged/NAME, and does not start while it is there.
 * Those that are missing (store-missing.c): each has a note, STATE/missing/NAME, and looks at each start
 * whether its files are back. */
#pragma once
#include <farwatch/instance.h>

/* What the note says, NULL: there is none. Caller frees. [any thread] */
char *far_damage_note (const char *state, const char *store);
/* The same of a store that is missing, also where a full disk has kept the note away. */
char *far_missing_note (const char *state, const char *store);
/* The names of the stores that have either. Caller frees. [any thread] */
GStrv far_damage_stores (const char *state);
/* Somebody has decided to go on with what could be read, or empty: the notes go. FALSE: it cannot be taken
 * away. [any thread] */
gboolean far_damage_accept (const char *state, const char *store, GError **error);
/* What a person reads of a note. Always FALSE. */
gboolean far_damage_refuse (const char *store, const char *note, GError **error);

/* ---- shared by both ---- */
#define FAR_NOTE_MAX 65536 /* bytes; what is longer is no note */
gboolean far_missing_accept (const char *state, const char *store, GError **error);
/* STATE/FOLDER/STORE as one line; NULL: none. */
char *far_damage_read (const char *state, const char *folder, const char *store);
gboolean
far_damage_write (const char *state, const char *folder, const char *store, const char *text, GError **error);
gboolean far_damage_remove (const char *state, const char *folder, const char *store, GError **error);
/* The instance fails with this (taken), on main. */
void far_damage_hold (FarInstance *at, GError *error);
