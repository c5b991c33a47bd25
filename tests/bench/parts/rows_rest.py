# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rows about doing nothing: what a program costs at rest."""
import threading

from parts.host import cpu_ns, memory_kib, threads


def at_rest(subjects, seconds):
    """subjects: [(name, pid)], all watched over the same seconds. {name: {cpu_ms_per_min, private_kib, rss_kib, threads}}"""
    before = {name: cpu_ns(pid) for name, pid in subjects}
    threading.Event().wait(seconds)
    found = {}
    for name, pid in subjects:
        memory = memory_kib([pid])
        found[name] = {"cpu_ms_per_min": (cpu_ns(pid) - before[name]) / 1e6 * 60 / seconds, "private_kib": memory["private"],
                       "rss_kib": memory["rss"], "threads": threads(pid)}
    return found
