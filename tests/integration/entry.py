# SPDX-License-Identifier: LGPL-2.1-or-later
"""Coming in, being turned away, being closed: what holds at the entry of a session in a real fleet."""
import socket
import threading

import tap
from lab.case import FleetCase
from lab.wait import dial, wait_until


class AtOnce(FleetCase):
    def test_many_log_in_in_advance_at_once(self):
        """Each has a nonce of their own: none is refused for another's sake."""
        self.start_fleet()
        people = [self.alice, *(self.person(name) for name in ("bob", "carol", "dave", "erin"))]
        boxes = threading.Barrier(len(people))
        found, wrong = [], []

        def ask(person, number):
            request = f"at-once-{number}"
            wish = {"id": request, "terminal": "t1", "for_us": 600_000_000, "reason": "test", "entry": "stream", "login": "in-advance"}
            try:
                wish["login_box"] = person.box("t1", request, None, wish["for_us"], "stream")
                boxes.wait(30)
                found.append(person.call("POST", "sessions", wish)["session"])
            except Exception as error:  # pylint: disable=broad-except
                wrong.append(error)
        threads = [threading.Thread(target=ask, args=pair) for pair in zip(people, range(len(people)))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(wrong, [])
        for session in found:
            self.fleet.wait_session(session, "open", timeout=20)

    def test_a_box_is_good_once(self):
        self.start_fleet()
        wish = {"id": "once", "terminal": "t1", "for_us": 600_000_000, "reason": "test", "entry": "stream", "login": "in-advance"}
        wish["login_box"] = self.alice.box("t1", "once", None, wish["for_us"], "stream")
        self.fleet.wait_session(self.alice.call("POST", "sessions", wish)["session"], "open", timeout=20)
        again = self.alice.call("POST", "sessions", wish)["session"]
        self.fleet.wait_over(again)
        self.assert_recorded(again, "nonce")


class TurnedAway(FleetCase):
    def test_a_program_of_the_clouds_machine_at_x(self):
        """It stands in the history, with the true cause, and for nobody but who looks after the terminal and whose session it was."""
        self.start_fleet()
        row = self.open()
        for _ in range(30):
            try:
                with dial(self.fleet.host, row["x"]) as sock:
                    self.assert_dead(sock)
            except ConnectionError:
                pass  # reset while it dialled: it counts as well
        def rows(who):
            return [row for row in who.call("GET", "history")["history"] if row["kind"] == "turned-away"]
        found = wait_until(lambda: rows(self.fleet.cloud), 5, "a row")[0]
        self.assertEqual((found["session"], found["terminal"], found["from"], found["owner"]), (row["session"], "t1", "127.0.0.1", "person:alice"))
        self.assertRegex(found["cause"], "connection to X")
        self.assertEqual(rows(self.person("bob")), [])
        self.alice.close(row["session"])
        self.fleet.wait_over(row["session"])
        wait_until(lambda: sum(row["times"] for row in rows(self.alice)) == 30, 5, "all of them counted")
        self.assertIn("turned-away", self.fleet.farctl("history"))


class Here(FleetCase):
    """Asked for at the cloud's own machine, over the control socket."""

    def hears(self, host, port, source):
        """Whether SSH answers at a port to who comes from there."""
        try:
            with socket.create_connection((host, port), timeout=10, source_address=(source, 0)) as sock:
                sock.sendall(b"SSH-2.0-test\r\n")
                return sock.recv(4) == b"SSH-"
        except ConnectionError:
            return False

    def connect(self, *words):
        """farctl connect t1 --entry ports; the session's row with the lines that were printed."""
        row = self.fleet.farctl("connect", "t1", "--entry", "ports", "--detach", *words, json=True)
        self.addCleanup(lambda: self.fleet.cloud.call("DELETE", f"sessions/{row['session']}"))
        return row

    def test_y_is_for_this_machine(self):
        """Without --address the port is for the machine itself, and not for every address that gets there."""
        self.start_fleet()
        row = self.connect()
        self.assertEqual((row["from"], row["host"]), ("127.0.0.1", "127.0.0.1"))
        self.assertEqual([self.hears("127.0.0.1", row["y"], source) for source in ("127.0.0.1", "127.0.0.7", "127.88.1.1")], [True, False, False])
        self.assert_turned_away(row)

    def assert_turned_away(self, row):
        wait_until(lambda: self.fleet.session(row["session"])["turned_away"] == 2, 5, "the others are counted")

    def test_y_for_another_address(self):
        """--address: a net is good as well; what is told as host is the address of this machine on the way there."""
        self.start_fleet(change=lambda fleet: fleet.cloud.profile["transports"]["tunnels"].update({"listen": f"0.0.0.0:{fleet.ports['ssh']}", "y-listen": "0.0.0.0"}))
        row = self.connect("--address", "127.0.0.7")
        self.assertEqual((row["from"], row["host"]), ("127.0.0.7", "127.0.0.1"))
        self.assertEqual((row["z"], row["z_from"]), ("127.0.0.1", "link"), "where the terminal's link has come to")
        self.assertEqual([self.hears(row["host"], row["y"], source) for source in ("127.0.0.7", "127.0.0.1")], [True, False])
        row = self.connect("--address", "127.88.0.0/16")
        self.assertEqual([self.hears(row["host"], row["y"], source) for source in ("127.88.1.1", "127.0.0.1")], [True, False])
        row = self.connect()
        self.assertEqual(row["host"], "127.0.0.1")
        status, answer = self.refused("--address", "plant")
        self.assertEqual(status, 2)
        self.assertRegex(answer, "address: 'plant' is no net")

    def refused(self, *words):
        done = self.fleet.farctl("connect", "t1", "--entry", "ports", "--detach", *words, check=False)
        return done.returncode, done.stderr


class Elsewhere(FleetCase):
    def test_only_its_own_end_is_dialled(self):
        """A cloud that names other machines as its tunnel end gets no connection made there, unless the terminal's profile allows it."""
        other = socket.create_server(("127.0.0.2", 0))
        self.addCleanup(other.close)
        other.setblocking(False)
        tunnels = {"advertise": f"127.0.0.2:{other.getsockname()[1]}"}
        self.start_fleet(change=lambda fleet: fleet.cloud.profile["transports"]["tunnels"].update(tunnels))
        row = self.fleet.wait_over(self.alice.request("t1", "echo", entry="ports")["session"])
        self.assertRegex(row["cause"], "refused by the terminal: .*127.0.0.2.*tunnel-ends")
        with self.assertRaises(BlockingIOError):
            other.accept()
        self.fleet.terminal.profile["services"]["agent"]["tunnel-ends"] = ["127.0.0.2"]
        self.fleet.terminal.write()
        self.fleet.terminal.farctl("reload")
        session = self.alice.request("t1", "echo", entry="ports")["session"]
        other.settimeout(20)
        dialled, _ = other.accept()
        dialled.close()
        self.fleet.cloud.call("DELETE", f"sessions/{session}")


class Closed(FleetCase):
    def test_nothing_passes_after_the_close_is_acknowledged(self):
        """The terminal, which hears nothing by push, learns of it only by its next poll: the cloud has cut long before."""
        def no_push(fleet):
            fleet.cloud.profile["services"]["access"]["push"] = False
            fleet.terminal.profile["services"]["agent"]["poll"] = "3s"
        self.start_fleet(change=no_push)
        row = self.open()
        sock, other = self.dial(row), self.dial(row)
        self.alice.close(row["session"])
        for late in (sock, other):
            try:
                late.sendall(b"LATE")
            except OSError:
                pass
            self.assert_dead(late, 1.0)
        try:
            with dial(self.fleet.host, row["y"], timeout=2) as sock:
                self.assert_dead(sock, 2.0)
        except ConnectionError:
            pass
        self.fleet.wait_over(row["session"], 20)
        self.assertNotIn(b"LATE", b"".join(bytes(connection.data) for connection in self.echo.connections))
        self.assert_recorded(row["session"], "closed by the user")
        self.fleet.ports_gone(row)


tap.main()
