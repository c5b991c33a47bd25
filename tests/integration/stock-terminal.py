# SPDX-License-Identifier: LGPL-2.1-or-later
"""A terminal without farwatchd: stock `ssh -R` towards an sshd that asks people itself (stock: host-login), in a fleet with a real cloud."""
import getpass
import json
import os
import pty
import subprocess
import unittest

import lab
import tap
from lab.ssh import Stock
from lab.node import FARCTL, environment
from lab.process import FarctlError
from lab.wait import free_port, listening, wait_until

TERMINAL = "plant-9"


class Sshd:
    """OpenSSH's server as any user can run it: only keys, only this user."""

    def __init__(self, folder):
        os.makedirs(folder, mode=0o755)
        self.folder, self.port, self.authorized = folder, free_port(), os.path.join(folder, "authorized")
        host = os.path.join(folder, "host")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", host], check=True, timeout=30)
        with open(host + ".pub", encoding="ascii") as file:
            self.host_key = file.read().strip()
        with open(os.path.join(folder, "config"), "w", encoding="ascii") as file:
            file.write(f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {host}\nAuthorizedKeysFile {self.authorized}\nStrictModes no\nUsePAM no\n"
                       "PermitRootLogin yes\nPasswordAuthentication no\nPidFile none\n")
        if os.getuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        with open(os.path.join(folder, "log"), "wb") as log:
            self.process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", os.path.join(folder, "config")], stderr=log, stdin=subprocess.DEVNULL)
        wait_until(lambda: self.port in listening(), 10, "sshd listens")

    def close(self):
        self.process.terminate()
        self.process.wait(10)


