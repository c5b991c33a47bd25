/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This test covers the devices of a node: those of the profile and those added, their names, and who may
 * write to one while somebody else does. */
#include "config.h"

#include "reach/device.h"

#include <check.h>
#include <farwatch/plugin.h>
#include <stdlib.h>
#include <string.h>

static void
add (const char *name, const char *address, const char *line)
{
  FarDevice device = { .name = (char *) name,
                       .endpoint = (char *) "lan",
                       .address = (char *) address,
                       .line = (char *) line };
  g_autoptr (GError) error = NULL;
  ck_assert_msg (far_device_add (NULL, &device, &error), "%s", error ? error->message : "");
}

static void
profile (const char *name, const char *address)
{
  GPtrArray *list = g_ptr_array_new_with_free_func ((GDestroyNotify) far_device_free);
  FarDevice device = { .name = (char *) name, .endpoint = (char *) "lan", .address = (char *) address };
  g_ptr_array_add (list, far_device_copy (&device));
  far_device_profile_set (list);
}

static void
clean (void)
{
  far_device_reset ();
  for (int s = 1; s < 5; s++) {
    g_autofree char *session = g_strdup_printf ("s%d", s);
    far_device_unlock (NULL, session);
  }
}

START_TEST (test_list)
{
  profile ("plc", "192.0.2.1:502");
  add ("camera", "192.0.2.2:554", NULL);
  g_autoptr (GPtrArray) list = far_device_list ();
  ck_assert_uint_eq (list->len, 2);
  ck_assert_str_eq (far_device_find ("plc")->address, "192.0.2.1:502");
  ck_assert_ptr_null (far_device_find ("boiler"));
  ck_assert (far_device_remove ("camera"));
  ck_assert (!far_device_remove ("camera"));
  ck_assert (!far_device_remove ("plc")); /* the profile's stay */
}
END_TEST

START_TEST (test_profile_wins)
{
  g_autoptr (GError) error = NULL;
  add ("plc", "192.0.2.9:502", NULL);
  profile ("plc", "192.0.2.1:502");
  ck_assert_str_eq (far_device_find ("plc")->address, "192.0.2.1:502");
  g_autoptr (GPtrArray) list = far_device_list ();
  ck_assert_uint_eq (list->len, 1);
  FarDevice device = { .name = (char *) "plc", .endpoint = (char *) "lan" };
  ck_assert (!far_device_add (NULL, &device, &error));
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_CONFLICT));
}
END_TEST

START_TEST (test_bad_names)
{
  const char *const bad[] = { "", "-x", "a b", "a/b", "../x", "é", NULL };
  for (guint i = 0; bad[i]; i++) {
    FarDevice device = { .name = (char *) bad[i], .endpoint = (char *) "lan" };
    g_autoptr (GError) error = NULL;
    ck_assert_msg (!far_device_add (NULL, &device, &error), "'%s' was taken", bad[i]);
    ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_INVALID));
  }
  FarDevice nowhere = { .name = (char *) "x" };
  ck_assert (!far_device_add (NULL, &nowhere, NULL));
}
END_TEST

/* As the profile, a terminal and a cloud judge it; a cloud does not know the endpoint. One with a form of its
 * own takes all of them. */
START_TEST (test_address)
{
  static const struct {
    const char *address;
    gboolean host_port, unknown;
  } rows[] = {
    { "192.0.2.1:502", TRUE, TRUE },      { "plc.example:502", TRUE, TRUE },
    { "[2001:db8::1]:502", TRUE, TRUE },  { "192.0.2.1:99999", FALSE, FALSE },
    { "192.0.2.1:", FALSE, FALSE },       { "[2001:db8::1]:70000", FALSE, FALSE },
    { "[2001:db8::1]", FALSE, FALSE },    { "192.0.2.1:x", FALSE, FALSE },
    { "plc.example:99999", FALSE, TRUE }, { "ttyS0:115200", FALSE, TRUE },
    { "/dev/ttyS0", FALSE, TRUE },        { "192.0.2.1", FALSE, TRUE },
    { "2001:db8::1", FALSE, TRUE },       { NULL, FALSE, TRUE },
  };
  const FarEndpointType net = { .host_port = TRUE }, own = { .host_port = FALSE };
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    FarDevice device = { .name = (char *) "plc",
                         .endpoint = (char *) "lan",
                         .address = (char *) rows[i].address };
    g_autoptr (GError) error = NULL;
    ck_assert_msg (far_device_address_ok (&device, &net.type, &error) == rows[i].host_port, "host:port: %s",
                   rows[i].address);
    ck_assert_msg (rows[i].host_port || strstr (error->message, "device 'plc'") != NULL, "%s",
                   rows[i].address);
    ck_assert_msg (far_device_address_ok (&device, &own.type, NULL), "own form: %s", rows[i].address);
    ck_assert_msg (far_device_address_ok (&device, NULL, NULL) == rows[i].unknown, "unknown: %s",
                   rows[i].address);
  }
}
END_TEST

START_TEST (test_by_address)
{
  add ("plc", "192.0.2.1:502", NULL);
  add ("six", "[2001:db8::1]:80", NULL);
  add ("bare", NULL, NULL);
  ck_assert_str_eq (far_device_by_address ("192.0.2.1", 502)->name, "plc");
  ck_assert_str_eq (far_device_by_address ("2001:DB8::1", 80)->name, "six");
  ck_assert_str_eq (far_device_by_address ("bare", 1)->name, "bare");
  ck_assert_ptr_null (far_device_by_address ("192.0.2.1", 503));
  ck_assert_ptr_null (far_device_by_address ("192.0.2.11", 502));
  ck_assert_ptr_null (far_device_by_address ("", 0));
  ck_assert_ptr_null (far_device_by_address (NULL, 0));
}
END_TEST

