/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file is what a shell says: text to the person, an exit status to who has started it. It stands below
 * the commands and the reading of lines, which both speak by it. */
#include "config.h"

#include "shell.h"

void
shell_flush (Shell *self)
{
  FarBurst burst = { .n = 1, .bytes = self->out->len };
  gsize taken;

  if (self->out->len > 0) {
    burst.frames[0] = (FarFrame){ .data = self->out->data, .size = self->out->len };
    taken = self->stream->klass->write (self->stream, &burst);
    if (taken > 0)
      g_byte_array_remove_range (self->out, 0, (guint) taken);
  }
}

void
shell_print (Shell *self, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  for (const char *at = text; *at != '\0' && self->out->len < SHELL_OUT_MAX; at++) {
    if (*at == '\n' && self->pty)
      g_byte_array_append (self->out, (const guint8 *) "\r", 1);
    g_byte_array_append (self->out, (const guint8 *) at, 1);
  }
}

void
shell_fail (Shell *self, int status)
{
  if (self->status != NULL)
    g_atomic_int_set (self->status, status);
}
