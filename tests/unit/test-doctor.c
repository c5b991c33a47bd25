/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the doctor finds, and what it leaves alone. */
#include "config.h"

#include <farwatch/trust.h>

#include "node/doctor.h"
#include "unit/core-help.h"

static char *folder;

static void
setup (void)
{
  folder = make_folder ();
}

static void
teardown (void)
{
  remove_folder (folder);
  g_free (folder);
}

/* The level of the first finding about something; NULL: none. */
static const char *
level_of (json_t *findings, const char *what)
{
  for (gsize i = 0; i < json_array_size (findings); i++)
    if (g_strcmp0 (json_string_value (json_object_get (json_array_get (findings, i), "what")), what) == 0)
      return json_string_value (json_object_get (json_array_get (findings, i), "level"));
  return NULL;
}

static void
enrol (guint days)
{
  g_autofree char *ca = g_build_filename (folder, "ca", NULL), *csr = NULL, *certificate = NULL,
                  *from = g_build_filename (ca, "ca.crt", NULL), *root = NULL;

  ck_assert_int_eq (g_mkdir (ca, 0700), 0);
  ck_assert (far_trust_ca_create (ca, "fleet", NULL));
  ck_assert (far_trust_keys_create (folder, NULL));
  csr = far_trust_csr (folder, "n1", NULL);
  certificate = far_trust_sign (ca, csr, "n1", NULL, FALSE, days, NULL);
  ck_assert_ptr_nonnull (certificate);
  write_file (folder, "node.crt", certificate, -1);
  ck_assert (g_file_get_contents (from, &root, NULL, NULL));
  write_file (folder, "ca.crt", root, -1);
}

static const struct {
  guint days; /* of the certificate */
  gint64 later_days;
  const char *level;
} ages[] = { { 90, 0, "good" }, { 90, 70, "warn" }, { 90, 91, "bad" }, { 20, 0, "warn" } };

START_TEST (a_folder_of_plugins_that_is_open_to_all)
{
  const char *const folders[] = { folder, "/nowhere", NULL };
  json_t *findings = json_array ();

  far_doctor_plugins (findings, folders);
  ck_assert_ptr_null (level_of (findings, "plugins"));
  ck_assert_int_eq (g_chmod (folder, 0707), 0);
  far_doctor_plugins (findings, folders);
  ck_assert_str_eq (level_of (findings, "plugins"), "bad");
  json_decref (findings);
}
END_TEST

/* A node with very much trouble is told of the worst of it, not that its answer is too large. */
START_TEST (more_than_an_answer_holds)
{
  g_autofree char *long_text = g_strnfill (150, 'x');
  json_t *findings = json_array (), *last;
  ck_assert_ptr_eq (far_doctor_fit (findings), findings); /* few are given as they are */
  for (guint i = 0; i < 400; i++)
    far_doctor_add (findings, i % 2 ? FAR_DOCTOR_GOOD : FAR_DOCTOR_WARN, "instance", long_text, NULL);
  far_doctor_add (findings, FAR_DOCTOR_BAD, "clock", "wrong", NULL);
  findings = far_doctor_fit (findings);
  ck_assert_uint_le (json_dumpb (findings, NULL, 0, JSON_COMPACT), 31 * 1024);
  ck_assert_str_eq (json_string_value (json_object_get (json_array_get (findings, 0), "what")), "clock");
  last = json_array_get (findings, json_array_size (findings) - 1);
  g_autofree char *begins = g_strdup_printf ("%u findings more", 402 - (guint) json_array_size (findings));
  ck_assert_msg (g_str_has_prefix (json_string_value (json_object_get (last, "text")), begins), "%s",
                 json_string_value (json_object_get (last, "text")));
  json_decref (findings);
}
END_TEST

START_TEST (certificates_by_age)
{
  json_t *findings = json_array ();

  enrol (ages[_i].days);
  far_doctor_certificates (findings, folder, g_get_real_time () + ages[_i].later_days * G_TIME_SPAN_DAY);
  ck_assert_str_eq (level_of (findings, "node.crt"), ages[_i].level);
  ck_assert_str_eq (level_of (findings, "ca.crt"), "good");
  json_decref (findings);
}
END_TEST

