# SPDX-License-Identifier: LGPL-2.1-or-later
"""What becomes of links and carriers when a node is revoked: before they are up, while they come up, when they are up, and while nobody knows yet
who is revoked."""
import contextlib
import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
import unittest

import tap
from lab import control, profile, secrets, ws
from lab.case import FleetCase
from lab.process import Process
from lab.wait import free_port

BUILD = os.environ["FARWATCH_TEST_BUILDDIR"]
KEYS = os.path.join(BUILD, "tests", "integration", "fleet-keys")


class Links(unittest.TestCase):
    """A server with a listener for nodes, and a service that revokes on demand."""

    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="fwr-")
        subprocess.run([KEYS, cls.dir, "cloud:server", "t1", "t2", "t4", "t5", "t6"], check=True)
        cls.ca, cls.port = os.path.join(cls.dir, "ca", "ca.crt"), free_port()
        plugins = os.path.join(cls.dir, "plugins")
        os.mkdir(plugins)
        os.symlink(os.path.join(BUILD, "tests", "fixtures", ".libs", "service-echo.so"), os.path.join(plugins, "service-echo.so"))
        door = os.path.join(cls.dir, "cloud", "control.sock")
        path = os.path.join(cls.dir, "cloud.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(profile.text({
                "farwatch": 1, "node": {"id": "cloud", "state": os.path.join(cls.dir, "cloud"), "control": door},
                "transports": {"nodes": {"type": "websocket", "listen": f"127.0.0.1:{cls.port}"}},
                "services": {"echo": {"type": "echo"}}}))
        env = {"FARWATCH_PLUGIN_DIR": f"{os.environ['FARWATCH_PLUGIN_DIR']}:{plugins}"}
        cls.cloud = Process([os.path.join(BUILD, "farwatchd"), "--profile", path], os.path.join(cls.dir, "cloud.log"), notify=True, env=env)
        cls.cloud.wait_notice("READY=1", 30)
        cls.door = control.Control(door)

    @classmethod
    def tearDownClass(cls):
        faults = cls.cloud.stop(idle=True)
        shutil.rmtree(cls.dir)
        assert not faults, faults

    def keys(self, node):
        return os.path.join(self.dir, node, "keys")

    def tls(self, keys, **how):
        sock = ws.tls(("127.0.0.1", self.port), self.ca, keys=keys, **how)
        self.addCleanup(sock.close)
        return sock

    def link(self, keys, **how):
        return ws.WebSocket(self.tls(keys, **how))

    def assert_up(self, link, why=""):
        self.assertEqual(link.ask("GET", "nothing")[0], 404, why)

    def assert_refused(self, keys, **how):
        with self.assertRaises(OSError) as refused:
            self.link(keys, **how)
        self.assertIn("REVOKED", str(refused.exception))

    def certificate(self, keys):
        with open(os.path.join(keys, "node.crt"), encoding="ascii") as file:
            return file.read()

    def revoking(self, node):
        """Its certificate is being revoked: main stands still in the middle of it until the function returned is called."""
        when = os.path.join(self.dir, f"when-{node}")
        os.mkfifo(when)
        self.door.send("POST", "revoke", {"certificate": self.certificate(self.keys(node)), "when": when})
        fifo = os.open(when, os.O_WRONLY)  # main has it open too
        begun = [fifo]

        def goes_on():
            while begun:
                os.close(begun.pop())
                self.assertEqual(self.door.read().status, 200)
        self.addCleanup(goes_on)
        return goes_on

    def again_with_new_keys(self, node):
        """The same node by another key; the folder of what it had before."""
        before = os.path.join(self.dir, "before", node, "keys")
        shutil.move(self.keys(node), before)
        subprocess.run([KEYS, self.dir, node], check=True)
        ws.forget(self.ca, self.keys(node))
        return before

    def test_while_the_link_comes_up(self):
        """Its handshake was good and it has its 101; what it says is not heard, and it does not come in, by a resumed session neither."""
        keys = self.keys("t4")
        first = self.tls(keys)
        self.assert_up(ws.WebSocket(first))
        goes_on = self.revoking("t4")
        links = [self.link(keys) for _ in range(5)]
        resumed = self.tls(keys, session=first.session)
        self.assertTrue(resumed.session_reused)
        links.append(ws.WebSocket(resumed))
        for link in links:
            link.send(ws.message("POST", "wait", {}))
        goes_on()
        for link in links:
            self.assertEqual((link.end(), link.cause), (1008, "revoked"))
        self.assertEqual(self.door.call("POST", "release", {})["released"], 0, "a message of it was taken")
        self.assert_refused(keys)
        self.assert_refused(keys, session=first.session)
        self.assert_up(self.link(self.keys("t2")))

    def test_when_the_link_is_up(self):
        """It ends within two seconds, and says why; the same node by the certificate it has now stays."""
        link = self.link(self.keys("t5"))
        self.assert_up(link)
        self.revoking("t5")()
        begin = time.monotonic()
        self.assertEqual((link.end(), link.cause), (1008, "revoked"))
        self.assertLess(time.monotonic() - begin, 2)
        self.cloud.wait_line("t5 is revoked: its link from 127.0.0.1 is closed")
        before = self.again_with_new_keys("t5")
        renewed = self.link(self.keys("t5"))
        self.assert_up(renewed)
        self.assert_refused(before)
        self.assert_up(renewed, "who shows the old one does not take its place")

    def test_renewed_before_the_old_one_is_revoked(self):
        before = self.again_with_new_keys("t6")
        renewed = self.link(self.keys("t6"))
        self.assert_up(renewed)
        self.door.call("POST", "revoke", {"certificate": self.certificate(before)})
        self.assert_up(renewed)
        self.assert_refused(before)


