# SPDX-License-Identifier: LGPL-2.1-or-later
"""A new profile while people work: each change of an option at either end, under tunnels that carry numbered bytes. No byte may be lost, doubled
or late, in raw Y, in a login in band, and in a stream; what a bad profile wants is refused and said, and the old one stays in force."""
import copy
import os
import signal
import subprocess
import unittest

import lab
import tap
from lab.case import FleetCase
from lab.flow import Numbers
from lab.node import FARCTL, environment
from lab.ssh import Stock
from lab.wait import wait_until


class UnderWork(FleetCase):
    """A cloud with two tunnel ends, one terminal, three ways in at once."""

    def setUp(self):
        def change(fleet):
            self.other, self.third = fleet.device("other", lab.Echo()), fleet.device("third", lab.Echo())
            transports = fleet.cloud.profile["transports"]
            transports["spare"] = {**transports["tunnels"], "listen": f"127.0.0.1:{lab.free_port()}"}
            fleet.cloud.profile["transports"]["people"]["max-connections"] = 256
        self.start_fleet(change=change)
        self.flows = {"raw Y": self.raw_flow(), "login in band": self.band_flow(), "stream of farctl": self.stream_flow()}
        for name, flow in self.flows.items():
            flow.moved_on(f"the start of {name}")

    def raw_flow(self):
        self.row = self.open()
        sock = self.dial(self.row)
        return Numbers(sock.sendall, sock.recv)

    def band_flow(self):
        stock = Stock(os.path.join(self.fleet.folder, "stock"), self.fleet, "alice")
        self.band_row = self.alice.open("t1")
        shell = stock.start(self.band_row["y"], "-W", self.other.address, password=self.alice.password, bufsize=0)
        self.addCleanup(self.end_shell, shell)
        return Numbers(lambda data: self.write_all(shell.stdin, data), shell.stdout.read)

    def stream_flow(self):
        fleet = self.fleet
        fleet.farctl_as("alice", "login", "alice", "--password-stdin", input=self.alice.password + "\n")
        home = os.path.join(fleet.folder, "people", "alice")
        command = [FARCTL, "--server", f"{fleet.host}:{fleet.ports['people']}", "--ca", fleet.ca, "connect", "t1/third", "-", "--password-stdin"]
        self.farctl = farctl = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
                                  env={**os.environ, **environment(), "HOME": home, "XDG_CONFIG_HOME": home, "XDG_STATE_HOME": home, "XDG_CACHE_HOME": home})
        self.addCleanup(self.end_shell, farctl)
        self.write_all(farctl.stdin, self.alice.password.encode() + b"\n")
        self.stream_row = wait_until(lambda: next((row for row in fleet.sessions() if row.get("device") == "third" and row["state"] == "open"), None), 20,
                                     "the session of farctl open")
        return Numbers(lambda data: self.write_all(farctl.stdin, data), farctl.stdout.read)

    @staticmethod
    def write_all(pipe, data):
        while data:
            data = data[pipe.write(data):]

    @staticmethod
    def end_shell(shell):
        shell.kill()
        shell.wait(10)
        for pipe in (shell.stdin, shell.stdout, shell.stderr):
            pipe.close()

    def reload(self, node, change):
        """The profile with the change; the rows of the answer."""
        change(node.profile)
        node.write()
        return {row["path"]: row["action"] for row in node.call("POST", "reload")["changes"]}

    def reload_refused(self, node, change):
        """The error's words; the profile is as before then."""
        before = copy.deepcopy(node.profile)
        change(node.profile)
        node.write()
        with node.control_link() as link:
            answer = link.ask("POST", "reload")
        node.profile = before
        node.write()
        self.assertGreaterEqual(answer.status, 400, answer)
        self.assertIn("the old profile stays in force", answer.body["message"])
        return answer.body["message"] + "\n" + answer.body.get("faults", "")

    def all_move(self, what):
        for name, flow in self.flows.items():
            flow.moved_on(f"{what}, {name}")

    def all_finish(self):
        for flow in self.flows.values():
            flow.finish()
        for row in (self.row, self.band_row, self.stream_row):
            self.assertEqual(self.fleet.session(row["session"])["state"], "open")
            self.alice.close(row["session"])
            self.fleet.wait_over(row["session"])
            self.assert_recorded(row["session"], "closed by the user")
            self.fleet.ports_gone(row)
        self.assert_works()


