/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages and their wire form. The vectors of doc/formats.md are read from there. */
#include "config.h"

#include <farwatch/message.h>

#include "message/frame.h"
#include "unit/core-help.h"

static GBytes *
framed (const char *head, const char *body)
{
  GByteArray *out = g_byte_array_new ();
  guint32 size = GUINT32_TO_BE ((guint32) strlen (head));

  g_byte_array_append (out, (const guint8 *) &size, 4);
  g_byte_array_append (out, (const guint8 *) head, (guint) strlen (head));
  g_byte_array_append (out, (const guint8 *) body, (guint) strlen (body));
  return g_byte_array_free_to_bytes (out);
}

static FarMessage *
decoded (const char *head, const char *body, GError **error)
{
  g_autoptr (GBytes) bytes = framed (head, body);
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);

  return far_message_decode (data, size, error);
}

START_TEST (vector_of_a_request)
{
  static const char wire[] = "\x00\x00\x00\x68"
                             "{\"headers\":{\"hops\":\"1\"},\"id\":\"a1\",\"method\":\"PUT\",\"n\":12,"
                             "\"resource\":\"users/al\",\"type\":\"application/json\"}"
                             "{\"key\":\"k\"} ";
  g_autoptr (FarMessage) message = far_message_decode ((const guint8 *) wire, sizeof wire - 1, NULL);
  g_autoptr (GBytes) again = NULL;

  ck_assert_ptr_nonnull (message);
  ck_assert_str_eq (message->id, "a1");
  ck_assert_str_eq (message->method, "PUT");
  ck_assert_str_eq (message->resource, "users/al");
  ck_assert_str_eq (far_message_header (message, "hops"), "1");
  ck_assert_uint_eq (g_bytes_get_size (message->body), 12);
  again = far_message_encode (message);
  ck_assert_uint_eq (g_bytes_get_size (again), sizeof wire - 1);
  ck_assert_mem_eq (g_bytes_get_data (again, NULL), wire, sizeof wire - 1);
}
END_TEST

START_TEST (vector_of_an_answer)
{
  static const char wire[] = "\x00\x00\x00\x19{\"id\":\"a1\",\"status\":204}";
  g_autoptr (FarMessage) message = NULL;
  g_autoptr (GBytes) again = NULL;

  message = far_message_decode ((const guint8 *) wire, sizeof wire - 1, NULL);
  ck_assert_ptr_null (message); /* 24 bytes are there, 25 are announced */
  message = decoded ("{\"id\":\"a1\",\"status\":204}", "", NULL);
  ck_assert_ptr_nonnull (message);
  ck_assert_ptr_null (message->method);
  ck_assert_uint_eq (message->status, 204);
  ck_assert_ptr_null (message->body);
  again = far_message_encode (message);
  ck_assert_mem_eq (g_bytes_get_data (again, NULL), "\x00\x00\x00\x18", 4);
}
END_TEST

/* The bytes behind "Vector `NAME`" in doc/formats.md. */
static GByteArray *
vector (const char *name)
{
  const char *source = g_getenv ("FARWATCH_TEST_SRCDIR");
  g_autofree char *path = g_build_filename (source != NULL ? source : "..", "doc", "formats.md", NULL),
                  *text = NULL, *mark = NULL;
  GByteArray *bytes = g_byte_array_new ();
  const char *at;

  ck_assert (g_file_get_contents (path, &text, NULL, NULL));
  mark = g_strdup_printf ("Vector `%s`", name);
  at = strstr (text, mark);
  ck_assert_ptr_nonnull (at);
  at = strstr (at, "\n    ");
  ck_assert_ptr_nonnull (at);
  for (at += 5; g_ascii_isxdigit (at[0]) && g_ascii_isxdigit (at[1]); at += 2) {
    guint8 byte = (guint8) (g_ascii_xdigit_value (at[0]) << 4 | g_ascii_xdigit_value (at[1]));

    g_byte_array_append (bytes, &byte, 1);
  }
  return bytes;
}

