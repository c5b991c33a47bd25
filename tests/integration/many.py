# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many at once: connections in one session by each entry, and sessions of many people. All work, if need be after a wait; who is refused hears
which limit it was, its value, and the option that sets it."""
import os
import socket
import threading

import lab
import tap
from lab.case import FleetCase
from lab.node import FARCTL, environment
from lab.process import Process
from lab.ssh import Stock
from lab.wait import free_port, wait_until

AT_ONCE, CLIENTS, PEOPLE = 200, 40, 50


def all_at_once(count, run):
    """Runs run(number) in count threads that begin together; what each returned, an exception where it raised one."""
    begin, found = threading.Barrier(count), [None] * count

    def one(number):
        try:
            begin.wait(60)
            found[number] = run(number)
        except Exception as error:  # pylint: disable=broad-except
            found[number] = error
    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return found


class Many(FleetCase):
    def echoed(self, port, text=b"are you there?", held=None):
        """Whether what is sent comes back. held: a list that keeps the connection open."""
        sock = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.addCleanup(sock.close)
        sock.sendall(text)
        got = sock.recv(len(text))
        if held is not None:
            held.append(sock)
        return got == text

    @staticmethod
    def is_open(port):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            return False
        return True

    def assert_all(self, found):
        wrong = [str(result) for result in found if result is not True]
        self.assertEqual((len(wrong), wrong[:5]), (0, []))


class OneSession(Many):
    def listener(self, *words):
        """`farctl connect … --listen 0` of alice's, from far away; (process, port)."""
        home = os.path.join(self.fleet.folder, "people", "alice")
        env = {**environment(), "HOME": home, "XDG_CONFIG_HOME": home, "XDG_STATE_HOME": home, "XDG_CACHE_HOME": home}
        self.fleet.farctl_as("alice", "--ca", self.fleet.ca, "login", "alice", "--password-stdin", input=self.alice.password + "\n")
        server = ["--server", f"{self.fleet.host}:{self.fleet.ports['people']}", "--ca", self.fleet.ca]
        read, write = os.pipe()
        os.write(write, self.alice.password.encode() + b"\n")
        os.close(write)
        process = Process([FARCTL, *server, "connect", *words, "--listen", "0", "--password-stdin"], os.path.join(self.fleet.cloud.logs, "listener.log"), env=env, stdin=read)
        os.close(read)
        self.addCleanup(process.stop)
        line = process.wait_line(r"listening on 127.0.0.1:(\d+)", 30)
        return process, int(line.group(1))

    def test_by_stream(self):
        self.start_fleet()
        _, port = self.listener("t1/echo")
        held = []
        self.assert_all(all_at_once(AT_ONCE, lambda _: self.echoed(port, held=held)))
        self.assertEqual(len(held), AT_ONCE)

    def test_by_one_ssh(self):
        """`ssh -L` at Y: each connection is a channel of one SSH connection through one connection of the session."""
        self.start_fleet()
        stock = Stock(f"{self.fleet.folder}/alice", self.fleet, "alice")
        row = self.alice.open("t1", entry="ports")
        port, held = free_port(), []
        ssh = stock.start(row["y"], "-N", "-L", f"{port}:echo:7", password=self.alice.password)
        self.addCleanup(ssh.communicate)
        self.addCleanup(ssh.kill)
        wait_until(lambda: self.is_open(port), 30, "ssh listens")
        self.assert_all(all_at_once(AT_ONCE, lambda _: self.echoed(port, held=held)))

    def test_by_many_clients(self):
        """Each with an SSH connection of its own, at the one port; all work at once."""
        self.start_fleet()
        stock = Stock(f"{self.fleet.folder}/alice", self.fleet, "alice")
        self.fleet.terminal.put_user("alice", key=stock.key())
        row = self.alice.open("t1", entry="ports")
        clients = [self.client(stock, row) for _ in range(CLIENTS)]
        done = all_at_once(CLIENTS, lambda number: clients[number].communicate(b"whoami\nexit\n", timeout=110)[0])
        self.assert_all([isinstance(out, bytes) and b"alice" in out or out for out in done])

    def client(self, stock, row):
        """A shell that waits for its first command."""
        logged_in = len(self.fleet.terminal.process.lines)
        ssh = stock.start(row["y"], key=True)
        self.addCleanup(ssh.kill)
        self.fleet.terminal.process.wait_line("logged in: alice", 30, since=logged_in)
        return ssh


