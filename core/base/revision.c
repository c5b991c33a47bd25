/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The word by which somebody says which state of an object they have seen. It is made of what is shown, not
 * counted: so it is the same at every interface, after a restart and for what no store numbers, and what was
 * changed and changed back is what it was. */
#include "config.h"

#include <farwatch/message.h>

#include <stdlib.h>

#define REVISION_LENGTH 12

char *
far_revision (const json_t *shown)
{
  char *text = shown != NULL ? json_dumps (shown, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) : NULL;
  g_autofree char *hash = text != NULL ? g_compute_checksum_for_string (G_CHECKSUM_SHA256, text, -1) : NULL;

  free (text);
  return hash != NULL ? g_strndup (hash, REVISION_LENGTH) : g_strdup ("none");
}
