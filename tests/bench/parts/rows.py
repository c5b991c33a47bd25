# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rows by name: each a function of a Row (see ../run) that keeps values as they come; False: not all of it was measured."""
import concurrent.futures
import os
import subprocess
import threading

import lab
from parts import judge, product, rows_bytes, rows_front, rows_rest, rows_storm, rows_tunnels
from parts.chains import Direct, OpenSsh, PlainHops, TlsThenSsh
from parts.load import Device, load
from parts.monitors import CYCLE_S, Collectd, Zabbix

LINKS = 8


def bench_device(row):
    device = Device(row.place("device"))
    row.stack.callback(device.stop)
    return device


def started(row, chains, *how):
    """Those that come up; what is wrong with the others is said."""
    for chain in chains:
        row.stack.callback(chain.stop)
        try:
            chain.start(*how)
            yield chain
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            row.say(f"{chain.name} does not come up: {error}")


def row_bytes(row):
    """bulk, ping-pong and connections through every way, all ways in each round"""
    device = bench_device(row)
    at = f"127.0.0.1:{device.port}"
    found = product.fleet(row.stack, {"raw": at, "stream": at, "local": at, "band": at})
    who = product.person(found)
    chains = [Direct(row.place("direct"), "direct"), PlainHops(row.place("plain"), judge.PLAIN, 2), PlainHops(row.place("plain-three"), judge.PLAIN_THREE, 3),
              OpenSsh(row.place("gcm"), judge.GCM, "aes128-gcm@openssh.com"), OpenSsh(row.place("default"), judge.DEFAULT),
              TlsThenSsh(row.place("tls"), judge.TLS_GCM, "aes128-gcm@openssh.com"),
              product.Raw(row.place("raw"), judge.OURS, found, who, "raw"), product.Stream(row.place("stream"), judge.STREAM, found, who, "stream"),
              product.LocalStream(row.place("local"), judge.LOCAL, found, who, "local"),
              product.InBand(row.place("band"), judge.IN_BAND, found, who, "band")]
    up = list(started(row, chains, device.port))
    return rows_bytes.measure(row, up) and len(up) == len(chains)


def row_front(row):
    """handshakes and requests at the people's door, beside nginx and haproxy with the same certificate"""
    def change(found):
        found.cloud.profile["transports"]["people"].update({"max-connections": 4096, "trusted": ["127.0.0.0/8"]})
    found = product.fleet(row.stack, {}, change=change)
    cert, key = (os.path.join(found.cloud.state, "keys", f"node.{end}") for end in ("crt", "key"))
    body = rows_front.hello(found)
    peers = list(started(row, [rows_front.Nginx(row.place("nginx")), rows_front.Haproxy(row.place("haproxy"))], cert, key, body))
    return rows_front.measure(row, [rows_front.Door(found), *peers]) and len(peers) == 2


def many_sessions(found):
    found.cloud.profile["services"]["access"].update({"sessions": 2000, "sessions-each": 1000})
    found.terminal.profile["services"]["agent"]["sessions"] = 1000


def row_tunnels(row):
    """memory of idle tunnels at the cloud, beside sshd's"""
    found = product.fleet(row.stack, {}, change=many_sessions)
    values = {judge.FARWATCH: rows_tunnels.ours(found, row.wanted.tunnels, row.say)}
    row.keep(values)
    values[judge.SSHD] = rows_tunnels.openssh(row.place("sshd"), row.wanted.tunnels, row.say)
    row.keep(values)


def row_access(row):
    """from the request to the first byte of the device"""
    device = bench_device(row)
    found = product.fleet(row.stack, {"plc": f"127.0.0.1:{device.port}"}, change=many_sessions)
    row.keep(rows_tunnels.first_bytes(found, "plc", 20, row.say))


SET_UP = {"in band, ports": {"entry": "ports"}, "in band, stream": {"entry": "stream"}, "in advance, ports": {"entry": "ports", "raw": True}}


def row_setup(row):
    """from the request to an open session, by each way into it"""
    device = bench_device(row)
    devices = {"plc": f"127.0.0.1:{device.port}"}
    found = product.fleet(row.stack, devices, change=many_sessions)
    values = {}
    for way, how in SET_UP.items():
        values[f"{way}, by ssh"] = rows_tunnels.set_up(found, "plc", 60, how)

    def change(direct):
        many_sessions(direct)
        product.direct(direct)
    direct = product.fleet(row.stack, devices, change=change)
    values["in band, stream, by tls"] = rows_tunnels.set_up(direct, "plc", 60, SET_UP["in band, stream"])
    row.keep(values)


