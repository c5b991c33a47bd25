#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Stands for the unit tests where the library Check was not found. 77: they are skipped, and counted as such.
echo "the unit tests were not built, as the library Check was not found: apt install check, then configure again" >&2
exit 77