START_TEST (certificates_that_are_none)
{
  json_t *findings = json_array ();

  far_doctor_certificates (findings, folder, g_get_real_time ());
  ck_assert_uint_eq (json_array_size (findings), 0); /* a node without any is no patient */
  write_file (folder, "node.crt", "nonsense", -1);
  far_doctor_certificates (findings, folder, g_get_real_time ());
  ck_assert_str_eq (level_of (findings, "node.crt"), "bad");
  json_decref (findings);
}
END_TEST

static const struct {
  const char *node;
  gboolean server;
  const char *level;
} identities[] = { { "n1", FALSE, "good" }, { "n2", FALSE, "bad" }, { "n1", TRUE, "bad" } };

/* A terminal's certificate: of another node, or where others dial in. */
START_TEST (whose_certificate_it_is)
{
  json_t *findings = json_array ();

  far_doctor_identity (findings, folder, "n1", FALSE);
  ck_assert_ptr_null (level_of (findings, "identity")); /* none is there */
  enrol (30);
  far_doctor_identity (findings, folder, identities[_i].node, identities[_i].server);
  ck_assert_str_eq (level_of (findings, "identity"), identities[_i].level);
  json_decref (findings);
}
END_TEST

START_TEST (a_servers_names_are_told)
{
  static const char *const names[] = { "cloud.example", NULL };
  json_t *findings = json_array ();
  g_autofree char *ca = g_build_filename (folder, "ca", NULL), *csr = NULL, *certificate = NULL;

  enrol (30);
  csr = far_trust_csr (folder, "n1", NULL);
  certificate = far_trust_sign (ca, csr, "n1", names, TRUE, 30, NULL);
  write_file (folder, "node.crt", certificate, -1);
  far_doctor_identity (findings, folder, "n1", TRUE);
  ck_assert_str_eq (level_of (findings, "identity"), "good");
  ck_assert_str_eq (json_string_value (json_object_get (json_array_get (findings, 0), "text")),
                    "node 'n1', a server reached as n1, cloud.example");
  json_decref (findings);
}
END_TEST

static const struct {
  const char *address, *range, *level;
} ports[] = {
  { "0.0.0.0:8443", "32768\t60999\n", "good" },
  { "0.0.0.0:32768", "32768\t60999\n", "warn" },
  { "[::]:60999", "32768\t60999\n", "warn" },
  { "127.0.0.1:61000", "32768\t60999\n", "good" },
  { "nonsense", "32768\t60999\n", "good" },
  { "0.0.0.0:40000", "garbage", NULL },
  { "0.0.0.0:40000", "", NULL },
};

START_TEST (ports_against_the_kernels)
{
  json_t *findings = json_array ();
  json_t *effective = json_pack ("{s:{s:s,s:s}, s:{s:s}, s:{s:i}}", "transports.nodes.listen", "value",
                                 ports[_i].address, "origin", "x", "transports.nodes.connect", "value",
                                 "0.0.0.0:40000", "transports.other.listen", "value", 7);

  far_doctor_ports (findings, effective, ports[_i].range);
  if (ports[_i].level == NULL)
    ck_assert_uint_eq (json_array_size (findings), 0);
  else
    ck_assert_str_eq (level_of (findings, "ports"), ports[_i].level);
  json_decref (findings);
  json_decref (effective);
}
END_TEST

START_TEST (the_machine_is_looked_at)
{
  json_t *findings = json_array ();

  far_doctor_machine (findings);
  ck_assert_ptr_nonnull (level_of (findings, "clock"));
  ck_assert_ptr_nonnull (level_of (findings, "files"));
  far_doctor_add (findings, FAR_DOCTOR_BAD, "odd", "a path: \xff", NULL);
  ck_assert_str_eq (level_of (findings, "odd"), "bad");
  json_decref (findings);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("doctor");
  TCase *tc = tcase_create ("doctor");

  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_add_loop_test (tc, certificates_by_age, 0, G_N_ELEMENTS (ages));
  tcase_add_test (tc, certificates_that_are_none);
  tcase_add_loop_test (tc, ports_against_the_kernels, 0, G_N_ELEMENTS (ports));
  tcase_add_loop_test (tc, whose_certificate_it_is, 0, G_N_ELEMENTS (identities));
  tcase_add_test (tc, a_servers_names_are_told);
  tcase_add_test (tc, the_machine_is_looked_at);
  tcase_add_test (tc, a_folder_of_plugins_that_is_open_to_all);
  tcase_add_test (tc, more_than_an_answer_holds);
  suite_add_tcase (suite, tc);
  return run_suite (suite);
}
