"""Sinks on the discovery server: who tells is in the certificate, and who tells too much is read slowly."""

import asyncio
import time

import grpc
import pytest

from tests.xds.certificates import Root
from tests.xds.rig import WEB
from weft.kit.clock import FakeClock, SystemClock
from weft.kit.errors import PeerError
from weft.kit.latest import Latest
from weft.kit.tasks import tasks
from weft.model.identity import Identity
from weft.observe import backlog
from weft.observe.backlog import Backlog, Room
from weft.observe.sinks import PATIENCE, Pace, SinkHandlers, StreamSink, Turns, UnarySink
from weft.xds.fleet import Fleet
from weft.xds.introduction import identity_of
from weft.xds.server import XdsConfig, serve_xds

STREAM, SHEDDING, UNARY = "/test.Sink/Stream", "/test.Sink/Shedding", "/test.Sink/Unary"


class Heard:
    """A sink of each kind, and what they heard."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []

    def sinks(self) -> tuple[StreamSink, StreamSink, UnarySink]:
        def opened(identity: Identity):
            return lambda content: self.hear(identity, content)

        shedding = StreamSink(method=SHEDDING, opened=opened, sheds=True)
        return StreamSink(method=STREAM, opened=opened), shedding, UnarySink(method=UNARY, take=self.hear)

    def hear(self, identity: Identity, content: bytes) -> None:
        if content == b"bad":
            raise PeerError("this is bad")
        self.messages.append((identity.uri, content))


async def _subscribe(_):
    async for resources in Latest():
        yield resources


async def _with_channel(heard: Heard, ask):
    return await _asked(SinkHandlers(heard.sinks(), identity_of, SystemClock()), ask)


async def _asked(handlers: SinkHandlers, ask):
    root = Root()
    material = root.server()
    server = await serve_xds(
        config=XdsConfig(), subscribe=_subscribe, fleet=Fleet(), tls=lambda: material, others=(handlers,)
    )
    key, chain = root.workload(WEB)
    credentials = grpc.ssl_channel_credentials(root.pem, key, chain)
    try:
        async with grpc.aio.secure_channel(
            f"127.0.0.1:{server.port}", credentials, options=(("grpc.ssl_target_name_override", "localhost"),)
        ) as channel:
            return await ask(channel)
    finally:
        await server.stop()


@pytest.mark.asyncio
@pytest.mark.parametrize("method", [STREAM, SHEDDING])
async def test_a_stream_is_heard_under_the_identity_of_its_certificate(method: str):
    heard = Heard()

    async def ask(channel):
        return await channel.stream_unary(method)(iter([b"one", b"two"]))

    assert await _with_channel(heard, ask) == b""
    assert heard.messages == [(WEB, b"one"), (WEB, b"two")]


@pytest.mark.asyncio
async def test_a_single_message_is_answered():
    heard = Heard()

    async def ask(channel):
        return await channel.unary_unary(UNARY)(b"one")

    assert await _with_channel(heard, ask) == b""
    assert heard.messages == [(WEB, b"one")]


@pytest.mark.asyncio
@pytest.mark.parametrize("method", [STREAM, SHEDDING, UNARY])
async def test_what_is_wrong_ends_the_call_and_says_why(method: str):
    async def ask(channel):
        if method != UNARY:
            return await channel.stream_unary(method)(iter([b"bad"]))
        return await channel.unary_unary(UNARY)(b"bad")

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await _with_channel(Heard(), ask)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details() == "this is bad"


def test_a_stream_below_its_share_is_not_held_up():
    clock = FakeClock()
    pace = Pace(clock, per_second=100, burst=1000)
    assert [pace.after(500), pace.after(500)] == [0.0, 0.0]


def test_a_stream_above_its_share_waits_until_it_has_paid():
    clock = FakeClock()
    pace = Pace(clock, per_second=100, burst=1000)
    assert pace.after(1300) == 3.0
    clock.advance(3)
    assert pace.after(100) == 1.0
    clock.advance(1000)
    assert pace.after(1000) == 0.0


def _work(seconds: float) -> None:
    """A callback that takes its time."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


@pytest.mark.asyncio
async def test_what_is_told_is_read_when_nothing_else_is_to_do():
    turns, others, seen = Turns(), 8, []

    async def other() -> None:
        for _ in range(others):
            _work(0.001)
            seen.append("other")
            await asyncio.sleep(0)

    def told(_: bytes):
        for _ in range(3):
            seen.append("part")
            yield

    async with tasks() as group:
        reading = group.start(turns.read(told, b""), "reading")
        await group.start(other(), "other")
        await reading
    assert seen == [*["other"] * others, *["part"] * 3]


@pytest.mark.asyncio
async def test_where_something_else_is_always_to_do_what_is_told_is_read_nevertheless():
    turns, begun = Turns(), time.thread_time()

    async def other() -> None:
        while True:
            _work(0.001)
            await asyncio.sleep(0)

    async with tasks() as group:
        group.start(other(), "other")
        await turns.read(lambda _: iter((None, None, None)), b"")
    assert 4 * PATIENCE <= time.thread_time() - begun < 8 * PATIENCE


@pytest.mark.asyncio
async def test_what_waits_has_so_much_room_for_each_stream_and_for_all(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(backlog, "ROOM", 100)
    monkeypatch.setattr(backlog, "SHARE", 60)
    room = Room()
    first, second = Backlog(room), Backlog(room)
    for one in (first, second):
        for _ in range(3):
            one.put(bytes(30))
    assert (room.left, room.dropped) == (10, 3)
    first.close()
    second.end()
    assert [len(message) async for message in second] == [30]
    assert (room.left, room.dropped) == (100, 3)


@pytest.mark.asyncio
async def test_the_first_message_of_a_stream_always_has_place_for_it_says_who_tells(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(backlog, "ROOM", 10)
    room = Room()
    one = Backlog(room)
    one.put(bytes(30))
    one.put(bytes(1))
    one.end()
    assert [len(message) async for message in one] == [30]
    assert (room.left, room.dropped) == (10, 1)


@pytest.mark.asyncio
async def test_a_stream_that_sheds_is_taken_off_the_wire_while_nobody_reads(monkeypatch: pytest.MonkeyPatch):
    """A megabyte waits, and perhaps one message in each hand; all others are shed before anybody reads."""
    monkeypatch.setattr(backlog, "SHARE", 1024 * 1024)
    going_on, heard = asyncio.Event(), Heard()
    read = Turns.read

    async def late(turns: Turns, receive, message: bytes) -> None:
        await going_on.wait()
        await read(turns, receive, message)

    monkeypatch.setattr(Turns, "read", late)
    handlers = SinkHandlers(heard.sinks(), identity_of, SystemClock())

    async def ask(channel):
        call = channel.stream_unary(SHEDDING)()
        for _ in range(200):
            await call.write(bytes(100_000))
        await call.done_writing()
        async with asyncio.timeout(20):
            while handlers.dropped < 188:  # noqa: ASYNC110  what a server saw is no event
                await asyncio.sleep(0.01)
        going_on.set()
        return await call

    assert await _asked(handlers, ask) == b""
    assert len(heard.messages) + handlers.dropped == 200
    assert 10 <= len(heard.messages) <= 12
