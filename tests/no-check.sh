#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Stands for the unit tests where the library Check was not found.
echo "the unit tests were not built: apt install check, then configure again" >&2
exit 1
