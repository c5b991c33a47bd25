# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each method that changes something stands in doc/messages.md, with how of two such changes none is lost, and with a test that shows it."""
import glob
import os
import re
import unittest

import tap

SOURCE = os.environ["FARWATCH_TEST_SRCDIR"]
HANDLER = re.compile(r'(?:\{\s*|\.method = )"(POST|PUT|DELETE)",\s*(?:\.pattern = )?"([^"]+)",\s*(?:\.action = )?FAR_ACTION_')


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def handlers():
    """{"PUT terminals/{t}": the sources that have it}, of core and all plugins."""
    found = {}
    for path in glob.glob(os.path.join(SOURCE, "core", "**", "*.c"), recursive=True) + glob.glob(os.path.join(SOURCE, "plugins", "*", "*.c")):
        for method, pattern in HANDLER.findall(read(path)):
            found.setdefault(f"{method} {pattern}", []).append(path)
    return found


def rows():
    """{"PUT terminals/{t}": (how, tests)}"""
    table = read(os.path.join(SOURCE, "doc", "messages.md")).split("| what changes something |")[1].split("\n\n")[0]
    return {method: tuple(cells[1:]) for line in table.splitlines()[2:] if (cells := [cell.strip() for cell in line.strip("| ").split(" | ")])
            for method in re.findall(r"`([A-Z]+ [^`]+)`", cells[0])}


class Changes(unittest.TestCase):
    def test_each_changing_method_has_a_row(self):
        self.assertGreater(len(handlers()), 25)
        self.assertEqual(sorted(set(handlers()) - set(rows())), [], "a method that changes something: say in doc/messages.md how of two none is lost")
        self.assertEqual(sorted(set(rows()) - set(handlers())), [], "doc/messages.md names a method that nobody has")

    def test_what_is_said_to_expect_does(self):
        for method, (how, _tests) in rows().items():
            if how.startswith("`expect`"):
                for path in handlers()[method]:
                    folder = "\n".join(read(one) for one in glob.glob(os.path.join(os.path.dirname(path), "*.c")))
                    with self.subTest(method):
                        self.assertIn("far_expect_ok (", folder, path)
                        if not method.startswith("DELETE"):
                            self.assertIn("FAR_FIELD_EXPECT", read(path), path)

    def test_each_row_names_a_test(self):
        for method, (_how, tests) in rows().items():
            names = re.findall(r"`(test-[\w-]+):(\w+)`", tests)
            with self.subTest(method):
                self.assertNotEqual(names, [])
                for program, case in names:
                    self.assertRegex(read(os.path.join(SOURCE, "tests", "unit", f"{program}.c")), rf"START_TEST \({case}\)")


tap.main()
