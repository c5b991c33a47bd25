# SPDX-License-Identifier: LGPL-2.1-or-later
"""The proxy between relays over mutual TLS (RFC 3261 16): requests and answers both ways, dialogs, CANCEL, and what is not passed on."""
import re

import tap
from lab.sip import DOMAIN, SipCase

SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n"


class Forwards(SipCase):
    OPTIONS = {"answer": "2s", "ringing": "5s"}

    def setUp(self):
        super().setUp()
        self.one, self.two = self.site.registered("R1"), self.site.registered("R2")

    # ---- requests ----

    def test_both_ways(self):
        """Methods that no RFC names, with bodies and unknown headers, which arrive as they were sent."""
        for one, two, method in ((self.one, self.two, "ACCESS"), (self.two, self.one, "ACCESS_PERMIT"), (self.one, self.two, "GET"),
                                 (self.one, self.two, "NOTIFY_TERMINATION"), (self.one, self.two, "MESSAGE")):
            body = b'{"resource":"\xe5\x9c\x92"}'
            one.ask(method, two.account, body=body, headers=["X-Any: one", "Content-Type: application/json", "x-any: two", "Relay-Signature: a=b"])
            came = two.expect(method)
            self.assertEqual((came.target, came.body), (two.contact, body))
            self.assertEqual(came.all("x-any"), ["one", "two"])
            self.assertEqual((came.get("relay-signature"), came.get("max-forwards")), ("a=b", "69"))
            self.assertEqual(came.get("from"), f"<sip:{one.account}@{DOMAIN}>;tag=f{one.account}")
            top, own = came.all("via")
            self.assertRegex(top, rf"^SIP/2\.0/TLS {DOMAIN}:{self.site.port};branch=z9hG4bK\w{{24}}$")
            self.assertIn(f"branch={one.branch};received=127.0.0.1;rport=", own)
            self.assertEqual(came.all("record-route"), [])
            two.reply(came, 202, "Accepted", headers=["Reason: x"], body=b"yes")
            answer = one.final()
            self.assertEqual((answer.start, answer.body, answer.get("reason")), ("SIP/2.0 202 Accepted", b"yes", "x"))
            self.assertEqual(len(answer.all("via")), 1)

    def test_no_max_forwards(self):
        self.one.ask("ACCESS", "R2", max_forwards=None)
        came = self.two.expect("ACCESS")
        self.assertEqual(came.get("max-forwards"), "70")
        self.two.reply(came, 200)
        self.assertEqual(self.one.final().code, 200)

    def test_to_oneself(self):
        self.one.ask("ACCESS", "R1")
        self.one.reply(self.one.expect("ACCESS"), 200)
        self.assertEqual(self.one.final().code, 200)

    def test_pipelined(self):
        """Many in one write; each gets its own answer."""
        texts = [self.one.head("ACCESS", "R2", headers=[f"X-N: {n}"]) for n in range(50)]
        self.one.send("".join(texts))
        for _ in texts:
            came = self.two.expect("ACCESS")
            self.two.reply(came, 200, headers=[f"X-N: {came.get('x-n')}"])
        answers = {self.one.final().get("cseq").split()[0] for _ in texts}
        self.assertEqual(len(answers), 50)

    def test_a_byte_at_a_time(self):
        for byte in self.one.head("ACCESS", "R2").encode():
            self.one.send(bytes([byte]))
        self.two.reply(self.two.expect("ACCESS"), 200)
        self.assertEqual(self.one.final().code, 200)

    def test_retransmission(self):
        """The same request again while it is under way: the other side sees it once."""
        text = self.one.head("ACCESS", "R2")
        self.one.send(text)
        came = self.two.expect("ACCESS")
        self.one.send(text)
        self.two.silent()
        self.two.reply(came, 200)
        self.assertEqual(self.one.final().code, 200)

    def test_large(self):
        body = b"x" * 60000
        self.one.ask("ACCESS", "R2", body=body)
        came = self.two.expect("ACCESS")
        self.assertEqual(came.body, body)
        self.two.reply(came, 200, body=body)
        self.assertEqual(self.one.final().body, body)

    # ---- not passed on ----

    def code(self, method="ACCESS", to="R2", **how):
        answer = self.one.request(method, to, **how)
        self.two.silent(0.05)
        return answer

    def test_refused(self):
        self.assertEqual(self.code(max_forwards="0").code, 483)
        self.assertEqual(self.code(via=f", SIP/2.0/TLS {DOMAIN}:{self.site.port};branch=z9hG4bKold").code, 482)
        extensions = self.code(headers=["Proxy-Require: foo, bar"])
        self.assertEqual((extensions.code, extensions.get("unsupported")), (420, "foo, bar"))
        self.assertEqual(self.code(uri="tel:+81312345678").code, 416)
        self.assertEqual(self.code(uri="sip:R2@elsewhere.example").code, 403)
        self.assertEqual(self.code(uri=f"sip:R2@{DOMAIN}:1").code, 403)
        self.assertEqual(self.code(headers=["Route: <sip:elsewhere.example;lr>"]).code, 403)
        self.assertEqual(self.code(account="R3").code, 403)
        self.assertEqual(self.code(to="R9").code, 404)
        self.assertEqual(self.code(to=None).code, 404)
        self.assertEqual(self.code(to="%00R2").code, 404)
        self.assertEqual(self.code(method="OPTIONS", to=None).code, 200)
        self.assertEqual(self.code(method="CANCEL").code, 481)

    def test_escaped(self):
        self.one.ask("ACCESS", "%522")
        self.two.reply(self.two.expect("ACCESS"), 200)
        self.assertEqual(self.one.final().code, 200)

    def test_own_route(self):
        """A relay that has the registrar as its outbound proxy."""
        self.one.ask("ACCESS", "R2", headers=[f"Route: <sip:{DOMAIN}:{self.site.port};transport=tls;lr>"])
        came = self.two.expect("ACCESS")
        self.assertEqual(came.all("route"), [])
        self.two.reply(came, 200)
        self.assertEqual(self.one.final().code, 200)

    def test_not_there(self):
        """Known, and not registered."""
        self.two.register(expires=0)
        answer = self.one.request("ACCESS", "R2")
        self.assertEqual((answer.code, answer.get("retry-after")), (480, "30"))

    def test_lost_in_between(self):
        self.one.ask("ACCESS", "R2")
        self.two.expect("ACCESS")
        self.two.close()
        self.assertEqual(self.one.final().code, 430)
        self.assertEqual(self.one.request("ACCESS", "R2").code, 480)

    def test_caller_gone(self):
        self.one.ask("INVITE", "R2")
        came = self.two.expect("INVITE")
        self.two.reply(came, 180, "Ringing")
        self.one.close()
        cancel = self.two.expect("CANCEL")
        self.two.reply(cancel, 200)
        self.two.reply(came, 487, "Request Terminated")
        self.two.expect("ACK")
        self.assertEqual(self.two.register().code, 200)

    def test_no_answer(self):
        """Own deadlines: 504, or 408 to an INVITE."""
        self.one.ask("ACCESS", "R2")
        self.two.expect("ACCESS")
        self.site.node.advance(3)
        self.assertEqual(self.one.final().code, 504)
        self.one.ask("INVITE", "R2")
        self.two.expect("INVITE")
        self.site.node.advance(6)
        self.assertEqual(self.one.final().code, 408)

    def test_codes_on_the_way_back(self):
        for code, expected in ((503, 500), (500, 500), (404, 404), (603, 603), (410, 410), (302, 302)):
            self.one.ask("ACCESS", "R2")
            self.two.reply(self.two.expect("ACCESS"), code, "x")
            self.assertEqual(self.one.final().code, expected)

    # ---- calls ----

    def invite(self):
        self.one.ask("INVITE", "R2", body=SDP, headers=[f"Contact: <{self.one.contact}>", "Content-Type: application/sdp"])
        came = self.two.expect("INVITE")
        self.assertEqual(came.body, SDP)
        return came

    def test_call(self):
        """INVITE, 100, 180, 200, ACK, requests inside from both sides, BYE: by the Record-Route."""
        came = self.invite()
        route = came.get("record-route")
        self.assertRegex(route, rf"^<sip:R1~R2~[0-9a-f]{{32}}@{DOMAIN}:{self.site.port};transport=tls;lr>$")
        self.two.reply(came, 100, "Trying")
        self.two.reply(came, 180, "Ringing")
        ringing = self.one.next()
        self.assertEqual((ringing.code, ringing.get("record-route")), (180, route))
        self.two.reply(came, 200, headers=[f"Contact: <{self.two.contact}>"], body=SDP)
        self.assertEqual(self.one.final().code, 200)
        self.inside(self.one, self.two, route, "ACK", cseq=self.one.cseq, answer=False)
        self.inside(self.two, self.one, route, "MEDIASESSION", cseq=1)
        self.inside(self.one, self.two, route, "INFO")
        self.inside(self.one, self.two, route, "BYE")
        self.one.silent(0.1)
        self.two.silent(0.1)

    def inside(self, one, two, route, method, answer=True, **how):
        one.ask(method, two.account, uri=two.contact, call=self.one.call, to_tag="t1", headers=[f"Route: {route}"], **how)
        came = two.expect(method)
        self.assertEqual((came.target, came.all("route")), (two.contact, []))
        if answer:
            two.reply(came, 200)
            self.assertEqual(one.final().code, 200)

    def test_a_third_has_no_business_in_it(self):
        route = self.invite().get("record-route")
        three = self.site.registered("R3")
        self.assertEqual(three.request("BYE", "R2", uri=self.two.contact, headers=[f"Route: {route}"]).code, 403)
        forged = re.sub(r"R1~R2", "R3~R2", route)
        self.assertEqual(three.request("BYE", "R2", uri=self.two.contact, headers=[f"Route: {forged}"]).code, 403)
        self.two.silent()

    def test_the_call_outlives_a_connection(self):
        """The callee comes back by another connection; BYE finds it there."""
        came = self.invite()
        self.two.reply(came, 200, headers=[f"Contact: <{self.two.contact}>"])
        self.one.final()
        new = self.site.registered("R2")
        new.contact = self.two.contact
        self.inside(self.one, new, came.get("record-route"), "BYE")

    def test_cancel(self):
        came = self.invite()
        branch, cseq = self.one.branch, self.one.cseq
        self.two.reply(came, 180, "Ringing")
        self.assertEqual(self.one.next().code, 180)
        self.assertEqual(self.one.request("CANCEL", "R2", branch=branch, cseq=cseq).code, 200)
        cancel = self.two.expect("CANCEL")
        self.assertEqual(cancel.get("via"), came.get("via"))
        self.two.reply(cancel, 200)
        self.two.reply(came, 487, "Request Terminated")
        self.assertEqual(self.two.expect("ACK").get("via"), came.get("via"))
        self.assertEqual(self.one.final().code, 487)

    def test_cancel_before_it_rings(self):
        """It waits for the first provisional answer. Meanwhile the other side answers what was never sent, which once ended the process."""
        came = self.invite()
        branch, cseq = self.one.branch, self.one.cseq
        self.assertEqual(self.one.request("CANCEL", "R2", branch=branch, cseq=cseq).code, 200)
        self.two.silent()
        forged = self.two
        forged.send("\r\n".join(["SIP/2.0 200 OK", *(f"Via: {via}" for via in came.all("via")), f"From: {came.get('from')}",
                                 f"To: {came.get('to')};tag=t1", f"Call-ID: {came.get('call-id')}", f"CSeq: {cseq} CANCEL",
                                 "Content-Length: 0", "", ""]))
        self.two.silent()
        self.two.reply(came, 100, "Trying")
        self.two.reply(self.two.expect("CANCEL"), 200)
        self.two.reply(came, 487, "Request Terminated")
        self.two.expect("ACK")
        self.assertEqual(self.one.final().code, 487)

    def test_timer_c(self):
        came = self.invite()
        self.two.reply(came, 180, "Ringing")
        self.one.next()
        self.site.node.advance(6)
        self.two.reply(self.two.expect("CANCEL"), 200)
        self.two.reply(came, 487, "Request Terminated")
        self.assertEqual(self.one.final().code, 487)

    def test_refused_call(self):
        """The answer is acknowledged hop by hop: the caller's ACK goes no further."""
        came = self.invite()
        branch, cseq = self.one.branch, self.one.cseq
        self.two.reply(came, 486, "Busy Here")
        self.two.expect("ACK")
        self.assertEqual(self.one.final().code, 486)
        self.one.ask("ACK", "R2", branch=branch, cseq=cseq)
        self.two.silent()


class Limits(SipCase):
    OPTIONS = {"requests": 8, "connection-requests": 5}

    def test_503(self):
        one, two, three = (self.site.registered(name) for name in ("R1", "R2", "R3"))
        for _ in range(5):
            one.ask("ACCESS", "R2")
        came = [two.expect("ACCESS") for _ in range(5)]
        answer = one.request("ACCESS", "R2")
        self.assertEqual((answer.code, answer.get("retry-after")), (503, "5"))
        for _ in range(3):
            three.ask("ACCESS", "R2")
        came += [two.expect("ACCESS") for _ in range(3)]
        self.assertEqual(three.request("ACCESS", "R2").code, 503)
        for request in came:
            two.reply(request, 200)
        self.assertEqual([one.final().code for _ in range(5)], [200] * 5)
        self.assertEqual([three.final().code for _ in range(3)], [200] * 3)
        three.ask("ACCESS", "R2")
        two.reply(two.expect("ACCESS"), 200)
        self.assertEqual(three.final().code, 200)


tap.main()
