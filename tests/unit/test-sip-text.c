/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the fence lets through to the SIP stack: where messages end, which are refused and with what, and the
 * Via line that goes in and comes out again. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../plugins/transport-sip/sip-text.h"

#define VIA "Via: SIP/2.0/TLS 192.0.2.1:5061;branch=z9hG4bKx\r\n"
#define REST "From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: i\r\nCSeq: 1 ACCESS\r\n"
#define LENGTH "Content-Length: 0\r\n"
#define LINE "ACCESS sip:b@x SIP/2.0\r\n"

static const SipTextSource source = { 7, "198.51.100.9", 40000 };

/* NULL: let through, else the start line of the refusal; "": refused without a word. */
static char *
refusal (const char *text, GByteArray *to)
{
  g_autoptr (GByteArray) answer = g_byte_array_new ();
  SipTextFrame frame;
  const char *fault = NULL;
  ck_assert_int_eq (sip_text_frame ((const guint8 *) text, strlen (text), 65536, &frame), SIP_TEXT_WHOLE);
  ck_assert_uint_eq (frame.blank + frame.head + frame.body, strlen (text));
  if (sip_text_in ((const guint8 *) text, &frame, &source, to, answer, &fault)) {
    ck_assert_uint_eq (answer->len, 0);
    return NULL;
  }
  ck_assert_ptr_nonnull (fault);
  ck_assert_uint_eq (to->len, 0);
  if (answer->len == 0)
    return g_strdup ("");
  g_byte_array_append (answer, (const guint8 *) "", 1);
  return g_strndup ((const char *) answer->data, strcspn ((const char *) answer->data, "\r"));
}

/* ---- what is right ---- */

static const struct {
  const char *text, *made; /* made: what replaces all Via lines */
} good[] = {
  { LINE VIA REST LENGTH "\r\n", "Via: SIP/2.0/TLS 127.0.0.1:1;branch=z9hG4bK-7-x\r\nVia: SIP/2.0/TLS "
                                 "192.0.2.1:5061;branch=z9hG4bKx;received=198.51.100.9\r\n" },
  { LINE
    "v: SIP/2.0/TLS h;rport;branch=z9hG4bKx;received=1.2.3.4, SIP/2.0/TLS g;branch=z9hG4bKy\r\n" REST LENGTH
    "\r\n",
    "Via: SIP/2.0/TLS 127.0.0.1:1;branch=z9hG4bK-7-x\r\nVia: SIP/2.0/TLS "
    "h;branch=z9hG4bKx;received=198.51.100.9;rport=40000, SIP/2.0/TLS g;branch=z9hG4bKy\r\n" },
  { LINE "Via: SIP/2.0/TLS h ; branch = z9hG4bKx;x=\"a,;received=b\"\r\n ;rport=9\r\n" REST LENGTH "\r\n",
    "Via: SIP/2.0/TLS 127.0.0.1:1;branch=z9hG4bK-7-x\r\nVia: SIP/2.0/TLS h ; branch = "
    "z9hG4bKx;x=\"a,;received=b\"\r\n ;received=198.51.100.9;rport=40000\r\n" },
};

START_TEST (a_request_is_led_in)
{
  g_autoptr (GByteArray) to = g_byte_array_new ();
  ck_assert_ptr_null (refusal (good[_i].text, to));
  g_byte_array_append (to, (const guint8 *) "", 1);
  const char *made = (const char *) to->data + strlen (LINE);
  ck_assert_msg (g_str_has_prefix (made, good[_i].made), "%s", made);
  ck_assert_str_eq (made + strlen (good[_i].made), REST LENGTH "\r\n");
}
END_TEST