static guint lost_calls;
static char lost_session[16];

static void
lost (const char *session, const char *device, gpointer user)
{
  lost_calls++;
  g_strlcpy (lost_session, session, sizeof lost_session);
}

START_TEST (test_one_writer)
{
  g_autoptr (GError) error = NULL;
  add ("plc", "192.0.2.1:502", NULL);
  ck_assert (far_device_lock ("plc", "s1", "alice", lost, NULL, &error));
  ck_assert (far_device_lock ("plc", "s1", "alice", lost, NULL, &error)); /* again: the same claim */
  ck_assert (!far_device_lock ("plc", "s2", "bob", lost, NULL, &error));
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_CONFLICT));
  ck_assert_ptr_nonnull (strstr (error->message, "alice"));
  ck_assert_str_eq (far_device_holder ("plc", NULL), "alice");
  ck_assert_uint_eq (lost_calls, 0);
  far_device_unlock ("plc", "s2"); /* not theirs */
  ck_assert (far_device_locked ("plc", "s1"));
  far_device_unlock ("plc", "s1");
  ck_assert_ptr_null (far_device_holder ("plc", NULL));
  ck_assert (far_device_lock ("plc", "s2", "bob", NULL, NULL, NULL));
  g_clear_error (&error);
  ck_assert (!far_device_lock ("ghost", "s2", "bob", NULL, NULL, &error));
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_NOT_FOUND));
}
END_TEST

START_TEST (test_take_over)
{
  add ("plc", "192.0.2.1:502", NULL);
  lost_calls = 0;
  ck_assert (far_device_lock ("plc", "s1", "alice", lost, NULL, NULL));
  ck_assert (far_device_lock ("plc", "s2", "alice", lost, NULL, NULL));
  ck_assert_uint_eq (lost_calls, 1);
  ck_assert_str_eq (lost_session, "s1");
  ck_assert (!far_device_locked ("plc", "s1"));
  ck_assert (far_device_locked ("plc", "s2"));
  far_device_unlock (NULL, "s2");
  /* an unknown person is nobody's same person */
  ck_assert (far_device_lock ("plc", "s3", NULL, lost, NULL, NULL));
  ck_assert (!far_device_lock ("plc", "s4", NULL, lost, NULL, NULL));
}
END_TEST

START_TEST (test_listener)
{
  add ("plc", "192.0.2.1:502", NULL);
  lost_calls = 0;
  far_device_on_lost (NULL, lost, NULL);
  ck_assert (far_device_lock ("plc", "s1", "alice", NULL, NULL, NULL));
  ck_assert (far_device_lock ("plc", "s2", "alice", NULL, NULL, NULL));
  ck_assert_uint_eq (lost_calls, 1);
  far_device_on_lost (NULL, NULL, NULL);
}
END_TEST

START_TEST (test_line)
{
  g_autoptr (GError) error = NULL;
  add ("m1", "192.0.2.1:502", "bus0");
  add ("m2", "192.0.2.1:503", "bus0");
  add ("m3", "192.0.2.1:504", "bus1");
  ck_assert (far_device_lock ("m1", "s1", "alice", NULL, NULL, NULL));
  ck_assert (!far_device_lock ("m2", "s2", "bob", NULL, NULL, &error));
  ck_assert_ptr_nonnull (strstr (error->message, "bus0"));
  ck_assert (far_device_lock ("m3", "s2", "bob", NULL, NULL, NULL));
  /* one session, two devices of a line */
  ck_assert (far_device_lock ("m2", "s1", "alice", NULL, NULL, NULL));
  const char *session = NULL;
  ck_assert_str_eq (far_device_holder ("m2", &session), "alice");
  ck_assert_str_eq (session, "s1");
}
END_TEST

/* Two hold parts of what is wanted, one of them another person: nobody loses anything. */
START_TEST (test_all_or_none)
{
  add ("m1", NULL, "bus0");
  lost_calls = 0;
  ck_assert (far_device_lock ("m1", "s1", "alice", lost, NULL, NULL));
  add ("m1", NULL, NULL); /* the device left its line while it was held */
  add ("m2", NULL, "bus0");
  add ("m1", NULL, "bus1");
  add ("m3", NULL, "bus1");
  ck_assert (far_device_lock ("m3", "s2", "bob", lost, NULL, NULL));
  ck_assert (!far_device_lock ("m1", "s3", "alice", lost, NULL, NULL));
  ck_assert_uint_eq (lost_calls, 0);
  ck_assert (far_device_locked ("m1", "s1"));
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("device");
  TCase *cases = tcase_create ("device");
  tcase_add_checked_fixture (cases, NULL, clean);
  tcase_add_test (cases, test_list);
  tcase_add_test (cases, test_profile_wins);
  tcase_add_test (cases, test_bad_names);
  tcase_add_test (cases, test_address);
  tcase_add_test (cases, test_by_address);
  tcase_add_test (cases, test_one_writer);
  tcase_add_test (cases, test_take_over);
  tcase_add_test (cases, test_listener);
  tcase_add_test (cases, test_line);
  tcase_add_test (cases, test_all_or_none);
  suite_add_tcase (suite, cases);
  SRunner *runner = srunner_create (suite);
  srunner_run_all (runner, CK_NORMAL);
  int failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
