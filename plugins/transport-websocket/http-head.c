/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Heads that have the right form: what their fields mean (head_judge), and the copy that the caller gets
 * (head_build). */
#include "config.h"

#include "http-head.h"

#include <string.h>

#include <farwatch/i18n.h>

#include "http-form.h"
#include "http-other.h"
#include "http-target.h"

/* What stands behind a WsHead: all its text in one piece, so that it is wiped in one. */
typedef struct {
  WsHead head;
  char *block;
  gsize block_size, block_used;
} WsWhole;

/* ---- a copy ---- */

static char *
head_put (WsWhole *whole, const void *text, gsize size)
{
  char *copy = whole->block + whole->block_used;

  g_assert (whole->block_used + size < whole->block_size);
  memcpy (copy, text, size);
  copy[size] = 0;
  whole->block_used += size + 1;
  return copy;
}

static gboolean
same_name (const guint8 *data, WsSpan a, WsSpan b)
{
  return a.size == b.size &&
         g_ascii_strncasecmp ((const char *) data + a.at, (const char *) data + b.at, a.size) == 0;
}

static gboolean
seen_before (const guint8 *data, const WsForm *form, guint i)
{
  const WsLine *lines = (const WsLine *) (gpointer) form->lines->data;

  for (guint j = 0; j < i; j++)
    if (same_name (data, lines[i].name, lines[j].name))
      return TRUE;
  return FALSE;
}

static const char *
put_name (WsWhole *whole, const guint8 *data, WsSpan span)
{
  char *name = head_put (whole, data + span.at, span.size);

  for (char *c = name; *c != 0; c++)
    *c = g_ascii_tolower (*c);
  return name;
}

/* The values of all lines of this name. A name and its colon are longer than what joins two values, so the
 * room is enough. */
static const char *
put_values (WsWhole *whole, const guint8 *data, const WsForm *form, guint i)
{
  const WsLine *lines = (const WsLine *) (gpointer) form->lines->data;
  const char *value = head_put (whole, data + lines[i].value.at, lines[i].value.size);

  for (guint j = i + 1; j < form->lines->len; j++)
    if (same_name (data, lines[i].name, lines[j].name)) {
      whole->block_used--;
      head_put (whole, ", ", 2);
      whole->block_used--;
      head_put (whole, data + lines[j].value.at, lines[j].value.size);
    }
  return value;
}

static WsHead *
head_build (const guint8 *data, gsize size, const WsForm *form)
{
  WsWhole *whole = g_new0 (WsWhole, 1);
  WsHead *head = &whole->head;

  whole->block_size = size + 2 * form->target.size + 16;
  whole->block = g_malloc (whole->block_size);
  head->minor = MIN (form->minor, 1);
  head->fields = g_array_sized_new (FALSE, FALSE, sizeof (WsField), form->lines->len);
  if (form->method.size > 0) {
    head->method = head_put (whole, data + form->method.at, form->method.size);
    head->target = head_put (whole, data + form->target.at, form->target.size);
  }
  for (guint i = 0; i < form->lines->len; i++)
    if (!seen_before (data, form, i)) {
      WsField field = { put_name (whole, data, g_array_index (form->lines, WsLine, i).name), NULL };

      field.value = put_values (whole, data, form, i);
      g_array_append_val (head->fields, field);
    }
  return head;
}

void
ws_head_free (WsHead *head)
{
  WsWhole *whole = (WsWhole *) head;

  if (head == NULL)
    return;
  explicit_bzero (whole->block, whole->block_size);
  g_free (whole->block);
  g_array_unref (head->fields);
  g_free (whole);
}

/* ---- asking it ---- */

const char *
ws_head_field (const WsHead *head, const char *name)
{
  for (guint i = 0; i < head->fields->len; i++)
    if (strcmp (g_array_index (head->fields, WsField, i).name, name) == 0)
      return g_array_index (head->fields, WsField, i).value;
  return NULL;
}

/* The next member of a comma list without the white space around it; FALSE: no more. */
static gboolean
next_member (const char **list, const char **member, gsize *size)
{
  if (*list == NULL)
    return FALSE;
  *list += strspn (*list, " \t");
  *member = *list;
  *size = strcspn (*list, ",");
  *list = (*list)[*size] == 0 ? NULL : *list + *size + 1;
  while (*size > 0 && ((*member)[*size - 1] == ' ' || (*member)[*size - 1] == '\t'))
    --*size;
  return TRUE;
}

static gboolean
is_member (const char *member, gsize size, const char *token)
{
  return size == strlen (token) && g_ascii_strncasecmp (member, token, size) == 0;
}

gboolean
ws_head_has_token (const WsHead *head, const char *name, const char *token)
{
  const char *list = ws_head_field (head, name), *member;
  gsize size;

  while (next_member (&list, &member, &size))
    if (is_member (member, size, token))
      return TRUE;
  return FALSE;
}

/* ---- what it means ---- */

static gboolean
head_no (WsNo *why, guint status, const char *text)
{
  *why = (WsNo){ status, text };
  return FALSE;
}

/* RFC 9112 section 6.3: what two readers could take for different lengths is no length. Two lines have become
 * a list, which is no number. */
