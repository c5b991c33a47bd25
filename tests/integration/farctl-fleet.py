# SPDX-License-Identifier: LGPL-2.1-or-later
"""farctl with a real fleet: each way in, at the cloud's own machine and from far away; enrolment that an admin approves."""
import json
import os
import re
import sqlite3
import subprocess
import tempfile

import lab
import tap
from lab import secrets
from lab.case import FleetCase
from lab.node import FARCTL, environment
from lab.ssh import Stock
from lab.wait import free_port, wait_until

TALK = "import socket;s=socket.create_connection(('{host}',{port}));s.sendall(b'are you there?');print(s.recv(99).decode())"


class Off(FleetCase):
    def test_a_terminal_comes_back_after_its_certificate_expired(self):
        """It was off for longer than the certificate was good: it comes without, renews by its key, comes with the new one."""
        fleet = self.start_fleet(change=lambda fleet: fleet.cloud.profile["services"]["fleet"].update({"certificate": "24h"}))
        fleet.cloud.stop()
        fleet.terminal.advance(30 * 3600)
        fleet.cloud.start()
        fleet.cloud.advance(30 * 3600)
        fleet.terminal.process.wait_line("certificate renewed", 40)
        fleet.wait_connected("t1", timeout=40)
        self.assertIn("t1", [row["terminal"] for row in fleet.farctl("terminals", json=True)["terminals"]])


