# SPDX-License-Identifier: LGPL-2.1-or-later
# A fleet in one process on a fake clock. In the check it is 10 terminals for 6 hours; the whole day of 50 terminals:
#   FARWATCH_SIM_TERMINALS=50 FARWATCH_SIM_HOURS=24 tests/sim/sim-day
check_LTLIBRARIES += tests/fixtures/transport-memory.la tests/fixtures/sensor-clock.la
tests_fixtures_transport_memory_la_CPPFLAGS = $(TEST_CPP)
tests_fixtures_transport_memory_la_CFLAGS = $(PLUGIN_CC)
tests_fixtures_transport_memory_la_LDFLAGS = $(FIXTURE_LD)
tests_fixtures_transport_memory_la_LIBADD = $(PLUGIN_LIBS)
tests_fixtures_transport_memory_la_SOURCES = tests/fixtures/transport-memory.c tests/fixtures/transport-memory.h
tests_fixtures_sensor_clock_la_CPPFLAGS = $(TEST_CPP)
tests_fixtures_sensor_clock_la_CFLAGS = $(PLUGIN_CC)
tests_fixtures_sensor_clock_la_LDFLAGS = $(FIXTURE_LD)
tests_fixtures_sensor_clock_la_LIBADD = $(PLUGIN_LIBS)
tests_fixtures_sensor_clock_la_SOURCES = tests/fixtures/sensor-clock.c

check_PROGRAMS += tests/sim/sim-day
tests_sim_sim_day_SOURCES = tests/sim/sim-day.c tests/sim/sim-node.c tests/sim/sim-time.c tests/sim/sim-tunnel.c tests/sim/sim-wire.c tests/sim/sim.h
tests_sim_sim_day_CPPFLAGS = $(TEST_CPP)
tests_sim_sim_day_CFLAGS = $(AM_CFLAGS) $(CORE_CFLAGS)
tests_sim_sim_day_LDFLAGS = $(AM_LDFLAGS) -no-install
tests_sim_sim_day_LDADD = libfarwatch.la $(CORE_LIBS)
