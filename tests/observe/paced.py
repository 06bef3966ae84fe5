"""An application that takes as long as it is asked to, and a caller that times it: HTTP/1.1 over kept connections."""

import asyncio
import os
import re
import signal
from collections.abc import Sequence

_WAIT = re.compile(rb"(?i)\r\nx-wait: ([0-9.]+)\r\n")
_STATUS = re.compile(rb"(?i)\r\nx-status: ([0-9]+)\r\n")


class Application(asyncio.Protocol):
    """Answers after ``x-wait`` seconds with ``x-status``; requests have no body."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._read = b""

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            head, self._read = self._read[: end + 4], self._read[end + 4 :]
            waited, status = _WAIT.search(head), _STATUS.search(head)
            answer = b"HTTP/1.1 %s OK\r\ncontent-length: 2\r\n\r\nok" % (status[1] if status else b"200")
            asyncio.get_running_loop().call_later(float(waited[1]) if waited else 0, self._transport.write, answer)


async def serve(port: int = 0) -> asyncio.Server:
    """The application, on a port of 127.0.0.1."""
    return await asyncio.get_running_loop().create_server(Application, "127.0.0.1", port)


async def ask_all(
    port: int, waits: Sequence[float], statuses: Sequence[int] = (), target: str = "/", connections: int = 64
) -> list[float]:
    """Ask for each wait, so many at a time; how long each took, in seconds. A proxy is asked for a whole URL."""
    todo, took = list(enumerate(waits)), [0.0] * len(waits)
    todo.reverse()

    async def caller() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        clock = asyncio.get_running_loop().time
        while todo:
            number, wait = todo.pop()
            status = statuses[number] if statuses else 200
            request = f"GET {target} HTTP/1.1\r\nhost: app\r\nx-wait: {wait:.6f}\r\nx-status: {status}\r\n\r\n"
            begun = clock()
            writer.write(request.encode())
            head = await reader.readuntil(b"\r\n\r\n")
            took[number] = clock() - begun
            length = re.search(rb"(?i)content-length: (\d+)", head)
            await reader.readexactly(int(length[1]) if length else 0)
        writer.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(min(connections, len(todo))):
            group.create_task(caller())
    return took


async def main() -> None:
    """The application as a program: on ``PORT``, until it is told to end."""
    server, ended = await serve(int(os.environ["PORT"])), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
