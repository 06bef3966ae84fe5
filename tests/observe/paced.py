"""An application that takes as long as it is asked to, and a caller that times it: HTTP/1.1 over kept connections."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

_WAIT = re.compile(rb"(?i)\r\nx-wait: ([0-9.]+)\r\n")
_TIMESTAMPING, _SOFTWARE = 37, 1 << 3 | 1 << 4
"""Linux: SO_TIMESTAMPING, and SOF_TIMESTAMPING_RX_SOFTWARE with SOF_TIMESTAMPING_SOFTWARE."""
_LENGTH = re.compile(rb"(?i)content-length: (\d+)\r\n")
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


class Caller:
    """One kept connection that asks for one wait after the other.

    An answer's time is the kernel's, of when it arrived, and not of when this process came to read it: a machine that
    is busy would else be measured with it (Linux: SO_TIMESTAMPING).
    """

    def __init__(self, port: int, todo: list[tuple[int, bytes]], took: list[float]) -> None:
        self._todo, self._took = todo, took
        self._loop = asyncio.get_running_loop()
        self.done = self._loop.create_future()
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.SOL_SOCKET, _TIMESTAMPING, _SOFTWARE)
        self._socket.setblocking(False)
        self._loop.add_reader(self._socket, self._readable)
        self._ask()

    def _ask(self) -> None:
        if not self._todo:
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self.done.set_result(None)
            return
        self._number, request = self._todo.pop()
        self._read = b""
        self._begun = time.time()
        self._socket.send(request)

    def _readable(self) -> None:
        try:
            data, told, _, _ = self._socket.recvmsg(65_536, 256)
            at = next((_moment(content) for _, kind, content in told if kind == _TIMESTAMPING), 0.0) or time.time()
            if not data:
                raise ConnectionError("the connection was closed within an answer")
        except (OSError, ConnectionError) as wrong:
            self._loop.remove_reader(self._socket)
            self.done.set_exception(wrong)
            return
        self._read += data
        head, end, body = self._read.partition(b"\r\n\r\n")
        length = _LENGTH.search(head + end)
        if end and len(body) >= (int(length[1]) if length else 0):
            self._took[self._number] = at - self._begun
            self._ask()


def _moment(content: bytes) -> float:
    seconds, nanoseconds = struct.unpack_from("qq", content)
    return float(seconds + nanoseconds / 1e9)


async def ask_all(
    port: int, waits: Sequence[float], statuses: Sequence[int] = (), target: str = "/", connections: int = 64
) -> list[float]:
    """Ask for each wait, so many at a time; how long each took, in seconds. A proxy is asked for a whole URL."""
    took, todo = [0.0] * len(waits), []
    for number, wait in enumerate(waits):
        status = statuses[number] if statuses else 200
        request = f"GET {target} HTTP/1.1\r\nhost: app\r\nx-wait: {wait:.6f}\r\nx-status: {status}\r\n\r\n"
        todo.append((number, request.encode()))
    todo.reverse()
    await asyncio.gather(*(Caller(port, todo, took).done for _ in range(min(connections, len(todo)))))
    return took


@contextlib.contextmanager
def at_once(process: int, priority: int) -> Iterator[None]:
    """A process of which no thread waits for those of others, or of less priority, where whoever tests may ask for it.

    Between a caller and its proxy is nothing that a proxy could count: on a machine with more to do than processors a
    request waits there until the proxy has its turn (Linux: SCHED_RR).
    """
    threads = [int(one.name) for one in Path(f"/proc/{process}/task").iterdir()]
    with contextlib.suppress(PermissionError):
        for thread in threads:
            os.sched_setscheduler(thread, os.SCHED_RR, os.sched_param(priority))
    try:
        yield
    finally:
        for thread in threads:
            with contextlib.suppress(PermissionError, ProcessLookupError):
                os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))


async def main() -> None:
    """The application as a program: on ``PORT``, until it is told to end."""
    server, ended = await serve(int(os.environ["PORT"])), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
