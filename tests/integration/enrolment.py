# SPDX-License-Identifier: LGPL-2.1-or-later
"""Enrolment into folders that are not the node's, the cloud's own certificate made again, and the way back in after a revocation."""
import copy
import json
import os
import ssl
import unittest

import lab
import tap
from fakes.server import Server
from lab import profile, secrets
from lab.case import FleetCase


def read(*path):
    with open(os.path.join(*path), "rb") as file:
        return file.read()


def names(node):
    found = ssl._ssl._test_decode_cert(os.path.join(node.state, "keys", "node.crt"))  # pylint: disable=protected-access
    return sorted(value for _, value in found.get("subjectAltName", ()))


class Enrolment(FleetCase):
    def setUp(self):
        self.start_fleet(start=False)
        lab.enrol.enrol_cloud(self.fleet)
        self.fleet.cloud.start()

    def token(self, name, *more):
        return secrets.remember(self.fleet.farctl("terminal", "add", name, *more, json=True, reveals=True)["token"], "a join token")

    def enroll(self, node, name, state, *more):
        """As node `name` with a state folder of its own choice."""
        other = copy.deepcopy(node.profile)
        other["node"].update(id=name, state=state)
        path = os.path.join(node.folder, f"as-{name}.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(profile.text(other))
        return node.farctl("enroll", "--profile", path, "--server", f"{self.fleet.host}:{self.fleet.ports['nodes']}", *more, input=self.token(name, "--replace") + "\n",
                           check=False)

    def assert_refused(self, done, *words):
        self.assertNotEqual(done.returncode, 0)
        for word in words:
            self.assertIn(word, done.stderr)

    # ---- folders ----

    def test_a_clouds_folder_is_refused(self):
        """The two shipped profiles on one machine: the cloud's certificate and keys stay what they were."""
        cloud, node = self.fleet.cloud, self.fleet.terminal
        before = [read(cloud.state, "keys", name) for name in ("node.crt", "node.key", "ca.crt")]
        self.assert_refused(self.enroll(node, "t1", cloud.state), "fleet's authority", "node.state")
        self.assert_refused(self.enroll(node, "t1", cloud.state, "--new-keys"), "fleet's authority")
        aside = os.path.join(self.fleet.folder, "ca.key")
        os.rename(os.path.join(cloud.state, "ca", "ca.key"), aside)  # an admin has it elsewhere
        self.assert_refused(self.enroll(node, "t1", cloud.state), "belongs to node 'cloud'")
        os.rename(aside, os.path.join(cloud.state, "ca", "ca.key"))
        self.assertEqual(before, [read(cloud.state, "keys", name) for name in ("node.crt", "node.key", "ca.crt")])
        cloud.restart()
        self.assertEqual(self.fleet.farctl("terminals", json=True)["terminals"][0]["terminal"], "t1")

    def test_a_fifo_in_the_certificates_place_holds_nobody_up(self):
        """Root looks there before it becomes the folder's owner."""
        node = self.fleet.terminal
        state = os.path.join(self.fleet.folder, "laid")
        os.makedirs(os.path.join(state, "keys"))
        os.mkfifo(os.path.join(state, "keys", "node.crt"))
        done = self.enroll(node, "t1", state)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"CERTIFICATE", read(state, "keys", "node.crt"))

    def test_another_nodes_folder_is_refused(self):
        node = self.fleet.terminal
        lab.enrol.enrol_terminal(self.fleet, node)
        before = read(node.state, "keys", "node.crt")
        self.assert_refused(self.enroll(node, "t2", node.state), "belongs to node 't1'", "--new-keys")
        self.assertEqual(before, read(node.state, "keys", "node.crt"))
        done = self.enroll(node, "t2", node.state, "--new-keys")
        self.assertEqual(done.returncode, 0, done.stderr)
        aside = [name for name in os.listdir(node.state) if name.startswith("keys.")]
        self.assertEqual(len(aside), 1)
        self.assertEqual(before, read(node.state, aside[0], "node.crt"))
        self.assertNotEqual(read(node.state, aside[0], "node.key"), read(node.state, "keys", "node.key"))

    def test_no_authority_is_made_in_a_terminals_folder(self):
        node = self.fleet.terminal
        lab.enrol.enrol_terminal(self.fleet, node)
        before = [read(node.state, "keys", name) for name in ("node.crt", "ca.crt")]
        self.assert_refused(node.farctl("ca", "init", "--profile", node.profile_path, check=False), "another fleet")
        self.assertFalse(os.path.exists(os.path.join(node.state, "ca")))
        self.assertEqual(before, [read(node.state, "keys", name) for name in ("node.crt", "ca.crt")])

    # ---- the cloud's own certificate ----

    def test_names_are_kept_unless_told(self):
        cloud = self.fleet.cloud
        init = lambda *more: cloud.farctl("ca", "init", "--profile", cloud.profile_path, *more, check=False)  # noqa: E731
        self.assertEqual(names(cloud), [self.fleet.host, "cloud"])
        self.assertEqual(init("--name", "cloud.example", "--name", "192.0.2.7").returncode, 0)
        self.assertEqual(names(cloud), ["192.0.2.7", "cloud", "cloud.example"])
        before, done = read(cloud.state, "keys", "node.crt"), init()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotEqual(before, read(cloud.state, "keys", "node.crt"))
        self.assertEqual(names(cloud), ["192.0.2.7", "cloud", "cloud.example"])
        for word in ("made again", "cloud.example", "192.0.2.7", "--name"):
            self.assertIn(word, done.stderr)

    # ---- back in ----

    def test_new_keys_after_a_revocation(self):
        node = self.fleet.terminal
        lab.enrol.enrol_terminal(self.fleet, node)
        self.fleet.farctl("revoke", "--node", "t1")
        self.assert_refused(self.enroll(node, "t1", node.state), "revoked", "--new-keys")
        done = self.enroll(node, "t1", node.state, "--new-keys")
        self.assertEqual(done.returncode, 0, done.stderr)
        node.start()
        self.fleet.wait_connected("t1")

    def test_a_cloud_that_puts_words_into_a_command(self):
        """What the cloud calls a waiting enrolment stands in a command that a person copies to the machine with the authority's key."""
        node, cloud = self.fleet.terminal, self.fleet.cloud
        token, keys = self.token("t1"), os.path.join(cloud.state, "keys")
        cloud.stop()
        chain = os.path.join(self.fleet.folder, "chain.pem")
        with open(chain, "wb") as file:
            file.write(read(keys, "node.crt") + read(keys, "ca.crt"))
        with open(node.profile_path, "w", encoding="utf-8") as file:
            file.write(profile.text(node.profile))
        for number in ("7 --keys sha256:0000 #", "7; touch /tmp/x #", "$(id)", "", "-7\n8", "x" * 65, None, 7):
            liar = Server(keys, (202, {"pending": number}), (self.fleet.host, self.fleet.ports["nodes"]), chain)
            done = node.farctl("enroll", "--profile", node.profile_path, "--server", f"{self.fleet.host}:{self.fleet.ports['nodes']}", input=token + "\n", check=False)
            liar.close()
            self.assertEqual([head["resource"] for head in liar.asked], ["enroll"], done.stderr)
            self.assertEqual((done.returncode == 0, "approve" in done.stderr, "no usable enrolment" in done.stderr), (False, False, True), done.stderr)

    def test_new_keys_come_when_the_token_is_taken(self):
        """A token that is not accepted, a cloud that is not there: the node that works stays as it is, to the last file."""
        node = self.fleet.terminal
        lab.enrol.enrol_terminal(self.fleet, node)
        keys = os.path.join(node.state, "keys")
        before = {name: read(keys, name) for name in os.listdir(keys)}
        good = self.token("t1", "--replace")
        first, fleet, _ = good.split(".")
        server = f"{self.fleet.host}:{self.fleet.ports['nodes']}"
        for token, at in ((f"{first}.{fleet}.{'x' * 32}", server), (good, f"{self.fleet.host}:1"), (f"{first}.{'0' * 64}.{'x' * 32}", server), ("word", server)):
            done = node.farctl("enroll", "--profile", node.profile_path, "--server", at, "--new-keys", input=token + "\n", check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertEqual({name: read(keys, name) for name in os.listdir(keys)}, before)
            self.assertEqual([name for name in os.listdir(node.state) if name.startswith("keys.1")], [])
        node.start()
        self.fleet.wait_connected("t1")
        node.stop()
        done = node.farctl("enroll", "--profile", node.profile_path, "--server", server, "--new-keys", input=good + "\n", check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        aside = [name for name in os.listdir(node.state) if name.startswith("keys.")]
        self.assertEqual(len(aside), 1, aside)
        self.assertIn(aside[0], done.stderr)
        self.assertEqual({name: read(node.state, aside[0], name) for name in os.listdir(os.path.join(node.state, aside[0]))}, before)
        self.assertNotEqual(read(keys, "node.key"), before["node.key"])
        node.start()
        self.fleet.wait_connected("t1")

    # ---- whose the files are ----

    @unittest.skipIf(os.geteuid() != 0, "another user's folder needs root")
    def test_in_another_users_folder_root_is_that_user(self):
        """What root makes there is the user's; a link that the user has laid there leads root nowhere, and no file of root's is given away."""
        node, cloud = self.fleet.terminal, self.fleet.cloud
        os.chmod(self.fleet.folder, 0o755)
        victim = os.path.join(self.fleet.folder, "victim")
        os.mkdir(victim, 0o700)
        with open(os.path.join(victim, "secret"), "w", encoding="utf-8") as file:
            file.write("kept")

        def theirs(name):
            folder = os.path.join(self.fleet.folder, name)
            os.mkdir(folder)
            os.chown(folder, 65534, 65534)
            return folder

        def init(state, *more):
            path = os.path.join(self.fleet.folder, "other.yaml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"farwatch: 1\nnode: {{id: other, state: {state}}}\n")
            return cloud.farctl("ca", "init", "--profile", path, *more, check=False)

        def assert_theirs(folder):
            for at, folders, files in os.walk(folder):
                for name in [at, *(os.path.join(at, name) for name in folders + files)]:
                    self.assertEqual(os.lstat(name).st_uid, 65534, name)
        made = theirs("made")
        for state in (made, os.path.join(made, "new")):
            self.assertEqual(self.enroll(node, "t1", state).returncode, 0)
            self.assertTrue(os.path.exists(os.path.join(state, "keys", "node.crt")))
        self.assertEqual(init(os.path.join(made, "cloud")).returncode, 0)
        self.assertEqual(cloud.farctl("ca", "init", "--dir", os.path.join(made, "ca"), check=False).returncode, 0)
        self.assertEqual(cloud.farctl("credential", "keys", os.path.join(made, "box"), check=False).returncode, 0)
        assert_theirs(made)
        links = {what: theirs(what) for what in ("keys", "ca", "hard", "dir")}
        for what in ("keys", "ca", "dir"):
            os.symlink(victim, os.path.join(links[what], what))
        self.assertNotEqual(self.enroll(node, "t1", links["keys"]).returncode, 0)
        self.assertNotEqual(init(links["ca"]).returncode, 0)
        for words in (("ca", "init", "--dir"), ("credential", "keys")):
            self.assertNotEqual(cloud.farctl(*words, os.path.join(links["dir"], "dir"), check=False).returncode, 0)
        self.assertNotEqual(self.enroll(node, "t1", os.path.join(links["dir"], "dir")).returncode, 0)
        os.mkdir(os.path.join(links["hard"], "keys"))
        os.chown(os.path.join(links["hard"], "keys"), 65534, 65534)
        os.link(os.path.join(victim, "secret"), os.path.join(links["hard"], "keys", "more"))
        self.assertEqual(self.enroll(node, "t1", links["hard"]).returncode, 0)
        self.assertEqual(os.listdir(victim), ["secret"])
        self.assertEqual(os.stat(os.path.join(victim, "secret")).st_uid, 0)

    def test_the_doctor_knows_whose_certificate_it_is(self):
        cloud, node = self.fleet.cloud, self.fleet.terminal
        lab.enrol.enrol_terminal(self.fleet, node)

        def who(at):
            found = json.loads(at.farctl("--json", "doctor", check=False).stdout)["findings"]
            return [(row["level"], row["text"]) for row in found if row["what"] == "identity"]
        node.start()
        self.fleet.wait_connected("t1")
        self.assertEqual(who(node), [("good", "node 't1'")])
        self.assertEqual(who(cloud), [("good", f"node 'cloud', a server reached as cloud, {self.fleet.host}")])
        keys = os.path.join(cloud.state, "keys")
        with open(os.path.join(keys, "node.crt"), "wb") as file:
            file.write(read(node.state, "keys", "node.crt"))
        self.assertEqual(who(cloud), [("bad", "the certificate is node 't1's, this node is 'cloud'")])


tap.main()
