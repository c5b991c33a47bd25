# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pages name files of the tree: each one is there, also after files have moved."""
import glob
import os
import re
import unittest

import tap

SOURCE = os.environ["FARWATCH_TEST_SRCDIR"]
PATH = re.compile(r"`((?:core|plugins|tests|etc|build-aux|doc)/[\w./-]*\w)`")
STANDS_FOR_MANY = re.compile(r"(?<![A-Z])(NAME|KIND|ROOM|AREA|FILE|TYPE)(?![A-Z])")


def pages():
    yield from (os.path.join(SOURCE, name) for name in ("README", "CONTRIBUTING.md", "core/README.md"))
    for pattern in ("doc/*.md", "doc/spec/*.md", "plugins/*/README.md"):
        yield from sorted(glob.glob(os.path.join(SOURCE, pattern)))


def missing(text):
    """Paths in text that are neither there nor the beginning of a file's name (`core/reach/session` for .c and .h)."""
    named = {path for path in PATH.findall(text) if not STANDS_FOR_MANY.search(path)}
    return sorted(path for path in named if not os.path.exists(os.path.join(SOURCE, path)) and not glob.glob(os.path.join(SOURCE, path + ".*")))


class Pages(unittest.TestCase):
    def test_paths(self):
        count = 0
        for page in pages():
            with open(page, encoding="utf-8") as file:
                text = file.read()
            count += len(PATH.findall(text))
            self.assertEqual(missing(text), [], os.path.relpath(page, SOURCE))
        self.assertGreater(count, 100)

    def test_it_would_notice(self):
        self.assertEqual(missing("`core/farwatchd.c`, `core/reach/session`, `tests/unit/test-NAME.c`, `core/no-such.c`, `doc/none/`"),
                         ["core/no-such.c"])
        self.assertEqual(missing("`doc/none/x.md` and core/none.c"), ["doc/none/x.md"])


tap.main()