class Cloud(UnderWork):
    def test_bad_profiles_are_refused_and_said(self):
        def misspelt(profile):
            profile["services"]["access"]["longst"] = "1h"

        def bad_ciphers(profile):
            profile["transports"]["tunnels"]["ciphers"] = "rot13"

        def bad_net(profile):
            profile["transports"]["tunnels"]["trusted"] = ["10.0.0.0/99"]

        def bad_y(profile):
            profile["transports"]["tunnels"]["y-listen"] = "here"

        def other_store(profile):
            profile["services"]["access"]["store"] = "attic"
            profile["stores"]["attic"] = {"type": "file", "path": "attic"}

        def other_path(profile):
            profile["stores"]["main"]["path"] = "other.db"

        def other_kind(profile):
            profile["stores"]["main"] = {"type": "file", "path": "main"}

        for change, words in ((misspelt, "services.access|faults"), (bad_ciphers, "ciphers"), (bad_net, "trusted"), (bad_y, "y-listen"),
                              (other_store, "services.access: .*store.* restart"), (other_path, "stores.main: .*path.* restart"),
                              (other_kind, "stores.main: .*type.* restart")):
            self.assertRegex(self.reload_refused(self.fleet.cloud, change), words)
            self.all_move(change.__name__)
        self.assertEqual(self.fleet.cloud.call("GET", "status")["state"], "ok")
        self.all_finish()

    def test_signal_with_a_bad_profile_says_so_in_the_log(self):
        cloud = self.fleet.cloud
        cloud.profile["services"]["access"]["longst"] = "1h"
        cloud.write()
        os.kill(cloud.pid, signal.SIGHUP)
        cloud.process.wait_line("unknown key 'longst'", 10)
        cloud.process.wait_line("the old profile stays in force", 10)
        self.all_move("the signal")
        self.all_finish()

    def test_good_profiles_come_into_force(self):
        def rules(profile):
            profile["services"]["access"].update({"max-duration": "20m", "default-duration": "3m", "grace": "5s", "poll": "60s", "sessions-each": 7})

        def door(profile):
            profile["transports"]["people"].update({"max-connections": 200, "max-per-address": 16, "trusted": ["127.0.0.0/8"]})

        def links(profile):
            profile["transports"]["nodes"].update({"idle": "300s", "max-connections": 100})

        def tunnels(profile):
            profile["transports"]["tunnels"].update({"y-connections": 5, "unverified": 32, "ports": "20000-50000"})

        def tunnels_again(profile):
            profile["transports"]["tunnels"]["per-address"] = 8

        def moved(profile):
            profile["transports"]["tunnels"]["listen"] = f"127.0.0.1:{lab.free_port()}"

        def one_end(profile):
            profile["services"]["access"]["tunnels"] = ["spare"]

        def without(profile):
            del profile["transports"]["tunnels"]

        def store(profile):
            profile["stores"]["main"]["keep"] = "20d"

        def intake(profile):
            profile["services"].pop("intake")

        for change, expected in ((rules, {"services.access": "reloaded"}), (door, {"transports.people": "reloaded"}), (links, {"transports.nodes": "reloaded"}),
                                 (tunnels, {"transports.tunnels": "replaced"}), (tunnels_again, {"transports.tunnels": "replaced"}),
                                 (moved, {"transports.tunnels": "replaced"}), (one_end, {"services.access": "reloaded"}),
                                 (without, {"transports.tunnels": "removed"}), (store, None), (intake, {"services.intake": "removed"})):
            done = self.reload(self.fleet.cloud, change)
            if expected:
                self.assertEqual(done, expected)
            self.all_move(change.__name__)
        answer = self.alice.ask("POST", "sessions", {"terminal": "t1", "for_us": 1800 * 10**6, "reason": "x", "entry": "ports"})
        self.assertEqual(answer[0], 403, answer)  # max-duration: 20m is in force
        self.assertIn("20m", json_text(answer[1]))
        self.all_finish()

    def test_a_door_that_moves_takes_no_session_along(self):
        """Streams through the old door go on; who has its address has to learn the new one."""
        def door_moved(profile):
            self.fleet.ports["people"] = lab.free_port()
            profile["transports"]["people"]["listen"] = f"127.0.0.1:{self.fleet.ports['people']}"

        self.assertEqual(self.reload(self.fleet.cloud, door_moved), {"transports.people": "replaced"})
        self.all_move("the door moved")
        self.all_finish()
        self.farctl.wait(30)
        self.assertNotIn("Sanitizer", self.farctl.stderr.read().decode(errors="replace"))

    def test_links_that_are_replaced_take_no_session_along(self):
        def link_name(profile):
            profile["transports"]["nodes"]["name"] = "another"  # any option that is not reloadable
        self.assertEqual(self.reload(self.fleet.cloud, link_name), {"transports.nodes": "replaced"})
        self.all_move("links replaced")
        self.fleet.wait_connected("t1")
        self.all_finish()


