"""A queue in front of a destination: writing never waits, what does not fit is dropped and counted.

A line is taken off the queue when the destination has it. A connection that breaks is made again, with pauses; what
was on its way then may arrive twice and is not lost.
"""

import asyncio
from collections import deque
from contextlib import suppress
from itertools import accumulate, islice
from typing import Protocol

import structlog

from weft.kit.errors import WeftError
from weft.kit.value import Value

MOST = 20_000
"""Lines that wait at most: some megabytes."""
_MOST_BYTES = 32 * 1024 * 1024
"""How large the lines that wait are together."""
_BATCH, _BATCH_BYTES = 256, 4 * 1024 * 1024
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_PATIENCE = 10.0
_FAREWELL = 1.0
_log = structlog.get_logger()


class Undelivered(WeftError):
    """Lines did not arrive; they are tried again. The message says why."""


class Refused(WeftError):
    """A destination will never take these lines; they are dropped."""


class Channel(Protocol):
    """A way to a destination."""

    async def send(self, lines: tuple[bytes, ...]) -> None:
        """Deliver lines, connecting first if need be. Raises ``Undelivered``, ``Refused``, ``OSError``."""
        ...

    async def close(self) -> None:
        """Let go of the connection."""
        ...


class Shipping(Value):
    """How a destination does. ``problem`` is why nothing arrives now, "" if it does."""

    to: str
    queued: int
    sent: int
    dropped: int
    problem: str = ""


class Shipper:
    """Ships to one destination. Owned by one event loop; ``run`` is its task."""

    def __init__(self, name: str, channel: Channel, most: int = MOST, what: str = "the audit log") -> None:
        self._what = what
        self.name = name
        self._channel = channel
        self._most = most
        self._lines: deque[bytes] = deque()
        self._more = asyncio.Event()
        self._sent = self._dropped = self._told = self._bytes = 0
        self._problem = ""

    def ship(self, line: bytes) -> None:
        """Take a line; never waits. The oldest lines stay: they were first to be shipped."""
        if len(self._lines) >= self._most or self._bytes + len(line) > _MOST_BYTES:
            self._dropped += 1
            return
        self._lines.append(line)
        self._bytes += len(line)
        self._more.set()

    def status(self) -> Shipping:
        """How it does."""
        return Shipping(
            to=self.name, queued=len(self._lines), sent=self._sent, dropped=self._dropped, problem=self._problem
        )

    async def run(self) -> None:
        """Ship until cancelled; then once more, for a moment."""
        try:
            await self._keep_on()
        finally:
            with suppress(OSError, WeftError, TimeoutError):
                async with asyncio.timeout(_FAREWELL):
                    while self._lines and not self._problem:
                        await self._batch()
            await self._channel.close()

    async def _keep_on(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            await self._more.wait()
            if await self._try():
                pause = _FIRST_PAUSE
                continue
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _try(self) -> bool:
        """Send a batch; whether that went well."""
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._batch()
        except TimeoutError:
            return await self._failed("there was no answer in time")
        except (OSError, Undelivered) as wrong:
            return await self._failed((getattr(wrong, "strerror", None) or str(wrong)).lower())
        if self._problem:
            _log.info(f"{self._what} is shipped again", to=self.name)
        self._problem = ""
        return True

    async def _batch(self) -> None:
        lines = self._next()
        try:
            await self._channel.send(lines)
            self._sent += len(lines)
        except Refused as refused:
            self._dropped += len(lines)
            _log.error(f"parts of {self._what} were refused", to=self.name, parts=len(lines), reason=str(refused))
        for line in lines:
            self._lines.popleft()
            self._bytes -= len(line)
        if not self._lines:
            self._more.clear()

    def _next(self) -> tuple[bytes, ...]:
        """The oldest lines: one at least, and no more than a request should hold."""
        sizes = accumulate(len(line) for line in islice(self._lines, _BATCH))
        fitting = sum(size <= _BATCH_BYTES for size in sizes)
        return tuple(islice(self._lines, max(1, fitting)))

    async def _failed(self, why: str) -> bool:
        if why != self._problem or self._dropped > self._told:
            _log.warning(f"{self._what} cannot be shipped", to=self.name, reason=why, dropped=self._dropped)
        self._problem, self._told = why, self._dropped
        await self._channel.close()
        return False
