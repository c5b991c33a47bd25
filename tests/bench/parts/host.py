# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the kernel says about processes, and about this machine (never a path or a name)."""
import os
import platform
import re
import subprocess
import time


def children(pid):
    """pid and all below it."""
    by_parent = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = _stat(int(name))
            if fields:
                by_parent.setdefault(int(fields[1]), []).append(int(name))
    found, queue = [], [pid]
    while queue:
        one = queue.pop()
        found.append(one)
        queue += by_parent.get(one, [])
    return found


def _stat(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def cpu_s(pids, with_ended=True):
    """CPU seconds of these processes and all below them; with_ended: also of children that have ended and were waited for."""
    total = 0
    for pid in {below for pid in pids for below in children(pid)}:
        fields = _stat(pid)
        if fields:
            total += sum(int(fields[i]) for i in ((11, 12, 13, 14) if with_ended else (11, 12)))
    return total / os.sysconf("SC_CLK_TCK")


def cpu_ns(pid):
    """CPU nanoseconds of the threads of one process, to the nanosecond (schedstat)."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total


def memory_kib(pids):
    """{"private_dirty", "private", "pss", "rss"} in KiB, summed over these processes and all below them."""
    total = dict.fromkeys(("private_dirty", "private", "pss", "rss"), 0)
    for pid in {below for pid in pids for below in children(pid)}:
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
                values = dict(re.findall(r"^(\w+):\s+(\d+) kB", file.read(), re.M))
        except OSError:
            continue
        total["private_dirty"] += int(values["Private_Dirty"])
        total["private"] += int(values["Private_Dirty"]) + int(values["Private_Clean"])
        total["pss"] += int(values["Pss"])
        total["rss"] += int(values["Rss"])
    return total


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def facts():
    model = "unknown"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        found = re.search(r"^model name\s*:\s*(.*)$", file.read(), re.M)
        model = found.group(1) if found else platform.machine()
    with open("/proc/meminfo", encoding="ascii") as file:
        memory = int(file.readline().split()[1]) // 1024
    with open("/etc/os-release", encoding="utf-8") as file:
        system = dict(re.findall(r'^(\w+)="?([^"\n]*)', file.read(), re.M)).get("PRETTY_NAME", "unknown")
    return {"cpus": os.cpu_count(), "model": model, "memory_mib": memory, "kernel": platform.release().partition("-")[0], "system": system,
            "date": time.strftime("%Y-%m-%d", time.gmtime())}


def packages(names):
    """{package: version} of what the peers are."""
    out = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *names], capture_output=True, text=True, timeout=30).stdout
    return dict(line.split() for line in out.splitlines())


def commit(top, written=()):
    """Of the tree; "-dirty" when it is changed, but not for what the bench itself writes."""
    def git(*words):
        return subprocess.run(["git", "-C", top, *words], capture_output=True, text=True, timeout=30).stdout.strip()
    name = git("rev-parse", "--short=12", "HEAD")
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", *(f":(exclude){os.path.relpath(path, top)}" for path in written))
    return (name or "unknown") + ("-dirty" if changed else "")
