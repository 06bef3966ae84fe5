"""What proxies sent and nobody had time to read yet, in bounded memory.

Envoy keeps what a stream of metrics does not take, without bound and without dropping anything: so it is always taken
off the wire, and what finds no place here is dropped and counted.
"""

import asyncio
from collections import deque

ROOM, SHARE = 64 * 1024 * 1024, 4 * 1024 * 1024
"""Bytes that wait: of all streams, and of one."""


class Room:
    """What all streams share. ``dropped`` messages found no place."""

    def __init__(self) -> None:
        self.left = ROOM
        self.share = SHARE
        self.dropped = 0


class Backlog:
    """Messages of one stream, between who takes them off the wire and who reads them. Owned by one event loop."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._messages: deque[bytes] = deque()
        self._bytes = 0
        self._ended = False
        self._some = asyncio.Event()

    def put(self, message: bytes) -> None:
        """Keep a message until it is read. Where none waits there is always place for one: the first one says who
        tells."""
        size, room = len(message), self._room
        if self._messages and (size > room.left or self._bytes + size > room.share):
            room.dropped += 1
            return
        self._messages.append(message)
        self._bytes += size
        room.left -= size
        self._some.set()

    def end(self) -> None:
        """No more come."""
        self._ended = True
        self._some.set()

    def __aiter__(self) -> "Backlog":
        return self

    async def __anext__(self) -> bytes:
        """The oldest message."""
        while not self._messages and not self._ended:
            self._some.clear()
            await self._some.wait()
        if not self._messages:
            raise StopAsyncIteration
        message = self._messages.popleft()
        self._bytes -= len(message)
        self._room.left += len(message)
        return message

    def close(self) -> None:
        """Nobody reads any more."""
        self._room.left += self._bytes
        self._messages.clear()
        self._bytes = 0
