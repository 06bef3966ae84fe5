"""What comes to an application from outside of its own network: connections to its ports, and answers to its questions
for names.
"""

import contextlib
import itertools
import select
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from weft.agent.capture.inside import MARK, Door
from weft.agent.capture.pump import Pair, Waiting, break_off

_SO_MARK = 36
_BACKLOG = 1024
_LARGEST = 65_535
_LISTENING = "0A"
_TABLES = (("/proc/self/net/tcp", socket.AF_INET), ("/proc/self/net/tcp6", socket.AF_INET6))
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  who listens everywhere is reached by loopback

Accepted = Callable[[socket.socket], None]
"""Takes a connection. Raises ``OSError`` when it cannot."""


class WayIn:
    """A port of the host's that is open as long as the application listens on its own behind it."""

    def __init__(self, waiting: Waiting, door: Door) -> None:
        self._waiting = waiting
        file, self._port = door
        self._socket = socket.socket(fileno=file)
        self._socket.setblocking(False)
        self._inside: tuple[socket.AddressFamily, str] | None = None

    @property
    def open(self) -> bool:
        """Whether others can come in."""
        return self._inside is not None

    def look(self) -> None:
        """Open it if the application listens now."""
        self._inside = next(listeners(self._port), None)
        if self._inside is not None:
            self._socket.listen(_BACKLOG)
            on_accept(self._waiting, self._socket, self._enter)

    def _enter(self, connection: socket.socket) -> None:
        if self._inside is None:
            raise ConnectionRefusedError
        family, address = self._inside
        inward = socket.socket(family)
        inward.setblocking(False)
        inward.setsockopt(socket.SOL_SOCKET, _SO_MARK, MARK)
        with contextlib.suppress(BlockingIOError):
            inward.connect((address, self._port))
        Pair(self._waiting, connection, inward, failed=self._shut, connecting=True)

    def _shut(self) -> None:
        """Nobody listens behind it; the port stays ours."""
        self._inside = None
        self._waiting.forget(self._socket.fileno())
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RD)


class Names:
    """Questions by UDP, passed on to the agent's resolver under numbers of our own."""

    def __init__(self, waiting: Waiting, resolver: int, families: Mapping[socket.AddressFamily, str]) -> None:
        self._resolver = socket.socket(fileno=resolver)
        self._resolver.setblocking(False)
        self._numbers = itertools.cycle(range(65_536))
        self._asked: dict[int, tuple[socket.socket, tuple[object, ...], bytes]] = {}
        self._own: list[socket.socket] = []
        self.port = 0
        for family, address in families.items():
            own = socket.socket(family, socket.SOCK_DGRAM)
            own.bind((address, self.port))
            own.setblocking(False)
            self.port = own.getsockname()[1]
            self._own.append(own)
            waiting.want(own.fileno(), select.EPOLLIN, lambda _, own=own: self._question(own))  # type: ignore[misc]
        waiting.want(self._resolver.fileno(), select.EPOLLIN, lambda _: self._answer())

    def _question(self, own: socket.socket) -> None:
        with contextlib.suppress(OSError):
            asked, who = own.recvfrom(_LARGEST)
            number = next(self._numbers)
            self._asked[number] = own, who, asked[:2]
            self._resolver.send(number.to_bytes(2, "big") + asked[2:])

    def _answer(self) -> None:
        with contextlib.suppress(OSError):
            said = self._resolver.recv(_LARGEST)
            known = self._asked.pop(int.from_bytes(said[:2], "big"), None)
            if known is not None:
                own, who, number = known
                own.sendto(number + said[2:], who)


def listeners(port: int) -> Iterator[tuple[socket.AddressFamily, str]]:
    """The families and addresses by which a port of this network is listened on. Source: proc_pid_net(5)."""
    for table, family in _TABLES:
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            place, state = line.split()[1], line.split()[3]
            address, _, number = place.rpartition(":")
            if state == _LISTENING and int(number, 16) == port:
                yield family, _reached(family, address)


def on_accept(waiting: Waiting, listening: socket.socket, accepted: Accepted) -> None:
    """Have connections taken as they come."""

    def come(_: int) -> None:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        connection.setblocking(False)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            accepted(connection)
        except OSError:
            break_off(connection)
            connection.close()

    waiting.want(listening.fileno(), select.EPOLLIN, come)


def _reached(family: socket.AddressFamily, hexadecimal: str) -> str:
    """The kernel writes addresses in words of its own order."""
    words = bytes.fromhex(hexadecimal)
    packed = b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))
    address = socket.inet_ntop(family, packed)
    return _ANY.get(address, address)