START_TEST (an_answer_is_led_out)
{
  const char *text = "SIP/2.0 200 OK\r\nVia: SIP/2.0/TLS 127.0.0.1:1;branch=z9hG4bK-7-x;rport=3\r\n" VIA REST
      LENGTH "\r\n";
  g_autoptr (GByteArray) to = g_byte_array_new ();
  SipTextFrame frame;
  ck_assert_int_eq (sip_text_frame ((const guint8 *) text, strlen (text), 65536, &frame), SIP_TEXT_WHOLE);
  sip_text_out ((const guint8 *) text, &frame, to);
  g_byte_array_append (to, (const guint8 *) "", 1);
  ck_assert_str_eq ((const char *) to->data, "SIP/2.0 200 OK\r\n" VIA REST LENGTH "\r\n");
}
END_TEST

/* Two connections with the same branch, and one without a branch of RFC 3261, are told apart. */
START_TEST (branches_are_the_connections_own)
{
  const char *old = LINE "Via: SIP/2.0/TLS h;branch=1\r\n" REST LENGTH "\r\n",
             *cancel =
                 "CANCEL sip:b@x SIP/2.0\r\nVia: SIP/2.0/TLS h;branch=1\r\nFrom: <sip:a@x>;tag=1\r\nTo: "
                 "<sip:b@x>\r\nCall-ID: i\r\nCSeq: 1 CANCEL\r\n" LENGTH "\r\n",
             *other = LINE "Via: SIP/2.0/TLS h;branch=2\r\n" REST LENGTH "\r\n";
  const char *texts[] = { old, cancel, other };
  char *lines[3];
  for (guint i = 0; i < 3; i++) {
    g_autoptr (GByteArray) to = g_byte_array_new ();
    ck_assert_ptr_null (refusal (texts[i], to));
    const char *via = strstr ((const char *) to->data, "\r\n") + 2;
    ck_assert (g_str_has_prefix (via, "Via: SIP/2.0/TLS 127.0.0.1:1;branch=z9hG4bK-7-old-"));
    lines[i] = g_strndup (via, strcspn (via, "\r"));
  }
  ck_assert_str_eq (lines[0], lines[1]);
  ck_assert_str_ne (lines[0], lines[2]);
  for (guint i = 0; i < 3; i++)
    g_free (lines[i]);
}
END_TEST

/* ---- what is wrong ---- */

static const struct {
  const char *text, *start;
} bad[] = {
  { LINE REST LENGTH "\r\n", "" },
  { "ACK sip:b@x SIP/2.0\r\n" VIA LENGTH "\r\n", "" },
  { "SIP/2.0 20 OK\r\n" VIA REST LENGTH "\r\n", "" },
  { "SIP/2.0 700 OK\r\n" VIA REST LENGTH "\r\n", "" },
  { "SIP/2.0 200 OK\r\n" VIA REST "Subject: a\r\nSubject: b\r\n" LENGTH "\r\n", "" },
  { LINE VIA LENGTH "\r\n", "SIP/2.0 400 Missing Header" },
  { LINE VIA REST "t: <sip:b@x>\r\n" LENGTH "\r\n", "SIP/2.0 400 Header Stands Twice" },
  { LINE VIA REST "Max-Forwards: 1\r\nMax-Forwards: 2\r\n" LENGTH "\r\n", "SIP/2.0 400 Header Stands Twice" },
  { LINE VIA REST "no header\r\n" LENGTH "\r\n", "SIP/2.0 400 Bad Header" },
  { LINE VIA REST "b(d: 1\r\n" LENGTH "\r\n", "SIP/2.0 400 Bad Header" },
  { LINE VIA "From: a\r\nTo: b\r\nCall-ID: i\r\nCSeq: 1 INVITE\r\n" LENGTH "\r\n",
    "SIP/2.0 400 CSeq Does Not Match Method" },
  { LINE VIA "From: a\r\nTo: b\r\nCall-ID: i\r\nCSeq: 99999999999 ACCESS\r\n" LENGTH "\r\n",
    "SIP/2.0 400 Bad CSeq Header" },
  { LINE VIA "From: a\r\nTo: b\r\nCall-ID: i\r\nCSeq: 1\r\n" LENGTH "\r\n", "SIP/2.0 400 Bad CSeq Header" },
  { LINE "Via: SIP/2.0/TLS h;maddr=slow.example;branch=z9hG4bKx\r\n" REST LENGTH "\r\n",
    "SIP/2.0 400 Via With maddr" },
  { LINE "Via: SIP/2.0/TLS h; MADDR = a\r\n" REST LENGTH "\r\n", "SIP/2.0 400 Via With maddr" },
  { "ACCESS sip:b@x SIP/7.0\r\n" VIA REST LENGTH "\r\n", "SIP/2.0 505 Version Not Supported" },
  { "ACCESS  sip:b@x SIP/2.0\r\n" VIA REST LENGTH "\r\n", "SIP/2.0 400 Bad Request-URI" },
  { "ACCESS sip:b@x  SIP/2.0\r\n" VIA REST LENGTH "\r\n", "SIP/2.0 400 Bad Request Line" },
  { "ACCESS <sip:b@x> SIP/2.0\r\n" VIA REST LENGTH "\r\n", "SIP/2.0 400 Bad Request-URI" },
  { "ACCESS sip:b@x SIP/2.0 \r\n" VIA REST LENGTH "\r\n", "SIP/2.0 400 Bad Request Line" },
  { "ACC(SS sip:b@x SIP/2.0\r\n" VIA REST LENGTH "\r\n", "SIP/2.0 400 Bad Request Line" },
  { "ACCESS\r\n" VIA REST LENGTH "\r\n", "SIP/2.0 400 Bad Request Line" },
};

