# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stock programs from Debian at port Y: what a person has at hand reaches the terminal and its devices, and nothing else."""
import os
import subprocess

import lab
import tap
from lab.case import FleetCase
from lab.ssh import Stock
from lab.wait import dial, free_port, listening, wait_until


class AtY(FleetCase):
    """One fleet for all cases; a session in band for each."""

    @classmethod
    def setUpClass(cls):
        cls.fleet = lab.Fleet()
        cls.http = cls.fleet.device("boiler", lab.Http(b"42 degrees\n"))
        cls.secret = cls.fleet.adopt(lab.Http(b"not for you\n"))
        cls.echo = cls.fleet.device("echo", lab.Echo())
        cls.fleet.start()
        cls.alice = lab.Person(cls.fleet, "alice").login().at(cls.fleet.terminal)
        cls.stock = Stock(os.path.join(cls.fleet.folder, "alice-at-home"), cls.fleet, "alice")
        cls.fleet.terminal.put_user("alice", key=cls.stock.key())

    @classmethod
    def tearDownClass(cls):
        cls.fleet.__exit__(None, None, None)

    def setUp(self):
        self.row = self.alice.open("t1")
        self.port = self.row["y"]
        self.addCleanup(self.end)

    def end(self):
        self.alice.close(self.row["session"])
        self.fleet.wait_over(self.row["session"])

    # ---- login and shell ----

    def assert_shell(self, done):
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("boiler", done.stdout)

    def test_ssh_password(self):
        self.assert_shell(self.stock.run(self.port, password=self.alice.password, input="devices\nexit\n"))

    def test_ssh_key(self):
        self.assert_shell(self.stock.run(self.port, key=True, input="devices\nexit\n"))

    def test_ssh_with_a_terminal_of_its_own(self):
        self.assert_shell(self.stock.run(self.port, "-tt", key=True, input="devices\nexit\n"))

    def test_plink_password(self):
        self.assert_shell(self.stock.plink(self.port, password=self.alice.password, input="devices\nexit\n"))

    def test_plink_key(self):
        self.assert_shell(self.stock.plink(self.port, key_file=self.stock.putty_key(), input="devices\nexit\n"))

    def test_wrong_password(self):
        done = self.stock.run(self.port, password=self.stock.wrong())
        self.assertEqual(done.returncode, 255)
        self.assertIn("Permission denied", done.stderr)

    def test_person_of_the_cloud_alone_is_nobody_here(self):
        bob = lab.Person(self.fleet, "bob")
        stock = Stock(os.path.join(self.fleet.folder, "bob-at-home"), self.fleet, "bob")
        self.assertEqual(stock.run(self.port, password=bob.password).returncode, 255)

    def test_swapped_host_key_is_refused_without_a_question(self):
        other = Stock(os.path.join(self.fleet.folder, "misled"), self.fleet, "alice")
        other.trust(self.stock.key())
        done = other.run(self.port, password=self.alice.password)
        self.assertEqual(done.returncode, 255)
        self.assertIn("REMOTE HOST IDENTIFICATION HAS CHANGED", done.stderr)

    def test_join_a_device_from_the_shell(self):
        process = self.stock.start(self.port, key=True)
        self.addCleanup(process.communicate)
        process.stdin.write(b"join echo\n")
        process.stdin.flush()
        self.echo.wait(lambda device: device.open_count() > 0, 20, "the shell joined the device")
        process.stdin.write(b"over the shell\n")
        process.stdin.flush()
        self.echo.wait(lambda device: b"over the shell" in bytes(device.connections[-1].data), 10, "bytes at the device")
        process.terminate()

    # ---- devices ----

    def forward(self, where):
        port = free_port()
        process = self.stock.start(self.port, "-N", "-o", "ExitOnForwardFailure=yes", "-L", f"127.0.0.1:{port}:{where}", key=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.terminate)
        wait_until(lambda: port in listening() or process.poll() is not None, 20, "ssh -L listens")
        return port

    def fetch(self, port):
        done = subprocess.run(["curl", "-s", "-m", "20", f"http://127.0.0.1:{port}/"], capture_output=True, text=True, timeout=60)
        return done.stdout

    def test_ssh_forwards_to_a_device(self):
        self.assertEqual(self.fetch(self.forward(self.http.address)), "42 degrees\n")

    def test_ssh_forwards_nowhere_else(self):
        self.assertEqual(self.fetch(self.forward(self.secret.address)), "")
        self.assertEqual(self.secret.requests, [])

    def test_ssh_w_reaches_a_device(self):
        done = self.stock.run(self.port, "-W", self.http.address, key=True, input="GET / HTTP/1.0\r\nConnection: close\r\n\r\n")
        self.assertIn("42 degrees", done.stdout)

    def test_ssh_w_reaches_nothing_else(self):
        done = self.stock.run(self.port, "-W", self.secret.address, key=True, input="GET / HTTP/1.0\r\n\r\n")
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual((done.stdout, self.secret.requests), ("", []))

    def test_plink_forwards_to_a_device(self):
        done = self.stock.plink(self.port, "-nc", self.http.address, key_file=self.stock.putty_key(), input="GET / HTTP/1.0\r\nConnection: close\r\n\r\n")
        self.assertIn("42 degrees", done.stdout)

    # ---- and nothing else ----

    def test_no_reverse_forward(self):
        done = self.stock.run(self.port, "-N", "-o", "ExitOnForwardFailure=yes", "-R", f"{free_port()}:127.0.0.1:1", key=True, timeout=30)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("forwarding failed", done.stderr)

    def test_no_subsystem(self):
        self.assertNotEqual(self.stock.run(self.port, "-s", key=True, command=("sftp",)).returncode, 0)

    def test_a_command_of_the_machine_is_not_run(self):
        done = self.stock.run(self.port, key=True, command=("cat", "/etc/passwd"))
        self.assertNotIn("root:", done.stdout)

    def test_a_command_of_the_shell_is(self):
        done = self.stock.run(self.port, key=True, command=("devices",))
        self.assert_shell(done)

    def test_exit_status_of_a_command(self):
        for words, status in ((("whoami",), 0), (("join", "nowhere"), 1), (("no-such-command",), 127)):
            self.assertEqual(self.stock.run(self.port, key=True, command=words).returncode, status, words)
        self.assertEqual(self.stock.plink(self.port, key_file=self.stock.putty_key(), command=("join", "nowhere")).returncode, 1)


class NamedDevice(FleetCase):
    """The request names the device: after the login the next byte is the device's (spec B10)."""

    def test_ssh(self):
        self.start_fleet()
        stock = Stock(os.path.join(self.fleet.folder, "home"), self.fleet, "alice")
        self.fleet.terminal.put_user("alice", key=stock.key())
        row = self.alice.open("t1", "echo")
        done = stock.start(row["y"], "-T", key=True)
        self.addCleanup(done.communicate)
        done.stdin.write(b"straight through")
        done.stdin.flush()
        self.echo.wait(lambda device: device.connections and bytes(device.connections[-1].data) == b"straight through", 20, "bytes at the device")
        self.assertEqual(done.stdout.read(16), b"straight through")
        self.alice.close(row["session"])
        done.wait(20)

    def test_clear_text_is_told_apart(self):
        """What speaks no SSH to Y gets the terminal's SSH banner and nothing of the device."""
        self.start_fleet()
        row = self.alice.open("t1", "echo")
        with dial(self.fleet.host, row["y"]) as sock:
            self.assertTrue(sock.recv(64).startswith(b"SSH-2.0-"))
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            self.assert_dead(sock, 20)
        self.assertEqual(self.echo.connections, [])


tap.main()
