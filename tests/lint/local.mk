# SPDX-License-Identifier: LGPL-2.1-or-later
lint_tests = \
	tests/lint/analyze.py \
	tests/lint/changes.py \
	tests/lint/circles.py \
	tests/lint/coverage.py \
	tests/lint/glossary.py \
	tests/lint/comments.py \
	tests/lint/header-comments.py \
	tests/lint/headers.sh \
	tests/lint/lint.py \
	tests/lint/pages.py \
	tests/lint/rooms.py \
	tests/lint/spec.py \
	tests/lint/state.py \
	tests/lint/symbols.py \
	tests/lint/testing.py \
	tests/lint/tree.sh

TESTS += $(lint_tests)
EXTRA_DIST += build-aux/analyze build-aux/analyze.baseline build-aux/circles build-aux/comments build-aux/coverage build-aux/header-comments build-aux/lint build-aux/rooms build-aux/state build-aux/symbols $(lint_tests)
