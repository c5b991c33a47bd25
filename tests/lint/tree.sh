#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The tree keeps the house rules.
exec "$FARWATCH_TEST_SRCDIR/build-aux/lint" "$FARWATCH_TEST_SRCDIR" "$FARWATCH_TEST_BUILDDIR"
