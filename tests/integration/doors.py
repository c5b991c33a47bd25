# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every (method, resource) that is there, asked by everybody at every door: default deny, and the same answer whichever door it comes through.
The list comes from the daemon itself (GET methods), so that a new handler is swept the day it is written."""
import json
import re

import lab
import tap
from lab.case import FleetCase
from lab.wait import wait_until

SAFE_BODY = {"no-such-field-in-any-body": True}  # whoever may ask hears "invalid", and nothing happens
REFUSALS = {401, 403, 404}
GOOD_BODIES = {  # what would do something for whoever may: the refusal must come from the right
    "backup": {}, "batches": b"a batch", "clock": {"advance_us": 1}, "enrollments/{n}": {"certificate": "x", "statement": {}}, "poll": {},
    "reload": {}, "rights": {"who": "bob", "action": "see", "object": "terminals/*"}, "sensors/{s}/acts/{a}": {}, "sessions/{s}/report": {"state": "closed"},
    "terminals/{t}": {}, "terminals/{t}/devices": {"devices": []}, "terminals/{t}/devices/{d}": {}, "tokens": {}, "users/{u}": {"groups": ["x"]},
}


class Doors(FleetCase):
    @classmethod
    def setUpClass(cls):
        cls.case = cls("setUp")
        cls.case.start_fleet()
        cls.fleet = cls.case.fleet
        cls.bob = lab.Person(cls.fleet, "bob", ()).login()
        cls.carol = lab.Person(cls.fleet, "carol", ("see",)).login()
        cls.alice = cls.case.alice
        cls.dora = lab.Person(cls.fleet, "dora", ("manage",), ("*",)).login()
        cls.session = cls.alice.request("t1", reason="for alice only")["session"]
        cls.methods = cls.fleet.cloud.call("GET", "methods")["methods"]

    @classmethod
    def tearDownClass(cls):
        cls.case.doCleanups()

    def resource(self, pattern):
        """Things that exist, so that 404 is a refusal and not the truth."""
        known = {"t": "t1", "d": "echo", "s": self.session, "u": "alice", "r": "none", "n": "none", "type": "tcp"}
        return re.sub(r"\{(\w+)\}", lambda found: known.get(found.group(1), "none"), pattern)

    def body(self, row):
        return SAFE_BODY if row["method"] in ("POST", "PUT") else None

    def good_body(self, row):
        if row["method"] not in ("POST", "PUT"):
            return None
        self.assertIn(row["resource"], GOOD_BODIES, "a new handler: put a body for it into GOOD_BODIES")
        return GOOD_BODIES[row["resource"]]

    def swept(self):
        return [row for row in self.methods if row["method"] != "WATCH" and (row["method"], row["resource"]) != ("DELETE", "login")]

    def test_there_is_something_to_sweep(self):
        self.assertGreater(len(self.swept()), 25)

    def test_without_login_only_what_is_for_anyone(self):
        stranger = lab.Stranger(self.fleet)
        for row in self.swept():
            with self.subTest(**row):
                status, _ = stranger.ask(row["method"], self.resource(row["resource"]), self.body(row))
                if row["action"] == "anyone":
                    self.assertNotIn(status, (401, 403))
                else:
                    self.assertIn(status, (401, 403))

    def test_person_without_rights_is_refused_everything_that_needs_one(self):
        for row in self.swept():
            if row["action"] in ("anyone", "none"):
                continue
            with self.subTest(**row):
                status, _ = self.bob.ask(row["method"], self.resource(row["resource"]), self.good_body(row))
                self.assertIn(status, REFUSALS)

    def test_who_may_only_see_changes_nothing(self):
        for row in self.swept():
            if row["action"] in ("anyone", "none", "see", "know"):
                continue
            with self.subTest(**row):
                status, _ = self.carol.ask(row["method"], self.resource(row["resource"]), self.good_body(row))
                self.assertIn(status, REFUSALS)

    def test_no_person_speaks_for_a_node(self):
        for row in self.swept():
            if row["action"] == "node":
                with self.subTest(**row):
                    self.assertIn(self.dora.ask(row["method"], self.resource(row["resource"]), self.good_body(row))[0], REFUSALS)
                    if row["resource"] != "batches":
                        with self.fleet.cloud.control_link() as link:
                            self.assertIn(link.ask(row["method"], self.resource(row["resource"]), self.good_body(row)).status, REFUSALS)

    def test_who_may_manage_is_let_in(self):
        for row in self.swept():
            if row["action"] == "manage" and row["method"] in ("POST", "PUT") and row["resource"] not in ("reload", "backup"):
                with self.subTest(**row):
                    status, answer = self.dora.ask(row["method"], self.resource(row["resource"]), self.body(row))
                    self.assertEqual(status, 400, answer)

    def test_unknown_and_unseen_read_the_same(self):
        """Without `see` a terminal that is there and one that is not give one answer."""
        for method, tail, body in (("GET", "", None), ("GET", "/statement", None), ("PUT", "/devices/x", SAFE_BODY)):
            real = self.bob.ask(method, "terminals/t1" + tail, body)
            none = self.bob.ask(method, "terminals/tx" + tail, body)
            self.assertEqual(real[0], none[0])
            self.assertEqual(str(real[1]).replace("t1", "?"), str(none[1]).replace("tx", "?"))

    def test_a_right_to_a_device_shows_no_more_than_the_device(self):
        """Whatever is read or watched: nothing of the terminal, of alice's session to it, of its values, by HTTP and by a link."""
        erin = lab.Person(self.fleet, "erin", objects=("terminals/t1/devices/echo",)).login()
        self.fleet.farctl_as("erin", "login", "erin", "--password-stdin", input=erin.password + "\n")
        wait_until(lambda: self.fleet.cloud.call("GET", "samples?source=t1")["series"], 20, "values of t1", every=0.1)
        secret = [self.session, "person:alice", "for alice only"] + [series["name"] for series in self.fleet.cloud.call("GET", "samples?source=t1")["series"]]
        for row in self.swept():
            if row["method"] != "GET" or row["resource"] == "login":
                continue
            resource = self.resource(row["resource"])
            for asked in (resource, resource + "?source=t1", resource + "?source=t1&name=" + secret[-1]) if resource == "samples" else (resource,):
                with self.subTest(asked=asked):
                    said = [str(erin.ask("GET", asked)), self.fleet.farctl_as("erin", "call", "GET", asked, check=False).stdout]
                    for text in said:
                        self.assertFalse([word for word in secret if word in text and word not in asked], text)
        self.assertEqual(erin.call("GET", "samples?source=t1")["series"], [])  # no sensor names the device
        self.assertEqual(erin.ask("GET", "terminals/t1/statement")[0], 200)
        self.assertEqual(erin.request("t1", "echo")["device"], "echo")  # and it is good for what it is for
        self.assertEqual([row["device"] for row in erin.call("GET", "history")["history"]], ["echo"])

    def test_every_door_says_the_same(self):
        """Bob by HTTP and by a link (farctl --server); root at the control socket and who may manage all by HTTP."""
        self.fleet.farctl_as("bob", "login", "bob", "--password-stdin", input=self.bob.password + "\n")
        for row in self.swept():
            if row["resource"] in ("login", "reload", "backup", "clock") or row["method"] == "DELETE":
                continue
            resource = self.resource(row["resource"])
            with self.subTest(**row):
                status, answer = self.bob.ask(row["method"], resource, self.body(row))
                body = [json.dumps(self.body(row))] if self.body(row) else []
                by_link = self.fleet.farctl_as("bob", "call", row["method"], resource, *body, check=False)
                self.assertEqual(by_link.returncode == 0, status < 300, by_link.stderr)
                self.assertIn(answer.get("message", ""), by_link.stdout + by_link.stderr)
                by_http = self.dora.ask(row["method"], resource, self.body(row))
                with self.fleet.cloud.control_link() as link:
                    by_socket = link.ask(row["method"], resource, self.body(row))
                self.assertEqual((by_socket.status, by_socket.body.get("error")), (by_http[0], by_http[1].get("error")))


tap.main()
