/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* HTTP answers: read back with the client's half of the head reader. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "http-head.h"
#include "http-out.h"

typedef struct {
  GByteArray *bytes;
  WsHead *head;
  guint status;
  const char *body;
  gsize size;
} Answer;

static Answer
read_back (GByteArray *bytes)
{
  const WsHeadLimits limits = { 4096, 1024, 32 };
  Answer answer = { .bytes = bytes };
  const char *why;
  gsize used;

  ck_assert_int_eq (ws_answer_read (bytes->data, bytes->len, 0, &limits, &answer.status, &answer.head, &used,
                                    &why),
                    WS_HEAD_DONE);
  answer.body = (const char *) bytes->data + used;
  answer.size = bytes->len - used;
  return answer;
}

static void
answer_clear (Answer *answer)
{
  ws_head_free (answer->head);
  g_byte_array_unref (answer->bytes);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Answer, answer_clear)

static void
has_line (const Answer *answer, const char *line)
{
  ck_assert_msg (g_strstr_len ((const char *) answer->bytes->data, (gssize) answer->bytes->len, line) != NULL,
                 "%s", line);
}

START_TEST (an_answer_has_its_fields)
{
  g_auto (Answer)
      answer = read_back (ws_answer_make (200, "text/plain", "hello", 5, FALSE, FALSE, "x: y\r\n"));

  ck_assert_uint_eq (answer.status, 200);
  has_line (&answer, "HTTP/1.1 200 OK\r\n");
  ck_assert_str_eq (ws_head_field (answer.head, "content-type"), "text/plain");
  ck_assert_uint_eq (answer.head->length, 5);
  ck_assert_str_eq (ws_head_field (answer.head, "cache-control"), "no-store");
  ck_assert_str_eq (ws_head_field (answer.head, "x-content-type-options"), "nosniff");
  ck_assert_str_eq (ws_head_field (answer.head, "content-security-policy"), "default-src 'none'");
  ck_assert_str_eq (ws_head_field (answer.head, "strict-transport-security"), "max-age=31536000");
  ck_assert_str_eq (ws_head_field (answer.head, "x"), "y");
  ck_assert_uint_eq (strlen (ws_head_field (answer.head, "date")), strlen ("Sun, 06 Nov 1994 08:49:37 GMT"));
  ck_assert (answer.head->keep);
  ck_assert_uint_eq (answer.size, 5);
  ck_assert_mem_eq (answer.body, "hello", 5);
}
END_TEST

START_TEST (dates_speak_english)
{
  static const struct {
    gint64 seconds;
    const char *text;
  } rows[] = {
    { 0, "Thu, 01 Jan 1970 00:00:00 GMT" },
    { 784111777, "Sun, 06 Nov 1994 08:49:37 GMT" },
    { 1709251199, "Thu, 29 Feb 2024 23:59:59 GMT" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *date = ws_answer_date (rows[i].seconds * G_USEC_PER_SEC + 999999);

    ck_assert_str_eq (date, rows[i].text);
  }
  ck_assert_ptr_null (ws_answer_date (G_MAXINT64));
}
END_TEST

START_TEST (the_end_of_a_connection_is_said)
{
  g_auto (Answer) answer = read_back (ws_answer_make (200, NULL, NULL, 0, FALSE, TRUE, NULL));

  ck_assert_str_eq (ws_head_field (answer.head, "connection"), "close");
  ck_assert (!answer.head->keep && answer.head->has_length && answer.head->length == 0);
  ck_assert_ptr_null (ws_head_field (answer.head, "content-type"));
}
END_TEST

START_TEST (an_answer_to_head_has_a_length_and_no_body)
{
  g_auto (Answer) answer = read_back (ws_answer_make (200, "text/plain", "hello", 5, TRUE, FALSE, NULL));

  ck_assert_uint_eq (answer.head->length, 5);
  ck_assert_uint_eq (answer.size, 0);
}
END_TEST

/* Length and body would be taken for the next answer. */
START_TEST (some_answers_have_no_body)
{
  static const guint rows[] = { 100, 101, 204 };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_auto (Answer)
        answer = read_back (ws_answer_make (rows[i], "text/plain", "hello", 5, FALSE, FALSE, "x: y\r\n"));

    ck_assert_uint_eq (answer.status, rows[i]);
    ck_assert_ptr_null (ws_head_field (answer.head, "content-length"));
    ck_assert_ptr_null (ws_head_field (answer.head, "content-type"));
    ck_assert_uint_eq (answer.size, 0);
    ck_assert_str_eq (ws_head_field (answer.head, "x"), "y");
    ck_assert ((ws_head_field (answer.head, "date") != NULL) == (rows[i] == 204));
  }
}
END_TEST

