# SPDX-License-Identifier: LGPL-2.1-or-later
"""doc/first-fleet.md, doc/first-fleet-one.md and doc/authority-admin.md, command by command, with the profiles as they are installed (lab/guide.py says what
is replaced). In the first the terminal stands behind NAT, in the second beside the cloud server."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

import lab
import tap
from lab import secrets
from lab.case import root
from lab.guide import Machine, blocks
from lab.node import FARCTL

BOX = """
import os, socket, subprocess, sys
os.makedirs("/var/lib/farwatch")
server = socket.socket(socket.AF_UNIX)
server.bind("/var/lib/farwatch/" + sys.argv[2])
server.listen()
server.settimeout(20)
asks = subprocess.Popen([sys.argv[1], "status"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
server.accept()[0].close()
asks.wait(20)
"""


@unittest.skipUnless(root(), "network namespaces need root")
class Walk(unittest.TestCase):
    def setUp(self):
        self.net = self.enterContext(lab.Nat())
        self.folder = tempfile.mkdtemp(prefix="farwatch-first-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.machines, self.output = {}, {}
        self.here, self.there = secrets.new("alice's password at the cloud"), secrets.new("alice's password at the terminal")

    def machine(self, place, netns):
        self.machines[place] = machine = Machine(f"{self.folder}/{len(self.machines)}", netns)
        self.addCleanup(lambda: self.assertEqual(machine.stop(), []))
        return machine

    def device(self, netns):
        self.addCleanup(lab.Http(b"boiler 2: 63.5 C", host="127.0.0.1", port=8099, netns=netns).close)

    def password(self, where, command):
        """That of the terminal is asked for there, and by connect."""
        return self.there if "at the terminal" in where or "terminal.sock" in command or " connect " in command else self.here

    def before(self, where, command):
        """The command as this test gives it."""
        return command

    def after(self, where, command):
        """What the page leaves to people: carrying files, waiting."""
        if command.endswith("farwatchd@terminal"):
            self.machines[where].processes["terminal"].wait_line("link to cloud is up", 20)

    def walk(self, page):
        for where, commands in blocks(page):
            for command in commands:
                self.output[command] = self.machines[where].run(self.before(where, command), self.password(where, command))
                self.after(where, command)

    def said(self, words):
        return next(output for command, output in self.output.items() if words in command)

    def carry(self, name, start, end):
        shutil.copy(f"{self.machines[start].folder}/{name}", f"{self.machines[end].folder}/home")

    def assert_reached(self):
        self.assertIn("63.5 C", self.said("connect plant-7/boiler"))
        self.assertRegex(self.said("farctl --server cloud.example:443 terminals"), r"plant-7 +yes")
        self.assertRegex(self.said("history"), r"person:alice .*plant-7 +boiler .*boiler runs hot")


class FirstFleet(Walk):
    def after(self, where, command):
        super().after(where, command)
        if "terminal add" in command:
            self.carry("home/plant-7.token", where, "at the terminal")
            self.carry("var/lib/farwatch/ca/ca.crt", where, "at alice's desk")

    def test_as_the_page_says(self):
        for place, netns in (("at the cloud server", self.net.cloud), ("at the terminal", self.net.terminal), ("at alice's desk", self.net.person)):
            self.machine(place, netns)
        self.device(self.net.terminal)
        self.walk("doc/first-fleet.md")
        self.assert_reached()
        self.assertIn("running", self.said("farctl status"))


class OneMachine(Walk):
    def after(self, where, command):
        super().after(where, command)
        if "ca init" in command:
            self.carry("var/lib/farwatch/ca/ca.crt", where, "at alice's desk")

    def test_as_the_page_says(self):
        self.machine("at the machine", self.net.cloud)
        self.machine("at alice's desk", self.net.person)
        self.device(self.net.cloud)
        self.walk("doc/first-fleet-one.md")
        self.assert_reached()
        self.assertRegex(self.said("farctl status"), r"cloud")
        self.assertRegex(self.said("terminal.sock status"), r"plant-7")

    def test_where_farctl_looks(self):
        """Without --socket, at the places of the profiles as they are installed; here in a /var/lib of its own."""
        for name in ("control.sock", "terminal.sock"):
            command = ["unshare", "-m", "sh", "-ec", 'mount -t tmpfs none /var/lib; exec "$@"', "sh", sys.executable, "-c", BOX, FARCTL, name]
            env = {key: value for key, value in os.environ.items() if key != "FARWATCH_SOCKET"}
            done = subprocess.run(command, env={**env, **lab.node.environment()}, capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    tap.main()
