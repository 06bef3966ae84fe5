"""Where proxies send what they saw: methods on the gRPC server that they already have a connection to.

A sink is a method and a function of bytes. Who sends is read from the certificate and never from a message. A stream
that brings more than its share is read more slowly, so that discovery is not delayed: the proxy's own buffer fills, and
it drops and counts what does not fit; or, where proxies never drop, the control plane does. No call of the mesh waits
for any of this.
"""

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, TypeVar

import grpc
import structlog

from weft.kit.clock import Clock
from weft.kit.errors import PeerError
from weft.kit.tasks import tasks
from weft.kit.value import Value
from weft.model.identity import Identity
from weft.observe.backlog import Backlog, Room

BYTES_PER_SECOND = 8 * 1024 * 1024
"""Of one stream; 8 MiB of access log are some 20,000 entries."""
_BURST = 16 * 1024 * 1024
_ROUNDS, _QUICK = 3, 0.000_25
"""How often the event loop goes round before it counts as idle, each time within so many seconds. What arrives is
handled in the round after the next, and wakes who waits for it in the one after that."""
PATIENCE = 0.025
"""How long what there is to read gives way to others, in seconds of their work."""
_log = structlog.get_logger()
_T = TypeVar("_T")

Receive = Callable[[bytes], Iterator[None] | None]
"""Takes one message of a stream, without waiting. What is much to read is read in parts of some milliseconds, one each
time the iterator is asked. Raises ``PeerError``, which ends the stream."""
_Reading = Callable[[Receive, AsyncIterator[bytes]], Awaitable[None]]
Authenticated = Callable[[Mapping[str, Sequence[bytes]]], Identity]


class StreamSink(Value):
    """A method that a client streams messages to; ``opened`` is called for each stream. It is answered at its end.

    ``sheds``: clients do not mind how fast they are read and keep in memory what is not, so all is taken off the wire,
    and what there is no time for is dropped and counted here. Of other sinks more is taken when there is time for it.
    """

    method: str
    opened: Callable[[Identity], Receive]
    sheds: bool = False


class UnarySink(Value):
    """A method of one message, which is answered with an empty one. ``take`` is as a ``Receive``."""

    method: str
    take: Callable[[Identity, bytes], Iterator[None] | None]


class SinkHandlers(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Finds the method of a sink. ``identify`` reads a caller's identity from gRPC's authentication context."""

    def __init__(self, sinks: Iterable[StreamSink | UnarySink], identify: Authenticated, clock: Clock) -> None:
        self._identify = identify
        self._clock = clock
        self._turns = Turns()
        self._room = Room()
        self._handlers = {sink.method: self._handler(sink) for sink in sinks}

    @property
    def dropped(self) -> int:
        """Messages of sinks that shed for which there was no time."""
        return self._room.dropped

    def service(self, handler_call_details: Any) -> Any:
        """The handler, or ``None``."""
        return self._handlers.get(handler_call_details.method)

    def _handler(self, sink: StreamSink | UnarySink) -> Any:
        match sink:
            case StreamSink(opened=opened, sheds=sheds):
                return grpc.stream_unary_rpc_method_handler(self._stream(opened, self._shed if sheds else self._read))
            case UnarySink(take=take):
                return grpc.unary_unary_rpc_method_handler(self._unary(take))

    def _stream(self, opened: Callable[[Identity], Receive], read: _Reading) -> Any:
        async def serve(messages: AsyncIterator[bytes], call: Any) -> bytes:
            try:
                await read(opened(self._identify(call.auth_context())), messages)
            except PeerError as wrong:
                return await _refuse(call, wrong)
            return b""

        return serve

    async def _read(self, receive: Receive, messages: AsyncIterator[bytes]) -> None:
        """Read a stream to its end. Raises ``PeerError``."""
        pace = Pace(self._clock)
        async for message in messages:
            await self._turns.read(receive, message)
            await asyncio.sleep(pace.after(len(message)))

    async def _shed(self, receive: Receive, messages: AsyncIterator[bytes]) -> None:
        """Read what there is time for of a stream, to its end. Raises ``PeerError``."""
        with closing(Backlog(self._room)) as backlog:
            wrong: PeerError | None = None
            async with tasks() as group:
                group.start(_take_off(messages, backlog), "what proxies tell")
                try:
                    await self._read(receive, backlog)
                except PeerError as found:
                    wrong = found
            if wrong is not None:
                raise wrong

    def _unary(self, take: Callable[[Identity, bytes], Iterator[None] | None]) -> Any:
        async def serve(message: bytes, call: Any) -> bytes:
            try:
                await self._turns.read(functools.partial(take, self._identify(call.auth_context())), message)
            except PeerError as wrong:
                return await _refuse(call, wrong)
            return b""

        return serve


async def _take_off(messages: AsyncIterator[bytes], backlog: Backlog) -> None:
    async for message in messages:
        backlog.put(message)
    backlog.end()


class Turns:
    """Of all that is brought one part is read at a time, and only when the event loop has nothing else to do.

    So what a change of the mesh sets off waits for the part that is being read and not for one each time the loop goes
    round, however much there is to read. Where the loop is never idle some is read nevertheless.
    """

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def read(self, receive: Receive, message: bytes) -> None:
        """Read a message to its end. Raises ``PeerError``."""
        parts = await self.take(lambda: receive(message))
        while parts is not None:
            parts = await self.take(functools.partial(_next, parts))

    async def take(self, work: Callable[[], _T]) -> _T:
        """Do one part of the work when it is its turn."""
        async with self._turn:
            await _idle()
            return work()


async def _idle() -> None:
    """Until the loop has gone round some times at once: what was waiting is done, and what that has set off.

    It is this thread's own time that counts: a machine that is busy with others says nothing of this loop.
    """
    now = time.thread_time()
    until, quick = now + PATIENCE, 0
    while quick < _ROUNDS and now < until:
        begun = now
        await asyncio.sleep(0)
        now = time.thread_time()
        quick = quick + 1 if now - begun < _QUICK else 0


def _next(parts: Iterator[None]) -> Iterator[None] | None:
    for _ in parts:
        return parts
    return None


class Pace:
    """How long to wait before more is read: not at all below ``BYTES_PER_SECOND``."""

    def __init__(self, clock: Clock, per_second: float = BYTES_PER_SECOND, burst: float = _BURST) -> None:
        self._clock = clock
        self._per_second = per_second
        self._burst = burst
        self._left = burst
        self._at = clock.monotonic()

    def after(self, size: int) -> float:
        """Seconds to wait after so many bytes."""
        now = self._clock.monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second) - size
        self._at = now
        return max(0.0, -self._left / self._per_second)


async def _refuse(call: Any, why: PeerError) -> bytes:
    _log.warning("what a proxy told is refused", error=str(why))
    await call.abort(grpc.StatusCode.INVALID_ARGUMENT, str(why))
    return b""
