# SPDX-License-Identifier: LGPL-2.1-or-later
# a node inside a test program
NODE_HELP = tests/unit/node-help.c tests/unit/node-help.h

unit_tests += tests/unit/test-batch
tests_unit_test_batch_CPPFLAGS = $(TEST_CPP)
tests_unit_test_batch_CFLAGS = $(TEST_CC)
tests_unit_test_batch_LDFLAGS = $(TEST_LD)
tests_unit_test_batch_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-store
tests_unit_test_store_CPPFLAGS = $(TEST_CPP)
tests_unit_test_store_CFLAGS = $(TEST_CC)
tests_unit_test_store_LDFLAGS = $(TEST_LD)
tests_unit_test_store_LDADD = $(TEST_LINK)
tests_unit_test_store_SOURCES = tests/unit/test-store.c $(NODE_HELP) tests/unit/store-help.c tests/unit/store-help.h

unit_tests += tests/unit/test-store-fault
tests_unit_test_store_fault_CPPFLAGS = $(TEST_CPP)
tests_unit_test_store_fault_CFLAGS = $(TEST_CC)
tests_unit_test_store_fault_LDFLAGS = $(TEST_LD)
tests_unit_test_store_fault_LDADD = $(TEST_LINK)
tests_unit_test_store_fault_SOURCES = tests/unit/test-store-fault.c $(NODE_HELP) tests/unit/store-help.c tests/unit/store-help.h

unit_tests += tests/unit/test-store-damage
tests_unit_test_store_damage_CPPFLAGS = $(TEST_CPP)
tests_unit_test_store_damage_CFLAGS = $(TEST_CC)
tests_unit_test_store_damage_LDFLAGS = $(TEST_LD)
tests_unit_test_store_damage_LDADD = $(TEST_LINK)
tests_unit_test_store_damage_SOURCES = tests/unit/test-store-damage.c $(NODE_HELP) tests/unit/store-help.c tests/unit/store-help.h

unit_tests += tests/unit/test-store-hang
tests_unit_test_store_hang_CPPFLAGS = $(TEST_CPP)
tests_unit_test_store_hang_CFLAGS = $(TEST_CC)
tests_unit_test_store_hang_LDFLAGS = $(TEST_LD) -export-dynamic
tests_unit_test_store_hang_LDADD = $(TEST_LINK)
tests_unit_test_store_hang_SOURCES = tests/unit/test-store-hang.c $(NODE_HELP) tests/unit/store-help.c tests/unit/store-help.h

unit_tests += tests/unit/test-store-missing
tests_unit_test_store_missing_CPPFLAGS = $(TEST_CPP)
tests_unit_test_store_missing_CFLAGS = $(TEST_CC)
tests_unit_test_store_missing_LDFLAGS = $(TEST_LD)
tests_unit_test_store_missing_LDADD = $(TEST_LINK)
tests_unit_test_store_missing_SOURCES = tests/unit/test-store-missing.c $(NODE_HELP) tests/unit/store-help.c tests/unit/store-help.h
