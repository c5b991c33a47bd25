# SPDX-License-Identifier: LGPL-2.1-or-later
"""The cloud that is attacked: its keys, profile and life, what a row needs to come in, and what may not change while rows run."""
import itertools
import os
import shutil
import ssl
import subprocess
import tempfile
import time

from lab import control, hang, profile, ws
from lab.process import Process
from lab.wait import free_port, wait_until
from . import certs, http, record
from .good import Good

BUILD = os.environ["FARWATCH_TEST_BUILDDIR"]
KEYS = os.path.join(BUILD, "tests", "integration", "fleet-keys")
with open(os.path.join(BUILD, "config.h"), encoding="utf-8") as _config:
    SANITIZED = "FAR_SANITIZED 1" in _config.read()
ORIGIN = "https://console.example"
POOL = 32                            # nodes that have certificates; so many links of nodes stand at once
SLOWER = 6 if SANITIZED else 1       # a sanitizer, and a client that takes the other of two cores
LATENCY_S = 3.0 if SANITIZED else 0.1  # a sanitizer runs beside other tests: there it is served at all; at rest and in a real build, within 100 ms
END_S = 2.0 * (3 if SANITIZED else 1)    # with the search for leaks at the end
ROOM_MIB = 60 if SANITIZED else 24
PEAK_MIB = 200 if SANITIZED else 24  # with 64 connections at once, each with what it may hold
BUSY = 0.05
_numbers = itertools.count(1)
STRAY = 6                            # descriptors that may come and go