class Limits(Many):
    """Whoever is over one hears its value and the option."""

    def test_connections_of_a_session(self):
        def three(fleet):
            fleet.cloud.profile["transports"]["tunnels"]["y-connections"] = 3
        self.start_fleet(change=three)
        row = self.open()
        held = []
        for _ in range(3):
            self.echoed(row["y"], held=held)
        self.assert_thrown_out(row["y"])
        wait_until(lambda: "the limit is 3, by option 'y-connections'" in (self.fleet.session(row["session"])["trouble"] or ""), 10, "the limit is told")
        wait_until(lambda: [one for one in self.fleet.history(row["session"]) if one["kind"] == "turned-away" and "y-connections" in one["cause"]], 10, "recorded")
        held.pop().close()
        wait_until(lambda: self.answers(row), 10, "there is room again")

    def assert_thrown_out(self, port):
        try:
            self.assertFalse(self.echoed(port))
        except ConnectionError:
            pass

    def test_connections_at_the_login(self):
        self.start_fleet(change=lambda fleet: fleet.terminal.profile["endpoints"]["login"].update({"max": 1}))
        row = self.alice.open("t1", entry="ports")
        with socket.create_connection((self.fleet.host, row["y"]), timeout=30) as first:
            first.sendall(b"SSH-2.0-test\r\n")
            self.assertEqual(first.recv(4), b"SSH-")
            self.assert_thrown_out(row["y"])
            wait_until(lambda: "1 connections already (endpoints.login: option 'max')" in (self.fleet.session(row["session"])["trouble"] or ""), 10, "the limit is told")

    def test_channels_of_a_connection(self):
        self.start_fleet(change=lambda fleet: fleet.terminal.profile["endpoints"]["login"].update({"channels": 2}))
        stock = Stock(f"{self.fleet.folder}/alice", self.fleet, "alice")
        row = self.alice.open("t1", entry="ports")
        port, held = free_port(), []
        ssh = stock.start(row["y"], "-v", "-N", "-L", f"{port}:echo:7", password=self.alice.password)
        self.addCleanup(ssh.kill)
        wait_until(lambda: self.is_open(port), 30, "ssh listens")
        wait_until(lambda: self.echoed(port, held=held), 10, "the first channel, after that of the look has gone")
        self.echoed(port, held=held)
        self.assert_thrown_out(port)
        self.fleet.terminal.process.wait_line("too many channels in one connection .the limit is 2, by option 'channels' of endpoints.login", 10)
        ssh.kill()
        self.assertIn("the limit is 2, by option 'channels'", ssh.communicate()[1].decode())

    def test_sessions(self):
        """At the terminal, of one person, and of all."""
        def one(fleet):
            fleet.terminal.profile["services"]["agent"]["sessions"] = 1
            fleet.cloud.profile["services"]["access"].update({"sessions-each": 2, "sessions": 3})
        self.start_fleet(change=one)
        self.alice.open("t1", entry="ports")
        refused = self.fleet.wait_over(self.alice.request("t1", entry="ports")["session"])
        self.assertRegex(refused["cause"], "has 1 sessions already .agent: option 'sessions'")
        self.fleet.cloud.profile["services"]["access"].update({"sessions-each": 1})
        self.fleet.cloud.write()
        self.fleet.cloud.farctl("reload")
        status, answer = self.alice.ask("POST", "sessions", {"terminal": "t1", "entry": "ports"})
        self.assertEqual(status, 429)
        self.assertRegex(answer["message"], "you have 1 sessions open.*option 'sessions-each'")
        self.fleet.cloud.profile["services"]["access"].update({"sessions": 1})
        self.fleet.cloud.write()
        self.fleet.cloud.farctl("reload")
        status, answer = self.person("bob").ask("POST", "sessions", {"terminal": "t1", "entry": "ports"})
        self.assertEqual(status, 429)
        self.assertRegex(answer["message"], "1 sessions are open here.*option 'sessions'")


class ManySessions(Many):
    def test_of_many_people(self):
        """Of one terminal; the door of each opens to the terminal's own login."""
        self.start_fleet()
        people = [lab.Person(self.fleet, f"person{number}", ("connect",)).login() for number in range(PEOPLE)]
        rows = all_at_once(PEOPLE, lambda number: people[number].open("t1", entry="ports", timeout=100))
        self.assert_all([True if isinstance(row, dict) else row for row in rows])
        self.assert_all(all_at_once(PEOPLE, lambda number: self.banner(rows[number]["y"])))

    @staticmethod
    def banner(port):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
            sock.sendall(b"SSH-2.0-test\r\n")
            return sock.recv(4) == b"SSH-"


tap.main()