def row_start(row):
    """from the start of farctl to the first byte of the device"""
    device = bench_device(row)
    found = product.fleet(row.stack, {"plc": f"127.0.0.1:{device.port}"}, change=many_sessions)
    row.keep(rows_tunnels.farctl_first_bytes(found, "plc", 20, row.say))


def row_sessions(row):
    """the terminal's memory after many sessions, one after the other"""
    device = bench_device(row)
    found = product.fleet(row.stack, {"plc": f"127.0.0.1:{device.port}"}, change=many_sessions, test_clock=True)
    row.keep(rows_tunnels.many(found, "plc", row.wanted.sessions, row.say))


def prepare_crowd(found, crowd):
    """Each has a certificate and is known at the cloud; several links, so that the store writes many rows at once."""
    def make_known(names):
        with found.cloud.control_link(60) as link:
            for name in names:
                link.call("PUT", f"terminals/{name}", {})
    crowd.make_keys()
    with concurrent.futures.ThreadPoolExecutor(LINKS) as pool:
        list(pool.map(make_known, (crowd.names[first::LINKS] for first in range(LINKS))))


def row_terminals(row):
    """many idle terminals on one cloud node, each with TLS of its own"""
    def change(found):
        found.cloud.profile["transports"]["nodes"].update({"max-connections": row.wanted.terminals + 100, "trusted": ["127.0.0.0/8"]})
    found = product.fleet(row.stack, {}, change=change)
    crowd = rows_rest.Crowd(row.place("keys"), os.path.join(found.cloud.state, "ca"), found.host, found.ports["nodes"], row.wanted.terminals)
    row.say(f"{row.wanted.terminals} certificates")
    prepare_crowd(found, crowd)
    row.keep(rows_rest.crowd_at_cloud(found, crowd, row.wanted.rest, row.say))


def row_storm(row):
    """very many terminals that come at once, come back after a restart of the cloud and after a cut"""
    count = row.wanted.storm
    files = rows_storm.files_for(count)
    row.say(f"a process may open {files} files")

    def change(found):
        found.cloud.profile["transports"]["nodes"]["max-connections"] = count * 6 // 5
    found = product.fleet(row.stack, {}, change=change)
    crowd = rows_storm.Storm(row.place("keys"), os.path.join(found.cloud.state, "ca"), found.host, found.ports["nodes"], count, prefix="storm")
    row.say(f"{count} certificates")
    prepare_crowd(found, crowd)
    return rows_storm.measure(row, found, crowd)


def six_sensors(found):
    found.terminal.profile["sensors"] = {what: {"type": "system", "read": [what], "interval": f"{CYCLE_S}s"}
                                         for what in ("cpu", "load", "memory", "disk", "network", "uptime")}


def monitors(row):
    """The peers that come up: [(name, pid)]."""
    for monitor in (Collectd(), Zabbix()):
        try:
            monitor.start(row.place(monitor.name))
            row.stack.callback(monitor.stop)
            yield monitor.name, monitor.pid
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            row.say(f"{monitor.name} does not come up: {error}")


def row_rest(row):
    """a terminal at rest with six sensors, and again after a session, beside collectd and zabbix-agent2"""
    device = bench_device(row)
    found = product.fleet(row.stack, {"plc": f"127.0.0.1:{device.port}"}, change=six_sensors)
    peers = list(monitors(row))
    row.say(f"all at rest for {row.wanted.rest:.0f} s")
    threading.Event().wait(2 * CYCLE_S)
    values = rows_rest.at_rest([("terminal", found.terminal.pid), ("cloud", found.cloud.pid), *peers], row.wanted.rest)
    row.keep(values)
    row.say("a session of the terminal, 60 s, and again")
    who = product.person(found)
    session = who.open("t1", "plc", raw=True)
    load("bulk", session["y"], "up", 4, 2)
    who.close(session["session"])
    found.wait_over(session["session"])
    threading.Event().wait(60)
    again = rows_rest.at_rest([("terminal", found.terminal.pid), *peers], row.wanted.rest)
    values.update({name + judge.AGAIN: value for name, value in again.items()})
    row.keep(values)
    return len(peers) == 2


def row_wire(row):
    """bytes of an idle terminal on the wire"""
    net = row.stack.enter_context(lab.Nat())

    def change(found):
        found.terminal.profile["sensors"] = {}
        found.terminal.profile["services"].pop("uplink")
        found.terminal.profile["services"]["agent"]["poll"] = "120s"
    product.fleet(row.stack, {}, net=net, change=change)
    row.keep(rows_rest.on_the_wire(net.terminal, row.wanted.wire, row.say))


ROWS = {"bytes": row_bytes, "front": row_front, "tunnels": row_tunnels, "access": row_access, "setup": row_setup, "start": row_start,
        "sessions": row_sessions, "terminals": row_terminals, "storm": row_storm, "rest": row_rest, "wire": row_wire}