class Keys:
    """Of all clouds of a test file; certificates that nobody should show among them."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="fwa-")
        self.nodes = [f"n{at}" for at in range(POOL)]
        subprocess.run([KEYS, self.dir, "cloud:server", "good", "revoked", "t1", *self.nodes], check=True)
        subprocess.run([KEYS, os.path.join(self.dir, "foreign"), "t1"], check=True)
        self.ca = os.path.join(self.dir, "ca", "ca.crt")
        self.odd = os.path.join(self.dir, "odd")
        os.mkdir(self.odd)
        self._odd()

    def of(self, node, where=""):
        return os.path.join(self.dir, where, node, "keys")

    def _put(self, name, key, *chain):
        with open(os.path.join(self.odd, name), "w", encoding="ascii") as file:
            file.write("".join(certs.pem("CERTIFICATE", one) for one in chain) + key.pem())

    def _odd(self):
        ours = certs.Authority(os.path.join(self.dir, "ca"))
        key, other = certs.Key(), certs.Key()

        def make(**how):
            return certs.certificate(key, ours.key, ours.subject, **how)
        good = make()
        by_node = certs.certificate(key, other, certs.name(b"t1"))
        for name, cert in {
                "namesake": certs.certificate(key, other, ours.subject), "expired": make(days=(-30, -1)), "future": make(days=(3, 30)), "subauthority": make(authority=True),
                "server": make(purposes=(certs.SERVER,)), "purposeless": make(purposes=()), "anything": make(purposes=(certs.ANY,)),
                "self": certs.certificate(key, key, certs.name(b"t1")), "two-names": make(cns=(b"t1", b"cloud")), "slash": make(cns=(b"a/b",), san=(b"a/b",)),
                "nul": make(cns=(b"t1\0x",), san=(b"t1\0x",)), "nameless": make(cns=(), san=()), "long": make(cns=(b"a" * 70,), san=(b"a" * 70,))}.items():
            self._put(name, key, cert)
        self._put("by-node", key, by_node, certs.certificate(other, ours.key, ours.subject))
        self._put("chain", key, good, *[certs.certificate(other, other, certs.name(b"x%d" % at), authority=True) for at in range(8)])
        stranger = certs.certificate(other, other, certs.name(b"x" * 60), authority=True)
        self._put("huge", key, good, *[stranger] * 200)
        self._put("authority", ours.key, ours.cert)

    def close(self):
        shutil.rmtree(self.dir)


class World:
    """table: "http", "tls" or "websocket". situation: "before" or "after" login, "answer", "reload", "store". One daemon, from begin() to end()."""

    def __init__(self, keys, table, situation):
        self.keys, self.table, self.situation = keys, table, situation
        self.dir = tempfile.mkdtemp(prefix="fwa-")
        self.control_path = os.path.join(self.dir, "control.sock")
        self.ports = {name: free_port() for name in ("nodes", "people", "nodes2", "people2", "quiet", "quiet-nodes")}
        self.plugins = os.path.join(self.dir, "plugins")
        os.mkdir(self.plugins)
        os.symlink(os.path.join(BUILD, "tests", "fixtures", ".libs", "service-echo.so"), os.path.join(self.plugins, "service-echo.so"))
        self.state = os.path.join(self.dir, "cloud")
        shutil.copytree(self.keys.of("cloud"), os.path.join(self.state, "keys"))
        self.contexts, self.sessions, self.logs, self.sizes, self.free = {}, {}, {}, {}, list(self.keys.nodes)
        self.changed, self.removed, self.moved = 0, None, set()
        self.process = self.good = None

    # ---- life ----

    def profile(self):
        limits = {"max-per-address": 2000, "trusted": ["127.0.0.0/8"]}
        https = {"type": "https", "login": ["people"], "max-connections": 2000, "origins": [ORIGIN] + [f"https://new{self.changed}.example"] * (self.changed > 0), **limits}
        nodes = {"type": "websocket", "idle": f"{400 + self.changed}s", **limits}
        transports = {}
        for name, what in (("nodes", nodes), ("people", https)):
            if name != self.removed:
                transports[name] = {**what, "listen": f"127.0.0.1:{self.port(name)}"}
        if self.situation == "reload":
            transports["quiet"] = {**https, "listen": f"127.0.0.1:{self.ports['quiet']}"}
            transports["quiet-nodes"] = {**nodes, "listen": f"127.0.0.1:{self.ports['quiet-nodes']}"}
        return {
            "farwatch": 1, "node": {"id": "cloud", "state": self.state, "control": self.control_path},
            "stores": {"main": {"type": "sqlite", "path": "main.db"}},
            "authenticators": {"people": {"type": "file", "path": "people"}},
            "transports": transports,
            "services": {"echo": {"type": "echo"}, "intake": {"type": "intake", "store": "main"}},
            "rights": [{"id": "all", "who": "alice", "action": "see", "object": "terminals/*"}],
        }

    def write(self):
        with open(os.path.join(self.dir, "cloud.yaml"), "w", encoding="utf-8") as file:
            file.write(profile.text(self.profile()))

    def begin(self):
        self.write()
        env = {"FARWATCH_PLUGIN_DIR": f"{os.environ['FARWATCH_PLUGIN_DIR']}:{self.plugins}",
               "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=8"}
        inner = os.path.join(BUILD, ".libs", "farwatchd")
        program = inner if os.path.exists(inner) else os.path.join(BUILD, "farwatchd")
        env["LD_LIBRARY_PATH"] = os.path.join(BUILD, ".libs")
        self.process = Process([program, "--profile", os.path.join(self.dir, "cloud.yaml")], os.path.join(self.dir, "cloud.log"), notify=True, env=env)
        self.process.wait_notice("READY=1", 30)
        self.pid = self.process.pid
        self.door = control.Control(self.control_path)
        self.door.call("PUT", "users/alice", {"password": "correct horse"})
        self.ticket = self._login()
        quiet = self.situation == "reload"
        self.good = Good(self.keys.ca, self.keys.of("good"), self.ports["quiet-nodes" if quiet else "nodes"], self.ports["quiet" if quiet else "people"])

    def _login(self):
        link = ws.WebSocket(ws.tls(self.address("people"), self.keys.ca))
        status, answer = link.ask("POST", "login", {"name": "alice", "password": "correct horse"})
        assert status == 200, answer
        link.close()
        return answer["ticket"]

    def end(self):
        """What is wrong with how it ends; SIGTERM has END_S for it."""
        if self.good:
            self.good.close()
        faults = []
        if self.process:
            begin = time.monotonic()
            faults = self.process.stop(30)
            took = time.monotonic() - begin
            if took > END_S:
                faults.append(f"SIGTERM: ended after {took:.1f} s")
        shutil.rmtree(self.dir)
        return faults

    # ---- what a row needs ----

    def port(self, door):
        return self.ports[door + ("2" if door in self.moved else "")]

    def address(self, door):
        return "127.0.0.1", self.port("people" if door == "stream" else door)

    def expected(self, row, door):
        wanted = row.more["before"] if self.situation == "before" and door != "stream" and "before" in row.more else row.expected(door)
        if self.situation == "answer" and self.table == "http" and row.after != "reset":
            wanted = " | ".join("200 " + choice.strip() for choice in wanted.split("|"))
        if row.more.get("kind") == "post" and row.after != "reset" and self.http_preamble(door):
            short = [choice for choice in map(str.strip, wanted.split("|")) if not choice.startswith("served")]  # before the first answer
            wanted = " | ".join(["served " + choice.strip() for choice in wanted.split("|")] + short)
        return wanted

    def context(self, key):
        if key not in self.contexts:
            context = ssl.create_default_context(cafile=self.keys.ca)
            self.contexts[key] = context
            name = key.removesuffix("-resumed").removesuffix("-12")
            if key.endswith("12"):
                context.maximum_version = ssl.TLSVersion.TLSv1_2
            if key in ("13", "12") or key.startswith("cert-"):
                self.logs[key] = record.KeyLog(context, self.dir, key)
            if name.startswith("node:"):
                name = name[5:]
                context.load_cert_chain(os.path.join(self.keys.of(name), "node.crt"), os.path.join(self.keys.of(name), "node.key"))
            elif name in ("cert-good", "cert-revoked", "cert-foreign"):
                folder = self.keys.of("t1", "foreign") if name == "cert-foreign" else self.keys.of("revoked" if name == "cert-revoked" else "t1")
                context.load_cert_chain(os.path.join(folder, "node.crt"), os.path.join(folder, "node.key"))
            elif name.startswith("cert-"):
                context.load_cert_chain(os.path.join(self.keys.odd, name[5:]))
        return self.contexts[key]

    def session(self, key):
        return self.sessions.get(key)

    def keep(self, key, peer):
        """The ticket that came, for the next connection. (Rows about TLS begin anew each time.)"""
        if peer.tls and peer.handshaken and key not in self.sessions and (key == "plain" or key.startswith("node:")) and peer.tls.session and peer.tls.session.has_ticket:
            self.sessions[key] = peer.tls.session

    def key_log(self, key):
        return self.logs[key]

    def stream_ticket(self):
        return self.door.call("POST", "echo", {})["ticket"]

    def http_preamble(self, door):
        if door != "people" or self.situation not in ("after", "answer"):
            return b""
        bearer = b"Authorization: Bearer " + self.ticket.encode() + b"\r\n"
        if self.situation == "after":
            return http.request(target=b"/api/login", fields=bearer)
        return http.request(b"POST", b"/api/hold", bearer + b"Content-Length: 0\r\n")

    def link_preamble(self, door):
        """Each with an id of its own: a request that comes again gets the answer it had."""
        if door == "people" and self.situation != "before":
            yield ws.message("GET", "login", ident=f"login-{next(_numbers)}", ticket=self.ticket)
        if door != "stream" and self.situation == "answer":
            yield ws.message("POST", "hold" if door == "people" else "wait", ident=f"held-{next(_numbers)}")

    # ---- what may not change ----

    def peak(self, again=False):
        """MiB that it had at most; again: from now on."""
        if again:
            with open(f"/proc/{self.pid}/clear_refs", "w", encoding="ascii") as file:
                file.write("5")
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024

    def measure(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            memory = next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024
        return memory, len(os.listdir(f"/proc/{self.pid}/fd"))

    def _ticks(self):
        found = {}
        for tid, name in hang.threads(self.pid).items():
            with open(f"/proc/{self.pid}/task/{tid}/stat", encoding="ascii", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
            found[tid] = (name, int(fields[11]) + int(fields[12]))
        return found

    def at_rest(self):
        """A second later no thread works: what each took in the second after that, over its share of it."""
        end = time.monotonic() + 1
        wait_until(lambda: time.monotonic() > end, 3)
        before, begin = self._ticks(), time.monotonic()
        wait_until(lambda: time.monotonic() > end + 1, 3)
        took, hertz = time.monotonic() - begin, os.sysconf("SC_CLK_TCK")
        return [f"thread {name} works: {(ticks - before[tid][1]) / hertz / took:.0%}" for tid, (name, ticks) in self._ticks().items()
                if tid in before and ticks - before[tid][1] > BUSY * hertz * took + 1]

    def good_faults(self, word=""):
        report = self.good.report(word)
        faults = [f"good client: {fault}" for fault in report["faults"]]
        faults += [f"good client: {kind} took {1000 * took:.0f} ms" for kind, took in report["slowest"].items() if took > LATENCY_S]
        if report["count"] < 2:
            faults.append(f"good client: asked {report['count']} times only")
        return faults, report

    # ---- reload ----

    def reload(self, kind, door):
        """"in place", "replace" (the door moves to another port), "remove"."""
        self.changed += 1
        if kind == "replace":
            self.moved ^= {door}
        self.removed = door if kind == "remove" else None
        self.write()
        said = self.door.call("POST", "reload", {})
        return {entry["path"]: entry["action"] for entry in said["changes"]}

    def restore(self, door):
        if self.removed:
            self.removed = None
            self.write()
            self.door.call("POST", "reload", {})
        try:
            wait_until(lambda: self.opens(door), 10, "the door is there again")
        except AssertionError as error:
            raise AssertionError(f"{error}: {door} at {self.port(door)}; last lines:\n" + "\n".join(self.process.lines[-20:])) from error

    def opens(self, door):
        try:
            ws.tls(self.address(door), self.keys.ca, timeout=5).close()
        except OSError:
            return False
        return True

