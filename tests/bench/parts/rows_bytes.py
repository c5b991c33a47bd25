# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rows about bytes through an open way: bulk, ping-pong, connections a second. Every chain once a round, so that noise hits all alike."""
from parts.host import cpu_s
from parts.load import load


def bulk(chain, seconds):
    found = {}
    for name, direction, streams in (("up1", "up", 1), ("down1", "down", 1), ("up8", "up", 8), ("down8", "down", 8)):
        before = cpu_s(chain.pids)
        run = load("bulk", chain.port, direction, streams, seconds)
        found[name] = run and run["gbit_s"]
        if run and name == "up1" and chain.pids:
            found["cpu_s_per_gb"] = (cpu_s(chain.pids) - before) / (run["bytes"] / 1e9)
    return found


def ping(chain, count):
    run = load("ping", chain.port, 64, count)
    return {"p50_us": run and run["p50_us"], "p99_us": run and run["p99_us"]}


def rate(chain, seconds):
    found = {}
    for name, parallel in (("rate1", 1), ("rate4", 4)):
        run = load("rate", chain.port, seconds, parallel)
        found[name] = run and run["per_s"]
    return found


def measure(chains, rounds, say, seconds=2.0, pings=8000):
    """{chain: {metric: [value per round]}}"""
    found = {}
    for number in range(rounds):
        for chain in chains:
            say(f"round {number + 1} of {rounds}: bytes through {chain.name}")
            values = {**bulk(chain, seconds), **ping(chain, pings), **rate(chain, seconds * 0.75)}
            for metric, value in values.items():
                found.setdefault(chain.name, {}).setdefault(metric, []).append(value)
    return found
