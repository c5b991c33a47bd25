/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit/stream-pair.h"
#include <farwatch/gate.h>
#include <netinet/in.h>

typedef struct {
  struct sockaddr_storage store;
} At;

static const struct sockaddr *
at (At *address, const char *text)
{
  struct sockaddr_in *v4 = (struct sockaddr_in *) &address->store;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *) &address->store;
  memset (address, 0, sizeof *address);
  if (inet_pton (AF_INET, text, &v4->sin_addr) == 1)
    v4->sin_family = AF_INET;
  else if (inet_pton (AF_INET6, text, &v6->sin6_addr) == 1)
    v6->sin6_family = AF_INET6;
  return (struct sockaddr *) &address->store;
}

static FarPass *
enter (FarGate *gate, const char *address)
{
  At place;
  g_autoptr (GError) error = NULL;
  FarPass *pass = far_gate_enter (gate, -1, address != NULL ? at (&place, address) : NULL, &error);
  ck_assert ((pass == NULL) == g_error_matches (error, FAR_ERROR, FAR_ERROR_LIMIT));
  return pass;
}

START_TEST (counts_by_address_only_before_login)
{
  static const char *const trusted[] = { "10.0.0.0/8", NULL };
  FarGateLimits limits = { .total = 100, .per_address = 2, .unverified_total = 50, .trusted = trusted };
  FarGate *gate = far_gate_new ("test", &limits);
  FarPass *pass[8];
  pass[0] = enter (gate, "192.0.2.1");
  pass[1] = enter (gate, "192.0.2.1");
  ck_assert_ptr_null (enter (gate, "192.0.2.1"));
  ck_assert_ptr_null (enter (gate, "::ffff:192.0.2.1")); /* the same address in another coat */
  pass[2] = enter (gate, "192.0.2.2");
  far_gate_verified (pass[0]);
  far_gate_verified (pass[0]);
  pass[3] = enter (gate, "192.0.2.1");
  ck_assert_ptr_nonnull (pass[3]);
  ck_assert_ptr_null (enter (gate, "192.0.2.1"));
  for (int i = 4; i < 8; i++)
    ck_assert_ptr_nonnull (pass[i] = enter (gate, "10.1.2.3"));
  ck_assert_uint_eq (far_gate_counts (gate).now, 8);
  ck_assert_uint_eq (far_gate_counts (gate).unverified, 7);
  ck_assert_uint_eq (far_gate_counts (gate).refused, 3);
  for (int i = 0; i < 8; i++)
    far_gate_leave (pass[i]);
  ck_assert_uint_eq (far_gate_counts (gate).now + far_gate_counts (gate).unverified, 0);
  far_gate_free (gate);
}
END_TEST

START_TEST (a_v6_host_is_its_net)
{
  FarGateLimits limits = { .per_address = 1 };
  FarGate *gate = far_gate_new ("test", &limits);
  FarPass *one = enter (gate, "2001:db8:0:1::1");
  ck_assert_ptr_null (enter (gate, "2001:db8:0:1:ffff::2"));
  FarPass *two = enter (gate, "2001:db8:0:2::1");
  ck_assert_ptr_nonnull (two);
  far_gate_leave (one);
  one = enter (gate, "2001:db8:0:1::9");
  ck_assert_ptr_nonnull (one);
  far_gate_leave (one);
  far_gate_leave (two);
  far_gate_free (gate);
}
END_TEST

START_TEST (totals)
{
  FarGateLimits limits = { .total = 2, .unverified_total = 1 };
  FarGate *gate = far_gate_new ("test", &limits);
  FarPass *one = enter (gate, NULL);
  ck_assert_ptr_null (enter (gate, NULL));
  far_gate_verified (one);
  FarPass *two = enter (gate, NULL);
  ck_assert_ptr_nonnull (two);
  far_gate_verified (two);
  ck_assert_ptr_null (enter (gate, NULL));
  far_gate_leave (one);
  far_gate_leave (two);
  far_gate_free (gate);
}
END_TEST

START_TEST (too_slow_and_too_much)
{
  FarGateLimits limits = { .total = 9 };
  FarGate *gate = far_gate_new ("test", &limits);
  g_autofree char *much = g_malloc0 (FAR_GATE_BYTES);
  const char *cause = NULL;
  int fd[2];
  tcp_pair (fd);
  FarPass *pass = far_gate_enter (gate, fd[1], NULL, NULL);
  ck_assert (!far_gate_over (pass, &cause));
  ck_assert_int_eq (send (fd[0], much, FAR_GATE_BYTES, 0), FAR_GATE_BYTES);
  ck_assert_int_eq (recv (fd[1], much, FAR_GATE_BYTES, MSG_WAITALL), FAR_GATE_BYTES);
  ck_assert (!far_gate_over (pass, &cause));
  ck_assert_int_eq (send (fd[0], much, 1, 0), 1);
  ck_assert_int_eq (recv (fd[1], much, 1, 0), 1);
  ck_assert (far_gate_over (pass, &cause));
  ck_assert_str_eq (cause, "too many bytes before login");
  far_clock_advance (SECONDS (11));
  ck_assert (far_gate_over (pass, &cause));
  ck_assert_str_eq (cause, "too slow");
  far_gate_verified (pass);
  ck_assert (!far_gate_over (pass, &cause));
  far_gate_leave (pass);
  far_gate_free (gate);
  close (fd[0]);
  close (fd[1]);
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  TCase *cases = tcase_create ("gate");
  tcase_add_test (cases, counts_by_address_only_before_login);
  tcase_add_test (cases, a_v6_host_is_its_net);
  tcase_add_test (cases, totals);
  tcase_add_test (cases, too_slow_and_too_much);
  Suite *suite = suite_create ("gate");
  suite_add_tcase (suite, cases);
  SRunner *runner = srunner_create (suite);
  srunner_run_all (runner, CK_NORMAL);
  int failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed > 0;
}
