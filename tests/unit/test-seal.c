/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This test covers sealed boxes: the vector of doc/formats.md, and that every changed, cut or foreign box
 * is refused. */
#include "config.h"

#include <check.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

#include <farwatch/trust.h>

#include "unit/trust-fixture.h"

/* Vector of doc/formats.md. */
#define VECTOR_SECRET "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\n"
#define VECTOR_PUBLIC "B6N8vBQgk8i3VdwbEOhstCY3StFqqFPtC9/AsrhtHHw="
#define VECTOR_SEALED                                                                                        \
  "YTPqPge3WHb4gYuWDOMuSbLB4aPwfe1WJcge6X3KmmuRItYpN5u2OP+o1GbuLeXMNjVDYKVE/6opefYhVE1rU24="
#define VECTOR_PLAIN "{\"session\":\"abc\"}"

static char *dir;

static void
set_up (void)
{
  dir = fixture_dir ();
  ck_assert (far_trust_keys_create (dir, NULL));
}

static void
tear_down (void)
{
  fixture_remove (dir);
}

static char *
sealed_text (void)
{
  g_autofree char *box = far_trust_box_public (dir, NULL);
  json_t *plain = json_pack ("{s:s,s:i}", "session", "abc", "generation", 7);
  char *sealed = far_seal (box, plain, NULL);

  json_decref (plain);
  ck_assert_ptr_nonnull (sealed);
  return sealed;
}

START_TEST (round_trip)
{
  g_autofree char *sealed = sealed_text (), *again = sealed_text ();
  json_t *plain = far_seal_open (dir, sealed, NULL);

  ck_assert_ptr_nonnull (plain);
  ck_assert_str_eq (json_string_value (json_object_get (plain, "session")), "abc");
  ck_assert_int_eq (json_integer_value (json_object_get (plain, "generation")), 7);
  ck_assert_str_ne (sealed, again);
  ck_assert_ptr_null (strstr (sealed, "abc"));
  json_decref (plain);
}
END_TEST

static void
refused (const char *sealed)
{
  g_autoptr (GError) error = NULL;

  ck_assert_ptr_null (far_seal_open (dir, sealed, &error));
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_DENIED));
  ck_assert_str_eq (error->message, "not sealed to this node, or changed");
}

START_TEST (every_changed_byte_is_refused)
{
  g_autofree char *sealed = sealed_text ();
  gsize size = 0;
  g_autofree guint8 *raw = g_base64_decode (sealed, &size);

  for (gsize i = 0; i < size; i++) {
    g_autofree char *changed = (raw[i] ^= 1, g_base64_encode (raw, size));

    raw[i] ^= 1;
    refused (changed);
  }
}
END_TEST

START_TEST (every_cut_is_refused)
{
  g_autofree char *sealed = sealed_text ();

  while (sealed[0] != 0) {
    sealed[strlen (sealed) - 1] = 0;
    refused (sealed);
  }
}
END_TEST

START_TEST (foreign_node)
{
  g_autofree char *sealed = sealed_text (), *path = far_trust_path (dir, "box.key");

  g_unlink (path);
  ck_assert (far_trust_keys_create (dir, NULL));
  refused (sealed);
}
END_TEST

START_TEST (odd_texts)
{
  g_autofree char *box = far_trust_box_public (dir, NULL), *sealed = NULL, *longest = g_strnfill (70000, 'A');
  json_t *list = json_array ();

  refused ("");
  refused ("====");
  refused ("not base64!");
  refused (longest);
  sealed = far_seal (box, list, NULL); /* opens, but is no object */
  refused (sealed);
  json_decref (list);
}
END_TEST

START_TEST (odd_keys)
{
  json_t *plain = json_object ();

  ck_assert_ptr_null (far_seal ("", plain, NULL));
  ck_assert_ptr_null (far_seal ("AAAA", plain, NULL));
  /* a point of small order */
  ck_assert_ptr_null (far_seal ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", plain, NULL));
  json_decref (plain);
}
END_TEST

START_TEST (vector)
{
  g_autofree char *path = far_trust_path (dir, "box.key"), *box = NULL, *text = NULL;
  json_t *plain;

  ck_assert (g_file_set_contents (path, VECTOR_SECRET, -1, NULL));
  box = far_trust_box_public (dir, NULL);
  ck_assert_str_eq (box, VECTOR_PUBLIC);
  plain = far_seal_open (dir, VECTOR_SEALED, NULL);
  ck_assert_ptr_nonnull (plain);
  text = json_dumps (plain, JSON_COMPACT);
  ck_assert_str_eq (text, VECTOR_PLAIN);
  json_decref (plain);
}
END_TEST

START_TEST (document_has_the_vector)
{
  g_autofree char *path = g_build_filename (g_getenv ("FARWATCH_TEST_SRCDIR"), "doc", "formats.md", NULL),
                  *page = NULL;

  ck_assert (g_file_get_contents (path, &page, NULL, NULL));
  ck_assert_ptr_nonnull (strstr (page, VECTOR_SEALED));
  ck_assert_ptr_nonnull (strstr (page, VECTOR_PUBLIC));
  ck_assert_ptr_nonnull (strstr (page, VECTOR_PLAIN));
}
END_TEST

/* A nonce serves all who hang a word of their own on it, each once; one of somebody else's serves nobody. */
START_TEST (a_nonce_is_good_once_for_each)
{
  FarNonces *nonces = far_nonces_new (), *others = far_nonces_new ();
  ck_assert (!far_nonces_fresh (nonces));
  g_autofree char *nonce = far_nonces_give (nonces), *foreign = far_nonces_give (others);
  g_autofree char *alice = g_strconcat (nonce, ".alice", NULL), *bob = g_strconcat (nonce, ".bob", NULL);
  ck_assert (far_nonces_fresh (nonces));
  ck_assert (far_nonces_spend (nonces, alice) && far_nonces_spend (nonces, bob));
  ck_assert (!far_nonces_spend (nonces, alice) && !far_nonces_spend (nonces, bob));
  ck_assert (far_nonces_spend (nonces, nonce) && !far_nonces_spend (nonces, nonce)); /* the empty word */
  ck_assert (!far_nonces_spend (nonces, foreign) && !far_nonces_spend (nonces, NULL));
  far_nonces_free (nonces);
  far_nonces_free (others);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("seal");
  TCase *tcase = tcase_create ("seal");
  SRunner *runner = srunner_create (suite);
  int failed;

  tcase_add_checked_fixture (tcase, set_up, tear_down);
  tcase_add_test (tcase, round_trip);
  tcase_add_test (tcase, every_changed_byte_is_refused);
  tcase_add_test (tcase, every_cut_is_refused);
  tcase_add_test (tcase, foreign_node);
  tcase_add_test (tcase, odd_texts);
  tcase_add_test (tcase, odd_keys);
  tcase_add_test (tcase, vector);
  tcase_add_test (tcase, document_has_the_vector);
  tcase_add_test (tcase, a_nonce_is_good_once_for_each);
  suite_add_tcase (suite, tcase);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
