/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header declares "did you mean": the distance of two words, the nearest of a list, and lists of
 * words as text. [any thread] */
#pragma once
#include <glib.h>

/* Steps from a to b: insert, delete, replace a letter, swap two neighbours (optimal string alignment). Longer
 * than 64 letters: far apart. */
guint far_distance (const char *a, const char *b);
/* The nearest of words (GPtrArray of char *), if it can be what was meant; NULL otherwise. */
const char *far_suggest (const char *word, GPtrArray *words);
/* "a, b, c"; caller frees. */
char *far_join_words (GPtrArray *words);
