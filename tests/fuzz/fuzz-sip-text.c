/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* parses: plugins/transport-sip/sip-text.c
 * SIP messages as they come by a connection. What is let through must be a message again, of the same body,
 * with the Via line of the connection on top, and what is answered must be an answer. Accepted: the first
 * message is let through. */
#include "config.h"

#include <string.h>

#include "fuzz/fuzz.h"
#include "sip-text.h"

#define LONGEST 65536

static const SipTextSource source = { 42, "198.51.100.9", 40000 };

static void
look_at_lines (const GByteArray *bytes, gsize head)
{
  for (gsize i = 0; i < head; i++) {
    g_assert (bytes->data[i] != '\0');
    g_assert (bytes->data[i] != '\n' || bytes->data[i - 1] == '\r');
    g_assert (bytes->data[i] != '\r' || bytes->data[i + 1] == '\n');
  }
}

static void
look_at_answer (const GByteArray *answer)
{
  SipTextFrame frame;
  if (answer->len == 0)
    return;
  g_assert (memcmp (answer->data, "SIP/2.0 ", 8) == 0);
  g_assert (sip_text_frame (answer->data, answer->len, 4 * LONGEST, &frame) == SIP_TEXT_WHOLE);
  g_assert (frame.blank == 0 && frame.body == 0 && frame.head == answer->len);
}

static void
look_at_passed (const guint8 *data, const SipTextFrame *came, const GByteArray *to)
{
  static const char via[] = "\r\nVia: SIP/2.0/TLS 127.0.0.1:1;branch=z9hG4bK-42-";
  gboolean answer = to->len >= 8 && g_ascii_strncasecmp ((const char *) to->data, "SIP/2.0 ", 8) == 0;
  g_autoptr (GByteArray) out = g_byte_array_new ();
  const guint8 *end = memmem (to->data, to->len, "\r\n", 2);
  gsize head = to->len - came->body;
  g_assert (memcmp (to->data + head, data + came->blank + came->head, came->body) == 0);
  g_assert (head >= 4 && memcmp (to->data + head - 4, "\r\n\r\n", 4) == 0);
  look_at_lines (to, head);
  if (!answer) {
    g_assert (end != NULL && to->len - (gsize) (end - to->data) > sizeof via);
    g_assert (memcmp (end, via, sizeof via - 1) == 0);
  } else {
    SipTextFrame frame = *came;
    frame.blank = 0;
    sip_text_out (to->data, &frame, out);
    g_assert (out->len <= to->len);
  }
}

gboolean
fuzz_one (const guint8 *data, gsize size)
{
  g_autoptr (GByteArray) to = g_byte_array_new (), answer = g_byte_array_new ();
  const char *fault = NULL;
  gboolean good = FALSE;
  SipTextFrame frame;
  SipTextState state = sip_text_frame (data, size, LONGEST, &frame);
  if (state == SIP_TEXT_LOST) {
    g_assert (frame.fault != NULL && frame.code >= 400);
    sip_text_refuse (data + frame.blank, frame.head, frame.code, frame.fault, answer);
  } else if (state == SIP_TEXT_WHOLE) {
    g_assert (frame.blank + frame.head + frame.body <= size && frame.head + frame.body <= LONGEST);
    good = sip_text_in (data, &frame, &source, to, answer, &fault);
    g_assert (good == (fault == NULL) && (!good || answer->len == 0));
  }
  if (good)
    look_at_passed (data, &frame, to);
  look_at_answer (answer);
  return good;
}
