/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* HTTP/1.1 answers as bytes, head and body in one piece: one TLS record. [any thread] */
#pragma once
#include <glib.h>

/* status: 100 to 599. type: of the body; NULL: none is named. more: further field lines, each with its CR LF;
 * NULL: none. head_only: the request was HEAD, so the length is told and the body not sent. close: says that
 * the connection ends. An answer that has no body by its nature (1xx, 204) gets neither length nor body, and
 * 1xx nothing but `more` (RFC 9110 section 6.4.1, RFC 9112 section 6.3). The array has exactly the size it
 * needs, so that nobody leaves copies of a ticket behind by growing it. */
GByteArray *ws_answer_make (guint status, const char *type, const void *body, gsize size, gboolean head_only,
                            gboolean close, const char *more);
/* {"error": …, "message": text}; the status says which word (doc/formats.md). */
GByteArray *
ws_answer_refusal (guint status, const char *text, gboolean head_only, gboolean close, const char *more);
/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7), whatever the language; caller frees. */
char *ws_answer_date (gint64 wall_us);
