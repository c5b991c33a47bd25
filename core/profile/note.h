/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a plugin says of itself in the ELF note "Farwatch", read from the file before any of its code runs. */
#pragma once
#include <glib.h>

typedef struct {
  guint abi;
  char *name;
  GStrv types; /* "sensor/system" */
  char *libs;  /* as written; "" if none */
} FarNote;

/* data: the whole file. FAR_ERROR_CONFIG with the cause: no ELF file, cut off, for another machine, no
 * plugin. [any thread] */
FarNote *far_note_parse (const guint8 *data, gsize size, GError **error);
FarNote *far_note_read (const char *path, GError **error);
void far_note_free (FarNote *note);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FarNote, far_note_free)