class Terminal(UnderWork):
    def test_bad_profiles_are_refused_and_said(self):
        def hours(profile):
            profile["services"]["agent"]["hours"] = "Someday 8-17"

        def both(profile):
            profile["transports"]["cloud"]["listen"] = "127.0.0.1:1"

        def ciphers(profile):
            profile["transports"]["tunnel"]["ciphers"] = "rot13"

        def device(profile):
            profile["devices"]["echo"]["endpoint"] = "nowhere"

        for change, words in ((hours, "hours|Someday"), (both, "listen"), (ciphers, "ciphers"), (device, "faults")):
            self.assertRegex(self.reload_refused(self.fleet.terminal, change), words)
            self.all_move(change.__name__)
        self.all_finish()

    def test_good_profiles_come_into_force(self):
        def rules(profile):
            profile["services"]["agent"].update({"poll": "60s", "max-duration": "15m", "sessions": 5, "hours": "Mon-Sun 00:00-24:00"})

        def tunnel(profile):
            profile["transports"]["tunnel"]["y-connections"] = 9

        def lan(profile):
            profile["endpoints"]["lan"]["connect-timeout"] = "3s"

        def login(profile):
            profile["endpoints"]["login"]["login"] = ["people"]

        def people(profile):
            profile["authenticators"]["people"]["path"] = "people.yaml"

        def sensor(profile):
            profile["sensors"]["host"]["interval"] = "20s"

        def one_more(profile):
            profile["devices"]["second"] = {"endpoint": "lan", "address": self.echo.address}

        for change in (rules, tunnel, lan, login, people, sensor, one_more):
            self.reload(self.fleet.terminal, change)
            self.all_move(change.__name__)
        wait_until(lambda: "second" in [row["device"] for row in self.fleet.cloud.call("GET", "terminals/t1")["devices"]], 10, "the cloud knows the new device")
        self.all_finish()

    def test_a_link_that_is_replaced_takes_no_session_along(self):
        def link(profile):
            profile["transports"]["cloud"]["name"] = "127.0.0.1"
        self.assertEqual(self.reload(self.fleet.terminal, link), {"transports.cloud": "replaced"})
        self.all_move("the link replaced")
        self.fleet.wait_connected("t1")
        self.all_finish()


def json_text(body):
    return str(body.get("message", body))


if __name__ == "__main__":
    tap.main()
