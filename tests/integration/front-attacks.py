# SPDX-License-Identifier: LGPL-2.1-or-later
"""What bad input gets: the rows of lab/attacks, cut into two and three writes, before and after login, while an answer is due, during a reload and while
the store hangs. The answer is right, a good client beside it notices nothing, memory and descriptors come back, no thread works on, SIGTERM ends it.

FARWATCH_ATTACKS=twos: every cut into two before login; =all: every cut into two and three in every situation (hours). FARWATCH_ATTACKS_SEED: another sample. FARWATCH_ATTACKS_ROW: only
rows whose name matches this expression."""
import contextlib
import itertools
import os
import random
import re
import signal
import ssl
import unittest

import tap
from lab import control, hang, ws
from lab.attacks import ALL, SEED, TWOS, cuts_of, flow, http, matches, choices, begins, tls, websocket
from lab.attacks.engine import Job, Late, Loop
from lab.attacks.world import END_S, PEAK_MIB, POOL, ROOM_MIB, SANITIZED, STRAY, Keys, World
from lab.wait import wait_until

ONLY = os.environ.get("FARWATCH_ATTACKS_ROW", "")
LIMIT_S = 4.0 * (3 if SANITIZED else 1)   # for an answer and the end of the connection
GIVEN_UP = 3                             # wrong answers to a row in a situation, then its other cuts are not tried
LIVE_CUTS = 6                           # cuts of a row that needs a whole handshake of its own
DEAD = 100                               # connections in a row that hang: nobody is there any more
REMNANTS = 60                            # connections that stand when SIGTERM comes
ACTIONS = {"in place": "reloaded", "replace": "replaced", "remove": "removed"}
FLOWS = {"http": flow.http_row, "tls": flow.tls_row, "websocket": flow.websocket_row}
TABLES = {"http": http.rows, "tls": tls.rows, "websocket": websocket.rows}


