# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rows about bytes through an open way: bulk, ping-pong, connections a second. Every chain once a round, so that noise hits all alike."""
import statistics

from parts.host import cpu_s
from parts.judge import clean
from parts.load import load

PINGS, TURNS = 2500, 4  # ping-pong is short and the machine's mood shifts quickly: the chains take turns within a round
METRICS = ("up1", "down1", "up8", "down8", "p50_us", "p99_us", "rate1", "rate4")


def bulk(chain, seconds):
    found = {}
    for name, direction, streams in (("up1", "up", 1), ("down1", "down", 1), ("up8", "up", 8), ("down8", "down", 8)):
        before = cpu_s(chain.pids)
        run = load("bulk", chain.port, direction, streams, seconds)
        found[name] = run and run["gbit_s"]
        if run and name == "up1" and chain.pids:
            found["cpu_s_per_gb"] = (cpu_s(chain.pids) - before) / (run["bytes"] / 1e9)
    return found


def rate(chain, seconds):
    found = {}
    for name, parallel in (("rate1", 1), ("rate4", 4)):
        run = load("rate", chain.port, seconds, parallel)
        found[name] = run and run["per_s"]
    return found


def pings(chains):
    """{chain: {p50_us, p99_us}}: of each the median of its turns."""
    runs = {chain.name: [] for chain in chains}
    for turn in range(TURNS):
        for chain in rotated(chains, turn):
            runs[chain.name].append(load("ping", chain.port, 64, PINGS))
    found = {}
    for name, turns in runs.items():
        good = clean(turns)
        found[name] = {key: statistics.median(run[key] for run in good) if good else None for key in ("p50_us", "p99_us")}
    return found


def rotated(chains, by):
    """Nobody is always first."""
    return chains[by % len(chains):] + chains[:by % len(chains)]


def measure(row, chains):
    """Keeps {chain: {metric: [value per round]}} after each round; TRUE: no value is missing."""
    found, whole = {}, True
    for number in range(row.wanted.rounds):
        row.say(f"round {number + 1} of {row.wanted.rounds}: ping-pong")
        values = pings(chains)
        for chain in rotated(chains, number):
            row.say(f"round {number + 1} of {row.wanted.rounds}: bytes through {chain.name}")
            values[chain.name].update(**bulk(chain, row.wanted.seconds), **rate(chain, row.wanted.seconds * 0.75))
        for chain in chains:
            missing = [metric for metric in METRICS if values[chain.name].get(metric) is None]
            if missing:
                row.say(f"{chain.name}: no {', '.join(missing)}")
                whole = False
            for metric, value in values[chain.name].items():
                found.setdefault(chain.name, {}).setdefault(metric, []).append(value)
        row.keep(found, number + 1)
    return whole
