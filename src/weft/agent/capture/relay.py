"""The relay of an application that is captured without rights on the host: ``python -m weft.agent.capture.relay JSON``.

It makes a network of the application's own, in which rules turn connections to it. It has a foot in either network: a
Unix socket leads to the sidecar, whatever the network, and open sockets come from the agent, who is on the host. What
the application opens goes to the sidecar with a PROXY header that says where it was sent; what the rules leave out goes
straight there; what others send to the application's ports goes in. Nobody in there can go round it: there is no
other way out. When the agent has gone, so is every way, and what is left of the application is ended.
"""

import contextlib
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import msgspec

from weft.agent.capture import namespaces
from weft.agent.capture.doors import Accepted, Names, WayIn, on_accept
from weft.agent.capture.inside import Inside, Turns, inside_text
from weft.agent.capture.pump import Pair, Waiting, break_off
from weft.agent.capture.rules import DNS

READY = b"ready"
DONE = b"done"
_ORIGINAL, _SOL_IPV6 = 80, 41
_BACKLOG = 1024
_PROXY, _TCP4, _TCP6 = b"\r\n\r\n\0\r\nQUIT\n\x21", 0x11, 0x21
_SOON = 0.05
_LONGEST_REASON = 1000
_NETWORK = Path("/proc/self/ns/net")
_DEAF = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)

Address = tuple[str, int]


class Relay:
    """All of it, once it is in the network. ``six``: the network has IPv6."""

    def __init__(self, told: Inside, control: socket.socket, *, six: bool) -> None:
        self._told = told
        self._control = control
        self._waiting = Waiting()
        self._families = {socket.AF_INET: "127.0.0.1"} | ({socket.AF_INET6: "::1"} if six else {})
        self._asked: deque[tuple[socket.socket, Address]] = deque()
        self._listening: list[socket.socket] = []
        self._last: bytes | None = None
        self._ways_in = [WayIn(self._waiting, door) for door in told.doors]
        names = Names(self._waiting, told.names, self._families)
        outbound, straight = self._listen(self._to_sidecar), self._listen(self._straight)
        self.turns = Turns(outbound=outbound, straight=straight, names=names.port)
        self._waiting.want(control.fileno(), select.EPOLLIN, lambda _: self._given())

    def run(self) -> None:
        """Until the agent has ended, or says so; then until the application has."""
        while self._last is None:
            shut = [way for way in self._ways_in if not way.open]
            self._waiting.turn(_SOON if shut else -1)
            for way in shut:
                way.look()
        for one in (*self._listening, self._control):
            self._waiting.forget(one.fileno())
            one.close()
        until = time.monotonic() + (0 if self._last == DONE else self._told.patience)
        while time.monotonic() < until and any(others()):
            self._waiting.turn(_SOON)
        for pid in others():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _listen(self, accepted: Accepted) -> int:
        port = 0
        for family, address in self._families.items():
            one = socket.create_server((address, port), family=family, backlog=_BACKLOG)
            one.setblocking(False)
            port = one.getsockname()[1]
            on_accept(self._waiting, one, accepted)
            self._listening.append(one)
        return port

    def _to_sidecar(self, connection: socket.socket) -> None:
        way = socket.socket(socket.AF_UNIX)
        way.setblocking(False)
        try:
            way.connect(self._told.way)
            Pair(self._waiting, connection, way, proxy_header(connection.getpeername()[:2], original(connection)))
        except OSError:
            way.close()
            raise

    def _straight(self, connection: socket.socket) -> None:
        """By a socket of the host's, for which the agent is asked; its resolver is reached so, too."""
        place = original(connection)
        if place[1] == DNS and self._told.resolver:
            place = ("127.0.0.1", self._told.resolver)
        self._control.send(b"6" if ":" in place[0] else b"4")
        self._asked.append((connection, place))

    def _given(self) -> None:
        """A socket of the host's; or the agent ends."""
        try:
            said, files, _, _ = socket.recv_fds(self._control, 16, 1)
        except OSError:
            said, files = b"", []
        if not files:
            self._last = said
            return
        connection, place = self._asked.popleft()
        onward = socket.socket(fileno=files[0])
        onward.setblocking(False)
        try:
            with contextlib.suppress(BlockingIOError):
                onward.connect(place)
            Pair(self._waiting, connection, onward, connecting=True)
        except OSError:
            break_off(connection)
            connection.close()
            onward.close()


def original(connection: socket.socket) -> Address:
    """Where a connection was sent before the rules turned it here. Raises ``OSError``."""
    if connection.family == socket.AF_INET:
        found = connection.getsockopt(socket.SOL_IP, _ORIGINAL, 16)
        return socket.inet_ntop(socket.AF_INET, found[4:8]), int.from_bytes(found[2:4], "big")
    found = connection.getsockopt(_SOL_IPV6, _ORIGINAL, 28)
    return socket.inet_ntop(socket.AF_INET6, found[8:24]), int.from_bytes(found[2:4], "big")


def proxy_header(source: Address, destination: Address) -> bytes:
    """What says so to whom a connection is passed on (PROXY protocol, version 2)."""
    ends = [ip_address(host).packed for host, _ in (source, destination)]
    body = b"".join(ends) + struct.pack("!HH", source[1], destination[1])
    family = _TCP4 if len(ends[0]) == 4 else _TCP6
    return _PROXY + struct.pack("!BH", family, len(body)) + body


def others() -> Iterator[int]:
    """The processes in our network, without ours."""
    own = os.readlink(_NETWORK)
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and entry.name != str(os.getpid()):
            with contextlib.suppress(OSError):
                if os.readlink(entry / "ns/net") == own:
                    yield int(entry.name)


def _made(told: Inside, control: socket.socket) -> Relay:
    """In the network, with its rules in force. Raises ``OSError``."""
    namespaces.leave()
    relay = Relay(told, control, six=namespaces.furnish(told.addresses))
    namespaces.keep_rights()
    rules = inside_text(told, relay.turns).encode()
    done = subprocess.run((told.nft, "-f", "-"), input=rules, capture_output=True, check=False)
    if done.returncode:
        raise OSError(done.stderr.decode(errors="replace").strip() or f"nft ended with {done.returncode}")
    return relay


def main() -> int:
    """Serve as told."""
    told = msgspec.json.decode(sys.argv[1], type=Inside)
    for number in _DEAF:
        signal.signal(number, signal.SIG_IGN)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with socket.socket(fileno=told.control) as control:
        try:
            relay = _made(told, control)
        except OSError as refused:
            control.send((refused.strerror or str(refused)).encode()[:_LONGEST_REASON])
            return 1
        control.send(READY)
        relay.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
