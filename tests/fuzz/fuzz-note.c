/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file of a would-be plugin.
 * parses: core/profile/note.c */
#include "config.h"

#include "fuzz.h"

#include "profile/note.h"

gboolean
fuzz_one (const guint8 *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FarNote) note = far_note_parse (data, size, &error);

  g_assert_true ((note == NULL) == (error != NULL));
  return note != NULL;
}
