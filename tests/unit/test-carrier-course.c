/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an opening end does on its own account: where it dials, how it goes on when that failed. */
#include "config.h"

#include <farwatch/carrier-course.h>
#include <farwatch/clock.h>
#include <farwatch/error.h>

#include "unit/core-help.h"

#define SECOND G_GINT64_CONSTANT (1000000)

/* Somebody who offers may lie about where: without a list it is the host of the link and nowhere else. */
START_TEST (where_it_may_dial)
{
  static char *named[] = { (char *) "z.example:2222", (char *) "192.0.2.0/24", NULL }, *none[] = { NULL };
  static const struct {
    char **list;
    const char *link, *address;
    gboolean allowed;
  } rows[] = {
    { NULL, "192.0.2.1", "192.0.2.1:7443", TRUE },
    { none, "192.0.2.1", "192.0.2.1:22", TRUE },
    { NULL, "192.0.2.1", "0.0.0.0:7443", TRUE },
    { NULL, "2001:db8::1", "[::]:7443", TRUE },
    { NULL, "192.0.2.1", "192.0.2.2:7443", FALSE },
    { NULL, "192.0.2.1", "127.0.0.1:7443", FALSE },
    { NULL, NULL, "192.0.2.1:7443", FALSE },
    { NULL, NULL, "0.0.0.0:7443", FALSE },
    { NULL, "192.0.2.1", "nonsense", FALSE },
    { named, "198.51.100.1", "z.example:2222", TRUE },
    { named, "198.51.100.1", "z.example:2223", FALSE },
    { named, NULL, "192.0.2.77:1", TRUE },
    { named, "198.51.100.1", "0.0.0.0:2222", FALSE },
    { named, "192.0.2.9", "0.0.0.0:2222", TRUE },
    { named, "198.51.100.1", "198.51.100.1:1", FALSE },
  };
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    ck_assert_msg (far_carrier_end_allowed (rows[i].list, rows[i].link, rows[i].address) == rows[i].allowed,
                   "row %u: %s", i, rows[i].address);
}
END_TEST

/* A session that was never open is given up: after a minute where nobody is reached, after five noes; one
 * that was open is worth its time. */
START_TEST (when_it_is_given_up)
{
  g_autoptr (GError) away = g_error_new (FAR_ERROR, FAR_ERROR_UNAVAILABLE, "away");
  g_autoptr (GError) no = g_error_new (FAR_ERROR, FAR_ERROR_DENIED, "no");
  FarCarrierTries tries = { 0 };
  for (guint i = 0; i < 50; i++, far_clock_advance (SECOND))
    ck_assert_int_eq (far_carrier_tried (&tries, NULL, away, TRUE), FAR_CARRIER_TRY_SAME);
  far_clock_advance (11 * SECOND);
  ck_assert_int_eq (far_carrier_tried (&tries, NULL, away, TRUE), FAR_CARRIER_TRY_NO_MORE);
  tries = (FarCarrierTries){ 0 };
  for (guint i = 1; i < 5; i++)
    ck_assert_int_eq (far_carrier_tried (&tries, NULL, no, TRUE), FAR_CARRIER_TRY_ANEW);
  ck_assert_int_eq (far_carrier_tried (&tries, NULL, no, TRUE), FAR_CARRIER_TRY_NO_MORE);
  tries = (FarCarrierTries){ 0 };
  for (guint i = 1; i < 5; i++)
    ck_assert_int_eq (far_carrier_tried (&tries, NULL, NULL, TRUE), FAR_CARRIER_TRY_ELSEWHERE);
  ck_assert_int_eq (far_carrier_tried (&tries, NULL, NULL, TRUE), FAR_CARRIER_TRY_NO_MORE);
  far_carrier_tries_up (&tries);
  for (guint i = 0; i < 20; i++)
    ck_assert_int_eq (far_carrier_tried (&tries, NULL, i % 2 ? no : away, TRUE),
                      i % 2 ? FAR_CARRIER_TRY_ANEW : FAR_CARRIER_TRY_SAME);
}
END_TEST

START_TEST (it_waits_ever_longer)
{
  static const int seconds[] = { 0, 1, 2, 4, 8, 16, 32, 32 };
  FarCarrierTries tries = { .opened = TRUE };
  for (guint i = 0; i < G_N_ELEMENTS (seconds); i++) {
    ck_assert_int_eq (far_carrier_tries_wait_us (&tries, FALSE), seconds[i] * SECOND);
    ck_assert_int_eq (far_carrier_tries_wait_us (&tries, TRUE),
                      i == 0 ? 0 : seconds[MIN (i, 6) - 1] * SECOND);
    far_carrier_tried (&tries, NULL, NULL, TRUE);
  }
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  Suite *suite = suite_create ("carrier-course");
  TCase *cases = tcase_create ("course");
  tcase_add_test (cases, where_it_may_dial);
  tcase_add_test (cases, when_it_is_given_up);
  tcase_add_test (cases, it_waits_ever_longer);
  suite_add_tcase (suite, cases);
  return run_suite (suite);
}
