/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text of peers before a person's eyes: what would move the cursor, turn or hide text. */
#include "config.h"

#include "base/sanitize.h"
#include "unit/core-help.h"

#include <jansson.h>

static const struct {
  gunichar c;
  gboolean plain;
} rows[] = {
  { 'a', TRUE },     { ' ', TRUE },      { 0xe4, TRUE },     { 0x4e2d, TRUE },  { 0x5d0, TRUE },
  { 0x627, TRUE },   { 0x1f600, TRUE },  { 0xfffd, TRUE },   { 0x200c, TRUE },  { 0x200d, TRUE },
  { 0x300, TRUE },   { 0, FALSE },       { 0x07, FALSE },    { '\t', FALSE },   { '\n', FALSE },
  { '\r', FALSE },   { 0x1b, FALSE },    { 0x7f, FALSE },    { 0x80, FALSE },   { 0x85, FALSE },
  { 0x9b, FALSE },   { 0x9f, FALSE },    { 0xad, FALSE },    { 0x61c, FALSE },  { 0x180e, FALSE },
  { 0x200b, FALSE }, { 0x200e, FALSE },  { 0x200f, FALSE },  { 0x2028, FALSE }, { 0x2029, FALSE },
  { 0x202a, FALSE }, { 0x202b, FALSE },  { 0x202c, FALSE },  { 0x202d, FALSE }, { 0x202e, FALSE },
  { 0x2060, FALSE }, { 0x2066, FALSE },  { 0x2067, FALSE },  { 0x2068, FALSE }, { 0x2069, FALSE },
  { 0xfeff, FALSE }, { 0xe0001, FALSE }, { 0xe0041, FALSE },
};

START_TEST (characters)
{
  ck_assert_msg (far_sanitize_char (rows[_i].c) == rows[_i].plain, "U+%04X", rows[_i].c);
}
END_TEST

START_TEST (texts)
{
  g_autofree char *one = far_sanitize_text ("a\x1b[2Jb\nc\xff\xe2\x80\xae"
                                            "d",
                                            FALSE),
                  *lines = far_sanitize_text ("a\r\nb\xc2\x9b", TRUE);

  ck_assert_str_eq (one, "a [2Jb c\xef\xbf\xbd d");
  ck_assert_str_eq (lines, "a \nb ");
}
END_TEST

/* The same JSON for whoever reads it, each character that is not plain escaped. */
START_TEST (json_is_the_same)
{
  for (gsize i = 1; i < G_N_ELEMENTS (rows); i++) {
    char c[8] = { 0 };
    json_t *wrote, *read;
    char *text;
    g_autofree char *plain = NULL;

    if (rows[i].c == 0)
      continue;
    g_unichar_to_utf8 (rows[i].c, c);
    wrote = json_pack ("{s:s, s:[s]}", c, "x", "b", c);
    text = json_dumps (wrote, JSON_INDENT (2));
    plain = far_sanitize_json (text);
    read = json_loads (plain, 0, NULL);
    ck_assert_msg (read != NULL && json_equal (wrote, read), "U+%04X: %s", rows[i].c, plain);
    for (const char *at = plain; *at != '\0'; at = g_utf8_next_char (at))
      ck_assert_msg (*at == '\n' || far_sanitize_char (g_utf8_get_char (at)), "U+%04X", rows[i].c);
    ck_assert (rows[i].plain == (strcmp (plain, text) == 0) || rows[i].c < 0x20);
    free (text);
    json_decref (wrote);
    json_decref (read);
  }
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("plain");
  TCase *tc = tcase_create ("plain");

  tcase_add_loop_test (tc, characters, 0, G_N_ELEMENTS (rows));
  tcase_add_test (tc, texts);
  tcase_add_test (tc, json_is_the_same);
  suite_add_tcase (suite, tc);
  return run_suite (suite);
}