START_TEST (vectors_of_the_document)
{
  static const char *const names[] = { "frame-request", "frame-answer", "frame-event" };
  g_autoptr (GByteArray) bytes = vector (names[_i]);
  g_autoptr (FarMessage) message = far_message_decode (bytes->data, bytes->len, NULL);
  g_autoptr (GBytes) again = NULL;

  ck_assert_ptr_nonnull (message);
  again = far_message_encode (message);
  ck_assert_uint_eq (g_bytes_get_size (again), bytes->len);
  ck_assert_mem_eq (g_bytes_get_data (again, NULL), bytes->data, bytes->len);
}
END_TEST

static const struct {
  const char *head, *body, *says;
} bad[] = {
  { "{}", "", "bad id" },
  { "{\"id\":\"\",\"status\":200}", "", "bad id" },
  { "{\"id\":\"a b\",\"status\":200}", "", "bad id" },
  { "{\"id\":7,\"status\":200}", "", "bad id" },
  { "{\"id\":\"x\"}", "", "neither method nor status" },
  { "{\"id\":\"x\",\"status\":99}", "", "neither method nor status" },
  { "{\"id\":\"x\",\"status\":\"200\"}", "", "neither method nor status" },
  { "{\"id\":\"x\",\"status\":200,\"method\":\"GET\",\"resource\":\"a\"}", "", "method and status" },
  { "{\"id\":\"x\",\"status\":200,\"resource\":\"a\"}", "", "an answer with a resource" },
  { "{\"id\":\"x\",\"method\":\"get\",\"resource\":\"a\"}", "", "unknown method" },
  { "{\"id\":\"x\",\"method\":\"GET\"}", "", "bad resource" },
  { "{\"id\":\"x\",\"method\":\"GET\",\"resource\":\"\"}", "", "bad resource" },
  { "{\"id\":\"x\",\"method\":\"GET\",\"resource\":\"/a\"}", "", "bad resource" },
  { "{\"id\":\"x\",\"method\":\"GET\",\"resource\":\"a//b\"}", "", "bad resource" },
  { "{\"id\":\"x\",\"method\":\"GET\",\"resource\":\"a b\"}", "", "bad resource" },
  { "{\"id\":\"x\",\"method\":\"GET\",\"resource\":\"\xc3\xa4\"}", "", "bad resource" },
  { "{\"id\":\"x\",\"status\":200,\"what\":1}", "", "unknown key" },
  { "{\"id\":\"x\",\"status\":200,\"headers\":[]}", "", "bad headers" },
  { "{\"id\":\"x\",\"status\":200,\"headers\":{\"A\":\"b\"}}", "", "bad header" },
  { "{\"id\":\"x\",\"status\":200,\"headers\":{\"a\":1}}", "", "bad header" },
  { "{\"id\":\"x\",\"status\":200,\"headers\":{\"\":\"\"}}", "", "bad header" },
  { "{\"id\":\"x\",\"status\":200,\"type\":7}", "", "bad type" },
  { "{\"id\":\"x\",\"status\":200,\"n\":2}", "{}", "a body without type" },
  { "{\"id\":\"x\",\"status\":200,\"n\":-1,\"type\":\"t\"}", "", "body too long" },
  { "{\"id\":\"x\",\"status\":200,\"n\":\"2\",\"type\":\"t\"}", "{}", "body too long" },
  { "{\"id\":\"x\",\"status\":200,\"n\":32769,\"type\":\"application/json\"}", "", "body too long" },
  { "{\"id\":\"x\",\"status\":200,\"n\":262145,\"type\":\"application/vnd.farwatch.batch\"}", "",
    "body too long" },
  { "{\"id\":\"x\",\"status\":200,\"n\":3,\"type\":\"t\"}", "{}", "cut short" },
  { "{\"id\":\"x\",\"status\":200,\"n\":1,\"type\":\"t\"}", "{}", "bytes after the end" },
  { "{\"id\":\"x\",\"id\":\"y\",\"status\":200}", "", "duplicate" },
  { "[1]", "", "header is no object" },
  { "nonsense", "", "bad message frame" },
};

