/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The words of the direct carrier: the vectors of doc/formats.md, and bytes that are no word. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../plugins/transport-tls/direct.h"

static GByteArray *
from_hex (const char *hex, gsize size)
{
  GByteArray *bytes = g_byte_array_new ();
  for (gsize i = 0; i + 1 < size; i += 2) {
    guint8 byte = (guint8) (g_ascii_xdigit_value (hex[i]) << 4 | g_ascii_xdigit_value (hex[i + 1]));
    g_byte_array_append (bytes, &byte, 1);
  }
  return bytes;
}

/* The bytes behind "Vector `NAME`" in doc/formats.md. */
static GByteArray *
direct_vector (const char *name)
{
  const char *top = g_getenv ("FARWATCH_TEST_SRCDIR");
  g_autofree char *path = g_build_filename (top != NULL ? top : ".", "doc", "formats.md", NULL), *text = NULL,
                  *mark = g_strdup_printf ("Vector `%s`", name);
  ck_assert (g_file_get_contents (path, &text, NULL, NULL));
  const char *at = strstr (text, mark);
  ck_assert_ptr_nonnull (at);
  at = strstr (at, "\n\n    ") + 6;
  return from_hex (at, strcspn (at, "\n"));
}

static const struct {
  const char *name, *word;
} vectors[] = {
  { "direct-hello", "{\"v\":1,\"session\":\"abc\",\"token\":\"t\"}" },
  { "direct-up", "{\"up\":true}" },
  { "direct-open", "{\"open\":1,\"from\":\"192.0.2.7\",\"word\":\"w\"}" },
  { "direct-stream", "{\"v\":1,\"session\":\"abc\",\"stream\":1,\"word\":\"w\"}" },
  { "direct-failed", "{\"failed\":1}" },
  { "direct-no", "{\"no\":\"refused\"}" },
};

START_TEST (documented)
{
  json_t *word = json_loads (vectors[_i].word, 0, NULL);
  g_autoptr (GByteArray) wanted = direct_vector (vectors[_i].name),
                         written = direct_word_write (json_incref (word));
  ck_assert_uint_eq (written->len, wanted->len);
  ck_assert_mem_eq (written->data, wanted->data, wanted->len);
  for (gsize size = 0; size < wanted->len; size++) { /* however it is cut */
    ck_assert_uint_eq (direct_word_size (wanted->data, size), size < 2 ? 2 : wanted->len);
    ck_assert_ptr_null (direct_word_read (wanted->data, size, NULL));
  }
  json_t *read = direct_word_read (wanted->data, wanted->len, NULL);
  ck_assert (json_equal (read, word));
  json_decref (read);
  json_decref (word);
}
END_TEST

START_TEST (no_words)
{
  static const char *const rows[] = { "0000",         "0001",           "0401",     "ffff",
                                      "00027b5d",     "00025b5d",       "00047472", "000474727565",
                                      "00032261225d", "00047b22617d00", "0002 7b7d" };
  g_autoptr (GByteArray) bytes = from_hex (rows[_i], strlen (rows[_i]));
  g_autoptr (GError) error = NULL;
  ck_assert_ptr_null (direct_word_read (bytes->data, bytes->len, &error));
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_PROTOCOL));
}
END_TEST

/* Neither a key twice nor another thing than an object; texts have a length. */
START_TEST (odd_words)
{
  static const char twice[] = "\0\015{\"a\":1,\"a\":1}", longest[] = "\0\011{\"a\":\"bc\"}";
  ck_assert_ptr_null (direct_word_read ((const guint8 *) twice, sizeof twice - 1, NULL));
  json_t *word = direct_word_read ((const guint8 *) longest, sizeof longest - 1, NULL);
  ck_assert_ptr_null (word); /* its length says one byte less than it has */
  word = json_pack ("{s:s, s:i}", "a", "bc", "n", 1);
  ck_assert_str_eq (direct_word_text (word, "a", 2), "bc");
  ck_assert_ptr_null (direct_word_text (word, "a", 1));
  ck_assert_ptr_null (direct_word_text (word, "n", 9));
  json_decref (word);
}
END_TEST

static GByteArray *
hello_of (gsize size)
{
  g_autofree char *token = g_strnfill (size, 't');
  return direct_word_write (json_pack ("{s:s}", "token", token)); /* 12 bytes more than the token */
}

/* What the other side has made up is said back to it: the longest word there may be, one byte more, and
 * bytes that grow as JSON. */
START_TEST (long_words)
{
  g_autofree char *odd = g_strnfill (256, '\001');
  g_autoptr (GByteArray) longest = hello_of (DIRECT_WORD_MAX - 12);
  ck_assert_uint_eq (longest->len, DIRECT_WORD_MAX + 2);
  ck_assert_uint_eq (direct_word_size (longest->data, longest->len), longest->len);
  ck_assert_ptr_null (hello_of (DIRECT_WORD_MAX - 11));
  ck_assert_ptr_null (direct_word_write (json_pack ("{s:s}", "token", odd)));
}
END_TEST

int
main (void)
{
  TCase *cases = tcase_create ("direct-words");
  tcase_add_loop_test (cases, documented, 0, G_N_ELEMENTS (vectors));
  tcase_add_loop_test (cases, no_words, 0, 10);
  tcase_add_test (cases, odd_words);
  tcase_add_test (cases, long_words);
  Suite *suite = suite_create ("direct-words");
  suite_add_tcase (suite, cases);
  SRunner *runner = srunner_create (suite);
  srunner_set_tap (runner, "-");
  srunner_run_all (runner, CK_ENV);
  int failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
