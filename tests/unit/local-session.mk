# SPDX-License-Identifier: LGPL-2.1-or-later

check_PROGRAMS += tests/unit/test-device
tests_unit_test_device_CPPFLAGS = $(TEST_CPP)
tests_unit_test_device_CFLAGS = $(TEST_CC)
tests_unit_test_device_LDFLAGS = $(TEST_LD)
tests_unit_test_device_LDADD = $(TEST_LINK)

check_PROGRAMS += tests/unit/test-session
tests_unit_test_session_CPPFLAGS = $(TEST_CPP)
tests_unit_test_session_CFLAGS = $(TEST_CC)
tests_unit_test_session_LDFLAGS = $(TEST_LD)
tests_unit_test_session_LDADD = $(TEST_LINK)

check_PROGRAMS += tests/unit/test-session-walk
tests_unit_test_session_walk_CPPFLAGS = $(TEST_CPP)
tests_unit_test_session_walk_CFLAGS = $(TEST_CC)
tests_unit_test_session_walk_LDFLAGS = $(TEST_LD)
tests_unit_test_session_walk_LDADD = $(TEST_LINK)
