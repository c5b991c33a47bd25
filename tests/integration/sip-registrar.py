# SPDX-License-Identifier: LGPL-2.1-or-later
"""The registrar over mutual TLS: who may register, what stands then, and how it ends (RFC 3261 10.3)."""
import ssl

import tap
from lab.sip import DOMAIN, SipCase
from lab.wait import wait_until


class Registers(SipCase):
    def test_one(self):
        agent = self.site.agent("R2")
        answer = agent.register(expires=100)
        self.assertEqual(answer.code, 200)
        self.assertEqual(answer.get("contact"), f"<{agent.contact}>;expires=100")
        row = self.site.registrations()["R2"]
        self.assertEqual((row["transport"], row["contact"]), ("tls", agent.contact))
        self.assertEqual(row["address"], "127.0.0.1:%d" % agent.sock.getsockname()[1])
        again = agent.register(expires=300)
        self.assertEqual((again.code, again.get("contact")), (200, f"<{agent.contact}>;expires=300"))
        query = agent.register(expires=None, contact="")
        self.assertRegex(query.get("contact"), r";expires=(300|299)$")
        self.assertEqual(agent.register(expires=0).all("contact"), [])
        self.assertEqual(self.site.registrations(), {})

    def test_the_answer_names_its_way(self):
        """The client's own Via comes back, with where the request came from, and no other."""
        agent = self.site.agent("R2")
        via, = agent.register().all("via")
        host, port = agent.sock.getsockname()
        self.assertEqual(via, f"SIP/2.0/TLS 192.0.2.1:5061;branch={agent.branch};received={host};rport={port}")

    def test_bounds(self):
        agent = self.site.agent("R2")
        answer = agent.register(expires=59)
        self.assertEqual((answer.code, answer.get("min-expires")), (423, "60"))
        self.assertEqual(self.site.registrations(), {})
        self.assertTrue(agent.register(expires=99999).get("contact").endswith(";expires=3600"))
        self.assertTrue(agent.register(expires=None).get("contact").endswith(";expires=3600"))

    def test_star(self):
        agent = self.site.registered("R2")
        self.assertEqual(agent.register(contact="*", expires=10).code, 400)
        self.assertEqual(agent.register(contact="*", expires=0, headers=[f"Contact: <{agent.contact}>"]).code, 400)
        self.assertIn("R2", self.site.registrations())
        self.assertEqual(agent.register(contact="*", expires=0).code, 200)
        self.assertEqual(self.site.registrations(), {})

    def test_order(self):
        agent = self.site.agent("R2")
        self.assertEqual(agent.register(cseq=10).code, 200)
        self.assertEqual(agent.register(cseq=10).code, 500)
        self.assertEqual(agent.register(cseq=9, expires=0).code, 500)
        self.assertIn("R2", self.site.registrations())
        self.assertEqual(agent.register(cseq=11).code, 200)

    def test_one_contact_or_none(self):
        agent = self.site.registered("R2")
        two = agent.register(headers=["Contact: <sip:other@192.0.2.9>"])
        self.assertEqual(two.code, 403)
        self.assertEqual(self.site.registrations()["R2"]["contact"], agent.contact)
        self.assertEqual(agent.register(contact="mailto:a@example.net").code, 416)

    def test_another_ones_account(self):
        agent = self.site.agent("R2", account="R3")
        self.assertEqual(agent.register().code, 403)
        self.assertEqual(self.site.registrations(), {})

    def test_no_certificate(self):
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.site.agent(None, account="R2").register()

    def test_other_domain(self):
        agent = self.site.agent("R2")
        answer = agent.request("REGISTER", None, uri="sip:elsewhere.example", headers=[f"Contact: <{agent.contact}>"])
        self.assertEqual(answer.code, 403)

    def test_required_options(self):
        answer = self.site.agent("R2").register(headers=["Require: outbound, gruu"])
        self.assertEqual((answer.code, answer.get("unsupported")), (420, "outbound, gruu"))

    def test_time(self):
        agent = self.site.agent("R2")
        agent.register(expires=60)
        self.site.node.advance(58)
        self.assertIn("R2", self.site.registrations())
        self.site.node.advance(3)
        wait_until(lambda: self.site.registrations() == {}, 5, "the registration to end")

    def test_the_newest_wins(self):
        one = self.site.registered("R2")
        two = self.site.registered("R2")
        self.assertTrue(one.ended())
        self.assertEqual(self.site.registrations()["R2"]["contact"], two.contact)
        self.assertEqual(two.register().code, 200)

    def test_a_lost_connection(self):
        self.site.registered("R2").close()
        wait_until(lambda: self.site.registrations() == {}, 5, "the registration to go with its connection")

    def test_pings(self):
        agent = self.site.registered("R2")
        agent.send("\r\n\r\n")
        self.assertEqual(agent.sock.recv(10), b"\r\n")
        self.assertEqual(agent.register().code, 200)

    def test_farctl(self):
        self.site.registered("R2")
        self.assertIn("R2", self.site.node.farctl("registrations"))
        self.assertEqual(self.site.node.farctl("registrations", json=True)["registrations"][0]["account"], "R2")

    def test_new_certificate(self):
        """The listener shows another certificate from then on, and nobody is cut off."""
        agent = self.site.registered("R2")
        old = agent.sock.getpeercert()["serialNumber"]
        self.assertEqual(self.site.renew(), 0)
        self.site.node.advance(11)

        def shown():
            with self.site.agent("R3").sock as sock:
                return sock.getpeercert()["serialNumber"] != old
        wait_until(shown, 10, "the new certificate")
        self.assertEqual(agent.register().code, 200)

    def test_reload(self):
        agent = self.site.registered("R2")
        self.site.node.profile["services"]["registrar"].update({"min-expires": "5s", "expires": "100s"})
        self.site.node.write()
        changes = self.site.node.call("POST", "reload")["changes"]
        self.assertEqual([change["action"] for change in changes if change.get("instance", change.get("path", "")).endswith("registrar")],
                         ["reloaded"], changes)
        wait_until(lambda: agent.register(expires=6).code == 200, 5, "the new bound")
        self.assertTrue(agent.register(expires=5000).get("contact").endswith(";expires=100"))

    def test_connections_of_an_account(self):
        """A fifth one ends the oldest that is not registered; the one that is stays."""
        kept = self.site.registered("R2")
        others = [self.site.agent("R2") for _ in range(3)]
        self.assertEqual(others[0].request("OPTIONS", None).code, 200)
        self.assertEqual(self.site.agent("R2").request("OPTIONS", None).code, 200)
        self.assertTrue(others[0].ended())
        self.assertEqual(kept.register().code, 200)

    def test_idle(self):
        agent = self.site.agent("R2")
        self.assertEqual(agent.request("OPTIONS", None).code, 200)
        self.site.node.advance(61)
        self.assertTrue(agent.ended())


