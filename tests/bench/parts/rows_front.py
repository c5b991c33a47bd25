# SPDX-License-Identifier: LGPL-2.1-or-later
"""Row about the people's door: what a handshake and a request cost it, beside nginx and haproxy. Each server once a round, so that noise hits all alike."""
import http.client
import json
import os
import ssl
import subprocess

from lab import Process, free_port
from parts.chains import wait_port
from parts.host import cpu_s
from parts.judge import FARWATCH, HAPROXY, NGINX
from parts.load import BUILD

FRONT_LOAD = os.path.join(BUILD, "tests/bench/front-load")
PARALLEL, LIMIT_S = 64, 20
# exchanges of one run; a connection of the people's door may ask 1000 times, one of which prepares it
COUNTS = {"full": 1536, "resume": 1536, "keep": PARALLEL * 900}


class Server:
    """A web server with one worker that answers GET / as the people's door does. name; .port; .pid."""

    def __init__(self, folder):
        self.folder, self.port, self.process = folder, free_port(), None

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.folder, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def run(self, argv):
        self.process = Process(argv, os.path.join(self.folder, f"{self.name}.log"))
        self.process.expect_end = True
        wait_port(self.port, self.process)
        return self

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        if self.process:
            self.process.stop()


class Nginx(Server):
    name = NGINX

    def start(self, cert, key, body):
        paths = "".join(f" {what}_temp_path {self.folder}/{what};\n" for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        config = (f"daemon off;\nuser root;\nworker_processes 1;\npid {self.folder}/nginx.pid;\nerror_log stderr;\nevents {{ worker_connections 4096; }}\n"
                  f"http {{\n access_log off;\n{paths} keepalive_requests 100000;\n server {{\n  listen 127.0.0.1:{self.port} ssl backlog=4096;\n"
                  f"  ssl_certificate {cert};\n  ssl_certificate_key {key};\n  ssl_protocols TLSv1.3;\n  ssl_session_tickets on;\n"
                  f"  location = / {{ default_type text/plain; return 200 {json.dumps(body)}; }}\n }}\n}}\n")
        return self.run(["/usr/sbin/nginx", "-e", "stderr", "-p", self.folder, "-c", self.write("nginx.conf", config)])


class Haproxy(Server):
    name = HAPROXY

    def start(self, cert, key, body):
        both = ""
        for path in (cert, key):
            with open(path, encoding="ascii") as file:
                both += file.read()
        config = ("global\n nbthread 1\n maxconn 4096\n\ndefaults\n mode http\n timeout connect 10s\n timeout client 60s\n timeout server 60s\n\n"
                  f"frontend people\n bind 127.0.0.1:{self.port} ssl crt {self.write('both.pem', both, 0o600)} ssl-min-ver TLSv1.3 alpn http/1.1\n"
                  f' http-request return status 200 content-type text/plain file {self.write("body", body)}\n')
        return self.run(["/usr/sbin/haproxy", "-db", "-f", self.write("haproxy.conf", config)])


class Door:
    """The people's listener of a fleet's cloud."""
    name = FARWATCH

    def __init__(self, found):
        self.port, self.pid = found.ports["people"], found.cloud.pid


def hello(found):
    """What GET / says."""
    connection = http.client.HTTPSConnection(found.host, found.ports["people"], context=ssl.create_default_context(cafile=found.ca), timeout=30)
    connection.request("GET", "/")
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    if answer.status != 200:
        raise AssertionError(f"GET /: {answer.status}")
    return body


def exchanges(server, mode, say):
    """Exchanges a CPU second of the server; None when one failed: a peer that breaks is a result too."""
    words = [FRONT_LOAD, mode, "127.0.0.1", str(server.port), str(COUNTS[mode]), str(PARALLEL), str(LIMIT_S)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()  # ready, or its end
        before = cpu_s([server.pid])
        out, errors = process.communicate("\n", timeout=LIMIT_S + 20)
        used = cpu_s([server.pid]) - before
    if process.returncode != 0:
        say(f"{server.name}, {mode}: {out.strip()} {errors.strip()}")
        return None
    run = json.loads(out)
    return run["done"] / used if run["done"] == COUNTS[mode] and used else None


def measure(row, servers):
    """Keeps {server: {mode: [exchanges a CPU second, per round]}} after each round; TRUE: no value is missing."""
    found, whole = {}, True
    for number in range(row.wanted.rounds):
        row.say(f"round {number + 1} of {row.wanted.rounds}")
        for mode in COUNTS:
            turn = number % len(servers)
            for server in servers[turn:] + servers[:turn]:
                value = exchanges(server, mode, row.say)
                whole = whole and value is not None
                found.setdefault(server.name, {}).setdefault(mode, []).append(value)
        row.keep(found, number + 1)
    return whole
