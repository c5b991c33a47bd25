# SPDX-License-Identifier: LGPL-2.1-or-later
"""A meter: one line asks, one line answers. python3 meter.py PATH: it listens at a socket in the file system. Without PATH: asks the meter that
`farctl connect … --` has brought near."""
import os
import socket
import socketserver
import sys


class Meter(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(b"energy 18342.7 kWh\n" if line.strip().lower() == b"read" else b"error unknown command\n")


def ask():
    with socket.create_connection((os.environ["FARWATCH_HOST"], int(os.environ["FARWATCH_PORT"]))) as sock, sock.makefile("rw") as lines:
        print("read", file=lines, flush=True)
        print(lines.readline(), end="")


def serve(path):
    if os.path.exists(path):
        os.unlink(path)
    with socketserver.ThreadingUnixStreamServer(path, Meter) as server:
        print("listening at", path, flush=True)
        server.serve_forever()


if len(sys.argv) > 1:
    serve(sys.argv[1])
else:
    ask()