class StockTerminal(unittest.TestCase):
    def setUp(self):
        self.fleet = lab.Fleet(terminals=())
        self.addCleanup(self.end_fleet)
        self.fleet.start()
        self.sshd = self.fleet.adopt(Sshd(os.path.join(self.fleet.folder, "sshd")))
        self.keys = os.path.join(self.fleet.folder, "plant-9-keys")
        box = self.farctl("credential", "keys", self.keys)["box"]
        host_key = os.path.join(self.sshd.folder, "host.pub")
        self.fleet.farctl("terminal", "add", TERMINAL, "--stock", "host-login", "--ssh", host_key, "--box", box)
        self.alice = lab.Person(self.fleet, "alice").login()

    def end_fleet(self):
        result = self._outcome.result
        self.fleet.end(failed=any(test is self for test, _ in result.failures + result.errors))

    def farctl(self, *words, **how):
        home = {"XDG_CONFIG_HOME": os.path.join(self.fleet.folder, "config")}
        return self.fleet.farctl(*words, json=True, env=home, **how)

    def wait_offer(self, session):
        wait_until(lambda: self.fleet.session(session)["offer"] == "ready", 10, "an offer", every=0.02)

    def dial(self, session, token=None, words=()):
        """The terminal's owner does as `credential show` says, with `credential open` as askpass (or a token of before)."""
        shown = self.farctl("credential", "show", session, "--keys", self.keys, "--to", f"127.0.0.1:{self.sshd.port}", *words)
        self.assertNotIn("token", json.dumps(shown))
        self.assertEqual(shown["terminal"], TERMINAL)
        script, command = os.path.join(self.fleet.folder, "askpass"), f"'{FARCTL}' --socket '{self.fleet.cloud.control}' credential open {session} --keys '{self.keys}'"
        if token:
            with open(os.path.join(self.fleet.folder, "word"), "w", encoding="ascii") as file:
                file.write(token + "\n")
            command = f"cat '{self.fleet.folder}/word'"
        with open(script, "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\nexec {command}\n")
        os.chmod(script, 0o700)
        process = subprocess.Popen(["sh", "-c", "exec " + shown["ssh"].replace("ssh -N", "ssh -F none -N", 1)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, start_new_session=True,
                                   env={**os.environ, **environment(), "SSH_ASKPASS": script, "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":none"})
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def ended(self, process):
        _, text = process.communicate(timeout=30)
        return text.decode()

    def open(self, **how):
        session = self.alice.request(TERMINAL, **how)["session"]
        self.wait_offer(session)
        process = self.dial(session)
        wait_until(lambda: self.fleet.session(session)["state"] == "open" or process.poll() is not None, 20, "open", every=0.05)
        self.assertIsNone(process.poll(), "ssh -R has ended")
        return self.fleet.session(session), process

    def visit(self, row, command):
        stock = Stock(os.path.join(self.fleet.folder, "alice-at-home"), self.fleet, getpass.getuser(), TERMINAL)
        with open(self.sshd.authorized, "w", encoding="ascii") as file:
            file.write(stock.key() + "\n")
        return stock.run(row["y"], key=True, command=command)

    def test_from_the_keys_to_the_deadline(self):
        row, process = self.open(for_s=600)
        done = self.visit(row, ("echo", "through", "a", "stock", "end"))
        self.assertEqual(done.stdout, "through a stock end\n", done.stderr)
        self.assertEqual(row["deadline_at"], "one end")
        self.assertIn("one end", self.fleet.farctl("sessions"))
        self.fleet.cloud.advance(601)
        self.ended(process)
        self.assertEqual(self.fleet.wait_over(row["session"])["cause"], "deadline")
        self.fleet.ports_gone(row)

    def test_a_tunnel_end_on_all_addresses(self):
        """It tells no host: the one that the terminal asked at is printed, or the one that was said, and none without either; when its link has come, where to."""
        tunnels = self.fleet.cloud.profile["transports"]["tunnels"]
        tunnels.update({"listen": f"[::]:{self.fleet.ports['ssh']}", "y-listen": "::"})
        self.fleet.cloud.restart()
        self.alice.login()
        session = self.alice.request(TERMINAL)["session"]
        self.wait_offer(session)
        words = ("credential", "show", session, "--keys", self.keys)
        done = self.fleet.farctl(*words, check=False)
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("--host HOST", done.stderr)
        for shown in (self.farctl(*words, "--host", "127.0.0.1"), self.show_from_far_away(*words)):
            self.assertEqual(shown["address"], f"127.0.0.1:{self.fleet.ports['ssh']}")
            self.assertRegex(shown["ssh"], r"-l plant-9 '?127\.0\.0\.1'?$")
            self.assertNotIn("::", shown["ssh"])
        row = self.fleet.session(session)
        self.assertEqual((row["deadline_at"], row["z"], row["z_from"]), ("one end", None, None), "before it is open as well")
        self.dial(session, words=("--host", "127.0.0.1"))
        row = self.fleet.wait_session(session, "open", timeout=20)
        self.assertEqual((row["z"], row["z_from"]), ("127.0.0.1", "link"))

    def show_from_far_away(self, *words):
        self.fleet.farctl_as("alice", "--ca", self.fleet.ca, "login", "alice", "--password-stdin", input=self.alice.password + "\n")
        return self.fleet.farctl_as("alice", *words, json=True)

    def test_close_and_resume(self):
        row, process = self.open()
        process.kill()
        self.fleet.wait_session(row["session"], "resuming")
        self.wait_offer(row["session"])
        second = self.dial(row["session"])
        again = self.fleet.wait_session(row["session"], "open", timeout=20)
        self.assertEqual((again["x"], again["y"], again["generation"]), (row["x"], row["y"], row["generation"] + 1))
        self.assertEqual(self.visit(row, ("echo", "back")).stdout, "back\n")
        self.alice.close(row["session"])
        self.assertNotEqual(self.visit(row, ("echo", "late")).returncode, 0)
        self.fleet.advance_cloud_grace()
        self.ended(second)
        self.fleet.wait_over(row["session"])

    def test_the_password_is_good_once(self):
        session = self.alice.request(TERMINAL)["session"]
        self.wait_offer(session)
        token = self.farctl("credential", "open", session, "--keys", self.keys, reveals=True)["token"]
        first = self.dial(session, token)
        self.fleet.wait_session(session, "open", timeout=20)
        first.kill()
        self.fleet.wait_session(session, "resuming")
        self.wait_offer(session)
        self.assertIn("Permission denied", self.ended(self.dial(session, token)))
        self.assertIn(self.fleet.session(session)["state"], ("opening", "resuming"))

    def test_nobody_else_opens_it(self):
        session = self.alice.request(TERMINAL)["session"]
        self.wait_offer(session)
        other = os.path.join(self.fleet.folder, "other-keys")
        self.farctl("credential", "keys", other)
        with self.assertRaisesRegex(FarctlError, "not sealed to this node"):
            self.farctl("credential", "open", session, "--keys", other)
        bob = lab.Person(self.fleet, "bob").login()
        self.assertEqual(bob.ask("POST", f"sessions/{session}/offer")[0], 403)

    def test_an_offer_that_was_changed(self):
        session = self.alice.request(TERMINAL)["session"]
        self.wait_offer(session)
        offer = self.alice.call("POST", f"sessions/{session}/offer")
        for field, value in {"address": "127.0.0.1:1", "x": 1, "generation": 7, "host_key": "ssh-ed25519 AAAA", "session": "another"}.items():
            done = self.fleet.farctl("credential", "open", session, "--keys", self.keys, "--offer", "-", input=json.dumps({**offer, field: value}), check=False)
            self.assertEqual((done.returncode, done.stdout), (1, ""), field)
            self.assertIn(field, done.stderr)
        done = self.fleet.farctl("credential", "open", session, "--keys", self.keys, "--offer", "-", input=json.dumps(offer), check=False, reveals=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_never_to_a_terminal(self):
        session = self.alice.request(TERMINAL)["session"]
        self.wait_offer(session)
        main, side = pty.openpty()
        words = [FARCTL, "--socket", self.fleet.cloud.control, "credential", "open", session, "--keys", self.keys]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=side, stderr=subprocess.PIPE, text=True, timeout=30, env={**os.environ, **environment()})
        os.close(side)
        self.assertEqual(done.returncode, 2)
        self.assertIn("SSH_ASKPASS", done.stderr)
        try:
            self.assertEqual(os.read(main, 100), b"")
        except OSError:
            pass  # nothing was written, and nobody can any more
        os.close(main)

    def test_no_login_in_advance(self):
        wish = {"id": "r", "terminal": TERMINAL, "for_us": 60_000_000, "reason": "test", "entry": "stream", "login": "in-advance", "login_box": "x"}
        status, body = self.alice.ask("POST", "sessions", wish)[:2]
        self.assertEqual(status, 400)
        self.assertIn("in band", body["message"])


tap.main()
