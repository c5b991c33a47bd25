# SPDX-License-Identifier: LGPL-2.1-or-later
"""doc/examples: each plugin is built outside the tree by its README's commands, against the headers and farwatch.pc as they are installed, and runs in
the installed daemon with its profile; the README's last command shows what it says. Replaced are only the place of the state, and the ports."""
import glob
import itertools
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import lab
import tap
from lab import secrets
from lab.process import Process

SOURCE, BUILD = os.environ["FARWATCH_TEST_SRCDIR"], os.environ["FARWATCH_TEST_BUILDDIR"]
EXAMPLES = os.path.join(SOURCE, "doc/examples")
STATE = "/var/tmp/farwatch-example"
PORTS = range(18440, 18450)  # those that the profiles name
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)
SEEN_S = 30


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def flags():
    """As strict as may be; in a tree with sanitizers the examples have them too."""
    sanitized = "-fsanitize=address" in read(BUILD, "Makefile")
    return "-g -O1 -Wall -Wextra -Werror" + (" -fsanitize=address,undefined -fno-sanitize-recover=undefined" if sanitized else "")


class Place:
    """A folder with the installed tree beside it, and plugins of its own that `make install` of an example adds to."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="farwatch-ex-")
        pc = glob.glob(os.path.join(BUILD, "tests/installed/**/farwatch.pc"), recursive=True)[0]
        prefix, self.libdir = re.sub(r"/lib.*/pkgconfig/farwatch.pc$", "", pc), os.path.dirname(os.path.dirname(pc))
        self.state, self.ports = f"{self.folder}/s", {}
        self.plugins = f"{self.folder}/plugins"
        text = re.sub(r"(?m)^prefix=.*", f"prefix={prefix}", read(pc))  # it was not installed where it will be
        with open(f"{self.folder}/farwatch.pc", "w", encoding="utf-8") as file:
            file.write(re.sub(r"(?m)^plugindir=.*", f"plugindir={self.plugins}", text))
        where = re.search(r"(?m)^plugindir=.*/(.*)$", text)[1]
        shutil.copytree(os.path.join(self.libdir, "farwatch", where), self.plugins)
        for name in os.listdir(EXAMPLES):
            if os.path.isdir(f"{EXAMPLES}/{name}"):
                shutil.copytree(f"{EXAMPLES}/{name}", f"{self.folder}/{name}", copy_function=self.install)
                os.chmod(f"{self.folder}/{name}", 0o755)  # the source may be read-only
        self.env = {**os.environ, "PKG_CONFIG_PATH": self.folder, "LD_LIBRARY_PATH": self.libdir, "FARWATCH_PLUGIN_DIR": self.plugins, "CFLAGS": flags(),
                    "HOME": self.folder, "XDG_CONFIG_HOME": f"{self.folder}/config", "PATH": f"{prefix}/sbin:{prefix}/bin:{os.environ['PATH']}"}

    def place(self, text):
        for port in PORTS:
            if re.search(rf"\b{port}\b", text):
                text = re.sub(rf"\b{port}\b", str(self.ports.setdefault(port, lab.free_port())), text)
        return text.replace(STATE, self.state)

    def install(self, source, target):
        with open(target, "w", encoding="utf-8") as copy:
            copy.write(self.place(read(source)))

    def run(self, name, command, input):
        return subprocess.run(["sh", "-ec", self.place(command)], cwd=f"{self.folder}/{name}", env=self.env, text=True, timeout=120, input=input,
                              capture_output=True)


class Example(unittest.TestCase):
    def setUp(self):
        self.there = Place()
        self.addCleanup(shutil.rmtree, self.there.folder)
        self.started, self.password, self.number = [], secrets.new(), itertools.count()

    def tearDown(self):
        faults = [fault for process in reversed(self.started) for fault in process.stop()]
        self.assertEqual(faults, [])

    def start(self, name, command):
        """A line with & at its end. A daemon is waited for until it is ready, anything else until it listens."""
        argv = self.there.place(command).removesuffix("&").split()
        daemon = argv[0] == "farwatchd"
        process = Process(argv, f"{self.there.folder}/{name}-{next(self.number)}.log", env=self.there.env, cwd=f"{self.there.folder}/{name}", notify=daemon)
        self.started.append(process)
        if daemon:
            process.wait_notice("^READY=1", 30)
        else:
            process.wait_line("listening", 10)

    def typed(self, command):
        """What asks at a terminal reads the password from stdin here."""
        return re.sub(r"\b(user add \w+|login \w+|connect [\w/-]+)", r"\1 --password-stdin", command).replace("passwd -6", "passwd -6 -stdin")

    def command(self, name, command, seen=None):
        """seen: the command is given again until it says so, as values come in time."""
        done = []

        def says():
            done[:] = [self.there.run(name, self.typed(command), self.password + "\n" if self.typed(command) != command else "")]
            return re.search(seen, done[0].stdout) if seen else done[0].returncode == 0
        if seen:
            try:
                lab.wait_until(says, SEEN_S, what=seen)
            except AssertionError:
                pass
        else:
            says()
        self.assertTrue(re.search(seen or "", done[0].stdout) and done[0].returncode == 0,
                        f"{command}\nexit {done[0].returncode}\n{done[0].stdout}{done[0].stderr}" + "".join(f"{line}\n" for process in self.started for line in process.lines[-15:]))

    def walk(self, name, *seen, before=()):
        """The README's commands, line by line; the last ones must say what seen has, in their order."""
        for other in before:
            self.command(other, "make && make install")
        commands = [line for block in BLOCK.findall(read(EXAMPLES, name, "README.md")) for line in block.splitlines()]
        self.assertEqual(commands[:2], ["make", "make install"])
        for number, command in enumerate(commands):
            if command.endswith("&"):
                self.start(name, command)
            else:
                last = len(commands) - number
                self.command(name, command, seen[-last] if last <= len(seen) else None)

    def test_sensor(self):
        self.walk("sensor-number", r"\d\.\d")
        self.assertEqual(read(EXAMPLES, "sensor-number/sensor-number.c"),
                         re.search(r"(?ms)^```c\n(.*?)^```$", read(SOURCE, "doc/writing-a-plugin.md"))[1])

    def test_filter(self):
        self.walk("filter-range", r"(?s)host\.cpu .*good.*host\.memory\.used .*bad")

    def test_service(self):
        self.walk("service-limit", r'"value": ?"host\.memory\.used"')

    def test_service_watch(self):
        """What the README says beside its commands: who watches is told of each change. The limit goes up and down until the watch has begun."""
        self.command("service-limit", "make && make install")
        self.start("service-limit", "farwatchd --profile example.yaml &")
        watch = Process(["farctl", "--socket", f"{self.there.state}/control.sock", "call", "WATCH", "alarms"], f"{self.there.folder}/watch.log", env=self.there.env)
        self.addCleanup(watch.kill)
        path = f"{self.there.folder}/service-limit/example.yaml"
        limits = itertools.cycle(("1e15", "1e6"))

        def told():
            text = re.sub(r"above: \S+", f"above: {next(limits)}", read(path))
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            self.command("service-limit", f"farctl --socket {STATE}/control.sock reload")
            return any("host.memory.used" in line for line in watch.lines)
        lab.wait_until(told, 60, "who watches is told", every=2)

    def test_notifier(self):
        self.walk("notifier-file", r"host\.memory\.used", r"warning services\.limit host\.memory\.used: above 1e\+06", before=["service-limit"])

    def test_decoder(self):
        self.walk("decoder-line", r"decoders\.lines .*running")

    def test_authenticator(self):
        self.walk("authenticator-htpasswd", r"@operators +see +node")
        login = self.typed("farctl --server 127.0.0.1:18443 login alice")
        self.assertNotEqual(self.there.run("authenticator-htpasswd", login, "another password\n").returncode, 0)
        os.chmod(f"{self.there.state}/people.htpasswd", 0o644)
        self.assertNotEqual(self.there.run("authenticator-htpasswd", login, self.password + "\n").returncode, 0)
        self.started[0].wait_line("chmod 600", 10)

    def test_endpoint(self):
        self.walk("endpoint-unix", r"energy 18342\.7 kWh")
        device = f'{{"endpoint": "sockets", "address": "../{os.path.basename(self.there.state)}/meter"}}'
        self.command("endpoint-unix", f"farctl --socket {STATE}/terminal/control.sock call PUT terminals/plant-7/devices/other '{device}'")
        connect = f"farctl --socket {STATE}/cloud/control.sock connect plant-7/other --user alice -- python3 meter.py"
        done = self.there.run("endpoint-unix", self.typed(connect), self.password + "\n")
        self.assertEqual((done.stdout, "the name of a socket in" in done.stderr), ("", True), done.stderr)

    def test_store(self):
        self.walk("store-journal", r'"op":"apply"', r"host\.load1 .*good")
        self.assertEqual(self.started.pop().stop(), [])
        with open(f"{self.there.state}/journal", "a", encoding="utf-8") as file:
            file.write('{"op":"apply","source":"he')  # the power went
        self.start("store-journal", "farwatchd --profile example.yaml &")
        self.command("store-journal", f"farctl --socket {STATE}/control.sock samples here", r"host\.load1 .*good")

    @unittest.skipUnless(os.path.exists(f"{BUILD}/tests/unit/test-store"), "built without Check")
    def test_store_keeps_the_contract(self):
        """The suite that every store of the project passes."""
        self.command("store-journal", "make && make install")
        env = {key: value for key, value in self.there.env.items() if not key.startswith("CK_")}
        done = subprocess.run([f"{BUILD}/tests/unit/test-store"], env={**env, "FARWATCH_TEST_STORES": "journal"}, capture_output=True, text=True, timeout=600)
        self.assertRegex(done.stdout, r"100%: Checks: 2\d, Failures: 0", done.stderr[-2000:])
        self.assertEqual(done.returncode, 0)

    def test_transport(self):
        self.walk("transport-unix", r"host\.load1 .*good")
        desk, bench = self.started
        self.assertEqual(desk.stop(), [])
        bench.wait_line("link to desk is down", 10)
        self.started.remove(desk)
        mark = bench.mark()
        self.start("transport-unix", "farwatchd --profile desk.yaml &")
        bench.wait_line("link to desk is up", 10, mark)
        before = self.newest()
        lab.wait_until(lambda: self.newest() > before, 30, "values go on")

    def newest(self):
        return self.there.run("transport-unix", f"farctl --socket {STATE}/desk/control.sock samples bench host.load1 --limit 1 --json", "").stdout


class All(unittest.TestCase):
    def test_each_kind_has_an_example_with_a_test(self):
        """Each kind that the plugin interface has a struct for; each folder is walked above, and shown in the guide."""
        kinds = set(re.findall(r"\} Far(\w+)Type;", read(SOURCE, "core/farwatch/plugin.h"))) - {""}
        names = sorted(name for name in os.listdir(EXAMPLES) if os.path.isdir(f"{EXAMPLES}/{name}"))
        self.assertEqual({name.partition("-")[0] for name in names}, {kind.lower() for kind in kinds})
        walked = set(re.findall(r'self\.walk\("([\w-]+)"', read(__file__)))
        self.assertEqual(walked, set(names))
        guide = read(SOURCE, "doc/writing-a-plugin.md")
        self.assertEqual([name for name in names if f"examples/{name}" not in guide], [])


if __name__ == "__main__":
    tap.main()
