# SPDX-License-Identifier: LGPL-2.1-or-later
"""doc/first-fleet.md, doc/first-fleet-one.md and doc/authority-admin.md, command by command, with the profiles as they are installed (lab/guide.py says what
is replaced). In the first the terminal stands behind NAT, in the second beside the cloud server."""
import filecmp
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import lab
import tap
from lab import secrets
from lab.case import root
from lab.guide import Machine, blocks
from lab.node import FARCTL

BOX = """
import os, socket, subprocess, sys
os.makedirs(os.path.dirname(sys.argv[2]))
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[2])
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
        return self.there if "at the terminal" in where or "farwatch-terminal" in command or " connect " in command else self.here

    def before(self, where, command):
        """The command as this test gives it."""
        return command

    def after(self, where, command):
        """What the page leaves to people: carrying files, waiting."""
        if command.endswith("farwatchd@terminal"):
            self.machines[where].processes["terminal"].wait_line("link to cloud is up", 20)

    def step(self, where, command):
        self.output[command] = self.machines[where].run(self.before(where, command), self.password(where, command))
        self.after(where, command)

    def walk(self, sections):
        for where, commands in sections:
            for command in commands:
                self.step(where, command)

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
        self.walk(blocks("doc/first-fleet.md"))
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
        self.walk(blocks("doc/first-fleet-one.md"))
        self.assert_reached()
        self.assertRegex(self.said("farctl status"), r"cloud")
        self.assertRegex(self.said("farwatch-terminal/control.sock status"), r"plant-7")

    def test_where_farctl_looks(self):
        """Without --socket, at the places of the profiles as they are installed, and as a terminal's once was; here in a /var/lib of its own."""
        for name in ("/var/lib/farwatch/control.sock", "/var/lib/farwatch-terminal/control.sock", "/var/lib/farwatch/terminal.sock"):
            command = ["unshare", "-m", "sh", "-ec", 'mount -t tmpfs none /var/lib; exec "$@"', "sh", sys.executable, "-c", BOX, FARCTL, name]
            env = {key: value for key, value in os.environ.items() if key != "FARWATCH_SOCKET"}
            done = subprocess.run(command, env={**env, **lab.node.environment()}, capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)


