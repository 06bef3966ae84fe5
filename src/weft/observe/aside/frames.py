"""What the two processes say to each other: frames of a kind, a length and bytes, over a pair of sockets."""

import socket
import struct
import time
from enum import IntEnum
from typing import NamedTuple

import msgspec

from weft.kit.value import Value
from weft.observe.promql.series import Matcher, Series
from weft.observe.windows.histories import Live

_HEAD = struct.Struct(">BI")
_ENCODER = msgspec.msgpack.Encoder()


class Kind(IntEnum):
    """What a frame is. A question is answered by ``WANTS``, each of which by ``FOUND``, and at last by one of the
    others."""

    QUESTION = 1
    WANTS = 2
    FOUND = 3
    ANSWER = 4
    FAILURE = 5


class Wants(Value):
    """Which series the query selects, from when to when in milliseconds."""

    matchers: tuple[Matcher, ...]
    start: int
    end: int


class Found(NamedTuple):
    """Some of them: those with more in the file, and those that are whole. ``now``: when the last step ended."""

    now: int
    lives: tuple[Live, ...]
    whole: tuple[Series, ...]
    more: bool


class Failure(Value):
    """Why there is no answer; fields of ``QueryError``."""

    message: str
    kind: str
    help: str | None


class Gone(Exception):
    """The other process is not there any more."""


class Line:
    """One end. Who asks says how long it waits (``wait``); who answers waits for ever."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._until: float | None = None

    def wait(self, seconds: float) -> None:
        """From now on everything together may take so long: what takes longer raises ``TimeoutError``."""
        self._until = time.monotonic() + seconds

    def send(self, kind: Kind, content: object) -> None:
        """Say something. Raises ``Gone``."""
        self.send_bytes(kind, _ENCODER.encode(content))

    def send_bytes(self, kind: Kind, content: bytes) -> None:
        """Say something that is bytes already. Raises ``Gone``."""
        self._limit()
        try:
            self._end.sendall(_HEAD.pack(kind, len(content)))
            self._end.sendall(content)
        except ConnectionError as gone:
            raise Gone from gone

    def receive(self) -> tuple[Kind, bytes]:
        """What the other says next. Raises ``Gone``."""
        kind, length = _HEAD.unpack(self._exactly(_HEAD.size))
        return Kind(kind), self._exactly(length)

    def close(self) -> None:
        """Hang up."""
        self._end.close()

    def _exactly(self, length: int) -> bytes:
        content = bytearray(length)
        rest = memoryview(content)
        while rest:
            self._limit()
            try:
                got = self._end.recv_into(rest)
            except ConnectionError as gone:
                raise Gone from gone
            if not got:
                raise Gone
            rest = rest[got:]
        return bytes(content)

    def _limit(self) -> None:
        if self._until is None:
            return
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._end.settimeout(left)
