# SPDX-License-Identifier: LGPL-2.1-or-later
"""The library python3-websockets as a person's client. The order is JSON in the argument, the report JSON on standard output."""
import asyncio
import json
import os
import ssl
import sys

import websockets
from lab import ws

ORDER = json.loads(sys.argv[1])
CONTEXT = ssl.create_default_context(cafile=ORDER["ca"])


def connect(path):
    return websockets.connect(ORDER["url"] + path, ssl=CONTEXT, max_size=None, close_timeout=10, ping_interval=None)


async def ask(link, method, resource, body=None):
    await link.send(ws.message(method, resource, body))
    head, answer = ws.parse(await link.recv())
    return head["status"], answer


async def end(link):
    """The code it is closed with."""
    try:
        while True:
            await link.recv()
    except websockets.ConnectionClosed:
        return link.close_code


async def on_link(report):
    async with connect("/link") as link:
        report["extensions"] = link.response_headers.get("Sec-WebSocket-Extensions", "")
        report["before"], _ = await ask(link, "GET", "login")
        report["login"], _ = await ask(link, "POST", "login", {"name": ORDER["name"], "password": ORDER["password"]})
        report["principal"] = (await ask(link, "GET", "login"))[1].get("principal")
        await (await link.ping(b"are you there?"))
        report["pong"] = True
        await link.close(1000, "done")
        report["own-close"] = link.close_code


async def closed_after(path, *messages):
    async with connect(path) as link:
        for message in messages:
            await link.send(message)
        return await end(link)


async def bad_utf8():
    """Below the library's own rules: it would not send that."""
    async with connect("/link") as link:
        link.transport.write(ws.frame(b"\xff\xfe", ws.TEXT))
        return await end(link)


async def echo(stream, sent, report):
    async def send():
        for at in range(0, len(sent), 1 << 16):
            await stream.send(sent[at:at + (1 << 16)])
        await stream.send("eof")
    sender, got = asyncio.create_task(send()), bytearray()
    while (piece := await stream.recv()) != "eof":
        got += piece
    await sender
    report["echoed"], report["same"], report["stream-close"] = len(got), bytes(got) == sent, await end(stream)


async def main():
    report, sent = {}, os.urandom(1 << 20) * (ORDER["bytes"] >> 20)
    await on_link(report)
    report["text-close"] = await closed_after("/link", "what has no meaning")
    report["utf8-close"] = await bad_utf8()
    report["huge-close"] = await closed_after("/link", ws.message("POST", "login", {"name": "x" * 20000}) * 2)
    async with connect("/stream/" + ORDER["ticket"]) as stream:
        report["ticket-twice"] = await closed_after("/stream/" + ORDER["ticket"])
        await echo(stream, sent, report)
    print(json.dumps(report))


asyncio.run(asyncio.wait_for(main(), 50))
