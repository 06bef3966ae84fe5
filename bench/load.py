"""Load: as much as goes, and a fixed rate whose every request is timed.

As much as goes is ``wrk``'s work where it is installed, because a generator in Python takes a core from what it
measures; without it the client below does it. The fixed rate is always the client below: requests are due by the
clock, whether or not the ones before were answered, and each is timed from when it was due.
"""

import gc
import json
import re
import select
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.harness import percentile
from weft.demo.processes import Failed
from weft.kit.value import Value

CONNECTIONS = 32
RATE = 1000
_ANSWER_SECONDS = 10.0
_WRK_SCRIPT = "request = function() return {request} end\n"
_WRK_DONE = re.compile(r"(\d+) requests in ([\d.]+)(ms|s|m),")


class Place(Value):
    """Where a request goes: an address of this machine, and the request's bytes."""

    port: int
    request: bytes
    host: str = "127.0.0.1"


class Load(Value):
    """What was served in how long."""

    requests: int
    seconds: float


class Rated(Value):
    """A run at a fixed rate; ``p50`` and ``p99`` in milliseconds."""

    requests: int
    p50: float
    p99: float


def get(target: str, host: str) -> bytes:
    """A GET of HTTP/1.1 whose connection is kept; ``target`` is a path, or a whole URL for a proxy."""
    return f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


def with_header(request: bytes, header: str) -> bytes:
    """The request with another header."""
    return request.removesuffix(b"\r\n") + f"{header}\r\n\r\n".encode()


def saturate(place: Place, seconds: float) -> Load:
    """Keep ``CONNECTIONS`` connections busy for so long."""
    if shutil.which("wrk"):
        return _wrk(place, seconds)
    with _clients(place, CONNECTIONS) as clients:
        return _saturate(clients, seconds)


class Clients:
    """Connections that are kept from one run to the next."""

    def __init__(self, place: Place, count: int) -> None:
        self._opened = _clients(place, count)

    def __enter__(self) -> "Clients":
        self._clients = self._opened.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.__exit__(None, None, None)

    def saturate(self, seconds: float) -> Load:
        """Keep all of them busy for so long."""
        return _saturate(self._clients, seconds)


def at_rate(place: Place, seconds: float, rate: int = RATE) -> Rated:
    """Send ``rate`` requests per second for so long over 16 connections, after a short run to open them."""
    with _clients(place, 16) as clients:
        _saturate(clients, 0.1)
        times = _paced(clients, rate, int(rate * seconds))
    return Rated(requests=len(times), p50=percentile(times, 50) * 1000, p99=percentile(times, 99) * 1000)


def once(place: Place) -> bool:
    """Whether the place answers 200 now."""
    try:
        with _clients(place, 1) as clients:
            clients[0].send()
            while not clients[0].receive():
                pass
    except (OSError, Failed):
        return False
    return True


class _Client:
    """One kept connection with at most one request under way."""

    def __init__(self, place: Place) -> None:
        self._request = place.request
        self._connection = socket.create_connection((place.host, place.port), timeout=_ANSWER_SECONDS)
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        self.due = 0.0

    def fileno(self) -> int:
        return self._connection.fileno()

    def send(self) -> None:
        self._connection.send(self._request)

    def receive(self) -> bool:
        """Read what there is; whether the answer is complete. Raises ``Failed`` unless it is a 200."""
        some = self._connection.recv(65536)
        if not some:
            raise Failed("the connection was closed in the middle of a run")
        self._received += some
        if len(self._received) < _length(self._received):
            return False
        self._received = b""
        return True

    def close(self) -> None:
        self._connection.close()


def _length(received: bytes) -> int:
    """How long the answer is, head and body; one more than what is there while the head is incomplete."""
    head = received.find(b"\r\n\r\n")
    if head < 0:
        return len(received) + 1
    if not received.startswith(b"HTTP/1.1 200"):
        raise Failed(f"the answer was {received[:60]!r}")
    field = received.lower().find(b"content-length:", 0, head)
    if field < 0:
        raise Failed("the answer has no content-length")
    return head + 4 + int(received[field + 15 : received.index(b"\r\n", field)])


@contextmanager
def _clients(place: Place, count: int) -> Iterator[list[_Client]]:
    clients: list[_Client] = []
    gc.disable()
    try:
        for _ in range(count):
            clients.append(_Client(place))  # noqa: PERF401 - those opened before a failure must be closed
        yield clients
    finally:
        gc.enable()
        for client in clients:
            client.close()


def _saturate(clients: list[_Client], seconds: float) -> Load:
    for client in clients:
        client.send()
    begun, served, busy = time.monotonic(), 0, set(clients)
    while busy:
        for client in _readable(busy, _ANSWER_SECONDS):
            if not client.receive():
                continue
            served += 1
            if time.monotonic() - begun < seconds:
                client.send()
            else:
                busy.remove(client)
    return Load(requests=served, seconds=time.monotonic() - begun)


def _paced(clients: list[_Client], rate: int, count: int) -> list[float]:
    """Seconds that each request took from when it was due. A request waits only when no connection is free."""
    idle, busy, times = list(clients), set[_Client](), list[float]()
    begun, sent = time.monotonic(), 0
    while len(times) < count:
        now = time.monotonic()
        while idle and sent < count and (due := begun + sent / rate) <= now:
            client = idle.pop()
            client.due = due
            client.send()
            busy.add(client)
            sent += 1
        wait = begun + sent / rate - time.monotonic() if idle and sent < count else _ANSWER_SECONDS
        for client in _readable(busy, max(0.0, wait), patient=wait == _ANSWER_SECONDS):
            if client.receive():
                times.append(time.monotonic() - client.due)
                busy.remove(client)
                idle.append(client)
    return times


def _readable(busy: set[_Client], seconds: float, *, patient: bool = True) -> list[_Client]:
    """Who has something to read; ``select`` because its limit has microseconds where ``epoll``'s has milliseconds."""
    ready, _, _ = select.select(busy, [], [], seconds)
    if not ready and patient:
        raise Failed(f"no answer within {seconds:g} s")
    return ready


def _wrk(place: Place, seconds: float) -> Load:
    whole = max(1, round(seconds))
    with TemporaryDirectory() as directory:
        script = Path(directory) / "request.lua"
        script.write_text(_WRK_SCRIPT.format(request=json.dumps(place.request.decode())))
        command = [
            "wrk", "--threads=1", f"--connections={CONNECTIONS}", f"--duration={whole}s", f"--script={script}",
            f"http://{place.host}:{place.port}/",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=whole + 15, check=False)
    return parse_wrk(done.stdout or done.stderr)


def parse_wrk(said: str) -> Load:
    """What wrk did. Raises ``Failed`` when it did nothing or got anything but answers of 200."""
    found = _WRK_DONE.search(said)
    if not found or "Non-2xx" in said or "Socket errors" in said or found.group(1) == "0":
        raise Failed(f"wrk failed: {said.strip()}")
    unit = {"ms": 0.001, "s": 1.0, "m": 60.0}[found.group(3)]
    return Load(requests=int(found.group(1)), seconds=float(found.group(2)) * unit)