START_TEST (bad_frames_are_named)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FarMessage) message = decoded (bad[_i].head, bad[_i].body, &error);

  ck_assert_msg (message == NULL, "%s was taken", bad[_i].head);
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_PROTOCOL));
  ck_assert_msg (strstr (error->message, bad[_i].says) != NULL, "%s: %s", bad[_i].head, error->message);
}
END_TEST

START_TEST (frame_size_knows_as_soon_as_it_can)
{
  g_autoptr (GBytes) bytes = framed ("{\"id\":\"x\",\"status\":200,\"n\":4,\"type\":\"t\"}", "1234");
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);
  const guint8 huge[] = { 0xff, 0xff, 0xff, 0xff }, none[] = { 0, 0, 0, 0 }, over[] = { 0, 0, 0x20, 1 };

  for (gsize have = 0; have < size - 4; have++)
    ck_assert_int_eq (far_message_frame_size (data, have, NULL), 0);
  ck_assert_int_eq (far_message_frame_size (data, size - 4, NULL), (gssize) size);
  ck_assert_int_eq (far_message_frame_size (data, size, NULL), (gssize) size);
  ck_assert_int_eq (far_message_frame_size (huge, 4, NULL), -1);
  ck_assert_int_eq (far_message_frame_size (none, 4, NULL), -1);
  ck_assert_int_eq (far_message_frame_size (over, 4, NULL), -1); /* 8 KiB + 1 */
}
END_TEST

START_TEST (deep_json_is_refused_before_it_is_read)
{
  g_autoptr (GString) deep = g_string_new ("{\"id\":\"x\",\"headers\":");
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 2000; i++)
    g_string_append_c (deep, '[');
  ck_assert_ptr_null (decoded (deep->str, "", &error));
  ck_assert_ptr_nonnull (strstr (error->message, "nested too deep"));
}
END_TEST

START_TEST (many_headers_are_refused)
{
  g_autoptr (GString) head = g_string_new ("{\"id\":\"x\",\"status\":200,\"headers\":{");
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 33; i++)
    g_string_append_printf (head, "%s\"h%u\":\"v\"", i > 0 ? "," : "", i);
  g_string_append (head, "}}");
  ck_assert_ptr_null (decoded (head->str, "", &error));
  ck_assert_ptr_nonnull (strstr (error->message, "bad headers"));
}
END_TEST

START_TEST (body_limits_by_type)
{
  g_autofree char *body = g_strnfill (FAR_BATCH_MAX, 'b');
  g_autoptr (FarMessage) batch = decoded ("{\"id\":\"x\",\"method\":\"POST\",\"n\":262144,\"resource\":"
                                          "\"batches\",\"type\":\"application/vnd.farwatch.batch\"}",
                                          body, NULL);

  ck_assert_ptr_nonnull (batch);
  body[FAR_BODY_MAX] = '\0';
  g_clear_pointer (&batch, far_message_unref);
  batch = decoded (
      "{\"id\":\"x\",\"method\":\"POST\",\"n\":32768,\"resource\":\"a\",\"type\":\"application/json\"}", body,
      NULL);
  ck_assert_ptr_nonnull (batch);
}
END_TEST

START_TEST (errors_cross_with_word_and_status)
{
  g_autoptr (FarMessage) request = far_message_request ("GET", "a", NULL);

  for (int code = FAR_ERROR_CONFIG; code <= FAR_ERROR_FULL; code++) {
    g_autoptr (GError) error = g_error_new (FAR_ERROR, code, "because %d", code), back = NULL;
    g_autoptr (FarMessage) answer = far_message_error (request, error);

    ck_assert_uint_ge (answer->status, 400);
    ck_assert_str_eq (answer->id, request->id);
    ck_assert (!far_message_check (answer, &back));
    ck_assert_int_eq (back->code, code);
    ck_assert_str_eq (back->message, error->message);
  }
}
END_TEST

