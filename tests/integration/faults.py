# SPDX-License-Identifier: LGPL-2.1-or-later
"""What breaks between and under the parts: lines, processes, stores. Each case looks from outside: ports in /proc/net, bytes at the device,
the state after the restart, the history's cause."""
import contextlib
import signal
import time

import lab
import tap
from lab.case import FleetCase
from lab.wait import dial, wait_until

BACK_S = 2.0     # a carrier that comes back: the same Y works again
FREED_S = 1.0    # ports after the end
WAITING_S = 271  # a session that does not come up: two poll cycles of 120 s and 30 s, and a second


class Carrier(FleetCase):
    """The line under the tunnel."""

    def test_cut_comes_back(self):
        self.start_fleet(carrier=True)
        row = self.open()
        sock = self.dial(row)
        self.carrier.command("cut")
        self.assert_dead(sock)
        started = time.monotonic()
        self.wait_answers(row, BACK_S)
        again = self.fleet.wait_session(row["session"], "open")
        self.assertLess(time.monotonic() - started, BACK_S + 1)
        self.assertEqual((again["x"], again["y"]), (row["x"], row["y"]))
        self.assertGreater(again["generation"], row["generation"])
        self.assertEqual(again["deadline"][:19], row["deadline"][:19], "the time goes on, it does not start again")

    def test_long_cut_comes_back(self):
        self.start_fleet(carrier=True)
        row = self.open()
        self.dial(row)
        self.carrier.command("refuse")
        self.carrier.command("cut")
        self.fleet.wait_session(row["session"], "resuming")
        came = self.carrier.connections
        wait_until(lambda: self.carrier.connections > came + 1, 10, "the terminal tries again")
        self.assertFalse(self.answers(row), "a byte passed without a tunnel")
        self.carrier.command("accept")
        self.wait_answers(row, BACK_S)

    def test_deadline_holds_while_cut(self):
        self.start_fleet(carrier=True)
        row = self.open(for_s=60)
        self.dial(row)
        self.carrier.command("refuse")
        self.carrier.command("cut")
        self.fleet.wait_session(row["session"], "resuming")
        self.fleet.advance(61)
        self.fleet.ports_gone(row, FREED_S)
        self.fleet.wait_over(row["session"])
        self.assert_recorded(row["session"], "deadline")
        self.carrier.command("accept")
        self.assert_works()

    def test_corrupt_bytes_reach_nobody(self):
        self.start_fleet(carrier=True)
        row = self.open()
        self.dial(row)
        seen = len(self.echo.connections[-1].data)
        self.carrier.command("corrupt down 40")
        with contextlib.suppress(ConnectionError):  # the link may break as soon as this connection's first packet has passed it
            sock = dial(self.fleet.host, row["y"])
            self.addCleanup(sock.close)
            sock.sendall(b"x" * 500)
            self.assert_dead(sock, 15)
        self.assertNotIn(b"X", bytes(self.echo.connections[-1].data[seen:]))
        self.carrier.command("corrupt off")
        self.wait_answers(row, 10)

    def test_messages_cut_bytes_stay(self):
        self.start_fleet(link=True)
        row = self.open()
        sock = self.dial(row)
        self.link.command("cut")
        self.exchange(sock)
        self.fleet.wait_connected("t1")
        self.exchange(sock)
        self.alice.close(row["session"])
        self.assert_dead(sock)

    def test_no_way_for_a_while(self):
        """A session that is open is there again within two seconds of the way, whatever `reconnect` has for quiet times."""
        self.start_fleet(carrier=True, link=True, change=lambda fleet: fleet.terminal.profile["transports"]["cloud"].update({"reconnect": "300s"}))
        row = self.open()
        self.dial(row)
        for way in (self.link, self.carrier):
            way.command("refuse")
            way.command("cut")
        wait_until(lambda: not self.fleet.connected("t1"), 30, "the cloud notices")
        before = self.link.connections
        self.fleet.advance(45)
        wait_until(lambda: self.link.connections > before + 3, 20, "the terminal tries again and again")
        for way in (self.link, self.carrier):
            way.command("accept")
        self.wait_answers(row, BACK_S)

    def test_a_way_that_takes_and_says_nothing(self):
        """As a router that has lost its line: connections are taken, or begun, and nothing comes. They are not waited for until they fail."""
        self.start_fleet(carrier=True, link=True, change=lambda fleet: fleet.terminal.profile["transports"]["cloud"].update({"reconnect": "300s"}))
        row = self.open()
        self.dial(row)
        for way in (self.link, self.carrier):
            way.command("hole")
            way.command("cut")
        before = self.link.connections
        wait_until(lambda: self.link.connections > before + 3, 20, "the terminal tries again and again")
        for way in (self.link, self.carrier):
            way.command("go")
        self.wait_answers(row, BACK_S)

    def test_no_link_no_session_and_it_says_so(self):
        self.start_fleet(link=True)
        self.link.command("refuse")
        self.link.command("cut")
        wait_until(lambda: not self.fleet.connected("t1"), 30, "the cloud notices")
        status, answer = self.alice.ask("POST", "sessions", {"terminal": "t1", "device": "echo", "reason": "x", "entry": "ports"})
        self.assertEqual(status, 503)
        self.assertIn("offline", answer["message"])
        self.link.command("accept")
        self.fleet.wait_connected("t1", 60)


