# SPDX-License-Identifier: LGPL-2.1-or-later
"""doc/glossary.md has each term once, in alphabetical order, with a place that exists; a word that goes is not the same as the one that comes."""
import os
import re
import unittest

import tap

SOURCE = os.environ["FARWATCH_TEST_SRCDIR"]


def rows(text):
    """[(term, meaning, where, word of today)]"""
    return [tuple(cell.strip() for cell in line.strip("|").split(" |")) for line in text.splitlines()
            if line.startswith("| ") and not line.startswith("| term |")]


def faults(table, exists):
    terms = [row[0] for row in table]
    for before, term in zip(terms, terms[1:]):
        if before.lower() >= term.lower():
            yield f"{term}: stands behind {before}"
    for term, meaning, where, today in table:
        place = re.fullmatch(r"`([^`]+)`", where)
        if not meaning or not place or not exists(place[1]):
            yield f"{term}: {where} is no place in the tree"
        if today.count("→") and re.search(r"→ *$", today):
            yield f"{term}: says not what {today} becomes"


class Glossary(unittest.TestCase):
    def test_terms(self):
        with open(os.path.join(SOURCE, "doc", "glossary.md"), encoding="utf-8") as file:
            table = rows(file.read())
        self.assertGreater(len(table), 100)
        self.assertEqual({len(row) for row in table}, {4})
        self.assertEqual(list(faults(table, lambda path: os.path.exists(os.path.join(SOURCE, path)))), [])

    def test_it_would_notice(self):
        good = ("b", "a thing", "`core/b.c`", "")
        self.assertEqual(list(faults([good], lambda path: True)), [])
        for bad in (("a", "a thing", "`core/b.c`", ""), ("B", "a thing", "`core/b.c`", ""), ("c", "", "`core/b.c`", ""), ("c", "a thing", "somewhere", ""),
                    ("c", "a thing", "`core/b.c`", "x →")):
            self.assertEqual(len(list(faults([good, bad], lambda path: True))), 1, bad)
        self.assertEqual(len(list(faults([good], lambda path: False))), 1)


tap.main()