class Fleet(FleetCase):
    """A cloud server that keeps its fleet in a store, and a terminal."""

    @contextlib.contextmanager
    def slow_store(self):
        """Another program has the cloud's database, as a slow disk would: the list of the revoked is not read before it is let go."""
        with contextlib.closing(sqlite3.connect(os.path.join(self.fleet.cloud.state, "main.db"), isolation_level=None)) as base:
            base.execute("begin immediate")
            yield
            base.execute("rollback")

    def restart_slowly(self, meanwhile=lambda: None):
        """The cloud begins again and cannot read its list; a terminal comes. The logs of both, from there on."""
        cloud, terminal = self.fleet.cloud, self.fleet.terminal
        terminal.stop()
        cloud.stop()
        with self.slow_store():
            there, here = cloud.spawn(), terminal.spawn()
            there.wait_line("t1 waits: which nodes are revoked has not been read yet")
            here.wait_line("link to cloud is up")
            meanwhile()
            self.assertFalse([line for line in there.lines if "link to t1 is up" in line], "it was let in before")
        return there, here

    def test_a_slow_store_turns_nobody_away(self):
        self.start_fleet()
        there, here = self.restart_slowly()
        there.wait_line("link to t1 is up")
        self.fleet.wait_connected("t1")
        self.assertFalse([line for line in here.lines if "link to cloud is down" in line], "it was turned away")

    def test_who_waits_is_judged_by_the_list(self):
        """It was revoked before the restart; its certificate and its row are gone, and it comes while nobody knows that."""
        self.start_fleet()
        self.fleet.farctl("revoke", "--node", "t1")
        there, here = self.restart_slowly()
        here.wait_line("link to cloud is down")
        there.wait_line("t1 is revoked: its link from .* is closed")
        self.assertFalse([line for line in there.lines if "link to t1 is up" in line])

    def test_an_old_key_takes_nobodys_place(self):
        """Who has the key that a node had before comes, while nobody knows that it is void, again and again: the node keeps its place and comes in."""
        self.start_fleet()
        node = self.fleet.terminal
        old = os.path.join(self.fleet.folder, "old-keys")
        shutil.copytree(os.path.join(node.state, "keys"), old)
        node.stop()
        token = secrets.remember(self.fleet.farctl("terminal", "add", "t1", "--replace", json=True, reveals=True)["token"], "a join token")
        server = f"{self.fleet.host}:{self.fleet.ports['nodes']}"
        node.farctl("enroll", "--profile", node.profile_path, "--server", server, "--new-keys", input=token + "\n")
        node.start()
        self.fleet.wait_connected("t1")

        def thief():
            for _ in range(3):
                link = ws.WebSocket(ws.tls((self.fleet.host, self.fleet.ports["nodes"]), self.fleet.ca, keys=old, host=self.fleet.host))
                self.addCleanup(link.close)
        there, here = self.restart_slowly(thief)
        there.wait_line("link to t1 is up")
        there.wait_line("t1 is revoked: its link from .* is closed")
        self.assertFalse([line for line in here.lines if "link to cloud is down" in line], "it lost its place")

    def test_a_link_that_is_up_ends_with_its_cause(self):
        self.start_fleet()
        here = self.fleet.terminal.process
        since, begin = here.mark(), time.monotonic()
        self.fleet.farctl("revoke", "--node", "t1")
        here.wait_line("link to cloud is down", 2, since)
        self.fleet.cloud.process.wait_line("link to t1 is down: revoked", 1)
        self.assertLess(time.monotonic() - begin, 2)


tap.main()
