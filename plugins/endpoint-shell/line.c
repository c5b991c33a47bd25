/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes to lines: CR, LF and CR LF end one; with a terminal there is echo, backspace, ^C, ^D and ^U. Escape
 * sequences (arrows) are passed over. */
#include "config.h"

#include "shell.h"

#include <string.h>

static void
echo (Shell *self, const char *text)
{
  if (self->pty)
    shell_print (self, "%s", text);
}

static char *
line_done (Shell *self)
{
  char *line = g_strdup (self->line->str);

  echo (self, "\n");
  g_string_truncate (self->line, 0);
  return line;
}

/* One character, which may be several bytes. */
static void
rub_out (Shell *self)
{
  gsize size = self->line->len;

  if (size == 0)
    return;
  do
    size--;
  while (size > 0 && ((guint8) self->line->str[size] & 0xc0) == 0x80);
  g_string_truncate (self->line, size);
  echo (self, "\b \b");
}

/* ESC [ … letter, ESC letter. TRUE: the byte belongs to one. */
static gboolean
in_escape (Shell *self, char byte)
{
  if (byte == '\033')
    self->escape = 1;
  else if (self->escape == 1)
    self->escape = byte == '[' || byte == 'O' ? 2 : 0;
  else if (self->escape == 2)
    self->escape = byte >= '@' && byte <= '~' ? 0 : 2;
  else
    return FALSE;
  return TRUE;
}

static char *
shell_line_control (Shell *self, char byte)
{
  switch (byte) {
  case '\b':
  case '\177':
    rub_out (self);
    break;
  case '\003': /* ^C */
    echo (self, "^C\n");
    g_string_truncate (self->line, 0);
    return g_strdup ("");
  case '\004': /* ^D */
    return self->line->len == 0 ? g_strdup ("exit") : NULL;
  case '\025': /* ^U */
    while (self->line->len > 0)
      rub_out (self);
    break;
  default:
    break;
  }
  return NULL;
}

static void
shell_line_add (Shell *self, char byte)
{
  char text[2] = { byte, '\0' };

  if (self->line->len >= SHELL_LINE_MAX) {
    echo (self, "\a");
    return;
  }
  g_string_append_c (self->line, byte);
  echo (self, text);
}

char *
shell_line_byte (Shell *self, char byte)
{
  gboolean second = byte == '\n' && self->after_cr;

  self->after_cr = byte == '\r';
  if (second || (self->pty && in_escape (self, byte)))
    return NULL;
  if (byte == '\r' || byte == '\n')
    return line_done (self);
  if ((guint8) byte < 0x20 || byte == '\177')
    return self->pty ? shell_line_control (self, byte) : NULL;
  shell_line_add (self, byte);
  return NULL;
}
