# SPDX-License-Identifier: LGPL-2.1-or-later
"""Machines on which a page's commands are run as they stand there. Only what a test cannot have is replaced: paths, the name cloud.example, systemctl, the
user farwatch, and passwords typed at a terminal."""
import os
import re
import shutil
import subprocess

from lab.nat import Nat
from lab.node import DAEMON, FARCTL, environment
from lab.process import Process

SOURCE = os.environ.get("FARWATCH_TEST_SRCDIR", "")
BLOCK = re.compile(r"^```sh (at [^\n]*)\n(.*?)^```$", re.M | re.S)


def blocks(page):
    """(place, commands) of each."""
    with open(os.path.join(SOURCE, page), encoding="utf-8") as file:
        return [(where, text.splitlines()) for where, text in BLOCK.findall(file.read())]


class Machine:
    """Its folder stands for / and its namespace for its place in the network. password: what its person types there."""

    def __init__(self, folder, netns):
        self.folder, self.netns, self.processes = folder, netns, {}
        self.faults, self.daemon_env = [], {}
        for name in ("etc/farwatch", "var/lib/farwatch", "var/lib/farwatch-terminal", "home"):  # as systemd-tmpfiles does
            os.makedirs(f"{folder}/{name}")
        shutil.copytree(os.path.join(SOURCE, "etc/profiles"), f"{folder}/usr/share/farwatch/profiles", copy_function=self.install)
        self.env = {**os.environ, **environment(False), "HOME": f"{folder}/home",
                    "PATH": f"{os.path.dirname(FARCTL)}:{os.environ['PATH']}"}

    def place(self, text):
        text = re.sub(r"(?<![\w.])/(etc/farwatch|var/lib/farwatch|usr/share/farwatch)", rf"{self.folder}/\1", text)
        return text.replace("cloud.example", Nat.CLOUD).replace("sudo -u farwatch ", "")

    def run(self, command, password):
        if command.startswith("systemctl "):
            return self.systemctl(*command.split()[1:])
        asks = re.search(r"\b(user add|login|connect)\b", command.partition("'")[0]) if "grant" not in command else None
        if asks:
            command = command.replace(asks[0], asks[0] + " --password-stdin", 1)
        done = subprocess.run(["ip", "netns", "exec", self.netns, "sh", "-ec", self.place(command)], cwd=f"{self.folder}/home", env=self.environment(),
                              text=True, timeout=60, input=password + "\n" if asks else "", capture_output=True)
        if done.returncode:
            raise AssertionError(f"{command}\nexit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def install(self, source, target):
        with open(source, encoding="utf-8") as file, open(target, "w", encoding="utf-8") as copy:
            copy.write(self.place(file.read()))

    def environment(self):
        """farctl looks where the daemon of its machine may be; those paths are of this folder here."""
        places = [f"{self.folder}/var/lib/{name}/control.sock" for name in ("farwatch", "farwatch-terminal")]
        return {**self.env, "FARWATCH_SOCKET": next((place for place in places if os.path.exists(place)), places[0])}

    def systemctl(self, verb, *words):
        name = words[-1].partition("@")[2]
        if verb == "restart":
            self.faults += self.processes.pop(name).stop()
        self.processes[name] = Process([DAEMON, "--profile", f"{self.folder}/etc/farwatch/{name}.yaml"], f"{self.folder}/{name}.log",
                                       env={**environment(False), **self.daemon_env}, netns=self.netns, notify=True)
        self.processes[name].wait_notice("^READY=1", 30)
        return ""

    def stop(self):
        """What was wrong with its daemons."""
        return self.faults + [fault for process in self.processes.values() for fault in process.stop()]
