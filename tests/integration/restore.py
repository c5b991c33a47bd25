# SPDX-License-Identifier: LGPL-2.1-or-later
"""A node that lost its store or its machine: a damaged store is not judged by before a person has decided, and a backup becomes the same node again."""
import contextlib
import json
import os
import shutil
import sqlite3

import tap
import lab
from lab.case import FleetCase
from lab.wait import wait_until

PASSPHRASE = "four words are a passphrase"


class Lost(FleetCase):
    def farctl(self, *words, node=None, input=None):
        return (node or self.fleet.cloud).farctl(*words, check=False, input=input)

    def restart(self):
        self.fleet.cloud.start()
        self.fleet.wait_connected("t1", 60)
        self.alice.login()


class Damaged(Lost):
    def damage(self, first, every=1, last=None):
        """Junk in pages of the cloud's database."""
        path = os.path.join(self.fleet.cloud.state, "main.db")
        self.fleet.cloud.stop()
        pages = os.path.getsize(path) // 4096
        with open(path, "r+b") as file:
            for page in range(first, min(last or pages, pages), every):
                file.seek(page * 4096)
                file.write(b"j" * 4096)
        self.fleet.cloud.spawn().wait_notice("^READY=1", 30)

    def refused(self):
        """Nothing that needs judging is done: not by people, not by nodes, and the cause is said to who may know it."""
        self.alice.login()
        status, answer = self.alice.ask("POST", "sessions", {"terminal": "t1", "device": "echo", "reason": "x", "entry": "ports"})
        self.assertEqual(status, 503, answer)
        self.assertIn("does not run now", answer["message"])
        self.assertNotIn(self.fleet.cloud.state, answer["message"], "paths are not for everybody")
        done = self.farctl("terminals")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("store damaged", done.stderr)
        self.assertIn("--begin-empty", done.stderr)
        status = json.loads(self.farctl("status", "--json").stdout)
        self.assertEqual(status["state"], "degraded")
        self.assertIn("store damaged", next(row["cause"] for row in status["instances"] if row["path"] == "stores.main"))
        self.assertIn("stores.main:", self.farctl("doctor").stdout)
        self.fleet.terminal.advance(130)  # it polls, and sends values

    def test_nothing_is_guessed(self):
        """Nothing can be read: without a word of a person there is no empty fleet."""
        self.start_fleet()
        self.damage(0)
        self.refused()
        self.fleet.cloud.restart()
        self.refused()
        self.assertNotEqual(self.farctl("backup", os.path.join(self.fleet.folder, "b")).returncode, 0, "half a node is no backup")
        self.fleet.cloud.stop()
        done = self.farctl("restore", "--begin-empty", "--profile", self.fleet.cloud.profile_path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("could be read: nothing", done.stderr)
        self.fleet.cloud.start()
        self.assertEqual(self.fleet.farctl("terminals", json=True)["terminals"], [])

    def test_damage_that_comes_up_while_it_runs(self):
        """What is open stays open, what is new is refused. What could be read is there when a person has said so."""
        self.start_fleet()
        self.fleet.cloud.stop()
        path = os.path.join(self.fleet.cloud.state, "main.db")
        with contextlib.closing(sqlite3.connect(path)) as base:
            page = base.execute("SELECT rootpage FROM sqlite_master WHERE name = 'batch'").fetchone()[0]
        with open(path, "r+b") as file:
            file.seek((page - 1) * 4096)
            file.write(b"j" * 4096)
        self.restart()
        row = self.open()
        sock = self.dial(row)
        self.assertNotIn("store damaged", self.farctl("status").stdout)
        self.fleet.terminal.advance(30)  # values come: the first that need that page
        wait_until(lambda: "store damaged" in self.farctl("status").stdout, 30, "the damage is found", every=0.2)
        self.exchange(sock)
        status, answer = self.alice.ask("POST", "sessions", {"terminal": "t1", "device": "echo", "reason": "x", "entry": "ports"})
        self.assertGreaterEqual(status, 500, answer)
        self.exchange(sock)
        self.fleet.cloud.stop()
        done = self.farctl("restore", "--begin-empty", "main", "--profile", self.fleet.cloud.profile_path)
        self.assertRegex(done.stderr, "could be read: .*terminals 1")
        self.restart()
        self.assert_works()


class Backup(Lost):
    def setUp(self):
        self.start_fleet()
        self.file = os.path.join(self.fleet.folder, "backup")

    def backup(self, node=None, *words, input=PASSPHRASE + "\n"):
        done = self.farctl("backup", self.file, *(words or ("--password-stdin",)), node=node, input=input)
        self.assertEqual(done.returncode, 0, done.stderr)

    def restore(self, node, *words, input=PASSPHRASE + "\n"):
        return self.farctl("restore", self.file, "--profile", node.profile_path, *(words or ("--password-stdin",)), node=node, input=input)

    def lose(self, node):
        """The machine is gone."""
        node.stop()
        shutil.rmtree(node.state)
        os.remove(node.profile_path)

    def test_cloud_on_an_empty_machine(self):
        """Terminals, people, rights, authority: the fleet goes on as if nothing had been."""
        self.fleet.farctl("grant", "bob", "see", "terminals/t1", "--id", "for-bob")
        self.assert_works()
        known = len(self.fleet.history())
        with open(self.fleet.cloud.profile_path, encoding="utf-8") as file:
            profile = file.read()
        self.backup()
        self.assertEqual(os.listdir(os.path.join(self.fleet.cloud.state, "backups")), [], "the copies are gone again")
        self.assertEqual(os.stat(self.file).st_mode & 0o777, 0o600)
        with open(self.file, "rb") as file:
            packed = file.read()
        for secret in (b"PRIVATE KEY", b"for-bob", b"alice"):
            self.assertNotIn(secret, packed)
        self.lose(self.fleet.cloud)
        done = self.restore(self.fleet.cloud)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.fleet.cloud.profile_path, encoding="utf-8") as file:
            self.assertEqual(file.read(), profile)
        self.restart()
        self.assert_works()
        self.assertGreaterEqual(len(self.fleet.history()), known)
        self.assertIn("for-bob", self.fleet.farctl("rights"))
        self.fleet.start_terminal(self.fleet.add_terminal("t2"))  # the authority signs on

    def test_terminal_to_a_box_key(self):
        """With its keys and its people, no new enrolment."""
        terminal, keys = self.fleet.terminal, os.path.join(self.fleet.folder, "keys")
        key = self.farctl("credential", "keys", keys).stdout.strip()
        self.backup(terminal, "--to", key, input=None)
        self.lose(terminal)
        done = self.restore(terminal, "--password-stdin", input=PASSPHRASE + "\n")
        self.assertIn("--key", done.stderr)
        done = self.restore(terminal, "--key", keys, input=None)
        self.assertEqual(done.returncode, 0, done.stderr)
        terminal.start()
        self.fleet.wait_connected("t1", 60)
        self.assert_works()

    def test_what_is_there_is_put_aside(self):
        cloud = self.fleet.cloud
        self.backup()
        self.assertIn("farwatchd", self.restore(cloud, "--password-stdin", "--replace").stderr)
        cloud.stop()
        self.assertIn("--replace", self.restore(cloud).stderr)
        done = self.restore(cloud, "--password-stdin", "--replace")
        self.assertEqual(done.returncode, 0, done.stderr)
        aside = next(name for name in os.listdir(cloud.state) if name.startswith("before-restore-"))
        self.assertTrue(os.path.exists(os.path.join(cloud.state, aside, "main.db")))
        self.restart()
        self.assert_works()

    def test_files_that_are_not_good_change_nothing(self):
        """Cut, changed, of another passphrase: refused before anything is in its place."""
        terminal = self.fleet.terminal
        self.backup(terminal)
        with open(self.file, "rb") as file:
            good = file.read()
        self.lose(terminal)
        for what, bad in {"cut": good[:-40], "changed": good[:-40] + bytes([good[-40] ^ 1]) + good[-39:], "longer": good + b"x", "front": good[:8] + b"\0" + good[9:],
                          "none": b"what is this?", "empty": b""}.items():
            with self.subTest(what):
                with open(self.file, "wb") as file:
                    file.write(bad)
                self.assertNotEqual(self.restore(terminal).returncode, 0)
                self.assertFalse(os.path.exists(terminal.profile_path))
                self.assertLessEqual(set(os.listdir(terminal.state)) if os.path.exists(terminal.state) else set(), {"lock"})
        with open(self.file, "wb") as file:
            file.write(good)
        self.assertIn("passphrase", self.restore(terminal, input="another passphrase\n").stderr)
        self.assertEqual(self.restore(terminal).returncode, 0)


tap.main()
