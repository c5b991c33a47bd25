# SPDX-License-Identifier: LGPL-2.1-or-later
"""Coming in, being turned away, being closed: what holds at the entry of a session in a real fleet."""
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
