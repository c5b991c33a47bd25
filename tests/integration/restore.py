# SPDX-License-Identifier: LGPL-2.1-or-later
"""A node that lost its store or its machine: a damaged store is not judged by before a person has decided, and a backup becomes the same node again."""
import contextlib
import ctypes
import json
import os
import re
import shutil
import socket
import sqlite3
import stat
import subprocess
import tempfile
import unittest

import tap
import lab
from fakes.door import Door
from lab.case import FleetCase
from lab.disk import Disk
from lab.node import DAEMON, FARCTL, Node, environment
from lab.process import Process
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

    def restore(self, node, *words, input=PASSPHRASE + "\n", state=None):
        return self.farctl("restore", self.file, "--profile", node.profile_path, "--state", state or node.state, *(words or ("--password-stdin",)), node=node, input=input)

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
        os.chmod(cloud.profile_path, 0o600)
        self.mode = 0o600
        self.backup()
        done = self.restore(cloud, "--password-stdin", "--replace")
        self.assertIn("farwatchd", done.stderr)
        self.assertEqual(done.returncode, 5, "it waits for the daemon's end")
        cloud.stop()
        done = self.restore(cloud)
        self.assertIn("--replace", done.stderr)
        self.assertEqual(done.returncode, 1, "trying again later does not help")
        os.makedirs(cloud.profile_path + ".d")
        with open(os.path.join(cloud.profile_path + ".d", "old.yaml"), "w", encoding="utf-8") as file:
            file.write("node: {trim: false}\n")
        os.chmod(cloud.profile_path, 0o640)
        # The state directory is the one that the profile in its place names: no need to say it.
        done = self.farctl("restore", self.file, "--profile", cloud.profile_path, "--password-stdin", "--replace", input=PASSPHRASE + "\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse(os.path.exists(cloud.profile_path + ".d"), "a drop-in that the backup has not is not left active")
        self.assertTrue(any(".yaml.d.before-" in name for name in os.listdir(self.fleet.cloud.folder)))
        self.assertEqual(os.stat(cloud.profile_path).st_mode & 0o777, self.mode, "as it was when the backup was made")
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

    def forge(self, state, *entries):
        """A plain backup that anybody can make, which opens: its own words for where things were, and entries (head, bytes)."""
        head = {"farwatch": "backup", "node": "t1", "version": "1", "made": "x", "profile": "/p.yaml", "state": state, "stores": {}}
        key, state_of, header = os.urandom(32), ctypes.create_string_buffer(512), ctypes.create_string_buffer(24)
        plain = b""
        for entry, data in ((head, b""), ({"path": "profile/p.yaml", "mode": 0o644}, b"farwatch: 1\n"), *entries):
            text = json.dumps({**entry, "n": len(data)}).encode()
            plain += len(text).to_bytes(4, "big") + text + data
        sodium = ctypes.CDLL("libsodium.so.23")
        sodium.crypto_secretstream_xchacha20poly1305_init_push(state_of, header, key)
        front, sealed = b"FARB\1\0" + key, ctypes.create_string_buffer(len(plain) + 17)
        sodium.crypto_secretstream_xchacha20poly1305_push(state_of, sealed, None, plain, ctypes.c_ulonglong(len(plain)), front, ctypes.c_ulonglong(len(front)), ctypes.c_ubyte(3))
        with open(self.file, "wb") as file:
            file.write(front + header.raw + len(sealed.raw).to_bytes(4, "big") + sealed.raw)

    def test_a_forged_file_does_not_say_where_things_go(self):
        """A state directory that it names is not taken; with --state it goes there and nowhere else."""
        victim, place, profile = (os.path.join(self.fleet.folder, name) for name in ("victim", "place", "new.yaml"))
        os.mkdir(victim)
        for state in (victim, os.path.join(victim, "new"), os.path.join(victim, "..", "victim")):
            self.forge(state, ({"path": "state/authorized_keys", "mode": 0o600}, b"mine"))
            done = self.farctl("restore", self.file, "--profile", profile)
            self.assertEqual(done.returncode, 1)
            self.assertIn("--state", done.stderr)
            self.assertEqual(os.listdir(victim), [])
            self.assertFalse(os.path.exists(profile))
        done = self.farctl("restore", self.file, "--profile", profile, "--state", place)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(os.listdir(victim), [])
        self.assertIn("authorized_keys", os.listdir(place))
        self.assertIn(f"the state directory is {place}", done.stderr)
        self.assertIn(f"--state {place}", done.stdout + done.stderr, "the profile does not say it")

    def test_no_clear_copy_stays(self):
        """A short passphrase, a place that is not good, a copy that fails, a daemon that died on the way: nothing is left in STATE/backups."""
        cloud, backups = self.fleet.cloud, os.path.join(self.fleet.cloud.state, "backups")
        for place, phrase in ((self.file, "short\n"), (os.path.join(self.file, "x", "y"), PASSPHRASE + "\n")):
            self.assertNotEqual(self.farctl("backup", place, "--password-stdin", input=phrase).returncode, 0)
            self.assertFalse(os.path.exists(backups), "it fails before anything is copied")
        done = self.farctl("backup", os.path.join(cloud.state, "b"), "--password-stdin", input=PASSPHRASE + "\n")
        self.assertIn("below the state directory", done.stderr)
        self.assertEqual(os.listdir(backups), [])
        self.assertEqual([name for name in os.listdir(cloud.state) if name.startswith("b.") or name == "b"], [])
        bad = os.path.join(cloud.state.encode(), b"no-text-\xff")
        os.mkdir(bad)
        done = self.farctl("backup", self.file, "--password-stdin", input=PASSPHRASE + "\n")
        self.assertEqual((done.returncode > 0, os.listdir(backups)), (True, []), done.stderr)
        self.assertIn("no text", done.stderr)
        os.rmdir(bad)
        cloud.stop()
        for name in ("once-left", "asked-for"):
            os.makedirs(os.path.join(backups, name))
            with open(os.path.join(backups, name, "main"), "w", encoding="utf-8") as file:
                file.write("clear")
        self.restart()
        self.assertEqual(os.listdir(backups), ["asked-for"], "what has a name was asked for")

    def test_a_part_that_somebody_else_laid_there_is_not_written_to(self):
        """Whoever has it open does not read along; and two ways to say how are refused."""
        with open(self.file + ".part", "w+b") as theirs:
            os.chmod(self.file + ".part", 0o666)
            self.backup()
            theirs.seek(0)
            self.assertEqual(theirs.read(), b"")
        self.assertEqual(os.stat(self.file).st_mode & 0o777, 0o600)
        self.assertEqual(self.farctl("backup", self.file, "--password-stdin", "--to", "x", input="y\n").returncode, 2)

    def test_a_daemon_does_not_say_what_is_removed(self):
        """Only its own folder of copies goes, whatever the answer names."""
        folder = os.path.join(self.fleet.folder, "door")
        state, victim, out = (os.path.join(folder, name) for name in ("state", "victim", "out"))
        for path in (os.path.join(state, "backups", "once-a"), victim):
            os.makedirs(path)
        with open(os.path.join(folder, "p.yaml"), "w", encoding="utf-8") as file:
            file.write("farwatch: 1\n")
        named = [victim, os.path.join(state, "backups", "..", "..", "victim"), state, os.path.join(state, "backups")]
        for path in [*named, os.path.join(state, "backups", "once-a")]:
            answer = {"path": path, "node": "t1", "version": "1", "state": state, "profile": os.path.join(folder, "p.yaml"), "stores": {}}
            door = Door(folder, {"POST backup": (200, answer)})
            done = self.farctl("--socket", door.path, "backup", out)
            door.close()
            os.unlink(door.path)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(path in named, "are left" in done.stderr, done.stderr)
            self.assertTrue(os.path.isdir(victim) and os.path.isdir(os.path.join(state, "backups")))
        self.assertEqual(os.listdir(os.path.join(state, "backups")), [])

    def test_a_slash_at_the_end_of_the_state_changes_nothing(self):
        """One folder, one name: the store comes back to its place, not beside it."""
        cloud = self.fleet.cloud
        cloud.stop()
        cloud.profile["node"]["state"] = cloud.state + "//"
        self.restart()
        self.backup()
        names = set(os.listdir(cloud.state))
        self.lose(cloud)
        done = self.restore(cloud, state=cloud.state + "/")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("outside", done.stderr)
        self.assertIn("main.db", os.listdir(cloud.state))
        self.assertEqual({name for name in os.listdir(cloud.state) if name.startswith("restored-")}, set())
        self.assertLessEqual(names - {"backups", "main.db-wal", "main.db-shm", "damaged", "control.sock"}, set(os.listdir(cloud.state)))
        self.restart()
        self.assert_works()

    def test_a_profile_that_cannot_be_written_changes_nothing(self):
        """What was there is there again, to the last file."""
        terminal = self.fleet.terminal
        self.backup(terminal)
        terminal.stop()
        before = sorted(os.listdir(terminal.state))
        os.rename(terminal.profile_path, terminal.profile_path + ".kept")
        nowhere = os.path.join(self.file, "below-a-file.yaml")
        done = self.farctl("restore", self.file, "--profile", nowhere, "--state", terminal.state, "--password-stdin", "--replace", input=PASSPHRASE + "\n")
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(sorted(os.listdir(terminal.state)), before)
        # The last step fails, when the state is in its place already: it goes back.
        self.forge(terminal.state, ({"path": "profile/p.yaml.d/a.yaml", "mode": 0o644}, b"rights: []\n"), ({"path": "profile/p.yaml.d/folder", "folder": True}, b""))
        folder = os.path.join(self.fleet.folder, "folder")
        os.mkdir(folder)
        done = self.farctl("restore", self.file, "--profile", os.path.join(folder, "."), "--state", terminal.state, "--replace")  # "." cannot be moved
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("cannot move", done.stderr)
        self.assertEqual(sorted(os.listdir(terminal.state)), before)
        self.assertEqual(os.listdir(folder), [])
        done = self.farctl("restore", self.file, "--profile", terminal.profile_path, "--state", terminal.state, "--replace")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("is a folder", done.stderr)
        self.assertEqual(os.listdir(terminal.profile_path + ".d"), ["a.yaml"])

    def test_a_profile_below_the_state(self):
        """Onto an empty machine, and over the node that is there."""
        cloud = self.fleet.cloud
        cloud.stop()
        cloud.profile_path = os.path.join(cloud.state, "cloud.yaml")
        self.restart()
        with open(cloud.profile_path, encoding="utf-8") as file:
            profile = file.read()
        self.backup()
        cloud.stop()
        for again in (False, True):
            if not again:
                shutil.rmtree(cloud.state)
            done = self.restore(cloud, "--password-stdin", *(["--replace"] if again else []))
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(cloud.profile_path, encoding="utf-8") as file:
                self.assertEqual(file.read(), profile)
            self.assertIn("main.db", os.listdir(cloud.state))
        self.restart()
        self.assert_works()

    @unittest.skipUnless(shutil.which("strace"), "kill -9 at a system call needs strace")
    def test_kill_9_on_the_way(self):
        """At each file that is moved: the node that is half there does not start, and the same command again makes it whole."""
        terminal, names = self.fleet.terminal, lambda: {name for name in os.listdir(self.fleet.terminal.state) if not name.startswith("before-restore-")}
        self.backup(terminal)
        terminal.stop()
        whole, ended, halves, at = None, False, 0, 0
        while not ended:
            at += 1
            self.assertLess(at, 60)
            for name in os.listdir(terminal.state):  # of the rounds before
                if name.startswith("before-restore-"):
                    shutil.rmtree(os.path.join(terminal.state, name))
            mark = os.path.join(terminal.state, f"mark-{at}")
            with open(mark, "w", encoding="utf-8") as file:
                file.write("of before")
            argv = [FARCTL, "restore", self.file, "--profile", terminal.profile_path, "--state", terminal.state, "--password-stdin", "--replace"]
            done = subprocess.run(["strace", "-f", "-o", "/dev/null", "-e", "trace=rename", "-e", f"inject=rename:signal=SIGKILL:when={at}", *argv],
                                  input=PASSPHRASE + "\n", text=True, capture_output=True, timeout=60,
                                  env={**os.environ, **environment(), "ASAN_OPTIONS": "detect_leaks=0"})
            ended = done.returncode == 0
            half = os.path.exists(os.path.join(terminal.state, ".restoring"))
            halves += half
            if half:
                process = terminal.spawn()
                process.expect_end = True
                self.assertNotEqual(process.wait(), 0)
                process.wait_line("broken off")
                terminal.collect()
            if not ended:
                again = self.restore(terminal, "--password-stdin", *([] if half else ["--replace"]))
                self.assertEqual(again.returncode, 0, f"{at}: {again.stderr}")
            aside = [name for name in os.listdir(terminal.state) if name.startswith("before-restore-")]
            self.assertEqual(len(aside), 1, f"{at}: {aside}")
            self.assertTrue(os.path.exists(os.path.join(terminal.state, aside[0], f"mark-{at}")), f"{at}: what was there before is in one place")
            whole = whole or names()
            self.assertEqual(names(), whole, f"{at}")
            self.assertFalse(os.path.exists(os.path.join(terminal.state, ".restoring")))
        self.assertGreater(halves, 5)
        terminal.start()
        self.fleet.wait_connected("t1", 60)
        self.assert_works()

    def asides(self, node, name):
        """The folders of what was put aside that have a file of this name."""
        return [folder for folder in os.listdir(node.state) if folder.startswith("before-restore-") and os.path.exists(os.path.join(node.state, folder, name))]

    @unittest.skipUnless(shutil.which("strace"), "a rename that fails needs strace")
    def test_a_disk_that_fails_on_the_way(self):
        """No file can be moved any more, back neither: nothing starts of what is half there, and the same command again makes it whole."""
        terminal, at, halves, done = self.fleet.terminal, 0, 0, None
        self.backup(terminal)
        terminal.stop()
        while done is None or done.returncode != 0:
            at += 1
            self.assertLess(at, 60)
            mark = f"mark-{at}"
            with open(os.path.join(terminal.state, mark), "w", encoding="utf-8") as file:
                file.write("of before")
            argv = [FARCTL, "restore", self.file, "--profile", terminal.profile_path, "--state", terminal.state, "--password-stdin", "--replace"]
            done = subprocess.run(["strace", "-f", "-o", "/dev/null", "-e", "trace=rename", "-e", f"inject=rename:error=EIO:when={at}+", *argv],
                                  input=PASSPHRASE + "\n", text=True, capture_output=True, timeout=60,
                                  env={**os.environ, **environment(), "ASAN_OPTIONS": "detect_leaks=0"})
            if done.returncode == 0:
                break
            half = os.path.exists(os.path.join(terminal.state, ".restoring"))
            halves += half
            self.assertTrue(half or os.path.exists(os.path.join(terminal.state, mark)), f"{at}: {done.stderr}")
            again = self.restore(terminal, "--password-stdin", *([] if half else ["--replace"]))
            self.assertEqual(again.returncode, 0, f"{at}: {again.stderr}")
            self.assertEqual(len(self.asides(terminal, mark)), 1, f"{at}: what was there before is not lost")
        self.assertGreater(halves, 3)
        terminal.start()
        self.fleet.wait_connected("t1", 60)

    @unittest.skipUnless(shutil.which("strace"), "the order of system calls needs strace")
    def test_what_is_said_of_a_restore_is_on_the_disk_before_it_is_said(self):
        """A power cut does not leave "all of it is out" without what was put out."""
        terminal, trace = self.fleet.terminal, os.path.join(self.fleet.folder, "trace")
        self.backup(terminal)
        terminal.stop()
        argv = [FARCTL, "restore", self.file, "--profile", terminal.profile_path, "--state", terminal.state, "--password-stdin", "--replace"]
        subprocess.run(["strace", "-f", "-o", trace, "-e", "trace=rename,syncfs,sync,unlink", *argv], input=PASSPHRASE + "\n", text=True, check=True, timeout=60,
                       env={**os.environ, **environment(), "ASAN_OPTIONS": "detect_leaks=0"})
        moved = False
        with open(trace, encoding="utf-8") as file:
            for line in file:
                if "sync" in line:
                    moved = False
                elif "/.restoring" in line:
                    self.assertFalse(moved, line)
                elif "rename(" in line and line.count("/.restore/") < 2:
                    moved = True

    def test_a_note_that_the_daemons_user_laid_is_not_believed(self):
        """A link, a FIFO or a lie where a restore notes how far it is: nothing hangs, and what is root's is not deleted for it."""
        terminal = self.fleet.terminal
        self.backup(terminal)
        terminal.stop()
        note, profile = os.path.join(terminal.state, ".restoring"), terminal.profile_path
        for lay in (lambda: os.mkfifo(note), lambda: os.symlink("/dev/zero", note)):
            lay()
            argv = [FARCTL, "restore", self.file, "--profile", profile, "--state", terminal.state, "--password-stdin"]
            done = subprocess.run(argv, input=PASSPHRASE + "\n", text=True, capture_output=True, timeout=20, env={**os.environ, **environment()})
            self.assertIn("--replace", done.stderr)
            os.remove(note)
        with open(note, "w", encoding="utf-8") as file:
            file.write("before-restore-1\nin\n")
        for path, text in ((profile, "mine"), (profile + ".before-1", "older"), (profile + ".d/a.yaml", "a part"), (profile + ".d.before-1/a.yaml", "an older part")):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        done = self.restore(terminal)
        self.assertEqual(done.returncode, 0, done.stderr)
        texts = set()
        for folder, _, files in os.walk(os.path.dirname(profile)):
            for name in files:
                if ".before-" in os.path.join(folder, name) and not folder.startswith(terminal.state):
                    with open(os.path.join(folder, name), encoding="utf-8") as file:
                        texts.add(file.read())
        self.assertLessEqual({"mine", "older", "a part", "an older part"}, texts)

    def terminal_within(self):
        """Both on one machine, the terminal's state below the cloud's."""
        terminal, inner = self.fleet.terminal, os.path.join(self.fleet.cloud.state, "terminal")
        terminal.stop()
        os.rename(terminal.state, inner)
        terminal.state = terminal.profile["node"]["state"] = inner
        terminal.start()
        self.fleet.wait_connected("t1", 60)
        return inner

    def test_another_node_below_the_state_is_passed_over(self):
        """It runs on, nothing of it is in the backup, and it stays where it is."""
        cloud, inner, place = self.fleet.cloud, self.terminal_within(), os.path.join(self.fleet.folder, "place")
        done = self.farctl("backup", self.file, "--password-stdin", input=PASSPHRASE + "\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"{inner} is the state directory of another node", done.stderr)
        done = self.farctl("restore", self.file, "--profile", os.path.join(self.fleet.folder, "new.yaml"), "--state", place, "--password-stdin", input=PASSPHRASE + "\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("keys", os.listdir(place))
        self.assertNotIn("terminal", os.listdir(place))
        cloud.stop()
        before = os.stat(inner).st_ino
        done = self.restore(cloud, "--password-stdin", "--replace")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(os.stat(inner).st_ino, before)
        aside = next(name for name in os.listdir(cloud.state) if name.startswith("before-restore-"))
        self.assertNotIn("terminal", os.listdir(os.path.join(cloud.state, aside)))
        self.assertTrue(self.fleet.terminal.running())
        self.restart()
        self.assert_works()

    def test_a_folder_that_waits_for_a_node_is_none(self):
        """A machine that was prepared is empty: folders, and a socket that somebody left."""
        cloud = self.fleet.cloud
        self.backup()
        self.lose(cloud)
        os.makedirs(os.path.join(cloud.state, "terminal"))
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(os.path.join(cloud.state, "terminal.sock"))
        done = self.restore(cloud)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertLessEqual({"terminal", "terminal.sock", "main.db"}, set(os.listdir(cloud.state)))
        self.restart()
        self.assert_works()

    def test_a_backup_that_holds_another_node(self):
        """Made before they were left out: neither put in a place that is empty nor over the node that is there."""
        place, profile = (os.path.join(self.fleet.folder, name) for name in ("place", "new.yaml"))
        self.forge("/nowhere", ({"path": "state/terminal/keys/node.key", "mode": 0o600}, b"old"), ({"path": "state/people.yaml", "mode": 0o600}, b"people: {}\n"))
        for again in (False, True):
            if again:
                os.makedirs(os.path.join(place, "terminal", "keys"))
                with open(os.path.join(place, "terminal", "keys", "node.key"), "w", encoding="utf-8") as file:
                    file.write("new")
            done = self.farctl("restore", self.file, "--profile", profile, "--state", place, *(["--replace"] if again else []))
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("left out", done.stderr)
            self.assertIn("people.yaml", os.listdir(place))
            self.assertEqual("terminal" in os.listdir(place), again)
        with open(os.path.join(place, "terminal", "keys", "node.key"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "new")

    @unittest.skipIf(os.geteuid() != 0, "a small disk needs root")
    def test_no_room_for_the_backup(self):
        """No half file has the name, nor its part; what was there under the name stays."""
        folder = os.path.join(self.fleet.folder, "small")
        os.mkdir(folder)
        disk, path = Disk(folder, 1 << 20), os.path.join(folder, "backup")
        with open(path, "w", encoding="utf-8") as file:
            file.write("the one before")
        disk.fill(leave=8192)
        before = sorted(os.listdir(folder))
        done = self.farctl("backup", path, "--password-stdin", input=PASSPHRASE + "\n")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(path, done.stderr)
        self.assertIn("No space", done.stderr)
        self.assertEqual(sorted(os.listdir(folder)), before)
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "the one before")
        self.assertEqual(os.listdir(os.path.join(self.fleet.cloud.state, "backups")), [])

    def test_a_pipe_is_no_backup(self):
        """It would be replaced by a file, and who reads from it would wait for ever."""
        os.mkfifo(self.file)
        for path in (self.file, "/dev/null"):
            done = self.farctl("backup", path, "--password-stdin", input=PASSPHRASE + "\n")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("no plain file", done.stderr)
        self.assertTrue(stat.S_ISFIFO(os.stat(self.file).st_mode))
        self.assertFalse(os.path.exists(self.file + ".part"))

    def test_a_store_that_lay_elsewhere_waits_for_a_person(self):
        """It would begin empty without a word; so it does not start."""
        cloud = self.fleet.cloud
        cloud.stop()
        other = os.path.join(self.fleet.folder, "other.db")
        cloud.profile["stores"]["main"]["path"] = other
        os.rename(os.path.join(cloud.state, "main.db"), other)
        self.restart()
        self.backup()
        self.lose(cloud)
        os.remove(other)
        done = self.restore(cloud)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(other, done.stderr)
        cloud.spawn().wait_notice("^READY=1", 30)
        self.assertIn(other, self.farctl("status").stdout)
        cloud.stop()
        shutil.move(os.path.join(cloud.state, "restored-main"), other)
        self.assertEqual(self.farctl("restore", "--begin-empty", "main", "--profile", cloud.profile_path).returncode, 0)
        self.restart()
        self.assert_works()

    @unittest.skipIf(os.geteuid() != 0, "another user's folder needs root")
    def test_an_empty_machine_whose_folder_is_another_users(self):
        """What root makes there is that user's, and no link in it leads root to other places."""
        parent, victim = os.path.join(self.fleet.folder, "parent"), os.path.join(self.fleet.folder, "victim")
        state, profile = os.path.join(parent, "state"), os.path.join(self.fleet.folder, "new.yaml")
        os.chmod(self.fleet.folder, 0o755)
        os.mkdir(parent)
        os.chown(parent, 65534, 65534)
        os.mkdir(victim, 0o700)
        with open(os.path.join(victim, "main"), "w", encoding="utf-8") as file:
            file.write("kept")
        self.forge("/nowhere", ({"path": "state/keys/node.key", "mode": 0o600}, b"key"))
        done = self.farctl("restore", self.file, "--profile", profile, "--state", state)
        self.assertEqual(done.returncode, 0, done.stderr)
        for folder, folders, files in os.walk(state):
            for name in [folder, *(os.path.join(folder, name) for name in folders + files)]:
                self.assertEqual(os.stat(name).st_uid, 65534, name)
        self.assertEqual(os.listdir(victim), ["main"])
        self.forge("/nowhere", ({"path": "other/x", "mode": 0o600}, b""))
        fresh = os.path.join(parent, "fresh")
        self.assertNotEqual(self.farctl("restore", self.file, "--profile", profile + "2", "--state", fresh).returncode, 0)
        self.assertEqual(os.stat(os.path.join(fresh, "lock")).st_uid, 65534, "after a failure too")
        # The folder of the notes is a link now.
        os.symlink(victim, os.path.join(state, "damaged"))
        with open(profile, "w", encoding="utf-8") as file:
            file.write(f"farwatch: 1\nnode: {{id: t1, state: {state}}}\n")
        done = self.farctl("restore", "--begin-empty", "main", "--profile", profile)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(os.listdir(victim), ["main"])
        done = self.farctl("restore", "--begin-empty", "../../../victim/main", "--profile", profile)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(os.listdir(victim), ["main"])


class Installed(unittest.TestCase):
    def read(self, name):
        with open(os.path.join(os.environ["FARWATCH_TEST_SRCDIR"], "etc", name), encoding="utf-8") as file:
            return file.read()

    def test_no_state_lies_in_another(self):
        """A cloud server and a terminal on one machine with the profiles as they are; what is to be there is made for both."""
        states = [re.search(r"(?m)^  state: (/\S+)", self.read(f"profiles/{name}.yaml"))[1] for name in ("cloud-server", "terminal")]
        for one, other in (states, states[::-1]):
            self.assertFalse(f"{one}/".startswith(f"{other}/"), f"{one} lies in {other}")
        made = re.findall(r"(?m)^d @localstatedir@(/lib/\S+) 0750 farwatch farwatch", self.read("farwatch.tmpfiles.in"))
        self.assertEqual([f"/var{path}" for path in made], states)
        self.assertEqual([f"/var/lib/{name}" for name in re.search(r"(?m)^StateDirectory=(.*)", self.read("farwatchd.service.in"))[1].split()], states)


class Typed(unittest.TestCase):
    """What a node prints as the next step, typed as it stands there, in a folder whose name a shell would cut."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="farwatch typed-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.node = Node("t1", self.folder)
        self.node.profile = {"farwatch": 1, "node": {"id": "t1", "state": self.node.state, "control": self.node.control}, "stores": {"main": {"type": "sqlite", "path": "main.db"}}}
        self.addCleanup(lambda: self.assertEqual(self.node.faults(), []))

    def type(self, command):
        env = {**os.environ, **environment(), "PATH": f"{os.path.dirname(FARCTL)}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(["sh", "-c", command], cwd="/", env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stderr}")

    def hint(self, text, option, file=None):
        found = [command for command in re.findall(r"`(farctl restore [^`]*)`", text) if option in command]
        self.assertNotEqual(found, [], text)
        return found[0] if file is None else found[0].removesuffix("FILE") + f"'{file}'"

    def cause(self):
        status = json.loads(self.node.farctl("status", "--json"))
        return next((row.get("cause") or "" for row in status["instances"] if row["path"] == "stores.main"), "")

    def harm(self, path, missing):
        if missing:
            os.remove(path)
        else:
            with open(path, "r+b") as file:
                file.write(b"j" * os.path.getsize(path))

    def test_a_store_that_is_damaged_or_missing(self):
        file, path = os.path.join(self.folder, "backup"), os.path.join(self.node.state, "main.db")
        self.node.start()
        self.node.farctl("backup", file)
        for missing in (False, True):
            for option in ("--replace", "--begin-empty"):
                with self.subTest(missing=missing, option=option):
                    self.node.stop()
                    self.harm(path, missing)
                    self.node.start()
                    told = [self.cause()] + ([] if missing else [self.node.farctl("doctor", check=False).stdout])
                    self.node.stop()
                    commands = {self.hint(text, option, file if option == "--replace" else None) for text in told}
                    self.assertEqual(len(commands), 1, commands)
                    self.type(commands.pop())
                    self.node.start()
                    self.assertEqual(self.cause(), "")

    def test_a_state_that_the_profile_does_not_name(self):
        other, log = os.path.join(self.folder, "other state"), os.path.join(self.folder, "log")

        def run():
            process = Process([DAEMON, "--profile", self.node.profile_path, "--state", other], log, env=environment(), notify=True)
            process.wait_notice("^READY=1", 30)
            return process
        self.node.write()
        self.assertEqual(run().stop(), [])
        os.remove(os.path.join(other, "main.db"))
        process = run()
        told = self.cause()
        self.assertEqual(process.stop(), [])
        self.assertIn("other state", self.hint(told, "--begin-empty"))
        self.type(self.hint(told, "--begin-empty"))
        process = run()
        self.assertEqual(self.cause(), "")
        self.assertEqual(process.stop(), [])

    def test_a_restore_that_was_broken_off(self):
        file = os.path.join(self.folder, "backup")
        self.node.start()
        self.node.farctl("backup", file)
        self.node.stop()
        with open(os.path.join(self.node.state, ".restoring"), "w", encoding="utf-8") as journal:
            journal.write("before-restore-20260101-000000\nout\n")
        process = self.node.spawn()
        process.expect_end = True
        self.assertNotEqual(process.wait(), 0)
        process.wait_line("broken off")
        self.node.collect()
        self.type(self.hint("\n".join(self.node.last_lines(20)), "--profile", file))
        self.node.start()


tap.main()
