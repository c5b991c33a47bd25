#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Each public header compiles alone, as C and as C++, with the flags that farwatch.pc gives.
set -u
flags=$(PKG_CONFIG_PATH=$FARWATCH_TEST_BUILDDIR/core pkg-config --cflags farwatch) || exit 1
work=$(mktemp -d) status=0
trap 'rm -rf "$work"' EXIT
cd "$FARWATCH_TEST_SRCDIR/core" || exit 1
for header in farwatch/*.h; do
  echo "#include <$header>" >"$work/alone.c"
  cp "$work/alone.c" "$work/alone.cc"
  # shellcheck disable=SC2086 # a list of words
  gcc -std=gnu11 -Wall -Wextra -Werror -fsyntax-only -I. $flags "$work/alone.c" || status=1
  # shellcheck disable=SC2086
  g++ -Wall -Wextra -Werror -fsyntax-only -I. $flags "$work/alone.cc" || status=1
done
exit $status
