# SPDX-License-Identifier: LGPL-2.1-or-later
"""Daemons that spin: half a core or more for ten seconds, when nobody wants anything of them any more."""
import glob
import time

SHARE, LASTS_S = 0.5, 10.0


def _children(pid):
    """Of a wrapper such as strace, the program in it."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]
    except OSError:
        return []


def _work(pid):
    """Seconds in which its threads ran or wanted to: a busy machine hides no loop."""
    total = 0
    for one in (pid, *_children(pid)):
        for path in glob.glob(f"/proc/{one}/task/[0-9]*/schedstat"):
            try:
                with open(path, encoding="ascii") as file:
                    total += sum(int(word) for word in file.read().split()[:2])
            except OSError:
                continue  # the thread has ended
    return total / 1e9


def spinning(processes, lasts=LASTS_S):
    """One line for each process that does not come to rest. A quarter of a second where all do."""
    suspects, window, begun = [process for process in processes if process and process.running()], 0.25, time.monotonic()
    while suspects:
        before, at = {process: _work(process.pid) for process in suspects}, time.monotonic()
        time.sleep(window)  # lint: allow sleep: rest has no event, it is what is looked for
        taken = time.monotonic() - at
        shares = {process: (_work(process.pid) - before[process]) / taken for process in suspects}
        suspects = [process for process in suspects if process.running() and shares[process] >= SHARE]
        if suspects and time.monotonic() - begun >= lasts:
            return [f"{process.name}: takes {shares[process]:.0%} of a core, and did for {lasts:.0f} s, with nothing to do" for process in suspects]
        window = min(1.0, lasts / 4)
    return []