START_TEST (a_bad_message_is_refused)
{
  g_autoptr (GByteArray) to = g_byte_array_new ();
  g_autofree char *start = refusal (bad[_i].text, to);
  ck_assert_ptr_nonnull (start);
  ck_assert_str_eq (start, bad[_i].start);
}
END_TEST

/* A refusal repeats what an answer repeats, and nothing else. */
START_TEST (a_refusal_is_an_answer)
{
  const char *text = LINE VIA "Secret: s\r\n" REST "Expires: 1\r\nExpires: 1\r\n" LENGTH "\r\n";
  g_autoptr (GByteArray) to = g_byte_array_new (), answer = g_byte_array_new ();
  SipTextFrame frame;
  const char *fault;
  sip_text_frame ((const guint8 *) text, strlen (text), 65536, &frame);
  ck_assert (!sip_text_in ((const guint8 *) text, &frame, &source, to, answer, &fault));
  g_byte_array_append (answer, (const guint8 *) "", 1);
  ck_assert_str_eq ((const char *) answer->data,
                    "SIP/2.0 400 Header Stands Twice\r\n" VIA REST LENGTH "\r\n");
}
END_TEST

/* ---- where it ends ---- */

static const struct {
  const char *text;
  gsize size;
  SipTextState state;
  guint code;
} ends[] = {
  { "", 0, SIP_TEXT_MORE, 0 },
  { "\r\n\r\n", 4, SIP_TEXT_MORE, 0 },
  { LINE, 0, SIP_TEXT_MORE, 0 },
  { "A\r", 2, SIP_TEXT_MORE, 0 },
  { LINE "l: 5\r\n\r\nabcd", 0, SIP_TEXT_MORE, 0 },
  { LINE "l: 5\r\n\r\nabcde", 0, SIP_TEXT_WHOLE, 0 },
  { "\r\n\r\n" LINE "Content-Length :\r\n 5 \r\n\r\nabcdef", 0, SIP_TEXT_WHOLE, 0 },
  { LINE "\r\n", 0, SIP_TEXT_LOST, 400 },
  { LINE "l: 1\r\nContent-Length: 1\r\n\r\n", 0, SIP_TEXT_LOST, 400 },
  { LINE "l: -1\r\n\r\n", 0, SIP_TEXT_LOST, 400 },
  { LINE "l: 1, 1\r\n\r\n", 0, SIP_TEXT_LOST, 400 },
  { LINE "l:\r\n\r\n", 0, SIP_TEXT_LOST, 400 },
  { LINE "l: 4294967297\r\n\r\n", 0, SIP_TEXT_LOST, 413 },
  { LINE "l: 42949672970\r\n\r\n", 0, SIP_TEXT_LOST, 400 },
  { LINE "l: 99999\r\n\r\n", 0, SIP_TEXT_LOST, 413 },
  { "A\nl: 0\r\n\r\n", 0, SIP_TEXT_LOST, 400 },
  { "A\rl: 0\r\n\r\n", 0, SIP_TEXT_LOST, 400 },
  { "A\0B\r\n", 5, SIP_TEXT_LOST, 400 },
};

