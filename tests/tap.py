# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the unittest cases of the calling program and reports them as TAP, one line each."""
import sys
import traceback
import unittest


class Result(unittest.TestResult):
    def __init__(self, total):
        super().__init__()
        self.number = 0
        self.bad = 0
        self.broken = set()  # tests of which a part failed, and no line said so yet
        print(f"1..{total}", flush=True)

    def line(self, word, test, note=""):
        self.broken.discard(test)
        self.number += 1
        self.bad += word != "ok"
        name = test.id().removeprefix("__main__.")
        print(f"{word} {self.number} - {name}{note}", flush=True)

    def explain(self, err):
        for text in "".join(traceback.format_exception(*err)).splitlines():
            print("# " + text, flush=True)

    def addSuccess(self, test):
        self.line("ok", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.explain(err)
        self.line("not ok", test)

    addError = addFailure

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.line("ok", test, f" # SKIP {reason}")

    def addSubTest(self, test, subtest, err):
        if err:
            super().addSubTest(test, subtest, err)
            print(f"# in {subtest}", flush=True)
            self.explain(err)
            self.broken.add(test)

    def stopTest(self, test):
        super().stopTest(test)
        if test in self.broken:
            self.line("not ok", test)

    def addExpectedFailure(self, test, err):
        self.line("not ok", test)

    def addUnexpectedSuccess(self, test):
        self.line("not ok", test)


def main(module="__main__"):
    loader, names = unittest.defaultTestLoader, sys.argv[1:]  # by hand: Case or Case.test_x
    suite = loader.loadTestsFromNames([f"{module}.{name}" for name in names]) if names else loader.loadTestsFromName(module)
    result = Result(suite.countTestCases())
    suite.run(result)
    sys.exit(1 if result.bad or not result.wasSuccessful() else 0)
