"""An agent without a mesh: ``stub.py JSON`` captures a command, and answers captured connections with how they came.

It ends when its standard input ends, undoing everything, unless somebody kills it.
"""

import asyncio
import json
import socket
import struct
import sys
from pathlib import Path

import msgspec

from weft.agent.capture.capturing import Capturing, Places
from weft.agent.capture.config import CaptureConfig
from weft.agent.capture.scope import scope_of
from weft.agent.child import start_application
from weft.agent.run_as import becoming
from weft.kit.clock import SystemClock
from weft.kit.tasks import tasks

_ORIGINAL, _ORIGINAL6 = 80, 80


def listening() -> tuple[socket.socket, int]:
    """A socket of both families and its port."""
    held = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    return held, held.getsockname()[1]


def original(connection: socket.socket) -> str:
    """Where the connection was sent to."""
    if connection.getsockname()[0].startswith("::ffff:"):
        port, address = struct.unpack("!2xH4s8x", connection.getsockopt(socket.SOL_IP, _ORIGINAL, 16))
        return f"{socket.inet_ntop(socket.AF_INET, address)} {port}"
    port, address = struct.unpack("!2xH4x16s4x", connection.getsockopt(socket.IPPROTO_IPV6, _ORIGINAL6, 28))
    return f"{socket.inet_ntop(socket.AF_INET6, address)} {port}"


async def answer(held: socket.socket, word: str) -> None:
    """Say how each connection came, and close it."""

    async def told(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        peer = connection.getpeername()[0].removeprefix("::ffff:")
        writer.write(f"{word} {original(connection)} from {peer}\n".encode())
        writer.close()

    server = await asyncio.start_server(told, sock=held)
    await server.serve_forever()


async def main(text: str) -> None:
    """Capture until told to stop."""
    asked = json.loads(text)
    config = msgspec.convert(asked["capture"], CaptureConfig)
    (out, outbound), (into, inbound) = listening(), listening()
    places = Places(outbound=outbound, inbound=inbound, own_ports=tuple(asked["ports"]), dns=asked.get("dns", 0))
    directory = Path(asked["directory"])
    who = scope_of(asked["name"], config, asked.get("run_as", ""))
    capturing = Capturing(asked["name"], config, who, places, directory, asked.get("patience", 1.0), SystemClock())

    def admit() -> None:
        capturing.admit()
        if asked.get("run_as"):
            becoming(asked["run_as"])[0]()

    async with tasks() as group:
        await capturing.prepare()
        await capturing.install()
        watch = group.start(capturing.watch(), "watch")
        group.start(answer(out, "outbound"), "outbound")
        group.start(answer(into, "inbound"), "inbound")
        child = await start_application(tuple(asked["command"]), {"PATH": "/usr/bin:/bin:/usr/sbin"}, admit)
        sys.stdout.write("captured\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
        child.kill()
        await child.wait()
        watch.cancel()
        await capturing.remove()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