class AuthorityAdmin(Walk):
    """`--wait` waits in a thread until the admin's machine has signed; NUMBER is what its list shows."""

    PAGE = "doc/authority-admin.md"

    def setUp(self):
        super().setUp()
        self.joining = None
        for place, netns in (("at the cloud server", self.net.cloud), ("at the terminal", self.net.terminal), ("at the admin's machine", self.net.person)):
            self.machine(place, netns).daemon_env = {"FARWATCH_TEST_CLOCK": "1"}
        self.cloud, self.terminal, self.admin = self.machines.values()

    def join(self, where, command):
        said, self.asked = [], command

        def ask():
            try:
                said.append(self.machines[where].run(command, ""))
            except AssertionError as error:
                said.append(error)
        self.joining = (threading.Thread(target=ask), said)
        self.joining[0].start()

    def joined(self):
        thread, said = self.joining
        thread.join(60)
        self.assertEqual([type(text) for text in said], [str], said)
        return said[0]

    def pending(self):
        return json.loads(self.cloud.run("farctl --json enroll list", ""))["enrollments"]

    def before(self, where, command):
        if "enroll list" in command:
            lab.wait_until(lambda: self.pending() or self.joining[1], 20, "the request waits")
            self.assertEqual(self.joining[1], [], "it joined without a signature, or not at all")
        if "enroll token" in command:  # two thirds of the 90 days
            self.cloud.run("farctl call POST clock '{\"advance_us\": 5270400000000}'", "")
        if "NUMBER" in command:
            said = json.loads(self.terminal.run(self.asked.replace("--wait 1h", "--json"), ""))
            self.assertEqual([(row["number"], row["keys"]) for row in self.pending()], [(said["pending"], said["keys"])])
            return command.replace("NUMBER", said["pending"]).replace("KEYS", said["keys"])
        return command

    def after(self, where, command):
        super().after(where, command)
        for name, sign, to in (("cloud.tar", "-cf cloud.tar", "at the cloud server"), ("plant-7.token", "> plant-7.token", "at the terminal"),
                               ("cloud.crt", "cp authority/keys", "at the cloud server"), ("authority.tar", "-cf authority.tar", "at the admin's machine")):
            if sign in command:
                self.carry(f"home/{name}", where, to)

    def step(self, where, command):
        if "--wait" in command:
            self.join(where, command)
            return
        super().step(where, command)
        if "enroll approve" in command:
            self.output[command] += self.joined()

    def certificate(self, machine, path):
        with open(f"{machine.folder}/{path}/node.crt", encoding="ascii") as file:
            return subprocess.run(["openssl", "x509", "-noout", "-enddate", "-serial", "-ext", "subjectAltName"], input=file.read(), capture_output=True, text=True,
                                  check=True).stdout

    def days(self, machine, path):
        """How long a certificate is good from now on."""
        end = re.search(r"notAfter=(.*)", self.certificate(machine, path))[1]
        return round((ssl.cert_time_to_seconds(end) - time.time()) / 86400)

    def shown(self):
        """The serial number that the listener of people shows."""
        done = subprocess.run(["ip", "netns", "exec", self.net.person, "openssl", "s_client", "-connect", f"{lab.Nat.CLOUD}:443"], input="", capture_output=True, text=True)
        return subprocess.run(["openssl", "x509", "-noout", "-serial"], input=done.stdout, capture_output=True, text=True, check=True).stdout

    def test_from_the_first_day(self):
        terminal, own, state = "var/lib/farwatch-terminal/keys", "var/lib/farwatch/keys", f"{self.cloud.folder}/var/lib/farwatch"
        sections = blocks(self.PAGE)
        renewal = next(i for i, (_, commands) in enumerate(sections) if "enroll token" in commands[0])
        self.walk(sections[:renewal])
        first = self.certificate(self.cloud, own)
        self.assertEqual((self.days(self.terminal, terminal), self.days(self.cloud, own)), (90, 825))
        self.assertIn("authority: admin", self.cloud.run("cat /etc/farwatch/cloud-server.yaml", ""))
        self.assertRegex(self.cloud.run("farctl terminals", ""), r"plant-7 +yes")
        self.walk([section for section in sections[renewal:] if "later" not in section[0]])
        self.assertEqual(self.days(self.terminal, terminal), 180)
        self.assertFalse(os.path.exists(f"{state}/ca/ca.key"))
        fresh = self.certificate(self.cloud, own)
        self.assertNotEqual(fresh, first)
        self.assertEqual(re.search("Subject Alt.*", fresh, re.S)[0], re.search("Subject Alt.*", first, re.S)[0])
        lab.wait_until(lambda: self.shown() in fresh, 90, "the listener shows the new certificate")

    def test_the_key_is_carried_away(self):
        """A fleet of doc/first-fleet.md, whose cloud server then gives its authority away: the terminal stays, a new one waits."""
        self.machines["at alice's desk"] = self.admin
        self.walk([("at the cloud server", commands) for where, commands in blocks("doc/first-fleet.md") if where == "at the cloud server"][:2])
        self.walk([(where, commands) for where, commands in blocks("doc/first-fleet.md") if where == "at the terminal"][:1])
        self.walk([(where.removesuffix(", later"), commands) for where, commands in blocks(self.PAGE) if "later" in where])
        roots = [f"{self.cloud.folder}/var/lib/farwatch/ca/ca.crt", f"{self.admin.folder}/home/authority/ca/ca.crt"]
        self.assertTrue(filecmp.cmp(*roots, shallow=False), "another authority was made")
        self.assertFalse(os.path.exists(f"{self.cloud.folder}/var/lib/farwatch/ca/ca.key"))
        self.assertEqual(os.stat(f"{self.admin.folder}/home/authority/ca/ca.key").st_mode & 0o777, 0o600)
        lab.wait_until(lambda: re.search(r"plant-7 +yes", self.cloud.run("farctl terminals", "")), 60, "the terminal is there again")
        self.cloud.run("farctl enroll token other > other.token", "")
        self.carry("home/other.token", "at the cloud server", "at the terminal")
        self.terminal.run("sed -e 's/plant-7/other/; s#lib/farwatch-terminal #lib/farwatch-other #' /etc/farwatch/terminal.yaml > other.yaml", "")
        self.assertIn("plant-7", self.terminal.run("cat /etc/farwatch/terminal.yaml", ""))
        self.assertRegex(self.terminal.run("farctl enroll --profile other.yaml --server cloud.example:8443 < other.token", ""), r"\w{6}")
        self.assertEqual([row["terminal"] for row in self.pending()], ["other"])


if __name__ == "__main__":
    tap.main()
