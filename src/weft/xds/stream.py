"""One stream's life: let in, introduced, then requests and offers until either side ends it.

Responses are written by one task at a time, under a lock that also guards the session, so that they leave in the order
in which they were made. While a write waits for a slow reader the newest offer waits with it and replaces older ones.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Protocol

import grpc

from weft.compiler.resource import Resources
from weft.kit.clock import Clock
from weft.kit.errors import PeerError, WeftError
from weft.kit.tasks import tasks
from weft.kit.value import Value
from weft.xds.admission import Admission
from weft.xds.errors import Malformed, NotReady, Refused, TooMuch
from weft.xds.fleet import Connection, Fleet
from weft.xds.introduction import Introduction, Unauthenticated, certificate_of, identity_of, introduce
from weft.xds.session import Session, Variant
from weft.xds.tally import Tally
from weft.xds.wire import Response

_ABORT = 2.0
"""Seconds for a stream's status to leave."""

Subscribe = Callable[[Introduction], AsyncGenerator[Resources, None]]
"""Resources for one proxy, newest first, for ever. Raises ``Refused`` or ``NotReady``."""

UntilBarred = Callable[[Introduction], Awaitable[str]]
"""Waits until a proxy may be served no more, and says why."""


class Limits(Value):
    """Seconds: for the first request, for the first offer, and for a write to a client that does not read."""

    first_request: float = 15.0
    first_offer: float = 5.0
    write: float = 45.0


class Kind(Value):
    """Which service a stream belongs to; ``implied_type`` is "" for the aggregated one."""

    variant: Variant
    implied_type: str = ""


class Call(Protocol):
    """The part of ``grpc.aio.ServicerContext`` that a stream uses."""

    async def read(self) -> Any: ...
    async def write(self, message: bytes) -> None: ...
    async def abort(self, code: Any, details: str = ...) -> None: ...
    def auth_context(self) -> Any: ...


class Ended(WeftError):
    """A stream's end, with the status that the client is told."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.code = code
        self.details = details


_CODES: tuple[tuple[type[WeftError], grpc.StatusCode], ...] = (
    (Unauthenticated, grpc.StatusCode.UNAUTHENTICATED),
    (Refused, grpc.StatusCode.PERMISSION_DENIED),
    (NotReady, grpc.StatusCode.UNAVAILABLE),
    (Malformed, grpc.StatusCode.INVALID_ARGUMENT),
    (TooMuch, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (PeerError, grpc.StatusCode.INVALID_ARGUMENT),
)


class Streams:
    """What all streams share, and the way to end them."""

    def __init__(
        self,
        subscribe: Subscribe,
        fleet: Fleet,
        clock: Clock,
        admission: Admission,
        limits: Limits,
        until_barred: UntilBarred | None = None,
    ) -> None:
        self._until_barred = until_barred
        self._subscribe = subscribe
        self._fleet = fleet
        self._clock = clock
        self._admission = admission
        self._limits = limits
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End every stream, now and from now on, with ``UNAVAILABLE``: the clients go to another replica."""
        self._stopping.set()

    async def serve(self, call: Call, kind: Kind) -> None:
        """Serve one stream to its end."""
        try:
            await self._serve(call, kind)
        except Ended as end:
            await _abort(call, end.code, end.details)
        except WeftError as wrong:
            await _abort(call, _code_of(wrong), str(wrong))

    async def _serve(self, call: Call, kind: Kind) -> None:
        if self._stopping.is_set():
            raise _stopped()
        identity = identity_of(call.auth_context())
        await self._admission.enter()
        request = await self._within(self._limits.first_request, call.read(), "no request came")
        if request is grpc.aio.EOF:
            return
        introduction = introduce(identity, request, kind.variant, certificate_of(call.auth_context()))
        async with aclosing(self._subscribe(introduction)) as offers:
            await self._serve_introduced(call, kind, introduction, request, offers)

    async def _serve_introduced(
        self,
        call: Call,
        kind: Kind,
        introduction: Introduction,
        request: bytes,
        offers: AsyncIterator[Resources],
    ) -> None:
        first = await self._within(self._limits.first_offer, anext(offers), "nothing to serve yet")
        fleet = self._fleet
        session = Session(
            kind.variant,
            implied_type=kind.implied_type,
            doubtful=fleet.doubtful(introduction),
            held=fleet.held(introduction),
        )
        connection = Connection(introduction, session, self._clock.now())
        number = self._fleet.join(connection)
        try:
            stream = _Stream(call, connection, self._clock, self._limits, fleet.tally)
            await stream.offer(first)
            await stream.receive(request)
            await self._run(stream, offers)
        finally:
            self._fleet.leave(number)

    async def _run(self, stream: "_Stream", offers: AsyncIterator[Resources]) -> None:
        try:
            async with tasks() as group:
                group.start(stream.follow(offers), "xds offers")
                group.start(stream.keep_time(), "xds timer")
                group.start(self._stopped(), "xds stop")
                group.start(self._barred(stream.introduction), "xds revocation")
                await stream.read()
        except ExceptionGroup as failures:
            raise _first(failures) from failures

    async def _barred(self, introduction: Introduction) -> None:
        if self._until_barred is not None:
            raise Refused(await self._until_barred(introduction))

    async def _stopped(self) -> None:
        await self._stopping.wait()
        raise _stopped()

    async def _within(self, seconds: float, waiting: Any, otherwise: str) -> Any:
        try:
            async with asyncio.timeout(seconds):
                return await waiting
        except TimeoutError:
            raise Ended(grpc.StatusCode.UNAVAILABLE, otherwise) from None
        except StopAsyncIteration:
            raise Ended(grpc.StatusCode.UNAVAILABLE, "no more configuration is made for this proxy") from None


