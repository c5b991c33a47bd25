# SPDX-License-Identifier: LGPL-2.1-or-later
check_PROGRAMS += tests/unit/test-batch
tests_unit_test_batch_CPPFLAGS = $(TEST_CPP)
tests_unit_test_batch_CFLAGS = $(TEST_CC)
tests_unit_test_batch_LDFLAGS = $(TEST_LD)
tests_unit_test_batch_LDADD = $(TEST_LINK)
