# SPDX-License-Identifier: LGPL-2.1-or-later
"""farctl against a door that plays a cloud: sessions from wish to end, streams, exit statuses, what is printed."""
import base64
import ctypes
import ctypes.util
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import termios
import threading
import unicodedata
import unittest

import tap
from fakes.door import Door

BUILD = os.environ["FARWATCH_TEST_BUILDDIR"]
FARCTL = os.path.join(BUILD, "farctl")
WAIT = 30


def row(state, **more):
    return {"session": "s1", "terminal": "t1", "state": state, "z": "127.0.0.1", **more}


class Cloud:
    """The door's part of one session."""

    def __init__(self, states=("opening", "open"), **more):
        self.states, self.more, self.closed = states, more, threading.Event()

    def watch(self, door, head, body, connection):
        for n, state in enumerate(self.states, 1):
            door.say(connection, head["id"], 200, row(state, **self.more), {"event": str(n), "more": "1"})
        if self.states[-1] != "closed":
            self.closed.wait(WAIT)
            door.say(connection, head["id"], 200, row("closed", cause=self.cause), {"event": "9", "more": "1"})
        door.say(connection, head["id"], 204)

    cause = "closed by person:root"

    def delete(self, door, head, body, connection):
        self.closed.set()
        return 202, row("closing")

    def end(self, cause):
        self.cause = cause
        self.closed.set()

    def answers(self, **more):
        """t1 is a stock end, unless `more` has keys of it: it needs none that are signed."""
        return {"GET terminals/t1": (200, {"terminal": "t1", "stock": "host-login"}), "POST sessions": (201, row("permitted")), "WATCH sessions/*": self.watch, "DELETE sessions/*": self.delete,
                "POST sessions/*": (201, {"ticket": "T" * 32}), "STREAM tickets/*": (200, None), "GET login": (200, {"name": "root"}), **more}