class Attacks:
    """One table; a test for each situation, with a daemon of its own."""

    table = None

    @classmethod
    def setUpClass(cls):
        print(f"# seed {SEED}", flush=True)
        cls.keys = Keys()
        cls.rows = [row for row in TABLES[cls.table]() if re.search(ONLY, row.name)]

    @classmethod
    def tearDownClass(cls):
        cls.keys.close()

    # ---- one row, one cut ----

    def key_of(self, row, door):
        """Whose TLS context: the row's own, that of a node of the pool (put back by who took it), nobody's."""
        if self.table == "tls":
            return row.more.get("context", "13")
        return "node:" + self.world.free.pop() if door == "nodes" and self.world.situation != "before" else "plain"

    def attempt(self, row, door, cuts, kind=None):
        def run(job):
            key = self.key_of(row, door)
            try:
                words = yield from FLOWS[self.table](job, self.world, row, door, cuts, key)
            finally:
                if key.startswith("node:"):
                    self.world.free.append(key[5:])
            self.judge(row, door, cuts, words, kind)
        return Job(run, LIMIT_S)

    def judge(self, row, door, cuts, words, kind):
        self.tried += 1
        self.hung = self.hung + 1 if words[-1:] == ["hangs"] else 0
        expected = self.world.expected(row, door)
        if matches(words, expected) or kind in ("replace", "remove") and self.ended_by_reload(words, expected):
            return
        wrong = self.wrong.setdefault((row.name, door), [0, cuts, words, expected, row, kind])
        wrong[0] += 1

    @staticmethod
    def ended_by_reload(words, expected):
        """Whose door goes away is answered rightly or not at all, and told so where there are words for it."""
        while words and (words[-1] in ("closed", "closed-unsaid", "ended", "notify", "close:1001") or words[-1].startswith(("error", "no-tls", "503"))):
            words = words[:-1]
        return any(begins(words, choice) for choice in choices(expected))

    def given_up(self, row, door):
        if self.hung > DEAD:
            raise AssertionError(f"{self.hung} connections in a row hang; the last was '{row}' at {door}")
        return (row.name, door) in self.wrong and self.wrong[row.name, door][0] >= GIVEN_UP

    # ---- all rows ----

    def jobs(self, full):
        """Uncut first: that also tells how long a row is that is made as it runs."""
        todo = [(row, door) for row in self.rows for door in row.doors if self.fits(row, door)]
        for row, door in todo:
            self.given_up(row, door)
            yield self.attempt(row, door, ())
        cut = [(row, door, cuts) for row, door in todo for cuts in self.cuts(row, door, full)]
        random.Random(SEED).shuffle(cut)
        for row, door, cuts in cut:
            if not self.given_up(row, door):
                yield self.attempt(row, door, cuts)

    def cuts(self, row, door, full):
        size = len(row.data) if isinstance(row.data, bytes) else self.world.sizes.get(row.name, 0)
        if row.more.get("whole") and not ALL or size < 2:
            return []
        cuts = cuts_of(row.name + door, size, full and (door != "nodes" or self.table == "tls"))
        if row.more.get("kind", "raw") != "raw" and not TWOS:
            cuts = cuts[:LIVE_CUTS] if len(cuts) <= LIVE_CUTS else random.Random(f"{SEED}/{row.name}").sample(cuts, LIVE_CUTS)
        return cuts

    def batches(self, kinds):
        """Lists of jobs that share a barrier; each kind once for each row."""
        rng = random.Random(SEED)
        for kind in kinds:
            todo = [(row, door) for row in self.rows for door in row.doors if self.fits(row, door)]
            for door, group in itertools.groupby(sorted(todo, key=lambda pair: pair[1]), key=lambda pair: pair[1]):
                group = list(group)
                for at in range(0, len(group), POOL):
                    yield kind, door, [self.attempt(row, door, self.one_cut(rng, row), kind) for row, door in group[at:at + POOL]]

    def one_cut(self, rng, row):
        size = len(row.data) if isinstance(row.data, bytes) else self.world.sizes.get(row.name, 60)
        places = sorted({rng.randrange(1, size) for _ in range(rng.choice((1, 2)))}) if size > 1 else []
        return tuple(places)

    def fits(self, row, door):
        return row.more.get("only", self.world.situation) == self.world.situation

    # ---- a situation ----

    @contextlib.contextmanager
    def situation(self, name):
        self.world = World(self.keys, self.table, name)
        self.wrong, self.tried, self.hung, self.released, self.faults, self.remnants = {}, 0, 0, 0, [], []
        try:
            self.world.begin()
            if self.table == "tls":
                self.tickets_for_later()
            Loop(POOL, self.release, self.release).run(self.attempt(row, door, ()) for row, door in self.warm_up())
            self.wrong, self.tried = {}, 0
            self.world.good_faults()
            memory, files = self.world.measure()
            self.world.peak(again=True)
            yield
            peak = self.world.peak() - memory
            faults, report = self.world.good_faults("rest")
            self.faults += faults
            self.faults += self.world.at_rest()
            grown = self.world.measure()[0] - memory
            if peak > PEAK_MIB:
                self.faults.append(f"memory grew by {peak:.0f} MiB meanwhile")
            if grown > ROOM_MIB:
                self.faults.append(f"memory grew by {grown:.0f} MiB")
            try:
                wait_until(lambda: self.world.measure()[1] <= files + STRAY, 12, "descriptors given back")
            except AssertionError:
                self.faults.append(f"descriptors: {files} before, {self.world.measure()[1]} after")
            slow = {kind: round(1000 * took) for kind, took in report["slowest"].items()}
            print(f"# {self.table}, {name}: {self.tried} tried, {len(self.wrong)} rows wrong; good client {report['count']} times, slowest ms {slow}; "
                  f"memory {grown:+.1f} MiB, at most {peak:+.1f}", flush=True)
            self.leave_remnants()
        finally:
            self.faults += self.world.end()
            for peer in self.remnants:
                peer.close()
        self.report()

    def warm_up(self):
        """What a daemon that has just started has not yet allocated."""
        return [(row, door) for row in self.rows[::5] for door in row.doors if row.after != "reset" and self.fits(row, door)]

    def leave_remnants(self):
        """Connections that have had a row's bytes and stand when the daemon is asked to end."""
        def stay(job, row, door):
            job.keep, peer = True, job.peer(self.world.address(door))
            self.remnants.append(peer)
            with contextlib.suppress(OSError, Late):
                yield from peer.connect()
                if self.table != "tls":
                    peer.start_tls(self.world.context("plain"), self.world.session("plain"))
                    yield from peer.handshake()
                if not peer.over:
                    yield from (peer.put if self.table == "tls" else peer.write)(row.data[:len(row.data) // 2 + 1])
        rows = [row for row in self.rows if isinstance(row.data, bytes) and len(row.data) < 30000]
        Loop(POOL).run(Job(lambda job, row=row: stay(job, row, row.doors[0]), LIMIT_S) for row in rows[::max(1, len(rows) // REMNANTS)])

    def report(self):
        for (name, door), (count, cuts, words, expected, row, kind) in self.wrong.items():
            print(f"# wrong: {self.world.situation}{'/' + kind if kind else ''} {door}: {name}: {count} times; cut at {cuts}: got '{' '.join(words)[:200]}', right is '{expected[:200]}'; "
                  f"{repr(row.data[:300]) if isinstance(row.data, bytes) else 'made as it runs'}", flush=True)
        self.assertEqual((self.faults, [f"{name} at {door}" for name, door in self.wrong]), ([], []))

    def tickets_for_later(self):
        """Sessions begun now, resumed in a row; one of them by a node that is revoked then."""
        for name, node in (("cert-good-resumed", "t1"), ("cert-revoked-resumed", "revoked")):
            sock = ws.tls(self.world.address("nodes"), self.keys.ca, keys=self.keys.of(node))
            link = ws.WebSocket(sock)
            link.ask("GET", "nothing")
            self.world.context(name).load_verify_locations(self.keys.ca)
            self.world.sessions[name] = sock.session
            self.world.contexts[name] = ws.context_of(self.keys.ca, self.keys.of(node))
            link.close()
        self.world.door.call("POST", "revoke", {"node": "revoked"})

    # ---- the situations ----

    def test_before_login(self):
        with self.situation("before"):
            Loop(64).run(self.jobs(True))

    def test_after_login(self):
        with self.situation("after"):
            Loop(POOL).run(self.jobs(False))

    def test_while_an_answer_is_due(self):
        with self.situation("answer"):
            self.released = 0
            for _, _, jobs in self.batches(["once"]):
                Loop(len(jobs), self.release, self.release).run(jobs)
            self.assertGreater(self.released, len(self.rows) // 8, "answers were due")

    def release(self):
        if self.world.situation == "answer":
            self.released += self.world.door.call("POST", "release", {})["released"]

    def test_during_a_reload(self):
        with self.situation("reload"):
            for kind, door, jobs in self.batches(["in place", "replace", "remove"]):
                moving = "nodes" if door == "nodes" else "people"

                def change(kind=kind, moving=moving):
                    self.assertEqual(self.world.reload(kind, moving).get(f"transports.{moving}"), ACTIONS[kind])
                Loop(len(jobs), change).run(jobs)
                self.world.restore(moving)

    def test_while_the_store_hangs(self):
        with self.situation("store"), contextlib.ExitStack() as stack:
            waiting = self.hang_store(stack)
            Loop(POOL).run(self.jobs(False))
            self.assertEqual([sock for sock in waiting if self.answered(sock)], [], "the store hung all the time")

    def hang_store(self, stack):
        """Its threads stand still, and requests for it wait at the control socket and at the people's door."""
        self.hung_threads = stack.enter_context(hang.Hung(self.world.pid, lambda name: name.startswith("sqlite")))
        doors = [control.Control(self.world.control_path) for _ in range(4)]
        socks = [ws.tls(self.world.address("people"), self.keys.ca, timeout=60) for _ in range(4)]
        for door in doors:
            stack.callback(door.close)
            door.send("GET", "samples?source=t1")
        for sock in socks:
            stack.callback(sock.close)
            sock.sendall(http.request(target=b"/api/samples?source=t1", fields=b"Authorization: Bearer " + self.world.ticket.encode() + b"\r\n"))
        return [door.sock for door in doors] + socks

    @staticmethod
    def answered(sock):
        sock.settimeout(0)
        try:
            return sock.recv(1) is not None
        except (BlockingIOError, ssl.SSLWantReadError):
            return False


class Http(Attacks, unittest.TestCase):
    table = "http"

    def fits(self, row, door):
        """At the nodes' door no request waits for its answer."""
        return super().fits(row, door) and not (self.world.situation == "answer" and door == "nodes")

    def test_end_while_the_store_hangs(self):
        """SIGTERM while it hangs, and while requests wait for it at every door."""
        self.world = World(self.keys, self.table, "store")
        try:
            self.world.begin()
            with contextlib.ExitStack() as stack:
                self.hang_store(stack)
                self.world.process.send(signal.SIGTERM)
                wait_until(self.hung_threads.ended, END_S, "the end after SIGTERM")
        finally:
            faults = self.world.end()
        self.assertEqual(faults, [])


class Tls(Attacks, unittest.TestCase):
    table = "tls"


class WebSocket(Attacks, unittest.TestCase):
    table = "websocket"


tap.main()
