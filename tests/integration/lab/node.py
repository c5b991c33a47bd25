# SPDX-License-Identifier: LGPL-2.1-or-later
"""One farwatchd of a fleet: its folder, profile, life and control socket."""
import json
import os
import subprocess

from lab import profile, secrets
from lab.control import Control
from lab.process import FarctlError, Process
from lab.wait import listening

BUILD = os.environ.get("FARWATCH_TEST_BUILDDIR", "")


def program(name):
    """In a build tree the program itself, not libtool's shell script around it: tests count its calls and its milliseconds."""
    inner = os.path.join(BUILD, ".libs", name)
    return os.environ.get(name.upper()) or (inner if os.path.exists(inner) else os.path.join(BUILD, name))


DAEMON, FARCTL = program("farwatchd"), program("farctl")
PLUGINS = os.environ.get("FARWATCH_PLUGIN_DIR") or os.path.join(BUILD, "plugins")
READY_S = 30


def environment(test_clock=True):
    env = {"FARWATCH_PLUGIN_DIR": PLUGINS, "LD_LIBRARY_PATH": os.path.join(BUILD, ".libs")}
    if test_clock:
        env["FARWATCH_TEST_CLOCK"] = "1"
    return env


class Node:
    """farwatchd NAME below folder. .profile is a dict to change before start(); .process is the daemon that runs, or the last one."""

    def __init__(self, name, folder, netns=None, test_clock=True):
        self.name, self.folder, self.netns, self.test_clock = name, folder, netns, test_clock
        self.clock_step = 0  # seconds that the system's clock is wrong, at its start and for its farctl
        self.state = os.path.join(folder, "state")
        self.control = os.path.join(folder, "control.sock")
        self.profile_path = os.path.join(folder, f"{name}.yaml")
        self.logs = os.path.join(folder, "logs")
        for path in (self.state, self.logs):
            os.makedirs(path, mode=0o700, exist_ok=True)
        self.profile, self.process, self.wrap, self._starts, self._faults = {}, None, (), 0, []

    # ---- life ----

    def write(self):
        with open(self.profile_path, "w", encoding="utf-8") as file:
            file.write(profile.text(self.profile))

    def spawn(self, wrap=None, env=None):
        """Starts the daemon without waiting for it."""
        if self.running():
            raise AssertionError(f"{self.name} runs already")
        self.collect()
        self.write()
        self._starts += 1
        self.process = Process([DAEMON, "--profile", self.profile_path], os.path.join(self.logs, f"{self.name}-{self._starts}.log"),
                               env={**environment(self.test_clock), **self._clock(), **(env or {})}, netns=self.netns, notify=True,
                               wrap=self.wrap if wrap is None else wrap)
        return self.process

    def start(self, wrap=None, env=None, timeout=READY_S):
        """Starts it and waits until it says that it is ready."""
        self.spawn(wrap, env)
        self.process.wait_notice("^READY=1", timeout)
        return self

    def running(self):
        return self.process is not None and self.process.running()

    def collect(self):
        """Takes over what is wrong with the process that ran last."""
        if self.process:
            self._faults += self.process.stop()
            self.process = None

    def stop(self):
        """Ends it in order; what was wrong with it comes up at the end of the fleet."""
        self.collect()

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.collect()

    def restart(self):
        self.stop()
        return self.start()

    def last_lines(self, count):
        """Of all its lives' logs together."""
        lines = []
        for life in range(1, self._starts + 1):
            with open(os.path.join(self.logs, f"{self.name}-{life}.log"), encoding="utf-8", errors="replace") as file:
                lines += file.read().splitlines()
        return lines[-count:]

    def faults(self):
        self.collect()
        return self._faults

    @property
    def pid(self):
        """Of farwatchd itself, also under a wrapper such as strace."""
        pid = self.process.pid
        if self.process_name(pid) != "farwatchd":
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
                children = [int(child) for child in file.read().split()]
            pid = next(child for child in children if self.process_name(child) == "farwatchd")
        return pid

    @staticmethod
    def process_name(pid):
        with open(f"/proc/{pid}/comm", encoding="ascii") as file:
            return file.read().strip()

    def listening(self):
        return listening(self.pid, own=True)

    def _clock(self):
        return {"FARWATCH_TEST_STEP_S": str(self.clock_step)} if self.clock_step else {}

    # ---- talking to it ----

    def farctl(self, *words, json=False, input=None, check=True, timeout=60, reveals=False, env=None):
        """Runs farctl against this node. Returns its output (parsed with json=True), or raises FarctlError; check=False returns the finished
        process instead. reveals: its output may show a secret (a join token), so it is not searched for one."""
        return run_farctl(["--socket", self.control, *words], self.logs, as_json=json, input=input, check=check, timeout=timeout,
                          reveals=reveals, env={**self._clock(), **(env or {})}, netns=self.netns)

    def control_link(self, timeout=20):
        """The control socket, spoken directly."""
        return Control(self.control, timeout)

    def call(self, method, resource, body=None, **more):
        """One request at the control socket; the answer's body, AssertionError unless 2xx."""
        with self.control_link() as link:
            return link.call(method, resource, body, **more)

    def put_user(self, name, password=None, groups=(), key=None):
        """Adds or changes a person of this node."""
        body = {"password": password, "groups": list(groups) or None, "key": key}
        return self.call("PUT", f"users/{name}", {field: value for field, value in body.items() if value is not None})

    def step(self, seconds):
        """Somebody sets the clock of the node's machine; timers stay."""
        return self.call("POST", "clock", {"step_us" if seconds >= 0 else "back_us": int(abs(seconds) * 1e6)})

    def advance(self, seconds):
        """The node's test clock jumps forward."""
        return self.call("POST", "clock", {"advance_us": int(seconds * 1e6)})


def run_farctl(words, logs, *, as_json=False, input=None, check=True, timeout=60, reveals=False, env=None, netns=None):
    """What it remembers (tickets, host keys) lies beside the logs, not where the next fleet finds it."""
    argv = [FARCTL, *map(str, words)]
    if as_json:
        argv.append("--json")
    for word in argv:
        if secrets.search(word.encode(), "argv"):
            raise AssertionError(f"a test passes a secret as an argument: {argv[0]} {words[0]} …")
    prefix = ["ip", "netns", "exec", netns] if netns else []
    done = subprocess.run([*prefix, *argv], input=input, stdin=None if input is not None else subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=timeout,
                          env={**os.environ, **environment(), "XDG_CONFIG_HOME": os.path.join(os.path.dirname(logs), "config"), **(env or {})})
    with open(os.path.join(logs, "farctl.log"), "a", encoding="utf-8") as log:
        log.write(f"$ farctl {' '.join(map(str, words))}\nstatus {done.returncode}\n{'' if reveals else done.stdout}{done.stderr}")
    if done.returncode < 0 or "Sanitizer" in done.stderr or "runtime error" in done.stderr:
        raise AssertionError(f"farctl {' '.join(map(str, words))} broke: status {done.returncode}\n{done.stderr}")
    if not check:
        return done
    if done.returncode:
        raise FarctlError(argv, done.returncode, done.stdout, done.stderr)
    return json.loads(done.stdout) if as_json else done.stdout
