# SPDX-License-Identifier: LGPL-2.1-or-later
"""Peers that mean no good, at every listener: they are cut within the limits, memory stays bounded, and an open session does not notice."""
import contextlib
import os
import socket
import struct
import threading
import time

import lab
import tap
from lab.case import FleetCase
from lab.wait import wait_until

CUT_S = 16           # 10 s before login, and what a loaded machine needs
CROWD = 40
GROWTH_KIB = 48 << 10


def resident_kib(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


class Hostile(FleetCase):
    @classmethod
    def setUpClass(cls):
        cls.case = cls("setUp")
        cls.case.start_fleet()
        cls.fleet, cls.alice, cls.echo = cls.case.fleet, cls.case.alice, cls.case.echo
        cls.row = cls.alice.open("t1", "echo", raw=True, for_s=3600)
        cls.sock = lab.dial(cls.fleet.host, cls.row["y"])
        cls.band = cls.alice.open("t1", for_s=3600)

    @classmethod
    def tearDownClass(cls):
        cls.sock.close()
        cls.case.doCleanups()

    def setUp(self):
        self.exchange(self.sock)
        self.before = {name: resident_kib(node.pid) for name, node in self.fleet.nodes.items()}

    def tearDown(self):
        self.exchange(self.sock, b"the open session did not notice")
        for name, node in self.fleet.nodes.items():
            self.assertTrue(node.running(), f"{name} died")
            self.assertLess(resident_kib(node.pid) - self.before[name], GROWTH_KIB, f"{name} grew")

    def doors(self):
        ports = {**self.fleet.ports, "y": self.band["y"]}
        found = {name: (lambda port=port: lab.dial(self.fleet.host, port, timeout=CUT_S)) for name, port in ports.items()}
        found["control"] = self.dial_control
        return found

    def dial_control(self):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(CUT_S)
        sock.connect(self.fleet.cloud.control)
        return sock

    @staticmethod
    def ends(sock, deadline):
        """Was it closed by the other side before the deadline?"""
        while True:
            sock.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                if not sock.recv(65536):
                    return True
            except TimeoutError:
                return False
            except OSError:
                return True

    def at_every_door(self, act, count=1):
        """act(sock) in a thread for each connection; returns the doors where one was not cut."""
        standing, threads = [], []

        def one(name, dial):
            try:
                with contextlib.closing(dial()) as sock:
                    deadline = time.monotonic() + CUT_S
                    with contextlib.suppress(OSError):
                        act(sock)
                    if not self.ends(sock, deadline):
                        standing.append(name)
            except OSError:
                pass  # refused at the door: cut early
        for name, dial in self.doors().items():
            for _ in range(count):
                threads.append(threading.Thread(target=one, args=(name, dial)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        return sorted(set(standing))

    def test_silent(self):
        self.assertEqual(self.at_every_door(lambda sock: None), [])

    def test_garbage(self):
        self.assertEqual(self.at_every_door(lambda sock: sock.sendall(os.urandom(200000))), [])

    def test_zeros(self):
        self.assertEqual(self.at_every_door(lambda sock: sock.sendall(bytes(200000))), [])

    def test_half_open(self):
        self.assertEqual(self.at_every_door(lambda sock: sock.shutdown(socket.SHUT_WR)), [])

    def test_slow(self):
        """A byte at a time of something that begins well."""
        def drip(sock):
            text = b"SSH-2.0-slow" if sock.family == socket.AF_INET else struct.pack(">I", 200) + b"{" + b" " * 200
            for at in range(40):
                sock.sendall(text[at % len(text):][:1])
                threading.Event().wait(0.5)
        self.assertEqual(self.at_every_door(drip), [])

    def test_huge_first_packet(self):
        """Announces much, sends little by little."""
        def announce(sock):
            if sock.family == socket.AF_UNIX:
                sock.sendall(struct.pack(">I", 0xFFFFFFFF) + b"x" * 1000)
            else:
                sock.sendall(b"SSH-2.0-big\r\n" + struct.pack(">I", 262000) + b"\x04" + bytes(60000))
        self.assertEqual(self.at_every_door(announce), [])

    def test_crowd(self):
        """Many silent ones at once: all cut, and a well-behaved person gets in meanwhile."""
        workers = threading.Thread(target=self.at_every_door, args=(lambda sock: None, CROWD))
        workers.start()
        try:
            self.exchange(self.sock)
            self.assertTrue(self.fleet.farctl("status"))
        finally:
            workers.join(90)
        wait_until(lambda: self.alice.ask("GET", "terminals")[0] == 200, 30, "the people's door lets a person in again")


tap.main()