START_TEST (an_upgrade_is_read_as_one)
{
  g_auto (Answer) answer = read_back (
      ws_answer_make (101, NULL, NULL, 0, FALSE, FALSE, "upgrade: websocket\r\nconnection: upgrade\r\n"));

  ck_assert (answer.head->upgrade);
  ck_assert_uint_eq (answer.head->fields->len, 2);
}
END_TEST

/* The statuses of doc/front.md, each with a reason; the words of doc/formats.md. */
START_TEST (refusals)
{
  static const struct {
    guint status;
    const char *line, *word;
  } rows[] = {
    { 400, "HTTP/1.1 400 Bad Request\r\n", "invalid" },
    { 401, "HTTP/1.1 401 Unauthorized\r\n", "denied" },
    { 403, "HTTP/1.1 403 Forbidden\r\n", "denied" },
    { 404, "HTTP/1.1 404 Not Found\r\n", "not-found" },
    { 405, "HTTP/1.1 405 Method Not Allowed\r\n", "invalid" },
    { 408, "HTTP/1.1 408 Request Timeout\r\n", "limit" },
    { 409, "HTTP/1.1 409 Conflict\r\n", "conflict" },
    { 411, "HTTP/1.1 411 Length Required\r\n", "invalid" },
    { 413, "HTTP/1.1 413 Content Too Large\r\n", "limit" },
    { 414, "HTTP/1.1 414 URI Too Long\r\n", "limit" },
    { 417, "HTTP/1.1 417 Expectation Failed\r\n", "invalid" },
    { 421, "HTTP/1.1 421 Misdirected Request\r\n", "invalid" },
    { 426, "HTTP/1.1 426 Upgrade Required\r\n", "invalid" },
    { 429, "HTTP/1.1 429 Too Many Requests\r\n", "limit" },
    { 431, "HTTP/1.1 431 Request Header Fields Too Large\r\n", "limit" },
    { 500, "HTTP/1.1 500 Internal Server Error\r\n", "internal" },
    { 501, "HTTP/1.1 501 Not Implemented\r\n", "invalid" },
    { 503, "HTTP/1.1 503 Service Unavailable\r\n", "unavailable" },
    { 505, "HTTP/1.1 505 HTTP Version Not Supported\r\n", "invalid" },
    { 507, "HTTP/1.1 507 Insufficient Storage\r\n", "full" },
    { 499, "HTTP/1.1 499 \r\n", "invalid" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_auto (Answer) answer = read_back (
        ws_answer_refusal (rows[i].status, "a \"b\" \xc3\xa9", FALSE, TRUE, "allow: GET\r\n"));
    g_autofree char *body = g_strndup (answer.body, answer.size);
    g_autofree char *expected = g_strdup_printf ("{\"error\":\"%s\",\"message\":\"a \\\"b\\\" \\u00E9\"}",
                                                 rows[i].word);

    has_line (&answer, rows[i].line);
    ck_assert_str_eq (body, expected);
    ck_assert_uint_eq (answer.head->length, answer.size);
    ck_assert_str_eq (ws_head_field (answer.head, "content-type"), "application/json");
    ck_assert_str_eq (ws_head_field (answer.head, "allow"), "GET");
    ck_assert (!answer.head->keep);
  }
}
END_TEST

START_TEST (a_refusal_of_head_and_of_bad_text)
{
  g_auto (Answer) head = read_back (ws_answer_refusal (404, "nothing", TRUE, FALSE, NULL));
  g_auto (Answer) bad = read_back (ws_answer_refusal (404, "\xff", FALSE, FALSE, NULL));

  ck_assert_uint_eq (head.size, 0);
  ck_assert_uint_eq (head.head->length, strlen ("{\"error\":\"not-found\",\"message\":\"nothing\"}"));
  ck_assert_uint_eq (bad.size, 2);
  ck_assert_mem_eq (bad.body, "{}", 2);
}
END_TEST

START_TEST (a_type_adds_no_line)
{
  g_auto (Answer)
      answer = read_back (ws_answer_make (200, "text/plain\r\nset-cookie: a", "", 0, FALSE, FALSE, NULL));

  ck_assert_ptr_null (ws_head_field (answer.head, "set-cookie"));
  ck_assert_str_eq (ws_head_field (answer.head, "content-type"), "application/octet-stream");
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("http-out");
  TCase *tcase = tcase_create ("http-out");
  SRunner *runner = srunner_create (suite);
  int failed;

  tcase_add_test (tcase, an_answer_has_its_fields);
  tcase_add_test (tcase, dates_speak_english);
  tcase_add_test (tcase, the_end_of_a_connection_is_said);
  tcase_add_test (tcase, an_answer_to_head_has_a_length_and_no_body);
  tcase_add_test (tcase, some_answers_have_no_body);
  tcase_add_test (tcase, an_upgrade_is_read_as_one);
  tcase_add_test (tcase, refusals);
  tcase_add_test (tcase, a_refusal_of_head_and_of_bad_text);
  tcase_add_test (tcase, a_type_adds_no_line);
  suite_add_tcase (suite, tcase);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
