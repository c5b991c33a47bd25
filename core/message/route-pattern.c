/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Patterns of resources: which two are the same, and which of two that fit one path is the more specific. */
#include "config.h"

#include "message/router.h"

#include <string.h>

static gboolean
pattern_same (const char *a, const char *b)
{
  while (*a == *b && *a != '\0') {
    gsize step = *a == '{' ? strcspn (a, "/") : 1;

    b += *a == '{' ? strcspn (b, "/") : 1;
    a += step;
  }
  return *a == *b;
}

gboolean
far_handler_same (const FarHandler *a, const FarHandler *b)
{
  return strcmp (a->method, b->method) == 0 && pattern_same (a->pattern, b->pattern);
}

guint
far_handlers_shared (const FarHandler *a, const FarHandler *b, const FarHandler **first)
{
  guint n = 0;

  for (const FarHandler *of_b = b; of_b != NULL && of_b->method != NULL; of_b++) {
    const FarHandler *of_a = a;

    while (of_a != NULL && of_a->method != NULL && !far_handler_same (of_a, of_b))
      of_a++;
    if (of_a == NULL || of_a->method == NULL)
      continue;
    if (n++ == 0)
      *first = of_b;
  }
  return n;
}

gboolean
far_pattern_before (char **a, char **b)
{
  for (guint i = 0; a[i] != NULL && b[i] != NULL; i++)
    if ((a[i][0] == '{') != (b[i][0] == '{'))
      return b[i][0] == '{';
  return FALSE;
}