class Farctl(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="fwc-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.env = dict(os.environ, HOME=self.dir, XDG_CONFIG_HOME=self.dir, LC_ALL="C.UTF-8", TZ="UTC")
        self.env.pop("FARWATCH_SOCKET", None)
        self.env.pop("FARWATCH_CA", None)

    def door(self, answers):
        door = Door(self.dir, answers)
        self.addCleanup(door.close)
        return door

    def argv(self, *words):
        return [FARCTL, "--socket", os.path.join(self.dir, "control.sock"), *words]

    def run_ctl(self, *words, input=None, status=0):
        done = subprocess.run(self.argv(*words), input=input, stdin=None if input is not None else subprocess.DEVNULL, env=self.env, capture_output=True,
                              text=True, timeout=WAIT)
        self.assertNotIn("Sanitizer", done.stderr)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def start(self, *words, **how):
        process = subprocess.Popen(self.argv(*words), env=self.env, stdin=how.get("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=how.get("text", True))
        self.addCleanup(process.kill)
        return process

    # ---- statuses ----

    def test_statuses_by_error(self):
        for word, number, wanted in (("denied", 403, 1), ("not-found", 404, 3), ("invalid", 400, 2), ("limit", 429, 5), ("conflict", 409, 5),
                                     ("unavailable", 503, 1), ("full", 507, 1), ("config", 500, 1), ("gap", 429, 1)):
            door = self.door({"GET terminals": (number, {"error": word, "message": f"because {word}"})})
            done = self.run_ctl("terminals", status=wanted)
            self.assertEqual(done.stderr, f"farctl: because {word}\n")
            answer = json.loads(self.run_ctl("terminals", "--json", status=wanted).stdout)
            self.assertEqual(answer["message"], f"because {word}")
            door.close()
            os.unlink(door.path)

    def test_no_daemon(self):
        self.assertIn("cannot reach the daemon", self.run_ctl("terminals", status=4).stderr)
        self.assertIn("File name too long", subprocess.run([FARCTL, "--socket", "/" + "x" * 200, "status"], capture_output=True, text=True, timeout=WAIT).stderr)

    def test_a_daemon_that_says_nothing_sensible(self):
        for answer in (b"HTTP/1.0 400 no\r\n\r\n", b"", b"\x00\x00\x00\x02{}", b"\xff\xff\xff\xff"):
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(os.path.join(self.dir, "control.sock"))
            listener.listen()

            def serve(listener=listener, answer=answer):
                connection, _ = listener.accept()
                connection.recv(4096)
                connection.sendall(answer)
                connection.close()
            threading.Thread(target=serve, daemon=True).start()
            self.run_ctl("terminals", status=1)
            listener.close()
            os.unlink(os.path.join(self.dir, "control.sock"))

    def test_usage(self):
        for words in (["terminals", "a", "b"], ["grant", "a"], ["bogus"], ["terminal"], [], ["terminals", "--bogus"], ["device", "add", "noslash", "--endpoint", "x"],
                      ["connect", "a/b/c"], ["connect", "t1", "--entry", "tunnel"], ["connect", "t1", "--for", "soon"], ["connect", "t1", "--listen", "70000"],
                      ["call", "GET"], ["ca", "init"], ["enroll"], ["login"], ["revoke"], ["completion", "tcsh"]):
            self.run_ctl(*words, status=2)

    def test_help_everywhere(self):
        names = re.findall(r"^  ([a-z]+(?: [a-z]+)*)  +\S", self.run_ctl("--help").stdout, re.M)
        self.assertGreater(len(names), 30)
        for name in names:
            self.assertIn(f"usage: farctl {name}", self.run_ctl(*name.split(), "--help").stdout)

    # ---- lists ----

    def test_pages_become_one_list(self):
        def terminals(door, head, body, connection):
            last = "after=t2" in head["resource"]
            return 200, {"terminals": [{"terminal": "t3"}] if last else [{"terminal": "t1"}, {"terminal": "t2"}], "next": None if last else "t2"}
        self.door({"GET terminals": terminals})
        self.assertEqual([t["terminal"] for t in json.loads(self.run_ctl("terminals", "--json").stdout)["terminals"]], ["t1", "t2", "t3"])
        self.assertEqual(self.run_ctl("terminals").stdout.split("\n")[0].split()[0], "TERMINAL")

    def test_enrolments_across_pages(self):
        def enrollments(door, head, body, connection):
            last = "after=n1" in head["resource"]
            return 200, {"enrollments": [{"number": "n2" if last else "n1", "terminal": "t1"}], "next": None if last else "n1"}
        self.door({"GET enrollments": enrollments})
        self.assertEqual([row["number"] for row in json.loads(self.run_ctl("enroll", "list", "--json").stdout)["enrollments"]], ["n1", "n2"])
        done = self.run_ctl("enroll", "approve", "n2", "--dir", self.dir, status=1)
        self.assertIn("holds no request", done.stderr) # found on the second page; what is missing is its request

    def test_pages_that_stand_still_are_an_error(self):
        """A node that names the same page for ever holds nobody up."""
        self.door({"GET terminals": (200, {"terminals": [{"terminal": "t1"}], "next": "t1"})})
        self.assertIn("same page", self.run_ctl("terminals", status=1).stderr)

    def test_pages_of_another_version_are_an_error(self):
        """A node that says otherwise than by next that there is more: what was got is not the whole list."""
        instances, series, point = [{"path": "a.1"}], [{"source": "t1", "name": "x.y"}], {"time": "2026-01-01T00:00:00.000Z", "value": 1, "quality": "good"}
        door = self.door({"GET status": (200, {"node": "n", "instances": instances, "after": "a.1"}), "GET samples": (200, {"series": series, "points": [point], "more": True})})
        for words in (["status"], ["samples"], ["samples", "t1", "x.y"]):
            done = self.run_ctl(*words, status=1)
            self.assertEqual(done.stdout, "")
            self.assertIn("another version", done.stderr)
        self.assertIn('"value": 1', self.run_ctl("samples", "t1", "x.y", "--limit", "1", "--json").stdout)  # no more was asked for
        door.close()
        os.unlink(door.path)
        self.door({"GET status": (200, {"node": "n", "instances": instances, "after": None}), "GET samples": (200, {"series": series, "more": False})})
        for words in (["status"], ["samples"]):
            self.run_ctl(*words)

    def test_instances_and_series_across_pages(self):
        def status(door, head, body, connection):
            last = "after=a.2" in head["resource"]
            return 200, {"node": "n", "instances": [{"path": "a.3"}] if last else [{"path": "a.1"}, {"path": "a.2"}], "next": None if last else "a.2"}

        def samples(door, head, body, connection):
            last = "after=t1%2Fx.y" in head["resource"]
            return 200, {"series": [{"source": "t2" if last else "t1", "name": "x.y"}], "next": None if last else "t1/x.y"}
        self.door({"GET status": status, "GET samples": samples})
        answer = json.loads(self.run_ctl("status", "--json").stdout)
        self.assertEqual((answer["node"], [row["path"] for row in answer["instances"]], answer.get("next")), ("n", ["a.1", "a.2", "a.3"], None))
        self.assertEqual([row["source"] for row in json.loads(self.run_ctl("samples", "--json").stdout)["series"]], ["t1", "t2"])
        completed = subprocess.run([FARCTL, "--complete", *self.argv("samples", "")[1:]], env=self.env, capture_output=True, text=True, check=True, timeout=WAIT)
        self.assertEqual(completed.stdout.split(), ["t1", "t2"])

    def test_devices_across_pages(self):
        def terminal(door, head, body, connection):
            at = int((re.search(r"after=d(\d)", head["resource"]) or [0, 0])[1])
            return 200, {"terminal": "t1", "site": "north", "devices": [{"device": f"d{at + 1}"}], "next": f"d{at + 1}" if at < 4 else None}
        self.door({"GET terminals/t1": terminal})
        answer = json.loads(self.run_ctl("terminals", "t1", "--json").stdout)
        self.assertEqual((answer["site"], [row["device"] for row in answer["devices"]], answer.get("next")), ("north", ["d1", "d2", "d3", "d4", "d5"], None))
        self.assertIn("d5", self.run_ctl("terminals", "t1").stdout)

    def test_text_from_elsewhere_moves_no_cursor(self):
        self.door({"GET terminals": (200, {"terminals": [{"terminal": "t1", "note": "a\x1b[2Jb\nc"}]})})
        self.assertNotIn("\x1b", self.run_ctl("terminals").stdout)

    # ---- tables for people ----

    def at_terminal(self, columns, rows, *words, **env):
        """farctl with its output at a terminal of that size."""
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (rows, columns))
        process = subprocess.Popen(self.argv(*words), env=dict(self.env, **env), stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.PIPE)
        self.addCleanup(process.kill)
        os.close(theirs)
        said = b""
        try:
            while piece := os.read(ours, 65536):
                said += piece
        except OSError:
            pass  # how a terminal ends
        os.close(ours)
        self.assertEqual((process.wait(WAIT), process.stderr.read()), (0, b""))
        process.stderr.close()
        return said.decode().replace("\r\n", "\n")

    def test_tables_keep_to_the_terminals_width(self):
        note = "stands behind the boiler house, mind the step, ask at the gate for 鍵 and a torch"
        self.door({"GET terminals": (200, {"terminals": [{"terminal": "t1", "note": note, "site": "x" * 90}]})})
        wide = self.run_ctl("terminals").stdout
        self.assertIn(note, wide)  # a pipe gets it in one line
        said = self.at_terminal(72, 100, "terminals")
        width = lambda line: sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)  # noqa: E731
        self.assertLessEqual(max(width(line) for line in said.splitlines()), 72, said)
        for word in note.split():
            self.assertIn(word, said)
        self.assertEqual(said.count("x"), 90)

    def test_long_tables_are_paged(self):
        self.door({"GET terminals": (200, {"terminals": [{"terminal": f"t{n}"} for n in range(40)]})})
        self.assertIn("page t39", self.at_terminal(100, 24, "terminals", PAGER="sed 's/^/page /'"))
        self.assertNotIn("page", self.at_terminal(100, 60, "terminals", PAGER="sed 's/^/page /'"))
        self.assertIn("t39", self.at_terminal(100, 24, "terminals", PAGER="/no/such/pager"))
        self.assertIn("own t39", self.at_terminal(100, 24, "terminals", PAGER="false", FARWATCH_PAGER="sed 's/^/own /'"))

    def test_numbers_with_their_units(self):
        shown = (("By", 83924647936, "78.2 GiB"), ("By", 512, "512 B"), ("By/s", 1048576, "1.0 MiB/s"), ("1", 0.5, "0.5"), ("V", 229.88888, "229.889 V"), ("s", 934893, "10d 19h"),
                 ("s", 1.5, "1.5 s"), ("%", 12, "12 %"))
        self.door({"GET samples": (200, {"series": [{"source": "t1", "name": f"v{n}", "unit": unit, "latest": {"value": value, "quality": "good", "time": "2026-01-01T00:00:00.000Z"}}
                                                    for n, (unit, value, _) in enumerate(shown)]})})
        lines = self.run_ctl("samples").stdout.splitlines()[1:]
        self.assertEqual([re.split("  +", line)[2] for line in lines], [text for _, _, text in shown])

    def test_a_time_that_is_shown_may_be_typed(self):
        self.env["TZ"] = "IST-5:30"  # as POSIX writes it: the names of zones need files that not every machine has
        rows = [{"asked": f"2026-01-02T0{n}:00:00.000Z", "kind": "session", "terminal": "t1"} for n in range(9, 0, -1)]
        door = self.door({"GET history": (200, {"history": rows}), "GET explain": (200, {"who": "a", "action": "see", "object": "x", "result": "allow"})})
        shown = self.run_ctl("history").stdout.splitlines()[1][:25]
        self.assertEqual(shown, "2026-01-02 14:30:00+05:30")
        for since, until, left in ((shown, "2026-01-03", 1), ("2026-01-02", "2026-01-02 08:30", 2), ("2026-01-02T05:00:00Z", "2026-01-02 10:30:01+05:30", 1), ("2026-01-03", "2026-01-04", 0)):
            got = json.loads(self.run_ctl("history", "--since", since, "--until", until, "--json").stdout)["history"]
            self.assertEqual(len(got), left, (since, until, got))
        self.run_ctl("explain", "a", "see", "x", "--at", shown)
        self.assertIn("at=2026-01-02T09%3A00%3A00.000Z", [ask[1] for ask in door.asked if ask[1].startswith("explain")][-1])
        self.run_ctl("history", "--since", "noon", status=2)

    def test_points_across_pages(self):
        def samples(door, head, body, connection):
            to = re.search(r"after=2026-01-01T(\d\d)%3A(\d\d)%3A(\d\d)", head["resource"])
            end = int(to[1]) * 3600 + int(to[2]) * 60 + int(to[3]) if to else 2000
            points = [{"time": f"2026-01-01T{i // 3600:02}:{i // 60 % 60:02}:{i % 60:02}.000Z", "value": i, "quality": "good"} for i in range(max(0, end - 300), end)]
            return 200, {"points": points, "next": points[0]["time"] if end > 300 else None}
        self.door({"GET samples": samples})
        points = json.loads(self.run_ctl("samples", "t1", "a.b", "--limit", "2000", "--json").stdout)["points"]
        self.assertEqual([p["value"] for p in points], list(range(2000)))
        plot = self.run_ctl("samples", "t1", "a.b", "--limit", "2000", "--plot").stdout
        self.assertIn("\u2800", plot)
        self.assertIn("1999", plot)

    def test_plot_of_odd_values(self):
        for values in ([], [None], ["text"], [5], [5, 5, 5], [1e308, -1e308], [0, True, False], ["NaN", 1]):
            door = self.door({"GET samples": (200, {"points": [{"time": f"2026-01-01T00:00:0{i}.000Z", "value": v, "quality": "good"} for i, v in enumerate(values)],
                                                    "series": [{"source": "t1", "name": "a.b"}]})})
            self.run_ctl("samples", "t1", "a.b", "--plot")
            door.close()
            os.unlink(door.path)

    # ---- rights ----

    def test_a_right_is_told_with_its_conditions(self):
        right = {"id": "r", "who": "alice", "action": "connect", "object": "terminals/t1", "needs": "approval", "longest": "30m"}
        door = self.door({"POST rights": (201, {"id": "r", "right": right, "warnings": ["there is no terminals/t1 now"]})})
        done = self.run_ctl("grant", "alice", "connect", "terminals/t1", "--id", "r", "--needs", "approval", "--longest", "30m")
        self.assertEqual(done.stdout, "right r: alice may connect terminals/t1, longest 30m, needs approval\n")
        self.assertEqual(done.stderr, "warning: there is no terminals/t1 now\n")
        self.assertEqual(door.wait("POST", "rights"), right)

    def test_a_right_that_is_replaced_says_what_it_was(self):
        now, was = {"who": "alice", "action": "connect", "object": "terminals/t1"}, {"who": "alice", "action": "connect", "object": "terminals/t1", "needs": "approval"}
        door = self.door({"POST rights": (201, {"id": "r", "right": now, "was": was, "warnings": []})})
        done = self.run_ctl("grant", "alice", "connect", "terminals/t1", "--id", "r", "--replace")
        self.assertEqual(done.stdout, "right r was: alice may connect terminals/t1, needs approval\nright r is: alice may connect terminals/t1\n")
        self.assertIs(door.wait("POST", "rights")["replace"], True)

    # ---- sessions ----

    def test_a_command_with_a_listener(self):
        cloud = Cloud()
        door = self.door(cloud.answers())
        script = "import os,socket;s=socket.create_connection(('{host}',{port}));s.sendall(b'hello');print(s.recv(9).decode(),os.environ['FARWATCH_SESSION'])"
        done = self.run_ctl("connect", "t1", "--for", "5m", "--reason", "a look", "--", "python3", "-c", script)
        self.assertEqual(done.stdout, "HELLO s1\n")
        self.assertIn("session s1: open", done.stderr)
        wish = door.wait("POST", "sessions")
        self.assertEqual((wish["terminal"], wish["for_us"], wish["reason"], wish["entry"], wish["login"]), ("t1", 300000000, "a look", "stream", "in-band"))
        self.assertNotIn("device", wish)
        door.wait("DELETE", "sessions/s1")

    def test_the_commands_status_is_ours(self):
        self.door(Cloud().answers())
        self.run_ctl("connect", "t1", "--", "sh", "-c", "exit 7", status=7)

    def test_an_unknown_command(self):
        door = self.door(Cloud().answers())
        self.run_ctl("connect", "t1", "--", "/no/such/program", status=127)
        door.wait("DELETE", "sessions/s1")

    def test_many_connections_at_once(self):
        self.door(Cloud().answers())
        process = self.start("connect", "t1", "--listen", "0")
        port = int(re.search(r"127.0.0.1:(\d+)", process.stdout.readline()).group(1))
        links = [socket.create_connection(("127.0.0.1", port), timeout=WAIT) for _ in range(8)]
        for n, link in enumerate(links):
            link.sendall(b"x%d" % n)
        for n, link in enumerate(links):
            self.assertEqual(link.recv(10), b"X%d" % n)
            link.close()
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(WAIT), 0)

    @unittest.skipIf(os.geteuid() != 0, "becoming somebody else needs root")
    def test_another_user_of_this_machine(self):
        """The local port is for who started it; every user only if that was asked for."""
        for words, heard in ((), ""), (("--listen-all-users",), "HELLO"):
            door = self.door(Cloud().answers())
            process = self.start("connect", "t1", "--listen", "0", *words)
            port = int(re.search(r"127.0.0.1:(\d+)", process.stdout.readline()).group(1))
            script = f"exec 3<>/dev/tcp/127.0.0.1/{port} && printf hello >&3 && timeout {WAIT} head -c 5 <&3"
            for user, wanted in ((65534, heard), (os.geteuid(), "HELLO")):
                with self.subTest(words=words, user=user):
                    other = subprocess.run(["bash", "-c", script], user=user, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=2 * WAIT)
                    self.assertEqual(other.stdout, wanted, other.stderr)
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(WAIT), 0)
            said = process.stderr.read()
            self.assertEqual("another user of this machine (uid 65534) was turned away" in said, not words, said)
            door.close()
            os.unlink(door.path)

    def test_interrupted_it_closes_in_order(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            door = self.door(Cloud().answers())
            process = self.start("connect", "t1", "--listen", "0")
            process.stdout.readline()
            process.send_signal(number)
            door.wait("DELETE", "sessions/s1")
            self.assertEqual(process.wait(WAIT), 0)
            door.close()
            os.unlink(door.path)

    def test_interrupted_before_it_is_open(self):
        cloud = Cloud(states=("permitted", "opening"))
        door = self.door(cloud.answers())
        process = self.start("connect", "t1", "--listen", "0")
        self.assertIn("stock", process.stderr.readline())
        self.assertIn("permitted", process.stderr.readline())
        self.assertIn("opening", process.stderr.readline())
        process.send_signal(signal.SIGINT)
        door.wait("DELETE", "sessions/s1")
        self.assertEqual(process.wait(WAIT), 1)

    def test_the_session_ends_by_itself(self):
        cloud = Cloud()
        self.door(cloud.answers())
        process = self.start("connect", "t1", "--", "sleep", "600")
        while not process.stderr.readline().endswith(": open\n"):
            pass
        cloud.end("deadline")
        self.assertIn("deadline", process.stderr.readline())
        self.assertEqual(process.wait(WAIT), 124)  # not the command's own

    def test_refused(self):
        self.door(Cloud().answers(**{"POST sessions": (409, {"error": "conflict", "message": "device 'plc' is in use by bob"})}))
        self.assertIn("in use by bob", self.run_ctl("connect", "t1", status=5).stderr)

    def test_closed_before_it_was_open(self):
        self.door(Cloud(states=("opening", "closed"), cause="terminal refused: outside hours").answers())
        self.assertIn("outside hours", self.run_ctl("connect", "t1", "--listen", "0", status=1).stderr)

    def test_a_device_is_found_at_a_port(self):
        """Neither a command nor a word on how: it listens and says where, whatever stdin is."""
        self.door(Cloud().answers(**self.keys("t1")))
        process = self.start("connect", "t1/plc", "--user", "alice", "--password-stdin", stdin=subprocess.PIPE)
        process.stdin.write("pass word\n")
        process.stdin.close()
        said = process.stdout.readline()
        self.assertIn("Ctrl-C", said)
        with socket.create_connection(("127.0.0.1", int(re.search(r"127.0.0.1:(\d+)", said).group(1))), timeout=WAIT) as link:
            link.sendall(b"hello")
            self.assertEqual(link.recv(9), b"HELLO")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(WAIT), 0)

    def test_our_own_failures_are_no_commands(self):
        """A script tells what the command said from what farctl could not do."""
        self.door(Cloud().answers(**{"POST sessions": (409, {"error": "conflict", "message": "device 'plc' is in use by bob"})}))
        self.run_ctl("connect", "t1", "--", "true", status=125)
        self.run_ctl("connect", "t1", "--bogus", "--", "true", status=125)
        self.run_ctl("connect", "t1", status=5)

    def test_what_cannot_be_started(self):
        self.door(Cloud().answers())
        self.assertEqual(self.run_ctl("connect", "t1", "--", self.dir, status=126).stdout, "")

    def test_stdin_and_stdout(self):
        self.door(Cloud().answers(**self.keys("t1")))
        done = self.run_ctl("connect", "t1/plc", "-", "--user", "alice", "--password-stdin", input="pass word\nsome bytes\n")
        self.assertEqual(done.stdout, "SOME BYTES\n")

    def test_stream_joins_a_session(self):
        self.door(Cloud().answers())
        self.assertEqual(self.run_ctl("stream", "s1", input="abc").stdout, "ABC")

    def test_ports(self):
        self.door(Cloud(x=20001, y=20002).answers(**self.keys("t1")))
        lines = self.run_ctl("connect", "t1", "--entry", "ports", "--user", "alice", "--detach").stdout.split("\n")
        self.assertRegex(lines[0], r"^ssh -p 20002 -o HostKeyAlias=t1 -o UserKnownHostsFile=\S+/known_hosts/t1 -l alice 127\.0\.0\.1$")
        self.assertRegex(lines[1], r"^plink -P 20002 -hostkey SHA256:[A-Za-z0-9+/]{43} -l alice 127\.0\.0\.1$")
        with open(os.path.join(self.dir, "farwatch", "known_hosts", "t1"), encoding="ascii") as file:
            known = file.read()
        self.assertEqual(known, f"t1 {self.statement['ssh']}\n")
        told = subprocess.run(["ssh-keygen", "-lf", os.path.join(self.dir, "farwatch", "known_hosts", "t1")], capture_output=True, text=True, timeout=WAIT).stdout
        self.assertIn(re.search(r"SHA256:\S+", lines[1]).group(), told)

    def test_ports_for_a_command(self):
        self.door(Cloud(x=20001, y=20002).answers(**self.keys("t1")))
        self.assertEqual(self.run_ctl("connect", "t1", "--entry", "ports", "--", "echo", "{host}:{port}").stdout, "127.0.0.1:20002\n")

    # ---- keys and login in advance ----

    def keys(self, terminal, change=None):
        """A fleet's authority of the test, and the answers of a cloud that knows one terminal enrolled under it, by farctl itself."""
        ca = os.path.join(self.dir, "ca")
        subprocess.run([FARCTL, "ca", "init", "--dir", ca], env=self.env, check=True, capture_output=True, timeout=WAIT)
        profile = os.path.join(self.dir, "t.yaml")
        with open(profile, "w", encoding="utf-8") as file:
            file.write(f"farwatch: 1\nnode: {{id: {terminal}, state: {self.dir}/t}}\n")
        subprocess.run([FARCTL, "ca", "init", "--profile", profile], env=self.env, check=True, capture_output=True, timeout=WAIT)
        keys = os.path.join(self.dir, "t", "keys")
        self.pending(ca, terminal, keys)
        self.env["FARWATCH_CA"] = os.path.join(ca, "ca.crt")
        if change:
            self.statement.update(change)
        return {f"GET terminals/{terminal}/statement": (200, {"statement": self.statement, "nonce": "N" * 16}), "GET terminals/*": (200, {"statement": self.statement, "nonce": "N" * 16})}

    def pending(self, ca, terminal, keys):
        """Has farctl approve an enrolment, to get a statement that is signed."""
        self.seed, public = os.urandom(32), None
        sodium = ctypes.CDLL(ctypes.util.find_library("sodium") or "libsodium.so.23")
        box, secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(32)
        sodium.crypto_box_keypair(box, secret)
        self.box = (sodium, box, secret)
        public = base64.b64encode(box.raw).decode()
        csr = subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "/dev/null", "-subj", f"/CN={terminal}"],
                             capture_output=True, text=True, check=True, timeout=WAIT).stdout
        ssh = os.path.join(self.dir, "host")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", ssh], check=True, timeout=WAIT)
        with open(ssh + ".pub", encoding="ascii") as file:
            line = file.read().strip()
        folder = tempfile.mkdtemp(dir=self.dir)
        door = Door(folder, {"GET enrollments": (200, {"enrollments": [{"number": "n1", "terminal": terminal, "csr": csr, "box": public, "ssh": line}]}),
                             "POST enrollments/*": (200, {"terminal": terminal})})
        subprocess.run([FARCTL, "--socket", door.path, "enroll", "approve", "n1", "--dir", ca], env=self.env, check=True, capture_output=True, timeout=WAIT)
        self.statement = door.wait("POST", "enrollments/n1")["statement"]
        door.close()

    def open_box(self, sealed):
        sodium, box, secret = self.box
        sealed = base64.b64decode(sealed)
        out = ctypes.create_string_buffer(len(sealed) - 48)
        self.assertEqual(sodium.crypto_box_seal_open(out, sealed, ctypes.c_ulonglong(len(sealed)), box, secret), 0)
        return json.loads(out.raw)

    def test_a_login_in_advance_is_sealed_to_the_terminal(self):
        door = self.door(Cloud().answers(**self.keys("t1")))
        self.run_ctl("connect", "t1/plc", "--for", "2m", "--user", "alice", "--password-stdin", "--", "true", input="pass word\n")
        wish = door.wait("POST", "sessions")
        self.assertEqual(wish["login"], "in-advance")
        self.assertNotIn("pass word", json.dumps(door.asked))
        self.assertEqual(self.open_box(wish["login_box"]), {"nonce": "N" * 16, "request": wish["id"], "person": "alice", "password": "pass word", "device": "plc",
                                                            "longest_us": 120000000, "entry": "stream"})
        self.assertEqual(self.statement["authority"], "admin")

    def refuses_statement(self, answers, says):
        door = self.door(answers)
        done = self.run_ctl("connect", "t1/plc", "--user", "alice", "--password-stdin", input="pass word\n", status=1)
        self.assertIn(says, done.stderr)
        self.assertFalse([a for a in door.asked if a[0] == "POST"])  # nothing was sealed to a key nobody vouches for

    def test_a_changed_statement(self):
        self.refuses_statement(Cloud().answers(**self.keys("t1", {"box": base64.b64encode(b"x" * 32).decode()})), "")

    def test_the_statement_of_another(self):
        self.refuses_statement(Cloud().answers(**self.keys("t2")), "another node")

    def test_another_authority(self):
        answers = Cloud().answers(**self.keys("t1"))
        other = os.path.join(self.dir, "other")
        subprocess.run([FARCTL, "ca", "init", "--dir", other], env=self.env, check=True, capture_output=True, timeout=WAIT)
        self.env["FARWATCH_CA"] = os.path.join(other, "ca.crt")
        self.refuses_statement(answers, "")

    def test_no_authority_at_hand(self):
        answers = Cloud().answers(**self.keys("t1"))
        del self.env["FARWATCH_CA"]
        self.refuses_statement(answers, "--ca FILE")

    # ---- a cloud that lies ----

    def test_a_session_that_is_a_command(self):
        for name in (f"s1; touch {self.dir}/owned", "-s1", "a b", "", None):
            door = self.door(Cloud().answers(**{"POST sessions": (201, dict(row("permitted"), session=name))}))
            self.assertIn("no usable session", self.run_ctl("connect", "t1", status=1).stderr)
            door.close()
            os.unlink(door.path)

    def test_where_the_terminal_comes_to_is_not_for_people(self):
        """What the cloud sees of the terminal's link may be an address behind a router; a host that its profile tells is for everybody."""
        for whence, host in (("link", "127.0.0.1"), ("profile", "192.0.2.9")):
            door = self.door(Cloud(x=20001, y=20002, z="192.0.2.9", z_from=whence, **{"from": "127.0.0.1"}).answers())
            self.assertEqual(self.run_ctl("connect", "t1", "--entry", "ports", "--", "echo", "{host}").stdout, host + "\n")
            door.close()
            os.unlink(door.path)

    def test_a_host_that_is_an_option(self):
        for host in ("-oProxyCommand=touch owned", "a;b", "$(id)"):
            door = self.door(Cloud(x=20001, y=20002, z=host).answers())
            done = self.run_ctl("connect", "t1", "--entry", "ports", "--", "echo", "{host}", status=125)
            self.assertEqual((done.stdout, "no usable host" in done.stderr), ("", True))
            self.assertEqual(self.run_ctl("connect", "t1", "--entry", "ports", "--detach", status=1).stdout, "")
            door.close()
            os.unlink(door.path)

    def test_a_name_that_is_a_command(self):
        self.door(Cloud(x=20001, y=20002).answers())
        lines = self.run_ctl("connect", "t1", "--entry", "ports", "--user", "a; id", "--detach").stdout
        self.assertEqual(lines.count("-l 'a; id' 127.0.0.1"), 2, lines)

    def test_words_that_turn_or_hide_others(self):
        """In tables, fields, errors, warnings, sentences, and escaped in JSON, where they stay what they are."""
        evil = "".join(map(chr, (0x1b, 0x7f, 0x85, 0x9b, 0xad, 0x61c, 0x200b, 0x200e, 0x200f, 0x2028, 0x202a, 0x202d, 0x202e, 0x2066, 0x2069, 0xfeff, 0xe0041)))
        name = "a" + evil + "b"
        right = {"id": name, "who": name, "action": name, "object": name}
        self.door({"GET terminals": (200, {"terminals": [{"terminal": name, "note": name, "groups": [name]}]}), "GET terminals/t1": (200, {"terminal": name, "site": name}),
                   "GET explain": (200, {"who": name, "action": name, "object": name, "result": name, "cause": name, "rights": [{"right": right, "says": name}]}),
                   "GET doctor": (200, {"findings": [{"level": name, "what": name, "text": name, "next": name}]}),
                   "GET types/x": (200, {"kind": name, "type": name, "summary": name, "options": []}),
                   "GET status": (200, {"node": name, "refused": {name: 1}, "missing": [{"path": name, "package": name}], "instances": [{"path": name, "error": name}]}),
                   "POST rights": (201, {"id": name, "right": right, "was": right, "warnings": [name]}), "GET users": (404, {"error": "not-found", "message": name}),
                   "POST reload": (200, {"warnings": name, "changes": {name: name}}), "DELETE rights/r": (400, {"error": "invalid", "message": name}),
                   "GET samples": (200, {"series": [{"source": name, "name": name, "unit": name}]})})
        for words in (["terminals"], ["terminals", "t1"], ["explain", "a", "see", "b"], ["doctor"], ["describe", "x"], ["status"], ["grant", "a", "see", "b"],
                      ["user", "list"], ["reload"], ["revoke", "r"], ["samples"], ["samples", "t1"]):
            for more in ([], ["--json"]):
                done = subprocess.run(self.argv(*words, *more), env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=WAIT)
                self.assertFalse(set(evil) & set(done.stdout + done.stderr), (words, more, done))
                if more:
                    self.assertIn(name, json.dumps(json.loads(done.stdout), ensure_ascii=False).replace("\\u001b", "\x1b").replace("\\u007f", "\x7f"), words)

    def test_words_that_move_the_cursor(self):
        self.door({"GET terminals": (404, {"error": "not-found", "message": "gone\x1b[2J\x9b2J"}),
                   "GET sessions": (200, {"sessions": [row("open\x1b[2J", cause="\x9b")]}), "PUT terminals/*": (200, {})})
        for words in (["terminals"], ["sessions"]):
            done = subprocess.run(self.argv(*words), env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=WAIT)
            self.assertFalse(set("\x1b\x9b") & set(done.stdout + done.stderr), done)

    def test_in_band_a_changed_statement_is_refused_too(self):
        door = self.door(Cloud().answers(**self.keys("t1", {"ssh": "ssh-ed25519 AAAA"})))
        self.run_ctl("connect", "t1", "--login", "in-band", status=1)
        self.assertFalse([a for a in door.asked if a[0] == "POST"])

    def test_a_statement_that_is_hidden_later(self):
        door = self.door(Cloud(x=20001, y=20002).answers(**self.keys("t1")))
        before = self.run_ctl("connect", "t1", "--entry", "ports", "--user", "alice", "--detach").stdout
        door.close()
        os.unlink(door.path)
        self.door(Cloud(x=20001, y=20002).answers())
        self.assertEqual(self.run_ctl("connect", "t1", "--entry", "ports", "--user", "alice", "--detach").stdout, before)

    def unvouched(self, *words, terminal=(200, {"terminal": "t1"}), **more):
        """A cloud that knows t1 and shows no keys of it; nothing may have been asked for."""
        door = self.door(Cloud(x=20001, y=20002).answers(**{"GET terminals/t1": terminal, **more}))
        done = self.run_ctl("connect", "t1", "--login", "in-band", *words, status=125 if "--" in words else 1)
        self.assertEqual((done.stdout, "--trust-cloud" in done.stderr), ("", True), done.stderr)
        return door

    def test_no_keys_no_way_in(self):
        """Whatever way in is asked for: a terminal whose keys nobody vouches for is not gone to, and no line to copy is printed."""
        for words in (["--entry", "ports", "--detach"], ["--listen", "0"], ["--", "true"], []):
            door = self.unvouched(*words)
            self.assertFalse([a for a in door.asked if a[0] == "POST"])
            door.close()
            os.unlink(door.path)

    def test_a_device_without_keys_is_no_way_in_either(self):
        door = self.door(Cloud(x=20001, y=20002).answers(**{"GET terminals/t1": (200, {"terminal": "t1"})}))
        for words in (["--login", "in-band"], ["--password-stdin"]):
            self.assertEqual(self.run_ctl("connect", "t1/web", *words, "--trust-cloud" if words[0] == "--password-stdin" else "--detach", input="pass word\n",
                                          status=3 if words[0] == "--password-stdin" else 1).stdout, "")
        self.assertFalse([a for a in door.asked if a[0] == "POST"])  # a password is never sealed to a key that nobody vouches for

    def test_a_cloud_that_says_unknown_and_lets_in(self):
        """It hides the terminal and its keys, then gives a session to it all the same: that is closed, and no line printed."""
        door = self.unvouched("--entry", "ports", "--detach", terminal=(404, {"error": "not-found", "message": "no terminal"}))
        door.wait("DELETE", "sessions/s1")

    def test_an_unknown_terminal_is_the_clouds_to_refuse(self):
        self.door({"POST sessions": (404, {"error": "not-found", "message": "no terminal 't1', or no right to it"})})
        self.assertIn("no terminal 't1'", self.run_ctl("connect", "t1", "--login", "in-band", status=3).stderr)

    def test_a_fault_is_no_missing_statement(self):
        """Only who says that there is none can go on without: not who cannot answer, or may not."""
        for word, number in (("unavailable", 503), ("denied", 403), ("limit", 429)):
            door = self.door(Cloud(x=20001, y=20002).answers(**{"GET terminals/t1/statement": (number, {"error": word, "message": "not now"})}))
            self.assertIn("not now", self.run_ctl("connect", "t1", "--entry", "ports", "--detach", status=5 if word == "limit" else 1).stderr)
            self.assertFalse([a for a in door.asked if a[0] == "POST"])
            door.close()
            os.unlink(door.path)

    def test_trust_the_cloud(self):
        self.door(Cloud(x=20001, y=20002).answers(**{"GET terminals/t1": (200, {"terminal": "t1"})}))
        done = self.run_ctl("connect", "t1", "--entry", "ports", "--user", "alice", "--detach", "--trust-cloud")
        self.assertIn("ssh -p 20002 -o HostKeyAlias=t1 -l alice", done.stdout)
        self.assertIn("WARNING: nothing vouches for the keys of t1", done.stderr)

    def test_a_stock_end_is_said_aloud(self):
        self.door(Cloud(x=20001, y=20002).answers())
        done = self.run_ctl("connect", "t1", "--entry", "ports", "--user", "alice", "--detach")
        self.assertIn("WARNING: t1 is a stock SSH server", done.stderr)

    def test_in_band_without_an_authority(self):
        answers = Cloud(x=20001, y=20002).answers(**self.keys("t1"))
        del self.env["FARWATCH_CA"]
        door = self.door(answers)
        self.assertIn("--ca FILE", self.run_ctl("connect", "t1", "--entry", "ports", "--detach", status=1).stderr)
        self.assertFalse([a for a in door.asked if a[0] == "POST"])
        self.assertIn("WARNING", self.run_ctl("connect", "t1", "--entry", "ports", "--detach", "--trust-cloud").stderr)

    def test_another_key_than_last_time_is_said(self):
        door = self.door(Cloud(x=20001, y=20002).answers(**self.keys("t1")))
        self.assertNotIn("WARNING", self.run_ctl("connect", "t1", "--entry", "ports", "--detach").stderr)
        self.assertNotIn("WARNING", self.run_ctl("connect", "t1", "--entry", "ports", "--detach").stderr)
        with open(os.path.join(self.dir, "farwatch", "known_hosts", "t1"), "w", encoding="ascii") as file:
            file.write("t1 ssh-ed25519 AAAA\n")
        self.assertIn("WARNING: t1 has another host key", self.run_ctl("connect", "t1", "--entry", "ports", "--detach").stderr)
        door.close()

    # ---- secrets ----

    def test_passwords_come_by_stdin_and_are_not_shown(self):
        door = self.door({"PUT users/*": (200, {})})
        done = self.run_ctl("user", "add", "alice", "--password-stdin", "--group", "a,b", "--group", "c", input="s3cr3t-w0rd\r\n")
        self.assertEqual(door.wait("PUT", "users/alice"), {"password": "s3cr3t-w0rd", "groups": ["a", "b", "c"]})
        self.assertNotIn("s3cr3t", done.stdout + done.stderr)
        self.assertIn("no terminal to ask at", subprocess.run(["setsid", "-w", *self.argv("user", "add", "bob")], stdin=subprocess.DEVNULL, env=self.env, capture_output=True,
                                                              text=True, timeout=WAIT).stderr)
        self.run_ctl("user", "add", "bob", "--password-stdin", input="", status=2)
        self.run_ctl("user", "add", "bob", "--password-stdin", input="x" * 2000 + "\n", status=2)

    def test_completion(self):
        def words(*typed):
            return subprocess.run([FARCTL, "--complete", *typed], capture_output=True, text=True, timeout=WAIT).stdout.split()
        self.assertIn("connect", words("con"))
        self.assertLessEqual({"add", "remove", "set"}, set(words("terminal", "")))
        self.assertIn("--reason", words("connect", "--"))
        self.assertIn("_farctl", self.run_ctl("completion").stdout)


tap.main()
