# SPDX-License-Identifier: LGPL-2.1-or-later
"""What people get wrong on the first day, and the words they read then: place, cause, next step, in one line.

One golden file a command in tests/data/mistakes: the command, its exit status, what it said. FARWATCH_MISTAKES_WRITE=1 writes them anew; read
what git shows then as the person would who has made the mistake. The rows are those of lab/mistakes.py."""
import hashlib
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import unittest

import lab  # noqa: F401 (it sets the path)
import tap
from lab.case import FleetCase, root
from lab.mistakes import ALONE, FILES, FLEET, PROFILE_FILES
from lab.node import FARCTL, environment
from lab.wait import free_port, wait_until

GOLDEN = os.path.join(os.environ["FARWATCH_TEST_SRCDIR"], "tests", "data", "mistakes")
WRITE = os.environ.get("FARWATCH_MISTAKES_WRITE")
WAIT = 60
# words that come from inside a program and help nobody
INSIDE = re.compile(r"bad message frame|unknown resource|\(null\)|SSL error|is not possible here|assertion|Sanitizer|GLib|^farctl: *$", re.M)


def plain(text, names):
    """The text with what differs from run to run under its own name."""
    for value, name in names:  # a port is no part of a longer number
        text = re.sub(rf"(?<!\d){value}(?!\d)", name, text) if value.isdigit() else text.replace(value, name)
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?(Z|[+-]\d\d:?\d\d|[A-Z]{3,4}))?", "TIME", text)
    text = re.sub(r"(cannot reach the daemon at )/\S+(, /\S+)+: ", r"\1PLACES: ", text)  # they hang on the prefix
    text = re.sub(r"sha256:[0-9a-f]{64}|\b[0-9a-f]{64}\b", "HASH", text)
    text = re.sub(r"\bright [A-Za-z0-9]{8}:", "right RIGHT:", text)
    text = re.sub(r"(?m)^(usage: farctl [a-z ]*).*", r"\1…", text)  # help is another thing
    return re.sub(r"(?m)^  [A-Za-z0-9]{8}         ", "  RIGHT            ", text)


class Golden(unittest.TestCase):
    def transcript(self, row, done):
        """What is typed and what comes back."""
        words = " ".join(word if re.fullmatch(r"[\w./:@=,*-]+", word) else f"'{word}'" for word in row.words)
        return f"$ {row.at + ': ' if row.at else ''}farctl {words}\n[{done.returncode}]\n{done.stdout}{done.stderr}"

    def look(self, row, done):
        """What holds for each of them, whatever stands in the golden file."""
        said = done.stdout + done.stderr
        self.assertNotIn(done.returncode, (-11, -6, 134, 139), said)
        self.assertIsNone(INSIDE.search(said), f"{row.words}: {said}")
        if not row.good:
            self.assertNotEqual(done.returncode, 0, f"{row.words}: {said}")
            self.assertNotEqual(done.stdout if row.says else done.stderr, "", f"{row.words} said nothing")
        lines = [line for line in done.stderr.splitlines() if line.startswith("farctl: ")]
        self.assertLessEqual(len(lines), 1 if not row.talks else 9, said)

    def compare(self, rows, run, names):
        """One golden file a command, all rows of it in their order."""
        for command in dict.fromkeys(row.command for row in rows):
            done = [(row, run(row)) for row in rows if row.command == command]
            text = plain("\n".join(self.transcript(row, one) for row, one in done), names())
            path = os.path.join(GOLDEN, f"{self.PREFIX}{command}.txt")
            if WRITE:
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
            with self.subTest(command), open(path, encoding="utf-8") as file:
                self.assertEqual(text, file.read())
            for row, one in done:
                with self.subTest(row.words):
                    self.look(row, one)


class Alone(Golden):
    """Before there is a daemon: words, options, files."""
    PREFIX = ""

    def setUp(self):
        self.maxDiff = None
        self.dir = tempfile.mkdtemp(prefix="fwm-")
        self.addCleanup(shutil.rmtree, self.dir)
        for name, text in FILES.items():
            with open(os.path.join(self.dir, name), "wb") as file:
                file.write(text.replace("DIR", self.dir).encode())
        os.mkdir(os.path.join(self.dir, "folder"))
        subprocess.run([FARCTL, "ca", "init", "--dir", os.path.join(self.dir, "good")], env={**os.environ, **environment()}, check=True, capture_output=True, timeout=WAIT)
        self.closed = free_port()

    def run_row(self, row):
        env = {**os.environ, **environment(), "HOME": self.dir, "XDG_CONFIG_HOME": self.dir, "LC_ALL": "C.UTF-8", "TZ": "UTC", "COLUMNS": "100"}
        env.pop("FARWATCH_SOCKET", None)
        words = [word.replace("CLOSED", str(self.closed)) for word in row.words]
        return subprocess.run([FARCTL, *words], cwd=self.dir, env=env, input=row.input, stdin=None if row.input is not None else subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=WAIT)

    def test_table(self):
        self.compare(ALONE, self.run_row, lambda: [(self.dir, "DIR"), (str(self.closed), "CLOSED")])

    @unittest.skipUnless(root(), "only root can become somebody else")
    def test_somebody_who_is_not_in_the_group(self):
        """The socket is there, and not for everybody."""
        path = os.path.join(self.dir, "control.sock")
        os.chmod(self.dir, 0o755)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            os.chmod(path, 0o660)
            listener.listen()
            done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", FARCTL, "--socket", path, "status"],
                                  env={**os.environ, **environment(), "HOME": self.dir, "LC_ALL": "C.UTF-8"}, capture_output=True, text=True, timeout=WAIT)
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertRegex(done.stderr, r"^farctl: .*control\.sock: Permission denied: .*sudo -u \S+.*\n$")

    @unittest.skipUnless(root(), "a /var/lib of its own needs root")
    def test_the_place_that_the_cause_is_of(self):
        """Without --socket several places are tried: the one where something is stands in the message, and all of them where there is nothing."""
        env = {key: value for key, value in os.environ.items() if key != "FARWATCH_SOCKET"}
        places = ["/var/lib/farwatch/control.sock", "/var/lib/farwatch-terminal/control.sock", "/var/lib/farwatch/terminal.sock"]
        for place in [None, *places]:
            lay = f"import os, socket; os.makedirs(os.path.dirname('{place}')); socket.socket(socket.AF_UNIX).bind('{place}')" if place else ""
            command = ["unshare", "-m", "sh", "-ec", 'mount -t tmpfs none /var/lib; mount -t tmpfs none /run; "$1" -c "$2"; exec "$3" status', "sh", sys.executable, lay, FARCTL]
            done = subprocess.run(command, env={**env, **environment(), "LC_ALL": "C.UTF-8"}, capture_output=True, text=True, timeout=WAIT)
            self.assertEqual(done.returncode, 4, done.stderr)
            self.assertIn("No such file" if place is None else "Connection refused", done.stderr)
            for one in ["/run/farwatch/control.sock", *places]:
                self.assertEqual(bool(re.search(rf" {one}[,:]", done.stderr)), place in (None, one), done.stderr)


