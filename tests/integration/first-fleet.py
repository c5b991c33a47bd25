# SPDX-License-Identifier: LGPL-2.1-or-later
"""doc/first-fleet.md, command by command, with the profiles as they are installed and the terminal behind NAT. Only what a test cannot have is
replaced: paths, the name cloud.example, systemctl, the user farwatch, and passwords typed at a terminal."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import lab
import tap
from lab import secrets
from lab.case import root
from lab.node import DAEMON, FARCTL, environment
from lab.process import Process

SOURCE = os.environ["FARWATCH_TEST_SRCDIR"]
BLOCK = re.compile(r"^```sh (at [^\n]*)\n(.*?)^```$", re.M | re.S)


def blocks():
    with open(os.path.join(SOURCE, "doc/first-fleet.md"), encoding="utf-8") as page:
        return BLOCK.findall(page.read())


class Machine:
    """Its folder stands for / and its namespace for its place in the network. password: what its person types there."""

    def __init__(self, folder, netns):
        self.folder, self.netns, self.process = folder, netns, None
        for name in ("etc/farwatch", "var/lib", "home"):
            os.makedirs(f"{folder}/{name}")
        shutil.copytree(os.path.join(SOURCE, "etc/profiles"), f"{folder}/usr/share/farwatch/profiles", copy_function=self.install)
        self.env = {**os.environ, **environment(False), "FARWATCH_SOCKET": f"{folder}/var/lib/farwatch/control.sock", "HOME": f"{folder}/home",
                    "PATH": f"{os.path.dirname(FARCTL)}:{os.environ['PATH']}"}

    def place(self, text):
        text = re.sub(r"(?<![\w.])/(etc/farwatch|var/lib/farwatch|usr/share/farwatch)", rf"{self.folder}/\1", text)
        return text.replace("cloud.example", lab.Nat.CLOUD).replace("sudo -u farwatch ", "")

    def run(self, command, password):
        if command.startswith("systemctl enable --now farwatchd@"):
            return self.start(command.partition("@")[2])
        asks = re.search(r"\b(user add|login|connect)\b", command.partition("'")[0]) if "grant" not in command else None
        if asks:
            command = command.replace(asks[0], asks[0] + " --password-stdin", 1)
        done = subprocess.run(["ip", "netns", "exec", self.netns, "sh", "-ec", self.place(command)], cwd=self.folder, env=self.env, text=True,
                              timeout=60, input=password + "\n" if asks else "", capture_output=True)
        if done.returncode:
            raise AssertionError(f"{command}\nexit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def install(self, source, target):
        with open(source, encoding="utf-8") as file, open(target, "w", encoding="utf-8") as copy:
            copy.write(self.place(file.read()))

    def start(self, name):
        self.process = Process([DAEMON, "--profile", f"{self.folder}/etc/farwatch/{name}.yaml"], f"{self.folder}/{name}.log",
                               env=environment(False), netns=self.netns, notify=True)
        self.process.wait_notice("^READY=1", 30)
        return ""

    def stop(self):
        return self.process.stop() if self.process else []


@unittest.skipUnless(root(), "network namespaces need root")
class FirstFleet(unittest.TestCase):
    def setUp(self):
        self.net = self.enterContext(lab.Nat())
        self.folder = tempfile.mkdtemp(prefix="farwatch-first-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.cloud, self.terminal, self.desk = (Machine(f"{self.folder}/{name}", getattr(self.net, name)) for name in ("cloud", "terminal", "person"))
        for machine in (self.cloud, self.terminal):
            self.addCleanup(lambda machine=machine: self.assertEqual(machine.stop(), []))
        self.boiler = lab.Http(b"boiler 2: 63.5 C", host="127.0.0.1", port=8099, netns=self.net.terminal)
        self.addCleanup(self.boiler.close)
        self.here, self.there = secrets.new("alice's password at the cloud"), secrets.new("alice's password at the terminal")

    def run_block(self, where, text):
        machine = {"at the cloud server": self.cloud, "at the terminal": self.terminal, "at alice's desk": self.desk}[where]
        for command in text.splitlines():
            in_terminal = machine is self.terminal or " connect " in command
            self.output[command] = machine.run(command, self.there if in_terminal else self.here)
            if "terminal add" in command:
                shutil.copy(f"{self.cloud.folder}/plant-7.token", self.terminal.folder)
                shutil.copy(f"{self.cloud.folder}/var/lib/farwatch/ca/ca.crt", self.desk.folder)
            if command.endswith("farwatchd@terminal"):
                self.terminal.process.wait_line("link to cloud is up", 20)

    def said(self, words):
        return next(output for command, output in self.output.items() if words in command)

    def test_as_the_page_says(self):
        self.output = {}
        for where, text in blocks():
            self.run_block(where, text)
        self.assertIn("63.5 C", self.said("connect plant-7/boiler"))
        self.assertRegex(self.said("farctl --server cloud.example:443 terminals"), r"plant-7 +yes")
        self.assertRegex(self.said("history"), r"person:alice .*plant-7 +boiler .*boiler runs hot")
        self.assertIn("running", self.said("farctl status"))


if __name__ == "__main__":
    tap.main()
