# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rows about doing nothing: what a program costs at rest, on the machine and on the wire."""
import json
import os
import subprocess
import threading

from lab import Process
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


def octets(net, netns):
    """Bytes and packets at the IP layer of a namespace since it was made, both directions: (bytes, packets)."""
    lines = net.run(netns, ["cat", "/proc/net/netstat"]).stdout.splitlines()
    names, values = (line.split()[1:] for line in lines if line.startswith("IpExt:"))
    table = dict(zip(names, map(int, values)))
    lines = net.run(netns, ["cat", "/proc/net/snmp"]).stdout.splitlines()
    names, values = (line.split()[1:] for line in lines if line.startswith("Ip:"))
    packets = dict(zip(names, map(int, values)))
    return table["InOctets"] + table["OutOctets"], packets["InReceives"] + packets["OutRequests"]


def on_the_wire(net, netns, seconds, say):
    before = octets(net, netns)
    threading.Event().wait(seconds)
    size, packets = (b - a for a, b in zip(before, octets(net, netns)))
    say(f"{size} bytes in {packets} packets in {seconds:.0f} s")
    return {"mb_per_day": size * 86400 / seconds / 1e6, "bytes": size, "packets": packets, "seconds": seconds}


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