START_TEST (error_text_that_is_not_utf8_crosses)
{
  g_autoptr (FarMessage) request = far_message_request ("GET", "a", NULL), answer = NULL, again = NULL;
  g_autoptr (GError) error = g_error_new_literal (FAR_ERROR, FAR_ERROR_CONFIG, "cannot read /tmp/\xff"),
                     back = NULL;
  g_autoptr (GBytes) bytes = NULL;

  answer = far_message_error (request, error);
  bytes = far_message_encode (answer);
  again = far_message_decode (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), NULL);
  ck_assert_ptr_nonnull (again);
  ck_assert (!far_message_check (again, &back));
  ck_assert_ptr_nonnull (strstr (back->message, "cannot read /tmp/"));
}
END_TEST

START_TEST (error_without_words_is_still_one)
{
  g_autoptr (FarMessage) empty = decoded ("{\"id\":\"x\",\"status\":503}", "", NULL);
  g_autoptr (FarMessage)
      odd = decoded ("{\"id\":\"x\",\"n\":3,\"status\":404,\"type\":\"text/html\"}", "<a>", NULL);
  g_autoptr (FarMessage)
      next = decoded ("{\"id\":\"x\",\"n\":52,\"status\":403,\"type\":\"application/json\"}",
                      "{\"error\":\"denied\",\"message\":\"no\",\"next\":\"ask admin\"}", NULL);
  g_autoptr (GError) error = NULL;

  ck_assert (!far_message_check (empty, &error));
  ck_assert_ptr_nonnull (strstr (error->message, "503"));
  g_clear_error (&error);
  ck_assert (!far_message_check (odd, &error));
  g_clear_error (&error);
  ck_assert_ptr_nonnull (next);
  ck_assert (!far_message_check (next, &error));
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_DENIED));
  ck_assert_str_eq (error->message, "no; ask admin");
}
END_TEST

START_TEST (body_that_is_no_json_says_where)
{
  g_autoptr (FarMessage) message =
      decoded ("{\"id\":\"x\",\"method\":\"POST\",\"n\":7,\"resource\":\"a\",\"type\":\"application/json\"}",
               "{\n\"a\":}", NULL);
  g_autoptr (FarMessage) none = far_message_request ("GET", "a", NULL);
  g_autoptr (GError) error = NULL;

  ck_assert_ptr_null (far_message_json (message, &error));
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_INVALID));
  ck_assert_ptr_nonnull (strstr (error->message, "line 2"));
  ck_assert_ptr_null (far_message_json (none, NULL));
}
END_TEST

START_TEST (ids_are_drawn_anew)
{
  g_autoptr (FarMessage) a = far_message_request ("GET", "a", NULL),
                         b = far_message_request ("GET", "a", NULL);

  ck_assert (far_frame_id_ok (a->id));
  ck_assert_str_ne (a->id, b->id);
  far_message_set_header (a, "x", "1");
  far_message_set_header (a, "x", NULL);
  ck_assert_ptr_null (far_message_header (a, "x"));
  ck_assert_ptr_null (far_message_header (b, "x"));
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("message");
  TCase *tc = tcase_create ("frame");

  tcase_add_test (tc, vector_of_a_request);
  tcase_add_test (tc, vector_of_an_answer);
  tcase_add_loop_test (tc, vectors_of_the_document, 0, 3);
  tcase_add_loop_test (tc, bad_frames_are_named, 0, G_N_ELEMENTS (bad));
  tcase_add_test (tc, frame_size_knows_as_soon_as_it_can);
  tcase_add_test (tc, deep_json_is_refused_before_it_is_read);
  tcase_add_test (tc, many_headers_are_refused);
  tcase_add_test (tc, body_limits_by_type);
  tcase_add_test (tc, errors_cross_with_word_and_status);
  tcase_add_test (tc, error_text_that_is_not_utf8_crosses);
  tcase_add_test (tc, error_without_words_is_still_one);
  tcase_add_test (tc, body_that_is_no_json_says_where);
  tcase_add_test (tc, ids_are_drawn_anew);
  suite_add_tcase (suite, tc);
  return run_suite (suite);
}
