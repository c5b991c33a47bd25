# SPDX-License-Identifier: LGPL-2.1-or-later
"""Completion: farctl says what may stand at the cursor, and the three shells ask it and take it as text."""
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

import tap
from fakes.door import Door
from fakes.server import Server

BUILD, SOURCE = os.environ["FARWATCH_TEST_BUILDDIR"], os.environ["FARWATCH_TEST_SRCDIR"]
FARCTL = os.path.join(BUILD, "farctl")
KEYS = os.path.join(BUILD, "tests", "integration", "fleet-keys")
SHELLS = os.path.join(SOURCE, "etc")
WAIT = 60
PROMPT_S = 3  # what a person may wait at most, on a machine that is busy
EVIL = ["$(touch evil)", "`touch evil`", "a;touch evil", "a b", "a\nb", "\x1b[2J", "a'b", "*"]
LISTS = {
    "GET terminals": {"terminals": [{"terminal": name, "site": "north", "groups": ["pumps"]} for name in ["t1", "t2", "press-7", *EVIL]]},
    "GET terminals/t1": {"terminal": "t1", "devices": [{"device": "plc"}, {"device": "web"}, {"device": EVIL[0]}]},
    "GET sessions": {"sessions": [{"session": "s1abc"}, {"session": "s2def"}]},
    "GET users": {"users": [{"name": "alice", "groups": ["ops", EVIL[0]]}, {"name": "bob", "groups": []}]},
    "GET rights": {"rights": [{"id": "r1"}]},
    "GET nodes": {"nodes": [{"node": "cloud"}]},
    "GET enrollments": {"enrollments": [{"number": "77"}]},
    "GET plugins": {"plugins": [{"name": "store-file", "types": ["file"]}, {"name": "endpoint-tcp", "types": ["tcp"]}]},
}