class _Stream:
    """A session and the call that it is written to."""

    def __init__(self, call: Call, connection: Connection, clock: Clock, limits: Limits, tally: Tally) -> None:
        self._call = call
        self._connection = connection
        self._clock = clock
        self._limits = limits
        self._lock = asyncio.Lock()
        self._moved = asyncio.Event()
        self._stuck = False
        self._tally = tally
        self._offered: float | None = None

    @property
    def introduction(self) -> Introduction:
        """Whose it is."""
        return self._connection.introduction

    async def offer(self, resources: Resources) -> None:
        """Send what changed."""
        async with self._lock:
            self._connection.resources = resources
            now = self._clock.monotonic()
            session = self._connection.session
            responses = session.offer(resources, now)
            if self._offered is None and session.lags:  # perhaps it is sent when what was sent before is acknowledged
                self._offered = now
            await self._write(responses)

    async def receive(self, request: bytes) -> None:
        """Send what was asked for."""
        async with self._lock:
            session, now = self._connection.session, self._clock.monotonic()
            refused = session.refusals
            responses = session.receive(request, now)
            self._tally.refusals += session.refusals - refused
            if self._offered is not None and session.settled:
                self._tally.settled(now - self._offered)
                self._offered = None
            await self._write(responses)

    async def read(self) -> None:
        """Take requests until the client has no more."""
        while True:
            request = await self._call.read()
            if request is grpc.aio.EOF:
                return
            await self.receive(request)

    async def follow(self, offers: AsyncIterator[Resources]) -> None:
        """Send every newer offer."""
        async for resources in offers:
            await self.offer(resources)
        raise Ended(grpc.StatusCode.UNAVAILABLE, "no more configuration is made for this proxy")

    async def keep_time(self) -> None:
        """Send what becomes due because time passes."""
        while True:
            now = self._clock.monotonic()
            deadline = self._connection.session.deadline(now)
            self._moved.clear()
            try:
                async with asyncio.timeout(None if deadline is None else max(0.0, deadline - now)):
                    await self._moved.wait()
            except TimeoutError:
                async with self._lock:
                    await self._write(self._connection.session.tick(self._clock.monotonic()))

    async def _write(self, responses: tuple[Response, ...]) -> None:
        self._moved.set()
        for response in responses:
            if self._stuck:  # gRPC still holds the write that timed out, and takes one at a time
                raise _unread()
            self._tally.pushed(response.type_url, len(response.body))
            try:
                async with asyncio.timeout(self._limits.write):
                    await self._call.write(response.body)
            except TimeoutError:
                self._stuck = True
                raise _unread() from None
            except grpc.aio.BaseError as broken:
                raise Ended(grpc.StatusCode.CANCELLED, "the client is gone") from broken


async def _abort(call: Call, code: grpc.StatusCode, details: str) -> None:
    """Tell the client why, if it can be told.

    A status waits behind what the client does not read; gRPC keeps it, and the one message before it, until the client
    reads on or its connection ends (keepalive, connection age). Everything of ours is let go now.
    """
    try:
        async with asyncio.timeout(_ABORT):
            await call.abort(code, details)
    except (TimeoutError, grpc.aio.InternalError):
        return


def _unread() -> Ended:
    return Ended(grpc.StatusCode.DEADLINE_EXCEEDED, "the client does not read")


def _stopped() -> Ended:
    return Ended(grpc.StatusCode.UNAVAILABLE, "the control plane is stopping")


def _code_of(wrong: WeftError) -> grpc.StatusCode:
    return next((code for kind, code in _CODES if isinstance(wrong, kind)), grpc.StatusCode.INTERNAL)


def _first(failures: ExceptionGroup[Exception]) -> Exception:
    """What went wrong first: an error of ours tells the client more than what followed from it."""
    failure: Exception = failures.subgroup(WeftError) or failures
    while isinstance(failure, ExceptionGroup):
        failure = failure.exceptions[0]
    return failure
