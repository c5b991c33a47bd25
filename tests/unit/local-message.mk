# SPDX-License-Identifier: LGPL-2.1-or-later
EXTRA_DIST += tests/unit/door-help.h tests/unit/login-help.h tests/unit/router-conform.h

unit_tests += tests/unit/test-message
tests_unit_test_message_CPPFLAGS = $(TEST_CPP)
tests_unit_test_message_CFLAGS = $(TEST_CC)
tests_unit_test_message_LDFLAGS = $(TEST_LD)
tests_unit_test_message_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-right
tests_unit_test_right_CPPFLAGS = $(TEST_CPP)
tests_unit_test_right_CFLAGS = $(TEST_CC)
tests_unit_test_right_LDFLAGS = $(TEST_LD)
tests_unit_test_right_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-resolve
tests_unit_test_resolve_CPPFLAGS = $(TEST_CPP)
tests_unit_test_resolve_CFLAGS = $(TEST_CC)
tests_unit_test_resolve_LDFLAGS = $(TEST_LD)
tests_unit_test_resolve_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-route
tests_unit_test_route_CPPFLAGS = $(TEST_CPP)
tests_unit_test_route_CFLAGS = $(TEST_CC)
tests_unit_test_route_LDFLAGS = $(TEST_LD)
tests_unit_test_route_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-router
tests_unit_test_router_CPPFLAGS = $(TEST_CPP)
tests_unit_test_router_CFLAGS = $(TEST_CC)
tests_unit_test_router_LDFLAGS = $(TEST_LD)
tests_unit_test_router_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-login-queue
tests_unit_test_login_queue_CPPFLAGS = $(TEST_CPP)
tests_unit_test_login_queue_CFLAGS = $(TEST_CC)
tests_unit_test_login_queue_LDFLAGS = $(TEST_LD)
tests_unit_test_login_queue_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-login
tests_unit_test_login_CPPFLAGS = $(TEST_CPP)
tests_unit_test_login_CFLAGS = $(TEST_CC)
tests_unit_test_login_LDFLAGS = $(TEST_LD)
tests_unit_test_login_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-ticket
tests_unit_test_ticket_CPPFLAGS = $(TEST_CPP)
tests_unit_test_ticket_CFLAGS = $(TEST_CC)
tests_unit_test_ticket_LDFLAGS = $(TEST_LD)
tests_unit_test_ticket_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-control
tests_unit_test_control_CPPFLAGS = $(TEST_CPP)
tests_unit_test_control_CFLAGS = $(TEST_CC)
tests_unit_test_control_LDFLAGS = $(TEST_LD)
tests_unit_test_control_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-doctor
tests_unit_test_doctor_CPPFLAGS = $(TEST_CPP)
tests_unit_test_doctor_CFLAGS = $(TEST_CC)
tests_unit_test_doctor_LDFLAGS = $(TEST_LD)
tests_unit_test_doctor_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-peer
tests_unit_test_peer_CPPFLAGS = $(TEST_CPP)
tests_unit_test_peer_CFLAGS = $(TEST_CC)
tests_unit_test_peer_LDFLAGS = $(TEST_LD)
tests_unit_test_peer_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-upstream
tests_unit_test_upstream_CPPFLAGS = $(TEST_CPP)
tests_unit_test_upstream_CFLAGS = $(TEST_CC)
tests_unit_test_upstream_LDFLAGS = $(TEST_LD)
tests_unit_test_upstream_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-throttle
tests_unit_test_throttle_CPPFLAGS = $(TEST_CPP)
tests_unit_test_throttle_CFLAGS = $(TEST_CC)
tests_unit_test_throttle_LDFLAGS = $(TEST_LD)
tests_unit_test_throttle_LDADD = $(TEST_LINK)
