# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rows about tunnels: what an idle one costs at the cloud, how long it takes to get one."""
import os
import subprocess
import time

from lab import Process, free_port, listening, wait_until
from lab.wait import dial
from parts import product
from parts.chains import Sshd
from parts.host import memory_kib


def ours(found, count, say):
    pids = [found.cloud.pid]
    product.tunnel(found)  # what the first one loads once is not a tunnel's
    before, started = memory_kib(pids)["private_dirty"], time.monotonic()
    for _ in range(count):
        product.tunnel(found)
    took = time.monotonic() - started
    settle(pids)
    after = memory_kib(pids)["private_dirty"]
    say(f"{count} tunnels: {before} → {after} KiB at the cloud")
    return {"kib_each": (after - before) / count, "tunnels": count, "set_up_per_s": count / took, "processes": 1}


def settle(pids):
    """Until the figure stands still for a second."""
    last, same = None, 0
    while same < 4:
        now = memory_kib(pids)["private_dirty"]
        same = same + 1 if now == last else 0
        last = now
        time.sleep(0.25)  # lint: allow sleep: memory has no event


def openssh(folder, count, say):
    server = Sshd(folder)
    clients = []
    try:
        pids = [server.process.pid]
        before, started = memory_kib(pids)["private_dirty"], time.monotonic()
        ports = [free_port() for _ in range(count)]
        for port in ports:
            client = Process(server.client("-R", f"127.0.0.1:{port}:127.0.0.1:9"), os.path.join(folder, f"ssh-{port}.log"))
            client.expect_end = True
            clients.append(client)
        wait_until(lambda: not set(ports) - set(listening()), 120, f"{count} ports of sshd", every=0.1)
        took = time.monotonic() - started
        settle(pids)
        after = memory_kib(pids)["private_dirty"]
        say(f"{count} tunnels: {before} → {after} KiB at sshd")
        return {"kib_each": (after - before) / count, "tunnels": count, "set_up_per_s": count / took, "processes": 2 * count + 1}
    finally:
        for client in clients:
            client.kill()
        server.stop()


def first_bytes(found, device, times, say):
    """Milliseconds from the request to the first byte the device echoes, each time a session of its own, with a login in advance."""
    took, who = [], product.person(found)
    for _ in range(times):
        started = time.monotonic()
        row = who.open("t1", device, raw=True)
        with dial("127.0.0.1", row["y"]) as sock:
            sock.sendall(b"ex")
            if sock.recv(1) != b"x":
                raise AssertionError("no byte came back from the device")
            took.append((time.monotonic() - started) * 1000)
        who.close(row["session"])
        found.wait_over(row["session"])
    say(f"first byte after {min(took):.0f}–{max(took):.0f} ms")
    return {"ms": took}


def set_up(found, device, times, how):
    """Milliseconds from POST sessions until the session is open; the terminal's nonce for a login in advance is there before."""
    took, who = [], product.person(found)
    for _ in range(times):
        wait_until(lambda: who.call("GET", "terminals/t1/statement").get("nonce"), 15, "a nonce of t1", every=0.02)
        started = time.monotonic()
        session = who.request("t1", device, **how)["session"]
        wait_until(lambda: who.call("GET", f"sessions/{session}")["state"] in ("open", "closed"), 20, "the session open", every=0.0005)  # pylint: disable=cell-var-from-loop
        took.append((time.monotonic() - started) * 1000)
        if who.call("GET", f"sessions/{session}")["state"] == "closed":
            raise AssertionError(f"session {session} did not open")
        who.close(session)
        found.wait_over(session)
    return {"ms": took}


def farctl_first_bytes(found, device, times, say):
    """Milliseconds from the start of farctl, logged in at the people's door, until the device's first byte is on its output. The person's password at
    the terminal goes with it: the time of its hash is part of it."""
    person = product.person(found)
    words, env = product.farctl_at_the_door(found, person)
    words += ["connect", f"t1/{device}", "-", "--password-stdin"]
    took = []
    for _ in range(times):
        wait_until(lambda: person.call("GET", "terminals/t1/statement").get("nonce"), 15, "a nonce of t1", every=0.02)
        started = time.monotonic()
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **env}) as process:
            process.stdin.write(person.password.encode() + b"\nex")
            process.stdin.flush()
            first = process.stdout.read(1)
            took.append((time.monotonic() - started) * 1000)
            _, errors = process.communicate(timeout=20)
        if first != b"x":
            raise AssertionError(f"no byte came back from the device: {errors.decode(errors='replace')}")
        wait_until(lambda: not found.sessions(), 15, "the session over", every=0.02)
    say(f"first byte after {min(took):.0f}–{max(took):.0f} ms")
    return {"ms": took}


def many(found, device, count, say, steps=4):
    """Private memory of the terminal after so many sessions, each with its bytes. Answers are kept for ten minutes for who asks twice, the
    last 200 sessions for a day to know their offers again: the clock moves on by more than ten minutes at each step, and what counts is
    how much the second half adds."""
    values, who = [], product.person(found)
    for step in range(steps):
        for _ in range(count // steps):
            row = who.open("t1", device, raw=True)
            with dial("127.0.0.1", row["y"]) as sock:
                sock.sendall(b"ex")
                if sock.recv(1) != b"x":
                    raise AssertionError("no byte came back from the device")
            who.close(row["session"])
            found.wait_over(row["session"])
        found.advance(700)
        who.login()  # the ticket has aged as well
        settle([found.terminal.pid])
        values.append(memory_kib([found.terminal.pid])["private_dirty"])
        say(f"{(step + 1) * (count // steps)} sessions: {values[-1]} KiB at the terminal")
    return {"sessions": steps * (count // steps), "sessions_each_step": count // steps, "private_dirty_kib": values, "growth_kib": values[-1] - values[steps // 2 - 1]}
