"""Logs that somebody wants to read: their own workload's agent hears of it, and nobody else's is believed."""

import asyncio

from weft.model.identity import Identity
from weft.observe.logs import MOST_READERS, LogDesk, Piece, Question

SHOP = Identity(trust_domain="cluster.local", namespace="shop", account="web")
BANK = Identity(trust_domain="cluster.local", namespace="bank", account="web")
QUESTION = Question(namespace="shop", workload="web-1", tail=10, follow=True)


def test_an_agent_hears_what_is_wanted_of_its_own_workload_until_nobody_reads():
    desk = LogDesk()
    reading = desk.enter(QUESTION)
    assert reading is not None
    (wanted,) = desk.wanted(SHOP, "web-1")["logs"]
    assert wanted == {"id": reading.id, "source": "app", "tail": 10, "since": None, "follow": True}
    assert desk.wanted(SHOP, "web-2") == desk.wanted(BANK, "web-1") == {}
    desk.leave(reading)
    assert desk.wanted(SHOP, "web-1") == {}


def test_what_others_send_is_not_taken():
    desk = LogDesk()
    reading = desk.enter(QUESTION)
    assert reading is not None
    piece = Piece(content=b"forged")
    assert desk.take(BANK, "web-1", reading.id, piece, end=False) is None
    assert desk.take(SHOP, "web-2", reading.id, piece, end=False) is None
    assert desk.take(SHOP, "web-1", "another", piece, end=False) is None
    assert asyncio.run(reading.next(0)) is None


def test_a_slow_reader_makes_the_agent_wait_and_loses_nothing():
    desk = LogDesk()
    reading = desk.enter(QUESTION)
    assert reading is not None
    piece = Piece(content=b"x" * 100_000)
    told = [desk.take(SHOP, "web-1", reading.id, piece, end=False) for _ in range(7)]
    assert [one["taken"] for one in told if one] == [True] * 5 + [False] * 2
    assert told[-1] is not None
    assert told[-1]["pause"] > 0

    async def read() -> int:
        return sum([len(one.content) for one in [await reading.next(0) for _ in range(5)] if one])

    assert asyncio.run(read()) == 500_000
    assert desk.take(SHOP, "web-1", reading.id, piece, end=True) == {"taken": True, "pause": 0.0}
    assert desk.wanted(SHOP, "web-1") == {}


def test_only_so_many_read_at_a_time():
    desk = LogDesk()
    readings = [desk.enter(QUESTION) for _ in range(MOST_READERS)]
    assert all(readings)
    assert desk.enter(QUESTION) is None
    assert len({one.id for one in readings if one}) == MOST_READERS