class Line(FleetCase):
    """The customer's own line, with a real NAT in it."""

    def start_behind_nat(self, reconnect="500ms"):
        self.net = self.enterContext(lab.Nat())
        self.start_fleet(net=self.net, start=False)
        self.fleet.terminal.profile["transports"]["cloud"]["reconnect"] = reconnect
        self.echo = self.fleet.device("echo", lab.Echo(host=self.net.TERMINAL, netns=self.net.terminal))
        self.fleet.start()
        self.alice = lab.Person(self.fleet, "alice", ("connect", "connect-raw"), netns=self.net.person).login().at(self.fleet.terminal)
        return self.open()

    def dial(self, row):
        with lab.inside(self.net.person):
            return super().dial(row)

    def answers(self, row):
        with lab.inside(self.net.person):
            return super().answers(row)

    def test_pulled_and_plugged(self):
        """The router forgot the connection with its line; the terminal's next sign of life (10 s) opens the way again."""
        row = self.start_behind_nat()
        self.dial(row)
        self.net.cable(False)
        self.assertFalse(self.answers(row))
        self.net.cable(True)
        self.wait_answers(row, 15)

    def test_pulled_for_long(self):
        """Until both ends have given the connection up; what waited in the terminal's link would have been sent again seconds later only."""
        row = self.start_behind_nat()
        self.dial(row)
        self.net.cable(False)
        wait_until(lambda: self.fleet.session(row["session"])["state"] == "resuming", 60, "the tunnel is given up", every=0.2)
        self.fleet.terminal.process.wait_line("no answer, while a session waits|no link to", 60)
        self.net.cable(True)
        self.wait_answers(row, BACK_S)

    def test_ones_own_cable(self):
        """The terminal's own plug: the kernel tells, and the next try need not be waited for."""
        self.start_behind_nat(reconnect="300s")
        self.fleet.cloud.stop()
        self.fleet.terminal.process.wait_line("link to cloud is down", 20)
        self.net.own_cable(False)
        self.fleet.cloud.start()
        self.assertFalse(self.fleet.connected("t1"))
        self.net.own_cable(True)
        self.fleet.wait_connected("t1", BACK_S + 1)

    def test_new_address(self):
        """Both ends wait for answers that cannot come; the keep-alives find it out, and the session goes on over a new link."""
        row = self.start_behind_nat()
        self.dial(row)
        self.net.new_address()
        self.wait_answers(row, 60)
        self.assertGreater(self.fleet.session(row["session"])["generation"], row["generation"])


class KilledCloud(FleetCase):
    """kill -9 of the cloud at each step of a session."""

    def after(self, row):
        """It is dead: its ports are gone with it. Then it comes back and tells the truth."""
        self.fleet.cloud.kill()
        self.fleet.cloud.start()
        self.fleet.ports_gone(row, FREED_S)
        self.fleet.wait_over(row["session"])
        self.assert_recorded(row["session"], "restart")
        self.fleet.wait_connected("t1", 60)
        self.alice.login()
        self.assert_works()

    def test_permitted(self):
        def change(fleet):
            fleet.cloud.profile["services"]["access"]["push"] = False
        self.start_fleet(change=change)
        row = self.alice.request("t1", "echo", raw=True)
        self.fleet.cloud.kill()
        self.fleet.cloud.profile["services"]["access"]["push"] = True
        self.fleet.cloud.start()
        self.fleet.wait_over(row["session"])
        self.assert_recorded(row["session"], "restart")
        self.fleet.wait_connected("t1", 60)
        self.alice.login()
        self.assert_works()

    def test_opening(self):
        self.start_fleet(carrier=True)
        self.carrier.command("hole")
        row = self.alice.request("t1", "echo", raw=True)
        row = self.fleet.wait_session(row["session"], "opening")
        self.carrier.command("go")
        self.after(row)

    def test_open_under_bytes(self):
        self.start_fleet()
        row = self.open()
        sock = self.dial(row)
        sock.sendall(b"z" * 100000)
        self.fleet.cloud.kill()
        self.echo.wait(lambda device: device.open_count() == 0, 20, "the terminal lets go of the device")
        self.fleet.cloud.start()
        self.fleet.ports_gone(row, FREED_S)
        self.assert_recorded(row["session"], "restart")
        self.fleet.wait_connected("t1", 60)
        self.alice.login()
        self.assert_works()

    def test_resuming(self):
        self.start_fleet(carrier=True)
        row = self.open()
        self.carrier.command("refuse")
        self.carrier.command("cut")
        self.fleet.wait_session(row["session"], "resuming")
        self.carrier.command("go")
        self.after(row)

    def test_closing(self):
        self.start_fleet()
        row = self.open()
        self.fleet.terminal.process.send(signal.SIGSTOP)
        self.alice.close(row["session"])
        self.fleet.wait_session(row["session"], "closing", "closed")
        self.fleet.cloud.kill()
        self.fleet.terminal.process.send(signal.SIGCONT)
        self.fleet.cloud.start()
        self.fleet.ports_gone(row, FREED_S)
        self.assert_recorded(row["session"], ".")
        self.fleet.wait_connected("t1", 60)
        self.alice.login()
        self.assert_works()


