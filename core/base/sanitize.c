/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file makes text of peers harmless before a person sees it: characters that move a cursor, turn the
 * direction of writing or hide text become spaces in text and escapes in JSON. Daemon and farctl share it,
 * so it knows neither terminal nor log. */
#include "config.h"

#include "base/sanitize.h"

#include <string.h>

#define ZWNJ 0x200c
#define ZWJ 0x200d

gboolean
far_sanitize_char (gunichar c)
{
  switch (g_unichar_type (c)) {
  case G_UNICODE_CONTROL:
  case G_UNICODE_LINE_SEPARATOR:
  case G_UNICODE_PARAGRAPH_SEPARATOR:
    return FALSE;
  case G_UNICODE_FORMAT: /* marks, embeddings, overrides and isolates of direction; what is invisible; tags */
    return c == ZWNJ || c == ZWJ;
  default:
    return TRUE;
  }
}

char *
far_sanitize_text (const char *text, gboolean lines)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  g_autoptr (GString) out = g_string_sized_new (strlen (valid));

  for (const char *at = valid; *at != '\0'; at = g_utf8_next_char (at)) {
    gunichar c = g_utf8_get_char (at);

    g_string_append_unichar (out, far_sanitize_char (c) || (lines && c == '\n') ? c : ' ');
  }
  return g_string_free (g_steal_pointer (&out), FALSE);
}

static void
json_escape (GString *out, gunichar c)
{
  if (c > 0xffff) { /* a pair of surrogates, as JSON has it */
    g_string_append_printf (out, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
                            0xdc00 + ((c - 0x10000) & 0x3ff));
    return;
  }
  g_string_append_printf (out, "\\u%04x", c);
}

char *
far_sanitize_json (const char *json)
{
  g_autoptr (GString) out = g_string_sized_new (strlen (json));

  for (const char *at = json; *at != '\0'; at = g_utf8_next_char (at)) {
    gunichar c = g_utf8_get_char (at);

    if (c == '\n' ||
        far_sanitize_char (c)) /* jansson has escaped those below U+0020 in strings; '\n' is between them */
      g_string_append_unichar (out, c);
    else
      json_escape (out, c);
  }
  return g_string_free (g_steal_pointer (&out), FALSE);
}
