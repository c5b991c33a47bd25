/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* parses: plugins/transport-websocket/http-form.c plugins/transport-websocket/http-head.c
 * plugins/transport-websocket/http-other.c plugins/transport-websocket/http-target.c libraries: http_parser
 * Heads of requests and, behind a first byte 'A', of answers. Each input is read whole, then in two steps
 * (cut where its last byte says), which must come to the same. Accepted: there was a head. */
#include "config.h"

#include <string.h>

#include "fuzz/fuzz.h"
#include "http-head.h"

static const WsHeadLimits limits = { 4096, 2048, 16 };

typedef struct {
  WsHeadResult result;
  WsHead *head;
  gsize used;
  guint status;
  const char *text;
} Read;

static Read
read_once (const guint8 *data, gsize size, gsize from, gboolean answer)
{
  Read read = { 0 };
  gboolean final = TRUE;

  if (answer)
    read.result = ws_answer_read (data, size, from, &limits, &read.status, &read.head, &read.used,
                                  &read.text);
  else
    read.result = ws_head_read (data, size, from, &limits, &read.head, &read.used, &read.status, &read.text,
                                &final);
  g_assert ((read.result == WS_HEAD_DONE) == (read.head != NULL));
  g_assert ((read.result == WS_HEAD_REFUSED) == (read.text != NULL));
  g_assert (read.result != WS_HEAD_MORE || size < limits.size_max);
  return read;
}

static gboolean
is_clean (const char *text)
{
  for (; *text != 0; text++)
    if (((guint8) *text < ' ' && *text != '\t') || *text == 0x7f)
      return FALSE;
  return TRUE;
}

/* What the users of a head rely on. */
static void
look_at (const WsHead *head, gsize used)
{
  g_assert (used <= limits.size_max && head->fields->len <= limits.fields_max && head->minor <= 1);
  for (guint i = 0; i < head->fields->len; i++) {
    const WsField *field = &g_array_index (head->fields, WsField, i);

    g_assert (field->name[0] != 0 && is_clean (field->name) && is_clean (field->value));
    g_assert (field->value[0] != ' ' && ws_head_field (head, field->name) == field->value);
  }
  if (head->method == NULL)
    return;
  g_assert (is_clean (head->target) && is_clean (head->path) && g_utf8_validate (head->path, -1, NULL) &&
            strlen (head->path) > 0);
  g_assert (head->minor == 0 || ws_head_field (head, "host") != NULL);
  g_assert (ws_head_field (head, "transfer-encoding") == NULL);
  g_assert (head->has_length == (ws_head_field (head, "content-length") != NULL));
}

static gboolean
same (const Read *a, const Read *b)
{
  if (a->result != b->result || a->text != b->text || a->status != b->status)
    return FALSE;
  return a->head == NULL || (a->used == b->used && g_strcmp0 (a->head->path, b->head->path) == 0 &&
                             a->head->fields->len == b->head->fields->len);
}

gboolean
fuzz_one (const guint8 *data, gsize size)
{
  gboolean answer = size > 0 && data[0] == 'A', taken;
  gsize cut = size > 1 ? data[size - 1] * (size - 1) / 256 : 0;
  Read whole, begun, ended;

  data += answer;
  size -= answer;
  whole = read_once (data, size, 0, answer);
  begun = read_once (data, MIN (cut, size), 0, answer);
  ended = begun;
  if (begun.result == WS_HEAD_MORE)
    ended = read_once (data, size, MIN (cut, size), answer);
  g_assert (same (&whole, &ended));
  taken = whole.head != NULL;
  if (taken)
    look_at (whole.head, whole.used);
  ws_head_free (whole.head);
  ws_head_free (ended.head);
  return taken;
}