class Completion(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="fwk-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.socket = os.path.join(self.dir, "control.sock")
        self.env = {**os.environ, "HOME": self.dir, "XDG_CONFIG_HOME": self.dir, "LC_ALL": "C.UTF-8", "FARWATCH_SOCKET": self.socket,
                    "PATH": f"{BUILD}:{os.environ['PATH']}"}
        self.env.pop("FARWATCH_CA", None)

    def door(self):
        door = Door(self.dir, {what: (200, body) for what, body in LISTS.items()})
        self.addCleanup(door.close)
        return door

    def complete(self, *words, status=0):
        """The last word stands at the cursor. Whatever happens: no word on stderr, and the prompt is not held up."""
        began = time.monotonic()
        done = subprocess.run([FARCTL, "--complete", *words], cwd=self.dir, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=WAIT)
        self.assertLess(time.monotonic() - began, PROMPT_S, words)
        self.assertEqual((done.returncode, done.stderr), (status, ""), words)
        return done.stdout.splitlines()

    # ---- what may stand there ----

    def test_names_come_from_the_server(self):
        self.door()
        for words, wanted in {("terminals", ""): ["t1", "t2", "press-7"], ("terminals", "p"): ["press-7"], ("connect", "t1/"): ["t1/plc", "t1/web"],
                              ("connect", "t1/w"): ["t1/web"], ("device", "remove", "t"): ["t1/", "t2/"], ("close", ""): ["s1abc", "s2def"],
                              ("sessions", "s2"): ["s2def"], ("user", "remove", ""): ["alice", "bob"], ("revoke", ""): ["r1"], ("revoke", "--node", "p"): ["press-7"],
                              ("enroll", "approve", ""): ["77"], ("describe", ""): ["file", "tcp"], ("grant", ""): ["alice", "bob", "@ops"],
                              ("grant", "alice", "connect", "terminals/p"): ["terminals/press-7"], ("grant", "alice", "see", "sites/"): ["sites/north"],
                              ("grant", "alice", "see", "groups/"): ["groups/ops", "groups/pumps"], ("terminal", "set", "t1", "--group", ""): ["ops", "pumps"],
                              ("history", "--person", "a"): ["alice"], ("history", "--terminal", "press-7", "--session", "s1"): ["s1abc"],
                              ("--socket", self.socket, "close", "s1"): ["s1abc"], (f"--socket={self.socket}", "close", "s1"): ["s1abc"]}.items():
            self.assertEqual(self.complete(*words), wanted, words)

    def test_what_is_completed_can_be_granted(self):
        """Each action for each object, judged by what POST rights and profiles are judged by."""
        self.door()
        families = self.complete("grant", "alice", "see", "")
        objects = [found for family in families for found in (self.complete("grant", "alice", "see", family) if family.endswith("/") else [family])]
        self.assertGreater(set(objects), {"terminals/t1", "sites/north", "groups/ops", "users/alice", "nodes/cloud", "node", "rights"})
        actions = self.complete("grant", "alice", "")
        self.assertGreater(len(actions), 5)
        profile = os.path.join(self.dir, "profile.yaml")
        with open(profile, "w", encoding="utf-8") as file:
            file.write("farwatch: 1\nnode: {id: cloud, state: /tmp/none}\nrights:\n")
            file.writelines(f"  - {{who: alice, action: {action}, object: {one}}}\n" for action in actions for one in objects)
        done = subprocess.run([FARCTL, "check", "--strict", profile], env=self.env, capture_output=True, text=True, timeout=WAIT)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_words_and_values(self):
        """No daemon is there, and none is needed."""
        for words, wanted in {("conn",): ["connect"], ("terminal", ""): ["add", "set", "remove"], ("connect", "t1", "--entry", ""): ["ports", "stream"],
                              ("device", "add", "--weight", "h"): ["heavy"], ("grant", "alice", "connect-"): ["connect-raw"], ("completion", ""): ["bash", "zsh", "fish"],
                              ("connect", "t1", "--listen-"): ["--listen-all-users"], ("grant", "a", "see", "t"): ["terminals/"], ("help", "conn"): ["connect"],
                              ("connect", "t1", "--reason", ""): [], ("nosuch", ""): [], ("--ver",): ["--version"]}.items():
            self.assertEqual(self.complete(*words), wanted, words)
        self.assertIn("--reason", self.complete("connect", "--"))

    def test_files_are_the_shells(self):
        for words in (("check", ""), ("enroll", "--profile", ""), ("--ca", ""), ("connect", "t1", "--", "l")):
            self.assertEqual(self.complete(*words, status=1), [], words)

    # ---- what it does not do ----

    def test_nobody_is_there(self):
        self.assertEqual(self.complete("terminals", ""), [])
        self.assertEqual(self.complete("--server", "localhost:1", "terminals", ""), [])

    def test_a_daemon_that_says_nothing(self):
        with socket.socket(socket.AF_UNIX) as silent:
            silent.bind(self.socket)
            silent.listen(4)
            self.assertEqual(self.complete("terminals", ""), [])

    def remember(self, port, **more):
        os.makedirs(os.path.join(self.dir, "farwatch"), mode=0o700, exist_ok=True)
        path = os.path.join(self.dir, "farwatch", "tickets.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({f"localhost:{port}": {"name": "alice", "ca": os.path.join(self.dir, "ca", "ca.crt"), **more}}, file)
        return path

    def test_a_server_that_says_nothing(self):
        """With a login it is asked, and not waited for; without one it is not even asked."""
        subprocess.run([FARCTL, "ca", "init", "--dir", os.path.join(self.dir, "ca")], env=self.env, capture_output=True, check=True, timeout=WAIT)
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen(4)
            silent.settimeout(0.2)
            port = silent.getsockname()[1]
            self.remember(port)
            self.assertEqual(self.complete("--server", f"localhost:{port}", "terminals", ""), [])
            with self.assertRaises(TimeoutError):
                silent.accept()
            path = self.remember(port, ticket="T" * 32)
            self.assertEqual(self.complete("--server", f"localhost:{port}", "terminals", ""), [])
            silent.settimeout(10)
            silent.accept()[0].close()
            self.assertEqual(self.complete("--server", "local"), [f"localhost:{port}"])
            self.assertNotIn("T" * 32, "".join(self.complete("--server", "")))
            with open(path, encoding="utf-8") as file:
                self.assertIn("T" * 32, file.read(), "completion forgets no login")

    def ticket(self, path):
        with open(path, encoding="utf-8") as file:
            return next(iter(json.load(file).values())).get("ticket")

    def test_a_login_that_is_over_stays_for_the_command(self):
        """The server says 401: completion shows nothing and leaves the ticket; the command says so, and forgets it."""
        subprocess.run([KEYS, self.dir, "cloud:server"], check=True)
        server = Server(os.path.join(self.dir, "cloud", "keys"), (401, {"error": "denied", "message": "log in first", "next": "POST login"}))
        self.addCleanup(server.close)
        path, at = self.remember(server.port, ticket="T" * 32), ("--server", f"localhost:{server.port}")
        self.assertEqual(self.complete(*at, "terminals", ""), [])
        self.assertEqual([(head["resource"].split("?")[0], head["headers"]["ticket"]) for head in server.asked], [("terminals", "T" * 32)])
        self.assertEqual(self.ticket(path), "T" * 32)
        done = subprocess.run([FARCTL, *at, "terminals"], env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=WAIT)
        self.assertRegex(done.stderr, "^farctl: not logged in, or the login has ended: farctl --server .* login NAME\n$")
        self.assertIsNone(self.ticket(path))

    # ---- the shells ----

    def words_of(self, argv, script):
        done = subprocess.run([*argv, script], cwd=self.dir, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=WAIT)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertFalse(os.path.exists(os.path.join(self.dir, "evil")), "a name was run")
        return done.stdout.split("\n")[:-1]

    def cases(self):
        open(os.path.join(self.dir, "a file.yaml"), "w", encoding="utf-8").close()
        self.door()
        return {("terminals", ""): ["t1", "t2", "press-7"], ("connect", "t1/"): ["t1/plc", "t1/web"], ("device", "remove", "t1"): ["t1/"],
                ("check", "a"): ["a file.yaml"], ("nosuch", ""): []}

    @staticmethod
    def quoted(words):
        return " ".join("'" + word + "'" for word in words)

    def test_bash(self):
        for words, wanted in self.cases().items():
            script = (f"source '{SHELLS}/farctl.bash'; COMP_WORDS=(farctl {self.quoted(words)}); COMP_CWORD={len(words)}; _farctl; "
                      '[ ${#COMPREPLY[@]} -eq 0 ] || printf "%s\\n" "${COMPREPLY[@]}"')
            self.assertEqual(self.words_of(["bash", "--norc", "-c"], script), wanted, words)

    def test_bash_takes_addresses_apart(self):
        """COMP_WORDBREAKS has ':' and '='."""
        self.remember(8443, ticket="x")
        script = (f"source '{SHELLS}/farctl.bash'; COMP_WORDS=(farctl --server localhost : 8); COMP_CWORD=4; _farctl; printf '%s\\n' \"${{COMPREPLY[@]}}\"; "
                  "COMP_WORDS=(farctl --server localhost : 1 conn); COMP_CWORD=5; _farctl; printf '%s\\n' \"${COMPREPLY[@]}\"; "
                  "COMP_WORDS=(farctl --server = localhost : 1 conn); COMP_CWORD=6; _farctl; printf '%s\\n' \"${COMPREPLY[@]}\"")
        self.assertEqual(self.words_of(["bash", "--norc", "-c"], script), ["8443", "connect", "connect"])

    @unittest.skipUnless(shutil.which("zsh"), "zsh is missing: apt install zsh")
    def test_zsh(self):
        stubs = 'compdef() { }; _files() { print -l -- "a file.yaml" }; compadd() { while [ "$1" != -- ]; do shift; done; shift; (( $# )) && print -l -- "$@"; return 0 }; '
        for words, wanted in self.cases().items():
            script = stubs + f"source '{SHELLS}/farctl.zsh'; words=(farctl {self.quoted(words)}); CURRENT={len(words) + 1}; PREFIX='{words[-1]}'; _farctl || true"
            self.assertEqual(self.words_of(["zsh", "-f", "-c"], script), wanted, words)

    @unittest.skipUnless(shutil.which("zsh"), "zsh is missing: apt install zsh")
    def test_zsh_finds_it_by_its_folder(self):
        folder = os.path.join(self.dir, "functions")
        os.mkdir(folder)
        shutil.copy(os.path.join(SHELLS, "farctl.zsh"), os.path.join(folder, "_farctl"))
        script = f"fpath=('{folder}' $fpath); autoload -Uz compinit && compinit -u -d '{self.dir}/dump'; print -- $_comps[farctl]"
        self.assertEqual(self.words_of(["zsh", "-f", "-c"], script), ["_farctl"])

    @unittest.skipUnless(shutil.which("fish"), "fish is missing: apt install fish")
    def test_fish(self):
        for words, wanted in self.cases().items():
            script = f"source '{SHELLS}/farctl.fish'; complete -C 'farctl {' '.join(words)}'"
            found = [line.split("\t")[0].replace("\\ ", " ") for line in self.words_of(["fish", "--no-config", "-c"], script)]
            self.assertEqual(sorted(found), sorted(wanted), words)

    def test_what_is_typed_is_not_run(self):
        """TAB behind the path of a program of somebody else's: the words come from the farctl of PATH, and the other one is not begun."""
        with tempfile.TemporaryDirectory() as folder:
            typed, ran = os.path.join(folder, "farctl"), os.path.join(folder, "ran")
            with open(typed, "w", encoding="utf-8") as file:
                file.write(f"#!/bin/sh\ntouch '{ran}'\n")
            os.chmod(typed, 0o755)
            stubs = 'compdef() { }; _files() { }; compadd() { while [ "$1" != -- ]; do shift; done; shift; (( $# )) && print -l -- "$@"; return 0 }; '
            scripts = {
                ("bash", "--norc", "-c"): f"source '{SHELLS}/farctl.bash'; COMP_WORDS=('{typed}' stat); COMP_CWORD=1; _farctl; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
                ("zsh", "-f", "-c"): stubs + f"source '{SHELLS}/farctl.zsh'; words=('{typed}' stat); CURRENT=2; PREFIX=stat; _farctl",
                ("fish", "--no-config", "-c"): f"source '{SHELLS}/farctl.fish'; complete -C '{typed} stat'"}
            for argv, script in scripts.items():
                if shutil.which(argv[0]):
                    self.assertIn("status", " ".join(self.words_of(argv, script)), argv[0])
                    self.assertFalse(os.path.exists(ran), argv[0])

    def test_farctl_prints_what_is_installed(self):
        for shell in ("bash", "zsh", "fish"):
            done = subprocess.run([FARCTL, "completion", shell], capture_output=True, text=True, timeout=WAIT, check=True)
            with open(os.path.join(SHELLS, f"farctl.{shell}"), encoding="utf-8") as file:
                self.assertEqual(done.stdout, file.read())


tap.main()
