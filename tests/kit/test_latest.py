"""``Latest`` conflates: readers get the newest value and skip what they had no time for."""

import asyncio

import pytest

from weft.kit.latest import Latest

pytestmark = pytest.mark.asyncio


async def test_a_reader_waits_for_the_first_value() -> None:
    latest: Latest[int] = Latest()
    assert latest.value is None
    reader = asyncio.ensure_future(latest.first())
    await asyncio.sleep(0)
    assert not reader.done()
    latest.set(1)
    assert await reader == 1


async def test_a_slow_reader_skips_what_it_missed() -> None:
    latest: Latest[int] = Latest()
    latest.set(1)
    seen = []
    async for value in latest:
        seen.append(value)
        if value == 1:
            latest.set(2)
            latest.set(3)
        if value == 3:
            break
    assert seen == [1, 3]


async def test_a_new_reader_starts_with_the_newest_value() -> None:
    latest: Latest[int] = Latest()
    for value in range(5):
        latest.set(value)
    assert await latest.first() == 4


async def test_every_reader_is_woken() -> None:
    latest: Latest[str] = Latest()
    readers = [asyncio.ensure_future(latest.first()) for _ in range(10)]
    await asyncio.sleep(0)
    latest.set("x")
    assert await asyncio.gather(*readers) == ["x"] * 10
