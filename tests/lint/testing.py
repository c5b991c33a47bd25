# SPDX-License-Identifier: LGPL-2.1-or-later
"""doc/testing.md names tests: each one exists, stands in a list of tests that are run, and each row names one. Each id of what reviews found has a row.
README names each page."""
import glob
import os
import re
import unittest

import tap

SOURCE = os.environ["FARWATCH_TEST_SRCDIR"]
# what reviews found: the kinds of a list, each numbered from 1
FOUND = {"defect": {"K": 7, "L": 10, "A": 22}, "errors": {"E": 26}, "attack": {"C": 1, "H": 6, "M": 8, "L": 9}}
NAME = re.compile(r"`([\w-]+(?:\.py|\.sh)?)(?::([\w.]+))?`")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def lists():
    """What the fragments put into TESTS or check_PROGRAMS, in one text; EXTRA_DIST alone runs nothing."""
    text = "\n".join(read(path) for path in glob.glob(os.path.join(SOURCE, "tests", "**", "local*.mk"), recursive=True))
    text = re.sub(r"\\\n", " ", text)
    run = re.findall(r"(?m)^(?:TESTS|check_PROGRAMS|\w+_tests|fuzz_programs)\s*\+?=(.*)$", text)
    return set(" ".join(run).split())


def included(path, seen):
    """The file and all of the tree's own that it includes, with what they include."""
    if path in seen or not os.path.isfile(path):
        return seen
    seen.add(path)
    for name in re.findall(r'(?m)^#include "([^"]+)"', read(path)):
        for folder in (os.path.dirname(path), os.path.join(SOURCE, "tests")):
            included(os.path.normpath(os.path.join(folder, name)), seen)
    return seen


def ids_of(cell):
    """"defect K4, attack L1, L3" → {("defect", "K4"), ("attack", "L1"), ("attack", "L3")}."""
    found, where = set(), None
    for word in re.findall(r"[a-z]+|[A-Z]\d+", cell):
        if word in FOUND:
            where = word
        else:
            found.add((where, word))
    return found


class Testing(unittest.TestCase):
    def setUp(self):
        self.rows = [line for line in read(os.path.join(SOURCE, "doc", "testing.md")).splitlines() if line.startswith("| ") and not line.endswith("by |")
                     and line != "| parser | target |"]
        self.files = {}
        for path in glob.glob(os.path.join(SOURCE, "tests", "*", "*")):
            name = os.path.basename(path)
            self.files[name[:-2] if name.endswith(".c") else name] = path
        self.lists = lists()

    def fault(self, name, case):
        path = self.files.get(name)
        if path is None:
            return "no such test; a case is named with its file, FILE:CASE"
        listed = os.path.relpath(path[:-2] if path.endswith(".c") else path, SOURCE)
        if listed not in self.lists:
            return "is not run"
        text = read(path)
        for word in case.split(".") if case else ():
            if not re.search(rf"(?m)(START_TEST \({word}\)|^class {word}\b|^    def {word}\b)", text):
                return f"has no case {word}"
        return None

    def test_every_name_is_a_test_that_is_run(self):
        named = {found.groups() for row in self.rows for found in NAME.finditer(row.split("|")[-2])}
        self.assertGreater(len(named), 80)
        faults = [f"{name}:{case or ''}: {self.fault(name, case)}" for name, case in sorted(named, key=str) if self.fault(name, case)]
        self.assertEqual(faults, [])

    def test_every_row_names_one(self):
        self.assertGreater(len(self.rows), 40)
        self.assertEqual([row for row in self.rows if not NAME.search(row.split("|")[-2])], [])

    def test_what_needs_the_library_check_waits_for_it(self):
        """Without it the rest is built and tested: what uses it stands in unit_tests, and nowhere else."""
        wants = {os.path.relpath(path, SOURCE) for path in glob.glob(os.path.join(SOURCE, "tests", "**", "*.c"), recursive=True)
                 if any("#include <check.h>" in read(file) for file in included(path, set()))}
        self.assertGreater(len(wants), 80)
        for path in glob.glob(os.path.join(SOURCE, "tests", "**", "local*.mk"), recursive=True):
            text = re.sub(r"\\\n", " ", read(path))
            sources = dict(re.findall(r"(?m)^(tests_\w+)_SOURCES = (.*)$", text))
            for program in re.findall(r"(?m)^(?:check|noinst)_PROGRAMS \+= (tests/\S+)", text):
                named = sources.get(re.sub(r"\W", "_", program), program + ".c").split()
                self.assertEqual(wants & set(named), set(), f"{path}: {program} uses Check: put it into unit_tests")

    def test_each_thing_found_has_a_row(self):
        section = read(os.path.join(SOURCE, "doc", "testing.md")).split("## What reviews found")[1].split("\n## ")[0]
        rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| ") and not line.startswith("| id ")]
        there = set().union(*map(ids_of, rows))
        wanted = {(name, f"{kind}{number}") for name, kinds in FOUND.items() for kind, last in kinds.items() for number in range(1, last + 1)}
        self.assertEqual((sorted(wanted - there), sorted(there - wanted, key=str)), ([], []))

    def test_it_would_notice(self):
        self.assertEqual(ids_of(" defect K4, attack L1, L3 "), {("defect", "K4"), ("attack", "L1"), ("attack", "L3")})
        self.assertIn("no such test", self.fault("no-such.py", "test_x"))
        self.assertEqual(self.fault("test-pump", "no_such_case"), "has no case no_such_case")
        self.lists = set()
        self.assertEqual(self.fault("test-pump", None), "is not run")

    def test_the_readme_names_each_page(self):
        pages = [os.path.relpath(path, SOURCE) for path in glob.glob(os.path.join(SOURCE, "doc", "*.md"))] + ["doc/examples"]
        self.assertGreater(len(pages), 10)
        behind = read(os.path.join(SOURCE, "README")).split("## Read on")[1]
        self.assertEqual([page for page in sorted(pages) if f"`{page}`" not in behind], [])


tap.main()
