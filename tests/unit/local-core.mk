# SPDX-License-Identifier: LGPL-2.1-or-later
## unit_tests += tests/unit/test-NAME
## tests_unit_test_NAME_CPPFLAGS = $(TEST_CPP)
## tests_unit_test_NAME_CFLAGS = $(TEST_CC)
## tests_unit_test_NAME_LDFLAGS = $(TEST_LD)
## tests_unit_test_NAME_LDADD = $(TEST_LINK)
## (the source tests/unit/test-NAME.c is found by its name)

unit_tests += tests/unit/test-trim
tests_unit_test_trim_CPPFLAGS = $(TEST_CPP)
tests_unit_test_trim_CFLAGS = $(TEST_CC)
tests_unit_test_trim_LDFLAGS = $(TEST_LD)
tests_unit_test_trim_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-plain
tests_unit_test_plain_CPPFLAGS = $(TEST_CPP)
tests_unit_test_plain_CFLAGS = $(TEST_CC)
tests_unit_test_plain_LDFLAGS = $(TEST_LD)
tests_unit_test_plain_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-thread-tag
tests_unit_test_thread_tag_CPPFLAGS = $(TEST_CPP)
tests_unit_test_thread_tag_CFLAGS = $(TEST_CC)
tests_unit_test_thread_tag_LDFLAGS = $(TEST_LD)
tests_unit_test_thread_tag_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-version
tests_unit_test_version_CPPFLAGS = $(TEST_CPP)
tests_unit_test_version_CFLAGS = $(TEST_CC)
tests_unit_test_version_LDFLAGS = $(TEST_LD)
tests_unit_test_version_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-instance
tests_unit_test_instance_CPPFLAGS = $(TEST_CPP)
tests_unit_test_instance_CFLAGS = $(TEST_CC)
tests_unit_test_instance_LDFLAGS = $(TEST_LD)
tests_unit_test_instance_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-loader
tests_unit_test_loader_CPPFLAGS = $(TEST_CPP)
tests_unit_test_loader_CFLAGS = $(TEST_CC)
tests_unit_test_loader_LDFLAGS = $(TEST_LD)
tests_unit_test_loader_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-option
tests_unit_test_option_CPPFLAGS = $(TEST_CPP)
tests_unit_test_option_CFLAGS = $(TEST_CC)
tests_unit_test_option_LDFLAGS = $(TEST_LD)
tests_unit_test_option_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-profile
tests_unit_test_profile_CPPFLAGS = $(TEST_CPP)
tests_unit_test_profile_CFLAGS = $(TEST_CC)
tests_unit_test_profile_LDFLAGS = $(TEST_LD)
tests_unit_test_profile_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-reload
tests_unit_test_reload_CPPFLAGS = $(TEST_CPP)
tests_unit_test_reload_CFLAGS = $(TEST_CC)
tests_unit_test_reload_LDFLAGS = $(TEST_LD)
tests_unit_test_reload_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-request
tests_unit_test_request_CPPFLAGS = $(TEST_CPP)
tests_unit_test_request_CFLAGS = $(TEST_CC)
tests_unit_test_request_LDFLAGS = $(TEST_LD)
tests_unit_test_request_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-lifetime
tests_unit_test_lifetime_CPPFLAGS = $(TEST_CPP)
tests_unit_test_lifetime_CFLAGS = $(TEST_CC)
tests_unit_test_lifetime_LDFLAGS = $(TEST_LD)
tests_unit_test_lifetime_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-tables
tests_unit_test_tables_CPPFLAGS = $(TEST_CPP)
tests_unit_test_tables_CFLAGS = $(TEST_CC)
tests_unit_test_tables_LDFLAGS = $(TEST_LD)
tests_unit_test_tables_LDADD = $(TEST_LINK)

# plugins made for tests; they stay where they are built
FIXTURE_LD = $(AM_LDFLAGS) -module -avoid-version -shared -rpath /nowhere -export-symbols-regex '^far_plugin_info$$'

check_LTLIBRARIES += tests/fixtures/sensor-nosymbol.la
tests_fixtures_sensor_nosymbol_la_CPPFLAGS = $(TEST_CPP)
tests_fixtures_sensor_nosymbol_la_CFLAGS = $(PLUGIN_CC)
tests_fixtures_sensor_nosymbol_la_LDFLAGS = $(FIXTURE_LD)
tests_fixtures_sensor_nosymbol_la_SOURCES = tests/fixtures/sensor-nosymbol.c