class KilledTerminal(FleetCase):
    """kill -9 of the terminal: the cloud notices, keeps the deadline, and the next life works."""

    def gone(self, row):
        self.fleet.terminal.kill()
        self.echo.wait(lambda device: device.open_count() == 0, 10, "the device's connection is gone")
        if row["state"] == "open":
            self.fleet.wait_session(row["session"], "resuming", "closing", "closed", timeout=20)
        self.assertFalse(self.answers(row))

    def back(self):
        self.fleet.terminal.start()
        self.fleet.wait_connected("t1", 60)

    def test_opening(self):
        self.start_fleet(carrier=True)
        self.carrier.command("hole")
        row = self.alice.request("t1", "echo", raw=True, for_s=60)
        row = self.fleet.wait_session(row["session"], "opening")
        self.gone(row)
        self.carrier.command("go")
        self.alice.close(row["session"])
        self.fleet.wait_over(row["session"])
        self.back()
        self.assert_works()

    def test_permitted(self):
        self.start_fleet()
        wish = self.alice.box("t1", "wish-1", "echo", 60_000_000, "ports")
        self.fleet.terminal.process.send(signal.SIGSTOP)
        row = self.alice.call("POST", "sessions", {"terminal": "t1", "device": "echo", "for_us": 60_000_000, "reason": "x", "entry": "ports", "raw": True,
                                                   "id": "wish-1", "login_box": wish, "login": "in-advance"})
        row = self.fleet.wait_session(row["session"], "permitted")
        self.gone(row)
        self.fleet.cloud.advance(WAITING_S)
        self.fleet.wait_over(row["session"])
        self.fleet.ports_gone(row, FREED_S)
        self.assert_recorded(row["session"], ".")
        self.back()
        self.assert_works()

    def test_resuming(self):
        self.start_fleet(carrier=True)
        row = self.open(for_s=60)
        self.dial(row)
        self.carrier.command("refuse")
        self.carrier.command("cut")
        row = self.fleet.wait_session(row["session"], "resuming")
        self.gone(row)
        self.carrier.command("go")
        self.fleet.cloud.advance(61)
        self.fleet.ports_gone(row, FREED_S)
        self.assert_recorded(row["session"], "deadline")
        self.back()
        self.assert_works()

    def test_open_then_deadline(self):
        self.start_fleet()
        row = self.open(for_s=60)
        sock = self.dial(row)
        self.gone(row)
        self.assert_dead(sock)
        self.fleet.cloud.advance(61)
        self.fleet.ports_gone(row, FREED_S)
        self.assert_recorded(row["session"], "deadline")
        self.back()
        self.assert_works()

    def test_open_then_back(self):
        self.start_fleet()
        row = self.open()
        self.dial(row)
        self.gone(row)
        self.back()
        now = self.fleet.wait_session(row["session"], "open", "closed", timeout=30)
        if now["state"] == "open":
            self.wait_answers(row, 5)
            self.alice.close(row["session"])
        self.fleet.ports_gone(row, FREED_S + 1)
        self.assert_works()

    def test_closing(self):
        self.start_fleet()
        row = self.open()
        self.fleet.terminal.process.send(signal.SIGSTOP)
        self.alice.close(row["session"])
        self.gone(row)
        self.fleet.advance_cloud_grace()
        self.fleet.wait_over(row["session"])
        self.fleet.ports_gone(row, FREED_S)
        self.back()
        self.assert_works()


class Stopped(FleetCase):
    """A process that does not run keeps no deadline; the other end does."""

    def test_terminal_stopped(self):
        self.start_fleet()
        row = self.open(for_s=60)
        sock = self.dial(row)
        self.fleet.terminal.process.send(signal.SIGSTOP)
        self.fleet.cloud.advance(61)
        self.fleet.ports_gone(row, FREED_S)
        self.assert_dead(sock, FREED_S)
        self.fleet.terminal.process.send(signal.SIGCONT)
        self.assert_recorded(row["session"], "deadline")
        self.echo.wait(lambda device: device.open_count() == 0, 20, "the terminal lets go of the device")

    def test_cloud_stopped(self):
        self.start_fleet()
        row = self.open(for_s=60)
        self.dial(row)
        self.fleet.cloud.process.send(signal.SIGSTOP)
        self.fleet.terminal.advance(61)
        self.echo.wait(lambda device: device.open_count() == 0, FREED_S, "the terminal cuts at its own deadline")
        self.fleet.cloud.process.send(signal.SIGCONT)
        self.fleet.cloud.advance(61)
        self.fleet.ports_gone(row, FREED_S + 1)
        self.assert_recorded(row["session"], "deadline")


tap.main()
