/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This test covers signed statements about a node's keys: the vector of doc/formats.md, changed and added
 * fields, and who may sign. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <farwatch/trust.h>

#include "unit/trust-fixture.h"

/* Vector of doc/formats.md: the authority and a statement it signed. */
#define VECTOR_CA                                                                                            \
  "-----BEGIN CERTIFICATE-----\n"                                                                            \
  "MIIBezCCASGgAwIBAgIQUw7cRtl0ToGF1RJCDch45TAKBggqhkjOPQQDAjAcMRow\n"                                       \
  "GAYDVQQDExFleGFtcGxlIGF1dGhvcml0eTAeFw0yNjExMjEyMTMzMTNaFw0zNjEx\n"                                       \
  "MTgyMjMzMTNaMBwxGjAYBgNVBAMTEWV4YW1wbGUgYXV0aG9yaXR5MFkwEwYHKoZI\n"                                       \
  "zj0CAQYIKoZIzj0DAQcDQgAElldqs14Xw8wGQhtA75VzsDBTokxsRARcKOJpvBK9\n"                                       \
  "A+YOYquM9XbvdWr7pjc57zo2h8hi1+4d9FBWNkNY0738SqNFMEMwHQYDVR0OBBYE\n"                                       \
  "FD46GEfLQ1HHQSoheS891MJuOJDVMBIGA1UdEwEB/wQIMAYBAf8CAQAwDgYDVR0P\n"                                       \
  "AQH/BAQDAgGGMAoGCCqGSM49BAMCA0gAMEUCIQDO0mhVGo+ZiEq6u/TaUoWq7nvQ\n"                                       \
  "xyqaBiTzX7VxFIc2xQIgRRC/nFwZb0XQqyCnXTvMbIpqvy0JhpfXjzmD3m5RjOI=\n"                                       \
  "-----END CERTIFICATE-----\n"
#define VECTOR_STATEMENT                                                                                     \
  "{\"authority\":\"admin\",\"box\":\"B6N8vBQgk8i3VdwbEOhstCY3StFqqFPtC9/"                                   \
  "AsrhtHHw=\",\"issued\":\"2026-01-01T00:0"                                                                 \
  "0:00Z\",\"node\":\"term-1\",\"signature\":"                                                               \
  "\"MEYCIQDPhKxMwrV40AkX0OA7aQFCiA0Ddn6RFcTiH3kQvwpd1wIhAM9v5TT05DSNDw"                                     \
  "DfGHGzIwGmcN9TE8vQ2C2QQ/"                                                                                 \
  "IXyO2n\",\"spki\":\"sha256:6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617a"                   \
  "fa01d\",\"ssh\":\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB\"}"

static char *dir, *ca_file;

static void
set_up (void)
{
  dir = fixture_dir ();
  ck_assert (far_trust_ca_create (dir, "fleet", NULL));
  ca_file = far_trust_path (dir, "ca.crt");
}

static void
tear_down (void)
{
  fixture_remove (dir);
  g_free (ca_file);
}

static json_t *
bare (void)
{
  return json_pack ("{s:s,s:s,s:s,s:s,s:s,s:s}", "node", "t1", "box", "B", "ssh", "ssh-ed25519 AAAA", "spki",
                    "sha256:00", "authority", "admin", "issued", "2026-01-01T00:00:00Z");
}

START_TEST (round_trip)
{
  json_t *statement = far_statement_sign (dir, bare (), NULL), *again;
  char *text;

  ck_assert_ptr_nonnull (statement);
  ck_assert (far_statement_check (statement, ca_file, NULL));
  text = json_dumps (statement, JSON_INDENT (2)); /* spacing and order of keys do not matter */
  again = json_loads (text, 0, NULL);
  ck_assert (far_statement_check (again, ca_file, NULL));
  free (text);
  json_decref (again);
  json_decref (statement);
}
END_TEST

static const char *const keys[] = { "node", "box", "ssh", "spki", "authority", "issued", "signature" };