check_LTLIBRARIES += tests/fixtures/sensor-oldabi.la
tests_fixtures_sensor_oldabi_la_CPPFLAGS = $(TEST_CPP)
tests_fixtures_sensor_oldabi_la_CFLAGS = $(PLUGIN_CC)
tests_fixtures_sensor_oldabi_la_LDFLAGS = $(FIXTURE_LD)
tests_fixtures_sensor_oldabi_la_SOURCES = tests/fixtures/sensor-oldabi.c

check_LTLIBRARIES += tests/fixtures/sensor-probe.la
tests_fixtures_sensor_probe_la_CPPFLAGS = $(TEST_CPP)
tests_fixtures_sensor_probe_la_CFLAGS = $(PLUGIN_CC)
tests_fixtures_sensor_probe_la_LDFLAGS = $(FIXTURE_LD)
tests_fixtures_sensor_probe_la_LIBADD = $(PLUGIN_LIBS)
tests_fixtures_sensor_probe_la_SOURCES = tests/fixtures/sensor-probe.c

check_LTLIBRARIES += tests/fixtures/decoder-line.la
tests_fixtures_decoder_line_la_CPPFLAGS = $(TEST_CPP)
tests_fixtures_decoder_line_la_CFLAGS = $(PLUGIN_CC)
tests_fixtures_decoder_line_la_LDFLAGS = $(FIXTURE_LD)
tests_fixtures_decoder_line_la_LIBADD = $(PLUGIN_LIBS)
tests_fixtures_decoder_line_la_SOURCES = tests/fixtures/decoder-line.c

check_LTLIBRARIES += tests/fixtures/sensor-number.la
tests_fixtures_sensor_number_la_CPPFLAGS = $(TEST_CPP)
tests_fixtures_sensor_number_la_CFLAGS = $(PLUGIN_CC)
tests_fixtures_sensor_number_la_LDFLAGS = $(FIXTURE_LD)
tests_fixtures_sensor_number_la_SOURCES = tests/fixtures/sensor-number.c

check_LTLIBRARIES += tests/fixtures/sensor-twofaced.la
tests_fixtures_sensor_twofaced_la_CPPFLAGS = $(TEST_CPP)
tests_fixtures_sensor_twofaced_la_CFLAGS = $(PLUGIN_CC)
tests_fixtures_sensor_twofaced_la_LDFLAGS = $(FIXTURE_LD)
tests_fixtures_sensor_twofaced_la_SOURCES = tests/fixtures/sensor-twofaced.c

EXTRA_DIST += tests/unit/core-help.h

unit_tests += tests/unit/test-backup
tests_unit_test_backup_CPPFLAGS = $(TEST_CPP)
tests_unit_test_backup_CFLAGS = $(TEST_CC)
tests_unit_test_backup_LDFLAGS = $(TEST_LD)
tests_unit_test_backup_LDADD = libctl-support.la $(TEST_LINK)

unit_tests += tests/unit/test-translate
tests_unit_test_translate_CPPFLAGS = $(TEST_CPP) -I$(srcdir)/core
tests_unit_test_translate_CFLAGS = $(TEST_CC)
tests_unit_test_translate_LDFLAGS = $(TEST_LD)
tests_unit_test_translate_LDADD = $(TEST_LINK)
tests_unit_test_translate_SOURCES = tests/unit/test-translate.c core/farctl/catalogue.c core/farctl/translate.c

unit_tests += tests/unit/test-node
tests_unit_test_node_CPPFLAGS = $(TEST_CPP)
tests_unit_test_node_CFLAGS = $(TEST_CC)
tests_unit_test_node_LDFLAGS = $(TEST_LD)
tests_unit_test_node_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-kinds
tests_unit_test_kinds_CPPFLAGS = $(TEST_CPP)
tests_unit_test_kinds_CFLAGS = $(TEST_CC)
tests_unit_test_kinds_LDFLAGS = $(TEST_LD)
tests_unit_test_kinds_LDADD = $(TEST_LINK)
