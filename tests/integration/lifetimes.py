# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each instance of both nodes is taken out of the profile and put back while people ask, watch, log in and carry bytes: nobody waits without an
answer, nothing breaks, nothing is left behind, and all works in the end. FARWATCH_LIFETIMES=n: n rounds instead of one."""
import contextlib
import copy
import http.client
import json
import os
import ssl
import threading
import time
import unittest

import lab
import tap
from lab.case import FleetCase
from lab.wait import dial, wait_until

ROUNDS = int(os.environ.get("FARWATCH_LIFETIMES", "1"))
PATIENCE_S = 40  # more than the longest time a call may take before core says so
SECTIONS = ("stores", "authenticators", "transports", "endpoints", "sensors", "services")


def names_in(options):
    for key, value in options.items():
        if key not in ("type", "path", "listen", "connect", "address"):
            yield from value if isinstance(value, list) else [value]


def without(profile, section, name):
    """The profile without this instance and all that name it, directly or not."""
    left = copy.deepcopy(profile)
    gone = [(section, name)]
    while gone:
        at, what = gone.pop()
        if not left.get(at, {}).pop(what, None):
            continue
        for other in (*SECTIONS, "devices"):
            gone += [(other, key) for key, options in left.get(other, {}).items() if what in names_in(options)]
    return {key: value for key, value in left.items() if value or key not in SECTIONS}


class Askers:
    """Threads that ask until the end; .late: who had no answer in time, .wrong: what should not have been said."""

    def __init__(self):
        self.over, self.threads, self.late, self.wrong, self.answers = threading.Event(), [], [], [], {}

    def add(self, name, ask):
        def run():
            while not self.over.is_set():
                started = time.monotonic()
                try:
                    ask()
                    self.answers[name] = self.answers.get(name, 0) + 1
                except TimeoutError:
                    self.late.append(f"{name}: no answer after {time.monotonic() - started:.0f} s")
                except (OSError, http.client.HTTPException, ssl.SSLError):
                    pass  # a connection may end with its listener: that is an answer, too
                except Exception as error:
                    self.wrong.append(f"{name}: {error!r}")
        self.threads.append(threading.Thread(target=run, daemon=True))
        self.threads[-1].start()

    def go_on(self):
        """Until some more have been answered: what was changed meets requests at every point of their way."""
        wanted = sum(self.answers.values()) + 5
        wait_until(lambda: sum(self.answers.values()) >= wanted, PATIENCE_S, "answers", every=0.005)

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join(PATIENCE_S + 10)
        self.late += [f"a thread still waits after {PATIENCE_S + 10} s" for thread in self.threads if thread.is_alive()]


class Lifetimes(FleetCase):
    def setUp(self):
        self.start_fleet()
        self.askers = Askers()
        self.addCleanup(self.askers.end)

    # ---- what is asked ----

    def control(self, node, *requests):
        """Requests in one write on one connection; each must be answered."""
        def ask():
            with node.control_link(PATIENCE_S) as link:
                waiting = {link.send(method, resource, body) for method, resource, body in requests}
                while waiting:
                    waiting.discard(link.read().id)
        return ask

    def watcher(self, node, resource):
        def ask():
            with node.control_link(2) as link, contextlib.suppress(TimeoutError, AssertionError):
                for _ in link.watch(resource):
                    pass
        return ask

    def web(self, method, path, body=None):
        context = ssl.create_default_context(cafile=self.fleet.ca)

        def ask():
            connection = http.client.HTTPSConnection(self.fleet.host, self.fleet.ports["people"], context=context, timeout=PATIENCE_S)
            with contextlib.closing(connection):
                connection.request(method, path, body=body and json.dumps(body), headers={"Content-Type": "application/json"} if body else {})
                connection.getresponse().read()
        return ask

    def session(self):
        """A whole session with bytes, as far as it comes."""
        with self.fleet.cloud.control_link(PATIENCE_S) as link:
            answer = link.ask("POST", "sessions", {"terminal": "t1", "device": "echo", "for_us": 60_000_000, "reason": "test", "entry": "ports", "address": "127.0.0.1"})
            row = answer.body if answer.status == 201 else {}
            if row.get("y"):
                with contextlib.suppress(OSError), dial(self.fleet.host, row["y"], timeout=1) as sock:
                    sock.sendall(b"SSH-2.0-test\r\n")
                    sock.recv(100)
            if row.get("session"):
                link.ask("DELETE", f"sessions/{row['session']}")

    def load(self):
        cloud, terminal = self.fleet.cloud, self.fleet.terminal
        self.askers.add("the cloud's tables", self.control(cloud, ("GET", "terminals", None), ("GET", "sessions", None), ("GET", "history", None),
                                                           ("GET", "rights", None), ("GET", "status", None), ("GET", "samples?terminal=t1", None)))
        self.askers.add("the terminal's tables", self.control(terminal, ("GET", "status", None), ("GET", "sessions", None), ("GET", "samples", None),
                                                              ("GET", "devices", None), ("GET", "users", None)))
        self.askers.add("changes at the cloud", self.control(cloud, ("PUT", "terminals/t1", {"site": "here"}), ("PUT", "users/bob", {"password": "bob's password 1"}),
                                                             ("POST", "tokens", {"node": "t9"})))
        self.askers.add("sessions", self.session)
        self.askers.add("watchers", self.watcher(cloud, "sessions"))
        self.askers.add("wrong logins", self.web("POST", "/api/login", {"name": "mallory", "password": "no"}))
        self.askers.add("the page", self.web("GET", "/"))

    # ---- what is changed ----

    def reload(self, node, profile):
        before, node.profile = node.profile, profile
        node.write()
        with node.control_link(60) as link:
            answer = link.ask("POST", "reload")
        node.profile = before
        self.assertEqual(answer.status, 200, answer)

    @staticmethod
    def listeners(profile):
        """The ports at which its transports listen."""
        return {int(options["listen"].rpartition(":")[2]) for options in profile.get("transports", {}).values() if "listen" in options}

    def listening(self, node, profile):
        return self.listeners(profile) & set(node.listening())

    def each(self, node):
        whole = node.profile
        for _ in range(ROUNDS):
            for section in SECTIONS:
                for name in list(whole.get(section, {})):
                    with self.subTest(node=node.name, without=f"{section}.{name}"):
                        left = without(whole, section, name)
                        self.reload(node, left)
                        self.assertEqual(self.listening(node, whole) - self.listeners(left), set(), "a listener that was taken out still listens")
                        self.askers.go_on()
                        self.reload(node, whole)
                        self.askers.go_on()
                        self.assertTrue(node.running())

    def walk(self, node):
        self.load()
        self.each(node)
        self.askers.end()
        self.assertEqual(self.askers.late, [])
        self.assertEqual(self.askers.wrong, [])
        for name in ("the cloud's tables", "the terminal's tables", "the page", "wrong logins", "sessions"):
            self.assertGreater(self.askers.answers.get(name, 0), 0, self.askers.answers)
        self.fleet.wait_connected("t1", 40)
        wait_until(lambda: self.fleet.ports["people"] in self.fleet.cloud.listening(), 4, "the people's port listened on", every=0.05)
        self.fleet.advance(3)  # a service that began anew under the link asks for a poll, and so for a nonce
        self.alice.login()
        wait_until(lambda: not self.fleet.sessions(), 90, "no session left")
        self.assert_works()

    def test_cloud(self):
        self.walk(self.fleet.cloud)

    def test_terminal(self):
        self.walk(self.fleet.terminal)


if __name__ == "__main__":
    tap.main()
