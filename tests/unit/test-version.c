/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This test compares the version of the library with that of the package. */
#include "config.h"

#include <check.h>
#include <stdlib.h>

#include <farwatch/version.h>

START_TEST (library_and_package_agree)
{
  ck_assert_str_eq (far_version (), PACKAGE_VERSION);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("version");
  TCase *tcase = tcase_create ("version");
  SRunner *runner = srunner_create (suite);
  int failed;

  tcase_add_test (tcase, library_and_package_agree);
  suite_add_tcase (suite, tcase);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
