# SPDX-License-Identifier: LGPL-2.1-or-later

unit_tests += tests/unit/test-device
tests_unit_test_device_CPPFLAGS = $(TEST_CPP)
tests_unit_test_device_CFLAGS = $(TEST_CC)
tests_unit_test_device_LDFLAGS = $(TEST_LD)
tests_unit_test_device_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-registry
tests_unit_test_registry_SOURCES = tests/unit/test-registry.c tests/unit/registry-conform.h
tests_unit_test_registry_CPPFLAGS = $(TEST_CPP)
tests_unit_test_registry_CFLAGS = $(TEST_CC)
tests_unit_test_registry_LDFLAGS = $(TEST_LD)
tests_unit_test_registry_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-session
tests_unit_test_session_CPPFLAGS = $(TEST_CPP)
tests_unit_test_session_CFLAGS = $(TEST_CC)
tests_unit_test_session_LDFLAGS = $(TEST_LD)
tests_unit_test_session_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-session-walk
tests_unit_test_session_walk_CPPFLAGS = $(TEST_CPP)
tests_unit_test_session_walk_CFLAGS = $(TEST_CC)
tests_unit_test_session_walk_LDFLAGS = $(TEST_LD)
tests_unit_test_session_walk_LDADD = $(TEST_LINK)

# the checks of the agent, without the rest of it
unit_tests += tests/unit/test-agent
tests_unit_test_agent_SOURCES = tests/unit/test-agent.c tests/unit/trust-fixture.c tests/unit/trust-fixture.h \
	plugins/service-agent/check.c plugins/service-agent/ends.c
tests_unit_test_agent_CPPFLAGS = $(TEST_CPP)
tests_unit_test_agent_CFLAGS = $(TEST_CC)
tests_unit_test_agent_LDFLAGS = $(TEST_LD)
tests_unit_test_agent_LDADD = $(TEST_LINK)

# access in this process, with its own store and tokens; links and tunnel ends are played
check_LTLIBRARIES += tests/fixtures/carrier-memory.la
tests_fixtures_carrier_memory_la_CPPFLAGS = $(TEST_CPP)
tests_fixtures_carrier_memory_la_CFLAGS = $(PLUGIN_CC)
tests_fixtures_carrier_memory_la_LDFLAGS = $(FIXTURE_LD)
tests_fixtures_carrier_memory_la_LIBADD = $(PLUGIN_LIBS)
tests_fixtures_carrier_memory_la_SOURCES = tests/fixtures/carrier-memory.c
check_LTLIBRARIES += tests/fixtures/transport-fake.la
tests_fixtures_transport_fake_la_CPPFLAGS = $(TEST_CPP)
tests_fixtures_transport_fake_la_CFLAGS = $(PLUGIN_CC)
tests_fixtures_transport_fake_la_LDFLAGS = $(FIXTURE_LD)
tests_fixtures_transport_fake_la_LIBADD = $(PLUGIN_LIBS)
tests_fixtures_transport_fake_la_SOURCES = tests/fixtures/transport-fake.c tests/fixtures/transport-fake.h

