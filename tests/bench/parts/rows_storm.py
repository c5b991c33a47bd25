# SPDX-License-Identifier: LGPL-2.1-or-later
"""Row about very many terminals that all come at once, and come back: after a restart of the cloud, after a cut."""
import json
import os
import resource
import subprocess
import threading
import time

from lab import Process
from parts.host import cpu_s, memory_kib
from parts.rows_rest import TERMINALS, Crowd

RECONNECT_S = 10  # the terminals' `reconnect`: with the default of 60 s a restart alone would take that long
LIMIT_S, SETTLE_S = 120, 12  # a link that held for 10 s makes the next wait a short one again
UNIT_FILES = 65536  # LimitNOFILE of etc/farwatchd.service.in


def files_for(count):
    """Open files as the unit allows them, for what is started from here on; their number."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < UNIT_FILES:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (UNIT_FILES, UNIT_FILES))
        except (OSError, ValueError):
            pass
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < count * 6 // 5 + 100:
        raise AssertionError(f"a process may open {hard} files, {count} terminals need {count * 6 // 5 + 100}: raise the limit (ulimit -Hn)")
    return hard


class Storm(Crowd):
    """Simulated terminals that come back after up to reconnect_s."""

    def __init__(self, *args, reconnect_s=RECONNECT_S, **how):
        super().__init__(*args, **how)
        self.reconnect_s, self.broken = reconnect_s, 0

    def begin(self):
        words = [TERMINALS, "run", self.host, str(self.port), self.folder, str(self.count), self.prefix, str(self.cycle_s), str(self.reconnect_s)]
        self.process = Process(words, os.path.join(self.folder, "terminals.log"), stdin=subprocess.PIPE)
        self.process.expect_end = True
        self.process.wait_line(r'"prepared"', 120)

    def whole(self, since, mark):
        """When all are up: (seconds since then, what they say); at the latest after LIMIT_S, as far as it went."""
        try:
            self.process.wait_line(r'"connected": %d,' % self.count, LIMIT_S - (time.monotonic() - since), mark)
        except AssertionError:
            if not self.process.running():
                raise
        took = time.monotonic() - since
        return took, self.state()

    def state(self):
        return json.loads(self.say("?").group(0))

    def say(self, word):
        mark = self.process.mark()
        self.process.stdin.write(word.encode() + b"\n")
        self.process.stdin.flush()
        return self.process.wait_line(r"^\{.*\}$", 20, mark)


def joined(found, crowd, since, mark, used, say):
    took, state = crowd.whole(since, mark)
    values = {"terminals": state["connected"], "lost": crowd.count - state["connected"], "seconds": took, "tries_in_vain": state["broken"] - crowd.broken,
              "cpu_s": cpu_s([found.cloud.pid]) - used}
    say(f"{values['terminals']} joined after {took:.1f} s, {values['lost']} lost, {values['tries_in_vain']} tries in vain, {values['cpu_s']:.1f} CPU s of the cloud")
    crowd.broken = state["broken"]
    threading.Event().wait(SETTLE_S)
    values["rss_kib"] = memory_kib([found.cloud.pid])["rss"]
    return values


def measure(row, found, crowd):
    """TRUE: nobody was lost."""
    found_values = {}

    def keep(name, values):
        found_values[name] = values
        row.keep(found_values)
    crowd.begin()
    keep("first", joined(found, crowd, time.monotonic(), 0, cpu_s([found.cloud.pid]), row.say))
    mark = crowd.process.mark()
    found.cloud.restart()
    keep("restart", joined(found, crowd, time.monotonic(), mark, 0, row.say))
    mark, used, since = crowd.process.mark(), cpu_s([found.cloud.pid]), time.monotonic()
    crowd.say("cut")
    keep("cut", joined(found, crowd, since, mark, used, row.say))
    crowd.end()
