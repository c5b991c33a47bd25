/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The second reader of HTTP heads. It knows only their form (RFC 9112 sections 2 to 5), and that strictly:
 * lines end in CR LF, one space between the parts of the first line, a colon right behind a name, no folded
 * lines, no control characters. What a field means is not its business.
 *
 * Each byte is judged by what came before it alone, so a refusal does not depend on how the bytes were cut on
 * their way. */
#pragma once
#include "http-head.h"

typedef struct {
  gsize at, size;
} WsSpan; /* of the bytes that were read */
typedef struct {
  WsSpan name, value;
} WsLine; /* the value without the white space around it */
typedef struct {
  guint status;
  const char *text;
} WsNo; /* text: static */

typedef struct {
  gsize first;           /* where the first line begins */
  WsSpan method, target; /* of a request */
  guint status;          /* of an answer */
  guint minor;           /* as sent, 0 to 9 */
  GArray *lines;         /* of WsLine */
} WsForm;

/* Reads on from byte `from`. DONE: *end bytes are a head. REFUSED: *no says why. [any thread] */
WsHeadResult ws_form_read (const guint8 *data, gsize size, gsize from, const WsHeadLimits *limits,
                           gboolean answer, gsize *end, WsNo *no);
/* The parts of a head that was DONE. */
void ws_form_init (WsForm *form, const guint8 *data, gsize end, gboolean answer);
void ws_form_clear (WsForm *form);
gboolean ws_form_is_token (guint8 c); /* RFC 9110 section 5.6.2 */
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (WsForm, ws_form_clear)