static gboolean
ws_http_head_judge_length (WsHead *head, WsNo *why)
{
  const char *text = ws_head_field (head, "content-length");
  gboolean coded = ws_head_field (head, "transfer-encoding") != NULL;

  if (coded && text != NULL)
    return head_no (why, 400, _ ("Content-Length beside Transfer-Encoding"));
  if (coded)
    return head_no (why, 501, _ ("Transfer-Encoding is not taken; send Content-Length"));
  if (text == NULL)
    return TRUE;
  if (text[0] == 0 || strspn (text, "0123456789") != strlen (text))
    return head_no (why, 400, _ ("Content-Length is wrong"));
  if (!g_ascii_string_to_unsigned (text, 10, 0, G_MAXINT64, &head->length, NULL))
    return head_no (why, 413, _ ("the body is too large: 32 KiB at most"));
  head->has_length = TRUE;
  return TRUE;
}

static gboolean
judge_expect (WsHead *head, WsNo *why)
{
  const char *list = ws_head_field (head, "expect"), *member;
  gsize size;

  head->expects = list != NULL && head->minor > 0 && head->length > 0;
  while (next_member (&list, &member, &size))
    if (!is_member (member, size, "100-continue"))
      return head_no (why, 417, _ ("nothing but 100-continue can be expected"));
  return TRUE;
}

static void
judge_connection (WsHead *head)
{
  head->keep = head->minor > 0 && !ws_head_has_token (head, "connection", "close");
  head->upgrade = head->minor > 0 && ws_head_has_token (head, "connection", "upgrade") &&
                  ws_head_has_token (head, "upgrade", "websocket");
}

/* HTTP/1.0 knows no Host (RFC 9112 section 3.2); what it sends must be right all the same. */
static gboolean
judge_host (WsWhole *whole, WsNo *why)
{
  WsHead *head = &whole->head;
  const char *host = ws_head_field (head, "host");
  WsTarget target;

  if (host == NULL && head->minor > 0)
    return head_no (why, 400, _ ("Host is missing"));
  if (host != NULL && !ws_target_is_host (host, strlen (host)))
    return head_no (why, 400, _ ("Host is not one host"));
  if (!ws_target_split (head->method, head->target, &target))
    return head_no (why, 400, _ ("the target is wrong"));
  if (target.host != NULL && host != NULL && !is_member (target.host, target.host_size, host))
    return head_no (why, 400, _ ("the target's host is not the one of Host"));
  head->path = head_put (whole, target.path, target.path_size);
  if (!ws_target_decode (head->path))
    return head_no (why, 400, _ ("the target's path is wrong"));
  head->query = target.query == NULL ? NULL : head_put (whole, target.query, strlen (target.query));
  return TRUE;
}

static gboolean
head_judge (WsWhole *whole, WsNo *why)
{
  judge_connection (&whole->head);
  return judge_host (whole, why) && ws_http_head_judge_length (&whole->head, why) &&
         judge_expect (&whole->head, why);
}

/* The framing of an answer concerns nobody before its body; what is always wrong is refused. An interim
 * answer and 101 have no body, whatever they say (RFC 9112 section 6.3). */
static gboolean
judge_answer (WsHead *head, guint status, WsNo *why)
{
  judge_connection (head);
  if (status < 200 || ws_head_field (head, "transfer-encoding") != NULL)
    return TRUE;
  return ws_http_head_judge_length (head, why);
}

/* ---- */

static WsHeadResult
head_take (const guint8 *data, gsize size, const WsForm *form, WsHead **head, WsNo *why)
{
  g_autoptr (WsHead) made = head_build (data, size, form);
  WsWhole *whole = (WsWhole *) made;

  if (made->method != NULL ? !head_judge (whole, why) : !judge_answer (made, form->status, why))
    return WS_HEAD_REFUSED;
  if (!ws_other_agrees (data, size, form)) {
    head_no (why, 400, _ ("this head can be read in more than one way"));
    return WS_HEAD_REFUSED;
  }
  *head = g_steal_pointer (&made);
  return WS_HEAD_DONE;
}

static WsHeadResult
head_read (const guint8 *data, gsize size, gsize from, const WsHeadLimits *limits, gboolean answer,
           WsHead **head, gsize *used, guint *status, WsNo *why)
{
  g_auto (WsForm) form = { 0 };
  WsHeadResult result;

  *head = NULL;
  *used = 0;
  result = ws_form_read (data, size, from, limits, answer, used, why);
  if (result != WS_HEAD_DONE)
    return result;
  ws_form_init (&form, data, *used, answer);
  *status = form.status;
  return head_take (data, *used, &form, head, why);
}

WsHeadResult
ws_head_read (const guint8 *data, gsize size, gsize from, const WsHeadLimits *limits, WsHead **head,
              gsize *used, guint *status, const char **text, gboolean *final)
{
  WsNo why;
  guint none;
  WsHeadResult result = head_read (data, size, from, limits, FALSE, head, used, &none, &why);

  *status = why.status;
  *text = why.text;
  *final = result == WS_HEAD_REFUSED;
  return result;
}

WsHeadResult
ws_answer_read (const guint8 *data, gsize size, gsize from, const WsHeadLimits *limits, guint *status_code,
                WsHead **head, gsize *used, const char **text)
{
  WsNo why;
  WsHeadResult result;

  *status_code = 0;
  result = head_read (data, size, from, limits, TRUE, head, used, status_code, &why);
  *text = why.text;
  return result;
}
