# SPDX-License-Identifier: LGPL-2.1-or-later
"""A cloud with its public listeners for stock peers: who logs in is alice, who has a certificate is t1; tickets of streams come from service-echo."""
import base64
import hashlib
import http.client
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import unittest

from lab import control, profile, ws
from lab.node import BUILD, DAEMON, PLUGINS
from lab.process import Process
from lab.stock import run
from lab.wait import free_port

KEYS = os.path.join(BUILD, "tests", "integration", "fleet-keys")
ECHO = os.path.join(BUILD, "tests", "fixtures", ".libs", "service-echo.so")
NAME, PASSWORD = "alice", "correct horse"
LOGIN = json.dumps({"name": NAME, "password": PASSWORD})


class FrontCase(unittest.TestCase):
    """One cloud for all cases of a class. A class with other listeners overrides transports()."""

    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="fwi-")
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        subprocess.run([KEYS, cls.dir, "cloud:server", "t1", "t2"], check=True)
        subprocess.run([KEYS, os.path.join(cls.dir, "foreign"), "t1"], check=True)
        cls.ca, cls.foreign_ca = (os.path.join(cls.dir, *where, "ca", "ca.crt") for where in ((), ("foreign",)))
        cls.ports = {"nodes": free_port(), "people": free_port()}
        cls.control = os.path.join(cls.dir, "cloud", "control.sock")
        cls._start_cloud()
        cls.door = control.Control(cls.control)
        cls.addClassCleanup(cls.door.close)
        cls.door.call("PUT", f"users/{NAME}", {"password": PASSWORD})

    @classmethod
    def _start_cloud(cls):
        plugins, path = os.path.join(cls.dir, "plugins"), os.path.join(cls.dir, "cloud.yaml")
        os.mkdir(plugins)
        os.symlink(ECHO, os.path.join(plugins, "service-echo.so"))
        with open(path, "w", encoding="utf-8") as file:
            file.write(profile.text(cls.profile()))
        env = {"FARWATCH_PLUGIN_DIR": f"{PLUGINS}:{plugins}", "LD_LIBRARY_PATH": os.path.join(BUILD, ".libs")}
        cls.cloud = cls.peer([DAEMON, "--profile", path], env=env, notify=True)
        cls.cloud.wait_notice("READY=1", 30)

    @classmethod
    def peer(cls, argv, **how):
        """A process that lives as long as the class; what is wrong with its end fails the class."""
        process = Process(argv, os.path.join(cls.dir, f"{os.path.basename(argv[0])}.log"), **how)
        cls.addClassCleanup(cls._stop, process)
        return process

    @classmethod
    def _stop(cls, process):
        faults = process.stop(idle=process.notified)
        assert not faults, faults

    @classmethod
    def transports(cls):
        at = {name: f"127.0.0.1:{port}" for name, port in cls.ports.items()}
        return {"nodes": {"type": "websocket", "listen": at["nodes"], **cls.limits()}, "people": cls.https(at["people"])}

    @classmethod
    def limits(cls):
        return {"max-per-address": 2000, "trusted": ["127.0.0.0/8"]}

    @classmethod
    def https(cls, listen, **more):
        return {"type": "https", "listen": listen, "login": ["people"], "max-connections": 2000, **cls.limits(), **more}

    @classmethod
    def rights(cls):
        return []

    @classmethod
    def profile(cls):
        return {
            "farwatch": 1, "node": {"id": "cloud", "state": os.path.join(cls.dir, "cloud"), "control": cls.control},
            "authenticators": {"people": {"type": "file", "path": "people"}}, "transports": cls.transports(),
            "services": {"echo": {"type": "echo"}}, "rights": cls.rights(),
        }

    # ---- what a peer is told ----

    @classmethod
    def path(cls, *names):
        return os.path.join(cls.dir, *names)

    @classmethod
    def keys(cls, node, *where):
        return cls.path(*where, node, "keys")

    def url(self, path="/", door="people", scheme="https"):
        return f"{scheme}://localhost:{self.ports[door]}{path}"

    def stream_ticket(self, what="echo", body=None):
        return self.door.call("POST", what, body or {})["ticket"]

    def login_ticket(self, port=None):
        connection = http.client.HTTPSConnection("localhost", port or self.ports["people"], context=ws.context_of(self.ca), timeout=30)
        connection.request("POST", "/api/login", LOGIN, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        self.assertEqual(answer.status, 200, text)
        return json.loads(text)["ticket"]

    @classmethod
    def spki(cls):
        """sha256 of the public key of the cloud's certificate, in base64."""
        pem = run(["openssl", "x509", "-in", cls.keys("cloud") + "/node.crt", "-noout", "-pubkey"]).out
        return base64.b64encode(hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.replace("PUBLIC KEY", "CERTIFICATE"))).digest()).decode()

    def assert_served(self):
        """The listeners still do their work."""
        with ws.tls(("127.0.0.1", self.ports["people"]), self.ca) as sock:
            self.assertEqual(ws.WebSocket(sock).ask("GET", "login")[0], 401)
        with ws.tls(("127.0.0.1", self.ports["nodes"]), self.ca, keys=self.keys("t2")) as sock:
            self.assertEqual(ws.WebSocket(sock).ask("GET", "nothing")[0], 404)
        self.assertTrue(self.cloud.running())