class Fleet(FleetCase, Golden):
    """At a cloud server, at a terminal, from a person's desk."""
    PREFIX = "fleet-"

    def setUp(self):
        self.maxDiff = None
        fleet = self.start_fleet(change=lambda fleet: fleet.terminal.profile["sensors"]["host"].update({"interval": "1s"}))
        wait_until(lambda: fleet.farctl("samples", json=True)["series"], 20, "values of t1", every=0.2)
        fleet.farctl("terminal", "add", "t2", reveals=True)  # has not joined yet
        off = fleet.add_terminal("t4")
        fleet.start_terminal(off)
        off.stop()
        wait_until(lambda: not fleet.connected("t4"), 20, "t4 is off")
        fleet.cloud.put_user("carol", self.alice.password)
        for person in ("alice", "carol"):
            fleet.farctl_as(person, "login", person, "--password-stdin", input=self.alice.password + "\n")
        for name, text in PROFILE_FILES.items():
            with open(os.path.join(fleet.folder, name), "w", encoding="utf-8") as file:
                file.write(text.replace("DIR", fleet.folder))
        with open(fleet.ca, encoding="ascii") as file:
            self.hash = hashlib.sha256(ssl.PEM_cert_to_DER_cert(file.read())).hexdigest()
        self.alone = os.path.join(fleet.folder, "other-ca")
        subprocess.run([FARCTL, "ca", "init", "--dir", self.alone], env={**os.environ, **environment()}, check=True, capture_output=True, timeout=WAIT)

    def names(self):
        fleet = self.fleet
        ports = [(str(port), name.upper()) for name, port in fleet.ports.items()]
        return [(fleet.folder, "DIR"), *ports, (os.environ["FARWATCH_TEST_BUILDDIR"], "BUILD")]

    def fill(self, word):
        fleet = self.fleet
        for name, value in (("DIR", fleet.folder), ("NODES", fleet.ports["nodes"]), ("PEOPLE", fleet.ports["people"]), ("SSH", fleet.ports["ssh"])):
            word = word.replace(name, str(value))
        return word

    def run_row(self, row):
        words = [self.fill(word) for word in row.words]
        given = row.input if row.input is None else row.input.replace("PASSWORD", self.alice.password).replace("FLEET", self.hash)
        env = {"LC_ALL": "C.UTF-8", "TZ": "UTC"}
        if row.at == "desk":
            home = os.path.join(self.fleet.folder, "people", "nobody")
            os.makedirs(home, exist_ok=True)
            return subprocess.run([FARCTL, *words], env={**os.environ, **environment(), **env, "HOME": home, "XDG_CONFIG_HOME": home}, input=given,
                                  stdin=None if given is not None else subprocess.DEVNULL, capture_output=True, text=True, timeout=WAIT)
        if row.at in ("alice", "carol"):
            os.environ.update(env)
            return self.fleet.farctl_as(row.at, *words, input=given, check=False)
        node = self.fleet.cloud if row.at == "cloud" else self.fleet.terminal
        return node.farctl(*words, input=given, check=False, env=env, reveals=True)

    def test_table(self):
        self.compare(FLEET, self.run_row, self.names)

    def test_a_listener_is_logged_once(self):
        lines = self.fleet.cloud.last_lines(10000)
        for name, port in self.fleet.ports.items():
            self.assertEqual(len([line for line in lines if re.search(rf"listen.*:{port}\b", line)]), 1, name)


class Table(unittest.TestCase):
    def test_a_port_is_no_part_of_another_number(self):
        self.assertEqual(plain("0 to 65535, at 127.0.0.1:5535: 5535", [("5535", "CLOSED")]), "0 to 65535, at 127.0.0.1:CLOSED: CLOSED")

    def test_nothing_outside_of_a_folder_of_its_own_is_meant(self):
        for name, text in {**FILES, **PROFILE_FILES}.items():
            self.assertNotRegex(text, "state: /", name)

    def test_there_are_enough(self):
        self.assertGreaterEqual(len(ALONE) + len(FLEET), 60)

    def test_each_golden_file_is_of_a_command(self):
        wanted = {f"{row.command}.txt" for row in ALONE} | {f"fleet-{row.command}.txt" for row in FLEET}
        self.assertEqual(set(os.listdir(GOLDEN)), wanted)


tap.main()
