# SPDX-License-Identifier: LGPL-2.1-or-later
"""Devices that stand behind a terminal. Each remembers every connection: who came, how many bytes, when the last one, how it ended."""
import http.server
import socket
import threading

from lab.nat import inside
from lab.wait import boottime


class Connection:
    def __init__(self, peer):
        self.peer = peer
        self.bytes_in = self.bytes_out = 0
        self.first_in = self.last_in = self.last_out = None  # CLOCK_BOOTTIME in seconds
        self.data = bytearray()                              # the first 64 KiB that came
        self.end = None                                      # "fin" | "reset", None while open

    def took(self, data):
        self.last_in = boottime()
        self.first_in = self.first_in or self.last_in
        self.bytes_in += len(data)
        self.data += data[:max(0, 65536 - len(self.data))]

    def gave(self, size):
        self.last_out = boottime()
        self.bytes_out += size


class Device:
    """A TCP device; subclasses say what it does with a connection. netns: namespace it stands in."""

    def __init__(self, host="127.0.0.1", port=0, netns=None):
        self.connections = []
        self._news = threading.Condition()
        self._socks = set()
        with inside(netns):
            self._listener = socket.create_server((host, port), backlog=128)
        self.host, self.port = self._listener.getsockname()[:2]
        self.address = f"{self.host}:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, peer = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(peer)
            with self._news:
                self.connections.append(connection)
                self._socks.add(sock)
                self._news.notify_all()
            threading.Thread(target=self._run, args=(sock, connection), daemon=True).start()

    def _run(self, sock, connection):
        end = "fin"
        try:
            self.serve(sock, connection)
        except (ConnectionError, OSError):
            end = "reset"
        with self._news:
            connection.end = end
            self._socks.discard(sock)
            self._news.notify_all()
        sock.close()

    def serve(self, sock, connection):
        raise NotImplementedError

    def wait(self, predicate, timeout=10.0, what=""):
        """Waits until predicate(self) is true; it is asked at each new connection, each end, and every 50 ms for bytes."""
        end = boottime() + timeout
        with self._news:
            while True:
                value = predicate(self)
                if value:
                    return value
                if boottime() > end:
                    raise AssertionError(f"device {self.address}: not within {timeout} s: {what or predicate}")
                self._news.wait(0.05)

    def open_count(self):
        with self._news:
            return sum(connection.end is None for connection in self.connections)

    def close(self):
        self._listener.close()
        with self._news:
            socks = list(self._socks)
        for sock in socks:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Echo(Device):
    """Sends back what comes; ends its side after the other did."""

    def serve(self, sock, connection):
        while data := sock.recv(65536):
            connection.took(data)
            sock.sendall(data)
            connection.gave(len(data))


class Sink(Device):
    """Counts what comes, says nothing."""

    def serve(self, sock, connection):
        while data := sock.recv(262144):
            connection.took(data)


class Source(Device):
    """Sends without end (or `limit` bytes), as fast as it is taken."""

    def __init__(self, limit=None, **where):
        self.limit = limit
        super().__init__(**where)

    def serve(self, sock, connection):
        piece = bytes(range(256)) * 64
        while self.limit is None or connection.bytes_out < self.limit:
            size = len(piece) if self.limit is None else min(len(piece), self.limit - connection.bytes_out)
            sock.sendall(piece[:size])
            connection.gave(size)
        sock.shutdown(socket.SHUT_WR)
        while data := sock.recv(65536):
            connection.took(data)


class Http:
    """A real HTTP/1.1 service with one page; counts requests. status() of what it saw through .requests."""

    def __init__(self, body=b"hello from the device\n", host="127.0.0.1", port=0, netns=None):
        device = self
        self.body, self.requests = body, []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                device.requests.append((self.path, dict(self.headers)))
                self.send_response(200)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(device.body)))
                self.end_headers()
                self.wfile.write(device.body)

            def log_message(self, format, *args):
                pass

        with inside(netns):
            self._server = http.server.ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self.host, self.port = self._server.server_address[:2]
        self.address = f"{self.host}:{self.port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
