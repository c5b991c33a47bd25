# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks that are full or read-only: what cannot be recorded does not happen, it is said, and works again when there is room."""
import tap
import lab
from lab.case import FleetCase
from lab.wait import wait_until

SMALL = 24 << 20
FREED_S = 1.0    # ports after the end


class Disks(FleetCase):
    def fleet_on_small_disk(self, which):
        self.start_fleet(start=False)
        node = self.fleet.cloud if which == "cloud" else self.fleet.terminal
        disk = self.fleet.adopt(lab.Disk(node.state, SMALL))
        self.fleet.start()
        self.alice = self.person("alice")
        return disk

    def refused(self):
        """Asks for a session that cannot be recorded; no port stays bound for it (the worker that has it closes it on its own)."""
        before = set(self.fleet.cloud.listening())
        status, answer = self.alice.ask("POST", "sessions", {"terminal": "t1", "device": "echo", "reason": "x", "entry": "ports"})
        if status != 201:
            wait_until(lambda: set(self.fleet.cloud.listening()) == before, FREED_S, "the ports are free again")
        return status, answer

    def test_cloud_disk_full(self):
        disk = self.fleet_on_small_disk("cloud")
        self.assert_works()
        known = len(self.fleet.history())
        disk.fill()
        status, answer = wait_until(lambda: self.until_refused(disk), 30, "the store is full")
        self.assertEqual(status, 507, answer)
        self.assertIn("cannot record", answer["message"])
        self.assertTrue(self.fleet.cloud.running())
        disk.relieve()
        wait_until(self.works_again, 30, "it works again", every=0.5)
        self.assertGreaterEqual(len(self.fleet.history()), known, "what was recorded is still there")

    def until_refused(self, disk):
        disk.fill()
        status, answer = self.refused()
        if status == 201:
            self.alice.close(answer["session"])
            self.fleet.wait_over(answer["session"])
            return None
        return status, answer

    def works_again(self):
        try:
            self.assert_works()
            return True
        except (lab.Refused, AssertionError):
            return False

    def test_cloud_disk_read_only(self):
        disk = self.fleet_on_small_disk("cloud")
        self.assert_works()
        row = self.open()
        sock = self.dial(row)
        self.fleet.cloud.stop()
        disk.writable(False)
        process = self.fleet.cloud.spawn()
        process.wait_line("read-only|readonly|cannot", 30)
        self.assert_dead(sock)
        self.fleet.cloud.process.expect_end = True
        self.fleet.cloud.stop()
        disk.writable(True)
        self.fleet.cloud.start()
        self.assert_recorded(row["session"], ".")
        self.fleet.wait_connected("t1", 60)
        self.alice.login()
        self.assert_works()

    def test_terminal_disk_full(self):
        disk = self.fleet_on_small_disk("terminal")
        self.assert_works()
        disk.fill()
        self.assertTrue(self.fleet.terminal.running())
        status, answer = self.refused()
        if status == 201:
            row = self.fleet.wait_session(answer["session"], "open", "closed", timeout=30)
            if row["state"] == "closed":
                self.assertRegex(row["cause"], "cannot record")
            else:
                self.alice.close(row["session"])
                self.fleet.wait_over(row["session"])
        disk.relieve()
        wait_until(self.works_again, 60, "it works again", every=0.5)

    def test_terminal_keeps_what_the_cloud_has_not_got(self):
        """Values read while the cloud is away and the terminal's disk is full are counted as lost by nobody who acknowledged them."""
        disk = self.fleet_on_small_disk("terminal")
        self.fleet.cloud.stop()
        disk.fill()
        self.fleet.terminal.advance(120)
        self.assertTrue(self.fleet.terminal.running())
        disk.relieve()
        self.fleet.cloud.start()
        self.fleet.wait_connected("t1", 60)
        self.assertTrue(wait_until(lambda: self.fleet.cloud.call("GET", "samples?source=t1"), 30, "values at the cloud"))


tap.main()