START_TEST (every_changed_field_is_refused)
{
  json_t *statement = far_statement_sign (dir, bare (), NULL);
  const char *key = keys[_i];
  g_autoptr (GError) error = NULL;

  json_object_set_new (statement, key, json_string (strcmp (key, "authority") == 0 ? "cloud" : "changed"));
  ck_assert (!far_statement_check (statement, ca_file, &error));
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_DENIED));
  json_object_del (statement, key);
  ck_assert (!far_statement_check (statement, ca_file, NULL));
  json_decref (statement);
}
END_TEST

START_TEST (an_added_field_is_refused)
{
  json_t *statement = far_statement_sign (dir, bare (), NULL);

  json_object_set_new (statement, "more", json_true ());
  ck_assert (!far_statement_check (statement, ca_file, NULL));
  json_decref (statement);
}
END_TEST

START_TEST (foreign_authority)
{
  char *other = fixture_dir ();
  json_t *statement;

  ck_assert (far_trust_ca_create (other, "fleet", NULL));
  statement = far_statement_sign (other, bare (), NULL);
  ck_assert (!far_statement_check (statement, ca_file, NULL));
  json_decref (statement);
  fixture_remove (other);
}
END_TEST

/* A node of the fleet has a certificate, but is no authority. */
START_TEST (a_node_cannot_sign)
{
  g_autofree char *pem G_GNUC_UNUSED = fixture_node (dir, "t1", NULL, FALSE),
                       *keys_dir = g_build_filename (dir, "t1", NULL);
  g_autofree char *from = far_trust_path (keys_dir, "node.key"), *to = far_trust_path (keys_dir, "ca.key"),
                  *key = NULL;
  json_t *statement;

  ck_assert (g_file_get_contents (from, &key, NULL, NULL) && g_file_set_contents (to, key, -1, NULL));
  statement = far_statement_sign (keys_dir, bare (), NULL);
  ck_assert_ptr_nonnull (statement);
  ck_assert (!far_statement_check (statement, ca_file, NULL));
  json_decref (statement);
}
END_TEST

START_TEST (missing_fields)
{
  json_t *statement = bare ();

  json_object_set_new (statement, "authority", json_string ("root"));
  ck_assert_ptr_null (far_statement_sign (dir, statement, NULL));
  statement = bare ();
  json_object_del (statement, "node");
  ck_assert_ptr_null (far_statement_sign (dir, statement, NULL));
}
END_TEST

START_TEST (vector)
{
  json_t *statement = json_loads (VECTOR_STATEMENT, 0, NULL);
  g_autofree char *path = far_trust_path (dir, "vector.crt");

  ck_assert (g_file_set_contents (path, VECTOR_CA, -1, NULL));
  ck_assert_ptr_nonnull (statement);
  ck_assert (far_statement_check (statement, path, NULL));
  json_decref (statement);
}
END_TEST

START_TEST (document_has_the_vector)
{
  g_autofree char *path = g_build_filename (g_getenv ("FARWATCH_TEST_SRCDIR"), "doc", "formats.md", NULL),
                  *page = NULL;

  ck_assert (g_file_get_contents (path, &page, NULL, NULL));
  ck_assert_ptr_nonnull (strstr (page, VECTOR_CA));
  ck_assert_ptr_nonnull (strstr (page, VECTOR_STATEMENT));
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("statement");
  TCase *tcase = tcase_create ("statement");
  SRunner *runner = srunner_create (suite);
  int failed;

  tcase_add_checked_fixture (tcase, set_up, tear_down);
  tcase_add_test (tcase, round_trip);
  tcase_add_loop_test (tcase, every_changed_field_is_refused, 0, G_N_ELEMENTS (keys));
  tcase_add_test (tcase, an_added_field_is_refused);
  tcase_add_test (tcase, foreign_authority);
  tcase_add_test (tcase, a_node_cannot_sign);
  tcase_add_test (tcase, missing_fields);
  tcase_add_test (tcase, vector);
  tcase_add_test (tcase, document_has_the_vector);
  suite_add_tcase (suite, tcase);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