unit_tests += tests/unit/test-access
tests_unit_test_access_SOURCES = tests/unit/test-access.c tests/unit/access-help.c tests/unit/access-help.h
tests_unit_test_access_CPPFLAGS = $(TEST_CPP)
tests_unit_test_access_CFLAGS = $(TEST_CC)
tests_unit_test_access_LDFLAGS = $(TEST_LD)
tests_unit_test_access_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-access-carriers
tests_unit_test_access_carriers_SOURCES = tests/unit/test-access-carriers.c tests/unit/access-help.c tests/unit/access-help.h
tests_unit_test_access_carriers_CPPFLAGS = $(TEST_CPP)
tests_unit_test_access_carriers_CFLAGS = $(TEST_CC)
tests_unit_test_access_carriers_LDFLAGS = $(TEST_LD)
tests_unit_test_access_carriers_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-access-attack
tests_unit_test_access_attack_SOURCES = tests/unit/test-access-attack.c tests/unit/access-help.c tests/unit/access-help.h
tests_unit_test_access_attack_CPPFLAGS = $(TEST_CPP)
tests_unit_test_access_attack_CFLAGS = $(TEST_CC)
tests_unit_test_access_attack_LDFLAGS = $(TEST_LD)
tests_unit_test_access_attack_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-access-pages
tests_unit_test_access_pages_SOURCES = tests/unit/test-access-pages.c tests/unit/access-help.c tests/unit/access-help.h
tests_unit_test_access_pages_CPPFLAGS = $(TEST_CPP)
tests_unit_test_access_pages_CFLAGS = $(TEST_CC)
tests_unit_test_access_pages_LDFLAGS = $(TEST_LD)
tests_unit_test_access_pages_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-access-rights
tests_unit_test_access_rights_SOURCES = tests/unit/test-access-rights.c tests/unit/access-help.c tests/unit/access-help.h
tests_unit_test_access_rights_CPPFLAGS = $(TEST_CPP)
tests_unit_test_access_rights_CFLAGS = $(TEST_CC)
tests_unit_test_access_rights_LDFLAGS = $(TEST_LD)
tests_unit_test_access_rights_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-access-climb
tests_unit_test_access_climb_SOURCES = tests/unit/test-access-climb.c tests/unit/access-help.c tests/unit/access-help.h
tests_unit_test_access_climb_CPPFLAGS = $(TEST_CPP)
tests_unit_test_access_climb_CFLAGS = $(TEST_CC)
tests_unit_test_access_climb_LDFLAGS = $(TEST_LD)
tests_unit_test_access_climb_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-access-enrol
tests_unit_test_access_enrol_SOURCES = tests/unit/test-access-enrol.c tests/unit/access-help.c tests/unit/access-help.h
tests_unit_test_access_enrol_CPPFLAGS = $(TEST_CPP)
tests_unit_test_access_enrol_CFLAGS = $(TEST_CC)
tests_unit_test_access_enrol_LDFLAGS = $(TEST_LD)
tests_unit_test_access_enrol_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-access-names
tests_unit_test_access_names_SOURCES = tests/unit/test-access-names.c tests/unit/access-help.c tests/unit/access-help.h
tests_unit_test_access_names_CPPFLAGS = $(TEST_CPP)
tests_unit_test_access_names_CFLAGS = $(TEST_CC)
tests_unit_test_access_names_LDFLAGS = $(TEST_LD)
tests_unit_test_access_names_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-access-partly
tests_unit_test_access_partly_SOURCES = tests/unit/test-access-partly.c tests/unit/access-help.c tests/unit/access-help.h
tests_unit_test_access_partly_CPPFLAGS = $(TEST_CPP)
tests_unit_test_access_partly_CFLAGS = $(TEST_CC)
tests_unit_test_access_partly_LDFLAGS = $(TEST_LD)
tests_unit_test_access_partly_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-access-race
tests_unit_test_access_race_SOURCES = tests/unit/test-access-race.c tests/unit/access-help.c tests/unit/access-help.h
tests_unit_test_access_race_CPPFLAGS = $(TEST_CPP)
tests_unit_test_access_race_CFLAGS = $(TEST_CC)
tests_unit_test_access_race_LDFLAGS = $(TEST_LD)
tests_unit_test_access_race_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-access-revoke
tests_unit_test_access_revoke_SOURCES = tests/unit/test-access-revoke.c tests/unit/access-help.c tests/unit/access-help.h
tests_unit_test_access_revoke_CPPFLAGS = $(TEST_CPP)
tests_unit_test_access_revoke_CFLAGS = $(TEST_CC)
tests_unit_test_access_revoke_LDFLAGS = $(TEST_LD)
tests_unit_test_access_revoke_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-access-steps
tests_unit_test_access_steps_SOURCES = tests/unit/test-access-steps.c tests/unit/access-help.c tests/unit/access-help.h
tests_unit_test_access_steps_CPPFLAGS = $(TEST_CPP)
tests_unit_test_access_steps_CFLAGS = $(TEST_CC)
tests_unit_test_access_steps_LDFLAGS = $(TEST_LD)
tests_unit_test_access_steps_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-access-ways
tests_unit_test_access_ways_SOURCES = tests/unit/test-access-ways.c tests/unit/access-help.c tests/unit/access-help.h
tests_unit_test_access_ways_CPPFLAGS = $(TEST_CPP)
tests_unit_test_access_ways_CFLAGS = $(TEST_CC)
tests_unit_test_access_ways_LDFLAGS = $(TEST_LD)
tests_unit_test_access_ways_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-fleet
tests_unit_test_fleet_SOURCES = tests/unit/test-fleet.c tests/unit/registry-conform.h tests/unit/access-help.c tests/unit/access-help.h
tests_unit_test_fleet_CPPFLAGS = $(TEST_CPP)
tests_unit_test_fleet_CFLAGS = $(TEST_CC)
tests_unit_test_fleet_LDFLAGS = $(TEST_LD)
tests_unit_test_fleet_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-device-values
tests_unit_test_device_values_SOURCES = tests/unit/test-device-values.c tests/unit/access-help.c tests/unit/access-help.h
tests_unit_test_device_values_CPPFLAGS = $(TEST_CPP)
tests_unit_test_device_values_CFLAGS = $(TEST_CC)
tests_unit_test_device_values_LDFLAGS = $(TEST_LD)
tests_unit_test_device_values_LDADD = $(TEST_LINK)

