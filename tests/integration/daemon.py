# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemon from outside: exit statuses, the service manager's protocol, signals, the log."""
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import unittest

import tap

BUILD = os.environ["FARWATCH_TEST_BUILDDIR"]
DAEMON = os.path.join(BUILD, "farwatchd")
FIXTURES = os.path.join(BUILD, "tests", "fixtures", ".libs")
WAIT = 20


class Daemon(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="fwd-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.plugins = os.path.join(self.dir, "plugins")
        os.mkdir(self.plugins)
        os.symlink(os.path.join(FIXTURES, "sensor-probe.so"), os.path.join(self.plugins, "sensor-probe.so"))
        self.state = os.path.join(self.dir, "state")
        self.profile = os.path.join(self.dir, "plant.yaml")
        self.env = dict(os.environ, FARWATCH_PLUGIN_DIR=self.plugins, LC_ALL="C")
        self.env.pop("NOTIFY_SOCKET", None)

    def write(self, lines, state=None):
        with open(self.profile, "w", encoding="utf-8") as file:
            file.write(f"farwatch: 1\nnode: {{id: t1, state: {state or self.state}}}\n{lines}")

    def run_daemon(self, *args):
        return subprocess.run([DAEMON, *args], env=self.env, capture_output=True, text=True, timeout=WAIT)

    def start(self, **more):
        """Started and ready; its log goes to a file. The socket has the datagrams for the service manager."""
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.notify.close)
        self.notify.bind(os.path.join(self.dir, "notify"))
        self.notify.settimeout(WAIT)
        self.log = open(os.path.join(self.dir, "log"), "w+", encoding="utf-8")
        self.addCleanup(self.log.close)
        env = dict(self.env, NOTIFY_SOCKET=os.path.join(self.dir, "notify"), **more)
        process = subprocess.Popen([DAEMON, "--profile", self.profile], env=env, stderr=self.log)
        self.addCleanup(self.end, process)
        self.assertEqual(self.notify.recv(1000), b"READY=1")
        return process

    def test_tells_the_watchdog(self):
        """Only while the main context turns, only for the process that is meant; and at the end that it ends."""
        self.write("sensors: {}\n")
        process = self.start(WATCHDOG_USEC="200000")
        for _ in range(3):
            self.assertEqual(self.notify.recv(1000), b"WATCHDOG=1")
        process.terminate()
        left = [self.notify.recv(1000)]
        while left[-1] != b"STOPPING=1":
            self.assertEqual(left[-1], b"WATCHDOG=1")
            left.append(self.notify.recv(1000))
        self.assertEqual(process.wait(timeout=WAIT), 0)

    def test_anothers_watchdog(self):
        self.write("sensors: {}\n")
        process = self.start(WATCHDOG_USEC="2000", WATCHDOG_PID="1")
        process.terminate()
        self.assertEqual(self.notify.recv(1000), b"STOPPING=1")
        self.assertEqual(process.wait(timeout=WAIT), 0)

    def end(self, process):
        if process.poll() is None:
            process.terminate()
        self.assertEqual(process.wait(timeout=WAIT), 0)

    def logged(self):
        with open(self.log.name, encoding="utf-8") as file:
            return file.read()

    def farctl(self, *words):
        return subprocess.run([os.path.join(BUILD, "farctl"), "--socket", os.path.join(self.state, "control.sock"), *words], env=self.env, capture_output=True, text=True, timeout=60, check=False)

    def ask(self, method, resource):
        """One message through the control socket."""
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(WAIT)
            link.connect(os.path.join(self.state, "control.sock"))
            self.asked = getattr(self, "asked", 0) + 1
            head = json.dumps({"id": f"test-{self.asked}", "method": method, "resource": resource, "n": 0}).encode()
            link.sendall(struct.pack(">I", len(head)) + head)
            file = link.makefile("rb")
            head = json.loads(file.read(struct.unpack(">I", file.read(4))[0]))
            return head["status"], json.loads(file.read(head["n"]) or b"null")

    def test_bad_profile_is_78_and_nothing_is_made(self):
        self.write("sensors:\n  boiler: {type: probe, intervall: 1s}\n  burner: {type: probe, count: 99}\n")
        run = self.run_daemon("--profile", self.profile)
        self.assertEqual(run.returncode, 78)
        self.assertEqual(len(re.findall(": error: ", run.stderr)), 2, run.stderr)
        self.assertFalse(os.path.exists(self.state))

    def test_what_is_needed_on_demand_is_checked_but_not_loaded(self):
        self.write("stores:\n  main: {type: shelf, start: on-demand, hang: maybe}\nsensors:\n  boiler: {type: modbus, start: soon}\n")
        run = self.run_daemon("--profile", self.profile)
        self.assertEqual(run.returncode, 78)
        self.assertEqual(len(re.findall(": error: ", run.stderr)), 2, run.stderr)
        self.assertEqual(len(re.findall(": warning: ", run.stderr)), 1, run.stderr)
        self.write("stores:\n  attic: {type: shelf, start: on-demand}\n")
        process = self.start()
        with open(f"/proc/{process.pid}/maps", encoding="utf-8") as maps:
            self.assertNotIn("sensor-probe", maps.read())
        body = self.ask("GET", "status")[1]
        self.assertEqual((body["state"], body["instances"][0]["state"]), ("ok", "resting"))

    def test_check(self):
        self.write("sensors:\n  boiler: {type: probe}\n")
        run = self.run_daemon("--profile", self.profile, "--check")
        self.assertEqual((run.returncode, run.stdout), (0, f"{self.profile}: good\n"))
        self.assertFalse(os.path.exists(self.state))

    def test_wrong_arguments_are_1(self):
        for args in ([], ["--no-such"], ["--profile"], ["--profile", "x", "y"]):
            with self.subTest(args):
                self.assertEqual(self.run_daemon(*args).returncode, 1)

    def test_help(self):
        run = self.run_daemon("--help")
        self.assertEqual(run.returncode, 0)
        self.assertIn("--profile", run.stdout)

    def test_state_that_cannot_be_made_is_1(self):
        self.write("", state="/dev/null/state")
        run = self.run_daemon("--profile", self.profile)
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertIn("/dev/null/state", run.stderr)

    def test_state_is_private_and_for_one(self):
        self.write("")
        self.start()
        self.assertEqual(os.stat(self.state).st_mode & 0o777, 0o700)
        second = self.run_daemon("--profile", self.profile)
        self.assertEqual(second.returncode, 1)
        self.assertIn("in use by another farwatchd", second.stderr)
        self.assertEqual(self.ask("GET", "status")[0], 200)

    def test_signals_end_it_in_order(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number):
                self.write("sensors:\n  boiler: {type: probe}\n")
                process = self.start()
                process.send_signal(number)
                self.assertEqual(self.notify.recv(1000), b"STOPPING=1")
                self.assertEqual(process.wait(timeout=WAIT), 0)
                self.notify.close()
                os.unlink(os.path.join(self.dir, "notify"))

    def test_degraded_role_runs_and_names_the_package(self):
        self.write("sensors:\n  boiler: {type: modbus, port: x}\n  burner: {type: probe}\n")
        self.start()
        status, body = self.ask("GET", "status")
        self.assertEqual((status, body["state"], body["role"]), (200, "degraded", "plant"))
        self.assertEqual(body["missing"], [{"path": "sensors.boiler", "type": "sensor/modbus", "package": "farwatch-plugin-sensor-modbus",
                                            "cause": "sensor type 'modbus' is not installed; install the package farwatch-plugin-sensor-modbus"}])
        self.assertEqual({row["path"]: row["state"] for row in body["instances"]}, {"sensors.boiler": "missing", "sensors.burner": "running"})

    def test_plugins_that_cannot_be_used_are_named_and_the_rest_runs(self):
        for name in ("oldabi", "nosymbol"):
            os.symlink(os.path.join(FIXTURES, f"sensor-{name}.so"), os.path.join(self.plugins, f"sensor-{name}.so"))
        with open(os.path.join(BUILD, "plugins", "sensor-system.so"), "rb") as file, open(os.path.join(self.plugins, "sensor-system.so"), "wb") as copy:
            copy.write(file.read().replace(b"libglib-2.0", b"libgone-2.0"))
        with open(os.path.join(self.plugins, "sensor-text.so"), "w", encoding="utf-8") as file:
            file.write("no plugin at all, but long enough to be read as the header of one, which it is not\n")
        bad = {"oldabi": "built for plugin ABI 7, this farwatch has 0", "nosymbol": "undefined symbol: far_function_nobody_has",
               "system": "libgone-2.0.so.0: cannot open shared object file", "text": "not a plugin: no ELF file", "modbus": "is not installed"}
        self.write("sensors:\n  burner: {type: probe}\n" + "".join(f"  s-{name}: {{type: {name}}}\n" for name in bad))
        self.start()
        body = self.ask("GET", "status")[1]
        self.assertEqual((body["state"], body["role"]), ("degraded", "plant"))
        rows = {row["path"]: row for row in body["instances"]}
        self.assertEqual(rows["sensors.burner"]["state"], "running")
        self.assertEqual({row["path"]: row["package"] for row in body["missing"]}, {f"sensors.s-{name}": f"farwatch-plugin-sensor-{name}" for name in bad})
        for name, words in bad.items():
            self.assertEqual(rows[f"sensors.s-{name}"]["state"], "missing")
            self.assertIn(words, rows[f"sensors.s-{name}"]["cause"])
            self.assertRegex(self.logged(), f"plant.yaml:[0-9]+.*{re.escape(words)}.*farwatch-plugin-sensor-{name}")
        said = subprocess.run([os.path.join(BUILD, "farctl"), "--socket", os.path.join(self.state, "control.sock"), "status"], env=self.env, capture_output=True,
                              text=True, timeout=WAIT)
        self.assertIn("degraded", said.stdout)
        for name in bad:
            self.assertIn(f"farwatch-plugin-sensor-{name}", said.stdout)

    def test_an_older_profile_runs_and_is_told_of(self):
        """In the log, by --check and by the doctor: place, cause, and what to write."""
        for name in ("service-whole", "service-part"):
            os.symlink(os.path.join(FIXTURES, f"{name}.so"), os.path.join(self.plugins, f"{name}.so"))
        self.write("sensors:\n  boiler: {type: probe, colour: red}\nservices:\n  all: {type: whole, colour: green}\n")
        wanted = [f"{self.profile}:4: 'colour' in sensor 'boiler' (type probe) is an old name; write 'word'",
                  f"{self.profile}:6: service 'all' (type whole): a part of it is type part now, and runs as services.part with what stands here; "
                  "write under services: `part: {type: part, colour: green}`, and take out here: colour"]
        check = self.run_daemon("--profile", self.profile, "--check")
        self.assertEqual(check.returncode, 0, check.stderr)
        self.start()
        findings = [row["text"] for row in self.ask("GET", "doctor")[1]["findings"] if row["what"] == "profile"]
        self.assertEqual(findings, wanted)
        for text in (check.stderr, self.logged()):
            self.assertEqual([line.split(": ", 2)[2] for line in text.splitlines() if ": warning: " in line], [line.split(": ", 1)[1] for line in wanted])
        self.assertIn("services.part: runs", self.logged())

    def test_hangup_reloads_and_a_bad_profile_keeps_the_old(self):
        self.write("sensors:\n  boiler: {type: probe, count: 1}\n")
        process = self.start()
        self.write("sensors:\n  boiler: {type: probe, count: 99}\n")
        process.send_signal(signal.SIGHUP)
        self.assertTrue(self.notify.recv(1000).startswith(b"RELOADING=1\nMONOTONIC_USEC="))
        self.assertEqual(self.notify.recv(1000), b"READY=1")
        self.assertIn("the old profile stays in force", self.logged())
        self.assertIn("99 is out of bounds", self.logged())
        self.write("sensors:\n  boiler: {type: probe, count: 2}\n")
        process.send_signal(signal.SIGHUP)
        self.notify.recv(1000)
        self.assertEqual(self.notify.recv(1000), b"READY=1")
        config = self.ask("GET", "config")[1]["config"]
        self.assertEqual(config["sensors.boiler.count"], {"value": "2", "origin": f"{self.profile}:4"})

    def test_reload_by_message_answers_with_what_changed(self):
        self.write("sensors:\n  boiler: {type: probe, word: a}\n")
        self.start()
        self.write("sensors:\n  boiler: {type: probe, word: b}\n  burner: {type: probe}\n")
        status, body = self.ask("POST", "reload")
        self.assertEqual((status, body["changes"]), (200, [{"path": "sensors.boiler", "action": "reloaded"}, {"path": "sensors.burner", "action": "added"}]))
        self.write("sensors:\n  boiler: {type: probe, wrod: b}\n")
        status, body = self.ask("POST", "reload")
        self.assertEqual((status, body["error"]), (500, "config"))
        self.assertIn("did you mean 'word'?", body["faults"])
        done = self.farctl("reload")
        self.assertEqual((done.returncode, done.stdout), (78, ""), done.stderr)
        self.assertIn("did you mean 'word'?", done.stderr)

    def test_types_plugins(self):
        self.write("sensors:\n  boiler: {type: probe}\n")
        self.start()
        self.assertEqual(self.ask("GET", "types/probe")[1]["plugin"], "sensor-probe")
        self.assertEqual(self.ask("GET", "types/sensor-probe")[1]["kind"], "sensor")
        self.assertEqual(self.ask("GET", "types/nothing")[0], 404)
        rows = self.ask("GET", "plugins")[1]["plugins"]
        self.assertEqual([(row["name"], row["state"]) for row in rows], [("sensor-probe", "loaded")])

    def test_pages_of_a_large_profile(self):
        names = [f"s{i}" for i in range(120)]
        self.write("sensors:\n" + "".join(f"  {name}: {{type: probe, interval: 1h}}\n" for name in names))
        self.start()
        seen, after = [], ""
        for _ in range(10):
            body = self.ask("GET", "status" + (f"?after={after}" if after else ""))[1]
            seen += [row["path"] for row in body["instances"]]
            after = body["next"]
            if not after:
                break
        self.assertEqual(sorted(seen), sorted(f"sensors.{name}" for name in names))
        keys, after = [], ""
        for _ in range(100):
            body = self.ask("GET", "config" + (f"?after={after}" if after else ""))[1]
            keys += body["config"]
            after = body["next"]
            if not after:
                break
        self.assertEqual(len(keys), len(set(keys)))
        self.assertEqual({key.split(".")[1] for key in keys}, set(names))
        said = self.farctl("status").stdout
        self.assertEqual({name for name in names if f"sensors.{name} " in said}, set(names))
        many = [f"a-longer-name-{i}" for i in range(600)]
        self.write("sensors:\n" + "".join(f"  {name}: {{type: probe, interval: 1h}}\n" for name in many))
        status, body = self.ask("POST", "reload")
        self.assertEqual(status, 200)
        self.assertGreater(body["more"], 100)
        self.assertEqual(len(body["changes"]) + body["more"], 720)
        self.write("sensors:\n  boiler: {type: probe}\n")
        said = self.farctl("reload").stdout
        self.assertRegex(said, r"(?m)^sensors\.a-longer-name-1 +removed$")
        self.assertRegex(said, r"(?m)^and [0-9]+ changes more$")

    def test_log_speaks_to_the_journal(self):
        self.write("sensors:\n  boiler: {type: probe, fail-at: start, fail-as: config}\n")
        path = os.path.join(self.dir, "log")
        with open(path, "w", encoding="utf-8"):
            at = os.stat(path)
        self.start(JOURNAL_STREAM=f"{at.st_dev}:{at.st_ino}")
        self.assertRegex(self.logged(), r"(?m)^<4>sensors\.boiler: asked to fail as config \(.*plant\.yaml:4\); not tried again")
        self.assertRegex(self.logged(), r"(?m)^<5>ready; the control socket is ")


tap.main()
