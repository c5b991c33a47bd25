# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two builds of the product measured at the same time, in turns of half a second: both are up, each figure is taken of one and at once of
the other and in the reverse order again, and each round starts both anew. What the machine does meanwhile hits both alike."""
import json
import os
import statistics
import subprocess
import sys

from parts.host import cpu_s
from parts.load import load

HOLD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hold.py")
TURN_S, PINGS = 0.5, 1500
FIGURES = {
    "p50_us": lambda port: load("ping", port, 64, PINGS)["p50_us"],
    "up1": lambda port: load("bulk", port, "up", 1, TURN_S)["gbit_s"],
    "down1": lambda port: load("bulk", port, "down", 1, TURN_S)["gbit_s"],
    "up8": lambda port: load("bulk", port, "up", 8, TURN_S)["gbit_s"],
    "down8": lambda port: load("bulk", port, "down", 8, TURN_S)["gbit_s"],
    "rate1": lambda port: load("rate", port, TURN_S, 1)["per_s"],
    "rate4": lambda port: load("rate", port, TURN_S, 4)["per_s"],
}


class Held:
    """One build with its ways up."""

    def __init__(self, tree, build):
        env = {**os.environ, "FARWATCH_TEST_BUILDDIR": build, "FARWATCH_TEST_SRCDIR": tree, "FARWATCH_PLUGIN_DIR": os.path.join(build, "plugins")}
        self.process = subprocess.Popen([sys.executable, HOLD, tree], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the product of {tree} does not come up: see above")
        self.ways = json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait(60)

    def figure(self, way, name):
        """The figure and, of connections, the processor time of the relays for each, in microseconds."""
        at = self.ways[way]
        before = cpu_s(at["pids"]) if at["pids"] else 0
        value = FIGURES[name](at["port"])
        spent = cpu_s(at["pids"]) - before if at["pids"] else 0
        cost = {f"cpu_us_by_{name}": spent / (value * TURN_S) * 1e6} if spent and name.startswith("rate") else {}
        return {name: value, **cost}


def measure(builds, rounds, ways, keep):
    """builds: {when: (tree, build)}; ways: the names of those that are measured, None: all. keep(key, {when: value}) is called for each pair
    of the means of two turns. Each round starts both anew: which streams share a thread is settled at the start, and differs from one to the
    next."""
    for number in range(rounds):
        held = {}
        try:
            for when in list(builds)[::-1] if number % 2 else list(builds):
                held[when] = Held(*builds[when])
            one_round(held, list(held), ways, keep)
        finally:
            for one in held.values():
                one.close()
        print(f"pairs: round {number + 1} of {rounds} done", flush=True)


def one_round(held, order, ways, keep):
    """Of each figure four turns, A B B A: what runs second, or later, is not of one build more than of the other."""
    for way in ways or held[order[0]].ways:
        for name in FIGURES:
            turns = [(when, held[when].figure(way, name)) for when in [*order, *reversed(order)]]
            for figure in turns[0][1]:
                values = {when: [found[figure] for who, found in turns if who == when and figure in found] for when in order}
                if all(len(two) == 2 for two in values.values()):
                    keep(f"bytes/{way}/{figure}", {when: statistics.mean(two) for when, two in values.items()})
