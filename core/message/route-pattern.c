/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Patterns of resources and their verbs: which two are the same, and which of two that fit one path is the
 * more specific. */
#include "config.h"

#include "message/router.h"

#include <string.h>

#define VERB_MAX 24 /* as the header says */

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

gboolean
far_handler_is_upstream (const FarHandler *handler)
{
  return strcmp (handler->method, FAR_UPSTREAM) == 0;
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
far_verb_ok (const char *verb)
{
  gsize length = strspn (verb, "abcdefghijklmnopqrstuvwxyz0123456789-");

  return g_ascii_islower (verb[0]) && length <= VERB_MAX && verb[length] == '\0';
}

static gboolean
table_has_verb (const FarHandler *table, const char *verb)
{
  for (; table != NULL && table->method != NULL; table++)
    if (g_strcmp0 (table->verb, verb) == 0)
      return TRUE;
  return FALSE;
}

const FarHandler *
far_handlers_shared_verb (const FarHandler *a, const FarHandler *b)
{
  for (; b != NULL && b->method != NULL; b++)
    if (b->verb != NULL && table_has_verb (a, b->verb))
      return b;
  return NULL;
}

gboolean
far_pattern_before (char **a, char **b)
{
  for (guint i = 0; a[i] != NULL && b[i] != NULL; i++)
    if ((a[i][0] == '{') != (b[i][0] == '{'))
      return b[i][0] == '{';
  return FALSE;
}
