# SPDX-License-Identifier: LGPL-2.1-or-later
"""Requirements and steps that comments, tests and pages name ("spec B6", "S108") can be looked up in doc/spec/."""
import glob
import os
import re
import unittest

import tap

SOURCE = os.environ["FARWATCH_TEST_SRCDIR"]
ENDINGS = (".c", ".h", ".py", ".sh", ".md", ".yaml", ".mk")
ID = r"[AB]\d+"
# "spec B3, B6–B8", also with steps between: everything behind the word up to what is no id
NAMED = re.compile(rf"\bspec ((?:{ID}|S\d{{3}})(?:(?:, | and |[–-])(?:{ID}|S\d{{3}}))*)")
STEP = re.compile(r"\b(S[1-4]\d\d)(?:[–-](S[1-4]\d\d))?\b")


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def all_between(first, last):
    """B6 and B8: B6, B7, B8."""
    return {f"{first[0]}{number}" for number in range(int(first[1:]), int(last[1:]) + 1)}


def known():
    """What doc/spec/ defines: a heading for each requirement, a row for each step or run of steps."""
    ids = set()
    for path in glob.glob(os.path.join(SOURCE, "doc", "spec", "*.md")):
        text = read(path)
        ids |= set(re.findall(rf"(?m)^### ({ID}) \S", text))
        for first, last in re.findall(r"(?m)^\| (S\d{3})(?:–(S\d{3}))? \|", text):
            ids |= all_between(first, last or first)
    return ids


def named_in(text):
    ids = set()
    for group in NAMED.findall(text):
        for first, last in re.findall(r"([ABS]\d+)(?:[–-]([ABS]\d+))?", group):
            ids |= all_between(first, last or first)
    for first, last in STEP.findall(text):
        ids |= all_between(first, last or first)
    return ids


def sources():
    for folder in ("core", "plugins", "tests", "doc", "etc", "build-aux"):
        for where, _, inside in os.walk(os.path.join(SOURCE, folder)):
            if os.path.join("tests", "data") not in where and os.path.join("tests", "lint") not in where:
                yield from (os.path.join(where, name) for name in sorted(inside) if name.endswith(ENDINGS))


class Spec(unittest.TestCase):
    def test_what_is_named_is_there(self):
        ids, seen = known(), set()
        for path in sources():
            named = named_in(read(path))
            seen |= named
            self.assertEqual(sorted(named - ids), [], f"{os.path.relpath(path, SOURCE)} names what doc/spec/ does not have")
        self.assertGreater(len(seen), 20)

    def test_no_number_is_left_out(self):
        ids = known()
        for letter, count in (("A", 18), ("B", 16)):
            self.assertEqual({one for one in ids if one[0] == letter}, all_between(f"{letter}1", f"{letter}{count}"))
        for first, last in (("S101", "S119"), ("S200", "S215"), ("S301", "S312"), ("S401", "S407")):
            self.assertEqual(all_between(first, last) - ids, set())

    def test_it_would_notice(self):
        self.assertEqual(named_in("(spec B3, B6–B8, S108) and S301–S302, not C1 or B9"), {"B3", "B6", "B7", "B8", "S108", "S301", "S302"})
        self.assertEqual(named_in("spec B17") - known(), {"B17"})
        self.assertEqual(named_in("S120") - known(), {"S120"})


tap.main()
