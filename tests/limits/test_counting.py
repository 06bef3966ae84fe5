"""Shared limits are counted exactly, whatever place counts them: in memory, and in a real Redis."""

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from weft.kit.clock import FakeClock
from weft.kit.errors import UserError
from weft.limits.counting import Ask, Counters, Unavailable
from weft.limits.memory import MemoryCounters
from weft.limits.redis_counters import redis_counters

_SERVER = shutil.which("redis-server") or shutil.which("valkey-server")


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if _SERVER is None:
        pytest.skip("there is no redis-server and no valkey-server on this machine")
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
    home = tmp_path_factory.mktemp("redis")
    command = [_SERVER, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(home)]
    with (home / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            _wait(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()


def _wait(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("redis did not start")


@asynccontextmanager
async def _counters(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[Counters]:
    if kind == "memory":
        yield MemoryCounters(FakeClock(1_700_000_000.0 - 1_700_000_000 % 86_400 + 10))
        return
    counters = redis_counters(request.getfixturevalue("redis"), f"{request.node.name}:")
    try:
        yield counters
    finally:
        await counters.close()


everywhere = pytest.mark.parametrize("kind", ["memory", "redis"])


@everywhere
@pytest.mark.asyncio
async def test_exactly_as_many_as_allowed_pass_when_all_ask_at_once(kind: str, request: pytest.FixtureRequest):
    async with _counters(kind, request) as counters:
        ask = Ask(key="orders", allowed=50, period=86_400)
        told = await asyncio.gather(*(counters.take((ask,)) for _ in range(200)))
        assert sum(one.enough for (one,) in told) == 50
        assert sorted(one.remaining for (one,) in told if one.enough) == list(range(50))
        assert all(0 < one.reset <= 86_400 for (one,) in told)


@pytest.mark.asyncio
async def test_a_burst_spends_its_patience_on_asking_and_not_on_connecting(redis: str):
    watching, counters = Redis.from_url(redis), redis_counters(redis, "burst:")
    try:
        before = (await watching.info("stats"))["total_connections_received"]
        await asyncio.gather(*(counters.take((Ask(key="orders", allowed=50, period=86_400),)) for _ in range(200)))
        assert (await watching.info("stats"))["total_connections_received"] - before <= 8
    finally:
        await counters.close()
        await watching.aclose()


@everywhere
@pytest.mark.asyncio
async def test_a_request_takes_of_all_its_limits_or_of_none(kind: str, request: pytest.FixtureRequest):
    async with _counters(kind, request) as counters:
        few, many = Ask(key="few", allowed=1, period=86_400), Ask(key="many", allowed=10, period=86_400)
        assert [one.enough for one in await counters.take((few, many))] == [True, True]
        assert [one.enough for one in await counters.take((few, many))] == [False, True]
        assert (await counters.take((many,)))[0].remaining == 8


@everywhere
@pytest.mark.asyncio
async def test_a_limit_that_only_counts_lets_the_others_decide(kind: str, request: pytest.FixtureRequest):
    async with _counters(kind, request) as counters:
        shadow = Ask(key="shadow", allowed=1, period=86_400, shadow=True)
        real = Ask(key="real", allowed=3, period=86_400)
        told = [await counters.take((shadow, real)) for _ in range(4)]
        assert [[one.enough for one in both] for both in told] == [
            [True, True],
            [False, True],
            [False, True],
            [False, False],
        ]


@everywhere
@pytest.mark.asyncio
async def test_a_request_can_cost_more_than_one_and_a_cheaper_one_still_passes(
    kind: str, request: pytest.FixtureRequest
):
    async with _counters(kind, request) as counters:
        dear = Ask(key="cost", allowed=5, period=86_400, cost=4)
        cheap = Ask(key="cost", allowed=5, period=86_400, cost=1)
        asked = (dear, dear, cheap, cheap)
        assert [(await counters.take((one,)))[0].enough for one in asked] == [True, False, True, False]


@pytest.mark.asyncio
async def test_a_fixed_window_begins_anew_and_a_sliding_one_remembers():
    clock = FakeClock(6000.0)
    counters = MemoryCounters(clock)
    fixed, sliding = Ask(key="f", allowed=10, period=60), Ask(key="s", allowed=10, period=60, sliding=True)
    clock.advance(59)
    for ask in (fixed, sliding):
        assert sum([(await counters.take((ask,)))[0].enough for _ in range(12)]) == 10
    clock.advance(1)
    assert (await counters.take((fixed,)))[0].enough
    assert not (await counters.take((sliding,)))[0].enough
    clock.advance(30)
    assert sum([(await counters.take((sliding,)))[0].enough for _ in range(12)]) == 5
    clock.advance(150)
    assert sum([(await counters.take((sliding,)))[0].enough for _ in range(12)]) == 10


@pytest.mark.asyncio
async def test_memory_is_bounded_and_the_longest_unused_key_is_forgotten():
    counters = MemoryCounters(FakeClock(), most_keys=2)

    async def passes(key: str) -> bool:
        return (await counters.take((Ask(key=key, allowed=1, period=60),)))[0].enough

    assert [await passes(key) for key in ("a", "b", "a", "c", "a", "b")] == [True, True, False, True, False, True]


@pytest.mark.asyncio
async def test_a_redis_that_is_away_is_unavailable_and_soon_so():
    counters = redis_counters("redis://127.0.0.1:1/0")
    started = time.monotonic()
    with pytest.raises(Unavailable, match="redis does not count"):
        await counters.take((Ask(key="a", allowed=1, period=60),))
    assert time.monotonic() - started < 3
    await counters.close()


def test_an_address_that_is_none_is_refused():
    with pytest.raises(UserError, match="no address of a redis"):
        redis_counters("orders:6379")
