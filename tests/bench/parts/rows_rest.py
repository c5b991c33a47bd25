# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rows about doing nothing: what a program costs at rest, on the machine and on the wire."""
import json
import os
import subprocess
import threading
import time

from lab import Process
from lab.nat import inside
from parts.host import cpu_ns, cpu_s, memory_kib, threads
from parts.load import BUILD

TERMINALS = os.path.join(BUILD, "tests/bench/terminals")


def at_rest(subjects, seconds):
    """subjects: [(name, pid)], all watched over the same seconds. {name: {cpu_ms_per_min, private_kib, rss_kib, threads}}"""
    before = {name: cpu_ns(pid) for name, pid in subjects}
    threading.Event().wait(seconds)
    found = {}
    for name, pid in subjects:
        memory = memory_kib([pid])
        found[name] = {"cpu_ms_per_min": (cpu_ns(pid) - before[name]) / 1e6 * 60 / seconds, "private_dirty_kib": memory["private_dirty"],
                       "private_kib": memory["private"], "rss_kib": memory["rss"], "threads": threads(pid)}
    return found


def octets(netns):
    """Bytes and packets at the IP layer of a namespace since it was made, both directions: (bytes, packets)."""
    with inside(netns):
        tables = {}
        for name in ("netstat", "snmp"):
            with open(f"/proc/thread-self/net/{name}", encoding="ascii") as file:
                tables[name] = file.read().splitlines()

    def row(name, head):
        names, values = (line.split()[1:] for line in tables[name] if line.startswith(head))
        return dict(zip(names, map(int, values)))
    bytes_, packets = row("netstat", "IpExt:"), row("snmp", "Ip:")
    return bytes_["InOctets"] + bytes_["OutOctets"], packets["InReceives"] + packets["OutRequests"]


class Wire:
    """The counters of a namespace, and when they last changed."""

    def __init__(self, netns):
        self.netns, self.changed, self.last = netns, time.monotonic(), octets(netns)

    def look(self):
        """Half a second; the seconds for which nothing has moved."""
        threading.Event().wait(0.5)
        now = octets(self.netns)
        if now != self.last:
            self.last, self.changed = now, time.monotonic()
        return time.monotonic() - self.changed


def on_the_wire(netns, seconds, say):
    """From one poll to another, so that no part of a cycle is counted for nothing: the first ends when all is quiet after the start, the last is
    the first one after 85 % of seconds (a cycle is up to a tenth shorter or longer)."""
    wire = Wire(netns)
    while wire.look() < 5:
        pass
    began, before, found = wire.changed, wire.last, 0
    while not found and time.monotonic() - began < seconds * 1.2 + 10:
        quiet = wire.look()
        found = wire.changed - began if quiet > 3 and wire.changed - began > seconds * 0.85 else 0
    took = found or time.monotonic() - began
    size, packets = (b - a for a, b in zip(before, wire.last))
    say(f"{size} bytes in {packets} packets in {took:.0f} s")
    return {"mb_per_day": size * 86400 / took / 1e6, "bytes": size, "packets": packets, "seconds": took}


class Crowd:
    """Simulated terminals of the bench."""

    def __init__(self, folder, ca, host, port, count, cycle_s=120, prefix="idle"):
        self.folder, self.ca, self.host, self.port, self.count, self.cycle_s, self.prefix = folder, ca, host, port, count, cycle_s, prefix
        self.names = [f"{prefix}-{number + 1}" for number in range(count)]

    def make_keys(self):
        subprocess.run([TERMINALS, "keys", self.ca, self.folder, str(self.count), self.prefix], check=True, timeout=600, stdout=subprocess.DEVNULL)

    def connect(self, timeout):
        self.process = Process([TERMINALS, "run", self.host, str(self.port), self.folder, str(self.count), self.prefix, str(self.cycle_s)],
                               os.path.join(self.folder, "terminals.log"), stdin=subprocess.PIPE)
        self.process.expect_end = True
        return json.loads(self.process.wait_line(r"(\{.*\})", timeout).group(1))

    def end(self):
        """What they saw in all."""
        self.process.stdin.close()
        self.process.wait()
        return json.loads(self.process.lines[-1])


def crowd_at_cloud(found, crowd, seconds, say):
    pids = [found.cloud.pid]
    before = memory_kib(pids)
    used = cpu_s(pids)
    state = crowd.connect(600)
    say(f"{state['connected']} terminals connected, {state['lost']} lost, {cpu_s(pids) - used:.1f} CPU s for it")
    joining = (cpu_s(pids) - used) / crowd.count
    idle = at_rest([("cloud", found.cloud.pid)], seconds)["cloud"]
    after = memory_kib(pids)
    end = crowd.end()
    return {"terminals": end["connected"], "kib_each": (after["private_dirty"] - before["private_dirty"]) / max(1, end["connected"]),
            "cloud_cpu_percent": idle["cpu_ms_per_min"] / 600, "cpu_ms_per_joining": joining * 1000, "polls": end["polls"], "answers": end["answers"],
            "lost": end["lost"], "cycle_s": crowd.cycle_s}
