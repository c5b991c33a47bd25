# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lab itself: what the other integration tests lean on must work, and must find what it is there to find."""
import os
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import lab
import tap
from lab import profile, secrets
from lab.idle import spinning
from lab.wait import read_exactly


class Waiting(unittest.TestCase):
    def test_wait_ends(self):
        started = time.monotonic()
        with self.assertRaises(AssertionError):
            lab.wait_until(lambda: False, timeout=0.1)
        self.assertLess(time.monotonic() - started, 5)

    def test_free_port_is_given_once(self):
        ports = {lab.free_port() for _ in range(50)}
        self.assertEqual(len(ports), 50)

    def test_listening_sees_a_socket(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            self.assertEqual(lab.listening()[port], "127.0.0.1")
            self.assertEqual(lab.listening(own=True)[port], "127.0.0.1")
            self.assertNotIn(port, lab.listening(os.getppid(), own=True), "it belongs to somebody else")
        self.assertNotIn(port, lab.listening())


class Processes(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def run_python(self, text, **how):
        return lab.Process([sys.executable, "-c", text], os.path.join(self.folder.name, "p.log"), **how)

    def test_lines_and_end(self):
        process = self.run_python("print('one', flush=True); input(); print('two')", stdin=subprocess.PIPE)
        process.wait_line("^one$")
        process.stdin.write(b"\n")
        process.stdin.flush()
        process.wait_line("^two$")
        self.assertEqual(process.wait(), 0)
        self.assertEqual(process.stop(), [])

    def test_a_missing_line_is_told_at_the_end_of_the_process(self):
        process = self.run_python("print('only this')")
        started = time.monotonic()
        with self.assertRaisesRegex(AssertionError, "only this"):
            process.wait_line("never", timeout=60)
        self.assertLess(time.monotonic() - started, 30)

    def test_notify(self):
        text = ("import os,socket,sys; s=socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); "
                "s.sendto(b'READY=1', os.environ['NOTIFY_SOCKET']); sys.stdin.read()")
        process = self.run_python(text, notify=True, stdin=subprocess.PIPE)
        process.wait_notice("^READY=1")
        process.stdin.close()
        self.assertEqual(process.wait(), 0)

    def test_sanitizer_report_and_bad_status_are_faults(self):
        process = self.run_python("print('x.c:1: runtime error: signed integer overflow'); raise SystemExit(3)")
        process.wait()
        text = "\n".join(process.stop())
        self.assertIn("runtime error", text)
        self.assertIn("status 3", text)

    def test_a_loop_is_a_fault(self):
        """One that spins, one that sleeps, one that has just come to rest; with other loops beside it on each core."""
        busy = "import time\nend = time.monotonic() + {}\nwhile time.monotonic() < end: pass\nprint('rests', flush=True)\ntime.sleep(60)"  # lint: allow sleep: it is stopped
        spins, rests, late = self.run_python(busy.format(600)), self.run_python(busy.format(0)), self.run_python(busy.format(0.5))
        others = [self.run_python(busy.format(600)) for _ in range(os.cpu_count())]
        rests.wait_line("rests")
        found = spinning([spins, rests, late], lasts=2)
        self.assertEqual(len(found), 1, found)
        self.assertIn("of a core", found[0])
        for process in (spins, rests, late, *others):
            process.kill()
        self.assertEqual(spinning([spins, None]), [], "it has ended")

    def test_secret_in_arguments_is_a_fault(self):
        word = secrets.new()
        process = self.run_python("import time; print('up', flush=True); time.sleep(60) # " + word)  # lint: allow sleep: it is stopped
        process.wait_line("up")
        self.assertIn("arguments", " ".join(process.stop()))


class Secrets(unittest.TestCase):
    def test_found_plain_hex_and_base64_at_any_place(self):
        import base64
        word = secrets.new()
        raw = word.encode()
        for shown in (raw, raw.hex().encode(), *(base64.b64encode(b"x" * n + raw + b"tail") for n in range(6))):
            self.assertTrue(secrets.search(b"before " + shown + b" after", "here"), shown)
        self.assertEqual(secrets.search(b"before " + raw[:-1] + b" after", "here"), [])


class Profiles(unittest.TestCase):
    def test_text(self):
        text = profile.text({"a": {"b": "x: y", "c": [1, "two"], "d": {}, "e": True, "f": "no"}, "g": [{"h": 1, "i": "j"}]})
        self.assertEqual(text, 'a:\n  b: "x: y"\n  c: [1, two]\n  d: {}\n  e: true\n  f: "no"\ng:\n  - h: 1\n    i: j\n')


class Devices(unittest.TestCase):
    def test_echo_counts(self):
        device = lab.Echo()
        self.addCleanup(device.close)
        with lab.dial(device.host, device.port) as sock:
            sock.sendall(b"hello")
            self.assertEqual(read_exactly(sock, 5), b"hello")
        device.wait(lambda d: d.connections and d.connections[0].end == "fin")
        self.assertEqual((device.connections[0].bytes_in, device.connections[0].bytes_out), (5, 5))

    def test_source_stops_at_its_limit(self):
        device = lab.Source(limit=100000)
        self.addCleanup(device.close)
        with lab.dial(device.host, device.port) as sock:
            self.assertEqual(len(read_exactly(sock, 100000)), 100000)
            self.assertEqual(sock.recv(1), b"")


class Impairing(unittest.TestCase):
    def setUp(self):
        self.device = lab.Echo()
        self.proxy = lab.Impair((self.device.host, self.device.port))
        self.addCleanup(self.device.close)
        self.addCleanup(self.proxy.close)

    def dial(self):
        sock = lab.dial(self.proxy.host, self.proxy.port)
        self.addCleanup(sock.close)
        sock.sendall(b"hi")
        self.assertEqual(read_exactly(sock, 2), b"hi")
        return sock

    def test_large_transfer_is_whole(self):
        sock, sent = self.dial(), os.urandom(3 << 20)
        import threading
        threading.Thread(target=sock.sendall, args=(sent,), daemon=True).start()
        self.assertEqual(read_exactly(sock, len(sent)), sent)

    def test_cut(self):
        sock = self.dial()
        self.proxy.command("cut")
        with self.assertRaises(ConnectionResetError):
            sock.recv(1)
        self.device.wait(lambda d: d.connections[0].end == "reset")
        self.dial()

    def test_stall_and_go(self):
        sock = self.dial()
        self.proxy.command("stall up")
        sock.sendall(b"late")
        sock.settimeout(0.2)
        with self.assertRaises(TimeoutError):
            sock.recv(1)
        self.proxy.command("go")
        sock.settimeout(10)
        self.assertEqual(read_exactly(sock, 4), b"late")

    def test_corrupt(self):
        sock = self.dial()
        self.proxy.command("corrupt up 3")
        sock.sendall(b"abcdef")
        self.assertEqual(read_exactly(sock, 6), b"abcDef")

    def test_half_close_up(self):
        self.dial()
        self.proxy.command("half up")
        self.device.wait(lambda d: d.connections[0].end == "fin")

    def test_rate_and_delay(self):
        sock = self.dial()
        self.proxy.command("rate 100000")
        started = time.monotonic()
        sock.sendall(b"x" * 30000)
        read_exactly(sock, 30000)
        self.assertGreater(time.monotonic() - started, 0.15)
        self.proxy.command("go")
        self.proxy.command("delay 100")
        started = time.monotonic()
        sock.sendall(b"y")
        read_exactly(sock, 1)
        self.assertGreater(time.monotonic() - started, 0.19)

    def test_refuse(self):
        self.proxy.command("refuse")
        with self.assertRaises(ConnectionError):
            lab.dial(self.proxy.host, self.proxy.port).recv(1)

    def test_unknown_command(self):
        with self.assertRaises(ValueError):
            self.proxy.command("fly")


@unittest.skipUnless(os.getuid() == 0, "network namespaces need root")
class Network(unittest.TestCase):
    def test_nat_lets_out_and_not_in(self):
        with lab.Nat() as net:
            public = lab.Echo(host=net.CLOUD, netns=net.cloud)
            private = lab.Echo(host=net.TERMINAL, netns=net.terminal)
            self.addCleanup(public.close)
            self.addCleanup(private.close)
            with lab.inside(net.terminal):
                sock = lab.dial(public.host, public.port)
            with sock:
                sock.sendall(b"x")
                self.assertEqual(read_exactly(sock, 1), b"x")
                self.assertEqual(public.connections[0].peer[0], net.OUTSIDE)
            with lab.inside(net.person), self.assertRaises(OSError):
                lab.dial(net.TERMINAL, private.port, timeout=1)
            with lab.inside(net.person), self.assertRaises(OSError):
                lab.dial(net.OUTSIDE, private.port, timeout=1)
            self.assertEqual(private.connections, [])

    def test_capture_and_cable(self):
        with lab.Nat() as net, tempfile.TemporaryDirectory() as folder:
            device = lab.Echo(host=net.CLOUD, netns=net.cloud)
            self.addCleanup(device.close)
            word = secrets.new()
            with lab.Capture(os.path.join(folder, "lan.pcap"), "eth0", [device.port], net.terminal) as capture:
                with lab.inside(net.terminal), lab.dial(device.host, device.port) as sock:
                    sock.sendall(word.encode())
                    read_exactly(sock, len(word))
                data = capture.stop()
            self.assertEqual(data.count(word.encode()), 2)
            self.assertTrue(secrets.search_tree(folder))
            net.cable(False)
            with lab.inside(net.terminal), self.assertRaises(OSError):
                lab.dial(device.host, device.port, timeout=0.5)
            net.cable(True)
            with lab.inside(net.terminal):
                lab.dial(device.host, device.port).close()
            self.assertGreater(sum(net.bytes(net.terminal, "eth0")), 0)

    def test_disk_fills_and_turns_read_only(self):
        with tempfile.TemporaryDirectory() as folder:
            disk = lab.Disk(folder, 1 << 20)
            self.addCleanup(disk.close)
            path = os.path.join(folder, "x")
            disk.fill()
            with self.assertRaises(OSError), open(path, "wb") as file:
                file.write(b"x" * 100000)
            disk.relieve()
            with open(path, "wb") as file:
                file.write(b"x" * 100000)
            disk.writable(False)
            with self.assertRaises(OSError):
                open(path, "wb")
            disk.writable(True)
            open(path, "wb").close()
            disk.close()


tap.main()
