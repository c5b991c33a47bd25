/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file of a would-be plugin.
 * parses: core/profile/elf-note.c */
#include "config.h"

#include "fuzz.h"

#include "profile/elf-note.h"

gboolean
fuzz_one (const guint8 *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FarElfNote) note = far_elf_note_parse (data, size, &error);

  g_assert_true ((note == NULL) == (error != NULL));
  return note != NULL;
}