class Ways(FleetCase):
    def setUp(self):
        self.down = f"127.0.0.1:{free_port()}"
        self.start_fleet(test_clock=False, change=lambda fleet: fleet.terminal.profile["devices"].update({"down": {"endpoint": "lan", "address": self.down}}))
        self.fleet.farctl_as("alice", "--ca", self.fleet.ca, "login", "alice", "--password-stdin", input=self.alice.password + "\n")

    def password(self):
        return self.alice.password + "\n"

    def last(self, kind=None):
        return next(row for row in self.fleet.farctl("history", "--limit", "9", json=True)["history"] if kind in (None, row["kind"]))

    # ---- the device ----

    def test_a_command_at_the_clouds_own_machine(self):
        out = self.fleet.farctl("connect", "t1/echo", "--user", "alice", "--password-stdin", "--reason", "a look", "--for", "2m", "--", "python3", "-c", TALK,
                                input=self.password())
        self.assertEqual(out, "are you there?\n")
        row = self.last()
        self.assertEqual((row["person"], row["device"], row["reason"], row["bytes_up"], row["bytes_down"]), ("local:root", "echo", "a look", 14, 14))

    def test_a_command_from_far_away(self):
        out = self.fleet.farctl_as("alice", "connect", "t1/echo", "--password-stdin", "--", "python3", "-c", TALK, input=self.password())
        self.assertEqual(out, "are you there?\n")
        self.assertEqual(self.last()["person"], "person:alice")

    def test_a_right_to_the_device_alone(self):
        """By the default way, which is in advance; and in band, with the terminal's host key pinned."""
        erin = lab.Person(self.fleet, "erin", objects=("terminals/t1/devices/echo",)).at(self.fleet.terminal)
        self.fleet.farctl_as("erin", "login", "erin", "--password-stdin", input=erin.password + "\n")
        out = self.fleet.farctl_as("erin", "connect", "t1/echo", "--password-stdin", "--", "python3", "-c", TALK, input=erin.password + "\n")
        self.assertEqual(out, "are you there?\n")
        row = self.fleet.farctl_as("erin", "connect", "t1/echo", "--login", "in-band", "--entry", "ports", "--detach", json=True)
        self.assertRegex(row["ssh"], r"-o UserKnownHostsFile=\S+/known_hosts/t1 ")
        self.fleet.farctl_as("erin", "close", row["session"])
        self.assertEqual(self.fleet.farctl_as("erin", "connect", "t1", "--listen", "0", check=False).returncode, 1)

    def test_a_device_by_its_port(self):
        port = self.echo.address.split(":")[1]
        out = self.fleet.farctl_as("alice", "connect", f"t1/{port}", "--password-stdin", "--", "python3", "-c", TALK, input=self.password())
        self.assertEqual(out, "are you there?\n")
        self.assertEqual(self.last("session")["device"], "echo")

    def test_stdin_and_stdout_from_far_away(self):
        text = "".join(f"line {n}\n" for n in range(20000))
        out = self.fleet.farctl_as("alice", "connect", "t1/echo", "-", "--password-stdin", input=self.password() + text)
        self.assertEqual(out, text)

    def test_a_wrong_password_is_refused_by_the_terminal(self):
        wrong = secrets.new("a wrong password")
        done = self.fleet.farctl_as("alice", "connect", "t1/echo", "--password-stdin", "--listen", "0", input=wrong + "\n", check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(self.echo.connections, [])

    def test_ones_own_password(self):
        """Changed from far away with the old one as proof; one stays logged in, the old one is good no more; an admin sets another."""
        fresh, other = secrets.new("a fresh password"), secrets.new("a password set by an admin")
        wrong = self.fleet.farctl_as("alice", "user", "password", "--password-stdin", input=fresh + "\n" + other + "\n", check=False)
        self.assertEqual(wrong.returncode, 1, wrong.stderr)
        out = self.fleet.farctl_as("alice", "user", "password", "--password-stdin", input=self.password() + fresh + "\n")
        self.assertNotIn("ticket", out)
        self.assertIn("t1", self.fleet.farctl_as("alice", "terminals"))
        old = self.fleet.farctl_as("alice", "login", "alice", "--password-stdin", input=self.password(), check=False)
        self.assertEqual(old.returncode, 1, old.stdout)
        self.fleet.farctl("user", "password", "alice", "--password-stdin", input=other + "\n")
        self.assertEqual(self.fleet.farctl_as("alice", "terminals", check=False).returncode, 1)
        self.fleet.farctl_as("alice", "login", "alice", "--password-stdin", input=other + "\n")

    def test_refusals(self):
        for words, status, says in ((["t9"], 3, "no terminal 't9'"), (["t1/nothing"], 3, "no device 'nothing'"), (["t1/echo", "--for", "20h"], 1, "longest connection time")):
            done = self.fleet.farctl("connect", *words, "--user", "alice", "--password-stdin", "--login", "in-band", "--listen", "0", input=self.password(), check=False)
            self.assertEqual((done.returncode, says in done.stderr), (status, True), done.stderr)

    def test_refused_is_counted(self):
        """By cause, for who looks after a node: in the status and by the doctor."""
        self.fleet.farctl("terminals", "t9", check=False)
        self.assertRegex(self.fleet.farctl("status"), r"refused since the start:\n(.*\n)*.*[1-9]\d* requests for what is not there")
        self.assertRegex(self.fleet.farctl("doctor", check=False).stdout, r"good +refused +[1-9]\d* requests for what is not there or not to be seen since the start")

    # ---- what a person hears when it goes wrong ----

    def pipe(self, device, *words):
        """`farctl connect t1/DEVICE -` whose input stays open, until it ends by itself: status, output, words."""
        home = os.path.join(self.fleet.folder, "people", "alice")
        env = {**os.environ, **environment(), "HOME": home, "XDG_CONFIG_HOME": home, "XDG_STATE_HOME": home, "XDG_CACHE_HOME": home}
        server = ["--server", f"{self.fleet.host}:{self.fleet.ports['people']}", "--ca", self.fleet.ca]
        with subprocess.Popen([FARCTL, *server, "connect", f"t1/{device}", "-", "--password-stdin", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=env, text=True) as process:
            process.stdin.write(self.password() + "hello\n")
            process.stdin.flush()
            self.assertIn(process.wait(30), (0, 1))
            return process.returncode, process.stdout.read(), process.stderr.read()

    def test_the_deadline_in_a_pipe(self):
        status, out, said = self.pipe("echo", "--for", "2s")
        self.assertEqual((status, out), (1, "hello\n"), said)
        self.assertRegex(said, r"session \w+: closed: deadline\n$")
        self.assertNotIn("fit", said)

    def test_a_device_that_is_down(self):
        """By a pipe, by a command, through the terminal's own login: the cause at the person, and in the history."""
        cause = f"device 'down': no connection to {self.down}: Connection refused"
        status, out, said = self.pipe("down")
        self.assertEqual((status, out), (1, ""), said)
        self.assertIn(f"a connection failed: {cause}\n", said)
        wait_until(lambda: [row["cause"] for row in self.fleet.cloud.call("GET", "history")["history"] if row["kind"] == "turned-away"] == [cause], 10, "recorded")
        wait_until(lambda: self.last("session")["trouble"] == cause, 10, "recorded with the session")
        done = self.fleet.farctl_as("alice", "connect", "t1/down", "--password-stdin", "--", "python3", "-c", TALK, input=self.password(), check=False)
        self.assertIn(f"a connection failed: {cause}\n", done.stderr)

    def test_a_device_that_is_down_in_band(self):
        self.agent()
        cause = f"device 'down': no connection to {self.down}: Connection refused"
        row = self.alice.open("t1", entry="ports")
        done = Stock(f"{self.fleet.folder}/alice", self.fleet, "alice").run(row["y"], "-W", f"down:{self.down.split(':')[1]}", password=self.alice.password)
        self.assertNotEqual(done.returncode, 0)
        wait_until(lambda: self.fleet.session(row["session"])["trouble"] == cause, 10, "the terminal told")
        wait_until(lambda: [one["cause"] for one in self.fleet.history(row["session"]) if one["kind"] == "turned-away"] == [cause], 10, "recorded")

    # ---- the terminal itself, with a stock ssh ----

    def agent(self):
        """An ssh-agent with a key alice may use at the terminal; its environment."""
        folder = tempfile.mkdtemp(dir=self.fleet.folder)
        key = os.path.join(folder, "key")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True, timeout=30)
        self.fleet.terminal.farctl("user", "add", "alice", "--no-password", "--key", key + ".pub")
        said = subprocess.run(["ssh-agent", "-s", "-a", os.path.join(folder, "agent")], capture_output=True, text=True, check=True, timeout=30).stdout
        self.addCleanup(os.kill, int(re.search(r"SSH_AGENT_PID=(\d+)", said).group(1)), 15)
        os.environ["SSH_AUTH_SOCK"] = os.path.join(folder, "agent")
        self.addCleanup(os.environ.pop, "SSH_AUTH_SOCK")
        subprocess.run(["ssh-add", "-q", key], check=True, timeout=30)

    def test_ssh_through_farctl(self):
        self.agent()
        for out in (self.fleet.farctl_as("alice", "connect", "t1", input="whoami\nexit\n"), self.fleet.farctl("connect", "t1", "--user", "alice", input="whoami\nexit\n")):
            self.assertIn("alice", out)

    def test_the_lines_it_prints_work(self):
        self.agent()
        row = self.fleet.farctl_as("alice", "connect", "t1", "--entry", "ports", "--detach", json=True)
        options = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "GlobalKnownHostsFile=/dev/null"]
        done = subprocess.run(row["ssh"].replace("ssh ", f"ssh {' '.join(options)} ", 1) + " whoami", shell=True, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("alice", done.stdout)
        other = row["ssh"].replace("HostKeyAlias=t1", "HostKeyAlias=t2")
        done = subprocess.run(other.replace("ssh ", f"ssh {' '.join(options)} ", 1) + " whoami", shell=True, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 255)  # a key that is not the terminal's is refused without a question
        self.fleet.farctl("close", row["session"])

    # ---- lists from far away ----

    def test_what_a_person_sees(self):
        see = lambda *words: self.fleet.farctl_as("alice", *words, json=True)  # noqa: E731
        self.assertEqual([row["terminal"] for row in see("terminals")["terminals"]], ["t1"])
        self.assertEqual([row["who"] for row in see("rights")["rights"]], ["alice", "alice"])
        self.assertEqual([row["name"] for row in see("user", "list")["users"]], ["alice"])
        self.assertEqual(self.fleet.farctl_as("alice", "status", check=False).returncode, 3)
        self.assertEqual(self.fleet.farctl_as("alice", "grant", "alice", "manage", "rights", check=False).returncode, 3)
        self.fleet.farctl_as("alice", "logout")
        done = self.fleet.farctl_as("alice", "terminals", check=False)
        self.assertEqual((done.returncode, "log" in done.stderr), (1, True))

    def test_add_adds_and_set_sets(self):
        """`set` of a name that is not there makes none; `add` of one that is in gives no token, unless a replacement is asked for."""
        names = lambda: [row["terminal"] for row in self.fleet.farctl("terminals", json=True)["terminals"]]  # noqa: E731
        done = self.fleet.farctl("terminal", "set", "t9", "--note", "x", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("farctl terminal add t9", done.stderr)
        self.assertNotIn("t9", names())
        done = self.fleet.farctl("terminal", "add", "t1", "--note", "mine", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("--replace", done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertIsNone(self.fleet.farctl("terminals", "t1", json=True)["note"])
        secrets.remember(self.fleet.farctl("terminal", "add", "t1", "--replace", json=True, reveals=True)["token"], "a join token")
        self.fleet.farctl("terminal", "set", "t1", "--note", "mine")
        self.assertEqual(self.fleet.farctl("terminals", "t1", json=True)["note"], "mine")

    def test_explain_shows_what_concerns_one(self):
        self.fleet.farctl("grant", "carol", "manage", "terminals/secret-place", "--id", "secret-right")
        for said in (self.fleet.farctl_as("alice", "explain", "alice", "connect", "terminals/t1"), self.fleet.farctl("explain", "alice", "connect", "terminals/t1")):
            self.assertNotIn("secret", said)
            self.assertNotIn("carol", said)
            self.assertIn("rights of others: 1, not shown", said)

    def test_names_that_nothing_has(self):
        """Warned of when given; told by doctor as long as it is so."""
        warned = lambda *words: self.fleet.farctl("grant", *words, json=True)["warnings"]  # noqa: E731
        self.assertEqual(warned("alice", "see", "terminals/t1/devices/echo"), [])
        self.assertEqual(warned("alyce", "see", "terminals/t1"), ["nobody called alyce is known here now"])
        self.assertEqual(warned("@pumps", "see", "terminals/t1"), ["nobody is in the group pumps now"])
        self.assertEqual(warned("alice", "manage", "users/alyce"), ["nobody called alyce is known here now"])
        self.assertEqual(warned("alice", "see", "terminals/t1/devices/ecko", "--until", "2020-01-01"),
                         ["there is no terminals/t1/devices/ecko now", "it ended on 2020-01-01 and gives nothing"])
        self.assertEqual(self.fleet.farctl("grant", "alice", "see", "terminal/t1", check=False).returncode, 2)
        self.assertIn("alyce may see terminals/t1: nobody called alyce is known here now", self.fleet.farctl("doctor", check=False).stdout)

    def test_rights_outlive_a_restart(self):
        given = self.fleet.farctl("grant", "bob", "see", "terminals/*", "--until", "2099-01-01", json=True)["id"]
        self.fleet.farctl("revoke", self.fleet.farctl("grant", "bob", "act", "terminals/*", json=True)["id"])
        self.fleet.cloud.restart()
        lab.wait_until(lambda: [r for r in self.fleet.farctl("rights", json=True)["rights"] if r["id"] == given], 10, "the right is there again")
        self.assertEqual([r["action"] for r in self.fleet.farctl("rights", json=True)["rights"] if r["who"] == "bob"], ["see"])


class Approval(FleetCase):
    def test_an_admin_signs_on_a_machine_of_their_own(self):
        """`authority: admin`: the cloud's authority files hold no key; what it cannot sign waits."""
        self.start_fleet(start=False, change=lambda fleet: fleet.cloud.profile["services"]["fleet"].update(authority="admin"))
        fleet, node = self.fleet, self.fleet.terminal
        lab.enrol.enrol_cloud(fleet)
        fleet.cloud.start()
        node.write()
        token = secrets.remember(fleet.farctl("terminal", "add", "t1", json=True, reveals=True)["token"], "a join token")
        enroll = lambda: node.farctl("enroll", "--profile", node.profile_path, "--server", f"{fleet.host}:{fleet.ports['nodes']}", input=token + "\n", json=True)  # noqa: E731
        number = enroll()["pending"]
        self.assertEqual(enroll()["pending"], number)  # asking again is asking for the same
        self.assertEqual([row["number"] for row in fleet.farctl("enroll", "list", json=True)["enrollments"]], [number])
        self.assertEqual(fleet.farctl("enroll", "approve", "nonsense", "--dir", os.path.join(fleet.cloud.state, "ca"), check=False).returncode, 3)
        other = os.path.join(fleet.folder, "other-ca")
        fleet.cloud.farctl("ca", "init", "--dir", other)
        self.assertNotEqual(fleet.farctl("enroll", "approve", number, "--dir", other, check=False).returncode, 0)  # another fleet's signature
        keys = enroll()["keys"]
        self.assertEqual(fleet.farctl("enroll", "list", json=True)["enrollments"][0]["keys"], keys)
        wrong = fleet.farctl("enroll", "approve", number, "--dir", os.path.join(fleet.cloud.state, "ca"), "--keys", keys[:-1] + "xy"[keys[-1] == "x"], check=False)
        self.assertIn(keys, wrong.stderr)
        self.assertNotEqual(wrong.returncode, 0)
        fleet.farctl("enroll", "approve", number, "--dir", os.path.join(fleet.cloud.state, "ca"), "--keys", keys)
        self.assertEqual(enroll()["node"], "t1")
        node.start()
        fleet.wait_connected("t1")
        self.alice = self.person("alice")
        fleet.farctl_as("alice", "--ca", fleet.ca, "login", "alice", "--password-stdin", input=self.alice.password + "\n")
        done = fleet.farctl_as("alice", "connect", "t1/echo", "--password-stdin", "--", "python3", "-c", TALK, input=self.alice.password + "\n", check=False)
        self.assertEqual((done.returncode, done.stdout), (0, "are you there?\n"), done.stderr)
        self.assertNotIn("vouched for by the cloud", done.stderr)

    def test_a_cloud_that_swaps_keys_gets_no_signature(self):
        """What waits is altered at the cloud, as one that was broken into may do: any of the three keys, or the name. `--keys` is what the terminal said."""
        self.start_fleet(start=False, change=lambda fleet: fleet.cloud.profile["services"]["fleet"].update(authority="admin"))
        fleet, node = self.fleet, self.fleet.terminal
        lab.enrol.enrol_cloud(fleet)
        fleet.cloud.start()
        node.write()
        token = secrets.remember(fleet.farctl("terminal", "add", "t1", json=True, reveals=True)["token"], "a join token")
        said = node.farctl("enroll", "--profile", node.profile_path, "--server", f"{fleet.host}:{fleet.ports['nodes']}", input=token + "\n", json=True)
        approve = lambda: fleet.farctl("enroll", "approve", said["pending"], "--dir", os.path.join(fleet.cloud.state, "ca"), "--keys", said["keys"], check=False)  # noqa: E731
        csr = subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=t1"],
                             capture_output=True, text=True, check=True).stdout
        for field, value in (("csr", csr), ("box", "c3dhcHBlZA=="), ("ssh", "ssh-ed25519 c3dhcHBlZA=="), ("terminal", "t2")):
            good = self.alter(said["pending"], field, value)
            done = approve()
            self.assertNotEqual(done.returncode, 0, field)
            self.assertIn("not those of --keys", done.stderr, field)
            self.alter(said["pending"], field, good)
        self.assertEqual(approve().returncode, 0)

    def alter(self, number, field, value):
        cloud = self.fleet.cloud
        cloud.stop()
        with sqlite3.connect(os.path.join(cloud.state, "main.db")) as base:
            row = json.loads(base.execute("SELECT body FROM row WHERE tbl = 'enrollments' AND key = ?", (number,)).fetchone()[0])
            before, row[field] = row[field], value
            base.execute("UPDATE row SET body = ? WHERE tbl = 'enrollments' AND key = ?", (json.dumps(row), number))
        base.close()
        cloud.start()
        return before

    def test_tokens_that_are_none(self):
        self.start_fleet(start=False)
        fleet, node = self.fleet, self.fleet.terminal
        lab.enrol.enrol_cloud(fleet)
        fleet.cloud.start()
        node.write()
        token = secrets.remember(fleet.farctl("terminal", "add", "t1", json=True, reveals=True)["token"], "a join token")
        id, fleet_hash, secret = token.split(".")

        def enroll(text):
            return node.farctl("enroll", "--profile", node.profile_path, "--server", f"{fleet.host}:{fleet.ports['nodes']}", input=text + "\n", check=False)
        self.assertEqual(enroll("nonsense").returncode, 2)
        self.assertEqual(enroll(f"{id}.{'0' * 64}.{secret}").returncode, 1)  # another fleet's root: this server is not asked
        self.assertEqual(enroll(f"{id}.{fleet_hash}.{'x' * 32}").returncode, 1)
        self.assertFalse(os.path.exists(os.path.join(node.state, "keys", "node.crt")))
        self.assertEqual(enroll(token).returncode, 0)
        self.assertEqual(enroll(token).returncode, 0)  # a lost answer is fetched again by the same key


tap.main()
