# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tools of the bench work, and doc/performance.md says what tests/bench/results.json holds."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

import tap

BUILD, SOURCE = os.environ["FARWATCH_TEST_BUILDDIR"], os.environ["FARWATCH_TEST_SRCDIR"]
LOAD, BENCH = os.path.join(BUILD, "tests/bench/load"), os.path.join(SOURCE, "tests/bench")


class Load(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.device = subprocess.Popen([LOAD, "serve", "127.0.0.1", "0"], stdout=subprocess.PIPE, text=True)
        cls.port = cls.device.stdout.readline().split()[-1]

    @classmethod
    def tearDownClass(cls):
        cls.device.terminate()
        cls.device.wait()
        cls.device.stdout.close()

    def run_load(self, *words):
        done = subprocess.run([LOAD, words[0], "127.0.0.1", self.port, *words[1:]], capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_bulk_both_ways(self):
        for direction in ("up", "down"):
            result = self.run_load("bulk", direction, "2", "0.5")
            self.assertGreater(result["gbit_s"], 0)
            self.assertEqual(result["failed"], 0)

    def test_ping(self):
        result = self.run_load("ping", "64", "300")
        self.assertLessEqual(result["p50_us"], result["p99_us"])
        self.assertLessEqual(result["p99_us"], result["max_us"])

    def test_rate(self):
        self.assertGreater(self.run_load("rate", "0.3", "2")["per_s"], 1)

    def test_hold(self):
        self.assertEqual(self.run_load("hold", "5")["open"], 5)

    def test_a_dead_port_is_told(self):
        done = subprocess.run([LOAD, "ping", "127.0.0.1", "1", "64", "10"], capture_output=True, text=True, timeout=60)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("load: ping", done.stderr)


class Report(unittest.TestCase):
    def test_page_is_what_the_results_say(self):
        with tempfile.TemporaryDirectory() as folder:
            page = os.path.join(folder, "page.md")
            subprocess.run([sys.executable, os.path.join(BENCH, "report"), os.path.join(BENCH, "results.json"), page], check=True, timeout=60)
            with open(page, encoding="utf-8") as new, open(os.path.join(SOURCE, "doc/performance.md"), encoding="utf-8") as kept:
                self.assertEqual(new.read(), kept.read(), "run tests/bench/report")

    def test_results_say_how_they_came(self):
        with open(os.path.join(BENCH, "results.json"), encoding="utf-8") as file:
            results = json.load(file)
        self.assertLessEqual({"rounds", "peers", "commit", "machine", "rows"}, set(results))
        self.assertNotRegex(json.dumps(results["machine"]), r"(?<!\w)/\w")  # no path of the machine; "GNU/Linux" may be


tap.main()
