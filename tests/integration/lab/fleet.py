# SPDX-License-Identifier: LGPL-2.1-or-later
"""A cloud server and its terminals, enrolled through farctl as an admin would do it."""
import os
import shutil
import tempfile

from lab import profile, secrets
from lab.enrol import enrol_cloud, enrol_terminal
from lab.idle import spinning
from lab.node import Node, run_farctl
from lab.wait import free_port, wait_until


class Fleet:
    """terminals: names. net: a lab.Nat (cloud and terminal then stand in its namespaces; one terminal). server: "host:port" where terminals
    dial instead of the cloud's own listener, e.g. an Impair. test_clock: daemons run with the clock that advance() moves.
    Folder: kept for a look when the test fails, or when FARWATCH_LAB_KEEP is set."""

    def __init__(self, terminals=("t1",), net=None, test_clock=True, cloud_host=None, server=None):
        self.folder = tempfile.mkdtemp(prefix="farwatch-lab-")
        self.net, self.server = net, server
        self.host = cloud_host or (net.CLOUD if net else "127.0.0.1")
        self.ports = {name: free_port() for name in ("nodes", "people", "ssh")}
        self.nodes, self._closers, self.captures = {}, [], os.path.join(self.folder, "captures")
        os.makedirs(self.captures)
        self.cloud = self._node("cloud", net.cloud if net else None, test_clock)
        self.cloud.profile = profile.cloud("cloud", self.host, self.ports, self.cloud.state, self.cloud.control)
        self.terminals = {}
        for name in terminals:
            self.add_terminal(name, test_clock)

    def _node(self, name, netns, test_clock):
        folder = os.path.join(self.folder, name)
        os.makedirs(folder, mode=0o700)
        self.nodes[name] = Node(name, folder, netns, test_clock)
        return self.nodes[name]

    def add_terminal(self, name, test_clock=True):
        """Only its folder and profile; start() or start_terminal() enrols and starts it."""
        node = self._node(name, self.net.terminal if self.net else None, test_clock)
        server = self.server or f"{self.host}:{self.ports['nodes']}"
        node.profile = profile.terminal(name, f"wss://{server}", node.state, node.control)
        self.terminals[name] = node
        return node

    @property
    def terminal(self):
        return next(iter(self.terminals.values()))

    def device(self, name, server, terminal=None, **more):
        """Puts a lab device into a terminal's profile (before it starts); returns the device. It is closed with the fleet."""
        node = self.terminals[terminal] if terminal else self.terminal
        node.profile["devices"][name] = {"endpoint": "lan", "address": server.address, **more}
        return self.adopt(server)

    def adopt(self, thing):
        """thing.close() or .stop() runs with the fleet's end."""
        self._closers.append(thing)
        return thing

    # ---- life ----

    def start(self):
        """Authority, cloud, enrolment of each terminal, terminals; returns when each is connected."""
        enrol_cloud(self)
        self.cloud.start()
        for node in self.terminals.values():
            self.start_terminal(node, connected=False)
        for name in self.terminals:
            self.wait_connected(name)
        return self

    def start_terminal(self, node, connected=True):
        enrol_terminal(self, node)
        node.start()
        if connected:
            self.wait_connected(node.name)

    def connected(self, name):
        rows = self.farctl("terminals", json=True)
        rows = rows.get("terminals", rows) if isinstance(rows, dict) else rows
        return any(row.get("terminal", row.get("id", row.get("name"))) == name and (row.get("connected") or row.get("online")) for row in rows)

    def wait_connected(self, name, timeout=20):
        wait_until(lambda: self.connected(name), timeout, f"{name} connected to the cloud", every=0.1)

    def farctl(self, *words, **how):
        """Against the cloud's control socket, as root."""
        return self.cloud.farctl(*words, **how)

    def farctl_as(self, person, *words, json=False, input=None, check=True, timeout=60):
        """Against the people's listener, from the person's place. person: {"name", "password"}; the password goes in by stdin at login."""
        home = os.path.join(self.folder, "people", person)
        os.makedirs(home, mode=0o700, exist_ok=True)
        server = ["--server", f"{self.host}:{self.ports['people']}", "--ca", self.ca]
        return run_farctl([*server, *words], self.cloud.logs, as_json=json, input=input, check=check, timeout=timeout,
                          env={"HOME": home, "XDG_CONFIG_HOME": home, "XDG_STATE_HOME": home, "XDG_CACHE_HOME": home},
                          netns=self.net.person if self.net else None)

    def advance(self, seconds):
        """All clocks of the fleet jump forward together."""
        for node in self.nodes.values():
            if node.running():
                node.advance(seconds)

    def advance_cloud_grace(self):
        """Past the time the cloud waits for a terminal's report."""
        self.cloud.advance(15)

    # ---- what there is ----

    @property
    def ca(self):
        """The fleet's root certificate, PEM."""
        return os.path.join(self.cloud.state, "ca", "ca.crt")

    def sessions(self, all=False):
        """Rows of the live sessions (all: and those that ended lately)."""
        found, after = [], ""
        with self.cloud.control_link() as link:
            while True:
                page = link.call("GET", "sessions?" + ("all=yes&" if all else "") + (f"after={after}" if after else ""))
                found += page["sessions"]
                after = page.get("next")
                if not after:
                    return found

    def session(self, session):
        """Its row, None when it is over and gone."""
        with self.cloud.control_link() as link:
            answer = link.ask("GET", f"sessions/{session}")
        return answer.body if answer.status == 200 else None

    def wait_session(self, session, *states, timeout=10):
        """Its row, once it is in one of these states."""
        def reached():
            row = self.session(session)
            return row if row and row["state"] in states else None
        return wait_until(reached, timeout, f"session {session} {' or '.join(states)}, it is {(self.session(session) or {}).get('state')}", every=0.02)

    def wait_over(self, session, timeout=15):
        """Until it is closed, or not even known any more; its last row."""
        def over():
            row = self.session(session) or {"state": "closed"}
            return row if row["state"] == "closed" else None
        return wait_until(over, timeout, f"session {session} closed", every=0.02)

    def history(self, session=None):
        """Newest first."""
        return self.cloud.call("GET", "history" + (f"?session={session}" if session else ""))["history"]

    def ports_gone(self, row, timeout=1.0):
        """X and Y of a session are not listened on any more."""
        wait_until(lambda: not {row.get("x"), row.get("y")} & set(self.cloud.listening()), timeout, "X and Y given back")

    # ---- end ----

    def close(self):
        """Ends everything; returns the faults found, one line each."""
        faults = spinning([node.process for node in self.nodes.values()])
        for node in reversed(list(self.nodes.values())):
            faults += node.faults()
        for thing in reversed(self._closers):
            (thing.close if hasattr(thing, "close") else thing.stop)()
        for node in self.nodes.values():
            faults += [f"{node.name}: {line}" for line in secrets.search_tree(node.logs)]
        faults += secrets.search_tree(self.captures)
        return faults

    def end(self, failed=False):
        """close(); keeps the folder and shows the ends of the logs when something was wrong, AssertionError when it was the fleet."""
        faults = self.close()
        if failed or faults:
            print(f"# the logs are in {self.folder}", flush=True)
            for node in self.nodes.values():
                for line in node.last_lines(25):
                    print(f"# {node.name}: {line}", flush=True)
            for line in faults:
                print("# " + line.replace("\n", "\n# "), flush=True)
        elif not os.environ.get("FARWATCH_LAB_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)
        if faults and not failed:
            raise AssertionError(faults[0])

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.end(failed=kind is not None)
