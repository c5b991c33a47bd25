/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes to HTTP/1.1 heads, or a refusal (RFC 9110, RFC 9112; doc/front.md says what gets which status). Two
 * readers look at each head: http-parser and one of our own (http-form.h). Only what both read alike is
 * taken, so that nobody in front of this port and nobody behind it sees another request in the same bytes.
 * Plain functions over memory. [any thread] */
#pragma once
#include <glib.h>

typedef struct {
  const char *name; /* lower case */
  /* without the white space around it; may hold bytes above 0x7f that are no UTF-8, never a control character
   * but HTAB */
  const char *value;
} WsField;

/* All text belongs to the head and is wiped with it: it may hold tickets. */
typedef struct {
  char *method; /* "GET"; an answer: NULL, as target, path and query are */
  char *target; /* as sent */
  /* decoded once from %XX; UTF-8 without control characters. Of "OPTIONS *": "*"; of CONNECT: the target */
  char *path;
  char *query; /* as sent, without '?'; NULL: none */
  guint minor; /* HTTP/1.minor, 0 or 1: a higher one counts as 1 (RFC 9110 section 2.5) */
  /* of WsField. One for each name, in order of the first: what is repeated was joined by ", " */
  GArray *fields;
  gboolean keep;    /* the connection may go on after the answer; never with HTTP/1.0 */
  gboolean expects; /* Expect: 100-continue, and a body is to come; never with HTTP/1.0 */
  gboolean has_length;
  guint64 length;   /* at most G_MAXINT64 */
  gboolean upgrade; /* Connection: has the token upgrade and Upgrade: has websocket; never with HTTP/1.0 */
} WsHead;

typedef struct {
  gsize size_max;   /* bytes of the whole head, at least 64 */
  gsize line_max;   /* bytes of the target, and of each field line without its CR LF */
  guint fields_max; /* field lines */
} WsHeadLimits;

typedef enum { WS_HEAD_MORE, WS_HEAD_DONE, WS_HEAD_REFUSED } WsHeadResult;

/* Looks at size bytes from the beginning of a request; up to two empty lines before it are skipped (RFC 9112
 * section 2.2). from: so many of these bytes led to MORE before and are not looked at again, so that a head
 * that dribbles in costs O(n); 0: none. DONE: *used bytes were the head, *head is to be freed with
 * ws_head_free(); else they are 0 and NULL. MORE: not whole yet; said of less than limits->size_max bytes
 * only. REFUSED: *status and *text (translated, static) say why, as soon as the first wrong byte is there;
 * the connection ends after the answer where *final. */
WsHeadResult ws_head_read (const guint8 *data, gsize size, gsize from, const WsHeadLimits *limits,
                           WsHead **head, gsize *used, guint *status, const char **text, gboolean *final);
/* The client's half: the head of an answer. *status_code: its status, 100 to 599. */
WsHeadResult ws_answer_read (const guint8 *data, gsize size, gsize from, const WsHeadLimits *limits,
                             guint *status_code, WsHead **head, gsize *used, const char **text);

/* The value of a field, name in lower case; NULL: none. Lines of the same name are one value, joined by ", "
 * (RFC 9110 section 5.3): what must not be a list is then wrong by itself. */
const char *ws_head_field (const WsHead *head, const char *name);
/* Whether a comma list has this member, without regard to case. */
gboolean ws_head_has_token (const WsHead *head, const char *name, const char *token);
/* Wipes and frees. NULL: nothing. */
void ws_head_free (WsHead *head);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (WsHead, ws_head_free)