class Digest(SipCase):
    OPTIONS = {"proof": "either", "users": "sip-users"}

    def prepare(self):
        self.site.secret("sip-users", {"R7": "clear as mud"})

    def test_login(self):
        agent = self.site.agent(None, account="R7")
        asked = agent.register()
        self.assertEqual(asked.code, 401)
        self.assertRegex(asked.get("www-authenticate"), rf'^Digest realm="{DOMAIN}", nonce="[0-9a-f]{{64}}", algorithm=SHA-256, qop="auth"$')
        answer = agent.digest(asked.get("www-authenticate"), "clear as mud")
        self.assertEqual(agent.register(headers=[f"Authorization: {answer}"]).code, 200)
        self.assertIn("R7", self.site.registrations())
        self.assertEqual(agent.register().code, 200)

    def test_wrong(self):
        agent = self.site.agent(None, account="R7")
        asked = agent.register()
        for password, user in (("wrong", "R7"), ("clear as mud", "R2"), ("clear as mud", "R8")):
            answer = agent.digest(asked.get("www-authenticate"), password, user=user)
            self.assertEqual(agent.register(headers=[f"Authorization: {answer}"]).code, 401)
        self.assertEqual(self.site.registrations(), {})

    def test_another_ones_nonce(self):
        asked = self.site.agent(None, account="R7").register()
        agent = self.site.agent(None, account="R7")
        answer = agent.digest(asked.get("www-authenticate"), "clear as mud")
        again = agent.register(headers=[f"Authorization: {answer}"])
        self.assertEqual(again.code, 401)
        self.assertIn("stale=true", again.get("www-authenticate"))

    def test_requests(self):
        agent = self.site.agent(None, account="R7")
        asked = agent.request("ACCESS", "R2")
        self.assertEqual(asked.code, 407)
        answer = agent.digest(asked.get("proxy-authenticate"), "clear as mud", method="ACCESS", uri=f"sip:R2@{DOMAIN}")
        self.assertEqual(agent.request("ACCESS", "R2", headers=[f"Proxy-Authorization: {answer}"]).code, 404)

    def test_certificates_too(self):
        self.assertEqual(self.site.agent("R2").register().code, 200)
        self.assertEqual(self.site.agent("R2", account="R7").register().code, 403)

    def test_time_to_log_in(self):
        agent = self.site.agent(None, account="R7")
        self.assertEqual(agent.register().code, 401)
        self.site.node.advance(11)
        self.assertTrue(agent.ended())


class DigestAlone(SipCase):
    """Certificates are not asked for: one that the relay has proves nothing."""
    OPTIONS = {"proof": "digest", "users": "sip-users"}

    def prepare(self):
        self.site.secret("sip-users", {"R7": "clear as mud"})

    def test_login(self):
        agent = self.site.agent("R2", account="R7")
        asked = agent.register()
        self.assertEqual(asked.code, 401)
        answer = agent.digest(asked.get("www-authenticate"), "clear as mud")
        self.assertEqual(agent.register(headers=[f"Authorization: {answer}"]).code, 200)
        self.assertEqual(self.site.agent("R2").register().code, 401)
        self.assertEqual(list(self.site.registrations()), ["R7"])


class Both(SipCase):
    OPTIONS = {"proof": "both", "users": "sip-users"}

    def prepare(self):
        self.site.secret("sip-users", {"R2": "clear as mud", "R3": "clear as rain"})

    def test_both(self):
        agent = self.site.agent("R2")
        asked = agent.register()
        self.assertEqual(asked.code, 401)
        other = agent.digest(asked.get("www-authenticate"), "clear as rain", user="R3")
        self.assertEqual(agent.register(headers=[f"Authorization: {other}"]).code, 403)
        own = agent.digest(asked.get("www-authenticate"), "clear as mud", nc="00000002")
        self.assertEqual(agent.register(headers=[f"Authorization: {own}"]).code, 200)
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.site.agent(None, account="R2").register()


tap.main()
