# SPDX-License-Identifier: LGPL-2.1-or-later
"""One process of the lab: its output goes to a log and can be waited for; only the lab's own pids are ever ended."""
import atexit
import os
import re
import selectors
import signal
import socket
import subprocess
import threading
import time

from lab import secrets
from lab.idle import spinning

SANITIZER = re.compile(r"(AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehaviorSanitizer|runtime error:|stack smashing|\bCRITICAL\b)")


_started = []


@atexit.register
def _end_all():
    """A test that dies leaves nothing behind."""
    for process in _started:
        if process.running():
            process.kill()


class FarctlError(Exception):
    """farctl said no: status, and what it printed."""

    def __init__(self, argv, status, out, err):
        super().__init__(f"{' '.join(argv)}: status {status}: {err.strip() or out.strip()}")
        self.status, self.out, self.err = status, out, err


class Process:
    """argv runs with its output in the file log. netns: name of a network namespace; wrap: a command put in front (strace …).
    notify: give it a NOTIFY_SOCKET."""

    def __init__(self, argv, log, *, env=None, netns=None, wrap=(), notify=False, cwd=None, stdin=subprocess.DEVNULL):
        self.name = os.path.splitext(os.path.basename(log))[0]
        self.log, self.lines, self.notices = log, [], []
        self._news = threading.Condition()
        self._ended = False
        self.expect_end = False  # the test ends it by force: no complaint about its status
        self.notified = notify  # one of our daemons
        self._notify = self._notify_socket(log) if notify else None
        environment = dict(os.environ, **(env or {}))
        if notify:
            environment["NOTIFY_SOCKET"] = self._notify_path
        prefix = ["ip", "netns", "exec", netns] if netns else []
        self._child = subprocess.Popen([*prefix, *wrap, *argv], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                       env=environment, cwd=cwd, start_new_session=True)
        self.pid = self._child.pid
        self.stdin = self._child.stdin
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        _started.append(self)

    def _notify_socket(self, log):
        self._notify_path = log + ".notify"
        if len(self._notify_path) > 100:
            self._notify_path = f"/tmp/farwatch-lab-{os.getpid()}-{id(self)}"
        if os.path.exists(self._notify_path):
            os.unlink(self._notify_path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sock.bind(self._notify_path)
        return sock

    def _read(self):
        pipe = self._child.stdout
        with selectors.DefaultSelector() as selector, open(self.log, "ab") as log:
            selector.register(pipe, selectors.EVENT_READ)
            if self._notify:
                selector.register(self._notify, selectors.EVENT_READ)
            rest = b""
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if self._notify in ready:
                    self._tell(self.notices, self._notify.recv(4096).decode(errors="replace").splitlines())
                if pipe in ready:
                    data = os.read(pipe.fileno(), 65536)
                    if not data:
                        break
                    log.write(data)
                    log.flush()
                    *whole, rest = (rest + data).split(b"\n")
                    self._tell(self.lines, [line.decode(errors="replace") for line in whole])
        if rest:
            self._tell(self.lines, [rest.decode(errors="replace")])
        with self._news:
            self._ended = True
            self._news.notify_all()
        if self._notify:
            self._notify.close()
            os.unlink(self._notify_path)

    def _tell(self, into, lines):
        with self._news:
            into.extend(lines)
            self._news.notify_all()

    def _wait_in(self, lines, pattern, timeout, since):
        expression, end = re.compile(pattern), time.monotonic() + timeout
        with self._news:
            at = since
            while True:
                while at < len(lines):
                    found = expression.search(lines[at])
                    if found:
                        return found
                    at += 1
                left = end - time.monotonic()
                if left <= 0 or (self._ended and at >= len(lines)):
                    why = "it ended" if self._ended else f"not within {timeout} s"
                    raise AssertionError(f"{self.name}: no line with '{pattern}': {why}; last lines:\n" + "\n".join(self.lines[-15:]))
                self._news.wait(left)

    def mark(self):
        """A place in the log to wait from."""
        with self._news:
            return len(self.lines)

    def wait_line(self, pattern, timeout=10.0, since=0):
        return self._wait_in(self.lines, pattern, timeout, since)

    def wait_notice(self, pattern, timeout=10.0, since=0):
        return self._wait_in(self.notices, pattern, timeout, since)

    def running(self):
        return self._child.poll() is None

    def send(self, sig):
        self._child.send_signal(sig)

    def wait(self, timeout=20.0):
        """Its exit status, minus the signal that ended it."""
        status = self._child.wait(timeout)
        self._reader.join(timeout)
        return status

    def kill(self):
        """As by kill -9; the whole group of what it started goes with it."""
        self.expect_end = True
        self._group(signal.SIGKILL)
        return self.wait()

    def _group(self, sig):
        try:
            os.killpg(self.pid, sig)
        except ProcessLookupError:
            pass

    def stop(self, timeout=20.0, idle=False):
        """Asks it to end; returns what is wrong with how it lived and ended, one line each. idle: it had nothing to do, and is looked at for a loop."""
        faults = secrets.search_arguments(self.pid) if self.running() else []
        faults += spinning([self]) if idle else []
        if self.running():
            self.send(signal.SIGCONT)
            self.send(signal.SIGTERM)
        try:
            status = self.wait(timeout)
        except subprocess.TimeoutExpired:
            faults.append(f"{self.name}: did not end {timeout} s after SIGTERM")
            self._group(signal.SIGABRT)
            status = self.kill()
        self._group(signal.SIGKILL)  # what it may have left behind in its group
        if status not in (0, -signal.SIGTERM) and not self.expect_end:
            faults.append(f"{self.name}: ended with status {status}; last lines:\n" + "\n".join(self.lines[-15:]))
        return faults + self.complaints()

    def complaints(self):
        """Reports of the sanitizers, assertions of GLib."""
        hits = [line for line in self.lines if SANITIZER.search(line)]
        return [f"{self.name}: {line}" for line in hits[:20]]
