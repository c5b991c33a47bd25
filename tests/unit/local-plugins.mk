# SPDX-License-Identifier: LGPL-2.1-or-later
## check_PROGRAMS += tests/unit/test-NAME
## tests_unit_test_NAME_CPPFLAGS = $(TEST_CPP)
## tests_unit_test_NAME_CFLAGS = $(TEST_CC)
## tests_unit_test_NAME_LDFLAGS = $(TEST_LD)
## tests_unit_test_NAME_LDADD = $(TEST_LINK)
## (the source tests/unit/test-NAME.c is found by its name)

check_PROGRAMS += tests/unit/test-shell
tests_unit_test_shell_CPPFLAGS = $(TEST_CPP)
tests_unit_test_shell_CFLAGS = $(TEST_CC)
tests_unit_test_shell_LDFLAGS = $(TEST_LD)
tests_unit_test_shell_LDADD = $(TEST_LINK)
tests_unit_test_shell_SOURCES = tests/unit/test-shell.c $(NODE_HELP)
