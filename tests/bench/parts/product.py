# SPDX-License-Identifier: LGPL-2.1-or-later
"""The product as the bench uses it: a fleet with the real clock, and the ways to its device."""
import os
import shutil
import subprocess

import lab
from lab import Process, free_port
from lab.node import FARCTL, environment
from parts.chains import Chain, wait_port

FOR_S = 3600
PERSON = "bench"


def fleet(stack, devices, net=None, change=None, test_clock=False):
    """A fleet that runs; devices: {name: "host:port"} of the terminal. change(fleet) may edit the profiles before the start."""
    found = lab.Fleet(net=net, test_clock=test_clock)
    stack.callback(close, found)
    for name, address in devices.items():
        found.terminal.profile["devices"][name] = {"endpoint": "lan", "address": address}
    found.cloud.profile["services"]["access"]["max-duration"] = "2h"
    if change:
        change(found)
    return found.start()


def direct(found):
    """Sessions by TLS, straight from the terminal to a listener of the cloud's, before found starts."""
    found.cloud.profile["transports"]["direct"] = {"type": "tls", "listen": f"{found.host}:{free_port()}", "login": ["tokens"],
                                                   "trusted": ["127.0.0.0/8"]}
    found.cloud.profile["services"]["access"]["tunnels"] = ["tunnels", "direct"]
    found.terminal.profile["transports"]["direct"] = {"type": "tls"}
    found.terminal.profile["services"]["agent"]["carriers"] = ["direct"]


def close(found):
    faults = found.close()
    for fault in faults:
        print(f"  note: {fault}", flush=True)
    if not faults and not os.environ.get("FARWATCH_LAB_KEEP"):
        shutil.rmtree(found.folder, ignore_errors=True)


def person(found):
    """A person who may do all at t1, known at the cloud and at the terminal, logged in at the people's door."""
    one = lab.Person(found, PERSON, ("connect", "connect-raw")).login()
    return one.at(found.terminal)


def tunnel(found, terminal="t1"):
    """A session that nobody uses yet, in band: its row once it is open."""
    with found.cloud.control_link(60) as link:
        wish = {"terminal": terminal, "for_us": FOR_S * 1000000, "reason": "bench", "entry": "ports", "address": "127.0.0.1"}
        session = link.call("POST", "sessions", wish)["session"]
        for row in link.watch(f"sessions/{session}"):
            if row["state"] == "open":
                return row
            if row["state"] == "closed":
                raise AssertionError(f"session {session}: {row.get('cause')}")
    raise AssertionError(f"session {session}: the watch ended")


def farctl_at_the_door(found, who):
    """farctl of a person who has just logged in at the people's door, over TLS: its first words and its environment."""
    found.farctl_as(who.name, "login", who.name, "--password-stdin", input=who.password + "\n")
    home = os.path.join(found.folder, "people", who.name)
    env = {**environment(False), **dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"), home)}
    return [FARCTL, "--server", f"{found.host}:{found.ports['people']}", "--ca", found.ca], env


class Product(Chain):
    """A chain through the fleet; what it costs is what cloud and terminal cost."""

    def __init__(self, folder, name, found, who, device):
        super().__init__(folder, name)
        self.fleet, self.who, self.device = found, who, device

    @property
    def pids(self):
        return [self.fleet.cloud.pid, self.fleet.terminal.pid] + super().pids


class Raw(Product):
    """Clear text to Y."""

    def start(self, device_port):
        self.port = self.who.open("t1", self.device, for_s=FOR_S, raw=True)["y"]
        return self


class Stream(Product):
    """farctl connect with a local listener, at the people's door."""

    def reach(self):
        """The first words of farctl, and its environment."""
        return farctl_at_the_door(self.fleet, self.who)

    def start(self, device_port):
        self.port = free_port()
        words, env = self.reach()
        process = Process([*words, "connect", f"t1/{self.device}", "--for", f"{FOR_S}s", "--reason", "bench", "--entry", "stream", "--listen", str(self.port),
                           "--user", PERSON, "--password-stdin"], os.path.join(self.folder, "farctl.log"), env=env, stdin=subprocess.PIPE)
        process.expect_end = True
        self.processes.append(process)
        process.stdin.write(self.who.password.encode() + b"\n")
        process.stdin.flush()
        wait_port(self.port, process)
        return self


class LocalStream(Stream):
    """The same at the cloud's own machine: through the control socket, without TLS."""

    def reach(self):
        return [FARCTL, "--socket", self.fleet.cloud.control], environment(False)


class InBand(Product):
    """A stock ssh -L through Y, logged in at the terminal with a key."""

    def start(self, device_port):
        row = tunnel(self.fleet)
        self.port = free_port()
        key = os.path.join(self.folder, "key")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True, timeout=30)
        with open(key + ".pub", encoding="ascii") as file:
            self.fleet.terminal.put_user(PERSON, key=file.read().strip())
        client = self.run("ssh", ["ssh", "-N", "-T", "-F", "none", "-i", key, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no",
                         "-o", f"UserKnownHostsFile={self.folder}/known", "-o", "LogLevel=ERROR", "-o", "ExitOnForwardFailure=yes",
                         "-c", "aes128-gcm@openssh.com", "-p", str(row["y"]),
                         "-L", f"127.0.0.1:{self.port}:{self.device}:{device_port}", f"{PERSON}@127.0.0.1"])
        wait_port(self.port, client)
        return self