AGENT_HELP = tests/unit/agent-help.c tests/unit/agent-help.h tests/unit/access-help.c tests/unit/access-help.h

unit_tests += tests/unit/test-agent-carriers
tests_unit_test_agent_carriers_SOURCES = tests/unit/test-agent-carriers.c tests/unit/access-help.c tests/unit/access-help.h
tests_unit_test_agent_carriers_CPPFLAGS = $(TEST_CPP)
tests_unit_test_agent_carriers_CFLAGS = $(TEST_CC)
tests_unit_test_agent_carriers_LDFLAGS = $(TEST_LD)
tests_unit_test_agent_carriers_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-agent-course
tests_unit_test_agent_course_SOURCES = tests/unit/test-agent-course.c $(AGENT_HELP)
tests_unit_test_agent_course_CPPFLAGS = $(TEST_CPP)
tests_unit_test_agent_course_CFLAGS = $(TEST_CC)
tests_unit_test_agent_course_LDFLAGS = $(TEST_LD)
tests_unit_test_agent_course_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-member
tests_unit_test_member_SOURCES = tests/unit/test-member.c $(AGENT_HELP)
tests_unit_test_member_CPPFLAGS = $(TEST_CPP)
tests_unit_test_member_CFLAGS = $(TEST_CC)
tests_unit_test_member_LDFLAGS = $(TEST_LD)
tests_unit_test_member_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-agent-advance
tests_unit_test_agent_advance_SOURCES = tests/unit/test-agent-advance.c $(AGENT_HELP)
tests_unit_test_agent_advance_CPPFLAGS = $(TEST_CPP)
tests_unit_test_agent_advance_CFLAGS = $(TEST_CC)
tests_unit_test_agent_advance_LDFLAGS = $(TEST_LD)
tests_unit_test_agent_advance_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-carrier-course
tests_unit_test_carrier_course_SOURCES = tests/unit/test-carrier-course.c
tests_unit_test_carrier_course_CPPFLAGS = $(TEST_CPP)
tests_unit_test_carrier_course_CFLAGS = $(TEST_CC)
tests_unit_test_carrier_course_LDFLAGS = $(TEST_LD)
tests_unit_test_carrier_course_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-cycle
tests_unit_test_cycle_SOURCES = tests/unit/test-cycle.c
tests_unit_test_cycle_CPPFLAGS = $(TEST_CPP)
tests_unit_test_cycle_CFLAGS = $(TEST_CC)
tests_unit_test_cycle_LDFLAGS = $(TEST_LD)
tests_unit_test_cycle_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-book
tests_unit_test_book_SOURCES = tests/unit/test-book.c tests/unit/book-conform.h $(NODE_HELP)
tests_unit_test_book_CPPFLAGS = $(TEST_CPP)
tests_unit_test_book_CFLAGS = $(TEST_CC)
tests_unit_test_book_LDFLAGS = $(TEST_LD)
tests_unit_test_book_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-carrier-handle
tests_unit_test_carrier_handle_SOURCES = tests/unit/test-carrier-handle.c tests/unit/access-help.c tests/unit/access-help.h
tests_unit_test_carrier_handle_CPPFLAGS = $(TEST_CPP)
tests_unit_test_carrier_handle_CFLAGS = $(TEST_CC)
tests_unit_test_carrier_handle_LDFLAGS = $(TEST_LD)
tests_unit_test_carrier_handle_LDADD = $(TEST_LINK)
unit_tests += tests/unit/test-access-book
tests_unit_test_access_book_SOURCES = tests/unit/test-access-book.c tests/unit/book-conform.h tests/unit/access-help.c tests/unit/access-help.h
tests_unit_test_access_book_CPPFLAGS = $(TEST_CPP)
tests_unit_test_access_book_CFLAGS = $(TEST_CC)
tests_unit_test_access_book_LDFLAGS = $(TEST_LD)
tests_unit_test_access_book_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-agent-book
tests_unit_test_agent_book_SOURCES = tests/unit/test-agent-book.c tests/unit/book-conform.h tests/unit/access-help.c tests/unit/access-help.h
tests_unit_test_agent_book_CPPFLAGS = $(TEST_CPP)
tests_unit_test_agent_book_CFLAGS = $(TEST_CC)
tests_unit_test_agent_book_LDFLAGS = $(TEST_LD)
tests_unit_test_agent_book_LDADD = $(TEST_LINK)
