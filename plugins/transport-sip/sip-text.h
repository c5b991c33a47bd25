/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SIP messages as text: where one ends in a stream, what is wrong with one before the stack sees it, and the
 * Via line by which the stack tells connections apart. Everything that strangers send comes through here
 * first, so nothing here trusts a byte; it holds no state and allocates no more than it is given.
 *
 * What the stack gets is narrower than RFC 3261: lines end in CR LF and nothing else, a start line has single
 * spaces, each header that may stand once does, Content-Length is there. So the stack and this file cannot
 * differ about where a message ends.
 * Functions are [any thread]. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

#define SIP_TEXT_HEADERS_MAX 128
#define SIP_TEXT_HEAD_MAX ((gsize) 16 * 1024)
#define SIP_TEXT_BRANCH_MAX 128

typedef enum {
  SIP_TEXT_MORE,  /* not whole yet */
  SIP_TEXT_WHOLE, /* `blank`, `head` and `body` are known */
  SIP_TEXT_LOST   /* where it ends cannot be known: the connection is of no more use */
} SipTextState;

typedef struct {
  gsize blank; /* line ends before the message */
  gsize head;  /* start line, headers and the empty line */
  gsize body;
  guint code; /* LOST: what is answered */
  const char *fault;
} SipTextFrame;

/* max: bytes of a whole message. Of one that is not whole yet, `head` and `body` are known once head is not
 * all there is. */
SipTextState sip_text_frame (const guint8 *data, gsize size, gsize max, SipTextFrame *frame);

/* The connection that a request came by. */
typedef struct {
  guint64 flow;        /* its number */
  const char *address; /* of the peer */
  guint port;
} SipTextSource;

/* Appends to `to` what the stack shall get of the whole message at data: a response as it is, a request with
 * a Via line of this connection above its own, and in its own the peer's address (RFC 3261 18.2.1, RFC 3581).
 * FALSE: it is not for the stack. Then `answer`, if it has become longer, is for the peer: a refusal of
 * RFC 3261 21.4; *fault says why, static. */
gboolean sip_text_in (const guint8 *data, const SipTextFrame *frame, const SipTextSource *source,
                      GByteArray *to, GByteArray *answer, const char **fault);
/* The refusal of a message that is lost, as far as it can be answered. */
void sip_text_refuse (const guint8 *data, gsize head, guint code, const char *fault, GByteArray *answer);
/* What the peer shall get of a whole message of the stack's: a response without the line that sip_text_in()
 * has added, a request as it is. */
void sip_text_out (const guint8 *data, const SipTextFrame *frame, GByteArray *to);

/* "a%20b" → "a b". FALSE: an escape is broken, or stands for NUL. to has room for strlen(from) + 1. */
gboolean sip_text_unescape (const char *from, char *to);

G_END_DECLS