START_TEST (messages_end_where_they_say)
{
  gsize size = ends[_i].size != 0 ? ends[_i].size : strlen (ends[_i].text);
  SipTextFrame frame;
  ck_assert_int_eq (sip_text_frame ((const guint8 *) ends[_i].text, size, 65536, &frame), ends[_i].state);
  ck_assert_uint_eq (frame.code, ends[_i].code);
  ck_assert_uint_eq (frame.fault != NULL, ends[_i].code != 0);
}
END_TEST

START_TEST (a_head_has_a_limit)
{
  g_autoptr (GString) text = g_string_new (LINE);
  SipTextFrame frame;
  for (guint i = 0; i < SIP_TEXT_HEADERS_MAX + 1; i++)
    g_string_append (text, "X: 1\r\n");
  g_string_append (text, "\r\n");
  ck_assert_int_eq (sip_text_frame ((const guint8 *) text->str, text->len, 65536, &frame), SIP_TEXT_LOST);
  ck_assert_str_eq (frame.fault, "Too Many Headers");
  g_string_assign (text, LINE "X: ");
  while (text->len < SIP_TEXT_HEAD_MAX)
    g_string_append_c (text, 'x');
  ck_assert_int_eq (sip_text_frame ((const guint8 *) text->str, text->len, 65536, &frame), SIP_TEXT_LOST);
  ck_assert_uint_eq (frame.code, 413);
}
END_TEST

/* However it is cut, each prefix is unfinished or lost, and none is read beyond its end (sanitizers watch).
 */
START_TEST (no_prefix_is_whole)
{
  const char *text = good[_i].text;
  for (gsize size = 1; size < strlen (text); size++) {
    g_autofree guint8 *copy = g_memdup2 (text, size);
    SipTextFrame frame;
    ck_assert_int_eq (sip_text_frame (copy, size, 65536, &frame), SIP_TEXT_MORE);
  }
}
END_TEST

START_TEST (escapes)
{
  char to[32];
  ck_assert (sip_text_unescape ("%522", to));
  ck_assert_str_eq (to, "R2");
  ck_assert (sip_text_unescape ("", to));
  ck_assert (!sip_text_unescape ("a%00b", to));
  ck_assert (!sip_text_unescape ("a%4", to));
  ck_assert (!sip_text_unescape ("a%", to));
  ck_assert (!sip_text_unescape ("%zz", to));
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("sip-text");
  TCase *tcase = tcase_create ("all");
  tcase_add_loop_test (tcase, a_request_is_led_in, 0, G_N_ELEMENTS (good));
  tcase_add_test (tcase, an_answer_is_led_out);
  tcase_add_test (tcase, branches_are_the_connections_own);
  tcase_add_loop_test (tcase, a_bad_message_is_refused, 0, G_N_ELEMENTS (bad));
  tcase_add_test (tcase, a_refusal_is_an_answer);
  tcase_add_loop_test (tcase, messages_end_where_they_say, 0, G_N_ELEMENTS (ends));
  tcase_add_test (tcase, a_head_has_a_limit);
  tcase_add_loop_test (tcase, no_prefix_is_whole, 0, G_N_ELEMENTS (good));
  tcase_add_test (tcase, escapes);
  suite_add_tcase (suite, tcase);
  SRunner *runner = srunner_create (suite);
  srunner_set_tap (runner, "-");
  srunner_run_all (runner, CK_ENV);
  int failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
