/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a plugin says of itself in the ELF note "Farwatch", read from the file before any of its code runs. */
#pragma once
#include <glib.h>

typedef struct {
  guint abi;
  char *name;
  GStrv types; /* "sensor/system" */
  char *libs;  /* as written; "" if none */
} FarElfNote;

/* data: the whole file. FAR_ERROR_CONFIG with the cause: no ELF file, cut off, for another machine, no
 * plugin. [any thread] */
FarElfNote *far_elf_note_parse (const guint8 *data, gsize size, GError **error);
FarElfNote *far_elf_note_read (const char *path, GError **error);
void far_elf_note_free (FarElfNote *note);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FarElfNote, far_elf_note_free)
