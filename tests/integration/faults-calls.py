# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9 of either end at random system calls: whatever it was doing, the other end keeps the deadline, and the next life tells the truth.

strace counts a thread's calls of one kind and sends SIGKILL at the N-th; kind and N are drawn, with a seed that is printed, from what one
life makes when nobody disturbs it. Environment: FARWATCH_FAULT_CALLS, how many lives (20); FARWATCH_FAULT_SEED, to repeat a run."""
import itertools
import os
import random
import re
import signal
import threading

import lab
import tap
from lab.case import FleetCase
from lab.wait import wait_until

LIVES = int(os.environ.get("FARWATCH_FAULT_CALLS", "20"))
SEED = int(os.environ.get("FARWATCH_FAULT_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
CALLS = ("openat", "pwrite64", "fdatasync", "fsync", "write", "sendmsg", "sendto", "recvfrom", "recvmsg", "read", "close", "socket", "bind", "listen",
         "connect", "accept4", "epoll_ctl", "epoll_wait", "getrandom", "fcntl", "unlink", "rename", "ftruncate", "timerfd_settime", "futex",
         "setsockopt", "shutdown", "poll", "ppoll", "clone3")
OUTCOMES = (OSError, AssertionError, lab.Refused)  # of work with a process that dies under it
FOR_S = 60
FREED_S = 1.0
UNDER_STRACE = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}  # the leak detector wants to trace the process itself


class Calls(FleetCase):
    def count(self, node, work):
        """{call: how often the busiest thread of one life makes it}"""
        log = os.path.join(node.logs, "calls.txt")
        node.start(wrap=["strace", "-f", "-qq", "-e", "trace=" + ",".join(CALLS), "-e", "signal=none", "-o", log], env=UNDER_STRACE, timeout=90)
        try:
            work()
            os.kill(node.pid, signal.SIGTERM)
            node.process.wait(60)
        finally:
            if node.process.running():
                node.process.kill()
        node.collect()
        counts = {}
        with open(log, encoding="utf-8", errors="replace") as file:
            for line in file:
                found = re.match(r"(\d+) +(\w+)\(", line)
                if found:
                    counts[found[1], found[2]] = counts.get(found.groups(), 0) + 1
        os.unlink(log)  # what was read and written stands there
        return {call: max(n for (_, name), n in counts.items() if name == call) for call in {name for _, name in counts}}

    def live(self, node, call, number, work):
        """One life under the knife; TRUE: it was cut short."""
        node.spawn(wrap=["strace", "-f", "-qq", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}",
                         "-o", "/dev/null"], env=UNDER_STRACE)
        node.process.expect_end = True
        cut = False
        try:
            node.process.wait_notice("^READY=1", 90)
            work()
        except OUTCOMES:
            node.process.wait(5)  # the daemon is dead, strace will be in a moment; else the work itself failed: TimeoutExpired says so
            cut = True
        finally:
            cut |= not node.process.running()
            node.kill()
        return cut

    def knife(self, node, work, between, check, lives):
        print(f"# {node.name}: {lives} lives, FARWATCH_FAULT_SEED={SEED}", flush=True)
        chance, cut = random.Random(SEED), 0
        counts = self.count(node, work)
        for life in range(lives):
            call = chance.choice(sorted(counts))
            number = chance.randint(1, counts[call])
            with self.subTest(life=life, call=call, number=number):
                cut += self.live(node, call, number, work)
                between()
                if life % 6 == 5 or life == lives - 1:
                    node.start()
                    check()
                    node.kill()
        print(f"# {node.name}: {cut} of {lives} lives were cut short", flush=True)
        self.assertGreater(cut, lives // 3, "most lives were not cut short: this tests nothing")

    def test_cloud(self):
        self.start_fleet()
        self.fleet.cloud.stop()
        acknowledged, sessions, numbers = [], [], itertools.count()

        def work():
            with self.fleet.cloud.control_link(10) as link:
                name = f"x{next(numbers)}"
                if link.ask("PUT", f"terminals/{name}", {}).status in (200, 201):
                    acknowledged.append(name)
                wait_until(lambda: link.call("GET", "terminals/t1")["connected"], 15, "the terminal is back", every=0.05)
                row = link.call("POST", "sessions", {"terminal": "t1", "device": "echo", "for_us": FOR_S * 1000000, "reason": "knife",
                                                     "entry": "ports", "address": "127.0.0.1"})
                sessions.append(row)
                for event in link.watch(f"sessions/{row['session']}"):
                    if event["state"] in ("open", "closed"):
                        break
            with self.fleet.cloud.control_link(10) as link:
                link.ask("DELETE", f"sessions/{row['session']}")

        def between():
            self.echo.wait(lambda device: device.open_count() == 0, 20, "the terminal lets go of the device")

        def check():
            with self.fleet.cloud.control_link() as link:
                for name in acknowledged:
                    self.assertEqual(link.ask("GET", f"terminals/{name}").status, 200, f"{name} was acknowledged and is gone")
            self.assertEqual(self.fleet.sessions(), [], "a session outlives its process")
            for row in sessions:
                self.assert_recorded(row["session"], ".")
                self.fleet.ports_gone(row, FREED_S)
            sessions.clear()
            self.fleet.wait_connected("t1", 60)
            self.alice.login()
            self.assert_works()
        self.knife(self.fleet.cloud, work, between, check, LIVES // 2)

    def test_terminal(self):
        self.start_fleet()
        self.fleet.terminal.stop()
        sessions = []

        def work():
            self.fleet.wait_connected("t1", 15)
            row = self.alice.request("t1", "echo", raw=True, for_s=FOR_S)
            sessions.append(row)
            row = self.fleet.wait_session(row["session"], "open", "closed", timeout=15)
            if row["state"] == "open":
                self.answers(row)
            self.alice.close(row["session"])

        def between():
            """It is dead. Its device is let go of, and the cloud keeps the deadline alone."""
            self.echo.wait(lambda device: device.open_count() == 0, 10, "the device's connection is gone")
            for row in self.fleet.sessions():
                if row["state"] not in ("open", "resuming"):
                    self.alice.close(row["session"])
            self.fleet.cloud.advance(FOR_S + 1)
            for row in sessions:
                self.fleet.wait_over(row["session"])
                self.fleet.ports_gone(row, FREED_S)
                self.assert_recorded(row["session"], ".")
            sessions.clear()

        def check():
            self.fleet.wait_connected("t1", 60)
            self.assertEqual(self.fleet.sessions(), [])
            self.assert_works()
        self.knife(self.fleet.terminal, work, between, check, LIVES - LIVES // 2)


class Requested(FleetCase):
    """The step before any other: the person has asked, and the row is not durable yet."""

    def held_at_the_disk(self, node):
        """From now on its disk takes long. strace holds each call that makes bytes durable before it begins."""
        tracer = lab.Process(["strace", "-f", "-qq", "-p", str(node.pid), "-e", "trace=fdatasync,fsync", "-e",
                              "inject=fdatasync,fsync:delay_enter=20000000", "-o", os.path.join(node.logs, "held.txt")],
                             os.path.join(node.logs, "strace.log"))
        tracer.expect_end = True
        self.addCleanup(tracer.kill)

        def traced():
            with open(f"/proc/{node.pid}/status", encoding="ascii") as file:
                return "TracerPid:\t0\n" not in file.read()
        wait_until(traced, 10, "strace has the daemon")
        return tracer

    def ask_beside(self):
        def ask():
            try:
                self.said = self.alice.ask("POST", "sessions", {"terminal": "t1", "device": "echo", "reason": "x", "entry": "ports"})
            except OUTCOMES:
                pass
        self.said = None
        thread = threading.Thread(target=ask)
        thread.start()
        self.addCleanup(thread.join, 60)

    def requested(self):
        return [row for row in self.fleet.sessions() if row["state"] == "requested"]

    def test_cloud_killed(self):
        self.start_fleet()
        tracer = self.held_at_the_disk(self.fleet.cloud)
        self.ask_beside()
        row = wait_until(self.requested, 15, "a session is requested")[0]
        self.assertFalse(row.get("x") or row.get("y"), "ports before the row is durable")
        self.assertIsNone(self.said, "it was answered before the row was durable")
        self.fleet.cloud.process.send(signal.SIGKILL)
        tracer.kill()  # a thread that it holds is not gone before
        self.fleet.cloud.kill()
        self.fleet.cloud.start()
        self.assertEqual(self.fleet.sessions(), [])
        for past in self.fleet.history(row["session"]):
            self.assertTrue(past.get("cause"), past)
        self.fleet.wait_connected("t1", 60)
        self.alice.login()
        self.assert_works()

    def test_terminal_killed(self):
        self.start_fleet()
        tracer = self.held_at_the_disk(self.fleet.cloud)
        self.ask_beside()
        row = wait_until(self.requested, 15, "a session is requested")[0]
        self.fleet.terminal.kill()
        tracer.kill()
        row = self.fleet.wait_session(row["session"], "permitted", "closed", timeout=20)
        if row["state"] != "closed":
            self.alice.close(row["session"])
        self.fleet.wait_over(row["session"])
        self.fleet.ports_gone(row, FREED_S)
        self.assert_recorded(row["session"], ".")
        self.fleet.terminal.start()
        self.fleet.wait_connected("t1", 60)
        self.assert_works()


tap.main()
