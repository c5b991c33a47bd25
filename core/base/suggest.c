/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file finds the word that was probably meant by one that is not known, by edit distance, and joins
 * lists of words for messages. */
#include "config.h"

#include "base/suggest.h"

#include <string.h>

#define LENGTH_MAX 64

guint
far_distance (const char *a, const char *b)
{
  guint rows[3][LENGTH_MAX + 1];
  guint *before = rows[0], *last = rows[1], *now = rows[2];
  gsize length_a = strlen (a), length_b = strlen (b);

  if (length_a > LENGTH_MAX || length_b > LENGTH_MAX)
    return G_MAXUINT;
  for (guint j = 0; j <= length_b; j++)
    last[j] = j;
  for (guint i = 1; i <= length_a; i++) {
    guint *free_row = before;

    now[0] = i;
    for (guint j = 1; j <= length_b; j++) {
      now[j] = MIN (MIN (last[j], now[j - 1]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        now[j] = MIN (now[j], before[j - 2] + 1);
    }
    before = last;
    last = now;
    now = free_row;
  }
  return last[length_b];
}

const char *
far_suggest (const char *word, GPtrArray *words)
{
  guint best = CLAMP ((guint) strlen (word) / 3, 1, 3) + 1;
  const char *found = NULL;

  for (guint i = 0; i < words->len; i++) {
    guint distance = far_distance (word, words->pdata[i]);

    if (distance < best) {
      best = distance;
      found = words->pdata[i];
    }
  }
  return found;
}

char *
far_join_words (GPtrArray *words)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < words->len; i++)
    g_string_append_printf (text, "%s%s", i > 0 ? ", " : "", (const char *) words->pdata[i]);
  return g_strdup (text->str);
}
