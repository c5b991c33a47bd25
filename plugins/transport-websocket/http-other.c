/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file has http-parser read a head once more and compares it piece by piece with what our own reader
 * found (http-form.c). A head on which the two differ is refused, since somebody in between may read it as
 * the other one does. */
#include "config.h"

#include "http-other.h"

#include <string.h>

#include <http_parser.h>

typedef struct {
  const guint8 *data;
  const WsForm *form;
  guint names, values; /* seen so far */
  gboolean target, whole, differs;
} Other;

/* Equal text is not enough: it must be the same bytes. */
static gboolean
is_span (const Other *other, const char *at, gsize size, WsSpan span)
{
  return (const guint8 *) at == other->data + span.at && size == span.size;
}

static int
other_target (http_parser *parser, const char *at, gsize size)
{
  Other *other = parser->data;

  other->differs |= other->target || !is_span (other, at, size, other->form->target);
  other->target = TRUE;
  return 0;
}

static int
ws_http_other_name (http_parser *parser, const char *at, gsize size)
{
  Other *other = parser->data;
  guint i = other->names++;

  other->differs |= i >= other->form->lines->len || other->values != i ||
                    !is_span (other, at, size, g_array_index (other->form->lines, WsLine, i).name);
  return 0;
}

/* It leaves the white space behind a value where it was, and says of an empty one only that. */
static int
other_value (http_parser *parser, const char *at, gsize size)
{
  Other *other = parser->data;
  guint i = other->values++;
  WsSpan span = { 0, 0 };

  while (size > 0 && (at[size - 1] == ' ' || at[size - 1] == '\t'))
    size--;
  if (i < other->form->lines->len)
    span = g_array_index (other->form->lines, WsLine, i).value;
  other->differs |= i >= other->form->lines->len || other->names != i + 1 || size != span.size ||
                    (size > 0 && !is_span (other, at, size, span));
  return 0;
}

static int
other_whole (http_parser *parser)
{
  Other *other = parser->data;

  other->whole = TRUE;
  return 0;
}

static gboolean
is_method (const guint8 *data, WsSpan span, const char *name)
{
  return span.size == strlen (name) && memcmp (data + span.at, name, span.size) == 0;
}

static gboolean
knows_method (const guint8 *data, WsSpan span)
{
#define SAME(number, name, text) || is_method (data, span, #text)
  return FALSE HTTP_METHOD_MAP (SAME);
#undef SAME
}

/* It refuses methods that it has no name for. They deserve an answer, so it is shown another one in their
 * place. */
static gboolean
other_run (http_parser *parser, const http_parser_settings *settings, const guint8 *data, gsize size,
           const WsForm *form)
{
  static const char instead[] = "GET";
  gsize skip = 0;

  if (form->method.size > 0 && !knows_method (data, form->method)) {
    if (http_parser_execute (parser, settings, instead, strlen (instead)) != strlen (instead))
      return FALSE;
    skip = form->method.at + form->method.size;
  }
  if (http_parser_execute (parser, settings, (const char *) data + skip, size - skip) != size - skip ||
      HTTP_PARSER_ERRNO (parser) != HPE_OK)
    return FALSE;
  return form->method.size == 0 || skip > 0 ||
         is_method (data, form->method, http_method_str (parser->method));
}

gboolean
ws_other_agrees (const guint8 *data, gsize size, const WsForm *form)
{
  Other other = { .data = data, .form = form };
  gboolean request = form->method.size > 0;
  http_parser_settings settings;
  http_parser parser;

  http_parser_settings_init (&settings);
  settings.on_url = other_target;
  settings.on_header_field = ws_http_other_name;
  settings.on_header_value = other_value;
  settings.on_headers_complete = other_whole;
  http_parser_init (&parser, request ? HTTP_REQUEST : HTTP_RESPONSE);
  parser.data = &other;
  return other_run (&parser, &settings, data, size, form) && other.whole && !other.differs &&
         other.names == form->lines->len && other.values == other.names && other.target == request &&
         parser.http_major == 1 && parser.http_minor == form->minor &&
         (request || parser.status_code == form->status);
}
