# SPDX-License-Identifier: LGPL-2.1-or-later
"""Terminals whose clock is wrong: a day behind, a day ahead, at 1970, set while a session runs. They enrol, link and are reached, their values have the
right time, and how wrong the clock is stands where people look."""
import datetime
import time
import unittest

import lab
import tap
from lab.case import FleetCase
from lab.wait import wait_until

DAY = 86400
NAMES = {"behind": -DAY, "ahead": DAY, "old": None}


def age(text):
    """Seconds from an ISO time until now."""
    return time.time() - datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Clocks(FleetCase):
    @classmethod
    def setUpClass(cls):
        cls.case = case = cls("setUp")
        case.start_fleet(terminals=tuple(NAMES), change=cls.prepare)
        cls.fleet, cls.alice = case.fleet, case.alice
        for name, node in cls.fleet.terminals.items():
            cls.alice.at(node)

    @staticmethod
    def prepare(fleet):
        for name, node in fleet.terminals.items():
            step = NAMES[name]
            node.clock_step = step if step is not None else 10 * DAY - int(time.time())
            node.profile["services"]["agent"]["poll"] = "5s"
            node.profile["services"]["agent"]["hours"] = "00:00-24:00"
            if name != fleet.terminal.name:
                fleet.device("echo", lab.Echo(), terminal=name)

    @classmethod
    def tearDownClass(cls):
        cls.case.doCleanups()

    def setUp(self):
        pass

    def skew(self, name):
        return self.fleet.cloud.call("GET", f"terminals/{name}").get("skew_us", 0) / 1e6

    def wait_told(self, name):
        """The cloud knows how wrong it is; the clocks of the fleet are moved by other cases."""
        wait_until(lambda: abs(self.skew(name) - self.fleet.terminals[name].clock_step) < 600, 15, f"{name} tells its clock")

    def test_they_link_and_tell_how_wrong_they_are(self):
        for name, node in self.fleet.terminals.items():
            with self.subTest(name):
                self.wait_told(name)
                node.process.wait_line(f"this machine's clock is [0-9]+ [a-z]+ {'ahead' if node.clock_step > 0 else 'behind'} of the cloud's", 10)
        rows = {line.split()[0]: line for line in self.fleet.farctl("terminals").splitlines()[1:] if line.strip()}
        self.assertRegex(rows["behind"], "24 h behind")
        self.assertRegex(rows["ahead"], "24 h ahead")

    def test_doctor(self):
        for name, node in self.fleet.terminals.items():
            with self.subTest(name):
                self.wait_told(name)
                findings = {row["what"]: row for row in node.call("GET", "doctor")["findings"]}
                self.assertEqual(findings["clock"]["level"], "bad", findings["clock"])
                self.assertRegex(findings["clock"]["text"], f"{'ahead of' if node.clock_step > 0 else 'behind'} the cloud's")
                self.assertEqual(findings["node.crt"]["level"], "good", findings["node.crt"])

    def test_they_are_reached_and_cut_at_the_deadline(self):
        for name in NAMES:
            with self.subTest(name):
                row = self.alice.open(name, "echo", raw=True, for_s=20)
                sock = self.case.dial(row)
                self.fleet.terminals[name].step(7 * 3600)
                self.case.exchange(sock)
                self.fleet.terminals[name].step(-15 * 3600)
                self.case.exchange(sock)
                self.fleet.advance(21)
                last = self.fleet.wait_over(row["session"])
                self.assertEqual(last.get("cause"), "deadline", last)
                wait_until(lambda: abs(self.skew(name) - self.fleet.terminals[name].clock_step + 8 * 3600) < 600, 15, "the step is told")
                self.fleet.terminals[name].step(8 * 3600)

    def test_values_have_the_right_time(self):
        for name in NAMES:
            with self.subTest(name):
                points = wait_until(lambda: self.points(name), 60, f"values of {name}")
                for point in points:
                    self.assertLess(abs(age(point["time"])), 300, point)
                    self.assertEqual(point["quality"], "good")

    def test_values_of_before_the_link(self):
        """Stamped by a clock that was wrong, with nobody there to tell: the link mends them before they go up."""
        self.fleet.cloud.stop()
        before = time.time()
        for name in ("behind", "ahead"):
            self.fleet.terminals[name].restart()
            for _ in range(12):
                self.fleet.terminals[name].advance(20)
        self.fleet.cloud.start()
        for name in ("behind", "ahead"):
            with self.subTest(name):
                self.fleet.wait_connected(name)
                points = wait_until(lambda: self.young(name, before), 60, f"values of {name}")
                self.assertGreaterEqual(len(points), 2)
                for point in self.points(name):
                    self.assertLess(abs(age(point["time"])), 900, point)
                    self.assertEqual(point["quality"], "good")

    def points(self, name):
        return self.fleet.cloud.call("GET", f"samples?source={name}&name=host.load1&limit=100").get("points", [])

    def young(self, name, since):
        """Those of after then; the terminals' clocks were moved on, the cloud's was not."""
        found = [point for point in self.points(name) if age(point["time"]) < time.time() - since + 400]
        return found if len(found) >= 2 else None

    def test_login_in_advance(self):
        """Its credential and box are judged by the time that the cloud tells."""
        for name in NAMES:
            with self.subTest(name):
                row = self.alice.open(name, "echo", for_s=60)
                self.fleet.wait_session(row["session"], "open")
                self.alice.close(row["session"])
                self.fleet.wait_over(row["session"])

    def test_restart_without_a_link_goes_on_from_the_last_time(self):
        node = self.fleet.terminals["old"]
        self.fleet.wait_connected("old")
        wait_until(lambda: self.read_clock(node), 20, "the time is kept")
        node.restart()
        now = node.call("POST", "clock", {})["now"]
        self.assertLess(abs(age(now)), 2 * DAY)
        self.fleet.wait_connected("old")

    @staticmethod
    def read_clock(node):
        try:
            with open(f"{node.state}/clock", encoding="ascii") as file:
                return int(file.read())
        except OSError:
            return 0


if __name__ == "__main__":
    tap.main()
