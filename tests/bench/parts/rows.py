# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rows by name: each a function (wanted, folder, stack, say) → values; what it starts is ended by the stack."""
import os
import threading

import lab
from parts import judge, product, rows_bytes, rows_rest, rows_tunnels
from parts.chains import Direct, OpenSsh, TwoHops
from parts.load import Device, load
from parts.monitors import CYCLE_S, Collectd, Zabbix


def place(folder, name):
    path = os.path.join(folder, name)
    os.makedirs(path, mode=0o700)
    return path


def bench_device(folder, stack):
    device = Device(place(folder, "device"))
    stack.callback(device.stop)
    return device


def row_bytes(wanted, folder, stack, say):
    device = bench_device(folder, stack)
    at = f"127.0.0.1:{device.port}"
    found = product.fleet(stack, {"raw": at, "stream": at, "band": at})
    who = product.person(found)
    chains = [Direct(place(folder, "direct"), "direct"), TwoHops(place(folder, "plain"), judge.PLAIN),
              OpenSsh(place(folder, "gcm"), judge.GCM, "aes128-gcm@openssh.com"), OpenSsh(place(folder, "default"), judge.DEFAULT),
              product.Raw(place(folder, "raw"), judge.OURS, found, who, "raw"), product.Stream(place(folder, "stream"), judge.STREAM, found, who, "stream"),
              product.InBand(place(folder, "band"), judge.IN_BAND, found, who, "band")]
    for chain in chains:
        stack.callback(chain.stop)
        chain.start(device.port)
    return rows_bytes.measure(chains, wanted.rounds, say, wanted.seconds)


def many_sessions(found):
    found.cloud.profile["services"]["access"].update({"sessions": 2000, "sessions-each": 1000})
    found.terminal.profile["services"]["agent"]["sessions"] = 1000


def row_tunnels(wanted, folder, stack, say):
    found = product.fleet(stack, {}, change=many_sessions)
    return {"Farwatch": rows_tunnels.ours(found, wanted.tunnels, say), "OpenSSH sshd": rows_tunnels.openssh(place(folder, "sshd"), wanted.tunnels, say)}


def row_access(wanted, folder, stack, say):
    device = bench_device(folder, stack)
    found = product.fleet(stack, {"plc": f"127.0.0.1:{device.port}"}, change=many_sessions)
    return rows_tunnels.first_bytes(found, "plc", 20, say)


def row_terminals(wanted, folder, stack, say):
    def change(found):
        found.cloud.profile["transports"]["nodes"].update({"max-connections": wanted.terminals + 100, "trusted": ["127.0.0.0/8"]})
    found = product.fleet(stack, {}, change=change)
    crowd = rows_rest.Crowd(place(folder, "keys"), os.path.join(found.cloud.state, "ca"), found.host, found.ports["nodes"], wanted.terminals)
    say(f"{wanted.terminals} certificates")
    crowd.make_keys()
    with found.cloud.control_link(60) as link:
        for name in crowd.names:
            link.call("PUT", f"terminals/{name}", {})
    return rows_rest.crowd_at_cloud(found, crowd, wanted.rest, say)


def six_sensors(found):
    found.terminal.profile["sensors"] = {what: {"type": "system", "read": [what], "interval": f"{CYCLE_S}s"}
                                         for what in ("cpu", "load", "memory", "disk", "network", "uptime")}


def row_rest(wanted, folder, stack, say):
    device = bench_device(folder, stack)
    found = product.fleet(stack, {"plc": f"127.0.0.1:{device.port}"}, change=six_sensors)
    monitors = [monitor.start(place(folder, monitor.name)) for monitor in (Collectd(), Zabbix())]
    for monitor in monitors:
        stack.callback(monitor.stop)
    peers = [(monitor.name, monitor.pid) for monitor in monitors]
    say(f"all at rest for {wanted.rest:.0f} s")
    threading.Event().wait(2 * CYCLE_S)
    values = rows_rest.at_rest([("terminal", found.terminal.pid), ("cloud", found.cloud.pid), *peers], wanted.rest)
    say("a session of the terminal, 60 s, and again")
    who = product.person(found)
    row = who.open("t1", "plc", raw=True)
    load("bulk", row["y"], "up", 4, 2)
    who.close(row["session"])
    found.wait_over(row["session"])
    threading.Event().wait(60)
    again = rows_rest.at_rest([("terminal after a session", found.terminal.pid), *peers], wanted.rest)
    return {**values, "terminal after a session": again["terminal after a session"]}


def row_wire(wanted, folder, stack, say):
    net = stack.enter_context(lab.Nat())

    def change(found):
        found.terminal.profile["sensors"] = {}
        found.terminal.profile["services"].pop("uplink")
        found.terminal.profile["services"]["agent"]["poll"] = "120s"
    found = product.fleet(stack, {}, net=net, change=change)
    threading.Event().wait(10)
    return rows_rest.on_the_wire(net, net.terminal, wanted.wire, say)


ROWS = {"bytes": row_bytes, "tunnels": row_tunnels, "access": row_access, "terminals": row_terminals, "rest": row_rest, "wire": row_wire}
